// Runs a bound program on one block: the loops of bind.h, one call of a flat kernel per step and tile.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tuff/base/of_thread.h"
#include "tuff/kernels/bind.h"
#include "tuff/kernels/program.h"

TUFF_NAMESPACE_BEGIN
namespace kernels {

namespace {

int64_t dot(const Dims& index, const Dims& strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[i];
  return sum;
}

/// Steps through the row axes of a walk, keeping one offset.
class RowCursor {
 public:
  RowCursor(const Dims& extents, const Dims& strides, int64_t first_row)
      : extents_(extents),
        strides_(strides),
        index_(grid_index(static_cast<size_t>(first_row), extents)) {
    offset_ = dot(index_, strides_);
  }
  int64_t offset() const { return offset_; }
  void next() {
    for (size_t a = extents_.size(); a-- > 0;) {
      offset_ += strides_[a];
      if (++index_[a] < extents_[a]) return;
      offset_ -= strides_[a] * extents_[a];
      index_[a] = 0;
    }
  }

 private:
  const Dims& extents_;
  const Dims& strides_;
  Dims index_;
  int64_t offset_ = 0;
};

class Interpreter {
 public:
  Interpreter(const Program& program, const Bound& bound, const ProgramCall& call,
              std::byte* scratch, std::span<Block> outputs)
      : program_(program), bound_(bound), call_(call), scratch_(scratch), outputs_(outputs) {
    // One interpreter runs at a time on a thread, so they may share this memory.
    auto* registers = of_this_thread<std::vector<std::byte*>>();
    if (registers == nullptr) registers = &own_registers_;
    registers->clear();
    for (const Register& r : bound.registers) registers->push_back(scratch + r.offset);
    registers_ = registers->data();
  }

  void run() {
    start(Accumulator::Reset::block);
    outer_ = Dims(bound_.outer.size(), 0);
    const int64_t outer_count = element_count(bound_.outer);
    for (int64_t o = 0; o < outer_count; ++o) {
      start(Accumulator::Reset::outer);
      walk_pieces();
      finish(Accumulator::Reset::outer);
      for (size_t a = outer_.size(); a-- > 0;) {
        if (++outer_[a] < bound_.outer[a]) break;
        outer_[a] = 0;
      }
    }
    piece_start_ = 0;
    if (outer_count == 0) outer_ = Dims(bound_.outer.size(), 0);
    finish(Accumulator::Reset::block);
    if (call_.streaming != 0) finish_streaming();
  }

 private:
  void walk_pieces() {
    piece_start_ = 0;
    const bool panel = program_.panel;
    do {
      piece_ = panel ? 0 : std::min(bound_.piece, bound_.inner - piece_start_);
      start(Accumulator::Reset::piece);
      row_ = 0;
      rows_ = bound_.tile_rows;
      for (size_t s = 0; s < bound_.once_steps; ++s) execute(bound_.steps[s]);
      row_ = 0;
      do {
        walk_tiles(panel ? 1 : kTilesBetweenLooks);
      } while (row_ < bound_.row_count);
      finish(Accumulator::Reset::piece);
      piece_start_ += bound_.piece;
    } while (!panel && piece_start_ < bound_.inner);
    piece_start_ = 0;
  }

  /// The next tiles of rows, at most so many.
  void walk_tiles(int64_t tiles) {
    call_.stop.check();
    const int64_t end = std::min(bound_.row_count, row_ + tiles * bound_.tile_rows);
    for (; row_ < end; row_ += bound_.tile_rows) {
      rows_ = std::min(bound_.tile_rows, bound_.row_count - row_);
      for (size_t s = bound_.once_steps; s < bound_.steps.size(); ++s) execute(bound_.steps[s]);
    }
  }

  int64_t columns_of(const Step& step) const { return step.columns == 0 ? piece_ : step.columns; }
  size_t count_of(const Step& step) const {
    return static_cast<size_t>((step.rows ? rows_ : 1) * (step.has_inner ? columns_of(step) : 1));
  }

  /// Offset, in elements, of the first element of the present outer index and piece.
  int64_t base(const Access& access) const {
    return dot(outer_, access.outer) + (program_.panel ? 0 : piece_start_ * access.inner);
  }
  int64_t row_offset(const Access& access) const {
    if (access.rows.size() == 1) return row_ * access.rows[0];
    return RowCursor(bound_.rows, access.rows, row_).offset();
  }

