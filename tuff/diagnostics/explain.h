// What a computation will do, before it runs: layers before and after each pass, tasks, bytes, and what
// could be better. The page to open when a computation is slower than hoped.
//
// Nothing runs: the graph is optimised and lowered as compile() would, and the plan is measured by walking
// it. docs/explain.md says what each part means.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tuff/base/api.h"
#include "tuff/graph/layer.h"
#include "tuff/optimize/optimize.h"

TUFF_NAMESPACE_BEGIN

struct ExplainOptions {
  std::string title = "Explanation";
  optimize::Passes passes = {};
  int threads =
      0;  ///< that the plan is meant for, for the hints; 0: the cores this process may use
};

/// Sizes are in bytes. Extents that only a run knows count with their upper bounds, values of callables
/// (delayed) with 8 bytes each.
struct TUFF_API Explanation {
  struct Layer {
    std::string title = {};  ///< operation and its parameters, or the operations inside
    std::string name = {};   ///< the operation alone
    std::vector<std::pair<uint32_t, uint32_t>> inputs = {};  ///< (layer, output)
    std::vector<std::string> outputs = {};                   ///< dtype, shape and blocks of each
    uint64_t tasks = 0;                                      ///< none for what is in memory
    // Of the layers that become tasks:
    uint64_t bytes_from_memory = 0;  ///< read by its tasks: blocks that were there before the run
    uint64_t bytes_from_tasks = 0;   ///< read by its tasks: blocks that other tasks made
    uint64_t bytes_written = 0;      ///< views write nothing
    uint64_t bytes_held = 0;         ///< of its results, when most is held in all
    uint64_t largest_task = 0;       ///< most that one task reads and writes
    uint64_t largest_block = 0;      ///< of its results
    uint64_t elements = 0;           ///< that the largest task walks; 0 unless it runs a program
    std::string width = {};          ///< how it walks them: "tiles of 512 elements"
  };
  struct Step {
    std::string name = {};
    std::string purpose = {};
    double seconds = 0;
    uint64_t before = 0;  ///< layers; from cull on tasks
    uint64_t after = 0;
    double ave_width = 0;    ///< of fuse_tasks: the width of fusion; 0: the plan was left alone
    std::string gone = {};   ///< layers that the pass took away, by name: "exp, add x2"
    std::string added = {};  ///< and those that it put there
    std::vector<Layer> layers =
        {};  ///< afterwards; empty when it changed nothing, and from cull on
  };
  /// Something chosen for this computation, and why so.
  struct Choice {
    std::string what = {};
    std::string value = {};
    std::string reason = {};
  };
  /// Why it may be slower than it could be, and what to do about it.
  struct Hint {
    uint32_t layer = 0;  ///< of `layers`
    std::string text = {};
  };

  std::string title = {};
  std::vector<Layer> built = {};           ///< as the array functions appended them
  std::vector<Step> steps = {};            ///< the passes that are on, and lowering
  std::vector<std::string> disabled = {};  ///< passes that are off
  std::vector<Layer> layers = {};          ///< as they become tasks
  std::vector<Choice> choices = {};
  std::vector<Hint> hints = {};

  uint64_t tasks = 0;
  uint64_t edges = 0;               ///< pairs of tasks of which one waits for the other
  uint64_t bytes_in_memory = 0;     ///< in memory before the run, and read by it
  uint64_t bytes_from_memory = 0;   ///< read from there, each time counted
  uint64_t bytes_from_sources = 0;  ///< made by callables such as readers of files
  uint64_t bytes_from_tasks = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes_results = 0;
  /// Most that is held at a time by tasks and results, when one thread runs tasks in their static order;
  /// without what was in memory before. Every further thread adds up to `largest_task`.
  uint64_t bytes_held = 0;
  uint64_t largest_task = 0;  ///< most that one task reads and writes
  double seconds = 0;         ///< of all passes and of lowering

  std::string to_text() const;
  /// One page that holds all it needs.
  std::string to_html() const;
  /// Writes to_html() to `path`, or to_text() when it ends in ".txt". A file that is there is replaced in
  /// one step, or not at all. Throws InvalidArgument when the path cannot be written.
  void save(const std::string& path) const;
};

/// Throws InvalidArgument for an empty list, and when TUFF_OPTIMIZE_DISABLE names no pass.
TUFF_API Explanation explain(const std::vector<graph::Port>& outputs,
                             const ExplainOptions& options = {});

TUFF_NAMESPACE_END
