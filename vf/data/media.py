"""Reading film and sound, through PyAV, which carries its own codecs.

Time is what the container says. Second 0 of a film is its first picture, and of a sound file the container's start.
Sound lies where its stamps put it, and a gap between them is silence. A file that ends or breaks before its end raises
Truncated.
"""

import re
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av import AudioStream, VideoStream
from av.container import Container, InputContainer
from av.stream import Disposition

SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}
GAP = 0.018  # seconds: rounded stamps jitter by less, a packet of AAC, MP3 or Opus is longer
VORBIS_GAP = 0.05  # its blocks are of two lengths, and stamps off by the difference
MISSING = 0.1  # seconds by which a stream may be shorter than its header says
BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"sidx", b"mfra", b"uuid", b"udta"}
COUNTED = {"flac", "ogg", "mp3"}  # sound files that count their samples: what is missing in them is damage, not a gap


class Probe(NamedTuple):
    """A film, in short.

    seconds: its length. fps: average frames per second. width, height: of the picture with square pixels.
    has_sound: whether it has an audio stream.
    """

    seconds: float
    fps: float
    width: int
    height: int
    has_sound: bool


class MediaError(ValueError):
    """A file that cannot serve as film or sound. The message says which, what came, what was wanted and what to do.

    seconds: the place in the file, from its start, where there is one.
    """

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class Truncated(MediaError):
    """A film or sound that ends, or cannot be decoded, before its end. seconds: up to where it can be read."""


def _truncated(path, kind, seconds, why=""):
    return Truncated(
        f"{path}: its {kind} breaks off at {seconds:.2f} s{why and f' ({why})'}; wanted a whole file: "
        "fetch or export it again, or cut it there",
        seconds,
    )


def address(path: str | Path) -> str:
    """A path as PyAV takes it: without this word, a name with a colon is a protocol."""
    return f"file:{path}"


@contextmanager
def opened(path: str | Path) -> Iterator[InputContainer]:
    """A film or sound as PyAV's container. Raises MediaError for what cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():
            raise MediaError(f"{path}: no such file; wanted a film or a sound: check the path")
        with av.open(address(path), metadata_errors="replace") as container:
            if not container.streams:
                raise av.InvalidDataError(0, "it holds nothing")
            yield container
    except (av.FFmpegError, OSError) as error:
        raise MediaError(
            f"{path}: cannot be read ({_why(path, error)}); wanted a film or sound file: "
            "check its rights and that it plays, or convert it to mp4 (H.264, AAC)"
        ) from error


def _why(path, error):
    try:
        lacks = unwritten(path)
    except OSError:
        lacks = 0
    return f"it was cut off: {lacks} bytes are missing" if lacks else error.strerror or str(error)


def _picture(container):
    """The video stream of an open film, None without one. A cover picture is none."""
    cover = Disposition.attached_pic
    return next((stream for stream in container.streams.video if not stream.disposition & cover), None)


def picture_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The video stream of an open film. Raises MediaError for a file without one."""
    stream = _picture(container)
    if stream is None:
        what = "has a cover picture and no video stream" if container.streams.video else "has no video stream"
        raise MediaError(f"{path}: {what}; wanted a film: give a file with a moving picture")
    return stream


def sound_stream(container: InputContainer, path: str | Path) -> AudioStream:
    """The first audio stream of an open file. Raises MediaError for a file without one."""
    if not container.streams.audio:
        raise MediaError(
            f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone"
        )
    return container.streams.audio[0]


def origin(container: InputContainer, path: str | Path) -> float:
    """Second 0 on an open file's clock: the first picture's time (s), or without a picture the container's start."""
    picture = _picture(container)
    if picture is None:
        return (container.start_time or 0) / av.time_base
    return float(first_stamp(container, path) * picture.time_base)


def first_stamp(container: InputContainer, path: str | Path) -> int:
    """The first picture's time, in units of its stream's clock. Raises MediaError for a file without a picture.

    An AVI's start may lie before it, as an AVI counts empty packets.
    """
    return extent(path).begin if by_order(container) else picture_stream(container, path).start_time or 0


def by_order(container: Container) -> bool:
    """Whether a container knows only when pictures are decoded, as an AVI does, and not when they are shown.

    The times at which an AVI's pictures are shown are PyAV's guess.
    """
    return container.format.name == "avi"


def _rate(stream):
    """Pictures a second, as the header has it."""
    return stream.average_rate or stream.base_rate or Fraction(25)


