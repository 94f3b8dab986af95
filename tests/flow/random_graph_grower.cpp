// Grows random expression graphs. Every step picks a kind of operation, then operands that it accepts; a
// step that finds none is dropped. One function per kind of operation.
#include <cmath>

#include "random_graph.h"

#include "tuff/ops/table.h"

namespace tuff::flow {

namespace {

using kernels::Elementwise;

/// Values whose sums stay ordinary: quarters up to 4, some uniform numbers, and now and then what
/// floating-point arithmetic has that numbers do not.
Dense leaf_values(Rng& rng, DType dtype, const Dims& shape) {
  Dense x(dtype, shape);
  const bool special = is_floating(dtype) && rng.chance(12);
  const bool fractions = rng.chance(50);
  visit_dtype(dtype, [&](auto t) {
    using T = decltype(t);
    for (int64_t i = 0; i < x.size(); ++i) {
      T& value = x.data<T>()[i];
      if constexpr (std::is_floating_point_v<T>) {
        value = fractions ? static_cast<T>(rng.unit() * 8 - 4)
                          : static_cast<T>(static_cast<double>(rng.between(-16, 16)) / 4);
        if (special && rng.chance(10)) {
          value = rng.pick(std::vector<T>{
              T(0), -T(0), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
              std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(), T(1e30)});
        }
      } else if constexpr (std::is_same_v<T, bool>) {
        value = rng.chance(50);
      } else {
        value = static_cast<T>(rng.chance(5) ? static_cast<int64_t>(rng.word())
                                             : rng.between(std::is_signed_v<T> ? -9 : 0, 9));
      }
    }
  });
  return x;
}

std::string list(const std::vector<int64_t>& values) {
  std::string text;
  for (int64_t v : values) text += (text.empty() ? "" : ", ") + std::to_string(v);
  return "{" + text + "}";
}

Dims dims_of(const Shape& shape) {
  Dims dims;
  for (const Extent& extent : shape) dims.push_back(extent.is_known() ? extent.value() : -1);
  return dims;
}

}  // namespace

/// Adds nodes to a graph. Keeps the arrays of the uncut evaluation beside them: they tell dtypes and
/// shapes, and how many elements a mask selects.
class Grower {
 public:
  Grower(RandomGraph& graph, uint64_t seed) : graph_(graph), rng_(seed) {}

  void grow() {
    for (int64_t a = 0; a < 3; ++a)
      base_.push_back(
          rng_.chance(4) ? 0 : rng_.pick(std::vector<int64_t>{1, 2, 3, 4, 5, 7, 11, 16, 30}));
    const int64_t leaves = rng_.between(1, 4);
    for (int64_t l = 0; l < leaves; ++l) leaf();
    const int64_t steps = rng_.between(3, 14);
    for (int64_t s = 0; s < steps; ++s) step();
    // Ends of chains, and now and then a value that others use too.
    std::vector<int> users(nodes().size(), 0);
    for (const Node& node : nodes()) {
      for (size_t input : node.inputs) ++users[input];
    }
    for (size_t n = nodes().size(); n-- > 0 && graph_.outputs_.size() < 5;) {
      if (users[n] == 0 ? rng_.chance(90) || graph_.outputs_.empty() : rng_.chance(8))
        graph_.outputs_.push_back(n);
    }
  }

 private:
  std::vector<Node>& nodes() { return graph_.nodes_; }
  const Node& node(size_t n) { return graph_.nodes_[n]; }

