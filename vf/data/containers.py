"""What a file's own structure says of its length: bytes that are missing, and gaps that a demuxer passes over."""

import re
import struct
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

BOXES = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"sidx", b"mfra", b"uuid", b"udta"}
BOXES |= {b"emsg", b"prft", b"meta", b"pdin"}
PACKET = 188  # bytes of a transport stream
BLURAY = 192  # of one with the time before each packet
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")  # names the kind of file, as "RIFF" does
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_LENGTH = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the part that says how long it is
EBML = b"\x1aE\xdf\xa3"  # a Matroska begins so
INFO, TICK, DURATION = 0x1549A966, 0x2AD7B1, 0x4489  # its header of the whole, nanoseconds of a tick, length in ticks
WIDE = (b"RF64", b"BW64")  # WAVs of more than 4 GB
UNKNOWN = 0x7FFFF000  # a length from here on was not known when it was written: the sound was piped
PAGE_SECONDS = 1  # after so much sound a muxer closes a page of an Ogg


def unwritten(path: str | Path) -> int:
    """Bytes that a file lacks by its own structure, as far as that is known; 0 where nothing is missing.

    Known for MP4 and QuickTime, Matroska, RIFF, RF64, W64, AIFF, AU, CAF, Ogg, ASF, GIF, transport streams, and for an
    MP3 that counts its bytes.
    Raises OSError where the file cannot be read.
    """
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        head = file.read(BLURAY + 5)
        file.seek(4)
        if head[:4] == EBML:
            end = _matroska_end(file, size)
        elif head[:4] in (b"RIFF", b"RIFX", b"FORM", *WIDE):
            end = _chunks_end(file, head, size)
        elif head[:4] == b"OggS":
            end = _ogg_end(file, size)
        elif head[:4] == b"GIF8":
            end = _gif_end(file, size)
        elif head[0:1] == head[PACKET : PACKET + 1] == b"G":
            end = size + -size % PACKET
        elif head[4:5] == head[BLURAY + 4 : BLURAY + 5] == b"G":
            end = size + -size % BLURAY
        elif head[:16] == W64:
            end = int.from_bytes(head[16:24], "little")
        elif head[:4] == b".snd":
            end = _au_end(head)
        elif head[:4] == b"caff":
            end = _caf_end(file, size)
        elif head[:16] == ASF:
            end = _asf_end(file)
        elif head[:3] == b"ID3" or head[:1] == b"\xff":
            end = _mp3_end(file)
        else:
            end = _boxes_end(file, size)
    return max(0, end - size)


def is_fragmented(path: str | Path) -> bool:
    """Whether an MP4 comes in fragments: its header then counts those that are there, and not how many there were."""
    with open(path, "rb") as file:
        return any(kind == b"moof" for kind, _, _ in _boxes(file, Path(path).stat().st_size))


