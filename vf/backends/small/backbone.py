"""A text-to-audio backbone of AudioLDM's parts, small enough to train from nothing on two cores (App. B.2).

The classes are the real ones (AutoencoderKL, UNet2DConditionModel, DDIMScheduler), only their sizes are not, and the small
CLAP is called as the real one is, so that what is written for this backbone also drives the released AudioLDM.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

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


def train_vae(
    mels, steps, *, channels=(8, 16, 32), layers=1, groups=1, latent_channels=8, batch=8, crop=64, lr=4e-3, kl=1e-4,
    energy=1.0, ema=0.99, seed=0, checkpoint=None, precision="no",
):  # fmt: skip
    """Train the VAE on log-mels (i, n, bins) and measure the statistics that normalise its latents.

    channels, layers, groups (of its norms), latent_channels: of AutoencoderKL; each level but the last halves both
    axes. crop: mel frames of a random piece (None: all). kl, energy: weights of the KL term and of the loudness error
    beside the mean absolute error of the log-mel. lr: peak of a one-cycle schedule. Starts from `linear_start`.
    Returns (vae, losses).
    """
    torch.manual_seed(seed)
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        latent_channels=latent_channels,
        norm_num_groups=groups,
        scaling_factor=1.0,
        mid_block_add_attention=False,  # attention learnt on a crop does not carry to another length
    )
    linear_start(vae, mels)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=lr, betas=(0.9, 0.98))
    schedule = fit.one_cycle(optimizer, steps)

    def loss(generator):
        items, starts, length = draw(len(mels), mels.shape[1], batch, crop, generator)
        target = torch.stack([mels[i, s : s + length] for i, s in zip(items, starts)])[:, None].to(vae.device)
        posterior = vae.encode(target).latent_dist
        z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator).to(target)
        got = vae.decode(z).sample.float()
        loud, quiet = mel.energy(target), mel.energy(got)
        off = (loud - quiet).abs().mean() / loud.mean().clamp(min=1e-4)
        return (got - target).abs().mean() + energy * off + kl * posterior.kl().mean() / z[0].numel()

    history = fit.fit(
        vae, loss, steps, optimizer, seed=seed, scheduler=schedule, ema=ema, checkpoint=checkpoint, precision=precision,
        label="VAE",
    )  # fmt: skip
    latents = encode_mels(vae, mels)
    # one spread for all channels, as AudioLDM's: those that carry level and spectrum are the large ones, and stay large
    spread = latents.var((0, 2, 3)).mean().sqrt().item()
    vae.register_to_config(latents_mean=latents.mean((0, 2, 3)).tolist(), latents_std=[spread] * latent_channels)
    return vae, history


@torch.no_grad()
def encode_mels(vae, mels, batch=8):
    """Log-mels (i, n, bins) -> the VAE's means (i, c, l, g), not normalised."""
    return torch.cat([vae.encode(m[:, None].to(vae.device)).latent_dist.mode().cpu() for m in mels.split(batch)])


