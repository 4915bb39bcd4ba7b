import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
import wild
from av.stream import Disposition

from vf.data import media, writing
from vf.data.render import film as render

SIZE = (64, 48)


def marked(index):
    """A frame whose brightness tells its number, in steps that survive encoding."""
    return np.full((SIZE[1], SIZE[0], 3), 8 + 12 * (index % 20), np.uint8)


def number(frame):
    return round((float(frame.mean()) - 8) / 12)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("default", [0, 1])
def test_of_several_sounds_the_one_that_is_marked_is_read(tmp_path, suffix, default):
    """What a player plays: of a dubbed film the track that its maker chose, not the first one."""
    path = tmp_path / f"dubbed.{suffix}"
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=25)
        track.width, track.height, track.pix_fmt = *SIZE, "yuv420p"
        sounds = [container.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        for k, sound in enumerate(sounds):
            sound.disposition = Disposition.default if k == default else Disposition(0)
        for k in range(50):
            container.mux(track.encode(av.VideoFrame.from_ndarray(marked(k), format="rgb24")))
        container.mux(track.encode(None))
        for k, sound in enumerate(sounds):
            wild.add_sound(container, sound, (k + 1) * 0.2 * np.sin(np.arange(96000) / 20).astype(np.float32))
    level = np.sqrt(np.mean(media.read_sound(path, 16000)[8000:24000] ** 2))
    assert level == pytest.approx(0.2 * (default + 1) / np.sqrt(2), rel=0.1)


def film_at(path, stamps, time_base=Fraction(1, 90000), gop=250):
    """A film whose frame k carries timestamp stamps[k] seconds and the mark k."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"crf": "10", "g": str(gop)}
        stream.codec_context.time_base = time_base
        for k, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(marked(k), format="rgb24")
            frame.pts, frame.time_base = round(stamp / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rate", [24000 / 1001, 25, 30000 / 1001, 50, 60])
def test_each_output_frame_is_the_one_on_screen(tmp_path, rate):
    stamps = np.arange(round(0.6 * rate)) / rate
    path = film_at(tmp_path / "film.mp4", stamps)
    frames, times = media.read_frames(path, 30, SIZE, 0, 0.5)
    assert len(frames) == 15
    for k, (frame, time) in enumerate(zip(frames, times)):
        expected = np.searchsorted(stamps, k / 30 + 5e-4, side="right") - 1
        assert number(frame) == expected % 20
        assert time == pytest.approx(stamps[expected], abs=1e-3)


def test_a_variable_rate_goes_by_timestamps(tmp_path):
    stamps = np.cumsum([0, 0.02, 0.1, 0.01, 0.2, 0.033, 0.033, 0.05])
    frames, _ = media.read_frames(film_at(tmp_path / "film.mp4", stamps), 30, SIZE, 0, 0.4)
    expected = [np.searchsorted(stamps, k / 30 + 5e-4, side="right") - 1 for k in range(12)]
    assert [number(f) for f in frames] == expected


def test_a_repeated_frame_shows_as_a_repeated_time(tmp_path):
    path = film_at(tmp_path / "film.mp4", np.arange(25) / 25)
    _, times = media.read_frames(path, 30, SIZE, 0, 1.0)
    assert len(np.unique(times)) == 25 and (np.diff(times) >= 0).all()


def test_a_stretch_equals_the_same_part_of_the_whole(tmp_path):
    path = film_at(tmp_path / "film.mp4", np.arange(100) / 25, gop=12)
    whole, times = media.read_frames(path, 30, SIZE)
    part, part_times = media.read_frames(path, 30, SIZE, 2.0, 1.0)
    assert np.array_equal(part, whole[60:90]) and np.allclose(part_times, times[60:90])


def test_the_last_frame_stays_on_screen(tmp_path):
    path = film_at(tmp_path / "film.mp4", np.arange(10) / 25)
    frames, _ = media.read_frames(path, 30, SIZE, 0, 1.0)
    assert len(frames) == 30 and {number(f) for f in frames[12:]} == {9}


def test_a_click_stays_where_it_was(tmp_path):
    wave = np.zeros(32000, np.float32)
    wave[[8000, 20000]] = 0.9
    writing.write_film(tmp_path / "film.mp4", [marked(k) for k in range(60)], 30, wave)
    back = media.read_sound(tmp_path / "film.mp4", 16000, 0, 2.0)
    assert back.shape == (32000,)
    for click in (8000, 20000):
        assert abs(int(np.abs(back[click - 800 : click + 800]).argmax()) - 800) <= 16


def test_a_stretch_of_sound_is_cut_by_time(tmp_path):
    ramp = np.linspace(-0.5, 0.5, 160000, dtype=np.float32)
    soundfile.write(tmp_path / "ramp.wav", ramp, 16000, subtype="FLOAT")
    part = media.read_sound(tmp_path / "ramp.wav", 16000, 4.0, 2.0)
    assert np.allclose(part, ramp[64000:96000], atol=1e-4)


def test_mono_is_the_average_of_the_channels(tmp_path):
    stereo = np.stack([np.full(16000, 0.4), np.full(16000, 0.2)], 1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 16000)
    assert media.read_sound(tmp_path / "stereo.wav", 16000)[8000] == pytest.approx(0.3, abs=1e-3)


def test_sound_beyond_the_end_is_silence(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.full(8000, 0.5), 16000)
    wave = media.read_sound(tmp_path / "short.wav", 16000, 0, 1.0)
    assert wave.shape == (16000,) and (wave[8000:] == 0).all()


def packets(path):
    with av.open(str(path)) as container:
        return [hashlib.sha256(bytes(p)).hexdigest() for p in container.demux(container.streams.video[0]) if p.size]


def test_new_sound_leaves_the_picture_as_it_was(tmp_path):
    film = film_at(tmp_path / "film.mp4", np.arange(50) / 25)
    before = film.read_bytes()
    writing.replace_sound(film, tmp_path / "new.mp4", np.full(32000, 0.1, np.float32), 16000)
    assert film.read_bytes() == before
    assert packets(tmp_path / "new.mp4") == packets(film)
    assert media.read_sound(tmp_path / "new.mp4", 16000, 0.5, 1.0).mean() == pytest.approx(0.1, abs=0.02)
    old, new = (media.read_frames(f, 25, SIZE) for f in (film, tmp_path / "new.mp4"))
    assert np.array_equal(old[0], new[0]) and np.allclose(old[1], new[1], atol=1e-3)


def test_nothing_half_written_is_left(tmp_path):
    film = film_at(tmp_path / "film.mp4", np.arange(5) / 25)
    with pytest.raises(media.MediaError, match="another name"):
        writing.replace_sound(film, film, np.zeros(100), 16000)
    with pytest.raises(media.MediaError, match="no such file"):
        writing.replace_sound(tmp_path / "none.mp4", tmp_path / "out.mp4", np.zeros(100), 16000)
    with pytest.raises(ValueError):
        writing.write_film(tmp_path / "odd.mp4", np.zeros((2, 47, 64, 3), np.uint8), 30)
    with pytest.raises(media.MediaError, match="cannot be written"):
        writing.write_film(tmp_path / "nowhere" / "out.mp4", [marked(0)], 30)
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_bad_files_are_named(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film")
    soundfile.write(tmp_path / "only.wav", np.zeros(1600), 16000)
    silent = film_at(tmp_path / "silent.mp4", np.arange(5) / 25)
    with pytest.raises(media.MediaError, match="text.mp4: cannot be read"):
        media.probe(tmp_path / "text.mp4")
    with pytest.raises(media.MediaError, match="only.wav: has no video stream"):
        media.read_frames(tmp_path / "only.wav", 30, SIZE)
    with pytest.raises(media.MediaError, match="silent.mp4: has no sound"):
        media.read_sound(silent, 16000)
    with pytest.raises(media.MediaError, match="no frame from 9 s"):
        media.read_frames(silent, 30, SIZE, 9.0, 1.0)


@pytest.mark.parametrize(
    "size, small", [((64, 48), (64, 48)), ((960, 540), (480, 270)), ((1000, 2), (480, 2)), ((2, 64), (2, 64))]
)
def test_a_small_copy_has_the_films_shape_and_even_sides(tmp_path, size, small):
    writing.write_film(tmp_path / "a.mp4", np.zeros((25, size[1], size[0], 3), np.uint8), 25)
    frames, rate = media.read_small(tmp_path / "a.mp4", 0.0, 1.0)
    assert frames.shape == (25, small[1], small[0], 3) and rate == 25


def test_probe(tmp_path):
    info = media.probe(film_at(tmp_path / "film.mp4", np.arange(50) / 25))
    assert (info.width, info.height, info.has_sound) == (*SIZE, False)
    assert info.seconds == pytest.approx(2.0, abs=0.05) and info.fps == pytest.approx(25, abs=0.6)


def test_the_same_frames_give_the_same_bytes_whatever_was_in_memory(tmp_path):
    frames, wave, _ = render.film("train", 0, seconds=0.5)
    seen = set()
    for again in range(4):
        noise = np.random.default_rng(again)
        litter = [noise.integers(0, 255, int(n), dtype=np.uint8) for n in noise.integers(1000, 3_000_000, 40)]
        del litter
        writing.write_film(tmp_path / "film.mp4", frames, 30, wave)
        seen.add((tmp_path / "film.mp4").read_bytes())
    (data,) = seen
    assert b"mbtree=0" in data and b"threads=1" in data  # with mbtree x264 reads memory that it has not set


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile film.mp4\n"),
        ("list.wav", "ffconcat version 1.0\nfile film.mp4\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nfilm.mp4\n#EXT-X-ENDLIST\n"),
        ("notes.txt", "to do: film the stairs\n"),
    ],
)
def test_a_list_of_films_or_a_text_is_no_film(tmp_path, name, text):
    wild.film(tmp_path / "film.mp4")
    (tmp_path / name).write_text(text)
    for read in (media.probe, media.check_whole, lambda path: media.read_sound(path, 16000)):
        with pytest.raises(media.MediaError, match=rf"{name}: cannot be read .*; wanted a film or sound file"):
            read(tmp_path / name)
