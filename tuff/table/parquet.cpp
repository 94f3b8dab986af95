// Parquet files as a source: footers, how rows are cut, and the layers that decode columns.
//
// A task decodes one column of one *unit* (a row group, a piece of a large one, or several small ones)
// once; blocks of at most rows_per_block rows are views of it. So a column's pages are decoded once
// however small the blocks are, and at most kMostRowsPerBlock rows of a column come
// into memory per task; a larger group is cut, at the price of reading its compressed bytes once per cut.
#include <algorithm>

#include <fmt/format.h>
#include <parquet/exception.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include "tuff/graph/movement.h"
#include "tuff/table/parquet_decode.h"
#include "tuff/table/parquet_types.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

namespace {

/// More rows than this is a corrupt footer: 8 million blocks would not be a plan any more.
constexpr int64_t kMaxRows = int64_t{1} << 40;

struct Unit {
  std::vector<Piece> pieces;
  int64_t rows = 0;
};

[[noreturn]] void fail(const std::string& path, std::string_view what) {
  throw InvalidArgument("read_parquet", fmt::format("'{}': {}", path, what));
}

class ParquetSource final : public Source {
 public:
  ParquetSource(std::vector<FileIdentity> identities, const ReadOptions& options)
      : Source(identities,
               detail::key_of(identities, fmt::format("parquet {}", options.rows_per_block))) {
    files_.resize(identities.size());
    for (size_t f = 0; f < files_.size(); ++f) open_file(f, std::move(identities[f]));
    cut(options.rows_per_block);
  }

  bool may_have_nulls(size_t field) const override {
    for (const ParquetFile& file : files_) {
      const int leaf = file.leaf_of_field[field];
      if (file.metadata->schema()->Column(leaf)->max_definition_level() == 0) continue;
      for (int g = 0; g < file.metadata->num_row_groups(); ++g) {
        if (file.metadata->RowGroup(g)->num_rows() > 0 && !surely_full(file, g, leaf)) return true;
      }
    }
    return false;
  }

  Column column(size_t field, bool with_valid) override {
    TableTask task;
    task.name = "read_parquet";
    task.note = note_of(field);
    task.key = key_of_column(with_valid ? "values and nulls" : "values", field);
    std::vector<graph::Port> inputs;
    CategoriesPtr known;
    if (all_fields[field].is_dictionary) known = known_categories(field);
    if (all_fields[field].is_dictionary && known == nullptr) {
      inputs.push_back(categories(field));
      task.reads = {Reads::first};
    }
    task.run = [self = std::static_pointer_cast<const ParquetSource>(shared_from_this()), field,
                with_valid, known](TaskArguments& arguments) {
      self->run(arguments, field, with_valid,
                known != nullptr || arguments.inputs.empty()
                    ? known.get()
                    : arguments.inputs[0]->get<CategoriesPtr>().get());
    };
    std::vector<graph::LayerOutput> outputs = {{all_fields[field].dtype, {unit_rows_}}};
    if (with_valid) outputs.push_back({DType::bool_, {unit_rows_}});
    const graph::LayerPtr layer =
        table_layer(std::move(task), std::move(inputs), std::move(outputs));
    Column result{in_blocks({layer, 0}), {}};
    if (with_valid) result.valid = in_blocks({layer, 1});
    return result;
  }

 protected:
  graph::Port distinct(size_t field) override {
    TableTask task;
    task.name = "distinct";
    task.note = note_of(field);
    task.key = key_of_column("distinct", field);
    task.run = [self = std::static_pointer_cast<const ParquetSource>(shared_from_this()),
                field](TaskArguments& arguments) {
      TextSet texts;
      for (const Piece& piece : self->units_[arguments.block].pieces) {
        collect_texts(self->files_[piece.file], piece, field, *arguments.scratch, texts);
      }
      arguments.outputs[0].emplace<DistinctPtr>(sorted(std::move(texts)));
    };
    return value_layer(std::move(task), {}, units_.size());
  }

 private:
  void open_file(size_t f, FileIdentity identity) {
    ParquetFile& file = files_[f];
    file.identity = std::move(identity);
    file.metadata = read_footer(file.identity);
    try {
      read_fields(f);
      check_rows(file);
    } catch (const parquet::ParquetException& error) {
      fail(file.identity.path, fmt::format("corrupt: {}", error.what()));
    }
  }

  /// Fields of the first file, or those of another by their names.
  void read_fields(size_t f) {
    ParquetFile& file = files_[f];
    const parquet::SchemaDescriptor& schema = *file.metadata->schema();
    const parquet::schema::GroupNode& root = *schema.group_node();
    if (f == 0) {
      for (int i = 0; i < root.field_count(); ++i) {
        auto field = field_of(*root.field(i));
        if (auto* unusable = std::get_if<UnusableColumn>(&field)) {
          unusable_columns.push_back(std::move(*unusable));
        } else {
          all_fields.push_back(std::move(std::get<Field>(field)));
          file.leaf_of_field.push_back(schema.ColumnIndex(*root.field(i)));
        }
      }
      return;
    }
    for (const Field& wanted : all_fields) {
      const int i = root.FieldIndex(wanted.name);
      if (i < 0) {
        fail(file.identity.path,
             fmt::format("no column '{}', which '{}' has; all files of a table have the "
                         "same columns",
                         wanted.name, files_[0].identity.path));
      }
      const auto field = field_of(*root.field(i));
      const auto* usable = std::get_if<Field>(&field);
      if (usable == nullptr || !(*usable == wanted)) {
        fail(
            file.identity.path,
            fmt::format("column '{}' is {}; in '{}' it is {}", wanted.name,
                        usable != nullptr ? type_of(*usable) : std::get<UnusableColumn>(field).type,
                        files_[0].identity.path, type_of(wanted)));
      }
      file.leaf_of_field.push_back(schema.ColumnIndex(*root.field(i)));
    }
  }

