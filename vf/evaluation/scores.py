"""Scores of curves and of sounds against the truth, per clip and over the set, with intervals (section 3.2, App. C)."""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from vf.data import clips
from vf.evaluation import metrics, timing
from vf.evaluation.metrics import Interval
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

PerClip = dict[str, np.ndarray]  # {metric: (b,)}


def curve_scores(
    truth: torch.Tensor,
    target: torch.Tensor,
    curve: torch.Tensor,
    scores: ArrayLike,
    bins: rms.Bins,
    rate: float,
    reference_onsets: Sequence[np.ndarray],
) -> PerClip:
    """Every per-clip number of a Video2RMS system.

    truth: (b, n) true curve. target: (b, n) the curve the model was trained for (low-passed, or the truth itself).
    curve: (b, n) the system's curve. scores: (b, n, k) its score of every class. bins: rms.Bins. rate: curve frames per
    second. reference_onsets: a list of b arrays of seconds. Returns {metric: (b,)}; NaN where no frame counts.
    """
    true, got = bins.encode(target).numpy(), bins.encode(curve).numpy()
    keep = metrics.not_both_silent(true, got)
    result = {"e_l1_sounding": metrics.e_l1(target, curve, keep)}
    # accuracy is of the best scored class, which need not be the class of the curve (see video2rms.decode)
    scores = np.asarray(scores)
    classified = metrics.not_both_silent(true, scores.argmax(-1))
    for k in (1, 5, 10):
        result[f"acc@{k}"] = metrics.accuracy_at(scores, true, k, classified)
    for tolerance in (2, 5, 8):
        result[f"within_{tolerance}"] = metrics.accuracy_within(true, got, tolerance, keep)
    result["e_l1_event"] = metrics.e_l1(target, curve, true != 0)
    result["e_l1_all"] = metrics.e_l1(truth, curve)
    result["correlation"] = metrics.correlation(truth, curve)
    both = np.asarray(truth), np.asarray(curve)
    return result | timing.curve_agreement(*both, rate, bins.floor, reference_onsets)


def onset_scores(
    references: Sequence[np.ndarray], found: Sequence[tuple[np.ndarray, np.ndarray]], threshold: float
) -> PerClip:
    """Scores of an onset detector, clip by clip.

    Recall, accuracy and average precision follow the protocol of App. C. The F-measures match onsets one to one as well
    as can be. references: true onsets of each clip (s). found: (seconds, confidences) of each clip. threshold: least
    confidence of an onset that counts, for all but average precision. Returns {metric: (b,)}; recall, accuracy and ap
    are NaN where a clip has no onset.
    """
    sure = [times[confidence >= threshold] for times, confidence in found]
    rows = [onsets.protocol(r, t, c, threshold) for r, (t, c) in zip(references, found)]
    return {f"onset_{name}": np.array([row[name] for row in rows]) for name in ("recall", "accuracy", "ap")} | {
        "onset_f1_100ms": np.array([onsets.f1(r, t, 0.1) for r, t in zip(references, sure)]),
        "onset_f1_50ms": np.array([onsets.f1(r, t, 0.05) for r, t in zip(references, sure)]),
    }


def onset_times(films: Sequence[clips.Clip], curves: ArrayLike, rate: float, floor: float) -> list[np.ndarray]:
    """Times of each clip's events, for the onset metrics.

    These are the annotated times. In a clip without annotations, onsets are detected in its true curve.
    curves: (b, n) true RMS of the films. rate: frames of a curve per second. floor: RMS of silence. Returns an array of
    seconds for each clip.
    """
    return [
        np.array([e.time for e in clip.events]) if clip.events else onsets.detect(curve, rate, floor)
        for clip, curve in zip(films, np.asarray(curves))
    ]


def class_scores(classes: torch.Tensor, count: int) -> torch.Tensor:
    """Scores for a system that names one class a frame: nearer classes score higher. (..., n) -> (..., n, count)."""
    return -(torch.arange(count) - torch.as_tensor(classes)[..., None]).abs().float()


