"""The paper's objective metrics (section 3.2, App. C), each on arrays that are already measured or embedded."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
import scipy.special
from numpy.typing import ArrayLike

Interval = tuple[float, float]  # the low and the high end


def _pair(reference: ArrayLike, estimate: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64. Raises ValueError where their shapes differ or a value is not finite."""
    a, b = np.asarray(reference, dtype=np.float64), np.asarray(estimate, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"reference is {a.shape}, estimate {b.shape}; bring both to one length first")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("reference or estimate has NaN or infinite values; look for the clip that produced them")
    return a, b


def e_l1(reference: ArrayLike, estimate: ArrayLike, keep: ArrayLike | None = None) -> np.ndarray:
    """Mean absolute difference of two event features, Eq. 7, per clip.

    reference, estimate: (..., n). keep: (..., n) bool, the frames that count (all without it).
    Returns (...,); NaN for a clip of which no frame counts.
    """
    reference, estimate = _pair(reference, estimate)
    return _masked_mean(np.abs(reference - estimate), keep)


def _masked_mean(values, keep):
    if keep is None:
        return values.mean(-1)
    keep = np.broadcast_to(keep, values.shape)
    count = keep.sum(-1)
    return np.where(count > 0, np.where(keep, values, 0).sum(-1) / np.maximum(count, 1), np.nan)


def not_both_silent(reference_classes: ArrayLike, estimate_classes: ArrayLike) -> np.ndarray:
    """Frames that section 3.2 keeps: all but those where truth and prediction are both class 0."""
    return (np.asarray(reference_classes) != 0) | (np.asarray(estimate_classes) != 0)


def accuracy_at(scores: ArrayLike, classes: ArrayLike, k: int, keep: ArrayLike | None = None) -> np.ndarray:
    """Acc@k per clip: how often the true class is among the k best scored.

    scores: (..., n, bins), any monotone score (logits). classes: (..., n). Ties count against the model.
    """
    scores, classes = np.asarray(scores), np.asarray(classes)[..., None]
    true = np.take_along_axis(scores, classes, -1)
    better = (scores >= true).sum(-1) - 1
    return _masked_mean((better < k).astype(np.float64), keep)


def accuracy_within(
    reference_classes: ArrayLike, estimate_classes: ArrayLike, tolerance: int, keep: ArrayLike | None = None
) -> np.ndarray:
    """How often the estimate is at most `tolerance` classes off, per clip. Both (..., n) integers."""
    reference, estimate = _pair(reference_classes, estimate_classes)
    return _masked_mean((np.abs(reference - estimate) <= tolerance).astype(np.float64), keep)


def correlation(reference: ArrayLike, estimate: ArrayLike) -> np.ndarray:
    """Pearson correlation over time, per clip: (..., n), (..., n) -> (...,).

    A constant curve correlates 0 with anything.
    """
    reference, estimate = _pair(reference, estimate)
    a = reference - reference.mean(-1, keepdims=True)
    b = estimate - estimate.mean(-1, keepdims=True)
    scale = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    flat = scale < 1e-12
    return np.where(flat, 0.0, (a * b).sum(-1) / np.where(flat, 1.0, scale))


def match_gain(reference: ArrayLike, estimate: ArrayLike) -> np.ndarray:
    """Scale each estimated curve to the level of its reference before E-L1: (..., n), (..., n) -> (..., n).

    The gain is the one that minimises the L1 distance, i.e. the median of the ratios weighted by the estimate, so
    what is left is a difference of shape. A silent estimate stays silent.
    """
    reference, estimate = _pair(reference, estimate)
    ratio = reference / np.where(estimate > 0, estimate, 1)
    order = np.argsort(ratio, axis=-1)
    weight = np.cumsum(np.take_along_axis(estimate, order, -1), -1)
    half = (weight >= weight[..., -1:] / 2).argmax(-1)[..., None]
    return estimate * np.take_along_axis(np.take_along_axis(ratio, order, -1), half, -1)


