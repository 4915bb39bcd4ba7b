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
    return HOLDS if high < 0 else FAILS if low > 0 else OPEN


def paired(clips, better, worse, key, lower=True):
    """(text, verdict) for "`better` beats `worse` in `key`", lower being better; undecided where the interval holds 0."""
    found = difference(clips, better, worse, key)
    if found is None:
        return MISSING, MISSING
    a, b, apart, (low, high) = found
    return f"{a:.4g} against {b:.4g}, difference {apart:+.2g} [{low:+.2g}, {high:+.2g}]", _verdict((low, high), lower)


def no_gain(clips, more, base, key, lower=True):
    """(text, verdict) for "`more` gains nothing on `base` in `key`": holds unless it is better and the interval leaves 0 out."""
    text, verdict = paired(clips, more, base, key, lower)
    return text, {HOLDS: FAILS, FAILS: HOLDS, OPEN: HOLDS}.get(verdict, verdict)


def unpaired(rows, better, worse, key, lower=True):
    """(text, verdict) as of `paired`, of what has no value a clip: undecided where the intervals of the two rows overlap.

    rows: {row: {metric: value or a list, one a seed, metric_interval: [low, high]}}.
    """
    a, b = (mean(rows.get(name, {}), key) for name in (better, worse))
    if a is None or b is None:
        return MISSING, MISSING
    a_low, a_high = rows[better].get(f"{key}_interval") or (a, a)
    b_low, b_high = rows[worse].get(f"{key}_interval") or (b, b)
    text = f"{a:.4g} against {b:.4g}"
    if a_low <= b_high and b_low <= a_high and a_low < a_high:
        return f"{text}, intervals overlap", OPEN
    return text, HOLDS if (a < b) == lower and a != b else FAILS


def saved(rows, name, key, lower=True):
    """(text, verdict) from a difference that a stage saved as a row `a minus b` of its metrics file."""
    row = rows.get(name, {})
    value, interval = mean(row, key), row.get(f"{key}_interval")
    if value is None:
        return MISSING, MISSING
    low, high = interval
    return f"difference {value:+.2g} [{low:+.2g}, {high:+.2g}]", _verdict(interval, lower)
