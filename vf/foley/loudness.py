"""Integrated loudness of a sound (ITU-R BS.1770-4, by which EBU R128 measures), and the gain that brings it there."""

from collections.abc import Iterator

import numpy as np
from scipy.signal import lfilter, resample_poly

from vf.foley import long

BLOCK = 0.4  # seconds of a gating block; three quarters of it are the next one's too
SILENCE = -70.0  # LUFS: the absolute gate
CEILING = -1.0  # dB of full scale that the true peak may reach (EBU R128)
OVERSAMPLING = 4  # of the true peak
EDGE = 64  # samples, over which the oversampling filter reaches
PIECE = 1 << 17  # samples at a time


def weighting(sample_rate: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """K-weighting as two filters (b, a) in series: a high shelf for the head, then a high-pass.

    The standard gives coefficients at 48 kHz alone; these are the analogue filters that they stand for, taken to any
    rate by the bilinear transform, as libebur128 does.
    """
    k = np.tan(np.pi * 1681.974450955533 / sample_rate)
    q = 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = np.array([high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]) / a0
    shelf_a = np.array([a0, 2 * (k * k - 1), 1 - k / q + k * k]) / a0
    k = np.tan(np.pi * 38.13547087602444 / sample_rate)
    q = 0.5003270373238773
    a0 = 1 + k / q + k * k
    return [(shelf_b, shelf_a), (np.array([1.0, -2.0, 1.0]), np.array([a0, 2 * (k * k - 1), 1 - k / q + k * k]) / a0)]


def integrated(wave: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness of a mono sound (s,), LUFS; -inf where all of it lies below the gate of -70 LUFS.

    wave: perhaps mapped from disk, read piece by piece. Raises ValueError for a sound shorter than a gating block.
    """
    step = round(BLOCK / 4 * sample_rate)
    check(len(wave), sample_rate)
    steps = np.concatenate([*_steps(wave, sample_rate, step)])
    powers = np.convolve(steps, np.full(4, 0.25), "valid")  # each block is four steps, and begins one step later
    loud = powers[_lufs(powers) >= SILENCE]
    if len(loud):
        loud = loud[_lufs(loud) >= _lufs(loud.mean()) - 10]  # the relative gate
    return float(_lufs(loud.mean())) if len(loud) else -np.inf


def check(samples: int, sample_rate: int) -> None:
    """Raises ValueError for a sound shorter than a gating block, which has no integrated loudness."""
    if samples < round(BLOCK / 4 * sample_rate) * 4:
        raise ValueError(
            f"sound of {samples / sample_rate:.2f} s; wanted at least {BLOCK} s, over which loudness is gated: "
            "ask for no loudness"
        )


def true_peak(wave: np.ndarray) -> float:
    """Largest value of a sound (s,) between its samples too, by fourfold oversampling (ITU-R BS.1770-4, annex 2).

    Resampled or coded, as in a wav of 48 kHz or a film, a sound reaches this and not the largest of its samples.
    """
    peaks = [0.0]
    for begin in range(0, len(wave), PIECE):
        first = max(0, begin - EDGE)
        piece = np.asarray(wave[first : begin + PIECE + EDGE], np.float64)
        dense = resample_poly(piece, OVERSAMPLING, 1)[OVERSAMPLING * (begin - first) :][: OVERSAMPLING * PIECE]
        peaks.append(max(float(np.abs(dense).max()), float(np.abs(piece).max())))
    return max(peaks)


def _steps(wave: np.ndarray, sample_rate: int, step: int) -> Iterator[np.ndarray]:
    """Mean squares of the K-weighted sound over each whole step, some at a time."""
    filters = weighting(sample_rate)
    states = [np.zeros(2), np.zeros(2)]
    size = max(1, PIECE // step) * step
    for begin in range(0, len(wave) // step * step, size):
        piece = np.asarray(wave[begin : min(begin + size, len(wave) // step * step)], np.float64)
        for i, (b, a) in enumerate(filters):
            piece, states[i] = lfilter(b, a, piece, zi=states[i])
        yield np.square(piece).reshape(-1, step).mean(1)


def _lufs(power):
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-20))


def brought_to(wave: np.ndarray, sample_rate: int, target: float) -> tuple[np.ndarray, float | None]:
    """A sound times the one gain that brings it to a loudness, on disk, and the loudness it has then, LUFS.

    target: LUFS. Where its true peak would come above CEILING, it comes there, and the loudness stays lower. A sound
    that counts as silence stays as it is, and has the loudness None. Raises ValueError for one shorter than a gating
    block.
    """
    now = integrated(wave, sample_rate)
    if not np.isfinite(now):
        return wave, None
    gain = min(10 ** ((target - now) / 20), 10 ** (CEILING / 20) / true_peak(wave))
    begins = range(0, len(wave), PIECE)
    louder = long.tape((np.float32(gain) * wave[i : i + PIECE] for i in begins), len(wave))
    return louder, now + 20 * np.log10(gain)
