"""Griffin-Lim as a vocoder with a learnt correction of level. It has the interface of transformers' SpeechT5HifiGan."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

from vf.signal import fit
from vf.signal.diffusion import draw
from vf.signal.mel import mel_filters


class GriffinLim(ModelMixin, ConfigMixin):
    """Waveform from AudioLDM's log-mel.

    Linear magnitudes are the non-negative least-squares solution of the mel filters, by `refine` multiplicative steps.
    Phases start from fixed random ones and follow Griffin and Lim (1984) with Perraudin's momentum, for `iterations`
    rounds.

    The mean magnitude of a mel band does not determine its power: noise has more power than a flat spectrum of the same
    mean. A small convolutional network of `hidden` channels corrects the level of each frame. Untrained, it changes
    nothing.

    sampling_rate (Hz), window, hop (samples), model_in_dim (mel bins): of the log-mel, which covers all frequencies up
    to half the sampling rate. Raises ValueError for one of them, or iterations, that is no whole number above 0.
    """

    @register_to_config
    def __init__(
        self,
        sampling_rate: int = 16000,
        window: int = 1024,
        hop: int = 160,
        model_in_dim: int = 64,
        iterations: int = 8,
        refine: int = 10,
        hidden: int = 64,
    ):
        super().__init__()
        sizes = {"sampling_rate": sampling_rate, "window": window, "hop": hop, "iterations": iterations}
        for name, value in sizes.items():
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} is {value!r}; wanted a whole number of at least 1")
        filters = mel_filters(sampling_rate, window, model_in_dim, 0.0, sampling_rate / 2)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(filters.double()).float(), persistent=False)
        self.register_buffer("taper", torch.hann_window(window), persistent=False)
        generator = torch.Generator().manual_seed(0)
        angle = 2 * torch.pi * torch.rand(window // 2 + 1, 1024, generator=generator)
        self.register_buffer("angle", angle, persistent=False)
        first = nn.Conv1d(model_in_dim, hidden, 3, padding=1)
        second = nn.Conv1d(hidden, hidden, 3, padding=1)
        last = nn.Conv1d(hidden, 1, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.level = nn.Sequential(first, nn.GELU(), second, nn.GELU(), last)

    def magnitudes(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """Linear magnitudes before the correction of level: log-mel (b, n, bins) -> (b, window / 2 + 1, n)."""
        mel = spectrogram.transpose(-1, -2).exp()
        linear = (self.inverse @ mel).clamp(min=1e-5)
        numerator = self.filters.T @ mel
        overlap = self.filters.T @ self.filters
        for _ in range(self.config.refine):
            linear = linear * numerator / (overlap @ linear).clamp(min=1e-12)
        return linear

    def gain(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """Correction of each frame's level, a factor between 1 / e and e: log-mel (b, n, bins) -> (b, 1, n)."""
        return torch.tanh(self.level((spectrogram.transpose(-1, -2) + 5) / 4)).exp()

    def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """Log-mel (b, n, bins) -> waveform (b, n * hop). Phases do not depend on the batch."""
        with torch.no_grad():
            return torch.cat(
                [self._wave(piece) for piece in spectrogram.float().split(4)]
            )  # 4 fit into the CPU's cache

    def _wave(self, spectrogram):
        hop = self.config.hop
        pad = (self.config.window - hop) // 2
        n = spectrogram.shape[1]
        linear = self.magnitudes(spectrogram) * self.gain(spectrogram)
        angle = self.angle.repeat(1, -(-n // self.angle.shape[1]))[:, :n]
        spectrum = torch.polar(linear, angle.expand_as(linear))
        norm = self._overlap_add(self.taper.square()[None, :, None].expand(1, -1, n)).clamp(min=1e-3)
        previous = None
        for _ in range(self.config.iterations):
            rebuilt = torch.view_as_real(self._analyse(self._synthesise(spectrum, norm)))
            phase = rebuilt if previous is None else rebuilt - 0.99 / 1.99 * previous
            scale = linear / phase.square().sum(-1).sqrt().clamp(min=1e-12)
            spectrum = torch.view_as_complex(phase * scale[..., None])
            previous = rebuilt
        # phases that do not quite agree cancel and lose level: give each frame its energy back
        rebuilt = torch.view_as_real(self._analyse(self._synthesise(spectrum, norm))).square().sum((1, -1))
        lost = (linear.square().sum(1) / rebuilt.clamp(min=1e-10)).sqrt().clamp(max=2)
        return self._synthesise(spectrum * lost[:, None], norm)[:, pad : pad + n * hop]

    def _analyse(self, wave):
        config = self.config
        return torch.stft(wave, config.window, config.hop, window=self.taper, center=False, return_complex=True)

    def _synthesise(self, spectrum, norm):
        return self._overlap_add(torch.fft.irfft(spectrum, n=self.config.window, dim=1) * self.taper[:, None]) / norm

    def _overlap_add(self, frames):
        """Sum of overlapping frames, hop by hop: (b, window, n) -> (b, (n - 1) * hop + window).

        Ten times as fast as torch's `fold`.
        """
        batch, window, n = frames.shape
        hop = self.config.hop
        pieces = -(-window // hop)
        parts = F.pad(frames, (0, 0, 0, pieces * hop - window)).reshape(batch, pieces, hop, n).transpose(2, 3)
        total = frames.new_zeros(batch, (n + pieces) * hop)
        for j in range(pieces):
            total[:, j * hop : (j + n) * hop] += parts[:, j].reshape(batch, -1)
        return total[:, : (n - 1) * hop + window]


def frame_level(waves: torch.Tensor, window: int = 1024, hop: int = 160) -> torch.Tensor:
    """Level sqrt(sum |X|^2) of each frame's spectrum X, by Parseval's theorem: (i, s) -> (i, s / hop)."""
    pad = (window - hop) // 2
    frames = F.pad(waves[:, None], (pad, pad), mode="reflect")[:, 0].unfold(-1, window, hop)
    return ((frames * torch.hann_window(window)).square().sum(-1) * window / 2).sqrt()


def train_level(
    vocoder: GriffinLim, mels: torch.Tensor, levels: torch.Tensor, training: fit.Training, crop: int = 64
) -> list[float]:
    """Train the correction of level of a GriffinLim. Returns the losses.

    mels: (i, n, bins) log-mels as the vocoder will get them. levels: (i, n) `frame_level` of their sounds.
    crop: mel frames of a random piece. The loss is the mean absolute error of the level over the mean level.
    """
    with torch.no_grad():
        rough = torch.cat([vocoder.magnitudes(piece).square().sum(1).sqrt() for piece in mels.split(8)])

    def loss(generator, part):
        items, starts, length = draw(len(mels), mels.shape[1], training.batch, crop, generator)
        cuts = [torch.stack([x[i, s : s + length] for i, s in zip(items, starts)]) for x in (mels, rough, levels)]
        mel, uncorrected, reference = (part.rows(cut).to(vocoder.device) for cut in cuts)
        error = uncorrected * vocoder.gain(mel)[:, 0] - reference
        return error.abs().mean() / cuts[2].mean().clamp(min=1e-3)

    return fit.fit(vocoder, loss, training, vocoder.level.parameters(), label="vocoder")