def train_vocoder(vae, waves, mels, steps=300, *, sounds=200, iterations=8, refine=10, hidden=64, seed=0, **training):
    """A GriffinLim whose level is trained on what this VAE makes of log-mels, and on the log-mels themselves.

    waves: (i, s) array-like, mels: (i, n, bins) of them; `sounds` of these are used. iterations, refine, hidden: of
    GriffinLim. training: other keywords of `train_level`. Returns (vocoder, losses).
    """
    torch.manual_seed(seed)
    vocoder = GriffinLim(iterations=iterations, refine=refine, hidden=hidden)
    picked = range(0, len(waves), max(1, len(waves) // sounds))
    exact, level = mels[list(picked)], frame_level(_waves(waves, picked))
    with torch.no_grad():
        rebuilt = [vae.decode(z.to(vae.device)).sample[:, 0].cpu() for z in encode_mels(vae, exact).split(8)]
    both = torch.cat([exact, *rebuilt])
    return vocoder, train_level(vocoder, both, torch.cat([level, level]), steps, seed=seed, **training)


def train_unet(
    latents, timbres, null, steps, *, text_timbres=None, text_share=0.0, channels=(32, 64, 96), layers=1, attention=1,
    batch=16, crop=None, lr=2e-3, dropout=0.1, ema=0.999, seed=0, checkpoint=None, precision="no",
):  # fmt: skip
    """Train the text-to-audio U-Net by Eq. 4 without a curve, to predict velocity: noise takes longer to learn.

    latents: (i, c, l, g), normalised. timbres: (i, e) CLAP vectors of the same sounds, null: (1, e) that of the empty
    text, which replaces a share `dropout` of them. text_timbres: (i, e) CLAP vectors of their captions, taken instead
    with probability `text_share`. channels, layers: of UNet2DConditionModel; attention: levels that attend, from the
    innermost. crop: latent frames of a random piece (default: all). Returns (unet, scheduler, losses).
    """
    torch.manual_seed(seed)
    attends = [i >= len(channels) - attention for i in range(len(channels))]
    unet = UNet2DConditionModel(
        sample_size=latents.shape[2],
        in_channels=latents.shape[1],
        out_channels=latents.shape[1],
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        cross_attention_dim=tuple(channels),
        attention_head_dim=tuple(max(1, c // 32) for c in channels),
        norm_num_groups=8,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=timbres.shape[1],
        class_embeddings_concat=True,
    )
    with torch.no_grad():  # a unit vector has entries far below 1; without this the timbre is heard late in training
        unet.class_embedding.weight.mul_(timbres.shape[1] ** 0.5)
    scheduler = DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", prediction_type="v_prediction",
        clip_sample=False, set_alpha_to_one=False, timestep_spacing="trailing",
    )  # fmt: skip
    optimizer = torch.optim.AdamW(unet.parameters(), lr=lr, weight_decay=0.01)
    schedule = fit.one_cycle(optimizer, steps, 0.05)

    def model(z_t, t, timbre):
        return unet(z_t, t, encoder_hidden_states=None, class_labels=timbre).sample

    def loss(generator):
        items, starts, length = draw(len(latents), latents.shape[2], batch, crop, generator)
        z = torch.stack([latents[i, :, s : s + length] for i, s in zip(items, starts)])
        timbre = timbres[items]
        if text_share:
            words = torch.rand(batch, 1, generator=generator) < text_share
            timbre = torch.where(words, text_timbres[items], timbre)
        timbre = drop(timbre, null, dropout, generator)
        return diffusion_loss(scheduler, model, z.to(unet.device), generator, timbre.to(unet.device))

    history = fit.fit(
        unet, loss, steps, optimizer, seed=seed, scheduler=schedule, ema=ema, checkpoint=checkpoint,
        precision=precision, label="U-Net",
    )  # fmt: skip
    return unet, scheduler, history


def prepare(waves, captions, *, vae, clap, unet, vocoder=None, seed=0, checkpoint=None, weights=None, folder=None):
    """Train the whole backbone on sounds and captions.

    waves: (i, s) array-like at 16 kHz, s whole latent frames. captions: i texts. vae, clap, unet, vocoder: keyword
    arguments of `train_vae`, `clap.train`, `train_unet` (`steps` among them) and `train_vocoder`. checkpoint: folder for
    the training state. weights, folder: of pretrained networks, which this profile has not.
    Returns (parts, {part: losses}); RMS2Sound(**parts) is the pipeline without a control net.
    """
    if len(waves) != len(captions) or len(waves) == 0:
        raise ValueError(f"{len(waves)} sounds, {len(captions)} captions; wanted some, and one caption for every sound")
    captions = list(captions)

    def state(part):
        return checkpoint and Path(checkpoint) / part

    losses = {}
    mels = log_mels(waves)
    autoencoder, losses["vae"] = train_vae(mels, seed=seed, checkpoint=state("vae"), **vae)
    sounder, losses["vocoder"] = train_vocoder(
        autoencoder, waves, mels, seed=seed, checkpoint=state("vocoder"), **(vocoder or {})
    )
    tokenizer, extractor = small_clap.train_tokenizer(captions), small_clap.feature_extractor()
    features = small_clap.log_mels(extractor, waves)
    pair, losses["clap"] = small_clap.train(features, captions, tokenizer, seed=seed, checkpoint=state("clap"), **clap)
    mean, std = (torch.tensor(autoencoder.config[key])[:, None, None] for key in ("latents_mean", "latents_std"))
    denoiser, scheduler, losses["unet"] = train_unet(
        (encode_mels(autoencoder, mels) - mean) / std,
        clap_net.embed_features(pair, features).cpu(),
        clap_net.embed_text(pair, tokenizer, [""]).cpu(),
        text_timbres=clap_net.embed_text(pair, tokenizer, captions).cpu(),
        seed=seed,
        checkpoint=state("unet"),
        **unet,
    )
    parts = {
        "vae": autoencoder, "unet": denoiser, "clap": pair, "tokenizer": tokenizer, "feature_extractor": extractor,
        "vocoder": sounder, "scheduler": scheduler,
    }  # fmt: skip
    return parts, losses
