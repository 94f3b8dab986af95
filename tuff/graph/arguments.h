// How the arguments of a lazy call are taken apart when it is written down, and put together when it runs.
//
// TaskGraph::add() and delayed() share this. Every argument has a pattern: a handle of a task becomes
// one input; a container that holds handles (at any depth) becomes the inputs of its elements and is
// built again before the call; any other value is itself. Patterns mostly have no state, so that one
// function object serves every task that calls the same thing.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "tuff/base/block.h"
#include "tuff/base/value.h"

TUFF_NAMESPACE_BEGIN

/// A callable under the name that traces, errors and pictures show.
template <class F>
struct Named {
  std::string name;
  F function;
};
template <class F>
Named<F> named(std::string name, F function) {
  return {std::move(name), std::move(function)};
}

namespace detail {

/// What a handle stands for. Handles specialise it with `value`, the type that a callable gets.
template <class A>
struct HandleTraits {
  static constexpr bool is_handle = false;
};

[[noreturn]] TUFF_API void throw_wrong_input(size_t input, const Value& holds,
                                             const std::type_info& wanted);

[[noreturn]] TUFF_API void throw_wrong_value(const Value& holds, const std::type_info& wanted);
/// What a run yielded, under the type that its handle promised. Throws InvalidArgument when it is of another.
template <class T>
T take_value(Value& value) {
  if (!value.holds<T>()) [[unlikely]]
    throw_wrong_value(value, typeid(T));
  return std::move(value.get<T>());
}

/// The inputs of a task under way, taken one after another.
class InputCursor {
 public:
  InputCursor(std::span<Value* const> values, std::span<const bool> last_use)
      : values_(values), last_use_(last_use) {}
  /// Both throw InvalidArgument when the task that made the value yielded another type.
  template <class T>
  const T& look() {
    return next<T>();
  }
  /// A copy, or the value itself where nobody reads it after this task.
  template <class T>
  T take() {
    T& value = next<T>();
    if (last_use_[at_ - 1]) return std::move(value);
    return value;
  }

