"""AudioLDM's log-mel spectrogram, and its inversion to a waveform by Griffin-Lim (App. B.2)."""

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
    taper = torch.hann_window(window)
    spectrum = torch.stft(padded, window, hop, window=taper, center=False, return_complex=True).abs()
    mel = mel_filters(sample_rate, window, bins, fmin, fmax) @ spectrum
    return mel.clamp(min=FLOOR).log().transpose(-1, -2).reshape(*x.shape[:-1], samples // hop, bins)


def energy(log_mel: torch.Tensor, sample_rate: int = 16000, window: int = 1024) -> torch.Tensor:
    """RMS of each frame, estimated from its log-mel: (..., n, bins) -> (..., n). Close to `rms.rms_curve`."""
    # a Slaney filter averages over its band, so its share of the power is its value squared times its width
    filters = mel_filters(sample_rate, window, log_mel.shape[-1]).to(log_mel)
    width = filters.sum(-1) ** 2 / filters.square().sum(-1)
    power = (log_mel.clamp(max=5).exp() / filters.sum(-1)).square() @ width  # louder than any sound in [-1, 1]
    return (power * 2 / (window * torch.hann_window(window).square().sum().item())).sqrt()


@lru_cache(maxsize=8)
def _inverse_filters(*key):
    return torch.linalg.pinv(mel_filters(*key).double()).float()


def griffin_lim(
    log_mel: torch.Tensor,
    sample_rate: int = 16000,
    window: int = 1024,
    hop: int = 160,
    fmin: float = 0.0,
    fmax: float = 8000.0,
    iterations: int = 32,
    refine: int = 20,
) -> torch.Tensor:
    """Waveform whose log-mel is near the given one.

    log_mel: (b, n, bins). Returns (b, n * hop). The linear magnitudes are the non-negative least-squares solution of
    the mel filters, by `refine` multiplicative updates from the pseudo-inverse. The phases start from a fixed seed.
    They follow Griffin and Lim (1984) with Perraudin's momentum 0.99, for `iterations` rounds.
    """
    mel = log_mel.exp().transpose(-1, -2)
    filters = mel_filters(sample_rate, window, mel.shape[-2], fmin, fmax)
    linear = (_inverse_filters(sample_rate, window, mel.shape[-2], fmin, fmax) @ mel).clamp(min=FLOOR)
    for _ in range(refine):
        linear = linear * (filters.T @ mel) / (filters.T @ (filters @ linear)).clamp(min=1e-12)
    taper = torch.hann_window(window)
    pad = (window - hop) // 2
    length = mel.shape[-1] * hop + 2 * pad
    norm = _overlap_add(taper.square()[None, :, None].expand(1, window, mel.shape[-1]), length, hop).clamp(min=1e-3)

    def synthesise(spectrum):
        frames = torch.fft.irfft(spectrum, n=window, dim=-2) * taper[:, None]
        return _overlap_add(frames, length, hop) / norm

    def analyse(wave):
        return torch.stft(wave, window, hop, window=taper, center=False, return_complex=True)

    generator = torch.Generator().manual_seed(0)
    phase = torch.exp(2j * torch.pi * torch.rand(linear.shape, generator=generator))
    previous = torch.zeros_like(phase)
    for _ in range(iterations):
        rebuilt = analyse(synthesise(linear * phase))
        phase = rebuilt - 0.99 / 1.99 * previous
        phase = phase / phase.abs().clamp(min=1e-12)
        previous = rebuilt
    # phases that do not quite agree cancel and lose level: give each frame its energy back
    rebuilt = analyse(synthesise(linear * phase))
    target_level = linear.square().sum(-2, keepdim=True).sqrt()
    gain = target_level / rebuilt.abs().square().sum(-2, keepdim=True).sqrt().clamp(min=FLOOR)
    return synthesise(linear * phase * gain.clamp(max=2))[:, pad : pad + mel.shape[-1] * hop]


def _overlap_add(frames, length, hop):
    window = frames.shape[1]
    return F.fold(frames, (1, length), kernel_size=(1, window), stride=(1, hop)).reshape(frames.shape[0], length)
