"""The loudness curve of a silent film of any length: Video2RMS, window by window."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from vf.data import media, processes
from vf.models import video2rms
from vf.models.video2rms import Video2RMS
from vf.signal import windows
from vf.signal.timeline import Timeline


@torch.no_grad()
def predict(
    film: str | Path,
    frames: int,
    model: Video2RMS,
    features: Callable,
    size: tuple[int, int],
    timeline: Timeline,
    rule: str = "mean",
    tick: Callable[[float], object] = lambda share: None,
    partial: bool = False,
) -> np.ndarray:
    """The curve of a film, (frames,) RMS at the 512/128 rate.

    model: Video2RMS. features: callable (frames, times) -> features of a clip. size: (width, height) it wants. rule: of
    video2rms.decode. tick: called with the share that is done; may raise to stop. partial: end where the film breaks
    off. Windows of a clip's length share about a fifth with the next, over which their curves are cross-faded. The film
    is read once; in memory is a window, and the next one, which is decoded meanwhile. Raises media.MediaError for a
    file that is no film, or of a single picture.
    """
    window = timeline.video_rms_frames
    # the longest hop that is whole on both clocks
    hop = next(h for h in range(timeline.video_frames * 4 // 5, 0, -1) if h * window % timeline.video_frames == 0)
    step = hop * window // timeline.video_frames
    joined = windows.CrossFade(window, window - step)
    seen_ahead = processes.ahead(glances(film, timeline.fps, size, timeline.video_frames, hop, partial))
    for k, (pictures, times) in enumerate(seen_ahead):
        first = k * step
        if first >= max(1, frames):
            break
        tick(first / max(1, frames))
        seen = torch.as_tensor(np.asarray(features(pictures, times), np.float32), device=model.device)
        levels = video2rms.decode(model(seen[None]).softmax(-1), model.classes, rule)[0]
        joined.add(first, levels[:, None])
        end = first + window
    curve = joined.take(end)[:frames, 0].numpy().clip(0, 1)
    return np.pad(curve, (0, frames - len(curve)), mode="edge")  # a container may claim more than it has


def glances(
    path: str | Path, fps: float, size: tuple[int, int], length: int, hop: int, partial: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A film in windows of `length` frames, `hop` apart, read once: yields (frames (length, h, w, 3), times (length,)).

    times: seconds from the window's beginning of the picture that each frame shows.
    Where the film ends within a window, its last picture is repeated to the window's end. partial: end where the film
    breaks off. Raises media.MediaError for a film of fewer than two pictures.
    """
    held: list[tuple[np.ndarray, float]] = []
    done, stamps = 0, set[float]()
    for seen in media.stream_frames(path, fps, size, partial=partial):
        held.append(seen)
        stamps = stamps if len(stamps) > 1 else stamps | {seen[1]}
        if len(held) == length:
            yield _window(held, done * hop / fps)
            held, done = held[hop:], done + 1
    if len(stamps) < 2:
        raise media.MediaError(f"{path}: has {len(stamps) or 'no'} picture; wanted a film, in which something moves")
    if not done or len(held) > length - hop:
        image, time = held[-1]
        held += [(image, time + k / fps) for k in range(1, length - len(held) + 1)]
        yield _window(held, done * hop / fps)


def _window(held, start):
    return np.stack([image for image, _ in held]), np.array([time for _, time in held]) - start
