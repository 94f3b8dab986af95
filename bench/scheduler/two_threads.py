#!/usr/bin/env python3
"""Compares tuff on two threads with tuff on one: processes of the two by turns, and the ratio of each pair.

    bench/scheduler/two_threads.py [PAIRS] [CASE ...]

A process may be half as fast as the next one (where its pages lie, what the neighbours of a guest do), which lasts for
seconds: neighbours in time are alike, so the median of their ratios moves less than the ratio of medians.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "build/bench/bench/scheduler/tuff_scheduler"
CASES = ["indep1e5", "indep1e6", "chain1e5", "tree", "grid", "random1e5", "random1e6"]


def nanoseconds(case, threads):
    command = [PROGRAM, "--case", case, "--threads", str(threads), "--repeats", "9"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return 1e9 * statistics.median(row["seconds"] for row in rows if row["repeat"] > 0)


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print("| case      | 1 thread, ns | 2 threads, ns | ratio of pairs (quartiles) |")
    print("| --------- | ------------ | ------------- | -------------------------- |")
    for case in sys.argv[2:] or CASES:
        one, two = [], []
        for pair in range(pairs):
            for threads in (1, 2) if pair % 2 else (2, 1):
                (one if threads == 1 else two).append(nanoseconds(case, threads))
        ratios = sorted(b / a for a, b in zip(one, two))
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"| {case:<9} | {statistics.median(one):<12.1f} | {statistics.median(two):<13.1f} "
              f"| {f'{middle:.2f} ({low:.2f} to {high:.2f})':<26} |", flush=True)


if __name__ == "__main__":
    main()
