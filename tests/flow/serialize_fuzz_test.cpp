// Messages that lie: bytes are changed, the checksum is set right, and what the reader accepts is run.
//
// Whatever the bytes say, the outcome is a result or one of our errors, soon, and within a budget of memory. Under the
// address sanitizer this is the test of every check in the layers' constructors and in program_rules.cpp. For more
// cases than a test has time for: TUFF_FUZZ_CASES=200000, and TUFF_FUZZ_SEED for others.
#include <chrono>
#include <cstdlib>

#include "random_graph.h"

#include "tuff/graph/movement.h"

namespace tuff::flow {
namespace {

using std::chrono::milliseconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 1500;
#else
constexpr int kCases = 8000;
#endif

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoll(text) : otherwise;
}

/// Graphs as built and as they travel, of all that random graphs have and some that they have not.
std::vector<Bytes> messages() {
  std::vector<std::vector<graph::Port>> graphs;
  for (uint64_t seed = 500; graphs.size() < 80; ++seed)
    graphs.push_back(RandomGraph(seed).ports(Cutter(seed)));
  const Parameter p("p", {5, 3}, DType::float64, 2);
  const Array X = random::normal({16, 5}, {.chunks = ChunkSpec{6, -1}, .seed = 1});
  const Array W = ones({5, 4});
  const Array eta = matmul(X, p[{whole, 0}]);
  const Array hidden = tanh(matmul(X, W));
  graphs.push_back({matmul(X.transpose(), sigmoid(eta)), var(X, 0), hidden, sum(hidden, 0)});
  graphs.push_back({matmul(X.transpose(), X), sum(X, 1), var(X, 1), max(eta)});
  const Array y = arange(40).rechunk(7);
  const Array some = y[y % 3 == 0];
  graphs.push_back({some + some, min(some), some.compute_chunk_sizes(), var(some)});
  const Array z = random::uniform({9, 8}, {.chunks = 4, .seed = 2, .dtype = DType::float32});
  const Array rows = z[sum(z, 1) > 4.0F];
  graphs.push_back({rows, sum(rows, 0), matmul(rows.transpose(), rows), rows * rows});
  graphs.push_back({broadcast_to(z[{0}], {6, 8}), z[{Slice{8, 0, -3}}], concatenate({z, z})});
  const std::vector<Delayed<Block>> blocks = to_delayed(z);
  graphs.push_back({from_delayed(blocks, DType::float32, {9, 8}, 4), blocks[1].port()});
  graphs.push_back({from_registered("flow.ramp", {10}, {.chunks = 3})});
  std::vector<Bytes> messages;
  for (const std::vector<graph::Port>& ports : graphs) {
    messages.push_back(graph::serialize({ports, {}}));
    messages.push_back(graph::serialize({optimize::optimize_layers(ports), {{0, 0, 1}}}));
  }
  return messages;
}

/// Changes bytes where numbers of any width may stand: flags, types, labels, counts, extents, strides.
void mutate(Bytes& bytes, conform::Rng& rng) {
  constexpr size_t kHead = 24;  // magic, version and checksum have tests of their own
  const auto place = [&] {
    return kHead + static_cast<size_t>(rng.below(static_cast<int64_t>(bytes.size() - kHead)));
  };
  const auto write = [&](size_t at, uint64_t value, size_t width) {
    std::memcpy(bytes.data() + at, &value, std::min(width, bytes.size() - at));
  };
  const auto read = [&](size_t at, size_t width) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, std::min(width, bytes.size() - at));
    return value;
  };
  const size_t width = rng.pick(std::vector<size_t>{1, 1, 2, 4, 8, 8});
  const size_t at = place();
  switch (rng.below(8)) {
    case 0: bytes[at] = static_cast<std::byte>(rng.word()); break;
    case 1: bytes[at] ^= static_cast<std::byte>(1U << rng.below(8)); break;
    case 2: write(at, static_cast<uint64_t>(rng.between(-2, 16)), width); break;
    case 3: write(at, read(at, width) + static_cast<uint64_t>(rng.between(-2, 2)), width); break;
    case 4: write(at, read(place(), width), width); break;  // a number from elsewhere
    case 5: write(at, read(at, width) << rng.below(8), width); break;
    case 6: {
      const std::vector<uint64_t> odd = {0,
                                         255,
                                         uint64_t{1} << 15,
                                         uint64_t{1} << 31,
                                         uint64_t{1} << 40,
                                         uint64_t{1} << 62,
                                         (uint64_t{1} << 63) - 1,
                                         uint64_t{1} << 63,
                                         ~uint64_t{0}};
      write(at, rng.pick(odd), width);
      break;
    }
    default:  // two places change their contents
      const size_t other = place();
      const uint64_t value = read(at, width);
      write(at, read(other, width), width);
      write(other, value, width);
  }
}

