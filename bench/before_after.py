#!/usr/bin/env python3
"""Compares this tree with another checkout of Tuff: processes of the two by turns, and the ratio of each pair.

    bench/before_after.py OTHER [--pairs N] [--repeats N] QUESTION[:CASE,CASE] ...

Both need `cmake --preset bench && cmake --build --preset bench`. Cases that only one of them knows are left out. A
process may be half as fast as the next one (where its pages lie, what the neighbours of a guest do), which lasts for
seconds: neighbours in time are alike, so the median of their ratios moves less than the ratio of medians. A ratio
below 1 means that this tree is faster.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def plans(question):
    """(case, program, threads) of what Tuff runs there by itself."""
    text = json.loads((ROOT / "bench" / question / "question.json").read_text())
    system = text["systems"]["tuff"]
    for case, options in text["cases"].items():
        if "tuff" not in options.get("systems", ["tuff"]) or case in system.get("python_by_case", {}):
            continue
        program = system.get("program_by_case", {}).get(case, system["program"])
        for threads in system.get("threads_by_case", {}).get(case, system["threads"]):
            yield case, program, threads


def seconds(root, question, program, case, threads, repeats):
    """The median of a process's warm repeats; None when it does not know the case."""
    command = [root / "build/bench/bench" / question / program, "--case", case, "--threads", str(threads)]
    done = subprocess.run([*command, "--repeats", str(repeats)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return statistics.median([row["seconds"] for row in rows if row["repeat"] > 0] or [rows[-1]["seconds"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print("| question | case | threads | before | after | ratio of pairs (quartiles) |")
    print("| -------- | ---- | ------- | ------ | ----- | -------------------------- |")
    for wanted in arguments.questions:
        question, _, cases = wanted.partition(":")
        for case, program, threads in plans(question):
            if cases and case not in cases.split(","):
                continue
            before, after = [], []
            for pair in range(arguments.pairs):
                sides = [(arguments.other, before), (ROOT, after)]
                for root, into in sides if pair % 2 else reversed(sides):
                    into.append(seconds(root, question, program, case, threads, arguments.repeats))
            if None in before + after:
                print(f"{question} {case}: not run by both", file=sys.stderr)
                continue
            low, middle, high = statistics.quantiles([b / a for a, b in zip(before, after)], n=4)
            print(f"| {question} | {case} | {threads} | {statistics.median(before):.3g} s "
                  f"| {statistics.median(after):.3g} s | {middle:.3f} ({low:.2f} to {high:.2f}) |", flush=True)


if __name__ == "__main__":
    main()
