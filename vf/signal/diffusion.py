"""The training objective of latent diffusion, Eq. 4, what its batches are drawn from, and its guidance, Eq. 5."""

from collections.abc import Callable
from typing import Any

import torch


def diffusion_loss(
    scheduler: Any,
    model: Callable,
    latents: torch.Tensor,
    generator: torch.Generator,
    *conditions: torch.Tensor,
    own: float = 0.0,
    judge: Callable | None = None,
) -> torch.Tensor:
    """Eq. 4 on one batch: noise the latents to a random time, run the model, compare its output with the target.

    scheduler: its config says whether noise (`epsilon`, the paper) or velocity (`v_prediction`) is the target.
    model: model(z_t, t, *conditions) -> (b, c, l, g), like the latents. Returns a scalar.
    Two things go beyond Eq. 4, and both are off unless asked for:
    own: share of the batch whose z_t is noised from the model's own estimate of the latent at a noisier time. The
        target stays the true latent. In sampling, too, z_t holds the model's own earlier errors.
    judge: judge(estimate, alpha), a further loss on the estimated latents (b, c, l, g). alpha (b, 1, 1, 1) is their
        share of z_t.
    Raises ValueError for a scheduler that predicts anything else.
    """
    kind = scheduler.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"scheduler predicts {kind!r}; wanted 'epsilon' or 'v_prediction'")
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    t = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), generator=generator)
    start, count = latents, int(own * len(latents))
    if count:
        last = scheduler.config.num_train_timesteps - 1
        noisier = (
            (t[:count] + torch.randint(last + 1, (count,), generator=generator)).clamp(max=last).to(latents.device)
        )
        other = torch.randn(latents[:count].shape, generator=generator).to(latents)
        z_t = scheduler.add_noise(latents[:count], other, noisier)
        with torch.no_grad():
            output = model(z_t, noisier, *(c[:count] for c in conditions)).float()
        start = torch.cat([estimate(scheduler, output, z_t, noisier)[0], latents[count:]])
    t = t.to(latents.device)
    z_t = scheduler.add_noise(start, noise, t)
    output = model(z_t, t, *conditions).float()
    target = noise if kind == "epsilon" else scheduler.get_velocity(latents, noise, t)
    error = (output - target).square()
    if count or judge:
        clean, alpha = estimate(scheduler, output, z_t, t)
    if count:
        # for noise, weighted by alpha: at the end of the schedule noise hardly depends on the latents
        off = clean - latents if kind == "v_prediction" else alpha * (clean - latents)
        error = torch.cat([off[:count].square(), error[count:]])
    return error.mean() + (judge(clean, alpha) if judge else 0)


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


def drop(timbres: torch.Tensor, null: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Replace a random share of timbre vectors (b, e) by the null (1, e), so that Eq. 5 has a branch without one."""
    dropped = torch.rand(len(timbres), 1, generator=generator) < share
    return torch.where(dropped.to(timbres.device), null.to(timbres.device), timbres)
