"""A saved film keeps its picture: packets, times, shape and rotation; what cannot be saved is said before."""

import os
import subprocess
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile
import wild
from wild import CLICKS, SIZE

from vf.data import clips, media, writing

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


@pytest.mark.parametrize(
    "suffix, tag", [("mp4", "hvc1"), ("mp4", "hev1"), ("mov", "hvc1"), ("mov", "hev1"), ("mkv", "")]
)
def test_the_tag_of_hevc_stays_as_apples_players_show_one_alone(tmp_path, suffix, tag):
    film = tmp_path / f"film.{suffix}"
    with av.open(str(film), "w") as container:
        track = container.add_stream("libx265", rate=25)
        track.width, track.height, track.pix_fmt = *SIZE, "yuv420p"
        track.options = {"x265-params": "log-level=none:pools=none"}
        if tag:
            track.codec_context.codec_tag = tag
        for k in range(10):
            container.mux(track.encode(av.VideoFrame.from_ndarray(wild.picture(k), format="rgb24")))
        container.mux(track.encode(None))
    for target in ("mp4", "mov"):
        with av.open(str(saved(film, tmp_path / f"made.{target}"))) as made:
            assert made.streams.video[0].codec_context.codec_tag == (tag or "hvc1")


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("frames, rate", [(121, 60), (100, 25), (97, 24)])
def test_the_track_of_the_sound_is_as_long_as_the_picture_to_a_picture(tmp_path, suffix, frames, rate):
    made = saved(wild.film(tmp_path / "film.mp4", frames=frames, rate=rate, sound=None), tmp_path / f"made.{suffix}")
    with av.open(str(made)) as container:
        picture, sound = (float(s.duration * s.time_base) for s in container.streams)
        assert abs(picture - frames / rate) < 1e-3 and abs(sound - picture) < 1e-3
        assert container.duration / av.time_base == pytest.approx(picture, abs=1e-3)


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


