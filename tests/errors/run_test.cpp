// What plans, results, delayed values, messages and contexts refuse. Sources: compute.h, delayed.h,
// serialize.h, context.h.
#include <chrono>
#include <cstdlib>
#include <thread>

#include "tuff/graph/serialize.h"
#include "tuff/ops/table.h"

#include "tests/errors/errors.h"

namespace tuff::error_test {
namespace {

class RunErrors : public Errors {
 protected:
  Parameter beta{"beta", {3}, DType::float64};
  Parameter gamma{"gamma", {3}, DType::float64};
  std::vector<double> three = {1, 2, 3};
};

TEST_F(RunErrors, APlanNeedsOutputs) {
  EXPECT_REFUSED("[compile] no outputs; at least one array is needed", compile({}));
  EXPECT_REFUSED("[compute] no outputs; at least one array is needed",
                 compute(std::vector<graph::Port>{}));
}

TEST_F(RunErrors, EveryParameterIsBoundOnceToItsTypeAndShape) {
  const Plan plan = compile({beta + 1.0});
  EXPECT_REFUSED("[run] parameter 'beta' is not bound", plan.run());
  EXPECT_REFUSED("[run] parameter 'gamma' is not bound",
                 compile({beta + gamma}).run({{beta, three}}));
  EXPECT_REFUSED("[run] no output of this plan depends on parameter 'gamma'",
                 plan.run({{gamma, three}}));
  EXPECT_REFUSED("[run] parameter 'beta' is bound twice", plan.run({{beta, three}, {beta, three}}));
  EXPECT_REFUSED(
      "[run] a binding names the result of full, float64 of shape (3, 4); it must name a Parameter",
      plan.run({{x, three}}));
  EXPECT_REFUSED(
      "[run] a binding names the result of add, float64 of shape (3,); it must name a Parameter",
      plan.run({{beta + 1.0, three}}));
  EXPECT_REFUSED("[run] a binding names nothing; it must name a Parameter",
                 plan.run({{{}, three}}));
  EXPECT_REFUSED("[parameter beta] bound to shape (4,); (3,) is needed",
                 plan.run({{beta, std::vector<double>(4)}}));
  EXPECT_REFUSED("[parameter beta] bound to shape (3, 1); (3,) is needed",
                 plan.run({{beta, Block::allocate(DType::float64, {3, 1})}}));
  EXPECT_REFUSED("[parameter beta] bound to float32; float64 is needed",
                 plan.run({{beta, Block::allocate(DType::float32, {3})}}));
  EXPECT_REFUSED("[parameter beta] bound to an empty result; float64 of shape (3,) is needed",
                 plan.run({{beta, Result()}}));
  EXPECT_REFUSED("[run] parameter 'beta' is not bound", beta.compute());
  EXPECT_REFUSED(
      "[persist] parameter 'beta' is not bound; compile() a plan and run it with bindings",
      (beta + x[{int64_t{0}, Slice{0, 3}}]).persist());
  EXPECT_EQ(plan.run({{beta, three}})[0].to_vector<double>(), (std::vector<double>{2, 3, 4}));
}

TEST_F(RunErrors, OneThreadIsTheLeast) {
  EXPECT_REFUSED("[run] threads = 0; at least 1 is needed", x.compute({.threads = 0}));
  EXPECT_REFUSED("[run] threads = -1; at least 1 is needed", compile({x}).run({}, {.threads = -1}));
}

TEST_F(RunErrors, ResultsKnowTheirTypeAndSize) {
  EXPECT_REFUSED("[compute] shape (3, 4) has 12 elements; a single value needs exactly 1",
                 x.compute<double>());
  EXPECT_REFUSED("[item] shape (5,) has 5 elements; a single value needs exactly 1",
                 compute({y})[0].item<double>());
  EXPECT_REFUSED(
      "[compute] the elements are float64, asked for float32; call astype(DType::float32) first",
      number.compute<float>());
  EXPECT_REFUSED(
      "[to_vector] the elements are float64, asked for int64; call astype(DType::int64) first",
      x.to_vector<int64_t>());
  EXPECT_REFUSED(
      "[to_vector] the elements are int8, asked for float32; call astype(DType::float32) first",
      compute({small})[0].to_vector<float>());
  EXPECT_REFUSED("[item] the elements are float64, asked for bool; call astype(DType::bool_) first",
                 compute({number})[0].item<bool>());
  EXPECT_REFUSED("[compute] shape (4,) has 4 elements; a single value needs exactly 1",
                 selected.compute<double>());
}

TEST_F(RunErrors, AnEarlyEndSaysWhyAndHowFar) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(text_of<Cancelled>([&] { (void)y.compute({.stop = source.get_token()}); }),
            "[run] stop was requested after 0 of 3 tasks");
  const Array slow = from_function(
      [](const BlockInfo& info) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return Block::allocate(info.dtype, info.shape);
      },
      {2000}, {.chunks = 1});  // 10 s, so that a late timer is still in time
  const std::string text = text_of<Cancelled>([&] {
    (void)slow.compute(
        {.threads = 1, .deadline = std::chrono::nanoseconds(std::chrono::milliseconds(5))});
  });
  EXPECT_EQ(text.substr(0, 31), "[run] the deadline passed after") << text;
}

