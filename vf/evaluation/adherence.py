"""How closely a sound follows the loudness curve that was wanted."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter1d
from scipy.signal import correlate

from vf.evaluation import metrics
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline


def loudness(waveform: np.ndarray, window: int, hop: int, piece: int = 4096) -> np.ndarray:
    """RMS curve of a waveform, perhaps on disk: rms.rms_curve, `piece` values at a time.

    waveform: (s,), s whole hops. window, hop: samples. Returns (s / hop,) float32.
    """
    pad, total = (window - hop) // 2, len(waveform) // hop
    around = -(-pad // hop) * hop
    parts = []
    for first in range(0, total, piece):
        begin, end = first * hop, min(total, first + piece) * hop
        left, right = min(around, begin), min(around, len(waveform) - end)
        stretch = torch.from_numpy(np.array(waveform[begin - left : end + right], np.float32))
        parts.append(rms.rms_curve(stretch, window, hop)[left // hop : (left + end - begin) // hop])
    return torch.cat(parts).numpy()


def adherence(
    wanted: ArrayLike, waveform: np.ndarray, timeline: Timeline, floor: float = 0.01
) -> dict[str, dict[str, float]]:
    """How far the curve of a sound is from the curve that was wanted, before and after one gain over the whole sound.

    wanted: (n,) RMS at the 512/128 rate. waveform: (n * hop,). timeline: gives window and hop. floor: RMS of silence.
    Returns {"raw": {...}, "gain_matched": {...}} with e_l1: mean absolute difference, Eq. 7. error_db: mean absolute
    difference of level over the frames where either is above the floor, quieter ones raised to it. lag_ms: shift of the
    sound that would fit best, within 200 ms; positive: it is late. onset_f1_50ms: onsets of the two curves, matched one
    to one. correlation: Pearson's. Raises ValueError for a waveform of another length.
    """
    wanted, hop = np.asarray(wanted, np.float64), timeline.video_hop
    if len(waveform) != len(wanted) * hop:
        raise ValueError(
            f"waveform of {len(waveform)} samples; wanted {len(wanted) * hop}, {hop} for each value of the curve"
        )
    got = loudness(waveform, timeline.video_window, hop).astype(np.float64)
    rate = timeline.sample_rate / hop
    return {
        "raw": _scores(wanted, got, rate, floor),
        "gain_matched": _scores(wanted, metrics.match_gain(wanted, got), rate, floor),
    }


def _scores(wanted, got, rate, floor):
    a, b = (20 * np.log10(np.maximum(c, floor)) for c in (wanted, got))
    loud = (wanted >= floor) | (got >= floor)
    found = [onsets.detect(c, rate, floor) for c in (wanted, got)]
    scores = {
        "e_l1": metrics.e_l1(wanted, got),
        "error_db": np.abs(a - b)[loud].mean() if loud.any() else 0.0,
        "lag_ms": 1000 * lag(wanted, got, rate),
        "onset_f1_50ms": onsets.f1(*found, 0.05),
        "correlation": metrics.correlation(wanted, got),
    }
    return {name: round(float(value), 6) for name, value in scores.items()}


def lag(wanted: np.ndarray, got: np.ndarray, rate: float, most: float = 0.2) -> float:
    """Seconds by which one curve comes after another, both (n,); negative where it comes before.

    This is the peak of their cross-correlation within `most` seconds, refined by a parabola through its top. rate:
    frames per second. Returns 0 where a curve is constant.
    """
    a, b = wanted - wanted.mean(), got - got.mean()
    if min(a.std(), b.std()) < 1e-9:
        return 0.0
    full = correlate(b, a, "full", method="fft")
    middle, reach = len(a) - 1, min(round(most * rate), len(a) - 1)
    near = full[middle - reach : middle + reach + 1]
    top = int(near.argmax())
    shift = float(top - reach)
    if 0 < top < len(near) - 1:
        before, here, after = near[top - 1 : top + 2]
        bend = before - 2 * here + after
        shift += 0.5 * (before - after) / bend if bend < 0 else 0.0
    return shift / rate


def correction(
    wanted: ArrayLike,
    got: ArrayLike,
    rate: float,
    floor: float = 0.01,
    up: float = 12.0,
    down: float = 24.0,
    seconds: float = 0.04,
) -> np.ndarray:
    """Factors that bring a sound nearer to its curve, one a frame: (n,), (n,) RMS -> (n,).

    They are those of `rms.gain`, at most `up` dB louder and `down` dB quieter, and smoothed over `seconds`, so that the
    sound does not crackle.
    """
    wanted, got = (np.asarray(curve, np.float64) for curve in (wanted, got))
    gain = np.clip(20 * np.log10(rms.gain(wanted, got, floor).numpy()), -down, up)
    return 10 ** (uniform_filter1d(gain, 2 * round(seconds * rate / 2) + 1, mode="nearest") / 20)
