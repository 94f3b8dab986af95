// What all formats share: labels, keys, and dictionaries merged from pieces. See source.h.
#include "tuff/table/source.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

std::string label_of(const std::vector<FileIdentity>& files) {
  if (files.size() == 1) return fmt::format("'{}'", files[0].path);
  return fmt::format("'{}' and {} more file{}", files[0].path, files.size() - 1,
                     files.size() == 2 ? "" : "s");
}

CategoriesPtr merge(std::span<Value* const> pieces, std::string_view column) {
  auto result = std::make_shared<Categories>();
  for (const Value* piece : pieces) {
    const auto& texts = *piece->get<DistinctPtr>();
    const size_t before = result->texts.size();
    result->texts.insert(result->texts.end(), texts.begin(), texts.end());
    std::inplace_merge(result->texts.begin(), result->texts.begin() + static_cast<int64_t>(before),
                       result->texts.end());
    result->texts.erase(std::unique(result->texts.begin(), result->texts.end()),
                        result->texts.end());
  }
  if (result->texts.size() > size_t{std::numeric_limits<int32_t>::max()}) {
    throw InvalidArgument("dictionary",
                          fmt::format("column '{}' has {} different texts; codes are int32", column,
                                      result->texts.size()));
  }
  result->code_of.reserve(result->texts.size());
  for (size_t i = 0; i < result->texts.size(); ++i) {
    result->code_of.emplace(result->texts[i], static_cast<int32_t>(i));
  }
  return result;
}

}  // namespace

void add_text(std::string_view text, TextSet& texts, TextMemo& memo) {
  if (memo.find(text) >= 0) return;
  auto found = texts.find(text);
  if (found == texts.end()) found = texts.emplace(text).first;
  memo.remember(*found, 0);
}

DistinctPtr sorted(TextSet texts) {
  auto result = std::make_shared<std::vector<std::string>>();
  result->reserve(texts.size());
  while (!texts.empty()) result->push_back(std::move(texts.extract(texts.begin()).value()));
  std::sort(result->begin(), result->end());
  return result;
}

Source::Source(const std::vector<FileIdentity>& files, Key key)
    : label_(label_of(files)), key_(key) {}
Source::~Source() = default;

Key Source::key_of_column(std::string_view what, size_t field) const {
  ByteWriter writer;
  writer.put(what);
  writer.put(key_.high);
  writer.put(key_.low);
  writer.put(static_cast<uint64_t>(field));
  return hash_bytes(writer.bytes());
}

std::string Source::note_of(size_t field) const {
  return fmt::format("column '{}' of {}", all_fields[field].name, label_);
}

CategoriesPtr Source::known_categories(size_t field) {
  const std::lock_guard lock(mutex_);
  known_.resize(all_fields.size());
  return known_[field];
}

graph::Port Source::categories(size_t field) {
  TableTask task;
  task.name = "dictionary";
  task.note = note_of(field);
  task.key = key_of_column("dictionary", field);
  task.reads = {Reads::all};
  task.run = [self = shared_from_this(), field](TaskArguments& arguments) {
    CategoriesPtr found = merge(arguments.inputs, self->all_fields[field].name);
    {
      const std::lock_guard lock(self->mutex_);
      self->known_[field] = found;
    }
    arguments.outputs[0].emplace<CategoriesPtr>(std::move(found));
  };
  return value_layer(std::move(task), {distinct(field)}, 1);
}

}  // namespace table::detail
TUFF_NAMESPACE_END
