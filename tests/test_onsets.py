import mir_eval
import numpy as np
import pytest
import torch

from vf import onsets, rms


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


def test_empty_lists():
    assert onsets.f1([], [], 0.1) == 1 and onsets.f1([1.0], [], 0.1) == 0 and onsets.f1([], [1.0], 0.1) == 0
