"""Motion between pictures of a film whose frames come at an even rate and may repeat a picture."""

import cv2
import numpy as np


def distinct(times: np.ndarray) -> np.ndarray:
    """Index of the last frame before each frame that shows another picture; the first picture has its own index.

    times: (t,) source timestamps in seconds, from `media.read_frames`. A repeated picture repeats its time.
    Returns (t,) integers.
    """
    previous = np.zeros(len(times), int)
    for k in range(1, len(times)):
        previous[k] = previous[k - 1] if times[k] == times[k - 1] else k - 1
    return previous


def energy(frames: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Mean square change of brightness since the last distinct picture: the input of the linear-regression baseline.

    frames: uint8 (t, h, w, 3). times: (t,) seconds, as in `distinct`. Returns (t,) float32, 0 to 1.
    """
    grey = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]).astype(np.float32) / 255
    return np.square(grey - grey[distinct(times)]).mean((1, 2))
