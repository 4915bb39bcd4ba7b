import json

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pytest

from vf.data import clips
from vf.report import figures, training
from vf.signal.timeline import Timeline

TIMELINE = Timeline(1.0, 25, 16000, 512, 128, 1024, 160, 4, 4)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("hertz", figures.FREQUENCIES[:-1])
def test_a_tone_lies_at_its_frequency(hertz):
    """The brightest bin of a spectrogram is where the axis says the tone is, to a bin."""
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)
    _, ax = plt.subplots()
    image = figures.spectrogram(ax, wave, TIMELINE)
    brightest = int(np.asarray(image.get_array()).mean(1).argmax()) + 0.5
    tick = dict(zip(figures.FREQUENCIES, ax.get_yticks()))[hertz]
    assert abs(tick - brightest) < 1
    assert [t.get_text() for t in ax.get_yticklabels()] == ["0.25", "1", "2", "4", "8"] and ax.get_ylabel() == "kHz"


def test_ticks_are_the_centres_of_the_filters():
    _, ax = plt.subplots()
    figures.spectrogram(ax, np.zeros(16000), TIMELINE)
    centres = librosa.mel_frequencies(66, fmin=0, fmax=8000)[1:-1]
    at = np.interp(figures.FREQUENCIES[:-1], centres, np.arange(64) + 0.5)
    assert np.allclose(ax.get_yticks()[:-1], at, atol=0.05)


def test_a_running_mean_averages_whole_windows_and_stands_in_their_middle():
    _, ax = plt.subplots()
    figures.loss(ax, np.arange(10.0), smooth=4)
    each, mean = ax.lines
    assert mean.get_xdata().tolist() == mean.get_ydata().tolist() == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert len(each.get_xdata()) == 10


def test_what_was_not_trained_says_so():
    figure = figures.losses({}, "t")
    assert figure.axes[0].texts[0].get_text() == "loaded, not trained"
    assert len(figures.losses({"a": [1.0], "b": [2.0, 1.0]}, "t").axes) == 2


def test_figures_come_from_saved_numbers():
    shares = {"value": [0.1, 0.2], "share": [0.0, 1.0]}
    saved = {"gap": shares, "level": shares, "materials": [0.5, 0.3, 0.2]}
    saved = json.loads(json.dumps(saved | {"greatest_hits": dict(saved)}))
    assert len(training.statistics(saved).axes) == 3
    curve = np.linspace(0, 0.2, 125)
    errors = np.stack([curve * 0.01, curve * 0.1])
    rms = {
        "wave": np.sin(np.arange(16000)),
        "curve": curve,
        "smooth": curve,
        "classes": np.arange(125) // 2,
        "counts": [64, 16],
    }
    figure = training.curve(rms | {"errors": errors}, TIMELINE)
    line, area = figure.axes[3].lines, figure.axes[3].collections
    assert line[0].get_label().startswith("64 bins") and area[0].get_label().startswith("16 bins"), (
        "no line hides another"
    )
    alone = training.curve(rms | {"errors": errors[:1], "counts": [16]}, TIMELINE).axes[3]
    assert [line.get_label() for line in alone.lines] == ["16 bins: mean 0.00100"] and not alone.collections
    for losses in ([3.0, 2.0, 1.0], []):
        assert len(training.features({"flow": 0.4}, losses, np.ones(25), np.ones(25), "f", 25).axes) == 3
    assert len(training.predictions(np.zeros((2, 125)), np.ones((2, 125)), ["a", "b"], 125).axes) == 2


def test_a_clip_is_shown_by_one_strip(monkeypatch):
    frames = np.zeros((25, 8, 8, 3), np.uint8)
    monkeypatch.setattr(training.media, "read_frames", lambda *_: (frames, np.arange(25) / 25))
    shown = clips.Clip("a", "a.mp4", 0.0, 1.0, "train", "a", (clips.Event(0.5, "wood", "hit"),))
    figure = training.clip(clips.ClipSet([shown], np.zeros((1, 16000), np.int16), 16000), TIMELINE)
    assert [len(ax.images) for ax in figure.axes[:3]] == [1, 0, 1]
