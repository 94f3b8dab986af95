// Random graphs of twelve shapes on which orders are compared, the same here and in order_peaks.py.
//
// Used by order_test.cpp. Invariant: the two files draw the same numbers in the same sequence, so that
// the peaks of another orderer, kept in order_peaks.txt, belong to the graphs that are made here. Every
// draw is a statement of its own: C++ does not say in which sequence arguments are evaluated.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tuff/graph/dag.h"

namespace tuff::optimize_test {

/// SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014).
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  /// 0 .. count - 1. The bias of a remainder does not matter here.
  uint32_t below(size_t count) { return static_cast<uint32_t>(next() % count); }
  uint32_t between(uint32_t least, uint32_t most) { return least + below(most - least + 1); }

 private:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

using Ids = std::vector<uint32_t>;

/// A graph while it grows; a task can read older tasks only.
class Shape {
 public:
  explicit Shape(uint64_t seed) : draws(seed) {}
  Draws draws;
  uint32_t size() const { return static_cast<uint32_t>(inputs_.size()); }

  uint32_t add(Ids inputs) {
    inputs_.push_back(std::move(inputs));
    return size() - 1;
  }
  /// `length` tasks, one after another.
  uint32_t chain(uint32_t task, uint32_t length) {
    for (uint32_t i = 0; i < length; ++i) task = add({task});
    return task;
  }
  Ids sources(uint32_t count) {
    Ids made;
    for (uint32_t i = 0; i < count; ++i) made.push_back(add({}));
    return made;
  }
  /// A tree of neighbours, `fan_in` at a time, down to one task.
  uint32_t reduce(Ids tasks, uint32_t fan_in) {
    while (tasks.size() > 1) {
      Ids next;
      for (size_t i = 0; i < tasks.size(); i += fan_in) {
        const size_t end = std::min(tasks.size(), i + fan_in);
        next.push_back(add(Ids(tasks.begin() + static_cast<std::ptrdiff_t>(i),
                               tasks.begin() + static_cast<std::ptrdiff_t>(end))));
      }
      tasks = next;
    }
    return tasks[0];
  }
  /// `count` draws among `tasks`, which may repeat.
  Ids some_of(const Ids& tasks, uint32_t count) {
    Ids drawn;
    for (uint32_t i = 0; i < count; ++i) drawn.push_back(tasks[draws.below(tasks.size())]);
    return drawn;
  }
  const std::vector<Ids>& inputs() const { return inputs_; }
  /// Renumbers the tasks at random, so that numbers tell nothing, and hands them over.
  graph::Dag finish() {
    const uint32_t count = size();
    Ids number(count);
    for (uint32_t i = 0; i < count; ++i) number[i] = i;
    for (uint32_t i = count; i > 1; --i) std::swap(number[i - 1], number[draws.below(i)]);
    std::vector<Ids> renumbered(count);
    for (uint32_t i = 0; i < count; ++i) {
      for (const uint32_t input : inputs_[i]) renumbered[number[i]].push_back(number[input]);
    }
    Rows rows;
    for (const Ids& inputs : renumbered) {
      rows.items.insert(rows.items.end(), inputs.begin(), inputs.end());
      rows.end_row();
    }
    return graph::make_dag(rows);
  }

 private:
  std::vector<Ids> inputs_;
};

/// Each task reads `least` to `most` of the `window` before it.
inline void random_dag(Shape& shape, uint32_t least, uint32_t most, uint32_t window) {
  const uint32_t count = shape.draws.between(20, 500);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t reads = i == 0 ? 0 : shape.draws.between(least, most);
    Ids inputs;
    for (uint32_t r = 0; r < reads; ++r) {
      inputs.push_back(i - 1 - shape.draws.below(std::min(i, window)));
    }
    shape.add(inputs);
  }
}

inline void sparse(Shape& shape) { random_dag(shape, 0, 2, 20); }
inline void dense(Shape& shape) { random_dag(shape, 1, 6, 40); }

