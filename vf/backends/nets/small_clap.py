"""A small CLAP that can be trained on a thousand sounds: convolutions for sound, a bag of tokens for text."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

BANDS = 4  # of frequency, kept apart in the pooling over frequency: the spectrum identifies the material


class SmallClap(ModelMixin, ConfigMixin):
    """An audio and a text tower with the interface of transformers' ClapModel.

    The HTS-AT of ClapModel has to learn from its data what a spectrum is. After minutes of training on two cores its
    choice of material is at chance, while convolutions name four materials of five.

    vocabulary: tokens of the tokenizer. dims: of the common space. width: channels of the first convolution.
    words: size of a token's vector. lexicon: words of the training captions, kept for information.
    """

    @register_to_config
    def __init__(self, vocabulary: int, dims: int = 64, width: int = 12, words: int = 64, lexicon: Sequence[str] = ()):
        super().__init__()
        sizes = (1, width, 2 * width, 3 * width, 4 * width)
        self.blocks = nn.Sequential(
            *[
                nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.AvgPool2d(2))
                for i, o in zip(sizes, sizes[1:])
            ]
        )
        self.hear = nn.Sequential(nn.Linear(2 * BANDS * sizes[-1], 2 * dims), nn.ReLU(), nn.Linear(2 * dims, dims))
        self.tokens = nn.Embedding(vocabulary, words)
        self.read = nn.Sequential(nn.Linear(words, 2 * dims), nn.ReLU(), nn.Linear(2 * dims, dims))
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

    def get_audio_features(self, input_features: torch.Tensor) -> SimpleNamespace:
        """Log-mels (b, 1, frames, bins) in decibels -> `.pooler_output` (b, dims), not normalised."""
        maps = self.blocks((input_features + 30) / 20)  # about zero mean and unit spread for sounds of the corpus
        frames = maps.unflatten(-1, (BANDS, -1)).mean(-1).transpose(2, 3).flatten(1, 2)
        return SimpleNamespace(pooler_output=self.hear(torch.cat([frames.mean(-1), frames.amax(-1)], 1)))

    def get_text_features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        """Tokens (b, n) and their mask (b, n), 0 for padding -> `.pooler_output` (b, dims), not normalised."""
        mask = attention_mask[..., None].to(self.dtype)
        mean = (self.tokens(input_ids) * mask).sum(1) / mask.sum(1)
        return SimpleNamespace(pooler_output=self.read(mean))
