"""What every Python peer shares: its arguments, the inputs, and the line it prints per repeat.

bench/common/bench.h is the same for native programs, bit for bit in the inputs. A peer calls
run() with a table of cases; each case sets up its inputs untimed and returns a Case, whose `call`
is what is timed.
"""

import argparse
import json
import math
import resource
import time
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np


@dataclass
class Case:
    """One workload, ready to be timed."""

    call: Callable[[], Any]
    elements: int
    bytes: int
    check: Callable[[Any], list[float]]  # what `call` returned -> a few figures to compare
    tasks: int = 0
    check_every: bool = True  # off where the check costs far more than the call
    extra: Callable[[], dict] = dict  # keys that only some rows have, of the last call
    per: int = 1  # what the seconds are divided by, where the figure is a time per task


def unit(count, first=0):
    """Uniform in [0, 1) for each of the indices first .. first + count."""
    x = np.empty(count)
    step = 1 << 15  # 256 KiB: the passes below stay in the second-level cache
    for start in range(0, count, step):
        stop = min(start + step, count)
        z = np.arange(first + start + 1, first + stop + 1, dtype=np.uint64)
        z ^= z >> np.uint64(33)
        z *= np.uint64(0xFF51AFD7ED558CCD)
        z ^= z >> np.uint64(33)
        z *= np.uint64(0xC4CEB9FE1A85EC53)
        z ^= z >> np.uint64(33)
        z >>= np.uint64(11)
        np.multiply(z, 2.0**-53, out=x[start:stop])
    return x


def uniform(count, first=0):
    """Elements first .. first + count of the input: uniform in [0.5, 1.5)."""
    x = unit(count, first)
    x += 0.5
    return x


def logistic(rows, columns):
    """The data of a logistic regression without intercept and coefficients -1, 0, 1, 2, 0, ...

    X (rows, columns) uniform in [0, 1), y (rows,) bool. bench_logistic in bench.h says how equal
    they are in all languages.
    """
    X = unit(rows * columns).reshape(rows, columns)
    y = np.empty(rows, dtype=bool)
    step = 1 << 15
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        eta = X[start:stop, :4] @ np.array([-1.0, 0.0, 1.0, 2.0])
        y[start:stop] = unit(stop - start, rows * columns + start) < 1 / (1 + np.exp(-eta))
    return X, y


INTERCEPT = -0.25  # of the point of a pass in bench/glm


def coefficients(count):
    """The coefficients of `gradstep`, and of the point of a pass in bench/glm.

    Small, of both signs, not adding up to zero.
    """
    j = np.arange(count)
    return np.where(j % 2 == 0, 0.06, -0.05) * (1 + j % 4)


def forget_peak_rss():
    """Lets peak_rss start again from what is resident now."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as switch:
        switch.write("5")


def peak_rss():
    """Largest resident set of this process since forget_peak_rss(), in bytes.

    Not from getrusage: its figure never falls, and starts at that of the process that called exec.
    """
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def arguments():
    """--system S --case C --threads T --repeats R [--quick]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True)
    parser.add_argument("--case", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args()


def run(bench, version, cases, options):
    """Times one cold and options.repeats warm calls of a case and prints a line for each."""
    case = cases[options.case](options)
    value = figures = None
    for repeat in range(options.repeats + 1):
        value = None  # the last result is given back before the clock starts, as a user's would be
        forget_peak_rss()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = time.perf_counter()
        value = case.call()
        seconds = time.perf_counter() - start
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        peak = peak_rss()
        if figures is None or case.check_every:
            figures = [float(v) for v in case.check(value)]
        row = case.extra() | {
            "bench": bench,
            "case": options.case,
            "system": options.system,
            "threads": options.threads,
            "tasks": case.tasks,
            "seconds": seconds / case.per,
            "bytes": case.bytes,
            "peak_rss": peak,
            "result": [v if math.isfinite(v) else None for v in figures],
            "state": "warm" if repeat else "cold",
            "repeat": repeat,
            "elements": case.elements,
            "faults": faults,
            "version": version,
        }
        print(json.dumps(row), flush=True)
