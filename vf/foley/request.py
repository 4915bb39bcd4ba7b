"""What a film's sound is made from: text prompts, sounds as prompts, seeds and gains, for all of it or for parts."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from vf.data import files, media

LARGEST_GAIN = 60  # dB: more is silence or noise at full scale
LARGEST_SEED = 2**53  # beyond it JSON's numbers are not whole, and from 2^63 on no generator takes them
# negative prompts by name
NEGATIVES = {
    "no speech": "speech, voice, talking, singing",
    "no music": "music, melody, musical instruments",
}


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a film with choices of its own. start, end: seconds.

    prompt: text. audio: a sound that gives the timbre in place of a text: a path to a sound or film, (path, start, end)
    in seconds, or a waveform (s,). Without prompt and audio, the film's own prompt holds. seed: of the noise; None for
    the film's own. gain_db: makes the finished sound louder or quieter.
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
    the later one counts where two overlap, but for their gains, which add up. best_of: renders with this many seeds,
    seed, seed + 1 ..., and keeps the one closest to the curve among the half with the highest CLAP scores, and at least
    two. correct_gain: afterwards multiply the sound towards the curve. negative_prompt: what is not to be heard, in
    words or by a name of NEGATIVES: Eq. 5 leads away from it in place of the null prompt. loudness: integrated loudness
    that one last gain brings the sound to, LUFS (EBU R128). partial: take what can be read of a film that was cut off
    or is broken. Raises ValueError for a best_of below 1, a loudness outside (-70, 0), and what `check_prompt` and
    `check_seed` refuse.
    """

    wanted: np.ndarray | None = None
    prompt: str | None = None
    audio: object = None
    seed: int = 0
    regions: tuple[Region, ...] | list[Region] = ()
    best_of: int = 1
    correct_gain: bool = False
    negative_prompt: str | None = None
    loudness: float | None = None
    partial: bool = False

    def __post_init__(self):
        check_prompt(self.prompt, self.audio)
        check_seed(self.seed)
        if self.best_of < 1:
            raise ValueError(f"best_of={self.best_of}; wanted 1 or more")
        if self.negative_prompt is not None and not _is_text(self.negative_prompt):
            raise ValueError(f"negative_prompt={self.negative_prompt!r}; wanted words, or None for none")
        if self.loudness is not None and not -70 < self.loudness < 0:
            raise ValueError(f"loudness={self.loudness}; wanted LUFS between -70 and 0, such as -23 (EBU R128)")


@dataclass(frozen=True, eq=False)
class Timbre:
    """The CLAP vector (e,) of a waveform that served as a prompt. A session stores it in place of the waveform."""

    vector: np.ndarray


def negative(text: str) -> str:
    """A negative prompt with the names of NEGATIVES written out: "no speech, thunder" -> "speech, voice, ..., thunder".

    A text that is written out stays as it is.
    """
    return ", ".join(NEGATIVES.get(part.strip().lower(), part.strip()) for part in text.split(","))


def check(regions: Iterable[Region], seconds: float) -> list[Region]:
    """The regions as a list.

    seconds: length of the film. Raises ValueError for a region that is empty or leaves the film, for a gain beyond 60
    dB, and for what `check_prompt` and `check_seed` refuse.
    """
    regions = list(regions)
    for region in regions:
        start = region.start
        end = region.end
        if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end <= seconds + 0.01):
            raise ValueError(
                f"region from {start:g} to {end:g} s; "
                f"wanted a stretch inside the film's {seconds:.2f} s that is not empty"
            )
        if not abs(region.gain_db) <= LARGEST_GAIN:
            raise ValueError(
                f"region from {start:g} to {end:g} s: gain {region.gain_db:g} dB; "
                f"wanted dB between -{LARGEST_GAIN} and {LARGEST_GAIN}"
            )
        check_prompt(region.prompt, region.audio)
        if region.seed is not None:
            check_seed(region.seed)
    return regions


def check_prompt(prompt: object, audio: object) -> None:
    """Raises ValueError for an empty text or one that no text encoder reads, and for text and sound together."""
    if prompt is not None and (not _is_text(prompt) or not prompt.strip()):
        raise ValueError(f"prompt {prompt!r}; wanted words, or None for no prompt")
    if prompt is not None and audio is not None:
        raise ValueError("both prompt and audio were given; choose the one that sets the timbre")


def _is_text(words: object) -> TypeGuard[str]:
    """Whether a value is a text that UTF-8 can hold. Bytes of a shell that are none come in as halves of characters."""
    return isinstance(words, str) and files.is_utf8(words)


def check_seed(seed: object) -> None:
    """Raises ValueError for a seed that is not a whole number from 0 to 2^53."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
        raise ValueError(
            f"seed {files.excerpt(repr(seed), 43)}; wanted a whole number, 0 or more and at most {LARGEST_SEED}"
        )


def listen(audio: object, sample_rate: int) -> np.ndarray:
    """The waveform (s,) of a sound that serves as a prompt.

    audio: a path, (path, start, end) in seconds, or a waveform, which is returned as float32.
    Raises media.MediaError for a file without sound, ValueError for an empty stretch and for silence.
    """
    if isinstance(audio, str | Path | tuple | list):
        path, start, end = (audio, 0.0, None) if isinstance(audio, str | Path) else audio
        start = start or 0.0
        if not (start >= 0 and (end is None or end > start)):
            to = "its end" if end is None else f"{end:g} s"
            raise ValueError(f"{path}: from {start:g} s to {to}; wanted a stretch from 0 s on that is not empty")
        wave = media.read_sound(path, sample_rate, start, None if end is None else end - start)
        name = f"{path} from {start:g} s on"
    else:
        wave = np.asarray(audio, np.float32)
        name = "the sound given as prompt"
    if wave.ndim != 1 or not np.isfinite(wave).all():
        raise ValueError(f"{name} is {wave.shape}; wanted one channel (s,) of finite samples")
    if not np.abs(wave).max(initial=0) > 0:
        raise ValueError(f"{name}: only silence; wanted a sound to take the timbre from")
    return wave


def gains(regions: Iterable[Region], positions: np.ndarray, ramp: float = 0.01) -> np.ndarray:
    """Factors by the regions' gain_db, (n,). positions: seconds, (n,). ramp: seconds that a change of gain takes."""
    factor = np.ones(len(positions), np.float32)
    half = ramp / 2
    for region in regions:
        corners = [region.start - half, region.start + half, region.end - half, region.end + half]
        inside = np.interp(positions, corners, [0, 1, 1, 0])
        factor *= 10 ** (region.gain_db * inside.astype(np.float32) / 20)
    return factor
