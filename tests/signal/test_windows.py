"""Windows cover a signal of any length, and cross-fading them leaves what one window alone says as it is."""

import numpy as np
import pytest
import torch

from vf.signal import windows


@pytest.mark.parametrize("total", [1, 32, 33, 60, 64, 95, 1000])
@pytest.mark.parametrize("overlap", [0, 8, 16])
def test_windows_cover_every_frame_and_their_ramps_weigh_it(total, overlap):
    begins = windows.starts(total, 32, overlap)
    weight = np.zeros(max(total, 32))
    for s in begins:
        weight[s : s + 32] += windows.ramp(32, overlap).numpy()
    assert begins[0] == 0 and begins[-1] == max(0, total - 32) and (weight > 0).all()
    assert all(32 - (b - a) >= overlap for a, b in zip(begins, begins[1:]))


def test_neighbouring_ramps_sum_to_one():
    weight = np.zeros(80)
    for s in windows.starts(80, 32, 8):
        weight[s : s + 32] += windows.ramp(32, 8).numpy()
    assert np.allclose(weight[8:-8], 1)


@pytest.mark.parametrize("parts", [1, 2, 9])
def test_windows_of_one_signal_join_to_it(parts):
    """However many are taken at a time; bit for bit where no two windows share a frame."""
    signal = torch.randn(2, 100, 3, generator=torch.Generator().manual_seed(0))
    begins, joined, taken = windows.starts(100, 32, 8), windows.CrossFade(32, 8), []
    for i in range(0, len(begins), parts):
        for s in begins[i : i + parts]:
            joined.add(s, signal[:, s : s + 32])
        taken.append(joined.take(begins[i + parts] if i + parts < len(begins) else 100))
    whole = torch.cat(taken, 1)
    assert torch.allclose(whole, signal, atol=1e-6) and torch.equal(whole[:, :24], signal[:, :24])


def test_shared_frames_are_the_ramps_mean():
    joined = windows.CrossFade(4, 2)
    joined.add(0, torch.zeros(4, 1))
    joined.add(2, torch.ones(4, 1))
    assert joined.take(6)[:, 0].tolist() == [0, 0, 0.25, 0.75, 1, 1]


def test_nothing_can_be_taken_before_the_first_window():
    with pytest.raises(ValueError, match="call add first"):
        windows.CrossFade(4, 2).take(2)
