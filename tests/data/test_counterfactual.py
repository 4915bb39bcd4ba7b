"""One thing of a rendered film changes and all else stays."""

import numpy as np
import pytest

from vf.data.clips import MATERIALS
from vf.data.render import film as render
from vf.data.render import strokes
from vf.data.render.film import Change, film
from vf.signal import onsets, rms

SHORT = {"seconds": 2.0, "size": (64, 48)}


@pytest.fixture(scope="module")
def plain():
    return film("test", 3, **SHORT)


def level(wave):
    return 20 * np.log10(rms.rms_curve(wave, 512, 128).numpy().max())


def test_without_a_change_nothing_changes(plain):
    same = film("test", 3, **SHORT, change=Change())
    assert all(np.array_equal(a, b) for a, b in zip(plain[:2], same[:2])) and plain[2] == same[2]


def test_force_changes_the_level_and_not_the_times(plain):
    soft = film("test", 3, **SHORT, change=Change(decibels=-6))
    assert [e.time for e in soft[2]] == [e.time for e in plain[2]]
    assert level(plain[1]) - level(soft[1]) == pytest.approx(6, abs=1.5)
    assert not np.array_equal(plain[0], soft[0])


def test_a_delay_moves_every_event(plain):
    late = film("test", 3, **SHORT, change=Change(delay=0.1))
    for before, after in zip(plain[2], late[2]):
        assert after.time == pytest.approx(before.time + 0.1, abs=1e-3)
        assert after.action == before.action and after.material == before.material


def test_a_material_changes_the_sound_and_the_labels_and_not_the_times(plain):
    other = film("test", 3, **SHORT, change=Change(material="water"))
    assert {e.material for e in other[2]} <= {"water", None} and {e.material for e in plain[2]} != {"water"}
    assert [e.time for e in other[2]] == [e.time for e in plain[2]]
    assert not np.array_equal(plain[1], other[1])


@pytest.mark.parametrize("change", [Change(moved=(0.05, -0.02)), Change(nearer=1.1)])
def test_a_camera_changes_the_picture_alone(plain, change):
    other = film("test", 3, **SHORT, change=change)
    assert np.array_equal(plain[1], other[1]) and plain[2] == other[2]
    assert not np.array_equal(plain[0], other[0])


def test_test_films_have_things_and_styles_of_their_own(monkeypatch):
    found, plain = {"train": set(), "test": set()}, render._rng
    for split, keys in found.items():
        monkeypatch.setattr(render, "_rng", lambda *key, keys=keys: keys.add(key) or plain(*key))
        for k in range(20):
            render.film(split, k, seconds=0.4, size=(32, 24))
    things = [{key for key in keys if key[1] in MATERIALS} for keys in found.values()]
    assert min(map(len, things)) > 20 and not things[0] & things[1]
    ours, theirs = ([strokes.style(np.random.default_rng(k), u).swing for k in range(50)] for u in (False, True))
    assert not any(min(ours) <= swing <= max(ours) for swing in theirs)


def test_a_hit_sounds_when_its_annotation_says():
    late = []
    for k in range(4):
        _, wave, events = render.film("train", k, seconds=5.0, size=(64, 48))
        heard = onsets.detect(rms.rms_curve(wave, 512, 128), 125)
        late += [heard[np.abs(heard - e.time).argmin()] - e.time for e in events if e.action == "hit"]
    assert len(late) > 8 and abs(np.median(late)) < 0.015
