"""Sampling that is held to a loudness curve: beyond the paper, and off in its tables."""

import math

import torch

from vf.signal.diffusion import estimate
from vf.signal.mel import FLOOR, energy


@torch.no_grad()
def steer(pipeline, output, z_t, t, curve, strength, quiet=0.005):
    """Move what the networks say towards a curve: the latents they have in mind are decoded, each frame of the log-mel gets the
    level that was asked for, and the latents change by what that changes in their encoding. A projection onto the sounds of that
    loudness, as DDNM's (Wang et al. 2023) onto the images of a measurement; not in the paper.

    output: of `predict`, after guidance, for z_t (b, c, l, g) at time t. curve: (b, n) RMS. strength: share of the way, in dB.
    quiet: RMS below which levels count as this, so that silence is not raised. Returns an output like the one that came; while
    z_t is more noise than sound, that one itself.
    """
    scheduler = pipeline.scheduler
    if scheduler.alphas_cumprod[int(t)] < 0.5:
        return output  # what is in mind then is a mean over many sounds, and steering it costs time and brings nothing
    with torch.autocast(z_t.device.type, enabled=False):  # levels are told more finely than bf16 tells them
        output, z_t, curve = output.float(), z_t.float(), curve.float()
        clean, alpha = estimate(scheduler, output, z_t, t.expand(len(z_t)))
        mel = pipeline.decode_mel(clean)
        got = energy(mel, pipeline.vocoder.config.sampling_rate)
        gain = (curve.clamp(min=quiet) / got.clamp(min=quiet)).log()
        moved = (mel + strength * gain[..., None]).clamp(min=math.log(FLOOR))
        clean = clean + pipeline.encode_mel(moved) - pipeline.encode_mel(mel)
    sigma = (1 - alpha**2).sqrt()
    if scheduler.config.prediction_type == "epsilon":
        return (z_t - alpha * clean) / sigma
    return (alpha * z_t - clean) / sigma
