// Graphs as bytes: every kind of layer and random graphs there and back, in this process and in another; what does
// not travel and what is no message refused. Messages that lie are in serialize_fuzz_test.cpp.
#include <map>

#include "other_process.h"
#include "random_graph.h"

#include "tuff/graph/elementwise_layer.h"

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 40;
#else
constexpr uint64_t kGraphs = 600;
#endif

Bytes message_of(const std::vector<graph::Port>& outputs) {
  return graph::serialize({outputs, {}});
}

std::vector<Dense> dense(const std::vector<Result>& results) {
  std::vector<Dense> values;
  for (const Result& result : results) values.emplace_back(result.gather());
  return values;
}

// Memory travels row-major. Where it was not, sums are walked in another order on arrival, so that inexact
// values may differ as much as rounding lets them; everything else keeps its bits.
TEST(Serialize, GivesBackARandomGraphThatComputesTheSame) {
  for (uint64_t seed = 1; seed <= kGraphs && !HasFatalFailure(); ++seed) {
    const RandomGraph graph(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + graph.text());
    std::vector<graph::Port> all;
    for (const Array& array : graph.build(Cutter())) all.push_back(array.port());
    const std::vector<double> bounds = graph.bounds(dense(compute(all)));
    const std::vector<graph::Port> ports = graph.ports(Cutter(seed + 1));
    // As built, and as it travels: optimised.
    for (const std::vector<graph::Port>& outputs : {ports, optimize::optimize_layers(ports)}) {
      const Bytes bytes = message_of(outputs);
      const graph::Message received = graph::deserialize(bytes);
      ASSERT_EQ(received.outputs.size(), outputs.size());
      ASSERT_TRUE(received.wanted.empty());
      const std::vector<Dense> want = dense(compute(outputs)),
                               got = dense(compute(received.outputs));
      for (size_t o = 0; o < got.size(); ++o)
        ASSERT_TRUE(close(got[o], want[o], bounds[graph.outputs()[o]])) << "output " << o;
      // Symbols have new names on arrival, all else is as it was sent.
      const bool known = std::all_of(outputs.begin(), outputs.end(), [](const graph::Port& p) {
        return is_known(graph::output_of(p).chunks);
      });
      if (known) {
        ASSERT_EQ(message_of(received.outputs).size(), bytes.size());
      }
    }
  }
}

// ---- every kind of layer -------------------------------------------------------------------------

/// For each kind of layer that travels, arrays in whose graph it is. Element-wise operations are made by the table.
std::map<std::string_view, std::vector<graph::Port>> samples() {
  const Array x = random::normal({6, 5}, {.chunks = 4, .seed = 1});
  const Array u = random::uniform({6, 5}, {.chunks = 4, .seed = 2}).astype(DType::float32);
  const Array i = arange(0, 60, 2).rechunk(7);
  const Array some = i[i % 3 == 0];
  const std::vector<Delayed<Block>> blocks = to_delayed(x.rechunk({6, -1}));
  std::map<std::string_view, std::vector<graph::Port>> samples = {
      {"astype", {u}},
      {"full", {full({3}, 2.5)}},
      {"index", {i}},
      {"uniform", {u}},
      {"normal", {x}},
      {"relabel", {x.transpose()}},
      {"sum", {sum(x, 0)}},
      {"min", {min(x, 1)}},
      {"max", {max(x)}},
      {"any", {any(x > 1.0, 0)}},
      {"all", {all(x > -9.0)}},
      {"moments", {var(x, 0)}},
      {"matmul", {matmul(x.transpose(), x)}},
      {"combine", {sum(x)}},
      {"finish_moments", {tuff::std(x)}},
      {"require_elements", {min(some)}},
      {"fused", optimize::optimize_layers({sum(exp(x) * u, 1), x})},
      {"memory", {from_vector(std::vector<int8_t>{1, -2, 3}, {}, 2)}},
      {"persisted", {x.persist()}},
      {"parameter", {Parameter("p", {2}, DType::float64)}},
      {"from_function", {from_registered("flow.ramp", {10}, {.chunks = 3})}},
      {"slice", {i[{Slice{25, 2, -3}}]}},
      {"rechunk", {x.rechunk({2, 5})}},
      {"concatenate", {concatenate({i, i + 1})}},
      {"mask", {some}},
      {"assume_chunks", {some.compute_chunk_sizes()}},
      {"from_delayed", {from_delayed(blocks, DType::float64, {6, 5}, {6, -1})}},
      {"to_delayed", {blocks[0].port()}},
  };
  for (const ops::Operation& op : ops::operations()) {
    const std::vector<graph::Port> three = {x > 0.0, x, abs(x)};
    const std::vector<graph::Port> operands(three.end() - op.arity, three.end());
    samples[op.name] = {
        {std::make_shared<graph::ElementwiseLayer>(op.code, operands, x.chunks()), 0}};
  }
  return samples;
}

