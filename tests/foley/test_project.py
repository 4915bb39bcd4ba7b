"""What a DAW takes: stems that are the sound again, tables that come back, and a REAPER project that is parsed here."""

import re

import numpy as np
import pytest
import soundfile
from echo import TIMELINE, curve, film, studio

from vf.data import media
from vf.foley import curves, markers, project, reaper, record
from vf.foley.markers import Marker
from vf.foley.render import Region

NAME = 'hélas "it\'s" 一.mp4'
PLACES = [Region(0.5, 1.5, "b"), Region(1.2, 2.0, gain_db=-3.0), Region(2.5, 3.0, audio=np.ones(1600, np.float32))]


def parsed(text):
    """A small reader of .rpp: {"kind": word, "values": [...], "lines": [[word, ...]], "inside": [elements]}."""
    stack = [{"inside": []}]
    for line in text.splitlines():
        words = [next(filter(None, w), "") for w in re.findall(r"\"([^\"]*)\"|'([^']*)'|`([^`]*)`|(\S+)", line)]
        if words == [">"]:
            stack.pop()
            continue
        if words[0].startswith("<"):
            new = {"kind": words[0][1:], "values": words[1:], "lines": [], "inside": []}
            stack[-1]["inside"].append(new)
            stack.append(new)
        else:
            stack[-1]["lines"].append(words)
    assert len(stack) == 1, "an element is not closed"
    return stack[0]["inside"]


