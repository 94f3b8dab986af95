"""The inputs of bench/glm and the figures by which results are compared: one definition for the
Python peers. c_peer.c and tuff_glm.cpp hold the same numbers.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common.peer import logistic

COLUMNS = 4


def fit_rows(options):
    return 100_000 if options.quick else 10_000_000


def fit_data(options):
    """X and y of `1e7x4/<blocks>/newton`: 0.32 GB."""
    return logistic(fit_rows(options), COLUMNS)


def blocks(options):
    """Into how many blocks the case cuts the rows."""
    named = int(options.case.split("/")[1])
    return named // 10 if options.quick else named


def pass_data(options):
    """X and y of `pass/1e6x100` or `pass/1e7x4`."""
    rows, columns = (int(float(word)) for word in options.case.split("/")[1].split("x"))
    return logistic(rows // 10 if options.quick else rows, columns)


def pass_bytes(X):
    """X has to be read once, and a byte per label."""
    return X.nbytes + len(X)


def check_pass(evaluation):
    """The loss; its derivatives by the first, a middle and the last coefficient, the intercept."""
    loss, gradient, by_intercept = evaluation
    return [loss, gradient[0], gradient[len(gradient) // 2], gradient[-1], by_intercept]
