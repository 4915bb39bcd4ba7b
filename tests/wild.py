"""Films and sounds as cameras, editors and downloads leave them, made with PyAV."""

from fractions import Fraction
from itertools import count

import av
import numpy as np
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
