import numpy as np
import pytest
import wild

from vf.data import clips, files
from vf.data.clips import Clip, ClipSet, Event


def test_the_papers_template():
    assert clips.text_prompt([Event(1, "wood", "hit")]) == "A person hit wood with a wooden stick."
    both = clips.text_prompt([Event(1, "wood", "hit"), Event(2, "rock", "scratch"), Event(3, "wood", "hit")])
    assert both == "A person hit wood with a wooden stick. After that, a person scratch rock with a wooden stick."


def test_events_without_a_label_are_skipped():
    assert clips.text_prompt([Event(1, None, "hit"), Event(2, "wood", None)]) == clips.DEFAULT_PROMPT
    assert clips.text_prompt([]) == "A person hit something with a wooden stick."


def test_times_are_read_and_sorted(tmp_path):
    (tmp_path / "a_times.txt").write_text("2.5 None None None\n\n1.25 plastic-bag scratch deform\n")
    first, second = clips.read_times(tmp_path / "a_times.txt")
    assert first == Event(1.25, "plastic-bag", "scratch", "deform") and second == Event(2.5, None, None, None)


@pytest.mark.parametrize(
    "line", ["x wood hit None", "1.0 wood hit", "-1 wood hit None", "nan wood hit None", "1.0 a b c d"]
)
def test_a_bad_line_is_named(tmp_path, line):
    (tmp_path / "a_times.txt").write_text(f"1.0 wood hit None\n{line}\n")
    with pytest.raises(ValueError, match=r"a_times.txt, line 2: .*mend or delete"):
        clips.read_times(tmp_path / "a_times.txt")


def test_events_are_cut_to_their_segment():
    events = [Event(4.9), Event(5.0, "wood", "hit"), Event(9.99), Event(10.0)]
    assert [e.time for e in clips.cut(events, 5.0, 5.0)] == [0.0, 4.99]


def test_the_audio_prompt_is_silent_before_the_first_onset():
    wave = np.ones(16000, np.float32)
    prompt = clips.mute_before_onset(wave, [Event(0.25), Event(0.5)], 16000)
    assert (prompt[:4000] == 0).all() and (prompt[4000:] == 1).all() and wave.all()
    assert clips.mute_before_onset(wave, [], 16000).all()


def test_sixteen_bits_lose_nothing_that_was_sixteen_bits():
    wave = np.array([-32768, -1, 0, 1, 32767], np.int16)
    assert np.array_equal(clips.to_int16(clips.from_int16(wave)), wave)
    assert clips.to_int16(np.array([2.0, -2.0])).tolist() == [32767, -32768]


def test_a_set_survives_the_disk(tmp_path):
    made = [
        Clip(f"c{i}", None, 0.0, 1.0, s, "g", (Event(0.5, "wood", "hit"),)) for i, s in enumerate(("train", "test"))
    ]
    waves = clips.to_int16(np.random.default_rng(0).uniform(-1, 1, (2, 100)))
    ClipSet(made, waves, 16000, [{"file": "x", "line": None, "reason": "r", "remedy": "m"}]).save(tmp_path)
    back = clips.load(tmp_path)
    assert back.clips == made and np.array_equal(back.waves, waves) and back.left_out[0]["file"] == "x"
    assert back.where("test").clips == made[1:] and np.array_equal(back.where("test").wave(0), back.wave(1))


def test_films_in_the_folder_move_with_it(tmp_path):
    (tmp_path / "a" / "films").mkdir(parents=True)
    inside, outside = str(tmp_path / "a" / "films" / "x.mp4"), str(tmp_path / "y.mp4")
    made = [Clip("x", inside, 0, 1, "test", "x"), Clip("y", outside, 0, 1, "test", "y")]
    ClipSet(made, np.zeros((2, 10), np.int16), 16000).save(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    back = clips.load(tmp_path / "b").clips
    assert [c.film for c in back] == [str(tmp_path / "b" / "films" / "x.mp4"), outside]


def test_material_of_a_clip():
    def clip(*materials):
        return Clip("c", None, 0, 1, "test", "g", tuple(Event(i, m, "hit") for i, m in enumerate(materials)))

    assert clips.material_of(clip("wood", None, "wood")) == "wood"
    assert clips.material_of(clip("wood", "rock")) is None and clips.material_of(clip(None)) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_of_spreadsheets_are_read(tmp_path, encoding):
    (tmp_path / "a_times.txt").write_bytes("1.0 wood hit None\r\n2.0 metal hit None\r\n".encode(encoding))
    assert [e.material for e in clips.read_times(tmp_path / "a_times.txt")] == ["wood", "metal"]


def test_what_is_no_text_is_named(tmp_path):
    for data, said in (
        (b"\xff\xfe\x00", "not in UTF-8"),
        (b"1.0 w\xf6d", "not in UTF-8"),
        (b"1\x00.\x000\x00", "zero bytes"),
    ):
        (tmp_path / "a.txt").write_bytes(data)
        with pytest.raises(ValueError, match=f"a.txt: .*{said}.*save it as UTF-8"):
            files.read_text(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="cannot be read"):
        files.read_text(tmp_path)


@pytest.mark.parametrize("name", ["clips.json", "waves.npy"])
@pytest.mark.parametrize("how", wild.DAMAGES)
def test_damaged_clips_are_named(tmp_path, name, how):
    made = [Clip(f"a_{k}", None, 0.0, 1.0, "train", "a", (Event(0.5, "wood", "hit"),)) for k in range(2)]
    ClipSet(made, np.zeros((2, 100), np.int16), 100).save(tmp_path)
    assert len(clips.load(tmp_path)) == 2
    wild.damaged(tmp_path / name, how)
    if "one byte" in how and not (name == "waves.npy" and how == "one byte short"):
        return  # a line's end, or a byte that nothing reads
    with pytest.raises(ValueError, match=f"{name}: is not what was saved .*; wanted whole clips: run the stage again"):
        clips.load(tmp_path)


def test_clips_without_their_waves_are_named(tmp_path):
    made = [Clip("a", None, 0.0, 1.0, "train", "a")]
    ClipSet(made, np.zeros((2, 100), np.int16), 100).save(tmp_path)
    with pytest.raises(ValueError, match="waves.npy: .*2 waves for 1 clips"):
        clips.load(tmp_path)
    (tmp_path / "waves.npy").unlink()
    with pytest.raises(ValueError, match="waves.npy: is not what was saved .*No such file"):
        clips.load(tmp_path)
