import numpy as np
import pytest
import torch

from vf.evaluation import adherence
from vf.signal import rms
from vf.signal.timeline import Timeline

T = Timeline()


def noise_of(curve):
    """A sound that is as loud as a curve."""
    sign = np.random.default_rng(0).choice(np.float32([-1, 1]), len(curve) * T.video_hop)
    centres = (np.arange(len(curve)) + 0.5) * T.video_hop
    return sign * np.interp(np.arange(len(sign)) + 0.5, centres, curve).astype(np.float32)


def curve(shift=0):
    t = (np.arange(1250) - shift) / 125
    return (0.02 + sum(0.3 * np.exp(-0.5 * ((t - c) / 0.05) ** 2) for c in (1.0, 3.2, 7.5))).astype(np.float32)


def test_a_sound_that_follows_its_curve_has_no_error():
    scores = adherence.adherence(curve(), noise_of(curve()), T)
    for row in scores.values():
        assert row["e_l1"] < 0.001 and row["error_db"] < 0.2 and abs(row["lag_ms"]) < 1
        assert row["onset_f1_50ms"] == 1 and row["correlation"] > 0.99


@pytest.mark.parametrize("frames", [-5, 3, 12])
def test_the_lag_is_the_shift(frames):
    scores = adherence.adherence(curve(), noise_of(curve(frames)), T)["raw"]
    assert scores["lag_ms"] == pytest.approx(8 * frames, abs=2)
    assert scores["onset_f1_50ms"] == (1.0 if abs(8 * frames) < 45 else 0.0)


def test_a_gain_costs_its_decibels_raw_and_nothing_matched():
    scores = adherence.adherence(curve(), 0.5 * noise_of(curve()), T, floor=0.001)
    assert scores["raw"]["error_db"] == pytest.approx(6.02, abs=0.1)
    assert scores["raw"]["e_l1"] == pytest.approx(0.5 * curve().mean(), rel=0.02)
    assert scores["gain_matched"]["error_db"] < 0.2 and scores["gain_matched"]["e_l1"] < 0.001


def test_silence_that_was_wanted_is_no_error():
    scores = adherence.adherence(np.zeros(1250), np.zeros(160000), T)
    assert scores["raw"] == scores["gain_matched"]
    assert scores["raw"] == {"e_l1": 0, "error_db": 0, "lag_ms": 0, "onset_f1_50ms": 1, "correlation": 0}


def test_a_sound_of_another_length_is_refused():
    with pytest.raises(ValueError, match="wanted 160000"):
        adherence.adherence(curve(), np.zeros(1000), T)


@pytest.mark.parametrize("frames", [2, 63, 64, 65, 200])
def test_loudness_in_pieces_is_the_curve_of_the_whole(frames):
    wave = np.random.default_rng(frames).standard_normal(frames * 128).astype(np.float32)
    whole = rms.rms_curve(torch.from_numpy(wave), 512, 128).numpy()
    assert np.array_equal(adherence.loudness(wave, 512, 128, piece=64), whole)


def test_the_correction_brings_a_sound_to_its_curve_and_knows_its_bounds():
    wanted = curve() + 0.2
    assert np.allclose(adherence.correction(wanted, wanted * 0.5, 125), 2, atol=1e-4)
    assert np.allclose(adherence.correction(np.full(99, 0.5), np.full(99, 0.02), 125), 10 ** (12 / 20))
    assert np.allclose(adherence.correction(np.full(99, 0.01), np.full(99, 1.0), 125), 10 ** (-24 / 20))
    assert np.allclose(adherence.correction(np.zeros(99), np.full(99, 0.001), 125), 1)


def test_decibels_are_those_of_frames_that_sound():
    wanted = np.where(np.arange(1250) < 125, 0.2, 0.001)
    assert adherence.adherence(wanted, 0.5 * noise_of(wanted), T)["raw"]["error_db"] == pytest.approx(6.02, abs=0.3)
