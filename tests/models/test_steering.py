"""Steering on latents that are log-mels themselves, so that every level can be reached exactly."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler

from vf.models import steering
from vf.signal import mel
from vf.signal.diffusion import estimate


def pipeline(kind):
    return SimpleNamespace(
        scheduler=DDIMScheduler(beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", prediction_type=kind),
        decode_mel=lambda z: z[:, 0],
        encode_mel=lambda m: m[:, None],
        vocoder=SimpleNamespace(config=SimpleNamespace(sampling_rate=16000)),
    )


def said(kind, t=100):
    """What a network says that has noise of a loudness of about 0.02 in mind, with z_t of that time."""
    generator = torch.Generator().manual_seed(0)
    clean = mel.log_mel(0.02 * torch.randn(2, 64 * 160, generator=generator))[:, None]
    noise = torch.randn(clean.shape, generator=generator)
    scheduler, t = pipeline(kind).scheduler, torch.tensor(t)
    z_t = scheduler.add_noise(clean, noise, t)
    return (noise if kind == "epsilon" else scheduler.get_velocity(clean, noise, t.expand(2))), z_t, t


def level(kind, output, z_t, t):
    return mel.energy(pipeline(kind).decode_mel(estimate(pipeline(kind).scheduler, output, z_t, t.expand(2))[0]))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_sound_in_mind_gets_the_levels_asked_for(kind):
    output, z_t, t = said(kind)
    curve = torch.linspace(0.01, 0.2, 64).expand(2, -1)
    moved = steering.steer(pipeline(kind), output, z_t, t, curve, 1.0)
    assert torch.allclose(level(kind, moved, z_t, t), curve, rtol=1e-2)
    half = steering.steer(pipeline(kind), output, z_t, t, curve, 0.5)
    between = (level(kind, output, z_t, t) * curve).sqrt()
    assert torch.allclose(level(kind, half, z_t, t), between, rtol=1e-2)


def test_mostly_noise_is_left_alone():
    output, z_t, t = said("v_prediction", 900)
    assert steering.steer(pipeline("v_prediction"), output, z_t, t, torch.full((2, 64), 0.1), 1.0) is output


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_no_strength_changes_nothing_and_silence_is_not_raised(kind):
    output, z_t, t = said(kind)
    assert torch.allclose(steering.steer(pipeline(kind), output, z_t, t, torch.full((2, 64), 0.1), 0.0), output, atol=1e-4)
    quiet = steering.steer(pipeline(kind), output, z_t, t, torch.zeros(2, 64), 1.0)
    assert torch.allclose(level(kind, quiet, z_t, t), torch.full((2, 64), 0.005), rtol=1e-2)
