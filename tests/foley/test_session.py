"""A session makes the same sound again, byte for byte, and says what is missing or has changed."""

import copy
import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
import wild
from echo import curve, film, studio
from project import ROOT

from vf import params
from vf.data import media
from vf.foley import record, session
from vf.foley.render import Region, VideoFoley
from vf.signal import checkpoint, rms

TRAINED = params.load("small", ROOT).folder("rms2sound")


@pytest.fixture
def made(tmp_path):
    """A saved render with everything that a session can hold."""
    source = film(tmp_path / "film.mp4", 3.0)
    soundfile.write(tmp_path / "bell.wav", np.full(16000, 0.1), 16000)
    hum = np.sin(np.arange(8000) / 5).astype(np.float32)
    places = [
        Region(0.2, 0.9, "b", seed=4),
        Region(1.0, 1.5, audio=(tmp_path / "bell.wav", 0.1, 0.4), gain_db=-3.0),
        Region(2, 3, audio=hum),
    ]
    result = studio().render(source, wanted=curve(), prompt="a", seed=5, regions=places, correct_gain=True)
    (tmp_path / "out").mkdir()
    result.save(tmp_path / "out" / "foley.mp4")
    return result


def test_a_session_makes_the_same_bytes_again(made, tmp_path):
    again = session.render(tmp_path / "out" / "foley.json", tmp_path / "again.mp4", maker=studio())
    assert np.array_equal(again.waveform, made.waveform) and np.array_equal(again.wanted, made.wanted)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "out" / "foley.mp4").read_bytes()
    first, second = (json.loads((tmp_path / f).read_text()) for f in ("out/foley.json", "again.json"))
    assert first["curve"] == second["curve"] and first["adherence"] == second["adherence"] == made.adherence


def test_a_session_from_before_a_setting_was_added_has_its_default(made, tmp_path):
    file = tmp_path / "out" / "foley.json"
    values = json.loads(file.read_text())
    del values["settings"]["scheduler"]
    file.write_text(json.dumps(values))
    assert np.array_equal(session.render(file, maker=studio()).waveform, made.waveform)


def test_the_folder_can_move_as_a_whole(made, tmp_path):
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-moved")
    for name in ("film.mp4", "bell.wav"):
        (tmp_path / name).unlink()
    again = session.render(tmp_path.parent / f"{tmp_path.name}-moved" / "out" / "foley.json", maker=studio())
    assert np.array_equal(again.waveform, made.waveform)


def test_it_is_small_and_readable_and_its_levels_are_exact(made, tmp_path):
    text = (tmp_path / "out" / "foley.json").read_text()
    values = json.loads(text)
    assert len(text.splitlines()) == len(values) + 2 and len(text) < 20 * len(made.wanted)
    assert np.array_equal(np.array(values["curve"]["levels"], np.float32), curve())
    assert values["film"]["path"] == "../film.mp4" and values["prompt"] == "a"
    assert values["regions"][1]["audio"] | {"sha256": ""} == {
        "path": "../bell.wav",
        "sha256": "",
        "start": 0.1,
        "end": 0.4,
    }
    asked = record.read(tmp_path / "out" / "foley.json")[0]
    assert sorted(asked) == [
        "audio", "correct_gain", "film", "loudness", "negative_prompt", "prompt", "regions", "seed", "wanted"
    ]  # fmt: skip


def test_levels_of_any_size_come_back_exactly(tmp_path):
    levels = np.float32([0, 1, 1e-9, 1 / 3, np.nextafter(np.float32(0.1), 1)])
    record.write(tmp_path / "x.json", {"levels": levels})
    assert np.array_equal(np.float32(json.loads((tmp_path / "x.json").read_text())["levels"]), levels)


def test_what_is_missing_or_has_changed_is_named(made, tmp_path):
    file = tmp_path / "out" / "foley.json"
    (tmp_path / "bell.wav").rename(tmp_path / "kept.wav")
    with pytest.raises(media.MediaError, match="bell.wav: no such file, but .*foley.json names it"):
        record.read(file)[0]
    (tmp_path / "kept.wav").rename(tmp_path / "bell.wav")
    with open(tmp_path / "film.mp4", "ab") as other:
        other.write(b"x")
    with pytest.raises(media.MediaError, match="film.mp4: has changed"):
        record.read(file)[0]


def test_other_weights_or_settings_are_refused(made, tmp_path):
    other = studio()
    torch.nn.init.zeros_(other.model.to_classes.weight)
    with pytest.raises(ValueError, match="other weights"):
        session.render(tmp_path / "out" / "foley.json", maker=other)
    with pytest.raises(ValueError, match="'num_inference_steps': 2"):
        session.render(tmp_path / "out" / "foley.json", maker=studio(steps=3))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": 1, "curve": 3}', "\x00"])
def test_what_is_no_session_is_refused(tmp_path, text):
    (tmp_path / "foley.json").write_text(text)
    with pytest.raises(media.MediaError, match="foley.json: is no session"):
        record.read(tmp_path / "foley.json")[0]