def value(element, name):
    return next(line[1:] for line in element["lines"] if line[0] == name)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(render, its film with sound, its project's folder): a film of an awkward name with three regions."""
    folder = tmp_path_factory.mktemp("a take")
    source = film(folder / NAME, 3.0)
    (folder / "out").mkdir()
    result = studio().render(source, wanted=curve(), prompt="a", regions=PLACES)
    output = result.save(folder / "out" / f"new {NAME}", wav=True, project_folder=True)
    return result, output, project.folder(output)


def test_the_wav_is_the_sound_at_48_khz_and_24_bit_and_says_that_it_was_resampled(made):
    result, output, folder = made
    for path in (output.with_suffix(".wav"), folder / f"{output.stem}.wav"):
        with soundfile.SoundFile(path) as file:
            assert (file.samplerate, file.subtype, file.frames) == (48000, "PCM_24", 3 * len(result.waveform))
            assert file.comment == "resampled from 16000 Hz: nothing above 8000 Hz"
    again = media.read_sound(folder / f"{output.stem}.wav", 16000)
    assert np.corrcoef(again, result.waveform)[0, 1] > 0.95  # what lies at the very top of the band is lost


def test_the_stems_are_the_sound_again_and_the_later_region_counts(made):
    result, output, folder = made
    names = sorted(path.name for path in (folder / "stems").iterdir())
    assert names == ["00 outside the regions.wav", "01 b.wav", "02 the film's own prompt.wav", "03 like a sound.wav"]
    stems = [soundfile.read(folder / "stems" / name)[0] for name in names]
    whole = soundfile.read(folder / f"{output.stem}.wav")[0]
    assert np.abs(sum(stems) - whole).max() < 1e-5
    for second, owner in ((0.2, 0), (1.0, 1), (1.4, 2), (2.2, 0), (2.99, 3)):
        part = slice(round((second - 0.005) * 48000), round((second + 0.005) * 48000))
        levels = [np.abs(stem[part]).max() for stem in stems]
        assert int(np.argmax(levels)) == owner and sorted(levels)[-2] < 1e-3


def test_a_long_sound_is_resampled_in_pieces_without_a_seam(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    wave = (0.1 * rng.standard_normal(16000 * 7)).astype(np.float32)
    project.write_wav(tmp_path / "whole.wav", wave, 16000)
    monkeypatch.setattr(project, "PIECE", 2)
    project.write_wav(tmp_path / "pieces.wav", wave, 16000)
    whole, pieces = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("whole", "pieces"))
    assert len(whole) == len(pieces) == 48000 * 7 and np.abs(whole - pieces).max() < 1e-6


def test_the_reaper_project_holds_film_stems_markers_and_curve(made):
    result, output, folder = made
    (top,) = parsed((folder / f"{output.stem}.rpp").read_text(encoding="utf-8"))
    assert top["kind"] == "REAPER_PROJECT" and value(top, "SAMPLERATE")[0] == "48000"
    tracks = [element for element in top["inside"] if element["kind"] == "TRACK"]
    assert [value(t, "NAME")[0] for t in tracks] == [
        "film", "outside the regions", "b", "[the film's own prompt]", "[like a sound]", "loudness curve"
    ]  # fmt: skip
    sources = []
    for track in tracks[:-1]:
        (item,) = track["inside"]
        assert value(item, "POSITION") == ["0"] and float(value(item, "LENGTH")[0]) == pytest.approx(3.0, abs=1e-3)
        sources.append((item["inside"][0]["kind"], item["inside"][0]["values"][0], value(item["inside"][0], "FILE")[0]))
    assert [kind for _, kind, _ in sources] == ["VIDEO", "WAVE", "WAVE", "WAVE", "WAVE"]
    for _, _, path in sources:
        assert not path.startswith("/") and (folder / path).is_file(), path
    assert (folder / sources[0][2]).samefile(output)
    assert [float(value(t, "VOLPAN")[0]) for t in tracks] == [0, 1, 1, 1, 1, 1]


def test_the_curve_is_an_automation_lane(made):
    result, output, folder = made
    (top,) = parsed((folder / f"{output.stem}.rpp").read_text(encoding="utf-8"))
    lane = top["inside"][-1]["inside"][0]
    assert lane["kind"] == "VOLENV2" and value(lane, "ACT")[0] == "1"
    points = np.array([line[1:3] for line in lane["lines"] if line[0] == "PT"], float)
    drawn = np.interp(np.arange(375) / 125, *points.T)
    assert np.abs(drawn - result.wanted).max() < 0.0011 and len(points) < 100


def test_markers_stand_in_the_project_and_in_a_table_that_comes_back(made):
    result, output, folder = made
    table = markers.read(folder / "markers.csv")
    assert (folder / "markers.csv").read_text().splitlines()[0] == "time,name,end"
    spans = [m for m in table if m.end is not None]
    assert [(m.time, m.end, m.name) for m in spans] == [
        (0.5, 1.5, "b"), (1.2, 2.0, "[the film's own prompt]"), (2.5, 3.0, "[like a sound]")
    ]  # fmt: skip
    back = markers.regions(table, 3.0)
    assert [(r.start, r.end, r.prompt) for r in back] == [(0.5, 1.5, "b"), (1.2, 2.0, None), (2.5, 3.0, None)]
    (top,) = parsed((folder / f"{output.stem}.rpp").read_text(encoding="utf-8"))
    lines = [line[1:] for line in top["lines"] if line[0] == "MARKER"]
    regions = [(float(time), name) for _, time, name, kind in lines if kind == "1"]
    assert [(m.time, m.name) for m in spans] == [r for r in regions if r[1]]
    assert sorted(m.end for m in spans) == sorted(time for time, name in regions if not name)
    points = [float(time) for _, time, _, kind in lines if kind == "0"]
    assert points == pytest.approx([m.time for m in table if m.end is None], abs=1e-4)


def test_the_curve_comes_back_exactly(made):
    result, _, folder = made
    assert np.array_equal(curves.read(folder / "curve.csv", TIMELINE, 3.0), result.wanted)


def test_a_project_that_is_there_is_left_alone(made):
    result, output, folder = made
    before = output.stat().st_mtime_ns
    with pytest.raises(media.MediaError, match="is there already, and may hold your work"):
        result.save(output, project_folder=True)
    assert output.stat().st_mtime_ns == before


def test_without_regions_and_film_the_project_has_the_sound_alone(tmp_path):
    result = studio().render(None, wanted=curve(), prompt="a")
    result.save(tmp_path / "foley.wav", project_folder=True)
    folder = tmp_path / "foley-project"
    assert sorted(p.name for p in folder.iterdir()) == ["curve.csv", "foley.rpp", "foley.wav", "markers.csv"]
    (top,) = parsed((folder / "foley.rpp").read_text())
    assert [value(t, "NAME")[0] for t in top["inside"]] == ["sound", "loudness curve"]
    assert np.array_equal(record.read(tmp_path / "foley.json")[0]["wanted"], curve())


def test_what_fails_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    result = studio().render(None, wanted=curve(), prompt="a")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reaper, "text", full)
    with pytest.raises(media.MediaError, match="foley-project: cannot be written .No space left"):
        result.save(tmp_path / "foley.wav", project_folder=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["foley.json", "foley.wav"]


@pytest.mark.parametrize("words", ["plain", 'a "b"', "it's", 'a "b" it\'s', "`", "一 é"])
def test_any_name_is_quoted_so_that_it_comes_back(words):
    (element,) = parsed(f"<TRACK\nNAME {reaper.quoted(words)}\n>")
    assert value(element, "NAME") == [words]


def test_reapers_own_table_is_read(tmp_path):
    path = tmp_path / "regions.csv"
    path.write_text('#,Name,Start,End,Length\nM1,step,0:01.500,,\nR1,"a, b",1:00:00.5,1:00:02,1.5\n')
    assert markers.read(path) == [Marker(1.5, "step"), Marker(3600.5, "a, b", 3602.0)]


def test_markers_without_ends_reach_to_the_next_one_and_what_lies_behind_the_film_is_left_out():
    found = [Marker(0.5, "a"), Marker(1.0, "[as it is]"), Marker(2.0, "b"), Marker(3.4, "c")]
    spans = [(r.start, r.end, r.prompt) for r in markers.regions(found, 3.0)]
    assert spans == [(0.5, 1.0, "a"), (1.0, 2.0, None), (2.0, 3.0, "b")]


def test_markers_as_a_curve_are_hits(tmp_path):
    markers.write(tmp_path / "m.csv", [Marker(0.5, "x"), Marker(1.0, "region", 1.5), Marker(2.0, "y")])
    drawn = curves.read(tmp_path / "m.csv", TIMELINE, 3.0)
    assert np.array_equal(drawn, curves.hits([0.5, 2.0], 125, 3.0)) and drawn.max() > 0.1
    markers.write(tmp_path / "m.csv", [Marker(1.0, "region", 1.5)])
    with pytest.raises(ValueError, match="every marker has an end"):
        curves.read(tmp_path / "m.csv", TIMELINE, 3.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with nothing; wanted the headers time,name"),
        ("time,level\n1,2\n", "wanted the headers time,name"),
        ("time,name\n", "no markers"),
        ("time,name\nsoon,x\n", "line 2: soon,x; wanted seconds or h:m:s"),
        ("time,name\n1.1.00,x\n", "line 2"),
        ("name,time\nx\n", "line 2"),
    ],
)
def test_a_table_of_no_markers_is_one_line(tmp_path, text, words):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        markers.read(tmp_path / "m.csv")


