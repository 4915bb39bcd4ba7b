"""Onsets of an RMS curve, and how well two lists of onsets agree (App. C)."""

import mir_eval
import numpy as np
from scipy.signal import find_peaks


def detect(curve, rate, floor=0.01, rise=2.0, gap=0.1):
    """Times at which a curve jumps up.

    curve: (n,) RMS. rate: frames per second. An onset is a local maximum of the increase of level in dB over 32 ms that
    is at least `rise` dB and leads to a level of at least `floor`; onsets closer than `gap` seconds count once, as the
    strongest. Returns seconds, increasing. Quiet frames are raised to half of `floor`, so hiss has no onsets.
    """
    curve = np.asarray(curve, dtype=np.float64)
    step = max(1, round(0.032 * rate))
    level = 20 * np.log10(np.maximum(curve, floor / 2))
    padded = np.concatenate([np.full(step, level[0]), level])
    increase = padded[step:] - padded[:-step]
    ahead = np.array([curve[i : i + 2 * step].max() for i in range(len(curve))])
    increase[ahead < floor] = 0
    peaks, _ = find_peaks(np.concatenate([[0], increase, [0]]), height=rise, distance=max(1, round(gap * rate)))
    # the increase is over `step` frames that end here: the jump itself is half of that earlier
    return np.maximum(0, peaks - 1 - step / 2 + 0.5) / rate


def f1(reference, estimate, tolerance):
    """F-measure of onsets with one-to-one matching, mir_eval's.

    reference, estimate: seconds, any order. tolerance: seconds. Two empty lists agree (1.0); mir_eval says 0.
    """
    reference, estimate = np.sort(np.asarray(reference, float)), np.sort(np.asarray(estimate, float))
    if not len(reference) and not len(estimate):
        return 1.0
    if not len(reference) or not len(estimate):
        return 0.0
    return float(mir_eval.onset.f_measure(reference, estimate, window=tolerance)[0])
