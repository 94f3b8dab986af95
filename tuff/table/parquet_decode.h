// Decoding one column of some rows of a Parquet file straight into a block.
//
// Called by the tasks of parquet.cpp, several at once. Nothing of Arrow lies in between: Parquet's own
// readers write into our memory, which saves a copy of every value. Invariant: exactly the rows asked for
// are delivered, or something is thrown.
#pragma once

#include <memory>
#include <string>

#include "tuff/base/block.h"
#include "tuff/graph/plan.h"
#include "tuff/table/files.h"
#include "tuff/table/source.h"

namespace parquet {
class FileMetaData;
}

TUFF_NAMESPACE_BEGIN
namespace table::detail {

/// A Parquet file whose footer has been read.
struct ParquetFile {
  FileIdentity identity;
  std::shared_ptr<parquet::FileMetaData> metadata;
  std::vector<int> leaf_of_field;  ///< Parquet's column number
  std::vector<int64_t> first_row;  ///< of each row group, and the number of rows
};

/// Rows of one row group.
struct Piece {
  uint32_t file = 0;
  int row_group = 0;
  int64_t first = 0;  ///< row within the group
  int64_t count = 0;
};

/// Reads the footer. Throws InvalidArgument when the file is empty, truncated or no Parquet file.
std::shared_ptr<parquet::FileMetaData> read_footer(const FileIdentity& identity);

/// What to decode, and to where.
struct DecodeTarget {
  const Field* field = nullptr;
  size_t field_number = 0;
  std::byte* values = nullptr;             ///< elements of the field's dtype
  bool* valid = nullptr;                   ///< null: a missing value throws
  const Categories* categories = nullptr;  ///< of text
};

/// Writes piece.count values (0 where missing), and flags if wanted. Throws InvalidArgument with the path
/// and what is wrong; for a null also the row within the file, from 0.
void decode(const ParquetFile& file, const Piece& piece, const DecodeTarget& target,
            Scratch& scratch);

/// Adds the texts of these rows to `texts`; nulls add nothing.
void collect_texts(const ParquetFile& file, const Piece& piece, size_t field, Scratch& scratch,
                   TextSet& texts);

}  // namespace table::detail
TUFF_NAMESPACE_END