  void execute(const Step& step) {
    switch (step.code) {
      case StepCode::load: load(step); break;
      case StepCode::load_matrix: load_matrix(step); break;
      case StepCode::load_direct: {
        const Access& access = bound_.accesses[step.access];
        const Block& block = *call_.operands[program_.instructions[step.instruction].index];
        const int64_t offset = base(access) + (step.rows ? row_offset(access) : 0);
        std::byte* tile = block.bytes_data() + offset * step.size;
        registers_[step.result] = tile;
        if (!program_.panel) prefetch_after(tile, count_of(step) * step.size);
        break;
      }
      case StepCode::store_direct: {
        const Access& access = bound_.accesses[step.access];
        const Block& block = outputs_[bound_.registers[step.result].number];
        const int64_t offset = base(access) + row_offset(access);
        registers_[step.result] = block.bytes_data() + offset * step.size;
        break;
      }
      case StepCode::constant:
        std::memcpy(registers_[step.result],
                    program_.instructions[step.instruction].constant.data(), step.size);
        break;
      case StepCode::index: number(step); break;
      case StepCode::random: random(step); break;
      case StepCode::expand_rows: {
        const std::byte* from = registers_[step.args[0]];
        const int64_t columns = columns_of(step);
        for (int64_t r = 0; r < rows_; ++r) {
          gather(from + r * step.size, 0, step.size,
                 registers_[step.result] + r * columns * step.size, static_cast<size_t>(columns));
        }
        break;
      }
      case StepCode::expand_columns: {
        const auto row_bytes = static_cast<size_t>(columns_of(step)) * step.size;
        for (int64_t r = 0; r < rows_; ++r) {
          std::memcpy(registers_[step.result] + static_cast<size_t>(r) * row_bytes,
                      registers_[step.args[0]], row_bytes);
        }
        break;
      }
      case StepCode::expand_scalar:
        gather(registers_[step.args[0]], 0, step.size, registers_[step.result], count_of(step));
        break;
      case StepCode::elementwise: {
        const void* operands[3] = {registers_[step.args[0]], registers_[step.args[1]],
                                   registers_[step.args[2]]};
        step.elementwise(operands, registers_[step.result], count_of(step));
        break;
      }
      case StepCode::cast:
        step.cast(registers_[step.args[0]], registers_[step.result], count_of(step));
        break;
      case StepCode::reduce_rows:
        step.reduction->rows(registers_[step.args[0]], arg_rows(step), arg_columns(step),
                             registers_[step.result]);
        break;
      case StepCode::add_flat:
        step.reduction->add_flat(registers_[step.args[0]], arg_rows(step) * arg_columns(step),
                                 state(step));
        break;
      case StepCode::add_columns:
        step.reduction->add_columns(registers_[step.args[0]], arg_rows(step), arg_columns(step),
                                    state(step));
        break;
      case StepCode::times_vector:
        step.panel->times_vector(
            registers_[step.args[0]], static_cast<size_t>(rows_), static_cast<size_t>(step.columns),
            static_cast<size_t>(step.columns), registers_[step.args[1]], registers_[step.result]);
        break;
      case StepCode::times_matrix:
        step.panel->times_matrix(registers_[step.args[0]], static_cast<size_t>(rows_),
                                 static_cast<size_t>(step.columns),
                                 static_cast<size_t>(step.columns), registers_[step.args[1]],
                                 static_cast<size_t>(step.other_columns), registers_[step.result]);
        break;
      case StepCode::row_sums:
        step.panel->transposed_times_vector(
            registers_[step.args[0]], static_cast<size_t>(rows_), static_cast<size_t>(step.columns),
            static_cast<size_t>(step.columns), registers_[step.args[1]], state(step));
        break;
      case StepCode::gram:
        step.panel->transposed_times_panel(
            registers_[step.args[0]], static_cast<size_t>(rows_), static_cast<size_t>(step.columns),
            static_cast<size_t>(step.columns), registers_[step.args[1]],
            static_cast<size_t>(step.other_columns), static_cast<size_t>(step.other_columns),
            state(step));
        break;
      case StepCode::store: store(step); break;
    }
  }

  /// Asks for the tile after this one, whose lines then arrive while this one is worked on. The
  /// processor's own prefetching depends on where the pages lie: without this, a sum of 0.8 GB takes 14
  /// ms in one process and 28 ms in the next. Tiles of less than a kilobyte are not worth it; longer
  /// ones than the first-level cache holds are flat reductions, which look ahead themselves.
  static void prefetch_after(const std::byte* tile, size_t bytes) {
    constexpr size_t kLine = 64;
    if (bytes < 16 * kLine || bytes > 512 * kLine) return;
    for (size_t at = 0; at < bytes; at += kLine) __builtin_prefetch(tile + bytes + at, 0, 3);
  }