def test_the_corners_of_a_curve_are_few_and_near():
    wanted = curve(60.0)
    points = np.array(curves.corners(wanted, 125, 0.002))
    drawn = np.interp(np.arange(len(wanted)) / 125, *points.T)
    assert np.abs(drawn - wanted).max() <= 0.002 + 1e-6 and len(points) < len(wanted) / 4
    assert curves.corners(np.zeros(100, np.float32), 125, 0.001) == [(0.0, 0.0), (99 / 125, 0.0)]


@pytest.mark.parametrize("row", ["0.5,wood,0", "0.5,wood,0.2", "0.5,wood,0.5", "0,5,wood,1"])
def test_regions_that_end_before_they_begin_and_rows_with_a_comma_too_many_are_named(tmp_path, row):
    (tmp_path / "m.csv").write_text(f"time,name,end\n{row}\n")
    with pytest.raises(ValueError, match=f"m.csv, line 2: {row}"):
        markers.read(tmp_path / "m.csv")


def test_regions_that_lie_behind_the_film_are_refused():
    found = [Marker(500.0, "wood", 900.0), Marker(1000.0, "metal", 1500.0)]
    with pytest.raises(ValueError, match="regions begin at 500 s or later, the film ends at 2.00 s"):
        markers.regions(found, 2.0)
    with pytest.raises(ValueError, match="regions begin at 500 s or later, .* in frames or in milliseconds"):
        markers.regions([Marker(1.0, "wood", 1.5), *found], 2.0)
    assert [r.end for r in markers.regions([Marker(1.0, "wood", 9.0), Marker(2.5, "metal", 3.0)], 2.0)] == [2.0]
    assert markers.regions([], 2.0) == []


def test_a_renders_own_onsets_begin_no_region(tmp_path):
    found = markers.of(
        np.r_[np.zeros(50), np.full(50, 0.2), np.zeros(150), np.full(50, 0.2)].astype(np.float32), 125, []
    )
    assert len(found) == 2 and {m.name for m in found} == {markers.ONSET}
    markers.write(tmp_path / "m.csv", found)
    with pytest.raises(ValueError, match=r"m\.csv: has onsets alone"):
        markers.read_regions(tmp_path / "m.csv", 3.0)
    markers.write(tmp_path / "m.csv", [*found, Marker(1.0, "wood")])
    assert [(r.start, r.end, r.prompt) for r in markers.read_regions(tmp_path / "m.csv", 3.0)] == [(1.0, 3.0, "wood")]


def test_what_is_wrong_with_a_table_of_regions_names_the_table(tmp_path):
    markers.write(tmp_path / "far.csv", [Marker(500.0, "wood", 900.0)])
    with pytest.raises(ValueError, match=r"far\.csv: regions begin at 500 s or later"):
        markers.read_regions(tmp_path / "far.csv", 2.0)
    assert [r.prompt for r in markers.read_regions(tmp_path / "far.csv", 600.0)] == ["wood"]
