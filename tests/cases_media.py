"""Cases of torture: times, halves and saving of films and sounds, in every container and codec that PyAV writes."""

import os
import random
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import av
import cases
import numpy as np
import soundfile
import wild
from av.stream import Disposition
from cases import REFUSED, Case
from test_saving import NAMES

from vf.data import media

FASTSTART = {"mp4", "mov", "m4v", "3gp"}
LIBRARY = Path(os.environ.get("VF_CASES", "none"))

# (suffix, codec, sample rate, layout)
SOUNDS = [
    *(("mp3", "libmp3lame", rate, "mono") for rate in (8000, 16000, 22050, 44100, 48000)),
    *(("m4a", "aac", rate, "mono") for rate in (8000, 22050, 44100, 96000)),
    *(("ogg", "libopus", 48000, layout) for layout in ("mono", "5.1", "7.1")),
    *(("flac", "flac", rate, layout) for rate, layout in ((8000, "mono"), (96000, "7.1"), (44100, "stereo"))),
    *(("wav", codec, 48000, "mono") for codec in ("pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_f64le", "adpcm_ms")),
    ("wav", "adpcm_ima_wav", 48000, "stereo"), ("aiff", "pcm_s16be", 44100, "mono"), ("au", "pcm_s16be", 44100, "mono"),
    ("caf", "pcm_s16be", 44100, "mono"), ("caf", "alac", 44100, "mono"), ("w64", "pcm_s16le", 44100, "stereo"),
    ("wv", "wavpack", 44100, "mono"), ("tta", "tta", 44100, "mono"), ("mka", "aac", 48000, "mono"),
    ("mka", "libmp3lame", 44100, "mono"), ("webm", "libopus", 48000, "mono"), ("opus", "libopus", 48000, "stereo"),
    ("m4a", "alac", 44100, "mono"), ("mp4", "libopus", 48000, "mono"), ("mov", "pcm_s16le", 48000, "7.1"),
]  # fmt: skip
# (suffix, codec of the picture, of the sound)
FILMS = [
    ("mp4", "libx264", "aac"), ("mp4", "libx265", "aac"), ("mp4", "mpeg4", "libmp3lame"), ("mp4", "mjpeg", "aac"),
    ("mp4", "libvpx-vp9", "libopus"), ("m4v", "libx264", "aac"), ("3gp", "libx264", "aac"),
    ("mov", "qtrle", "pcm_s16be"), ("mov", "prores_ks", "pcm_s24le"), ("mov", "png", "aac"),
    ("mov", "libx264", "pcm_s16le"), ("mkv", "ffv1", "flac"), ("mkv", "libx264", "aac"), ("mkv", "mpeg2video", "flac"),
    ("mkv", "libvpx", "libopus"), ("mkv", "mjpeg", "pcm_s16le"), ("webm", "libvpx-vp9", "libopus"),
    ("webm", "libvpx", "libopus"), ("avi", "mjpeg", "pcm_s16le"), ("avi", "libx264", "pcm_s16le"),
    ("avi", "huffyuv", "pcm_s16le"), ("flv", "libx264", "aac"), ("mxf", "mpeg2video", "pcm_s16le"),
    ("wmv", "wmv2", "libmp3lame"), ("gif", "gif", None),
]  # fmt: skip
FORMATS = {"qtrle": "rgb24", "png": "rgb24", "huffyuv": "rgb24", "prores_ks": "yuv422p10le", "gif": "rgb8"}
FORMATS |= {"mjpeg": "yuvj420p"}
OPTIONS = {"libx264": {"bf": "2", "g": "25", "crf": "10"}}
OPTIONS |= {codec: {"cpu-used": "8", "g": "25", "deadline": "realtime"} for codec in ("libvpx", "libvpx-vp9")}


def film(
    folder: Path, suffix: str, codec: str, sound: str | None, frames=100, rate=25, size=wild.SIZE, stamps=None
) -> Path:
    """A film of any codecs, its index in front where the container can."""
    path = folder / f"film.{suffix}"
    options = {"movflags": "faststart"} if suffix in FASTSTART else {}
    heard = 44100 if suffix == "flv" else 48000
    with av.open(str(path), "w", options=options) as container:
        track = container.add_stream(codec, rate=rate)
        track.width, track.height = size
        track.pix_fmt, track.options = FORMATS.get(codec, "yuv420p"), OPTIONS.get(codec, {})
        stream = container.add_stream(sound, rate=heard, layout="mono") if sound else None
        for k in range(frames):
            container.mux(track.encode(av.VideoFrame.from_ndarray(wild.picture(k, size), format="rgb24")))
        container.mux(track.encode(None))
        if stream:
            wild.add_sound(container, stream, wild.clicks(float(frames / rate), heard), "mono", heard)
    return path


