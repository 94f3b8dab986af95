"""dask.order on the cases order/... of bench/graph: the graphs of tuff_order.cpp, task by task."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dask
import numpy as np
from dask._task_spec import Task, TaskRef
from dask.order import diagnostics, order

from common.peer import Case, arguments, run

WINDOW = 1000  # how far back a task of `random` reads
WIDTH, READS = 2000, 5  # tasks in a layer of `crosstalk`, and what each reads of the layer before


def hashes(count):
    """bench_hash of bench.h for 0 .. count - 1."""
    z = np.arange(1, count + 1, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    z = (z ^ (z >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return (z ^ (z >> np.uint64(33))).tolist()


def indep(size):
    return [[] for _ in range(size)]


def chain(size):
    return [[t - 1] if t else [] for t in range(size)]


def tree(size):
    """`size` leaves, joined in pairs."""
    graph = [[] for _ in range(size)]
    low, high = 0, size
    while high - low > 1:
        graph += [list(range(t, min(t + 2, high))) for t in range(low, high, 2)]
        low, high = high, len(graph)
    return graph


def grid(size):
    """A square of `size` tasks; each reads the one above and the one to the left."""
    side = round(size**0.5)
    return [
        [side * i + j - side] * (i > 0) + [side * i + j - 1] * (j > 0)
        for i in range(side)
        for j in range(side)
    ]


def random(size):
    """Each task reads up to four of the thousand before it."""
    drawn = hashes(8 * size)
    graph = []
    for t in range(size):
        reach = min(t, WINDOW)
        reads = drawn[8 * t] % 5 if t else 0
        graph.append([t - 1 - drawn[8 * t + r + 1] % reach for r in range(reads)])
    return graph


def crosstalk(size):
    """Layers of 2000 tasks, each of which reads five of the layer before."""
    drawn = hashes(READS * size)
    return [
        [WIDTH * (t // WIDTH - 1) + drawn[READS * t + r] % WIDTH for r in range(READS)]
        if t >= WIDTH
        else []
        for t in range(size)
    ]


# Tasks, or leaves; a quick run has a tenth.
SHAPES = {
    "order/indep": (indep, 100_000),
    "order/chain": (chain, 100_000),
    "order/tree": (tree, 100_000),
    "order/grid": (grid, 90_000),
    "order/random": (random, 20_000),
    "order/crosstalk": (crosstalk, 40_000),
}


def case(options):
    make, size = SHAPES[options.case]
    inputs = make(size // 10 if options.quick else size)
    graph = {
        t: Task(t, min, *(TaskRef(i) for i in dict.fromkeys(reads)))
        for t, reads in enumerate(inputs)
    }

    def check(positions):
        return [max(diagnostics(graph, positions)[1])]

    return Case(
        lambda: order(graph), len(graph), 0, check, tasks=len(graph), check_every=False
    )


if __name__ == "__main__":
    run("graph", f"dask {dask.__version__}", dict.fromkeys(SHAPES, case), arguments())
