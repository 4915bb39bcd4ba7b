"""Work spread over processes, and processes that do not outlive the one that wants their work."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

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
