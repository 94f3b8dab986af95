# Compiler flags, as two interface targets: `tuff_flags` for everything we compile ourselves (layers,
# tests, examples, benchmarks) and `tuff_layer_flags` for the layers of the library on top of it.
#
# Not here on purpose: -march=native (kernels choose the instruction set at run time, binaries move
# between machines) and -ffast-math (results must not depend on the compiler's mood).

# What a build type means here, whether or not a preset chose it. -g1 keeps line tables for profiles
# at a few per cent of the size of -g; -O1 keeps unoptimised checks fast enough to run every test.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")

add_library(tuff_flags INTERFACE)
target_compile_features(tuff_flags INTERFACE cxx_std_20)
set(CMAKE_CXX_EXTENSIONS OFF)

# No silent fused multiply-add: the same source line must round the same in an AVX2 body and in its
# scalar tail, and in a test's naive loop.
target_compile_options(tuff_flags INTERFACE -ffp-contract=off)

target_compile_options(tuff_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                            -Woverloaded-virtual -Wcast-align -Wfloat-conversion)
if(TUFF_WERROR)
  target_compile_options(tuff_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports overlapping copies inside std::string's own operator+ (GCC bug 105651).
  target_compile_options(tuff_flags INTERFACE -Wno-restrict)
endif()

if(TUFF_DEBUG_CHECKS)
  target_compile_definitions(tuff_flags INTERFACE TUFF_DEBUG_CHECKS=1)
endif()

if(TUFF_SANITIZE)
  # -g1: reports need lines, and everything else took a third of a sanitized build. Undefined behaviour is
  # looked for in the library (below) and not in tests, whose many checks compile 1.6 times as long with it.
  string(REPLACE ",undefined" "" tuff_sanitize_all "${TUFF_SANITIZE}")
  target_compile_options(tuff_flags INTERFACE -g1 -fsanitize=${tuff_sanitize_all}
                                              -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(tuff_flags INTERFACE -fsanitize=${TUFF_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # The macros by which GCC tells sources of these two; Clang before 21 has a builtin of its own instead.
    foreach(sanitizer address thread)
      if(TUFF_SANITIZE MATCHES ${sanitizer})
        string(TOUPPER ${sanitizer} name)
        target_compile_definitions(tuff_flags INTERFACE __SANITIZE_${name}__=1)
      endif()
    endforeach()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses GCC's flow analysis; the release build keeps this warning.
    target_compile_options(tuff_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

# Only TUFF_API leaves the library. Without semantic interposition, calls between our own exported
# functions can be inlined in position-independent code.
add_library(tuff_layer_flags INTERFACE)
target_link_libraries(tuff_layer_flags INTERFACE tuff_flags)
target_compile_definitions(tuff_layer_flags INTERFACE TUFF_BUILDING)
if(TUFF_SANITIZE)
  target_compile_options(tuff_layer_flags INTERFACE -fsanitize=${TUFF_SANITIZE})
endif()
target_compile_options(tuff_layer_flags INTERFACE -fvisibility=hidden -fvisibility-inlines-hidden
                                                  -fno-semantic-interposition)
