import numpy as np
import pytest

from vf.data.clips import Event
from vf.evaluation import events


def two_events():
    """100 frames a second: a hit at 0.5 s that dies within 0.1 s, a scratch from 1.2 to 1.8 s, and faint noise."""
    curve = np.full(300, 0.001)
    curve[50:60] = 0.4 * np.exp(-np.arange(10) / 3)
    curve[120:180] = 0.2
    return curve


def test_levels_starts_and_ends():
    level, start, end = events.measure(two_events(), [0.5, 1.2], 100)
    assert (
        level == pytest.approx([0.4, 0.2]) and start == pytest.approx([0.5, 1.2]) and end == pytest.approx([0.57, 1.8])
    )


def test_a_rooms_tone_does_not_hold_an_event():
    curve = np.full(300, 0.006)
    curve[50:60] = 0.05
    _, _, end = events.measure(curve, [0.5], 100)
    assert end == pytest.approx(0.6)


def test_an_annotation_that_is_late_is_told_so():
    late = two_events()
    for seconds in (0.08, 0.15, 0.25):
        _, start, _ = events.measure(late, [1.2 + seconds], 100, early=0.3)
        assert start == pytest.approx(1.2)


def test_what_rings_on_is_not_the_next_events_start():
    curve = np.full(300, 0.001)
    curve[50:125], curve[125:200] = 0.3, 0.4
    curve[118:122] = 0.1  # it dips before it is struck again
    _, start, _ = events.measure(curve, [0.5, 1.22], 100)
    assert start == pytest.approx([0.5, 1.22])


def test_silence_has_no_start_and_no_events_no_measure():
    level, start, end = events.measure(np.zeros(100), [0.2], 100)
    assert level == 0 and np.isnan(start) and np.isnan(end)
    assert events.measure(np.ones(100), [], 100).shape == (3, 0)
    assert all(np.isnan(v) for v in events.compare(np.ones(100), np.ones(100), [], 100).values())


def test_a_curve_agrees_with_itself_and_a_late_one_by_its_lag():
    curve, times = two_events(), [0.5, 1.2]
    assert events.compare(curve, curve, times, 100) == {
        "level_rank": pytest.approx(np.nan, nan_ok=True),
        "start_ms": 0,
        "end_ms": 0,
        "length_ms": 0,
    }
    late = events.compare(curve, np.roll(curve, 3), times, 100)
    assert late["start_ms"] == pytest.approx(30) and late["end_ms"] == pytest.approx(30)
    three = np.concatenate([curve, np.full(100, 0.001)])
    three[320:330] = 0.1
    same = events.compare(three, three**2, [*times, 3.2], 100)
    assert same["level_rank"] == pytest.approx(1)


def test_scratches_are_longer_than_hits():
    told = events.lengths(two_events(), [Event(0.5, "wood", "hit"), Event(1.2, "wood", "scratch")], 100)
    assert told["hit"] == pytest.approx(0.07) and told["scratch"] == pytest.approx(0.6)
    assert np.isnan(events.lengths(two_events(), [Event(0.5)], 100)["hit"])
