"""Metrics of other papers, by the settings of their released code, so that numbers compare (docs/metrics.md)."""

import itertools
from collections.abc import Iterable
from typing import Any

import cv2
import librosa
import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, f1_score

from vf.signal import mel

RATE = 22050  # Hz, of both onset protocols and of AV-Align
GAP = 0.05  # seconds: of onsets nearer than this one is kept; also the reach of an onset's confidence
CLIP_KEYS = (  # of `clip_metrics`
    "energy_mae", "mfcc_similarity", "onset_accuracy_condfoleygen", "onset_ap_condfoleygen",
    "onset_accuracy_mmaudio", "onset_ap_mmaudio", "onset_f1_mmaudio",
)  # fmt: skip


def clip_metrics(
    reference: np.ndarray, estimate: np.ndarray, sample_rate: int, times: ArrayLike | None = None
) -> dict[str, float]:
    """Every metric of this module that needs two sounds alone, of one clip: {metric: float}, keys CLIP_KEYS.

    reference, estimate: (s,). times: annotated onsets (s) for MMAudio's protocol; without them those that
    CondFoleyGen's detector finds in the reference.
    """
    truth, made = (_resampled(w, sample_rate) for w in (reference, estimate))
    found = detect(truth) / RATE
    theirs = condfoleygen_onsets(truth, made)
    hers = mmaudio_onsets(found if times is None else times, made)
    return {
        "energy_mae": energy_mae(reference, estimate, sample_rate),
        "mfcc_similarity": mfcc_similarity(reference, estimate, sample_rate),
        "onset_accuracy_condfoleygen": theirs["accuracy"],
        "onset_ap_condfoleygen": theirs["ap"],
        "onset_accuracy_mmaudio": hers["accuracy"],
        "onset_ap_mmaudio": hers["ap"],
        "onset_f1_mmaudio": hers["f1"],
    }


def _resampled(wave, sample_rate):
    return librosa.resample(np.asarray(wave, np.float32), orig_sr=sample_rate, target_sr=RATE)


def energy_mae(reference: ArrayLike, estimate: ArrayLike, sample_rate: int = 16000) -> float:
    """E-MAE: mean over frames of |E(reference) - E(estimate)|, where E is the mean over bins of the log-mel frame.

    The log-mel is AudioLDM's (64 bins, 1024/160 samples, natural logarithm), of a sound whose mean is taken away and
    whose peak is scaled to 0.5. Source: Jeong et al., Read, Watch and Scream (ReWaS), 2024, eval_MAE.py. Nepers of mel
    magnitude; lower is better. Because of the scaled peak it does not see the level.

    reference, estimate: (s,) of one length. sample_rate: that of AudioLDM, 16 kHz.
    """
    curves = []
    for wave in (reference, estimate):
        wave = np.asarray(wave, np.float32)[: len(np.asarray(wave)) // 160 * 160]
        wave = wave - wave.mean()
        curves.append(mel.log_mel(0.5 * wave / (np.abs(wave).max() + 1e-8), sample_rate).mean(-1))
    return float((curves[0] - curves[1]).abs().mean())


def mfcc_similarity(
    reference: ArrayLike, estimate: ArrayLike, sample_rate: int, coefficients: int = 20, reach: float = 40.0
) -> float:
    """Timbre: cosine of the mean mel-frequency cepstral coefficients of two sounds, without the first (the level).

    cos(m, m'), m = mean over frames n of c_1..c_K[n]; the frames within `reach` dB of the sound's loudest count, so
    that silence is not taken for timbre. Source: Davis and Mermelstein, 1980, by librosa's defaults (2048/512 samples,
    128 bins, orthonormal DCT). No unit, -1 to 1; higher is better. 0 where a sound is silent.
    """
    means = []
    for wave in (reference, estimate):
        wave = np.asarray(wave, np.float32)
        level = librosa.feature.rms(y=wave, frame_length=2048, hop_length=512)[0]
        loud = (level > 0) & (level >= level.max() * 10 ** (-reach / 20))
        found = librosa.feature.mfcc(y=wave, sr=sample_rate, n_mfcc=coefficients + 1, n_fft=2048, hop_length=512)
        means.append(found[1:, loud].mean(1) if loud.any() else np.zeros(coefficients))
    size = np.linalg.norm(means[0]) * np.linalg.norm(means[1])
    return float(means[0] @ means[1] / size) if size > 1e-6 else 0.0


def detect(wave: np.ndarray, delta: float = 0.3) -> np.ndarray:
    """Onsets of a sound at RATE by librosa's detector, in samples: the detector of CondFoleyGen and MMAudio."""
    return librosa.onset.onset_detect(y=np.asarray(wave, np.float32), sr=RATE, units="samples", delta=delta)


def condfoleygen_onsets(reference: np.ndarray, estimate: np.ndarray, tolerance: float = 0.1) -> dict[str, float]:
    """Onset accuracy and average precision of CondFoleyGen's predict_onset.py: {"accuracy", "ap"}.

    accuracy = hits / true onsets, which is a recall. Both sounds' onsets are detected (`detect`). An onset's confidence
    is the largest |sample|, scaled to [0, 1] over the clip, within 0.05 s; of onsets nearer than 0.05 s the most
    confident is kept. Each true onset in turn takes the free onset within `tolerance` whose own sample is largest. ap:
    average precision of the confidences, 0 for a true onset without a match.
    Source: Du et al., Conditional Generation of Audio from Video via Foley Analogies, 2023. Higher is better.

    reference, estimate: (s,) at RATE. As in their code a clip without true onsets has accuracy 0, one without any onset
    of its own an ap of 1, and true onsets left when no estimate is free do not count for ap. Where their code stops, an
    onset in the first 0.05 s, the confidence is of what there is; without any onset both are NaN.
    """
    scaled, found = _onsets(np.abs(np.asarray(estimate, np.float64)), detect(estimate))
    return _scores(detect(reference), scaled, found, tolerance)


def mmaudio_onsets(
    times: ArrayLike, estimate: np.ndarray, delta: float = 0.3, seconds: float = 8.0
) -> dict[str, float]:
    """Onset accuracy, average precision and F1 of MMAudio's eval_onsets.py: {"accuracy", "ap", "f1"}.

    As `condfoleygen_onsets`, with the differences of its code: true onsets are annotated times, the first 8 s count,
    samples are scaled to [0, 1] with their sign, `delta` is both the detector's threshold and the tolerance (0.3 s!),
    and a candidate's own sample is looked up in the list from which matched onsets have not been removed. f1: of onsets
    of a confidence above 0. Source: Cheng et al., MMAudio, 2025. Higher is better.

    times: true onsets (s). estimate: (s,) at RATE.
    """
    wave = np.asarray(estimate, np.float64)[: round(seconds * RATE)]
    true = np.sort(np.asarray(times, float))
    scaled, found = _onsets(wave, detect(wave, delta), 1e-6)
    return _scores(true[true < seconds] * RATE, scaled, found, delta, stale=True)


def _onsets(wave, found, least=0.0):
    """Samples scaled to [0, 1], and the onsets that are left after suppression. least: added to the range."""
    spread = wave.max() - wave.min() + least
    scaled = (wave - wave.min()) / (spread if spread > 0 else 1)
    remain, kept = list(found), []
    confidence = np.array([_confidence(scaled, o) for o in found])
    for onset in found[np.argsort(confidence)[::-1]]:
        if onset not in remain:
            continue
        kept.append(onset)
        remain.remove(onset)
        at = 0
        while at < len(remain):  # as the published loop, which passes over the one after each that it removes
            if abs(onset - remain[at]) < GAP * RATE:
                del remain[at]
            at += 1
    return scaled, np.array(sorted(kept), int)


def _confidence(scaled, onset):
    reach = int(GAP * RATE)
    return scaled[max(0, onset - reach) : onset + reach].max()


def _scores(true, scaled, found, tolerance, stale=False):
    """Scores of onsets `found` (samples) against `true`. stale: see `mmaudio_onsets`."""
    free, truth, score, hits = list(found), [], [], 0
    for time in true:
        near = [i for i, onset in enumerate(free) if abs(onset - time) < tolerance * RATE]
        truth.append(1)
        if not near:
            score.append(0.0)
            continue
        own = [scaled[(found if stale else free)[i]] for i in near]
        best = near[int(np.argsort(own)[-1])]
        score.append(_confidence(scaled, free.pop(best)))
        hits += 1
        if not free:
            break
    truth += [0] * len(free)
    score += [_confidence(scaled, onset) for onset in free]
    if not truth:
        return {"accuracy": np.nan, "ap": np.nan, "f1": np.nan}
    ap = average_precision_score(truth, score) if any(truth) else 0.0
    f1 = f1_score(truth, [int(s > 0) for s in score], zero_division=0)
    return {"accuracy": hits / len(true) if len(true) else 0.0, "ap": float(ap), "f1": float(f1)}


def sound_peaks(wave: ArrayLike, sample_rate: int) -> np.ndarray:
    """Peaks of a sound for `av_align`: librosa's onsets by its defaults at 22.05 kHz, in seconds. wave: (s,)."""
    envelope = librosa.onset.onset_strength(y=_resampled(wave, sample_rate), sr=RATE)
    return librosa.frames_to_time(librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE), sr=RATE)


