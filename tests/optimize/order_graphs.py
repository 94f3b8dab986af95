"""Writes order_graphs.txt: graphs that Dask makes of three programs known for how hard they are to order.

Run by hand, with dask[array,dataframe] and xarray installed; order_test.cpp reads the file.

- `cumulative`: products of cumulative sums of cumulative sums (dask/dask#3055).
- `quadratic_frame`: means over time of the squares and of the product of two variables, as columns of a
  data frame. (As arrays the graph is so regular that order_test.cpp makes it itself.)
- `anomaly`: the mean over time of what is left when each group's mean is taken away.

Per graph one line `name tasks peak`, the peak being that of Dask's own order, and one line per task with
the numbers of the tasks it reads. Numbers follow the text of Dask's keys.
"""

import dask
import dask.array as da
import numpy as np
import xarray
from dask.base import collections_to_expr
from dask.core import get_deps
from dask.order import diagnostics


def cumulative():
    steps, columns = 20, 99
    one = da.random.normal(size=(steps, columns), chunks=(1, None))
    for _ in range(2):
        products = (one[:, None, :] * one[:, :, None]).cumsum(axis=0)
        one = one.cumsum(axis=0)
    return dict((products * one[:, None]).sum(axis=(1, 2)).__dask_graph__())


def optimised(collection):
    return collections_to_expr([collection]).optimize().__dask_graph__()


def quadratic_frame():
    def variable():
        values = da.random.random((5000, 1, 987, 1920), chunks=(10, 1, -1, -1))
        return (["time", "face", "j", "i"], values)

    data = xarray.Dataset({"u": variable(), "v": variable()})
    squares = data**2
    squares["uv"] = data.u * data.v
    return optimised(squares.mean("time").to_dask_dataframe())


def anomaly():
    days = da.random.random((200, 1), chunks=(1, -1))
    series = xarray.DataArray(
        days, dims=["time", "x"], coords={"day": ("time", np.arange(len(days)) % 5)}
    )
    groups = series.groupby("day")
    return optimised((groups - groups.mean(dim="time")).mean(dim="time"))


def main():
    print(f"# dask {dask.__version__}, xarray {xarray.__version__}")
    for make in (cumulative, quadratic_frame, anomaly):
        graph = dict(make())
        reads, _ = get_deps(graph)
        keys = sorted(graph, key=str)
        number = {key: i for i, key in enumerate(keys)}
        print(make.__name__, len(keys), max(diagnostics(graph)[1]))
        for key in keys:
            print(*sorted(number[i] for i in reads[key]))


if __name__ == "__main__":
    main()
