"""Level, start and end of each event, measured on an RMS curve (section 4.2, App. H)."""

from collections.abc import Sequence

import mir_eval
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr

from vf.data.clips import Event
from vf.signal import onsets

LEVEL_SCORES = ("level_error_db", "level_bias_db", "level_rank", "ranked")  # keys of `level_scores`


def measure(curve: ArrayLike, times: ArrayLike, rate: float, early: float = 0.05, floor: float = 0.01) -> np.ndarray:
    """Level, start and end of each event.

    curve: (n,) RMS. times: (e,) seconds, increasing; an event lasts until the next one or the end. rate: frames per
    second. early: seconds by which a sound may come ahead of its event's time, but not ahead of the event before.
    floor: RMS of silence. Returns (3, e): the level, which is the largest RMS; the start (s), where it last rises
    through half of the level before its peak; the end (s), where a tenth of the level, or the floor if that is more, is
    last held. Start and end are NaN for an event of no length or no sound.
    """
    curve, times = np.asarray(curve, np.float64), np.asarray(times, np.float64)
    borders = np.append(np.maximum(times - early, np.append(0, times[:-1])[: len(times)]), len(curve) / rate)
    rows = []
    for first, last in zip(borders[:-1], borders[1:]):
        a, b = round(first * rate), round(last * rate)
        piece = curve[a:b]
        level = piece.max(initial=0)
        if not level:
            rows.append((level, np.nan, np.nan))
            continue
        peak = int(piece.argmax())
        # backwards from the peak: what rings on from the event before is not this one's start
        below = np.flatnonzero(piece[:peak] < level / 2)
        start = below[-1] + 1 if len(below) else 0
        # a room's tone may lie above a tenth of a quiet event, and would have it last for ever
        end = np.flatnonzero(piece >= max(level / 10, min(floor, level / 2)))[-1] + 1
        rows.append((level, (a + start) / rate, (a + end) / rate))
    return np.array(rows).reshape(-1, 3).T


def compare(truth: ArrayLike, estimate: ArrayLike, times: ArrayLike, rate: float) -> dict[str, float]:
    """How alike the events of two curves are: {level_rank, start_ms, end_ms, length_ms}.

    truth, estimate: (n,) RMS. level_rank: Spearman's correlation of their levels, NaN for fewer than three events or
    where one curve has no levels to tell apart; start_ms, end_ms, length_ms: median distance of starts, ends and
    lengths, NaN without events.
    """
    (level, begin, end), (other, begins, ends) = measure(truth, times, rate), measure(estimate, times, rate)
    result = {"level_rank": level_rank(level, other)}
    for name, a, b in (("start", begin, begins), ("end", end, ends), ("length", end - begin, ends - begins)):
        apart = np.abs(a - b)
        result[f"{name}_ms"] = 1000 * float(np.nanmedian(apart)) if np.isfinite(apart).any() else np.nan
    return result


def level_rank(levels: np.ndarray, others: np.ndarray) -> float:
    """Spearman's rank correlation of the levels of the same events, (e,) and (e,).

    NaN for fewer than three events, or where one side has no levels to tell apart.
    """
    ranked = len(levels) > 2 and len(set(levels)) > 1 and len(set(others)) > 1
    return float(spearmanr(levels, others).statistic) if ranked else np.nan


def level_scores(
    truth: ArrayLike, estimate: ArrayLike, times: ArrayLike, found: ArrayLike, rate: float, tolerance: float = 0.1
) -> dict[str, float]:
    """How alike the levels of single events are: {level_error_db, level_bias_db, level_rank, ranked}.

    With the level L of an event (see `measure`) and d = 20 log10(L_estimate / L_truth) of each matched pair:
    level_error_db is the mean of |d|, level_bias_db the mean of d, positive where the estimate is louder; NaN without a
    pair. Pairs are matched one to one within `tolerance` seconds, as for the F-measure. level_rank: of `level_rank`, at
    the true times. ranked: 1 where that is defined, else 0, so that the mean over clips is the share that counts.

    truth, estimate: (n,) RMS. times, found: true and estimated onsets, in seconds. rate: frames per second.
    """
    times, found = np.sort(np.asarray(times, float)), np.sort(np.asarray(found, float))
    level, heard = measure(truth, times, rate)[0], measure(estimate, found, rate)[0]
    pairs = mir_eval.util.match_events(times, found, tolerance + onsets.ROUNDING) if len(times) and len(found) else []
    apart = [20 * np.log10(heard[j] / level[i]) for i, j in pairs if level[i] > 0 and heard[j] > 0]
    rank = level_rank(level, measure(estimate, times, rate)[0])
    return {
        "level_error_db": float(np.mean(np.abs(apart))) if apart else np.nan,
        "level_bias_db": float(np.mean(apart)) if apart else np.nan,
        "level_rank": rank,
        "ranked": float(not np.isnan(rank)),
    }


def lengths(curve: ArrayLike, events: Sequence[Event], rate: float) -> dict[str, float]:
    """Mean seconds that hits and that scratches sound, {action: mean or NaN}. events: clips.Event, by time."""
    _, start, end = measure(curve, [e.time for e in events], rate)
    of = {action: [b - a for a, b, e in zip(start, end, events) if e.action == action] for action in ("hit", "scratch")}
    return {action: float(np.nanmean(x)) if np.isfinite(x).any() else np.nan for action, x in of.items()}
