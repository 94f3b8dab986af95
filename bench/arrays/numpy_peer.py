"""NumPy on the cases of bench/arrays, written as its users write them: one thread, except where
its BLAS takes more (the two products of `gradstep`).

Systems `numpy` and `numpy-keep` are this file under two allocators, see bench/README.md.
"""

import numpy as np
import workloads as w
from common.peer import Case, arguments, run


def sum_(options):
    x = w.vector(options)
    return Case(lambda: x.sum(), x.size, w.BYTES_READ * x.size, w.check_scalar)


def expsum(options):
    x = w.vector(options)
    return Case(lambda: (np.exp(x) - 1 / x).sum(), x.size, w.BYTES_READ * x.size, w.check_scalar)


def expmat(options):
    x = w.vector(options)
    return Case(lambda: np.exp(x) - 1 / x, x.size, w.BYTES_KEPT * x.size, w.check_kept)


def lazy1e9(options):
    n = w.generated(options)

    def call():
        generator = np.random.default_rng(1)
        total = 0.0
        for _ in range(n // w.CHUNK):
            u = generator.random(w.CHUNK) + 0.5
            total += (np.exp(u) - 1 / u).sum()
        return total

    return Case(call, n, 0, w.check_scalar)


def standardize(options):
    x = w.matrix(options)

    def call():
        return (x - x.mean(axis=0)) / x.std(axis=0)

    return Case(call, x.size, w.BYTES_STANDARDIZED * x.size, w.check_standardized)


def gradstep(options):
    X, y, b = w.regression(options)

    def call():
        return X.T @ (1 / (1 + np.exp(-(X @ b))) - y)

    return Case(call, X.size, w.BYTES_READ * (X.size + y.size), w.check_gradient)


CASES = {
    "sum": sum_,
    "expsum": expsum,
    "expmat": expmat,
    "lazy1e9": lazy1e9,
    "standardize": standardize,
    "gradstep": gradstep,
}

if __name__ == "__main__":
    run("arrays", f"numpy {np.__version__}", CASES, arguments())