def sound(folder: Path, suffix: str, codec: str, rate: int, layout: str, noisy: bool = False) -> Path:
    """A sound of clicks, or of noise, which packs badly."""
    wave = wild.clicks(4.0, rate)
    if noisy:
        wave = np.random.default_rng(0).normal(0, 0.1, len(wave)).astype(np.float32)
    return wild.sound_file(folder / f"sound.{suffix}", codec, wave, rate, layout)


@cache
def _bytes(make, *given):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder), *given).read_bytes()


def _cut(folder, share, make, *given):
    """The first part of what a function makes."""
    data = _bytes(make, *given)
    path = folder / f"cut.{given[0]}"
    path.write_bytes(data[: round(share * len(data))])
    return path


def _gap(folder, suffix, codec, begin, end):
    source = wild.film(folder / f"whole.{suffix}", sound=codec)
    return wild.copied(source, folder / f"gap.{suffix}", wild.without(begin, end))


def _moved(folder, suffix, only, seconds, behind=-1.0):
    source = wild.film(folder / f"whole.{suffix}")
    return wild.copied(source, folder / f"moved.{suffix}", wild.moved(only, seconds, behind))


def _both_moved(folder, suffix, seconds):
    def later(kind, second, packet, number):
        packet.pts += round(seconds / packet.time_base)
        if packet.dts is not None:
            packet.dts += round(seconds / packet.time_base)
        return packet

    return wild.copied(wild.film(folder / f"whole.{suffix}"), folder / f"late.{suffix}", later)


def _channels(folder, count, suffix="wav"):
    wave = np.repeat(wild.clicks(4.0, 16000)[:, None], count, 1)
    soundfile.write(folder / f"x.{suffix}", wave, 16000)
    return folder / f"x.{suffix}"


def _song(folder, suffix, codec, picture="mjpeg"):
    """A song with a cover, as music shops sell it."""
    path = folder / f"song.{suffix}"
    with av.open(str(path), "w") as container:
        stream, cover = container.add_stream(codec, rate=44100, layout="mono"), container.add_stream(picture, rate=25)
        cover.width, cover.height, cover.pix_fmt = *wild.SIZE, "yuvj420p" if picture == "mjpeg" else "rgb24"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(wild.picture(0), format="rgb24")))
        container.mux(cover.encode(None))
        wild.add_sound(container, stream, wild.clicks(4.0, 44100), "mono", 44100)
    return path


def _variable(folder, suffix, seed, codec="libx264"):
    rng = np.random.default_rng(seed)
    stamps = np.r_[0, np.cumsum(rng.choice([0.02, 0.04, 0.04, 0.1, 0.4], 60))]
    return wild.film(folder / f"variable.{suffix}", codec, stamps=stamps, rate=50, sound=None)


def _variable_read(path):
    """The curve's frames go up to the last picture."""
    info = media.probe(path)
    images, stamps = media.read_frames(path, 25, wild.SIZE)
    assert abs(len(images) - info.seconds * 25) <= 1 and (np.diff(stamps) >= 0).all()
    media.check_whole(path, decode=True)


def _no_pictures(folder, suffix):
    source = wild.film(folder / f"whole.{suffix}")
    return wild.copied(source, folder / f"empty.{suffix}", lambda kind, t, p, k: p if kind == "audio" else None)


def _written(folder, name, wave, rate=16000, **options):
    soundfile.write(os.fsencode(folder / name), wave, rate, **options)
    return folder / name


def _bad_samples(folder, seed):
    rng = np.random.default_rng(seed)
    wave = rng.normal(0, 0.1, 16000).astype(np.float32)
    wave[rng.integers(0, 16000, rng.integers(1, 9))] = rng.choice([np.nan, np.inf, -np.inf])
    return _written(folder, "bad.wav", wave, subtype="FLOAT")