/// Layers of different widths; some tasks also read one of any earlier layer.
inline void layered(Shape& shape) {
  const uint32_t layers = shape.draws.between(3, 10);
  Ids last = shape.sources(shape.draws.between(3, 40));
  for (uint32_t l = 1; l < layers; ++l) {
    const uint32_t older = shape.size();
    const uint32_t width = shape.draws.between(3, 40);
    Ids made;
    for (uint32_t i = 0; i < width; ++i) {
      const uint32_t reads = shape.draws.between(1, 3);
      Ids inputs = shape.some_of(last, reads);
      if (shape.draws.below(4) == 0) inputs.push_back(shape.draws.below(older));
      made.push_back(shape.add(inputs));
    }
    last = made;
  }
}

/// Each task reads about five of the layer before.
inline void crosstalk(Shape& shape) {
  const uint32_t width = shape.draws.between(5, 50);
  const uint32_t layers = shape.draws.between(3, 10);
  Ids last = shape.sources(width);
  for (uint32_t l = 1; l < layers; ++l) {
    Ids made;
    for (uint32_t i = 0; i < width; ++i) made.push_back(shape.add(shape.some_of(last, 5)));
    last = made;
  }
}

/// Trees that reduce, whose roots feed trees that spread out.
inline void trees(Shape& shape) {
  const uint32_t count = shape.draws.between(1, 5);
  for (uint32_t t = 0; t < count; ++t) {
    const uint32_t leaves = shape.draws.between(4, 40);
    Ids ends;
    for (uint32_t i = 0; i < leaves; ++i) {
      const uint32_t source = shape.add({});
      ends.push_back(shape.chain(source, shape.draws.below(3)));
    }
    const uint32_t fan_in = shape.draws.between(2, 8);
    Ids grown = {shape.reduce(ends, fan_in)};
    const uint32_t spread = shape.draws.below(30);
    for (uint32_t i = 0; i < spread; ++i) grown.push_back(shape.add(shape.some_of(grown, 1)));
  }
}

/// A line of cells over time; each reads itself and its neighbours one step ago.
inline void stencil(Shape& shape) {
  const uint32_t width = shape.draws.between(3, 30);
  const uint32_t steps = shape.draws.between(3, 16);
  Ids last = shape.sources(width);
  for (uint32_t s = 1; s < steps; ++s) {
    Ids made;
    for (uint32_t i = 0; i < width; ++i) {
      Ids inputs = {last[i]};
      if (i > 0) inputs.push_back(last[i - 1]);
      if (i + 1 < width) inputs.push_back(last[i + 1]);
      made.push_back(shape.add(inputs));
    }
    last = made;
  }
}

/// Columns of blocks and products of them, each product reduced; all blocks read a few side inputs. In
/// half of the graphs a second pass subtracts the first one's reduction.
inline void map_reduce(Shape& shape) {
  const uint32_t blocks = shape.draws.between(4, 30);
  const uint32_t columns = shape.draws.between(1, 3);
  const uint32_t products = shape.draws.between(1, 3);
  const bool centred = shape.draws.below(2) == 0;
  const Ids sides = shape.sources(shape.draws.between(1, 3));
  std::vector<Ids> column;
  for (uint32_t c = 0; c < columns; ++c) column.push_back(shape.sources(blocks));
  for (uint32_t p = 0; p < products; ++p) {
    const uint32_t left = shape.draws.below(columns);
    const uint32_t right = shape.draws.below(columns);
    const uint32_t side = sides[shape.draws.below(sides.size())];
    Ids made;
    for (uint32_t b = 0; b < blocks; ++b) {
      const uint32_t product = shape.add({column[left][b], column[right][b], side});
      made.push_back(shape.add({product}));
    }
    const uint32_t mean = shape.reduce(made, 4);
    if (!centred) continue;
    Ids differences;
    for (uint32_t b = 0; b < blocks; ++b) differences.push_back(shape.add({made[b], mean}));
    shape.reduce(differences, 4);
  }
}

/// Branches that part and join, some of which part again.
inline uint32_t section(Shape& shape, uint32_t task, uint32_t depth) {
  const uint32_t repeats = shape.draws.between(1, 2);
  for (uint32_t r = 0; r < repeats; ++r) {
    const uint32_t branches = shape.draws.between(2, 4);
    Ids ends;
    for (uint32_t b = 0; b < branches; ++b) {
      const uint32_t length = shape.draws.between(1, 3);
      const uint32_t end = shape.chain(task, length);
      const bool parts = depth > 0 && shape.draws.below(2) == 0;
      ends.push_back(parts ? section(shape, end, depth - 1) : end);
    }
    task = shape.add(ends);
  }
  return task;
}

