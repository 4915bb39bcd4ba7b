"""Half a film: it is refused with how much of it can be read, or that much gets its sound."""

import json

import numpy as np
import pytest
import wild
from echo import studio

from vf.data import media
from vf.foley import batch, command, session


@pytest.fixture
def maker(monkeypatch):
    made = studio()
    monkeypatch.setattr(batch.VideoFoley, "from_pretrained", lambda *_: made)
    return made


@pytest.mark.parametrize("make", [wild.film_cut_off, wild.film_broken_in_the_middle])
def test_a_film_that_is_not_whole_is_refused_or_taken_in_part(tmp_path, make):
    film, maker = make(tmp_path), studio()
    place = media.readable(film)
    with pytest.raises(media.Truncated, match="its picture breaks off at"):
        maker.render(film, prompt="a")
    with pytest.raises(media.Truncated, match="its picture breaks off at"):
        maker.render(film, prompt="a", wanted=np.full(maker.frames(film), 0.1, np.float32))
    made = maker.render(film, prompt="a", partial=True)
    assert len(made.wanted) == maker.frames(film, partial=True) == int(place * maker.rate + 1e-6)
    output = made.save(tmp_path / f"made{film.suffix}")
    assert media.check_whole(output, decode=True) is None and media.probe(output).seconds == pytest.approx(
        place, abs=0.2
    )
    again = session.render(output.with_suffix(".json"), maker=maker)
    assert np.array_equal(again.waveform, made.waveform)


def test_the_command_says_how_much_there_is_and_takes_it_when_told(tmp_path, maker, capsys):
    film, good = wild.film_cut_off(tmp_path), wild.film(tmp_path / "good.mp4")
    assert command.main([str(film), str(good), "--prompt", "a"]) == 1
    said = capsys.readouterr()
    assert "cut.mp4: its picture breaks off at 2.36 s; wanted a whole file of 4.00 s" in said.err
    assert "or add --partial, which takes that much" in said.err and "good-foley.mp4" in said.out
    assert not (tmp_path / "cut-foley.mp4").exists()
    assert command.main([str(film), "--prompt", "a", "--partial"]) == 0
    assert media.probe(tmp_path / "cut-foley.mp4").has_sound
    assert json.loads((tmp_path / "cut-foley.json").read_text())["partial"] is True


@pytest.mark.parametrize("name", ["a:b", "sp ace", "q\"'uote", "h#a?b%20c", "é漢", "x" * 238, "[*]"])
def test_a_film_of_any_name_gets_its_sound(tmp_path, maker, name):
    film = wild.film(tmp_path / "film.mkv", frames=30).rename(tmp_path / f"{name}.mkv")
    assert command.main([str(film), "--prompt", "a", "--wav"]) == 0
    for suffix in ("mkv", "json", "wav"):
        assert (tmp_path / f"{name}-foley.{suffix}").exists()


def test_a_film_whose_container_holds_no_other_sound_gets_one_that_does(tmp_path, maker):
    for film in (wild.transport_stream(tmp_path), wild.gif_film(tmp_path)):
        assert command.main([str(film), "--prompt", "a"]) == 0
    assert media.probe(tmp_path / "stream-foley.mkv").has_sound and media.probe(tmp_path / "film-foley.mov").has_sound
