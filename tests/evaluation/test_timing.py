"""Timing and level: curves of which the true answer is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vf.evaluation import events, scores, timing
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

RATE = 125


def curve(times=(1.0, 2.2, 3.5, 4.1), levels=(0.1, 0.3, 0.2, 0.25), seconds=5.0, shift=0):
    """RMS of events that start at once and die away; shift: frames by which all come late."""
    result = np.full(round(seconds * RATE), 0.002)
    for time, level in zip(times, levels):
        at = round(time * RATE) + shift
        tail = level * np.exp(-np.arange(len(result) - at) / 6)
        result[at:] = np.maximum(result[at:], tail)
    return result


@settings(max_examples=20, deadline=None)
@given(st.integers(-37, 37))
def test_a_curve_shifted_by_k_frames_has_the_lag_of_k_frames(k):
    (lag,), (alike,) = timing.lags(curve()[None], curve(shift=k)[None], RATE)
    assert lag * RATE == pytest.approx(k) and alike > 0.99
    assert timing.lags(curve(shift=k), curve(), RATE)[0] * RATE == pytest.approx(-k)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 20))
def test_a_gain_has_no_lag(gain):
    lag, alike = timing.lags(curve(), gain * curve(), RATE)
    assert lag == 0 and alike == pytest.approx(1)


def test_the_lag_is_the_largest_of_numpys_correlations_of_what_overlaps():
    rng = np.random.default_rng(0)
    truth, estimate = rng.random((2, 300))
    found = {
        k: np.corrcoef(truth[max(0, -k) : 300 - max(0, k)], estimate[max(0, k) : 300 - max(0, -k)])[0, 1]
        for k in range(-37, 38)
    }
    best = max(found, key=found.get)
    lag, alike = timing.lags(truth, estimate, RATE)
    assert lag == pytest.approx(best / RATE) and alike == pytest.approx(found[best])


def test_a_constant_curve_has_no_lag_and_no_correlation():
    for flat in (np.zeros(300), np.full(300, 0.1)):
        lag, alike = timing.lags(curve()[:300], flat, RATE)
        assert np.isnan(lag) and alike == 0


def test_a_shift_beyond_the_search_is_not_found():
    lag, alike = timing.lags(curve(times=(2.0,), levels=(0.3,)), curve(times=(2.0,), levels=(0.3,), shift=60), RATE)
    assert abs(lag) <= timing.MOST_LAG and alike < 0.9


def agreement(truth, estimate):
    rows = timing.curve_agreement(truth[None], estimate[None], RATE, 0.01)
    return {key: float(value[0]) for key, value in rows.items()}


@pytest.mark.parametrize("decibels", [-6.0, 6.0, 3.0])
def test_a_gain_of_six_decibels_is_an_error_of_six(decibels):
    row = agreement(curve(), 10 ** (decibels / 20) * curve())
    assert row["level_error_db"] == pytest.approx(abs(decibels)) and row["level_bias_db"] == pytest.approx(decibels)
    assert row["level_rank"] == 1 and row["ranked"] == 1 and row["lag"] == 0
    assert row["onset_f1_50ms"] == row["onset_f1_100ms"] == 1


def test_the_level_error_is_of_each_event_alone():
    row = agreement(curve(levels=(0.1, 0.2, 0.2, 0.2)), curve(levels=(0.2, 0.1, 0.2, 0.2)))
    assert row["level_error_db"] == pytest.approx(6.0206 / 2, abs=1e-4)
    assert row["level_bias_db"] == pytest.approx(0, abs=1e-9)


def test_the_truth_beats_silence_and_silence_has_no_matched_event():
    same, silent = agreement(curve(), curve()), agreement(curve(), np.zeros(625))
    assert same == {
        "lag": 0, "lag_abs": 0, "correlation_at_lag": pytest.approx(1), "onset_f1_50ms": 1, "onset_f1_100ms": 1,
        "level_error_db": 0, "level_bias_db": 0, "level_rank": 1, "ranked": 1,
    }  # fmt: skip
    assert silent["onset_f1_50ms"] == silent["correlation_at_lag"] == silent["ranked"] == 0
    assert all(np.isnan(silent[key]) for key in ("lag", "lag_abs", "level_error_db", "level_bias_db", "level_rank"))


def test_loudness_in_reverse_has_the_rank_minus_one():
    levels = (0.1, 0.15, 0.2, 0.3)
    assert agreement(curve(levels=levels), curve(levels=levels[::-1]))["level_rank"] == pytest.approx(-1)


def test_two_events_have_no_rank_and_are_counted():
    few = agreement(curve(times=(1.0, 2.2), levels=(0.1, 0.3)), curve(times=(1.0, 2.2), levels=(0.1, 0.3)))
    assert np.isnan(few["level_rank"]) and few["ranked"] == 0
    both = {k: np.array([few[k], agreement(curve(), curve())[k]]) for k in ("level_rank", "ranked")}
    summary = scores.summarise(both, ["a", "b"], 0)
    assert summary["level_rank"] == 1 and summary["ranked"] == 0.5, "the mean is of one clip of two"


def test_levels_are_those_of_matched_events_alone():
    truth, estimate = curve(), curve(times=(1.0, 2.9, 3.5, 4.1), levels=(0.1, 0.01, 0.2, 0.25))
    row = events.level_scores(truth, estimate, [1.0, 2.2, 3.5, 4.1], [1.0, 2.9, 3.5, 4.1], RATE)
    assert row["level_error_db"] == pytest.approx(0)


@pytest.mark.parametrize("start", [0.3, 0.7, 1.1, 2.6, 4.3, 8.2])
@pytest.mark.parametrize("apart", [0.05, 0.1])
def test_onsets_exactly_the_tolerance_apart_are_a_hit_whatever_the_rounding(start, apart):
    for other in (start + apart, start - apart):
        assert onsets.f1([start], [other], apart) == 1
    assert onsets.f1([start], [start + apart + 1e-6], apart) == 0


def test_some_of_these_would_be_missed_without_the_rounding():
    assert 0.7 - 0.6 <= 0.1 < 1.1 - 1.0, "floating point has both"


def test_the_best_constant_is_of_the_training_curves_and_constant():
    train = np.r_[np.zeros(100), np.full(101, 0.03), np.full(50, 0.2)]
    waves = scores.constant_sounds(train, 2, 16000)
    measured = rms.rms_curve(torch.as_tensor(waves), 512, 128)
    assert waves.shape == (2, 16000) and torch.allclose(measured, torch.tensor(0.03), atol=1e-7)
    truth = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0, 0.2, 16000)
    row = scores.sound_scores(truth, waves, Timeline(seconds=1.0), 0.01)
    assert np.isnan(row["lag"]).all() and (row["onset_f1_50ms"] == 0).all()
