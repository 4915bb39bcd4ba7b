"""Reading film and sound, through PyAV, which carries its own codecs.

Time is what the container says. Second 0 of a film is its first picture, and of a sound file the container's start.
Sound lies where its stamps put it, and a gap between them is silence. A file that ends or breaks before its end raises
Truncated.
"""

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

from vf.data import containers, files

SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"}  # of films whose copy with sound has the same
OTHERS = (".3gp", ".flv", ".gif", ".m2ts", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".wmv")
FILMS = (*sorted(SUFFIXES), *OTHERS)  # what a folder is searched for
SOUNDS = (".aac", ".aif", ".aiff", ".caf", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".w64", ".wav", ".wma")
LISTS = {"concat", "dash", "hls", "sdp", "tty"}  # of FFmpeg: what is no film itself, and names others or is drawn
GAP = 0.018  # seconds: rounded stamps jitter by less, a packet of AAC, MP3 or Opus is longer
VORBIS_GAP = 0.05  # its blocks are of two lengths, and stamps off by the difference
MISSING = 0.1  # seconds by which a stream may be shorter than its header says
SPARE = 2  # pictures by which an AVI's header may count too many
LEAST = 0.015  # seconds by which that of a file may be that lacks bytes: less than a picture or a packet
EXACT = {"flac", "au"}  # their headers count samples
COUNTED = {"flac", "ogg", "mp3"}  # sound files that count their samples: what is missing in them is damage, not a gap
UNSTAMPED = {"mp3", "aac", "ac3", "eac3", "dts", "loas"}  # bare streams: their stamps are a guess by the first rate
TELLING = {"flac", "flv", "mxf"}  # their header says how long the whole is, and their structure does not
GROWING = {
    "wav",
    "w64",
    "caf",
    "ogg",
    "aiff",
    "avi",
    "mpegts",
    "gif",
}  # their header does not say how long the whole is
LEAP = 3600.0  # seconds for which nothing comes: no film or sound holds still so long, but a broken clock does
BACK = 1.0  # seconds by which a clock may go back
LOST = 0.01  # share of the pictures that a decoder may pass over
OGG_HEADERS = {"opus": 2, "vorbis": 3, "flac": 0}  # packets of an Ogg before the first sound
STRICT = {"flac", "mpeg4"}  # codecs that tell damage from what an encoder does oddly, if they are asked to
UNSEEN = {"vp8", "mpeg4", "msmpeg4v3"}  # codecs some of whose packets show nothing


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
        super().__init__(files.printable(message))
        self.seconds = seconds


class Truncated(MediaError):
    """A film or sound that ends, or cannot be decoded, before its end. seconds: up to where it can be read."""