  void add(Node made) {
    std::vector<Array> inputs;
    for (size_t input : made.inputs) inputs.push_back(arrays_[input]);
    const Array array = made.build(inputs, Cutter());
    made.dtype = array.dtype();
    if (made.shape.empty() || made.symbol.empty()) {
      made.shape = dims_of(array.shape());
      made.symbol.assign(made.shape.size(), 0);
    }
    made.is_exact = made.rule == Rule::exact;
    for (size_t input : made.inputs) made.is_exact = made.is_exact && node(input).is_exact;
    // Exact inputs stay exact unless something is summed.
    if (made.rule < Rule::total) {
      made.is_exact = true;
      for (size_t input : made.inputs) made.is_exact = made.is_exact && node(input).is_exact;
    } else if (!is_floating(made.dtype)) {
      made.is_exact = true;
    }
    arrays_.push_back(array);
    nodes().push_back(std::move(made));
  }

  /// A node that satisfies `accepts`, the recent ones more likely; -1 if none is found.
  template <class F>
  int64_t pick(F&& accepts) {
    const auto count = static_cast<int64_t>(nodes().size());
    for (int tries = 0; tries < 12; ++tries) {
      const int64_t n =
          rng_.chance(50) ? count - 1 - rng_.below(std::min<int64_t>(count, 3)) : rng_.below(count);
      if (accepts(node(static_cast<size_t>(n)))) return n;
    }
    return -1;
  }
  int64_t pick_any() {
    return pick([](const Node&) { return true; });
  }
  int64_t pick_exact() {
    return pick([](const Node& n) { return n.is_exact; });
  }
  int64_t pick_known() {
    return pick([](const Node& n) { return n.is_known(); });
  }
  static bool compatible(const Node& a, const Node& b) {
    for (size_t e = 1; e <= std::min(a.shape.size(), b.shape.size()); ++e) {
      const size_t i = a.shape.size() - e, j = b.shape.size() - e;
      if (a.symbol[i] != 0 || b.symbol[j] != 0) {
        const bool one =
            (a.symbol[i] == 0 && a.shape[i] == 1) || (b.symbol[j] == 0 && b.shape[j] == 1);
        if (a.symbol[i] != b.symbol[j] && !one) return false;
      } else if (a.shape[i] != b.shape[j] && a.shape[i] != 1 && b.shape[j] != 1) {
        return false;
      }
    }
    return true;
  }
  /// The broadcast shape and symbols of several nodes.
  void broadcast(Node& made, const std::vector<size_t>& from) {
    size_t rank = 0;
    for (size_t n : from) rank = std::max(rank, node(n).shape.size());
    made.shape = Dims(rank, 1);
    made.symbol.assign(rank, 0);
    for (size_t n : from) {
      for (size_t e = 1; e <= node(n).shape.size(); ++e) {
        const size_t i = node(n).shape.size() - e;
        if (node(n).shape[i] != 1 || node(n).symbol[i] != 0) {
          made.shape[rank - e] = node(n).shape[i];
          made.symbol[rank - e] = node(n).symbol[i];
        }
      }
    }
  }

  Dims leaf_shape() {
    Dims shape;
    for (auto a = static_cast<size_t>(rng_.below(4)); a < 3; ++a)
      shape.push_back(rng_.chance(12) ? 1 : base_[a]);
    return shape;
  }
  DType leaf_type() {
    return rng_.pick(std::vector<DType>{DType::float64, DType::float64, DType::float64,
                                        DType::float64, DType::float32, DType::float32,
                                        DType::int64, DType::int32, DType::int8, DType::uint8,
                                        DType::uint64, DType::bool_});
  }

