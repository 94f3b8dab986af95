// What a task yields: any movable C++ value, the small ones held inline.
//
// Values of up to 16 bytes whose move does not throw live inside (a Block is 8 bytes); larger ones
// live on the heap. A Value is 24 bytes, so that a run's values are one flat array.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "tuff/base/api.h"
#include "tuff/base/check.h"

TUFF_NAMESPACE_BEGIN

class Value {
 public:
  static constexpr size_t kInlineBytes = 16;

  Value() = default;
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Value>) explicit Value(T&& value) {
    emplace<std::remove_cvref_t<T>>(std::forward<T>(value));
  }
  Value(const Value& other) : type_(other.type_) {
    if (type_ != nullptr) type_->copy(other.storage_, storage_);
  }
  Value(Value&& other) noexcept : type_(std::exchange(other.type_, nullptr)) {
    if (type_ != nullptr) type_->relocate(other.storage_, storage_);
  }
  Value& operator=(Value other) noexcept {
    reset();
    type_ = std::exchange(other.type_, nullptr);
    if (type_ != nullptr) type_->relocate(other.storage_, storage_);
    return *this;
  }
  ~Value() { reset(); }

  template <class T, class... Args>
  T& emplace(Args&&... args) {
    reset();
    T* made;
    if constexpr (held_inline<T>) {
      made = ::new (storage_) T(std::forward<Args>(args)...);
    } else {
      made = new T(std::forward<Args>(args)...);
      *reinterpret_cast<T**>(storage_) = made;
    }
    type_ = &type_of<T>;
    return *made;
  }
  void reset() noexcept {
    if (type_ != nullptr) {
      if (type_->destroy != nullptr) type_->destroy(storage_);
      type_ = nullptr;
    }
  }
  bool has_value() const { return type_ != nullptr; }
  /// The type that is held; typeid(void) when nothing is.
  const std::type_info& type() const { return type_ != nullptr ? *type_->info : typeid(void); }
  template <class T>
  bool holds() const {
    return type_ == &type_of<T> || (type_ != nullptr && *type_->info == typeid(T));
  }
  /// The value. Throws InternalError when another type, or nothing, is held.
  template <class T>
  T& get() {
    if (!holds<T>()) [[unlikely]]
      wrong_type(typeid(T));
    return *pointer<T>();
  }
  template <class T>
  const T& get() const {
    return const_cast<Value*>(this)->get<T>();
  }

 private:
  struct Type {
    const std::type_info* info;
    void (*destroy)(std::byte* storage);  // null when there is nothing to do
    void (*copy)(const std::byte* from, std::byte* to);
    void (*relocate)(std::byte* from, std::byte* to);
  };
  template <class T>
  static constexpr bool held_inline =
      sizeof(T) <= kInlineBytes &&
      alignof(T) <= alignof(void*) && std::is_nothrow_move_constructible_v<T>;

  template <class T>
  T* pointer() {
    if constexpr (held_inline<T>) {
      return std::launder(reinterpret_cast<T*>(storage_));
    } else {
      return *reinterpret_cast<T**>(storage_);
    }
  }
  template <class T>
  static void destroy_value(std::byte* storage) {
    if constexpr (held_inline<T>) {
      std::launder(reinterpret_cast<T*>(storage))->~T();
    } else {
      delete *reinterpret_cast<T**>(storage);
    }
  }
  template <class T>
  static void copy_value(const std::byte* from, std::byte* to) {
    if constexpr (!std::is_copy_constructible_v<T>) {
      not_copyable(typeid(T));
    } else if constexpr (held_inline<T>) {
      ::new (to) T(*std::launder(reinterpret_cast<const T*>(from)));
    } else {
      *reinterpret_cast<T**>(to) = new T(**reinterpret_cast<T* const*>(from));
    }
  }
  template <class T>
  static void relocate_value(std::byte* from, std::byte* to) {
    if constexpr (held_inline<T>) {
      T* source = std::launder(reinterpret_cast<T*>(from));
      ::new (to) T(std::move(*source));
      source->~T();
    } else {
      *reinterpret_cast<T**>(to) = *reinterpret_cast<T**>(from);
    }
  }
  template <class T>
  static constexpr Type type_of = {
      &typeid(T),
      held_inline<T>&& std::is_trivially_destructible_v<T> ? nullptr : &destroy_value<T>,
      &copy_value<T>, &relocate_value<T>};

  [[noreturn]] TUFF_API void wrong_type(const std::type_info& asked) const;
  [[noreturn]] TUFF_API static void not_copyable(const std::type_info& type);

  alignas(void*) std::byte storage_[kInlineBytes];
  const Type* type_ = nullptr;
};

TUFF_NAMESPACE_END
