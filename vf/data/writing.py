"""Writing film and sound, whole or not at all, through PyAV."""

from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import soundfile

from vf.data import files
from vf.data.media import SUFFIXES, MediaError, opened, picture_stream, probe


@contextmanager
def whole(path):
    """`files.whole` for what a user asked for: raises MediaError where it cannot be written."""
    try:
        with files.whole(path) as partial:
            yield partial
    except (OSError, av.FFmpegError, soundfile.LibsndfileError) as error:
        why = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be written ({why}); check the folder, its rights and its disk") from error


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
        raise MediaError(
            f"{path}: frames are {frames.shape}; wanted (t, h, w, 3) with at least one frame and even h and w"
        )
    with _written(path) as container:
        track = container.add_stream("libx264", rate=fps)
        track.width, track.height, track.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        # x264's macroblock tree reads memory it has not set: with it the same frames give other bytes now and then
        track.options = {"crf": str(quality), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        sound = _add_sound(container, sample_rate) if wave is not None else None
        for image in frames:
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode(None))
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
    with opened(film) as source, _written(output) as container:
        picture = picture_stream(source, film)
        codec = picture.codec_context.codec.canonical_name
        if codec not in container.supported_codecs:
            raise MediaError(
                f"{output}: {output.suffix} cannot hold {codec}, the film's picture; name it {film.suffix} or .mkv"
            )
        track = container.add_stream_from_template(picture)
        sound = _add_sound(container, sample_rate)
        shift, begin = picture.start_time or 0, 0
        for packet in _packets(source, picture, film):
            if packet.dts is None and packet.pts is None:
                continue
            packet.pts = (packet.pts if packet.pts is not None else packet.dts) - shift
            packet.dts = (packet.dts if packet.dts is not None else packet.pts + shift) - shift
            packet.stream = track
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
        raise MediaError(
            f"{path}: breaks off ({error.strerror or error}); wanted a whole film: check that it plays"
        ) from error
