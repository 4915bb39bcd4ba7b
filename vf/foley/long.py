"""Sound longer than a clip: windows that are denoised as one, and decoded as one stream.

Each step of the sampler denoises overlapping windows of the same latents and averages what they say with ramps (MultiDiffusion,
Bar-Tal et al. 2023), so that neighbours agree before anything is decoded. Latents lie frame after frame, (l, c, g), in an array that
may be mapped from disk; only `batch` windows at a time are in memory.
"""

import copy
import inspect
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from vf.data import media
from vf.models import rms2sound, steering

PIECE = 1024  # mel frames of a piece of vocoding: after so many the small vocoder's first phases begin again
SPARE = 192  # mel frames that two pieces share; the vocoder hears no further than half of them


def starts(total, window, overlap):
    """First frames of windows that cover `total` frames and share at least `overlap` with the next; the last ends with them."""
    last = max(0, total - window)
    return [*range(0, last, window - overlap), last]


def ramp(window, overlap):
    """Weight of each frame of a window: rises over the overlap, falls over the next; (window,), two neighbours sum to 1."""
    i = np.arange(window) + 0.5
    return torch.from_numpy(np.minimum(1, np.minimum(i, window - i) / max(1, overlap))).float()


@dataclass
class Voice:
    """A timbre and where it holds. timbre: (e,), or None for no prompt. weight: (l,), all voices together 1 in every frame."""

    timbre: torch.Tensor | None
    weight: torch.Tensor = field(repr=False)


