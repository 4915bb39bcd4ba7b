"""A text-to-audio backbone of AudioLDM's parts, small enough to train from nothing on two cores (App. B.2).

The classes are the real ones (AutoencoderKL, UNet2DConditionModel, DDIMScheduler), only their sizes are not, and the small
CLAP is called as the real one is, so that what is written for this backbone also drives the released AudioLDM.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from vf.backends.nets import clap as clap_net
from vf.backends.nets.griffin_lim import GriffinLim, frame_level, train_level
from vf.backends.nets.linear_start import linear_start
from vf.backends.small import clap as small_clap
from vf.signal import fit, mel
from vf.signal.diffusion import diffusion_loss, draw, drop

SAMPLE_RATE, WINDOW, HOP, MEL_BINS = 16000, 1024, 160, 64  # of AudioLDM's log-mel, and of the curve that goes with it


def log_mels(waves, batch=32):
    """Log-mels of many waveforms, (i, s) array-like -> (i, s / hop, bins) float32."""
    parts = [mel.log_mel(_waves(waves, range(i, min(i + batch, len(waves))))) for i in range(0, len(waves), batch)]
    return torch.cat(parts)


def _waves(waves, picked):
    return torch.stack([torch.from_numpy(np.array(waves[i], dtype=np.float32)) for i in picked])


@dataclass(frozen=True)
class VAEOptions(fit.Training):
    """Training of the VAE; `backbone.vae` of params.yaml has these keys.

    channels, layers, groups (of its norms), latent_channels: of AutoencoderKL; each level but the last halves both axes.
    crop: mel frames of a random piece (None: all). kl, energy: weights of the KL term and of the loudness error beside the
    mean absolute error of the log-mel. steps, lr, ...: of fit.Training.
    """

    channels: tuple[int, ...] = (8, 16, 32)
    layers: int = 1
    groups: int = 1
    latent_channels: int = 8
    crop: int | None = 64
    kl: float = 1e-4
    energy: float = 1.0
    batch: int = 8
    lr: float = 4e-3
    betas: tuple[float, float] = (0.9, 0.98)
    ema: float = 0.99


def new_vae(options: VAEOptions) -> AutoencoderKL:
    """An untrained VAE of log-mels."""
    levels = len(options.channels)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=tuple(options.channels),
        layers_per_block=options.layers,
        latent_channels=options.latent_channels,
        norm_num_groups=options.groups,
        scaling_factor=1.0,
        mid_block_add_attention=False,  # attention learnt on a crop does not carry to another length
    )


def train_vae(mels: torch.Tensor, options: VAEOptions) -> tuple[AutoencoderKL, list]:
    """Train the VAE on log-mels (i, n, bins) and measure the statistics that normalise its latents.

    Starts from `linear_start`. Returns (vae, losses).
    """
    torch.manual_seed(options.seed)
    vae = new_vae(options)
    linear_start(vae, mels)

    def loss(generator):
        items, starts, length = draw(len(mels), mels.shape[1], options.batch, options.crop, generator)
        target = torch.stack([mels[i, s : s + length] for i, s in zip(items, starts)])[:, None].to(vae.device)
        posterior = vae.encode(target).latent_dist
        z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator).to(target)
        estimate = vae.decode(z).sample.float()
        loud = mel.energy(target)
        off = (loud - mel.energy(estimate)).abs().mean() / loud.mean().clamp(min=1e-4)
        divergence = posterior.kl().mean() / z[0].numel()
        return (estimate - target).abs().mean() + options.energy * off + options.kl * divergence

    history = fit.fit(vae, loss, options, label="VAE")
    normalise(vae, mels)
    return vae, history


def normalise(vae: AutoencoderKL, mels: torch.Tensor) -> None:
    """Keep in the VAE's config the mean and spread of its latents of log-mels (i, n, bins)."""
    latents = encode_mels(vae, mels[:: max(1, len(mels) // 1000)])
    # one spread for all channels, as AudioLDM's: those that carry level and spectrum are the large ones, and stay large
    spread = latents.var((0, 2, 3)).mean().sqrt().item()
    vae.register_to_config(latents_mean=latents.mean((0, 2, 3)).tolist(), latents_std=[spread] * latents.shape[1])


@torch.no_grad()
def encode_mels(vae, mels, batch=8):
    """Log-mels (i, n, bins) -> the VAE's means (i, c, l, g), not normalised."""
    return torch.cat([vae.encode(m[:, None].to(vae.device)).latent_dist.mode().cpu() for m in mels.split(batch)])


@dataclass(frozen=True)
class VocoderOptions(fit.Training):
    """Training of the vocoder's level; `backbone.vocoder` of params.yaml has these keys.

    iterations, refine, hidden: of GriffinLim. sounds: how many to learn from.
    """

    iterations: int = 8
    refine: int = 10
    hidden: int = 64
    sounds: int = 200
    lr: float = 3e-3


def train_vocoder(vae: AutoencoderKL, waves, mels: torch.Tensor, options: VocoderOptions) -> tuple[GriffinLim, list]:
    """A GriffinLim whose level is trained on what this VAE makes of log-mels, and on the log-mels themselves.

    waves: (i, s) array-like, mels: (i, n, bins) of them. Returns (vocoder, losses).
    """
    torch.manual_seed(options.seed)
    vocoder = GriffinLim(iterations=options.iterations, refine=options.refine, hidden=options.hidden)
    picked = range(0, len(waves), max(1, len(waves) // options.sounds))
    exact, level = mels[list(picked)], frame_level(_waves(waves, picked))
    with torch.no_grad():
        rebuilt = [vae.decode(z.to(vae.device)).sample[:, 0].cpu() for z in encode_mels(vae, exact).split(8)]
    both = torch.cat([exact, *rebuilt])
    return vocoder, train_level(vocoder, both, torch.cat([level, level]), options)


@dataclass(frozen=True)
class UNetOptions(fit.Training):
    """Training of the text-to-audio U-Net; `backbone.unet` of params.yaml has these keys.

    channels, layers: of UNet2DConditionModel. attention: levels that attend, from the innermost. crop: latent frames of a
    random piece (None: all). dropout: share of the batch whose timbre is the null. text_share: share of it whose timbre is
    the text's, not the sound's. steps, lr, ...: of fit.Training.
    """

    channels: tuple[int, ...] = (32, 64, 96)
    layers: int = 1
    attention: int = 1
    crop: int | None = None
    dropout: float = 0.1
    text_share: float = 0.0
    lr: float = 2e-3
    warmup: float = 0.05
    ema: float = 0.999


def new_unet(options: UNetOptions, frames: int, latent_channels: int, timbre: int) -> UNet2DConditionModel:
    """An untrained U-Net of AudioLDM's build. frames: of a clip's latent. timbre: size of a CLAP vector."""
    channels = tuple(options.channels)
    attends = [i >= len(channels) - options.attention for i in range(len(channels))]
    unet = UNet2DConditionModel(
        sample_size=frames,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        layers_per_block=options.layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        cross_attention_dim=channels,
        attention_head_dim=tuple(max(1, c // 32) for c in channels),
        norm_num_groups=8,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=timbre,
        class_embeddings_concat=True,
    )
    with torch.no_grad():  # a unit vector has entries far below 1; without this the timbre counts late in training
        unet.class_embedding.weight.mul_(timbre**0.5)
    return unet


def new_scheduler() -> DDIMScheduler:
    """AudioLDM's noise schedule, predicting velocity: noise takes longer to learn."""
    return DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", prediction_type="v_prediction",
        clip_sample=False, set_alpha_to_one=False, timestep_spacing="trailing",
    )  # fmt: skip


def train_unet(
    latents, timbres: torch.Tensor, texts: torch.Tensor, null: torch.Tensor, options: UNetOptions
) -> tuple[UNet2DConditionModel, DDIMScheduler, list]:
    """Train the text-to-audio U-Net by Eq. 4 without a curve.

    latents: (i, c, l, g), normalised, perhaps on disk. timbres: (i, e) CLAP vectors of the same sounds; texts: (i, e) of
    their captions; null: (1, e) of the empty text. Returns (unet, scheduler, losses).
    """
    torch.manual_seed(options.seed)
    unet = new_unet(options, latents.shape[2], latents.shape[1], timbres.shape[1])
    scheduler = new_scheduler()

    def model(z_t, t, timbre):
        return unet(z_t, t, encoder_hidden_states=None, class_labels=timbre).sample

    def loss(generator):
        items, starts, length = draw(len(latents), latents.shape[2], options.batch, options.crop, generator)
        pieces = [torch.as_tensor(latents[i, :, s : s + length]).float() for i, s in zip(items, starts)]
        timbre = timbres[items]
        if options.text_share:
            words = torch.rand(options.batch, 1, generator=generator) < options.text_share
            timbre = torch.where(words, texts[items], timbre)
        timbre = drop(timbre, null, options.dropout, generator)
        return diffusion_loss(scheduler, model, torch.stack(pieces).to(unet.device), generator, timbre.to(unet.device))

    history = fit.fit(unet, loss, options, label="U-Net")
    return unet, scheduler, history


def prepare(
    waves, captions: list, *, vae: dict, clap: dict, unet: dict, vocoder: dict, seed: int = 0, checkpoint=None,
    weights=None, folder=None,
) -> tuple[dict, dict]:  # fmt: skip
    """Train the whole backbone on sounds and captions.

    waves: (i, s) array-like at 16 kHz, s whole latent frames. captions: i texts. vae, clap, unet, vocoder: of VAEOptions,
    clap.Options, UNetOptions and VocoderOptions. checkpoint: folder for the training state. weights, folder: of pretrained
    networks, which this profile has not.
    Returns (parts, {part: losses}); RMS2Sound(**parts) is the pipeline without a control net.
    """
    if len(waves) != len(captions) or len(waves) == 0:
        raise ValueError(f"{len(waves)} sounds, {len(captions)} captions; wanted some, and one caption for every sound")
    captions, losses = list(captions), {}

    def state(part):
        return {"seed": seed, "checkpoint": checkpoint and Path(checkpoint) / part}

    mels = log_mels(waves)
    autoencoder, losses["vae"] = train_vae(mels, VAEOptions(**vae, **state("vae")))
    options = VocoderOptions(**vocoder, **state("vocoder"))
    sounder, losses["vocoder"] = train_vocoder(autoencoder, waves, mels, options)
    tokenizer, extractor = small_clap.train_tokenizer(captions), small_clap.feature_extractor()
    features = small_clap.log_mels(extractor, waves)
    options = small_clap.Options(**clap, **state("clap"))
    pair, losses["clap"] = small_clap.train(features, captions, tokenizer, options)
    mean, std = (torch.tensor(autoencoder.config[key])[:, None, None] for key in ("latents_mean", "latents_std"))
    denoiser, scheduler, losses["unet"] = train_unet(
        (encode_mels(autoencoder, mels) - mean) / std,
        clap_net.embed_features(pair, features).cpu(),
        clap_net.embed_text(pair, tokenizer, captions).cpu(),
        clap_net.embed_text(pair, tokenizer, [""]).cpu(),
        UNetOptions(**unet, **state("unet")),
    )
    parts = {
        "vae": autoencoder, "unet": denoiser, "clap": pair, "tokenizer": tokenizer, "feature_extractor": extractor,
        "vocoder": sounder, "scheduler": scheduler,
    }  # fmt: skip
    return parts, losses
