#!/usr/bin/env python3
"""What dask.optimization.fuse makes of random graphs: the reference of task_fuse_test.cpp.

Run with the environment of the benchmarks; prints one line per graph, to be kept as fuse_from_dask.txt:

    ave_width max_width max_height max_depth_new_edges | kept | 0:  1: 0 0  2: 1 | 1 2

Each task is followed by what it reads (twice when it reads it twice); `kept` are the keys asked for, and
the last column the tasks that are left. `-` stands for a limit that was not given.
"""

import random

from dask.optimization import fuse


def graph(rng, shape, n):
    """Lists of inputs: trees, layered graphs, graphs of any kind."""
    inputs = []
    for t in range(n):
        if shape == "tree":
            inputs.append([])
        elif shape == "local":
            k = rng.choice([0, 1, 1, 1, 2, 2, 3])
            low = max(0, t - 6)
            inputs.append([rng.randrange(low, t) for _ in range(k)] if t else [])
        else:
            k = rng.choice([0, 1, 1, 2])
            inputs.append([rng.randrange(t) for _ in range(k)] if t else [])
    if shape == "tree":  # every task is read by one later task, some by two
        for t in range(n - 1):
            inputs[rng.randrange(t + 1, min(n, t + 8))].append(t)
            if rng.random() < 0.1:
                inputs[rng.randrange(t + 1, n)].append(t)
    return inputs


def call(*_):
    return None


def main():
    rng = random.Random(1979)
    for i in range(600):
        n = rng.randrange(2, 34)
        inputs = graph(rng, ["tree", "local", "any"][i % 3], n)
        ave = rng.choice([1, 1.5, 1.9, 2, 2.5, 3, 4, 4.7, 6, 7.5])
        width = rng.choice([None, None, None, 1, 2, 4, 8])
        height = rng.choice([None, None, None, 1, 2, 3])
        depth = rng.choice([None, None, None, 1, 2, 5])
        kept = sorted({rng.randrange(n) for _ in range(rng.choice([0, 0, 1, 3]))})
        tasks = {f"t{t}": (call, *[f"t{j}" for j in reads]) for t, reads in enumerate(inputs)}
        options = {"ave_width": ave, "rename_keys": False}
        options |= {"max_width": width} if width is not None else {}
        options |= {"max_height": height} if height is not None else {}
        options |= {"max_depth_new_edges": depth} if depth is not None else {}
        fused, _ = fuse(tasks, keys=[f"t{t}" for t in kept], **options)
        limits = " ".join("-" if v is None else str(v) for v in (ave, width, height, depth))
        rows = "  ".join(f"{t}: " + " ".join(map(str, reads)) for t, reads in enumerate(inputs))
        left = " ".join(str(t) for t in range(n) if f"t{t}" in fused)
        print(f"{limits} | {' '.join(map(str, kept))} | {rows} | {left}")


main()
