// Columns as Parquet; see write.h.
#include <array>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <fmt/format.h>
#include <parquet/column_writer.h>
#include <parquet/exception.h>
#include <parquet/file_writer.h>

#include "tuff/base/atomic_file.h"
#include "tuff/table/output.h"
#include "tuff/table/parquet_types.h"

TUFF_NAMESPACE_BEGIN
namespace table {
namespace detail {

namespace {

/// Values that are converted at a time: 16 KiB of int32, small beside what Parquet buffers.
constexpr int64_t kBatch = 4096;

/// Arrow's view of an AtomicFile. What goes wrong is kept and thrown as it was, not as Arrow retells it.
class Sink final : public arrow::io::OutputStream {
 public:
  explicit Sink(AtomicFile& file) : file_(file) {}
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Write(const void* data, int64_t bytes) override {
    try {
      file_.write(data, static_cast<size_t>(bytes));
    } catch (...) {
      error_ = std::current_exception();
      return arrow::Status::IOError("write failed");
    }
    position_ += bytes;
    return arrow::Status::OK();
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  AtomicFile& file_;
  int64_t position_ = 0;
  bool closed_ = false;
  std::exception_ptr error_;
};

parquet::Compression::type compression_of(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, parquet::Compression::type>, 5> kCodecs =
      {{
          {"none", parquet::Compression::UNCOMPRESSED},
          {"snappy", parquet::Compression::SNAPPY},
          {"gzip", parquet::Compression::GZIP},
          {"lz4", parquet::Compression::LZ4_HADOOP},
          {"zstd", parquet::Compression::ZSTD},
      }};
  for (const auto& [known, codec] : kCodecs) {
    if (name == known) return codec;
  }
  throw InvalidArgument(
      "write_parquet",
      fmt::format("compression '{}'; accepted are none, snappy, gzip, lz4 and zstd", name));
}

template <class Type, class From>
void write_as(parquet::ColumnWriter& writer, const From* values, int64_t count) {
  using Physical = typename Type::c_type;
  auto& typed = static_cast<parquet::TypedColumnWriter<Type>&>(writer);
  if constexpr (sizeof(From) == sizeof(Physical)) {
    typed.WriteBatch(count, nullptr, nullptr, reinterpret_cast<const Physical*>(values));
  } else {
    std::array<Physical, kBatch> batch;
    for (int64_t first = 0; first < count; first += kBatch) {
      const int64_t n = std::min(kBatch, count - first);
      for (int64_t i = 0; i < n; ++i) {
        // NOLINTNEXTLINE(bugprone-signed-char-misuse): int8 is a number
        batch[static_cast<size_t>(i)] = static_cast<Physical>(values[first + i]);
      }
      typed.WriteBatch(n, nullptr, nullptr, batch.data());
    }
  }
}

void write_texts(parquet::ColumnWriter& writer, const int32_t* codes, int64_t count,
                 const std::vector<std::string>& texts) {
  auto& typed = static_cast<parquet::ByteArrayWriter&>(writer);
  std::array<parquet::ByteArray, kBatch> batch;
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t n = std::min(kBatch, count - first);
    for (int64_t i = 0; i < n; ++i) {
      batch[static_cast<size_t>(i)] =
          parquet::ByteArray(texts[static_cast<size_t>(codes[first + i])]);
    }
    typed.WriteBatch(n, nullptr, nullptr, batch.data());
  }
}

/// INT32 carries what is narrower than 64 bits, and days and milliseconds of the day.
void write_int32(const Field& field, parquet::ColumnWriter& writer, const Block& block) {
  visit_dtype(field.dtype, [&](auto tag) {
    using From = decltype(tag);
    if constexpr (std::is_integral_v<From> && !std::is_same_v<From, bool>) {
      if constexpr (std::is_same_v<From, int64_t>) {
        for (int64_t i = 0; i < block.size(); ++i) {
          if (!std::in_range<int32_t>(block.data<int64_t>()[i])) {
            throw InvalidArgument("write_parquet",
                                  fmt::format("column '{}' has {} {}; Parquet holds those in int32",
                                              field.name, block.data<int64_t>()[i], field.unit));
          }
        }
      }
      write_as<parquet::Int32Type>(writer, block.data<From>(), block.size());
    }
  });
}

void write_rows(const Field& field, parquet::ColumnWriter& writer, const Block& block,
                const std::vector<std::string>* texts) {
  switch (writer.type()) {
    case parquet::Type::BOOLEAN:
      write_as<parquet::BooleanType>(writer, block.data<bool>(), block.size());
      break;
    case parquet::Type::FLOAT:
      write_as<parquet::FloatType>(writer, block.data<float>(), block.size());
      break;
    case parquet::Type::DOUBLE:
      write_as<parquet::DoubleType>(writer, block.data<double>(), block.size());
      break;
    case parquet::Type::INT32: write_int32(field, writer, block); break;
    case parquet::Type::BYTE_ARRAY:
      write_texts(writer, block.data<int32_t>(), block.size(), *texts);
      break;
    default:
      write_as<parquet::Int64Type>(writer, reinterpret_cast<const int64_t*>(block.bytes_data()),
                                   block.size());
  }
}

void write_file(const std::shared_ptr<Sink>& sink, const Computed& computed,
                const ParquetWriteOptions& options, parquet::Compression::type compression) {
  parquet::schema::NodeVector nodes;
  for (const Field& field : computed.fields) nodes.push_back(node_of(field));
  const auto root = std::static_pointer_cast<parquet::schema::GroupNode>(
      parquet::schema::GroupNode::Make("schema", parquet::Repetition::REQUIRED, nodes));
  parquet::WriterProperties::Builder properties;
  properties.compression(compression)->enable_page_checksum();
  const auto writer = parquet::ParquetFileWriter::Open(sink, root, properties.build());
  for (int64_t first = 0; first < computed.rows; first += options.rows_per_group) {
    const int64_t rows = std::min(options.rows_per_group, computed.rows - first);
    parquet::RowGroupWriter* group = writer->AppendRowGroup();
    for (size_t c = 0; c < computed.fields.size(); ++c) {
      parquet::ColumnWriter* column = group->NextColumn();
      write_rows(computed.fields[c], *column, rows_of(computed.columns[c], first, rows),
                 computed.dictionaries[c]);
      column->Close();
    }
    group->Close();
  }
  writer->Close();
}

}  // namespace
}  // namespace detail

void write_parquet(const std::string& path, const std::vector<OutputColumn>& columns,
                   const ParquetWriteOptions& options) {
  const auto compression = detail::compression_of(options.compression);
  if (options.rows_per_group < 1) {
    throw InvalidArgument(
        "write_parquet",
        fmt::format("rows_per_group is {}; accepted are 1, 2, ...", options.rows_per_group));
  }
  const detail::Computed computed = detail::compute_columns("write_parquet", columns, options.run);
  AtomicFile file("write_parquet", path);
  const auto sink = std::make_shared<detail::Sink>(file);
  try {
    detail::write_file(sink, computed, options, compression);
  } catch (const parquet::ParquetException& error) {
    sink->rethrow();
    throw InvalidArgument("write_parquet", fmt::format("'{}': {}", path, error.what()));
  }
  sink->rethrow();
  file.commit();
}

}  // namespace table
TUFF_NAMESPACE_END
