"""What moves from one picture of a film to the next, on an even clock that may show a picture twice."""

import cv2
import numpy as np


def distinct(times):
    """For each frame the index of the last frame that showed another picture (itself for the first picture).

    times: (t,) source timestamps as `media.read_frames` gives them; a repeated frame repeats its time.
    """
    previous = np.zeros(len(times), int)
    for k in range(1, len(times)):
        previous[k] = previous[k - 1] if times[k] == times[k - 1] else k - 1
    return previous


def energy(frames, times):
    """Mean square change of brightness of each frame since the last distinct one: what a linear regression is given.

    frames: uint8 (t, h, w, 3). times: (t,). Returns (t,) float32, 0 to 1.
    """
    grey = np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]).astype(np.float32) / 255
    return np.square(grey - grey[distinct(times)]).mean((1, 2))