  size_t arg_rows(const Step& step) const {
    return step.arg_per_row ? static_cast<size_t>(rows_) : 1;
  }
  size_t arg_columns(const Step& step) const {
    return step.arg_has_inner ? static_cast<size_t>(columns_of(step)) : 1;
  }
  std::byte* state(const Step& step) const {
    return scratch_ + bound_.accumulators[step.accumulator].state_offset;
  }

  void load(const Step& step) {
    const Access& access = bound_.accesses[step.access];
    const Block& block = *call_.operands[program_.instructions[step.instruction].index];
    const std::byte* from = block.bytes_data() + base(access) * step.size;
    std::byte* to = registers_[step.result];
    const auto columns = static_cast<size_t>(step.has_inner ? columns_of(step) : 1);
    if (!step.rows) {
      gather(from, access.inner, step.size, to, columns);
    } else if (!step.has_inner && access.rows.size() == 1) {
      gather(from + row_ * access.rows[0] * step.size, access.rows[0], step.size, to,
             static_cast<size_t>(rows_));
    } else {
      RowCursor cursor(bound_.rows, access.rows, row_);
      for (int64_t r = 0; r < rows_; ++r, cursor.next()) {
        gather(from + cursor.offset() * step.size, step.has_inner ? access.inner : 0, step.size, to,
               columns);
        to += columns * step.size;
      }
    }
  }

  void load_matrix(const Step& step) {
    const Access& access = bound_.accesses[step.access];
    const Block& block = *call_.operands[program_.instructions[step.instruction].index];
    std::byte* to = registers_[step.result];
    for (int64_t r = 0; r < step.other_columns; ++r) {
      gather(block.bytes_data() + r * access.matrix_rows * step.size, access.inner, step.size, to,
             static_cast<size_t>(step.columns));
      to += step.columns * step.size;
    }
  }

  /// Calls `f(first, stride, count, position)` for each run of numbers of a generated value.
  template <class F>
  void for_each_run(const Step& step, F&& f) {
    const Access& access = bound_.accesses[step.access];
    int64_t first = base(access);
    for (size_t k = 0; k < access.start_label.size(); ++k) {
      first += call_.starts[static_cast<size_t>(access.start_label[k])] * access.start_stride[k];
    }
    const int64_t columns = step.has_inner ? columns_of(step) : 1;
    const int64_t inner = step.has_inner ? access.inner : 0;
    if (!step.rows) {
      f(first, inner, columns, int64_t{0});
    } else if (access.rows.size() == 1 && !step.has_inner) {
      f(first + row_ * access.rows[0], access.rows[0], rows_, int64_t{0});
    } else if (access.rows.size() == 1 && inner * columns == access.rows[0]) {
      f(first + row_ * access.rows[0], inner, rows_ * columns, int64_t{0});
    } else {
      RowCursor cursor(bound_.rows, access.rows, row_);
      for (int64_t r = 0; r < rows_; ++r, cursor.next()) {
        f(first + cursor.offset(), inner, columns, r * columns);
      }
    }
  }

  void number(const Step& step) {
    auto* out = reinterpret_cast<int64_t*>(registers_[step.result]);
    for_each_run(step, [&](int64_t first, int64_t stride, int64_t count, int64_t at) {
      for (int64_t i = 0; i < count; ++i) out[at + i] = first + i * stride;
    });
  }

  template <class T>
  void random_as(const Step& step) {
    const Instruction& instruction = program_.instructions[step.instruction];
    const ProgramSource& source = program_.sources[instruction.index];
    const bool normal = instruction.op == 1;
    auto* out = reinterpret_cast<T*>(registers_[step.result]);
    const auto fill = [&](int64_t position, T* to, int64_t count) {
      const auto first = static_cast<uint64_t>(source.first) + static_cast<uint64_t>(position);
      if (normal) {
        fill_normal(source.key, first, to, static_cast<size_t>(count));
      } else {
        fill_uniform(source.key, first, to, static_cast<size_t>(count));
      }
    };
    for_each_run(step, [&](int64_t first, int64_t stride, int64_t count, int64_t at) {
      if (stride == 1 || count == 1) {
        fill(first, out + at, count);
      } else if (stride == 0) {
        fill(first, out + at, 1);
        std::fill_n(out + at + 1, count - 1, out[at]);
      } else if (std::abs(stride) > kRandomRun) {
        for (int64_t i = 0; i < count; ++i) fill(first + i * stride, out + at + i, 1);
      } else {
        fill_apart(fill, first, stride, out + at, count);
      }
    });
  }

