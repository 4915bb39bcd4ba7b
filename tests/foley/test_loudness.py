"""Integrated loudness as ITU-R BS.1770-4 and EBU Tech 3341 have it, and the one gain that brings a sound there."""

import numpy as np
import pytest
import soundfile
from echo import curve, studio

from vf.foley import loudness, project


def sine(seconds, dbfs, rate=48000, hertz=997.0):
    return 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def test_the_filters_at_48_khz_are_the_standards_own():
    (shelf_b, shelf_a), (high_b, high_a) = loudness.weighting(48000)
    assert np.allclose(shelf_b / shelf_a[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-8)
    assert np.allclose(shelf_a / shelf_a[0], [1, -1.69065929318241, 0.73248077421585], atol=1e-8)
    assert np.allclose(high_b, [1, -2, 1])
    assert np.allclose(high_a / high_a[0], [1, -1.99004745483398, 0.99007225036621], atol=1e-8)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_full_sine_in_one_channel_has_minus_3_lufs(rate):
    assert loudness.integrated(sine(5, 0, rate), rate) == pytest.approx(-3.01, abs=0.05)


def test_quiet_stretches_are_gated_as_in_ebu_tech_3341():
    """Case 3 of the minimum requirements, of one channel, so 3.01 LU below the stereo signals there."""
    wave = np.concatenate([sine(10, -36), sine(60, -23), sine(10, -36)])
    assert loudness.integrated(wave, 48000) == pytest.approx(-23 - 3.01, abs=0.1)
    assert loudness.integrated(np.concatenate([wave, np.zeros(48000 * 60)]), 48000) == pytest.approx(-26.01, abs=0.1)


def test_a_gain_is_added_and_pieces_make_no_difference(monkeypatch):
    wave = np.random.default_rng(0).standard_normal(16000 * 9) * np.linspace(0.01, 0.2, 16000 * 9)
    whole = loudness.integrated(wave, 16000)
    assert loudness.integrated(wave / 2, 16000) == pytest.approx(whole - 20 * np.log10(2), abs=1e-6)
    monkeypatch.setattr(loudness, "PIECE", 20000)
    assert loudness.integrated(wave, 16000) == pytest.approx(whole, abs=1e-9)


def test_another_librarys_number():
    pyloudnorm = pytest.importorskip("pyloudnorm", reason="pyloudnorm is not installed: compared where it is")
    wave = np.random.default_rng(0).standard_normal(16000 * 9) * np.linspace(0.001, 0.2, 16000 * 9)
    theirs = pyloudnorm.Meter(16000, filter_class="DeMan").integrated_loudness(wave)
    assert loudness.integrated(wave, 16000) == pytest.approx(theirs, abs=0.02)


def test_silence_and_clips_shorter_than_a_block():
    assert loudness.integrated(np.zeros(16000), 16000) == -np.inf
    assert loudness.brought_to(np.zeros(16000, np.float32), 16000, -23)[1] is None
    with pytest.raises(ValueError, match="sound of 0.39 s; wanted at least 0.4 s"):
        loudness.integrated(np.zeros(6240), 16000)


def test_the_true_peak_lies_between_samples(monkeypatch):
    """A sine of a quarter of the rate, sampled at 45 degrees: its samples are 3 dB below it."""
    wave = np.sin(np.pi / 2 * np.arange(8000) + np.pi / 4)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=1e-4)
    faded = wave * np.minimum(1, np.minimum(np.arange(8000), np.arange(8000)[::-1]) / 1000)
    assert loudness.true_peak(faded) == pytest.approx(1, abs=0.01)
    monkeypatch.setattr(loudness, "PIECE", 999)
    assert loudness.true_peak(faded) == pytest.approx(1, abs=0.01)
    assert loudness.true_peak(np.zeros(0)) == 0


def test_a_render_is_brought_to_it_and_the_session_says_so():
    maker = studio()
    quiet = np.full(375, 0.02, np.float32)
    plain = maker.render(None, wanted=quiet, prompt="a")
    made = maker.render(None, wanted=quiet, prompt="a", loudness=-23.0)
    assert loudness.integrated(made.waveform, 16000) == pytest.approx(-23, abs=0.01)
    assert made.session["loudness"] == -23 and made.session["loudness_reached"] == pytest.approx(-23, abs=1e-6)
    gain = np.abs(made.waveform).max() / np.abs(plain.waveform).max()
    assert np.allclose(made.waveform, gain * plain.waveform, atol=1e-6)
    assert made.adherence == plain.adherence  # a level that was asked for is no error
    both = maker.render(None, wanted=quiet, prompt="a", loudness=-23.0, correct_gain=True)
    assert both.uncorrected == plain.adherence and both.adherence["raw"]["e_l1"] <= plain.adherence["raw"]["e_l1"]
    assert plain.session["loudness"] is None and plain.uncorrected is None


def test_it_stays_below_clipping_and_says_how_loud_it_is(tmp_path):
    wanted = np.zeros(375, np.float32)
    wanted[100:104] = 0.3
    made = studio().render(None, wanted=wanted, prompt="a", loudness=-1.0)
    assert loudness.true_peak(made.waveform) == pytest.approx(10 ** (-1 / 20), abs=1e-5)
    project.write_wav(tmp_path / "a.wav", made.waveform, 16000)
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() < 0.95
    reached = made.session["loudness_reached"]
    assert reached < -3 and loudness.integrated(made.waveform, 16000) == pytest.approx(reached, abs=0.01)


def test_what_has_no_loudness_is_refused_before_it_is_rendered():
    maker = studio()
    with pytest.raises(ValueError, match="wanted at least 0.4 s"):
        maker.render(None, wanted=curve(0.3), prompt="a", loudness=-23)
    assert not maker.pipeline.vocoder.heard
    with pytest.raises(ValueError, match="loudness=3; wanted LUFS between -70 and 0"):
        maker.render(None, wanted=curve(), loudness=3)
