import matplotlib.pyplot as plt
import numpy as np
import pytest

from vf.data.clips import Event
from vf.report import comparisons
from vf.signal.timeline import Timeline


def test_the_clip_that_is_shown_is_typical_of_those_that_have_most_of_it():
    score = np.r_[np.zeros(27), 5, 6, 7]
    quality = np.r_[np.zeros(27), 0.9, 0.1, 0.5]
    assert comparisons.typical(score, quality) == 29
    assert comparisons.typical(score, quality, shown=[29]) in (27, 28)
    assert comparisons.typical([1.0], [np.nan], shown=[0]) == 0


@pytest.mark.parametrize(
    "rows", [{"a": {"m": 1.0, "m_interval": [0.5, 2.0]}, "b": {"m": [np.nan]}, "c": {"m": None}}, {"c": {}}]
)
def test_bars_leave_out_what_was_not_measured(rows):
    figure = comparisons.bars(rows, "m", "", "")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [n for n in rows if n == "a"]
    plt.close(figure)


def test_a_case_marks_events_and_names_its_lines():
    timeline = Timeline(seconds=1.0)
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    frames = np.zeros((30, 8, 8, 3), np.uint8)
    events = [Event(0.2, "metal", "hit"), Event(0.5, None, None)]
    figure = comparisons.case(frames, {"truth": noise}, timeline, events, np.full(125, 0.1), "t")
    said = [t.get_text() for t in figure.legends[0].get_texts()]
    assert said == ["hit, annotated", "event, annotated", "RMS", "RMS that Video2RMS predicts"]
    plt.close(figure)
