"""Griffin-Lim as a vocoder module, called as transformers' SpeechT5HifiGan is."""

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config

from vf import mel


class GriffinLim(ModelMixin, ConfigMixin):
    """AudioLDM's log-mel to a waveform, without weights.

    sampling_rate, window, hop, model_in_dim (mel bins): of the log-mel. iterations: of Griffin and Lim's algorithm.
    """

    @register_to_config
    def __init__(self, sampling_rate=16000, window=1024, hop=160, model_in_dim=64, fmin=0.0, fmax=8000.0, iterations=16):
        super().__init__()
        # a model folder needs a tensor to say which device and precision it is on
        self.register_buffer("unused", torch.zeros(1))

    def forward(self, spectrogram):
        """Log-mel (b, n, bins) -> waveform (b, n * hop). The phases start from a fixed seed: the same input, the same bytes."""
        config = self.config
        wave = mel.griffin_lim(
            spectrogram.float().cpu(),
            sample_rate=config.sampling_rate,
            window=config.window,
            hop=config.hop,
            fmin=config.fmin,
            fmax=config.fmax,
            iterations=config.iterations,
        )
        return wave.to(spectrogram.device)