def _boxes(file, size):
    """Boxes of an MP4: yields (kind, begin, end), up to the first that is none. The last may end beyond the file."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind not in BOXES:
            return
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
        if length < 8:  # 0: to the end of the file
            return
        yield kind, at, at + length
        at += length


def _boxes_end(file, size):
    """Where the last box of an MP4 ends, or what its index of fragments counts; 0 where the file is none."""
    last = end = 0
    for kind, begin, last in _boxes(file, size):
        if kind == b"sidx" and last <= size:
            end = max(end, _indexed_end(file, begin, last))
    if last and last < size < last + 8:  # amid the head of the next box
        last += 8
    return max(last, end)


def _indexed_end(file, begin, end):
    """Where the fragments end that a segment index (sidx) counts."""
    file.seek(begin + 8)
    data = file.read(end - begin - 8)
    wide = data[:1] == b"\1"
    first = int.from_bytes(data[20:28] if wide else data[16:20], "big")
    at = 28 if wide else 20
    count = int.from_bytes(data[at + 2 : at + 4], "big")
    sizes = [int.from_bytes(data[k : k + 4], "big") & 0x7FFFFFFF for k in range(at + 4, at + 4 + 12 * count, 12)]
    return end + first + sum(sizes)


def _number(file: BufferedReader, keep: bool = False) -> int | None:
    """A number of EBML, whose first byte tells its length; None where all its bits are set. keep: as an element's name.

    Raises IndexError at the end of the file, ValueError for what is no number.
    """
    first = file.read(1)[0]
    more = 8 - first.bit_length()
    rest = file.read(more)
    if more == 8 or len(rest) < more:
        raise ValueError("no number")
    value = int.from_bytes(bytes([first if keep else first & (0x7F >> more)]) + rest, "big")
    return None if value == (1 << 7 * (more + 1)) - 1 and not keep else value


def _segment(file):
    """(byte behind the head of a Matroska's segment, its length, None where it was not known); None where none is.

    file: behind the first four bytes, the name of EBML's own head.
    """
    try:
        file.seek(_number(file) or 0, 1)
        if file.read(4) != b"\x18\x53\x80\x67":
            return None
        length = _number(file)
        return file.tell(), length
    except (IndexError, ValueError):
        return None


def open_matroska_seconds(path: str | Path) -> float | None:
    """Length (s) by the header of a Matroska that was written without its length in bytes.

    None of any other file, and where the header does not say, as of one that is sent live.
    """
    with open(path, "rb") as file:
        segment = _segment(file) if file.read(4) == EBML else None
        if segment is None or segment[1] is not None:
            return None
        try:
            name, length = _number(file, keep=True), _number(file)
            while name != INFO:
                if not length:  # a cluster: the header is behind
                    return None
                file.seek(length, 1)
                name, length = _number(file, keep=True), _number(file)
            end, tick, ticks = file.tell() + (length or 0), 1_000_000, None
            while file.tell() < end:
                name, length = _number(file, keep=True), _number(file)
                data = file.read(min(length or 0, 8))
                file.seek((length or 0) - len(data), 1)
                if name == TICK:
                    tick = int.from_bytes(data, "big")
                if name == DURATION:
                    (ticks,) = struct.unpack(">f" if len(data) == 4 else ">d", data)
        except (IndexError, ValueError, struct.error):
            return None
    return None if ticks is None else ticks * tick / 1e9


def _matroska_end(file, size):
    """Where the segment of a Matroska ends; of one that was written without its length, where its last element ends."""
    segment = _segment(file)
    if segment is None:
        return 0
    at, length = segment
    if length is not None:
        return at + length
    while at < size:
        file.seek(at)
        try:
            _number(file, keep=True)
            length = _number(file)
        except (IndexError, ValueError):
            return size + 1  # amid an element's head
        # of a cluster without its length, the elements in it
        at = file.tell() + (length or 0)
    return at


def _chunks_end(file, head, size):
    """Where a RIFF or AIFF ends, by its own length or by that of its samples, whichever is later."""
    order = ">" if head[:4] in (b"FORM", b"RIFX") else "<"
    wanted = b"SSND" if head[:4] == b"FORM" else b"data"
    wide = head[:4] in WIDE  # whose first chunk has both lengths, in 64 bits
    length = int.from_bytes(head[20:28], "little") if wide else struct.unpack(f"{order}I", head[4:8].ljust(4, b"\0"))[0]
    at, end = 12, 0
    while at + 8 <= size:
        file.seek(at)
        kind, held = struct.unpack(f"{order}4sI", file.read(8))
        if kind == wanted:
            if wide and held >= UNKNOWN:
                end = at + 8 + int.from_bytes(head[28:36], "little")
            elif held < UNKNOWN:
                end = at + 8 + held
            break
        at += 8 + held + held % 2
    return max(end, 8 + length if length > 0 and (wide or length < UNKNOWN) else 0)


def _au_end(head):
    """Where the samples of an AU end; 0 where its header does not say."""
    begin, length = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
    return begin + length if length < UNKNOWN else 0


def _caf_end(file, size):
    """Where the last chunk of a CAF ends; 0 where its length was not known."""
    at = 8
    while at + 12 <= size:
        file.seek(at)
        _, length = struct.unpack(">4sq", file.read(12))
        if length < 0:
            return 0
        at += 12 + length
    return at if at <= size else max(at, size + 1)


def _asf_end(file):
    """Where an ASF (WMV, WMA) ends; 0 where its header does not say, as of one that is sent live."""
    file.seek(0)
    data = file.read(1 << 16)
    at = data.find(ASF_LENGTH) + 24 + 16
    live = int.from_bytes(data[at + 48 : at + 52], "little") & 1
    return int.from_bytes(data[at : at + 8], "little") if at >= 40 and not live else 0


def _gif_end(file, size):
    """Where a GIF ends: behind its trailer."""
    file.seek(10)
    flags = file.read(1)
    at = 13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 128 else 0)
    while at < size:
        file.seek(at)
        kind = file.read(10)
        if kind[:1] == b";":
            return at + 1
        if kind[:1] == b",":
            at += 11 + (3 << (kind[9] & 7) + 1 if len(kind) > 9 and kind[9] & 128 else 0)
        elif kind[:1] == b"!":
            at += 2
        else:
            return 0  # bytes that mean nothing
        while at < size:
            file.seek(at)
            length = file.read(1)[0]
            at += 1 + length
            if not length:
                break
    return max(at, size + 1)


class Page(NamedTuple):
    """A page of an Ogg. position: samples up to its end, -1 where no packet ends on it. packets: that end on it.

    number: of the page. stream: whose it is. at: byte of the file at which it begins.
    """

    at: int
    position: int
    packets: int
    number: int
    stream: int


def _ogg_end(file, size):
    """Where the last page of an Ogg ends, or a byte behind it where that page does not say that the stream ends."""
    start = max(0, size - (1 << 17))
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return 0
    page = tail[at:]
    count = page[26] if len(page) > 26 else 255
    end = start + at + 27 + count + sum(page[27 : 27 + count])
    return max(end, size + 1) if len(page) > 5 and not page[5] & 4 else end


def _pages(path: str | Path) -> Iterator[Page]:
    """Pages of an Ogg that are whole, in order."""
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
            at = file.tell() - 27
            position, stream, number = struct.unpack("<qII", head[6:22])
            laces = file.read(head[26])
            if file.seek(sum(laces), 1) > size:
                return
            yield Page(at, position, sum(lace < 255 for lace in laces), number, stream)


class Unplaced(ValueError):
    """Samples are missing, and nothing says where. begin: the sample behind which."""

    def __init__(self, begin: int) -> None:
        super().__init__("samples are missing")
        self.begin = begin


def check_pages(path: str | Path, places: set[int]) -> None:
    """Raises Unplaced where a page of an Ogg gave no packet, as a page does whose bytes were changed.

    places: bytes of the file at which the pages begin that gave packets.
    """
    before = 0
    for page in _pages(path):
        # of two packets that end on a page at least one began there
        if page.at > min(places) and page.packets > 1 and page.at not in places:
            raise Unplaced(before)
        before = max(before, page.position)


def is_chained(path: str | Path) -> bool:
    """Whether an Ogg holds sounds one after the other: pages are counted from 0 again once they have gone on."""
    going = False
    for page in _pages(path):
        if going and page.number == 0:
            return True
        going = going or page.number > 0
    return False


def ogg_gaps(path: str | Path, durations: Sequence[int], rate: int, allowed: float, headers: int) -> dict[int, int]:
    """{packet: samples that are missing before it} of an Ogg with one stream. FFmpeg reads on as if there were no gap.

    durations: samples of each packet. rate: samples a second. allowed: seconds that are no gap. headers: packets before
    the first sound. A page says at which sample it ends. Where pages are missing, the gap lies before the page. Where
    none is, it lies before the last packet of a page that this packet made full; else nothing says where it lies, and
    that raises Unplaced. A first page that begins late is a stream that was tuned into: no gap, unless it is that full.
    """
    pages = list(_pages(path))
    if len({page.stream for page in pages}) != 1:
        return {}
    gaps, first, before, number = {}, 0, 0, None
    skipped = headers
    for page in pages:
        held = max(0, page.packets - skipped)
        skipped -= page.packets - held
        if not held or page.position < 0:
            continue
        lasting = durations[first : first + held]
        missing, end = page.position - before - sum(lasting), page.position
        if missing > allowed * rate:
            if len(lasting) < held:  # the demuxer passed over packets
                raise Unplaced(before)
            full = end - lasting[-1] - before >= PAGE_SECONDS * rate
            if number is not None and page.number != number + 1:
                gaps[first] = missing
            elif full and (number is not None or missing < 10 * rate):
                gaps[first + held - 1] = missing
            elif number is not None:
                raise Unplaced(before)
        first, before, number = first + held, end, page.number
    return gaps


def flac_gaps(heads: Sequence[bytes], block: int) -> dict[int, int]:
    """{packet: samples that are missing before it} of FLAC in packets, each of which carries its number.

    heads: the first bytes of each packet. block: samples of each but the last.
    """
    gaps, expected = {}, 0
    for k, head in enumerate(heads):
        number = _frame_number(head)
        if number is None:
            return {}
        if number > expected:
            gaps[k] = (number - expected) * block
        expected = number + 1
    return gaps


def _frame_number(head):
    """The number of a FLAC frame of fixed size; None for what is none."""
    if len(head) < 11 or head[:2] != b"\xff\xf8":
        return None
    first = head[4]
    more = 0 if first < 128 else 7 - (first ^ 255).bit_length()
    value = first if not more else first & (0x3F >> more)
    for byte in head[5 : 5 + more]:
        value = value << 6 | byte & 63
    return value


def counts_frames(path: str | Path) -> bool:
    """Whether an MP3 says how many frames it has (Xing's header). Else its length is a guess by the file's size."""
    with open(path, "rb") as file:
        return re.search(b"Xing|Info|VBRI", _mp3_head(file)[1]) is not None


def _mp3_head(file):
    """(byte at which an MP3's first frame begins, the bytes from there on)."""
    file.seek(0)
    head = file.read(10)
    tag = sum((b & 127) << s for b, s in zip(head[6:10], (21, 14, 7, 0))) + 10 if head[:3] == b"ID3" else 0
    file.seek(tag)
    return tag, file.read(4096)


def _mp3_end(file):
    """Where the frames of an MP3 end, by Xing's header; 0 where it does not count bytes."""
    tag, data = _mp3_head(file)
    # it lies behind the side information of the first frame; "Info" further on may be a word of a FLAC's tags
    found = re.match(rb"\xff.{8,60}?(?:Xing|Info)(....)", data, re.DOTALL)
    flags = int.from_bytes(found[1], "big") if found else 0
    if not flags & 2:
        return 0
    at = found.end() + 4 * (flags & 1)  # behind the number of frames
    return tag + int.from_bytes(data[at : at + 4], "big")