def baseline_curves(
    target: torch.Tensor, train_target: torch.Tensor, bins: rms.Bins, groups: Sequence[str], seed: int
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The rows that keep Table 1 honest: {name: (curve (b, n), scores (b, n, k))}.

    discretised_truth, random (a class drawn for each frame), constant (the median of `train_target`, which has the
    least E-L1 of all constants), mismatched (the truth of another clip, of another group) and silence.
    """
    generator = torch.Generator().manual_seed(seed)
    true = bins.encode(target)
    noise = torch.rand(*true.shape, bins.count, generator=generator)
    best = torch.full_like(torch.as_tensor(target), torch.as_tensor(train_target).median().item())
    named = {
        "discretised_truth": true,
        "constant": bins.encode(best),
        "mismatched": true[other_clips(groups)],
        "silence": torch.zeros_like(true),
    }
    curves = {name: (bins.decode(c), class_scores(c, bins.count)) for name, c in named.items()}
    curves["constant"] = (best, curves["constant"][1])
    curves["silence"] = (torch.zeros_like(best), curves["silence"][1])  # silent altogether, without a room's tone
    curves["mismatched"] = (torch.as_tensor(target)[other_clips(groups)], curves["mismatched"][1])
    curves["random"] = (bins.decode(noise.argmax(-1)), noise)
    return curves


def linear_curves(energy: ArrayLike, curves: ArrayLike, among: Sequence[int], reach: int = 8) -> torch.Tensor:
    """Curves that a linear regression predicts from frame differences: the least that a network has to beat.

    energy: (clips, t) of each video frame. The regression reads its square root, about the size of a movement, within
    `reach` frames on either side. curves: (clips, n) true RMS. The regression is fitted by least squares on the clips
    `among`. Returns (clips, n), in [0, 1].
    """
    size = np.sqrt(np.asarray(energy, np.float64))
    padded = np.pad(size, ((0, 0), (reach, reach)), mode="edge")
    around = [padded[:, k : k + size.shape[1]] for k in range(2 * reach + 1)]
    n = np.asarray(curves).shape[-1]
    x = np.stack([rms.resize(torch.as_tensor(a), n).numpy() for a in [*around, np.ones_like(size)]], -1)
    weights, *_ = np.linalg.lstsq(x[among].reshape(-1, x.shape[-1]), np.asarray(curves)[among].reshape(-1), rcond=None)
    return torch.as_tensor(np.clip(x @ weights, 0, 1), dtype=torch.float32)


def other_clips(groups: Sequence[str]) -> list[int]:
    """For each clip the index of another, of another group where there is one: half the set away, then the next."""
    count, picked = len(groups), []
    for i in range(count):
        order = [(i + count // 2 + j) % count for j in range(count)]
        different = [j for j in order if groups[j] != groups[i]] or [j for j in order if j != i] or [i]
        picked.append(different[0])
    return picked


def sound_scores(
    reference: ArrayLike,
    estimate: ArrayLike,
    timeline: Timeline,
    floor: float,
    onset_times: Sequence[np.ndarray] | None = None,
) -> PerClip:
    """Per-clip numbers of generated sound that need no embedder.

    reference, estimate: (b, s) waveforms. timeline: gives window and hop of the curve (512/128, App. C). floor: RMS of
    silence, for the onset detector. onset_times: a list of b arrays of seconds; onsets detected in the reference
    without it. Returns {e_l1, e_l1_gain_matched, correlation: (b,)} and the metrics of `timing.curve_agreement`.
    """
    window, hop = timeline.video_window, timeline.video_hop
    truth = rms.rms_curve(torch.as_tensor(reference), window, hop).numpy()
    got = rms.rms_curve(torch.as_tensor(estimate), window, hop).numpy()
    return {
        "e_l1": metrics.e_l1(truth, got),
        "e_l1_gain_matched": metrics.e_l1(truth, metrics.match_gain(truth, got)),
        "correlation": metrics.correlation(truth, got),
    } | timing.curve_agreement(truth, got, timeline.sample_rate / hop, floor, onset_times)


def timbre_scores(listen: Any, reference: np.ndarray, estimate: np.ndarray, materials: Sequence[str | None]) -> PerClip:
    """Scores of timbre, clip by clip: the CLAP score (App. C), and whether a tagger names the right material.

    listen: the backend's embedders. reference, estimate: (b, s) waveforms. materials: of each clip; None where a clip
    has several or is not annotated. Returns {clap, material_accuracy: (b,)}, NaN without a material.
    """
    named = listen.materials(estimate, clips.MATERIALS)
    return {
        "clap": metrics.cosine(listen.score(reference), listen.score(estimate)),
        "material_accuracy": np.array([float(n == m) if m and n else np.nan for n, m in zip(named, materials)]),
    }


def set_distance(
    reference: np.ndarray,
    estimates: Sequence[np.ndarray],
    groups: ArrayLike,
    seed: int,
    resamples: int = 100,
    few: bool = False,
) -> tuple[list[float], Interval]:
    """Frechet distances of sets of window embeddings to the reference, and an interval of their mean.

    reference: (b, w, e), w windows a clip. estimates: a list of such, one for each training or seed of a system.
    groups: of each clip; the bootstrap draws whole groups. few: of `metrics.frechet_distance`. Returns ([distance of
    each], (low, high)).
    """
    together, distances = _sets(reference, estimates, few)
    interval = metrics.bootstrap(together, groups, lambda windows: np.mean(distances(windows)), resamples, seed=seed)
    return distances(together), interval


def set_difference(
    reference: np.ndarray,
    ones: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
    groups: ArrayLike,
    seed: int,
    resamples: int = 1000,
    few: bool = False,
) -> tuple[float, Interval]:
    """Mean Frechet distance of `ones` to the reference minus that of `others`, and its interval.

    Each draw of the bootstrap takes the same films for all. reference: (b, w, e). ones, others: lists of such, one for
    each training or seed. groups: the film of each clip. few: of `metrics.frechet_distance`. Returns (value, (low,
    high)).
    """
    together, distances = _sets(reference, [*ones, *others], few)

    def apart(windows):
        each = distances(windows)
        return float(np.mean(each[: len(ones)]) - np.mean(each[len(ones) :]))

    return apart(together), metrics.bootstrap(together, groups, apart, resamples, seed=seed)


def _sets(reference, estimates, few):
    """Reference and estimates side by side, (b, w, sum of e), and a function from such an array to the distances.

    The function gives NaN where there are no more embeddings than dimensions.
    """
    dims = reference.shape[-1]

    def distances(windows):
        first, *others = np.split(windows.reshape(-1, windows.shape[-1]), windows.shape[-1] // dims, axis=1)
        if len(first) <= (1 if few else dims):
            return [np.nan] * len(others)
        return [metrics.frechet_distance(first, other, few) for other in others]

    return np.concatenate([reference, *estimates], -1).astype(np.float64), distances


def picture_embeddings(
    backend: ModuleType, pictures: np.ndarray, films: clips.ClipSet, fps: float, windows: int, dims: int | None
) -> np.ndarray:
    """The picture's part of an embedding of FAVD, of every test clip (section 3.2).

    backend: the profile's module of embedders. pictures: (clips, t, ...) of all clips, perhaps on disk. films: the same
    clips. windows: of the sound's embeddings. dims: of the projection, which is fitted on training clips; None where
    the backend needs none. Returns (test clips, windows, e).
    """
    described = {i: backend.picture_windows(pictures[i], fps, windows) for i in films.indices("train", "test")}
    projection = backend.train_picture(np.concatenate([described[i] for i in films.indices("train")]), dims)
    return np.stack([backend.embed_picture(projection, described[i]) for i in films.indices("test")])


def hear(listen: Any, waves: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Window embeddings of sounds; for FAVD the picture's are joined to the sound's.

    listen: the profile's embedders. waves: (b, s). pictures: (b, w, e) of the same clips. Returns {metric: (b, w, d)}.
    """
    windows = listen.windows(waves)
    return windows | {"favd": np.concatenate([windows["favd"], pictures], -1)}


def constant_sounds(train_curves: ArrayLike, count: int, samples: int, seed: int = 0) -> np.ndarray:
    """The best sound of constant loudness: noise whose RMS is the median of the training curves, (count, samples).

    A constant that minimises E-L1 (Eq. 7) is the median of all frames; it is fitted on training clips, never on those
    that are scored. Each sample is plus or minus that level, so that the RMS of every frame is the level itself.
    """
    level = np.float32(np.median(np.asarray(train_curves)))
    return level * np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), (count, samples))


