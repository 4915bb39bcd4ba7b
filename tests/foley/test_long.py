"""Windows cover a film of any length, agree where they overlap, and leave no seam; their noise and their pieces do not depend on cuts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from vf.backends.nets.griffin_lim import GriffinLim
from vf.backends.small import backbone
from vf.data import media
from vf.foley import long as windows
from vf.foley import takes
from vf.models.rms2sound import RMS2Sound
from vf.models.rms_controlnet import RMSControlNet
from vf.signal import mel, rms
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.2)  # 32 latent frames, 128 of the log-mel


@pytest.mark.parametrize("total", [1, 32, 33, 60, 64, 95, 1000])
@pytest.mark.parametrize("overlap", [0, 8, 16])
def test_windows_cover_every_frame_and_their_ramps_weigh_it(total, overlap):
    begins = windows.starts(total, 32, overlap)
    weight = np.zeros(max(total, 32))
    for s in begins:
        weight[s : s + 32] += windows.ramp(32, overlap).numpy()
    assert begins[0] == 0 and begins[-1] == max(0, total - 32) and (weight > 0).all()
    assert all(32 - (b - a) >= overlap for a, b in zip(begins, begins[1:]))


def test_neighbouring_ramps_sum_to_one():
    weight = np.zeros(80)
    for s in windows.starts(80, 32, 8):
        weight[s : s + 32] += windows.ramp(32, 8).numpy()
    assert np.allclose(weight[8:-8], 1)


def test_noise_is_the_same_for_a_frame_whatever_is_asked_with_it():
    whole = windows.noise([(3, 0, 200)], 5, 0, 200, (2, 4))
    assert torch.equal(windows.noise([(3, 0, 200)], 5, 60, 150, (2, 4)), whole[60:150])
    assert abs(float(whole.mean())) < 0.1 and abs(float(whole.std()) - 1) < 0.1
    for other in (windows.noise([(4, 0, 200)], 5, 0, 200, (2, 4)), windows.noise([(3, 0, 200)], 6, 0, 200, (2, 4))):
        assert not torch.equal(other, whole)
    mixed = windows.noise([(3, 0, 200), (4, 70, 90)], 5, 0, 200, (2, 4))
    same = (mixed == whole).all(-1).all(-1)
    assert same[:70].all() and same[90:].all() and not same[70:90].any()


@pytest.fixture(scope="module")
def pipeline():
    """The real networks, barely trained; a control net that speaks."""
    rng = np.random.default_rng(0)
    waves = (0.1 * rng.standard_normal((4, 64 * 160))).astype(np.float32)
    parts, _ = backbone.prepare(
        waves,
        ["A person hit metal with a wooden stick."] * 4,
        vae={"steps": 2, "channels": (4, 16, 32), "batch": 2},
        clap={"steps": 2, "batch": 2, "width": 4, "dims": 16},
        unet={"steps": 2, "batch": 2, "channels": (8, 16, 16), "text_share": 0.5},
        vocoder={"steps": 2, "iterations": 2, "hidden": 4},
    )
    pipe = RMS2Sound(**parts)
    pipe.register_modules(controlnet=RMSControlNet.from_unet(pipe.unet))
    torch.manual_seed(0)
    for weight in pipe.controlnet.parameters():
        weight.data += 0.05 * torch.randn_like(weight)
    pipe.set_progress_bar_config(disable=True)
    return pipe


OPTIONS = {"guidance_scale": 2.0, "num_inference_steps": 3, "precision": "no"}


def latents_of(pipe, seconds, prompt, **options):
    wanted = np.full(round(seconds * 125), 0.1, np.float32)
    wanted, voices = takes.hear(pipe, T, wanted, prompt)
    curve = torch.full((len(voices[0].weight) * 4,), 0.1)
    latents = np.zeros((len(voices[0].weight), 8, 16), np.float32)
    windows.sample(pipe, latents, curve, voices, [(0, 0, len(latents))], 32, 8, **{**OPTIONS, **options})
    return latents, curve


@pytest.mark.parametrize("prompt", ["a bell", None])
def test_one_window_is_the_pipelines_own_sampling_and_decoding(pipeline, prompt):
    latents, curve = latents_of(pipeline, 1.2, prompt)
    start = torch.from_numpy(latents)
    z = windows.noise([(0, 0, 32)], -1, 0, 32, (8, 16)).transpose(0, 1)[None]
    given = pipeline.scheduler.init_noise_sigma * z
    pipeline.scheduler.set_timesteps(3)
    timbre = pipeline.encode_prompt(prompt, count=1)
    for t in pipeline.scheduler.timesteps:
        with torch.no_grad():
            both = torch.cat([pipeline.encode_prompt(count=1), timbre])
            residuals = pipeline.controlnet(given.repeat(2, 1, 1, 1), t, both, curve.expand(2, -1)).kwargs()
            said = pipeline.unet(given.repeat(2, 1, 1, 1), t, encoder_hidden_states=None, class_labels=both, **residuals).sample
        given = pipeline.scheduler.step(2 * said[1:] - said[:1], t, given).prev_sample
    torch.testing.assert_close(start, given[0].transpose(0, 1), rtol=1e-3, atol=1e-4)
    wave = np.concatenate(list(windows.decode(pipeline, latents, 32, 8)))
    assert np.allclose(wave, pipeline.decode(start.transpose(0, 1)[None])[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_how_many_windows_are_in_memory_changes_nothing(pipeline, eta):
    one, three, all_ = (latents_of(pipeline, 3.0, "a bell", eta=eta, batch=b)[0] for b in (1, 3, 99))
    assert len(one) == 75 and np.allclose(one, three, atol=1e-3) and np.allclose(one, all_, atol=1e-3)


def test_the_tick_is_called_before_every_pass_and_its_error_stops(pipeline):
    shares = []
    latents_of(pipeline, 3.0, "a bell", batch=1, tick=shares.append)
    assert shares == sorted(shares) and shares[0] == 0 and len(shares) == 3 * len(windows.starts(75, 32, 8))

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        latents_of(pipeline, 3.0, "a bell", tick=stop)


@pytest.fixture(scope="module")
def joined():
    """(pieces, the same vocoded in one): latents that are themselves a log-mel of steady noise, 4 frames each."""
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(2560 * 160).astype(np.float32))
    level = mel.log_mel(0.1 * (noise + noise.roll(1)), 16000)
    vocoder, device = GriffinLim(iterations=6), torch.device("cpu")
    pipe = SimpleNamespace(device=device, latent_stride=4, vocoder=vocoder, decode_mel=lambda z: z.transpose(1, 2).flatten(1, 2))
    pieces = list(windows.decode(pipe, level.reshape(-1, 4, 64).numpy(), 128, 32))
    return pieces, vocoder(level[None])[0].numpy()


def test_pieces_of_vocoding_join_into_the_sound_of_the_whole(joined):
    """Beyond the reach of a cut the pieces have the samples that one pass over everything has, so no seam can be heard."""
    pieces, whole = joined
    wave = np.concatenate(pieces)
    assert [len(p) for p in pieces] == [1024 * 160, 1024 * 160, 512 * 160]
    assert np.abs(wave - whole).max() < 1e-3 * np.abs(whole).max()


def test_no_seam_where_pieces_join(joined):
    """RMS and spectral flux at the joins are those of elsewhere."""
    wave = torch.from_numpy(np.concatenate(joined[0]))
    level = 20 * rms.rms_curve(wave, 1024, 160).log10().numpy()
    flux = np.abs(np.diff(mel.log_mel(wave, 16000).numpy(), axis=0)).mean(1)
    at = np.concatenate([np.arange(k * 1024 + 96 - 16, k * 1024 + 96 + 16) for k in (1, 2)])
    other = np.setdiff1d(np.arange(100, 2460), at)
    for measure in (level, flux):
        assert abs(measure[at].mean() - measure[other].mean()) < 3 * measure[other].std() / np.sqrt(len(at) / 8)


def test_a_scheduler_without_given_noise_draws_its_own(pipeline):
    class Plain(DDIMScheduler):
        def step(self, model_output, timestep, sample, generator=None):
            return super().step(model_output, timestep, sample, eta=1.0, generator=generator)

    kept, pipeline.scheduler = pipeline.scheduler, Plain.from_config(pipeline.scheduler.config)
    try:
        one, two = (latents_of(pipeline, 3.0, "a bell", batch=2)[0] for _ in range(2))
    finally:
        pipeline.scheduler = kept
    assert np.array_equal(one, two) and np.isfinite(one).all()


def test_the_tape_keeps_what_it_was_given_and_cuts_it():
    pieces = [np.arange(5, dtype=np.float32), np.arange(5, 12, dtype=np.float32)]
    assert np.array_equal(windows.tape(iter(pieces), 9), np.arange(9))


@pytest.mark.parametrize("make", [lambda: windows.scratch((10, 10)), lambda: windows.tape([np.zeros(10, np.float32)], 10)])
def test_a_full_temporary_disk_is_named(monkeypatch, make):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(windows.tempfile, "TemporaryFile", full)
    with pytest.raises(media.MediaError, match="no room for .*No space left"):
        make()
