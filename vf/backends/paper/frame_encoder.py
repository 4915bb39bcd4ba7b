"""The paper profile's counterpart of the small frame encoder: BN-Inception's features are final (App. B.1)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from vf.data.columns import Column


class Frozen:
    """An encoder that returns its input."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Make an empty folder, where the small profile saves its encoder."""
        Path(folder).mkdir(parents=True, exist_ok=True)


def train(maps: np.ndarray | Column, *_, **__) -> tuple[Frozen, list[float]]:
    """An encoder and no losses, without training."""
    return Frozen(), []


def encode(
    encoder: Frozen,
    maps: np.ndarray | Column,
    among: Sequence[int] | None = None,
    generator: torch.Generator | None = None,
    kinds: Sequence[str] | None = None,
    times: np.ndarray | None = None,
) -> np.ndarray | Column:
    """The reader's features, unchanged: (clips, t, d) -> (clips, t, d). among: indices of the clips; None for all."""
    return maps if among is None else maps[among]


def load(folder: str | Path, reader: Callable, device: str | torch.device = "cpu") -> Callable:
    """The reader itself: a function (frames, times) of one clip -> features (t, d)."""
    return reader
