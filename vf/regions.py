"""Stretches of a film with a prompt, noise and gain of their own."""

from dataclasses import dataclass


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
