"""dask-glm's Newton on Dask's threaded scheduler, unmodified. Timed is the whole call.

dask-glm's functions fit no intercept, so X has a column of ones; inputs are persisted blocks,
Dask's own form of data in memory. `normalize=False`: by default each iteration would make a
standardised copy of X besides. BLAS keeps to one thread inside a task, as Dask's manual asks.

Systems `dask-glm-threads` and `dask-glm-threads-keep` are this file under two allocators.
"""

import dask
import dask.array as da
import dask_glm
import numpy as np
import workloads as w
from common.peer import Case, arguments, run
from dask._task_spec import Task
from dask.callbacks import Callback
from dask_glm.algorithms import newton as dask_newton


def newton(options):
    X, y = w.fit_data(options)
    X = np.column_stack([X, np.ones(len(X))])
    chunk = len(X) // w.blocks(options)
    X = da.from_array(X, chunks=(chunk, X.shape[1])).persist()
    y = da.from_array(y, chunks=chunk).persist()
    computed = []  # how many tasks each compute() had

    def count(graph):
        computed.append(sum(type(node) is Task for node in graph.values()))

    def call():
        computed.clear()
        with Callback(start=count):
            return dask_newton(X, y, tol=1e-8, normalize=False)

    def check(coefficients):
        case.tasks = sum(computed)
        return list(coefficients)

    case = Case(call, len(X) * w.COLUMNS, 0, check)  # `check` fills in its tasks
    return case


CASES = {f"1e7x4/{blocks}/newton": newton for blocks in (10, 100, 1000)}

if __name__ == "__main__":
    options = arguments()
    dask.config.set(scheduler="threads", num_workers=options.threads)
    versions = f"dask-glm {dask_glm.__version__}, dask {dask.__version__}, numpy {np.__version__}"
    run("glm", versions, CASES, options)
