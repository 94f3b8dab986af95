"""Writes order_peaks.txt: the peaks of live results of Dask's order on the graphs of order_shapes.h.

    .cache/bench-venv/bin/python tests/optimize/order_peaks.py > tests/optimize/order_peaks.txt

Run by hand when a shape changes; order_test.cpp reads the file. Draws the same numbers in the same
sequence as order_shapes.h, where the shapes are explained. One line per shape: its name, the number of
tasks in all its graphs (so that a test can tell that both make the same), and a peak per graph.
"""

import sys

import dask
from dask._task_spec import Task, TaskRef
from dask.order import diagnostics

GRAPHS = 1000
MASK = (1 << 64) - 1


class Shape:
    """A graph while it grows, and the numbers drawn for it."""

    def __init__(self, seed):
        self.state = seed
        self.inputs = []

    def below(self, count):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % count

    def between(self, least, most):
        return least + self.below(most - least + 1)

    def add(self, inputs):
        self.inputs.append(inputs)
        return len(self.inputs) - 1

    def chain(self, task, length):
        for _ in range(length):
            task = self.add([task])
        return task

    def sources(self, count):
        return [self.add([]) for _ in range(count)]

    def reduce(self, tasks, fan_in):
        while len(tasks) > 1:
            tasks = [self.add(tasks[i : i + fan_in]) for i in range(0, len(tasks), fan_in)]
        return tasks[0]

    def some_of(self, tasks, count):
        return [tasks[self.below(len(tasks))] for _ in range(count)]

    def finish(self):
        """For each task, renumbered at random, the set of tasks it reads."""
        count = len(self.inputs)
        number = list(range(count))
        for i in range(count, 1, -1):
            j = self.below(i)
            number[i - 1], number[j] = number[j], number[i - 1]
        renumbered = [None] * count
        for task, inputs in enumerate(self.inputs):
            renumbered[number[task]] = {number[i] for i in inputs}
        return renumbered


def random_dag(shape, least, most, window):
    for i in range(shape.between(20, 500)):
        reads = shape.between(least, most) if i else 0
        shape.add([i - 1 - shape.below(min(i, window)) for _ in range(reads)])


def sparse(shape):
    random_dag(shape, 0, 2, 20)


def dense(shape):
    random_dag(shape, 1, 6, 40)


def layered(shape):
    layers = shape.between(3, 10)
    last = shape.sources(shape.between(3, 40))
    for _ in range(1, layers):
        older = len(shape.inputs)
        made = []
        for _ in range(shape.between(3, 40)):
            inputs = shape.some_of(last, shape.between(1, 3))
            if shape.below(4) == 0:
                inputs.append(shape.below(older))
            made.append(shape.add(inputs))
        last = made


def crosstalk(shape):
    width = shape.between(5, 50)
    layers = shape.between(3, 10)
    last = shape.sources(width)
    for _ in range(1, layers):
        last = [shape.add(shape.some_of(last, 5)) for _ in range(width)]


def trees(shape):
    for _ in range(shape.between(1, 5)):
        leaves = shape.between(4, 40)
        ends = []
        for _ in range(leaves):
            source = shape.add([])
            ends.append(shape.chain(source, shape.below(3)))
        fan_in = shape.between(2, 8)
        grown = [shape.reduce(ends, fan_in)]
        for _ in range(shape.below(30)):
            grown.append(shape.add(shape.some_of(grown, 1)))


def stencil(shape):
    width = shape.between(3, 30)
    steps = shape.between(3, 16)
    last = shape.sources(width)
    for _ in range(1, steps):
        last = [shape.add(last[max(0, i - 1) : i + 2]) for i in range(width)]


def map_reduce(shape):
    blocks = shape.between(4, 30)
    columns = shape.between(1, 3)
    products = shape.between(1, 3)
    centred = shape.below(2) == 0
    sides = shape.sources(shape.between(1, 3))
    column = [shape.sources(blocks) for _ in range(columns)]
    for _ in range(products):
        left = shape.below(columns)
        right = shape.below(columns)
        side = sides[shape.below(len(sides))]
        made = []
        for b in range(blocks):
            product = shape.add([column[left][b], column[right][b], side])
            made.append(shape.add([product]))
        mean = shape.reduce(made, 4)
        if centred:
            shape.reduce([shape.add([block, mean]) for block in made], 4)


def section(shape, task, depth):
    for _ in range(shape.between(1, 2)):
        ends = []
        for _ in range(shape.between(2, 4)):
            end = shape.chain(task, shape.between(1, 3))
            parts = depth > 0 and shape.below(2) == 0
            ends.append(section(shape, end, depth - 1) if parts else end)
        task = shape.add(ends)
    return task


def fork_join(shape):
    for _ in range(shape.between(1, 3)):
        section(shape, shape.add([]), 3)


def shuffle(shape):
    stages = shape.between(1, 3)
    last = shape.sources(shape.between(3, 10))
    for _ in range(stages):
        pieces = [[] for _ in range(shape.between(3, 10))]
        for block in last:
            for part in pieces:
                part.append(shape.add([block]))
        after = shape.below(3)
        last = [shape.chain(shape.add(part), after) for part in pieces]


def pipelines(shape):
    ends = []
    for _ in range(shape.between(2, 15)):
        made = []
        for _ in range(shape.between(1, 6)):
            source = shape.add([])
            one_way = shape.chain(source, shape.between(1, 2))
            made.append(shape.add([source, one_way]))
        ends.append(shape.chain(shape.reduce(made, 3), 1))
    shape.add(ends)


def shared_sources(shape):
    count = shape.between(8, 128)
    reductions = shape.between(2, 8)
    fan_in = shape.between(2, 5)
    before = shape.below(3)
    side = shape.sources(1 if shape.below(2) == 0 else 0)
    leaves = [[] for _ in range(reductions)]
    for _ in range(count):
        source = shape.chain(shape.add([]), before)
        for of_tree in leaves:
            of_tree.append(shape.add([*side, source]))
    for of_tree in leaves:
        shape.reduce(of_tree, fan_in)


def expansions(shape):
    count = shape.between(8, 256)
    roots = shape.sources(shape.between(1, 32))
    after = shape.below(3)
    used = []
    for _ in range(count):
        expanded = shape.add([roots[shape.below(len(roots))]])
        loaded = shape.add([])
        used.append(shape.add([shape.chain(expanded, after), loaded]))
    shape.reduce(used, 4)


SHAPES = [
    sparse,
    dense,
    layered,
    crosstalk,
    trees,
    stencil,
    map_reduce,
    fork_join,
    shuffle,
    pipelines,
    shared_sources,
    expansions,
]


def nothing(*_):
    pass


def peak(inputs):
    """The most results alive at once, with Dask's order, by Dask's count."""
    graph = {t: Task(t, nothing, *map(TaskRef, sorted(reads))) for t, reads in enumerate(inputs)}
    return max(diagnostics(graph)[1])


def main():
    print(f"# dask {dask.__version__}: shape, tasks of all graphs, peak of each graph")
    for number, grow in enumerate(SHAPES):
        tasks, peaks = 0, []
        for graph in range(GRAPHS):
            shape = Shape(number << 32 | graph)
            grow(shape)
            inputs = shape.finish()
            tasks += len(inputs)
            peaks.append(peak(inputs))
        print(grow.__name__, tasks, *peaks)
        print(grow.__name__, tasks / GRAPHS, sum(peaks) / GRAPHS, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
