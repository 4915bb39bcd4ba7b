"""Reading film and sound, through PyAV, which carries its own codecs."""

from collections import namedtuple
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import av
import numpy as np

Probe = namedtuple("Probe", "seconds fps width height has_sound")
Probe.__doc__ = "A film's length (s), average frame rate, picture size and whether it has an audio stream."

SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}


class MediaError(ValueError):
    """A file that cannot serve as film or sound: says which, what came, what was wanted and what to do."""


@contextmanager
def opened(path):
    """A film or sound as PyAV's container. Raises MediaError for what cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():
            raise MediaError(f"{path}: no such file; wanted a film or a sound: check the path")
        with av.open(str(path)) as container:
            yield container
    except MediaError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path}: cannot be read ({error.strerror or error}); wanted a film or sound file: "
            "check its rights and that it plays, or convert it to mp4 (H.264, AAC)"
        ) from error


def probe(path):
    """Probe of a film, as it is shown. Raises MediaError for a file without a picture or that is unreadable."""
    with opened(path) as container:
        video = picture_stream(container, path)
        rate = float(video.average_rate or video.base_rate or 0)
        width, height, sound = video.codec_context.width, video.codec_context.height, bool(container.streams.audio)
        seconds = float(video.duration * video.time_base) if video.duration else None
        first = next(container.decode(video), None)
        if first is not None and first.rotation % 180:
            width, height = height, width
    return Probe(_packed_seconds(path) if seconds is None else seconds, rate, width, height, sound)


def sound_rate(path):
    """Samples per second of a film's or sound file's own sound. Raises MediaError for a file without sound or unreadable."""
    with opened(path) as container:
        if not container.streams.audio:
            raise MediaError(
                f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone"
            )
        return container.streams.audio[0].rate


def _packed_seconds(path):
    """The picture's length where the container does not tell it: the end of its last packet."""
    begin, end = float("inf"), 0.0
    with opened(path) as container:
        video = picture_stream(container, path)
        frame = 1 / float(video.average_rate or 25)
        for packet in container.demux(video):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.size:
                time = float(stamp * packet.time_base)
                begin = min(begin, time)
                end = max(end, time + (float(packet.duration * packet.time_base) if packet.duration else frame))
    return max(0.0, end - begin) if end else 0.0


def picture_stream(container, path):
    """The video stream of an open film. Raises MediaError for a file without one."""
    if not container.streams.video:
        raise MediaError(f"{path}: has no video stream; wanted a film: give a file with a picture")
    return container.streams.video[0]


def stream_frames(path, fps, size, start=0.0):
    """Frames of a film on an even clock, one by one, from `start` seconds to its end: yields (image, time).

    fps: frames per second wanted. size: (width, height). image: uint8 (height, width, 3), RGB, upright where the film says how it
    was held; time: the film's own timestamp (s) of the frame shown. Frame k is the last one on screen at start + k / fps.
    Raises MediaError for a file without picture or unreadable.
    """
    for seek in [True, False] if start > 0 else [False]:  # where the index is wrong, from the beginning
        held, shown = None, 0
        with opened(path) as container:
            stream = picture_stream(container, path)
            stream.thread_type = "AUTO"
            origin = float((stream.start_time or 0) * stream.time_base)
            if seek:
                container.seek(int((start + origin) / stream.time_base), stream=stream, backward=True)
            rate = float(stream.average_rate or fps)
            for picture, time in _timed(container.decode(stream), stream, origin, 1 / rate):
                if held is None and seek and time > start + 5e-4:
                    break
                if held is not None:
                    for image in _shown(held, time, start, fps, size, shown):
                        yield image, held[1]
                        shown += 1
                held = (picture, time)
            if held is not None:
                last = float(held[0].duration * stream.time_base) if held[0].duration else 1 / rate
                for image in _shown(held, held[1] + last, start, fps, size, shown):
                    yield image, held[1]
                return


def _timed(pictures, stream, origin, step):
    """Pictures with their times (s); one without a timestamp comes `step` after the one before."""
    time = -step
    for picture in pictures:
        stamp = picture.pts if picture.pts is not None else picture.dts
        time = float(stamp * stream.time_base) - origin if stamp is not None else time + step
        yield picture, time


def _shown(held, until, start, fps, size, shown):
    """The held picture once for each output time before `until`; half a millisecond forgives rounded timestamps."""
    picture, image = held[0], None
    while start + shown / fps < until - 5e-4:
        if image is None:
            turns = round(picture.rotation / 90) % 4
            width, height = size[::-1] if turns % 2 else size
            image = picture.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
            image = np.rot90(image, turns)
        yield image
        shown += 1


def read_frames(path, fps, size, start=0.0, seconds=None):
    """Frames of a film on an even clock, whatever its own rate: `stream_frames`, as arrays.

    seconds: length of the stretch, to the end without; the last frame of the film stays on screen to the end of the stretch.
    Returns frames uint8 (t, height, width, 3), RGB, and times (t,): the film's own timestamp (s) of the frame shown, so that a
    repeated frame shows as a repeated time. Raises MediaError for a file without picture, without a frame in the stretch, or unreadable.
    """
    wanted = None if seconds is None else round(seconds * fps)
    seen = list(islice(stream_frames(path, fps, size, start), wanted))
    if not seen:
        raise MediaError(f"{path}: no frame from {start:g} s on; wanted a film that is longer: check its length")
    seen += [seen[-1]] * (0 if wanted is None else wanted - len(seen))
    return np.stack([image for image, _ in seen]), np.array([time for _, time in seen])


def sound_seconds(path):
    """Length of a film or sound file as its header has it; None where it does not say. Raises MediaError."""
    with opened(path) as container:
        return container.duration / av.time_base if container.duration else None


def read_sound(path, sample_rate, start=0.0, seconds=None):
    """The sound of a film or sound file: mono float32 (s,) at `sample_rate`, channels averaged, level untouched.

    start, seconds: the stretch, on the film's clock; to the end without `seconds`. Where the audio stream starts late or
    ends early the stretch is filled with zeros. Raises MediaError for a file without sound or unreadable.
    """
    with opened(path) as container:
        if not container.streams.audio:
            raise MediaError(
                f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone"
            )
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", rate=sample_rate)
        video = container.streams.video[0] if container.streams.video else None
        # pictures and sound share the container's clock; the picture's first frame is second 0
        origin = float((video.start_time or 0) * video.time_base) if video else 0.0
        stream.thread_type = "AUTO"
        if start > 1:
            container.seek(int((start - 1 + origin) * av.time_base), backward=True)
        parts, begins = [], None
        end = None if seconds is None else start + seconds + 0.1
        for frame in container.decode(stream):
            if begins is None:
                begins = float((frame.pts or 0) * stream.time_base) - origin
            for piece in resampler.resample(frame):
                # averaged here: PyAV's own float downmix is sqrt(2) louder
                parts.append(piece.to_ndarray().mean(0))
            if end is not None and float((frame.pts or 0) * stream.time_base) - origin > end:
                break
        for piece in resampler.resample(None):
            parts.append(piece.to_ndarray().mean(0))
    if begins is None:
        raise MediaError(f"{path}: its audio stream is empty; wanted sound: use it for generation alone")
    wave = np.concatenate(parts).astype(np.float32)
    lead = round((begins - start) * sample_rate)
    wave = np.concatenate([np.zeros(lead, np.float32), wave]) if lead > 0 else wave[-lead:]
    if seconds is not None:
        samples = round(seconds * sample_rate)
        wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
    return wave