@pytest.mark.parametrize("version", [1, 99])
def test_a_session_of_another_version_is_refused(made, tmp_path, version):
    file = tmp_path / "out" / "foley.json"
    file.write_text(file.read_text().replace('"version": 3', f'"version": {version}'))
    with pytest.raises(media.MediaError, match=f"session of version {version}; wanted 2 or 3: render the film again"):
        record.read(file)[0]


def test_the_digest_is_that_of_the_weights():
    one, two = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    two.load_state_dict(one.state_dict())
    assert checkpoint.digest(one) == checkpoint.digest(two) != checkpoint.digest(one, two)
    two.bias.data[0] += 1e-3
    assert checkpoint.digest(one) != checkpoint.digest(two)


UNREAD = ("candidates", "adherence", "uncorrected")  # what a session tells a reader, and a render does not need


def places(values, path=()):
    """Paths of all keys and list items of a session that a render reads."""
    items = values.items() if isinstance(values, dict) else enumerate(values[:3]) if isinstance(values, list) else ()
    for key, value in items:
        if path or key not in UNREAD:
            yield (*path, key)
            yield from places(value, (*path, key))


def changed(values, path, do):
    values = copy.deepcopy(values)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    do(inner, path[-1])
    return values


def delete(inner, key):
    del inner[key]


def retype(value):
    return lambda inner, key: inner.__setitem__(key, value)


@pytest.mark.parametrize("other", ["gone", 3, -1.5, "x", None, True, [], ["x"], {}, float("nan")], ids=repr)
def test_a_session_with_any_key_missing_or_of_another_type_is_read_or_named(made, tmp_path, other):
    file = tmp_path / "out" / "foley.json"
    values = json.loads(file.read_text())
    maker, refused = studio(), 0
    for path in places(values):
        do = delete if isinstance(other, str) and other == "gone" else retype(other)
        file.write_text(json.dumps(changed(values, path, do)))
        try:
            record.read(file)[0]
        except media.MediaError as error:
            refused += 1
            assert (
                "\n" not in str(error)
                and "foley.json" in str(error)
                and ("wanted" in str(error) or "put it" in str(error))
            )
            continue
        if path[0] in ("settings", "model", "seed", "regions") and other != 3:
            try:
                session.render(file, maker=maker)
            except ValueError as error:
                assert "\n" not in str(error)
    assert refused > 5


@pytest.mark.parametrize("how", wild.DAMAGES)
def test_a_damaged_session_is_named(made, tmp_path, how):
    file = wild.damaged(tmp_path / "out" / "foley.json", how)
    if how == "one byte short":
        return  # its last byte is the end of a line
    with pytest.raises(media.MediaError, match="foley.json: is no session .*; wanted the JSON"):
        record.read(file)[0]


@pytest.mark.slow
@pytest.mark.skipif(not TRAINED.is_dir(), reason="the small profile is not trained yet: `make repro` first")
def test_the_trained_system_gives_the_same_bytes_again(tmp_path):
    maker = VideoFoley.from_pretrained("small")
    wanted = rms.shape("scratch", 875, 125, 1.0, 5.0, 0.1).numpy()
    made = maker.render(
        None,
        wanted=wanted,
        prompt="A person scratch gravel with a wooden stick.",
        regions=[Region(3.0, 5.0, "A person hit metal.")],
    )
    made.save(tmp_path / "foley.wav")
    again = session.render(tmp_path / "foley.json")
    assert np.array_equal(made.waveform, again.waveform) and made.adherence["raw"]["correlation"] > 0.5


def test_a_curve_of_another_rate_than_the_models_is_named(made, tmp_path):
    file = tmp_path / "out" / "foley.json"
    values = json.loads(file.read_text())
    values["curve"]["rate"] = 100
    file.write_text(json.dumps(values))
    for read in (lambda: session.take_up(file, studio()), lambda: session.render(file, maker=studio())):
        with pytest.raises(media.MediaError, match="foley.json: curve.rate is 100; wanted 125, the model's values a"):
            read()


@pytest.mark.parametrize(
    "key, value",
    [
        (("seed",), 10**400), (("seed",), 2**63), (("loudness",), -(10**400)), (("curve", "rate"), 10**400),
        (("curve", "levels"), [0.1, 10**400]), (("curve", "levels"), [0.1, 2.0]), (("prompt",), "\ud800"),
        (("film", "path"), "a\nb"), (("regions", 0, "end"), 1e20), (("regions", 0, "gain_db"), float("inf")),
        (("regions", 0, "gain_db"), 1e6),
        (("settings", "negative_prompt"), "\ud800"), (("audio",), {"timbre": [1.0]}),
    ],
)  # fmt: skip
def test_what_no_render_can_meet_is_named_with_the_session(made, tmp_path, key, value):
    file = tmp_path / "out" / "foley.json"
    values = json.loads(file.read_text())
    file.write_text(json.dumps(changed(values, key, retype(value))))
    with pytest.raises(media.MediaError, match="foley.json") as caught:
        record.read(file)[0]
    assert str(caught.value).isprintable() and "wanted" in str(caught.value) and len(str(caught.value)) < 500
