"""CLAP's two towers, small enough to learn from a thousand sounds: convolutions for sound, a bag of tokens for text."""

from types import SimpleNamespace

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn

BANDS = 4  # of frequency that stay apart at the end: material is in the spectrum, so it is not averaged away


class SmallClap(ModelMixin, ConfigMixin):
    """A pair of towers that is called as transformers' ClapModel is.

    The attention of ClapModel's HTS-AT starts without any notion of a spectrum: in the minutes two cores have, it stays at
    chance where convolutions name four materials of five.

    vocabulary: tokens of the tokenizer. dims: of the common space. width: channels of the first convolution. words:
    width of a token's vector. lexicon: the words of the captions it was trained on, for who wants to know what it knows.
    """

    @register_to_config
    def __init__(self, vocabulary, dims=64, width=12, words=64, lexicon=()):
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

    def get_audio_features(self, input_features):
        """(b, 1, frames, bins) log-mels in decibels -> `.pooler_output` (b, dims), not normalised."""
        maps = self.blocks((input_features + 30) / 20)  # about zero mean and unit spread for sounds of the corpus
        frames = maps.unflatten(-1, (BANDS, -1)).mean(-1).transpose(2, 3).flatten(1, 2)
        return SimpleNamespace(pooler_output=self.hear(torch.cat([frames.mean(-1), frames.amax(-1)], 1)))

    def get_text_features(self, input_ids, attention_mask):
        """(b, n) tokens and which of them count -> `.pooler_output` (b, dims), not normalised."""
        mask = attention_mask[..., None].to(self.dtype)
        mean = (self.tokens(input_ids) * mask).sum(1) / mask.sum(1)
        return SimpleNamespace(pooler_output=self.read(mean))
