"""A text-to-audio backbone with the parts of AudioLDM, small enough to train from scratch on two cores (App. B.2).

It uses AudioLDM's classes (AutoencoderKL, UNet2DConditionModel, DDIMScheduler) in smaller sizes. Its small CLAP has the
interface of the large one. Code written for this backbone therefore runs with the released AudioLDM as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from transformers import ClapFeatureExtractor, RobertaTokenizer

from vf.backends import tensors
from vf.backends.nets import clap as clap_net
from vf.backends.nets.griffin_lim import GriffinLim, frame_level, train_level
from vf.backends.nets.linear_start import linear_start
from vf.backends.nets.small_clap import SmallClap
from vf.backends.small import clap as small_clap
from vf.signal import fit, mel
from vf.signal.diffusion import diffusion_loss, draw, drop

# of AudioLDM's log-mel, and of the RMS curve in the same frames
SAMPLE_RATE = 16000
WINDOW = 1024
HOP = 160
MEL_BINS = 64


def log_mels(waves: Sequence[np.ndarray] | np.ndarray, batch: int = 32) -> torch.Tensor:
    """Log-mels of waveforms: (i, s), perhaps on disk -> (i, s / hop, bins) float32."""
    parts = []
    for start in range(0, len(waves), batch):
        index = range(start, min(start + batch, len(waves)))
        parts.append(mel.log_mel(_waves(waves, index)))
    return torch.cat(parts)


def _waves(waves, index: Iterable[int]) -> torch.Tensor:
    """The waveforms of some indices as float32 (b, s)."""
    return torch.stack([torch.from_numpy(np.array(waves[i], dtype=np.float32)) for i in index])


@dataclass(frozen=True)
class VAEOptions(fit.Training):
    """Training of the VAE; `backbone.vae` of params.yaml has these keys.

    channels, layers, latent_channels: of AutoencoderKL; each level but the last halves both axes.
    groups: of its group norms. crop: mel frames of a random piece; None for all.
    kl, energy: weights of the KL term and of the error of the RMS, beside the mean absolute error of the log-mel.
    steps, lr, ...: as in fit.Training.
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
        mid_block_add_attention=False,  # attention trained on crops does not generalise to another length
    )


def train_vae(mels: torch.Tensor, options: VAEOptions) -> tuple[AutoencoderKL, list[float]]:
    """Train the VAE on log-mels (i, n, bins) and measure the statistics that normalise its latents.

    Starts from `linear_start`. Returns (vae, losses).
    """
    torch.manual_seed(options.seed)
    vae = new_vae(options)
    linear_start(vae, mels)

    def loss(generator, part):
        items, starts, length = draw(len(mels), mels.shape[1], options.batch, options.crop, generator)
        batch = torch.stack([mels[i, s : s + length] for i, s in zip(items, starts)])[:, None].to(vae.device)
        target = part.rows(batch)
        posterior = vae.encode(target).latent_dist
        noise = torch.randn(len(batch), *posterior.mean.shape[1:], generator=generator)
        z = posterior.mean + posterior.std * part.rows(noise).to(target)
        estimate = vae.decode(z).sample.float()
        rms = mel.energy(batch)
        energy_error = (part.rows(rms) - mel.energy(estimate)).abs().mean() / rms.mean().clamp(min=1e-4)
        divergence = posterior.kl().mean() / z[0].numel()
        return (estimate - target).abs().mean() + options.energy * energy_error + options.kl * divergence

    history = fit.fit(vae, loss, options, label="VAE")
    normalise(vae, mels)
    return vae, history


