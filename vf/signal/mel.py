"""AudioLDM's log-mel spectrogram, and the loudness that it holds (App. B.2)."""

from functools import lru_cache

import librosa
import numpy as np
import torch
import torch.nn.functional as F

FLOOR = 1e-5  # AudioLDM's VAE takes smaller magnitudes for silence


@lru_cache(maxsize=8)
def mel_filters(
    sample_rate: int = 16000, window: int = 1024, bins: int = 64, fmin: float = 0.0, fmax: float = 8000.0
) -> torch.Tensor:
    """Slaney mel filters, (bins, window / 2 + 1) float32. sample_rate, fmin, fmax: Hz. window: samples."""
    return torch.from_numpy(librosa.filters.mel(sr=sample_rate, n_fft=window, n_mels=bins, fmin=fmin, fmax=fmax))


def log_mel(
    x: np.ndarray | torch.Tensor,
    sample_rate: int = 16000,
    window: int = 1024,
    hop: int = 160,
    bins: int = 64,
    fmin: float = 0.0,
    fmax: float = 8000.0,
) -> torch.Tensor:
    """Natural logarithm of the mel magnitude spectrogram, in the frames of `rms.rms_curve`.

    x: waveform in [-1, 1], shape (..., s), s whole hops. Returns (..., s / hop, bins), at least log(1e-5).
    Reflect-pads (window - hop) / 2 on both sides. Raises ValueError for a waveform that is not whole hops or too short
    to reflect.
    """
    x = torch.as_tensor(x)
    samples = x.shape[-1]
    pad = (window - hop) // 2
    if samples % hop or samples <= pad:
        raise ValueError(
            f"waveform has {samples} samples; wanted whole hops of {hop} and more than {pad}: cut or pad it"
        )
    padded = F.pad(x.reshape(-1, 1, samples), (pad, pad), mode="reflect")[:, 0]
    taper = torch.hann_window(window, device=x.device)
    spectrum = torch.stft(padded, window, hop, window=taper, center=False, return_complex=True).abs()
    mel = mel_filters(sample_rate, window, bins, fmin, fmax).to(x.device) @ spectrum
    return mel.clamp(min=FLOOR).log().transpose(-1, -2).reshape(*x.shape[:-1], samples // hop, bins)


def energy(log_mel: torch.Tensor, sample_rate: int = 16000, window: int = 1024) -> torch.Tensor:
    """RMS of each frame, estimated from its log-mel: (..., n, bins) -> (..., n).

    A band's mean magnitude does not tell a tone from noise of the same mean: white noise comes out 0.8 dB above
    `rms.rms_curve`, a sine up to 7 dB below it.
    """
    # a Slaney filter averages over its band, so its share of the power is its value squared times its width
    filters = mel_filters(sample_rate, window, log_mel.shape[-1]).to(log_mel)
    width = filters.sum(-1) ** 2 / filters.square().sum(-1)
    power = (log_mel.clamp(max=5).exp() / filters.sum(-1)).square() @ width  # louder than any sound in [-1, 1]
    return (power * 2 / (window * torch.hann_window(window).square().sum().item())).sqrt()
