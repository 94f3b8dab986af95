// Any callable as a task: delayed(f)(args...) is a Delayed<T> that knows how to compute f(args...).
//
// Arguments may be values, other Delayed values, and Arrays (which arrive as one row-major Block). A
// Delayed is a handle like an Array; computing several at once shares all common work.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include "tuff/compute.h"
#include "tuff/graph/callable.h"

TUFF_NAMESPACE_BEGIN

template <class T>
class Delayed;

namespace detail {

template <class T>
struct is_delayed : std::false_type {};  // NOLINT(readability-identifier-naming): a type trait
template <class T>
struct is_delayed<Delayed<T>> : std::true_type {};  // NOLINT(readability-identifier-naming)

/// What the callable is called with for an argument of type A.
template <class A, class = void>
struct delayed_argument {  // NOLINT(readability-identifier-naming): a type trait
  using type = const A&;
};
template <class T>
struct delayed_argument<Delayed<T>> {  // NOLINT(readability-identifier-naming)
  using type = const T&;
};
/// Arrays, seen from below: what converts to a port and is not a Delayed.
template <class A>
concept ArrayLike = std::is_convertible_v<const A&, const graph::Port&> && !is_delayed<A>::value;

template <class A>
struct delayed_argument<A,
                        std::enable_if_t<ArrayLike<A>>> {  // NOLINT(readability-identifier-naming)
  using type = const Block&;
};

/// An array as a single block.
TUFF_API graph::Port single_block(const graph::Port& array);
TUFF_API Value run_single(const graph::Port& port, const RunOptions& options);

}  // namespace detail

/// A value of type T that is computed when it is needed.
template <class T>
class Delayed {
 public:
  explicit Delayed(graph::Port port) : port_(std::move(port)) {}
  /// Runs what is needed and returns the value. Throws TaskError with what the callable threw.
  T compute(const RunOptions& options = {}) const {
    return std::move(detail::run_single(port_, options).template get<T>());
  }
  const graph::Port& port() const { return port_; }

 private:
  graph::Port port_;
};

namespace detail {

template <class F>
class DelayedFunction {
 public:
  DelayedFunction(F function, std::string name)
      : function_(std::move(function)), name_(std::move(name)) {}

  template <class... Args>
  auto operator()(const Args&... args) const {
    using Result = std::remove_cvref_t<
        std::invoke_result_t<const F&, typename delayed_argument<Args>::type...>>;
    static_assert(!std::is_void_v<Result>, "a delayed callable must return a value");
    std::vector<graph::Port> inputs;
    // Values ride in the closure; Delayed and Array arguments come from the run.
    auto held = std::make_tuple(hold(args, inputs)...);
    F function = function_;
    graph::CallFunction call = [function = std::move(function), held = std::move(held)](
                                   std::span<Value* const> values, std::span<const bool>) -> Value {
      return std::apply(
          [&](const auto&... each) {
            return Value(Result(std::invoke(function, take(each, values)...)));
          },
          held);
    };
    return Delayed<Result>(
        {std::make_shared<graph::CallLayer>(std::move(call), name_, std::move(inputs)), 0});
  }

 private:
  /// The number of an input, and its type.
  template <class T>
  struct FromRun {
    size_t input;
  };
  /// The number of an input that is an array.
  struct FromArray {
    size_t input;
  };

  template <class A>
  static auto hold(const A& arg, std::vector<graph::Port>& inputs) {
    if constexpr (is_delayed<A>::value) {
      inputs.push_back(arg.port());
      return FromRun<std::remove_cvref_t<typename delayed_argument<A>::type>>{inputs.size() - 1};
    } else if constexpr (ArrayLike<A>) {
      inputs.push_back(single_block(arg));
      return FromArray{inputs.size() - 1};
    } else {
      return std::decay_t<const A&>(arg);
    }
  }
  template <class T>
  static const T& take(const FromRun<T>& from, std::span<Value* const> values) {
    return values[from.input]->template get<T>();
  }
  /// A single block may be a view of any strides.
  static Block take(const FromArray& from, std::span<Value* const> values) {
    return values[from.input]->template get<Block>().contiguous();
  }
  template <class T>
  static const T& take(const T& value, std::span<Value* const>) {
    return value;
  }

  F function_;
  std::string name_;
};

}  // namespace detail

/// Makes a callable lazy: `delayed(f)(args...)` is a Delayed of what f returns. `name` appears in errors
/// and traces. The callable runs once per run and node, on any thread; it is copied.
template <class F>
auto delayed(F function, std::string name = "delayed") {
  return detail::DelayedFunction<F>(std::move(function), std::move(name));
}

/// Computes several delayed values in one run, sharing all common work.
template <class... T>
std::tuple<T...> compute(const Delayed<T>&... values);

namespace detail {
TUFF_API std::vector<Value> run_ports(const std::vector<graph::Port>& ports,
                                      const RunOptions& options);
}

template <class... T>
std::tuple<T...> compute(const Delayed<T>&... values) {
  std::vector<Value> results = detail::run_ports({values.port()...}, {});
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<T...>(std::move(results[I].template get<T>())...);
  }
  (std::index_sequence_for<T...>());
}

TUFF_NAMESPACE_END
