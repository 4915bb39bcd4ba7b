"""A trained VideoFoley as a folder (saved, loaded, refused), the words it knows, and the command around it."""

import json
import re
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import soundfile
import tiny_pipeline
import torch
import wild
from echo import film
from safetensors.torch import load_file, save_file

from vf.backends.nets.griffin_lim import GriffinLim
from vf.backends.small import frame_encoder
from vf.backends.small.frame_encoder import FrameEncoder
from vf.backends.small.frames import Reader
from vf.data import media
from vf.foley import command, render, session
from vf.foley.render import VideoFoley
from vf.models.sampler import Settings
from vf.models.video2rms import Video2RMS
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.0, fps=10)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """A tiny VideoFoley of the small profile's own parts, as from_pretrained would have loaded it."""
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    encoder = FrameEncoder(widths=(4, 4, 6, 8)).eval()
    encoder.save_pretrained(folder)
    features = frame_encoder.load(folder, Reader(("difference",), 2))
    model = Video2RMS(features=16, width=8, lstm=4, frames=10, rms_frames=125, bins=8, relu_logits=False).eval()
    settings = Settings(2.0, 2, 1.0, "no")
    made = VideoFoley(model, tiny_pipeline.controlled(), features, (64, 48), T, "median", settings, "tiny")
    made.origin = folder, {"profile": "small", "kinds": ["difference"], "pool": 2}
    return made


@pytest.fixture(scope="module")
def saved(maker, tmp_path_factory):
    return maker.save_pretrained(tmp_path_factory.mktemp("saved") / "model")


def test_saved_and_loaded_it_makes_the_same_sound(maker, saved, tmp_path):
    source = film(tmp_path / "film.mp4", 1.0)
    again = VideoFoley.from_pretrained(saved)
    assert np.array_equal(again.predict(source), maker.predict(source))
    curve = np.full(125, 0.1, np.float32)
    assert np.array_equal(again.sound(curve, "wood", seed=3), maker.sound(curve, "wood", seed=3))
    assert again.save_pretrained(tmp_path / "copy").joinpath("encoder/config.json").exists()


def test_how_firmly_it_is_held_is_saved_and_may_be_asked_for(saved, tmp_path):
    assert VideoFoley.from_pretrained(saved).settings.hold == 0.0
    held = VideoFoley.from_pretrained(saved, hold=0.5)
    assert held.settings.hold == VideoFoley.from_pretrained(held.save_pretrained(tmp_path)).settings.hold == 0.5
    assert VideoFoley.from_pretrained(tmp_path, hold=0.0).settings.hold == 0.0


def test_a_sound_that_was_heard_while_it_was_made_is_made_again(maker, tmp_path):
    """Its windows were computed one by one, and again, whoever listens: the last bits depend on it."""
    wanted, heard = np.full(1250, 0.1, np.float32), []
    made = maker.render(None, wanted=wanted, prompt="wood", listen=heard.append)
    assert np.array_equal(np.concatenate(heard), made.waveform) and made.session["settings"]["batch"] == 1
    made.save(tmp_path / "heard.wav")
    again = session.render(tmp_path / "heard.json", maker=maker)
    assert np.array_equal(again.waveform, made.waveform) and maker.settings.batch != 1


def test_its_card_has_the_fields_of_the_hub_and_goes_along(saved, tmp_path):
    made = huggingface_hub.ModelCard.load(saved / "README.md")
    assert (made.data.library_name, made.data.pipeline_tag) == ("video-foley", "text-to-audio")
    assert "difference, 64x48, 10 a second" in made.text
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / "README.md").write_text("---\nlicense: mit\n---\nmine")
    again = VideoFoley.from_pretrained(folder).save_pretrained(tmp_path / "copy")
    assert huggingface_hub.ModelCard.load(again / "README.md").data.license == "mit"
    again.joinpath("README.md").write_text("kept")
    assert VideoFoley.from_pretrained(folder).save_pretrained(again).joinpath("README.md").read_text() == "kept"


def test_what_is_pushed_to_the_hub_is_what_from_pretrained_loads(maker, tmp_path, monkeypatch):
    pushed = []

    class Hub:
        def __init__(self, token):
            pushed.append(("token", token))

        def create_repo(self, repository, exist_ok):
            pushed.append((repository, exist_ok))

        def upload_folder(self, repo_id, folder_path, token, commit_message):
            shutil.copytree(folder_path, tmp_path / "hub")
            pushed.append((repo_id, token, commit_message))
            return f"hub/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    assert maker.push_to_hub("me/foley", token="t", commit_message="first") == "hub/me/foley"
    assert pushed == [("token", "t"), ("me/foley", True), ("me/foley", "t", "first")]
    curve = np.full(125, 0.1, np.float32)
    again = VideoFoley.from_pretrained(tmp_path / "hub")
    assert np.array_equal(again.sound(curve, "wood", seed=3), maker.sound(curve, "wood", seed=3))


