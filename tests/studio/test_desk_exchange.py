"""Files in and out of the desk: they arrive whole, in pieces, do what they are for, and go out as they were written."""

import json
import zipfile

import numpy as np
import pytest
import soundfile
from echo import film
from echo import studio as maker

from vf.foley import alongside
from vf.studio import carrier
from vf.studio.carrier import Carrier
from vf.studio.desk import Desk
from vf.studio.studio import Studio

SECONDS = 2.0


@pytest.fixture
def desk(tmp_path):
    return Desk(Studio(maker(), film(tmp_path / "film.mp4", SECONDS), "a bell", folder=tmp_path), "film-foley.mp4")


class Wire(Carrier):
    """A carrier that keeps what it says to the browser."""

    def __init__(self, *args):
        super().__init__(*args)
        self.said = []

    def send(self, content, buffers=None):
        self.said.append((content, buffers))


def sent(wire, name, data, piece=7):
    """Send a file as pieces.js does: each piece when the last has come."""
    for start in range(0, max(1, len(data)), piece):
        message = {"do": "put", "key": "k", "name": name, "size": len(data), "start": start}
        wire.carry(message, [memoryview(data[start : start + piece])])


def noise(path, seconds, level=0.1):
    soundfile.write(path, np.random.default_rng(0).normal(0, level, round(16000 * seconds)), 16000)
    return path


def test_a_file_arrives_whole_and_under_its_own_name(tmp_path):
    came = []
    wire = Wire(tmp_path / "in", came.append)
    data = bytes(range(40))
    sent(wire, "../../.a film.mp4", data)
    assert came == [tmp_path / "in" / "a film.mp4"] and came[0].read_bytes() == data
    assert [message["have"] for message, _ in wire.said] == [7, 14, 21, 28, 35, 40]
    sent(wire, "a film.mp4", data)  # the same again
    sent(wire, "a film.mp4", data[::-1])  # another one of that name
    assert [path.name for path in came] == ["a film.mp4", "a film.mp4", "a film-2.mp4"]
    assert came[0].read_bytes() == data and came[2].read_bytes() == data[::-1]
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["a film-2.mp4", "a film.mp4"]


def test_only_what_is_offered_goes_out_and_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(carrier, "PIECE", 8)
    wire = Wire()
    (tmp_path / "sound.wav").write_bytes(bytes(range(20)))
    wire.outgoing = {"3": tmp_path / "sound.wav"}
    for start in (0, 8, 16):
        wire.carry({"do": "get", "key": "3", "start": start}, [])
    assert b"".join(buffers[0] for _, buffers in wire.said) == bytes(range(20))
    assert {message["size"] for message, _ in wire.said} == {20}
    wire.carry({"do": "get", "key": "/etc/passwd", "start": 0}, [])
    sent(wire, "film.mp4", b"0")  # which nobody asked for
    assert all("error" in message for message, _ in wire.said[-2:]) and list(tmp_path.iterdir()) == [
        tmp_path / "sound.wav"
    ]


def test_a_film_that_is_dropped_is_opened_and_names_what_is_written(desk, tmp_path):
    desk.exchange.take(film(tmp_path / "other.mp4", 1.0))
    desk.wait()
    assert "<b" not in desk.message.value and desk.studio.film.name == "other.mp4"
    assert desk.fields["output"].value == "other-foley.mp4" and desk.fields["session"].value == "other-foley.json"
    assert "other.mp4, 1.00 s" in desk.exchange.drop.notice and not desk.exchange.drop.large


def test_a_session_that_is_dropped_with_its_film_is_taken_up(desk, tmp_path):
    desk.studio.stamp("hit", 0.5, 0.3, 0.4)
    desk.studio.render()
    session = desk.studio.save("film-foley.mp4").with_suffix(".json")
    later = Desk(Studio(maker(), None, folder=tmp_path), "foley.wav")
    assert later.exchange.drop.large
    later.exchange.take(tmp_path / "film.mp4")  # one after the other, without waiting
    later.exchange.take(session)
    later.wait()
    assert "<b" not in later.message.value and np.array_equal(later.studio.wanted, desk.studio.wanted)
    assert later.fields["prompt"].value == "a bell"


def test_a_sound_a_table_and_onsets_that_are_dropped_become_the_curve(desk, tmp_path):
    studio = desk.studio
    studio.clear()
    (tmp_path / "curve.csv").write_text("time,level\n0,0\n1,0.3\n2,0\n")
    (tmp_path / "onsets.txt").write_text("0.5\n1.5\n")
    (tmp_path / "hits.csv").write_text("time,name,end\n1.0,onset,\n")
    (tmp_path / "markers.csv").write_text("time,name,end\n0.2,a drum,0.8\n1.0,onset,\n")
    for path in (noise(tmp_path / "hum.wav", 1.0), *map(tmp_path.joinpath, ("curve.csv", "onsets.txt", "hits.csv"))):
        before = studio.wanted
        desk.exchange.take(path)
        desk.wait()
        assert "<b" not in desk.message.value and not np.array_equal(studio.wanted, before), path.name
    desk.exchange.take(tmp_path / "markers.csv")
    desk.wait()
    assert [(r.start, r.end, r.prompt) for r in studio.regions] == [(0.2, 0.8, "a drum")]
    (tmp_path / "letter.pdf").write_bytes(b"%PDF")
    desk.exchange.take(tmp_path / "letter.pdf")
    desk.wait()
    assert desk.message.value.startswith("<b") and studio.film.name == "film.mp4"


