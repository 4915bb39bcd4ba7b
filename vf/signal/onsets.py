"""Onsets of an RMS curve, and how well two lists of onsets agree (App. C)."""

import mir_eval
import numpy as np
from scipy.signal import find_peaks
from sklearn.metrics import average_precision_score


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


def protocol(reference, estimate, confidence, threshold=0.0, tolerance=0.1):
    """Onsets by CondFoleyGen's protocol (App. C): {"recall", "accuracy", "ap"}.

    reference: true onsets, seconds. estimate, confidence: of each estimate, after `peaks`. threshold: confidence from which on an
    estimate counts, for all but `ap`. tolerance: seconds. Each true onset in turn takes the surest estimate within the tolerance that
    is still free. recall: share of true onsets that got one, which CondFoleyGen calls accuracy; accuracy: hits of all hits, misses
    and false alarms, as App. C leaves true negatives out; ap: average precision over all estimates, a true onset that got none
    counting as told with confidence 0 (so where next to nothing is told it is flattering). NaN without true onsets.
    """
    reference, estimate, confidence = (np.asarray(x, float) for x in (reference, estimate, confidence))
    if not len(reference):
        return {"recall": np.nan, "accuracy": np.nan, "ap": np.nan}
    sure = confidence >= threshold
    hits = np.isfinite(_matched(reference, estimate[sure], confidence[sure], tolerance)[0]).sum()
    told, free = _matched(reference, estimate, confidence, tolerance)
    truth = np.concatenate([np.ones(len(reference)), np.zeros(free.sum())])
    ap = (
        average_precision_score(truth, np.concatenate([np.nan_to_num(told), confidence[free]]))
        if len(estimate)
        else 0.0
    )
    accuracy = hits / (len(reference) + sure.sum() - hits)
    return {"recall": float(hits / len(reference)), "accuracy": float(accuracy), "ap": float(ap)}


def _matched(reference, estimate, confidence, tolerance):
    """Confidence of what each true onset got, NaN where nothing, and which estimates stay free."""
    free, told = np.ones(len(estimate), bool), np.full(len(reference), np.nan)
    for i in np.argsort(reference, kind="stable"):
        near = np.flatnonzero(free & (np.abs(estimate - reference[i]) < tolerance))
        if len(near):
            best = near[confidence[near].argmax()]
            told[i], free[best] = confidence[best], False
    return told, free


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
    scores = [
        np.mean([f1(r, t[c >= low], tolerance) for r, (t, c) in zip(references, found)] or [0]) for low in candidates
    ]
    return float(candidates[int(np.argmax(scores))])
