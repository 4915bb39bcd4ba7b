"""A stand-in for RMS2Sound whose sound follows its curve exactly, and a VideoFoley around it."""

from types import SimpleNamespace

import numpy as np
import torch
from diffusers import DDIMScheduler

from vf.data import writing
from vf.foley.render import VideoFoley
from vf.models.sampler import Settings
from vf.models.video2rms import Video2RMS
from vf.signal.timeline import Timeline

TIMELINE = Timeline(seconds=1.0, fps=10)
WORDS = {"a": 0, "b": 1, "c": 2}


class Echo:
    """Stands in for RMS2Sound, so that the plumbing around it shows: its sound follows the curve exactly.

    The networks give at once what the latents shall be: channel 0 holds the curve, channel 1 + k the k-th of WORDS that
    was the prompt, channel 7 a little of the noise. The sound is a sign at random, flipped by that noise, times the
    curve.
    """

    heard = 5.0  # seconds of an audio prompt
    device, latent_stride, components = torch.device("cpu"), 4, {}
    clap = SimpleNamespace(config=SimpleNamespace())  # reads any text
    scheduler = DDIMScheduler(prediction_type="sample", clip_sample=False)

    def __init__(self):
        self.calls = []
        self.vocoder = Voice()
        self.unet = Unet()
        self.controlnet = lambda z, t, timbre, curve: SimpleNamespace(kwargs=lambda: {"curve": curve, "timbre": timbre})

    def __call__(self, rms, prompt, audio, noise, frames, output_type, **settings):
        assert output_type == "latent"
        noise = noise(-1, 0, frames // 4, torch.float32)[:, 0].sign().flatten(1).repeat_interleave(40, 1)
        level = torch.zeros(len(noise), frames) + 0.05 if rms is None else rms
        return noise * torch.nn.functional.interpolate(level[:, None], TIMELINE.sound_samples)[:, 0]

    def decode(self, latents):
        return latents

    def encode_prompt(self, prompt=None, audio=None, count=1):
        if prompt is not None or audio is not None:
            self.calls.append((audio, [prompt]))
        if prompt is None:
            return torch.zeros(count, 4) if audio is None else torch.tensor([[0.0, 0.0, 0.0, 1.0]])
        return torch.eye(4)[WORDS.get(prompt, 3)][None]

    def decode_mel(self, z):
        level = z[:, 0, :, :4].flatten(1)
        mel = torch.zeros(len(z), level.shape[1], 64)
        mel[:, :, 0] = level
        mel[:, :, 1:5] = z[:, 1:5, :, 0].transpose(1, 2).repeat_interleave(4, 1)
        mel[:, :, 5] = z[:, 7, :, 0].repeat_interleave(4, 1)
        return mel

    def set_progress_bar_config(self, **_):
        """diffusers has it."""


class Unet:
    config, dtype = SimpleNamespace(in_channels=8), torch.float32

    def __call__(self, z, t, encoder_hidden_states, class_labels, curve, timbre):
        output = torch.zeros_like(z)
        output[:, 0, :, :4] = curve.unflatten(1, (-1, 4))
        output[:, 1:5] = timbre[:, :, None, None]
        output[:, 7] = z[:, 7].sign()
        return SimpleNamespace(sample=output)


class Voice:
    config = SimpleNamespace(model_in_dim=64, sampling_rate=16000)
    heard = ()

    def __call__(self, mel):
        self.heard += (mel[0].clone(),)
        sign = torch.randn(1024 * 160, generator=torch.Generator().manual_seed(0)).sign()
        level = mel[0, :, 0].clamp(min=0).repeat_interleave(160)
        return (
            level * sign.repeat(-(-len(level) // len(sign)))[: len(level)] * mel[0, :, 5].repeat_interleave(160).sign()
        )


def studio(steps=2, **changes):
    torch.manual_seed(0)
    model = Video2RMS(features=24, width=8, lstm=4, frames=10, rms_frames=125, bins=8, relu_logits=False).eval()
    settings = Settings(**{"guidance_scale": 1.0, "num_inference_steps": steps, **changes})
    return VideoFoley(model, Echo(), lambda f, t: f[:, :, 0, 0] / 255, (32, 24), TIMELINE, "mean", settings)


def film(path, seconds, sound=False):
    frames = np.random.default_rng(0).integers(0, 255, (round(seconds * 10), 24, 32, 3), dtype=np.uint8)
    writing.write_film(path, frames, 10, np.zeros(round(seconds * 16000)) if sound else None)
    return path


def curve(seconds=3.0):
    return (0.2 + 0.1 * np.sin(np.arange(round(seconds * 125)) / 20)).astype(np.float32)