  void leaf() {
    const Dims shape = leaf_shape();
    const size_t self = nodes().size();
    Node made;
    switch (rng_.below(8)) {
      case 0: {
        const bool normal = rng_.chance(50);
        const DType dtype = rng_.chance(30) ? DType::float32 : DType::float64;
        const uint64_t seed = rng_.word() % 100;
        made.text =
            std::string(normal ? "normal(seed " : "uniform(seed ") + std::to_string(seed) + ")";
        made.build = [=](const std::vector<Array>&, const Cutter& cutter) {
          const ChunkSpec chunks = cutter.chunks(self, shape);
          return normal ? random::normal(shape, {.chunks = chunks, .seed = seed, .dtype = dtype})
                        : random::uniform(
                              shape, {.low = -1, .chunks = chunks, .seed = seed, .dtype = dtype});
        };
        break;
      }
      case 1: {
        const Dims line{base_[2]};
        const int64_t kind = rng_.below(3);
        const double start = rng_.unit() * 4 - 2;
        made.text = kind == 0 ? "arange" : kind == 1 ? "linspace" : "full";
        made.build = [=](const std::vector<Array>&, const Cutter& cutter) {
          const ChunkSpec chunks = cutter.chunks(self, line);
          if (kind == 0) return arange(-3, line[0] - 3, 1, {.dtype = {}, .chunks = chunks});
          if (kind == 1)
            return linspace(start, 2.5, line[0], {.endpoint = start > 0, .chunks = chunks});
          return full(line, start, {.chunks = chunks});
        };
        break;
      }
      default: {
        const auto values = std::make_shared<Dense>(leaf_values(rng_, leaf_type(), shape));
        const uint64_t guise = rng_.word();
        made.text = "memory";
        made.build = [=](const std::vector<Array>&, const Cutter& cutter) {
          Block block = Block::allocate(values->dtype, shape);
          if (!values->bytes.empty())
            std::memcpy(block.bytes_data(), values->bytes.data(), values->bytes.size());
          if (!cutter.cuts() || shape.empty() || guise % 3 == 0)
            return from_block(block, cutter.chunks(self, shape));
          // The same elements, stored with the axes reversed.
          std::vector<int64_t> axes(shape.size());
          std::iota(axes.rbegin(), axes.rend(), int64_t{0});
          const Block stored = block.transposed(axes).contiguous().transposed(axes);
          return from_block(stored, cutter.chunks(self, shape));
        };
      }
    }
    add(std::move(made));
  }

  void step() {
    switch (rng_.below(23)) {
      case 0:
      case 1:
      case 2: return unary();
      case 3:
      case 4:
      case 5:
      case 6:
      case 7: return binary();
      case 8: return selection();
      case 9: return cast();
      case 10:
      case 11:
      case 12: return reduction();
      case 13: return siblings();
      case 14: return product();
      case 15: return permute();
      case 16: return slice();
      case 17: return recut();
      case 18: return rng_.chance(50) ? mask() : settle();
      case 19: return slice();
      case 20: return recut();
      case 21: return join();
      default: return rng_.chance(50) ? leaf() : stretch();
    }
  }

  struct Choice {
    Elementwise op;
    Rule rule;
  };

  /// Operations that are safe on inexact operands, and what they do to errors; and all others.
  static const std::vector<Choice>& unary_choices(bool exact) {
    static const std::vector<Choice> smooth = {
        {Elementwise::negative, Rule::passes}, {Elementwise::absolute, Rule::passes},
        {Elementwise::square, Rule::product},  {Elementwise::sin, Rule::smooth},
        {Elementwise::cos, Rule::smooth},      {Elementwise::tanh, Rule::smooth},
        {Elementwise::sigmoid, Rule::smooth}};
    static const std::vector<Choice> any = [] {
      std::vector<Choice> all;
      for (const ops::Operation& op : ops::operations()) {
        if (op.arity == 1) all.push_back({op.code, Rule::exact});
      }
      return all;
    }();
    return exact ? any : smooth;
  }
  static const std::vector<Choice>& binary_choices(bool exact) {
    static const std::vector<Choice> smooth = {
        {Elementwise::add, Rule::sum},          {Elementwise::subtract, Rule::sum},
        {Elementwise::multiply, Rule::product}, {Elementwise::minimum, Rule::passes},
        {Elementwise::maximum, Rule::passes},   {Elementwise::multiply, Rule::product}};
    static const std::vector<Choice> any = [] {
      std::vector<Choice> all = smooth;
      for (Choice& choice : all) choice.rule = Rule::exact;
      for (const ops::Operation& op : ops::operations()) {
        if (op.arity == 2) all.push_back({op.code, Rule::exact});
      }
      return all;
    }();
    return exact ? any : smooth;
  }
  static bool refuses(const ops::Operation& op, DType common) {
    if (op.rule == ops::TypeRule::arithmetic && is_bool(common)) return true;
    // Integers to negative integers are an error by design.
    return op.code == Elementwise::power && !is_floating(common);
  }

