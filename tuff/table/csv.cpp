// CSV files as a source: names, types, byte ranges, and the layers that read them.
//
// A task reads one range of bytes once and finds its cells; one more task per column that is asked for
// makes numbers of them. A range owns the lines that begin in it. Where rows are is known only then, so
// all columns share one symbol for the number of rows, bounded by what the bytes could hold.
#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "tuff/table/csv_parse.h"
#include "tuff/table/files.h"
#include "tuff/table/source.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

/// From this much of the first file types are inferred: enough for thousands of rows, read in 1 ms.
constexpr int64_t kSampleBytes = int64_t{1} << 20;
/// The most that one task reads: text and cells (8 bytes each, at least one per two bytes) of two tasks
/// then stay within 100 MB.
constexpr int64_t kMostRangeBytes = int64_t{8} << 20;
/// A record that is longer than this is no record: the file is of another kind, or a quote is missing.
constexpr int64_t kMostRecordBytes = int64_t{16} << 20;

/// Quotes are counted in steps of this many bytes.
constexpr size_t kScanBytes = size_t{1} << 20;

struct CsvFile {
  FileIdentity identity;
  int64_t first = 0;  ///< where the first record of data begins
  std::vector<size_t> column_of_field;
};

struct Range {
  uint32_t file = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

/// The records of one range and their cells.
struct CsvText {
  Buffer memory;
  std::string_view text;  ///< of `memory`
  int64_t offset = 0;     ///< of the text in the file
  CsvCells cells;
};
using CsvTextPtr = std::shared_ptr<const CsvText>;

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw InvalidArgument("read_csv", fmt::format("'{}': {}", path, what));
}

/// 1 + the line breaks before `offset`. Reads the file again: only for errors.
int64_t line_of(const File& file, int64_t offset) {
  std::vector<char> buffer(kScanBytes);
  int64_t line = 1;
  for (int64_t at = 0; at < offset;) {
    const auto want =
        static_cast<size_t>(std::min(offset - at, static_cast<int64_t>(buffer.size())));
    const size_t got = file.read_at(at, std::span(buffer.data(), want));
    if (got == 0) break;
    line += std::count(buffer.data(), buffer.data() + got, '\n');
    at += static_cast<int64_t>(got);
  }
  return line;
}

[[noreturn]] void fail_at(const FileIdentity& identity, int64_t offset, std::string_view what) {
  const File file(identity);
  throw InvalidArgument(
      "read_csv", fmt::format("'{}', line {}: {}", identity.path, line_of(file, offset), what));
}

/// The bytes of a file from `begin` on, growing as they are asked for.
class Window {
 public:
  Window(const File& file, int64_t begin, int64_t file_bytes)
      : file_(file), begin_(begin), file_bytes_(file_bytes) {}
  /// Reads on until `bytes` are there or the file ends.
  void extend(int64_t bytes) {
    const auto wanted = static_cast<size_t>(std::min(bytes, file_bytes_ - begin_));
    if (wanted <= size_) return;
    Buffer larger = Buffer::allocate(wanted);
    auto* to = reinterpret_cast<char*>(larger.data());
    std::copy_n(view().data(), size_, to);
    const size_t got =
        file_.read_at(begin_ + static_cast<int64_t>(size_), std::span(to + size_, wanted - size_));
    if (got < wanted - size_) {
      fail(file_.path(), fmt::format("ends at byte {}; it had {} bytes when it was opened",
                                     begin_ + static_cast<int64_t>(size_ + got), file_bytes_));
    }
    memory_ = std::move(larger);
    size_ = wanted;
  }
  bool at_end() const { return begin_ + static_cast<int64_t>(size_) >= file_bytes_; }
  std::string_view view() const { return {reinterpret_cast<const char*>(memory_.data()), size_}; }
  int64_t begin() const { return begin_; }
  const Buffer& memory() const { return memory_; }

 private:
  const File& file_;
  int64_t begin_;
  int64_t file_bytes_;
  Buffer memory_;
  size_t size_ = 0;
};

class CsvSource final : public Source {
 public:
  CsvSource(std::vector<FileIdentity> identities, const ReadOptions& options, Key key)
      : Source(identities, key), options_(options) {
    dialect_ = {options.csv.delimiter, options.csv.multiline};
    files_.resize(identities.size());
    for (size_t f = 0; f < files_.size(); ++f) {
      files_[f].identity = std::move(identities[f]);
      open_file(f);
    }
    cut();
  }

