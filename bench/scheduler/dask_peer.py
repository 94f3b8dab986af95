"""dask's threaded scheduler on the graphs of graphs.h, given as its own Task nodes.

The graph is made before the clock starts; `get` itself orders it, as every compute does.
"""

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dask
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.threaded import get

from common.peer import Case, arguments, run

PIPELINES, BLOCKS, ELEMENTS = 4, 100, 125_000


def value(*read):
    """What each task yields."""
    return (1 + sum(read)) & 0xFFFFFFFF


# ------------------------------------------------------------- shapes: for each task, what it reads


def indep(size):
    return [[] for _ in range(size)]


def chain(size):
    return [[t - 1] if t else [] for t in range(size)]


def tree(leaves):
    reads = indep(leaves)
    low, high = 0, leaves
    while high - low > 1:
        reads += [list(range(t, min(t + 2, high))) for t in range(low, high, 2)]
        low, high = high, len(reads)
    return reads


def grid(side):
    return [
        [side * (i - 1) + j] * (i > 0) + [side * i + j - 1] * (j > 0)
        for i in range(side)
        for j in range(side)
    ]


def shape_case(reads, options):
    graph = {t: Task(t, value, *map(TaskRef, read)) for t, read in enumerate(reads)}
    read = {r for row in reads for r in row}
    ends = [t for t in graph if t not in read]
    return Case(
        lambda: get(graph, ends, num_workers=options.threads),
        len(graph),
        0,
        lambda values: [float(sum(values))],
        tasks=len(graph),
        per=len(graph),
    )


# ------------------------------------------------------------- pipelines


class CountedBlock:
    """A block of data, counted as long as it is there."""

    lock = threading.Lock()
    live = most = 0

    def __init__(self, data):
        self.data = data
        with CountedBlock.lock:
            CountedBlock.live += 1
            CountedBlock.most = max(CountedBlock.most, CountedBlock.live)

    def __del__(self):
        with CountedBlock.lock:
            CountedBlock.live -= 1


def load(block):
    return CountedBlock(block + np.arange(ELEMENTS) % 8.0)


def work(block):
    return CountedBlock(2 * block.data + 1)


def reduce(block):
    return float(block.data.sum())


def pipelines(options):
    graph = {}
    for p in range(PIPELINES):
        for b in range(BLOCKS):
            graph["load", p, b] = Task(("load", p, b), load, 100 * p + b)
            graph["work", p, b] = Task(("work", p, b), work, TaskRef(("load", p, b)))
            graph["reduce", p, b] = Task(("reduce", p, b), reduce, TaskRef(("work", p, b)))
        parts = List(*(TaskRef(("reduce", p, b)) for b in range(BLOCKS)))
        graph["total", p] = Task(("total", p), sum, parts)

    def call():
        CountedBlock.most = 0
        return get(graph, [("total", p) for p in range(PIPELINES)], num_workers=options.threads)

    elements = PIPELINES * BLOCKS * ELEMENTS
    most = lambda: {"peak_live": CountedBlock.most}
    return Case(call, elements, 0, list, tasks=len(graph), extra=most)


def sized(make, full, quick):
    return lambda options: shape_case(make(quick if options.quick else full), options)


CASES = {
    "indep1e5": sized(indep, 100_000, 10_000),
    "indep1e6": sized(indep, 1_000_000, 100_000),
    "chain1e5": sized(chain, 100_000, 10_000),
    "tree": sized(tree, 100_000, 10_000),
    "grid": sized(grid, 300, 100),
    "pipelines": pipelines,
}

if __name__ == "__main__":
    run("scheduler", f"dask {dask.__version__}", CASES, arguments())
