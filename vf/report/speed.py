"""Times of what a user waits for, each beside a reference that is measured in turns with it (notebook 16).

Absolute times depend on the machine; ratios of two works that alternate on it hardly do. No test times anything.
"""

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import scipy.linalg
import torch
from numpy.typing import ArrayLike
from torch.autograd import DeviceType
from torch.autograd.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from vf.backends.nets import bn_inception
from vf.backends.paper import frames
from vf.evaluation import metrics
from vf.signal import group

RUNS = 5
LONG = 60.0  # seconds of a run, beyond which it is not repeated
Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of some work and of its reference, run by run, in turns.

    work, against: what they are. goal: largest ratio of their medians that is wanted; None where there is none.
    command: the call that is the work. reason: what the work spends its time on, where it falls short of the goal.
    """

    work: str
    against: str
    ours: tuple[float, ...]
    reference: tuple[float, ...]
    goal: float | None = None
    command: str = ""
    reason: str = ""

    @property
    def ratio(self) -> float:
        """Median of the work over median of the reference."""
        return float(np.median(self.ours) / np.median(self.reference))

    @property
    def met(self) -> bool | None:
        """Whether the ratio reaches the goal; None where there is none."""
        return None if self.goal is None else self.ratio <= self.goal

    def row(self) -> dict[str, Any]:
        """A row of the table; spread: of the ratios run by run, largest less smallest, over their median."""
        each = np.array(self.ours) / np.array(self.reference)
        return {
            "work": self.work,
            "against": self.against,
            "ours_s": float(np.median(self.ours)),
            "reference_s": float(np.median(self.reference)),
            "ratio": self.ratio,
            "spread": float(np.ptp(each) / np.median(each)) if len(each) > 1 else None,
            "runs": len(each),
            "goal": self.goal,
            "met": self.met,
            "command": self.command,
            "reason": self.reason,
        }


def compare(
    work: str,
    against: str,
    ours: Work,
    reference: Work | float,
    goal: float | None = None,
    warm: bool = True,
    command: str = "",
    explain: Callable[[Work], dict[str, float]] | None = None,
) -> Timing:
    """Time two works in turns: `RUNS` times, or once where a run takes longer than `LONG` seconds.

    reference: a work, or seconds that need no measuring. warm: do each once before, unmeasured, as a first call
    compiles and allocates. explain: where the work falls short of its goal, gives {cost: share} of its time; without
    it, `costs` does.
    """
    works = [ours, reference] if callable(reference) else [ours]
    for each in works if warm else ():
        each()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for each, times in zip(works, seconds):
            times.append(_seconds(each))
        if max(times[-1] for times in seconds) > LONG:
            break
    theirs = seconds[1] if callable(reference) else [reference] * len(seconds[0])
    timing = Timing(work, against, tuple(seconds[0]), tuple(theirs), goal, command)
    if timing.met is False:
        shares = (explain or costs)(ours)
        timing = replace(timing, reason=", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    return timing


def _seconds(work):
    """How long a work takes, until a GPU has finished it too."""
    _synchronise()
    begin = time.perf_counter()
    work()
    _synchronise()
    return time.perf_counter() - begin


def _synchronise():
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def costs(work: Work, first: int = 3) -> dict[str, float]:
    """The operations of torch on which a work spends most, largest first: {name: share of the whole}.

    What is spent in none of them counts as "outside torch"; on a GPU that is also the time in which it waits.
    """
    gpu = torch.cuda.is_available()
    with profile(use_device="cuda" if gpu else None) as profiler:  # torch.profiler's engine, without its imports
        whole = _seconds(work)
    spent: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        if event.device_type == DeviceType.CPU:  # kernels are counted with the operation that starts them
            spent[event.key] += (event.self_device_time_total if gpu else event.self_cpu_time_total) / 1e6
    spent["outside torch"] = max(0.0, whole - sum(spent.values()))
    return _largest(spent, first)


def imports(code: str, first: int = 3) -> dict[str, float]:
    """The packages on whose import a new Python that runs `code` spends most: {name: share of all imports}."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    spent: dict[str, float] = defaultdict(float)
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|") if line.count("|") == 2 else ("", "", "")
        if own.strip().isdigit():  # the first line is a heading
            spent[name.strip().split(".")[0]] += float(own)
    return _largest(spent, first)


