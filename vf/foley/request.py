"""What a sound is made of, for a whole film or for stretches of it: prompts, the sounds that serve as prompts, seeds and gains."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vf.data import media


@dataclass(frozen=True, eq=False)
class Region:
    """A stretch of a film, start to end in seconds.

    prompt: text, or audio: a sound whose timbre to take, as a path to a sound or film, (path, start, end) in seconds, or a
    waveform (s,); with neither the film's own prompt holds. seed: of the noise; the film's own without. gain_db: turns the
    sound up or down after it is made.
    """

    start: float
    end: float
    prompt: str | None = None
    audio: object = None
    seed: int | None = None
    gain_db: float = 0.0


@dataclass(frozen=True, eq=False)
class Request:
    """What a film's sound shall be.

    wanted: loudness curve (n,), RMS in [0, 1] at the 512/128 rate, n that of the film; predicted from the film without.
    prompt: text, or audio: a sound whose timbre to take, as of Region; neither: no prompt. seed: of the noise. regions:
    the later one counts where two overlap. best_of: renders with this many seeds, seed, seed + 1 ..., and keeps the one
    closest to the curve among those whose CLAP score is not below the median of all. correct_gain: afterwards multiply
    the sound towards the curve. Raises ValueError for a best_of below 1.
    """

    wanted: np.ndarray | None = None
    prompt: str | None = None
    audio: object = None
    seed: int = 0
    regions: tuple[Region, ...] | list[Region] = ()
    best_of: int = 1
    correct_gain: bool = False

    def __post_init__(self):
        if self.best_of < 1:
            raise ValueError(f"best_of={self.best_of}; wanted 1 or more")


@dataclass(frozen=True, eq=False)
class Timbre:
    """A sound that was a prompt, as the network knows it: what a session keeps of a waveform. vector: (e,)."""

    vector: np.ndarray


def check(regions, seconds):
    """The regions as a list. Raises ValueError for one that is empty, leaves the film's `seconds`, or has a gain that is not finite."""
    regions = list(regions)
    for r in regions:
        if not (math.isfinite(r.start) and math.isfinite(r.end) and 0 <= r.start < r.end <= seconds + 0.01):
            raise ValueError(
                f"region from {r.start:g} to {r.end:g} s; wanted a stretch inside the film's {seconds:.2f} s that is not empty"
            )
        if not math.isfinite(r.gain_db):
            raise ValueError(f"region from {r.start:g} to {r.end:g} s: gain {r.gain_db} dB; wanted a finite number")
        check_prompt(r.prompt, r.audio)
        if r.seed is not None:
            check_seed(r.seed)
    return regions


def check_prompt(prompt, audio):
    """Raises ValueError for an empty text, and where both text and sound are given."""
    if prompt is not None and (not isinstance(prompt, str) or not prompt.strip()):
        raise ValueError(f"prompt {prompt!r}; wanted words, or None for no prompt")
    if prompt is not None and audio is not None:
        raise ValueError("both prompt and audio were given; choose the one that sets the timbre")


def check_seed(seed):
    """Raises ValueError for a seed that is not a whole number of 0 or more."""
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed {seed!r}; wanted a whole number, 0 or more")


def listen(audio, sample_rate):
    """The sound that serves as a prompt, (s,): read from a path or (path, start, end), or a waveform as it is.

    Raises media.MediaError for a file without sound, ValueError for a stretch that is empty and for silence.
    """
    if isinstance(audio, str | Path | tuple | list):
        path, start, end = (audio, 0.0, None) if isinstance(audio, str | Path) else audio
        start = start or 0.0
        if not (start >= 0 and (end is None or end > start)):
            raise ValueError(f"{path}: from {start:g} to {end:g} s; wanted a stretch that is not empty")
        wave, name = (
            media.read_sound(path, sample_rate, start, None if end is None else end - start),
            f"{path} from {start:g} s on",
        )
    else:
        wave, name = np.asarray(audio, np.float32), "the sound given as prompt"
    if wave.ndim != 1 or not np.isfinite(wave).all():
        raise ValueError(f"{name} is {wave.shape}; wanted one channel (s,) of finite samples")
    if not np.abs(wave).max(initial=0) > 0:
        raise ValueError(f"{name}: only silence; wanted a sound to take the timbre from")
    return wave


def gains(regions, positions, ramp=0.01):
    """Factor of each position (seconds, (n,)) by the regions' gain_db; edges are ramps of `ramp` seconds."""
    factor = np.ones(len(positions), np.float32)
    for r in regions:
        inside = np.interp(positions, [r.start - ramp / 2, r.start + ramp / 2, r.end - ramp / 2, r.end + ramp / 2], [0, 1, 1, 0])
        factor *= 10 ** (r.gain_db * inside.astype(np.float32) / 20)
    return factor
