"""Reading and writing film and sound, through PyAV, which carries its own codecs."""

from collections import namedtuple
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import av
import numpy as np
import soundfile

Probe = namedtuple("Probe", "seconds fps width height has_sound")
Probe.__doc__ = "A film's length (s), average frame rate, picture size and whether it has an audio stream."

SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}


class MediaError(ValueError):
    """A file that cannot serve as film or sound: says which, what came, what was wanted and what to do."""


@contextmanager
def _opened(path):
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
    with _opened(path) as container:
        video = _video(container, path)
        rate = float(video.average_rate or video.base_rate or 0)
        width, height, sound = video.codec_context.width, video.codec_context.height, bool(container.streams.audio)
        seconds = float(video.duration * video.time_base) if video.duration else None
        first = next(container.decode(video), None)
        if first is not None and first.rotation % 180:
            width, height = height, width
    return Probe(_packed_seconds(path) if seconds is None else seconds, rate, width, height, sound)


def _packed_seconds(path):
    """The picture's length where the container does not tell it: the end of its last packet."""
    begin, end = float("inf"), 0.0
    with _opened(path) as container:
        video = _video(container, path)
        frame = 1 / float(video.average_rate or 25)
        for packet in container.demux(video):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.size:
                time = float(stamp * packet.time_base)
                begin = min(begin, time)
                end = max(end, time + (float(packet.duration * packet.time_base) if packet.duration else frame))
    return max(0.0, end - begin) if end else 0.0


def _video(container, path):
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
        with _opened(path) as container:
            stream = _video(container, path)
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
    with _opened(path) as container:
        return container.duration / av.time_base if container.duration else None


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
def whole(path):
    """A path beside `path` to write to, moved there when all went well; on any error nothing is left behind.

    Raises MediaError where it cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    except (OSError, av.FFmpegError, soundfile.LibsndfileError) as error:
        why = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be written ({why}); check the folder, its rights and its disk") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _written(path, **options):
    """Open a container that appears whole or not at all."""
    with whole(path) as partial:
        try:
            container = av.open(str(partial), "w", **options)
        except ValueError as error:  # av's word for an unknown suffix
            raise MediaError(
                f"{path}: no container is called {Path(path).suffix!r}; wanted one of {', '.join(sorted(SUFFIXES))}"
            ) from error
        with container:
            yield container


SOUND = {"webm": "libopus", "avi": "libmp3lame"}  # what containers hold beside AAC


def _add_sound(container, sample_rate):
    stream = container.add_stream(SOUND.get(container.format.name, "aac"), rate=sample_rate, layout="mono")
    stream.bit_rate = 96000
    return stream


def _mux_sound(container, stream, wave, sample_rate, begin=0, until=None):
    """Encode samples from `begin` on, to the end of the block that reaches `until` seconds, or all. Returns where it stopped."""
    while begin < len(wave) and (until is None or begin < until * sample_rate):
        block = np.clip(np.asarray(wave[begin : begin + 1024], np.float32), -1, 1)
        frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, begin
        container.mux(stream.encode(frame))
        begin += len(block)
    if until is None:
        container.mux(stream.encode(None))
    return begin


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
        sound = _add_sound(container, sample_rate) if wave is not None else None
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        if sound:
            _mux_sound(container, sound, wave, sample_rate)


def write_sound(path, wave, sample_rate):
    """Write a mono sound (s,) in [-1, 1], as 16-bit samples in the format of the path's suffix. Raises MediaError where it cannot."""
    if Path(path).suffix.lstrip(".").upper() not in soundfile.available_formats():
        raise MediaError(f"{path}: no sound file is called {Path(path).suffix!r}; wanted .wav or .flac")
    with whole(path) as partial, soundfile.SoundFile(partial, "w", sample_rate, 1, "PCM_16") as file:
        for begin in range(0, len(wave), 1 << 20):
            file.write(np.clip(wave[begin : begin + (1 << 20)], -1, 1))


def replace_sound(film, output, wave, sample_rate):
    """Copy a film with another sound: the picture's packets unchanged to its last frame, `wave` (s,) beside them.

    The sound is AAC (Opus in webm, MP3 in avi), cut or filled with silence to the picture's length; it replaces all that the film had.
    The film is not touched; `output` appears whole or not at all. Raises MediaError for a film without picture, for an
    output that is the film itself, that cannot hold this picture, or that cannot be written.
    """
    film, output = Path(film), Path(output)
    if output.resolve() == film.resolve():
        raise MediaError(f"{output}: is the film itself; wanted another name, so that the original stays")
    samples = round(probe(film).seconds * sample_rate)
    wave = wave[:samples] if len(wave) >= samples else np.concatenate([wave, np.zeros(samples - len(wave), np.float32)])
    with _opened(film) as source, _written(output) as container:
        picture = _video(source, film)
        codec = picture.codec_context.codec.canonical_name
        if codec not in container.supported_codecs:
            raise MediaError(f"{output}: {output.suffix} cannot hold {codec}, the film's picture; name it {film.suffix} or .mkv")
        video = container.add_stream_from_template(picture)
        sound = _add_sound(container, sample_rate)
        shift, begin = picture.start_time or 0, 0
        for packet in _packets(source, picture, film):
            if packet.dts is None and packet.pts is None:
                continue
            packet.pts = (packet.pts if packet.pts is not None else packet.dts) - shift
            packet.dts = (packet.dts if packet.dts is not None else packet.pts + shift) - shift
            packet.stream = video
            # side by side in the file, so that a player need not look ahead
            begin = _mux_sound(container, sound, wave, sample_rate, begin, float(packet.dts * picture.time_base) + 0.1)
            container.mux(packet)
        _mux_sound(container, sound, wave, sample_rate, begin)


def _packets(source, stream, path):
    """Packets of a stream with something in them; MediaError, not the writer's, where the file breaks off."""
    try:
        for packet in source.demux(stream):
            if packet.size:
                yield packet
    except av.FFmpegError as error:
        raise MediaError(f"{path}: breaks off ({error.strerror or error}); wanted a whole film: check that it plays") from error
