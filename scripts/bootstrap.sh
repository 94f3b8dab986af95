#!/usr/bin/env bash
# Brings what building and testing Tuff needs and this machine lacks: Debian packages (as root or
# through sudo) and Python environments under .cache/. Called by every make target that needs it. Asks
# nothing, says what it installs, names what it could not get, and does nothing when nothing is missing.
#
# Usage: bootstrap.sh [demo] [test] [dev] [clang] [arm] [bench]
#   demo   also npm, which brings the flights file, unless that or npm is there
#   test   also a browser, unless there is one
#   dev    also what `make format` and `make lint` need
#   clang  also the oldest and the newest Clang that we build with
#   arm    also a compiler for 64-bit ARM, that processor's libraries beside this machine's, and an emulator
#   bench  also bench/packages.txt and the environment .cache/bench-venv (bench/requirements.txt)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

libraries=(libhwy-dev libsleef-dev libopenblas-dev libfmt-dev libxxhash-dev liblz4-dev libgtest-dev libgmock-dev)
required=(g++ make cmake ninja-build pkg-config python3 python3-venv "${libraries[@]}" libcli11-dev nlohmann-json3-dev)
optional=(ccache)
browser=()
other_processor=
with_bench=no
for word in "$@"; do
  case $word in
    demo)
      if [[ ! -f .cache/data/flights-3m.parquet ]] && ! command -v npm >/dev/null; then
        optional+=(npm)
      fi ;;
    test)
      required+=(graphviz)  # draws what render() is asked for
      # In which the tests look at the report: docs/decisions/0010-report-and-browser-test.md
      for name in chromium chromium-headless-shell chromium-browser google-chrome; do
        command -v "$name" >/dev/null && continue 2
      done
      browser=(chromium) ;;
    dev) required+=(clang-format clang-tidy git) ;;
    clang) required+=(clang-14 clang-16) ;;
    arm)
      other_processor=arm64
      required+=(g++-aarch64-linux-gnu qemu-user "${libraries[@]/%/:arm64}") ;;
    bench)
      with_bench=yes
      if [[ -f bench/packages.txt ]]; then
        mapfile -t -O "${#required[@]}" required < <(sed 's/#.*//' bench/packages.txt | xargs -rn1)
      fi ;;
    *) echo "bootstrap: unknown word '$word'; known: demo, test, dev, clang, arm, bench" >&2; exit 2 ;;
  esac
done

say() { echo "bootstrap: $*"; }

# Two builds may start at once; the second waits here and then finds nothing to do.
mkdir -p .cache
exec 9>.cache/bootstrap.lock
flock 9

# --- Debian packages ---

# Prints those of its arguments that are not installed. Packages of another processor are name:processor.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f='${Package}:${Architecture} ${db:Status-Status}\n' "$@" 2>/dev/null |
              sed -nE "s/(:all|:$(dpkg --print-architecture))? installed$//p") || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

# Its hundreds of lines go to a log; of a failure, the errors are shown.
apt_get() {
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" \
      </dev/null &>.cache/apt.log; then
    grep -E '^(E|W|dpkg):' .cache/apt.log >&2 || true
    return 1
  fi
}

install_missing() {
  local missing
  mapfile -t missing < <(missing_of "${required[@]}" "${optional[@]}" "${browser[@]}")
  (( ${#missing[@]} )) || return 0
  if ! command -v apt-get >/dev/null; then
    say "this machine has no apt-get; please install: ${missing[*]}" >&2
    return 0
  fi
  as_root=()
  if (( EUID != 0 )); then
    if ! command -v sudo >/dev/null; then
      say "neither root nor sudo: cannot install ${missing[*]}" >&2
      return 0
    fi
    as_root=(sudo)
  fi
  say "installing Debian packages: ${missing[*]}"
  if [[ -n $other_processor ]]; then "${as_root[@]}" dpkg --add-architecture "$other_processor"; fi
  apt_get update || say "apt-get update failed; going on with the package lists that are here" >&2
  if ! apt_get install -y --no-install-recommends "${missing[@]}"; then
    # One by one, so that a single name that cannot be had does not keep the others away.
    local package
    for package in "${missing[@]}"; do
      apt_get install -y --no-install-recommends "$package" || true
    done
  fi
}

if command -v dpkg-query >/dev/null; then
  install_missing
  mapfile -t lacking < <(missing_of "${required[@]}")
  mapfile -t lacking_optional < <(missing_of "${optional[@]}")
  if (( ${#lacking_optional[@]} )); then
    say "could not get ${lacking_optional[*]}; going on without" >&2
  fi
  if (( ${#browser[@]} )) && ! command -v chromium >/dev/null; then
    say "could not get chromium; diagnostics.report_browser_test will fail" >&2
  fi
  if (( ${#lacking[@]} )); then
    say "could not get: ${lacking[*]}" >&2
    exit 1
  fi
else
  say "not a Debian system: packages are not checked (needed: ${required[*]})" >&2
fi

# --- Python environments ---

# The first python3 >= 3.11 on PATH; Debian's own may be shadowed by an older or a newer one.
find_python() {
  local candidate
  while read -r candidate; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null &>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done < <(type -ap python3)
  return 1
}

# make_environment FOLDER REQUIREMENTS: makes or renews FOLDER so that it holds what REQUIREMENTS says.
# The stamp is the hash of REQUIREMENTS; it is written last, so an interrupted install starts again.
make_environment() {
  local folder=$1 requirements=$2 stamp python
  stamp=$(sha256sum <"$requirements")
  if [[ -f $folder/stamp && $(<"$folder/stamp") == "$stamp" ]] && "$folder/bin/python" -c '' 2>/dev/null
  then
    return 0
  fi
  if ! python=$(find_python); then
    say "no python3 >= 3.11 on PATH" >&2
    exit 1
  fi
  say "making $folder with $("$python" --version): $(sed 's/#.*//' "$requirements" | xargs)"
  rm -rf "$folder"
  if ! "$python" -m venv "$folder" ||
     ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
         -r "$requirements"; then
    say "could not make $folder from $requirements" >&2
    exit 1
  fi
  printf '%s\n' "$stamp" >"$folder/stamp"
}

make_environment .cache/venv scripts/requirements.txt
if [[ $with_bench == yes ]]; then
  make_environment .cache/bench-venv bench/requirements.txt
fi
