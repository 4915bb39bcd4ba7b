"""Writing film and sound, whole or not at all, through PyAV."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import islice, takewhile, zip_longest
from pathlib import Path

import av
import numpy as np
import soundfile

from vf.data import files, media
from vf.data.media import MediaError, Truncated, address, opened, picture_stream

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}
# what containers hold beside AAC: its delay has no place in an AVI, and where it ends has none in a Matroska
SOUND = {"webm": "libopus", "avi": "pcm_s16le", "matroska": "flac"}
LOSSLESS = {"pcm_s16le", "flac"}
BIT_RATE = 96000
HEVC_TAGS = {"hvc1", "hev1"}  # Apple's players show hvc1 alone, whose parameter sets are not among the pictures
ROUNDED = 0.0015  # seconds: a Matroska counts milliseconds
ROOM = 1 << 16  # bytes: with less than these free a disk is full
TRIED = 60  # pictures that tell whether a container can hold a film's


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """`files.whole` for what a user asked for. Raises MediaError where it cannot be written."""
    try:
        with files.whole(path) as partial:
            yield partial
    except (OSError, av.FFmpegError, soundfile.LibsndfileError) as error:
        raise _cannot_be_written(path, error) from error


def _cannot_be_written(path, error):
    why = getattr(error, "strerror", None) or error
    return MediaError(
        f"{path}: cannot be written ({why}); wanted a folder with room: check the folder, its rights and its disk"
    )


class _Unfit(MediaError):
    """A container that does not take what it is given, or does not give it back. why: the reason."""

    def __init__(self, path, why):
        super().__init__(f"{path}: cannot be written ({why}); wanted a container that takes it: name it .mp4 or .mkv")
        self.why = why


@contextmanager
def _written(path, target):
    """Open the container `target`, which is to become `path`. Raises _Unfit for what it does not take, MediaError."""
    try:
        with av.open(address(target), "w", format=FORMATS[path.suffix.lower()]) as container:
            yield container
    except MediaError:
        raise
    except (av.InvalidDataError, av.ArgumentError, av.PatchWelcomeError, ValueError) as error:
        # a ValueError is PyAV's own, the others are FFmpeg's
        raise _Unfit(path, getattr(error, "strerror", None) or error) from error
    except (av.FFmpegError, OSError) as error:
        raise _cannot_be_written(path, error) from error


def _add_sound(container, sample_rate):
    """Add a mono sound stream of the codec that the container holds."""
    codec = SOUND.get(container.format.name, "aac")
    stream = container.add_stream(codec, rate=sample_rate, layout="mono")
    if codec not in LOSSLESS:
        stream.bit_rate = BIT_RATE
    return stream


def _samples(wave, begin, end):
    """Samples of a sound, clipped to [-1, 1]. Raises MediaError where some are no numbers."""
    samples = np.asarray(wave[begin:end], np.float32)
    if not np.isfinite(samples).all():
        raise MediaError(f"the sound to write holds NaN or infinite samples from sample {begin} on; wanted numbers")
    return np.clip(samples, -1, 1)


def _mux_sound(container, stream, wave, sample_rate, begin=0, until=None):
    """Encode samples from `begin` on, to the end of the block that reaches `until` seconds, or to the last one.

    Returns the sample at which it stopped.
    """
    while begin < len(wave) and (until is None or begin < until * sample_rate):
        block = _samples(wave, begin, begin + 1024)
        frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, begin
        container.mux(stream.encode(frame))
        begin += len(block)
    if until is None:
        container.mux(stream.encode(None))
    return begin


def write_film(
    path: str | Path,
    frames: np.ndarray,
    fps: float | Fraction,
    wave: np.ndarray | None = None,
    sample_rate: int = 16000,
    quality: int = 23,
) -> None:
    """Write an mp4 film: H.264 and, with `wave`, AAC. The file appears whole or not at all.

    frames: uint8 (t, h, w, 3), RGB, even sizes. fps: frames per second. wave: mono (s,) in [-1, 1]. quality: x264's
    crf, lower is better.
    Raises MediaError for a name that is no film's, for frames of another shape, and where it cannot be written.
    """
    path, frames = Path(path), np.asarray(frames)
    if path.suffix.lower() not in FORMATS:
        raise MediaError(
            f"{path}: no film is called {path.suffix!r}; wanted one of {', '.join(sorted(FORMATS))}: name it so"
        )
    if frames.ndim != 4 or not len(frames) or frames.shape[1] % 2 or frames.shape[2] % 2:
        raise MediaError(
            f"{path}: frames are {frames.shape}; wanted (t, h, w, 3) with at least one frame and even h and w"
        )
    with whole(path) as partial, _written(path, partial) as container:
        track = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        track.width, track.height, track.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        # x264's macroblock tree reads memory it has not set: with it the same frames give other bytes now and then
        track.options = {"crf": str(quality), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        sound = None if wave is None else _add_sound(container, sample_rate)
        for image in frames:
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode(None))
        if sound:
            _mux_sound(container, sound, wave, sample_rate)


def _is_sound(path):
    """Whether a path is named as a sound file that can hold 16-bit samples."""
    kind = Path(path).suffix.lstrip(".").upper()
    return kind in soundfile.available_formats() and soundfile.check_format(kind, "PCM_16")


def _check_sound_name(path):
    if not _is_sound(path):
        raise MediaError(f"{path}: no sound file of 16 bits is called {Path(path).suffix!r}; wanted .wav or .flac")


def write_sound(path: str | Path, wave: np.ndarray, sample_rate: int) -> None:
    """Write a mono sound (s,) in [-1, 1], as 16-bit samples in the format of the path's suffix.

    Raises MediaError for a suffix that is no sound file's, and where it cannot be written.
    """
    _check_sound_name(path)
    _write_sound(path, wave, sample_rate)


def _write_sound(path, wave, sample_rate):
    """The same, for a name that was checked. wave: anything that gives arrays by slices."""
    pieces = (_samples(wave, begin, begin + (1 << 20)) for begin in range(0, len(wave), 1 << 20))
    write_pieces(path, pieces, sample_rate)


def write_pieces(
    path: str | Path, pieces: Iterable[np.ndarray], sample_rate: int, subtype: str = "PCM_16", comment: str = ""
) -> None:
    """Write a mono sound that comes in pieces (s,), in the format of the path's suffix, whole or not at all.

    subtype: of libsndfile. comment: kept in the file. Raises MediaError where it cannot be written.
    """
    with whole(path) as partial:
        try:
            with soundfile.SoundFile(os.fsencode(partial), "w", sample_rate, 1, subtype) as file:
                if comment:
                    file.comment = comment
                for piece in pieces:
                    file.write(piece)
        except soundfile.LibsndfileError as error:
            with suppress(FileNotFoundError):
                if shutil.disk_usage(partial.parent).free < ROOM:  # which libsndfile calls a system error
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise


def replace_sound(
    film: str | Path, output: str | Path, wave: np.ndarray, sample_rate: int, partial: bool = False
) -> None:
    """Copy a film with another sound: the picture's packets unchanged to its last frame, `wave` (s,) beside them.

    The sound is AAC (Opus in webm, FLAC in mkv, 16 bits in avi), cut or filled with silence to the picture's length. It
    replaces all the sound that the film had. In mp4 and mov the track lasts as long as the picture, as its last packet
    says how much of it counts; a decoder that does not look there gives out the whole packet, 64 ms at 16 kHz. An
    output that is named as a sound (.wav, .flac) gets the sound alone. The film is not touched. What was written is
    read back, and `output` appears whole or not at all.
    partial: copy what can be read of a film that was cut off or is broken, and do not raise Truncated.
    Raises Truncated for a film that was cut off; MediaError for one without a picture, and for an output that is the
    film itself, cannot hold this picture, or cannot be written.
    """
    film, output = Path(film), Path(output)
    seconds, pictures = _check_names(film, output, partial)
    fitted = _Lasting(wave, round(seconds * sample_rate))
    if _is_sound(output):
        _write_sound(output, fitted, sample_rate)
        return
    with whole(output) as beside:
        try:
            _copy(film, output, beside, fitted, sample_rate, pictures)
            _compare(film, beside, fitted, sample_rate, pictures)
        except _Unfit as error:
            raise _cannot_hold(film, output, error.why) from error


def check_output(
    film: str | Path | None, output: str | Path, sample_rate: int = 16000, partial: bool = False, more: int = 0
) -> None:
    """Check that a film with a new sound can be written to `output`, before anything is rendered.

    The film's first pictures are tried, and nothing is left behind. film: None for a sound alone. partial: as for
    `replace_sound`. more: bytes that are to be written beside it.
    Raises Truncated for a film that was cut off; MediaError for an output that is the film itself, whose container
    cannot hold this picture, whose folder cannot be written to, or whose disk is too small.
    """
    output, size = Path(output), 0
    if film is None:
        _check_sound_name(output)
    else:
        film = Path(film)
        seconds, pictures = _check_names(film, output, partial)
        if _is_sound(output):
            size = round(seconds * sample_rate * 2)
        else:
            if why := _misfit(film, output.suffix, sample_rate, TRIED if pictures is None else min(TRIED, pictures)):
                raise _cannot_hold(film, output, why)
            size = round(seconds * sample_rate * 2) + film.stat().st_size
    _check_folder(output, size + more)


def _check_folder(output, size):
    """Raises MediaError where no file of `size` bytes can be written beside `output` and moved there."""
    partial = files.beside(output)
    try:
        partial.write_bytes(b"")
        free = shutil.disk_usage(partial.parent).free
    except OSError as error:
        raise _cannot_be_written(output, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    if output.is_dir():
        raise MediaError(f"{output}: is a folder; wanted the name of a file: add one")
    if size > free:
        raise MediaError(
            f"{output}: about {size / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free; make room or name another disk"
        )


def _check_names(film, output, partial):
    """(length (s) of a film, None). Of one that is not whole (that of what can be read, its pictures), if `partial`.

    Raises MediaError for an output that is the film, or that is neither a film nor a sound by its name.
    """
    same = os.path.realpath(output) == os.path.realpath(film)  # Path.resolve fails at links that lead in a circle
    if same or output.exists() and film.exists() and output.samefile(film):
        raise MediaError(f"{output}: is the film itself; wanted another name, so that the original stays")
    seconds, pictures = _readable(film) if partial else (None, None)
    if pictures is None:
        media.check_whole(film)
        seconds = media.probe(film).seconds
    if not _is_sound(output) and output.suffix.lower() not in FORMATS:
        raise _cannot_hold(film, output, f"no film with sound is called {output.suffix!r}")
    return seconds, pictures


def _readable(film):
    """(length (s), number of pictures) of what can be read of a film that is not whole; (None, None) of another.

    The pictures are counted as they are decoded, up to the last one that is needed.
    """
    try:
        media.check_whole(film, decode=True)
        return None, None
    except Truncated:
        end = media.readable(film)
    times: list[float] = []
    with suppress(Truncated):
        times += [time for time, _, _ in _shown(film, film.suffix.lower() == ".avi")]
    needed = max((k for k, time in enumerate(times, 1) if time < end - ROUNDED), default=0)
    if not needed:
        raise Truncated(f"{film}: breaks off before its first picture; wanted a film: fetch or export it again", 0.0)
    return max(end, max(times[:needed]) + 1 / media.probe(film).fps), needed


def _cannot_hold(film, output, why):
    """The MediaError for an output that cannot hold a film. It names a container that was tried and can."""
    suffixes = dict.fromkeys([film.suffix.lower(), ".mp4", ".mkv", ".mov", ".avi"])
    others = [s for s in suffixes if s in FORMATS and s != output.suffix.lower()]
    way = next((s for s in others if not _misfit(film, s)), None)
    same = way and (output.parent / (output.stem + way)).resolve() == film.resolve()
    name = f"{output.stem}{'-foley' if same else ''}{way}"
    do = f"name it {name}" if way else "convert the film to mp4 (H.264) first"
    return MediaError(
        f"{output}: {output.suffix or 'it'} cannot hold the film's picture ({why}); wanted a container that can: {do}"
    )


def _misfit(film, suffix, sample_rate=16000, pictures=TRIED):
    """Why a container cannot hold a film's picture, or "" where it can.

    Tried on the film's first pictures, with a little silence.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"tried{suffix}"
        silence = _Lasting(np.zeros(0, np.float32), sample_rate // 2)
        try:
            _copy(film, target, target, silence, sample_rate, pictures)
            _compare(film, target, silence, sample_rate, pictures)
        except _Unfit as error:
            return error.why
    return ""


class _Lasting:
    """A waveform as long as a film: cut, or followed by zeros, without a copy of it in memory."""

    def __init__(self, wave, samples):
        self.wave, self.samples = wave, samples

    def __len__(self):
        return self.samples

    def __getitem__(self, part):
        begin, end, _ = part.indices(self.samples)
        samples = np.asarray(self.wave[begin:end], np.float32)
        return np.pad(samples, (0, max(0, end - begin - len(samples))))


def _copy(film, output, target, wave, sample_rate, pictures=None):
    """Write the film's picture and `wave` to the file `target`, which is to become `output`.

    pictures: how many to write; None for all.
    """
    with opened(film) as source, _written(output, target) as container:
        picture = picture_stream(source, film)
        codec = picture.codec_context.codec.canonical_name
        if codec not in container.supported_codecs:
            raise _Unfit(output, f"takes no {codec}")
        track = container.add_stream_from_template(picture, opaque=True)
        if codec == "hevc" and container.format.name in ("mp4", "mov"):
            tag = picture.codec_context.codec_tag
            if "matroska" in source.format.name:  # which has no tags, and the parameter sets apart as well
                tag = "hvc1"
            if tag in HEVC_TAGS:
                track.codec_context.codec_tag = tag
        tags = {key.lower(): value for key, value in picture.metadata.items()}
        if clear := tags.get("alpha_mode"):  # VP8 and VP9: a second picture beside each packet
            if output.suffix.lower() not in (".webm", ".mkv"):
                raise _Unfit(output, "loses its transparency")
            track.metadata["alpha_mode"] = clear
        sound = _add_sound(container, sample_rate)
        limit = None if pictures is None else pictures + _hidden(film)
        shown, shift, begin = _times_shown(film) if media.by_order(source) else {}, None, 0
        for packet in _stamped(islice(_packets(source, picture, film, hidden=True), limit)):
            if shift is None and packet.is_discard:  # decoded for those that follow: it lies before second 0
                shift = picture.start_time or 0
            packet.pts = shown.get(packet.pts, packet.pts)
            if shift is None:
                shift = packet.dts if media.by_order(container) else packet.pts
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = track
            # side by side in the file, so that a player need not look ahead
            begin = _mux_sound(container, sound, wave, sample_rate, begin, float(packet.dts * picture.time_base) + 0.1)
            container.mux(packet)
        _mux_sound(container, sound, wave, sample_rate, begin)


def _times_shown(film):
    """{PyAV's guess for a packet: when it is shown}, for a film that gives only the times of decoding.

    Decodes the film.
    """
    decoded, order = {}, []
    with opened(film) as container:
        stream = picture_stream(container, film)
        for packet in _packets(container, stream, film):
            decoded[packet.pts] = packet.dts
            order += [picture.pts for picture in packet.decode()]
        order += [picture.pts for picture in stream.codec_context.decode(None)]
    times = dict(zip(order, decoded.values()))
    delay = max((time - times.get(guess, time) for guess, time in decoded.items()), default=0)
    return {guess: time + delay for guess, time in times.items()}


def _packets(source, stream, path, hidden=False):
    """Packets of a stream that hold something. Raises Truncated where the file breaks off.

    hidden: with those that an edit list hides, as the ones behind them need them; without those at the end.
    """
    waiting = []
    try:
        for packet in source.demux(stream):
            if not packet.size:
                continue
            if packet.is_discard:
                waiting.append(packet)
                continue
            yield from waiting if hidden else []
            waiting = []
            yield packet
    except av.FFmpegError as error:
        raise Truncated(
            f"{path}: breaks off ({error.strerror or error}); wanted a whole film: check that it plays"
        ) from error


def _hidden(film):
    """How many packets an edit list hides before the first picture."""
    with opened(film) as source:
        packets = _packets(source, picture_stream(source, film), film, hidden=True)
        return sum(1 for _ in takewhile(lambda packet: packet.is_discard, packets))


def _stamped(packets):
    """Packets with their times of decoding filled in.

    A Matroska leaves out those of the first packets before a B-frame.
    """
    waiting, last = [], None
    for packet in packets:
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.pts is None:
            continue
        waiting.append(packet)
        if packet.dts is not None:
            last = yield from _backdated(waiting, packet.dts, last)
            waiting = []
    # no time is given: as late as they can be, in order
    stamps = sorted(packet.pts for packet in waiting)
    delay = max((stamp - packet.pts for stamp, packet in zip(stamps, waiting)), default=0)
    for stamp, packet in zip(stamps, waiting):
        packet.dts = stamp - delay if last is None else max(stamp - delay, last + 1)
        last = packet.dts
        yield packet


def _backdated(packets, end, last):
    """Packets decoded at even steps up to `end`, all of them later than `last`. Returns the last one's time."""
    step = packets[-1].duration or 1
    if last is not None:
        step = min(step, (end - last) // len(packets))
    for k, packet in enumerate(packets, 1 - len(packets)):
        stamp = end + k * max(1, step)
        packet.dts = stamp if last is None else max(stamp, last + 1)
        last = packet.dts
        yield packet
    return last


def _compare(film, copy, wave, sample_rate, pictures=None):
    """Raises _Unfit where a written film gives back other pictures, times, shape or length of sound than it got.

    pictures: how many of the film's were written; None for all.
    """
    try:
        media.probe(copy)
    except MediaError as error:
        raise _Unfit(copy, str(error).removeprefix(f"{copy}: ").split(";")[0]) from error
    order = ".avi" in (film.suffix.lower(), copy.suffix.lower())  # it gives the times of decoding alone
    for k, (old, new) in enumerate(zip_longest(islice(_shown(film, order), pictures), _shown(copy, order))):
        if old is None or new is None:
            raise _Unfit(copy, f"gives back {'more' if old is None else 'fewer'} than {k + (old is None)} pictures")
        if abs(old[0] - new[0]) > ROUNDED:
            raise _Unfit(copy, f"shows picture {k} at {new[0]:.3f} s, not at {old[0]:.3f} s")
        if old[2] != new[2] and _units(*old[1:]) != _units(*new[1:]):
            raise _Unfit(copy, f"gives back another picture {k}")
    old, new = ((media.extent(path).turned, media.probe(path)[2:4]) for path in (film, copy))
    if old != new:
        raise _Unfit(copy, f"shows the picture {new[1][0]} x {new[1][1]}, turned by {new[0]}, not {old}")
    samples = sum(len(block) for block in media.stream_sound(copy, sample_rate))
    if abs(samples - len(wave)) > sample_rate / media.probe(film).fps + 1024:
        raise _Unfit(copy, f"holds {samples / sample_rate:.2f} s of sound, not {len(wave) / sample_rate:.2f} s")


def _shown(path, order):
    """Pictures of a film in order of decoding: yields (second, codec, bytes), counted from the first.

    order: count when they are decoded, not when they are shown.
    """
    with opened(path) as container:
        stream = picture_stream(container, path)
        codec, zero = stream.codec_context.name, None
        for packet in _stamped(_packets(container, stream, path)):
            when = packet.dts if order else packet.pts
            zero = when if zero is None else zero
            yield float((when - zero) * stream.time_base), codec, bytes(packet)


def _units(codec, data):
    """The coded slices of an H.264 or HEVC picture, however their lengths are written; of other codecs, the bytes."""
    first = {"h264": lambda b: 1 <= b & 31 <= 5, "hevc": lambda b: b >> 1 & 63 < 32}.get(codec)
    if first is None:
        return data
    units = re.split(b"\0\0\0?\1", data) if data.startswith((b"\0\0\1", b"\0\0\0\1")) else _lengths(data)
    return [unit.rstrip(b"\0") for unit in units if unit and first(unit[0])]


def _lengths(data):
    """The units of a picture in which each follows its length, of four bytes."""
    at = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + length]
        at += 4 + length