  bool may_have_nulls(size_t field) const override { return !all_fields[field].is_dictionary; }

  Column column(size_t field, bool with_valid) override {
    TableTask task;
    task.name = "read_csv";
    task.note = note_of(field);
    task.key = key_of_column(with_valid ? "values and nulls" : "values", field);
    std::vector<graph::Port> inputs;
    task.reads = {Reads::same};
    CategoriesPtr known;
    if (all_fields[field].is_dictionary) known = known_categories(field);
    if (all_fields[field].is_dictionary && known == nullptr) {
      // Lines that waited for the dictionary would pile up, a whole file of them; so they are read again
      // behind it.
      const graph::Port dictionary = categories(field);
      inputs = {texts_behind(dictionary, field), dictionary};
      task.reads.push_back(Reads::first);
    } else {
      inputs = {texts()};
    }
    task.run = [self = std::static_pointer_cast<const CsvSource>(shared_from_this()), field,
                with_valid, known](TaskArguments& arguments) {
      self->run(arguments, field, with_valid,
                known != nullptr || arguments.inputs.size() < 2
                    ? known.get()
                    : arguments.inputs[1]->get<CategoriesPtr>().get());
    };
    std::vector<graph::LayerOutput> outputs = {{all_fields[field].dtype, {row_chunks}}};
    if (with_valid) outputs.push_back({DType::bool_, {row_chunks}});
    const graph::LayerPtr layer =
        table_layer(std::move(task), std::move(inputs), std::move(outputs));
    Column result{{layer, 0}, {}};
    if (with_valid) result.valid = {layer, 1};
    return result;
  }

 protected:
  graph::Port distinct(size_t field) override {
    TableTask task;
    task.name = "distinct";
    task.note = note_of(field);
    task.key = key_of_column("distinct", field);
    task.reads = {Reads::same};
    task.run = [self = std::static_pointer_cast<const CsvSource>(shared_from_this()),
                field](TaskArguments& arguments) {
      TextSet found;
      TextMemo memo;
      const CsvText& text = *arguments.inputs[0]->get<CsvTextPtr>();
      self->each_text(arguments.block, text, field,
                      [&](size_t, std::string_view value) { add_text(value, found, memo); });
      arguments.outputs[0].emplace<DistinctPtr>(sorted(std::move(found)));
    };
    return value_layer(std::move(task), {texts()}, ranges_.size());
  }

 private:
  // ---- opening ----

