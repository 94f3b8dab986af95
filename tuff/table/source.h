// What a table needs to know of a file format: its columns, how rows are cut, and the layers that read.
//
// Called by table.cpp; one implementation per format (parquet.cpp, csv.cpp). Sources are shared by all
// tables and layers made from them, and by all threads; only what dictionaries were found changes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tuff/table/files.h"
#include "tuff/table/layers.h"
#include "tuff/table/table.h"
#include "tuff/table/text_memo.h"

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// Rows of one column that are read at once, and so the most that a block can hold: 8 MiB of float64. The
/// row groups of the common Parquet writers are no larger (Arrow 2^20, DuckDB 122,880).
inline constexpr int64_t kMostRowsPerBlock = int64_t{1} << 20;

/// The distinct texts of a column, sorted; a code is a position in `texts`.
struct Categories {
  std::vector<std::string> texts;
  std::unordered_map<std::string_view, int32_t> code_of;  ///< views of `texts`
};
using CategoriesPtr = std::shared_ptr<const Categories>;

/// The distinct texts of a piece of a column, sorted.
using DistinctPtr = std::shared_ptr<const std::vector<std::string>>;

/// Distinct texts while they are being collected; looked up without making a string.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using TextSet = std::unordered_set<std::string, TextHash, std::equal_to<>>;
/// Adds a text that may be there already.
void add_text(std::string_view text, TextSet& texts, TextMemo& memo);
/// The texts, sorted.
DistinctPtr sorted(TextSet texts);

/// A column that arrays cannot hold, and what it is.
struct UnusableColumn {
  std::string name;
  std::string type;
};

class Source : public std::enable_shared_from_this<Source> {
 public:
  struct Column {
    graph::Port values;
    std::optional<graph::Port> valid;  ///< bool, false where a value is missing
  };

  virtual ~Source();
  const std::vector<Field>& fields() const { return all_fields; }
  const std::vector<UnusableColumn>& unusable() const { return unusable_columns; }
  /// For messages: "'a.csv'" or "'a.csv' and 3 more files".
  const std::string& label() const { return label_; }
  /// How rows are cut into blocks, before any are dropped.
  const AxisChunksPtr& rows() const { return row_chunks; }
  /// False only when it is certain, without reading, that the column has no nulls.
  virtual bool may_have_nulls(size_t field) const = 0;
  /// The column in blocks as rows() says. Without `with_valid`, a null fails the run.
  virtual Column column(size_t field, bool with_valid) = 0;
  /// The texts of a column, where an earlier run found them; else null.
  CategoriesPtr known_categories(size_t field);
  /// One block that holds a CategoriesPtr: reads the column.
  graph::Port categories(size_t field);

 protected:
  Source(const std::vector<FileIdentity>& files, Key key);
  /// A block per piece, each holding a DistinctPtr.
  virtual graph::Port distinct(size_t field) = 0;
  /// The key of something made from field `field`.
  Key key_of_column(std::string_view what, size_t field) const;
  std::string note_of(size_t field) const;

  std::vector<Field> all_fields;
  std::vector<UnusableColumn> unusable_columns;
  AxisChunksPtr row_chunks;

 private:
  std::string label_;
  Key key_;
  std::mutex mutex_;
  std::vector<CategoriesPtr> known_;  // by field; guarded by mutex_
};

/// Throws InvalidArgument, naming file and place, for what is no Parquet file or disagrees with the first.
std::shared_ptr<Source> open_parquet(std::vector<FileIdentity> files, const ReadOptions& options);
/// Likewise for CSV.
std::shared_ptr<Source> open_csv(std::vector<FileIdentity> files, const ReadOptions& options);

}  // namespace table::detail
TUFF_NAMESPACE_END
