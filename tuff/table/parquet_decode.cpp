// Decoding Parquet pages into blocks; see parquet_decode.h.
#include "tuff/table/parquet_decode.h"

#include <algorithm>
#include <cstring>

#include <arrow/io/file.h>
#include <arrow/result.h>
#include <fmt/format.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "tuff/table/arrow_pool.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

/// Values per call of Parquet's readers: levels and texts of that many take 576 KiB of scratch, and the
/// cost of a call (about 100 ns) is spread over them.
constexpr int64_t kBatch = int64_t{1} << 15;

[[noreturn]] void fail(const FileIdentity& file, std::string_view what) {
  throw InvalidArgument("read_parquet", fmt::format("'{}': {}", file.path, what));
}

/// Runs `f`, and gives what Arrow throws our type, with the path.
template <class F>
auto with_path(const FileIdentity& file, F&& f) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail(file, fmt::format("corrupt or truncated, or not a Parquet file: {}", error.what()));
  }
}

std::shared_ptr<arrow::io::RandomAccessFile> open(const FileIdentity& identity) {
  File file(identity);
  auto opened = arrow::io::ReadableFile::Open(file.release());
  if (!opened.ok()) fail(identity, opened.status().ToString());
  return std::move(opened).ValueUnsafe();
}

parquet::ReaderProperties properties() {
  parquet::ReaderProperties properties(counted_pool());
  properties.set_page_checksum_verification(true);
  return properties;
}

/// A column of one row group, at a row.
class ColumnCursor {
 public:
  ColumnCursor(const ParquetFile& file, const Piece& piece, size_t field)
      : file_(file),
        reader_(
            parquet::ParquetFileReader::Open(open(file.identity), properties(), file.metadata)) {
    const int leaf = file.leaf_of_field[field];
    const parquet::ColumnDescriptor* column = file.metadata->schema()->Column(leaf);
    max_level_ = column->max_definition_level();
    group_ = reader_->RowGroup(piece.row_group);
    auto pages = group_->GetColumnPageReader(leaf);
    // Whole pages before the first row are passed over without being decompressed.
    auto to_skip = std::make_shared<int64_t>(piece.first);
    if (piece.first > 0) {
      pages->set_data_page_filter([to_skip](const parquet::DataPageStats& page) {
        // Negative: a needed page was met, and -1 - to_skip of its rows are to be passed over.
        if (*to_skip < 0 || page.num_values < 0) return false;
        const bool before = page.num_values <= *to_skip;
        *to_skip = before ? *to_skip - page.num_values : -1 - *to_skip;
        return before;
      });
    }
    column_ = parquet::ColumnReader::Make(column, std::move(pages));
    physical_ = column->physical_type();
    if (piece.first > 0) {
      column_->HasNext();  // brings the first page that is needed
      rest_ = *to_skip < 0 ? -1 - *to_skip : *to_skip;
    }
  }
  parquet::Type::type physical() const { return physical_; }
  int16_t max_level() const { return max_level_; }

  /// Up to kBatch values from the next `want` rows: values dense, levels one per row. Returns rows.
  template <class Type>
  int64_t read(int64_t want, int16_t* levels, typename Type::c_type* values, int64_t& value_count) {
    auto& typed = static_cast<parquet::TypedColumnReader<Type>&>(*column_);
    if (rest_ > 0) {
      if (typed.Skip(rest_) != rest_)
        fail(file_.identity, "a column ends before its row group does");
      rest_ = 0;
    }
    value_count = 0;
    const int64_t rows =
        typed.ReadBatch(std::min(want, kBatch), levels, nullptr, values, &value_count);
    if (rows <= 0 || rows > want || value_count < 0 || value_count > rows) {
      fail(file_.identity, "a column ends before its row group does");
    }
    return rows;
  }

 private:
  const ParquetFile& file_;
  std::unique_ptr<parquet::ParquetFileReader> reader_;
  std::shared_ptr<parquet::RowGroupReader> group_;
  std::shared_ptr<parquet::ColumnReader> column_;
  parquet::Type::type physical_ = parquet::Type::UNDEFINED;
  int16_t max_level_ = 0;
  int64_t rest_ = 0;  // rows to pass over in the first page
};