def flow_peaks(frames: Iterable[np.ndarray], fps: float) -> np.ndarray:
    """Peaks of motion for `av_align`: frames at which the mean optical flow is larger than in both neighbours, in s.

    frames: uint8 (h, w, 3) each, RGB, two or more; one is kept at a time. fps: their rate. The flow is Farneback's, by
    the settings of the metric's code.
    """
    size: Any = []
    for a, b in itertools.pairwise(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames):
        empty = np.zeros((*a.shape, 2), np.float32)  # no first guess: its flag is not set
        flow = cv2.calcOpticalFlowFarneback(a, b, empty, 0.5, 3, 15, 3, 5, 1.2, 0)
        size.append(cv2.magnitude(flow[..., 0], flow[..., 1]).mean())
    size = np.array(size)
    size = np.concatenate([size[:1], size])  # the first frame has its neighbour's
    return (1 + np.flatnonzero((size[1:-1] > size[:-2]) & (size[1:-1] > size[2:]))) / fps


def av_align(sound: ArrayLike, picture: ArrayLike, fps: float) -> float:
    """AV-Align: intersection over union of the peaks of sound and picture, hits / (sounds + pictures - hits).

    A peak of the sound is a hit where one of the picture lies less than a frame away that no earlier peak has hit:
    copies of the code without that condition give more than 1. Source: Yariv et al., Diverse and Aligned Audio-to-Video
    Generation via Text-to-Video Model Adaptation (TempoTokens), 2024, av_align.py. No unit, 0 to 1; higher is better.

    sound, picture: seconds, of `sound_peaks` and `flow_peaks`. fps: of the picture. Returns NaN without any peak.
    """
    sound, picture = np.asarray(sound, float), np.asarray(picture, float)
    hit = np.zeros(len(picture), bool)
    for t in sound:
        near = np.flatnonzero(~hit & (picture - 1 / fps < t) & (t < picture + 1 / fps))
        hit[near[:1]] = True
    hits = int(hit.sum())
    peaks = len(sound) + len(picture) - hits
    return hits / peaks if peaks else np.nan
