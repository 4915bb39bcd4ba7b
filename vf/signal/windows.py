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
    Windows are added with `add`, in order; finished frames are taken with `take`.
    """

    def __init__(self, window: int, overlap: int):
        self._window, self._begin = window, 0
        self._weights = ramp(window, overlap).double()[:, None]
        self._sum: torch.Tensor | None = None  # its shape is known with the first window
        self._weight = torch.zeros(0, 1, dtype=torch.float64)

    def add(self, start: int, values: torch.Tensor) -> None:
        """Add the window that begins at frame `start`, no earlier than the one before. values: (..., window, d)."""
        values = values.detach().cpu().double()
        total = values[..., :0, :] if self._sum is None else self._sum
        longer = (0, 0, 0, start + self._window - self._begin - len(self._weight))
        self._sum = total = torch.nn.functional.pad(total, longer)
        self._weight = torch.nn.functional.pad(self._weight, longer)
        there = slice(start - self._begin, start - self._begin + self._window)
        total[..., there, :] += self._weights * values
        self._weight[there] += self._weights

    def take(self, until: int) -> torch.Tensor:
        """The frames up to `until` that were not taken yet, (..., frames, d) float32.

        Raises ValueError before the first window.
        """
        if self._sum is None:
            raise ValueError("no window was added; wanted one at least before frames are taken: call add first")
        count = until - self._begin
        mean = self._sum[..., :count, :] / self._weight[:count]
        self._sum, self._weight, self._begin = self._sum[..., count:, :], self._weight[count:], until
        return mean.float()
