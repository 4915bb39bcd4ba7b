import os
import signal
import subprocess
import sys
import time

import pytest
from project import ROOT

from vf.data import processes

MAIN = """
import os, time
from vf.data import processes
pool = processes.pool(2)
print(*{pool.submit(os.getpid).result() for _ in range(9)}, flush=True)
pool.submit(time.sleep, 60)
time.sleep(60)
"""


def ended(pid):
    """Whether a process has ended; one that waits to be collected has."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_workers_of_a_process_that_is_killed_end_at_once():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    main = subprocess.Popen([sys.executable, "-c", MAIN], stdout=subprocess.PIPE, text=True, env=environment)
    workers = [int(pid) for pid in main.stdout.readline().split()]
    assert 1 <= len(workers) <= 2
    main.send_signal(signal.SIGKILL)
    main.communicate()
    end = time.monotonic() + 3
    while time.monotonic() < end and not all(map(ended, workers)):
        time.sleep(0.05)
    assert all(map(ended, workers))


def test_idle_threads_sleep_unless_they_were_told_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    processes.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    processes.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
