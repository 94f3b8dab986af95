// Any callable as a task: delayed(f)(args...) is a Delayed<T> that knows how to compute f(args...).
//
//     auto load = delayed(read_part, "load").with({.retries = 2});
//     std::vector<Delayed<Table>> parts;
//     for (auto& path : paths) parts.push_back(load(path));
//     Delayed<double> total = delayed(sum_of)(parts, 0.5);        // containers of handles are fine
//     double answer = total.compute();
//
// Arguments may be values, other Delayed values, Arrays (which arrive as one row-major Block), and
// containers that hold such (vector, array, optional, tuple, pair, maps; nested). A Delayed is a handle
// like an Array; computing several at once shares all common work.
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tuff/compute.h"
#include "tuff/graph/arguments.h"
#include "tuff/graph/callable.h"

TUFF_NAMESPACE_BEGIN

template <class T>
class Delayed;

namespace detail {

template <class T>
struct IsDelayed : std::false_type {};
template <class T>
struct IsDelayed<Delayed<T>> : std::true_type {};
/// Arrays, seen from below: what converts to a port and is not a Delayed.
template <class A>
concept ArrayLike = std::is_convertible_v<const A&, const graph::Port&> && !IsDelayed<A>::value;

template <class T>
struct HandleTraits<Delayed<T>> {
  static constexpr bool is_handle = true;
  using value = T;
  using argument = const T&;
  static argument take(InputCursor& cursor) { return cursor.look<T>(); }
  static value build(InputCursor& cursor) { return cursor.take<T>(); }
};
template <ArrayLike A>
struct HandleTraits<A> {
  static constexpr bool is_handle = true;
  using value = Block;
  using argument = Block;
  /// A single block may be a view of any strides.
  static argument take(InputCursor& cursor) { return cursor.look<Block>().contiguous(); }
  static value build(InputCursor& cursor) { return take(cursor); }
};

/// An array as a single block.
TUFF_API graph::Port single_block(const graph::Port& array);
TUFF_API std::vector<Value> run_ports(const std::vector<graph::Port>& ports,
                                      const RunOptions& options);

/// Handles become the inputs of a layer; values stay with the callable.
struct PortSink {
  static constexpr bool kPlainValuesAreInputs = false;
  std::vector<graph::Port> ports;
  template <class T>
  void handle(const Delayed<T>& delayed) {
    ports.push_back(delayed.port());
  }
  template <ArrayLike A>
  void handle(const A& array) {
    ports.push_back(single_block(array));
  }
};

}  // namespace detail

/// A value of type T that is computed when it is needed.
template <class T>
class Delayed {
 public:
  using Type = T;
  /// Throws InvalidArgument unless the port is an output of a layer.
  explicit Delayed(graph::Port port) : port_(std::move(port)) {
    graph::check_port("delayed", port_, false);
  }
  /// Runs what is needed and returns the value. Throws TaskError with what the callable threw, and
  /// InvalidArgument when it yielded another type.
  T compute(const RunOptions& options = {}) const {
    return detail::take_value<T>(detail::run_ports({port_}, options)[0]);
  }
  const graph::Port& port() const { return port_; }

 private:
  graph::Port port_;
};

namespace detail {

template <class R>
struct DelayedOf;  // std::tuple<A, B> to std::tuple<Delayed<A>, Delayed<B>>
template <class... R>
struct DelayedOf<std::tuple<R...>> {
  using type = std::tuple<Delayed<R>...>;
};
template <class A, class B>
struct DelayedOf<std::pair<A, B>> {
  using type = std::tuple<Delayed<A>, Delayed<B>>;
};

TUFF_API void check_options(const TaskOptions& options);

}  // namespace detail

/// A callable that makes tasks; delayed() gives it. Copies are cheap to make and independent.
template <class F>
class DelayedFunction {
 public:
  DelayedFunction(F function, std::string name)
      : function_(std::move(function)), name_(std::move(name)) {}

  /// The same callable under another name, which errors and traces show.
  DelayedFunction named(const std::string& name) const {
    DelayedFunction other = *this;
    other.name_ = name;
    return other;
  }
  /// The same callable for tasks of these options. Throws InvalidArgument for negative ones.
  DelayedFunction with(const TaskOptions& options) const {
    detail::check_options(options);
    DelayedFunction other = *this;
    other.options_ = options;
    return other;
  }

