"""numexpr on the cases of bench/arrays: the element-wise part is one numexpr call, which blocks it
for the cache and uses threads; means, products and random numbers are NumPy's, as numexpr has none.
Its own `sum` is serial.
"""

import numexpr as ne
import numpy as np
import workloads as w
from common.peer import Case, arguments, run


def sum_(options):
    x = w.vector(options)
    return Case(
        lambda: ne.evaluate("sum(x)", {"x": x}), x.size, w.BYTES_READ * x.size, w.check_scalar
    )


def expsum(options):
    x = w.vector(options)

    def call():
        return ne.evaluate("sum(exp(x) - 1 / x)", {"x": x})

    return Case(call, x.size, w.BYTES_READ * x.size, w.check_scalar)


def expmat(options):
    x = w.vector(options)

    def call():
        return ne.evaluate("exp(x) - 1 / x", {"x": x})

    return Case(call, x.size, w.BYTES_KEPT * x.size, w.check_kept)


def lazy1e9(options):
    n = w.generated(options)

    def call():
        generator = np.random.default_rng(1)
        total = 0.0
        for _ in range(n // w.CHUNK):
            u = generator.random(w.CHUNK)
            total += float(ne.evaluate("sum(exp(u + 0.5) - 1 / (u + 0.5))", {"u": u}))
        return total

    return Case(call, n, 0, w.check_scalar)


def standardize(options):
    x = w.matrix(options)

    def call():
        return ne.evaluate("(x - m) / s", {"x": x, "m": x.mean(axis=0), "s": x.std(axis=0)})

    return Case(call, x.size, w.BYTES_STANDARDIZED * x.size, w.check_standardized)


def gradstep(options):
    X, y, b = w.regression(options)

    def call():
        return X.T @ ne.evaluate("1 / (1 + exp(-eta)) - y", {"eta": X @ b, "y": y})

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
    options = arguments()
    ne.set_num_threads(options.threads)
    run("arrays", f"numexpr {ne.__version__}, numpy {np.__version__}", CASES, options)