  void open_file(size_t f) {
    CsvFile& file = files_[f];
    if (file.identity.bytes == 0) fail(file.identity.path, "the file is empty: not even a header");
    const File opened(file.identity);
    Window window(opened, 0, file.identity.bytes);
    window.extend(kSampleBytes);
    std::string_view text = window.view();
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
      fail(file.identity.path, "UTF-16 text; convert it to UTF-8 first");
    }
    const size_t start = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    text = whole_records(window, start);
    try {
      read_names(f, text, start);
    } catch (const CsvFault& fault) {
      fail_at(file.identity, static_cast<int64_t>(fault.at), fault.what);
    }
    if (f == 0) {
      try {
        infer_types(text.substr(static_cast<size_t>(file.first)));
      } catch (const CsvFault& fault) {
        fail_at(file.identity, file.first + static_cast<int64_t>(fault.at), fault.what);
      }
    }
  }

  /// The sample, cut behind its last whole record.
  std::string_view whole_records(const Window& window, size_t start) const {
    const std::string_view text = window.view();
    if (window.at_end()) return text;
    size_t last = 0;
    for (size_t at = start; at != std::string_view::npos;
         at = end_of_record(text, at, dialect_, false))
      last = at;
    if (last <= start) {
      fail(files_[0].identity.path,
           fmt::format("no line ends in the first {} bytes; is this a CSV file?", text.size()));
    }
    return text.substr(0, last);
  }

  std::vector<std::string> header_of(std::string_view text, size_t start, size_t& next) const {
    CsvCells cells;
    next = start;
    while (next < text.size() && cells.empty()) next = read_record(text, next, dialect_, cells);
    if (cells.empty()) throw CsvFault{start, "blank lines only; a header is needed"};
    std::vector<std::string> names;
    std::string buffer;
    for (const CsvCell& cell : cells) {
      names.emplace_back(text_of(cell, text, buffer));
      if (std::count(names.begin(), names.end(), names.back()) > 1) {
        throw CsvFault{cell.first(), fmt::format("two columns have the name '{}'", names.back())};
      }
    }
    return names;
  }

  void read_names(size_t f, std::string_view text, size_t start) {
    CsvFile& file = files_[f];
    size_t next = start;
    std::vector<std::string> names;
    if (options_.csv.header) {
      names = header_of(text, start, next);
    } else {
      for (const Field& field : options_.csv.schema) names.push_back(field.name);
    }
    file.first = static_cast<int64_t>(next);
    if (f == 0) {
      for (std::string& name : names) all_fields.push_back({.name = std::move(name)});
      for (size_t c = 0; c < all_fields.size(); ++c) file.column_of_field.push_back(c);
      return;
    }
    for (const Field& field : all_fields) {
      const auto at = std::find(names.begin(), names.end(), field.name);
      if (at == names.end() || names.size() != all_fields.size()) {
        fail(file.identity.path,
             fmt::format("columns {}; '{}' has {}; all files of a table have the same columns",
                         list(names), files_[0].identity.path, list(names_of_fields())));
      }
      file.column_of_field.push_back(static_cast<size_t>(at - names.begin()));
    }
  }

  std::vector<std::string> names_of_fields() const {
    std::vector<std::string> names;
    for (const Field& field : all_fields) names.push_back(field.name);
    return names;
  }

  static std::string list(const std::vector<std::string>& names) {
    // As many as fit a line or two.
    constexpr size_t kShown = 8;
    std::string text;
    for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i > 0 ? ", " : "") + names[i];
    return names.size() > kShown ? fmt::format("{}, ... ({} in all)", text, names.size()) : text;
  }

  void infer_types(std::string_view text) {
    std::vector<bool> given(all_fields.size(), false);
    for (const Field& wanted : options_.csv.schema) {
      const auto at = std::find_if(all_fields.begin(), all_fields.end(),
                                   [&](const Field& field) { return field.name == wanted.name; });
      if (at == all_fields.end()) {
        fail(files_[0].identity.path,
             fmt::format("the schema gives a type to column '{}'; columns are {}", wanted.name,
                         list(names_of_fields())));
      }
      *at = wanted;
      given[static_cast<size_t>(at - all_fields.begin())] = true;
    }
    const CsvCells cells = read_records(text, dialect_, all_fields.size());
    const size_t rows = cells.size() / all_fields.size();
    if (rows > 0) bytes_per_row_ = static_cast<double>(text.size()) / static_cast<double>(rows);
    inferred_.resize(all_fields.size(), false);
    for (size_t c = 0; c < all_fields.size(); ++c) {
      if (given[c]) continue;
      if (rows == 0) {
        fail(files_[0].identity.path,
             fmt::format("a header, but no rows to tell the type of '{}' by; "
                         "CsvOptions::schema can give it",
                         all_fields[c].name));
      }
      all_fields[c] = infer(all_fields[c].name, text, cells, c, all_fields.size());
      inferred_[c] = true;
    }
  }

  void cut() {
    const double wanted = bytes_per_row_ * static_cast<double>(options_.rows_per_block);
    const auto step =
        static_cast<int64_t>(std::clamp(wanted, 1.0, static_cast<double>(kMostRangeBytes)));
    // A row has a break and a delimiter between any two cells, and a line with one cell is not blank.
    const auto least = static_cast<int64_t>(std::max<size_t>(all_fields.size(), 2));
    std::vector<int64_t> bounds;
    for (uint32_t f = 0; f < files_.size(); ++f) {
      const int64_t last = files_[f].identity.bytes;
      int64_t begin = files_[f].first;
      do {
        const int64_t end = std::min(begin + step, last);
        ranges_.push_back({f, begin, end});
        bounds.push_back(end > begin ? (end - begin) / least + 1 : 0);
        begin = end;
      } while (begin < last);
    }
    row_chunks = AxisChunks::unknown(*AxisChunks::of(bounds));
  }

  // ---- reading ----

  graph::Port texts() { return lines(key_of_column("lines", 0), {}); }

  /// Lines that are read once `dictionary` is there.
  graph::Port texts_behind(const graph::Port& dictionary, size_t field) {
    return lines(key_of_column("lines behind", field), {dictionary});
  }

  graph::Port lines(Key key, std::vector<graph::Port> inputs) {
    TableTask task;
    task.name = "read_lines";
    task.note = label();
    task.key = key;
    task.reads.assign(inputs.size(), Reads::first);
    task.run = [self = std::static_pointer_cast<const CsvSource>(shared_from_this())](
                   TaskArguments& arguments) {
      arguments.outputs[0].emplace<CsvTextPtr>(self->read_range(self->ranges_[arguments.block]));
    };
    return value_layer(std::move(task), std::move(inputs), ranges_.size());
  }

  CsvTextPtr read_range(const Range& range) const {
    const CsvFile& file = files_[range.file];
    const File opened(file.identity);
    auto result = std::make_shared<CsvText>();
    if (range.begin == range.end) return result;
    // A line begins behind a break, so the byte before the range belongs to the search.
    const bool at_start = range.begin == file.first;
    Window window(opened, at_start ? range.begin : range.begin - 1, file.identity.bytes);
    window.extend(range.end - window.begin() + (int64_t{1} << 12));
    size_t first = 0;
    if (!at_start) {
      first = record_behind(window, range, 0, dialect_.multiline && odd_quotes_before(range));
      if (window.begin() + static_cast<int64_t>(first) >= range.end) return result;
    }
    size_t last = first;
    while (window.begin() + static_cast<int64_t>(last) < range.end)
      last = record_behind(window, range, last, false);
    result->offset = window.begin() + static_cast<int64_t>(first);
    result->memory = window.memory();
    result->text = window.view().substr(first, last - first);
    try {
      result->cells = read_records(result->text, dialect_, all_fields.size());
    } catch (const CsvFault& fault) {
      fail_at(file.identity, result->offset + static_cast<int64_t>(fault.at), fault.what);
    }
    return result;
  }

  /// Where the record that is open at `at` ends; the window grows as far as that takes.
  size_t record_behind(Window& window, const Range& range, size_t at, bool in_quotes) const {
    for (;;) {
      const size_t next = end_of_record(window.view(), at, dialect_, in_quotes);
      if (next != std::string_view::npos) return next;
      if (window.at_end()) return window.view().size();
      const auto open = static_cast<int64_t>(window.view().size() - at);
      if (open > kMostRecordBytes) {
        fail_at(files_[range.file].identity, window.begin() + static_cast<int64_t>(at),
                fmt::format(
                    "no line ends in the next {} bytes; is a quote missing, or is this not CSV?",
                    open));
      }
      window.extend(static_cast<int64_t>(window.view().size()) * 2);
    }
  }

  /// Whether the byte before `range` lies inside quotes: every quote toggles, a doubled one twice.
  bool odd_quotes_before(const Range& range) const {
    std::call_once(quotes_once_, [this] { count_quotes(); });
    return quotes_odd_[static_cast<size_t>(&range - ranges_.data())];
  }

  void count_quotes() const {
    quotes_odd_.assign(ranges_.size(), false);
    std::vector<char> buffer(kScanBytes);
    for (size_t r = 0; r < ranges_.size();) {
      const uint32_t f = ranges_[r].file;
      const File opened(files_[f].identity);
      int64_t at = files_[f].first;
      bool odd = false;
      for (; r < ranges_.size() && ranges_[r].file == f; ++r) {
        const int64_t until = std::max(at, ranges_[r].begin - 1);
        while (at < until) {
          const auto want =
              static_cast<size_t>(std::min(until - at, static_cast<int64_t>(buffer.size())));
          const size_t got = opened.read_at(at, std::span(buffer.data(), want));
          if (got == 0) fail(opened.path(), fmt::format("ends at byte {}", at));
          odd ^= (std::count(buffer.data(), buffer.data() + got, '"') & 1) != 0;
          at += static_cast<int64_t>(got);
        }
        quotes_odd_[r] = odd;
      }
    }
  }

  /// Calls `f(row, text)` for each cell of a column of text.
  template <class F>
  void each_text(uint32_t range, const CsvText& text, size_t field, F&& f) const {
    const size_t column = files_[ranges_[range].file].column_of_field[field];
    std::string buffer;
    size_t row = 0;
    for (size_t i = column; i < text.cells.size(); i += all_fields.size()) {
      f(row++, text_of(text.cells[i], text.text, buffer));
    }
  }

  void run(TaskArguments& arguments, size_t field, bool with_valid,
           const Categories* categories) const {
    const CsvText& text = *arguments.inputs[0]->get<CsvTextPtr>();
    const Field& column = all_fields[field];
    const auto rows = static_cast<int64_t>(text.cells.size() / all_fields.size());
    Block values = Block::allocate(column.dtype, Dims{rows});
    Block valid = with_valid ? Block::allocate(DType::bool_, Dims{rows}) : Block();
    if (column.is_dictionary) {
      auto* codes = values.data<int32_t>();
      TextMemo memo;
      each_text(arguments.block, text, field, [&](size_t row, std::string_view value) {
        int32_t code = memo.find(value);
        if (code < 0) {
          const auto found = categories->code_of.find(value);
          if (found == categories->code_of.end()) {
            fail(files_[ranges_[arguments.block].file].identity.path,
                 fmt::format(
                     "column '{}' has the text '{}', which its dictionary lacks: the file changed "
                     "while it was read",
                     column.name, value.substr(0, 40)));
          }
          code = found->second;
          memo.remember(found->first, code);
        }
        codes[row] = code;
      });
      if (with_valid) std::fill_n(valid.data<bool>(), rows, true);
    } else {
      const Range& range = ranges_[arguments.block];
      try {
        convert(column, text.text, text.cells, files_[range.file].column_of_field[field],
                all_fields.size(), values.bytes_data(), with_valid ? valid.data<bool>() : nullptr);
      } catch (const CsvFault& fault) {
        fail_at(files_[range.file].identity, text.offset + static_cast<int64_t>(fault.at),
                fault.what + (inferred_[field]
                                  ? " (inferred from the first 1 MB; CsvOptions::schema gives "
                                    "another type)"
                                  : ""));
      }
    }
    arguments.outputs[0].emplace<Block>(std::move(values));
    if (with_valid) arguments.outputs[1].emplace<Block>(std::move(valid));
  }

  ReadOptions options_;
  CsvDialect dialect_;
  std::vector<CsvFile> files_;
  std::vector<Range> ranges_;
  std::vector<bool> inferred_;
  double bytes_per_row_ = 1;
  mutable std::once_flag quotes_once_;
  mutable std::vector<bool> quotes_odd_;  // by range
};

