"""Sound of strokes on things: modal synthesis for ringing, filtered noise and grains for rustling.

The sound of a stroke has two parts: decaying modes of the object, and noise with the spectrum of its material.
A hit excites both at once, a scratch for as long as the stick rubs.
"""

from dataclasses import dataclass

import numpy as np

from vf.data.clips import MATERIALS

# material: lowest mode (Hz), spread of modes, modes' share of the power, 60 dB decay of modes (s), noise centre (Hz),
# noise width (octaves), 60 dB decay of noise (s), grains a second (0: smooth), loudness (dB)
_MATTER = {
    "wood": (280, 1.9, 0.75, 0.26, 1200, 1.6, 0.07, 0, 1),
    "metal": (620, 1.6, 0.90, 1.19, 4200, 1.2, 0.09, 0, 3),
    "dirt": (90, 2.2, 0.30, 0.09, 420, 1.5, 0.14, 220, -4),
    "rock": (900, 2.3, 0.55, 0.09, 2600, 1.3, 0.06, 0, 0),
    "leaf": (400, 2.0, 0.02, 0.04, 4800, 1.3, 0.38, 260, -5),
    "plastic": (420, 1.8, 0.60, 0.15, 1900, 1.4, 0.09, 0, 1),
    "cloth": (110, 2.0, 0.35, 0.07, 300, 1.4, 0.12, 0, -5),
    "paper": (260, 2.0, 0.12, 0.07, 3200, 1.7, 0.19, 120, -1),
    "grass": (150, 2.0, 0.04, 0.05, 3600, 1.6, 0.26, 420, -7),
    "water": (340, 1.5, 0.25, 0.30, 1500, 1.9, 0.51, 90, -1),
    "drywall": (130, 1.9, 0.70, 0.17, 700, 1.5, 0.09, 0, 2),
    "gravel": (1100, 2.2, 0.15, 0.06, 3000, 1.4, 0.30, 160, -1),
    "plastic-bag": (500, 1.9, 0.05, 0.05, 5600, 1.5, 0.32, 190, -3),
    "ceramic": (1150, 1.7, 0.85, 0.47, 5000, 1.2, 0.05, 0, 2),
    "tile": (800, 2.1, 0.65, 0.14, 3800, 1.2, 0.05, 0, 1),
    "carpet": (75, 2.1, 0.45, 0.06, 220, 1.3, 0.09, 0, -6),
    "glass": (1700, 1.6, 0.90, 0.68, 6000, 1.0, 0.04, 0, 1),
}


FORCE = 1.3  # exponent of a hit's level


@dataclass(frozen=True)
class Thing:
    """One object, with modes, spectrum and loudness of its own.

    frequencies (Hz), decays (s, to -60 dB), gains: of each mode. ringing: the modes' share
    of the power. centre (Hz), width (octaves), noise_decay (s, to -60 dB): of the noise. grains: a second; 0 for smooth
    noise. level: RMS of a full hit, before the film's gain.
    """

    frequencies: np.ndarray
    decays: np.ndarray
    gains: np.ndarray
    ringing: float
    centre: float
    width: float
    noise_decay: float
    grains: float
    level: float


def thing(material: str, rng: np.random.Generator, spread: float = 1.0) -> Thing:
    """A random object of a material. spread: scale of the differences between objects (1: 20% in pitch, 2 dB).

    Raises ValueError for a material that is not one of the 17.
    """
    if material not in _MATTER:
        raise ValueError(f"material {material!r}; wanted one of {', '.join(MATERIALS)}")
    low, ratio, ringing, decay, centre, width, noise_decay, grains, loudness = _MATTER[material]
    pitch = low * np.exp(rng.normal(0, 0.2 * spread))
    steps = np.cumsum(rng.uniform(0.25, ratio - 0.75, 9))
    frequencies = pitch * np.concatenate([[1], 1 + steps])
    keep = frequencies < 7600
    frequencies = frequencies[keep] if keep.any() else np.array([1500.0])
    decays = decay * np.exp(rng.normal(0, 0.25 * spread)) * (frequencies / frequencies[0]) ** -0.4
    gains = rng.uniform(0.4, 1, len(frequencies)) * (frequencies / frequencies[0]) ** -0.5
    return Thing(
        frequencies=frequencies,
        decays=decays,
        gains=gains / np.linalg.norm(gains),
        ringing=float(np.clip(ringing * np.exp(rng.normal(0, 0.1 * spread)), 0.01, 0.95)),
        centre=centre * np.exp(rng.normal(0, 0.15 * spread)),
        width=width,
        noise_decay=noise_decay * np.exp(rng.normal(0, 0.2 * spread)),
        grains=grains * np.exp(rng.normal(0, 0.2 * spread)),
        level=10 ** ((loudness + rng.normal(0, 2 * spread)) / 20),
    )