def _damaged(folder, suffix, codec, seed):
    """A span of bytes in the middle is noise."""
    data = bytearray(_bytes(sound, suffix, codec, 44100, "mono", True))
    rng = random.Random(seed)
    at = rng.randrange(len(data) // 4, len(data) // 2)
    data[at : at + 6000] = rng.randbytes(6000)
    (folder / f"damaged.{suffix}").write_bytes(data)
    return folder / f"damaged.{suffix}"


def _read(path):
    media.read_sound(path, cases.RATE)


def _named(folder, name, suffix):
    path = folder / f"{name}.{suffix}"
    os.rename(wild.film(folder / f"x.{suffix}"), path)
    return path


def _shaped(folder, suffix, shape):
    return wild.film(folder / f"shaped.{suffix}", shape=shape)


def _held(folder, suffix):
    return wild.turned(wild.film(folder / f"flat.{suffix}"), folder / f"held.{suffix}")


def _of_library(folder, name):
    (folder / name).write_bytes((LIBRARY / name).read_bytes())
    return folder / name


def _any(path):
    """Read all there is of a film or sound."""
    if path.suffix in media.SUFFIXES | {".gif", ".ts"}:
        media.check_whole(path, decode=True)
        media.read_frames(path, 25, wild.SIZE)
        if not media.probe(path).has_sound:
            return
    media.read_sound(path, cases.RATE)


def _times():
    for given in SOUNDS:
        yield Case("times", f"a sound: {' '.join(map(str, given))}", partial(cases.do, sound, *given), cases.times())
    for given in FILMS:
        yield Case("times", f"a film: {' '.join(map(str, given))}", partial(cases.do, film, *given), cases.whole_film)
        if given[2] and given[0] not in ("flv", "wmv"):  # whose sound has no place for a delay
            yield Case("times", f"its sound: {' '.join(given)}", partial(cases.do, film, *given), cases.times())
    rng = random.Random(0)
    for _ in range(8):
        suffix, codec = rng.choice([("mkv", "aac"), ("mkv", "libopus"), ("mkv", "libmp3lame"), ("mkv", "flac")])
        begin = round(rng.uniform(0.55, 2.3), 2)
        end = round(begin + rng.uniform(0.1, 1.5), 2)
        kept = [c for c in wild.CLICKS if not begin - 0.03 <= c < end + 0.03]
        if all(abs(c - x) > 0.06 for c in wild.CLICKS for x in (begin, end)):
            name = f"a gap of {suffix} {codec} from {begin} to {end} s"
            yield Case("times", name, partial(cases.do, _gap, suffix, codec, begin, end), cases.times(kept, 4e-3))
    for suffix in ("mkv", "mp4", "mov"):
        for seconds in (0.25, 0.7):
            clicks = [c + seconds for c in wild.CLICKS]
            make = partial(cases.do, _moved, suffix, "audio", seconds)
            yield Case("times", f"sound {seconds} s late in {suffix}", make, cases.times(clicks))
    for suffix in ("mkv", "mp4", "ts"):
        for seconds in (3.0, 100.0):
            make = partial(cases.do, _both_moved, suffix, seconds)
            within = 0.025 if suffix == "ts" else 2.5e-3  # it has no place for the encoder's delay
            yield Case("times", f"a clock that begins at {seconds} s in {suffix}", make, cases.times(within=within))
    for count in (8, 9, 12, 24, 64, 255):
        wanted = cases.RIGHT if count <= 64 else None  # FFmpeg takes no more
        yield Case("times", f"{count} channels", partial(cases.do, _channels, count), cases.times(), wanted)
    yield Case("times", "8 channels in FLAC", partial(cases.do, _channels, 8, "flac"), cases.times())
    for suffix in ("mp4", "mkv", "mov", "avi"):
        for seed in range(2):
            make = partial(cases.do, _variable, suffix, seed, "mjpeg" if suffix == "avi" else "libx264")
            yield Case("times", f"a variable rate in {suffix} {seed}", make, _variable_read)
    for suffix, codec in (("mp3", "libmp3lame"), ("flac", "flac"), ("mp4", "aac"), ("mp4", "alac"), ("mov", "aac")):
        make = partial(cases.do, _song, suffix, codec)
        yield Case("times", f"a cover picture in {suffix} {codec}, as a sound", make, cases.times())
        yield Case("times", f"a cover picture in {suffix} {codec}, as a film", make, media.probe, REFUSED)
    for suffix in ("mkv", "mov", "avi"):
        yield Case("times", f"no pictures in {suffix}", partial(cases.do, _no_pictures, suffix), media.probe, REFUSED)
    for first, then in ((8000, 48000), (48000, 8000), (16000, 44100), (44100, 22050)):
        make = partial(cases.do, wild.mp3_that_changes_its_rate, first, then)
        yield Case("times", f"an MP3 from {first} to {then} Hz", make, _four)
    for size in ((2, 2), (16, 16), (66, 50), (640, 2), (2, 480)):
        make = partial(cases.do, film, "mp4", "libx264", "aac", 25, 25, size)
        yield Case("times", f"a film of {size[0]} x {size[1]}", make, partial(cases.whole_film, frames=25, size=size))
    for rate in (1, 5, Fraction(24000, 1001), 60, 240):
        make = partial(cases.do, film, "mkv", "libx264", None, 30, rate)
        yield Case("times", f"a film of {float(rate):.5g} pictures a second", make, _variable_read)


def _four(path):
    assert len(wild.onsets(media.read_sound(path, cases.RATE))) == 4


def _halves():
    rng = random.Random(1)
    for given in FILMS:
        for _ in range(3):
            share = round(rng.uniform(0.3, 0.95), 3)
            name = f"a film cut at {share:.1%}: {' '.join(map(str, given))}"
            yield Case("halves", name, partial(cases.do, _cut, share, film, *given), cases.cut_off, REFUSED)
    for given in SOUNDS:
        if given[3] != "mono" or given[0] in ("caf", "webm") and given[1] != "pcm_s16be":
            continue
        for _ in range(2):
            share = round(rng.uniform(0.2, 0.97), 3)
            name = f"a sound cut at {share:.1%}: {' '.join(map(str, given))}"
            yield Case("halves", name, partial(cases.do, _cut, share, sound, *given, True), cases.cut_off, REFUSED)
    for suffix, codec in (("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "flac")):
        for seed in range(3):
            make = partial(cases.do, _damaged, suffix, codec, seed)
            yield Case("halves", f"damaged bytes in {suffix} {codec} {seed}", make, _read, REFUSED)
    for seed in range(4):
        yield Case(
            "halves", f"samples that are no numbers {seed}", partial(cases.do, _bad_samples, seed), _read, REFUSED
        )
    for make in wild.FILMS + wild.SOUNDS:
        yield Case("halves", f"wild: {make.__name__}", make, _any, None)
    for share in (0.0, 0.001, 0.01):
        for suffix in ("mp4", "mkv", "avi", "wav", "flac"):
            given = (film, suffix, "libx264" if suffix != "avi" else "mpeg4", "aac" if suffix != "avi" else "pcm_s16le")
            if suffix in ("wav", "flac"):
                given = (sound, suffix, {"wav": "pcm_s16le", "flac": "flac"}[suffix], 44100, "mono")
            make = partial(cases.do, _cut, share, *given)
            yield Case("halves", f"{suffix} cut at {share:.1%}", make, _any, REFUSED)
    if LIBRARY.is_dir():
        for path in sorted(LIBRARY.iterdir()):
            if path.suffix in media.SUFFIXES | {".gif", ".mp3", ".wav", ".flac"}:
                yield Case("halves", f"given: {path.name}", partial(cases.do, _of_library, path.name), _any, None)


def _saving():
    for given in FILMS:
        for suffix in dict.fromkeys((f".{given[0]}", ".mp4", ".mkv", ".avi")):
            name = f"{' '.join(map(str, given))} as {suffix}"
            yield Case("saving", name, partial(cases.do, film, *given), cases.saved_as(suffix), None, "made")
    for name in [*NAMES, "\udce9t\udce9", "x" * 238, "漢" * 80, "a\tb", "~", "$HOME", "%d", "....", "a\\b"]:
        for suffix in (".mkv", ".wav"):
            made = cases.saved_as(suffix, f"{name[:60]}-2") if suffix == ".mkv" else _sound_beside
            yield Case(
                "saving",
                f"called {name[:20]!a} of {len(name)} characters as {suffix}",
                partial(cases.do, _named, name, "mp4"),
                made,
            )
    for shape in (Fraction(2), Fraction(4, 3), Fraction(1, 2), Fraction(64, 45)):
        for suffix in (".mp4", ".mkv", ".mov"):
            make = partial(cases.do, _shaped, "mp4", shape)
            yield Case("saving", f"pixels of {shape} as {suffix}", make, cases.saved_as(suffix))
    for suffix in (".mp4", ".mov", ".mkv"):
        yield Case("saving", f"held upright as {suffix}", partial(cases.do, _held, "mp4"), cases.saved_as(suffix))
    for suffix in (".mp4", ".mkv"):
        for seed in (3, 4):
            make = partial(cases.do, _variable, "mp4", seed)
            yield Case("saving", f"a variable rate as {suffix} {seed}", make, cases.saved_as(suffix))
    for suffix in (".xyz", "", ".mp3", ".txt", ".MP4 "):
        make = partial(cases.do, film, "mp4", "mpeg4", "aac")
        yield Case("saving", f"as {suffix!r}", make, cases.saved_as(suffix), REFUSED, "made")


def _sound_beside(path):
    from vf.data import writing

    output = path.with_name(f"{path.stem[:60]}-2.wav")
    writing.check_output(path, output, cases.RATE)
    writing.replace_sound(path, output, wild.clicks(4.0, cases.RATE), cases.RATE)
    with open(output, "rb") as file:
        assert soundfile.info(file).frames == 4 * cases.RATE


CASES = [*_times(), *_halves(), *_saving()]
cases.check_names(CASES)
