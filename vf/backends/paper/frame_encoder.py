"""What stands where the small profile trains a frame encoder: BN-Inception's features are final, nothing is learnt (App. B.1)."""

from pathlib import Path

import numpy as np


class Frozen:
    """An encoder that changes nothing."""

    def save_pretrained(self, folder):
        """Leaves a folder, as the other profile does."""
        Path(folder).mkdir(parents=True, exist_ok=True)


def train(maps, *_, **__):
    """(encoder, losses) without training."""
    return Frozen(), []


def encode(encoder, maps, among=None, generator=None, kinds=None):
    """Features (clips, t, d) as the reader gave them; `among`: indices of the clips wanted (default: all)."""
    return np.array(maps if among is None else maps[among])


def load(folder, reader, device="cpu"):
    """The reader itself: a function (frames, times) of one clip -> features (t, d)."""
    return reader
