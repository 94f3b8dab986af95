# Arrow C++ with Parquet, as the imported targets TuffArrow::arrow and TuffArrow::parquet.
#
# Arrow's own CMake packages where there are ones of the pinned major version; else the headers and
# libraries inside the pyarrow wheel, which scripts/bootstrap.sh installs into .cache/venv. The wheel has
# versioned libraries only (libarrow.so.2600) and no CMake files, so targets are made here. Why:
# docs/decisions/0009-arrow-from-the-wheel.md.
#
# Sets TuffArrow_FOUND, TuffArrow_VERSION and TuffArrow_SOURCE ("package" or "wheel").
# Hint: TUFF_PYARROW_DIR, the folder `pyarrow` of a wheel that is unpacked elsewhere.

# The pin of scripts/requirements.txt is the one pin; an interface of another major version may differ.
file(STRINGS "${PROJECT_SOURCE_DIR}/scripts/requirements.txt" tuff_arrow_pin REGEX "^pyarrow==")
string(REGEX REPLACE "^pyarrow==([0-9]+)\\..*" "\\1" tuff_arrow_major "${tuff_arrow_pin}")

set(TUFF_PYARROW_DIR "" CACHE PATH "Folder `pyarrow` of an unpacked wheel; empty: looked up in .cache/venv")

find_package(Arrow ${tuff_arrow_major} CONFIG QUIET)
if(Arrow_FOUND)
  find_package(Parquet ${tuff_arrow_major} CONFIG QUIET)
endif()
if(Arrow_FOUND AND Parquet_FOUND AND TARGET Arrow::arrow_shared AND TARGET Parquet::parquet_shared)
  set(TuffArrow_SOURCE package)
  set(TuffArrow_VERSION ${Arrow_VERSION})
  set(TuffArrow_LIBRARIES Arrow::arrow_shared Parquet::parquet_shared)
  if(NOT TARGET TuffArrow::arrow)
    add_library(TuffArrow::arrow ALIAS Arrow::arrow_shared)
    add_library(TuffArrow::parquet ALIAS Parquet::parquet_shared)
  endif()
else()
  set(tuff_arrow_wheel "${TUFF_PYARROW_DIR}")
  if(NOT tuff_arrow_wheel)
    file(GLOB tuff_arrow_wheels "${PROJECT_SOURCE_DIR}/.cache/venv/lib/python3.*/site-packages/pyarrow")
    if(tuff_arrow_wheels)
      list(GET tuff_arrow_wheels 0 tuff_arrow_wheel)
    endif()
  endif()
  set(tuff_arrow_suffix so.${tuff_arrow_major}00)
  if(tuff_arrow_wheel AND EXISTS "${tuff_arrow_wheel}/libparquet.${tuff_arrow_suffix}")
    set(TuffArrow_SOURCE wheel)
    file(STRINGS "${tuff_arrow_wheel}/include/arrow/util/config.h" tuff_arrow_line
         REGEX "#define ARROW_VERSION_STRING")
    string(REGEX REPLACE ".*\"(.*)\".*" "\\1" TuffArrow_VERSION "${tuff_arrow_line}")
    foreach(library arrow parquet)
      list(APPEND TuffArrow_LIBRARIES "${tuff_arrow_wheel}/lib${library}.${tuff_arrow_suffix}")
      if(NOT TARGET TuffArrow::${library})
        add_library(TuffArrow::${library} SHARED IMPORTED GLOBAL)
        set_target_properties(TuffArrow::${library} PROPERTIES
          IMPORTED_LOCATION "${tuff_arrow_wheel}/lib${library}.${tuff_arrow_suffix}"
          IMPORTED_SONAME lib${library}.${tuff_arrow_suffix}
          INTERFACE_INCLUDE_DIRECTORIES "${tuff_arrow_wheel}/include")
      endif()
    endforeach()
    set_target_properties(TuffArrow::parquet PROPERTIES INTERFACE_LINK_LIBRARIES TuffArrow::arrow)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TuffArrow
  REQUIRED_VARS TuffArrow_LIBRARIES VERSION_VAR TuffArrow_VERSION
  REASON_FAILURE_MESSAGE
    "neither CMake packages of Arrow and Parquet ${tuff_arrow_major} nor the wheel ${tuff_arrow_pin} in .cache/venv: run scripts/bootstrap.sh, or set TUFF_PYARROW_DIR, or build without tables (-DTUFF_BUILD_TABLE=OFF)")
