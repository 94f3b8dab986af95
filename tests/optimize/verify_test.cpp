// Sound graphs pass; each way to be unsound is found, and named with pass and layer.
#include "tuff/optimize/verify.h"

#include "tuff/optimize/fuse.h"

#include "tests/optimize/plans.h"

namespace tuff::optimize_test {
namespace {

/// A layer that promises and reads what it is told to.
class Liar final : public graph::Layer {
 public:
  Liar(Ports inputs, Chunks chunks, graph::InputBlock read, int64_t again = 0)
      : Layer(std::move(inputs), DType::float64, std::move(chunks)), read_(read), again_(again) {}
  std::string_view name() const override { return "liar"; }
  void inputs_of(uint32_t, std::vector<graph::InputBlock>& reads) const override {
    reads.push_back(read_);
  }
  std::shared_ptr<const TaskFunction> lower(const graph::LowerHints&) const override {
    return nullptr;
  }
  graph::LayerPtr with_inputs(Ports inputs) const override {
    const Chunks chunks = again_ == 0 ? outputs()[0].chunks : Chunks{AxisChunks::whole(again_)};
    return std::make_shared<Liar>(std::move(inputs), chunks, read_);
  }
  void write(graph::LayerWriter&) const override {}

 private:
  graph::InputBlock read_;
  int64_t again_;
};

const Chunks kFour = {AxisChunks::whole(4)};

std::string fault(const Ports& outputs) {
  try {
    optimize::verify("test", {}, outputs);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "sound";
}

std::string difference(const Ports& before, const Ports& after) {
  try {
    optimize::verify_same("test", before, after);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "the same";
}

TEST(Verify, SoundGraphsPassBeforeAndAfterEveryPass) {
  const Array x = in_memory({12, 10}, {4, 5});
  const Array mask = in_memory({12}, 4) > 3.0;
  const Parameter p("p", {10}, DType::float64, 5);
  const Ports outputs = {mean(exp(x) * 2.0, 0),
                         matmul(x, p),
                         x.rechunk(3)[{Slice{1, 11, 2}}],
                         sum(x[mask]),
                         x.transpose() + 1.0,
                         broadcast_to(p, {3, 10}),
                         random::normal({12, 10}, {.chunks = 4}) + x};
  EXPECT_EQ(fault(outputs), "sound");
  optimize::Trace trace;
  (void)optimize::optimize_layers(outputs, {}, &trace);
  for (const optimize::Step& step : trace) {
    EXPECT_EQ(fault(step.outputs), "sound") << step.name;
    EXPECT_EQ(difference(outputs, step.outputs), "the same") << step.name;
  }
}

TEST(Verify, FindsOutputsAndInputsThatAreNotThere) {
  const Array x = in_memory({4}, 4);
  EXPECT_EQ(fault({{nullptr, 0}}), "[optimize] after test: an output that is not there");
  EXPECT_EQ(fault({{x.port().layer, 1}}), "[optimize] after test: an output that is not there");
  const auto reader =
      std::make_shared<Liar>(Ports{{x.port().layer, 2}}, kFour, graph::InputBlock{0, 0});
  EXPECT_EQ(fault({{reader, 0}}),
            "[optimize] after test: layer liar() reads output 2 of memory, which has 1");
}

TEST(Verify, FindsCycles) {
  const Array x = in_memory({4}, 4);
  const auto a = std::make_shared<Liar>(Ports{x}, kFour, graph::InputBlock{0, 0});
  const auto b = std::make_shared<Liar>(Ports{{a, 0}}, kFour, graph::InputBlock{0, 0});
  // Nothing in the library can do this.
  auto& inputs = const_cast<Ports&>(a->inputs());
  inputs[0] = {b, 0};
  EXPECT_EQ(fault({{b, 0}}), "[optimize] after test: layer liar() needs itself");
  inputs[0] = x.port();
}

TEST(Verify, FindsLayersThatPromiseWhatTheirInputsDoNotGive) {
  const Array x = in_memory({4}, 4);
  const auto liar = std::make_shared<Liar>(Ports{x}, kFour, graph::InputBlock{0, 0}, 5);
  EXPECT_EQ(fault({{liar, 0}}),
            "[optimize] after test: layer liar() promises float64 ((4,),) as output 0, which its "
            "inputs do not give");
}

TEST(Verify, FindsBlocksThatAreNotThere) {
  const Array x = in_memory({4}, 2);
  const auto block = std::make_shared<Liar>(Ports{x}, kFour, graph::InputBlock{0, 2});
  EXPECT_EQ(fault({{block, 0}}),
            "[optimize] after test: layer liar() reads block 2 of input 0 in task 0, which is not "
            "there");
  const auto input = std::make_shared<Liar>(Ports{x}, kFour, graph::InputBlock{1, 0});
  EXPECT_EQ(fault({{input, 0}}),
            "[optimize] after test: layer liar() reads block 0 of input 1 in task 0, which is not "
            "there");
}

TEST(Verify, FindsFusedLayersOnInputsThatTheyWereNotMadeFor) {
  const Array x = in_memory({4}, 2);
  const Ports fused = optimize::fuse({exp(x) + 1.0});
  const auto on = [&](const Array& input) {
    return fault({{fused[0].layer->with_inputs({input}), 0}});
  };
  EXPECT_EQ(on(x), "sound");
  EXPECT_EQ(on(in_memory({4}, 1)),
            "[optimize] after test: layer fused(exp, add) reads axis 0 of input 0, cut otherwise");
  EXPECT_EQ(on(x.astype(DType::float32)),
            "[optimize] after test: layer fused(exp, add) takes input 0 for float64 of rank 1");
  EXPECT_EQ(fault({{fused[0].layer->with_inputs({x, x}), 0}}),
            "[optimize] after test: layer fused(exp, add) has 1 operands and 2 inputs");
}

TEST(Verify, FindsOutputsThatAPassChanged) {
  const Array x = in_memory({4}, 2);
  EXPECT_EQ(difference({x}, {exp(x)}), "the same");
  EXPECT_EQ(difference({x}, {}), "[optimize] after test: 1 outputs became 0");
  EXPECT_EQ(difference({x}, {x.rechunk(4)}),
            "[optimize] after test: output 0 was float64 ((2, 2),) and is float64 ((4,),)");
  EXPECT_EQ(difference({x}, {x.astype(DType::float32)}),
            "[optimize] after test: output 0 was float64 ((2, 2),) and is float32 ((2, 2),)");
}

}  // namespace
}  // namespace tuff::optimize_test