def _largest(spent, first):
    whole = sum(spent.values())
    return {name: spent[name] / whole for name in sorted(spent, key=spent.__getitem__, reverse=True)[:first]}


def paired_ratio(
    ours: ArrayLike, reference: ArrayLike, groups: ArrayLike | None = None, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Mean of some errors over the mean of others: (ratio, (low, high)).

    ours, reference: (b,) errors of the same clips, which a draw of the interval (`metrics.bootstrap`) has together.
    """

    def ratio(columns):
        return float(np.divide(*columns.mean(0)))

    columns = np.stack([ours, reference], 1)
    return ratio(columns), metrics.bootstrap(columns, groups, ratio, seed=seed)


def python(code: str) -> Work:
    """A work that runs code in a new Python, to time what it takes to start."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def training_step(model: torch.nn.Module, loss: Callable[[], torch.Tensor], precision: str = "bf16") -> Work:
    """Forward and backward of a loss and one step of AdamW: the least that an update can be.

    The model is put into training mode in each step, as `fit` leaves it in the other. precision: "no" or "bf16", as of
    fit.Training.
    """
    weights = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.0, fused=True)

    def step():
        model.train()
        optimizer.zero_grad()
        with group.autocast(precision, weights[0].device):
            value = loss()
        value.backward()
        optimizer.step()

    return step


def network_calls(networks: frames.Networks, pictures: np.ndarray, times: np.ndarray) -> Work:
    """The least that features of a clip cost in the paper profile: its networks, on inputs in memory, in its batches.

    networks, pictures, times: as of `clip_features`, picture and flow both.
    """
    first, _ = frames.distinct_pictures(times)
    raft: Any = networks.raft
    device = next(raft.parameters()).device
    seen = frames.raft_input(pictures[first]).to(device)
    coloured = bn_inception.rgb_input(pictures[first]).to(device)
    still = bn_inception.flow_input(np.zeros((*seen.shape[:1], *seen.shape[2:], 2), np.float32)).to(device)
    calls: list[tuple] = [(raft, pair) for pair in zip(seen[:-1].split(4), seen[1:].split(4))]
    calls += [(networks.rgb, (piece,)) for piece in coloured.split(16)]
    calls += [(networks.flow, (piece,)) for piece in still.split(16)]

    @torch.no_grad()
    def work():
        for network, inputs in calls:
            network(*inputs)

    return work


def by_files(pictures: np.ndarray) -> None:
    """Pictures uint8 (t, h, w, 3) as JPEG files and back, as the authors' scripts have it between film and networks."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{folder}/{k:06d}.jpg" for k in range(len(pictures))]
        for name, picture in zip(names, pictures):
            cv2.imwrite(name, picture[..., ::-1])
        np.stack([np.asarray(cv2.imread(name)) for name in names])


class Kept:
    """A work whose last result is kept, in `value`."""

    def __init__(self, work: Work):
        self.work = work
        self.value: Any = None

    def __call__(self) -> None:
        self.value = self.work()


def denoising_loss(model: Callable, t: torch.Tensor, batch: Sequence) -> torch.Tensor:
    """A loss that costs what RMS2Sound's does: one denoising of a batch.

    model: model(z_t, t, timbre, curve) -> (b, c, l, g). t: (b,) timesteps. batch: latents (b, c, l, g), timbres (b, e)
    and curves (b, n), as of `examples.measure`.
    """
    z, timbre, curve = (torch.as_tensor(values, device=t.device) for values in batch)
    return (model(z, t, timbre, curve) - z).float().square().mean()


def frechet_by_sqrtm(mean_r: np.ndarray, cov_r: np.ndarray, mean_g: np.ndarray, cov_g: np.ndarray) -> float:
    """Eq. 6 as it is often computed, by the matrix root of a product. means: (d,). covariances: (d, d)."""
    root = scipy.linalg.sqrtm(cov_r @ cov_g).real
    return float(((mean_r - mean_g) ** 2).sum() + np.trace(cov_r + cov_g - 2 * root))


def operations(work: Work) -> int:
    """Floating-point operations of the products and convolutions of a work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def product(count: int, device: torch.device | str = "cpu", size: int = 1024) -> Work:
    """A work of about `count` operations that does nothing but multiply matrices of `size`: a device's own rate.

    They are of bfloat16 where the device multiplies that, else of float32.
    """
    dtype = torch.bfloat16 if group.multiplies_bf16(torch.device(device)) else torch.float32
    a, b = (torch.randn(size, size, dtype=dtype, device=device) for _ in range(2))
    times = max(1, round(count / (2 * size**3)))

    def multiply():
        for _ in range(times):
            a @ b

    return multiply


