"""NumPy on the passes of bench/glm, on one block, written as its users write them: each operation
goes over all rows; its BLAS takes the threads it is given.
"""

import numpy as np
import workloads as w
from common.peer import INTERCEPT, Case, arguments, coefficients, run


def pass_(options):
    X, labels = w.pass_data(options)
    y = labels.astype(np.float64)  # as NumPy's users hold it: BLAS takes no bool
    b = coefficients(X.shape[1])

    def call():
        eta = X @ b + INTERCEPT
        e = np.exp(-eta)
        loss = (eta + np.log1p(e)).sum() - y @ eta
        residual = 1 / (1 + e) - y
        return loss, X.T @ residual, residual.sum()

    return Case(call, X.size, w.pass_bytes(X), w.check_pass)


CASES = {"pass/1e6x100": pass_, "pass/1e7x4": pass_}

if __name__ == "__main__":
    run("glm", f"numpy {np.__version__}", CASES, arguments())
