"""Windows over a signal longer than one clip: where they begin, and how neighbours are cross-faded."""

import numpy as np
import torch


def starts(total: int, window: int, overlap: int) -> list[int]:
    """First frames of windows that cover `total` frames, share at least `overlap` with the next, and end with them."""
    last = max(0, total - window)
    return [*range(0, last, window - overlap), last]


def ramp(window: int, overlap: int) -> torch.Tensor:
    """Weight of each frame of a window, (window,): rises and falls over the overlaps; two neighbours sum to 1."""
    i = np.arange(window) + 0.5
    return torch.from_numpy(np.minimum(1, np.minimum(i, window - i) / max(1, overlap))).float()


class CrossFade:
    """Weighted mean of overlapping windows, given out as soon as no later window reaches a frame.

    Sums are kept in float64, so that a float32 value to which only one window contributes comes out bit for bit.
    """

    def __init__(self, window: int, overlap: int):
        self._window, self._begin = window, 0
        self._weights = ramp(window, overlap).double()[:, None]
        self._sum, self._weight = None, torch.zeros(0, 1, dtype=torch.float64)

    def add(self, start: int, values: torch.Tensor):
        """Add the window that begins at frame `start`, no earlier than the one before. values: (..., window, d)."""
        values = values.detach().cpu().double()
        if self._sum is None:
            self._sum = values[..., :0, :]
        longer = (0, 0, 0, start + self._window - self._begin - len(self._weight))
        self._sum = torch.nn.functional.pad(self._sum, longer)
        self._weight = torch.nn.functional.pad(self._weight, longer)
        there = slice(start - self._begin, start - self._begin + self._window)
        self._sum[..., there, :] += self._weights * values
        self._weight[there] += self._weights

    def take(self, until: int) -> torch.Tensor:
        """The frames up to `until` that were not taken yet, (..., frames, d) float32."""
        count = until - self._begin
        mean = self._sum[..., :count, :] / self._weight[:count]
        self._sum, self._weight, self._begin = self._sum[..., count:, :], self._weight[count:], until
        return mean.float()
