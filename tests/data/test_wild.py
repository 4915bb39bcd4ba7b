"""Time is what the container says, and half a file is not a whole one."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import wild
from project import ROOT
from wild import CLICKS, SIZE

from vf.data import media

CASES = os.environ.get("VF_CASES")


def heard(path, seconds=None):
    return wild.onsets(media.read_sound(path, 16000, 0.0, seconds))


@pytest.mark.parametrize("suffix, codec", [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("m4a", "aac")])
def test_an_encoders_delay_is_no_time(tmp_path, suffix, codec):
    path = wild.sound_file(tmp_path / f"clicks.{suffix}", codec, wild.clicks())
    assert heard(path) == pytest.approx(CLICKS, abs=5e-4)
    assert heard(path, 4.0) == pytest.approx(CLICKS, abs=5e-4)


@pytest.mark.parametrize("target, seed, number", [("mkv", 2, 18), ("mp4", 3, 26)])
def test_a_damaged_film_never_holds_its_reader_up(target, seed, number):
    """Each of these did, in H.264 and VP9, where frames were decoded in threads of their own."""
    code = (
        "import tempfile, fuzz\nfrom pathlib import Path\n"
        f"target = fuzz.TARGETS[{target!r}]\n"
        f"data = fuzz.changed({target!r}, {seed}, {number}, [make() for make in target.made])\n"
        "with tempfile.TemporaryDirectory() as folder:\n    fuzz.check_one(target, data, Path(folder))"
    )
    search = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/data")])
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200, env=os.environ | {"PYTHONPATH": search})


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "avi"])
def test_film_and_sound_have_one_clock(tmp_path, suffix):
    sound = "pcm_s16le" if suffix == "avi" else "aac"  # an AVI has no place for AAC's delay
    assert heard(wild.film(tmp_path / f"film.{suffix}", sound=sound)) == pytest.approx(CLICKS, abs=1.5e-3)


@pytest.mark.parametrize("begin, end", [(0.8, 1.3), (0.6, 2.2), (1.0, 1.03)])
def test_a_gap_between_packets_is_silence(tmp_path, begin, end):
    film = wild.film(tmp_path / "film.mkv")
    gap = wild.copied(
        film, tmp_path / "gap.mkv", lambda kind, t, p, k: None if kind == "audio" and begin <= t < end else p
    )
    kept = [click for click in CLICKS if not begin <= click < end]
    assert heard(gap) == pytest.approx(kept, abs=2.5e-3)
    assert len(media.read_sound(gap, 16000)) == pytest.approx(len(media.read_sound(film, 16000)), abs=40)
    wave = media.read_sound(gap, 16000)
    assert not wave[round((begin + 0.05) * 16000) : round((end - 0.03) * 16000)].any()


@pytest.mark.parametrize("shift", [0.4, -0.4])
def test_sound_lies_where_its_stamps_are(tmp_path, shift):
    def late(kind, second, packet, _):
        if kind == "audio" and second > 2.0:
            packet.pts += round(shift / packet.time_base)
            packet.dts = packet.pts
            return packet if packet.pts * packet.time_base > 2.03 else None  # what a muxer takes only rises
        return packet

    moved = wild.copied(wild.film(tmp_path / "film.mkv"), tmp_path / "moved.mkv", late)
    assert heard(moved) == pytest.approx([0.5, 1.5, 2.5 + shift, 3.5 + shift], abs=2.5e-3)


def test_samples_that_come_twice_are_heard_once():
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.float32), format="fltp", layout="mono")
    frame.sample_rate = 16000
    assert len(media._mono(av.AudioResampler(format="flt", rate=16000), frame)) == 1600


def test_a_sound_that_begins_late(tmp_path):
    def late(kind, _, packet, __):
        if kind == "audio":
            packet.pts += round(0.7 / packet.time_base)
            packet.dts = packet.pts
        return packet

    path = wild.copied(wild.film(tmp_path / "film.mkv"), tmp_path / "late.mkv", late)
    assert heard(path) == pytest.approx([c + 0.7 for c in CLICKS], abs=2.5e-3)
    assert wild.onsets(media.read_sound(path, 16000, 1.7, 1.0)) == pytest.approx([0.5], abs=2.5e-3)


@pytest.mark.parametrize("channels", [2, 3, 6, 8, 9, 16])
def test_channels_are_averaged_however_many(tmp_path, channels):
    levels = np.linspace(0.1, 0.5, channels)
    soundfile.write(tmp_path / "x.wav", np.tile(levels, (20000, 1)), 16000, subtype="FLOAT")
    assert media.read_sound(tmp_path / "x.wav", 16000) == pytest.approx(levels.mean(), abs=1e-5)
    assert media.read_sound(tmp_path / "x.wav", 8000)[4000] == pytest.approx(levels.mean(), abs=1e-3)


def test_a_film_with_eight_channels(tmp_path):
    assert heard(wild.film(tmp_path / "film.mp4", layout="7.1")) == pytest.approx(CLICKS, abs=1.5e-3)


def test_rate_and_layout_may_change_half_way(tmp_path):
    first = wild.sound_file(
        tmp_path / "a.mp3", "libmp3lame", wild.clicks(2.0, 48000), write_xing="0", id3v2_version="0"
    )
    then = wild.sound_file(
        tmp_path / "b.mp3", "libmp3lame", wild.clicks(2.0, 44100), 44100, "stereo", write_xing="0", id3v2_version="0"
    )
    (tmp_path / "both.mp3").write_bytes(first.read_bytes() + then.read_bytes())
    found = heard(tmp_path / "both.mp3")
    assert len(found) == 4 and np.diff(found) == pytest.approx([1.0, 1.0, 1.0], abs=0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_named(tmp_path, bad):
    wave = np.full(32000, 0.1, np.float32)
    wave[5000:5100] = bad
    soundfile.write(tmp_path / "x.wav", wave, 16000, subtype="FLOAT")
    with pytest.raises(
        media.MediaError, match=r"x.wav: .*not numbers, at 0.312 s \(sample 5000 at 16000 Hz\)"
    ) as caught:
        media.read_sound(tmp_path / "x.wav", 16000)
    assert caught.value.seconds == 0.3125
    assert len(media.read_sound(tmp_path / "x.wav", 16000, 1.0, 0.5)) == 8000


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_film_is_as_long_as_its_pictures(tmp_path, suffix):
    stamps = np.r_[np.arange(60) / 30, 2 + np.arange(8) * 0.9]
    path = wild.film(tmp_path / f"film.{suffix}", stamps=stamps, rate=30, sound=None)
    if suffix == "mp4":  # every header says three seconds
        data = bytearray(path.read_bytes())
        for box, at in ((b"mdhd", 20), (b"tkhd", 24), (b"mvhd", 20)):
            field = data.find(box) + at
            old = int.from_bytes(data[field : field + 4], "big")
            data[field : field + 4] = int(old * 0.35).to_bytes(4, "big")
        path.write_bytes(data)
    seen = media.probe(path)
    frames, times = media.read_frames(path, 25, SIZE)
    assert seen.seconds >= stamps[-1] and len(frames) == pytest.approx(seen.seconds * 25, abs=1)
    assert seen.fps == pytest.approx(68 / seen.seconds, rel=0.11)
    assert times[-1] == pytest.approx(stamps[-1], abs=2e-3)


def test_stamps_that_go_back_are_late_pictures(tmp_path):
    def swap(kind, _, packet, k):
        packet.pts = packet.dts + (200 if k == 10 else 0)
        return packet

    film = wild.film(tmp_path / "film.mkv", "mjpeg", sound=None)
    odd = wild.copied(film, tmp_path / "odd.mkv", swap)
    _, times = media.read_frames(odd, 25, SIZE)
    assert (np.diff(times) >= 0).all() and len(times) == 100
    assert media.probe(odd).seconds == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_shows_every_picture_in_order(tmp_path, codec):
    path = wild.film(tmp_path / "film.avi", codec)
    frames, times = media.read_frames(path, 25, SIZE)
    assert (np.diff(times) >= 0).all() and abs(len(frames) - 100) <= 1
    assert len(np.unique(times)) >= 98, "nothing is dropped as late"
    brightness = np.array([np.median(frame[20:]) for frame in frames])
    assert (np.diff(brightness) >= -3).all() and brightness[-1] > brightness[0] + 150


def test_a_cover_picture_is_no_film(tmp_path):
    song = wild.cover_art(tmp_path / "song.mp4")
    for read in (media.probe, media.readable, lambda path: media.read_frames(path, 25, SIZE)):
        with pytest.raises(media.MediaError, match="song.mp4: has a cover picture and no video stream"):
            read(song)
    assert heard(song) == pytest.approx(CLICKS, abs=5e-4)


def test_a_film_without_pictures(tmp_path):
    film = wild.film(tmp_path / "film.mkv")
    empty = wild.copied(film, tmp_path / "empty.mkv", lambda kind, t, p, k: p if kind == "audio" else None)
    with pytest.raises(media.MediaError, match="empty.mkv: holds no picture"):
        media.probe(empty)
    with pytest.raises(media.MediaError, match="no frame"):
        media.read_frames(empty, 25, SIZE)


def test_a_film_of_one_picture(tmp_path):
    path = wild.film(tmp_path / "one.mp4", frames=1, sound=None)
    assert 0 < media.probe(path).seconds <= 0.05 and len(media.read_frames(path, 25, SIZE)[0]) == 1


@pytest.mark.parametrize(
    "shape, width", [(Fraction(2, 1), 128), (Fraction(4, 3), 85), (Fraction(1, 2), 32), (None, 64)]
)
def test_a_film_is_as_wide_as_it_is_shown(tmp_path, shape, width):
    for suffix in ("mp4", "mkv"):
        assert media.probe(wild.film(tmp_path / f"film.{suffix}", shape=shape))[2:4] == (width, 48)
    upright = wild.turned(tmp_path / "film.mp4", tmp_path / "upright.mp4")
    assert media.probe(upright)[2:4] == (48, width)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_film_that_was_cut_off_says_where(tmp_path, suffix, share):
    whole = wild.film(tmp_path / f"whole.{suffix}", **({} if suffix == "mkv" else {"movflags": "faststart"}))
    assert media.readable(whole) == pytest.approx(4.0, abs=0.05) and media.check_whole(whole, decode=True) is None
    path = wild.cut(whole, share, tmp_path / f"cut.{suffix}")
    with pytest.raises(
        media.Truncated, match=rf"cut.{suffix}: its picture breaks off at \d\.\d\d s; wanted a whole file"
    ) as caught:
        media.read_frames(path, 25, SIZE)
    place = media.readable(path)
    assert 0.2 < caught.value.seconds == place < 3.9
    assert media.probe(path).seconds == pytest.approx(4.0, abs=0.1), "what the header says"
    frames, _ = media.read_frames(path, 25, SIZE, partial=True)
    assert len(frames) == pytest.approx(place * 25, abs=1)
    assert len(media.read_frames(path, 25, SIZE, 0.0, 0.2)[0]) == 5, "the part before is there"
    with pytest.raises(media.Truncated, match="sound breaks off"):
        media.read_sound(path, 16000)
    assert 0 < len(media.read_sound(path, 16000, partial=True)) < 3.9 * 16000
    with pytest.raises(media.Truncated):
        media.check_whole(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_film_that_is_broken_in_the_middle_says_where(tmp_path, suffix):
    film = wild.film(tmp_path / f"film.{suffix}")
    path = wild.copied(
        film,
        tmp_path / f"broken.{suffix}",
        lambda kind, t, p, k: wild.noise(p, k) if kind == "video" and 2 < t < 3 else p,
    )
    with pytest.raises(media.Truncated, match="picture breaks off") as caught:
        media.read_frames(path, 25, SIZE)
    assert 1.5 < caught.value.seconds < 2.3 and media.readable(path) == caught.value.seconds
    assert heard(path) == pytest.approx(CLICKS, abs=1.5e-3), "its sound is whole"


@pytest.mark.parametrize(
    "suffix, codec", [("mp3", "libmp3lame"), ("flac", "flac"), ("wav", "pcm_s16le"), ("ogg", "libopus")]
)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_sound_that_was_cut_off_says_where(tmp_path, suffix, codec, share):
    wave = np.random.default_rng(0).normal(0, 0.1, 4 * 48000).astype(np.float32)
    whole = wild.sound_file(tmp_path / f"whole.{suffix}", codec, wave)
    assert len(media.read_sound(whole, 16000)) == pytest.approx(64000, abs=400)
    path = wild.cut(whole, share, tmp_path / f"cut.{suffix}")
    with pytest.raises(media.Truncated, match=rf"cut.{suffix}: its sound breaks off at") as caught:
        media.read_sound(path, 16000)
    assert caught.value.seconds == pytest.approx(
        4 * share, abs=1.1 if suffix == "ogg" else 0.3
    )  # an Ogg has pages of a second
    assert len(media.read_sound(path, 16000, partial=True)) == pytest.approx(caught.value.seconds * 16000, abs=500)
    assert len(media.read_sound(path, 16000, 0.0, 0.5)) == 8000


@pytest.mark.parametrize("suffix, codec", [("mp3", "libmp3lame"), ("flac", "flac")])
def test_a_sound_with_damaged_bytes_is_not_whole(tmp_path, suffix, codec):
    wave = np.random.default_rng(0).normal(0, 0.1, 4 * 48000).astype(np.float32)
    path = wild.sound_file(tmp_path / f"x.{suffix}", codec, wave)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(1).integers(0, 255, 6000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    with pytest.raises(media.Truncated, match="sound breaks off at"):
        media.read_sound(path, 16000)


def test_a_film_with_no_index_says_that_it_was_cut_off(tmp_path):
    path = wild.cut(wild.film(tmp_path / "film.mp4"), 0.6, tmp_path / "cut.mp4")  # the index lies at its end
    with pytest.raises(media.MediaError, match=r"cut off: \d+ bytes are missing"):
        media.probe(path)


def test_an_mp3_that_does_not_count_its_frames_is_whole(tmp_path):
    path = wild.sound_file(tmp_path / "x.mp3", "libmp3lame", wild.clicks(), write_xing="0")
    assert len(media.read_sound(path, 16000)) == pytest.approx(64000, abs=2000)


@pytest.mark.skipif(not CASES, reason="VF_CASES does not point at a folder of such files")
def test_given_files_are_read_or_refused_in_one_line():
    for path in sorted(Path(CASES).iterdir()):
        for read in (
            media.probe,
            media.readable,
            lambda p: media.read_frames(p, 25, SIZE),
            lambda p: media.read_sound(p, 16000),
        ):
            try:
                read(path)
            except media.MediaError as error:
                assert path.name in str(error) and "\n" not in str(error) and "wanted" in str(error)
