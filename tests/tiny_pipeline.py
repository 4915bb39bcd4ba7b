"""RMS2Sound of the real networks at little width, trained for a few steps, and the data of its control net."""

import numpy as np
import torch

from vf.backends.small import backbone
from vf.models.rms2sound import RMS2Sound
from vf.models.rms_controlnet import RMSControlNet

SAMPLES = 64 * 160
CAPTIONS = ["A person hit metal with a wooden stick.", "A person scratch wood with a wooden stick."] * 3


def sounds(count=6):
    """Decaying noise, (count, SAMPLES)."""
    rng = np.random.default_rng(0)
    envelope = np.exp(-np.arange(SAMPLES) / rng.uniform(500, 4000, (count, 1)))
    return (0.3 * envelope * rng.standard_normal((count, SAMPLES))).astype(np.float32)


def plain():
    """Without a control net."""
    parts, _ = backbone.prepare(
        sounds(),
        CAPTIONS,
        vae={"steps": 2, "channels": (4, 16, 32), "batch": 2},
        clap={"steps": 2, "batch": 2, "width": 4, "dims": 16},
        unet={"steps": 2, "batch": 2, "channels": (8, 16, 16), "text_share": 0.5},
        vocoder={"steps": 2, "iterations": 2, "hidden": 4},
    )
    pipeline = RMS2Sound(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def controlled():
    """With a control net whose outputs are not zero."""
    pipeline = plain()
    torch.manual_seed(0)
    pipeline.register_modules(controlnet=RMSControlNet.from_unet(pipeline.unet))
    for weight in pipeline.controlnet.parameters():
        weight.data += 0.05 * torch.randn_like(weight)
    return pipeline
