"""dask.array with its threaded scheduler on the cases of bench/arrays. Timed is what a user waits
for: building the expression, optimising and running it.

Inputs are persisted blocks, Dask's own form of data in memory; a wrapped NumPy array takes as long,
but holds a second copy. BLAS keeps to one thread inside a task, as Dask's manual asks. Systems
`dask-threads` and `dask-threads-keep` are this file under two allocators, see bench/README.md.
"""

import dask
import dask.array as da
import numpy as np
import workloads as w
from common.peer import Case, arguments, run
from dask._task_spec import Task


def blocks(x, chunks):
    """x as a persisted Dask array."""
    return da.from_array(x, chunks=chunks).persist()


def tasks(expression):
    """How many tasks the scheduler gets to run; names of blocks already there do not count."""
    (optimized,) = dask.optimize(expression)
    return sum(type(node) is Task for node in optimized.__dask_graph__().values())


def case(build, finish, size, bytes_, check):
    """A case that builds an expression and finishes it by compute or persist."""
    return Case(lambda: finish(build()), size, bytes_, check, tasks=tasks(build()))


def compute(expression):
    return expression.compute()


def persist(expression):
    return expression.persist()


def sum_(options):
    x = blocks(w.vector(options), w.CHUNK)
    return case(lambda: x.sum(), compute, x.size, w.BYTES_READ * x.size, w.check_scalar)


def expsum(options):
    x = blocks(w.vector(options), w.CHUNK)

    def build():
        return (da.exp(x) - 1 / x).sum()

    return case(build, compute, x.size, w.BYTES_READ * x.size, w.check_scalar)


def expmat(options):
    x = blocks(w.vector(options), w.CHUNK)

    def build():
        return da.exp(x) - 1 / x

    def check(y):
        return [v.compute() for v in w.check_kept(y)]

    return case(build, persist, x.size, w.BYTES_KEPT * x.size, check)


def lazy1e9(options):
    n = w.generated(options)

    def build():
        u = da.random.default_rng(1).random(n, chunks=w.CHUNK) + 0.5
        return (da.exp(u) - 1 / u).sum()

    return case(build, compute, n, 0, w.check_scalar)


def standardize(options):
    x = blocks(w.matrix(options), (w.ROW_CHUNK, w.COLUMNS))

    def build():
        return (x - x.mean(axis=0)) / x.std(axis=0)

    def check(z):
        return [v.compute() for v in w.check_standardized(z)]

    return case(build, persist, x.size, w.BYTES_STANDARDIZED * x.size, check)


def gradstep(options):
    X, y, b = w.regression(options)
    X = blocks(X, (w.ROW_CHUNK, w.COLUMNS))
    y = blocks(y, w.ROW_CHUNK)

    def build():
        return X.T @ (1 / (1 + da.exp(-(X @ b))) - y)

    return case(build, compute, X.size, w.BYTES_READ * (X.size + y.size), w.check_gradient)


CASES = {
    "sum": sum_,
    "expsum": expsum,
    "expmat": expmat,
    "lazy1e9": lazy1e9,
    "standardize": standardize,
    "gradstep": gradstep,
}

if __name__ == "__main__":
    options = arguments()
    dask.config.set(scheduler="threads", num_workers=options.threads)
    run("arrays", f"dask {dask.__version__}, numpy {np.__version__}", CASES, options)
