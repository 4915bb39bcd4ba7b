"""Films, sounds and weights as cameras, editors, downloads and disks leave them, made with PyAV.

The functions at the end make one case each, in a folder, and return its path. `FILMS`, `SOUNDS` and `DAMAGES` list
them.
"""

import os
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import numpy as np
import soundfile
from av.stream import Disposition

SIZE = (64, 48)
CLICKS = (0.5, 1.5, 2.5, 3.5)


def clicks(seconds=4.0, rate=48000):
    """A sound with a click at 0.5 s and every second from there, (s,)."""
    wave = np.zeros(round(seconds * rate), np.float32)
    wave[rate // 2 :: rate] = 0.9
    return wave


def onsets(wave, rate=16000):
    """Where the clicks of a sound are (s)."""
    loud = np.flatnonzero(np.abs(wave) > 0.3 * np.abs(wave).max())
    return loud[np.diff(loud, prepend=-rate) > rate // 4] / rate


def picture(k, size=SIZE):
    image = np.full((size[1], size[0], 3), 8 + 2 * (k % 110), np.uint8)
    image[:, k % size[0]] = 255
    # noise, so that it has some bytes
    image[: size[1] // 3] = np.random.default_rng(k).integers(0, 255, (size[1] // 3, size[0], 3))
    return image


def film(
    path,
    codec="libx264",
    frames=100,
    rate=25,
    stamps=None,
    sound="aac",
    layout="mono",
    shape=None,
    b_frames=2,
    **options,
):
    """A film of 4 s, whose picture brightens and whose sound clicks.

    stamps: seconds of its pictures. shape: of its pixels.
    """
    clock = Fraction(1, 90000)
    with av.open(f"file:{path}", "w", options=options) as container:
        track = container.add_stream(codec, rate=rate)
        track.width, track.height = SIZE
        track.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        if codec == "libx264":
            track.options = {"bf": str(b_frames), "g": "25", "crf": "10"}
        if shape:
            track.codec_context.sample_aspect_ratio = shape
        if stamps is not None:
            track.codec_context.time_base = clock
        heard = container.add_stream(sound, rate=48000, layout=layout) if sound else None
        for k in range(frames if stamps is None else len(stamps)):
            image = av.VideoFrame.from_ndarray(picture(k), format="rgb24")
            if stamps is not None:
                image.pts, image.time_base = round(stamps[k] / clock), clock
            container.mux(track.encode(image))
        container.mux(track.encode(None))
        if heard:
            add_sound(container, heard, clicks(frames / rate), layout)
    return path


def add_sound(container, stream, wave, layout="mono", rate=48000):
    channels = av.AudioLayout(layout).nb_channels
    for begin in range(0, len(wave), 1024):
        block = np.repeat(wave[begin : begin + 1024], channels)[None]  # packed: PyAV cannot take eight planes
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, begin
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def ten_times(job):
    """A job; number 2 ends its process, as a codec that crashes does."""
    if job == 2:
        os._exit(1)
    return job * 10


def sound_file(path, codec, wave, rate=48000, layout="mono", **options):
    with av.open(str(path), "w", options=options) as container:
        add_sound(container, container.add_stream(codec, rate=rate, layout=layout), wave, layout, rate)
    return path


def copied(source, target, change):
    """A copy of a film, packet by packet. change(kind, second, packet, number) -> the packet to write, or None."""
    numbers = {"video": count(), "audio": count()}
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        tracks = {stream.index: new.add_stream_from_template(stream, opaque=True) for stream in old.streams}
        for packet in old.demux():
            if not packet.size:
                continue
            stream = packet.stream
            second = float((packet.pts if packet.pts is not None else packet.dts) * packet.time_base)
            packet = change(stream.type, second, packet, next(numbers[stream.type]))
            if packet is not None:
                packet.stream = tracks[stream.index]
                new.mux(packet)
    return target


def noise(packet, seed=0):
    """A packet of the same times, with bytes that mean nothing."""
    made = av.Packet(np.random.default_rng(seed).integers(0, 255, packet.size, dtype=np.uint8).tobytes())
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    return made


def cut(path, share, target):
    """The first part of a file, as an interrupted download leaves it."""
    data = path.read_bytes()
    target.write_bytes(data[: round(share * len(data))])
    return target


def cover_art(path):
    """A song with a cover picture."""
    with av.open(str(path), "w") as container:
        sound, cover = container.add_stream("aac", rate=48000, layout="mono"), container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = *SIZE, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        container.mux(cover.encode(None))
        add_sound(container, sound, clicks())
    return path


def turned(source, target):
    """An mp4 film whose header says that the camera was held upright."""
    data = bytearray(source.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 4 + 20 + 16
    data[matrix : matrix + 36] = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30], ">i4").tobytes()
    target.write_bytes(data)
    return target


def without(begin, end, only="audio"):
    """A change for `copied`: packets of a kind from `begin` to `end` seconds are left out."""
    return lambda kind, second, packet, _: None if kind == only and begin <= second < end else packet


def moved(only, seconds, behind=-1.0):
    """A change for `copied`: packets of a kind behind a second come `seconds` later."""

    def change(kind, second, packet, _):
        if kind == only and second > behind:
            packet.pts += round(seconds / packet.time_base)
            packet.dts += round(seconds / packet.time_base)
        return packet

    return change


def pages(data):
    """The pages of an Ogg, as bytes."""
    found, at = [], 0
    while at < len(data):
        size = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        found.append(data[at : at + size])
        at += size
    return found


# sounds: clicks at 0.5, 1.5 ... s, unless the name says what is missing


def ogg(folder, codec="libopus"):
    return sound_file(folder / f"whole-{codec}.ogg", codec, clicks())


def ogg_with_a_gap(folder, codec="libopus", begin=0.8, end=1.3):
    return copied(ogg(folder, codec), folder / f"gap-{codec}.ogg", without(begin, end))


def ogg_without_a_page(folder, codec="libopus"):
    """The page from 2 to 3 s is not there."""
    found = pages(ogg(folder, codec).read_bytes())
    path = folder / f"page-{codec}.ogg"
    path.write_bytes(b"".join(found[:4] + found[5:]))
    return path


def ogg_with_a_damaged_page(folder, codec="libopus"):
    """Bytes of the page from 2 to 3 s were changed."""
    found = pages(ogg(folder, codec).read_bytes())
    found[4] = found[4][:300] + b"Z" * 40 + found[4][340:]
    path = folder / f"damaged-{codec}.ogg"
    path.write_bytes(b"".join(found))
    return path


def m4a_with_a_gap(folder):
    return copied(sound_file(folder / "whole.m4a", "aac", clicks()), folder / "gap.m4a", without(0.8, 1.3))


def mp3_that_changes_its_rate(folder, first=44100, then=48000):
    parts = []
    for rate, layout in ((first, "mono"), (then, "stereo")):
        path = folder / f"{rate}.mp3"
        parts.append(sound_file(path, "libmp3lame", clicks(2.0, rate), rate, layout, write_xing="0", id3v2_version="0"))
    path = folder / "changes.mp3"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def wav_without_its_end(folder):
    """Its samples are cut off, and the length of the file was mended, as some editors do."""
    path = folder / "short.wav"
    soundfile.write(path, clicks(), 48000)
    data = bytearray(path.read_bytes()[:200044])
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    path.write_bytes(data)
    return path


def long_silence(folder):
    """Two clicks with ten minutes between."""
    wave = np.zeros(600 * 8000, np.float32)
    wave[[4000, -4000]] = 0.9
    soundfile.write(folder / "long.flac", wave, 8000)
    return folder / "long.flac"


def sound_that_leaps(folder):
    """Behind 2 s its clock goes on ten hours later."""
    return copied(film(folder / "film.mkv"), folder / "leaps.mkv", moved("audio", 36000.0, 2.0))


# films


def fragmented_film(folder):
    return film(folder / "fragments.mp4", movflags="frag_keyframe+empty_moov+default_base_moof")


def indexed_fragments(folder):
    """Fragments behind an index that counts their bytes, as a site delivers them."""
    data = fragmented_film(folder).read_bytes()
    at = data.find(b"moof") - 4
    sizes = (len(data) - at).to_bytes(4, "big")
    body = bytes(4) + (1).to_bytes(4, "big") + (1000).to_bytes(4, "big") + bytes(8) + bytes(2) + b"\0\1" + sizes
    body += (4000).to_bytes(4, "big") + b"\x90\0\0\0"
    path = folder / "indexed.mp4"
    path.write_bytes(data[:at] + (8 + len(body)).to_bytes(4, "big") + b"sidx" + body + data[at:])
    return path


def live_film(folder):
    """A Matroska as a camera sends it: it does not know its own length."""
    return film(folder / "live.mkv", live="1")


def avi_film(folder):
    return film(folder / "film.avi", "mpeg4", sound="pcm_s16le")


def opendml_film(folder, behind=0):
    """An AVI in two parts, the second of which no length of the first counts. behind: pictures the header has too many.

    Only its header says how many pictures there are.
    """
    data = avi_film(folder).read_bytes()
    at = data.find(b"movi") - 8
    end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    chunks, begin = [], at + 12
    while begin + 8 <= end:
        size = int.from_bytes(data[begin + 4 : begin + 8], "little")
        chunks.append(data[begin : begin + 8 + size + size % 2])
        begin += len(chunks[-1])
    head = bytearray(data[8:at])
    count = head.find(b"vids") + 32  # behind its kind, codec, flags, priority, language, frames, scale, rate and start
    head[count : count + 4] = (100 + behind).to_bytes(4, "little")
    half, path = len(chunks) // 2, folder / "opendml.avi"

    def part(kind, name, body, head=b""):
        body = head + b"LIST" + (4 + len(body)).to_bytes(4, "little") + b"movi" + body
        return kind + (4 + len(body)).to_bytes(4, "little") + name + body

    first = part(b"RIFF", b"AVI ", b"".join(chunks[:half]), bytes(head[4:]))
    path.write_bytes(first + part(b"RIFF", b"AVIX", b"".join(chunks[half:])))
    return path


def film_to_the_end_of_its_file(folder):
    """An mp4 whose pictures have no length: they reach to the end of the file."""
    data = bytearray(film(folder / "whole.mp4", movflags="faststart").read_bytes())
    at = data.find(b"mdat") - 4
    data[at : at + 4] = bytes(4)
    (folder / "open.mp4").write_bytes(data)
    return folder / "open.mp4"


def film_with_a_strange_box(folder):
    """An mp4 with a box of a kind that nobody knows before its pictures."""
    data = bytearray(film(folder / "whole.mp4", moov_size="60000").read_bytes())
    at = data.find(b"free", data.find(b"moov"))
    data[at : at + 4] = b"pnot"
    (folder / "strange.mp4").write_bytes(data)
    return folder / "strange.mp4"


def open_film(folder):
    """A Matroska without its length in bytes, whose header has that in seconds."""
    data = bytearray(film(folder / "whole.mkv", cluster_time_limit="500").read_bytes())
    at = data.find(b"\x18\x53\x80\x67") + 4
    data[at : at + 8] = b"\1" + b"\xff" * 7
    (folder / "open.mkv").write_bytes(data)
    return folder / "open.mkv"


def gif_film(folder):
    return film(folder / "film.gif", "gif", frames=30, rate=10, sound=None)


def transport_stream(folder):
    return film(folder / "stream.ts")


def joined_streams(folder):
    """Two transport streams in one file; the clock begins again in the middle."""
    path = folder / "joined.ts"
    path.write_bytes(film(folder / "part.ts", frames=50).read_bytes() * 2)
    return path


def film_of_one_time(folder):
    """A hundred pictures, all stamped 0 s."""

    def still(kind, _, packet, __):
        if kind == "video":
            packet.pts = packet.dts = 0
        return packet

    return copied(film(folder / "film.mkv", "mjpeg"), folder / "one-time.mkv", still)


def film_that_leaps(folder):
    """Behind 2 s its clock goes on three hours later."""
    return copied(film(folder / "film.mkv", "mjpeg"), folder / "leaps.mkv", moved("video", 10000.0, 2.0))


def edited_film(folder, suffix="mov"):
    """An edit list hides its first 1.5 s, and begins amid pictures that need those before."""

    def earlier(kind, _, packet, __):
        packet.pts -= round(1.5 / packet.time_base)
        packet.dts -= round(1.5 / packet.time_base)
        return packet

    return copied(film(folder / f"whole.{suffix}"), folder / f"edited.{suffix}", earlier)


def film_broken_in_the_middle(folder):
    """Its pictures from 2 to 3 s are noise."""
    return copied(
        film(folder / "film.mkv"),
        folder / "broken.mkv",
        lambda kind, t, p, k: noise(p, k) if kind == "video" and 2 < t < 3 else p,
    )


def film_with_damaged_sound(folder):
    """FLAC in a Matroska, some bytes of which were changed at 2 s."""

    def change(kind, _, packet, k):
        if kind != "audio" or k != 20:
            return packet
        data = bytearray(bytes(packet))
        data[len(data) // 2] ^= 255
        made = av.Packet(bytes(data))
        made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        return made

    return copied(film(folder / "film.mkv", sound="flac"), folder / "damaged.mkv", change)


def film_cut_off(folder, share=0.6):
    """As an interrupted download leaves it."""
    return cut(film(folder / "whole.mp4", movflags="faststart"), share, folder / "cut.mp4")


SOUNDS = [
    ogg, ogg_with_a_gap, ogg_without_a_page, ogg_with_a_damaged_page, m4a_with_a_gap, mp3_that_changes_its_rate,
    wav_without_its_end, long_silence, sound_that_leaps,
]  # fmt: skip
FILMS = [
    fragmented_film, indexed_fragments, live_film, avi_film, gif_film, transport_stream, joined_streams,
    film_of_one_time, film_that_leaps, edited_film, film_broken_in_the_middle, film_with_damaged_sound, film_cut_off,
]  # fmt: skip

# what happens to a file of weights, of tables, of sessions: bytes in, bytes out
DAMAGES = {
    "cut": lambda data: data[: len(data) * 4 // 10],
    "one byte short": lambda data: data[:-1],
    "one byte more": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "a login page": lambda data: b"<!DOCTYPE html>\n<html><body>Please log in</body></html>",
    "zeros": lambda data: bytes(len(data)),
    "noise": lambda data: np.random.default_rng(0).integers(0, 255, len(data), dtype=np.uint8).tobytes(),
}


def damaged(path, how, target=None):
    """A copy of a file, or the file itself, after one of DAMAGES."""
    target = Path(target or path)
    target.write_bytes(DAMAGES[how](Path(path).read_bytes()))
    return target
