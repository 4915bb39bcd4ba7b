"""What Video2RMS sees of each frame in the small profile: grey picture and its changes, small enough to learn from.

A drumstick is thin and its stop is sudden. Mean pooling loses both, so the picture's increases and decreases of brightness
are max-pooled; `frame_encoder` learns to read them. Optical flow and a frozen colour encoder, the paper's route in
small, stand beside them for comparison.
"""

import cv2
import numpy as np
import torch

from vf.signal.motion import distinct


def _grey(frames, size):
    """Grey pictures (t, h, w) uint8 at `size` (width, height), area-averaged."""
    grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
    return np.stack(
        [g if g.shape[1::-1] == tuple(size) else cv2.resize(g, size, interpolation=cv2.INTER_AREA) for g in grey]
    )


def _peaks(maps, pool):
    """Maximum over pool x pool blocks: (t, h, w) -> (t, h / pool, w / pool)."""
    rows = np.maximum.reduce([maps[:, i::pool] for i in range(pool)])
    return np.maximum.reduce([rows[:, :, i::pool] for i in range(pool)])


def difference(frames, times, pool=2):
    """Grey picture, brightening and darkening since the last distinct frame, both max-pooled.

    frames: uint8 (t, h, w, 3), sides multiples of `pool`. times: (t,) source timestamps; a repeated frame repeats its
    change, so that 25 fps film at 30 fps has no holes. Returns uint8 (t, 3, h / pool, w / pool).
    Raises ValueError for frames that `pool` does not divide.
    """
    height, width = frames.shape[1:3]
    if height % pool or width % pool:
        raise ValueError(
            f"frames are {width} x {height}; wanted sides that are multiples of {pool}: change features.size"
        )
    grey = _grey(frames, (width, height))
    before = grey[distinct(times)]
    brighter = np.where(grey > before, grey - before, 0).astype(np.uint8)
    darker = np.where(before > grey, before - grey, 0).astype(np.uint8)
    small = np.stack([cv2.resize(g, (width // pool, height // pool), interpolation=cv2.INTER_AREA) for g in grey])
    return np.stack([small, _peaks(brighter, pool), _peaks(darker, pool)], 1)


def flow(frames, times, pool=2, limit=20.0):
    """Dense optical flow (OpenCV's DIS, ultrafast) between distinct frames, at the size of `difference`.

    Returns uint8 (t, 2, h / pool, w / pool): x and y, -limit..limit pixels of the pooled picture as 0..255, 128 at rest.
    """
    height, width = frames.shape[1:3]
    grey, previous = _grey(frames, (width // pool, height // pool)), distinct(times)
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    fields, known = [], {}
    for k, p in enumerate(previous):
        key = (p, times[k])
        if key not in known:
            known = {key: engine.calc(grey[p], grey[k], None) if p != k else np.zeros((*grey.shape[1:], 2), np.float32)}
        fields.append(known[key])
    scaled = np.stack(fields).transpose(0, 3, 1, 2) * (127 / limit) + 128
    return np.clip(scaled.round(), 0, 255).astype(np.uint8)


def colour(frames, times, cells=(12, 9)):
    """A frozen encoder of RGB: mean and spread of each colour in a grid. Returns uint8 (t, 6, 9, 12)."""
    mean = np.stack([cv2.resize(f, cells, interpolation=cv2.INTER_AREA) for f in frames]).astype(np.float32)
    square = np.stack([cv2.resize(f.astype(np.float32) ** 2, cells, interpolation=cv2.INTER_AREA) for f in frames])
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.concatenate([mean, 2 * spread], -1).transpose(0, 3, 1, 2).clip(0, 255).astype(np.uint8)


KINDS = {"difference": difference, "flow": flow, "colour": colour}


class Reader:
    """Reads a clip's pictures as maps.

    kinds: "difference", "flow" or both, one after the other along the channels, or "colour" alone. pool: side of the blocks
    that are pooled. weights, device: of pretrained networks; this profile has none.
    Raises ValueError for other kinds.
    """

    def __init__(self, kinds=("difference",), pool=2, weights=None, device="cpu"):
        if not kinds or set(kinds) - KINDS.keys() or ("colour" in kinds and len(kinds) > 1):
            raise ValueError(f"features.kinds is {list(kinds)}; wanted difference, flow or both, or colour alone")
        self.kinds, self.pool = kinds, pool

    def __call__(self, frames, times):
        """frames, times: as `media.read_frames` gives them. Returns uint8 (t, c, h, w)."""
        pool = {} if "colour" in self.kinds else {"pool": self.pool}
        return np.concatenate([KINDS[k](frames, times, **pool) for k in self.kinds], 1)

    def pictures(self, frames, fps, maps):
        """What the metrics' picture embedder gets of a clip: its maps, coarse, uint8 (t, c, 12, 16)."""
        return torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(maps).float(), (12, 16)).byte().numpy()


def describe(maps, cells=(4, 6)):
    """Maps (t, c, h, w) of a clip as vectors (t, d) for a linear probe: each channel's mean and maximum in a grid, of the
    frame and its two neighbours."""
    m = maps.astype(np.float32) / 255
    rows, columns = np.array_split(np.arange(m.shape[2]), cells[0]), np.array_split(np.arange(m.shape[3]), cells[1])
    blocks = [m[:, :, r[:, None], c] for r in rows for c in columns]
    x = np.concatenate([b.mean((2, 3)) for b in blocks] + [b.max((2, 3)) for b in blocks], 1)
    return np.concatenate([np.roll(x, 1, 0), x, np.roll(x, -1, 0)], 1)
