import librosa
import numpy as np
import pytest
import torch

from vf.signal import mel, rms


def noise(seconds=1.0):
    return torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, round(16000 * seconds)).astype(np.float32))


def test_agrees_with_librosa():
    x = np.pad(noise().numpy(), 432, mode="reflect")
    expected = librosa.feature.melspectrogram(
        y=x, sr=16000, n_fft=1024, hop_length=160, center=False, power=1, n_mels=64, fmax=8000
    )
    # not to float precision: librosa's stft runs in another order of operations
    assert np.allclose(mel.log_mel(noise()).T, np.log(np.maximum(expected, 1e-5)), atol=1e-4)


def test_frames_coincide_with_the_rms_curve():
    x = torch.zeros(16000)
    x[8000] = 1.0
    energy, curve = mel.log_mel(x).exp().sum(-1), rms.rms_curve(x, 1024, 160)
    assert energy.shape == curve.shape and abs(int(energy.argmax()) - int(curve.argmax())) <= 3


def test_energy_follows_rms():
    loudness = mel.energy(mel.log_mel(noise()))
    assert loudness.mean().item() == pytest.approx(rms.rms_curve(noise(), 1024, 160).mean().item(), rel=0.2)
    torch.testing.assert_close(mel.energy(mel.log_mel(2 * noise())), 2 * loudness)


@pytest.mark.parametrize("hertz, decibels", [(1000, -1.7), (3000, -6.6), (6000, -6.9)])
def test_energy_of_a_sine_is_too_low_by_what_the_docstring_says(hertz, decibels):
    x = 0.1 * torch.sin(2 * torch.pi * hertz * torch.arange(16000) / 16000)
    ratio = mel.energy(mel.log_mel(x))[10:-10].mean() / rms.rms_curve(x, 1024, 160)[10:-10].mean()
    assert 20 * ratio.log10().item() == pytest.approx(decibels, abs=0.3)


def test_refuses_a_waveform_that_is_not_whole_hops():
    with pytest.raises(ValueError, match="whole hops of 160"):
        mel.log_mel(torch.zeros(1000))
