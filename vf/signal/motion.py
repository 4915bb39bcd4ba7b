"""Films read on an even clock, whose frames may repeat a picture: what moves, and when pictures were taken."""

import cv2
import numpy as np


def previous_pictures(times: np.ndarray) -> np.ndarray:
    """Index of the last frame before each frame that shows another picture; the first picture has its own index.

    times: (t,) source timestamps in seconds, from `media.read_frames`. A repeated picture repeats its time.
    Returns (t,) integers.
    """
    previous = np.zeros(len(times), int)
    for k in range(1, len(times)):
        previous[k] = previous[k - 1] if times[k] == times[k - 1] else k - 1
    return previous


def rate(times: np.ndarray) -> int:
    """Pictures a second of a film, rounded, as its first half second shows; 0 for a still.

    times: (t,) seconds of the picture that each frame shows, as in `previous_pictures`.
    """
    apart = np.diff(times)
    apart = apart[apart > 0][:12]
    return round(1 / float(np.median(apart))) if len(apart) else 0


def interpolation(times: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """What turns values at a clip's distinct pictures, at their own times, into values on the clock.

    times: (t,) seconds from the clip's beginning of the picture that each frame shows; a repeated picture repeats its
    time. fps: of the clock, whose frame k is due at k / fps. Returns the index of the u distinct pictures, (u,), and
    weights float32 (t, u): linear between neighbours, the nearest beyond the ends. A clip whose pictures come at the
    clock's own times has the identity.
    """
    index = np.flatnonzero(np.r_[True, np.diff(times) != 0])
    due = np.arange(len(times)) / fps
    if len(index) == 1:
        return index, np.ones((len(times), 1), np.float32)
    before = (np.searchsorted(times[index], due, side="right") - 1).clip(0, len(index) - 2)
    span = times[index[before + 1]] - times[index[before]]
    later = ((due - times[index[before]]) / span).clip(0, 1)
    weights = np.zeros((len(times), len(index)), np.float32)
    rows = np.arange(len(times))
    weights[rows, before] = 1 - later
    weights[rows, before + 1] = later
    return index, weights


def energy(frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean square change of brightness since the last distinct picture: the input of the linear-regression baseline.

    frames: uint8 (t, h, w, 3). times: (t,) seconds, as in `previous_pictures`. Returns (t,) float32, 0 to 1.
    """
    grey = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]).astype(np.float32) / 255
    return np.square(grey - grey[previous_pictures(times)]).mean((1, 2))
