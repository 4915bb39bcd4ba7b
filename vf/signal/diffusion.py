"""The training objective of latent diffusion, Eq. 4, what its batches are drawn from, and its guidance, Eq. 5."""

from collections.abc import Callable
from typing import Any

import torch

from vf.signal.batches import Part


def diffusion_loss(
    scheduler: Any,
    model: Callable,
    latents: torch.Tensor,
    generator: torch.Generator,
    *conditions: torch.Tensor,
    own: float = 0.0,
    part: Part = Part(),  # noqa: B008  frozen
) -> torch.Tensor:
    """Eq. 4 on one batch: noise the latents to a random time, run the model, compare its output with the target.

    scheduler: its config says whether noise (`epsilon`, the paper) or velocity (`v_prediction`) is the target.
    model: model(z_t, t, *conditions) -> (b, c, l, g), like the latents. Returns a scalar.
    part: of a larger batch, of which latents and conditions are the rows. Noise and times are drawn for all of it.
    own: share of the batch whose z_t is noised from the model's own estimate of the latent at a noisier time, beyond
        Eq. 4. The target stays the true latent. In sampling, too, z_t holds the model's own earlier errors.
    Raises ValueError for a scheduler that predicts anything else.
    """
    kind = scheduler.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"scheduler predicts {kind!r}; wanted 'epsilon' or 'v_prediction'")
    last, size = scheduler.config.num_train_timesteps - 1, part.whole(len(latents))
    noise = part.rows(torch.randn(size, *latents.shape[1:], generator=generator)).to(latents)
    t = part.rows(torch.randint(last + 1, (size,), generator=generator))
    start, all_own = latents, int(own * size)
    count = min(max(all_own - part.index * len(latents), 0), len(latents))  # of them in this part, its first rows
    if all_own:
        later = torch.randint(last + 1, (all_own,), generator=generator)
        other = torch.randn(all_own, *latents.shape[1:], generator=generator)
    if count:
        rows = slice(part.index * len(latents), part.index * len(latents) + count)
        noisier = (t[:count] + later[rows]).clamp(max=last).to(latents.device)
        z_t = scheduler.add_noise(latents[:count], other[rows].to(latents), noisier)
        with torch.no_grad():
            output = model(z_t, noisier, *(c[:count] for c in conditions)).float()
        start = torch.cat([estimate(scheduler, output, z_t, noisier)[0], latents[count:]])
    t = t.to(latents.device)
    z_t = scheduler.add_noise(start, noise, t)
    output = model(z_t, t, *conditions).float()
    target = noise if kind == "epsilon" else scheduler.get_velocity(latents, noise, t)
    error = (output - target).square()
    if count:
        clean, alpha = estimate(scheduler, output, z_t, t)
        # for noise, weighted by alpha: at the end of the schedule noise hardly depends on the latents
        off = clean - latents if kind == "v_prediction" else alpha * (clean - latents)
        error = torch.cat([off[:count].square(), error[count:]])
    return error.mean()


def estimate(
    scheduler: Any, output: torch.Tensor, z_t: torch.Tensor, t: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The latents that an output of the model estimates, where z_t = alpha latents + sigma noise.

    output, z_t: (b, c, l, g). t: (b,). Returns latents (b, c, l, g) and alpha (b, 1, 1, 1).
    """
    share = scheduler.alphas_cumprod.to(z_t)[t.to(z_t.device)][:, None, None, None]
    alpha, sigma = share.sqrt(), (1 - share).sqrt()
    if scheduler.config.prediction_type == "epsilon":
        return (z_t - sigma * output) / alpha, alpha
    return alpha * z_t - sigma * output, alpha


def guide(conditioned: torch.Tensor, unconditioned: torch.Tensor, scale: float) -> torch.Tensor:
    """Eq. 5 with omega = `scale`: omega f(z_t, t, C, R) + (1 - omega) f(z_t, t, R), each (b, c, l, g)."""
    return scale * conditioned + (1 - scale) * unconditioned


def draw(
    count: int, frames: int, batch: int, crop: int | None, generator: torch.Generator
) -> tuple[list[int], list[int], int]:
    """Which items make the next batch, and where each one's piece of `crop` frames starts.

    count: items in the set. frames: of one item. crop: None for whole items.
    Returns (items, starts, length): two lists of `batch` integers, and the frames of a piece.
    """
    length = min(crop or frames, frames)
    items = torch.randint(count, (batch,), generator=generator).tolist()
    starts = torch.randint(frames - length + 1, (batch,), generator=generator).tolist()
    return items, starts, length


def drop(
    timbres: torch.Tensor,
    null: torch.Tensor,
    share: float,
    generator: torch.Generator,
    part: Part = Part(),  # noqa: B008  frozen
) -> torch.Tensor:
    """Replace a random share of timbre vectors (b, e) by the null (1, e), so that Eq. 5 has a branch without one.

    part: of a larger batch, of which the vectors are the rows.
    """
    dropped = part.rows(torch.rand(part.whole(len(timbres)), 1, generator=generator)) < share
    return torch.where(dropped.to(timbres.device), null.to(timbres.device), timbres)
