// Block programs against a dumb interpreter that evaluates every value at every element of the space, over
// random programs, extents and strides.
#include "tuff/kernels/program.h"

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/kernels/programs.h"

namespace tuff::kernels {
namespace {

using Index = std::array<int64_t, kMaxLabels>;

/// The twin: value v at one index of the labels, by recursion over the definition.
class Dumb {
 public:
  Dumb(const Program& program, const ProgramCall& call) : p_(program), call_(call) {}

  double at(uint32_t v, const Index& index) const {
    const Instruction& i = p_.instructions[v];
    switch (i.code) {
      case Code::load: {
        const Block& block = *call_.operands[i.index];
        return block.data<double>()[offset(p_.operands[i.index].axes, block.strides(), index)];
      }
      case Code::constant: {
        double value = 0;
        std::memcpy(&value, i.constant.data(), 8);
        return value;
      }
      case Code::index: return static_cast<double>(call_.starts[i.index] + index[i.index]);
      case Code::cast: return at(i.args[0], index);
      case Code::random: {
        Index absolute = index;
        for (size_t l = 0; l < p_.label_count; ++l) absolute[l] += call_.starts[l];
        const ProgramSource& s = p_.sources[i.index];
        double value = 0;
        fill_uniform(s.key,
                     static_cast<uint64_t>(s.first + offset(s.axes, s.global_strides, absolute)),
                     &value, size_t{1});
        return value;
      }
      case Code::elementwise: {
        const double a = at(i.args[0], index);
        const double b = at(i.args[1], index);
        switch (static_cast<Elementwise>(i.op)) {
          case Elementwise::add: return a + b;
          case Elementwise::subtract: return a - b;
          case Elementwise::multiply: return a * b;
          default: return std::max(a, b);
        }
      }
      case Code::reduce: {
        const auto r = static_cast<Reduction>(i.op);
        double result = r == Reduction::sum ? 0 : -INFINITY;
        each(i.over, index, [&](const Index& inner) {
          const double value = at(i.args[0], inner);
          result = r == Reduction::sum ? result + value : std::max(result, value);
        });
        return result;
      }
      case Code::times_vector:
      case Code::times_matrix:
      case Code::row_sums:
      case Code::gram: {
        const LabelSet over =
            i.code == Code::times_vector || i.code == Code::times_matrix ? i.over : LabelSet{1};
        double total = 0;
        each(over, index,
             [&](const Index& inner) { total += at(i.args[0], inner) * at(i.args[1], inner); });
        return total;
      }
      case Code::store: break;
    }
    return 0;
  }

  /// Calls f for every index along the labels of `over`, the others fixed.
  template <class F>
  void each(LabelSet over, Index index, F&& f) const {
    std::vector<size_t> labels;
    for (size_t l = 0; l < p_.label_count; ++l) {
      if ((over >> l & 1) == 0) continue;
      labels.push_back(l);
      index[l] = 0;
      if (call_.extents[l] == 0) return;
    }
    while (true) {
      f(index);
      size_t k = labels.size();
      while (k-- > 0) {
        if (++index[labels[k]] < call_.extents[labels[k]]) break;
        index[labels[k]] = 0;
      }
      if (k == SIZE_MAX) return;
    }
  }

  static int64_t offset(const LabelMap& axes, const Dims& strides, const Index& index) {
    int64_t at = 0;
    for (size_t a = 0; a < axes.size(); ++a) {
      if (axes[a] != kNoLabel) at += index[static_cast<size_t>(axes[a])] * strides[a];
    }
    return at;
  }

