"""Reading and writing film and sound, through PyAV, which carries its own codecs."""

import os
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

Probe = namedtuple("Probe", "seconds fps width height has_sound")
Probe.__doc__ = "A film's length (s), average frame rate, picture size and whether it has an audio stream."

SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}


class MediaError(ValueError):
    """A file that cannot serve as film or sound: says which, what came, what was wanted and what to do."""


@contextmanager
def _opened(path):
    path = Path(path)
    if not path.is_file():
        raise MediaError(f"{path}: no such file; wanted a film or a sound: check the path")
    try:
        with av.open(str(path)) as container:
            yield container
    except MediaError:
        raise
    except (av.FFmpegError, PermissionError) as error:
        raise MediaError(
            f"{path}: cannot be read ({error.strerror or error}); wanted a film or sound file: "
            "check that it plays, or convert it to mp4 (H.264, AAC)"
        ) from error


def probe(path):
    """Probe of a film. Raises MediaError for a file without a picture or that is unreadable."""
    with _opened(path) as container:
        video = _video(container, path)
        rate = float(video.average_rate or video.base_rate or 0)
        if container.duration:
            seconds = container.duration / av.time_base
        else:
            seconds = float(video.duration * video.time_base) if video.duration else 0.0
        if video.duration:  # the picture's own length, where audio outlasts it
            seconds = float(video.duration * video.time_base)
        return Probe(seconds, rate, video.codec_context.width, video.codec_context.height, bool(container.streams.audio))


def sound_rate(path):
    """Samples per second of a film's or sound file's own sound. Raises MediaError for a file without sound or unreadable."""
    with _opened(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone")
        return container.streams.audio[0].rate


def _video(container, path):
    if not container.streams.video:
        raise MediaError(f"{path}: has no video stream; wanted a film: give a file with a picture")
    return container.streams.video[0]


def read_frames(path, fps, size, start=0.0, seconds=None):
    """Frames of a film on an even clock, whatever its own rate.

    fps: frames per second wanted. size: (width, height). start, seconds: the stretch, to the end without `seconds`.
    Returns frames uint8 (t, height, width, 3), RGB, and times (t,): the film's own timestamp (s) of the frame shown, so
    that a repeated frame shows as a repeated time. Output frame k is the last one that is on screen at start + k / fps;
    the last frame of the film stays on screen to the end of the stretch.
    Raises MediaError for a file without picture, without a frame in the stretch, or unreadable.
    """
    wanted = None if seconds is None else round(seconds * fps)
    frames, times, held = [], [], None
    with _opened(path) as container:
        stream = _video(container, path)
        stream.thread_type = "AUTO"
        origin = float((stream.start_time or 0) * stream.time_base)
        if start > 0:
            container.seek(int((start + origin) / stream.time_base), stream=stream, backward=True)
        for picture in container.decode(stream):
            if picture.pts is None:
                continue
            time = float(picture.pts * stream.time_base) - origin
            if held is not None:
                _show(held, time, start, fps, wanted, size, frames, times)
                if wanted is not None and len(frames) >= wanted:
                    break
            held = (picture, time)
        if held is not None and (wanted is None or len(frames) < wanted):
            rate = float(stream.average_rate or fps)
            end = held[1] + 1 / rate if wanted is None else start + wanted / fps
            if held[1] + 1 / rate > start:
                _show(held, end, start, fps, wanted, size, frames, times)
    if not frames:
        raise MediaError(f"{path}: no frame from {start:g} s on; wanted a film that is longer: check its length")
    return np.stack(frames), np.array(times)


def _show(held, until, start, fps, wanted, size, frames, times):
    """Append the held picture for each output time before `until`; half a millisecond forgives rounded timestamps."""
    picture, time = held
    image = None
    while start + len(frames) / fps < until - 5e-4 and (wanted is None or len(frames) < wanted):
        if image is None:
            image = picture.reformat(width=size[0], height=size[1], format="rgb24", interpolation="AREA").to_ndarray()
        frames.append(image)
        times.append(time)


def read_sound(path, sample_rate, start=0.0, seconds=None):
    """The sound of a film or sound file: mono float32 (s,) at `sample_rate`, channels averaged, level untouched.

    start, seconds: the stretch, on the film's clock; to the end without `seconds`. Where the audio stream starts late or
    ends early the stretch is filled with zeros. Raises MediaError for a file without sound or unreadable.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone")
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


@contextmanager
def _written(path, **options):
    """Open a container beside `path` and move it there when it is whole; on any error nothing is left behind."""
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with av.open(str(partial), "w", **options) as container:
            yield container
        os.replace(partial, path)
    except OSError as error:
        raise MediaError(
            f"{path}: cannot be written ({error.strerror or error}); check the folder, its rights and its disk"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _add_sound(container, wave, sample_rate):
    stream = container.add_stream("aac", rate=sample_rate, layout="mono")
    stream.bit_rate = 96000
    return stream, np.clip(np.asarray(wave, np.float32), -1, 1)


def _mux_sound(container, stream, wave, sample_rate):
    for begin in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, begin : begin + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, begin
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_film(path, frames, fps, wave=None, sample_rate=16000, quality=23):
    """Write an mp4 film: H.264 and, with `wave`, AAC.

    frames: uint8 (t, h, w, 3), RGB, even sizes. fps: frames per second. wave: mono (s,) in [-1, 1]. quality: x264's crf,
    lower is better. The file appears whole or not at all. Raises MediaError where it cannot be written.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or not len(frames) or frames.shape[1] % 2 or frames.shape[2] % 2:
        raise MediaError(f"{path}: frames are {frames.shape}; wanted (t, h, w, 3) with at least one frame and even h and w")
    with _written(path) as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        # x264's macroblock tree reads memory it has not set: with it the same frames give other bytes now and then
        video.options = {"crf": str(quality), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        sound = _add_sound(container, wave, sample_rate) if wave is not None else None
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        if sound:
            _mux_sound(container, *sound, sample_rate)


def replace_sound(film, output, wave, sample_rate):
    """Copy a film with another sound: the picture's packets unchanged to its last frame, `wave` (s,) as AAC.

    The film is not touched; `output` appears whole or not at all. Raises MediaError for a film without picture, for an
    output that is the film itself, or where it cannot be written.
    """
    if Path(output).resolve() == Path(film).resolve():
        raise MediaError(f"{output}: is the film itself; wanted another name, so that the original stays")
    with _opened(film) as source, _written(output) as container:
        picture = _video(source, film)
        video = container.add_stream_from_template(picture)
        sound = _add_sound(container, wave, sample_rate)
        shift = picture.start_time or 0
        for packet in source.demux(picture):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = video
            container.mux(packet)
        _mux_sound(container, *sound, sample_rate)