def table(timings: list[Timing]) -> pd.DataFrame:
    """The rows of some timings: `tables/speed.csv`."""
    return pd.DataFrame([timing.row() for timing in timings])


@dataclass(frozen=True)
class Rates:
    """What the hours of `plan` rest on: one GPU of 80 GB and the cores and disk beside it. All are assumed.

    frames: of films, decoded and resized, a second and core; notebook 16 measures it. sound: seconds of it decoded a
    second and core. described: clips of 10 s through RAFT-large and BN-Inception, embedded: sounds through VAE and
    CLAP, video2rms: clips and controlnet: sounds of training, denoised: steps of one sound, all a second. disk: GB
    a second. memory: GB; features and latents that fit are read once, others whenever they are drawn.
    """

    frames: float = 240.0
    sound: float = 200.0
    described: float = 0.1
    embedded: float = 100.0
    video2rms: float = 200.0
    controlnet: float = 24.0
    denoised: float = 80.0
    disk: float = 0.5
    memory: float = 64.0
    cores: int = 16


def plan(rates: Rates, times: float = 1.0) -> pd.DataFrame:
    """Hours and disk of a run of the paper's size, or of `times` its films, sounds and steps (sections 3.1, B.2).

    Returns a row for each work: its amount, hours of one GPU, of decoding on all cores and of the disk, GB kept, and
    `bound`: the largest of the three, as they go on side by side.
    """
    clips, pieces, scored = 2944 * times, 6000 * 3600 / 10.24 * times, 8 * 732 * times
    sound, shard, latent, features = 0.328e-3, 0.6 * 0.328e-3, 0.137e-3, 300 * 2048 * 4e-9  # GB; FLAC at 0.6 is assumed
    archive = 40 * times
    trained, drawn = 2000 * 512 * times, 300_000 * 8 * times

    def read(kept, count, each):
        return kept if kept <= rates.memory else count * each

    packed, described = pieces * (shard + sound), archive + clips * features
    unpacked = pieces * 10.24 / rates.sound / rates.cores
    decoded = clips * 300 / rates.frames / rates.cores
    works = [  # name, amount, seconds of the GPU, of decoding, GB moved, GB kept
        ("sounds: shards to one array", pieces, 0, unpacked, packed, packed),
        ("sounds: latents", pieces, pieces / rates.embedded, 0, pieces * (sound + latent), pieces * latent),
        ("films: features", clips, clips / rates.described, decoded, described, described),
        ("Video2RMS", trained, trained / rates.video2rms, 0, read(clips * features, trained, features), 0),
        ("RMS-ControlNet", drawn, drawn / rates.controlnet, 0, read(pieces * latent, drawn, latent), 0),
        ("sounds of the tables", scored, scored * 200 / rates.denoised, 0, scored * sound, scored * sound),
    ]
    rows = []
    for name, amount, gpu, decoding, moved, kept in works:
        hours = {"GPU": gpu / 3600, "decoding": decoding / 3600, "disk": moved / rates.disk / 3600}
        row = {"work": name, "amount": amount} | {f"{kind.lower()}_hours": value for kind, value in hours.items()}
        rows.append(row | {"disk_gb": kept, "bound": max(hours, key=hours.__getitem__)})
    return pd.DataFrame(rows)
