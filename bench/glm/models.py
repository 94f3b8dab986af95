"""The models of the peers that take whole arrays, once for both uses: data in memory
(array_peer.py) and a file (flights_fit.py).

No penalty, with intercept. Modules are imported by what needs them, for `flights` counts that time.
"""


def sklearn_model(solver, tol):
    """A function (X, y) -> coefficients and, last, the intercept."""
    import sklearn
    from sklearn.linear_model import LogisticRegression

    def fit(X, y):
        # C = inf: no penalty.
        model = LogisticRegression(C=float("inf"), solver=solver, tol=tol, max_iter=1000).fit(X, y)
        return [*model.coef_[0], model.intercept_[0]]

    return fit, f"scikit-learn {sklearn.__version__}"


def statsmodels_model():
    """Likewise; it also computes standard errors."""
    import numpy as np
    import statsmodels
    import statsmodels.api as sm

    def fit(X, y):
        design = np.column_stack([X, np.ones(len(X))])
        return list(sm.GLM(y.astype(float), design, family=sm.families.Binomial()).fit().params)

    return fit, f"statsmodels {statsmodels.__version__}"


# scikit-learn's solvers stop when no derivative of the mean loss is above tol, here the largest
# power of ten that leaves coefficients of 1e7 rows within 1e-6: 10 times as much leaves L-BFGS at
# 4e-6 and Newton at 4e-4. statsmodels' own rule does.
MAKERS = {
    "sklearn-lbfgs": lambda: sklearn_model("lbfgs", 1e-7),
    "sklearn-newton-cholesky": lambda: sklearn_model("newton-cholesky", 1e-5),
    "statsmodels": statsmodels_model,
}
