"""Memory that training steps free and ask for again."""

import subprocess
import sys

import pytest

from vf.signal import memory

FAULTS = """
import resource
import numpy as np
from vf.signal import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    first, second = np.arange(2**23), np.arange(2**21)  # 64 and 16 MB
    return first[0] + second[0]

{call}
step()
before = faults()
for _ in range(5):
    step()
print(faults() - before)
"""


def faults(call: str) -> int:
    """Pages that the system wiped for five steps after the first."""
    run = subprocess.run([sys.executable, "-c", FAULTS.format(call=call)], check=True, capture_output=True, text=True)
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of others keeps memory by its own rules")
def test_what_a_step_frees_the_next_one_has_without_the_system():
    kept, given_back = faults("assert memory.keep_freed()"), faults("")
    assert kept < 20 < given_back, (kept, given_back)


def test_a_system_without_mallopt_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert not memory.keep_freed()
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_freed()