def noise(seeds, step, start, stop, shape, block=64):
    """Standard normal noise of latent frames start to stop, (stop - start, *shape): the same for a frame whatever is asked with it.

    seeds: [(seed, first, last)], the later one counts. step: of the sampler; -1 for what it starts from.
    """
    out = np.empty((stop - start, *shape), np.float32)
    for seed, first, last in seeds:
        low, high = max(start, first), min(stop, last)
        for k in range(low // block, -(-high // block) if low < high else 0):
            a, b = max(low, k * block), min(high, (k + 1) * block)
            drawn = np.random.default_rng([seed, step + 1, k]).standard_normal((block, *shape), np.float32)
            out[a - start : b - start] = drawn[a - k * block : b - k * block]
    return torch.from_numpy(out)


@torch.no_grad()
def sample(
    pipeline, latents, curve, voices, seeds, window, overlap, guidance_scale=3.5, num_inference_steps=25, eta=0.0, batch=8,
    precision="no", follow=0.0, tick=lambda share: None,
):  # fmt: skip
    """Denoise latents of any length, in place.

    pipeline: RMS2Sound. latents: (l, c, g) array to fill. curve: (l * stride,) condition. voices: see Voice. seeds: see `noise`.
    window, overlap: latent frames. batch: windows at a time. guidance_scale, num_inference_steps, eta: of RMS2Sound. precision: "no",
    or "bf16" for the networks. follow: strength of `steering.steer`. tick: called with the share done before each pass through the networks; may raise to stop.
    """
    total, shape = latents.shape[0], latents.shape[1:]
    begins = starts(total, window, overlap)
    groups = [begins[i : i + batch] for i in range(0, len(begins), batch)]
    schedulers = [copy.deepcopy(pipeline.scheduler) for _ in groups]  # some keep what they saw last
    for scheduler in schedulers:
        scheduler.set_timesteps(num_inference_steps, device=pipeline.device)
    accepts = inspect.signature(schedulers[0].step).parameters
    weights = ramp(window, overlap)
    for begin in range(0, total, window):
        end = min(total, begin + window)
        latents[begin:end] = noise(seeds, -1, begin, end, shape) * schedulers[0].init_noise_sigma
    steps = schedulers[0].timesteps
    null = pipeline.encode_prompt(count=1)[0]
    for i, t in enumerate(steps):
        rest = None
        for g, group in enumerate(groups):
            tick((i + g / len(groups)) / len(steps))
            begin, end = group[0], group[-1] + window
            done = groups[g + 1][0] if g + 1 < len(groups) else total
            said, weight = torch.zeros(end - begin, *shape), torch.zeros(end - begin, 1, 1)
            if rest is not None:
                said[: len(rest[0])], weight[: len(rest[1])] = rest
            with torch.autocast(pipeline.device.type, torch.bfloat16, enabled=precision == "bf16"):
                z = torch.stack([torch.from_numpy(np.array(latents[s : s + window])) for s in group])
                outputs = _outputs(pipeline, schedulers[g], z, t, group, curve, voices, null, guidance_scale, batch)
            if follow:
                outputs = _steered(pipeline, outputs, z, t, group, curve, follow, batch)
            for s, output in zip(group, outputs):
                said[s - begin : s - begin + window] += weights[:, None, None] * output
                weight[s - begin : s - begin + window] += weights[:, None, None]
            rest = said[done - begin :], weight[done - begin :]
            z_t = torch.from_numpy(np.array(latents[begin:done]))
            extra = {"eta": eta} if "eta" in accepts else {}
            if "variance_noise" in accepts and eta > 0:
                extra["variance_noise"] = noise(seeds, i, begin, done, shape).to(pipeline.device)
            elif "generator" in accepts:
                extra["generator"] = torch.Generator().manual_seed(seeds[0][0] * 100_003 + i * len(groups) + g)
            estimate = (said / weight)[: done - begin].to(pipeline.device)
            latents[begin:done] = schedulers[g].step(estimate, t, z_t.to(pipeline.device), **extra).prev_sample.cpu()


def _outputs(pipeline, scheduler, z, t, group, curve, voices, null, guidance_scale, batch):
    """What the networks say of each window, (b, window, c, g), under the voices that hold in it, with guidance (Eq. 5)."""
    window, stride = z.shape[1], pipeline.latent_stride
    guided = guidance_scale != 1
    share = [[v.weight[s : s + window] for v in voices] for s in group]
    heard = [[k for k, w in enumerate(row) if w.any() and voices[k].timbre is not None] for row in share]
    jobs = [(b, None) for b, row in enumerate(share) if guided or any(w.any() and v.timbre is None for w, v in zip(row, voices))]
    jobs += [(b, k) for b, row in enumerate(heard) for k in row]
    z_in = scheduler.scale_model_input(z.transpose(1, 2).to(pipeline.device), t)
    said = {}
    for i in range(0, len(jobs), batch):
        part = jobs[i : i + batch]
        timbres = torch.stack([null if k is None else voices[k].timbre for _, k in part]).to(pipeline.device)
        curves = torch.stack([curve[group[b] * stride : (group[b] + window) * stride] for b, _ in part]).to(pipeline.device)
        z_part = z_in[[b for b, _ in part]].to(pipeline.unet.dtype)
        out = rms2sound.predict(pipeline.unet, pipeline.controlnet, z_part, t, timbres, curves)
        said.update(zip(part, out.float().cpu().transpose(1, 2)))
    outputs = []
    for b, row in enumerate(share):
        without = said.get((b, None))
        mixed = torch.zeros_like(z[b])
        for k, weight in enumerate(row):
            if weight.any():
                own = without if voices[k].timbre is None else said[b, k]
                own = guidance_scale * own + (1 - guidance_scale) * without if guided and own is not without else own  # Eq. 5
                mixed += weight[:, None, None] * own
        outputs.append(mixed)
    return outputs


def _steered(pipeline, outputs, z, t, group, curve, follow, batch):
    """What `_outputs` said, held to the curve in each window."""
    window, stride, held = z.shape[1], pipeline.latent_stride, []
    for i in range(0, len(group), batch):
        curves = torch.stack([curve[s * stride : (s + window) * stride] for s in group[i : i + batch]]).to(pipeline.device)
        said, z_t = (torch.stack(list(x[i : i + batch])).transpose(1, 2).to(pipeline.device) for x in (outputs, z))
        held += steering.steer(pipeline, said, z_t, t, curves, follow).cpu().transpose(1, 2)
    return held


@torch.no_grad()
def decode(pipeline, latents, window, overlap, batch=8, tick=lambda share: None):
    """Latents (l, c, g), of any length -> the waveform, piece by piece: yields (s,) float32.

    Windows are decoded to log-mels, which are averaged with ramps where they overlap; the vocoder goes over these in pieces
    whose ends it has heard in the light of the next, with the same first phases, so that a short cross-fade joins equals.
    """
    held, tail = None, None
    for mel, last in _mels(pipeline, latents, window, overlap, batch, tick):
        held = mel if held is None else torch.cat([held, mel])
        while len(held) >= PIECE + SPARE or last:
            whole = last and len(held) <= PIECE + SPARE
            wave = pipeline.vocoder(held[None, : PIECE + SPARE].to(pipeline.device)).float().cpu().reshape(-1)
            hop = len(wave) // min(len(held), PIECE + SPARE)
            wave = wave[: min(len(held), PIECE + SPARE) * hop]  # HiFi-GAN adds a few samples at the end
            if tail is not None:
                middle, width = SPARE // 2 * hop, SPARE // 12 * hop
                fade = ((torch.arange(SPARE * hop) - middle + width) / (2 * width)).clamp(0, 1)[: len(wave)]
                wave[: len(fade)] = fade * wave[: len(fade)] + (1 - fade) * tail[: len(fade)]
            if whole:
                yield wave.numpy()
                return
            yield wave[: PIECE * hop].numpy()
            held, tail = held[PIECE:], wave[PIECE * hop :]


def _mels(pipeline, latents, window, overlap, batch, tick):
    """Log-mels of latents in order, each frame once: yields ((n, bins), whether it is the last)."""
    begins, stride = starts(len(latents), window, overlap), pipeline.latent_stride
    weights, rest = ramp(window * stride, overlap * stride)[:, None], None
    for i in range(0, len(begins), batch):
        group = begins[i : i + batch]
        tick(i / len(begins))
        z = torch.stack([torch.from_numpy(np.array(latents[s : s + window])) for s in group]).transpose(1, 2)
        mels = pipeline.decode_mel(z.to(pipeline.device)).float().cpu()
        for k, s in enumerate(group):
            after = begins[i + k + 1] if i + k + 1 < len(begins) else s + window
            mel, weight = weights * mels[k], weights.clone()
            if rest is not None:
                mel[: len(rest[0])] += rest[0]
                weight[: len(rest[1])] += rest[1]
            cut = (after - s) * stride
            rest = mel[cut:], weight[cut:]
            yield mel[:cut] / weight[:cut], i + k + 1 == len(begins)


def scratch(shape):
    """A float32 array on disk, without a name: gone when nobody holds it. Raises media.MediaError where the disk is full."""
    with _temporary(f"{4 * int(np.prod(shape)) / 1e6:.1f} MB of working space") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, 4 * int(np.prod(shape)))  # else a full disk would end the process
        else:
            file.truncate(4 * int(np.prod(shape)))
        return np.memmap(file, np.float32, "r+", shape=tuple(shape))


def tape(pieces, samples):
    """Pieces of a waveform, each (s,), one after the other on disk and cut to `samples`: (samples,) float32, as `scratch`."""
    left = samples
    with _temporary("the sound") as file:
        for piece in pieces:
            piece = np.ascontiguousarray(piece[:left], np.float32)
            file.write(piece.tobytes())
            left -= len(piece)
        file.flush()
        return np.memmap(file, np.float32, "c", shape=(samples,))


@contextmanager
def _temporary(what):
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        raise media.MediaError(
            f"{tempfile.gettempdir()}: no room for {what} ({error.strerror or error}); free some, or set TMPDIR to another disk"
        ) from error
