// What an explanation says: bytes as they can be counted by hand, passes and what they changed, hints, and
// files. The pages that explain_browser_test.py opens are written here too, into the folder
// TUFF_EXPLAIN_PAGES when it is set.
#include "tuff/diagnostics/explain.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tuff/tuff.h"

namespace tuff {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A folder that is removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "tuff-explain-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Array in_memory(const Dims& shape, const ChunkSpec& chunks) {
  Block block = Block::allocate(DType::float64, shape);
  for (int64_t i = 0; i < block.size(); ++i) block.data<double>()[i] = static_cast<double>(i);
  return from_block(block, chunks);
}

optimize::Passes none() {
  optimize::Passes passes;
  for (const optimize::Pass& pass : optimize::passes()) passes.*pass.enabled = false;
  return passes;
}

std::vector<std::string> hints_of(const Explanation& explanation) {
  std::vector<std::string> texts;
  for (const Explanation::Hint& hint : explanation.hints) texts.push_back(hint.text);
  return texts;
}

const Explanation::Layer& layer_called(const Explanation& explanation, std::string_view title) {
  for (const Explanation::Layer& layer : explanation.layers) {
    if (layer.title == title) return layer;
  }
  throw std::runtime_error("no layer " + std::string(title));
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// ---- figures -------------------------------------------------------------------------------------------

TEST(Explain, CountsTasksEdgesAndBytesOfALine) {
  const Array x = in_memory({1000}, 100);
  const Explanation e = explain({sum(exp(x))});
  // Ten programs of 800 bytes to 8, a tree of 10 to 1, a view that drops the axis.
  EXPECT_EQ(e.tasks, 12u);
  EXPECT_EQ(e.edges, 11u);
  EXPECT_EQ(e.bytes_in_memory, 8000u);
  EXPECT_EQ(e.bytes_from_memory, 8000u);
  EXPECT_EQ(e.bytes_from_tasks, 80u);
  EXPECT_EQ(e.bytes_written, 88u);
  EXPECT_EQ(e.bytes_results, 8u);
  EXPECT_EQ(e.bytes_from_sources, 0u);
  EXPECT_EQ(e.bytes_held, 88u);  // ten partial sums and their total
  EXPECT_EQ(e.largest_task, 808u);
  const Explanation::Layer& fused = layer_called(e, "fused(exp -> sum)");
  EXPECT_EQ(fused.tasks, 10u);
  EXPECT_EQ(fused.bytes_from_memory, 8000u);
  EXPECT_EQ(fused.bytes_from_tasks, 0u);
  EXPECT_EQ(fused.bytes_written, 80u);
  EXPECT_EQ(fused.bytes_held, 80u);
  EXPECT_EQ(fused.largest_task, 808u);
  EXPECT_EQ(fused.largest_block, 8u);
  EXPECT_EQ(fused.elements, 100u);
  EXPECT_EQ(fused.width, "tiles of 512 elements");
}

TEST(Explain, SaysHowFarTasksWereFusedAndWhy) {
  const auto fusion = [](const Array& y) {
    for (const Explanation::Choice& choice : explain({y}, {.threads = 2}).choices) {
      if (choice.what == "fusion of tasks") return choice.value + ": " + choice.reason;
    }
    return std::string("nothing");
  };
  EXPECT_EQ(fusion(sum(exp(in_memory({80}, 10)))),
            "none: tasks are few, or long beside what scheduling them costs");
  const std::string many = fusion(sum(exp(in_memory({20'000}, 1))));
  EXPECT_EQ(many.substr(0, 6), "width ") << many;
  EXPECT_THAT(many, HasSubstr(" tasks became "));
}

TEST(Explain, TotalsAreThoseOfTheCompiledPlan) {
  const Array x = in_memory({60, 40}, {20, 10});
  const std::vector<graph::Port> outputs = {matmul(x.transpose(), x), mean(x.rechunk(15), 0),
                                            x[{Slice{3, 9}}]};
  const Explanation e = explain(outputs);
  const Plan plan = compile(outputs);
  EXPECT_EQ(e.tasks, plan.task_count());
  EXPECT_EQ(e.edges, plan.arrays().successors.items.size());
  uint64_t tasks = 0;
  for (const Explanation::Layer& layer : e.layers) tasks += layer.tasks;
  EXPECT_EQ(tasks, e.tasks);
}

TEST(Explain, ABlockThatIsReadTwiceIsReadTwiceButIsThereOnce) {
  const Array x = in_memory({1000}, 100);
  const Explanation e = explain({x + 1.0, x.rechunk(250)}, {.title = "twice", .passes = none()});
  EXPECT_EQ(e.bytes_in_memory, 8000u);
  // Block 3 of x lies in two of the new blocks: 10 reads there are 12, beside one number per sum.
  EXPECT_EQ(e.bytes_from_memory, 8000u + 12u * 800u);
}

TEST(Explain, ViewsWriteNothingAndHoldWhatTheyShow) {
  const Array f =
      from_function([](const BlockInfo& i) { return Block::allocate(i.dtype, i.shape); }, {1000, 2},
                    {.dtype = DType::float64, .chunks = {100, 2}});
  const Explanation e = explain({f[{Slice{0, 200}}].transpose()});
  EXPECT_EQ(e.bytes_from_sources, 3200u);
  EXPECT_EQ(e.bytes_written, 3200u);
  EXPECT_EQ(e.bytes_results, 3200u);
  EXPECT_EQ(e.bytes_held, 3200u);
}

TEST(Explain, CountsParametersAsMemory) {
  const Parameter p("p", {1000}, DType::float64, 100);
  const Explanation e = explain({Array(p) * 2.0});
  EXPECT_EQ(e.bytes_in_memory, 8000u);
  EXPECT_EQ(e.bytes_from_memory, 8000u);
}

TEST(Explain, HeldIsTheMostInTheStaticOrder) {
  const Array x = in_memory({1000}, 100);
  const auto held = [](const Array& y) { return explain({y}, {.passes = none()}).bytes_held; };
  // Without order: all of exp, then the sums.
  EXPECT_EQ(held(sum(exp(x))), 8000u + 8u);
  optimize::Passes ordered = none();
  ordered.order = true;
  // With it: one block of exp at a time beside the sums so far.
  EXPECT_EQ(explain({sum(exp(x))}, {.passes = ordered}).bytes_held, 800u + 80u);
}

TEST(Explain, RematerializeTakesBytesHeldToNearlyNothing) {
  const Array x = exp(random::normal({1'200'000}, {.chunks = 100'000, .seed = 7}) * 0.1);
  const Array y = sum(abs((x - mean(x)) / tuff::std(x)));
  optimize::Passes kept;
  kept.rematerialize = false;
  EXPECT_GT(explain({y}, {.passes = kept}).bytes_held, 9'600'000u);
  EXPECT_LT(explain({y}).bytes_held, 10'000u);
}

TEST(Explain, FoldedSourcesHoldNothing) {
  const Array x = random::normal({1'000'000}, {.chunks = 10'000, .seed = 7}).rechunk(300'000);
  optimize::Passes unfolded;
  unfolded.fold_sources = unfolded.rechunk = false;
  EXPECT_GT(explain({sum(x)}, {.passes = unfolded}).bytes_held, 2'400'000u);
  EXPECT_LT(explain({sum(x)}).bytes_held, 100u);
}

// ---- passes --------------------------------------------------------------------------------------------

TEST(Explain, SaysWhatEachPassChanged) {
  const Array x = in_memory({8}, 4);
  const Explanation e =
      explain({(exp(x) + exp(x)) * (ones({8}, {.dtype = DType::float64, .chunks = 4}) + 1.0)});
  const auto step = [&](std::string_view name) {
    for (const Explanation::Step& s : e.steps) {
      if (s.name == name) return s;
    }
    throw std::runtime_error("no step");
  };
  EXPECT_EQ(step("cse").gone, "exp");
  EXPECT_EQ(step("cse").added, "");
  EXPECT_EQ(step("cse").before, e.built.size());
  EXPECT_EQ(step("cse").layers.size(), e.built.size() - 1);
  EXPECT_THAT(step("fold_sources").gone, HasSubstr("add"));
  EXPECT_EQ(step("fuse").added, "fused(exp, add, multiply)");
  EXPECT_FALSE(step("fuse").purpose.empty());
  EXPECT_EQ(step("rematerialize").gone + step("rematerialize").added, "");
  EXPECT_THAT(step("rematerialize").layers, IsEmpty());
  EXPECT_EQ(step("lower").after, e.tasks);
  EXPECT_THAT(e.disabled, IsEmpty());
}

TEST(Explain, NamesThePassesThatAreOff) {
  optimize::Passes passes;
  passes.fuse = false;
  const Array x = in_memory({8}, 4);
  ::setenv("TUFF_OPTIMIZE_DISABLE", "cse", 1);
  const Explanation e = explain({exp(x)}, {.passes = passes});
  ::unsetenv("TUFF_OPTIMIZE_DISABLE");
  EXPECT_THAT(e.disabled, ElementsAre("cse", "fuse"));
  EXPECT_THAT(e.to_text(), HasSubstr("\n  off: cse, fuse\n"));
}

TEST(Explain, IsTheSameTextButForTimes) {
  const auto text = [] {
    const Array x = random::normal({100'000'000}, {.seed = 1});
    return explain({sum(exp(x) - 1.0 / x)}, {.title = "sum of exp(x) - 1/x", .threads = 2})
        .to_text();
  };
  const auto timeless = [](const std::string& from) {
    return std::regex_replace(from, std::regex(" *[0-9.]+ ms"), " T ms");
  };
  const std::string one = timeless(text());
  EXPECT_EQ(one, timeless(text()));
  EXPECT_THAT(
      one, HasSubstr("sum of exp(x) - 1/x\n\n"
                     "  104 tasks, 103 edges, 4 layers (9 as built), planned in T ms\n"
                     "  read: 0 B from memory (0 B are there), 0 B from sources, 816 B from tasks\n"
                     "  written: 824 B; held at most: 176 B, results 8 B; largest task: 136 B\n"
                     "\nPasses\n"));
  EXPECT_THAT(one,
              HasSubstr("\nLayers as built\n  L0  normal(seed 1 stream 0)  96 tasks  ->  float64 "
                        "(100000000,) in (96,) blocks\n"
                        "  L1  exp  96 tasks  <-  L0  ->  float64 (100000000,) in (96,) blocks\n"));
  EXPECT_THAT(one, HasSubstr("\nAfter fuse\n  L0  fused(normal -> exp, divide, subtract -> sum)  "
                             "96 tasks  ->  float64 (96,) in (96,) blocks\n"));
  EXPECT_THAT(one, HasSubstr("\nBytes by layer\n"));
  EXPECT_THAT(
      one, HasSubstr("  tree of reductions: 16 blocks per task, whatever the number of threads"));
}

// ---- hints ---------------------------------------------------------------------------------------------

TEST(ExplainHints, NothingStandsOutInAPlanThatIsFine) {
  const Array x = random::normal({100'000'000}, {.seed = 1});
  EXPECT_THAT(hints_of(explain({sum(exp(x) - 1.0 / x)}, {.threads = 8})), IsEmpty());
}

TEST(ExplainHints, AnArrayThatIsHeldWhole) {
  const Array x = sqrt(in_memory({1'200'000}, 100'000));
  const Explanation e = explain({sum(abs(x - mean(x)))}, {.threads = 2});
  ASSERT_EQ(e.hints.size(), 1u) << e.to_text();
  EXPECT_THAT(e.hints[0].text,
              ::testing::MatchesRegex("L[0-9]+ is held whole, 9.6 MB: L[0-9]+ reads it and waits "
                                      "for a reduction over all of it "
                                      "\\(L[0-9]+\\). .*"));
  EXPECT_EQ(e.layers[e.hints[0].layer].title, "fused(sqrt -> sum)");
  // What is asked for is held because it is asked for.
  EXPECT_THAT(hints_of(explain({x}, {.threads = 2})), IsEmpty());
}

TEST(ExplainHints, BlocksReadInAnotherOrder) {
  const Array x =
      from_function([](const BlockInfo& i) { return Block::allocate(i.dtype, i.shape); },
                    {1200, 1200}, {.dtype = DType::float64, .chunks = {100, 1200}});
  EXPECT_THAT(hints_of(explain({sum(abs(x.rechunk({1200, 100})), 0)}, {.threads = 2})),
              Contains(HasSubstr("the tasks of L1 read its blocks in another order")));
}

TEST(ExplainHints, ManySmallTasks) {
  const Explanation e = explain({in_memory({1'000'000}, 100) * 2.0}, {.threads = 2});
  ASSERT_EQ(e.hints.size(), 1u);
  EXPECT_THAT(e.hints[0].text,
              HasSubstr("has 10,000 tasks of 1.6 kB on average: blocks are very small."));
  // Numbers made inside are work, though nothing is read.
  EXPECT_THAT(hints_of(explain({sum(random::normal({100'000'000}, {.chunks = 50'000, .seed = 1}))},
                               {.threads = 2})),
              IsEmpty());
}

TEST(ExplainHints, FewLargeTasks) {
  const Array x = in_memory({2'000'000}, 1'000'000);
  EXPECT_THAT(hints_of(explain({x * 2.0}, {.threads = 8})),
              ElementsAre(HasSubstr("has 2 tasks for 32 MB: 8 threads have too little to do.")));
  EXPECT_THAT(hints_of(explain({x * 2.0}, {.threads = 2})), IsEmpty());
}

TEST(ExplainHints, RechunksIntoManyPieces) {
  const Array x = in_memory({2000, 2000}, {20, 2000});
  EXPECT_THAT(hints_of(explain({x.rechunk({2000, 20})}, {.threads = 2})),
              Contains(HasSubstr("reads 10,000 blocks to make 100")));
}

TEST(ExplainHints, BlocksThatAreReadOverAndOver) {
  const Array x = in_memory({1600, 400}, {200, 400});
  EXPECT_THAT(hints_of(explain({matmul(x, x.transpose())}, {.threads = 2})),
              Contains(::testing::MatchesRegex(
                  "L[0-9]+ reads 81.9 MB of blocks that are 10.2 MB: each is read 8 times.*")));
}

TEST(ExplainHints, ExtentsThatOnlyARunKnowsAreSaidOnce) {
  const Array x = in_memory({1000}, 100);
  const Explanation e = explain({sum(x[x > 3.0]) + sum(x[x > 4.0])}, {.threads = 2});
  EXPECT_THAT(hints_of(e), ElementsAre(HasSubstr("yields blocks whose sizes only a run knows")));
}

TEST(ExplainHints, ValuesOfUnknownSize) {
  const auto one = delayed([](double v) { return std::vector<double>(1000, v); }, "many");
  const auto two = delayed([](const std::vector<double>& v) { return v[0]; }, "first");
  EXPECT_THAT(hints_of(explain({two(one(1.0)).port()}, {.threads = 1})),
              Contains(HasSubstr("yields a value whose size only a run knows")));
}

// ---- errors and files ----------------------------------------------------------------------------------

TEST(ExplainErrors, AnEmptyListIsRefused) {
  EXPECT_EQ(error_of([] { (void)explain({}); }),
            "[explain] no outputs; at least one array is needed");
}

TEST(ExplainErrors, APathThatCannotBeWrittenIsRefused) {
  const Explanation e = explain({in_memory({4}, 2)});
  EXPECT_THAT(
      error_of([&] { e.save("/nowhere/at/all/page.html"); }),
      ::testing::StartsWith("[explain] cannot create '/nowhere/at/all/page.html': No such file"));
}

TEST(ExplainFiles, TextOrPageByTheNameOfTheFile) {
  const Folder folder;
  const Explanation e = explain({in_memory({4}, 2) + 1.0}, {.title = "a < b & \"c\""});
  e.save(folder / "page.txt");
  EXPECT_EQ(read(folder / "page.txt"), e.to_text());
  e.save(folder / "page.html");
  EXPECT_EQ(read(folder / "page.html"), e.to_html());
  EXPECT_THAT(e.to_html(), HasSubstr("<title>a &lt; b &amp; &quot;c&quot;</title>"));
  EXPECT_THAT(e.to_html(), Not(HasSubstr("{{")));
}

TEST(ExplainFiles, NamesCannotBreakOutOfThePage) {
  const auto f = delayed([] { return 1.0; }, "</script><b>");
  const std::string page = explain({f().port()}, {.title = "</title><script>"}).to_html();
  const auto count = [&](std::string_view what) {
    size_t n = 0;
    for (size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("</script>"), 2u);
  EXPECT_EQ(count("</title>"), 1u);
}

Explanation thousand_layers() {
  // Callables are what no pass removes or merges.
  auto value = delayed([](double v) { return v; }, "start")(1.0);
  for (int k = 0; k < 1200; ++k)
    value = delayed([](double v) { return v + 1; }, "step " + std::to_string(k))(value);
  const Array x = in_memory({40, 40}, 20);
  return explain({value.port(), sum(x * 2.0)}, {.title = "A thousand layers", .threads = 2});
}

TEST(ExplainPage, PagesForTheBrowserCanBeWritten) {
  const Folder own;
  const char* asked = std::getenv("TUFF_EXPLAIN_PAGES");
  const std::string folder = asked != nullptr ? asked : own / "";
  const Array x = exp(random::normal({20'000'000}, {.chunks = 1'000'000, .seed = 7}) * 0.1);
  const Array m = sqrt(in_memory({1'200'000}, 1000));
  const Array y = (x - mean(x)) / tuff::std(x);
  explain({sum(y * y), max(y), sum(abs(m - mean(m)))}, {.title = "Standardised", .threads = 4})
      .save(folder + "/standardised.html");
  const auto hostile = delayed([](double v) { return v; }, "<b>bold</b> & \"quoted\"");
  explain({hostile(1.0).port()}, {.title = "<i>Names</i> are text", .threads = 1})
      .save(folder + "/names.html");
  const Explanation thousand = thousand_layers();
  EXPECT_GT(thousand.layers.size(), 1000u);
  thousand.save(folder + "/thousand.html");
  for (const char* name : {"standardised", "names", "thousand"})
    EXPECT_GT(fs::file_size(folder + "/" + name + ".html"), 10'000u);
}

}  // namespace
}  // namespace tuff
