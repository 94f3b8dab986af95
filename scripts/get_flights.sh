#!/usr/bin/env bash
# Gets the public flights data, 3,000,000 US flights from January to June, into .cache/data/flights-3m.parquet: columns
# date (text, MMDDhhmm), delay and distance (int64, minutes and miles), origin and destination (text).
# It comes out of the npm package vega-datasets. Does nothing when the file is there; checks its hash.
#
# Usage: get_flights.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=vega-datasets@2.11.0
member=package/data/flights-3m.parquet
target=.cache/data/flights-3m.parquet
hash=756f1be82d0dbbb9acc77c3bdbcb9b994054a157ea09357a731395b6948ebf69

say() { echo "get_flights: $*" >&2; }
is_right() { [[ $(sha256sum <"$1") == "$hash  -" ]]; }

mkdir -p .cache/data
# Two may start at once; the second waits here and then finds the file.
exec 9>.cache/data/lock
flock 9

if [[ -f $target ]]; then
  if is_right "$target"; then exit 0; fi
  say "$target has another hash than $hash; getting it again"
fi
if ! command -v npm >/dev/null; then
  say "npm is needed (Debian package npm); or put the file $member of $package at $target yourself"
  exit 1
fi

work=$(mktemp -d .cache/data/part.XXXXXX)
trap 'rm -rf "$work"' EXIT
if ! (cd "$work" && npm pack "$package" >npm.log 2>&1); then
  say "could not get $package; without a network, put its file $member at $target yourself"
  tail -n 3 "$work/npm.log" >&2
  exit 1
fi
tar -xzf "$work"/vega-datasets-*.tgz -C "$work" "$member"
if ! is_right "$work/$member"; then
  say "$member of $package has the hash $(sha256sum <"$work/$member" | cut -d' ' -f1); $hash is wanted"
  exit 1
fi
mv "$work/$member" "$target"
say "$target is here ($(stat -c %s "$target") bytes)"