 private:
  template <class T>
  T& next() {
    Value& value = *values_[at_++];
    if (!value.holds<T>()) [[unlikely]]
      throw_wrong_input(at_ - 1, value, typeid(T));
    return value.get<T>();
  }
  std::span<Value* const> values_;
  std::span<const bool> last_use_;
  size_t at_ = 0;
};

template <class A>
struct holds_handles : std::bool_constant<HandleTraits<A>::is_handle> {
};  // NOLINT(readability-identifier-naming)
template <class E, class Alloc>
struct holds_handles<std::vector<E, Alloc>> : holds_handles<E> {};
template <class E, size_t N>
struct holds_handles<std::array<E, N>> : holds_handles<E> {};
template <class E>
struct holds_handles<std::optional<E>> : holds_handles<E> {};
template <class... E>
struct holds_handles<std::tuple<E...>> : std::bool_constant<(holds_handles<E>::value || ...)> {};
template <class A, class B>
struct holds_handles<std::pair<A, B>>
    : std::bool_constant<holds_handles<A>::value || holds_handles<B>::value> {};
template <class K, class E, class C, class Alloc>
struct holds_handles<std::map<K, E, C, Alloc>> : holds_handles<E> {};
template <class K, class E, class H, class Q, class Alloc>
struct holds_handles<std::unordered_map<K, E, H, Q, Alloc>> : holds_handles<E> {};

/// The pattern of an argument of type A: `type` is what the callable gets, `fresh` the same by value.
/// `Sink` receives the inputs: sink.handle(a) for handles, sink.plain(value) for everything else, which
/// says whether plain values are inputs too (TaskGraph) or stay in the pattern (delayed).
template <class A, class Sink, class = void>
struct Argument;

/// Plain values that are inputs.
template <class A, class Sink>
struct Argument<A, Sink,
                std::enable_if_t<!holds_handles<A>::value && Sink::kPlainValuesAreInputs>> {
  using fresh = A;
  using type = const A&;
  Argument(const A& value, Sink& sink) { sink.plain(value); }
  type take(InputCursor& cursor) const { return cursor.template look<A>(); }
  fresh build(InputCursor& cursor) const { return take(cursor); }
};

/// Plain values that stay here.
template <class A, class Sink>
struct Argument<A, Sink,
                std::enable_if_t<!holds_handles<A>::value && !Sink::kPlainValuesAreInputs>> {
  using fresh = A;
  using type = const A&;
  Argument(const A& value, Sink&) : held(value) {}
  type take(InputCursor&) const { return held; }
  fresh build(InputCursor&) const { return held; }
  A held;
};

template <class A, class Sink>
struct Argument<A, Sink, std::enable_if_t<HandleTraits<A>::is_handle>> {
  using fresh = typename HandleTraits<A>::value;
  using type = typename HandleTraits<A>::argument;
  Argument(const A& handle, Sink& sink) { sink.handle(handle); }
  type take(InputCursor& cursor) const { return HandleTraits<A>::take(cursor); }
  fresh build(InputCursor& cursor) const { return HandleTraits<A>::build(cursor); }
};

/// Containers whose elements are of one type.
template <class A, class E, class Built, class Sink>
struct SequenceArgument {
  using fresh = Built;
  using type = Built;
  SequenceArgument(const A& sequence, Sink& sink) {
    for (const E& element : sequence) elements.emplace_back(element, sink);
  }
  fresh build(InputCursor& cursor) const {
    Built built;
    if constexpr (requires { built.reserve(elements.size()); }) built.reserve(elements.size());
    for (const auto& element : elements) built.push_back(element.build(cursor));
    return built;
  }
  type take(InputCursor& cursor) const { return build(cursor); }
  std::vector<Argument<E, Sink>> elements;
};

template <class E, class Alloc, class Sink>
struct Argument<std::vector<E, Alloc>, Sink, std::enable_if_t<holds_handles<E>::value>>
    : SequenceArgument<std::vector<E, Alloc>, E, std::vector<typename Argument<E, Sink>::fresh>,
                       Sink> {
  using SequenceArgument<std::vector<E, Alloc>, E, std::vector<typename Argument<E, Sink>::fresh>,
                         Sink>::SequenceArgument;
};

template <class E, size_t N, class Sink>
struct Argument<std::array<E, N>, Sink, std::enable_if_t<holds_handles<E>::value>> {
  using fresh = std::array<typename Argument<E, Sink>::fresh, N>;
  using type = fresh;
  Argument(const std::array<E, N>& array, Sink& sink) {
    for (const E& element : array) elements.emplace_back(element, sink);
  }
  fresh build(InputCursor& cursor) const { return build(cursor, std::make_index_sequence<N>()); }
  type take(InputCursor& cursor) const { return build(cursor); }
  template <size_t... I>
  fresh build(InputCursor& cursor, std::index_sequence<I...>) const {
    return {elements[I].build(cursor)...};  // braces: in this order
  }
  std::vector<Argument<E, Sink>> elements;
};

template <class E, class Sink>
struct Argument<std::optional<E>, Sink, std::enable_if_t<holds_handles<E>::value>> {
  using fresh = std::optional<typename Argument<E, Sink>::fresh>;
  using type = fresh;
  Argument(const std::optional<E>& given, Sink& sink) {
    if (given) element.emplace(*given, sink);
  }
  fresh build(InputCursor& cursor) const {
    return element ? fresh(element->build(cursor)) : fresh();
  }
  type take(InputCursor& cursor) const { return build(cursor); }
  std::optional<Argument<E, Sink>> element;
};

template <class Tuple, class Built, class Sink, class... E>
struct TupleArgument {
  using fresh = Built;
  using type = Built;
  TupleArgument(const Tuple& given, Sink& sink)
      : elements(std::apply(
            [&](const E&... each) {
              return std::tuple<Argument<E, Sink>...>{{each, sink}...};
            },
            given)) {}
  fresh build(InputCursor& cursor) const {
    return std::apply([&](const auto&... each) { return Built{each.build(cursor)...}; }, elements);
  }
  type take(InputCursor& cursor) const { return build(cursor); }
  std::tuple<Argument<E, Sink>...> elements;
};

template <class Sink, class... E>
struct Argument<std::tuple<E...>, Sink, std::enable_if_t<(holds_handles<E>::value || ...)>>
    : TupleArgument<std::tuple<E...>, std::tuple<typename Argument<E, Sink>::fresh...>, Sink,
                    E...> {
  using TupleArgument<std::tuple<E...>, std::tuple<typename Argument<E, Sink>::fresh...>, Sink,
                      E...>::TupleArgument;
};
template <class Sink, class A, class B>
struct Argument<std::pair<A, B>, Sink,
                std::enable_if_t<holds_handles<A>::value || holds_handles<B>::value>>
    : TupleArgument<std::pair<A, B>,
                    std::pair<typename Argument<A, Sink>::fresh, typename Argument<B, Sink>::fresh>,
                    Sink, A, B> {
  using TupleArgument<
      std::pair<A, B>,
      std::pair<typename Argument<A, Sink>::fresh, typename Argument<B, Sink>::fresh>, Sink, A,
      B>::TupleArgument;
};

/// Maps: keys are plain, values hold handles.
template <class Map, class K, class E, class Built, class Sink>
struct MapArgument {
  using fresh = Built;
  using type = Built;
  MapArgument(const Map& given, Sink& sink) {
    for (const auto& [key, value] : given)
      elements.emplace_back(key, Argument<E, Sink>(value, sink));
  }
  fresh build(InputCursor& cursor) const {
    Built built;
    for (const auto& [key, value] : elements) built.emplace(key, value.build(cursor));
    return built;
  }
  type take(InputCursor& cursor) const { return build(cursor); }
  std::vector<std::pair<K, Argument<E, Sink>>> elements;
};

template <class K, class E, class C, class Alloc, class Sink>
struct Argument<std::map<K, E, C, Alloc>, Sink, std::enable_if_t<holds_handles<E>::value>>
    : MapArgument<std::map<K, E, C, Alloc>, K, E, std::map<K, typename Argument<E, Sink>::fresh, C>,
                  Sink> {
  using MapArgument<std::map<K, E, C, Alloc>, K, E,
                    std::map<K, typename Argument<E, Sink>::fresh, C>, Sink>::MapArgument;
};
template <class K, class E, class H, class Q, class Alloc, class Sink>
struct Argument<std::unordered_map<K, E, H, Q, Alloc>, Sink,
                std::enable_if_t<holds_handles<E>::value>>
    : MapArgument<std::unordered_map<K, E, H, Q, Alloc>, K, E,
                  std::unordered_map<K, typename Argument<E, Sink>::fresh, H, Q>, Sink> {
  using MapArgument<std::unordered_map<K, E, H, Q, Alloc>, K, E,
                    std::unordered_map<K, typename Argument<E, Sink>::fresh, H, Q>,
                    Sink>::MapArgument;
};

/// The type under which an argument is kept: texts as std::string, the rest decayed.
template <class A>
using Kept = std::conditional_t<std::is_convertible_v<std::decay_t<const A&>, const char*>,
                                std::string, std::decay_t<const A&>>;

/// A callable and the patterns of its arguments: what one task calls.
template <class F, class Sink, class... A>
class BoundCall {
 public:
  using Returned =
      std::remove_cvref_t<std::invoke_result_t<const F&, typename Argument<A, Sink>::type...>>;
  /// Whether all such calls are the same, so that one object can serve them.
  static constexpr bool kStateless =
      std::is_empty_v<F> && (std::is_empty_v<Argument<A, Sink>> && ...);
  static constexpr bool kOnlyFunction = (std::is_empty_v<Argument<A, Sink>> && ...);