TEST_F(RunErrors, WhatACallableThrowsIsNamedWithItsTask) {
  const auto bad = delayed(
      [](double v) -> double { throw std::runtime_error("no " + std::to_string(v)); }, "bad");
  EXPECT_RUN_FAILS("[run] task 0 (bad) on block () failed: no 1.000000", bad(1.0).compute());
  const auto twice = delayed([](double v) { return 2 * v; }, "twice");
  EXPECT_RUN_FAILS("[run] task 0 (bad) on block () failed: no 2.000000", twice(bad(2.0)).compute());
  const auto as_float = delayed([](const Block& b) { return *b.data<float>(); }, "as_float");
  EXPECT_RUN_FAILS(
      "[run] task 1 (as_float) on block () failed: [block] the elements are float64, asked for "
      "float32",
      as_float(ones({3}).rechunk(3)).compute());
  EXPECT_REFUSED(
      "[compute] parameter 'beta' is not bound; compile() a plan and run it with bindings",
      delayed([](const Block& b) { return b.size(); })(beta).compute());
  const Array unknown = arange(0, 6, 1, {.chunks = 2})[arange(0, 6, 1, {.chunks = 2}) > 2];
  EXPECT_REFUSED("[delayed] an array argument of shape (" + symbol(unknown) +
                     ",) has unknown extents; call compute_chunk_sizes() first",
                 delayed([](const Block& b) { return b.size(); })(unknown));
  EXPECT_EQ(twice(4.0).compute(), 8.0);
}

TEST_F(RunErrors, ADelayedBlockMustBeWhatWasPromised) {
  const auto one = delayed([] { return Block::scalar(1.0); }, "one");
  EXPECT_RUN_FAILS(
      "[run] task 1 (from_delayed) on block (0,) failed: [from_delayed] expected float64 of shape "
      "(3,); the callable returned float64 of shape ()",
      from_delayed(one(), DType::float64, {3}).compute());
  EXPECT_RUN_FAILS(
      "[run] task 1 (from_delayed) on block () failed: [from_delayed] expected int8 of shape (); "
      "the callable returned float64 of shape ()",
      from_delayed(one(), DType::int8, {}).compute());
  EXPECT_RUN_FAILS(
      "[run] task 1 (from_delayed) on block (0,) failed: [from_delayed] expected int8 of shape "
      "(3,); "
      "the callable returned an empty block",
      from_delayed(delayed([] { return Block(); })(), DType::int8, {3}).compute());
  EXPECT_EQ(from_delayed(one(), DType::float64, {}).compute<double>(), 1.0);
}

TEST_F(RunErrors, KernelsThatRefuseValuesSayWhich) {
  EXPECT_RUN_FAILS(
      "[run] task 0 (power) on block () failed: [power] 1 ** -1: an integer to a negative power; "
      "cast to "
      "float64 first",
      power(small, -1).compute());
}

