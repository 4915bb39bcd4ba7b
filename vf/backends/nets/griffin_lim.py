"""Griffin-Lim as a vocoder module, called as transformers' SpeechT5HifiGan is, with a learnt sense of loudness."""

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

from vf.signal import fit
from vf.signal.diffusion import draw
from vf.signal.mel import mel_filters


class GriffinLim(ModelMixin, ConfigMixin):
    """AudioLDM's log-mel to a waveform.

    Mel bins to linear magnitudes by non-negative least squares (`refine` multiplicative steps), phases by Griffin and
    Lim (1984) with Perraudin's momentum, `iterations` times from fixed random ones.

    The mean magnitude of a mel band does not tell its power: noise has more than a flat spectrum of the same mean. A
    small convolutional network of `hidden` channels corrects the level of every frame; untrained, it changes nothing.

    sampling_rate, window, hop, model_in_dim (mel bins), fmin, fmax: of the log-mel.
    """

    @register_to_config
    def __init__(
        self, sampling_rate=16000, window=1024, hop=160, model_in_dim=64, fmin=0.0, fmax=8000.0, iterations=8,
        refine=10, hidden=64,
    ):  # fmt: skip
        super().__init__()
        filters = mel_filters(sampling_rate, window, model_in_dim, fmin, fmax)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("inverse", torch.linalg.pinv(filters.double()).float(), persistent=False)
        self.register_buffer("taper", torch.hann_window(window), persistent=False)
        generator = torch.Generator().manual_seed(0)
        angle = 2 * torch.pi * torch.rand(window // 2 + 1, 1024, generator=generator)
        self.register_buffer("angle", angle, persistent=False)
        self.level = nn.Sequential(
            nn.Conv1d(model_in_dim, hidden, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(hidden, hidden, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(hidden, 1, 1),
        )
        nn.init.zeros_(self.level[-1].weight)
        nn.init.zeros_(self.level[-1].bias)

    def magnitudes(self, spectrogram):
        """Log-mel (b, n, bins) -> linear magnitudes before the correction of level, (b, window / 2 + 1, n)."""
        mel = spectrogram.transpose(-1, -2).exp()
        linear = (self.inverse @ mel).clamp(min=1e-5)
        wanted, overlap = self.filters.T @ mel, self.filters.T @ self.filters
        for _ in range(self.config.refine):
            linear = linear * wanted / (overlap @ linear).clamp(min=1e-12)
        return linear

    def gain(self, spectrogram):
        """Log-mel (b, n, bins) -> what each frame's level is multiplied by, (b, 1, n), within a factor e."""
        return torch.tanh(self.level((spectrogram.transpose(-1, -2) + 5) / 4)).exp()

    def forward(self, spectrogram):
        """Log-mel (b, n, bins) -> waveform (b, n * hop). Phases do not depend on the batch."""
        with torch.no_grad():
            return torch.cat([self._wave(piece) for piece in spectrogram.float().split(4)])  # 4 stay in the cache

    def _wave(self, spectrogram):
        hop, pad, n = self.config.hop, (self.config.window - self.config.hop) // 2, spectrogram.shape[1]
        linear = self.magnitudes(spectrogram) * self.gain(spectrogram)
        angle = self.angle.repeat(1, -(-n // self.angle.shape[1]))[:, :n]
        spectrum = torch.polar(linear, angle.expand_as(linear))
        norm = self._overlap_add(self.taper.square()[None, :, None].expand(1, -1, n)).clamp(min=1e-3)
        previous = None
        for _ in range(self.config.iterations):
            rebuilt = torch.view_as_real(self._analyse(self._synthesise(spectrum, norm)))
            phase = rebuilt if previous is None else rebuilt - 0.99 / 1.99 * previous
            scale = linear / phase.square().sum(-1).sqrt().clamp(min=1e-12)
            spectrum, previous = torch.view_as_complex(phase * scale[..., None]), rebuilt
        # phases that do not quite agree cancel, which costs level: give each frame its energy back
        rebuilt = torch.view_as_real(self._analyse(self._synthesise(spectrum, norm))).square().sum((1, -1))
        lost = (linear.square().sum(1) / rebuilt.clamp(min=1e-10)).sqrt().clamp(max=2)
        return self._synthesise(spectrum * lost[:, None], norm)[:, pad : pad + n * hop]

    def _analyse(self, wave):
        window, hop = self.config.window, self.config.hop
        return torch.stft(wave, window, hop, window=self.taper, center=False, return_complex=True)

    def _synthesise(self, spectrum, norm):
        return self._overlap_add(torch.fft.irfft(spectrum, n=self.config.window, dim=1) * self.taper[:, None]) / norm

    def _overlap_add(self, frames):
        """(b, window, n) -> (b, (n - 1) * hop + window), hop by hop: torch's `fold` takes ten times as long."""
        batch, window, n = frames.shape
        hop = self.config.hop
        pieces = -(-window // hop)
        parts = F.pad(frames, (0, 0, 0, pieces * hop - window)).reshape(batch, pieces, hop, n).transpose(2, 3)
        total = frames.new_zeros(batch, (n + pieces) * hop)
        for j in range(pieces):
            total[:, j * hop : (j + n) * hop] += parts[:, j].reshape(batch, -1)
        return total[:, : (n - 1) * hop + window]


def frame_level(waves, window=1024, hop=160):
    """Level of each frame as a spectrogram has it, sqrt(sum |X|^2): (i, s) -> (i, s / hop), by Parseval's theorem."""
    pad = (window - hop) // 2
    frames = F.pad(waves[:, None], (pad, pad), mode="reflect")[:, 0].unfold(-1, window, hop)
    return ((frames * torch.hann_window(window)).square().sum(-1) * window / 2).sqrt()


def train_level(
    vocoder: GriffinLim, mels: torch.Tensor, levels: torch.Tensor, training: fit.Training, crop: int = 64
) -> list:
    """Train a GriffinLim's correction of level, alone of all it does.

    mels: (i, n, bins) log-mels as the vocoder will get them. levels: (i, n) `frame_level` of the sounds they stand for.
    The loss is the mean absolute error of the level over the mean level. Returns the losses.
    """
    with torch.no_grad():
        rough = torch.cat([vocoder.magnitudes(piece).square().sum(1).sqrt() for piece in mels.split(8)])

    def loss(generator):
        items, starts, length = draw(len(mels), mels.shape[1], training.batch, crop, generator)
        cuts = [torch.stack([x[i, s : s + length] for i, s in zip(items, starts)]) for x in (mels, rough, levels)]
        mel, start, true = (cut.to(vocoder.device) for cut in cuts)
        return (start * vocoder.gain(mel)[:, 0] - true).abs().mean() / true.mean().clamp(min=1e-3)

    return fit.fit(vocoder, loss, training, vocoder.level.parameters(), label="vocoder")