 private:
  const Program& p_;
  const ProgramCall& call_;
};

/// A block of these extents in one of many layouts: row-major, transposed, with gaps, negative, stretched.
Block laid_out(const Dims& shape, int layout, std::mt19937& random) {
  Dims order;
  for (size_t a = 0; a < shape.size(); ++a) order.push_back(static_cast<int64_t>(a));
  if (layout == 1) std::reverse(order.begin(), order.end());
  Dims strides(shape.size(), 0);
  int64_t stride = layout == 2 ? 3 : 1;
  int64_t first = 0;
  for (size_t k = shape.size(); k-- > 0;) {
    const auto a = static_cast<size_t>(order[k]);
    if (layout == 4 && k == 0) continue;  // stretched: every row is the same memory
    strides[a] = layout == 3 ? -stride : stride;
    if (layout == 3) first += stride * std::max<int64_t>(shape[a] - 1, 0);
    stride *= std::max<int64_t>(shape[a], 1) + (layout == 2 ? 1 : 0);
  }
  const Block memory = Block::allocate(DType::float64, {stride + first + 8});
  for (int64_t i = 0; i < memory.size(); ++i) {
    memory.data<double>()[i] = static_cast<double>(random() % 1000) / 500.0 - 1.0;
  }
  return memory.strided_view(first, shape, strides);
}

/// Runs the program on random operands of these extents and compares every element of every output.
void compare(const ProgramRunner& runner, const std::vector<int64_t>& extents, std::mt19937& random,
             int layout = -1, uint32_t streaming = 0) {
  const Program& p = runner.program();
  std::vector<Block> blocks;
  for (const ProgramOperand& operand : p.operands) {
    Dims shape;
    for (int8_t l : operand.axes)
      shape.push_back(l == kNoLabel ? 1 : extents[static_cast<size_t>(l)]);
    blocks.push_back(
        laid_out(shape, layout >= 0 ? layout : static_cast<int>(random() % 5), random));
  }
  std::vector<const Block*> operands;
  for (const Block& block : blocks) operands.push_back(&block);
  std::vector<int64_t> starts(extents.size());
  for (int64_t& start : starts) start = random() % 50;
  const ProgramCall call{operands, extents, starts, streaming};
  std::unique_ptr<std::byte, void (*)(std::byte*)> scratch(
      nullptr, [](std::byte* b) { ::operator delete (b, std::align_val_t{64}); });
  auto get = [&](size_t bytes) {
    scratch.reset(static_cast<std::byte*>(::operator new (bytes + 64, std::align_val_t{64})));
    std::memset(scratch.get(), 0x7B, bytes);
    return scratch.get();
  };
  std::vector<Block> outputs(p.outputs.size());
  runner.run(call, get, outputs);
  const Dumb dumb(p, call);
  for (const Instruction& i : p.instructions) {
    if (i.code != Code::store) continue;
    const ProgramOutput& output = p.outputs[i.index];
    const Block& got = outputs[i.index];
    LabelSet walked = 0;
    for (size_t a = 0; a < output.axes.size(); ++a) {
      const bool one = output.axes[a] == kNoLabel || (output.collapsed >> a & 1) != 0;
      if (!one) walked |= static_cast<LabelSet>(1U << output.axes[a]);
      ASSERT_EQ(got.shape()[a], one ? 1 : extents[static_cast<size_t>(output.axes[a])]);
    }
    dumb.each(walked, Index{}, [&](const Index& index) {
      const double want = dumb.at(i.args[0], index);
      Index in_output = index;
      for (size_t a = 0; a < output.axes.size(); ++a) {
        if ((output.collapsed >> a & 1) != 0) in_output[static_cast<size_t>(output.axes[a])] = 0;
      }
      const double value = got.data<double>()[Dumb::offset(output.axes, got.strides(), in_output)];
      if (std::isinf(want)) {
        ASSERT_EQ(value, want) << "output " << i.index;
      } else {
        ASSERT_NEAR(value, want, 1e-12 * (1 + std::abs(want)) * 100) << "output " << i.index;
      }
    });
    if (::testing::Test::HasFatalFailure()) return;
  }
}

std::string text_of(const std::vector<int64_t>& extents) {
  std::string text;
  for (int64_t e : extents) text += std::to_string(e) + " ";
  return text;
}

constexpr Elementwise kOps[] = {Elementwise::add, Elementwise::subtract, Elementwise::multiply,
                                Elementwise::maximum};

std::vector<int64_t> random_extents(size_t count, std::mt19937& random) {
  constexpr int64_t kChoices[] = {0, 1, 1, 2, 3, 5, 17, 40};
  std::vector<int64_t> extents(count);
  for (int64_t& e : extents) e = kChoices[random() % std::size(kChoices)];
  return extents;
}

LabelMap random_map(size_t labels, std::mt19937& random, bool full) {
  LabelMap map;
  for (size_t l = 0; l < labels; ++l) {
    if (full || random() % 3 != 0) map.push_back(static_cast<int8_t>(l));
  }
  std::shuffle(map.begin(), map.end(), random);
  if (!full && map.size() < kMaxRank && random() % 4 == 0) map.push_back(kNoLabel);
  return map;
}

/// Loads with all or some labels, a number, positions, random numbers, and operations on them.
Builder random_values(size_t labels, std::mt19937& random) {
  Builder b;
  b.program.label_count = static_cast<uint8_t>(labels);
  (void)b.load(random_map(labels, random, true));
  for (int k = static_cast<int>(random() % 3); k > 0; --k)
    (void)b.load(random_map(labels, random, false));
  if (random() % 2 == 0) (void)b.constant(0.75);
  if (random() % 3 == 0) (void)b.index(static_cast<uint32_t>(random() % labels));
  if (random() % 3 == 0) {
    const LabelMap axes = random_map(labels, random, random() % 2 == 0);
    Dims whole_array;
    for (size_t a = 0; a < axes.size(); ++a) whole_array.push_back(axes[a] == kNoLabel ? 1 : 100);
    (void)b.uniform(axes, row_major_strides(whole_array), random());
  }
  for (int k = static_cast<int>(random() % 5); k >= 0; --k) {
    const auto values = static_cast<uint32_t>(b.program.instructions.size());
    const auto pick = [&] {
      uint32_t v = static_cast<uint32_t>(random() % values);
      while (b.program.instructions[v].dtype != DType::float64)
        v = static_cast<uint32_t>(random() % values);
      return v;
    };
    (void)b.op(kOps[random() % 4], pick(), pick());
  }
  return b;
}

LabelSet all_labels(size_t labels) { return static_cast<LabelSet>((1U << labels) - 1); }

TEST(Programs, ElementwiseOverAnyLabelsAndLayoutsIsTheDumbLoop) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    const size_t labels = 1 + random() % 4;
    Builder b = random_values(labels, random);
    const auto last = static_cast<uint32_t>(b.program.instructions.size()) - 1;
    b.store(last, random_map(labels, random, true));
    if (random() % 2 == 0) b.store(0, random_map(labels, random, true));
    b.program.verify();
    const ProgramRunner runner(b.program);
    for (int k = 0; k < 3; ++k) {
      const std::vector<int64_t> extents = random_extents(labels, random);
      SCOPED_TRACE("round " + std::to_string(round) + ", extents " + text_of(extents));
      compare(runner, extents, random, -1, k == 2 ? 3 : 0);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Programs, OutputsMayLackLabelsThatTheirValueLacks) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; ++round) {
    Builder b;
    b.program.label_count = 3;
    const uint32_t x = b.load({0, 1, 2});
    const uint32_t row = b.load({2});
    const uint32_t column = b.load({0, kNoLabel});
    const uint32_t t = b.op(Elementwise::add, row, b.constant(1.0));
    const uint32_t u = b.op(Elementwise::multiply, column, column);
    b.store(b.op(Elementwise::multiply, x, t), {0, 1, 2});
    b.store(t, {2});
    b.store(u, {0});
    b.store(b.op(Elementwise::add, t, u), {2, 0});
    const ProgramRunner runner(b.program);
    std::vector<int64_t> extents = random_extents(3, random);
    SCOPED_TRACE(text_of(extents));
    // An empty axis that an output lacks leaves that output nothing to be computed with.
    for (int64_t& e : extents) e = std::max<int64_t>(e, 1);
    compare(runner, extents, random);
    if (HasFatalFailure()) return;
  }
}