TEST_F(RunErrors, WhatDoesNotTravelSaysWhatWould) {
  using graph::serialize;
  EXPECT_REFUSED(
      "[serialize] a callable given to from_function does not travel; register it by name with "
      "register_function and use from_registered",
      serialize({{from_function([](const BlockInfo&) { return Block(); }, {3})}, {}}));
  const auto one = delayed([] { return Block::scalar(1.0); }, "one");
  EXPECT_REFUSED("[serialize] the callable 'one' given to delayed does not travel",
                 serialize({{one().port()}, {}}));
  EXPECT_REFUSED("[serialize] blocks 0 to 99 of output 0, which has 4",
                 serialize({{x}, {{0, 0, 99}}}));
  EXPECT_REFUSED("[serialize] blocks 0 to 1 of output 1, which has 0",
                 serialize({{x}, {{1, 0, 1}}}));
  EXPECT_REFUSED("[serialize] blocks 3 to 1 of output 0, which has 4",
                 serialize({{x}, {{0, 3, 1}}}));
  EXPECT_REFUSED(
      "[serialize] an array in memory of 72000000 bytes does not travel; at most 67108864 do: read "
      "it from a "
      "file on each machine instead",
      serialize({{from_block(Block::allocate(DType::float64, {9'000'000}))}, {}}));
}

TEST_F(RunErrors, AMessageThatIsNoneIsRefusedWithThePlace) {
  using graph::deserialize;
  const Bytes good = graph::serialize({{x}, {{0, 0, 4}}});
  const std::string size = std::to_string(good.size());
  EXPECT_REFUSED("[deserialize] 4 more bytes were expected at byte 0 of 0", deserialize({}));
  Bytes bad = good;
  bad[0] = std::byte{0};
  EXPECT_REFUSED("[deserialize] not a graph: the first bytes are not 'TUFF' at byte 4 of " + size,
                 deserialize(bad));
  bad = good;
  bad[4] = std::byte{9};
  EXPECT_REFUSED("[deserialize] format version 9; this build reads version 2 at byte 8 of " + size,
                 deserialize(bad));
  EXPECT_EQ(deserialize(good).outputs.size(), 1u);
}

TEST_F(RunErrors, PlacesCountFromTheBeginningOfTheMessage) {
  Bytes longer = graph::serialize({{x}, {}});
  const std::string size = std::to_string(longer.size());
  longer.push_back(std::byte{0});
  EXPECT_REFUSED(
      "[deserialize] a checksum that is not of these bytes: they were changed or cut off on the "
      "way at byte 24 of " +
          std::to_string(longer.size()),
      graph::deserialize(longer));
  graph::seal(longer);
  EXPECT_REFUSED(
      "[deserialize] bytes after the end at byte " + size + " of " + std::to_string(longer.size()),
      graph::deserialize(longer));
}

TEST_F(RunErrors, ReductionsAreLookedUpByName) {
  EXPECT_REFUSED("[reduction] 'median' is not one of sum, mean, var, std, min, max, any, all",
                 ops::reduction("median"));
}

TEST_F(RunErrors, ContextsNeedThreadsAndVariablesNumbers) {
  EXPECT_REFUSED("[context] threads = 0; at least 1 is needed", Context({.threads = 0}));
  EXPECT_REFUSED("[context] threads = -5; at least 1 is needed", Context({.threads = -5}));
  ::setenv("TUFF_THREADS", "two", 1);
  EXPECT_REFUSED("[context] TUFF_THREADS='two' is not a whole number", Context());
  ::unsetenv("TUFF_THREADS");
  ::setenv("TUFF_RECYCLE_BYTES", "-1", 1);
  EXPECT_REFUSED("[context] TUFF_RECYCLE_BYTES='-1' is not a whole number", Context());
  ::unsetenv("TUFF_RECYCLE_BYTES");
}

TEST_F(RunErrors, AnEmptyResultHasNothingToGive) {
  const std::string text =
      "[result] an empty result has no elements; assign what a run returned first";
  EXPECT_REFUSED(text, Result().gather());
  EXPECT_REFUSED(text, Result().item<double>());
  EXPECT_REFUSED(text, Result().to_vector<double>());
  EXPECT_REFUSED("[array] an empty result has no elements; assign what a run returned first",
                 Array(Result()));
}

TEST_F(RunErrors, AnEmptyBlockIsNoResult) {
  EXPECT_REFUSED("[result] an empty block; it has no dtype and no shape", Result(Block()));
}

TEST_F(RunErrors, ExtremesAlongAnAxisBesideAnEmptyOneAreEmpty) {
  EXPECT_EQ(max(zeros({3, 0}), 0).compute().size(), 0);
  EXPECT_EQ(min(zeros({3, 0}, {.dtype = DType::float32}), 0).compute().size(), 0);
  EXPECT_EQ(sum(zeros({3, 0}), 0).compute().size(), 0);
}

}  // namespace
}  // namespace tuff::error_test