  void unary() {
    const int64_t x = pick_any();
    if (x < 0) return;
    const Choice choice = rng_.pick(unary_choices(node(static_cast<size_t>(x)).is_exact));
    const ops::Operation& op = ops::operation(choice.op);
    if (refuses(op, node(static_cast<size_t>(x)).dtype)) return;
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = choice.rule;
    made.text = op.name;
    made.build = [code = choice.op](const std::vector<Array>& in, const Cutter&) {
      return apply(code, {in[0]});
    };
    broadcast(made, made.inputs);
    add(std::move(made));
  }

  void binary() {
    const int64_t x = pick_any();
    if (x < 0) return;
    const Node& first = node(static_cast<size_t>(x));
    const bool scalar = rng_.chance(20);
    const int64_t y = scalar ? x : pick([&](const Node& n) { return compatible(first, n); });
    if (y < 0) return;
    const Node& second = node(static_cast<size_t>(y));
    const Choice choice = rng_.pick(binary_choices(first.is_exact && second.is_exact));
    const ops::Operation& op = ops::operation(choice.op);
    const DType common = promote(first.dtype, second.dtype);
    if (refuses(op, common)) return;
    Node made;
    made.rule = choice.rule;
    made.text = op.name;
    if (scalar) {
      const bool whole = !is_floating(common) || rng_.chance(50);
      const double number = whole ? static_cast<double>(rng_.between(0, 5)) : rng_.unit() * 3;
      const bool left = rng_.chance(50);
      made.inputs = {static_cast<size_t>(x)};
      if (made.rule == Rule::sum) made.rule = Rule::smooth;
      if (made.rule == Rule::product) made.rule = Rule::sum, made.terms = 5;
      made.text += (left ? ", number first: " : ", number: ") + std::to_string(number);
      made.build = [=, code = choice.op](const std::vector<Array>& in, const Cutter&) {
        const auto with = [&](const Operand& operand) {
          return left ? apply(code, {operand, in[0]}) : apply(code, {in[0], operand});
        };
        return whole ? with(static_cast<int64_t>(number)) : with(number);
      };
    } else {
      made.inputs = {static_cast<size_t>(x), static_cast<size_t>(y)};
      made.build = [code = choice.op](const std::vector<Array>& in, const Cutter&) {
        return apply(code, {in[0], in[1]});
      };
    }
    broadcast(made, made.inputs);
    add(std::move(made));
  }

  void selection() {
    const int64_t c = pick_exact();
    if (c < 0) return;
    const int64_t x =
        pick([&](const Node& n) { return compatible(node(static_cast<size_t>(c)), n); });
    if (x < 0) return;
    Node both;
    broadcast(both, {static_cast<size_t>(c), static_cast<size_t>(x)});
    const int64_t y = pick([&](const Node& n) { return compatible(both, n); });
    if (y < 0) return;
    Node made;
    made.inputs = {static_cast<size_t>(c), static_cast<size_t>(x), static_cast<size_t>(y)};
    made.rule = Rule::passes;
    const bool limits = rng_.chance(30) &&
                        !is_bool(promote(node(made.inputs[1]).dtype, node(made.inputs[2]).dtype)) &&
                        !is_bool(node(made.inputs[0]).dtype);
    made.text = limits ? "clip" : "where";
    made.build = [limits](const std::vector<Array>& in, const Cutter&) {
      return limits ? clip(in[0], in[1], in[2]) : where(in[0], in[1], in[2]);
    };
    broadcast(made, made.inputs);
    add(std::move(made));
  }

