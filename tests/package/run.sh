#!/usr/bin/env bash
# Installs a finished build into an empty prefix, then configures, builds and runs the project beside
# this script against that prefix alone.
#
# Usage: run.sh CMAKE BUILD_DIR CXX_COMPILER
set -euo pipefail

cmake=$1 build_dir=$2 compiler=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$build_dir/package

rm -rf "$work"
"$cmake" --install "$build_dir" --prefix "$work/prefix"
# A copy, so that nothing can be found by way of the source tree.
mkdir "$work/project"
cp "$here/CMakeLists.txt" "$here"/*.cpp "$work/project/"
"$cmake" -S "$work/project" -B "$work/project/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$work/prefix"
"$cmake" --build "$work/project/build"
"$work/project/build/uses_tuff"
if [[ -x $work/project/build/uses_table ]]; then
  "$work/project/build/uses_table" "$work"
fi
