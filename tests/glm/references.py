#!/usr/bin/env python3
"""Writes references.txt: three real data sets and their logistic fits by scikit-learn and statsmodels.

Run by hand when a reference is added; needs scikit-learn and statsmodels (bench/requirements.txt).

Format: `problem NAME ROWS COLUMNS`, then ROWS lines of features and target, then any number of lines
`fit SOLVER ALPHA INTERCEPT_FITTED coefficients... intercept`, where ALPHA is Tuff's (mean loss per row plus
ALPHA / 2 times the sum of squares; scikit-learn's C is 1 / (ALPHA rows)).
"""

from pathlib import Path

import numpy as np
import statsmodels.api as sm
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression


def problems():
    spector = sm.datasets.spector.load()
    yield "spector", spector.exog.to_numpy(float), spector.endog.to_numpy(float)
    iris = load_iris()
    kept = iris.target > 0
    yield "iris", iris.data[kept], (iris.target[kept] == 2).astype(float)
    cancer = load_breast_cancer()
    yield "cancer", cancer.data[:, [0, 1, 4, 9]], cancer.target.astype(float)


def scikit_learn(X, y, alpha, intercept):
    C = np.inf if alpha == 0 else 1 / (alpha * len(y))
    model = LogisticRegression(C=C, fit_intercept=intercept, solver="newton-cholesky", tol=1e-15, max_iter=1000)
    model.fit(X, y)
    return model.coef_[0], model.intercept_[0] if intercept else 0.0


def stats_models(X, y, intercept):
    design = np.column_stack([X, np.ones(len(y))]) if intercept else X
    fit = sm.Logit(y, design).fit(method="newton", tol=1e-14, maxiter=100, disp=0)
    return (fit.params[:-1], fit.params[-1]) if intercept else (fit.params, 0.0)


lines = []
for name, X, y in problems():
    lines.append(f"problem {name} {X.shape[0]} {X.shape[1]}")
    lines += [" ".join(repr(float(v)) for v in [*row, target]) for row, target in zip(X, y)]
    for intercept in (True, False):
        fits = [("scikit-learn", alpha, scikit_learn(X, y, alpha, intercept)) for alpha in (0.0, 0.01, 1.0)]
        fits.append(("statsmodels", 0.0, stats_models(X, y, intercept)))
        for solver, alpha, (coef, last) in fits:
            numbers = " ".join(repr(float(v)) for v in [*coef, last])
            lines.append(f"fit {solver} {alpha} {int(intercept)} {numbers}")
Path(__file__).with_name("references.txt").write_text("\n".join(lines) + "\n")
