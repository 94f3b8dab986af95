"""The inputs of bench/arrays, their sizes, and the figures by which results are compared: one
definition for the Python peers. c_peer.c and tuff_arrays.cpp hold the same numbers.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from common.peer import coefficients, uniform

CHUNK = 1_000_000  # elements of a block of a vector
COLUMNS = 100
ROW_CHUNK = 10_000  # rows of a block of a matrix, so that it has 1e6 elements too


def vector(options):
    """x of `sum`, `expsum` and `expmat`: 0.8 GB."""
    return uniform(10_000_000 if options.quick else 100_000_000)


def generated(options):
    """How many elements `lazy1e9` makes and never stores."""
    return 20_000_000 if options.quick else 1_000_000_000


def matrix(options):
    """X of `standardize` and `gradstep`: 0.8 GB."""
    rows = 100_000 if options.quick else 1_000_000
    return uniform(rows * COLUMNS).reshape(rows, COLUMNS)


def regression(options):
    """X, y (zeros and ones) and b of `gradstep`."""
    X = matrix(options)
    y = (uniform(len(X), first=X.size) < 1.0).astype(np.float64)
    return X, y, coefficients(COLUMNS)


def check_scalar(s):
    return [s]


def check_kept(y):
    """The sum of a kept vector and three of its elements."""
    return [y.sum(), y[0], y[len(y) // 2], y[-1]]


def check_standardized(z):
    """The sum of squares, which is the number of elements, and three elements."""
    rows, columns = z.shape
    return [(z * z).sum(), z[0, 0], z[rows // 2, columns // 2], z[-1, -1]]


def check_gradient(g):
    return [g @ g, g[0], g[50], g[99]]


# Bytes that have to cross memory per element of the input: a scalar result reads it once; a kept
# one writes as much; `standardize` needs the moments before it can write, and 0.8 GB stays in no
# cache.
BYTES_READ = 8
BYTES_KEPT = 16
BYTES_STANDARDIZED = 24
