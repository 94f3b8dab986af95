"""Writes types_from_numpy.txt: the result type of every operation for all pairs of element types, as
NumPy 2 gives it. Run by hand with the project's Python; the test reads the text.

Lines: operation, operand types, result (or "error"). A Python number reads `py_bool`, `py_int` or
`py_float`.
"""

import itertools
import pathlib
import warnings

import numpy as np

TYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
NUMBERS = {"py_bool": True, "py_int": 1, "py_float": 1.0}
UNARY = ["negative", "abs", "sign", "square", "reciprocal", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh",
         "floor", "ceil", "isnan", "isfinite", "logical_not"]
BINARY = ["add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "minimum", "maximum", "equal",
          "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor"]
REDUCTIONS = ["sum", "mean", "var", "std", "min", "max", "any", "all"]


def result_of(function, *operands):
    try:
        return str(function(*operands).dtype)
    except TypeError:
        return "error"


def operand(name):
    return NUMBERS[name] if name in NUMBERS else np.ones(2, name)


def lines():
    for name, a in itertools.product(UNARY, TYPES):
        yield name, a, result_of(getattr(np, name), operand(a))
    for name, a, b in itertools.product(BINARY, TYPES + list(NUMBERS), TYPES + list(NUMBERS)):
        if a in NUMBERS and b in NUMBERS:
            continue
        yield name, a, b, result_of(getattr(np, name), operand(a), operand(b))
    for a, b in itertools.product(TYPES + list(NUMBERS), TYPES + list(NUMBERS)):
        if a in NUMBERS and b in NUMBERS:
            continue
        yield "where", "bool", a, b, result_of(lambda x, y: np.where(np.ones(2, bool), x, y), operand(a), operand(b))
    for a, b in itertools.product(TYPES, TYPES):
        yield "matmul", a, b, result_of(np.matmul, operand(a), operand(b))
    for name, a in itertools.product(REDUCTIONS, TYPES):
        yield name, a, result_of(getattr(np, name), operand(a))


warnings.simplefilter("ignore")
path = pathlib.Path(__file__).with_suffix(".txt")
path.write_text("".join(" ".join(line) + "\n" for line in lines()))