def _truncated(path, kind, seconds, why="", of=None):
    return Truncated(
        f"{path}: its {kind} breaks off at {seconds:.2f} s{why and f' ({why})'}; wanted a whole file"
        f"{f' of {of:.2f} s' if of else ''}: fetch or export it again, or cut it there",
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
            if container.format.name in LISTS:
                raise av.InvalidDataError(0, f"it is a list of other files, {container.format.name}, or a text")
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
        lacks = containers.unwritten(path)
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
    return _with_codec(stream, path)


def sound_stream(container: InputContainer, path: str | Path) -> AudioStream:
    """The audio stream of an open file that a player takes: of several, the one that is marked as default.

    Raises MediaError for a file without one.
    """
    if not container.streams.audio:
        raise MediaError(
            f"{path}: has no sound; wanted a film or file with an audio stream: use it for generation alone"
        )
    best = container.streams.best("audio")  # None where no decoder is known for any
    return _with_codec(container.streams.audio[0] if best is None else best, path)


def _with_codec(stream, path):
    """A stream, whose codec is known. Raises MediaError where it is not."""
    if stream.codec_context is None:
        raise MediaError(
            f"{path}: its {stream.type} stream is of an unknown codec; wanted one that plays: "
            "convert it to mp4 (H.264, AAC)"
        )
    stream.thread_type = "SLICE"  # where frames have threads of their own, some damaged films never end
    return stream


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
    claimed: length (s) that the header gives, of the picture where there is one; None where it gives none, or one that
    only counts what is there.
    cut: whether the file ends before its end. stamps: how many different times the pictures have.
    """

    begin: int
    seconds: float
    pictures: int
    turned: int | None
    claimed: float | None
    cut: bool
    stamps: int

    def lacks(self, end: float, claimed: float | None = None) -> bool:
        """Whether a stream that ends at `end` seconds should have gone on. claimed: its length by the header."""
        return self.cut and (self.claimed is None or end < (claimed or self.claimed) - LEAST)


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
        count, begin, end, turned, places = 0, None, 0, None, 0
        times = set()
        try:
            for packet in container.demux():
                position = max(position, (packet.pos or 0) + packet.size)
                until = _until(packet)
                reached = max(reached, float(until * packet.time_base) if until is not None else 0.0)
                if picture is None or packet.stream.index != picture.index or packet.is_discard:
                    continue
                places = max(places, (packet.dts or 0) + 1)
                if packet.size:
                    count += 1
                    times.add(count if until is None else stamp(packet))
                    if begin is None:
                        begin = (stamp(packet) if by_order(container) else picture.start_time) or 0
                    end = max(end, begin + _ticks(count, picture) if until is None else until)
                turned = _rotation(packet) if turned is None else turned
        except av.FFmpegError:
            broken = True
        claimed = container.duration / av.time_base if container.duration else None
        cut = broken or _is_cut(container, path, claimed, reached, position)
        if picture is not None and by_order(container):  # an AVI counts pictures, empty ones too, and its clock does
            cut = cut or picture.frames - places > max(SPARE, MISSING * _rate(picture))
        if picture is not None and picture.duration:
            claimed = float(picture.duration * picture.time_base)
        if _grows(container, path):
            claimed = None
        seconds = 0.0 if begin is None else float((end - begin) * picture.time_base)
    return Extent(begin or 0, seconds, count, turned, claimed, cut, len(times))


def _grows(container, path):
    """Whether a container's header only counts what is there, and not what there was."""
    return container.format.name in GROWING or containers.is_fragmented(path)


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
    if packet.stream.codec_context is None:
        return None
    try:
        return next((round(picture.rotation) for picture in packet.decode()), None)
    except av.FFmpegError:  # a film that begins amid a picture
        return None


def _is_cut(container, path, claimed, reached, position):
    """Whether a file ends before its end.

    Its structure says how many bytes it has; its index points behind its last byte; its header counts more samples than
    came; or, of a Matroska, its header says more than came, while it does not say how many bytes it has or much of the
    file was not read, as a reader stops where a Matroska breaks.
    """
    name = container.format.name
    if containers.unwritten(path) or "mp4" in name and _points_beyond(container, path):
        return True
    if "matroska" in name and reached < (containers.open_matroska_seconds(path) or 0.0) - MISSING:
        return True
    if not claimed or reached >= claimed - MISSING:
        return False
    if name in TELLING or name == "mp3" and containers.counts_frames(path):
        return True
    return "matroska" in name and position < 0.95 * Path(path).stat().st_size - 1024


def _points_beyond(container, path):
    """Whether the index of an MP4 has packets behind the end of the file."""
    size = Path(path).stat().st_size
    return any(entry.pos + entry.size > size for stream in container.streams for entry in stream.index_entries)


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
    if content.stamps * 2 < content.pictures:
        raise MediaError(
            f"{path}: its {content.pictures} pictures have {content.stamps} times; "
            "wanted a time for each: export it again"
        )
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
    if content.lacks(content.seconds):
        raise _truncated(path, "picture", content.seconds, of=content.claimed)
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
            zero, held, why = origin(container, path), None, ""
            if seek:
                container.seek(int((start + zero) / stream.time_base), stream=stream, backward=True)
            try:
                for picture, time in _timed(_decoded(container, stream), stream, zero):
                    if held is None and seek and time > start + 5e-4:
                        break
                    if held is not None:
                        _check_clock(path, "picture", held[1], time)
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
            content = extent(path)
            if why or content.lacks(end):
                raise _truncated(path, "picture", end, "" if content.cut else why)
            return


def _decoded(container, stream, gaps=None, lengths=None):
    """The frames of a stream, from the first whole one on. Raises av.FFmpegError where the stream breaks.

    gaps, lengths: of `_gaps`.
    """
    whole, times, expected, decoded = False, deque(), [], set()
    ordered = stream.type == "video" and by_order(container)
    if stream.codec_context.name in STRICT:
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    packets = container.demux(stream)
    for packet in _placed(packets, gaps, lengths) if gaps or lengths else packets:
        if packet.size and not packet.is_discard:
            expected.append(packet.pts)
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
            decoded.add(frame.pts)
            if times:  # pictures are shown in the order of these times
                frame.pts = times.popleft()
            yield frame
    if stream.type == "video" and stream.codec_context.name not in UNSEEN:
        _check_all_came(expected, decoded)


def _placed(packets, gaps, lengths):
    """Packets of an Ogg, each at its time behind the first one. gaps, lengths: of `_gaps`."""
    at = None
    for k, packet in enumerate(packets):
        if packet.size:
            at = packet.pts if at is None else at
            tick = packet.stream.rate * packet.time_base  # samples
            at += round(gaps.get(k, 0) / tick)
            packet.pts = packet.dts = at
            # nothing comes of a Vorbis's first packet but the time before its second
            at += round(lengths[k] / tick) if lengths and k else packet.duration
        yield packet


def _check_all_came(expected, decoded):
    """Raises av.InvalidDataError where a decoder passed over pictures behind the first one. Both: their stamps."""
    first = min((stamp for stamp in decoded if stamp is not None), default=None)
    if first is None:
        return
    lost = {stamp for stamp in expected if stamp is not None and stamp > first} - decoded
    if len(lost) >= LOST * len(expected) and lost:
        raise av.InvalidDataError(0, f"{len(lost)} of {len(expected)} pictures cannot be decoded")


def _claimed(container, stream):
    """Length (s) of a stream by the header, or of the longest stream where that is all it gives; 0 without either."""
    return float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / av.time_base


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


def read_small(path: str | Path, start: float, seconds: float, widest: int = 480) -> tuple[np.ndarray, int]:
    """Frames of a film for a small copy of it, wide enough to see a stick: at its own rate and shape, sides even.

    start, seconds: of `read_frames`. widest: most pixels of a row. Returns frames uint8 (t, height, width, 3), and how
    many a second has. Raises MediaError as `read_frames` does.
    """
    info = probe(path)
    width, rate = min(info.width, widest), max(1, round(info.fps))
    size = max(2, width // 2 * 2), max(2, round(width * info.height / info.width / 2) * 2)
    return read_frames(path, rate, size, start, seconds)[0], rate


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


def _check_clock(path, kind, clock, time):
    """Raises MediaError where a clock at `clock` seconds leaps to `time`, far ahead or back."""
    if not clock - BACK <= time <= clock + LEAP:
        raise MediaError(
            f"{path}: the clock of its {kind} leaps from {clock:.2f} to {time:.2f} s; "
            "wanted one that goes on: export it again, or cut it there",
            clock,
        )


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
        gaps, lengths, until = _gaps(path, container, stream)
        name = stream.codec_context.name
        if start > 1 and not gaps and not lengths and not name.startswith("adpcm"):  # whose times are rounded behind it
            container.seek(int((start - 1 + zero) * av.time_base), backward=True)
        allowed = VORBIS_GAP if name == "vorbis" and not lengths else GAP
        run, kind, clock, why, stamped = None, None, 0.0, "", True
        counted = container.format.name in COUNTED and not gaps
        try:
            for frame in _decoded(container, stream, gaps, lengths):
                form = frame.format.name, frame.layout.name, frame.sample_rate
                stamped = stamped and not (container.format.name in UNSTAMPED and run is not None and form != kind)
                time = float(frame.pts * stream.time_base) - zero if frame.pts is not None and stamped else clock
                jumps = run is not None and abs(time - clock) > allowed
                if jumps and time > clock and counted or until is not None and time >= until:
                    why = "samples are missing"
                    break
                _check_clock(path, "sound", min(start, time) if run is None else clock, time)
                begins = time if run is None or jumps or form != kind else None
                if begins is not None:
                    if run is not None:
                        yield None, _mono(run, None)
                    run, kind, clock = av.AudioResampler(format="flt", rate=sample_rate), form, time
                yield begins, _mono(run, frame)
                clock += frame.samples / frame.sample_rate
        except av.FFmpegError as error:
            why = error.strerror or str(error)
        if until is not None and run is None:
            raise _truncated(path, "sound", until, why)
        if run is None:
            raise MediaError(
                f"{path}: its audio stream is empty{why and f' ({why})'}; wanted sound: use it for generation alone"
            )
        yield None, _mono(run, None)
        claimed = _claimed(container, stream)
        exact = container.format.name in EXACT
        allowed = 1.5 / stream.rate if exact else LEAST if claimed and containers.unwritten(path) else MISSING
        sure = claimed - allowed <= clock and claimed and not _grows(container, path)  # spares reading it again
        lacks = clock < claimed - allowed if exact else not sure and extent(path).lacks(clock, claimed)
        if until is not None or lacks or why and clock < claimed - allowed:
            raise _truncated(path, "sound", max(0.0, clock), why)


def _gaps(path, container, stream):
    """({packet: samples that are missing before it}, samples of each packet, None) of an Ogg.

    Of anything else, whose packets carry their times, ({}, None, None). Where samples are missing and nothing says
    where, ({}, None, the second before which all is well). The samples of the packets are None but for Vorbis, whose
    blocks have two sizes: the demuxer's durations and times are off by their difference wherever the size changes.
    """
    name = stream.codec_context.name
    if container.format.name == "ogg" and containers.is_chained(path):
        raise MediaError(
            f"{path}: holds several sounds one after the other; wanted one: join them in an editor, as wav or flac"
        )
    if container.format.name != "ogg" or len(container.streams) != 1 or name not in OGG_HEADERS:
        return {}, None, None
    vorbis = _decoded_lengths(path) if name == "vorbis" else None
    with opened(path) as again:
        packets = [(p.duration, bytes(p)[:16], p.pos) for p in again.demux(again.streams[0]) if p.size]
    if not packets:
        return {}, None, None
    lengths, heads, places = zip(*packets)
    try:
        containers.check_pages(path, set(places))
        if name == "flac":
            gaps = containers.flac_gaps(heads, lengths[0])
        elif vorbis:
            gaps = containers.ogg_gaps(path, vorbis, stream.rate, GAP, OGG_HEADERS[name])
        else:
            # the last packet lasts to the stream's end, says the demuxer, and a gap before it would be gone
            longest = max(lengths[:-1], default=lengths[-1])
            durations = [round(min(length, longest) * stream.time_base * stream.rate) for length in lengths]
            gaps = containers.ogg_gaps(path, durations, stream.rate, GAP, OGG_HEADERS[name])
    except containers.Unplaced as error:
        return {}, None, error.begin / stream.rate
    return gaps, vorbis, None


def _decoded_lengths(path):
    """How many samples each packet of a sound becomes; of one that cannot be decoded, what its header says."""
    lengths = []
    with opened(path) as container:
        stream = container.streams[0]
        for packet in container.demux(stream):
            if packet.size:
                try:
                    lengths.append(sum(frame.samples for frame in packet.decode()))
                except av.FFmpegError:
                    lengths.append(round((packet.duration or 0) * packet.time_base * stream.rate))
    return lengths


def _mono(run, frame):
    """A frame resampled (None: what the resampler still holds), its channels averaged.

    PyAV's own downmix is sqrt(2) louder. The samples are packed, as PyAV reads beyond a planar frame of 8 channels.
    """
    pieces = [p.to_ndarray().reshape(-1, p.layout.nb_channels).T.mean(0) for p in run.resample(frame)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
