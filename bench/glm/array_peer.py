"""scikit-learn on `1e7x4/10/newton`: systems `sklearn-lbfgs` and `sklearn-newton-cholesky`. It
takes whole arrays and knows no blocks.
"""

import models
import numpy as np
import workloads as w
from common.peer import Case, arguments, run


def fit_case(fit):
    def make(options):
        X, y = w.fit_data(options)
        return Case(lambda: fit(X, y), X.size, 0, list)

    return make


if __name__ == "__main__":
    options = arguments()
    fit, version = models.MAKERS[options.system]()
    cases = {"1e7x4/10/newton": fit_case(fit)}
    run("glm", f"{version}, numpy {np.__version__}", cases, options)
