"""The one denoising loop: settings, noise that no batch or window changes, windows that agree, holding to a curve."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_pipeline
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from echo import TIMELINE, Echo

from vf.models import sampler
from vf.models.sampler import SeededNoise, Settings, Voice
from vf.signal import group, mel, rms
from vf.signal.diffusion import estimate, guide
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.2)  # 32 latent frames, of which the last two lie behind the clip
TEXTS = ["a bell", "a person hit metal", "wood"]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline.controlled()


# settings


@pytest.mark.parametrize(
    "name, value",
    [
        ("hold", 1.5),
        ("eta", -0.1),
        ("precision", "fp8"),
        ("batch", 0),
        ("num_inference_steps", 0),
        ("guidance_scale", np.nan),
        ("scheduler", "euler"),
        ("spacing", 0.5),
        ("spacing", 2.0),  # beside ddim
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*; wanted"):
        Settings(**{name: value})


def test_settings_come_from_the_block_of_params_yaml():
    block = {"guidance_scale": 2.0, "num_inference_steps": 20, "eta": 1.0, "precision": "bf16", "batch": 20, "films": 6}
    assert Settings.of(block) == Settings(2.0, 20, 1.0, "bf16", 20, guide_rms=False, hold=0.0)
    assert Settings.of(block, hold=0.5).hold == 0.5


def test_times_are_even_or_denser_where_less_noise_is_left():
    even = sampler.times(1000, Settings(num_inference_steps=20, scheduler="dpm"))
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(20)
    assert even == scheduler.timesteps.tolist()
    denser = sampler.times(1000, Settings(num_inference_steps=20, scheduler="dpm", spacing=1.5))
    assert len(denser) == 20 and (denser[0], denser[-1]) == (999, 10)
    assert (np.diff(denser, 2) >= -1).all() and denser[10] == round(1000 * 0.5**1.5) - 1
    every = sampler.times(1000, Settings(num_inference_steps=1000, scheduler="dpm", spacing=2.0))
    assert every[-1] == 0 and (np.diff(every) < 0).all(), "no time twice"


# noise


def test_noise_is_the_same_for_a_frame_whatever_is_sampled_beside_it():
    def noise(spans, step=2, begin=0, end=200, clips=(0,)):
        return SeededNoise((2, 64, 4), spans, clips)(step, begin, end, torch.float32)

    whole = noise([(3, 0, 200)])
    assert torch.equal(noise([(3, 0, 200)], begin=60, end=150), whole[:, :, 60:150])
    assert torch.equal(noise([(3, 0, 200)], clips=(5, 0))[1:], whole)
    assert abs(float(whole.mean())) < 0.1 and abs(float(whole.std()) - 1) < 0.1
    for other in (noise([(4, 0, 200)]), noise([(3, 0, 200)], step=3), noise([(3, 0, 200)], clips=(1,))):
        assert not torch.equal(other, whole)
    mixed = noise([(3, 0, 200), (4, 70, 90)])
    same = (mixed == whole).all(0).all(0).all(-1)
    assert same[:70].all() and same[90:].all() and not same[70:90].any()


def test_parts_of_every_step_in_order_are_the_whole():
    """As the sampler asks: the start, then each step from frame to frame, cut inside blocks and spans."""
    spans = [(3, 0, 200), (4, 50, 90), (3, 80, 130)]
    whole, parts = SeededNoise((2, 64, 4), spans), SeededNoise((2, 64, 4), spans)
    for step in (-1, 0, 1, 2):
        cut = [parts(step, a, b, torch.float32) for a, b in ((0, 30), (30, 85), (85, 86), (86, 200))]
        assert torch.equal(torch.cat(cut, 2), whole(step, 0, 200, torch.float32))


def test_a_block_is_the_noise_of_the_tables_clip():
    """seed * 100_003 + clip, drawn as diffusers draws it: start, step 0, step 1 ..."""
    noise = SeededNoise((2, 64, 4), [(3, 0, 128)])
    for k in (0, 1):
        source = torch.Generator().manual_seed(3 * 100_003 + k)
        drawn = [torch.randn(2, 64, 4, generator=source) for _ in range(3)]
        fresh = SeededNoise((2, 64, 4), [(3, 0, 128)])
        for step in (-1, 0, 1):
            assert torch.equal(fresh(step, 64 * k, 64 * k + 64, torch.float32)[0], drawn[step + 1])
    assert (
        noise.generator(0)[0].initial_seed() == 3 * 100_003
        and noise.generator(127)[0].initial_seed() == 3 * 100_003 + 1
    )


def test_systems_share_their_noise():
    curves = torch.full((3, TIMELINE.sound_rms_frames), 0.1)
    together, alone = (sampler.generate(Echo(), TIMELINE, Settings(batch=b), curves, ["a"] * 3) for b in (3, 1))
    assert torch.equal(together, alone)


# the loop


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_the_tables_route_is_diffusers_own_loop(pipeline, precision, monkeypatch):
    """Eq. 4 and 5 written out for a batch, with the scheduler drawing from one generator a sound."""
    monkeypatch.setattr(group, "multiplies_bf16", lambda device: True)
    curves = sampler.condition(0.2 * torch.rand(3, 150, generator=torch.Generator().manual_seed(0)), T)
    settings = Settings(guidance_scale=2.0, num_inference_steps=4, eta=1.0, precision=precision, batch=3)
    sources = [torch.Generator().manual_seed(7 * 100_003 + k) for k in range(3)]
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    scheduler.set_timesteps(4)
    z_t = torch.cat([torch.randn(1, 8, 32, 16, generator=source) for source in sources])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        timbre = torch.cat([pipeline.encode_prompt(count=1).expand(3, -1), pipeline.encode_prompt(TEXTS)])
        for t in scheduler.timesteps:
            both = torch.cat([z_t, z_t])
            residuals = pipeline.controlnet(both, t, timbre, torch.cat([curves, curves])).kwargs()
            null, conditioned = pipeline.unet(both, t, None, class_labels=timbre, **residuals).sample.chunk(2)
            z_t = scheduler.step(2.0 * conditioned + (1 - 2.0) * null, t, z_t, eta=1.0, generator=sources).prev_sample
    wave = sampler.generate(pipeline, T, settings, curves, TEXTS, seed=7)
    assert torch.equal(wave, pipeline.decode(z_t)[:, : T.samples].clamp(-1, 1))


def latents_of(pipeline, total, prompt, **changes):
    settings = Settings(**{"guidance_scale": 2.0, "num_inference_steps": 3, **changes})
    voice = Voice(None if prompt is None else pipeline.encode_prompt(prompt), torch.ones(total))
    latents, noise = torch.zeros(1, 8, total, 16), SeededNoise((8, 32, 16), [(0, 0, total)])
    deque(sampler.denoise(pipeline, latents, torch.full((1, total * 4), 0.1), [voice], noise, settings, window=32), 0)
    return latents


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_how_many_windows_are_in_memory_changes_nothing(pipeline, eta):
    one, three, all_ = (latents_of(pipeline, 75, "a bell", eta=eta, batch=b) for b in (1, 3, 99))
    assert torch.allclose(one, three, atol=1e-3) and torch.allclose(one, all_, atol=1e-3)


def test_the_first_windows_are_finished_before_the_last_and_then_stay(pipeline):
    """Five windows of three steps: the first is done after six passes of fifteen, each other after three more."""
    voice, noise = Voice(None, torch.ones(120)), SeededNoise((8, 32, 16), [(0, 0, 120)])
    settings, passes, found = Settings(guidance_scale=2.0, num_inference_steps=3, batch=1), [], []
    latents, curve = torch.zeros(1, 8, 120, 16), torch.full((1, 480), 0.1)
    for until in sampler.denoise(pipeline, latents, curve, [voice], noise, settings, 32, passes.append):
        found.append((len(passes), until, latents[:, :, :until].clone()))
    assert [(count, until) for count, until, _ in found] == [(6, 24), (9, 48), (12, 72), (14, 88), (16, 120)]
    assert all(torch.equal(latents[:, :, :until], early) for _, until, early in found)
    assert passes == sorted(passes) and passes[-1] == 1


def test_one_window_of_many_sounds_is_each_sound_alone(pipeline):
    curves = sampler.condition(torch.rand(3, 150), T)
    settings = {"guidance_scale": 2.0, "num_inference_steps": 3, "eta": 1.0}
    together, alone = (sampler.generate(pipeline, T, Settings(**settings, batch=b), curves, TEXTS) for b in (3, 1))
    assert (together - alone).abs().mean() < 1e-3 * alone.abs().mean()


def test_latents_on_disk_are_filled_through_a_view(pipeline):
    array = np.zeros((75, 8, 16), np.float32)
    voice, noise = Voice(None, torch.ones(75)), SeededNoise((8, 32, 16), [(0, 0, 75)])
    settings = Settings(guidance_scale=2.0, num_inference_steps=3)
    view = torch.from_numpy(array).transpose(0, 1)[None]
    deque(sampler.denoise(pipeline, view, torch.full((1, 300), 0.1), [voice], noise, settings, window=32), 0)
    assert np.array_equal(array, latents_of(pipeline, 75, None)[0].transpose(0, 1).numpy())


def test_a_scheduler_that_draws_for_itself_repeats(pipeline):
    class Plain(DDIMScheduler):
        def step(self, model_output, timestep, sample, generator=None):
            return super().step(model_output, timestep, sample, eta=1.0, generator=generator)

    kept, pipeline.scheduler = pipeline.scheduler, Plain.from_config(pipeline.scheduler.config)
    try:
        one, two = (latents_of(pipeline, 75, "a bell", batch=2) for _ in range(2))
        alone = latents_of(pipeline, 32, "a bell", batch=2)
    finally:
        pipeline.scheduler = kept
    assert torch.equal(one, two) and torch.isfinite(one).all()
    assert torch.equal(alone, latents_of(pipeline, 32, "a bell", eta=1.0, batch=2)), (
        "of one window: the noise of the tables"
    )


def test_a_scheduler_that_remembers_has_a_memory_for_each_group(pipeline):
    kept, pipeline.scheduler = pipeline.scheduler, DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    try:
        one, all_ = (latents_of(pipeline, 75, "a bell", batch=b) for b in (1, 99))
    finally:
        pipeline.scheduler = kept
    assert torch.isfinite(one).all() and torch.allclose(one, all_, atol=1e-3 * float(all_.abs().max()))


def test_twenty_steps_of_dpm_are_nearer_to_sixty_of_ddim_than_twenty_of_ddim(pipeline):
    curve = rms.rms_curve(torch.as_tensor(tiny_pipeline.sounds()[:2]), 1024, 160)

    def latents(steps, **settings):
        noise = SeededNoise((8, 16, 16), [(3, 0, 16)], [0, 1])
        call = {"prompt": TEXTS[:2], "guidance_scale": 2.0, "noise": noise, "output_type": "latent", **settings}
        return pipeline(rms=curve, num_inference_steps=steps, **call)

    goal = latents(60)
    dpm, ddim = latents(20, scheduler="dpm"), latents(20)
    assert (dpm - goal).square().mean() < 0.25 * (ddim - goal).square().mean()
    assert torch.equal(dpm, latents(20, scheduler="dpm", eta=1.0)), "deterministic, and from the same noise"


def test_the_condition_is_nearest_neighbour_then_zeros():
    paper = Timeline()
    drawn = torch.rand(1250) + 0.1
    given = sampler.condition(drawn, paper)
    assert given.shape == (1024,) and (given[1000:] == 0).all()
    assert torch.equal(given[:1000], rms.resize(drawn, 1000))
    film = sampler.condition(torch.cat([drawn, drawn]), paper)
    assert (
        torch.equal(film[:1000], given[:1000])
        and torch.equal(film[1000:2000], given[:1000])
        and (film[2000:] == 0).all()
    )


def test_guidance_is_eq_5():
    one, null = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(guide(one, null, 1.0), one) and torch.equal(guide(one, null, 0.0), null)
    assert torch.allclose(guide(one, null, 3.0) - null, 3 * (one - null), atol=1e-5)


# holding to a curve, on latents that are log-mels themselves, so that every level can be reached exactly


def mels(kind):
    return SimpleNamespace(
        scheduler=DDIMScheduler(
            beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", prediction_type=kind
        ),
        decode_mel=lambda z: z[:, 0],
        encode_mel=lambda m: m[:, None],
        vocoder=SimpleNamespace(config=SimpleNamespace(sampling_rate=16000)),
    )


def output_of(kind, t=100):
    """Output of a network that estimates noise of a loudness of about 0.05, with z_t of that time."""
    generator = torch.Generator().manual_seed(0)
    clean = mel.log_mel(0.05 * torch.randn(2, 64 * 160, generator=generator))[:, None]
    noise = torch.randn(clean.shape, generator=generator)
    scheduler, t = mels(kind).scheduler, torch.tensor(t)
    z_t = scheduler.add_noise(clean, noise, t)
    return (noise if kind == "epsilon" else scheduler.get_velocity(clean, noise, t.expand(2))), z_t, t


def level(kind, output, z_t, t):
    return mel.energy(mels(kind).decode_mel(estimate(mels(kind).scheduler, output, z_t, t.expand(2))[0]))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_estimate_gets_the_curves_levels(kind):
    output, z_t, t = output_of(kind)
    curve = torch.linspace(0.01, 0.2, 64).expand(2, -1)
    moved = sampler.hold(mels(kind), output, z_t, t, curve, 1.0)
    assert torch.allclose(level(kind, moved, z_t, t), curve, rtol=1e-2)
    half = sampler.hold(mels(kind), output, z_t, t, curve, 0.5)
    between = (level(kind, output, z_t, t) * curve).sqrt()
    assert torch.allclose(level(kind, half, z_t, t), between, rtol=1e-2)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_no_strength_changes_nothing_and_silence_is_not_raised(kind):
    output, z_t, t = output_of(kind)
    assert torch.allclose(sampler.hold(mels(kind), output, z_t, t, torch.full((2, 64), 0.1), 0.0), output, atol=1e-4)
    quiet = sampler.hold(mels(kind), output, z_t, t, torch.zeros(2, 64), 1.0)
    assert torch.allclose(level(kind, quiet, z_t, t), torch.full((2, 64), 0.005), rtol=1e-2)


def test_holding_is_off_unless_asked_for_and_reaches_long_sound(pipeline):
    plain, off, on = (
        latents_of(pipeline, 75, "a bell", num_inference_steps=6, **h) for h in ({}, {"hold": 0.0}, {"hold": 1.0})
    )
    assert torch.equal(plain, off) and not torch.equal(plain, on) and torch.isfinite(on).all()


@pytest.mark.parametrize(("steps", "held"), [(2, [499]), (10, [99]), (40, [99, 74, 49, 24])])
def test_the_last_steps_are_held(pipeline, monkeypatch, steps, held):
    """Those at which at most a fifth of the power is noise, and the last one in any case."""
    times = []
    monkeypatch.setattr(sampler, "hold", lambda pipeline, output, z_t, t, *_: times.append(int(t)) or output)
    latents_of(pipeline, 32, "a bell", num_inference_steps=steps, hold=1.0)
    assert times == held


def test_the_solver_steps_at_the_spaced_times():
    settings = Settings(num_inference_steps=20, scheduler="dpm", spacing=1.5)
    solver = settings.solver(DDIMScheduler(), torch.device("cpu"))
    assert solver.timesteps.tolist() == sampler.times(1000, settings)
