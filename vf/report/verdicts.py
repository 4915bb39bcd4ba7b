"""Whether a claim holds: two rows set against each other, in pairs clip by clip where their clips are at hand.

Which way is better is read in `catalogue`, by the metric's key; `lower` says otherwise where a claim asks for something
else.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from vf.evaluation import catalogue, metrics, scores
from vf.report.text import mean, measured

HOLDS, FAILS, OPEN, MISSING = "holds", "does not hold", "undecided", "not measured"
UNMEASURED = (MISSING, MISSING)


def read_clips(path: str | Path) -> dict[str, pd.DataFrame]:
    """Scores of every test clip as the stage `evaluate` wrote them: {row: DataFrame of its metrics and `film`}."""
    table = pd.read_csv(path, header=[0, 1], index_col=0)
    films = table["clip", "film"]
    return {name: table[name].assign(film=films) for name in table.columns.levels[0] if name != "clip"}


def difference(clips: dict, one: str, other: str, key: str) -> tuple | None:
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


def minus(clips: dict, one: str, other: str, key: str) -> dict:
    """`difference` as an entry of a metrics row: {"key minus other": mean, "key minus other_interval": [low, high]}."""
    found = difference(clips, one, other, key)
    return {} if found is None else scores.entry(f"{key} minus {other}", float(found[2]), found[3], 6)


def decide(interval: tuple, lower: bool) -> str:
    """What the interval of a difference says of its first one being better. lower: whether less is better."""
    low, high = interval if lower else (-interval[1], -interval[0])
    if np.isnan(low) or np.isnan(high):
        return MISSING
    return HOLDS if high < 0 else FAILS if low > 0 else OPEN


def against(interval: tuple, bar: float) -> str:
    """Whether a value with this interval lies above a bar, such as what chance would give."""
    return HOLDS if interval[0] > bar else FAILS if interval[1] < bar else OPEN


def paired(clips: dict, better: str, worse: str, key: str) -> tuple[str, str]:
    """(text, verdict) for "`better` beats `worse` in `key`"; undecided where the interval holds 0."""
    found = difference(clips, better, worse, key)
    return UNMEASURED if found is None else (_in_words(*found), decide(found[3], catalogue.lower_is_better(key)))


def no_gain(clips: dict, more: str, base: str, key: str) -> tuple[str, str]:
    """(text, verdict) for "`more` gains nothing on `base` in `key`" (`_nothing_gained`)."""
    found = difference(clips, more, base, key)
    return UNMEASURED if found is None else (_in_words(*found), _nothing_gained(found[1], found[3], key))


def _in_words(a, b, apart, interval):
    """A difference in words; a, b: the two levels, None where they are not known."""
    levels = "" if None in (a, b) else f"{a:.4g} against {b:.4g}, "
    return f"{levels}difference {measured(apart, interval, '.3g', '+')}"


def _nothing_gained(base, interval, key, margin=0.05):
    """Holds where the interval of a difference leaves no gain of more than a share `margin` of what the base has.

    Fails where a gain is certain, and is undecided otherwise.
    """
    lower = catalogue.lower_is_better(key)
    verdict = decide(interval, lower)
    if verdict in (HOLDS, MISSING):
        return FAILS if verdict == HOLDS else MISSING
    gain = -interval[0] if lower else interval[1]
    return HOLDS if gain <= margin * abs(base) else OPEN


def saved(rows: dict, name: str, key: str, lower: bool | None = None) -> tuple[str, str]:
    """(text, verdict) from a difference that a stage saved as a row `a minus b` of its metrics.

    The text gives the levels too, where `rows` has both `a` and `b`.
    """
    row = rows.get(name, {})
    value, interval = mean(row, key), row.get(f"{key}_interval")
    if value is None or interval is None or None in interval:
        return UNMEASURED
    one, _, other = name.partition(" minus ")
    a, b = mean(rows.get(one, {}), key), mean(rows.get(other, {}), key)
    lower = catalogue.lower_is_better(key) if lower is None else lower
    return _in_words(a, b, value, interval), decide(interval, lower)


def saved_no_gain(rows: dict, more: str, base: str, key: str) -> tuple[str, str]:
    """`no_gain` from saved rows `more minus base`, `more` and `base`."""
    words, verdict = saved(rows, f"{more} minus {base}", key)
    if verdict == MISSING:
        return words, verdict
    return words, _nothing_gained(mean(rows[base], key), rows[f"{more} minus {base}"][f"{key}_interval"], key)