  void cast() {
    const int64_t x = pick_any();
    if (x < 0) return;
    const bool exact = node(static_cast<size_t>(x)).is_exact;
    const DType to = exact             ? rng_.pick(conform::kEveryDType)
                     : rng_.chance(50) ? DType::float32
                                       : DType::float64;
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::smooth;
    made.text = "astype " + std::string(name_of(to));
    made.build = [to](const std::vector<Array>& in, const Cutter&) { return in[0].astype(to); };
    broadcast(made, made.inputs);
    add(std::move(made));
  }

  void reduction() {
    const int64_t x = pick_any();
    if (x >= 0) reduce(static_cast<size_t>(x), rng_.below(8));
  }
  /// Several reductions of one array, over the same axes or others.
  void siblings() {
    const int64_t x = pick_any();
    if (x < 0) return;
    for (int64_t k = rng_.between(2, 4); k > 0; --k) reduce(static_cast<size_t>(x), rng_.below(8));
  }
  void reduce(size_t x, int64_t which) {
    static const char* const names[] = {"sum", "mean", "var", "std", "min", "max", "any", "all"};
    const Node& from = node(x);
    const size_t rank = from.shape.size();
    if (which >= 6 && !from.is_exact) return;
    std::vector<int64_t> axes;
    for (size_t a = 0; a < rank; ++a) {
      if (rng_.chance(50))
        axes.push_back(static_cast<int64_t>(a) -
                       (rng_.chance(30) ? static_cast<int64_t>(rank) : 0));
    }
    const bool keep = rng_.chance(30);
    const double ddof = rng_.chance(30) ? 1 : 0;
    Node made;
    made.inputs = {x};
    double terms = 1;
    for (size_t a = 0; a < rank; ++a) {
      const bool gone = axes.empty() || std::any_of(axes.begin(), axes.end(), [&](int64_t v) {
                          return (v + static_cast<int64_t>(rank)) % static_cast<int64_t>(rank) ==
                                 static_cast<int64_t>(a);
                        });
      if (gone) terms *= static_cast<double>(from.shape[a]);
      if (!gone || keep) {
        made.shape.push_back(gone ? 1 : from.shape[a]);
        made.symbol.push_back(gone ? 0 : from.symbol[a]);
      }
    }
    if ((which == 4 || which == 5) && terms == 0) return;
    static constexpr Rule rules[] = {Rule::total,  Rule::mean,   Rule::var,   Rule::std,
                                     Rule::passes, Rule::passes, Rule::exact, Rule::exact};
    made.rule = rules[which];
    made.terms =
        std::max(1.0, which == 2 || which == 3 ? terms / std::max(1.0, terms - ddof) : terms);
    made.text = std::string(names[which]) + " axes " + list(axes) + (keep ? " keepdims" : "");
    made.build = [=](const std::vector<Array>& in, const Cutter&) {
      const ReduceOptions options{.keepdims = keep};
      const VarianceOptions variance{.keepdims = keep, .ddof = ddof};
      switch (which) {
        case 0: return sum(in[0], axes, options);
        case 1: return mean(in[0], axes, options);
        case 2: return var(in[0], axes, variance);
        case 3: return tuff::std(in[0], axes, variance);
        case 4: return min(in[0], axes, options);
        case 5: return max(in[0], axes, options);
        case 6: return any(in[0], axes, options);
        default: return all(in[0], axes, options);
      }
    };
    add(std::move(made));
  }

