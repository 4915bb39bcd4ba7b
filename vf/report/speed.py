"""Times of what a user waits for, each beside a reference that is measured in turns with it (notebook 16).

Absolute times depend on the machine; ratios of two works that alternate on it hardly do. No test times anything.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

RUNS = 5


@dataclass(frozen=True)
class Timing:
    """Seconds of some work and of its reference, run by run, in turns.

    work, against: what they are. goal: largest ratio of their medians that is wanted; None where there is none.
    """

    work: str
    against: str
    ours: tuple[float, ...]
    reference: tuple[float, ...]
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Median of the work over median of the reference."""
        return float(np.median(self.ours) / np.median(self.reference))

    def row(self) -> dict[str, Any]:
        """A row of the table; spread: of the ratios run by run, largest less smallest, over their median."""
        each = np.array(self.ours) / np.array(self.reference)
        return {
            "work": self.work,
            "against": self.against,
            "ours_s": float(np.median(self.ours)),
            "reference_s": float(np.median(self.reference)),
            "ratio": self.ratio,
            "spread": float(np.ptp(each) / np.median(each)),
            "goal": self.goal,
            "met": None if self.goal is None else self.ratio <= self.goal,
        }


def compare(
    work: str,
    against: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    goal: float | None = None,
    runs: int = RUNS,
    warm: bool = True,
) -> Timing:
    """Time two works in turns. warm: do each once before, unmeasured, as a first call compiles and allocates."""
    if warm:
        ours()
        reference()
    seconds: dict[Callable, list[float]] = {ours: [], reference: []}
    for _ in range(runs):
        for each, times in seconds.items():
            begin = time.perf_counter()
            each()
            times.append(time.perf_counter() - begin)
    return Timing(work, against, tuple(seconds[ours]), tuple(seconds[reference]), goal)


def python(code: str) -> Callable[[], object]:
    """A work that runs code in a new Python, to time what it takes to start."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def training_step(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], object]:
    """Forward and backward of a loss under bf16 and one step of AdamW: the least that an update can be."""
    weights = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.0, fused=weights[0].device.type == "cpu")

    def step():
        optimizer.zero_grad()
        with torch.autocast(weights[0].device.type, torch.bfloat16):
            value = loss()
        value.backward()
        optimizer.step()

    return step


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of the products and convolutions of a work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def product(count: int, size: int = 1024) -> Callable[[], object]:
    """A work of about `count` operations that does nothing but multiply bf16 matrices of `size`, the machine's rate."""
    a, b = (torch.randn(size, size, dtype=torch.bfloat16) for _ in range(2))
    times = max(1, round(count / (2 * size**3)))

    def multiply():
        for _ in range(times):
            a @ b

    return multiply


def table(timings: list[Timing]) -> pd.DataFrame:
    """The rows of some timings."""
    return pd.DataFrame([timing.row() for timing in timings])
