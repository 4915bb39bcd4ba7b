"""Whether a claim holds: two rows set against each other, in pairs clip by clip where their clips are at hand."""

import numpy as np
import pandas as pd

from vf import metrics
from vf.published import mean

HOLDS, FAILS, OPEN, MISSING = "holds", "does not hold", "undecided", "not measured"


def read_clips(path):
    """Scores of every test clip as the stage `evaluate` wrote them: {row: DataFrame of its metrics and `film`}."""
    table = pd.read_csv(path, header=[0, 1], index_col=0)
    films = table["clip", "film"]
    return {name: table[name].assign(film=films) for name in table.columns.levels[0] if name != "clip"}


def difference(clips, one, other, key):
    """Of `one` minus `other`, clip by clip: (mean of one, mean of other, mean difference, its 95% interval over films).

    clips: {row: DataFrame of metrics and `film`, a line a clip}. None where one of the two was not measured.
    """
    if not all(name in clips and key in clips[name] for name in (one, other)):
        return None
    a, b = clips[one][key].to_numpy(float), clips[other][key].to_numpy(float)
    return np.nanmean(a), np.nanmean(b), np.nanmean(a - b), metrics.bootstrap(a - b, clips[one]["film"].to_numpy())


def minus(clips, one, other, key):
    """`difference` as an entry of a metrics row: {"key minus other": mean, "key minus other_interval": [low, high]}."""
    found = difference(clips, one, other, key)
    name = f"{key} minus {other}"
    return {} if found is None else {name: round(found[2], 6), f"{name}_interval": [round(v, 6) for v in found[3]]}


def _verdict(interval, lower):
    """What the interval of a difference says of its first one being better."""
    low, high = interval if lower else (-interval[1], -interval[0])
    if np.isnan(low) or np.isnan(high):
        return MISSING
    return HOLDS if high < 0 else FAILS if low > 0 else OPEN


def paired(clips, better, worse, key, lower=True):
    """(text, verdict) for "`better` beats `worse` in `key`", lower being better; undecided where the interval holds 0."""
    found = difference(clips, better, worse, key)
    if found is None:
        return MISSING, MISSING
    a, b, apart, (low, high) = found
    return f"{a:.4g} against {b:.4g}, difference {apart:+.3g} [{low:+.3g}, {high:+.3g}]", _verdict((low, high), lower)


def no_gain(clips, more, base, key, lower=True, margin=0.05):
    """(text, verdict) for "`more` gains nothing on `base` in `key`": holds where the interval leaves no gain of more than a share
    `margin` of what `base` has, fails where a gain is certain, and is undecided else."""
    text, verdict = paired(clips, more, base, key, lower)
    found = difference(clips, more, base, key)
    if found is None or verdict in (HOLDS, MISSING):
        return text, FAILS if verdict == HOLDS else MISSING
    gain = -found[3][0] if lower else found[3][1]
    return text, HOLDS if gain <= margin * abs(found[1]) else OPEN


def saved(rows, name, key, lower=True):
    """(text, verdict) from a difference that a stage saved as a row `a minus b` of its metrics file."""
    row = rows.get(name, {})
    value, interval = mean(row, key), row.get(f"{key}_interval")
    if value is None:
        return MISSING, MISSING
    low, high = interval
    return f"difference {value:+.3g} [{low:+.3g}, {high:+.3g}]", _verdict(interval, lower)