class Extent(NamedTuple):
    """What a file holds, by its packets.

    begin: time of the first picture, in units of its stream's clock. seconds, pictures: how long and how many.
    turned: degrees by which the picture is turned; None where no picture decodes.
    claimed: length (s) that the header gives, of the picture where there is one; None where it gives none.
    cut: whether the file ends before its end.
    """

    begin: int
    seconds: float
    pictures: int
    turned: int | None
    claimed: float | None
    cut: bool


def extent(path: str | Path) -> Extent:
    """Extent of a film or sound. Reads its packets, which takes milliseconds, and decodes one picture.

    Raises MediaError for what cannot be read.
    """
    path = Path(path)
    status = path.stat() if path.is_file() else None
    return _extent(path, status and (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(256)
def _extent(path, version):
    """As `extent`. version: tells a file from the one that was there before."""
    with opened(path) as container:
        picture, reached, position, broken = _picture(container), 0.0, 0, False
        count, begin, end, turned = 0, None, 0, None
        try:
            for packet in container.demux():
                position = max(position, (packet.pos or 0) + packet.size)
                until = _until(packet)
                reached = max(reached, float(until * packet.time_base) if until is not None else 0.0)
                if picture is None or packet.stream.index != picture.index or packet.is_discard:
                    continue
                if packet.size:
                    count += 1
                    if begin is None:
                        begin = (stamp(packet) if by_order(container) else picture.start_time) or 0
                    end = max(end, begin + _ticks(count, picture) if until is None else until)
                turned = _rotation(packet) if turned is None else turned
        except av.FFmpegError:
            broken = True
        claimed = container.duration / av.time_base if container.duration else None
        cut = broken or _is_cut(container, path, claimed, reached, position)
        if picture is not None and picture.duration:
            claimed = float(picture.duration * picture.time_base)
        seconds = 0.0 if begin is None else float((end - begin) * picture.time_base)
    return Extent(begin or 0, seconds, count, turned, claimed, cut)


def stamp(packet: av.Packet) -> int | None:
    """When a packet's picture or sound begins, in units of its stream's clock; None where it carries no stamp."""
    if packet.pts is None or by_order(packet.stream.container):
        return packet.dts
    return packet.pts


def _ticks(count, stream):
    """How long `count` pictures are on screen by the header's rate, in units of the stream's clock."""
    return round(count / _rate(stream) / stream.time_base)


def _until(packet):
    """When a packet's picture or sound ends, in units of its stream's clock; None where it carries no stamp."""
    begin = stamp(packet)
    if begin is None or not packet.size:
        return None
    if packet.duration or packet.stream.type != "video":
        return begin + (packet.duration or 0)
    return begin + _ticks(1, packet.stream)


def _rotation(packet):
    """Degrees by which the first picture that a packet gives is turned; None where it gives none."""
    try:
        return next((round(picture.rotation) for picture in packet.decode()), None)
    except av.FFmpegError:  # a film that begins amid a picture
        return None


def _is_cut(container, path, claimed, reached, position):
    """Whether a file ends before its end.

    There are three signs: its structure says how many bytes it has; its header counts more samples than came; or, as a
    reader stops where a Matroska breaks, the header says more than came while much of the file was not read.
    """
    if unwritten(path):
        return True
    if not claimed or reached >= claimed - MISSING:
        return False
    name = container.format.name
    if name == "flac" or name == "mp3" and _counts_frames(path):
        return True
    return "matroska" in name and position < 0.95 * Path(path).stat().st_size - 1024


def _counts_frames(path):
    """Whether an MP3 says how many frames it has (Xing's header). Else its length is a guess by the file's size."""
    with open(path, "rb") as file:
        head = file.read(10)
        tag = sum((b & 127) << s for b, s in zip(head[6:10], (21, 14, 7, 0))) + 10 if head[:3] == b"ID3" else 0
        file.seek(tag)
        return re.search(b"Xing|Info|VBRI", file.read(4096)) is not None


def unwritten(path: str | Path) -> int:
    """Bytes that a file lacks by its own structure: MP4 and QuickTime, Matroska, RIFF, AIFF and Ogg. Others lack 0.

    Raises OSError where the file cannot be read.
    """
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        head = file.read(4)
        if head == b"\x1aE\xdf\xa3":
            end = _matroska_end(file)
        elif head in (b"RIFF", b"FORM"):
            (length,) = struct.unpack("<I" if head == b"RIFF" else ">I", file.read(4).ljust(4, b"\0"))
            end = 8 + length if 0 < length < 0x7FFFF000 else 0  # a stream that was piped does not know its length
        elif head == b"OggS":
            end = _ogg_end(file, size)
        else:
            end = _boxes_end(file, size)
    return max(0, end - size)


def _boxes_end(file, size):
    """Where the last box of an MP4 ends; 0 where the file is none."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind not in BOXES:
            break
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
        if length < 8:  # 0: to the end of the file
            break
        at += length
    return at


def _matroska_end(file):
    """Where the segment of a Matroska ends; 0 where it was written without its length."""

    def number() -> int | None:
        first = file.read(1)[0]
        more = 8 - first.bit_length()
        value = int.from_bytes(bytes([first & (0x7F >> more)]) + file.read(more), "big")
        return None if value == (1 << 7 * (more + 1)) - 1 else value

    try:
        file.seek(4)
        file.seek(number(), 1)
        if file.read(4) != b"\x18\x53\x80\x67":
            return 0
        length = number()
        return 0 if length is None else file.tell() + length
    except (IndexError, TypeError, ValueError):
        return 0


def _ogg_end(file, size):
    """Where the last page of an Ogg ends."""
    start = max(0, size - (1 << 17))
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    page = tail[at:]
    count = page[26] if len(page) > 26 else 255
    return start + at + 27 + count + sum(page[27 : 27 + count])


def probe(path: str | Path) -> Probe:
    """Probe of a film, as it is shown: upright, with square pixels.

    Its length is that from the first picture to the end of the last. Of a file that was cut off it is what the header
    says; `readable` gives how much of it can be read.
    Raises MediaError for a file without a picture or one that cannot be read.
    """
    with opened(path) as container:
        stream = picture_stream(container, path)
        width, height, rate = stream.codec_context.width, stream.codec_context.height, float(_rate(stream))
        shape = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
        sound = bool(container.streams.audio)
    content = extent(path)
    if not content.pictures or content.turned is None:
        raise MediaError(f"{path}: holds no picture that can be read; wanted a film: check that it plays")
    if content.seconds and abs(content.pictures / content.seconds - rate) > 0.1 * rate and not content.cut:
        rate = content.pictures / content.seconds
    width = max(1, round(width * shape)) if shape > 0 else width
    if round(content.turned / 90) % 2:
        width, height = height, width
    seconds = max(content.seconds, content.claimed or 0.0) if content.cut else content.seconds
    return Probe(seconds, rate, width, height, sound)


def check_whole(path: str | Path, decode: bool = False) -> None:
    """Raises Truncated for a film whose picture was cut off, and MediaError for a file without a picture.

    decode: decode every picture, which also finds those that are broken. Without it the packets are counted, which
    takes milliseconds.
    """
    probe(path)
    content = extent(path)
    if content.cut and content.seconds < (content.claimed or 0.0) - MISSING:
        raise _truncated(path, "picture", content.seconds)
    if decode:
        deque(_pictures(path), maxlen=0)


def readable(path: str | Path) -> float:
    """Seconds of a film, from its first picture, that can be read: all of it unless it was cut off or is broken.

    Decodes every picture and converts none. Raises MediaError for a file without a picture or one that cannot be read.
    """
    try:
        return max((until for _, _, until in _pictures(path)), default=0.0)
    except Truncated as broken:
        return broken.seconds or 0.0


def sound_rate(path: str | Path) -> int:
    """Samples per second of a film's or sound file's own sound.

    Raises MediaError for a file without sound or one that cannot be read.
    """
    with opened(path) as container:
        return sound_stream(container, path).rate


def stream_frames(
    path: str | Path, fps: float, size: tuple[int, int], start: float = 0.0, partial: bool = False
) -> Iterator[tuple[np.ndarray, float]]:
    """Frames of a film on an even clock, one by one, from `start` seconds to its end: yields (image, time).

    Frame k is the last one on screen at start + k / fps. fps: frames per second. size: (width, height).
    image: uint8 (height, width, 3), RGB, upright where the film says how it was held. time: the film's own timestamp
    (s) of the frame shown. partial: end where the film breaks off, and do not raise Truncated there.
    Raises MediaError for a file without a picture or one that cannot be read.
    """
    shown = 0
    try:
        for picture, time, until in _pictures(path, start):
            for image in _shown(picture, until, start, fps, size, shown):
                yield image, time
                shown += 1
    except Truncated:
        if not partial:
            raise


def _pictures(path, start=0.0):
    """Pictures of a film in order of time: yields (picture, time, until), in seconds.

    The first one lies before `start` or at it. A picture stamped no later than the one before is late, and not shown.
    Raises Truncated behind the last picture that is whole.
    """
    for seek in [True, False] if start > 0 else [False]:  # where the index is wrong, from the beginning
        with opened(path) as container:
            stream = picture_stream(container, path)
            stream.thread_type = "AUTO"
            zero, held, why = origin(container, path), None, ""
            if seek:
                container.seek(int((start + zero) / stream.time_base), stream=stream, backward=True)
            try:
                for picture, time in _timed(_decoded(container, stream), stream, zero):
                    if held is None and seek and time > start + 5e-4:
                        break
                    if held is not None and time <= held[1]:
                        continue
                    if held is not None:
                        yield *held, time
                    held = picture, time
            except av.FFmpegError as error:
                why = error.strerror or str(error)
            if held is None and seek:
                continue
            end = 0.0
            if held is not None:
                end = held[1] + (
                    float(held[0].duration * stream.time_base) if held[0].duration else 1 / float(_rate(stream))
                )
                yield *held, end
            if why or _ends_early(container, path, stream, end):
                raise _truncated(path, "picture", end, why)
            return


def _decoded(container, stream):
    """The frames of a stream, from the first whole one on. Raises av.FFmpegError where the stream breaks."""
    whole, times = False, deque()
    ordered = stream.type == "video" and by_order(container)
    for packet in container.demux(stream):
        if ordered and packet.size:
            times.append(packet.dts)
        try:
            frames = packet.decode()
        except av.FFmpegError:
            if whole:
                raise
            continue
        for frame in frames:
            if frame.is_corrupt and whole:
                raise av.InvalidDataError(0, "damaged")
            whole = whole or not frame.is_corrupt
            if times:  # pictures are shown in the order of these times
                frame.pts = times.popleft()
            yield frame


def _claimed(container, stream):
    """Length (s) of a stream by the header, or of the longest stream where that is all it gives; 0 without either."""
    return float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / av.time_base


def _ends_early(container, path, stream, end):
    """Whether a stream that came to `end` seconds should have gone on."""
    by_size = container.format.name in ("wav", "ogg", "aiff")  # whose header does not give the length
    return (by_size or end < _claimed(container, stream) - MISSING) and extent(path).cut


def _timed(pictures, stream, zero):
    """Pictures with their times (s); one without a timestamp comes one step after the one before."""
    step = 1 / float(_rate(stream))
    time = -step
    for picture in pictures:
        when = picture.pts if picture.pts is not None else picture.dts
        time = float(when * stream.time_base) - zero if when is not None else time + step
        yield picture, time


def _shown(picture, until, start, fps, size, shown):
    """The picture once for each output time before `until`. Half a millisecond of slack forgives rounded timestamps."""
    image = None
    while start + shown / fps < until - 5e-4:
        if image is None:
            turns = round(picture.rotation / 90) % 4
            width, height = size[::-1] if turns % 2 else size
            image = picture.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
            image = np.rot90(image, turns)
        yield image
        shown += 1


def read_frames(
    path: str | Path,
    fps: float,
    size: tuple[int, int],
    start: float = 0.0,
    seconds: float | None = None,
    partial: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Frames of a film on an even clock, whatever its own rate: `stream_frames`, as arrays.

    seconds: length of the stretch; None for all up to the end. The last frame of the film stays on screen to the end of
    the stretch. partial: take what is there of a film that breaks off in the stretch, and do not raise Truncated.
    Returns frames uint8 (t, height, width, 3), RGB, and times (t,): the film's own timestamps (s) of the frames shown.
    A repeated frame has a repeated time.
    Raises MediaError for a file that cannot be read, without a picture, or without a frame in the stretch.
    """
    count = None if seconds is None else round(seconds * fps)
    frames = list(islice(stream_frames(path, fps, size, start, partial), count))
    if not frames:
        raise MediaError(f"{path}: no frame from {start:g} s on; wanted a film that is longer: check its length")
    frames += [frames[-1]] * (0 if count is None else count - len(frames))
    return np.stack([image for image, _ in frames]), np.array([time for _, time in frames])


def sound_seconds(path: str | Path) -> float | None:
    """Length (s) of a film or sound file by its header; None where it does not say.

    Raises MediaError for what cannot be read.
    """
    with opened(path) as container:
        return container.duration / av.time_base if container.duration else None


def read_sound(
    path: str | Path,
    sample_rate: int,
    start: float = 0.0,
    seconds: float | None = None,
    partial: bool = False,
) -> np.ndarray:
    """The sound of a film or sound file: mono float32 (s,) at `sample_rate`, channels averaged, level untouched.

    start, seconds: the stretch, on the film's clock; without `seconds` it goes to the end. Where the audio stream
    starts late, has a gap or ends early, the stretch is filled with zeros.
    partial: take what is there of a sound that breaks off in the stretch, and do not raise Truncated.
    Raises MediaError for a file that cannot be read, without sound, or with samples that are no numbers.
    """
    parts = list(stream_sound(path, sample_rate, start, seconds, partial))
    wave = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if seconds is not None:
        samples = round(seconds * sample_rate)
        wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
    return wave


def stream_sound(
    path: str | Path,
    sample_rate: int,
    start: float = 0.0,
    seconds: float | None = None,
    partial: bool = False,
) -> Iterator[np.ndarray]:
    """The sound of `read_sound` in blocks, float32 (s,) each, one after the other. It ends where the sound ends."""
    filled, skip = 0, 0
    samples = None if seconds is None else round(seconds * sample_rate)
    try:
        for begins, wave in _runs(path, sample_rate, start):
            if begins is not None:
                gap = round((begins - start) * sample_rate) - filled
                skip = max(0, -gap)  # before the stretch, or given out already
                for block in _silence(gap if samples is None else min(gap, samples - filled)):
                    yield block
                    filled += len(block)
            wave, skip = wave[skip:], max(0, skip - len(wave))
            _check_numbers(path, wave, start, filled, sample_rate)
            yield wave
            filled += len(wave)
            if samples is not None and filled >= samples:
                return
    except Truncated:
        if not partial:
            raise


def _silence(samples):
    """Zeros in blocks of a million samples at most."""
    for begin in range(0, samples, 1 << 20):
        yield np.zeros(min(1 << 20, samples - begin), np.float32)


def _check_numbers(path, wave, start, filled, sample_rate):
    bad = None if np.isfinite(wave.sum()) else ~np.isfinite(wave)  # the sum is quick, and rarely anything else
    if bad is not None and bad.any():
        place = start + (filled + int(bad.argmax())) / sample_rate
        raise MediaError(
            f"{path}: has NaN or infinite samples, not numbers, at {place:.3f} s "
            f"(sample {round(place * sample_rate)} at {sample_rate} Hz); "
            "wanted samples in [-1, 1]: write the file again",
            place,
        )


def _runs(path, sample_rate, start):
    """Mono sound at `sample_rate`, from `start` on or a second earlier: yields (begins, wave).

    begins: None where the wave simply goes on; else the second at which it begins, as behind a gap or where rate or
    layout change. Raises Truncated behind the last sample that is whole.
    """
    with opened(path) as container:
        stream, zero = sound_stream(container, path), origin(container, path)
        stream.thread_type = "AUTO"
        if start > 1:
            container.seek(int((start - 1 + zero) * av.time_base), backward=True)
        allowed = VORBIS_GAP if stream.codec_context.name == "vorbis" else GAP
        run, kind, clock, why = None, None, 0.0, ""
        try:
            for frame in _decoded(container, stream):
                time = clock if frame.pts is None else float(frame.pts * stream.time_base) - zero
                jumps = run is not None and abs(time - clock) > allowed
                if jumps and time > clock and container.format.name in COUNTED:
                    why = "samples are missing"
                    break
                form = frame.format.name, frame.layout.name, frame.sample_rate
                begins = time if run is None or jumps or form != kind else None
                if begins is not None:
                    if run is not None:
                        yield None, _mono(run, None)
                    run, kind, clock = av.AudioResampler(format="flt", rate=sample_rate), form, time
                yield begins, _mono(run, frame)
                clock += frame.samples / frame.sample_rate
        except av.FFmpegError as error:
            why = error.strerror or str(error)
        if run is None:
            raise MediaError(
                f"{path}: its audio stream is empty{why and f' ({why})'}; wanted sound: use it for generation alone"
            )
        yield None, _mono(run, None)
        if _ends_early(container, path, stream, clock) or why and clock < _claimed(container, stream) - MISSING:
            raise _truncated(path, "sound", max(0.0, clock), why)


def _mono(run, frame):
    """A frame resampled (None: what the resampler still holds), its channels averaged.

    PyAV's own downmix is sqrt(2) louder. The samples are packed, as PyAV reads beyond a planar frame of 8 channels.
    """
    pieces = [p.to_ndarray().reshape(-1, p.layout.nb_channels).T.mean(0) for p in run.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
