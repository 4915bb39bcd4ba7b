import numpy as np
import pytest
import tiny_pipeline
import torch
from diffusers import DDPMScheduler
from tiny_pipeline import CAPTIONS, SAMPLES, sounds

from vf.backends.small import backbone
from vf.models import rms2sound
from vf.models.rms2sound import ControlNetOptions, RMS2Sound, train_controlnet
from vf.models.sampler import predict
from vf.signal.batches import Part
from vf.signal.diffusion import diffusion_loss, draw, drop
from vf.signal.rms import rms_curve

FRAMES = SAMPLES // 160


@pytest.fixture(scope="module")
def trained():
    """A pipeline after a few steps of everything, and what its control net was trained on."""
    waves, pipeline = sounds(), tiny_pipeline.plain()
    data = (pipeline.encode(waves), pipeline.encode_prompt(audio=waves), rms_curve(torch.as_tensor(waves), 1024, 160))
    before = {name: value.clone() for name, value in pipeline.unet.state_dict().items()}
    losses = train_controlnet(pipeline, *data, ControlNetOptions(3, batch=4, lr=1e-2, seed=1))
    return pipeline, data, before, losses


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_only_the_control_net_learns(trained):
    pipeline, _, before, losses = trained
    assert len(losses) == 3
    assert all(torch.equal(value, before[name]) for name, value in pipeline.unet.state_dict().items())
    assert all(p.grad is None for part in (pipeline.unet, pipeline.vae, pipeline.clap) for p in part.parameters())
    assert pipeline.controlnet.mid_zero.weight.abs().sum() > 0


def test_guidance_of_one_is_plain_conditioning_and_of_zero_the_null(trained):
    """Eq. 5 at omega = 1 and omega = 0, and in between it is the line through the two, for one step of the sampler."""
    pipeline, (_, _, rms), _, _ = trained
    call = {"rms": rms[:2], "num_inference_steps": 1, "output_type": "latent"}
    prompts = CAPTIONS[:2]
    at = {w: pipeline(prompt=prompts, guidance_scale=w, generator=seeded(), **call) for w in (0.0, 1.0, 3.5)}
    torch.testing.assert_close(at[0.0], pipeline(generator=seeded(), **call))  # no prompt: null, curve kept
    z_t = torch.randn(at[1.0].shape, generator=seeded())
    pipeline.scheduler.set_timesteps(1)
    t = pipeline.scheduler.timesteps[0]
    with torch.no_grad():
        plain = predict(pipeline.unet, pipeline.controlnet, z_t, t, pipeline.encode_prompt(prompts), rms[:2])
    torch.testing.assert_close(at[1.0], pipeline.scheduler.step(plain, t, z_t).prev_sample)
    torch.testing.assert_close(at[3.5], 3.5 * at[1.0] - 2.5 * at[0.0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(at[0.0], at[1.0])


def test_the_same_generator_gives_the_same_bytes(trained):
    pipeline, (_, _, rms), _, _ = trained
    call = {"rms": rms[:2], "audio": sounds()[:2], "num_inference_steps": 2}
    first = pipeline(generator=seeded(), **call)
    assert first.shape == (2, SAMPLES) and first.dtype == torch.float32
    assert torch.equal(first, pipeline(generator=seeded(), **call))
    assert not torch.equal(first, pipeline(generator=seeded(1), **call))
    call = {**call, "output_type": "latent"}
    each = pipeline(generator=[seeded(3), seeded(4)], **call)
    alone = pipeline(**{**call, "rms": rms[1:2], "audio": sounds()[1:2]}, generator=[seeded(4)])
    torch.testing.assert_close(each[1:], alone, rtol=1e-3, atol=1e-4)  # a sound does not depend on its batch


def test_save_and_load_give_the_same_bytes(trained, tmp_path):
    pipeline, (_, _, rms), _, _ = trained
    pipeline.save_pretrained(tmp_path)
    again = RMS2Sound.from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    call = {"rms": rms[:2], "prompt": CAPTIONS[0], "num_inference_steps": 2}
    assert torch.equal(pipeline(generator=seeded(), **call), again(generator=seeded(), **call))
    assert torch.equal(pipeline.encode(sounds()), again.encode(sounds()))
    assert torch.equal(pipeline.encode_prompt(audio=sounds()), again.encode_prompt(audio=sounds()))


def test_a_pipeline_without_control_net(trained, tmp_path):
    pipeline, (_, _, rms), _, _ = trained
    parts = {name: part for name, part in pipeline.components.items() if name != "controlnet"}
    RMS2Sound(**parts).save_pretrained(tmp_path)
    plain = RMS2Sound.from_pretrained(tmp_path)
    plain.set_progress_bar_config(disable=True)
    assert plain.controlnet is None
    assert plain(prompt=CAPTIONS[:3], num_inference_steps=1).shape == (3, SAMPLES)
    assert plain(num_inference_steps=1, frames=2 * FRAMES).shape == (1, 2 * SAMPLES)
    with pytest.raises(ValueError, match="no control net; load one"):
        plain(rms=rms[:1])


def test_one_prompt_serves_many_curves_and_the_other_way_round(trained):
    pipeline, (_, _, rms), _, _ = trained
    call = {"num_inference_steps": 1, "output_type": "latent"}
    assert len(pipeline(rms=rms[:3], prompt=CAPTIONS[0], **call)) == 3
    assert len(pipeline(rms=rms[0].numpy(), prompt=CAPTIONS[:2], **call)) == 2
    with pytest.raises(ValueError, match="as many curves as prompts"):
        pipeline(rms=rms[:3], prompt=CAPTIONS[:2], **call)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda r: r[:, :-1], r"rms has 63 frames; wanted a multiple of 16: call rms.resize\(rms, 64\)"),
        (lambda r: r - 1, "negative or non-finite"),
        (lambda r: r * float("nan"), "negative or non-finite"),
        (lambda r: r[None], r"wanted \(b, n\)"),
        (lambda r: r[:, :0], "rms has 0 frames"),
    ],
)
def test_a_bad_curve_is_refused(trained, change, message):
    pipeline, (_, _, rms), _, _ = trained
    with pytest.raises(ValueError, match=message):
        pipeline(rms=change(rms[:1]), num_inference_steps=1)


