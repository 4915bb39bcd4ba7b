"""Onsets of an RMS curve, and the agreement of two lists of onsets (App. C)."""

from collections.abc import Sequence

import mir_eval
import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import find_peaks

ROUNDING = 1e-9  # seconds added to a tolerance: 0.4 s and 0.3 s are 0.1 s apart, which floating point denies


def detect(curve: np.ndarray, rate: float, floor: float = 0.01, rise: float = 2.0, gap: float = 0.1) -> np.ndarray:
    """Times at which a curve jumps up, in seconds, increasing.

    curve: (n,) RMS. rate: frames per second. An onset is a local maximum of the increase of level over 32 ms. The
    increase must be at least `rise` dB and lead to an RMS of at least `floor`. Of onsets closer than `gap` seconds only
    the strongest counts. Quiet frames are raised to half of `floor`, so that hiss has no onsets.
    """
    return detect_with_rise(curve, rate, floor, rise, gap)[0]


def detect_with_rise(
    curve: np.ndarray, rate: float, floor: float = 0.01, rise: float = 2.0, gap: float = 0.1
) -> tuple[np.ndarray, np.ndarray]:
    """Onsets as in `detect`, and the rise of level at each as its confidence: (seconds, dB)."""
    curve = np.asarray(curve, dtype=np.float64)
    step = max(1, round(0.032 * rate))
    level = 20 * np.log10(np.maximum(curve, floor / 2))
    padded = np.concatenate([np.full(step, level[0]), level])
    increase = padded[step:] - padded[:-step]
    ahead = np.array([curve[i : i + 2 * step].max() for i in range(len(curve))])
    increase[ahead < floor] = 0
    distance = max(1, round(gap * rate))
    index, properties = find_peaks(np.concatenate([[0], increase, [0]]), height=rise, distance=distance)
    # the increase is measured over `step` frames that end at its peak: the jump itself is half of that earlier
    return np.maximum(0, index - 1 - step / 2 + 0.5) / rate, properties["peak_heights"]


def labels(times: ArrayLike, frames: int, rate: float) -> np.ndarray:
    """Onset track (frames,) float32: 1 in each frame that holds an onset, else 0.

    times: seconds. rate: frames per second. An onset at t falls into frame int(t * rate), as in the authors' code.
    """
    track = np.zeros(frames, np.float32)
    index = (np.asarray(times, float) * rate).astype(int)
    track[index[(index >= 0) & (index < frames)]] = 1
    return track


def track(curve: np.ndarray, rate: float, length: int) -> np.ndarray:
    """Onset track of a curve: (n,) RMS -> (n,) float32, 1 for `length` frames from each onset of `detect`, else 0."""
    marks = labels(detect(curve, rate), len(curve), rate)
    return np.minimum(np.convolve(marks, np.ones(length, np.float32))[: len(curve)], 1)


def peaks(confidence: np.ndarray, rate: float, gap: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Onsets of a track of confidences after non-maximum suppression (App. C).

    confidence: (n,). rate: frames per second. gap: seconds within which only the most confident frame is kept.
    Returns (times of the kept frames' middles in seconds, their confidences).
    """
    padded = np.concatenate([[-np.inf], np.asarray(confidence, np.float64), [-np.inf]])
    index, _ = find_peaks(padded, distance=max(1, round(gap * rate)))
    return (index - 0.5) / rate, padded[index]


def protocol(
    reference: ArrayLike,
    estimate: ArrayLike,
    confidence: ArrayLike,
    threshold: float = 0.0,
    tolerance: float = 0.1,
) -> dict[str, float]:
    """Scores of onsets by CondFoleyGen's protocol (App. C): {"recall", "accuracy", "ap"}; NaN without true onsets.

    reference: true onsets, in seconds. estimate, confidence: time and confidence of each estimate, from `peaks`.
    threshold: least confidence of an estimate that counts; `ap` counts all. tolerance: seconds, as in `f1`.
    Each true onset in turn is matched to the most confident free estimate within the tolerance.
    recall: share of true onsets with a match. CondFoleyGen calls this accuracy.
    accuracy: hits over hits, misses and false alarms. App. C leaves true negatives out.
    ap: average precision over all estimates. A true onset without a match counts as an estimate of confidence 0, so
    the score flatters a system with hardly any estimates.
    """
    reference = np.asarray(reference, float)
    estimate = np.asarray(estimate, float)
    confidence = np.asarray(confidence, float)
    if not len(reference):
        return {"recall": np.nan, "accuracy": np.nan, "ap": np.nan}
    from sklearn.metrics import average_precision_score  # here, as it takes a second, and who only renders needs none

    sure = confidence >= threshold
    hits = np.isfinite(_match(reference, estimate[sure], confidence[sure], tolerance)[0]).sum()
    ap = 0.0
    if len(estimate):
        matched, free = _match(reference, estimate, confidence, tolerance)
        truth = np.concatenate([np.ones(len(reference)), np.zeros(free.sum())])
        ap = average_precision_score(truth, np.concatenate([np.nan_to_num(matched), confidence[free]]))
    accuracy = hits / (len(reference) + sure.sum() - hits)
    return {"recall": float(hits / len(reference)), "accuracy": float(accuracy), "ap": float(ap)}


def _match(reference, estimate, confidence, tolerance):
    """Confidence of each true onset's match, NaN for none, and a mask of the estimates that stay free."""
    free = np.ones(len(estimate), bool)
    matched = np.full(len(reference), np.nan)
    for i in np.argsort(reference, kind="stable"):
        near = np.flatnonzero(free & (np.abs(estimate - reference[i]) <= tolerance + ROUNDING))
        if len(near):
            best = near[confidence[near].argmax()]
            matched[i] = confidence[best]
            free[best] = False
    return matched, free


def f1(reference: ArrayLike, estimate: ArrayLike, tolerance: float) -> float:
    """F-measure of onsets with one-to-one matching, by mir_eval.

    reference, estimate: seconds, any order. tolerance: seconds; onsets exactly so far apart are a hit, whatever the
    rounding. Two empty lists agree and score 1; mir_eval's score would be 0.
    """
    reference = np.sort(np.asarray(reference, float))
    estimate = np.sort(np.asarray(estimate, float))
    if not len(reference) and not len(estimate):
        return 1.0
    if not len(reference) or not len(estimate):
        return 0.0
    return float(mir_eval.onset.f_measure(reference, estimate, window=tolerance + ROUNDING)[0])


def best_threshold(
    references: Sequence[np.ndarray],
    estimates: Sequence[tuple[np.ndarray, np.ndarray]],
    tolerance: float = 0.1,
) -> float:
    """Least confidence that gives the best mean F-measure over clips; choose it on validation films.

    references: true onsets of each clip, in seconds. estimates: (seconds, confidences) of each clip.
    tolerance: seconds. Returns 0 without clips.
    """
    confidences = np.concatenate([confidence for _, confidence in estimates] or [np.zeros(1)])
    candidates = np.unique(np.quantile(confidences, np.linspace(0, 1, 65))) if len(confidences) else np.zeros(1)

    def mean_f1(low):
        pairs = zip(references, estimates)
        return np.mean([f1(true, times[sure >= low], tolerance) for true, (times, sure) in pairs] or [0])

    scores = [mean_f1(low) for low in candidates]
    return float(candidates[int(np.argmax(scores))])