def _noise(count, centre, width, rate, rng):
    """Unit-variance noise (count,) with a Gaussian spectrum over log-frequency. width: octaves, one sigma each way."""
    frequency = np.fft.rfftfreq(count, 1 / rate)
    octaves = np.log2(np.maximum(frequency, 20) / centre)
    spectrum = np.fft.rfft(rng.standard_normal(count)) * np.exp(-0.5 * (octaves / (width / 2)) ** 2)
    noise = np.fft.irfft(spectrum, count)
    return noise / max(noise.std(), 1e-9)


def _grainy(noise, grains, rate, rng):
    """Noise broken into grains: clicks of random strength, `grains` a second, each 3 ms long."""
    if grains <= 0:
        return noise
    train = (rng.random(len(noise)) < grains / rate) * rng.exponential(1.0, len(noise))
    kernel = np.exp(-np.arange(round(0.012 * rate)) / (0.003 * rate))
    envelope = np.convolve(train, kernel)[: len(noise)]
    return noise * (0.15 + envelope / max(np.sqrt((envelope**2).mean()), 1e-6))


def hit(thing: Thing, force: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Sound of a hit, (s,). Its loudest 32 ms have about the RMS thing.level * force ** FORCE (before the film's gain).

    force: 0 to 1. rate: samples per second. A harder hit is also brighter, because the contact is shorter.
    """
    seconds = min(1.6, max(0.25, 1.2 * max(thing.decays.max(), thing.noise_decay)))
    t = np.arange(round(seconds * rate)) / rate
    bright = (thing.frequencies / thing.frequencies[0]) ** (0.6 * (force - 0.6))
    gains = thing.gains * bright * rng.uniform(0.6, 1.4, len(thing.gains))
    phase = rng.uniform(0, 2 * np.pi, len(gains))
    modes = np.zeros(len(t))
    for frequency, decay, gain, start in zip(thing.frequencies, thing.decays, gains, phase):
        modes += gain * np.exp(-6.9 * t / decay) * np.sin(2 * np.pi * frequency * t + start)
    centre = min(7000.0, thing.centre * 2 ** (0.8 * (force - 0.6)))
    rustle = _grainy(_noise(len(t), centre, thing.width, rate, rng), thing.grains, rate, rng)
    rustle *= np.exp(-6.9 * t / thing.noise_decay)
    attack = 1 - np.exp(-t / 0.0007)
    sound = attack * (np.sqrt(thing.ringing) * _unit(modes, rate) + np.sqrt(1 - thing.ringing) * _unit(rustle, rate))
    return thing.level * force**FORCE * _unit(sound, rate)


def scratch(thing: Thing, speed: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Sound of a scratch, (s,).

    speed: (s,) of the stick along the surface; 1 is the fastest of a hard stroke. rate: samples per second.
    """
    count = len(speed)
    centre = min(7000.0, 1.5 * thing.centre)
    rub = _grainy(_noise(count, centre, thing.width, rate, rng), max(thing.grains, 60), rate, rng)
    t = np.arange(round(0.05 * rate)) / rate
    ring = np.zeros(len(t))
    for frequency, gain in zip(thing.frequencies, thing.gains):
        ring += gain * np.exp(-6.9 * t / 0.05) * np.sin(2 * np.pi * frequency * t)
    body = np.convolve(rub, ring)[:count]
    noise = np.sqrt(1 - 0.5 * thing.ringing) * rub / max(rub.std(), 1e-9)
    modes = np.sqrt(0.5 * thing.ringing) * body / max(body.std(), 1e-9)
    return 0.33 * thing.level * (noise + modes) * np.maximum(speed, 0) ** 1.2


def _unit(sound, rate):
    """Scale a sound so that its first 32 ms have RMS 1. A hit is loudest there."""
    head = sound[: round(0.032 * rate)]
    return sound / max(np.sqrt((head**2).mean()), 1e-9)


def room(seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Background noise (s,), RMS 1: a rumble or hiss whose level drifts slowly. rate: samples per second."""
    count = round(seconds * rate)
    noise = _noise(count, np.exp(rng.uniform(np.log(80), np.log(2500))), rng.uniform(2, 5), rate, rng)
    knots = rng.normal(0, 1.5, max(2, round(seconds) + 1))
    drift = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(knots)), knots)
    noise *= 10 ** (drift / 20)
    return noise / noise.std()