/// Turns dense values into one per row: moves them to their rows, from the last on. `levels[i]` equal to
/// `max_level` says that row i has a value.
template <class T>
void spread(T* values, int64_t count, int64_t rows, const int16_t* levels, int16_t max_level) {
  for (int64_t i = rows; i-- > 0;) {
    const bool has = levels[i] == max_level && count > 0;
    values[i] = has ? values[--count] : T{};
  }
}

/// Nanoseconds since 1970 of Parquet's old timestamps: nanoseconds of the day, then a Julian day.
int64_t nanoseconds(const parquet::Int96& value) {
  uint64_t of_day = 0;
  std::memcpy(&of_day, &value.value[0], sizeof of_day);
  const auto days = static_cast<uint64_t>(int64_t{value.value[2]} - 2'440'588);
  return static_cast<int64_t>(days * uint64_t{86'400'000'000'000} + of_day);
}

/// One column of one piece: reads batches of physical type Type and hands them to `take`.
template <class Type, class Take>
void read_batches(const ParquetFile& file, const Piece& piece, ColumnCursor& cursor,
                  const DecodeTarget& target, int16_t* levels, Take&& take) {
  using Physical = typename Type::c_type;
  for (int64_t done = 0; done < piece.count;) {
    int64_t count = 0;
    Physical* values = take.buffer(done);
    const int64_t rows = cursor.read<Type>(piece.count - done, levels, values, count);
    if (count < rows && target.valid == nullptr && !take.kDense) {
      const int64_t at = std::find_if(levels, levels + rows,
                                      [&](int16_t level) { return level != cursor.max_level(); }) -
                         levels;
      const int64_t row =
          file.first_row[static_cast<size_t>(piece.row_group)] + piece.first + done + at;
      fail(file.identity,
           fmt::format("column '{}' has a null in row {} (from 0); drop such rows (Nulls::drop, "
                       "--nulls drop) or fill them first",
                       target.field->name, row));
    }
    if (target.valid != nullptr) {
      for (int64_t i = 0; i < rows; ++i) {
        target.valid[done + i] = cursor.max_level() == 0 || levels[i] == cursor.max_level();
      }
    }
    if (count < rows && !take.kDense) spread(values, count, rows, levels, cursor.max_level());
    take(done, rows, count, values);
    done += rows;
  }
}

/// Values that lie in the file as they lie in the block.
template <class Physical>
struct InPlace {
  std::byte* to;
  Physical* buffer(int64_t done) const { return reinterpret_cast<Physical*>(to) + done; }
  void operator()(int64_t, int64_t, int64_t, const Physical*) const {}
  static constexpr bool kDense = false;
};

/// Values that go through `convert` on their way.
template <class Physical, class To, class Convert>
struct Converted {
  std::byte* to;
  Physical* batch;
  Convert convert;
  Physical* buffer(int64_t) const { return batch; }
  void operator()(int64_t done, int64_t rows, int64_t, const Physical* values) const {
    To* out = reinterpret_cast<To*>(to) + done;
    for (int64_t i = 0; i < rows; ++i) out[i] = convert(values[i]);
  }
  static constexpr bool kDense = false;
};

/// Scratch of one task: levels, then values of any physical type.
struct Workspace {
  explicit Workspace(Scratch& scratch) {
    constexpr size_t kWidest = std::max(sizeof(parquet::ByteArray), sizeof(parquet::Int96));
    std::byte* memory = scratch.get(kBatch * (sizeof(int16_t) + kWidest));
    levels = reinterpret_cast<int16_t*>(memory);
    values = memory + kBatch * sizeof(int16_t);
  }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(values);
  }
  int16_t* levels;
  std::byte* values;
};

std::string_view view_of(const parquet::ByteArray& text) {
  return {reinterpret_cast<const char*>(text.ptr), text.len};
}

/// The code of a text. A null arrives as no text; which code it gets does not matter, it is marked.
struct ToCode {
  const Categories* categories;
  const ParquetFile* file;
  const Field* field;
  TextMemo* memo;
  int32_t operator()(const parquet::ByteArray& text) const {
    const std::string_view view = view_of(text);
    const int32_t known = memo->find(view);
    if (known >= 0) return known;
    const auto found = categories->code_of.find(view);
    if (found != categories->code_of.end()) {
      memo->remember(found->first, found->second);
      return found->second;
    }
    if (text.ptr == nullptr) return 0;
    fail(file->identity,
         fmt::format(
             "column '{}' has the text '{}', which its dictionary lacks: the file changed while "
             "it was read",
             field->name, view.substr(0, 40)));
  }
};