/// The delimiter of a file that ends in .tsv is a tab unless another was given.
ReadOptions with_delimiter(const std::string& path, ReadOptions options) {
  if (options.csv.delimiter == ',' && path.ends_with(".tsv")) options.csv.delimiter = '\t';
  const char delimiter = options.csv.delimiter;
  if (delimiter == '"' || delimiter == '\n' || delimiter == '\r') {
    throw InvalidArgument("read_csv",
                          "a quote or a line break as delimiter; any other byte is accepted");
  }
  if (!options.csv.header && options.csv.schema.empty()) {
    throw InvalidArgument(
        "read_csv",
        "no header and no schema; without a header, CsvOptions::schema names all columns");
  }
  for (Field& field : options.csv.schema) {
    if (field.is_dictionary) field.dtype = DType::int32;
    if (!field.unit.empty() && field.dtype != DType::int64) {
      throw InvalidArgument(
          "read_csv",
          fmt::format("the schema has column '{}' as {} in {}; dates and times are int64",
                      field.name, name_of(field.dtype), field.unit));
    }
  }
  return options;
}

Key key_of_csv(const std::vector<FileIdentity>& identities, const ReadOptions& options) {
  std::string how = fmt::format("csv {} {} {} {}", options.rows_per_block, options.csv.delimiter,
                                options.csv.multiline, options.csv.header);
  for (const Field& field : options.csv.schema) {
    how += fmt::format("\n{} {} {} {} {}", field.name.size(), field.name, name_of(field.dtype),
                       field.unit, field.is_dictionary);
  }
  return key_of(identities, how);
}

}  // namespace

std::shared_ptr<Source> open_csv(std::vector<FileIdentity> files, const ReadOptions& given) {
  const ReadOptions options = with_delimiter(files[0].path, given);
  const Key key = key_of_csv(files, options);
  return std::make_shared<CsvSource>(std::move(files), options, key);
}

}  // namespace table::detail
TUFF_NAMESPACE_END
