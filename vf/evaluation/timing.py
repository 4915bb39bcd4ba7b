"""How two loudness curves agree in time and in the level of single events, clip by clip."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from vf.evaluation import events, metrics
from vf.signal import onsets

KEYS = (  # of `curve_agreement`
    "lag", "lag_abs", "correlation_at_lag", "onset_f1_50ms", "onset_f1_100ms", *events.LEVEL_SCORES,
)  # fmt: skip
MOST_LAG = 0.3  # seconds by which one curve may be shifted against the other
MATCH = 0.1  # seconds within which an event of the estimate is taken for one of the truth


def lags(
    reference: ArrayLike, estimate: ArrayLike, rate: float, most: float = MOST_LAG
) -> tuple[np.ndarray, np.ndarray]:
    """Shift at which two curves correlate most, and their correlation there, per clip.

    lag = argmax over |k| <= most * rate of corr(reference[n], estimate[n + k]), Pearson's over the frames that overlap;
    of equal ones the shortest. It is positive where the estimate comes late. It is a whole number of frames: 8 ms at
    16 kHz and a hop of 128.

    reference, estimate: (..., n) RMS. rate: frames per second. most: seconds, cut to half of the curve, so that at
    least half of the frames overlap. Returns (seconds (...,), correlation (...,)). Where one curve is constant the lag
    is NaN and the correlation 0, as `metrics.correlation` has it.
    """
    reference, estimate = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    frames = reference.shape[-1]
    reach = min(int(most * rate + 1e-9), frames // 2)
    best = np.full(reference.shape[:-1], -np.inf)
    where = np.full(reference.shape[:-1], np.nan)
    for k in sorted(range(-reach, reach + 1), key=abs):
        early, late = reference[..., max(0, -k) : frames - max(0, k)], estimate[..., max(0, k) : frames - max(0, -k)]
        alike = metrics.correlation(early, late)
        better = (alike > best + 1e-12) & (_varies(early) & _varies(late))
        best, where = np.where(better, alike, best), np.where(better, k, where)
    return where / rate, np.where(np.isnan(where), 0.0, best)


def _varies(curve):
    return np.ptp(curve, axis=-1) > 1e-9


def curve_agreement(
    truth: np.ndarray,
    estimate: np.ndarray,
    rate: float,
    floor: float,
    onset_times: Sequence[np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Per-clip numbers of timing and level.

    truth, estimate: (b, n) RMS. rate: frames per second. floor: RMS of silence. onset_times: true onsets of each clip
    (s); those detected in `truth` without it. Returns {metric: (b,)}, keys of `catalogue`; NaN where a clip has nothing
    to measure, such as a rank of fewer than three events.
    """
    wanted = [onsets.detect(c, rate, floor) for c in truth] if onset_times is None else onset_times
    found = [onsets.detect(c, rate, floor) for c in estimate]
    seconds, correlation = lags(truth, estimate, rate)
    rows = {
        "lag": 1000 * seconds,
        "lag_abs": 1000 * np.abs(seconds),
        "correlation_at_lag": correlation,
        "onset_f1_50ms": np.array([onsets.f1(r, f, 0.05) for r, f in zip(wanted, found)]),
        "onset_f1_100ms": np.array([onsets.f1(r, f, 0.1) for r, f in zip(wanted, found)]),
    }
    single = [events.level_scores(*each, rate, MATCH) for each in zip(truth, estimate, wanted, found)]
    return rows | {key: np.array([row[key] for row in single]) for key in events.LEVEL_SCORES}