  void product() {
    const auto fits = [](const Node& n) { return n.shape.size() == 1 || n.shape.size() == 2; };
    const int64_t x = pick(fits);
    if (x < 0) return;
    // Any second operand, turned around if that makes it fit.
    const Node& left = node(static_cast<size_t>(x));
    const size_t k = left.shape.size() - 1;
    const auto inner = [&](const Node& n, size_t axis) {
      return n.shape[axis] == left.shape[k] && n.symbol[axis] == left.symbol[k];
    };
    const int64_t y = pick(
        [&](const Node& n) { return fits(n) && (inner(n, 0) || inner(n, n.shape.size() - 1)); });
    if (y < 0) return;
    const Node& right = node(static_cast<size_t>(y));
    const bool turned = !inner(right, 0);
    Node made;
    made.inputs = {static_cast<size_t>(x), static_cast<size_t>(y)};
    made.rule = Rule::contraction;
    made.terms = std::max<double>(1.0, static_cast<double>(left.shape[k]));
    made.text = turned ? "matmul with transpose" : "matmul";
    made.build = [turned](const std::vector<Array>& in, const Cutter&) {
      return matmul(in[0], turned ? in[1].transpose() : in[1]);
    };
    if (k == 1) made.shape.push_back(left.shape[0]), made.symbol.push_back(left.symbol[0]);
    if (right.shape.size() == 2) {
      made.shape.push_back(right.shape[turned ? 0 : 1]);
      made.symbol.push_back(right.symbol[turned ? 0 : 1]);
    }
    add(std::move(made));
  }