  /// Positions with gaps: all between them are made as well, a buffer at a time, and left out.
  template <class T, class Fill>
  static void fill_apart(const Fill& fill, int64_t first, int64_t stride, T* to, int64_t count) {
    std::array<T, kTileElements> buffer;
    const int64_t step = std::abs(stride);
    const int64_t most = (kTileElements - 1) / step + 1;
    for (int64_t i = 0; i < count; i += most) {
      const int64_t n = std::min(most, count - i);
      fill(first + (stride > 0 ? i : i + n - 1) * stride, buffer.data(), (n - 1) * step + 1);
      for (int64_t k = 0; k < n; ++k)
        to[i + k] = buffer[static_cast<size_t>((stride > 0 ? k : n - 1 - k) * step)];
    }
  }

  void random(const Step& step) {
    if (program_.instructions[step.instruction].dtype == DType::float32) {
      random_as<float>(step);
    } else {
      random_as<double>(step);
    }
  }

  void store(const Step& step) {
    const Access& access = bound_.accesses[step.access];
    const uint32_t number = program_.instructions[step.instruction].index;
    std::byte* to = outputs_[number].bytes_data() + base(access) * element_bytes(step);
    const std::byte* from = registers_[step.args[0]];
    const auto columns = static_cast<size_t>(step.has_inner ? columns_of(step) : 1);
    const int64_t inner = step.has_inner ? access.inner : 0;
    if (!step.rows) {
      put(step, from, to, inner, columns);
      return;
    }
    if (access.rows.size() == 1) {
      to += row_ * access.rows[0] * element_bytes(step);
      if (!step.has_inner) {
        put(step, from, to, access.rows[0], static_cast<size_t>(rows_));
        return;
      }
      if (inner == 1 && (access.rows[0] == static_cast<int64_t>(columns) || rows_ == 1)) {
        put(step, from, to, 1, columns * static_cast<size_t>(rows_),
            (call_.streaming >> number) & 1);
        return;
      }
      for (int64_t r = 0; r < rows_; ++r) {
        put(step, from, to, inner, columns);
        from += columns * step.size;
        to += access.rows[0] * element_bytes(step);
      }
      return;
    }
    RowCursor cursor(bound_.rows, access.rows, row_);
    for (int64_t r = 0; r < rows_; ++r, cursor.next()) {
      put(step, from, to + cursor.offset() * element_bytes(step), inner, columns);
      from += columns * step.size;
    }
  }

  /// Strides of a moments output already count its last axis, so they are in doubles.
  static int64_t element_bytes(const Step& step) { return step.size == 24 ? 8 : step.size; }

  void put(const Step& step, const std::byte* from, std::byte* to, int64_t stride, size_t n,
           bool streaming = false) const {
    if (step.size == 24) {
      for (size_t i = 0; i < n; ++i)
        std::memcpy(to + static_cast<int64_t>(i) * stride * 8, from + i * 24, 24);
    } else if (streaming ||
               (stride == 1 && step.rows && !step.has_inner &&
                ((call_.streaming >> program_.instructions[step.instruction].index) & 1) != 0)) {
      copy_streaming(from, to, n * step.size);
    } else {
      scatter(from, to, stride, step.size, n);
    }
  }

  void start(Accumulator::Reset reset) {
    for (const Accumulator& a : bound_.accumulators) {
      if (a.reset != reset) continue;
      if (a.kernels != nullptr) {
        a.kernels->start(scratch_ + a.state_offset, accumulator_columns(a));
      } else {
        std::memset(scratch_ + a.state_offset, 0, a.state_bytes);
      }
    }
  }
  size_t accumulator_columns(const Accumulator& a) const {
    // A state that lasts one piece has the columns of that piece.
    return static_cast<size_t>(
        a.reset == Accumulator::Reset::piece && a.columns > 1 && !program_.panel ? piece_
                                                                                 : a.columns);
  }

  void finish(Accumulator::Reset reset) {
    for (const Accumulator& a : bound_.accumulators) {
      if (a.reset != reset) continue;
      const Access& access = bound_.accesses[a.access];
      const std::byte* result = scratch_ + a.state_offset;
      const size_t size = size_of(a.dtype);
      std::byte* to = outputs_[a.output].bytes_data() + base(access) * static_cast<int64_t>(size);
      if (a.kernels == nullptr) {
        const int64_t rows = a.matrix_columns >= 0 ? a.columns : 1;
        const int64_t columns = a.matrix_columns >= 0 ? a.matrix_columns : a.columns;
        for (int64_t r = 0; r < rows; ++r) {
          scatter(result + static_cast<size_t>(r * columns) * size,
                  to + r * access.matrix_rows * static_cast<int64_t>(size), access.inner, size,
                  static_cast<size_t>(columns));
        }
        continue;
      }
      const size_t columns = accumulator_columns(a);
      finished_.resize(columns * (a.moments ? 24 : size));
      a.kernels->finish(result, columns, finished_.data());
      if (a.moments) {
        for (size_t c = 0; c < columns; ++c) {
          std::memcpy(to + static_cast<int64_t>(c) * access.inner * 8, finished_.data() + c * 24,
                      24);
        }
      } else {
        scatter(finished_.data(), to, access.inner, size, columns);
      }
    }
  }

