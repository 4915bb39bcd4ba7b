"""Work spread over processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes that are forked from a fresh one, which has read the packages once, and not from this one.

    A fork copies the locks of libraries (torch, PyAV) but not their threads, and may then wait for them for ever.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vf.data.corpora"])
    return ProcessPoolExecutor(workers, mp_context=context)
