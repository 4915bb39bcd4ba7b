"""The demonstration: a film without sound, the command a user would type, a player only where there is one."""

import pytest

from vf.data import media
from vf.foley import command, demo


def test_a_silent_film_goes_through_the_command(tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "main", lambda arguments: asked.append(arguments) or 1)
    monkeypatch.setattr(demo, "show", lambda film: pytest.fail("nothing was made"))
    assert demo.main() == 1, "the status of the command"
    film, _, prompt, *rest = asked[0]
    assert media.probe(film).seconds == pytest.approx(10) and not media.probe(film).has_sound
    assert prompt.startswith("A person ") and rest == ["--output", "runs/demo/with-sound.mp4", "--wav"]


def test_nothing_is_opened_without_a_desktop(tmp_path, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(demo.sys, "platform", "linux")
    monkeypatch.setattr(demo.subprocess, "Popen", lambda *_, **__: pytest.fail("no desktop"))
    assert not demo.show(tmp_path / "film.mp4")