  const Program& program_;
  const Bound& bound_;
  const ProgramCall& call_;
  std::byte* scratch_;
  std::span<Block> outputs_;
  std::vector<std::byte*> own_registers_;  // of a thread that is ending
  std::byte** registers_ = nullptr;
  std::vector<std::byte> finished_;
  Dims outer_;
  int64_t piece_start_ = 0;
  int64_t piece_ = 1;
  int64_t row_ = 0;
  int64_t rows_ = 1;
};

/// One binding and what it was made for: extents, then the strides of each operand.
struct CachedBinding {
  uint64_t program = 0;
  std::vector<int64_t> geometry;
  uint32_t streaming = 0;
  std::unique_ptr<Bound> bound;
};

/// Blocks of one layer mostly share one geometry, or two at the ragged edge of each axis.
constexpr size_t kCachedBindings = 32;

/// Calls f for each number of the geometry.
template <class F>
void for_each_number(const ProgramCall& call, F&& f) {
  for (int64_t extent : call.extents) f(extent);
  for (const Block* block : call.operands) {
    for (int64_t stride : block->strides()) f(stride);
  }
}

bool matches(const CachedBinding& slot, uint64_t id, const ProgramCall& call) {
  if (slot.program != id || slot.streaming != call.streaming) return false;
  // One program always has the same operands of the same ranks, so the lengths agree.
  const int64_t* known = slot.geometry.data();
  int64_t differs = 0;
  for_each_number(call, [&](int64_t number) { differs |= number ^ *known++; });
  return differs == 0;
}

/// `own`: for a thread that is ending, which caches nothing.
const Bound& cached_binding(const Program& program, uint64_t id, const ProgramCall& call,
                            std::span<const Block> outputs, CachedBinding& own) {
  auto* const cache = of_this_thread<std::array<CachedBinding, kCachedBindings>>();
  uint64_t hash = id * 0x9E3779B97F4A7C15ULL;
  for_each_number(call, [&](int64_t number) {
    hash = (hash ^ static_cast<uint64_t>(number)) * 0x9E3779B97F4A7C15ULL;
  });
  CachedBinding& slot = cache != nullptr ? (*cache)[(hash >> 40) % kCachedBindings] : own;
  if (!matches(slot, id, call)) {
    slot.program = 0;  // so that a failing bind leaves no half-made entry
    std::vector<Dims> strides;
    std::vector<Dims> output_strides;
    for (const Block* block : call.operands) strides.push_back(block->strides());
    for (const Block& block : outputs) output_strides.push_back(block.strides());
    slot.bound = std::make_unique<Bound>(
        kernels::bind(program, call.extents, strides, output_strides, call.streaming));
    slot.geometry.clear();
    for_each_number(call, [&](int64_t number) { slot.geometry.push_back(number); });
    slot.streaming = call.streaming;
    slot.program = id;
  }
  return *slot.bound;
}

}  // namespace

ProgramRunner::ProgramRunner(Program program) : program_(std::move(program)) {
  static std::atomic<uint64_t> next{1};
  id_ = next.fetch_add(1, std::memory_order_relaxed);
}

void ProgramRunner::run_with(const ProgramCall& call, std::byte* (*scratch)(void*, size_t),
                             void* closure, std::span<Block> outputs) const {
  for (size_t o = 0; o < program_.outputs.size(); ++o) {
    const ProgramOutput& output = program_.outputs[o];
    Dims shape;
    for (size_t a = 0; a < output.axes.size(); ++a) {
      const bool one = output.axes[a] == kNoLabel || ((output.collapsed >> a) & 1) != 0;
      shape.push_back(one ? 1 : call.extents[static_cast<size_t>(output.axes[a])]);
    }
    if (output.moments) shape.push_back(3);
    outputs[o] = Block::allocate(output.dtype, shape);
  }
  CachedBinding own;
  const Bound& bound = cached_binding(program_, id_, call, outputs, own);
  Interpreter(program_, bound, call, scratch(closure, bound.scratch_bytes), outputs).run();
}

}  // namespace kernels
TUFF_NAMESPACE_END
