"""Pretraining: every part is trained once, shipped whole, and the same after an interruption."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file

from vf.backends.small import backbone, embedders, frame_encoder
from vf.data import writing
from vf.data.render import film as render
from vf.foley import pretraining
from vf.foley.pretraining import PARTS, Pretraining, stops
from vf.foley.render import VideoFoley
from vf.models.rms2sound import RMS2Sound

RECIPE = {
    "seed": 0,
    "timeline": {
        "seconds": 1.2,
        "fps": 30,
        "sample_rate": 16000,
        "video_window": 512,
        "video_hop": 128,
        "sound_window": 1024,
        "sound_hop": 160,
        "latent_stride": 4,
        "unet_stride": 8,
    },
    "sounds": {
        "vae": {"count": 6, "rounds": 2},
        "captions": {"count": 12},
        "unet": {"count": 6, "rounds": 2},
        "controlnet": {"count": 4, "rounds": 2},
        "progress": {"count": 8, "prompts": 6},
    },
    "films": {"count": 2, "rounds": 2, "seconds": 1.0, "size": [32, 32], "pool": 2, "window_and_hop": [512, 128]},
    "real": {"share": 0.3, "held_out": "4-*"},
    "vae": {"steps": 4, "channels": [4, 16, 32], "batch": 2, "crop": 32, "lr": 1e-4},
    "vocoder": {"steps": 2, "hidden": 4, "iterations": 2},
    "clap": {"steps": 2, "batch": 4, "width": 4, "dims": 8},
    "tagger": {"steps": 2, "batch": 2, "width": 4, "dims": 4},
    "scoring_clap": {"steps": 2, "batch": 4, "width": 4, "dims": 8},
    "unet": {"steps": 4, "channels": [8, 16, 16], "batch": 2, "crop": 8, "every": 1},
    "controlnet": {"steps": 4, "batch": 2, "crop": 8, "kernel": 4, "mu": 63.0},
    "frame_encoder": {"steps": 4, "widths": [4, 4, 4, 4], "window": 8, "batch": 2, "lr": 1e-3},
    "video2rms": {
        "rendered": 0.3,
        "hop": 0.5,
        "size": [32, 32],
        "pool": 2,
        "decode": "mu_law",
        "model": {"features": 8, "width": 8, "lstm": 4, "bins": 8},
        "train": {"steps": 2, "batch": 2},
    },
    "sampler": {"num_inference_steps": 2},
}


@pytest.fixture
def real(tmp_path):
    folder = tmp_path / "esc10" / "rain"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("1-1-A", "2-1-A", "4-1-A"):
        soundfile.write(folder / f"{name}.ogg", 0.1 * rng.standard_normal(30000), 16000)
    return folder.parent


def test_rounds_pause_at_their_ends():
    assert list(stops(10, 2, 0, 2)) == [2, 4, 5] and list(stops(10, 2, 1, 2)) == [6, 8, 10]


def test_held_out_sounds_are_never_heard_and_no_two_draws_are_alike(real, tmp_path):
    pretraining = Pretraining(RECIPE, tmp_path / "state", real, tmp_path, workers=1)
    waves, captions = pretraining.sounds("unet", 0, 6)
    assert captions.count("The sound of rain.") == 2 and waves.shape == (8, 20480) and waves.dtype == np.int16
    assert not np.array_equal(waves[:6], pretraining.sounds("unet", 1, 6)[0][:6])
    assert not np.array_equal(waves[:6], pretraining.sounds("vae", 0, 6)[0][:6])


def test_real_films_are_learnt_from_once_and_never_where_they_test_others(real, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    for name in ("a_mic", "a_denoised", "b_denoised", "c_mic", "d_denoised", "plain"):
        (films / f"{name}.mp4").touch()
    pretraining = Pretraining(RECIPE, tmp_path / "state", real, films, workers=1)
    found = {path.stem for path in pretraining.real_films()}
    assert found == {"a_mic", "b_denoised", "c_mic", "d_denoised", "plain"}
    (films / "test.txt").write_text("c\nd_denoised\n")
    assert {path.stem for path in pretraining.real_films()} == {"a_mic", "b_denoised", "plain"}


def test_every_part_is_trained_and_what_ships_is_what_the_back_ends_load(real, tmp_path):
    frames, wave, _ = render.film("test", 0, seconds=2.0, size=(64, 48))
    (tmp_path / "films").mkdir()
    writing.write_film(tmp_path / "films" / "real.mp4", frames, 25, wave, 16000)
    pretraining = Pretraining(RECIPE, tmp_path / "state", real, tmp_path / "films", workers=1)
    for part in PARTS:
        getattr(pretraining, part)()
    out = tmp_path / "out"
    pretraining.ship(out)
    progress = pd.read_csv(out / "video-foley" / "progress.csv")
    assert progress["system"].tolist() == ["reconstruction", "text to audio", "text to audio"]
    assert progress["step"].tolist()[1:] == [2, 4]
    assert (progress["fad"] >= 0).all()
    home = out / "video-foley" / "rms2sound"
    shipped = RMS2Sound.from_pretrained(home)
    files = [home / part / "diffusion_pytorch_model.safetensors" for part in ("unet", "controlnet")]
    assert {tensor.dtype for file in files for tensor in load_file(file).values()} == {torch.float16}
    texts = [path.read_text() for path in out.rglob("*.json")]
    assert not any(str(tmp_path) in text for text in texts), "no path of the machine that trained it"
    maker = VideoFoley.from_pretrained(out / "video-foley")
    writing.write_film(tmp_path / "film.mp4", frames, 30, wave, 16000)
    made = maker(tmp_path / "film.mp4", prompt="A hit on wood.")
    assert made.waveform.shape == (32000,) and np.isfinite(made.waveform).all()
    parts, losses = backbone.prepare(None, [], weights=home, vae={}, clap={}, unet={}, vocoder={})
    again = RMS2Sound(**parts)
    assert losses == {} and again.controlnet is None and again.unet.dtype == torch.float32
    prompt = "A hit on wood."
    torch.testing.assert_close(again.encode_prompt(prompt), shipped.encode_prompt(prompt))
    wave = torch.zeros(1, 20480)
    torch.testing.assert_close(again.encode(wave), pretraining.pipeline().encode(wave))
    scoring, losses = embedders.prepare(None, [], weights=out / "embedders", dims=4, tagger={}, clap={}, seed=0)
    assert scoring.texts(["A hit on wood."]).shape[0] == 1
    assert losses == {} and scoring.windows(np.zeros((1, 32000), np.float32))["fad"].shape[-1] == 4
    maps = np.zeros((1, 8, 3, 16, 16), np.uint8)
    encoder, losses = frame_encoder.train(maps, None, [0], [0], weights=out / "video-foley" / "encoder", widths=[4] * 4)
    assert losses == [] and frame_encoder.encode(encoder, maps).shape == (1, 8, 8)
    with pytest.raises(ValueError, match="is an encoder of channels 3; wanted channels 2, by features.kinds"):
        frame_encoder.train(maps[:, :, :2], None, [0], [0], weights=out / "video-foley" / "encoder", widths=[4] * 4)
    for key in ("weights", "start"):
        with pytest.raises(ValueError, match=f"of widths .*, fps 30; wanted .* fps 25, .*features.{key} to null"):
            frame_encoder.train(maps, None, [0], [0], fps=25, steps=1, **{key: out / "video-foley" / "encoder"})
    with pytest.raises(ValueError, match="has no film of 1.2 s.*--films"):
        Pretraining(RECIPE, tmp_path / "state", real, tmp_path / "out", workers=1).video2rms()
    for load in (backbone.load, embedders.load):
        with pytest.raises(FileNotFoundError, match="make pretrain"):
            load(tmp_path)


def test_a_part_of_another_recipe_or_of_other_films_begins_anew(real, tmp_path, capsys):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").touch()

    def renewed(part, **changes):
        made = Pretraining(RECIPE | changes, tmp_path / "state", real, tmp_path / "films", workers=1)
        folders = [made.state / part, made.state / "films" / part, made.state / "examples" / part, made.part(part)]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        (made.state / f"{part}.csv").touch()
        made.renew(part)
        there = [folder.exists() for folder in folders] + [(made.state / f"{part}.csv").exists()]
        assert len(set(there)) == 1
        return not there[0]

    settings = RECIPE["video2rms"]
    assert not renewed("vae") and not renewed("vae") and not renewed("vae", sampler={"num_inference_steps": 3})
    assert renewed("vae", sounds=RECIPE["sounds"] | {"vae": {"count": 7, "rounds": 2}})
    assert capsys.readouterr().out.startswith("vae: sounds.vae of ")
    assert renewed("vae") and not renewed("unet", vae={"steps": 5})
    assert not renewed("video2rms") and not renewed("video2rms", video2rms=settings | {"decode": "median"})
    assert renewed("video2rms", video2rms=settings | {"pool": 4}) and renewed("video2rms")
    (tmp_path / "films" / "b.mp4").touch()
    assert renewed("video2rms") and not renewed("video2rms")


@pytest.mark.parametrize("option, said", [("--real", "such folder"), ("--films", "such folder"), (None, "has no film")])
def test_folders_are_looked_at_before_hours_of_training(real, tmp_path, monkeypatch, capsys, option, said):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    (tmp_path / "films").mkdir()
    words = {"--real": real, "--films": tmp_path / "films", "--recipe": recipe, "--state": tmp_path / "state"}
    words |= {option: tmp_path / "none"} if option else {}
    monkeypatch.setattr("sys.argv", ["vf.pretrain", *(str(word) for pair in words.items() for word in pair)])
    with pytest.raises(SystemExit):
        pretraining.main()
    assert said in capsys.readouterr().err.splitlines()[-1] and not (tmp_path / "state").exists()


def test_what_was_interrupted_ends_as_what_was_not(real, tmp_path, monkeypatch):
    whole = Pretraining(RECIPE, tmp_path / "whole", real, tmp_path, workers=1)
    for part in ("vae", "vocoder", "clap", "tagger", "scoring_clap", "unet"):
        getattr(whole, part)()
    assert whole.pipeline().controlnet is None, "the parts do not wait for the control net"

    cut = Pretraining(RECIPE, tmp_path / "cut", real, tmp_path, workers=1)
    for part in ("vae", "clap"):
        getattr(cut, part)()
    log, lines = Pretraining.log, []

    def interrupted(self, part, **row):
        lines.append(row)
        if len(lines) == 1:
            raise KeyboardInterrupt
        log(self, part, **row)

    monkeypatch.setattr(Pretraining, "log", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cut.unet()
    cut.unet()
    again, first = (torch.load(p.state / "unet" / "state.pt", weights_only=True) for p in (cut, whole))
    assert again["history"] == first["history"]
    assert all(torch.equal(a, b) for a, b in zip(again["model"].values(), first["model"].values()))
    whole.unet()  # finished: it only leaves the network
    assert pd.read_csv(whole.state / "unet.csv")["step"].tolist() == [2, 4], "each stop once"
