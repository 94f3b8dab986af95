// Block programs: fused work on one block as a small register program over tiles.
//
// Made by optimize/fuse (through graph/fused), run by the scheduler's tasks, one call per block. A
// program is a list of instructions in single-assignment form: value v is the result of instruction
// v. The axes of the block's iteration space are *labels*; every value depends on some of them.
// Running binds the labels to the actual extents and strides (once per distinct geometry, cached per
// thread), cuts the space into tiles that stay in cache, and interprets the instructions tile by
// tile with the flat loops of elementwise.h, reduce.h and panel.h: every operand is read from memory
// once and every output written once, whatever the number of instructions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/bytes.h"
#include "tuff/base/stop.h"
#include "tuff/kernels/elementwise.h"
#include "tuff/kernels/random.h"
#include "tuff/kernels/reduce.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

/// A set of labels: bit l is label l. Programs have at most 16.
using LabelSet = uint16_t;
inline constexpr size_t kMaxLabels = 16;
/// Programs mask their outputs in 32 bits.
inline constexpr size_t kMaxOutputs = 32;
/// A group of 256 layers writes some 2000 instructions, at most 5000. Binding looks through all of them for some of
/// them, so that a hundred thousand would take minutes.
inline constexpr size_t kMaxInstructions = size_t{1} << 14;
/// Columns of a panel: 8 rows of 2048 float64 are 128 KB, which an L2 cache holds.
inline constexpr int64_t kMaxPanelColumns = 2048;
/// Elements of a small operand (a matrix beside a panel, the result of X' X): 2 MB of float64. Larger
/// products go to BLAS, block by block.
inline constexpr int64_t kMaxSmallOperand = 256 * 1024;
/// Stands for "no label" where an axis of extent 1 lines up with nothing.
inline constexpr int8_t kNoLabel = -1;

using LabelMap = PerAxis<int8_t>;

enum class Code : uint8_t {
  load,          ///< operand `index`
  constant,      ///< the value in `constant`
  index,         ///< int64: position in the whole array along label `index`
  random,        ///< source `index`: uniform (op 0) or normal (op 1)
  elementwise,   ///< Elementwise `op` of arguments that all have type `operand`
  cast,          ///< args[0] to `dtype`
  reduce,        ///< Reduction `op` of args[0], taken over `space`, along `over`
  times_vector,  ///< panel args[0] (row, k) times args[1] (k): (row)
  times_matrix,  ///< panel args[0] (row, k) times args[1] (k, j), a load: (row, j)
  row_sums,      ///< panel args[0] (row, a)' times args[1] (row): (a), summed over the block's rows
  gram,          ///< panel args[0] (row, a)' times args[1] (row, b): (a, b), summed over the rows
  store,         ///< args[0] to output `index`
};
inline constexpr int kCodeCount = 12;

struct Instruction {
  Code code = Code::load;
  DType dtype = DType::float64;    ///< of the result
  DType operand = DType::float64;  ///< elementwise: of the arguments
  uint8_t op = 0;
  std::array<uint32_t, 3> args{};
  uint32_t index = 0;
  LabelSet labels = 0;  ///< on which the result depends
  LabelSet space = 0;   ///< reduce: all labels that are walked (a constant counts often)
  LabelSet over = 0;    ///< reduce, times_*: the labels that vanish
  std::array<std::byte, 8> constant{};
};

/// How many of `args` count.
size_t argument_count(const Instruction& i);

struct ProgramOperand {
  DType dtype = DType::float64;
  LabelMap axes;  ///< label of each axis; kNoLabel for an axis of extent 1
};

struct ProgramSource {
  RandomKey key;
  LabelMap axes;        ///< label of each axis
  int64_t first = 0;    ///< position in the whole random array of the element at 0, 0, ...
  Dims global_strides;  ///< steps in the whole random array, by axis
};

struct ProgramOutput {
  DType dtype = DType::float64;
  LabelMap axes;          ///< label of each axis; kNoLabel for an axis of extent 1
  uint8_t collapsed = 0;  ///< bit a: axis a has extent 1 because its label was reduced in the block
  bool moments = false;   ///< one more axis of extent 3 at the end: n, mean, m2
};

/// A panel program has label 0 as its row axis, and every value at most one other label (loads that
/// feed times_matrix: two). Other programs are element-wise with reductions at the end, over any axes.
struct TUFF_API Program {
  uint8_t label_count = 0;
  bool panel = false;
  std::vector<ProgramOperand> operands;
  std::vector<ProgramSource> sources;
  std::vector<ProgramOutput> outputs;
  std::vector<Instruction> instructions;

  void write(ByteWriter& writer) const;
  /// Throws InvalidArgument for bytes that are not a valid program.
  static Program read(ByteReader& reader);
  /// The first rule of this page that the program breaks, in words; empty when it keeps them all.
  std::string broken_rule() const;
  /// Throws InternalError when the program breaks a rule.
  void verify() const;
};

/// The geometry of one call. `extents[l]`: length of label l in this block; `starts[l]`: position of
/// the block's first element along label l in the whole array.
struct ProgramCall {
  std::span<const Block* const> operands;
  std::span<const int64_t> extents;
  std::span<const int64_t> starts;
  /// Bit o: output o is not read again soon, so it is written past the cache.
  uint32_t streaming = 0;
  /// Looked at between tiles.
  StopRequest stop = {};
};

/// Runs programs; one object serves all threads at once.
class TUFF_API ProgramRunner {
 public:
  explicit ProgramRunner(Program program);
  const Program& program() const { return program_; }
  /// Allocates and fills one block per output. `scratch(bytes)` gives 64-byte aligned memory. Throws Cancelled when
  /// stop is requested on the way.
  template <class ScratchFunction>
  void run(const ProgramCall& call, ScratchFunction&& scratch, std::span<Block> outputs) const {
    const auto trampoline = [](void* f, size_t bytes) -> std::byte* {
      return (*static_cast<std::remove_reference_t<ScratchFunction>*>(f))(bytes);
    };
    run_with(call, trampoline, &scratch, outputs);
  }

 private:
  void run_with(const ProgramCall& call, std::byte* (*scratch)(void*, size_t), void* closure,
                std::span<Block> outputs) const;
  Program program_;
  uint64_t id_;  // names this program in the per-thread cache of bindings
};

/// Elements of one value in a tile: 4 KB of float64. A kernel call (about 10 ns) is small beside its
/// work (50 ns and more), and what one kernel stores the next one finds in L1: chains of operations
/// are 1.5 times as slow with 8 KB (sum(exp(x) - 1 / x) on Zen 5).
inline constexpr int64_t kTileElements = 512;
/// Tiles between two looks at the stop request, each of which takes half a nanosecond: 16 of the shortest tiles take
/// 500 ns, 16 of a program of 256 operations some 4 ms. A panel's tile takes a microsecond at least, and milliseconds
/// where it is wide and multiplied by its like, so there is a look per tile.
inline constexpr int64_t kTilesBetweenLooks = 16;
/// Bytes of the widest panel: a panel is read twice (X b, then X' r), the second time from L1.
inline constexpr int64_t kPanelBytes = 32 * 1024;
/// Rows of a tile of panels whose widest has so many columns.
constexpr int64_t panel_rows(int64_t columns) {
  return std::clamp<int64_t>(kPanelBytes / (8 * std::max<int64_t>(columns, 1)), 8, kTileElements);
}

}  // namespace kernels
TUFF_NAMESPACE_END
