"""Work spread over processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes that are forked from a fresh one, which has read the packages once, and not from this one.

    A fork copies the locks of libraries (torch, PyAV) but not their threads, and may then wait for them for ever.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vf.data.corpora"])
    return ProcessPoolExecutor(workers, mp_context=context)


def each(function: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """The results of a function for each job, in order; None for a job that ends its process, as a broken codec may.

    The jobs behind the last result are then done one by one, so that the others go on.
    """
    done = 0
    try:
        with pool(workers) as processes:
            for result in processes.map(function, jobs, chunksize=4):
                yield result
                done += 1
    except BrokenProcessPool:
        for job in jobs[done:]:
            with pool(1) as process:
                try:
                    result = process.submit(function, job).result()
                except BrokenProcessPool:
                    result = None
            yield result