TEST(Programs, ReductionsInEveryModeAreTheDumbLoop) {
  std::mt19937 random(3);
  for (int round = 0; round < 600; ++round) {
    const size_t labels = 1 + random() % 3;
    Builder b = random_values(labels, random);
    const auto last = static_cast<uint32_t>(b.program.instructions.size()) - 1;
    const LabelSet all = all_labels(labels);
    LabelSet over = static_cast<LabelSet>(random() & all);
    if (over == 0) over = all;
    const auto reduced = [&](uint32_t v, LabelSet along) {
      LabelMap axes;
      uint8_t collapsed = 0;
      for (size_t l = 0; l < labels; ++l) {
        if ((along >> l & 1) != 0) collapsed |= static_cast<uint8_t>(1U << l);
        axes.push_back(static_cast<int8_t>(l));
      }
      const Reduction r = random() % 2 == 0 ? Reduction::sum : Reduction::max;
      b.store(b.reduce(r, v, all, along), axes, collapsed);
    };
    reduced(last, over);
    if (random() % 2 == 0) reduced(0, over);
    if (random() % 2 == 0) reduced(last, all);
    if (random() % 3 == 0) reduced(0, all);
    if (random() % 3 == 0) b.store(last, random_map(labels, random, true));
    b.program.verify();
    const ProgramRunner runner(b.program);
    for (int k = 0; k < 3; ++k) {
      std::vector<int64_t> extents = random_extents(labels, random);
      // No elements and no columns: covered by the errors and conform tests of whole arrays.
      for (int64_t& e : extents) e = std::max<int64_t>(e, 1);
      SCOPED_TRACE("round " + std::to_string(round) + ", over " + std::to_string(over) +
                   ", extents " + text_of(extents));
      compare(runner, extents, random);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Programs, LongRowsAreCutIntoPiecesAndAddUp) {
  std::mt19937 random(4);
  for (LabelSet over : {1, 2, 3}) {
    Builder b;
    b.program.label_count = 2;
    const uint32_t x = b.load({0, 1});
    const uint32_t y = b.op(Elementwise::multiply, x, b.load({1}));
    b.store(b.reduce(Reduction::sum, y, 3, over), {0, 1}, static_cast<uint8_t>(over));
    b.store(b.reduce(Reduction::max, x, 3, 3), {0, 1}, 3);
    b.store(y, {0, 1});
    const ProgramRunner runner(b.program);
    for (const std::vector<int64_t>& extents : std::vector<std::vector<int64_t>>{
             {3, 5000}, {5000, 3}, {2, 1024}, {1, 4097}, {70, 70}, {1025, 1}}) {
      for (int layout = 0; layout < 5; ++layout) {
        SCOPED_TRACE("over " + std::to_string(over) + ", layout " + std::to_string(layout) +
                     ", extents " + text_of(extents));
        compare(runner, extents, random, layout, 4);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Programs, PanelsOfAnyWidthAndLayoutAreTheDumbLoop) {
  std::mt19937 random(5);
  const Program program = panel();
  program.verify();
  const ProgramRunner runner(program);
  for (int round = 0; round < 150; ++round) {
    constexpr int64_t kRows[] = {1, 2, 7, 8, 9, 64, 130};
    constexpr int64_t kColumns[] = {1, 2, 3, 4, 8, 13};
    const std::vector<int64_t> extents = {kRows[random() % 7], kColumns[random() % 6],
                                          kColumns[random() % 6], kColumns[random() % 6]};
    SCOPED_TRACE(text_of(extents));
    compare(runner, extents, random);
    if (HasFatalFailure()) return;
  }
}

TEST(Programs, APanelWithoutRowsSumsToZero) {
  std::mt19937 random(6);
  const ProgramRunner runner(panel());
  // The largest of no columns stays out of it: every column extent is at least one.
  compare(runner, {0, 3, 2, 4}, random, 0);
}

TEST(Programs, AlternatingGeometriesDoNotConfuseEachOther) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<ProgramRunner>> runners;
  for (int k = 0; k < 10; ++k) {
    Builder b;
    b.program.label_count = 2;
    const uint32_t x = b.load({0, 1});
    const uint32_t z = b.op(kOps[k % 4], x, b.constant(static_cast<double>(k)));
    b.store(z, {0, 1});
    b.store(b.reduce(Reduction::sum, z, 3, static_cast<LabelSet>(1 + k % 3)), {0, 1},
            static_cast<uint8_t>(1 + k % 3));
    runners.push_back(std::make_unique<ProgramRunner>(b.program));
  }
  for (int round = 0; round < 1500; ++round) {
    const std::vector<int64_t> extents = {static_cast<int64_t>(1 + random() % 6),
                                          static_cast<int64_t>(1 + random() % 6)};
    SCOPED_TRACE("round " + std::to_string(round) + ", extents " + text_of(extents));
    compare(*runners[random() % runners.size()], extents, random, static_cast<int>(random() % 5),
            random() % 2);
    if (HasFatalFailure()) return;
  }
}

TEST(Programs, StopBeforeTheirFirstTileWhenAsked) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  Builder b;
  b.program.label_count = 1;
  const uint32_t x = b.load({0});
  b.store(b.op(Elementwise::add, x, x), {0});
  const ProgramRunner runner(b.program);
  const Block block = Block::copy_of<double>(std::vector<double>(3, 1.0), {3});
  const Block* operand = &block;
  const std::vector<int64_t> extents = {3};
  const std::vector<int64_t> starts = {0};
  std::vector<std::byte> memory(1 << 16);
  const auto run = [&] {
    Block out;
    const ProgramCall call{std::span(&operand, 1), extents, starts, 0, StopRequest(token)};
    runner.run(
        call, [&](size_t) { return memory.data(); }, std::span(&out, 1));
    return out.to_vector<double>();
  };
  EXPECT_EQ(run(), (std::vector<double>{2, 2, 2}));
  source.request_stop();
  EXPECT_THROW(run(), Cancelled);
}

TEST(Programs, RepeatANumberWherePositionsStandStill) {
  for (const Dims& strides : {Dims{0}, Dims{1}, Dims{-1}, Dims{3}, Dims{-200}}) {
    Builder b;
    b.program.label_count = 1;
    b.program.sources.push_back({{5, 6}, {0}, 300'000, strides});
    Instruction random;
    random.code = Code::random;
    random.labels = 1;
    b.store(b.add(random), {0});
    b.program.verify();
    std::vector<int64_t> extents = {1300};
    std::vector<std::byte> memory(1 << 16);
    Block out;
    const std::vector<int64_t> starts = {7};
    ProgramRunner(b.program).run(
        {{}, extents, starts}, [&](size_t) { return memory.data(); }, std::span(&out, 1));
    for (int64_t i = 0; i < extents[0]; ++i) {
      double want = 0;
      fill_uniform({5, 6}, static_cast<uint64_t>(300'000 + (i + 7) * strides[0]), &want, size_t{1});
      ASSERT_EQ(out.data<double>()[i], want) << i << " " << strides[0];
    }
  }
}

TEST(Programs, BytesBringTheSameProgramBack) {
  const Program program = panel();
  ByteWriter writer;
  program.write(writer);
  const Bytes bytes = writer.take();
  ByteReader reader(bytes);
  const Program again = Program::read(reader);
  EXPECT_EQ(reader.remaining(), 0u);
  ByteWriter second;
  again.write(second);
  EXPECT_EQ(second.take(), bytes);
  std::mt19937 random(8);
  compare(ProgramRunner(again), {9, 3, 2, 4}, random);
}

}  // namespace
}  // namespace tuff::kernels
