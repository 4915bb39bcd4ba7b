"""Distances of sets of sounds by their window embeddings: FAD, its limit for endlessly many sounds, and KAD."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vf.evaluation import kernels, metrics, scores

FADTK_LEAST = 500  # embeddings at which fadtk's line over 1 / N begins
LIMITS = {"inf": False, "inf_fadtk": True}  # forms of FAD-infinity: whether sounds are drawn with replacement


def row(
    reference: Mapping[str, np.ndarray],
    heard: Mapping[str, np.ndarray],
    groups: Sequence[str],
    seed: int = 0,
    few: bool = False,
) -> dict[str, Any]:
    """Every distance of a set of sounds to the reference, as a row of results has them.

    reference, heard: window embeddings (b, w, e) of the same clips, by metric, as `scores.hear` gives them. groups: the
    film of each clip. few: of `metrics.frechet_distance`. Returns the Frechet distance of each embedding by its name,
    of sounds alone (fad, fad_c) both forms of FAD-infinity too, and kad; each with its interval.
    """
    found: dict[str, Any] = {}
    for metric, real in reference.items():
        (value,), interval = scores.set_distance(real, [heard[metric]], groups, seed, few=few)
        found |= scores.entry(metric, value, interval)
    for metric in [m for m in ("fad", "fad_c") if m in reference]:
        for form, limit in limits(reference[metric], heard[metric], seed, few).items():
            found |= scores.entry(f"{metric}_{form}", *limit)
    kad = kernels.kad_with_interval(list(reference["fad"]), list(heard["fad"]), groups, seed)
    return found | scores.entry("kad", *kad)


def set_scores(
    reference: list[np.ndarray],
    estimate: list[np.ndarray],
    groups: Sequence[str],
    seed: int = 0,
    few: bool = False,
    resamples: int = 100,
) -> dict[str, Any]:
    """FAD of two lists of window embeddings (w, e), one a clip, its limit for endlessly many sounds, and KAD.

    groups: the film of each clip, for the intervals; that of FAD lies too high (see `catalogue`). few: of
    `metrics.frechet_distance`. Returns {fad, fad_inf, fad_inf_fadtk, kad} and the `_interval` of each; FAD is NaN where
    there are too few windows (see `least_windows`), KAD for fewer than two. A draw of FAD's interval that has too few
    is left out.
    """
    true, made = np.concatenate(reference), np.concatenate(estimate)
    order, least = np.arange(len(estimate)), least_windows(true.shape[1], few)

    def distance(clips):
        sets = [np.concatenate([x[i] for i in np.asarray(clips, int)]) for x in (reference, estimate)]
        return metrics.frechet_distance(*sets, few) if min(map(len, sets)) >= least - 1 else np.nan

    fad, kad, kad_interval = distance(order), np.nan, (np.nan, np.nan)
    if min(len(true), len(made)) > 1:
        kad, kad_interval = kernels.kad_with_interval(reference, estimate, groups, seed, resamples)
    result = {
        "fad": fad,
        "fad_interval": (fad, fad)
        if np.isnan(fad)
        else metrics.bootstrap(order, groups, distance, resamples, seed=seed),
    }
    for form, (value, interval) in limits(true, made, seed, few).items():
        result |= {f"fad_{form}": value, f"fad_{form}_interval": interval}
    return result | {"kad": kad, "kad_interval": kad_interval}


def limits(
    reference: np.ndarray, estimate: np.ndarray, seed: int = 0, few: bool = False
) -> dict[str, tuple[float, metrics.Interval]]:
    """FAD-infinity in both forms: {inf: (value, (low, high)), inf_fadtk: ...}, as of `metrics.frechet_infinity`.

    `inf_fadtk` is the paper's; `inf` draws subsets. reference, estimate: embeddings (..., e), windows of all clips.
    few: of `metrics.frechet_distance`. NaN where there are too few windows (see `least_windows`); `inf` takes as many
    with `few` as without, as no line leads through distances of subsets with fewer windows than numbers.
    """
    true, made = (np.asarray(x).reshape(-1, np.shape(x)[-1]) for x in (reference, estimate))
    windows, found = min(len(true), len(made)), {}
    for form, replace in LIMITS.items():
        if windows < least_windows(true.shape[1], few and replace):
            found[form] = np.nan, (np.nan, np.nan)
        else:
            found[form] = metrics.frechet_infinity(true, made, replace=replace, seed=seed, few=few and replace)
    return found


def least_windows(dims: int, few: bool = False) -> int:
    """Least number of embeddings of `dims` numbers for `metrics.frechet_infinity`, which needs two sizes of set.

    FAD itself needs one less. few: of `metrics.frechet_distance`.
    """
    return 3 if few else dims + 2
