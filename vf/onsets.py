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
    return detect_with_rise(curve, rate, floor, rise, gap)[0]


def detect_with_rise(curve, rate, floor=0.01, rise=2.0, gap=0.1):
    """As `detect`, and how many dB the level rises at each onset, which tells how sure it is: (seconds, dB)."""
    curve = np.asarray(curve, dtype=np.float64)
    step = max(1, round(0.032 * rate))
    level = 20 * np.log10(np.maximum(curve, floor / 2))
    padded = np.concatenate([np.full(step, level[0]), level])
    increase = padded[step:] - padded[:-step]
    ahead = np.array([curve[i : i + 2 * step].max() for i in range(len(curve))])
    increase[ahead < floor] = 0
    peaks, found = find_peaks(np.concatenate([[0], increase, [0]]), height=rise, distance=max(1, round(gap * rate)))
    # the increase is over `step` frames that end here: the jump itself is half of that earlier
    return np.maximum(0, peaks - 1 - step / 2 + 0.5) / rate, found["peak_heights"]


def labels(times, frames, rate):
    """Onsets as a track: (frames,) float32, 1 in the frame that an onset falls into (the authors' int(t * rate)), else 0."""
    track = np.zeros(frames, np.float32)
    index = (np.asarray(times, float) * rate).astype(int)
    track[index[(index >= 0) & (index < frames)]] = 1
    return track


def track(curve, rate, length):
    """The onsets of a curve (`detect`) in place of the curve: (n,) RMS -> (n,) float32, 1 for `length` frames from each on."""
    marks = labels(detect(curve, rate), len(curve), rate)
    return np.minimum(np.convolve(marks, np.ones(length, np.float32))[: len(curve)], 1)


def peaks(confidence, rate, gap=0.05):
    """Onsets of a track of confidences after non-maximum suppression (App. C).

    confidence: (n,). rate: frames per second. gap: seconds within which only the most confident frame is kept.
    Returns (seconds of the frames' middles, their confidences).
    """
    padded = np.concatenate([[-np.inf], np.asarray(confidence, np.float64), [-np.inf]])
    index, _ = find_peaks(padded, distance=max(1, round(gap * rate)))
    return (index - 0.5) / rate, padded[index]


def accuracy(reference, estimate, tolerance=0.1):
    """CondFoleyGen's onset accuracy: share of true onsets with an estimate within `tolerance` seconds.

    It is a recall and one estimate may serve several onsets, so dense clicks score high; NaN without true onsets.
    """
    reference, estimate = np.asarray(reference, float), np.asarray(estimate, float)
    if not len(reference):
        return np.nan
    if not len(estimate):
        return 0.0
    return float((np.abs(reference[:, None] - estimate).min(1) <= tolerance).mean())


def average_precision(reference, estimate, confidence, tolerance=0.1):
    """Average precision of onsets in the order of their confidence, by CondFoleyGen's protocol (App. C).

    reference, estimate: seconds. confidence: of each estimate. The surer estimates choose first, each the nearest true onset
    within `tolerance` that is still free; onsets that nobody finds count as misses, and there are no true negatives.
    Returns a float in [0, 1], NaN without true onsets.
    """
    free = np.ones(len(reference), bool)
    reference, estimate = np.asarray(reference, float), np.asarray(estimate, float)
    if not len(reference):
        return np.nan
    hits = []
    for i in np.argsort(-np.asarray(confidence), kind="stable"):
        distance = np.where(free, np.abs(reference - estimate[i]), np.inf)
        hits.append(distance.min() <= tolerance)
        free[distance.argmin()] &= not hits[-1]
    hits = np.array(hits, bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].sum() / len(reference))


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


def best_threshold(references, found, tolerance=0.1):
    """Confidence from which on estimates count for the best mean F-measure over clips, to be chosen on validation films.

    references: a list of arrays of seconds. found: for each (seconds, confidences). Returns a float; 0 without clips.
    """
    confidences = np.concatenate([c for _, c in found] or [np.zeros(1)])
    candidates = np.unique(np.quantile(confidences, np.linspace(0, 1, 65))) if len(confidences) else np.zeros(1)
    scores = [np.mean([f1(r, t[c >= low], tolerance) for r, (t, c) in zip(references, found)] or [0]) for low in candidates]
    return float(candidates[int(np.argmax(scores))])