  void permute() {
    const int64_t x = pick([](const Node& n) { return n.shape.size() > 1; });
    if (x < 0) return;
    const Node& from = node(static_cast<size_t>(x));
    std::vector<int64_t> axes(from.shape.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
    for (size_t a = axes.size(); a > 1; --a)
      std::swap(axes[a - 1], axes[static_cast<size_t>(rng_.below(static_cast<int64_t>(a)))]);
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::passes;
    made.text = "transpose " + list(axes);
    made.build = [axes](const std::vector<Array>& in, const Cutter&) {
      return in[0].transpose(axes);
    };
    for (int64_t a : axes) {
      made.shape.push_back(from.shape[static_cast<size_t>(a)]);
      made.symbol.push_back(from.symbol[static_cast<size_t>(a)]);
    }
    add(std::move(made));
  }

  void slice() {
    const int64_t x = pick([](const Node& n) { return !n.shape.empty() && n.is_known(); });
    if (x < 0) return;
    const Node& from = node(static_cast<size_t>(x));
    std::vector<Index> index;
    std::string text = "slice";
    for (int64_t extent : from.shape) {
      if (rng_.chance(10)) index.emplace_back(newaxis), text += " new";
      if (rng_.chance(15) && extent > 0) {
        const int64_t at = rng_.between(-extent, extent - 1);
        index.emplace_back(at);
        text += " " + std::to_string(at);
      } else if (rng_.chance(60)) {
        Slice cut;
        if (rng_.chance(60)) cut.start = rng_.between(-extent - 1, extent + 1);
        if (rng_.chance(60)) cut.stop = rng_.between(-extent - 1, extent + 1);
        cut.step = rng_.pick(std::vector<int64_t>{1, 1, 2, 3, -1, -1, -2});
        index.emplace_back(cut);
        text += " " + (cut.start ? std::to_string(*cut.start) : "") + ":" +
                (cut.stop ? std::to_string(*cut.stop) : "") + ":" + std::to_string(cut.step);
      } else {
        index.emplace_back(whole);
        text += " :";
      }
    }
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::passes;
    made.text = text;
    made.build = [index](const std::vector<Array>& in, const Cutter&) { return in[0][index]; };
    add(std::move(made));
  }

  void recut() {
    const int64_t x = pick_known();
    if (x < 0) return;
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::passes;
    made.text = "rechunk";
    made.build = [shape = node(static_cast<size_t>(x)).shape, self = nodes().size()](
                     const std::vector<Array>& in, const Cutter& cutter) {
      return in[0].rechunk(cutter.chunks(self, shape));
    };
    add(std::move(made));
  }

  void join() {
    const int64_t x = pick([](const Node& n) { return !n.shape.empty() && n.is_known(); });
    if (x < 0) return;
    const Node& from = node(static_cast<size_t>(x));
    const auto rank = static_cast<int64_t>(from.shape.size());
    const int64_t axis = rng_.below(rank);
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    for (int64_t more = rng_.between(1, 2); more > 0; --more) {
      const int64_t other = pick([&](const Node& n) {
        bool fits = n.is_known() && n.shape.size() == from.shape.size() && n.dtype == from.dtype;
        for (int64_t a = 0; fits && a < rank; ++a) {
          const auto at = static_cast<size_t>(a);
          fits = a == axis || n.shape[at] == from.shape[at];
        }
        return fits;
      });
      made.inputs.push_back(static_cast<size_t>(other < 0 ? x : other));
    }
    if (rng_.chance(50)) std::swap(made.inputs.front(), made.inputs.back());
    made.rule = Rule::passes;
    made.text = "concatenate axis " + std::to_string(axis);
    made.build = [axis](const std::vector<Array>& in, const Cutter&) {
      return concatenate(in, axis);
    };
    add(std::move(made));
  }

  void stretch() {
    const int64_t x = pick([](const Node& n) { return n.is_known() && n.shape.size() < 3; });
    if (x < 0) return;
    Dims shape = node(static_cast<size_t>(x)).shape;
    for (int64_t& extent : shape) {
      if (extent == 1 && rng_.chance(50)) extent = rng_.between(0, 6);
    }
    shape.insert(0, rng_.between(1, 5));
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::passes;
    made.text = "broadcast_to " + to_string(shape);
    made.build = [shape, self = nodes().size()](const std::vector<Array>& in,
                                                const Cutter& cutter) {
      return broadcast_to(in[0], shape, cutter.chunks(self, shape));
    };
    add(std::move(made));
  }

  void mask() {
    const int64_t m = pick([](const Node& n) {
      return n.is_exact && is_bool(n.dtype) && !n.shape.empty() && n.is_known();
    });
    if (m < 0) return;
    const Node& chosen = node(static_cast<size_t>(m));
    const int64_t x = pick([&](const Node& n) {
      if (n.shape.empty() || !n.is_known()) return false;
      return chosen.shape.size() == 1 ? n.shape[0] == chosen.shape[0] : n.shape == chosen.shape;
    });
    if (x < 0) return;
    const Dense bits = conform::computed(arrays_[static_cast<size_t>(m)]);
    int64_t count = 0;
    for (int64_t i = 0; i < bits.size(); ++i) count += bits.data<bool>()[i] ? 1 : 0;
    const Node& from = node(static_cast<size_t>(x));
    Node made;
    made.inputs = {static_cast<size_t>(x), static_cast<size_t>(m)};
    made.rule = Rule::passes;
    made.text = "mask";
    made.build = [](const std::vector<Array>& in, const Cutter&) { return in[0][in[1]]; };
    made.shape.push_back(count);
    made.symbol.push_back(nodes().size());
    for (size_t a = 1; chosen.shape.size() == 1 && a < from.shape.size(); ++a) {
      made.shape.push_back(from.shape[a]);
      made.symbol.push_back(0);
    }
    add(std::move(made));
  }

  void settle() {
    const int64_t x = pick([](const Node& n) { return !n.is_known(); });
    if (x < 0) return mask();
    Node made;
    made.inputs = {static_cast<size_t>(x)};
    made.rule = Rule::passes;
    made.text = "compute_chunk_sizes";
    made.build = [](const std::vector<Array>& in, const Cutter&) {
      return in[0].compute_chunk_sizes();
    };
    add(std::move(made));
  }

  RandomGraph& graph_;
  Rng rng_;
  std::vector<int64_t> base_;
  std::vector<Array> arrays_;
};

RandomGraph::RandomGraph(uint64_t seed) { Grower(*this, seed).grow(); }

}  // namespace tuff::flow