def probe(
    vectors: Sequence[np.ndarray], curves: Sequence[np.ndarray], held_out: Sequence[bool], penalty: float = 10.0
) -> float:
    """How much of a curve a ridge regression reads from vectors: mean correlation on held-out clips.

    vectors: list of (t, d), one a clip. curves: list of (t,). held_out: list of bool. penalty: weight of the ridge, for
    100 frames.
    """
    x = np.concatenate([v for v, h in zip(vectors, held_out) if not h]).astype(np.float64)
    y = np.concatenate([c for c, h in zip(curves, held_out) if not h])
    centre, scale = x.mean(0), x.std(0) + 1e-3
    x = (x - centre) / scale
    weights = np.linalg.solve(x.T @ x + penalty * len(x) / 100 * np.eye(x.shape[1]), x.T @ (y - y.mean()))
    scores = [np.corrcoef((v - centre) / scale @ weights, c)[0, 1] for v, c, h in zip(vectors, curves, held_out) if h]
    return float(np.nanmean(scores))


def jitter(curve: ArrayLike) -> np.ndarray:
    """Mean absolute change of a curve from one frame to the next (Fig. 8): (b, n) RMS -> (b,), RMS a frame."""
    return np.abs(np.diff(np.asarray(curve, np.float64), axis=-1)).mean(-1)


def frechet_distance(reference: ArrayLike, estimate: ArrayLike, few: bool = False) -> float:
    """Frechet distance between two sets of embeddings, Eq. 6 with its first norm squared (as in every implementation).

    reference, estimate: (items, e). few: accept sets with no more items than dimensions, as the published tools do.
    Returns a float, 0 for equal sets. Raises ValueError where, without `few`, a set has no more items than dimensions:
    its covariance is singular and the distance depends on how many items there are.
    """
    reference, estimate = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    for name, x in (("reference", reference), ("estimate", estimate)):
        if x.ndim != 2 or len(x) < 2 or (len(x) <= x.shape[1] and not few):
            raise ValueError(
                f"{name} embeddings are {x.shape}; wanted more items than dimensions: embed more or longer clips"
            )
    if len(reference) > reference.shape[1]:
        return frechet_gaussian(reference.mean(0), np.cov(reference.T), estimate.mean(0), np.cov(estimate.T))
    # with S = A'A for the centred items A, the trace of (S_r S_g)^(1/2) is the sum of the singular values of A_r A_g'
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (reference, estimate))
    shared = scipy.linalg.svdvals(a @ b.T).sum()
    distance = ((reference.mean(0) - estimate.mean(0)) ** 2).sum() + (a**2).sum() + (b**2).sum()
    return float(max(0.0, distance - 2 * shared))


def frechet_gaussian(mean_r: np.ndarray, cov_r: np.ndarray, mean_g: np.ndarray, cov_g: np.ndarray) -> float:
    """Eq. 6 between two Gaussians: means (e,), covariances (e, e). Returns a float >= 0.

    The trace of (S_r S_g)^(1/2) is the sum of the roots of the eigenvalues of L' S_g L, for any L with L L' = S_r. That
    product is symmetric, so that rounding makes no root complex and no distance negative.
    """
    root = _root(np.atleast_2d(cov_r))
    cross = np.linalg.eigvalsh(root.T @ np.atleast_2d(cov_g) @ root).clip(min=0)
    distance = ((mean_r - mean_g) ** 2).sum() + np.trace(np.atleast_2d(cov_r)) + np.trace(np.atleast_2d(cov_g))
    return float(max(0.0, distance - 2 * np.sqrt(cross).sum()))


