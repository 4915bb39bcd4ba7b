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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_film_has_its_true_sound_above_the_systems(count):
    rng = np.random.default_rng(0)
    sounds = [(f"film {k}", 0.1 * rng.standard_normal(16000), np.zeros(16000)) for k in range(count)]
    sounds[0] = ("film 0", sounds[0][1], sounds[0][1])
    figure = comparisons.pairs(sounds, Timeline(1.0, 25, 16000, 512, 128, 1024, 160, 4, 4))
    drawn = [ax for ax in figure.axes if ax.axison and ax.get_images()]
    assert len(drawn) == 2 * count
    places = {ax.get_title(loc="left"): ax for ax in drawn if ax.get_ylabel() == "truth (kHz)"}
    assert sorted(places) == [f"film {k}" for k in range(count)]
    ours = [ax for ax in drawn if ax.get_ylabel() == "ours (kHz)"]
    assert ours[0].get_title(loc="left") == "correlation 1.00, E-L1 0.0000"
    figure.draw_without_rendering()
    for above in places.values():
        x, y = above.get_position().x0, above.get_position().y0
        below = [ax for ax in ours if abs(ax.get_position().x0 - x) < 0.01 and ax.get_position().y0 < y]
        assert below
    plt.close(figure)
