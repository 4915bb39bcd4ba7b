"""Kernel Audio Distance: how far two sets of embeddings lie apart, without a bias from the number of sounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist, pdist

from vf.evaluation import metrics

SCALE = 100  # of kadtk, for readable numbers


def kad(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Kernel Audio Distance: the unbiased squared maximum mean discrepancy, times 100.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), where x and x' (y and y') are different items of one set and
    k(a, b) = exp(-|a - b|^2 / 2 s^2), s the `median_distance` of the reference.
    Source: Chung et al., KAD: No More FAD!, 2025, and its tool kadtk. No unit; lower is better.

    reference, estimate: (items, e), two items at least.
    Returns a float, about 0 for sets of one distribution, of either sign. Raises ValueError for fewer items.
    """
    return _mmd(_grams(reference, estimate))


def median_distance(items: ArrayLike) -> float:
    """Median of the distances of all pairs of items (items, e): the rule for the Gaussian's width.

    Of an even number of pairs the lower of the middle two, as torch.median has it. kadtk 1.1.0 takes the pairs of the
    estimate, its later code and the paper those of the reference, which is the same for all systems.
    """
    apart = np.sort(pdist(np.asarray(items, np.float64)))
    return float(apart[(len(apart) - 1) // 2])


def kad_with_interval(
    reference: Sequence[np.ndarray],
    estimate: Sequence[np.ndarray],
    groups: ArrayLike,
    seed: int,
    resamples: int = 1000,
) -> tuple[float, tuple[float, float]]:
    """KAD of two lists of window embeddings (w, e), one a clip, and its bootstrap interval: (value, (low, high)).

    groups: the film of each clip; whole films are drawn. A film that is drawn twice counts twice, but not as a pair
    with itself, so that the interval does not lie too high. The bandwidth stays that of the whole reference.
    """
    grams = _grams(np.concatenate(list(reference)), np.concatenate(list(estimate)))
    sizes = [[len(windows) for windows in each] for each in (reference, estimate)]

    def drawn(clips):
        count = np.bincount(np.asarray(clips, int), minlength=len(reference))
        return _mmd(grams, *(np.repeat(count, size).astype(float) for size in sizes))

    return _mmd(grams), metrics.bootstrap(np.arange(len(reference)), groups, drawn, resamples, seed=seed)


def _grams(reference, estimate):
    """Kernels of all pairs: within the reference, within the estimate, between them."""
    x, y = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"embeddings are {x.shape} and {y.shape}; wanted two items or more of one size in each: embed more clips"
        )
    gamma = 1 / (2 * median_distance(x) ** 2 + 1e-8)  # kadtk's guard against a width of 0
    return [np.exp(-gamma * cdist(a, b, "sqeuclidean")) for a, b in ((x, x), (y, y), (x, y))]


def _mmd(grams, w=None, v=None):
    """Unbiased MMD^2 times SCALE. w, v: how often each item of the two sets counts, once each without them."""
    xx, yy, xy = grams
    w = np.ones(len(xx)) if w is None else w
    v = np.ones(len(yy)) if v is None else v
    within = [(u @ k @ u - (u**2) @ k.diagonal()) / (u.sum() ** 2 - (u**2).sum()) for k, u in ((xx, w), (yy, v))]
    return float(SCALE * (sum(within) - 2 * (w @ xy @ v) / (w.sum() * v.sum())))
