"""The training objective of latent diffusion, Eq. 4, and what its batches are drawn from."""

import torch
import torch.nn.functional as F


def diffusion_loss(scheduler, model, latents, generator, *conditions, offset=0.0):
    """Eq. 4 on one batch: noise latents to a random time, ask the model, compare with what the scheduler predicts.

    scheduler: its config says whether noise (`epsilon`, the paper) or velocity (`v_prediction`) is learnt.
    model(z_t, t, *conditions) -> like latents (b, c, l, g). offset: standard deviation of further noise that is one value
    for all frequencies of a frame and channel. It hides what z_t says of a frame's loudness, so that the model learns to
    take that from the conditions, as it must when its own earlier steps were off. Returns a scalar.
    """
    kind = scheduler.config.prediction_type
    if kind not in ("epsilon", "v_prediction"):
        raise ValueError(f"scheduler predicts {kind!r}; wanted 'epsilon' or 'v_prediction'")
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    if offset:
        noise = noise + offset * torch.randn((*latents.shape[:-1], 1), generator=generator).to(latents)
    t = torch.randint(scheduler.config.num_train_timesteps, (len(latents),), generator=generator).to(latents.device)
    z_t = scheduler.add_noise(latents, noise, t)
    target = noise if kind == "epsilon" else scheduler.get_velocity(latents, noise, t)
    return F.mse_loss(model(z_t, t, *conditions).float(), target)


def draw(count, frames, batch, crop, generator):
    """Which items make the next batch, and where each one's piece of `crop` frames starts.

    count, frames: of the set. crop: None for whole items. Returns (items, starts, length), lists of `batch` integers.
    """
    length = min(crop or frames, frames)
    items = torch.randint(count, (batch,), generator=generator).tolist()
    starts = torch.randint(frames - length + 1, (batch,), generator=generator).tolist()
    return items, starts, length


def drop(timbres, null, share, generator):
    """Replace a random share of timbre vectors (b, e) by the null (1, e), so that Eq. 5 has a branch without one."""
    dropped = torch.rand(len(timbres), 1, generator=generator) < share
    return torch.where(dropped.to(timbres.device), null.to(timbres.device), timbres)