def _root(covariance):
    """L with L L' = S: Cholesky's, twice as fast, or the symmetric one where S is singular."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        spread, axes = np.linalg.eigh(covariance)
        return axes * np.sqrt(spread.clip(min=0))


def frechet_infinity(
    reference: ArrayLike,
    estimate: ArrayLike,
    steps: int = 25,
    least: int = 500,
    replace: bool = False,
    seed: int = 0,
    few: bool = False,
) -> tuple[float, Interval]:
    """Frechet distance that an endless set of estimates would have: a line through distances over 1 / N, read at 0.

    reference, estimate: (items, e). The line is fitted to the distances of `steps` draws of N = `least` to all items.
    replace: draw with replacement, as fadtk does. This only undoes the draw's own error, and the result is near the
    plain distance. Without it the draws are subsets, and the line shows how the distance falls with N. least: for
    subsets lowered to half of a smaller set, but not to the dimensions; with replacement it stays, as in fadtk, whose
    draws from fewer items than that have more items than the set. few: of `frechet_distance`.

    Returns the value, below 0 where there is only noise, and its 95% interval by Student's t of the line's residuals.
    That says how far another draw would move the line, which is far where the sizes lie close together, and nothing of
    how far other films would; it is NaN where there is no line, as all draws are of one size. Raises ValueError where
    there are too few items for two sizes.
    """
    estimate = np.asarray(estimate, np.float64)
    fewest = 2 if few else estimate.shape[1] + 1
    if fewest >= len(estimate):
        raise ValueError(
            f"estimate embeddings are {estimate.shape}; wanted more than {fewest} items: embed more or longer clips"
        )
    least = max(least, fewest) if replace else max(min(least, len(estimate) // 2), fewest)
    rng = np.random.default_rng(seed)
    sizes = np.linspace(least, len(estimate), steps).astype(int)
    drawn = [frechet_distance(reference, estimate[rng.choice(len(estimate), n, replace)], few) for n in sizes]
    if sizes[0] == sizes[-1]:
        return float(np.mean(drawn)), (np.nan, np.nan)  # one size has no line
    (_, value), covariance = np.polyfit(1 / sizes, drawn, 1, cov=True)
    half = scipy.special.stdtrit(steps - 2, 0.975) * np.sqrt(covariance[1, 1])
    return float(value), (float(value - half), float(value + half))


def cosine(reference: ArrayLike, estimate: ArrayLike) -> np.ndarray:
    """CLAP score (App. C): cosine between embeddings, (..., e), (..., e) -> (...,)."""
    reference, estimate = _pair(reference, estimate)
    norm = np.linalg.norm(reference, axis=-1) * np.linalg.norm(estimate, axis=-1)
    return (reference * estimate).sum(-1) / np.maximum(norm, 1e-12)


def bootstrap(
    values: ArrayLike,
    groups: ArrayLike | None = None,
    statistic: Callable[[np.ndarray], float] = np.nanmean,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic over clips.

    values: (items, ...), resampled along the first axis. groups: (items,), e.g. the film of each clip; whole groups are
    drawn, since clips of one film are alike. statistic: computed on the resampled values. level: share of the resampled
    statistics between low and high. Returns (low, high); NaN
    where there is only one group. Raises ValueError where values and groups are not of one length.
    """
    values = np.asarray(values)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} values have {len(groups)} groups; wanted a group for each value")
    members = [np.flatnonzero(groups == g) for g in dict.fromkeys(groups.tolist())]
    if len(members) < 2:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    picked = [rng.integers(len(members), size=len(members)) for _ in range(resamples)]
    tail, alike = (1 - level) / 2 * 100, len({len(each) for each in members}) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw in which no clip has a value is left out
        if statistic is np.nanmean and alike and values.ndim == 1 and values.size * resamples < 2e7:
            # the same numbers, all draws at once
            drawn = np.nanmean(values[np.array(members)[np.array(picked)].reshape(resamples, -1)], axis=1)
        else:
            drawn = [statistic(values[np.concatenate([members[i] for i in each])]) for each in picked]
        low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