def test_bad_prompts_are_refused(trained):
    pipeline, _, _, _ = trained
    with pytest.raises(ValueError, match="both prompt and audio"):
        pipeline(prompt="metal", audio=sounds()[:1])
    with pytest.raises(ValueError, match="finite"):
        pipeline(audio=np.full((1, SAMPLES), np.nan))


def test_encode_normalises_and_decode_inverts_it(trained):
    pipeline, (latents, _, _), _, _ = trained
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    assert latents.var((0, 2, 3)).mean().item() == pytest.approx(1, abs=1e-3)  # of all channels together
    mel = backbone.log_mels(sounds())
    with torch.no_grad():
        z = pipeline.vae.encode(mel[:, None]).latent_dist.mode()
        direct = pipeline.vocoder(pipeline.vae.decode(z).sample[:, 0])
    # Griffin-Lim amplifies rounding where a sound is loud: nearness is judged over all samples
    assert (pipeline.decode(latents) - direct).abs().mean() < 0.01 * direct.abs().mean()


def test_the_loss_is_eq_4():
    """A model that knows the noise has no loss, whichever the scheduler wants; one that says 0 has about 1."""
    z = torch.randn(64, 2, 8, 4, generator=seeded(1))
    for kind in ("epsilon", "v_prediction"):
        scheduler = DDPMScheduler(prediction_type=kind)

        def knows(z_t, t, kind=kind, scheduler=scheduler):
            a = scheduler.alphas_cumprod[t].reshape(-1, 1, 1, 1)
            clean = z[: len(z_t)]
            noise = (z_t - a.sqrt() * clean) / (1 - a).sqrt()
            return noise if kind == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * clean

        assert diffusion_loss(scheduler, knows, z, seeded()) < 1e-6
        assert diffusion_loss(scheduler, knows, z, seeded(), own=0.5) < 1e-6
        zero = diffusion_loss(scheduler, lambda z_t, t: torch.zeros_like(z_t), z, seeded())
        assert zero.item() == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="'sample'"):
        diffusion_loss(DDPMScheduler(prediction_type="sample"), None, z, seeded())


def test_of_its_own_guess_the_model_is_asked_for_the_truth():
    z = torch.randn(64, 2, 8, 4, generator=seeded(1))
    scheduler, seen = DDPMScheduler(prediction_type="v_prediction"), []

    def says_nothing_is_there(z_t, t):
        a = scheduler.alphas_cumprod[t].reshape(-1, 1, 1, 1)
        seen.append(z_t)
        return a.sqrt() / (1 - a).sqrt() * z_t

    loss = diffusion_loss(scheduler, says_nothing_is_there, z, seeded(), own=1.0)
    assert loss.item() == pytest.approx(z.square().mean().item(), rel=1e-3)
    assert seen[1].std() < seen[0].std(), "what it guessed, nothing, is what was noised again"