def test_the_shipped_card_has_the_numbers_of_its_source():
    """pretrained/README.md is where they are measured and kept; the card goes to the hub alone."""
    shipped = huggingface_hub.ModelCard.load(render.shipped() / "README.md")
    assert (shipped.data.license, shipped.data.library_name) == ("mit", "video-foley")
    source = (render.shipped().parent / "README.md").read_text()
    numbers = set(re.findall(r"-?[0-9][0-9,.]*[0-9]", shipped.text.split("## Training")[1]))
    assert numbers and numbers <= set(re.findall(r"-?[0-9][0-9,.]*[0-9]", source))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"timeline": {}}', '{"timeline": {"sceonds": 5}}'])
def test_a_folder_that_is_no_model_is_refused(saved, tmp_path, text):
    (tmp_path / render.SAVED).write_text(text)
    with pytest.raises(FileNotFoundError, match="is no saved VideoFoley"):
        VideoFoley.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "key, value",
    [
        (("reading", "profile"), "x"), (("reading", "pool"), 0), (("reading", "kinds"), []), (("decode",), "best"),
        (("size",), [64]), (("size",), [64, "a"]), (("timeline", "fps"), 1e400), (("settings", "batch"), "x"),
        (("timeline",), []), (("settings",), None),
    ],
)  # fmt: skip
def test_a_recipe_with_a_wrong_value_is_refused(saved, tmp_path, key, value):
    values = json.loads((saved / render.SAVED).read_text())
    inner = values
    for name in key[:-1]:
        inner = inner[name]
    inner[key[-1]] = value
    (tmp_path / render.SAVED).write_text(json.dumps(values))
    with pytest.raises(FileNotFoundError, match=r"is no saved VideoFoley \(.*\); wanted a folder") as caught:
        VideoFoley.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "file, changes, said",
    [
        (render.SAVED, {"reading": {"profile": "small", "kinds": ["flow"], "pool": 2}}, "wanted the kinds that it was"),
        (render.SAVED, {"timeline": asdict(replace(T, fps=20))}, "timeline's seconds and fps make 20, and .* want 10"),
        (render.SAVED, {"timeline": asdict(replace(T, video_hop=64))}, "video_hop make 250, and .* want 125"),
        ("video2rms/config.json", {"silence": "x"}, "video2rms: cannot be loaded"),
        ("rms2sound/tokenizer/tokenizer.json", {"model": {"type": "WordLevel", "vocab": {"<unk>": 3}, "unk_token":
            "<unk>"}}, "tokenizer: its .* words are not the"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_each_other_are_refused_in_one_line(saved, tmp_path, file, changes, said):
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    values = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(values | changes))
    with pytest.raises((ValueError, OSError), match=said) as caught:
        VideoFoley.from_pretrained(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_vocoder_of_no_hop_is_refused():
    for name, value in (("hop", 0), ("iterations", "x"), ("window", 0.5)):
        with pytest.raises(ValueError, match=f"{name} is .*; wanted a whole number of at least 1"):
            GriffinLim(**{name: value})


@pytest.mark.parametrize(
    "part, do, said",
    [
        ("rms2sound/tokenizer/tokenizer.json", "gone", "lacks tokenizer.json"),
        ("rms2sound/tokenizer/tokenizer.json", "cut", "tokenizer.json: is no JSON"),
        ("rms2sound/vae/config.json", "gone", "cannot be loaded"),
        ("rms2sound/model_index.json", "gone", "cannot be loaded"),
        ("rms2sound/vocoder", "gone", "cannot be loaded"),
        ("rms2sound/unet/*.safetensors", "gone", "cannot be loaded"),
        ("rms2sound/unet/*.safetensors", "one byte short", "is no whole file of tensors"),
        ("rms2sound/clap/*.safetensors", "a tensor", "clap: lacks 1 tensors"),
        ("rms2sound/controlnet/*.safetensors", "a tensor", "controlnet: lacks 1 tensors"),
        ("video2rms/*.safetensors", "a tensor", "video2rms: lacks 1 tensors of Video2RMS"),
        ("video2rms/*.safetensors", "NaN", "holds NaN or infinite weights"),
        ("encoder/*.safetensors", "a tensor", "encoder: lacks 1 tensors of FrameEncoder"),
        ("encoder/*.safetensors", "a login page", "is no whole file of tensors"),
    ],
)
def test_a_model_that_lacks_a_part_is_refused_in_one_line(saved, tmp_path, part, do, said):
    folder = tmp_path / "model"
    shutil.copytree(saved, folder)
    found = next(folder.glob(part))
    if do == "gone":
        shutil.rmtree(found) if found.is_dir() else found.unlink()
    elif do in wild.DAMAGES:
        wild.damaged(found, do)
    else:
        values = load_file(found)
        name = sorted(values)[0]
        if do == "NaN":
            values[name] = torch.full_like(values[name], float("nan"))
        else:
            del values[name]
        save_file(values, found)
    with pytest.raises(ValueError, match=said) as caught:
        VideoFoley.from_pretrained(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(FileNotFoundError, match="wanted small, paper, authors, a saved folder or a hub id"):
        VideoFoley.from_pretrained("smal")


def test_one_built_by_hand_cannot_be_saved(tmp_path):
    from echo import studio

    with pytest.raises(ValueError, match="wanted one loaded from a run"):
        studio().save_pretrained(tmp_path)


def test_it_says_what_it_knows(maker):
    assert maker.vocabulary == (["wood", "metal"], ["hit", "scratch"])
    assert maker.unknown_words("A person hits metal with a wooden spoon.") == ["hits", "spoon"]


def test_words_of_regions_that_were_never_learnt_are_named(saved, tmp_path, capsys):
    film(tmp_path / "one.mp4", 1.0)
    (tmp_path / "regions.csv").write_text("time,name,end\n0.1,hit a marimba,0.5\n")
    words = [str(tmp_path / "one.mp4"), "--prompt", "hit wood", "--regions", str(tmp_path / "regions.csv")]
    assert command.main([*words, "--model", str(saved)]) == 0
    assert "Never learnt: marimba" in capsys.readouterr().out


def test_the_shipped_system_is_named_so_that_a_session_finds_it_anywhere():
    assert VideoFoley.from_pretrained().name is None


def test_a_folder_of_films_is_a_batch(saved, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("one.mp4", "two.mp4"):
        film(tmp_path / "in" / name, 1.0)
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no film")
    words = [
        str(tmp_path / "in"),
        "--prompt",
        "hit a gong",
        "--output",
        str(tmp_path / "out"),
        "--model",
        str(saved),
        "--wav",
    ]
    assert command.main(words) == 1
    said = capsys.readouterr()
    assert "Knows wood, metal; hit and scratch." in said.out and "Never learnt: gong" in said.out
    assert "broken.mp4" in said.err and "Traceback" not in said.err
    for name in ("one", "two"):
        assert media.probe(tmp_path / "out" / f"{name}-foley.mp4").has_sound
        assert json.loads((tmp_path / "out" / f"{name}-foley.json").read_text())["prompt"] == "hit a gong"
        wav = soundfile.info(tmp_path / "out" / f"{name}-foley.wav")
        assert (wav.samplerate, wav.subtype, wav.frames) == (48000, "PCM_24", 48000)
    assert {p.name for p in (tmp_path / "in").iterdir()} == {"one.mp4", "two.mp4", "broken.mp4"}


@pytest.mark.parametrize(
    ("words", "answer"),
    [(["nowhere.mp4"], "no such film"), ([".", "--seed", "-1"], "seed"), (["*.nothing"], "no film matches")],
)
def test_what_cannot_be_is_one_line(tmp_path, monkeypatch, capsys, words, answer):
    film(tmp_path / "a.mp4", 1.0)
    monkeypatch.chdir(tmp_path)
    assert command.main(words) == 1
    error = capsys.readouterr().err
    assert answer in error and error.count("\n") == 1


def test_a_gif_gets_a_name_that_can_be_written():
    assert command.target(Path("a.gif"), None, several=False) == Path("a-foley.mov")
    assert command.target(Path("a.mkv"), None, several=False) == Path("a-foley.mkv")


def test_the_help_loads_no_network(tmp_path):
    import subprocess

    script = (
        "import sys; sys.argv = ['video-foley', '--help']\n"
        "try:\n import vf.foley.command as c; c.main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "--best-of" in done.stdout and done.stdout.strip().endswith("False")