def normalise(vae: AutoencoderKL, mels: torch.Tensor) -> None:
    """Store the mean and standard deviation of the latents of log-mels (i, n, bins) in the VAE's config."""
    latents = encode_mels(vae, mels[:: max(1, len(mels) // 1000)])
    # one deviation for all channels, as in AudioLDM: channels of level and spectrum are larger, and have to stay larger
    std = latents.var((0, 2, 3)).mean().sqrt().item()
    vae.register_to_config(latents_mean=latents.mean((0, 2, 3)).tolist(), latents_std=[std] * latents.shape[1])


@torch.no_grad()
def encode_mels(vae: AutoencoderKL, mels: torch.Tensor, batch: int = 8) -> torch.Tensor:
    """Means of the VAE's posterior, not normalised: log-mels (i, n, bins) -> (i, c, l, g), on the CPU."""
    return torch.cat([vae.encode(m[:, None].to(vae.device)).latent_dist.mode().cpu() for m in mels.split(batch)])


@dataclass(frozen=True)
class VocoderOptions(fit.Training):
    """Training of the vocoder's correction of level; `backbone.vocoder` of params.yaml has these keys.

    iterations, refine, hidden: of GriffinLim. sounds: number of sounds to train on. steps, lr, ...: as in fit.Training.
    """

    iterations: int = 8
    refine: int = 10
    hidden: int = 64
    sounds: int = 200
    lr: float = 3e-3


def train_vocoder(
    vae: AutoencoderKL, waves: Sequence[np.ndarray] | np.ndarray, mels: torch.Tensor, options: VocoderOptions
) -> tuple[GriffinLim, list[float]]:
    """Train the correction of level of a new GriffinLim, on log-mels and on this VAE's reconstructions of them.

    waves: (i, s), perhaps on disk. mels: (i, n, bins), of the same sounds. Returns (vocoder, losses).
    """
    torch.manual_seed(options.seed)
    vocoder = GriffinLim(iterations=options.iterations, refine=options.refine, hidden=options.hidden)
    index = range(0, len(waves), max(1, len(waves) // options.sounds))
    exact = mels[list(index)]
    level = frame_level(_waves(waves, index))
    with torch.no_grad():
        rebuilt = [vae.decode(z.to(vae.device)).sample[:, 0].cpu() for z in encode_mels(vae, exact).split(8)]
    losses = train_level(vocoder, torch.cat([exact, *rebuilt]), torch.cat([level, level]), options)
    return vocoder, losses


@dataclass(frozen=True)
class UNetOptions(fit.Training):
    """Training of the text-to-audio U-Net; `backbone.unet` of params.yaml has these keys.

    channels, layers: of UNet2DConditionModel. attention: number of levels with attention, from the innermost.
    crop: latent frames of a random piece; None for all. dropout: share of a batch whose timbre is the null.
    text_share: share of a batch whose timbre is that of the text and not of the sound.
    steps, lr, ...: as in fit.Training.
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
    """An untrained U-Net like AudioLDM's. frames: of a clip's latent. timbre: size of a CLAP vector."""
    channels = tuple(options.channels)
    attention = [i >= len(channels) - options.attention for i in range(len(channels))]
    unet = UNet2DConditionModel(
        sample_size=frames,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        layers_per_block=options.layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
        cross_attention_dim=channels,
        attention_head_dim=tuple(max(1, c // 32) for c in channels),
        norm_num_groups=8,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=timbre,
        class_embeddings_concat=True,
    )
    with (
        torch.no_grad()
    ):  # a unit vector has entries far below 1; without this the timbre takes effect late in training
        unet.class_embedding.weight.mul_(timbre**0.5)
    return unet


def new_scheduler() -> DDIMScheduler:
    """AudioLDM's noise schedule. It predicts velocity, because noise takes longer to learn."""
    return DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        timestep_spacing="trailing",
    )


def train_unet(
    latents: np.ndarray | torch.Tensor,
    timbres: torch.Tensor,
    texts: torch.Tensor,
    null: torch.Tensor,
    options: UNetOptions,
) -> tuple[UNet2DConditionModel, DDIMScheduler, list[float]]:
    """Train the text-to-audio U-Net by Eq. 4, without an RMS curve.

    latents: (i, c, l, g), normalised, perhaps on disk. timbres, texts: (i, e) CLAP vectors of the sounds and of their
    captions. null: (1, e) CLAP vector of the empty text. Returns (unet, scheduler, losses).
    """
    torch.manual_seed(options.seed)
    unet = new_unet(options, latents.shape[2], latents.shape[1], timbres.shape[1])
    scheduler = new_scheduler()

    def model(z_t, t, timbre):
        return unet(z_t, t, encoder_hidden_states=None, class_labels=timbre).sample

    def loss(generator, part):
        items, starts, length = draw(len(latents), latents.shape[2], options.batch, options.crop, generator)
        items, starts = part.rows(items), part.rows(starts)
        pieces = [torch.as_tensor(latents[i, :, s : s + length]).float() for i, s in zip(items, starts)]
        timbre = timbres[items]
        if options.text_share:
            from_text = part.rows(torch.rand(options.batch, 1, generator=generator)) < options.text_share
            timbre = torch.where(from_text, texts[items], timbre)
        timbre = drop(timbre, null, options.dropout, generator, part).to(unet.device)
        return diffusion_loss(scheduler, model, torch.stack(pieces).to(unet.device), generator, timbre, part=part)

    if fit.device().type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # so short a sequence learns faster by plain products
    history = fit.fit(unet, loss, options, label="U-Net")
    unet.set_attn_processor(AttnProcessor2_0())
    return unet, scheduler, history


def load(folder: str | Path) -> dict:
    """Read a trained backbone in diffusers' layout; RMS2Sound(**parts) is the pipeline without a ControlNet.

    Raises FileNotFoundError where there is none, tensors.CheckpointError for one that is damaged or lacks weights.
    """
    folder = Path(folder)
    if not (folder / "unet").is_dir():
        raise FileNotFoundError(
            f"{folder}: no trained backbone there; wanted one that `make pretrain` wrote, or backbone.weights: null"
        )
    readers = {
        "vae": AutoencoderKL.from_pretrained,
        "unet": partial(UNet2DConditionModel.from_pretrained, torch_dtype=torch.float32),
        "clap": SmallClap.from_pretrained,
        "tokenizer": RobertaTokenizer.from_pretrained,
        "feature_extractor": ClapFeatureExtractor.from_pretrained,
        "vocoder": GriffinLim.from_pretrained,
        "scheduler": DDIMScheduler.from_pretrained,
    }
    return tensors.load_folder(
        folder, readers, "a backbone that `make pretrain` wrote: run it, or fetch the folder again"
    )


def prepare(
    waves: Sequence[np.ndarray] | np.ndarray | None,
    captions: Sequence[str],
    *,
    weights: str | Path | None = None,
    vae: dict,
    clap: dict,
    unet: dict,
    vocoder: dict,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    **released,
) -> tuple[dict, dict]:
    """Load the backbone from a folder, or train the whole of it on sounds and captions.

    weights: folder to load; nothing else is read then. None: train.
    waves: (i, s) at 16 kHz, perhaps on disk; s is a whole number of latent frames. captions: i texts.
    vae, clap, unet, vocoder: keywords of VAEOptions, clap.Options, UNetOptions and VocoderOptions.
    checkpoint: folder for the state of the trainings. released: files of the paper profile, not used here.
    Returns (parts, {part: losses}); RMS2Sound(**parts) is the pipeline without a ControlNet.
    Raises ValueError without sounds, or where captions and sounds differ in number, FileNotFoundError where `weights`
    has no backbone.
    """
    if weights:
        return load(weights), {}
    if waves is None or len(waves) != len(captions) or len(waves) == 0:
        count = 0 if waves is None else len(waves)
        raise ValueError(f"{count} sounds, {len(captions)} captions; wanted some, and one caption for every sound")
    captions = list(captions)
    losses = {}

    def state(part):
        return {"seed": seed, "checkpoint": checkpoint and Path(checkpoint) / part}

    mels = log_mels(waves)
    autoencoder, losses["vae"] = train_vae(mels, VAEOptions(**vae, **state("vae")))
    griffin_lim, losses["vocoder"] = train_vocoder(
        autoencoder, waves, mels, VocoderOptions(**vocoder, **state("vocoder"))
    )
    tokenizer = small_clap.train_tokenizer(captions)
    extractor = small_clap.feature_extractor()
    features = small_clap.log_mels(extractor, waves)
    towers, losses["clap"] = small_clap.train(
        features, captions, tokenizer, small_clap.Options(**clap, **state("clap"))
    )
    mean = torch.tensor(autoencoder.config["latents_mean"])[:, None, None]
    std = torch.tensor(autoencoder.config["latents_std"])[:, None, None]
    denoiser, scheduler, losses["unet"] = train_unet(
        (encode_mels(autoencoder, mels) - mean) / std,
        clap_net.embed_features(towers, features).cpu(),
        clap_net.embed_text(towers, tokenizer, captions).cpu(),
        clap_net.embed_text(towers, tokenizer, [""]).cpu(),
        UNetOptions(**unet, **state("unet")),
    )
    parts = {
        "vae": autoencoder,
        "unet": denoiser,
        "clap": towers,
        "tokenizer": tokenizer,
        "feature_extractor": extractor,
        "vocoder": griffin_lim,
        "scheduler": scheduler,
    }
    return parts, losses
