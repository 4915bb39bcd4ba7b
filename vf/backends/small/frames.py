"""Maps of each video frame in the small profile: the grey picture and its changes of brightness, small.

A drumstick is thin and it stops suddenly. Mean pooling would lose both, so increases and decreases of brightness are
max-pooled. `frame_encoder` is trained on these maps. Optical flow and a frozen colour encoder, as in the paper but
small, are there for comparison.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from vf.signal.motion import previous_pictures


def _grey(frames, size):
    """Grey pictures uint8 (t, h, w), area-averaged to `size` (width, height)."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    if grey[0].shape[1::-1] != tuple(size):
        grey = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in grey]
    return np.stack(grey)


def _peaks(maps, pool):
    """Maximum over pool x pool blocks: (t, h, w) -> (t, h / pool, w / pool)."""
    rows = np.maximum.reduce([maps[:, i::pool] for i in range(pool)])
    return np.maximum.reduce([rows[:, :, i::pool] for i in range(pool)])


def difference(frames: np.ndarray, times: np.ndarray, pool: int = 2) -> np.ndarray:
    """Grey picture, and its brightening and darkening since the last distinct picture, both max-pooled.

    frames: uint8 (t, h, w, 3), sides multiples of `pool`. times: (t,) source timestamps. A repeated picture repeats its
    change, so a film of 25 fps read at 30 fps has no gaps. Returns uint8 (t, 3, h / pool, w / pool).
    Raises ValueError for frames that `pool` does not divide.
    """
    height, width = frames.shape[1:3]
    if height % pool or width % pool:
        raise ValueError(
            f"frames are {width} x {height}; wanted sides that are multiples of {pool}: change features.size"
        )
    grey = _grey(frames, (width, height))
    before = grey[previous_pictures(times)]
    rows, earlier = grey.reshape(-1, width), before.reshape(-1, width)
    brighter, darker = (cv2.subtract(*pair).reshape(grey.shape) for pair in ((rows, earlier), (earlier, rows)))
    small = np.stack([cv2.resize(g, (width // pool, height // pool), interpolation=cv2.INTER_AREA) for g in grey])
    return np.stack([small, _peaks(brighter, pool), _peaks(darker, pool)], 1)


def flow(frames: np.ndarray, times: np.ndarray, pool: int = 2, limit: float = 20.0) -> np.ndarray:
    """Dense optical flow (OpenCV's DIS, ultrafast) between distinct pictures, at the size of `difference`.

    frames, times, pool: as in `difference`. Returns uint8 (t, 2, h / pool, w / pool) of x and y: -limit to limit pixels
    of the pooled picture as 0 to 255. No motion is 128.
    """
    height, width = frames.shape[1:3]
    grey = _grey(frames, (width // pool, height // pool))
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    fields = []
    last = None  # pair of pictures of the last field: a repeated picture shares it
    for k, previous in enumerate(previous_pictures(times)):
        pair = (previous, times[k])
        if pair == last:
            field = fields[-1]
        elif previous == k:
            field = np.zeros((*grey.shape[1:], 2), np.float32)
        else:
            field = engine.calc(grey[previous], grey[k], None)  # type: ignore[call-overload]  # no flow to start from
        fields.append(field)
        last = pair
    scaled = np.stack(fields).transpose(0, 3, 1, 2) * (127 / limit) + 128
    return np.clip(scaled.round(), 0, 255).astype(np.uint8)


def colour(frames: np.ndarray, times: np.ndarray, cells: tuple[int, int] = (12, 9)) -> np.ndarray:
    """A frozen encoder of RGB: mean and twice the standard deviation of each colour in a grid.

    frames: uint8 (t, h, w, 3). times: not used. cells: columns and rows. Returns uint8 (t, 6, rows, columns).
    """
    mean = np.stack([cv2.resize(f, cells, interpolation=cv2.INTER_AREA) for f in frames]).astype(np.float32)
    square = np.stack([cv2.resize(f.astype(np.float32) ** 2, cells, interpolation=cv2.INTER_AREA) for f in frames])
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.concatenate([mean, 2 * spread], -1).transpose(0, 3, 1, 2).clip(0, 255).astype(np.uint8)


KINDS: dict[str, Callable[..., np.ndarray]] = {"difference": difference, "flow": flow, "colour": colour}


class Reader:
    """Maps of a clip's frames.

    kinds: "difference", "flow" or both, joined along the channels, or "colour" alone. pool: side of a pooled block, in
    pixels. weights, device: of the paper profile, not used here. Raises ValueError for other kinds.
    """

    def __init__(
        self,
        kinds: Sequence[str] = ("difference",),
        pool: int = 2,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
    ):
        if not kinds or set(kinds) - KINDS.keys() or ("colour" in kinds and len(kinds) > 1):
            raise ValueError(f"features.kinds is {list(kinds)}; wanted difference, flow or both, or colour alone")
        self.kinds = kinds
        self.pool = pool

    def __call__(self, frames: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Maps uint8 (t, c, h, w). frames, times: from `media.read_frames`."""
        if "colour" in self.kinds:
            return colour(frames, times)
        return np.concatenate([KINDS[kind](frames, times, pool=self.pool) for kind in self.kinds], 1)

    def pictures(self, frames: np.ndarray, fps: float, maps: np.ndarray) -> np.ndarray:
        """Input of the metrics' picture embedder: the clip's maps (t, c, h, w), averaged to uint8 (t, c, 12, 16)."""
        return torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(maps).float(), (12, 16)).byte().numpy()


def describe(maps: np.ndarray, cells: tuple[int, int] = (4, 6)) -> np.ndarray:
    """Vectors for a linear probe: maps (t, c, h, w) of a clip -> (t, d) float32.

    They hold each channel's mean and maximum in a grid of `cells` (rows, columns), of the frame and its neighbours.
    """
    m = maps.astype(np.float32) / 255
    rows = np.array_split(np.arange(m.shape[2]), cells[0])
    columns = np.array_split(np.arange(m.shape[3]), cells[1])
    blocks = [m[:, :, r[:, None], c] for r in rows for c in columns]
    x = np.concatenate([b.mean((2, 3)) for b in blocks] + [b.max((2, 3)) for b in blocks], 1)
    return np.concatenate([np.roll(x, 1, 0), x, np.roll(x, -1, 0)], 1)