  BoundCall(F function, Sink& sink, const A&... args)
      : function_(std::move(function)), patterns_{Argument<A, Sink>(args, sink)...} {}

  /// Calls, and hands the result (std::monostate for void) to `receive` while the arguments still live.
  template <class Receive>
  void call(std::span<Value* const> inputs, std::span<const bool> last_use,
            Receive&& receive) const {
    InputCursor cursor(inputs, last_use);
    std::apply(
        [&](const auto&... pattern) {
          // Braces, so that inputs are taken in the order in which they were written down.
          std::tuple<typename Argument<A, Sink>::type...> values{pattern.take(cursor)...};
          std::apply(
              [&](auto&... value) {
                if constexpr (std::is_void_v<Returned>) {
                  std::invoke(function_, static_cast<typename Argument<A, Sink>::type&&>(value)...);
                  receive(std::monostate());
                } else {
                  receive(std::invoke(function_,
                                      static_cast<typename Argument<A, Sink>::type&&>(value)...));
                }
              },
              values);
        },
        patterns_);
  }

 private:
  F function_;
  std::tuple<Argument<A, Sink>...> patterns_;
};

/// Whether a result is a block, or has blocks among its parts: only calling tells how large they are.
template <class R>
inline constexpr bool kHasBlocks = std::is_same_v<R, Block>;
template <class... R>
inline constexpr bool kHasBlocks<std::tuple<R...>> = (kHasBlocks<R> || ...);
template <class A, class B>
inline constexpr bool kHasBlocks<std::pair<A, B>> = kHasBlocks<A> || kHasBlocks<B>;

/// What a task that calls something yielding R holds: void becomes std::monostate.
template <class R>
using Yield = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

}  // namespace detail
TUFF_NAMESPACE_END