def test_what_is_downloaded_is_what_was_written(desk, tmp_path):
    started = []
    desk.exchange.downloads.send = lambda message: started.append(message["save"])
    names = ("Download film", "wav, 48 kHz", "project for a DAW", "session")
    assert all(desk.buttons[name].disabled for name in names)
    desk.studio.add_region(0.2, 1.0, "a drum")
    desk.render()
    desk.wait()
    for name in names:
        assert not desk.buttons[name].disabled
        desk.buttons[name].click()
        desk.wait()
        assert "<b" not in desk.message.value, name
    downloads = desk.exchange.downloads
    got = [downloads.outgoing[key] for key in started]
    assert [path.name for path in got] == [
        "film-foley.mp4",
        "film-foley.wav",
        "film-foley-project.zip",
        "film-foley.json",
    ]
    assert {entry["name"] for entry in downloads.offered} == {path.name for path in got}
    assert soundfile.info(got[1]).samplerate == 48000 and json.loads(got[3].read_text())["film"]["path"] == "film.mp4"
    inside = zipfile.ZipFile(got[2]).namelist()
    assert {"film-foley.mp4", "film-foley-project/film-foley.rpp", "film-foley-project/stems/01 a drum.wav"} <= {
        *inside
    }
    assert not (tmp_path / "film-foley-project").exists()
    desk.buttons["project for a DAW"].click()  # again: a zip that was written here holds nobody's work
    desk.wait()
    assert "<b" not in desk.message.value


def test_save_says_what_goes_where_and_writes_a_wav_on_request(desk, tmp_path):
    desk.studio.render()
    desk.fields["wav"].value = True
    desk.buttons["Save"].click()
    assert soundfile.info(tmp_path / "film-foley.wav").samplerate == 48000
    said = desk.exchange.pages[1].children[-1].value
    assert "48 kHz" in said and "REAPER" in said and str(tmp_path) in said


def test_without_a_film_a_sound_is_downloaded(tmp_path):
    desk = Desk(Studio(maker(), None, "a bell", folder=tmp_path), "foley.wav")
    desk.studio.stamp("hit", 0.2, 0.3, 0.4)
    desk.render()
    desk.wait()
    button = desk.buttons["Download film"]
    assert button.description == "Download sound"
    button.click()
    desk.wait()
    assert "<b" not in desk.message.value and (tmp_path / "foley.wav").exists()


def test_a_recording_becomes_the_curve_from_the_playhead_on(desk, tmp_path):
    wave = np.zeros(16000)
    for start in (1600, 9600):
        wave[start : start + 800] = np.random.default_rng(0).normal(0, 0.01, 800)  # soft claps
    soundfile.write(tmp_path / "claps.wav", wave, 16000)
    studio = desk.studio
    before = studio.wanted
    desk._heard(tmp_path / "claps.wav")
    desk._hand({"do": "listen", "how": "clap", "start": 0.8})
    desk.wait()
    assert "a hit at each clap" in desk.message.value
    assert np.array_equal(studio.wanted[:100], before[:100]) and np.array_equal(studio.wanted[225:], before[225:])
    loud = np.flatnonzero(np.diff((studio.wanted[100:225] > 0.1).astype(int)) > 0) / 125
    assert np.allclose(loud, [0.1, 0.6], atol=0.04)
    studio.follow("claps.wav", "hum")
    assert studio.wanted[:125].max() == pytest.approx(alongside.LOUD) and studio.wanted[40:60].max() == 0
    with pytest.raises(ValueError, match="wanted hum or clap"):
        studio.follow("claps.wav", "shout")


def test_a_poor_prediction_is_said_where_the_curve_is(tmp_path):
    timeline, floor = maker().timeline, 0.01
    silent = film(tmp_path / "silent.mp4", SECONDS)
    curve = np.zeros(250, np.float32)
    assert "No sound was predicted" in alongside.doubt(curve, silent, timeline, floor)
    assert "hardly moves" in alongside.doubt(curve + 0.1, silent, timeline, floor)
    curve[50:60] = 0.2
    assert alongside.doubt(curve, silent, timeline, floor) == "" == alongside.doubt(curve, None, timeline, floor)
    desk = Desk(Studio(maker(), silent, folder=tmp_path))
    for words in ("Draw", "Hum", "Clap"):
        assert f"<b>{words}</b>" in desk.advice.value
    desk.studio.doubt = "No sound was predicted for this film."
    desk.refresh()
    assert desk.advice.value.startswith("<b style='color:#c00000'>No sound was predicted")
