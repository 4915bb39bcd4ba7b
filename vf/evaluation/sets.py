"""Distances of sets of sounds by their window embeddings: FAD, its limit for endlessly many sounds, and KAD."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vf.evaluation import kernels, metrics

FADTK_LEAST = 500  # embeddings at which fadtk's line over 1 / N begins
KEYS = ("fad", "fad_inf", "fad_inf_fadtk", "kad")


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
    `metrics.frechet_distance`. Returns {fad, fad_interval, fad_inf, fad_inf_fadtk, kad, kad_interval}; FAD is NaN where
    there are too few windows (see `least_windows`), KAD for fewer than two. fad_inf takes as many windows with `few` as
    without: no line leads through distances of subsets with fewer windows than numbers. A draw of FAD's interval that
    has too few is left out.
    """
    true, made = np.concatenate(reference), np.concatenate(estimate)
    order, least = np.arange(len(estimate)), least_windows(true.shape[1], few)

    def distance(clips):
        sets = [np.concatenate([x[i] for i in np.asarray(clips, int)]) for x in (reference, estimate)]
        return metrics.frechet_distance(*sets, few) if min(map(len, sets)) >= least - 1 else np.nan

    def endless(replace):
        enough = min(len(true), len(made)) >= (least if replace else least_windows(true.shape[1]))
        return metrics.frechet_infinity(true, made, replace=replace, seed=seed, few=few) if enough else np.nan

    fad, kad, kad_interval = distance(order), np.nan, (np.nan, np.nan)
    if min(len(true), len(made)) > 1:
        kad, kad_interval = kernels.kad_with_interval(reference, estimate, groups, seed, resamples)
    return {
        "fad": fad,
        "fad_interval": (fad, fad)
        if np.isnan(fad)
        else metrics.bootstrap(order, groups, distance, resamples, seed=seed),
        "fad_inf": endless(False),
        "fad_inf_fadtk": endless(True),
        "kad": kad,
        "kad_interval": kad_interval,
    }


def least_windows(dims: int, few: bool = False) -> int:
    """Least number of embeddings of `dims` numbers for `metrics.frechet_infinity`, which needs two sizes of set.

    FAD itself needs one less. few: of `metrics.frechet_distance`.
    """
    return 3 if few else dims + 2
