"""Pretraining: every part is trained once, shipped whole, and the same after an interruption."""

import numpy as np
import pytest
import soundfile
import torch

from vf.models.pretrain import Pretraining, stops
from vf.models.rms2sound import RMS2Sound

RECIPE = {
    "seed": 0,
    "seconds": 1.28,
    "sounds": {"vae": {"count": 6, "rounds": 2}, "captions": {"count": 12}, "unet": {"count": 6, "rounds": 2}},
    "real": {"share": 0.3, "held_out": "4-*"},
    "vae": {"steps": 4, "channels": [4, 16, 32], "batch": 2, "crop": 32, "lr": 1e-4},
    "vocoder": {"steps": 2, "hidden": 4, "iterations": 2},
    "clap": {"steps": 2, "batch": 4, "width": 4, "dims": 8},
    "tagger": {"steps": 2, "batch": 2, "width": 4, "dims": 4},
    "scoring_clap": {"steps": 2, "batch": 4, "width": 4, "dims": 8},
    "unet": {"steps": 4, "channels": [8, 16, 16], "batch": 2, "crop": 8, "every": 1},
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
    pretraining = Pretraining(RECIPE, tmp_path / "state", real, workers=1)
    waves, captions = pretraining.sounds("unet", 0, 6)
    assert captions.count("The sound of rain.") == 2 and waves.shape == (8, 20480) and waves.dtype == np.int16
    assert not np.array_equal(waves[:6], pretraining.sounds("unet", 1, 6)[0][:6])
    assert not np.array_equal(waves[:6], pretraining.sounds("vae", 0, 6)[0][:6])


def test_what_was_interrupted_ends_as_what_was_not(real, tmp_path, monkeypatch):
    whole = Pretraining(RECIPE, tmp_path / "whole", real, workers=1)
    for part in ("vae", "vocoder", "clap", "tagger", "scoring_clap", "unet"):
        getattr(whole, part)()
    whole.ship(tmp_path / "out")
    shipped = RMS2Sound.from_pretrained(tmp_path / "out" / "backbone")
    assert shipped.controlnet is None and (tmp_path / "out" / "embedders" / "tagger" / "config.json").exists()

    cut = Pretraining(RECIPE, tmp_path / "cut", real, workers=1)
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
