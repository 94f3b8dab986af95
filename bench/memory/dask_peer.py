"""dask.array on the cases of bench/memory, with all the memory of the machine: nothing is spilled."""

import sys
from concurrent.futures import ThreadPoolExecutor
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


def source(options, rows, columns=16_384, rows_per_block=256):
    """(rows, columns) in blocks of some rows, made anew whenever they are needed."""
    if options.quick:
        rows, columns, rows_per_block = rows // 4, columns // 4, max(rows_per_block // 4, 1)
    blocks = rows // rows_per_block
    return da.map_blocks(block, chunks=((rows_per_block,) * blocks, (columns,)), dtype="f8")


def case(x, call):
    return Case(
        call, x.size, 8 * x.size, lambda figures: [float(f) for f in figures], check_every=True
    )


def standardized(x):
    z = (x - x.mean(0)) / x.std(0)
    return dask.compute((z * z).sum(), abs(z).sum())


def standardize(options):
    x = source(options, 16_384)
    return case(x, lambda: standardized(x))


def clients(options):
    """Four threads of a program standardise a quarter each."""
    x = source(options, 16_384)
    quarter = source(options, 4_096)

    def call():
        with ThreadPoolExecutor(4) as pool:
            return np.sum(list(pool.map(lambda _: standardized(quarter), range(4))), axis=0)

    return case(x, call)


def rechunk(options):
    x = source(options, 16_384)

    def call():
        y = x.rechunk((-1, x.shape[1] // 64)).persist()
        return [(y * y).sum().compute()]

    return case(x, call)


def there_and_back(options):
    x = source(options, 16_384)

    def call():
        y = x.rechunk((-1, x.shape[1] // 64)).persist()
        y = y.rechunk(x.chunks).persist()
        return [(y * y).sum().compute()]

    return case(x, call)


def transpose(options):
    x = source(options, 16_384)

    def call():
        y = x.persist()
        return [abs(y - y.T).sum().compute()]

    return case(x, call)


def twice(options):
    x = source(options, 16_384)

    def call():
        y = x.persist()
        return [((y - y.mean()) ** 2).mean().compute()]

    return case(x, call)


def persist(options):
    x = source(options, 49_152)

    def call():
        y = x.persist()
        return [y.sum().compute(), y.sum(0).max().compute(), (y * y).sum().compute()]

    return case(x, call)


def small_blocks(options):
    x = source(options, 32_768, 2_048, 1)
    return case(x, lambda: [abs(x - x.mean()).sum().compute()])


def delayed(options):
    like = source(options, 16_384, rows_per_block=8)
    rows, columns = like.chunks[0][0], like.shape[1]

    @dask.delayed
    def make(b):
        return block({None: {"array-location": [(b * rows, (b + 1) * rows), (0, columns)]}})

    def call():
        blocks = [
            da.from_delayed(make(b), (rows, columns), "f8") for b in range(like.shape[0] // rows)
        ]
        x = da.concatenate(blocks)
        return [abs(x - x.mean()).sum().compute()]

    return case(like, call)


if __name__ == "__main__":
    options = arguments()
    with dask.config.set(scheduler="threads", num_workers=options.threads):
        cases = {
            "standardize": standardize,
            "rechunk": rechunk,
            "there_and_back": there_and_back,
            "transpose": transpose,
            "twice": twice,
            "persist": persist,
            "small_blocks": small_blocks,
            "delayed": delayed,
            "clients": clients,
        }
        run("memory", f"dask {dask.__version__}, numpy {np.__version__}", cases, options)
