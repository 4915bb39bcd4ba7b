"""Whether a claim holds: two rows set against each other, in pairs clip by clip where their clips are at hand."""

import numpy as np
import pandas as pd

from vf.evaluation import metrics
from vf.report.published import mean

HOLDS, FAILS, OPEN, MISSING = "holds", "does not hold", "undecided", "not measured"


def read_clips(path):
    """Scores of every test clip as the stage `evaluate` wrote them: {row: DataFrame of its metrics and `film`}."""
    table = pd.read_csv(path, header=[0, 1], index_col=0)
    films = table["clip", "film"]
    return {name: table[name].assign(film=films) for name in table.columns.levels[0] if name != "clip"}


def difference(clips, one, other, key):
    """Of `one` minus `other`, clip by clip: (mean of one, mean of other, mean difference, its 95% interval over films).

    clips: {row: DataFrame of metrics and `film`, a line a clip}. Of the clips that have both; None where none has.
    """
    if not all(name in clips and key in clips[name] for name in (one, other)):
        return None
    a, b = clips[one][key].to_numpy(float), clips[other][key].to_numpy(float)
    both = np.isfinite(a - b)
    if not both.any():
        return None
    a, b, films = a[both], b[both], clips[one]["film"].to_numpy()[both]
    return a.mean(), b.mean(), (a - b).mean(), metrics.bootstrap(a - b, films)


def minus(clips, one, other, key):
    """`difference` as an entry of a metrics row: {"key minus other": mean, "key minus other_interval": [low, high]}."""
    found = difference(clips, one, other, key)
    name = f"{key} minus {other}"
    return {} if found is None else {name: round(float(found[2]), 6), f"{name}_interval": [round(v, 6) for v in found[3]]}


def _verdict(interval, lower):
    """What the interval of a difference says of its first one being better."""
    low, high = interval if lower else (-interval[1], -interval[0])
    if np.isnan(low) or np.isnan(high):
        return MISSING
    return HOLDS if high < 0 else FAILS if low > 0 else OPEN


def paired(clips, better, worse, key, lower=True):
    """(text, verdict) for "`better` beats `worse` in `key`", lower being better; undecided where the interval holds 0."""
    found = difference(clips, better, worse, key)
    return (MISSING, MISSING) if found is None else (_told(*found), _verdict(found[3], lower))


def no_gain(clips, more, base, key, lower=True):
    """(text, verdict) for "`more` gains nothing on `base` in `key`" (`_nothing_gained`)."""
    found = difference(clips, more, base, key)
    return (MISSING, MISSING) if found is None else (_told(*found), _nothing_gained(found[1], found[3], lower))


def _told(a, b, apart, interval):
    """A difference in words; a, b: the two levels, None where they are not known."""
    levels = "" if None in (a, b) else f"{a:.4g} against {b:.4g}, "
    return f"{levels}difference {apart:+.3g} [{interval[0]:+.3g}, {interval[1]:+.3g}]"


def _nothing_gained(base, interval, lower, margin=0.05):
    """Holds where the interval of a difference leaves no gain of more than a share `margin` of what the base has, fails where a
    gain is certain, and is undecided else."""
    verdict = _verdict(interval, lower)
    if verdict in (HOLDS, MISSING):
        return FAILS if verdict == HOLDS else MISSING
    gain = -interval[0] if lower else interval[1]
    return HOLDS if gain <= margin * abs(base) else OPEN


def saved(rows, name, key, lower=True):
    """(text, verdict) from a difference that a stage saved as a row `a minus b` of its metrics, beside rows `a` and `b` or not."""
    row = rows.get(name, {})
    value, interval = mean(row, key), row.get(f"{key}_interval")
    if value is None or interval is None or None in interval:
        return MISSING, MISSING
    one, _, other = name.partition(" minus ")
    levels = [mean(rows.get(each, {}), key) for each in (one, other)]
    return _told(*levels, value, interval), _verdict(interval, lower)


def saved_no_gain(rows, more, base, key, lower=True):
    """`no_gain` from saved rows `more minus base`, `more` and `base`."""
    text, verdict = saved(rows, f"{more} minus {base}", key, lower)
    if verdict == MISSING:
        return text, verdict
    return text, _nothing_gained(mean(rows[base], key), rows[f"{more} minus {base}"][f"{key}_interval"], lower)