bool has_layer(const std::vector<graph::Port>& outputs, std::string_view name) {
  const std::vector<graph::LayerPtr> layers = graph::layers_in_order(outputs);
  return std::any_of(layers.begin(), layers.end(),
                     [&](const graph::LayerPtr& layer) { return layer->name() == name; });
}

/// Every parameter of the graph is bound to 0, 1, 2, ...
std::vector<Dense> run(const std::vector<graph::Port>& outputs) {
  std::vector<Binding> bindings;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    if (layer->name() != "parameter") continue;
    const graph::Port port{layer, 0};
    bindings.push_back({port, arange(2).astype(DType::float64).compute()});
  }
  return dense(compile(outputs).run(std::move(bindings)));
}

TEST(Serialize, GivesBackEveryKindOfLayerThatTravels) {
  const auto all = samples();
  std::vector<std::string_view> names;
  for (const auto& [name, outputs] : all) names.push_back(name);
  // A kind that is missing here is a new one: give it a sample.
  EXPECT_EQ(names, graph::travelling_layers());
  for (const auto& [name, outputs] : all) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(has_layer(outputs, name));
    const Bytes bytes = message_of(outputs);
    const graph::Message received = graph::deserialize(bytes);
    // What was kept arrives in memory.
    EXPECT_TRUE(has_layer(received.outputs, name == "persisted" ? "memory" : name));
    EXPECT_EQ(message_of(received.outputs).size(),
              name == "persisted" ? bytes.size() - 3 : bytes.size());
    const std::vector<Dense> want = run(outputs), got = run(received.outputs);
    ASSERT_EQ(got.size(), want.size());
    for (size_t o = 0; o < got.size(); ++o) EXPECT_TRUE(conform::same(got[o], want[o]));
  }
}

/// A kind of which nobody knows how to read it.
class Strange final : public graph::Layer {
 public:
  Strange() : Layer({}, DType::float64, Chunks{}) {}
  std::string_view name() const override { return "strange"; }
  void inputs_of(uint32_t, std::vector<graph::InputBlock>&) const override {}
  std::shared_ptr<const TaskFunction> lower(const graph::LowerHints&) const override {
    return nullptr;
  }
  graph::LayerPtr with_inputs(std::vector<graph::Port>) const override {
    return std::make_shared<Strange>();
  }
  void write(graph::LayerWriter&) const override {}
};

TEST(Serialize, CarriesRangesOfBlocks) {
  const Array x = ones({10}, {.chunks = 2});
  const graph::Message received =
      graph::deserialize(graph::serialize({{x}, {{0, 1, 3}, {0, 5, 5}}}));
  ASSERT_EQ(received.wanted.size(), 2U);
  EXPECT_EQ(received.wanted[0].first, 1U);
  EXPECT_EQ(received.wanted[0].last, 3U);
  EXPECT_THROW(graph::serialize({{x}, {{0, 3, 2}}}), InvalidArgument);
  EXPECT_THROW(graph::serialize({{x}, {{0, 0, 6}}}), InvalidArgument);
  EXPECT_THROW(graph::serialize({{x}, {{1, 0, 1}}}), InvalidArgument);
}

TEST(Serialize, GivesTheSameBitsInAnotherProcess) {
  OtherProcess other;
  for (uint64_t seed = 1; seed <= kGraphs / 2; ++seed) {
    const RandomGraph graph(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + graph.text());
    const std::vector<graph::Port> outputs =
        optimize::optimize_layers(graph.ports(Cutter(seed + 1)));
    const Bytes message = message_of(outputs);
    Bytes want;
    for (const Dense& value : dense(compute(graph::deserialize(message).outputs))) {
      want.insert(want.end(), value.bytes.begin(), value.bytes.end());
    }
    ASSERT_TRUE(other.compute(message) == want);
  }
}

TEST(Serialize, FindsRegisteredFunctionsInAnotherProcess) {
  OtherProcess other;
  const Array x = sum(from_registered("flow.ramp", {100}, {.chunks = 7}) * 2.0);
  const Bytes answer = other.compute(message_of({x}));
  double value = 0;
  ASSERT_EQ(answer.size(), sizeof value);
  std::memcpy(&value, answer.data(), sizeof value);
  EXPECT_EQ(value, 2 * 4950.0);
  EXPECT_EQ(x.compute<double>(), value);
}

