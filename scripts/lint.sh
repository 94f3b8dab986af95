#!/usr/bin/env bash
# What a reviewer should not have to say: format (every file), layers (every include), and clang-tidy on
# the sources that differ from the main branch, or on every source with `all`.
#
# Usage: lint.sh [all]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0

echo "== clang-format"
git ls-files -z -- '*.h' '*.cpp' '*.c' | xargs -0r clang-format --dry-run --Werror || status=1

echo "== check_layers"
.cache/venv/bin/python -B tools/check_layers.py || status=1

# Committed on this branch, changed, or new.
changed_files() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
  git diff --name-only --diff-filter=d "$base" -- '*.cpp'
  git ls-files --others --exclude-standard -- '*.cpp'
}

if [[ ${1:-} == all ]]; then
  mapfile -t files < <(git ls-files -- '*.cpp')
else
  mapfile -t files < <(changed_files | sort -u)
fi

echo "== clang-tidy"
cmake --preset dev >/dev/null || exit 1
# Only what the dev build compiles has a command line; benchmarks and the package project have none there.
mapfile -t compiled < <(
  for file in "${files[@]}"; do
    if grep -qF "\"file\": \"$PWD/$file\"" build/dev/compile_commands.json; then echo "$file"; fi
  done)
echo "${#compiled[@]} files"
if (( ${#compiled[@]} )); then
  printf '%s\0' "${compiled[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build/dev --quiet \
      2> >(grep -vE '^[0-9]+ warnings? generated' >&2) || status=1
fi
exit $status