  template <class... Args>
  auto operator()(const Args&... args) const {
    using Yielded = detail::Yield<typename Call<Args...>::Returned>;
    detail::PortSink sink;
    Call<Args...> call(function_, sink, detail::Kept<Args>(args)...);
    graph::CallFunction run = [call = std::move(call)](std::span<Value* const> inputs,
                                                       std::span<const bool> last_use,
                                                       std::span<Value> outputs) {
      call.call(inputs, last_use, [&](auto&& result) {
        outputs[0].template emplace<Yielded>(std::forward<decltype(result)>(result));
      });
    };
    return Delayed<Yielded>(
        {std::make_shared<graph::CallLayer>(std::move(run), name_, std::move(sink.ports), 1,
                                            options_, detail::kHasBlocks<Yielded>),
         0});
  }

  /// One task with several outputs: the elements of the tuple or pair that the callable returns, each
  /// with readers and a lifetime of its own. Returns a tuple of Delayed values.
  template <class... Args>
  auto outputs(const Args&... args) const {
    using Yielded = typename Call<Args...>::Returned;
    constexpr size_t kOutputs = std::tuple_size_v<Yielded>;
    static_assert(kOutputs > 0, "outputs() needs a callable that returns a tuple or a pair");
    detail::PortSink sink;
    Call<Args...> call(function_, sink, detail::Kept<Args>(args)...);
    graph::CallFunction run = [call = std::move(call)](std::span<Value* const> inputs,
                                                       std::span<const bool> last_use,
                                                       std::span<Value> outputs) {
      call.call(inputs, last_use, [&](Yielded result) {
        [&]<size_t... I>(std::index_sequence<I...>) {
          (outputs[I].template emplace<std::tuple_element_t<I, Yielded>>(
               std::get<I>(std::move(result))),
           ...);
        }
        (std::make_index_sequence<kOutputs>());
      });
    };
    const auto layer = std::make_shared<graph::CallLayer>(
        std::move(run), name_, std::move(sink.ports), static_cast<uint32_t>(kOutputs), options_,
        detail::kHasBlocks<Yielded>);
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return typename detail::DelayedOf<Yielded>::type{
          Delayed<std::tuple_element_t<I, Yielded>>({layer, static_cast<uint32_t>(I)})...};
    }
    (std::make_index_sequence<kOutputs>());
  }

 private:
  template <class... Args>
  using Call = detail::BoundCall<F, detail::PortSink, detail::Kept<Args>...>;
  F function_;
  std::string name_;
  TaskOptions options_;
};

/// Makes a callable lazy: `delayed(f)(args...)` is a Delayed of what f returns (std::monostate for void).
/// `name` appears in errors and traces. The callable runs once per run and node, on any thread; it is
/// copied.
template <class F>
auto delayed(F function, std::string name = "delayed") {
  return DelayedFunction<F>(std::move(function), std::move(name));
}
template <class F>
auto delayed(Named<F> named) {
  return DelayedFunction<F>(std::move(named.function), std::move(named.name));
}

/// Computes several delayed values in one run, sharing all common work.
template <class... T>
std::tuple<T...> compute(const RunOptions& options, const Delayed<T>&... values) {
  std::vector<Value> results = detail::run_ports({values.port()...}, options);
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<T...>(detail::take_value<T>(results[I])...);
  }
  (std::index_sequence_for<T...>());
}
template <class... T>
std::tuple<T...> compute(const Delayed<T>&... values) {
  return compute(RunOptions(), values...);
}
/// Computes many delayed values of one type in one run.
template <class T>
std::vector<T> compute(const std::vector<Delayed<T>>& values, const RunOptions& options = {}) {
  std::vector<graph::Port> ports;
  for (const Delayed<T>& value : values) ports.push_back(value.port());
  std::vector<T> results;
  if (ports.empty()) return results;
  for (Value& value : detail::run_ports(ports, options))
    results.push_back(detail::take_value<T>(value));
  return results;
}

TUFF_NAMESPACE_END
