import librosa
import numpy as np
import pytest
import torch
from scipy.signal import ellip, filtfilt

from vf.signal import rms


def test_a_sine_has_rms_of_its_amplitude_over_root_two():
    x = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)
    curve = rms.rms_curve(x, 512, 128)
    assert curve.shape == (125,)
    assert torch.allclose(curve[2:-2], torch.tensor(0.5 / 2**0.5), atol=1e-4)


def test_agrees_with_librosa_on_the_same_frames():
    x = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    padded = np.pad(x, 192, mode="reflect")
    expected = librosa.feature.rms(y=padded, frame_length=512, hop_length=128, center=False)[0]
    assert np.allclose(rms.rms_curve(x, 512, 128), expected, atol=1e-6)


def test_lengths_of_appendix_b():
    assert rms.rms_curve(torch.zeros(2, 160000), 512, 128).shape == (2, 1250)
    assert rms.rms_curve(torch.zeros(163840), 1024, 160).shape == (1024,)


def test_refuses_a_waveform_that_is_not_whole_hops():
    with pytest.raises(ValueError, match="whole hops of 128"):
        rms.rms_curve(torch.zeros(1000), 512, 128)


def test_mu_law_is_equation_two_and_its_inverse():
    r = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert torch.allclose(rms.mu_law(r, 63), torch.log(1 + 63 * r) / np.log(64))
    assert torch.allclose(rms.inverse_mu_law(rms.mu_law(r, 63), 63), r)


@pytest.mark.parametrize("count", [4, 16, 64, 256])
def test_bins_are_even_on_the_mu_law_scale(count):
    bins = rms.Bins(count)
    steps = rms.mu_law(bins.edges.double(), count - 1).diff()
    assert torch.allclose(steps, steps.mean(), atol=1e-6)
    assert bins.edges[0].item() == pytest.approx(0.01) and bins.edges[-1].item() == pytest.approx(1)
    assert torch.equal(bins.encode(bins.values()), torch.arange(count))


def test_the_step_is_half_a_decibel_at_the_top():
    edges = rms.Bins(64).edges
    db = 20 * torch.log10(edges[1:] / edges[:-1])
    assert db[-1].item() == pytest.approx(0.51, abs=0.01) and db[0].item() == pytest.approx(1.25, abs=0.01)


def test_the_ends_of_the_scale():
    bins = rms.Bins(64)
    assert bins.encode(torch.tensor([0.0, 0.00999, 0.0101, 1.0, 7.0])).tolist() == [0, 0, 1, 63, 63]
    assert bins.decode(torch.tensor(0)).item() == 0


def test_silence_may_stand_for_the_tone_of_a_room():
    curve = torch.tensor([[0.002, 0.003, 0.004, 0.5], [0.003, 0.2, 0.0099, 0.01]])
    tone = rms.room_tone(curve)
    assert tone == pytest.approx(0.003)
    bins = rms.Bins(64, silence=tone)
    assert bins.decode(torch.tensor(0)).item() == pytest.approx(tone) and torch.equal(
        bins.values()[1:], rms.Bins(64).values()[1:]
    )
    assert rms.room_tone(torch.ones(3)) == 0
    with pytest.raises(ValueError, match="silence below 0.01"):
        rms.Bins(64, silence=0.02)


def test_the_centre_halves_the_error_of_the_upper_edge():
    bins, r = rms.Bins(64), torch.linspace(0.011, 0.99, 5000)
    centre = (bins.discretise(r) - r).abs().mean()
    upper = (bins.edges[bins.encode(r)] - r).abs().mean()  # as the authors decode
    assert centre < 0.6 * upper


def test_smoothing_is_equation_three():
    y = rms.smooth_labels(torch.tensor([[10]]), bins=64, width=2)
    expected = {8: np.exp(-2), 9: np.exp(-0.5), 10: 1, 11: np.exp(-0.5), 12: np.exp(-2)}
    assert y.shape == (1, 1, 64)
    for i in range(64):
        assert y[0, 0, i].item() == pytest.approx(expected.get(i, 0), abs=1e-6)


def test_silence_is_neither_smoothed_nor_smoothed_into():
    y = rms.smooth_labels(torch.tensor([0, 1]), bins=8, width=2)
    assert y[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert y[1, 0] == 0 and y[1, 2] > 0


def test_width_zero_is_one_hot():
    classes = torch.randint(0, 64, (3, 20))
    assert torch.equal(rms.smooth_labels(classes, 64, 0), torch.nn.functional.one_hot(classes, 64).float())


def test_low_pass_is_the_authors_filter_without_delay():
    curve = torch.rand(625, generator=torch.Generator().manual_seed(0))
    b, a = ellip(4, 0.01, 120, 0.125)
    assert np.allclose(rms.low_pass(curve), np.clip(filtfilt(b, a, curve.double(), method="gust"), 0, None), atol=1e-6)
    bump = torch.exp(-(((torch.arange(625) - 300) / 20) ** 2))
    assert abs(int(rms.low_pass(bump).argmax()) - 300) <= 1


def test_resize_repeats_the_nearest_frame():
    assert rms.resize(torch.tensor([1.0, 2.0]), 4).tolist() == [1, 1, 2, 2]
    assert rms.resize(torch.rand(3, 1250), 1000).shape == (3, 1000)


@pytest.mark.parametrize("name", rms.SHAPES)
def test_shapes_keep_level_onset_and_length(name):
    curve = rms.shape(name, 625, 125, onset=1.0, length=2.0, level=0.4)
    assert curve.shape == (625,) and (curve[:125] == 0).all() and (curve[376:] == 0).all()
    assert 0.3 < curve.max() <= 0.4 + 1e-6


def test_a_and_v_mirror_each_other():
    a, v = (rms.shape(n, 500, 125, 0, 4, level=1.0) for n in "AV")
    assert torch.allclose(a + v, torch.ones(500), atol=1e-5)


def test_a_shape_at_the_very_end_is_there():
    assert rms.shape("hit", 1250, 125, onset=9.997, level=0.3).max() > 0


@pytest.mark.parametrize("bad", [{"level": 0}, {"length": 0}, {"onset": 9}, {"peak": 1}, {"name": "W"}])
def test_shapes_refuse_what_they_cannot_draw(bad):
    with pytest.raises(ValueError, match="wanted"):
        rms.shape(**{"name": "A", "frames": 625, "rate": 125, **bad})


@pytest.mark.parametrize(
    ("peak", "wanted", "got", "factor"),
    [
        (0.2, 0.1, 0.05, 2),
        (0.2, 0.1, 0.3, 1 / 3),
        (0.2, 0.1, 0.01, 5),  # as if it were a tenth of the peak
        (0.2, 0.019, 0.002, 1),  # hiss is not raised …
        (0.2, 0.006, 0.012, 0.5),  # … but lowered
        (0.2, 0, 0.02, 0.25),  # to half of the floor
        (0.2, 0, 0.001, 1),
        (0.03, 0.009, 0.006, 1.5),  # of a soft curve: it lies above half of the floor
    ],
)
def test_a_gain_brings_a_level_to_the_wanted_one_and_raises_no_hiss(peak, wanted, got, factor):
    curves = np.array([[peak, wanted], [0.0, 0.0]]), np.array([[peak, got], [0.0, 0.0]])
    assert np.allclose(rms.gain(*curves), [[1, factor], [1, 1]])
    assert np.allclose(rms.gain(*(2 * torch.tensor(curve) for curve in curves), 0.02), [[1, factor], [1, 1]])