def transparent(path):
    """A film of VP9 with an alpha channel."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("libvpx-vp9", rate=25, options={"deadline": "realtime", "cpu-used": "8"})
        track.width, track.height, track.pix_fmt = 64, 48, "yuva420p"
        for k in range(10):
            picture = np.dstack([wild.picture(k), np.full((48, 64), 20 * k, np.uint8)])
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva420p")))
        container.mux(track.encode(None))
    return path


def test_transparency_is_kept_or_said_to_be_lost(tmp_path):
    source, sound = transparent(tmp_path / "clear.webm"), np.zeros(16000, np.float32)
    for name, before in (("a.mkv", source), ("b.webm", tmp_path / "a.mkv")):
        writing.replace_sound(before, tmp_path / name, sound, 16000)
        with av.open(str(tmp_path / name)) as container:
            stream = container.streams.video[0]
            tags = {key.lower(): value for key, value in stream.metadata.items()}
            packet = next(container.demux(stream))
            assert tags["alpha_mode"] == "1" and [*packet.iter_sidedata()], "the second picture lies beside the packet"
    with pytest.raises(media.MediaError, match="loses its transparency.* name it c.webm"):
        writing.check_output(source, tmp_path / "c.mp4")


def test_a_gif_gets_a_way_that_works(tmp_path):
    film = wild.film(tmp_path / "film.gif", "gif", frames=30, rate=10, sound=None)
    for suffix in ("gif", "mp4", "mkv", "webm"):
        with pytest.raises(media.MediaError, match=r"cannot hold the film's picture .*: name it out\.\w+$") as caught:
            writing.check_output(film, tmp_path / f"out.{suffix}")
        way = str(caught.value).split("name it ")[1]
        assert shown(saved(film, tmp_path / way))[-1][0] == pytest.approx(2.9)


def test_a_stream_without_times_is_refused_by_its_own_name(tmp_path):
    path = wild.film(tmp_path / "film.h264", sound=None)
    for suffix in ("mp4", "mkv"):
        with pytest.raises(media.MediaError, match=r"(film|out)\.\w+: .*; wanted") as caught:
            saved(path, tmp_path / f"out.{suffix}")
        assert "tried" not in str(caught.value) and [p.name for p in tmp_path.iterdir()] == ["film.h264"]


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
        "film.xyz": "name it film-foley.mp4",
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


@pytest.mark.parametrize("source, target", [("mov", "mov"), ("mp4", "mov"), ("mov", "mp4")])
def test_an_edit_list_is_kept(tmp_path, source, target):
    film = wild.edited_film(tmp_path, source)
    made = saved(film, tmp_path / f"made.{target}")
    old, new = (media.read_frames(path, 25, SIZE) for path in (film, made))
    assert len(old[0]) == 62 and np.array_equal(old[0], new[0]) and np.allclose(old[1], new[1], atol=1e-3)
    assert wild.onsets(media.read_sound(made, RATE)) == pytest.approx([0.5, 1.5], abs=1.5e-3)


def test_an_edit_list_that_a_container_cannot_hold_is_said_before(tmp_path):
    film = wild.edited_film(tmp_path)
    for suffix in ("mkv", "avi"):
        with pytest.raises(media.MediaError, match="cannot hold the film's picture .*name it out.mov"):
            writing.check_output(film, tmp_path / f"out.{suffix}")


@pytest.mark.parametrize("suffix", ["mkv", "avi", "webm", "mp4"])
def test_the_sound_is_as_long_as_a_quick_film(tmp_path, suffix):
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(suffix, "libx264")
    film = wild.film(tmp_path / f"film.{suffix}", codec, frames=97, rate=60, sound=None)
    made = saved(film, tmp_path / f"made.{suffix}")
    with av.open(str(made)) as container:
        stream = container.streams.audio[0]
        claimed = float(stream.duration * stream.time_base) if stream.duration else None
    length = len(media.read_sound(made, RATE)) / RATE if suffix != "mp4" else claimed  # AAC comes in whole blocks
    assert length == pytest.approx(97 / 60, abs=1 / 60)


@pytest.mark.parametrize("make", [wild.film_cut_off, wild.film_broken_in_the_middle])
def test_what_can_be_read_of_a_film_can_be_saved(tmp_path, make):
    film = make(tmp_path)
    made = tmp_path / f"made{film.suffix}"
    if make is wild.film_cut_off:  # the other one's packets are all there
        for do in (writing.check_output, lambda f, o: writing.replace_sound(f, o, SOUND, RATE)):
            with pytest.raises(media.Truncated, match="breaks off"):
                do(film, made)
        assert not made.exists()
    writing.check_output(film, made, RATE, partial=True)
    writing.replace_sound(film, made, SOUND, RATE, partial=True)
    part, whole = (media.read_frames(path, 25, SIZE, partial=path == film)[0] for path in (film, made))
    assert media.check_whole(made, decode=True) is None and np.array_equal(part, whole[: len(part)])
    assert len(whole) == pytest.approx(media.readable(film) * 25, abs=4)  # those that the last ones need come along
    assert wild.onsets(media.read_sound(made, RATE))[0] == pytest.approx(0.5, abs=1.5e-3)


def test_a_whole_film_is_saved_whole_with_partial(tmp_path):
    film = wild.film(tmp_path / "film.mp4")
    writing.replace_sound(film, tmp_path / "made.mp4", SOUND, RATE, partial=True)
    assert len(shown(tmp_path / "made.mp4")) == 100


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 100 kB. Skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, small_disk):
    film = wild.film(tmp_path / "film.mkv")
    for suffix in ("mp4", "mkv", "wav"):
        with pytest.raises(media.MediaError, match="cannot be written .No space left on device.; wanted"):
            writing.replace_sound(film, small_disk / f"out.{suffix}", SOUND, RATE)
    with pytest.raises(media.MediaError, match="MB needed, 0.1 MB free; make room"):
        writing.check_output(film, small_disk / "out.mp4")
    assert not list(small_disk.iterdir())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for do in (writing.check_output, lambda f, o: writing.replace_sound(f, o, SOUND, RATE)):
        with pytest.raises(media.MediaError, match="cannot be written .Read-only file system.; wanted a folder"):
            do(film, small_disk / "out.mp4")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sound_that_holds_no_numbers_is_not_written(tmp_path, value):
    wave = np.full(16000, 0.1)
    wave[9000] = value
    said = "holds NaN or infinite samples"
    with pytest.raises(media.MediaError, match=said):
        writing.write_sound(tmp_path / "a.wav", wave, 16000)
    with pytest.raises(media.MediaError, match=said):
        writing.write_film(tmp_path / "a.mp4", np.zeros((10, 16, 16, 3), np.uint8), 10, wave)
    with pytest.raises(ValueError, match=said):
        clips.to_int16(wave)
    assert clips.refusal(wave)[0] == said and not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [29.97, 30000 / 1001, 25.0, 30])
def test_a_film_is_written_at_any_rate(tmp_path, rate):
    writing.write_film(tmp_path / "a.mp4", np.zeros((30, 16, 16, 3), np.uint8), rate)
    assert media.probe(tmp_path / "a.mp4").seconds == pytest.approx(30 / rate, abs=1e-3)
