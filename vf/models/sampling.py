"""Sounds of many clips at once, as the tables need them (sections 3.2, B.2)."""

import torch
from tqdm.auto import tqdm

from vf.signal import rms


def condition(curve, timeline):
    """A curve at Video2RMS's rate as the condition of RMS2Sound (App. B.2).

    curve: (..., video_rms_frames). Returns (..., sound_rms_frames): nearest neighbour over the clip's length, then zeros.
    """
    curve = torch.as_tensor(curve)
    clip_frames = round(timeline.samples / timeline.sound_hop)
    near = rms.resize(curve, clip_frames)
    return torch.nn.functional.pad(near, (0, timeline.sound_rms_frames - clip_frames))


def generate(pipeline, timeline, curves=None, prompts=None, audio=None, seed=0, batch=16, precision="no", label="", **options):
    """Sound for many clips, each from its own noise, so that systems differ in nothing but what is under test.

    curves: (b, sound_rms_frames), or None for plain text-to-audio. prompts: b texts, or audio: (b, s) prompts. precision:
    "no", or "bf16" for the denoising, twice as fast where the processor knows it. options: guidance_scale,
    num_inference_steps and eta of RMS2Sound. Returns (b, samples) float32, cut to the clip.
    """
    count = len(curves if curves is not None else prompts if prompts is not None else audio)
    pipeline.set_progress_bar_config(disable=True)
    waves = []
    for i in tqdm(range(0, count, batch), desc=label, mininterval=2.0):
        part = slice(i, i + batch)
        size = min(batch, count - i)
        with torch.autocast(pipeline.device.type, torch.bfloat16, enabled=precision == "bf16"):
            latents = pipeline(
                rms=None if curves is None else curves[part],
                prompt=None if prompts is None else prompts[part],
                audio=None if audio is None else audio[part],
                generator=[torch.Generator().manual_seed(seed * 100_003 + i + k) for k in range(size)],
                frames=timeline.sound_rms_frames,
                output_type="latent",
                **options,
            )
        waves.append(pipeline.decode(latents.float())[:, : timeline.samples])
    pipeline.set_progress_bar_config(disable=False)
    return torch.cat(waves).clamp(-1, 1)
