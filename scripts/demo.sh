#!/usr/bin/env bash
# The demonstration behind `make demo`: a logistic regression on three million real flights, from the file
# to a report, then one on ten million rows that are made up. Needs the build; the flights file comes over
# the network once (scripts/get_flights.sh), and is left out when it cannot be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/release
flights=.cache/data/flights-3m.parquet

if scripts/get_flights.sh; then
  echo
  echo "== Which flights are more than 15 minutes late? 3,000,000 flights, by distance in miles"
  command=("$build/bin/tuff" glm fit "$flights" --target 'delay > 15' --features distance --family logistic
           --solver newton --json build/fit.json --report build/fit.html)
  echo "   ${command[*]/#delay*/"'delay > 15'"}"
  "${command[@]}"
else
  echo "demo: without the flights file; going on with data that are made up"
fi

echo "== The workload of dask/dask-glm#26: 10,000,000 x 4 uniform numbers in 100 blocks"
"$build/examples/logistic"
