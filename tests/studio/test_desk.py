"""The studio: a script and the controls do the same, the desk shows the true state, and every error is one red line."""

import io
import json
import shutil
import sys
import time
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import wild
from echo import film
from echo import studio as maker
from project import ROOT

from vf.data import media, writing
from vf.foley import demo, request
from vf.foley import render as foley
from vf.report import comparisons
from vf.signal import rms
from vf.studio import editor
from vf.studio.desk import HANDS, Desk
from vf.studio.studio import Studio

SECONDS = 2.0


@pytest.fixture
def studio(tmp_path):
    return Studio(maker(), film(tmp_path / "film.mp4", SECONDS), "a bell", folder=tmp_path)


def floats(data):
    return np.frombuffer(data, "<f4")


def played(desk):
    """The file that the player fetches."""
    return desk.editor.outgoing[desk.editor.media]


def picture(data):
    return plt.imread(io.BytesIO(data))[..., :3]


def test_a_hand_and_a_script_draw_the_same_curve(tmp_path):
    source = film(tmp_path / "film.mp4", SECONDS)
    script, desk = Studio(maker(), source), Desk(Studio(maker(), source))
    steps = [
        ("clear", {}),
        ("draw", {"times": [0.2, 0.4, 0.6], "levels": [0.0, 0.4, 0.1]}),
        ("stamp", {"name": "hit", "onset": 1.2, "length": 0.3, "level": 0.5, "peak": 0.5}),
        ("scale", {"event": 0, "factor": 0.5}),
        ("move", {"event": 1, "seconds": 0.2}),
        ("smooth", {}),
        ("undo", {}),
        ("redo", {}),
        ("delete", {"event": 0}),
    ]
    for name, keywords in steps:
        getattr(script, name)(**keywords)
        desk._hand({"do": name, **keywords})
        assert "<b" not in desk.message.value
        assert np.array_equal(script.wanted, desk.studio.wanted), name
        assert np.array_equal(floats(desk.editor.wanted), script.wanted)
    assert script.wanted.max() > 0.1 and not np.array_equal(script.wanted, script.predicted)


def test_every_change_comes_back_and_goes_forth(studio):
    studio.clear()
    states = [studio.wanted]
    studio.draw([0.5, 1.0], [0.3, 0.3])
    studio.stamp("A", 1.2, 0.4, 0.2)
    studio.add_region(0.1, 0.9, "wood")
    states += [studio.wanted]
    studio.undo()
    assert studio.regions == []
    studio.undo()
    studio.undo()
    assert np.array_equal(studio.wanted, states[0])
    for _ in range(5):  # past the end: nothing happens
        studio.redo()
    assert np.array_equal(studio.wanted, states[1]) and studio.regions[0].prompt == "wood"
    for _ in range(9):
        studio.undo()
    assert np.array_equal(studio.wanted, studio.predicted)
    studio.draw([0.5, 1.0], [0.1, 0.1])
    before = studio.wanted
    studio.redo()  # a new change forgets what was undone
    assert np.array_equal(studio.wanted, before)


def test_the_level_of_a_film_is_one_slider(studio):
    desk = Desk(studio)
    before = studio.wanted
    desk.fields["whole film"].value = -6.0
    np.testing.assert_allclose(studio.wanted, before * 10**-0.3, rtol=1e-5)
    assert desk.fields["whole film"].value == 0.0
    studio.undo()
    assert np.array_equal(studio.wanted, before)


def test_a_change_never_writes_into_a_curve_that_is_kept(studio):
    kept = studio.predicted.copy()
    for name, values in (
        ("draw", ([0, 1.9], [0.3, 0.3])),
        ("stamp", ("hit", 0.3, 0.2, 0.9)),
        ("scale", (0, 0.1)),
        ("amplify", (3.0,)),
        ("smooth", ()),
    ):
        getattr(studio, name)(*values)
    assert np.array_equal(studio.predicted, kept)


@pytest.mark.parametrize(
    "message",
    [
        {"do": "stamp", "name": "banana", "onset": 0.1, "length": 0.2, "level": 0.3},
        {"do": "stamp", "name": "hit", "onset": 99.0, "length": 0.2, "level": 0.3},
        {"do": "delete", "event": 99},
        {"do": "draw", "times": [0.1, 0.2], "levels": [0.1, float("nan")]},
    ],
)
def test_what_goes_wrong_is_one_red_line_and_changes_nothing(studio, message):
    desk, before = Desk(studio), studio.wanted
    desk._hand(message)
    assert (
        desk.message.value.startswith("<b") and "Traceback" not in desk.message.value and "\n" not in desk.message.value
    )
    assert np.array_equal(studio.wanted, before)
    desk._hand({"do": "smooth"})
    assert "<b" not in desk.message.value


