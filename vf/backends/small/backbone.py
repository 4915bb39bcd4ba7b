"""A text-to-audio backbone of AudioLDM's parts, small enough to train from nothing on two cores (App. B.2).

The classes are the real ones (AutoencoderKL, UNet2DConditionModel, ClapModel, DDIMScheduler), only their sizes are not,
so that what is written for this backbone also drives the released AudioLDM.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from tokenizers import ByteLevelBPETokenizer
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

from vf import fit, mel
from vf.backends.nets import clap as clap_net
from vf.backends.nets.diffusion import diffusion_loss, draw, drop
from vf.backends.nets.griffin_lim import GriffinLim, frame_level, train_level
from vf.backends.nets.linear_start import linear_start

SAMPLE_RATE, WINDOW, HOP, MEL_BINS = 16000, 1024, 160, 64  # of AudioLDM's log-mel, and of the curve that goes with it


def log_mels(waves, batch=32):
    """Log-mels of many waveforms, (i, s) array-like -> (i, s / hop, bins) float32."""
    parts = [mel.log_mel(_waves(waves, range(i, min(i + batch, len(waves))))) for i in range(0, len(waves), batch)]
    return torch.cat(parts)


def _waves(waves, picked):
    return torch.stack([torch.from_numpy(np.array(waves[i], dtype=np.float32)) for i in picked])


def mel_energy(log_mel):
    """Loudness of each frame as the mel bins tell it: (..., n, bins) -> (..., n), about the frame's RMS."""
    # a slaney filter averages over its band, so its share of the power is its value squared times its width
    filters = mel.mel_filters(SAMPLE_RATE, WINDOW, MEL_BINS).to(log_mel)
    width = filters.sum(-1) ** 2 / filters.square().sum(-1)
    power = (log_mel.clamp(max=5).exp() / filters.sum(-1)).square() @ width  # louder than any sound in [-1, 1]
    return (power * 2 / (WINDOW * torch.hann_window(WINDOW).square().sum().item())).sqrt()


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
        loud, quiet = mel_energy(target), mel_energy(got)
        off = (loud - quiet).abs().mean() / loud.mean().clamp(min=1e-4)
        return (got - target).abs().mean() + energy * off + kl * posterior.kl().mean() / z[0].numel()

    history = fit.fit(
        vae, loss, steps, optimizer, seed=seed, scheduler=schedule, ema=ema, checkpoint=checkpoint, precision=precision,
        label="VAE",
    )  # fmt: skip
    latents = encode_mels(vae, mels)
    vae.register_to_config(
        latents_mean=latents.mean((0, 2, 3)).tolist(), latents_std=latents.std((0, 2, 3)).clamp(min=1e-3).tolist()
    )
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


def train_tokenizer(captions, vocabulary=400, length=77):
    """A RobertaTokenizer whose byte-level vocabulary is learnt from the captions."""
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(sorted(set(captions)), vocab_size=vocabulary, special_tokens=special, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        bpe.save_model(folder)
        return RobertaTokenizer.from_pretrained(folder, model_max_length=length)


def feature_extractor():
    """CLAP's log-mel at 16 kHz: 20 ms frames, 5 s at most, which the small audio encoder takes without resizing."""
    return ClapFeatureExtractor(
        sampling_rate=SAMPLE_RATE, hop_length=320, fft_window_size=1024, max_length_s=5, frequency_max=8000,
        truncation="rand_trunc", padding="repeatpad",
    )  # fmt: skip


def clap_log_mels(extractor, waves, batch=32):
    """CLAP's log-mels of many waveforms, (i, s) array-like -> (i, 1, frames, bins), in decibels."""
    ranges = [range(i, min(i + batch, len(waves))) for i in range(0, len(waves), batch)]
    return torch.cat([clap_net.log_mels(extractor, _waves(waves, r).numpy(), SAMPLE_RATE) for r in ranges])


def train_clap(
    features, captions, tokenizer, steps, *, width=24, patch=4, text_width=64, dims=64, batch=32, lr=2e-3, gain_db=6.0,
    seed=0, checkpoint=None,
):  # fmt: skip
    """Train a CLAP pair on sounds and their captions.

    features: (i, 1, frames, bins) from `clap_log_mels`. width, text_width: of the first audio stage and of the text
    encoder. patch: mel bins and frames of an audio token. dims: of the common space. gain_db: level is varied by so
    much either way, as timbre is not loudness. The loss is CLAP's symmetric cross-entropy, but sounds of one caption
    share their target: captions repeat, and to push such pairs apart would be noise. Returns (clap, losses).
    """
    torch.manual_seed(seed)
    clap = ClapModel(
        ClapConfig(
            text_config=dict(
                vocab_size=len(tokenizer), hidden_size=text_width, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=2 * text_width, max_position_embeddings=tokenizer.model_max_length + 2,
                pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id, layer_norm_eps=1e-5, projection_dim=dims,
            ),
            audio_config=dict(
                spec_size=128, num_mel_bins=MEL_BINS, patch_size=patch, patch_stride=[patch, patch],
                patch_embeds_hidden_size=width, depths=[2, 2, 2][: 3 if patch < 8 else 2],
                num_attention_heads=[2, 4, 8][: 3 if patch < 8 else 2], hidden_size=width * (4 if patch < 8 else 2),
                num_hidden_layers=3 if patch < 8 else 2, window_size=4, projection_dim=dims, mlp_ratio=2.0,
                hidden_dropout_prob=0.0,
            ),
            projection_dim=dims,
        )
    )  # fmt: skip
    kinds = sorted(set(captions))
    kind = torch.tensor([kinds.index(c) for c in captions])
    tokens = tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(clap.parameters(), lr=lr, weight_decay=0.05)
    schedule = fit.one_cycle(optimizer, steps, 0.2)

    def loss(generator):
        pick = torch.randint(len(captions), (batch,), generator=generator)
        gain = (2 * torch.rand(batch, 1, 1, 1, generator=generator) - 1) * gain_db
        sound = (features[pick] + gain).to(clap.device)
        sound = clap.get_audio_features(sound).pooler_output
        text = clap.get_text_features(
            tokens.input_ids[pick].to(clap.device), attention_mask=tokens.attention_mask[pick].to(clap.device)
        ).pooler_output
        same = (kind[pick, None] == kind[None, pick]).float().to(clap.device)
        target = same / same.sum(-1, keepdim=True)
        scores = F.normalize(sound, dim=-1) @ F.normalize(text, dim=-1).T * clap.logit_scale_a.exp()
        return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2

    history = fit.fit(clap, loss, steps, optimizer, seed=seed, scheduler=schedule, checkpoint=checkpoint, label="CLAP")
    return clap, history


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


def train(waves, captions, *, vae, clap, unet, vocoder=None, seed=0, checkpoint=None):
    """Train the whole backbone on sounds and captions.

    waves: (i, s) array-like at 16 kHz, s whole latent frames. captions: i texts. vae, clap, unet: keyword arguments of
    `train_vae`, `train_clap`, `train_unet` (`steps` among them) and `train_vocoder`. checkpoint: folder for the
    training state. Returns (parts, {part: losses}); RMS2Sound(**parts) is
    the pipeline without a control net.
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
    tokenizer, extractor = train_tokenizer(captions), feature_extractor()
    features = clap_log_mels(extractor, waves)
    pair, losses["clap"] = train_clap(features, captions, tokenizer, seed=seed, checkpoint=state("clap"), **clap)
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
