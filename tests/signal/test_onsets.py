import mir_eval
import numpy as np
import pytest
import torch

from vf.signal import onsets, rms


def test_finds_each_hit_within_a_frame_of_its_start():
    times = [0.5, 1.3, 2.0, 3.7]
    wave = torch.zeros(80000)
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0)) * torch.exp(-torch.arange(4000) / 800)
    for t in times:
        wave[int(t * 16000) : int(t * 16000) + 4000] += 0.3 * noise
    found = onsets.detect(rms.rms_curve(wave, 512, 128), 125)
    assert len(found) == 4 and np.abs(found - times).max() < 0.025


def test_silence_and_hiss_have_no_onsets():
    hiss = torch.randn(80000, generator=torch.Generator().manual_seed(0)) * 0.002
    assert len(onsets.detect(rms.rms_curve(hiss, 512, 128), 125)) == 0
    assert len(onsets.detect(np.zeros(625), 125)) == 0


def test_f1_is_mir_evals():
    reference, estimate = [0.1, 0.5, 0.9], [0.12, 0.48, 0.7, 0.97]
    expected = mir_eval.onset.f_measure(np.array(reference), np.array(estimate), window=0.05)[0]
    assert onsets.f1(reference, estimate, 0.05) == pytest.approx(expected)


def test_matching_is_one_to_one_so_dense_clicks_do_not_win():
    assert onsets.f1([1.0, 2.0], np.arange(0, 5, 0.05), 0.05) < 0.1


@pytest.mark.parametrize("first", [0.3, 0.7, 1.1, 2.2])
def test_onsets_exactly_a_tolerance_apart_match_in_both_scores_whatever_the_rounding(first):
    for other in (first + 0.1, first - 0.1, round(first + 0.1, 1)):
        assert onsets.f1([first], [other], 0.1) == 1
        assert onsets.protocol([first], [other], [1.0])["recall"] == 1
    assert onsets.f1([first], [first + 0.1001], 0.1) == 0
    assert onsets.protocol([first], [first + 0.1001], [1.0])["recall"] == 0


def test_empty_lists():
    assert onsets.f1([], [], 0.1) == 1 and onsets.f1([1.0], [], 0.1) == 0 and onsets.f1([], [1.0], 0.1) == 0


def test_labels_fall_into_the_frame_and_peaks_give_it_back():
    track = onsets.labels([0.0, 0.51, 1.99, 2.5], 60, 30)
    assert np.flatnonzero(track).tolist() == [0, 15, 59]
    times, confidence = onsets.peaks(track * 0.8, 30)
    found = times[confidence > 0.5]
    assert np.abs(found - [0, 0.51, 1.99]).max() < 1 / 30


def test_peaks_within_50_ms_count_once_as_the_surest():
    confidence = np.zeros(100)
    confidence[[20, 22, 40, 50]] = [0.5, 0.9, 0.7, 0.6]
    times, sure = onsets.peaks(confidence, 100)
    assert times[sure > 0.1] == pytest.approx([0.225, 0.405, 0.505])


def test_a_track_marks_the_start_of_each_sound():
    curve = np.full(500, 0.001)
    curve[100:140], curve[300:420] = 0.3, 0.2
    track = onsets.track(curve, 100, 4)
    starts = np.flatnonzero(np.diff(track) > 0) + 1
    assert track.sum() == 8 and np.abs(starts - [100, 300]).max() <= 3


def test_the_protocol_is_won_by_dense_clicks():
    reference, clicks = np.array([0.33, 1.21, 3.98]), np.arange(0.05, 5, 0.15)
    told = onsets.protocol(reference, clicks, np.ones(len(clicks)))
    assert (
        told["recall"] == 1
        and told["accuracy"] == pytest.approx(3 / len(clicks))
        and onsets.f1(reference, clicks, 0.05) < 0.2
    )


def test_the_protocol_by_hand():
    reference, estimate, confidence = [1.0, 2.0, 3.0], [1.05, 1.5, 2.02, 4.0], [0.9, 0.8, 0.7, 0.1]
    told = onsets.protocol(reference, estimate, confidence)
    assert told["recall"] == pytest.approx(2 / 3) and told["accuracy"] == pytest.approx(2 / 5)
    # by falling confidence: hit, false alarm, hit, false alarm, and the onset at 3 s, told with confidence 0
    assert told["ap"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 5) / 3)
    assert onsets.protocol(reference, estimate, confidence, 0.75)["accuracy"] == pytest.approx(1 / 4)
    assert onsets.protocol(reference, reference, [0.2, 0.1, 0.3]) == {"recall": 1, "accuracy": 1, "ap": 1}


def test_the_protocol_gives_each_onset_the_surest_estimate_once():
    told = onsets.protocol([1.0, 1.08], [1.04], [0.5])
    assert told["recall"] == 0.5 and told["accuracy"] == 0.5
    assert onsets.protocol([1.0], [0.95, 1.01], [0.9, 0.2], 0.5)["recall"] == 1
    nothing = onsets.protocol([1.0], [], [])
    assert nothing == {"recall": 0, "accuracy": 0, "ap": 0}
    assert np.isnan(onsets.protocol([], [1.0], [0.5])["ap"])


def test_the_best_threshold_tells_sure_from_unsure():
    reference = [np.array([1.0, 2.0]), np.array([0.5])]
    found = [(np.array([1.0, 1.5, 2.0]), np.array([0.9, 0.2, 0.8])), (np.array([0.5, 3.0]), np.array([0.7, 0.3]))]
    assert 0.3 < onsets.best_threshold(reference, found) <= 0.7
    assert onsets.best_threshold([], []) == 0
