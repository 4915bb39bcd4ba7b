import shutil

import numpy as np
import pytest
import torch

from vf.backends.small import embedders
from vf.backends.small.embedders import TaggerOptions


def beeps(count=24, seconds=1.28):
    t = np.arange(round(seconds * 16000)) / 16000
    rng = np.random.default_rng(0)
    pitch = [400 if i % 2 else 3000 for i in range(count)]
    waves = np.stack([0.2 * np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in pitch]).astype(np.float32)
    return waves, [f"A person hit {'wood' if i % 2 else 'glass'} with a wooden stick." for i in range(count)]


def test_the_tagger_learns_to_name_materials_whatever_their_level():
    waves, captions = beeps()
    tagger, losses = embedders.train_tagger(waves, captions, TaggerOptions(60, dims=4, batch=8, lr=1e-2, width=4))
    assert losses[-1] < losses[0]
    for gain in (1.0, 0.3):
        named = embedders.name_material(tagger, gain * waves, ("wood", "glass", "rock"))
        assert named == ["wood" if "hit wood" in c else "glass" for c in captions]
    assert embedders.name_material(tagger, waves[:2], ("water",)) == [None, None]


def test_windows_are_a_second_long_and_overlap_by_half():
    tagger = embedders.Tagger(words=["a"], dims=3, width=4).eval()
    assert embedders.embed_sound(tagger, np.zeros((2, 80000), np.float32)).shape == (2, 9, 3)


def test_the_pictures_embedder_has_unit_variance_on_its_training_films():
    x = np.random.default_rng(0).normal(size=(200, 10)) * np.arange(1, 11)
    projection = embedders.train_picture(x, 4)
    assert np.allclose(embedders.embed_picture(projection, x).std(0), 1, atol=0.01)
    maps = np.zeros((150, 3, 36, 48), np.uint8)
    assert embedders.picture_windows(maps, 30, 9).shape == (9, 3 * (24 + 4))


def test_saved_and_loaded_they_hear_the_same(tmp_path):
    waves, captions = beeps(8, 5.12)
    settings = {"dims": 4, "tagger": {"steps": 2, "batch": 2, "lr": 1e-3, "width": 4}, "clap": {"steps": 2, "batch": 4}}
    made, losses = embedders.prepare(waves, captions, **settings, seed=0)
    made.save(tmp_path)
    back = embedders.load(tmp_path)
    assert set(losses) == {"tagger", "CLAP"}
    assert np.array_equal(back.windows(waves[:2])["fad"], made.windows(waves[:2])["fad"])
    assert np.allclose(back.score(waves[:2]), made.score(waves[:2]), atol=1e-6)
    assert np.array_equal(back.texts(captions[:2]), made.texts(captions[:2]))
    assert np.linalg.norm(made.texts(captions[:2]), axis=-1) == pytest.approx(np.ones(2), abs=1e-4)
    assert np.linalg.norm(made.score(waves[:2]), axis=-1) == pytest.approx(np.ones(2), abs=1e-4)
    assert torch.is_grad_enabled()


def test_a_folder_that_lacks_a_part_is_refused(tmp_path):
    waves, captions = beeps(8, 5.12)
    settings = {"dims": 4, "tagger": {"steps": 1, "batch": 2, "width": 4}, "clap": {"steps": 1, "batch": 4}}
    embedders.prepare(waves, captions, **settings, seed=0)[0].save(tmp_path)
    shutil.rmtree(tmp_path / "tokenizer")
    with pytest.raises(FileNotFoundError, match="has no tokenizer of the metrics"):
        embedders.load(tmp_path)


def test_windows_of_the_picture_lie_where_those_of_the_sound_do():
    maps = np.broadcast_to(np.arange(150, dtype=np.uint8)[:, None, None, None], (150, 1, 36, 48))
    first = np.array([round(14.4 * k) for k in range(9)])
    assert embedders.picture_windows(maps, 30, 9)[:, 0] * 255 == pytest.approx(first + 14, abs=1e-3)