inline void fork_join(Shape& shape) {
  const uint32_t count = shape.draws.between(1, 3);
  for (uint32_t i = 0; i < count; ++i) section(shape, shape.add({}), 3);
}

/// Every block is split for every block of the next stage, and these are put together.
inline void shuffle(Shape& shape) {
  const uint32_t stages = shape.draws.between(1, 3);
  Ids last = shape.sources(shape.draws.between(3, 10));
  for (uint32_t s = 0; s < stages; ++s) {
    const uint32_t parts = shape.draws.between(3, 10);
    std::vector<Ids> pieces(parts);
    for (const uint32_t block : last) {
      for (Ids& part : pieces) part.push_back(shape.add({block}));
    }
    last.clear();
    const uint32_t after = shape.draws.below(3);
    for (const Ids& part : pieces) last.push_back(shape.chain(shape.add(part), after));
  }
}

/// Pipelines that share nothing until one task reads all their ends.
inline void pipelines(Shape& shape) {
  const uint32_t count = shape.draws.between(2, 15);
  Ids ends;
  for (uint32_t p = 0; p < count; ++p) {
    const uint32_t blocks = shape.draws.between(1, 6);
    Ids made;
    for (uint32_t b = 0; b < blocks; ++b) {
      const uint32_t source = shape.add({});
      const uint32_t length = shape.draws.between(1, 2);
      const uint32_t one_way = shape.chain(source, length);
      made.push_back(shape.add({source, one_way}));
    }
    ends.push_back(shape.chain(shape.reduce(made, 3), 1));
  }
  shape.add(ends);
}

/// Each of several reductions reads all sources, through a task per source and reduction.
inline void shared_sources(Shape& shape) {
  const uint32_t count = shape.draws.between(8, 128);
  const uint32_t reductions = shape.draws.between(2, 8);
  const uint32_t fan_in = shape.draws.between(2, 5);
  const uint32_t before = shape.draws.below(3);
  const bool with_side = shape.draws.below(2) == 0;
  const Ids side = shape.sources(with_side ? 1 : 0);
  std::vector<Ids> leaves(reductions);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t source = shape.chain(shape.add({}), before);
    for (Ids& of_tree : leaves) {
      Ids inputs = side;
      inputs.push_back(source);
      of_tree.push_back(shape.add(inputs));
    }
  }
  for (const Ids& of_tree : leaves) shape.reduce(of_tree, fan_in);
}

/// What few roots are expanded to meets what is loaded, and is put together.
inline void expansions(Shape& shape) {
  const uint32_t count = shape.draws.between(8, 256);
  const Ids roots = shape.sources(shape.draws.between(1, 32));
  const uint32_t after = shape.draws.below(3);
  Ids used;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t expanded = shape.add({roots[shape.draws.below(roots.size())]});
    const uint32_t loaded = shape.add({});
    used.push_back(shape.add({shape.chain(expanded, after), loaded}));
  }
  shape.reduce(used, 4);
}

struct NamedShape {
  std::string_view name;
  void (*grow)(Shape& shape);
};

inline constexpr std::array<NamedShape, 12> kShapes = {{{"sparse", sparse},
                                                        {"dense", dense},
                                                        {"layered", layered},
                                                        {"crosstalk", crosstalk},
                                                        {"trees", trees},
                                                        {"stencil", stencil},
                                                        {"map_reduce", map_reduce},
                                                        {"fork_join", fork_join},
                                                        {"shuffle", shuffle},
                                                        {"pipelines", pipelines},
                                                        {"shared_sources", shared_sources},
                                                        {"expansions", expansions}}};

/// Graph `number` of a shape. Shapes have streams of their own, so that one can change alone.
inline graph::Dag random_graph(size_t shape_number, uint32_t number) {
  Shape shape(shape_number << 32 | number);
  kShapes[shape_number].grow(shape);
  return shape.finish();
}

}  // namespace tuff::optimize_test