template <class Type, class To, class Convert>
void decode_converted(const ParquetFile& file, const Piece& piece, ColumnCursor& cursor,
                      const DecodeTarget& target, const Workspace& work, Convert convert) {
  using Physical = typename Type::c_type;
  read_batches<Type>(file, piece, cursor, target, work.levels,
                     Converted<Physical, To, Convert>{target.values, work.as<Physical>(), convert});
}

void decode_int32(const ParquetFile& file, const Piece& piece, ColumnCursor& cursor,
                  const DecodeTarget& target, const Workspace& work) {
  if (size_of(target.field->dtype) == sizeof(int32_t)) {
    read_batches<parquet::Int32Type>(file, piece, cursor, target, work.levels,
                                     InPlace<int32_t>{target.values});
    return;
  }
  visit_dtype(target.field->dtype, [&](auto tag) {
    using To = decltype(tag);
    if constexpr (std::is_integral_v<To> && !std::is_same_v<To, bool>) {
      decode_converted<parquet::Int32Type, To>(
          file, piece, cursor, target, work, [](int32_t value) { return static_cast<To>(value); });
    }
  });
}

void decode_as(const ParquetFile& file, const Piece& piece, ColumnCursor& cursor,
               const DecodeTarget& target, const Workspace& work) {
  const auto in_place = [&]<class Type>(Type) {
    read_batches<Type>(file, piece, cursor, target, work.levels,
                       InPlace<typename Type::c_type>{target.values});
  };
  switch (cursor.physical()) {
    case parquet::Type::BOOLEAN: in_place(parquet::BooleanType()); return;
    case parquet::Type::INT64: in_place(parquet::Int64Type()); return;
    case parquet::Type::FLOAT: in_place(parquet::FloatType()); return;
    case parquet::Type::DOUBLE: in_place(parquet::DoubleType()); return;
    case parquet::Type::INT32: decode_int32(file, piece, cursor, target, work); return;
    case parquet::Type::INT96:
      decode_converted<parquet::Int96Type, int64_t>(file, piece, cursor, target, work, nanoseconds);
      return;
    default: {
      TextMemo memo;
      decode_converted<parquet::ByteArrayType, int32_t>(
          file, piece, cursor, target, work, ToCode{target.categories, &file, target.field, &memo});
    }
  }
}

/// Hands each text to a set.
struct Collect {
  parquet::ByteArray* batch;
  TextSet* texts;
  TextMemo* memo;
  parquet::ByteArray* buffer(int64_t) const { return batch; }
  void operator()(int64_t, int64_t, int64_t count, const parquet::ByteArray* values) const {
    for (int64_t i = 0; i < count; ++i) {
      add_text(view_of(values[i]), *texts, *memo);
    }
  }
  static constexpr bool kDense = true;  // nulls are of no interest
};

}  // namespace

std::shared_ptr<parquet::FileMetaData> read_footer(const FileIdentity& identity) {
  if (identity.bytes == 0) fail(identity, "the file is empty");
  return with_path(identity, [&] {
    return parquet::ParquetFileReader::Open(open(identity), properties())->metadata();
  });
}

void decode(const ParquetFile& file, const Piece& piece, const DecodeTarget& target,
            Scratch& scratch) {
  with_path(file.identity, [&] {
    ColumnCursor cursor(file, piece, target.field_number);
    decode_as(file, piece, cursor, target, Workspace(scratch));
  });
}

void collect_texts(const ParquetFile& file, const Piece& piece, size_t field, Scratch& scratch,
                   TextSet& texts) {
  with_path(file.identity, [&] {
    ColumnCursor cursor(file, piece, field);
    const Workspace work(scratch);
    TextMemo memo;
    read_batches<parquet::ByteArrayType>(file, piece, cursor, DecodeTarget{}, work.levels,
                                         Collect{work.as<parquet::ByteArray>(), &texts, &memo});
  });
}

}  // namespace table::detail
TUFF_NAMESPACE_END
