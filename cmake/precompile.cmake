# Headers that nearly every file includes, compiled once per set of flags: reading the standard library, {fmt}
# and GoogleTest again in each file was a third of a build. Files include what they use all the same:
# `make check-clang` compiles them without.
#
# For ccache: it keeps what is compiled with precompiled headers only when it may ignore when they were made
# (CMakeLists.txt tells it so), and headers of ours are named without the clone's path.
option(TUFF_PRECOMPILE "Compile the headers that most files include only once" ON)

set(tuff_common_headers
  <algorithm> <atomic> <chrono> <cmath> <condition_variable> <cstdint> <functional> <map> <memory> <mutex>
  <optional> <span> <stop_token> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
set(tuff_layer_headers ${tuff_common_headers} <fmt/format.h>)
set(tuff_table_headers ${tuff_layer_headers} <arrow/api.h>)
set(tuff_test_headers ${tuff_common_headers} <fstream> <random> <set> <sstream> <gmock/gmock.h>
    <gtest/gtest.h> <tuff/tuff.h>)

set(tuff_app_headers ${tuff_layer_headers} <CLI/CLI.hpp> <nlohmann/json.hpp>
    <tuff/tuff.h>)
set(tuff_table_test_headers ${tuff_test_headers})

# The first target that asks makes the headers, all later ones of the same kind share them.
function(tuff_precompile kind target)
  if(NOT TUFF_PRECOMPILE)
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What is inlined from a precompiled header no longer counts as a system header's, and GCC 12 sees
    # copies of half the address space inside std::string there. ccache asks for -fpch-preprocess.
    target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-array-bounds
                                             -fpch-preprocess)
  endif()
  get_property(first GLOBAL PROPERTY tuff_precompiled_${kind})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${tuff_${kind}_headers})
    set_property(GLOBAL PROPERTY tuff_precompiled_${kind} ${target})
  endif()
endfunction()
