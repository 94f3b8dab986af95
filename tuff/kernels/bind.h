// Binding: a block program and the geometry of a block become a list of steps over tiles.
//
// Made by bind.cpp, walked by interpret.cpp, cached per thread by (program, extents, strides). The
// space of a block is walked as
//     for each outer index:            (axes that a partial reduction keeps, when it is not the last axis)
//       for each piece of the inner axis:   (one piece unless the axis is longer than a tile)
//         once: values that no row changes
//         for each tile of rows: all other values
// and a tile is `rows x columns` dense elements. Axes whose strides allow it are merged first, so a
// contiguous block of any rank is one long row axis with one column.
#pragma once

#include <cstdint>
#include <vector>

#include "tuff/kernels/elementwise.h"
#include "tuff/kernels/panel.h"
#include "tuff/kernels/program.h"
#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// A call for one random number takes as long as this many of a run (200 to 300 ns; a normal deviate of a run
/// takes 4 ns): positions that are nearer to each other are made with all that lies between them.
inline constexpr int64_t kRandomRun = 64;

/// How something in memory (or a numbered sequence) is walked, in elements.
struct Access {
  Dims outer;                   ///< stride of each outer axis
  Dims rows;                    ///< stride of each row axis
  int64_t inner = 0;            ///< stride of the inner axis; for matrix loads, of the second label
  int64_t matrix_rows = 0;      ///< matrix loads: stride of the first label
  PerAxis<int8_t> start_label;  ///< index and random: labels whose block start counts ...
  Dims start_stride;            ///< ... with these strides
};

/// Where a value lies while a tile is worked on.
struct Register {
  enum class Place : uint8_t { scratch, operand, output };
  Place place = Place::scratch;
  uint32_t number = 0;  ///< operand or output number
  size_t offset = 0;    ///< scratch: byte offset
};

/// A partial or full reduction that lives across tiles.
struct Accumulator {
  const ReductionKernels* kernels = nullptr;  ///< null for row_sums and gram
  size_t state_offset = 0;                    ///< in scratch
  size_t state_bytes = 0;
  int64_t columns = 1;
  enum class Reset : uint8_t { block, outer, piece } reset = Reset::block;
  uint32_t output = 0;
  uint32_t access = 0;         ///< of the output, for the finish
  int64_t matrix_columns = 0;  ///< gram: columns of z
  DType dtype = DType::float64;
  bool moments = false;
};

enum class StepCode : uint8_t {
  load,
  load_matrix,
  load_direct,
  index,
  random,
  constant,
  expand_rows,
  expand_columns,
  expand_scalar,
  elementwise,
  cast,
  reduce_rows,
  add_flat,
  add_columns,
  times_vector,
  times_matrix,
  row_sums,
  gram,
  store,
  store_direct,
};

struct Step {
  StepCode code = StepCode::load;
  bool per_row = false;            ///< runs per tile of rows; otherwise once per piece
  bool rows = false;               ///< the result has a row for each row of the tile
  bool has_inner = false;          ///< the result has columns
  uint8_t size = 8;                ///< bytes of an element of the result
  uint32_t result = 0;             ///< register
  std::array<uint32_t, 3> args{};  ///< registers
  uint8_t arg_count = 0;
  uint32_t access = 0;
  uint32_t instruction = 0;  ///< in the program, for constants, sources and outputs
  uint32_t accumulator = 0;
  int64_t columns = 1;  ///< columns of the argument (panels, expansions); 0: the present piece
  int64_t other_columns = 1;   ///< times_matrix, gram: columns of the other operand
  bool arg_has_inner = false;  ///< reductions: the argument has columns
  bool arg_per_row = false;    ///< reductions: the argument has rows
  union {
    ElementwiseKernel elementwise = nullptr;
    CastKernel cast;
  };
  const ReductionKernels* reduction = nullptr;
  const PanelKernels* panel = nullptr;
};

struct Bound {
  Dims outer;  ///< extents
  Dims rows;   ///< extents; their product is row_count
  int64_t row_count = 1;
  int64_t inner = 1;  ///< extent of the inner axis (flat programs)
  int64_t piece = 1;  ///< columns of one piece
  int64_t tile_rows = 1;
  std::vector<Access> accesses;
  std::vector<Register> registers;
  std::vector<Accumulator> accumulators;
  std::vector<Step> steps;  ///< once-per-piece steps first
  size_t once_steps = 0;
  size_t scratch_bytes = 0;
};

/// `strides[o]`: strides of operand o by axis. `output_strides` likewise.
Bound bind(const Program& program, std::span<const int64_t> extents, std::span<const Dims> strides,
           std::span<const Dims> output_strides, uint32_t streaming);

}  // namespace kernels
TUFF_NAMESPACE_END