def test_the_surface_can_call_nothing_but_hands(studio):
    desk = Desk(studio)
    desk._hand({"do": "open", "film": "other.mp4"})
    desk._hand({"do": "__init__"})
    assert studio.film.name == "film.mp4" and "open" not in HANDS


def test_render_runs_beside_the_desk_and_shows_what_it_made(studio, tmp_path):
    desk = Desk(studio, tmp_path / "out.mp4")
    desk.fields["prompt"].value = "a gong"
    studio.clear()
    studio.draw([0.2, 1.0, 1.8], [0.05, 0.4, 0.05])
    assert desk.editor.achieved == b"" and "no render" in desk.scores.value
    desk.render()
    desk.wait()
    assert "<b" not in desk.message.value and not desk.buttons["Render"].disabled and desk.buttons["Stop"].disabled
    assert studio.made.session["prompt"] == "a gong"
    assert np.array_equal(floats(desk.editor.achieved), studio.made.rms.astype(np.float32))
    assert np.corrcoef(floats(desk.editor.achieved), floats(desk.editor.wanted))[0, 1] > 0.9
    wave = media.read_sound(played(desk), 16000, seconds=SECONDS)
    assert np.corrcoef(rms.rms_curve(wave, 512, 128), studio.made.rms)[0, 1] > 0.95
    desk.buttons["Save"].click()
    assert (tmp_path / "out.mp4").exists() and "out.mp4" in desk.message.value
    assert "changed since" not in desk.scores.value
    desk._hand({"do": "smooth"})
    assert "changed since" in desk.scores.value


def test_stop_ends_a_render_and_keeps_the_last_one(studio, monkeypatch):
    def endless(*_, stop, **__):
        while not stop():
            time.sleep(0.01)
        raise foley.Stopped

    desk = Desk(studio)
    last = studio.render()
    monkeypatch.setattr(studio.maker, "render", lambda *a: endless(stop=a[-1]))
    desk.render()
    assert desk.buttons["Render"].disabled
    desk._hand({"do": "clear"})  # the desk is live meanwhile
    assert studio.wanted.max() == 0
    desk.buttons["Stop"].click()
    desk.wait()
    assert studio.made is last and "stopped" in desk.message.value and not desk.buttons["Render"].disabled


def test_what_has_not_changed_is_not_sent_again(studio):
    desk, sent = Desk(studio), []
    desk.editor.observe(lambda change: sent.append(change["name"]))
    desk._hand({"do": "stamp", "name": "hit", "onset": 0.3, "length": 0.2, "level": 0.9})
    assert "wanted" in sent and not {"media", "strip", "predicted", "spectrogram"} & set(sent)


def test_a_saved_notebook_holds_no_film(studio):
    """A notebook keeps the state of its widgets: the player's film is in none, but fetched by a key."""
    desk = Desk(studio)
    studio.render()
    state = {name: value for name, value in desk.editor.get_state().items() if isinstance(value, bytes)}
    assert played(desk).stat().st_size > 0 and desk.editor.get_state()["media"] == desk.editor.media
    assert set(state) == {"wanted", "predicted", "achieved", "stairs", "strip", "spectrogram"}


def test_the_stairs_are_what_the_classes_make_of_the_curve(studio):
    desk = Desk(studio)
    studio.draw([0.0, 1.9], [0.0, 0.9])
    bins = studio.maker.model.classes
    stairs = floats(desk.editor.stairs)
    assert set(np.unique(stairs)) <= set(bins.values().numpy()) and len(np.unique(stairs)) > 4
    assert np.array_equal(bins.encode(stairs), bins.encode(studio.wanted))


