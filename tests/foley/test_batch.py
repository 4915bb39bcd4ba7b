"""Many films from a shell: a table beside them, going on where it stopped, and bad films that stop no other."""

import csv
import json
import os
import re
import sys
from collections import namedtuple

import av
import echo
import numpy as np
import pytest
import soundfile
import wild
from echo import curve, film
from echo import studio as maker

from vf.data import writing
from vf.foley import batch, command, curves, markers
from vf.foley.render import VideoFoley
from vf.foley.result import Foley
from vf.foley.table import NAME, Table
from vf.studio.studio import Studio


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Runs the command in a folder `in` of three films; returns (exit status, films that were rendered)."""
    (tmp_path / "in").mkdir()
    for k, name in enumerate(("one.mp4", "two.mp4", "wéird 'name'.mp4")):
        film(tmp_path / "in" / name, 1.0 + 0.1 * k)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(VideoFoley, "from_pretrained", lambda *_, **__: maker(guidance_scale=2.0))
    rendered = []
    plain = VideoFoley.render

    def render(self, source, *given, **named):
        rendered.append(source.name)
        return plain(self, source, *given, **named)

    monkeypatch.setattr(VideoFoley, "render", render)

    def run(*words):
        rendered.clear()
        status = command.main([*map(str, words)])
        return status, list(rendered)

    return run


def table(folder):
    with open(folder / NAME, encoding="utf-8", newline="") as file:
        return {row["film"]: row for row in csv.DictReader(file)}


def test_it_goes_on_where_it_stopped(shell, tmp_path, capsys):
    words = ("in", "--prompt", "a", "--output", "out")
    assert shell(*words) == (0, ["one.mp4", "two.mp4", "wéird 'name'.mp4"])
    said = capsys.readouterr()
    rows = table(tmp_path / "out")
    assert len(rows) == 3 and "E-L1" in said.out and str(tmp_path / "out" / NAME)[-20:] in said.out
    session = json.loads((tmp_path / "out" / "one-foley.json").read_text())
    assert float(rows["../in/one.mp4"]["e_l1"]) == session["adherence"]["raw"]["e_l1"]
    assert rows["../in/one.mp4"]["output"] == "one-foley.mp4" and "3/3" in said.err
    assert shell(*words) == (0, [])
    assert "has this sound already" in capsys.readouterr().out and table(tmp_path / "out") == rows
    (tmp_path / "out" / "two-foley.mp4").unlink()
    assert shell(*words) == (0, ["two.mp4"])
    film(tmp_path / "in" / "one.mp4", 1.5)
    assert shell(*words) == (0, ["one.mp4"])
    assert len(shell(*words, "--seed", "1")[1]) == 3
    assert len(shell(*words, "--seed", "1", "--negative", "no music")[1]) == 3
    assert len(shell(*words, "--seed", "1", "--negative", "no music", "--wav")[1]) == 3
    assert shell(*words, "--seed", "1", "--negative", "no music", "--wav") == (0, [])


def test_another_way_to_the_curve_makes_another_sound(shell, tmp_path, monkeypatch):
    """Classes decoded otherwise, or features of an encoder that was trained again: the same words ask for more."""
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "weights").write_text("1")

    def changed(**changes):
        made = maker(guidance_scale=2.0)
        made.origin = encoder, {"profile": "small", "kinds": ["difference"], "pool": 2}
        for key, value in changes.items():
            setattr(made, key, value)
        monkeypatch.setattr(VideoFoley, "from_pretrained", lambda *_, **__: made)
        return len(shell("in", "--prompt", "a", "--output", "out")[1])

    assert changed() == 3 and changed() == 0
    assert changed(decode="mu_law") == 3 and changed(decode="mu_law") == 0
    assert changed() == 3
    (encoder / "weights").write_text("2")
    assert changed() == 3 and changed() == 0


def test_a_bad_film_stops_no_other_and_is_named_at_the_end(shell, tmp_path, monkeypatch, capsys):
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no film")
    plain = VideoFoley.predict

    def predict(self, source, *given):
        if source.name == "one.mp4":
            raise RuntimeError("out of memory\nsecond line")
        return plain(self, source, *given)

    monkeypatch.setattr(VideoFoley, "predict", predict)
    status, _ = shell("in", "--output", "out")
    said = capsys.readouterr()
    assert status == 1 and "Traceback" not in said.err
    assert said.err.strip().splitlines()[-1] == "video-foley: 2 of 4 films got no sound: broken.mp4, one.mp4"
    assert "one.mp4: RuntimeError: out of memory second line" in said.err
    rows = table(tmp_path / "out")
    assert "RuntimeError" in rows["../in/one.mp4"]["problem"] and rows["../in/two.mp4"]["problem"] == ""
    assert said.out.count("no sound") == 2
    monkeypatch.setattr(VideoFoley, "predict", plain)
    assert shell("in", "--output", "out") == (1, ["one.mp4"])
    assert table(tmp_path / "out")["../in/one.mp4"]["problem"] == ""


def test_a_batch_that_is_stopped_keeps_what_it_has(shell, tmp_path, monkeypatch, capsys):
    plain = VideoFoley.predict

    def predict(self, source, *given):
        if source.name == "two.mp4":
            raise KeyboardInterrupt
        return plain(self, source, *given)

    monkeypatch.setattr(VideoFoley, "predict", predict)
    assert shell("in", "--output", "out")[0] == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    monkeypatch.setattr(VideoFoley, "predict", plain)
    assert shell("in", "--output", "out") == (0, ["two.mp4", "wéird 'name'.mp4"])


def test_two_films_of_one_name_do_not_overwrite_each_other(shell, tmp_path, capsys):
    film(tmp_path / "in" / "one.mov", 1.0)
    status, rendered = shell("in")
    assert status == 1 and rendered[0] == "one.mov" and "one.mp4" not in rendered
    assert "over the sound of in/one.mov" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("in/one.mp4", "--audio", "hit.wav", "--output", "hit.mp4", "--wav"),
        ("in/one.mp4", "--audio", "hit.wav", "--output", "hit.wav"),
        ("in/one.mp4", "--curve", "hit.wav", "--output", "hit.mp4", "--wav"),
        ("in/one.mp4", "--regions", "regions.json", "--output", "regions.mp4"),
        ("in/one.mp4", "in/two.mp4", "--output", "in/two.mp4"),
        ("in/one.mp4", "in/one-foley.mp4"),
    ],
)
def test_what_is_given_to_read_is_never_written_over(shell, tmp_path, capsys, words):
    film(tmp_path / "in/one-foley.mp4", 1.0)
    soundfile.write(tmp_path / "hit.wav", 0.5 * np.ones(8000), 16000)
    markers.write(tmp_path / "regions.json", [markers.Marker(0.2, "b", 0.6)])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert shell(*words)[0] == 1
    assert "wanted" in capsys.readouterr().err
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}.items()


def test_a_session_keeps_the_sound_it_names(tmp_path):
    soundfile.write(tmp_path / "hit.wav", 0.5 * np.ones(16000), 16000)
    made = maker().render(film(tmp_path / "film.mp4", 1.0), audio=tmp_path / "hit.wav")
    before = (tmp_path / "hit.wav").read_bytes()
    with pytest.raises(ValueError, match="hit.wav: is the sound that gives the timbre"):
        made.save(tmp_path / "hit.mp4", wav=True)
    assert (tmp_path / "hit.wav").read_bytes() == before and not (tmp_path / "hit.mp4").exists()


def test_a_glob_started_again_and_a_folder_pass_over_results_hidden_files_and_folders(shell, tmp_path):
    (tmp_path / "in/._one.mp4").write_bytes(b"mac")
    (tmp_path / "in/.one.12.partial.mp4").write_bytes(b"left")
    (tmp_path / "in/folder.mp4").mkdir()
    for words in ("in/*.mp4", "in/.*mp4", "in"):
        if words == "in/.*mp4":
            assert shell(words) == (1, [])
            continue
        assert shell(words, "--prompt", "a")[0] == 0
    assert sorted(path.name for path in (tmp_path / "in").glob("*-foley*.mp4")) == [
        "one-foley.mp4", "two-foley.mp4", "wéird 'name'-foley.mp4"
    ]  # fmt: skip
    assert shell("in/*.mp4", "--prompt", "a") == (0, [])


def test_links_in_a_circle_stop_no_other_film_and_a_linked_film_has_a_row_of_its_own(shell, tmp_path, capsys):
    (tmp_path / "in/loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "in/other.mp4").symlink_to("one.mp4")
    assert shell("in", "--prompt", "a")[0] == 0
    assert {"one.mp4", "other.mp4"} <= set(table(tmp_path / "in"))
    assert shell("in/one.mp4", "--output", "in/loop.mp4")[0] == 0 and (tmp_path / "in/loop.mp4").stat().st_size


def test_home_is_written_out_in_every_path(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert shell("in/one.mp4", "--output=~/made.mp4")[0] == 0
    assert (tmp_path / "made.mp4").exists() and not (tmp_path / "~").exists()
    with pytest.raises(SystemExit):
        shell("in/one.mp4", "--output", "")


def test_an_output_that_nobody_reads_and_a_stop_at_once_are_one_line(shell, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "films_of", stopped)
    assert shell("in/one.mp4") == (130, []) and capsys.readouterr().err == "video-foley: stopped\n"
    monkeypatch.undo()
    monkeypatch.setattr(command, "films_of", lambda _: print("written"))
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(batch, "run", lambda *_: 0)
        assert command.main(["film.mp4"]) == 1
    assert capsys.readouterr().err == "video-foley: standard output cannot be written to (No space left on device)\n"


def test_one_film_has_no_table_and_is_made_again(shell, tmp_path):
    for _ in range(2):
        assert shell("in/one.mp4", "--prompt", "a") == (0, ["one.mp4"])
    assert not (tmp_path / "in" / NAME).exists()


def test_a_curve_and_regions_come_in_from_files(shell, tmp_path):
    curves.to_csv(curve(1.0), 125, tmp_path / "curve.csv")
    markers.write(tmp_path / "m.csv", [markers.Marker(0.2, "b", 0.6)])
    assert shell("in/one.mp4", "--curve", "curve.csv", "--regions", "m.csv", "--prompt", "a")[0] == 0
    made = json.loads((tmp_path / "in" / "one-foley.json").read_text())
    assert made["curve"]["levels"][:3] == pytest.approx(curve(1.0)[:3].tolist())
    assert [(r["start"], r["end"], r["prompt"]) for r in made["regions"]] == [(0.2, 0.6, "b")]


def test_the_level_of_a_film_is_changed_at_once(shell, tmp_path):
    levels = []
    for words in ((), ("--level", "-6")):
        assert shell("in/one.mp4", *words)[0] == 0
        levels.append(json.loads((tmp_path / "in" / "one-foley.json").read_text())["curve"]["levels"])
    assert levels[1] == pytest.approx([level * 10**-0.3 for level in levels[0]], rel=1e-4)


def test_a_curve_that_does_not_fit_the_film_is_said_with_what_to_do(shell, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(VideoFoley, "predict", lambda *_, **__: curve(1.0) * 0)
    assert shell("in/one.mp4")[0] == 0
    assert "one.mp4: No sound was predicted for this film. Draw, hum or clap another" in capsys.readouterr().out
    curves.to_csv(curve(1.0) * 0, 125, tmp_path / "curve.csv")
    assert shell("in/one.mp4", "--curve", "curve.csv")[0] == 0
    assert "hum or clap" not in capsys.readouterr().out, "who gives a curve knows it"


def _without_numbers(folder):
    """A film whose own sound has a sample that is no number."""
    path = folder / "nan.mkv"
    with av.open(str(path), "w") as container:
        track, sound = container.add_stream("libx264", rate=25), container.add_stream("pcm_f32le", 48000, layout="mono")
        track.width, track.height, track.pix_fmt = *wild.SIZE, "yuv420p"
        for k in range(100):
            container.mux(track.encode(av.VideoFrame.from_ndarray(wild.picture(k), format="rgb24")))
        container.mux(track.encode(None))
        wave = wild.clicks()
        wave[10000] = np.nan
        wild.add_sound(container, sound, wave)
    return path


@pytest.mark.parametrize("make", [_without_numbers, wild.film_with_damaged_sound, wild.sound_that_leaps])
def test_a_film_whose_own_sound_cannot_be_read_gets_its_sound_once(shell, tmp_path, monkeypatch, capsys, make):
    """The own sound is to be replaced: that nothing can be said of the curve by it fails no film and no studio."""
    monkeypatch.setattr(VideoFoley, "predict", lambda self, film, *_, **__: curve(self.frames(film) / self.rate))
    odd = make(tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        path.unlink() if path not in (odd, tmp_path / "in/one.mp4") else None
    assert shell("in")[0] == 0
    capsys.readouterr()
    assert shell("in") == (0, []) and capsys.readouterr().out.count("has this sound already") == 2
    desk = Studio(echo.studio(), tmp_path / "in/one.mp4")
    desk.open(odd)
    assert desk.film == odd and desk.doubt == ""


def test_a_project_for_a_daw_and_a_loudness(shell, tmp_path, capsys):
    assert shell("in/one.mp4", "--project", "--loudness", "-30", "--wav")[0] == 0
    said = capsys.readouterr().out
    assert "one-foley.wav (48 kHz, 24 bit, resampled from 16 kHz)" in said and "one-foley-project" in said
    assert said.index("Writes") < said.index("wrote") and "-30.0 LUFS" in said
    folder = tmp_path / "in" / "one-foley-project"
    assert (folder / "one-foley.rpp").exists() and soundfile.info(folder / "one-foley.wav").samplerate == 48000
    assert shell("in/one.mp4", "--project") == (1, [])
    assert "may hold your work" in capsys.readouterr().err


def test_a_refusal_leaves_what_an_earlier_request_made(shell, tmp_path, capsys):
    first = ("in", "--output", "out", "--project", "--prompt", "a")
    assert shell(*first)[0] == 0
    before = table(tmp_path / "out")
    capsys.readouterr()
    status, rendered = shell("in", "--output", "out", "--project", "--prompt", "b")
    said = capsys.readouterr()
    assert (status, rendered) == (1, []) and "may hold your work" in said.err and "the earlier one stays" in said.out
    assert table(tmp_path / "out") == before and shell(*first) == (0, [])


@pytest.mark.parametrize("stopped", ["save", "save_project"])
def test_a_batch_that_is_stopped_while_it_writes_goes_on(shell, tmp_path, monkeypatch, stopped):
    plain, words = getattr(Foley, stopped), ("in", "--output", "out", "--project", "--prompt", "a")

    def stop(self, output, *given):
        plain(self, output, *given) if stopped == "save" else None
        raise KeyboardInterrupt

    monkeypatch.setattr(Foley, stopped, stop)
    assert shell(*words) == (130, ["one.mp4"])
    monkeypatch.setattr(Foley, stopped, plain)
    assert shell(*words) == (0, ["one.mp4", "two.mp4", "wéird 'name'.mp4"])
    assert (tmp_path / "out" / "one-foley-project" / "one-foley.rpp").exists() and shell(*words) == (0, [])


@pytest.mark.parametrize(
    ("words", "theirs"),
    [
        (("--output", "take.mp4"), "take.mp4"),
        (("--output", "take.mp4", "--wav"), "take.wav"),
        (("--output", "take.mp4"), "take.json"),
        ((), "in/one-foley.mp4"),
    ],
)
def test_nothing_that_it_did_not_make_is_written_over(shell, tmp_path, capsys, words, theirs):
    (tmp_path / theirs).write_text('{"my": "notes"}')
    assert shell("in/one.mp4", "--prompt", "a", *words) == (1, [])
    assert f"{theirs}: is there already, and no session" in capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert (tmp_path / theirs).read_text() == '{"my": "notes"}'
    (tmp_path / theirs).unlink()
    assert shell("in/one.mp4", "--prompt", "a", *words)[0] == 0
    assert shell("in/one.mp4", "--prompt", "b", *words)[0] == 0  # its own may be made again


def test_a_films_name_is_no_folder_for_several(shell, tmp_path, capsys):
    (tmp_path / "one-take.mp4").write_bytes(b"of somebody")
    assert shell("in/one.mp4", "--prompt", "a", "--output", "one-take.mp4/") == (1, [])
    assert "one-take.mp4: cannot be made" in capsys.readouterr().err
    assert shell("in", "--prompt", "a", "--output", "all.mp4") == (1, [])
    assert "all.mp4: is the name of a single film" in capsys.readouterr().err and not (tmp_path / "all.mp4").exists()
    assert shell("in/one.mp4", "--prompt", "a", "--output", "new.folder/")[0] == 0
    assert (tmp_path / "new.folder" / "one-foley.mp4").exists()


@pytest.mark.parametrize("length", [238, 246, 251])
def test_names_are_too_long_before_a_render_or_not_at_all(shell, tmp_path, capsys, length):
    film(tmp_path / "in" / f"{'n' * (length - 4)}.mp4", 1.0)
    status, rendered = shell(f"in/{'n' * (length - 4)}.mp4", "--prompt", "a", "--project")
    if length == 238:  # and NAME-foley-project has 251
        assert (status, len(rendered)) == (0, 1)
    else:
        assert (status, rendered) == (1, []) and "longer than the 255 bytes" in capsys.readouterr().err


def test_odd_names_are_shown_in_one_line(shell, tmp_path, capsys):
    film(tmp_path / "in" / "a\nb\x1b[31m.mp4", 1.0)
    assert shell("in/a\nb\x1b[31m.mp4", "--prompt", "a")[0] == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and "a\\nb" in said and said.count("\n") == len(said.splitlines())


def test_a_sound_that_is_cut_is_no_reason_for_partial(shell, tmp_path, capsys):
    cut = wild.wav_without_its_end(tmp_path)
    assert shell("in/one.mp4", "--audio", cut)[0] == 1
    said = capsys.readouterr().err
    assert f"{cut}: its sound breaks off" in said and "--partial" not in said


def test_how_much_of_a_broken_film_was_taken_is_said(shell, tmp_path, capsys):
    wild.film(tmp_path / "whole.mp4", movflags="+faststart")
    wild.cut(tmp_path / "whole.mp4", 0.6, tmp_path / "cut.mp4")
    assert shell("cut.mp4", "--prompt", "a", "--partial")[0] == 0
    assert re.search(
        r"[0-3]\.\d\d of its 4\.\d\d s could be read, and the new film ends there", capsys.readouterr().out
    )


def test_room_for_wavs_and_projects_is_looked_for_before_a_render(shell, tmp_path, monkeypatch, capsys):
    free = namedtuple("usage", "total used free")(0, 0, 300_000)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: free)
    assert shell("in/one.mp4", "--prompt", "a", "--wav", "--project") == (1, [])  # a second has 144 kB
    assert "0.3 MB free; make room" in capsys.readouterr().err
    assert shell("in/one.mp4", "--prompt", "a", "--wav")[0] == 0


def test_what_it_says_before_it_renders(shell, capsys):
    shell("in/one.mp4")
    said = capsys.readouterr().out.splitlines()
    assert (
        said[0] == "Prompts are free text." and "not with the film" in said[1] and said[2].startswith("Writes in/one-")
    )


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("--loudness", "3"), "wanted LUFS between -70 and 0"),
        (("--negative", " "), "--negative is empty"),
        (("--level", "99"), "wanted dB between -60 and 60"),
        (("--regions", "none.csv"), "none.csv"),
        (("--seed", str(2**53 + 1)), "seeds of 0 to"),
        (("--seed", str(2**53), "--best-of", "2"), "seeds of 0 to"),
        (("",), "a film's name is empty"),
        (("dangling.mp4",), "is a link to a film that is not there"),
        (("pipe.mp4",), "is a device or a pipe"),
    ],
)
def test_choices_that_cannot_be_are_one_line(shell, tmp_path, capsys, words, answer):
    (tmp_path / "dangling.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert shell("in/one.mp4", *words) == (1, [])
    error = capsys.readouterr().err
    assert answer in error and error.count("\n") == 1


def test_a_film_shorter_than_a_loudness_block_is_one_line(shell, tmp_path, capsys):
    film(tmp_path / "short.mp4", 0.3)
    assert shell("short.mp4", "--loudness", "-23")[0] == 1
    assert "wanted at least 0.4 s" in capsys.readouterr().err
    assert not (tmp_path / "short-foley.mp4").exists()


def test_the_summary_says_that_more_would_clip(shell, tmp_path, capsys):
    markers.write(tmp_path / "m.csv", [markers.Marker(0.5, "hit")])
    assert shell("in/one.mp4", "--curve", "m.csv", "--loudness", "-3")[0] == 0
    assert "LUFS (more would clip)" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"\0" * 50, b"name,value\nx,1\n", b"\xff\xfe" + b"x" * 7, b'film,"'])
def test_a_table_that_is_none_is_said_before_anything_is_made(shell, tmp_path, capsys, data):
    (tmp_path / "in" / NAME).write_bytes(data)
    assert shell("in", "--prompt", "a") == (1, [])
    said = capsys.readouterr().err.strip().splitlines()
    assert NAME in said[-1] and "wanted" in said[-1] and (tmp_path / "in" / NAME).read_bytes() == data


def test_a_table_that_a_spreadsheet_saved_goes_on(shell, tmp_path, capsys):
    words = ("in", "--prompt", "a")
    assert shell(*words)[0] == 0
    text = (tmp_path / "in" / NAME).read_text().replace(",", ";").replace("one.mp4;one", "one.mp4;\none")
    (tmp_path / "in" / NAME).write_text(text, encoding="utf-8-sig")
    assert shell(*words) == (0, ["one.mp4"])


def test_a_name_that_is_no_text_is_a_name(shell, tmp_path, capsys):
    name = b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    (tmp_path / "in" / "one.mp4").rename(tmp_path / "in" / name)
    assert shell("in", "--prompt", "a", "--project", "--wav")[0] == 0
    assert (tmp_path / "in" / name.replace(".", "-foley.")).exists() and "caf\\udce9.mp4" in table(tmp_path / "in")
    assert shell("in", "--prompt", "a", "--wav", "--project") == (0, [])


def test_films_of_any_container_are_found_in_a_folder(shell, tmp_path):
    (tmp_path / "mixed").mkdir()
    wild.film(tmp_path / "mixed/stream.ts")
    film(tmp_path / "mixed/one.mp4", 1.0)
    assert shell("mixed", "--prompt", "a") == (0, ["one.mp4", "stream.ts"])
    assert (tmp_path / "mixed/stream-foley.mkv").exists()


def test_a_folder_that_cannot_be_read_is_one_line(shell, monkeypatch, capsys):
    def forbidden(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(command.files, "listed", forbidden)
    assert shell("in") == (1, [])
    assert capsys.readouterr().err == (
        "video-foley: in: cannot be read (Permission denied); wanted a folder: check its rights\n"
    )


def test_two_runs_into_one_folder_keep_each_others_rows(tmp_path):
    first, second = Table(tmp_path), Table(tmp_path)
    first.put(tmp_path / "a.mp4", request="1")
    second.put(tmp_path / "b.mp4", request="2")
    first.put(tmp_path / "c.mp4", request="3")
    assert list(Table(tmp_path).rows) == ["a.mp4", "b.mp4", "c.mp4"]


def test_the_sampler_is_held_as_firmly_as_asked(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(VideoFoley, "from_pretrained", lambda *given: asked.append(given) or maker())
    film(tmp_path / "a.mp4", 1.0)
    assert command.main([str(tmp_path / "a.mp4"), "--prompt", "a", "--hold", "0.5"]) == 0
    assert command.main([str(tmp_path / "a.mp4"), "--prompt", "a"]) == 0
    assert [given[2] for given in asked] == [0.5, None], "the model's own"


@pytest.mark.parametrize("hold", ["2", "-1", "nan"])
def test_a_hold_that_is_no_share_is_one_line(tmp_path, capsys, hold):
    film(tmp_path / "a.mp4", 1.0)
    assert command.main([str(tmp_path / "a.mp4"), "--prompt", "a", f"--hold={hold}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "hold" in line and "0 (off) to 1" in line and not (tmp_path / "a-foley.mp4").exists()


def test_a_film_is_heard_while_it_is_made(shell, tmp_path, monkeypatch, capsys):
    """Standard output is the sound that the film gets, as WAV of the length that its header says, and nothing else."""
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe, open(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert shell("in/one.mp4", "--prompt", "a", "--listen", "--output", "out/one.wav")[0] == 0
        out.close()
        (tmp_path / "heard.wav").write_bytes(pipe.read())
    monkeypatch.undo()
    heard, written = soundfile.read(tmp_path / "heard.wav"), soundfile.read(tmp_path / "out" / "one.wav")
    assert heard[1] == written[1] == 16000 and len(heard[0]) == len(written[0]) == 16000
    assert np.abs(heard[0] - written[0]).max() < 1e-4 and np.abs(heard[0]).max() > 0.01
    assert "E-L1" in capsys.readouterr().err


def test_a_player_that_has_gone_stops_no_film(shell, tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert shell("in/one.mp4", "--prompt", "a", "--listen", "--output", "out/one.mp4")[0] == 0
    assert (tmp_path / "out" / "one.mp4").is_file()


@pytest.mark.parametrize(
    "words, said",
    [
        (("in/one.mp4", "in/two.mp4"), "--listen with 2 films; wanted one"),
        (("in/one.mp4", "--best-of", "2"), "--listen beside --best-of"),
        (("in/one.mp4", "--correct-gain"), "--listen beside --best-of"),
        (("in/one.mp4", "--loudness", "-23"), "--listen beside --best-of"),
    ],
)
def test_what_cannot_be_heard_before_its_end_is_refused(shell, capsys, words, said):
    assert shell(*words, "--listen") == (1, [])
    assert said in capsys.readouterr().err


def test_a_render_that_needs_the_whole_sound_is_not_heard_before(tmp_path):
    with pytest.raises(ValueError, match="listen beside best_of"):
        maker().render(None, wanted=np.full(125, 0.1, np.float32), best_of=2, listen=print)
