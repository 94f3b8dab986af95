"""Writes pressure_rows.txt: what Dask's diagnostics() say of three graphs of order_shapes.h.

    .cache/bench-venv/bin/python tests/optimize/pressure_rows.py > tests/optimize/pressure_rows.txt

Run by hand; pressure_test.cpp reads the file. Per graph one line: number of the shape, number of the graph, tasks, and one line per
task: position in Dask's order, age, results alive when it ran, when its result was released, inputs freed,
and results alive before the task at that position in the order.
"""

import dask
from dask._task_spec import Task, TaskRef
from dask.order import diagnostics
from order_peaks import SHAPES, Shape, nothing

SHAPE_NAMES = ("layered", "map_reduce", "pipelines")
MOST_TASKS = 40


def main():
    print(f"# dask {dask.__version__}")
    for number, grow in enumerate(SHAPES):
        if grow.__name__ not in SHAPE_NAMES:
            continue
        graph = -1
        inputs = range(MOST_TASKS + 1)
        while len(inputs) > MOST_TASKS:
            graph += 1
            shape = Shape(number << 32 | graph)
            grow(shape)
            inputs = shape.finish()
        tasks = {t: Task(t, nothing, *map(TaskRef, sorted(r))) for t, r in enumerate(inputs)}
        rows, alive = diagnostics(tasks)
        print(number, graph, len(inputs))
        for t, before in enumerate(alive):
            print(*rows[t], before)


if __name__ == "__main__":
    main()