def test_a_region_is_marked_added_listed_and_deleted(studio):
    desk = Desk(studio)
    desk.editor.span = [0.25, 1.5]
    assert (desk.fields["start"].value, desk.fields["end"].value) == (0.25, 1.5)
    desk.fields["region prompt"].value, desk.fields["gain"].value = "a drum", 3.0
    desk.buttons["Add region"].click()
    assert desk.editor.regions == [{"start": 0.25, "end": 1.5, "label": "a drum", "row": 0}] and desk.editor.span == []
    assert "a drum" in desk.fields["regions"].label and studio.regions[0].gain_db == 3.0
    desk.buttons["Delete region"].click()
    assert desk.editor.regions == [] and desk.fields["regions"].value is None
    desk.buttons["Delete region"].click()
    assert desk.message.value.startswith("<b")
    desk.fields["end"].value = 99
    desk.buttons["Add region"].click()
    assert "99" in desk.message.value and not studio.regions


def test_a_region_says_whose_prompt_holds_there(studio, tmp_path):
    soundfile.write(tmp_path / "sound.wav", np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    desk = Desk(studio)
    studio.add_region(0.0, 0.4, gain_db=2.0)
    studio.add_region(0.5, 0.9, "a drum")
    studio.add_region(1.0, 1.4, sound="sound.wav")
    studio.add_region(1.5, 1.9, sound=("sound.wav", 0.5, 0.25))
    assert [region.audio for region in studio.regions[2:]] == [
        tmp_path / "sound.wav",
        (tmp_path / "sound.wav", 0.5, 0.75),
    ]
    labels = ["the film's own prompt", "a drum", "as a sound", "as a sound"]
    assert [region["label"] for region in desk.editor.regions] == labels
    assert all(label in option for label, (option, _) in zip(labels, desk.fields["regions"].options))


def test_a_region_is_chosen_and_changed(studio):
    desk = Desk(studio)
    studio.add_region(0.2, 0.8, "a drum", seed=7, gain_db=3.0)
    studio.add_region(1.0, 1.5, "a bell")
    desk.editor.region = 1  # a click on the surface
    assert desk.fields["regions"].value == 1 and desk.fields["region prompt"].value == "a bell"
    desk.editor.region = 0
    names = ("start", "end", "region prompt", "region seed", "gain")
    assert [desk.fields[name].value for name in names] == [0.2, 0.8, "a drum", 7, 3.0]
    studio.smooth()  # another change leaves what is typed, and what is chosen, alone
    desk.fields["region prompt"].value = "a gong"
    studio.smooth()
    assert desk.fields["region prompt"].value == "a gong" and desk.editor.region == 0
    desk.fields["start"].value, desk.fields["end"].value = 1.2, 1.9
    desk.fields["region seed"].value = -1
    desk.buttons["Change region"].click()
    assert "<b" not in desk.message.value
    assert [(r.start, r.end, r.prompt, r.seed) for r in studio.regions] == [
        (1.0, 1.5, "a bell", None), (1.2, 1.9, "a gong", None)
    ]  # fmt: skip
    assert desk.fields["regions"].value == desk.editor.region == 1, "the changed one stays chosen at its new place"
    desk.fields["regions"].value = 0
    assert desk.fields["region prompt"].value == "a bell" and desk.editor.region == 0
    desk.fields["end"].value = 99
    desk.buttons["Change region"].click()
    assert desk.message.value.startswith("<b") and studio.regions[0].end == 1.5
    studio.undo()
    assert [r.prompt for r in studio.regions] == ["a drum", "a bell"]


def test_regions_over_one_another_lie_in_rows(studio):
    assert editor.rows([(0, 1), (0, 1), (0.5, 2), (1, 2), (1, 2)]) == [0, 1, 2, 0, 1]
    assert editor.rows([]) == []
    desk = Desk(studio)
    for _ in range(2):
        studio.add_region(0.2, 0.8, "a drum")
    assert [r["row"] for r in desk.editor.regions] == [0, 1]


def test_a_sound_without_a_file_stays_where_nothing_replaces_it(studio, tmp_path):
    """A session holds the timbre of a waveform as a vector; no field can show it."""
    studio.audio = request.Timbre(np.array([0, 0, 0, 1], np.float32))
    studio.prompt = ""
    studio.add_region(0.2, 0.8, sound=studio.audio)
    desk = Desk(studio)
    assert desk.fields["region like"].value == "" and "own sound" in desk.fields["region like"].placeholder
    desk.fields["gain"].value = 2.0
    desk.buttons["Change region"].click()
    assert isinstance(studio.regions[0].audio, request.Timbre) and studio.regions[0].gain_db == 2.0
    desk.render()
    desk.wait()
    assert "<b" not in desk.message.value and studio.made.session["audio"] == {"timbre": [0.0, 0.0, 0.0, 1.0]}


def test_the_desk_says_what_is_known_what_is_not_and_what_scores_compare(studio):
    studio.maker.pipeline.clap = SimpleNamespace(config=SimpleNamespace(lexicon=["wood", "metal", "hit", "a"]))
    desk = Desk(studio)
    assert "Knows wood, metal; hit." in desk.notes.value and "not with the film" in desk.notes.value
    assert "never learnt: bell)" in desk.notes.value
    desk.fields["prompt"].value = "hit metal"
    assert "Never learnt" not in desk.notes.value
    desk.fields["negative"].value = "no speech"
    assert "in the negative prompt: speech, voice" in desk.notes.value
    studio.add_region(0.1, 0.5, "a <b>gong")
    assert "never learnt: b, gong)" in desk.notes.value and "without a prompt" not in desk.notes.value
    studio.add_region(0.6, 0.9)
    assert "A region without a prompt has the film&#x27;s own prompt" in desk.notes.value
    desk.fields["prompt"].value = ""
    assert "no prompt, as the film has none" in desk.notes.value


def test_what_is_not_to_be_heard_and_the_loudness_reach_the_render_and_a_session_brings_them_back(tmp_path):
    studio = Studio(maker(guidance_scale=2.0), film(tmp_path / "film.mp4", SECONDS), "a bell", folder=tmp_path)
    desk = Desk(studio, "foley.mp4")
    desk.fields["negative"].value, desk.fields["loudness"].value = "no music", "-30"
    desk.render()
    desk.wait()
    made = studio.made
    assert "<b" not in desk.message.value and "-30.0 LUFS" in desk.scores.value
    assert made.session["settings"]["negative_prompt"] == request.NEGATIVES["no music"]
    desk.buttons["Save"].click()
    later = Desk(Studio(maker(guidance_scale=2.0), None, folder=tmp_path))
    later.fields["session"].value = "foley.json"
    later.buttons["Load"].click()
    later.wait()
    assert later.fields["negative"].value == request.NEGATIVES["no music"] and later.fields["loudness"].value == "-30"
    later.render()
    later.wait()
    assert np.array_equal(later.studio.made.waveform, made.waveform)
    desk.fields["loudness"].value = "loud"
    desk.render()
    desk.wait()
    assert desk.message.value.startswith("<b") and "wanted a number" in desk.message.value


def test_markers_go_out_and_come_back_as_regions(studio, tmp_path):
    desk = Desk(studio)
    studio.clear()
    studio.stamp("hit", 1.0, 0.3, 0.5)
    studio.add_region(0.2, 0.8, "a drum")
    desk.fields["curve file"].value, desk.fields["kind"].value = "markers.csv", "markers"
    desk.buttons["Export"].click()
    assert "markers.csv" in desk.message.value
    studio.delete_region(0)
    desk.buttons["Import"].click()
    assert [(r.start, r.end, r.prompt) for r in studio.regions] == [(0.2, 0.8, "a drum")]
    before = studio.wanted
    desk.fields["kind"].value = "csv"
    desk.buttons["Import"].click()  # the same table as a curve: a hit at its point
    assert not np.array_equal(studio.wanted, before) and studio.wanted[:100].max() == 0


def test_a_project_for_a_daw_is_saved_from_the_desk(studio, tmp_path):
    desk = Desk(studio, "out.mp4")
    studio.render()
    desk.fields["project"].value = True
    desk.buttons["Save"].click()
    assert "<b" not in desk.message.value and (tmp_path / "out-project" / "out.rpp").exists()
    desk.buttons["Save"].click()
    assert "may hold your work" in desk.message.value


def test_two_desks_do_not_mix(tmp_path):
    first, second = (Desk(Studio(maker(), film(tmp_path / f"{k}.mp4", 1.0), folder=tmp_path)) for k in "ab")
    first.studio.add_region(0.1, 0.5, "a drum")
    first.fields["prompt"].value = "a gong"
    assert second.studio.regions == [] and second.fields["prompt"].value == "" and second.editor.regions == []
    assert first._folder.name != second._folder.name


@pytest.mark.parametrize("seed", [100_000, 2**40])
def test_a_seed_of_any_size_is_kept(studio, tmp_path, seed):
    studio.seed = seed
    studio.add_region(0.2, 1.1, "a drum", seed=seed + 1)
    first = studio.render().waveform
    studio.save("foley.mp4")
    later = Studio(maker(), None, folder=tmp_path)
    desk = Desk(later)
    desk.fields["session"].value = "foley.json"
    desk.buttons["Load"].click()
    desk.wait()
    desk.render()
    desk.wait()
    assert "<b" not in desk.message.value and later.seed == later.made.session["seed"] == seed
    assert np.array_equal(later.made.waveform, first)
    desk.fields["region seed"].value = seed
    desk.buttons["Add region"].click()
    assert seed in [region.seed for region in later.regions]


def test_a_negative_seed_is_one_red_line(studio):
    desk = Desk(studio)
    desk.fields["seed"].value = -1
    desk.render()
    desk.wait()
    assert desk.message.value.startswith("<b") and "seed -1" in desk.message.value and studio.made is None


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Runs the notebook's cells with values of its parameters and a maker that echoes. Returns its names."""
    monkeypatch.setattr(comparisons, "film", lambda *_: SimpleNamespace(savefig=lambda path: None))

    def execute(**parameters):
        names = {"shown": [], "asked": []}
        monkeypatch.setattr(
            foley.VideoFoley, "from_pretrained", lambda name, **_: names["asked"].append(name) or maker()
        )
        monkeypatch.setattr("IPython.display.display", lambda view: names["shown"].append((view, names["studio"].made)))
        for cell in json.loads((ROOT / "notebooks/10_studio.ipynb").read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
            if "parameters" in cell["metadata"].get("tags", []):
                names |= parameters
        return names

    return execute


def test_the_notebook_shows_the_desk_before_it_renders(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = notebook(film=str(film(tmp_path / "film.mp4", SECONDS)), output=str(tmp_path / "out.mp4"))
    desk = names["desk"]
    assert names["shown"] == [(desk.view, None)]
    assert (tmp_path / "out.mp4").exists() and names["studio"].made is not None
    assert desk.editor.achieved and "no render" not in desk.scores.value


def test_the_notebook_works_before_anything_was_trained(notebook, tmp_path, monkeypatch):
    """On the system that ships and the film of `make demo`, and on Colab, where the project is fetched first."""
    (tmp_path / "video-foley").mkdir()
    shutil.copy(ROOT / "params.yaml", tmp_path / "video-foley")
    monkeypatch.chdir(tmp_path)
    ran, enabled = [], []
    monkeypatch.setattr("subprocess.run", lambda words, check: ran.append(words))
    colab = SimpleNamespace(output=SimpleNamespace(enable_custom_widget_manager=lambda: enabled.append(True)))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setattr(demo, "film", lambda folder: (film(tmp_path / "silent.mp4", SECONDS), "A person hit paper."))
    names = notebook(repository="https://example.org/video-foley")
    assert ran[0][:2] == ["git", "clone"] and ran[0][-2] == "https://example.org/video-foley" and enabled
    assert ran[1][1:3] == ["-m", "pip"] and ran[1][-1] == ".[studio]"
    assert names["asked"] == [None] and names["studio"].prompt == "A person hit paper."
    assert (tmp_path / "silent-foley.mp4").exists()
    assert not list((tmp_path / "video-foley").glob("runs/*/studio.mp4"))


def test_a_stretch_of_a_sound_is_the_prompt(studio, tmp_path):
    wave = np.zeros(32000, np.float32)
    wave[16000:] = np.random.default_rng(0).normal(0, 0.1, 16000)
    soundfile.write(tmp_path / "sound.wav", wave, 16000)
    studio.prompt_by("", "sound.wav", 1.0, 0.5)
    assert studio.audio == (tmp_path / "sound.wav", 1.0, 1.5)
    desk = Desk(studio)
    desk.fields["like"].value, desk.fields["like for"].value = "sound.wav", 0.5
    desk.render()
    desk.wait()
    assert "only silence" in desk.message.value


def test_a_curve_goes_to_a_file_and_comes_back(studio, tmp_path):
    desk = Desk(studio)
    studio.clear()
    studio.draw([0.2, 1.0, 1.8], [0.1, 0.4, 0.1])
    before = studio.wanted
    desk.fields["curve file"].value, desk.fields["kind"].value = "curve.csv", "csv"
    desk.buttons["Export"].click()
    assert "curve.csv" in desk.message.value and "<b" not in desk.message.value
    studio.clear()
    desk.buttons["Import"].click()
    assert np.allclose(studio.wanted, before, atol=1e-4)
    desk.fields["curve file"].value = ""
    desk.buttons["Import"].click()
    assert "no file was named" in desk.message.value


def test_the_strip_shows_the_film_in_time(tmp_path):
    shade = np.repeat(np.arange(20, dtype=np.uint8)[:, None, None, None] * 12, 24, 1).repeat(32, 2).repeat(3, 3)
    writing.write_film(tmp_path / "film.mp4", shade, 10)
    strip = picture(editor.film_strip(tmp_path / "film.mp4", 2.0, count=10)).mean((0, 2))
    middles = strip.reshape(10, -1).mean(1)
    assert np.allclose(middles, np.arange(0, 20, 2) * 12 / 255, atol=0.03)


def test_the_spectrogram_stands_upright(studio):
    timeline = studio.maker.timeline
    tone = np.sin(2 * np.pi * 6000 * np.arange(16000) / 16000).astype(np.float32)
    image = picture(editor.spectrogram(np.concatenate([np.zeros(16000, np.float32), tone]), timeline)).sum(-1)
    assert image[:, : image.shape[1] // 2 - 4].max() < 0.2
    row = image[:, -50].argmax() / len(image)  # 6 kHz of 8 is high up, also in mel
    assert 0.05 < row < 0.2


def test_a_film_that_the_browser_cannot_play_gets_a_preview(studio):
    desk = Desk(studio)
    first = desk.editor.media
    desk._hand({"do": "player_failed"})
    desk.wait()
    assert desk.editor.media != first and "<b" not in desk.message.value
    studio.render()
    assert desk.editor.media_type == "video/mp4"
    desk._hand({"do": "player_failed"})
    assert desk.message.value.startswith("<b")


def test_without_a_film_there_is_a_clips_length_of_silence_to_draw_on(tmp_path):
    studio = Studio(maker(), None, "a bell")
    desk = Desk(studio)
    assert studio.seconds == 1.0 and studio.wanted.max() == 0
    studio.stamp("hit", 0.2, 0.3, 0.4)
    studio.render()
    assert desk.editor.media_type == "audio/wav"
    wave, rate = soundfile.read(played(desk))
    assert len(wave) == rate == 16000


def test_another_film_starts_afresh(studio, tmp_path):
    desk = Desk(studio)
    studio.clear()
    studio.render()
    desk.fields["film"].value = str(film(tmp_path / "other.mp4", 1.0))
    desk.buttons["Open"].click()
    desk.wait()
    assert studio.film.name == "other.mp4" and studio.seconds == 1.0 and studio.made is None
    assert desk.editor.achieved == b"" and np.array_equal(studio.wanted, studio.predicted)
    desk.fields["film"].value = str(tmp_path / "nowhere.mp4")
    desk.buttons["Open"].click()
    desk.wait()
    assert "nowhere.mp4" in desk.message.value and studio.film.name == "other.mp4"


def test_a_session_of_other_settings_makes_its_own_sound_and_one_of_other_weights_is_said(studio, tmp_path):
    first = studio.render().waveform
    studio.save("foley.mp4")
    later = Studio(maker(steps=4, guidance_scale=2.0), None, folder=tmp_path)
    desk = Desk(later)
    desk.fields["session"].value = "foley.json"
    desk.buttons["Load"].click()
    desk.wait()
    assert "makes its sound again" in desk.message.value and np.array_equal(later.render().waveform, first)
    later.open("film.mp4")
    assert later.renderer is later.maker and later.maker.settings.num_inference_steps == 4
    later.maker.digest = "0" * 64
    desk.fields["session"].value = "foley.json"
    desk.buttons["Load"].click()
    desk.wait()
    assert "makes another sound" in desk.message.value


def test_a_session_of_a_film_that_breaks_off_is_taken_up(tmp_path):
    made = maker().render(wild.film_cut_off(tmp_path), prompt="a", partial=True)
    made.save(tmp_path / "out.mp4")
    later = Studio(maker(), None, folder=tmp_path)
    later.load("out.json")
    assert later.partial and np.array_equal(later.render().waveform, made.waveform)


def test_a_saved_session_is_taken_up_again(studio, tmp_path):
    studio.stamp("hit", 0.5, 0.3, 0.4)
    studio.add_region(0.2, 1.1, "a drum", seed=3, gain_db=-2.0)
    studio.seed = 5
    first = studio.render().waveform
    studio.save("foley.mp4")
    later = Studio(maker(), None, folder=tmp_path)
    desk = Desk(later)
    desk.fields["session"].value = "foley.json"
    desk.buttons["Load"].click()
    desk.wait()
    assert "<b" not in desk.message.value and desk.fields["prompt"].value == "a bell" and desk.fields["seed"].value == 5
    assert np.array_equal(later.wanted, studio.wanted) and [r.prompt for r in later.regions] == ["a drum"]
    desk.render()
    desk.wait()
    assert np.array_equal(later.made.waveform, first)
    later.undo()
    assert np.array_equal(later.wanted, studio.predicted)
    (tmp_path / "film.mp4").unlink()
    desk.buttons["Load"].click()
    desk.wait()
    assert desk.message.value.startswith("<b")


def test_a_film_that_no_copy_can_hold_is_rendered_downloaded_and_heard_alone(studio, monkeypatch):
    desk = Desk(studio)
    refused = []

    def refuse(film, path, *_):
        refused.append(path.suffix)
        raise media.MediaError(f"{path}: cannot hold the film's picture")

    monkeypatch.setattr(writing, "replace_sound", refuse)
    desk.render()
    desk.wait()
    assert studio.made is not None and "<b" not in desk.message.value and refused == [".mp4"]
    assert desk.editor.media_type == "audio/wav" and played(desk).suffix == ".wav"


def test_a_copy_in_the_films_own_container_stands_in_for_an_mp4(studio, tmp_path, monkeypatch):
    made, replace = studio.render(), writing.replace_sound

    def no_mp4(film, path, *rest):
        if path.suffix == ".mp4":
            raise media.MediaError(f"{path}: cannot hold the film's picture")
        replace(film, path, *rest)

    monkeypatch.setattr(writing, "replace_sound", no_mp4)
    shutil.copy(studio.film, tmp_path / "film.mov")
    kind, path = editor.playable(tmp_path / "film.mov", made, tmp_path)
    assert path.name == "playing.mov" and kind == "video/quicktime" and path.stat().st_size


def test_what_the_player_cannot_show_leaves_the_rest_of_the_desk_as_it_is(studio, monkeypatch):
    desk = Desk(studio)
    monkeypatch.setattr(editor, "playable", lambda *_: (_ for _ in ()).throw(RuntimeError("no player")))
    desk.render()
    desk.wait()
    assert "no player" in desk.message.value and "no render" not in desk.scores.value
    desk._hand({"do": "smooth"})
    assert "no player" not in desk.message.value, "it is tried once"


@pytest.mark.parametrize("samples", [1, 640, 1024, 1025, 3000])
def test_a_sound_of_any_length_has_a_spectrogram(studio, samples):
    assert picture(editor.spectrogram(np.full(samples, 0.1, np.float32), studio.maker.timeline)).size


def test_a_film_that_breaks_off_is_played_with_its_sound(tmp_path):
    made = maker().render(wild.film_cut_off(tmp_path), prompt="a", partial=True)
    kind, path = editor.playable(made.film, made, tmp_path)
    assert kind == "video/mp4" and path.stat().st_size


@pytest.mark.parametrize(
    "start, end, shown", [(0.5, None, (0.5, 0.0)), (None, 1.0, (0.0, 1.0)), (None, None, (0.0, 0.0))]
)
def test_a_session_whose_prompt_is_an_open_stretch_of_a_sound_comes_back(tmp_path, start, end, shown):
    soundfile.write(tmp_path / "sound.wav", np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    first = Studio(maker(), film(tmp_path / "film.mp4", SECONDS), folder=tmp_path)
    first.maker.render(first.film, audio=(tmp_path / "sound.wav", start, end), seed=7).save(tmp_path / "foley.mp4")
    desk = Desk(Studio(maker(), None, folder=tmp_path))
    desk.fields["session"].value = "foley.json"
    desk.buttons["Load"].click()
    desk.wait()
    assert "Render makes its sound again" in desk.message.value and desk.fields["seed"].value == 7
    assert (desk.fields["like from"].value, desk.fields["like for"].value) == shown


def test_a_gain_that_a_session_may_have_is_one_that_the_desk_can_hold(studio):
    desk = Desk(studio)
    studio.add_region(0.2, 1.1, "a drum", gain_db=55.0)
    desk.refresh()
    desk.fields["regions"].index = 0
    assert desk.fields["gain"].value == 55.0
