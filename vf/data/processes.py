"""Work spread over processes, which do not outlive the one that wants it, and work done ahead in a thread."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
PARENT_DIED = 1  # PR_SET_PDEATHSIG of Linux's prctl


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes that are forked from a fresh one, which has read the packages once, and not from this one.

    A fork copies the locks of libraries (torch, PyAV) but not their threads, and may then wait for them for ever. The
    processes end when this one is killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vf.data.corpora"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_owner)


def _end_with_owner():
    """A process of a pool ends with the one that has the pool; its parent, the fresh one, lives as long as it does."""
    owner = multiprocessing.parent_process()
    threading.Thread(target=lambda: (owner.join(), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()


def wait_passively() -> None:
    """Have the idle threads of this process and of those it starts sleep; to be called before torch is imported.

    OpenMP's spinning threads make torch many times slower on cores that others use. A policy that is set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def end_with_parent() -> None:
    """From here on this process is killed when the process that started it ends, however that ends.

    Linux does so at once; elsewhere a thread looks twice a second.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
        if os.getppid() != parent:  # it ended meanwhile
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


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


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; while one is used, a thread makes the next: a film is decoded beside the networks.

    What making an item raises is raised when that item is asked for.
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, source, end)
            yield item  # type: ignore[misc]  # not the end


def in_threads(function: Callable[[Any], Item], jobs: Iterable[Any], threads: int) -> Iterator[Item]:
    """The results of a function for each job, in order, while threads work on the next ones.

    No more than one result for each thread waits in memory.
    """
    left = iter(jobs)
    with ThreadPoolExecutor(threads) as pool:
        coming = deque(pool.submit(function, job) for job in islice(left, threads))
        while coming:
            result = coming.popleft().result()
            coming.extend(pool.submit(function, job) for job in islice(left, 1))
            yield result