/// Parameters that are small enough get numbers, others stay without and make the run refuse.
std::vector<Binding> bindings_for(const std::vector<graph::Port>& outputs) {
  std::vector<Binding> bindings;
  for (const graph::LayerPtr& layer : graph::layers_in_order(outputs)) {
    if (layer->name() != "parameter") continue;
    const graph::LayerOutput& output = layer->outputs()[0];
    Dims shape;
    for (const Extent& extent : shape_of(output.chunks)) shape.push_back(extent.value());
    if (element_count(shape) > 1000) continue;
    Block block = Block::allocate(output.dtype, shape);
    std::memset(block.bytes_data(), 0, block.bytes());
    const graph::Port port{layer, 0};
    bindings.push_back({port, block});
  }
  return bindings;
}

struct Outcomes {
  int refused = 0;    // by the reader
  int computed = 0;   // to the end
  int failed = 0;     // while running, or by a bound
  int cancelled = 0;  // by the deadline
};

constexpr size_t kBudget = size_t{64} << 20;

/// Reads the results, so that a sanitizer sees whether their memory is there.
void look_at(const std::vector<Result>& results) {
  for (const Result& result : results) {
    for (const Block& block : result.blocks()) {
      const Block dense = block.contiguous();
      unsigned sum = 0;
      for (size_t i = 0; i < dense.bytes(); ++i)
        sum += std::to_integer<unsigned>(dense.bytes_data()[i]);
      volatile unsigned seen = sum;
      static_cast<void>(seen);
    }
  }
}

void try_one(const Bytes& bytes, Outcomes& outcomes) {
  graph::Message message;
  try {
    message = graph::deserialize(bytes);
  } catch (const InvalidArgument&) {
    ++outcomes.refused;
    return;
  }
  try {
    // Bytes that were accepted describe a graph that travels, too.
    static_cast<void>(graph::serialize(message));
    CompileOptions compile_options;
    compile_options.passes.memory_bytes = kBudget;
    const Plan plan = compile(message.outputs, compile_options);
    look_at(plan.run(bindings_for(message.outputs),
                     {.deadline = milliseconds(20), .memory_bytes = kBudget}));
    ++outcomes.computed;
  } catch (const InternalError& error) {
    ADD_FAILURE() << "a fault of ours: " << error.what();
  } catch (const Cancelled&) {
    ++outcomes.cancelled;
  } catch (const Error&) {
    ++outcomes.failed;
  }
}

TEST(SerializeFuzz, WhatIsAcceptedRunsOrFailsWithAnErrorOfOurs) {
  const std::vector<Bytes> originals = messages();
  const int64_t cases = from_environment("TUFF_FUZZ_CASES", kCases);
  conform::Rng rng(static_cast<uint64_t>(from_environment("TUFF_FUZZ_SEED", 11)));
  Outcomes outcomes;
  for (int64_t c = 0; c < cases && !testing::Test::HasFailure(); ++c) {
    Bytes bytes = originals[static_cast<size_t>(c) % originals.size()];
    for (int64_t change = rng.between(1, 3); change > 0; --change) mutate(bytes, rng);
    graph::seal(bytes);
    SCOPED_TRACE("case " + std::to_string(c));
    const auto start = std::chrono::steady_clock::now();
    try_one(bytes, outcomes);
    // A deadline of 20 ms, and what compiling and a loaded machine add.
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(5000));
  }
  RecordProperty("refused", outcomes.refused);
  RecordProperty("computed", outcomes.computed);
  RecordProperty("failed", outcomes.failed);
  RecordProperty("cancelled", outcomes.cancelled);
  // The changes reach beyond the reader, or they would test nothing.
  EXPECT_GT(outcomes.refused, 0);
  EXPECT_GT(outcomes.computed, cases / 20);
  if (std::getenv("TUFF_FUZZ_CASES") != nullptr) {
    printf("%d refused, %d computed, %d failed, %d cancelled\n", outcomes.refused,
           outcomes.computed, outcomes.failed, outcomes.cancelled);
  }
}

TEST(SerializeFuzz, TheMessagesThemselvesAreAccepted) {
  Outcomes outcomes;
  for (const Bytes& bytes : messages()) try_one(bytes, outcomes);
  EXPECT_EQ(outcomes.refused, 0);
  EXPECT_EQ(outcomes.failed, 0);
}

// No check of the graph can tell that two masks under one symbol choose differently: the tasks do.
TEST(SerializeFuzz, TwoMasksUnderOneSymbolFailTheRun) {
  const Array x = arange(1000).astype(DType::float64).rechunk(-1);
  const AxisChunksPtr one = AxisChunks::unknown(*x.chunks()[0]);
  const auto chosen = [&](const Array& mask) {
    return Array({std::make_shared<graph::MaskLayer>(x.port(), mask.port(), one), 0});
  };
  const Array few = chosen(x < 3.0);
  const Array many = chosen(x < 900.0);
  for (const Array& lie : {few + many, many * few, matmul(few, many), matmul(many, few),
                           sum(exp(few) - many), few[many > 2.0]}) {
    const graph::Message received = graph::deserialize(graph::serialize({{lie.port()}, {}}));
    EXPECT_THROW(compute(received.outputs), TaskError);
  }
  EXPECT_EQ((few + few).to_vector<double>(), (std::vector<double>{0, 2, 4}));
}

}  // namespace
}  // namespace tuff::flow
