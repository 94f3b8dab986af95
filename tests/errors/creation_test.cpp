// What the functions that make arrays refuse, and what they say. Sources: creation.h, random.h.
#include <cmath>
#include <limits>

#include "tests/errors/errors.h"

namespace tuff::error_test {
namespace {

const double kNaN = std::nan("");
const double kInf = std::numeric_limits<double>::infinity();
using Sizes = std::vector<std::vector<int64_t>>;

class CreationErrors : public Errors {};

TEST_F(CreationErrors, ShapesAndChunksNameTheFunctionTheAxisAndWhatIsAccepted) {
  EXPECT_REFUSED("[zeros] shape (-1,) has a negative extent", zeros({-1}));
  EXPECT_REFUSED("[ones] shape (3, -2) has a negative extent", ones({3, -2}));
  EXPECT_REFUSED("[full] shape (-3,) has a negative extent", full({-3}, 1));
  EXPECT_REFUSED("[zeros] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
                 zeros({3}, {.chunks = 0}));
  EXPECT_REFUSED("[ones] block size -2 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
                 ones({3}, {.chunks = -2}));
  EXPECT_REFUSED("[full] block size 0 on axis 1; accepted are -1 (the whole axis) and 1, 2, ...",
                 full({3, 3}, 1, {.chunks = {2, 0}}));
  EXPECT_REFUSED("[zeros] chunks for 2 axes, but shape (3,) has 1", zeros({3}, {.chunks = {1, 1}}));
  EXPECT_REFUSED("[zeros] chunks for 2 axes, but shape (3,) has 1",
                 zeros({3}, {.chunks = Sizes{{3}, {3}}}));
  EXPECT_REFUSED("[ones] blocks of axis 0 add up to 2; its extent is 3",
                 ones({3}, {.chunks = Sizes{{1, 1}}}));
  EXPECT_REFUSED("[zeros] block size -1 on axis 0; accepted are 0, 1, ...",
                 zeros({3}, {.chunks = Sizes{{4, -1}}}));
}

TEST_F(CreationErrors, TooManyAxesAreRefusedByTheFunctionThatIsGivenThem) {
  const std::string nine = "a shape with 9 axes; at most 8 are accepted";
  const double d = 0;
  const BlockFunction f = [](const BlockInfo&) { return Block(); };
  const auto one = delayed([] { return Block::scalar(1.0); });
  EXPECT_REFUSED("[zeros] " + nine, zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[ones] " + nine, ones({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[full] " + nine, full({1, 1, 1, 1, 1, 1, 1, 1, 1}, 2));
  EXPECT_REFUSED("[from_memory] " + nine, from_memory(&d, {1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[from_vector] " + nine,
                 from_vector(std::vector<double>{1}, ShapeSpec{1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[from_function] " + nine, from_function(f, {1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[from_delayed] " + nine,
                 from_delayed(one(), DType::float64, {1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[uniform] " + nine, random::uniform({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[normal] " + nine, random::normal({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_REFUSED("[parameter] " + nine,
                 Parameter("p", {1, 1, 1, 1, 1, 1, 1, 1, 1}, DType::float64));
  EXPECT_REFUSED("[from_delayed] shape (-1,) has a negative extent",
                 from_delayed(one(), DType::float64, {-1}));
}

TEST_F(CreationErrors, MoreThanMemoryCanHoldIsRefusedBeforeAnythingIsMade) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  const std::string bytes = "takes 2^63 bytes or more; less is accepted";
  const std::string line = "shape (9223372036854775807,) of float64 " + bytes;
  const BlockFunction f = [](const BlockInfo&) { return Block(); };
  const double d = 0;
  EXPECT_REFUSED("[zeros] " + line, zeros({kLargest}));
  EXPECT_REFUSED("[ones] " + line, ones({kLargest}, {.chunks = -1}));
  EXPECT_REFUSED("[full] " + line, full({kLargest}, 1.0, {.chunks = 5}));
  EXPECT_REFUSED("[from_memory] " + line, from_memory(&d, {kLargest}));
  EXPECT_REFUSED("[from_function] " + line, from_function(f, {kLargest}));
  EXPECT_REFUSED("[uniform] " + line, random::uniform({kLargest}));
  EXPECT_REFUSED("[normal] " + line, random::normal({kLargest}));
  EXPECT_REFUSED("[parameter] " + line, Parameter("p", {kLargest}, DType::float64));
  EXPECT_REFUSED("[arange] shape (9223372036854775807,) of int64 " + bytes, arange(kLargest));
  EXPECT_REFUSED("[arange] 18446744073709551614 values are too many", arange(-kLargest, kLargest));
  EXPECT_REFUSED("[linspace] shape (9223372036854775807,) of float64 " + bytes,
                 linspace(0, 1, kLargest));
  EXPECT_REFUSED("[zeros] shape (4294967296, 0, 4294967296) of int8 " + bytes,
                 zeros({int64_t{1} << 32, 0, int64_t{1} << 32}, {.dtype = DType::int8}));
  EXPECT_REFUSED("[from_vector] 0 values do not fill shape (4294967296, 4294967296)",
                 from_vector(std::vector<double>{}, Dims{int64_t{1} << 32, int64_t{1} << 32}));
}

TEST_F(CreationErrors, MoreBlocksThanCanBeCountedAskForLargerOnes) {
  EXPECT_REFUSED(
      "[zeros] shape (1099511627776,) in blocks of shape (1,) makes more than 268435456 blocks; "
      "give larger chunks",
      zeros({int64_t{1} << 40}, {.chunks = 1}));
  EXPECT_REFUSED(
      "[ones] shape (1048576, 1048576) in blocks of shape (8, 4) makes more than 268435456 blocks; "
      "give larger "
      "chunks",
      ones({1 << 20, 1 << 20}, {.chunks = {8, 4}}));
  EXPECT_REFUSED(
      "[full] shape (1152921504606846975,) in blocks of shape (1048576,) makes more than 268435456 "
      "blocks; give "
      "larger chunks",
      full({(int64_t{1} << 60) - 1}, 1, {.dtype = DType::int8}));
  EXPECT_EQ(zeros({int64_t{1} << 40, 0}).block_count(), size_t{1} << 20);  // of 2^20 rows each
}

TEST_F(CreationErrors, TypesAreOnesThatExist) {
  const auto odd = static_cast<DType>(99);
  const std::string text =
      "dtype number 99 is not an element type; accepted are bool, int8, int16, int32, int64, "
      "uint8, "
      "uint16, uint32, uint64, float32, float64";
  const auto one = delayed([] { return Block::scalar(1.0); });
  EXPECT_REFUSED("[zeros] " + text, zeros({3}, {.dtype = odd}));
  EXPECT_REFUSED("[full] " + text, full({3}, 1, {.dtype = odd}));
  EXPECT_REFUSED("[arange] " + text, arange(0, 3, 1, {.dtype = odd}));
  EXPECT_REFUSED("[normal] " + text, random::normal({3}, {.dtype = odd}));
  EXPECT_REFUSED("[from_function] " + text,
                 from_function([](const BlockInfo&) { return Block(); }, {3}, {.dtype = odd}));
  EXPECT_REFUSED("[from_delayed] " + text, from_delayed(one(), odd, {3}));
  EXPECT_REFUSED("[parameter] " + text, Parameter("p", {3}, odd));
}

TEST_F(CreationErrors, RangesAreNotWrapped) {
  EXPECT_REFUSED(
      "[arange] values from 0 to 299 do not fit int8 (whole numbers from -128 to 127); choose "
      "another dtype",
      arange(0, 300, 1, {.dtype = DType::int8}));
  EXPECT_REFUSED(
      "[arange] values from 5 to -1 do not fit uint8 (whole numbers from 0 to 255); choose another "
      "dtype",
      arange(5, -3, -3, {.dtype = DType::uint8}));
  EXPECT_REFUSED(
      "[arange] values from 0 to 199.5 do not fit int8 (whole numbers from -128 to 127); choose "
      "another dtype",
      arange(0, 200, 0.5, {.dtype = DType::int8}));
  EXPECT_EQ(arange(-128, 128, 255, {.dtype = DType::int8}).to_vector<int8_t>(),
            (std::vector<int8_t>{-128, 127}));
  EXPECT_EQ(arange(0, 128, 127.5, {.dtype = DType::int8}).to_vector<int8_t>(),
            (std::vector<int8_t>{0, 127}));
  EXPECT_EQ(arange(300, 300, 1, {.dtype = DType::int8}).size(), 0);
}

TEST_F(CreationErrors, ValuesMustFitTheType) {
  const auto of = [](DType dtype) { return CreateOptions{.dtype = dtype, .chunks = {}}; };
  EXPECT_REFUSED(
      "[full] 300 does not fit int8 (whole numbers from -128 to 127); choose another dtype",
      full({3}, 300, of(DType::int8)));
  EXPECT_REFUSED("[full] -1 does not fit uint8 (whole numbers from 0 to 255); choose another dtype",
                 full({3}, -1, of(DType::uint8)));
  EXPECT_REFUSED(
      "[full] 1.5 does not fit int32 (whole numbers from -2147483648 to 2147483647); choose "
      "another dtype",
      full({3}, 1.5, of(DType::int32)));
  EXPECT_REFUSED(
      "[full] nan does not fit int32 (whole numbers from -2147483648 to 2147483647); choose "
      "another dtype",
      full({3}, kNaN, of(DType::int32)));
  EXPECT_REFUSED("[full] an array as the value; use broadcast_to", full({3}, x));
  EXPECT_EQ(full({1}, 300, of(DType::float32)).compute<float>(), 300.0F);
}

TEST_F(CreationErrors, RangesNeedAStepAndFiniteBounds) {
  EXPECT_REFUSED("[arange] step 0; it must not be zero", arange(0, 10, 0));
  EXPECT_REFUSED("[arange] start 0, stop nan, step 1; all must be finite", arange(0.0, kNaN));
  EXPECT_REFUSED("[arange] start 0, stop inf, step 1; all must be finite", arange(0.0, kInf));
  EXPECT_REFUSED("[arange] an array where a number is needed; compute it first", arange(0, x));
  EXPECT_REFUSED("[arange] inf values are too many", arange(0.0, 1e300, 1e-300));
  EXPECT_REFUSED("[arange] 1e+19 values are too many", arange(0.0, 1e18, 0.1));
  EXPECT_REFUSED("[arange] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
                 arange(0, 10, 1, {.chunks = 0}));
  EXPECT_EQ(arange(-3).compute().size(), 0);
}

TEST_F(CreationErrors, ABoundBeyondInt64IsRefusedRatherThanWrapped) {
  EXPECT_REFUSED("[arange] 18446744073709551615 values are too many",
                 arange(std::numeric_limits<uint64_t>::max()));
}

TEST_F(CreationErrors, LinspaceNeedsACountAndFiniteEnds) {
  EXPECT_REFUSED("[linspace] -1 values; 0 or more are accepted", linspace(0, 1, -1));
  EXPECT_REFUSED("[linspace] from nan to 1; both must be finite", linspace(kNaN, 1, 3));
  EXPECT_REFUSED("[linspace] from 0 to inf; both must be finite", linspace(0, kInf, 3));
  EXPECT_REFUSED("[linspace] chunks for 2 axes, but shape (3,) has 1",
                 linspace(0, 1, 3, {.chunks = {1, 1}}));
}

TEST_F(CreationErrors, MemoryNeedsAnAddressStridesAndAShape) {
  const double d[6] = {};
  EXPECT_REFUSED("[from_memory] a null pointer for shape (3,); the address of 24 bytes is needed",
                 from_memory<double>(nullptr, {3}));
  EXPECT_REFUSED("[from_memory] 2 strides for shape (6,); one for each of its 1 axes is needed",
                 from_memory(d, {6}, {.strides = Dims{1, 1}}));
  EXPECT_REFUSED("[from_memory] shape (-1,) has a negative extent", from_memory(d, {-1}));
  EXPECT_REFUSED(
      "[from_memory] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
      from_memory(d, {6}, {.chunks = 0}));
  EXPECT_EQ(from_memory<double>(nullptr, {0}).compute().size(), 0);
}

TEST_F(CreationErrors, VectorsAndBlocksMustFillTheShape) {
  const std::vector<double> three = {1, 2, 3};
  EXPECT_REFUSED("[from_vector] 3 values do not fill shape (2, 2)", from_vector(three, Dims{2, 2}));
  EXPECT_REFUSED("[from_vector] 3 values do not fill shape (-3,)", from_vector(three, Dims{-3}));
  EXPECT_REFUSED("[from_vector] 3 values do not fill shape ()", from_vector(three, Dims{}));
  EXPECT_REFUSED("[from_block] an empty block; it has no dtype and no shape", from_block(Block()));
  EXPECT_REFUSED("[from_block] chunks for 1 axes, but shape () has 0",
                 from_block(Block::scalar(1.0), {1}));
  EXPECT_REFUSED("[from_block] chunks for 2 axes, but shape (3,) has 1",
                 from_block(Block::allocate(DType::float64, {3}), {4, 4}));
}

TEST_F(CreationErrors, TwoNegativeExtentsAreNoShapeEither) {
  EXPECT_REFUSED("[from_vector] 3 values do not fill shape (-1, -3)",
                 from_vector(std::vector<double>{1, 2, 3}, Dims{-1, -3}));
}

TEST_F(CreationErrors, CallablesMustBeThereAndReturnWhatTheyPromised) {
  EXPECT_REFUSED(
      "[from_function] an empty callable; one that makes a Block from a BlockInfo is needed",
      from_function({}, {3}));
  EXPECT_REFUSED("[from_function] shape (-3,) has a negative extent",
                 from_function([](const BlockInfo&) { return Block(); }, {-3}));
  EXPECT_RUN_FAILS(
      "[run] task 0 (from_function) on block (0,) failed: [from_function] block (0,) must be "
      "float64 of "
      "shape (3,); the callable returned an empty block",
      from_function([](const BlockInfo&) { return Block(); }, {3}).compute());
  EXPECT_RUN_FAILS(
      "[run] task 0 (from_function) on block (0,) failed: [from_function] block (0,) must be "
      "float64 of "
      "shape (3,); the callable returned float64 of shape ()",
      from_function([](const BlockInfo&) { return Block::scalar(1.0); }, {3}).compute());
  EXPECT_RUN_FAILS(
      "[run] task 0 (from_function) on block (0,) failed: [from_function] block (0,) must be "
      "float64 of "
      "shape (3,); the callable returned int8 of shape (3,)",
      from_function([](const BlockInfo& i) { return Block::allocate(DType::int8, i.shape); }, {3})
          .compute());
}

TEST_F(CreationErrors, NamesOfCallablesAreTakenOnce) {
  const BlockFunction f = [](const BlockInfo&) { return Block(); };
  EXPECT_REFUSED("[from_registered] 'nobody' is not registered in this process",
                 from_registered("nobody", {3}));
  EXPECT_REFUSED("[from_registered] '' is not registered in this process",
                 from_registered("", {3}));
  EXPECT_REFUSED("[register_function] needs a name and a callable", graph::register_function("", f),
                 0);
  EXPECT_REFUSED("[register_function] needs a name and a callable",
                 graph::register_function("a", {}), 0);
  graph::register_function("errors.taken", f);
  EXPECT_REFUSED("[register_function] 'errors.taken' is registered already",
                 graph::register_function("errors.taken", f), 0);
  EXPECT_REFUSED("[from_registered] shape (-1,) has a negative extent",
                 from_registered("errors.taken", {-1}));
}

TEST_F(CreationErrors, RandomNumbersNeedBoundsAScaleAndAFloatingType) {
  using namespace tuff::random;  // NOLINT(google-build-using-namespace)
  EXPECT_REFUSED("[uniform] low 2 and high 1; finite numbers with low <= high are accepted",
                 uniform({3}, {.low = 2, .high = 1}));
  EXPECT_REFUSED("[uniform] low nan and high 1; finite numbers with low <= high are accepted",
                 uniform({3}, {.low = kNaN}));
  EXPECT_REFUSED("[uniform] dtype int32; float32 and float64 are accepted",
                 uniform({3}, {.dtype = DType::int32}));
  EXPECT_REFUSED("[uniform] shape (-3,) has a negative extent", uniform({-3}));
  EXPECT_REFUSED(
      "[uniform] low -1e+308 and high 1e+308; they and high - low must be finite in float64",
      uniform({3}, {.low = -1e308, .high = 1e308}));
  EXPECT_REFUSED("[uniform] low 0 and high 1e+39; they and high - low must be finite in float32",
                 uniform({3}, {.high = 1e39, .dtype = DType::float32}));
  EXPECT_REFUSED("[normal] loc -1e+39 and scale 1; both must be finite in float32",
                 normal({3}, {.loc = -1e39, .dtype = DType::float32}));
  EXPECT_REFUSED("[normal] loc 0 and scale -1; finite numbers with scale >= 0 are accepted",
                 normal({3}, {.scale = -1}));
  EXPECT_REFUSED("[normal] loc inf and scale 1; finite numbers with scale >= 0 are accepted",
                 normal({3}, {.loc = kInf}));
  EXPECT_REFUSED("[normal] dtype bool; float32 and float64 are accepted",
                 normal({3}, {.dtype = DType::bool_}));
  EXPECT_REFUSED("[normal] chunks for 2 axes, but shape (3,) has 1",
                 normal({3}, {.chunks = {1, 1}}));
}

TEST_F(CreationErrors, ParametersNeedANameAndAShape) {
  EXPECT_REFUSED("[parameter] an empty name; errors need one to speak of",
                 Parameter("", {3}, DType::float64));
  EXPECT_REFUSED("[parameter] shape (-3,) has a negative extent",
                 Parameter("p", {-3}, DType::float64));
  EXPECT_REFUSED(
      "[parameter] block size 0 on axis 0; accepted are -1 (the whole axis) and 1, 2, ...",
      Parameter("p", {3}, DType::float64, 0));
}

}  // namespace
}  // namespace tuff::error_test
