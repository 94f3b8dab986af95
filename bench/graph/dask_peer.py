"""dask.array on the cases of bench/graph: what it costs to build, optimise and run a graph whose
blocks are so small that nothing else matters.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dask
import dask.array as da
import numpy as np
from dask._task_spec import Task

from common.peer import Case, arguments, run, uniform

OPERATIONS = 50
BLOCK = 10


def source(options):
    """x: (1000, 1000) in 10,000 blocks of (10, 10), persisted."""
    side = 200 if options.quick else 1000
    x = uniform(side * side).reshape(side, side)
    return da.from_array(x, chunks=(BLOCK, BLOCK)).persist()


def chain(x):
    """25 times (y + 1) * 2."""
    y = x
    for i in range(OPERATIONS):
        y = y + 1 if i % 2 == 0 else y * 2
    return y


def materialised(expression):
    """The optimised graph with its tasks; the scheduler still has to order them."""
    (optimized,) = dask.optimize(expression)
    return dict(optimized.__dask_graph__())


def total(expression):
    return [expression.sum().compute()]


def build50(options):
    x = source(options)
    return Case(lambda: chain(x), x.size, 0, total, check_every=False)


def optimize50(options):
    x = source(options)
    y = chain(x)
    tasks = sum(type(node) is Task for node in materialised(y).values())

    def check(graph):
        keys = [key for row in y.__dask_keys__() for key in row]
        return [sum(block.sum() for block in dask.get(graph, keys))]

    return Case(lambda: materialised(y), x.size, 0, check, tasks=tasks, check_every=False)


def compute50(options):
    x = source(options)
    tasks = sum(type(node) is Task for node in materialised(chain(x).sum()).values())
    return Case(lambda: chain(x).sum().compute(), x.size, 8 * x.size, lambda s: [s], tasks=tasks)


def shared(options):
    """100 times y + 1 on ones in 1000 blocks."""
    y = da.ones(400 if options.quick else 10_000, chunks=10)
    for _ in range(100):
        y = y + 1
    return y


def share100_build(options):
    size = 400 if options.quick else 10_000
    return Case(lambda: shared(options), size, 0, total, check_every=False)


def share100_optimize(options):
    y = shared(options)

    def check(graph):
        return [sum(block.sum() for block in dask.get(graph, y.__dask_keys__()))]

    return Case(lambda: materialised(shared(options)), y.size, 0, check, check_every=False)


def expr2d(options):
    x = source(options)
    return Case(
        lambda: ((x + x.T) - x.mean(axis=0)).std(axis=1).compute(), x.size, 0, lambda v: [v.sum()]
    )


CASES = {
    "build50": build50,
    "optimize50": optimize50,
    "compute50": compute50,
    "share100/build": share100_build,
    "share100/optimize": share100_optimize,
    "expr2d": expr2d,
}

if __name__ == "__main__":
    options = arguments()
    dask.config.set(scheduler="threads", num_workers=options.threads)
    run("graph", f"dask {dask.__version__}, numpy {np.__version__}", CASES, options)