def sounds_of_others(films: clips.ClipSet) -> np.ndarray:
    """The sound of a training film for each test clip, (test clips, s): real sound of something else."""
    learnt, count = films.indices("train"), len(films.indices("test"))
    return films.wave([learnt[i * len(learnt) // count] for i in range(count)])


def remaining_share(
    estimate: np.ndarray, worst: np.ndarray, best: np.ndarray, groups: ArrayLike, seed: int
) -> tuple[float, Interval]:
    """Share of the way from `worst` down to `best` that an error has still to go.

    It is (estimate - best) / (worst - best) of the means. estimate, worst, best: (b,) errors of the same clips. Returns
    (share, (low, high)).
    """

    def share(columns):
        a, b, c = np.nanmean(columns, 0)
        return (a - c) / (b - c)

    columns = np.stack([estimate, worst, best], 1)
    return float(share(columns)), metrics.bootstrap(columns, groups, share, seed=seed)


def summarise(per_clip: PerClip, groups: ArrayLike, seed: int) -> dict[str, Any]:
    """Means over clips and their bootstrap intervals: {metric: mean, metric_interval: [low, high]}.

    A mean is None where every value is NaN, an interval also where all clips are of one group.
    """
    result: dict[str, Any] = {}
    for name, values in per_clip.items():
        if np.isnan(values).all():
            result[name] = result[f"{name}_interval"] = None
            continue
        result[name] = round(float(np.nanmean(values)), 6)
        low, high = metrics.bootstrap(values, groups, seed=seed)
        result[f"{name}_interval"] = None if np.isnan(low) else [round(low, 6), round(high, 6)]
    return result


def over_seeds(draws: Sequence[PerClip], groups: ArrayLike, seed: int) -> dict[str, Any]:
    """Scores of several trainings of one system.

    draws: scores of each training, clip by clip. groups: the film of each clip. Returns {metric: [mean over clips of
    each draw], metric_interval: [low, high] of the mean over draws}.
    """
    result: dict[str, Any] = {}
    for name, row in summarise(mean_draw(draws), groups, seed).items():
        each = name.endswith("_interval") or row is None
        result[name] = row if each else [round(float(np.nanmean(d[name])), 6) for d in draws]
    return result


def paired_difference(
    draws: Sequence[PerClip], others: Sequence[PerClip], groups: ArrayLike, seed: int
) -> dict[str, Any]:
    """Mean and interval of `draws` minus `others`, clip by clip, as of `summarise`.

    Both are first averaged over their draws (see `over_seeds`).
    """
    a, b = mean_draw(draws), mean_draw(others)
    return summarise({name: a[name] - b[name] for name in a}, groups, seed)


def mean_draw(draws: Sequence[PerClip]) -> PerClip:
    """Per-clip scores averaged over draws: a list of {metric: (b,)} -> {metric: (b,)}."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a clip that no draw has is NaN
        return {name: np.nanmean([d[name] for d in draws], 0) for name in draws[0]}


def entry(key: str, value: float | list, interval: tuple, digits: int = 4) -> dict:
    """A value and its interval as a row of results has them: {key: value, key_interval: [low, high]}, rounded.

    value: a number; of several trainings a list, one each. interval: (low, high).
    """
    rounded = [round(v, digits) for v in value] if isinstance(value, list) else round(value, digits)
    return {key: rounded, f"{key}_interval": [round(v, digits) for v in interval]}


def pick(summary: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Some metrics of a summary with their intervals; those that the profile does not have are left out."""
    return {k: summary[k] for key in keys if key in summary for k in (key, f"{key}_interval")}
