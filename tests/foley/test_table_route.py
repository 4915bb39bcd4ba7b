"""VideoFoley's sound of a film of one clip is what the tables score: notebook 07's first clip, bit for bit."""

import numpy as np
import pytest
import tiny_pipeline
import torch
from project import ROOT

from vf import params
from vf.foley.render import VideoFoley
from vf.models import sampler
from vf.models.sampler import Settings
from vf.models.video2rms import Video2RMS
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.2, fps=10)  # 1.2 s are 30 latent frames, lengthened to 32
SETTINGS = Settings(guidance_scale=2.0, num_inference_steps=4, eta=1.0, precision="bf16", batch=4)


@pytest.fixture(scope="module")
def pipeline():
    made = tiny_pipeline.controlled()
    made.vocoder.register_forward_hook(lambda module, args, wave: wave / 1000)  # else most samples are cut at 1
    return made


def maker(pipeline, settings=SETTINGS):
    torch.manual_seed(0)
    model = Video2RMS(features=24, width=8, lstm=4, frames=12, rms_frames=150, bins=8, relu_logits=False).eval()
    return VideoFoley(model, pipeline, lambda frames, times: frames[:, :, 0, 0] / 255, (32, 24), T, "mean", settings)


def curve(seconds=1.2):
    return (0.2 + 0.1 * np.sin(np.arange(round(seconds * 125)) / 20)).astype(np.float32)


TEXT = "A person hit metal with a wooden stick."
AUDIO = (0.1 * np.random.default_rng(0).standard_normal(19200)).astype(np.float32)
CASES = {
    "text": ({"prompts": [TEXT]}, {"prompt": TEXT}, SETTINGS),
    "audio": ({"audio": AUDIO[None]}, {"audio": AUDIO}, SETTINGS),
    "no prompt": ({}, {}, SETTINGS),
    "held": ({"prompts": [TEXT]}, {"prompt": TEXT}, Settings(2.0, 4, 1.0, "bf16", hold=1.0)),
    "guided curve": ({"prompts": [TEXT]}, {"prompt": TEXT}, Settings(2.0, 4, 1.0, "no", guide_rms=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_film_of_one_clip_is_the_tables_first_clip(pipeline, case):
    table, film, settings = CASES[case]
    scored = sampler.generate(pipeline, T, settings, sampler.condition(curve()[None], T), **table, seed=7)[0].numpy()
    made = maker(pipeline, settings).sound(curve(), **film, seed=7)
    assert np.abs(scored).mean() > 0.001 and (np.abs(scored) < 1).mean() > 0.5
    assert made.shape == (T.samples,) and np.array_equal(made, scored)


def test_beside_other_clips_it_differs_by_rounding_alone(pipeline):
    three = sampler.condition(np.stack([curve(), curve() / 2, curve() / 3]), T)
    precise = Settings(2.0, 4, 1.0, "no", batch=3)
    scored = sampler.generate(pipeline, T, precise, three, [TEXT, "a bell", "wood"], seed=7)[0].numpy()
    made = np.array(maker(pipeline, precise).sound(curve(), TEXT, seed=7))
    assert np.abs(made - scored).mean() < 1e-3 * np.abs(scored).mean()


def test_render_makes_the_same_sound_and_records_how(pipeline):
    made = maker(pipeline).render(None, wanted=curve(), prompt=TEXT, seed=7)
    assert np.array_equal(made.waveform, maker(pipeline).sound(curve(), TEXT, seed=7))
    assert Settings(**made.session["settings"]) == SETTINGS


def test_the_second_clip_of_a_film_has_the_noise_of_the_tables_second(pipeline):
    film = sampler.SeededNoise((8, T.latent_frames, 16), [(7, 0, 2 * T.latent_frames)])
    table = sampler.SeededNoise((8, T.latent_frames, 16), [(7, 0, T.latent_frames)], range(2))
    both = torch.cat(list(table(-1, 0, T.latent_frames, torch.float32)), 1)
    assert torch.equal(film(-1, 0, 2 * T.latent_frames, torch.float32)[0], both)


@pytest.mark.slow
@pytest.mark.skipif(
    not params.load("small", ROOT).folder("rms2sound").is_dir(),
    reason="the small profile is not trained yet: `make repro` first",
)
def test_the_trained_system_has_the_tables_settings_unless_held():
    assert VideoFoley.from_pretrained("small").settings == Settings.of(params.load("small", ROOT).generate)
    assert VideoFoley.from_pretrained("small", hold=1.0).settings.hold == 1.0
