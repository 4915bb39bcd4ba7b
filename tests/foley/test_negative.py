"""A negative prompt takes the null's place in Eq. 5, and without one every bit stays as it was."""

import numpy as np
import pytest
import tiny_pipeline
import torch
from echo import curve, studio

from vf.foley import record, session, vocabulary
from vf.foley import request as requests
from vf.foley.render import Region
from vf.models import sampler
from vf.models.sampler import Settings, Voice
from vf.signal.diffusion import guide


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline.controlled()


def outputs(pipeline, settings, voices, z, rms):
    """What the sampler takes Eq. 5 to be, (1, c, l, g)."""
    return sampler._outputs(pipeline, z, torch.tensor(500), [0], rms, voices, settings)


@pytest.mark.parametrize("prompt", ["metal", None])
@pytest.mark.parametrize("guide_rms", [False, True])
def test_it_is_eq_5_with_another_null(pipeline, prompt, guide_rms):
    z = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    rms = torch.full((1, 64), 0.2)
    vectors = {text: pipeline.encode_prompt(text) for text in ("metal", "wood")}
    null = pipeline.encode_prompt(count=1)
    voice = Voice(None if prompt is None else vectors[prompt], torch.ones(16))
    made = outputs(pipeline, Settings(3.0, 1, guide_rms=guide_rms, negative_prompt="wood"), [voice], z, rms)

    def f(timbre, curve):
        with torch.no_grad():
            return sampler.predict(pipeline.unet, pipeline.controlnet, z, torch.tensor(500), timbre, curve)

    towards = f(null if prompt is None else vectors[prompt], rms)
    wanted = guide(towards, f(vectors["wood"], None if guide_rms else rms), 3)
    assert torch.allclose(made, wanted, atol=1e-5)
    assert (made - outputs(pipeline, Settings(3.0, 1, guide_rms=guide_rms), [voice], z, rms)).abs().max() > 1e-4


def test_the_pipeline_takes_it_as_diffusers_does(pipeline):
    rms = torch.full((1, 64), 0.2)
    settings = {"guidance_scale": 2.0, "num_inference_steps": 2, "output_type": "latent"}
    plain, none, other = (
        pipeline(rms, "metal", generator=torch.Generator().manual_seed(0), **given, **settings)
        for given in ({}, {"negative_prompt": None}, {"negative_prompt": "wood"})
    )
    assert torch.equal(plain, none) and not torch.allclose(plain, other, atol=1e-3)


def test_where_it_is_the_prompt_itself_nothing_is_left_of_guidance(pipeline):
    """omega f + (1 - omega) f = f."""
    rms = torch.full((1, 64), 0.2)
    settings = {"num_inference_steps": 2, "output_type": "latent"}
    guided = {"guidance_scale": 5.0, "negative_prompt": "metal"}
    one, two = (
        pipeline(rms, "metal", generator=torch.Generator().manual_seed(0), **given, **settings)
        for given in ({"guidance_scale": 1.0}, guided)
    )
    assert torch.allclose(one, two, atol=1e-3)


def test_it_holds_in_every_region():
    """The stand-in's latents are its timbre, so that Eq. 5 can be read off them."""
    maker = studio(guidance_scale=3.0)
    maker.sound(curve(), prompt="a", regions=[Region(1.0, 2.0, "b")], negative_prompt="c")
    mel = torch.cat(maker.pipeline.vocoder.heard)[:300, 1:5]
    a, b, c, _ = torch.eye(4)
    assert torch.allclose(mel[50], 3 * a - 2 * c, atol=1e-5) and torch.allclose(mel[150], 3 * b - 2 * c, atol=1e-5)


def test_without_guidance_and_without_words_it_is_refused():
    with pytest.raises(ValueError, match="guidance_scale is 1.0; wanted above 1 beside a negative prompt"):
        studio().sound(curve(), "a", negative_prompt="b")
    with pytest.raises(ValueError, match="negative_prompt is '  '; wanted words"):
        Settings(2.0, negative_prompt="  ")


def test_names_stand_for_texts_and_texts_for_themselves():
    assert requests.negative("no speech") == requests.NEGATIVES["no speech"] != "no speech"
    both = requests.negative("No speech, thunder,no music")
    assert both.startswith("speech") and ", thunder, music" in both and requests.negative(both) == both


def test_a_session_keeps_it_and_an_older_one_has_none(tmp_path):
    maker = studio(guidance_scale=3.0)
    made = maker.render(None, wanted=curve(), prompt="a", negative_prompt="no speech")
    made.save(tmp_path / "foley.wav")
    assert record.read(tmp_path / "foley.json")[0]["negative_prompt"] == requests.NEGATIVES["no speech"]
    again = session.render(tmp_path / "foley.json", maker=studio(guidance_scale=3.0))
    assert np.array_equal(again.waveform, made.waveform) and again.session["settings"] == made.session["settings"]
    plain = maker.render(None, wanted=curve(), prompt="a")
    plain.session["version"] = 2
    for key in ("loudness", "loudness_reached"):
        del plain.session[key]
    del plain.session["settings"]["negative_prompt"]
    plain.save(tmp_path / "old.wav")
    older = session.render(tmp_path / "old.json", maker=studio(guidance_scale=3.0))
    assert np.array_equal(older.waveform, plain.waveform) and older.session["settings"]["negative_prompt"] is None


def test_words_that_the_model_never_learnt_are_said():
    maker = studio()
    maker.pipeline.clap = type("Clap", (), {"config": type("Config", (), {"lexicon": ["hit", "metal"]})})
    assert vocabulary.unknown(maker, ["hit metal", None]) == []
    lines = vocabulary.unknown(maker, ["hit a gong"], "no music")
    assert (
        lines[0] == "Never learnt: a, gong. The sound will follow the other words."
        and "negative prompt: music, melody" in lines[1]
    )


def test_a_prompt_without_a_word_that_counts_says_what_it_does():
    maker = studio()
    maker.pipeline.clap = type("Clap", (), {"config": type("Config", (), {"lexicon": ["a", "hit", "metal"]})})
    assert not any("any timbre" in line for line in vocabulary.unknown(maker, ["a metal gong", "hit it"]))
    lines = vocabulary.unknown(maker, ["a metal bell", "a gong"])
    assert lines[0] == "Never learnt: bell. The sound will follow the other words."
    assert lines[1] == "'a gong': says nothing that was learnt (never learnt: gong); any timbre may come."


def test_a_word_that_is_nearly_known_is_named_with_that_one():
    maker = studio()
    maker.pipeline.clap = type("Clap", (), {"config": type("Config", (), {"lexicon": ["a", "dog", "hit", "leaf"]})})
    (line,) = vocabulary.unknown(maker, ["a dog hits leaves at it"])
    assert line.startswith("Never learnt: hits (known: hit), leaves (known: leaf), at, it. The sound")
    assert vocabulary.unknown(maker, ["a dog"]) == [], "a word that was learnt beside materials and actions"
