"""dask's passes on low-level graphs, on the cases of tuff_tasks.cpp: 510,000 tasks culled, fused and
written out, and 100 trivial tasks computed.

Graphs of tuples, as dask.optimization has them; 50 steps on 10,000 blocks.
"""

import sys
from operator import add, mul
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dask
import dask.array as da
import numpy as np
from dask.optimization import cull, fuse

from common.peer import Case, arguments, run

STEPS = 50


def source(block):
    return float(block % 7)


def chains(quick):
    """One chain of 50 steps per block, and the keys of the ends."""
    names = [("ones", "add", "mul")[0 if s == 0 else 1 if s % 2 else 2] + f"-{s}" for s in range(STEPS + 1)]
    graph, ends = {}, []
    for b in range(400 if quick else 10_000):
        graph[(names[0], b)] = (source, b)
        for s in range(1, STEPS + 1):
            graph[(names[s], b)] = (add, (names[s - 1], b), 1) if s % 2 else (mul, (names[s - 1], b), 2)
        ends.append((names[STEPS], b))
    return graph, ends


def total(graph, ends):
    return [sum(dask.get(dict(graph), ends))]


def fuse510k(options):
    graph, ends = chains(options.quick)
    return Case(
        lambda: fuse(graph, keys=ends, ave_width=1)[0], len(graph), 0, lambda g: total(g, ends),
        tasks=len(graph), check_every=False,
    )


def cull510k(options):
    graph, ends = chains(options.quick)
    return Case(
        lambda: cull(graph, ends)[0], len(graph), 0, lambda g: total(g, ends), tasks=len(graph),
        check_every=False,
    )


def lower510k(options):
    """An array's 50 operations on as many blocks, unoptimised, written out as tasks."""
    blocks = 400 if options.quick else 10_000
    x = da.from_array(np.arange(blocks) % 7.0, chunks=1)

    def call():
        # Built anew each time, since a graph keeps the tasks that it has once written out.
        y = x
        for s in range(1, STEPS + 1):
            y = y + 1 if s % 2 else y * 2
        return dict(y.__dask_graph__()), y.__dask_keys__()

    def check(made):
        return [float(sum(block.sum() for block in dask.get(*made)))]

    tasks = blocks * (STEPS + 1)
    return Case(call, tasks, 0, check, tasks=tasks, check_every=False)


def plan100(options):
    """A fresh compute each time: Dask has no plans. The threaded scheduler, as elsewhere."""
    graph = {"end": (sum, [f"x{i}-8" for i in range(11)])}
    for i in range(11):
        graph[f"x{i}-0"] = (source, i)
        graph |= {f"x{i}-{s}": (add, f"x{i}-{s - 1}", 1) for s in range(1, 9)}
    get = dask.threaded.get
    return Case(
        lambda: get(graph, "end", num_workers=options.threads), len(graph), 0, lambda v: [v],
        tasks=len(graph),
    )


CASES = {"fuse510k": fuse510k, "cull510k": cull510k, "lower510k": lower510k, "plan100": plan100}

if __name__ == "__main__":
    run("graph", f"dask {dask.__version__}", CASES, arguments())