TEST(Serialize, IsAnsweredWithAnErrorByAProcessThatCannotRead) {
  OtherProcess other;
  Bytes bytes = message_of({ones({3})});
  bytes[0] = std::byte{0};
  const Bytes answer = other.compute(bytes);
  const std::string text(reinterpret_cast<const char*>(answer.data()), answer.size());
  EXPECT_NE(text.find("not a graph"), std::string::npos) << text;
}

// ---- what does not travel ------------------------------------------------------------------------

void expect_refused(const Array& x, const std::string& text) {
  try {
    message_of({x});
    ADD_FAILURE() << "not refused: " << text;
  } catch (const InvalidArgument& error) {
    EXPECT_EQ(std::string(error.what()), text);
  }
}

TEST(Serialize, RefusesWhatNobodyCouldRead) {
  expect_refused(Array({std::make_shared<Strange>(), 0}),
                 "[serialize] 'strange' () does not travel");
}

TEST(Serialize, RefusesCallablesThatHaveNoName) {
  const auto function = [](const BlockInfo& info) {
    return Block::allocate(info.dtype, info.shape);
  };
  expect_refused(from_function(function, {4}) + 1.0,
                 "[serialize] a callable given to from_function does not travel; register it by "
                 "name with register_function "
                 "and use from_registered");
  const auto make = delayed([] { return Block::scalar(1.0); }, "make");
  expect_refused(from_delayed(make(), DType::float64, {}),
                 "[serialize] the callable 'make' given to delayed does not travel");
}

TEST(Serialize, RefusesMoreMemoryThanAMessageShouldHold) {
  const auto limit = static_cast<int64_t>(graph::MemoryLayer::kSendLimit);
  const Block block = Block::allocate(DType::int8, {limit + 1});
  expect_refused(
      from_block(block),
      "[serialize] an array in memory of 67108865 bytes does not travel; at most 67108864 do: "
      "read it from a file on each machine instead");
  EXPECT_THROW(from_registered("nobody registered this", {3}), InvalidArgument);
}

// ---- broken messages -----------------------------------------------------------------------------

std::vector<Bytes> messages() {
  std::vector<Bytes> messages;
  for (uint64_t seed = 500; messages.size() < 60; ++seed) {
    const std::vector<graph::Port> ports = RandomGraph(seed).ports(Cutter(seed));
    messages.push_back(message_of(seed % 2 == 0 ? ports : optimize::optimize_layers(ports)));
  }
  const Parameter p("p", {5, 3}, DType::float64, 2);
  const Array X = ones({8, 5}, {.chunks = ChunkSpec{3, -1}});
  messages.push_back(message_of(optimize::optimize_layers(
      {matmul(X.transpose(), sigmoid(matmul(X, p[{whole, 0}]))), var(X, 0)})));
  return messages;
}

TEST(Serialize, RefusesEveryTruncation) {
  for (const Bytes& whole : messages()) {
    for (size_t size = 0; size < whole.size(); size += size < 400 ? 1 : 37) {
      EXPECT_THROW(graph::deserialize(std::span(whole).first(size)), InvalidArgument)
          << size << " of " << whole.size();
    }
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_THROW(graph::deserialize(longer), InvalidArgument);
  }
}

TEST(Serialize, RefusesWhatIsNoMessageWithItsReason) {
  const auto text_of = [](const Bytes& bytes) -> std::string {
    try {
      graph::deserialize(bytes);
      return "";
    } catch (const InvalidArgument& error) {
      return error.what();
    }
  };
  Bytes bytes = message_of({ones({3})});
  EXPECT_NE(text_of({}), "");
  bytes[4] = std::byte{99};
  EXPECT_NE(text_of(bytes).find("format version 99; this build reads version 2"), std::string::npos)
      << text_of(bytes);
}

TEST(Serialize, NoticesEveryBitThatWasChangedOnTheWay) {
  const Array x = random::normal({20}, {.chunks = 7, .seed = 1});
  for (Bytes& bytes : std::vector<Bytes>{message_of({x}), message_of({sum(exp(x) - 1.0 / x)})}) {
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      EXPECT_THROW(graph::deserialize(bytes), InvalidArgument) << "bit " << bit;
      bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    }
    EXPECT_NO_THROW(graph::deserialize(bytes));
  }
}

}  // namespace
}  // namespace tuff::flow
