"""A saved film keeps its picture: packets, times, shape and rotation; what cannot be saved is said before."""

import os
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile
import wild
from wild import CLICKS, SIZE

from vf.data import media, writing

RATE = 16000
SOUND = wild.clicks(4.0, RATE)


def shown(path, order="pts"):
    """(second from the first, bytes) of each picture, in order of decoding."""
    with av.open(f"file:{path}") as container:
        found = [p for p in container.demux(container.streams.video[0]) if p.size]
        zero = min(getattr(p, order) for p in found if getattr(p, order) is not None)
        return [
            ((getattr(p, order) - zero) * p.time_base if getattr(p, order) is not None else None, bytes(p))
            for p in found
        ]


def saved(film, output):
    writing.check_output(film, output, RATE)
    writing.replace_sound(film, output, SOUND, RATE)
    return output


@pytest.mark.parametrize("source", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("target", ["mp4", "mkv", "mov", "m4v"])
@pytest.mark.parametrize("b_frames", [0, 3])
def test_packets_times_and_clicks_are_kept(tmp_path, source, target, b_frames):
    film = wild.film(tmp_path / f"film.{source}", b_frames=b_frames)
    made = saved(film, tmp_path / f"made.{target}")
    for (old, data), (new, again) in zip(shown(film), shown(made), strict=True):
        assert data == again and abs(old - new) < 1.5e-3
    assert wild.onsets(media.read_sound(made, RATE)) == pytest.approx(CLICKS, abs=1.5e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([film.name, made.name])
    frames = [media.read_frames(path, 25, SIZE)[0] for path in (film, made)]
    assert np.array_equal(*frames)


def test_a_matroska_whose_first_packets_have_no_decoding_time(tmp_path):
    film = wild.film(tmp_path / "film.mkv", b_frames=3)
    assert shown(film, "dts")[0][0] is None, "or this tests nothing"
    for suffix in ("mkv", "mp4"):
        assert shown(saved(film, tmp_path / f"made.{suffix}"))[0][0] == 0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_film_of_few_pictures_is_saved(tmp_path, frames):
    film = wild.film(tmp_path / "film.mkv", frames=frames)
    assert len(shown(saved(film, tmp_path / "made.mp4"))) == frames


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg", "libx264"])
def test_the_sound_of_an_avi_is_not_shifted(tmp_path, codec):
    film = wild.film(tmp_path / "film.avi", codec, b_frames=0)
    made = saved(film, tmp_path / "made.avi")
    assert [data for _, data in shown(film)] == [data for _, data in shown(made)]
    with av.open(str(made)) as container:  # by the container's clock, without this reader
        wave = np.concatenate([f.to_ndarray().ravel() for f in container.decode(container.streams.audio[0])]) / 32768
    assert wild.onsets(wave.astype(np.float32)) == pytest.approx(CLICKS, abs=1e-4)
    assert wild.onsets(media.read_sound(made, RATE)) == pytest.approx(CLICKS, abs=1e-4)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_pictures_of_an_avi_come_in_order(tmp_path, suffix):
    film = wild.film(tmp_path / "film.avi", b_frames=3, sound=None)
    made = saved(film, tmp_path / f"made.{suffix}")
    with av.open(str(made)) as container:
        stamps = [float(p.pts * p.time_base) for p in container.decode(container.streams.video[0])]
    assert len(stamps) == 100 and np.diff(stamps) == pytest.approx(np.full(99, 0.04), abs=0.011)


def test_variable_rate_and_transport_streams(tmp_path):
    stamps = np.cumsum(np.tile([0.04, 0.1, 0.02, 0.3], 25)) - 0.04
    for name in ("vfr.mp4", "stream.ts"):
        film = wild.film(tmp_path / name, stamps=stamps if name == "vfr.mp4" else None)
        made = saved(film, tmp_path / f"{name}.mkv")
        assert [t for t, _ in shown(made)] == pytest.approx([t for t, _ in shown(film)], abs=1.5e-3)


@pytest.mark.parametrize("target", ["mp4", "mkv", "mov"])
def test_shape_and_rotation_are_kept(tmp_path, target):
    film = wild.turned(wild.film(tmp_path / "flat.mp4", shape=Fraction(2, 1)), tmp_path / "film.mp4")
    made = saved(film, tmp_path / f"made.{target}")
    assert media.probe(made)[2:4] == media.probe(film)[2:4] == (48, 128)
    assert media.extent(made).turned == media.extent(film).turned == -90
    assert np.array_equal(*(media.read_frames(path, 25, (48, 128))[0] for path in (film, made)))


def test_what_a_container_would_lose_is_said_before(tmp_path):
    film = wild.turned(
        wild.film(tmp_path / "flat.avi", "mjpeg", sound=None), tmp_path / "x.avi"
    )  # no such header in it
    upright = wild.turned(wild.film(tmp_path / "flat.mp4", "mjpeg"), tmp_path / "upright.mp4")
    saved(film, tmp_path / "made.avi")
    for do in (writing.check_output, lambda f, o: writing.replace_sound(f, o, SOUND, RATE)):
        with pytest.raises(
            media.MediaError, match=r"\.avi cannot hold the film's picture \(.*turned by 0.*name it out.mp4"
        ):
            do(upright, tmp_path / "out.avi")
    assert not (tmp_path / "out.avi").exists()


def test_a_gif_gets_a_way_that_works(tmp_path):
    film = wild.film(tmp_path / "film.gif", "gif", frames=30, rate=10, sound=None)
    for suffix in ("gif", "mp4", "mkv", "webm"):
        with pytest.raises(media.MediaError, match=r"cannot hold the film's picture .*: name it out\.\w+$") as caught:
            writing.check_output(film, tmp_path / f"out.{suffix}")
        way = str(caught.value).split("name it ")[1]
        assert shown(saved(film, tmp_path / way))[-1][0] == pytest.approx(2.9)


NAMES = [
    "a:b",
    "http:x",
    "-i",
    " sp ace ",
    "q\"'uote",
    "h#a?b%20c%03d",
    "é漢",
    "x" * 244,
    "[*]",
    "a|b",
    "file:y",
    "new\nline",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    film = wild.film(tmp_path / "film.mp4").rename(f"{name}.mp4")
    made = saved(film.name, f"{name}.mkv")
    assert media.probe(film.name).seconds == media.probe(made).seconds == pytest.approx(4.0)
    assert len(media.read_frames(made, 25, SIZE)[0]) == 100
    writing.write_film(f"{name}.mov", [wild.picture(k) for k in range(5)], 25, SOUND[:3200])
    writing.write_sound(f"{name}.wav", SOUND, RATE)
    assert wild.onsets(media.read_sound(f"{name}.wav", RATE)) == pytest.approx(CLICKS)
    assert len(os.listdir()) == 4


def test_names_of_255_bytes(tmp_path):
    name = tmp_path / f"{'x' * 251}.wav"
    writing.write_sound(name, SOUND, RATE)
    with writing.whole(tmp_path / f"{'é' * 125}.json") as partial:
        partial.write_text("{}")
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(media.MediaError, match="too long"):
        writing.write_sound(tmp_path / f"{'x' * 252}.wav", SOUND, RATE)


def test_a_sound_alone_beside_a_film(tmp_path):
    film = wild.film(tmp_path / "film.mp4")
    for suffix in ("wav", "flac"):
        made = saved(film, tmp_path / f"film.{suffix}")
        assert soundfile.info(made).frames == 4 * RATE
    writing.replace_sound(film, tmp_path / "film.wav", SOUND[:RATE], RATE)
    assert soundfile.info(tmp_path / "film.wav").frames == 4 * RATE, "followed by silence"


def test_what_cannot_be_saved_is_said_in_one_line(tmp_path, monkeypatch):
    film = wild.film(tmp_path / "film.mp4", movflags="faststart")
    (tmp_path / "link.mp4").hardlink_to(film)
    (tmp_path / "folder.mp4").mkdir()
    half = wild.cut(film, 0.6, tmp_path / "half.mp4")
    cases = {
        "film.mp4": "is the film itself",
        "link.mp4": "is the film itself",
        "nowhere/out.mp4": "cannot be written .No such file",
        "folder.mp4": "is a folder",
        "out.webm": "takes no h264.*name it out.mp4",
        "out.xyz": "no film with sound is called '.xyz'.*name it out.mp4",
        "out": "no film with sound is called ''.*name it out.mp4",
        "film.xyz": "name it film_foley.mp4",
    }
    before = sorted(tmp_path.iterdir())
    for name, said in cases.items():
        with pytest.raises(media.MediaError, match=said) as caught:
            writing.check_output(film, tmp_path / name)
        assert "\n" not in str(caught.value) and "wanted" in str(caught.value)
    with pytest.raises(media.Truncated, match="breaks off"):
        writing.check_output(half, tmp_path / "out.mp4")
    with pytest.raises(media.Truncated, match="breaks off"):
        writing.replace_sound(half, tmp_path / "out.mp4", SOUND, RATE)
    with pytest.raises(media.MediaError, match="wanted .wav or .flac"):
        writing.check_output(None, tmp_path / "out.mp4")
    writing.check_output(None, tmp_path / "out.wav")
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(media.MediaError, match="MB needed, 0.0 MB free; make room"):
        writing.check_output(film, tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_fills_leaves_nothing(tmp_path, monkeypatch):
    film = wild.film(tmp_path / "film.mp4")

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_mux_sound", full)
    for do in (
        lambda: writing.replace_sound(film, tmp_path / "out.mp4", SOUND, RATE),
        lambda: writing.write_film(tmp_path / "new.mp4", [wild.picture(0)], 25, SOUND),
    ):
        with pytest.raises(media.MediaError, match=r"cannot be written \(No space left on device\)"):
            do()
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("change", ["a picture", "a time", "the sound"])
def test_a_film_that_does_not_come_back_is_not_saved(tmp_path, monkeypatch, change):
    film, copy = wild.film(tmp_path / "film.mp4", "mjpeg"), writing._copy

    def worse(film, output, target, wave, sample_rate, pictures=None):
        step = target.with_name("step.mov")
        copy(film, step, step, wave, sample_rate, pictures)

        def spoil(kind, second, packet, k):
            if change == "a picture" and kind == "video" and k == 50:
                return wild.noise(packet)
            if change == "a time" and kind == "video" and k == 50:
                packet.pts += round(0.01 / packet.time_base)
            return None if change == "the sound" and kind == "audio" and second > 3 else packet

        wild.copied(step, target, spoil)
        step.unlink()

    monkeypatch.setattr(writing, "_copy", worse)
    with pytest.raises(media.MediaError, match="out.mp4: .mp4 cannot hold the film's picture"):
        writing.replace_sound(film, tmp_path / "out.mp4", SOUND, RATE)
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_sounds_of_other_kinds_are_refused(tmp_path):
    for suffix in ("mp3", "xyz", "mp4"):
        with pytest.raises(media.MediaError, match="wanted .wav or .flac"):
            writing.write_sound(tmp_path / f"x.{suffix}", SOUND, RATE)
    with pytest.raises(media.MediaError, match="wanted one of .avi, "):
        writing.write_film(tmp_path / "x.wav", [wild.picture(0)], 25)
    assert not list(tmp_path.iterdir())
