"""dask.array on the cases of bench/memory, with all the memory of the machine: nothing is spilled."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import dask
import dask.array as da
import numpy as np

from common.peer import Case, arguments, run


def block(block_info=None):
    """Element (i, j) of the input, as in tuff_memory.cpp."""
    (r0, r1), (c0, c1) = block_info[None]["array-location"]
    i = np.arange(r0, r1, dtype=np.uint64)[:, None]
    j = np.arange(c0, c1, dtype=np.uint64)[None, :]
    word = i * np.uint64(2654435761) + j * np.uint64(40503)
    word += i ^ j
    word &= np.uint64(1023)
    return word * 2.0**-10


def source(options, rows):
    """(rows, columns) in blocks of 256 rows, made anew whenever they are needed."""
    columns = 16_384 // (16 if options.quick else 1)
    return da.map_blocks(block, chunks=((256,) * (rows // 256), (columns,)), dtype="f8")


def case(x, call):
    return Case(call, x.size, 8 * x.size, lambda figures: [float(f) for f in figures], check_every=True)


def standardize(options):
    x = source(options, 16_384)
    z = (x - x.mean(0)) / x.std(0)
    return case(x, lambda: dask.compute((z * z).sum(), abs(z).sum()))


def rechunk(options):
    x = source(options, 16_384)

    def call():
        y = x.rechunk((-1, x.shape[1] // 64)).persist()
        return [(y * y).sum().compute()]

    return case(x, call)


def persist(options):
    x = source(options, 49_152)

    def call():
        y = x.persist()
        return [y.sum().compute(), y.sum(0).max().compute(), (y * y).sum().compute()]

    return case(x, call)


if __name__ == "__main__":
    options = arguments()
    with dask.config.set(scheduler="threads", num_workers=options.threads):
        cases = {"standardize": standardize, "rechunk": rechunk, "persist": persist}
        run("memory", f"dask {dask.__version__}, numpy {np.__version__}", cases, options)