  static std::string type_of(const Field& field) {
    if (field.is_dictionary) return "text";
    return field.unit.empty() ? std::string(name_of(field.dtype))
                              : fmt::format("{} in {}", name_of(field.dtype), field.unit);
  }

  /// Row counts of the footer that contradict each other are found here, before anything is allocated.
  void check_rows(ParquetFile& file) {
    int64_t row = 0;
    file.first_row.push_back(0);
    for (int g = 0; g < file.metadata->num_row_groups(); ++g) {
      const auto group = file.metadata->RowGroup(g);
      if (group->num_rows() < 0 || group->num_rows() > kMaxRows - row) {
        fail(file.identity.path,
             fmt::format("corrupt: row group {} claims {} rows", g, group->num_rows()));
      }
      for (size_t c = 0; c < all_fields.size(); ++c) {
        const int64_t values = group->ColumnChunk(file.leaf_of_field[c])->num_values();
        if (values != group->num_rows()) {
          fail(file.identity.path,
               fmt::format("corrupt: column '{}' has {} values in row group {}, which "
                           "has {} rows",
                           all_fields[c].name, values, g, group->num_rows()));
        }
      }
      row += group->num_rows();
      file.first_row.push_back(row);
    }
    if (row != file.metadata->num_rows()) {
      fail(file.identity.path,
           fmt::format("corrupt: the row groups have {} rows, the footer says {}", row,
                       file.metadata->num_rows()));
    }
  }

  void cut(int64_t rows_per_block) {
    const int64_t most = kMostRowsPerBlock / rows_per_block * rows_per_block;
    for (uint32_t f = 0; f < files_.size(); ++f) {
      bool fresh = true;  // units do not span files
      for (int g = 0; g + 1 < static_cast<int>(files_[f].first_row.size()); ++g) {
        const auto at = static_cast<size_t>(g);
        const int64_t rows = files_[f].first_row[at + 1] - files_[f].first_row[at];
        if (rows == 0) continue;
        if (!fresh && units_.back().rows + rows <= rows_per_block) {
          units_.back().pieces.push_back({f, g, 0, rows});
          units_.back().rows += rows;
          continue;
        }
        fresh = false;
        for (int64_t first = 0; first < rows; first += most) {
          const int64_t count = std::min(most, rows - first);
          units_.push_back({{{f, g, first, count}}, count});
        }
      }
    }
    if (units_.empty()) units_.emplace_back();
    std::vector<int64_t> by_unit;
    std::vector<int64_t> by_block;
    for (const Unit& unit : units_) {
      by_unit.push_back(unit.rows);
      for (int64_t first = 0; first == 0 || first < unit.rows; first += rows_per_block) {
        by_block.push_back(std::min(rows_per_block, unit.rows - first));
      }
    }
    unit_rows_ = AxisChunks::of(by_unit);
    row_chunks = by_block == by_unit ? unit_rows_ : AxisChunks::of(by_block);
    if (row_chunks->extent().value() > kMaxRows) {
      throw InvalidArgument("read_parquet",
                            fmt::format("{} has {} rows; at most {} fit a table", label(),
                                        row_chunks->extent().value(), kMaxRows));
    }
  }

  static bool surely_full(const ParquetFile& file, int group, int leaf) {
    try {
      const auto chunk = file.metadata->RowGroup(group)->ColumnChunk(leaf);
      const auto statistics = chunk->is_stats_set() ? chunk->statistics() : nullptr;
      return statistics != nullptr && statistics->HasNullCount() && statistics->null_count() == 0;
    } catch (const parquet::ParquetException&) {
      return false;  // statistics are only a hint
    }
  }

  graph::Port in_blocks(graph::Port units) const {
    if (row_chunks == unit_rows_) return units;
    return {std::make_shared<graph::RechunkLayer>(std::move(units), Chunks{row_chunks}), 0};
  }

  void run(TaskArguments& arguments, size_t field, bool with_valid,
           const Categories* categories) const {
    const Unit& unit = units_[arguments.block];
    const Field& column = all_fields[field];
    Block values = Block::allocate(column.dtype, Dims{unit.rows});
    Block valid = with_valid ? Block::allocate(DType::bool_, Dims{unit.rows}) : Block();
    int64_t row = 0;
    for (const Piece& piece : unit.pieces) {
      DecodeTarget target;
      target.field = &column;
      target.field_number = field;
      target.values = values.bytes_data() + static_cast<size_t>(row) * size_of(column.dtype);
      if (with_valid) target.valid = valid.data<bool>() + row;
      target.categories = categories;
      decode(files_[piece.file], piece, target, *arguments.scratch);
      row += piece.count;
    }
    arguments.outputs[0].emplace<Block>(std::move(values));
    if (with_valid) arguments.outputs[1].emplace<Block>(std::move(valid));
  }

  std::vector<ParquetFile> files_;
  std::vector<Unit> units_;
  AxisChunksPtr unit_rows_;
};

}  // namespace

std::shared_ptr<Source> open_parquet(std::vector<FileIdentity> files, const ReadOptions& options) {
  return std::make_shared<ParquetSource>(std::move(files), options);
}

}  // namespace table::detail
TUFF_NAMESPACE_END
