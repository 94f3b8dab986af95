// Graphs as bytes: random graphs there and back, in this process and in another; broken messages refused.
#include <limits>

#include "other_process.h"
#include "random_graph.h"

#include "tuff/graph/concatenate.h"
#include "tuff/graph/generated_layers.h"

namespace tuff::flow {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kGraphs = 40;
constexpr int kMutations = 2000;
#else
constexpr uint64_t kGraphs = 600;
constexpr int kMutations = 20000;
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

/// Either refused by the reader's own check, or a graph that can be looked at.
void expect_graph_or_refusal(const Bytes& bytes) {
  try {
    const graph::Message message = graph::deserialize(bytes);
    for (const graph::Port& output : message.outputs) shape_of(graph::output_of(output).chunks);
    graph::serialize(message);
  } catch (const InvalidArgument&) {
  }
}

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

TEST(Serialize, SurvivesMutations) {
  const std::vector<Bytes> originals = messages();
  conform::Rng rng(11);
  for (int m = 0; m < kMutations; ++m) {
    Bytes bytes = originals[static_cast<size_t>(m) % originals.size()];
    for (int64_t change = rng.between(1, 4); change > 0; --change) {
      const auto at = static_cast<size_t>(rng.below(static_cast<int64_t>(bytes.size())));
      switch (rng.below(5)) {
        case 0: bytes[at] = static_cast<std::byte>(rng.word()); break;
        case 1: bytes[at] ^= static_cast<std::byte>(1U << rng.below(8)); break;
        case 2:
          bytes[at] = rng.pick(std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{0x7F},
                                                      std::byte{0x80}, std::byte{0xFF}});
          break;
        case 3: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default: {  // eight bytes at once, where counts and extents stand
          const uint64_t value = rng.pick(std::vector<uint64_t>{
              0, 1, 255, uint64_t{1} << 31, uint64_t{1} << 62, ~uint64_t{0}, uint64_t{1} << 63});
          std::memcpy(bytes.data() + at, &value, std::min(sizeof value, bytes.size() - at));
        }
      }
      if (bytes.empty()) break;
    }
    SCOPED_TRACE("mutation " + std::to_string(m));
    expect_graph_or_refusal(bytes);
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
  EXPECT_NE(text_of(bytes).find("format version 99; this build reads version 1"), std::string::npos)
      << text_of(bytes);
}

std::string refusal_of(const graph::LayerPtr& layer) {
  try {
    graph::deserialize(message_of({{layer, 0}}));
    return "read";
  } catch (const InvalidArgument& error) {
    return error.what();
  }
}

TEST(Serialize, RefusesPartsOfArraysThatLieOutsideTheWhole) {
  const AxisChunksPtr axis = AxisChunks::regular(10, 4);
  const auto index = [&](int64_t first, int64_t step) {
    return refusal_of(std::make_shared<graph::IndexLayer>(axis, first, step));
  };
  const auto normal = [&](int64_t first, int64_t step) {
    return refusal_of(std::make_shared<graph::RandomLayer>(
        true, kernels::RandomKey{1, 2}, DType::float64, Chunks{axis}, first, Dims{step}));
  };
  EXPECT_EQ(index(90, -10), "read");
  EXPECT_EQ(normal(90, -10), "read");
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const auto& [first, step] :
       {std::pair<int64_t, int64_t>{-1, 1}, {89, -10}, {most, 1}, {0, most}}) {
    EXPECT_NE(index(first, step).find("positions out of range"), std::string::npos) << first;
    EXPECT_NE(normal(first, step).find("positions out of range"), std::string::npos) << first;
  }
  EXPECT_NE(
      refusal_of(std::make_shared<graph::RandomLayer>(true, kernels::RandomKey{1, 2},
                                                      DType::float64, Chunks{axis}, 0, Dims{1, 1}))
          .find("strides of another rank"),
      std::string::npos);
}

TEST(Serialize, RefusesToJoinWhatDoesNotFit) {
  const Array x = ones({3, 4}, {.chunks = 2});
  const Array y = ones({3, 4}, {.chunks = 3});
  const auto joined = [](const std::vector<graph::Port>& parts, size_t axis) {
    return refusal_of(std::make_shared<graph::ConcatenateLayer>(parts, axis));
  };
  EXPECT_EQ(joined({x, x}, 0), "read");
  EXPECT_NE(joined({x, y}, 0).find("arrays that do not fit together"), std::string::npos);
  EXPECT_NE(joined({x, x.astype(DType::int8)}, 0).find("arrays that do not fit together"),
            std::string::npos);
}

}  // namespace
}  // namespace tuff::flow