def test_guidance_on_the_curve_leaves_it_out_beside_the_null(trained):
    pipeline, (_, _, rms), _, _ = trained
    call = {"num_inference_steps": 1, "output_type": "latent", "prompt": CAPTIONS[:2]}
    plain, guided = (
        pipeline(rms=rms[:2], guidance_scale=3.0, guide_rms=g, generator=seeded(), **call) for g in (False, True)
    )
    # at omega = 0 what is left is the null prompt without a curve
    null = pipeline(rms=rms[:2], guidance_scale=0.0, guide_rms=True, generator=seeded(), **call)
    without = pipeline(guidance_scale=0.0, generator=seeded(), frames=rms.shape[-1], **call)
    assert not torch.equal(plain, guided) and torch.allclose(null, without, atol=1e-5)
    call_bare = call | {"prompt": None}
    bare = [
        pipeline(rms=rms[:2], guidance_scale=3.0, guide_rms=g, generator=seeded(), **call_bare) for g in (False, True)
    ]
    assert not torch.allclose(*bare), "without a prompt the curve alone is guided"
    one = [pipeline(rms=rms[:2], guidance_scale=1.0, guide_rms=g, generator=seeded(), **call) for g in (False, True)]
    assert torch.equal(*one)


def test_a_twin_hears_its_own_condition(trained):
    pipeline, (latents, timbres, rms), *_ = trained
    parts = {name: part for name, part in pipeline.components.items() if name != "controlnet"}

    def weights(**condition):
        twin = RMS2Sound(**parts)
        train_controlnet(twin, latents, timbres, rms, ControlNetOptions(3, batch=4, lr=1e-2, seed=1), **condition)
        return twin.controlnet.rms_in.weight

    own = weights()
    assert torch.equal(own, weights(condition=rms)) and not torch.equal(own, weights(condition=torch.zeros_like(rms)))


def test_batches_and_dropped_prompts_follow_the_generator():
    items, starts, length = draw(5, 100, 200, 30, seeded())
    assert length == 30 and set(items) == set(range(5)) and min(starts) >= 0 and 60 < max(starts) <= 70
    assert (items, starts, length) == draw(5, 100, 200, 30, seeded())
    timbres, null = torch.ones(1000, 3), torch.zeros(1, 3)
    dropped = drop(timbres, null, 0.2, seeded())
    assert dropped[:, 0].mean().item() == pytest.approx(0.8, abs=0.05)
    assert torch.equal(dropped.min(-1).values, dropped.max(-1).values)


def test_training_data_must_fit(trained):
    pipeline, (latents, timbres, rms), _, _ = trained
    with pytest.raises(ValueError, match="wanted one of each"):
        train_controlnet(pipeline, latents, timbres[:-1], rms, ControlNetOptions(1))


def test_a_piece_has_its_own_curve_and_timbre_and_new_layers_their_rate(monkeypatch):
    item, frame = torch.arange(6.0), torch.arange(16) / 100
    latents = (item[:, None] + frame)[:, None, :, None].expand(6, 8, 16, 16)
    curves, timbres = (item[:, None] + frame).repeat_interleave(4, 1), item[:, None].expand(6, 16)
    seen, rates, encoders = [], [], []

    def once(net, loss, options, groups, **_):
        rates.extend(group.get("lr") for group in groups)
        encoders.append({*map(id, groups[0]["params"])} == {*map(id, net.encoder.parameters())})
        loss(torch.Generator().manual_seed(0), Part())
        return []

    pipeline = tiny_pipeline.plain()
    monkeypatch.setattr(rms2sound.fit, "fit", once)
    monkeypatch.setattr(rms2sound, "diffusion_loss", lambda s, m, z, g, *c, **_: seen.append((z, *c)))
    options = ControlNetOptions(1, batch=32, crop=4, dropout=0.0, lr=1e-4, new_lr=1e-2)
    train_controlnet(pipeline, latents, timbres, curves, options)
    ((z, timbre, curve),) = seen
    assert torch.equal(curve, z[:, 0, :, 0].repeat_interleave(4, 1)) and len(curve.unique()) > 16
    assert torch.equal(timbre[:, 0], z[:, 0, 0, 0].floor()) and rates == [None, 1e-2] and encoders == [True]
