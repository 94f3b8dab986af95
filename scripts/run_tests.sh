#!/usr/bin/env bash
# All tests: the release build with everything, then the address and undefined-behaviour sanitizers on
# all but the slow tests, then the thread sanitizer on what threads share (see CMakePresets.json).
# Then the minutes that each part took. The last line sums up all runs, as `N passed, N failed` with
# `, N skipped` when there are any; ends with 1 when anything failed. A build that fails counts as one failed
# test.
#
# Usage: run_tests.sh [PRESET...]    (by default: release asan tsan)
#        run_tests.sh --changed      the release tests of the layers that differ from the main branch's last
#                                    commit (or, on it, from the one before), and flow, errors and conform
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

jobs=$(nproc)
passed=0 failed=0 skipped=0

# Folders of tests/ that look at what changed: those of the same name as a layer, and those above all layers.
changed_folders() {
  local base folder
  base=$(git merge-base HEAD main 2>/dev/null) || base=HEAD
  [[ $base != "$(git rev-parse HEAD)" ]] || base=HEAD~1
  { git diff --name-only "$base"; git ls-files --others --exclude-standard; } |
    sed -nE 's#^(tuff|tests)/([^/]+)/.*#\2#p; s#^tuff/[^/]*$#compute#p' |
    { cat; printf '%s\n' conform errors flow; } | sort -u |
    while read -r folder; do
      if compgen -G "tests/$folder/*_test.cpp" >/dev/null; then echo "$folder"; fi
    done
}

presets=("$@") build_targets=() ctest_filter=()
if [[ ${1-} == --changed ]]; then
  presets=(release)
  mapfile -t folders < <(changed_folders)
  echo "== folders of tests: ${folders[*]}"
  build_targets=(--target "${folders[@]/#/tuff_test_}")
  ctest_filter=(-L "^($(IFS='|'; echo "${folders[*]}"))\$")
fi
(( ${#presets[@]} )) || presets=(release asan tsan)

# What took how long, for the lines before the last.
parts=() last=$SECONDS
end_part() {
  parts+=("$(printf '%6.1f min  %s' "$(( (SECONDS - last) * 10 / 60 ))e-1" "$1")")
  last=$SECONDS
}

# The value of one attribute of the <testsuite> element that heads a JUnit report.
attribute() { sed -n "/<testsuite/,/>/ s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$2" | head -n 1; }

# Leaves failures and the summary of ctest's two lines per test.
without_passes() { grep -vE '^ +Start +[0-9]+: |^ *[0-9]+/[0-9]+ Test .*( Passed |\*\*\*Skipped )'; }

# GCC 12's thread sanitizer cannot place its shadow memory on kernels that randomise addresses by more
# than 28 bits; without randomisation it always can. Containers may forbid switching it off.
fixed_addresses=()
if setarch -R true 2>/dev/null; then fixed_addresses=(setarch -R); fi

for preset in "${presets[@]}"; do
  echo "== $preset: build"
  log=build/$preset/build.log report=$PWD/build/$preset/tests.xml
  mkdir -p "build/$preset"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs" "${build_targets[@]}"; } \
      >"$log" 2>&1; then
    grep -E -A 12 'FAILED:|error:|Error' "$log" | head -n 80
    echo "== $preset: the build failed; everything it said is in $log"
    failed=$((failed + 1))
    continue
  fi

  end_part "$preset: build"
  echo "== $preset: test"
  rm -f "$report"
  status=0
  "${fixed_addresses[@]}" ctest --preset "$preset" -j "$jobs" "${ctest_filter[@]}" --output-junit "$report" |
    without_passes || status=${PIPESTATUS[0]}
  end_part "$preset: test"
  if [[ ! -f $report ]]; then
    echo "== $preset: ctest made no report"
    failed=$((failed + 1))
    continue
  fi
  tests=$(attribute tests "$report") failures=$(attribute failures "$report")
  not_run=$(( $(attribute skipped "$report") + $(attribute disabled "$report") ))
  if (( status != 0 && failures == 0 )); then
    echo "== $preset: ctest ended with $status though no test failed"
    failed=$((failed + 1))
  fi
  failed=$((failed + failures))
  skipped=$((skipped + not_run))
  passed=$((passed + tests - failures - not_run))
done

printf '%s\n' "${parts[@]}"
summary="$passed passed, $failed failed"
(( skipped == 0 )) || summary+=", $skipped skipped"
echo "$summary"
(( failed == 0 && passed > 0 ))
