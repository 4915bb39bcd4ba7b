"""RMS2Sound: sound with a given loudness curve and the timbre of a prompt (section 2.2, App. B.2)."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline

from vf.backends.nets import clap as clap_net
from vf.backends.nets import griffin_lim, small_clap  # noqa: F401  diffusers finds classes only in imported modules
from vf.models import sampler
from vf.models.rms_controlnet import RMSControlNet
from vf.signal import fit
from vf.signal.diffusion import diffusion_loss, draw, drop
from vf.signal.mel import log_mel


class RMS2Sound(DiffusionPipeline):
    """Text-to-audio latent diffusion that follows an RMS curve.

    vae: AutoencoderKL over log-mels. unet: UNet2DConditionModel conditioned on a CLAP vector. clap: ClapModel, or a
    module that is called as one. tokenizer, feature_extractor: CLAP's. vocoder: SpeechT5HifiGan, or a module that is
    called as one. scheduler: any of diffusers'. controlnet: RMSControlNet; without it the pipeline is plain
    text-to-audio.
    """

    model_cpu_offload_seq = "clap->controlnet->unet->vae->vocoder"
    _optional_components = ["controlnet"]

    def __init__(self, vae, unet, clap, tokenizer, feature_extractor, vocoder, scheduler, controlnet=None):
        super().__init__()
        self.register_modules(
            vae=vae,
            unet=unet,
            clap=clap,
            tokenizer=tokenizer,
            feature_extractor=feature_extractor,
            vocoder=vocoder,
            scheduler=scheduler,
            controlnet=controlnet,
        )
        self._embedded = {}  # CLAP's vectors of the texts seen so far

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> "RMS2Sound":
        """diffusers' own, after which the pipeline gives the same bytes as the one that was saved."""
        pipeline = super().from_pretrained(*args, **kwargs)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                for tensor in (*part.parameters(), *part.buffers()):
                    tensor.data = tensor.data.clone()  # memory-mapped weights lie unaligned: other last bits
        return pipeline

    @property
    def latent_stride(self) -> int:
        """Mel frames per latent frame, and mel bins per latent bin."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def heard(self) -> float:
        """Seconds of a sound that CLAP hears, its first ones."""
        return self.feature_extractor.nb_max_samples / self.feature_extractor.sampling_rate

    @torch.no_grad()
    def encode_prompt(self, prompt: Any = None, audio: Any = None, count: int = 1) -> torch.Tensor:
        """Timbre vectors of unit norm, (b, e), from text, from sound, or of no prompt at all.

        prompt: text or a list of texts. audio: waveforms (b, s) at the vocoder's rate, of which the first `heard`
        seconds count. count: how many vectors where neither is given; they are CLAP's embedding of the empty text, the
        null of Eq. 5.
        Raises ValueError where both are given or the sound is not finite or too short.
        """
        if prompt is not None and audio is not None:
            raise ValueError("both prompt and audio were given; choose the one that sets the timbre")
        if audio is not None:
            features = clap_net.log_mels(self.feature_extractor, audio, self.vocoder.config.sampling_rate)
            return clap_net.embed_features(self.clap, features)
        texts = [prompt] if isinstance(prompt, str) else list(prompt) if prompt is not None else [""] * count
        for text in texts:
            if (id(self.clap), text) not in self._embedded:
                # one by one, as padding beside a longer text changes a vector's last bits
                self._embedded[id(self.clap), text] = clap_net.embed_text(self.clap, self.tokenizer, [text])[0].cpu()
        vectors = torch.stack([self._embedded[id(self.clap), text] for text in texts])
        return vectors.to(self.device, self.clap.dtype)

    @torch.no_grad()
    def encode(self, wave: Any, batch: int = 8) -> torch.Tensor:
        """Waveforms (b, s), s whole latent frames -> latents (b, c, l, g): the VAE's mean, normalised."""
        wave = torch.as_tensor(np.asarray(wave, dtype=np.float32))
        rate, bins = self.vocoder.config.sampling_rate, self.vocoder.config.model_in_dim
        return torch.cat([self.encode_mel(log_mel(piece, rate, bins=bins)) for piece in wave.split(batch)])

    def encode_mel(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mels (b, n, bins) -> latents (b, c, l, g); gradients pass."""
        mean, std = self._latent_statistics()
        latents = self.vae.encode(mel[:, None].to(self.device, self.vae.dtype)).latent_dist.mode()
        return (latents - mean) / std * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor, batch: int = 8) -> torch.Tensor:
        """Latents (b, c, l, g) -> waveforms (b, s), float32 on the CPU."""
        waves = []
        for piece in latents.split(batch):
            mel = self.decode_mel(piece)
            wave = self.vocoder(mel)
            hop = wave.shape[-1] // mel.shape[1]
            waves.append(wave[:, : mel.shape[1] * hop].float().cpu())  # HiFi-GAN adds a few samples at the end
        return torch.cat(waves)

    def decode_mel(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (b, c, l, g) -> the VAE's log-mels (b, n, bins); gradients pass.

        Raises ValueError for latents that are no numbers, as far too much guidance makes them.
        """
        if (~torch.isfinite(latents)).any():
            raise ValueError("the sampled latents hold NaN or infinite numbers; wanted a sound: lower guidance_scale")
        mean, std = self._latent_statistics()
        latents = latents / self.vae.config.scaling_factor * std + mean
        return self.vae.decode(latents.to(self.vae.dtype)).sample[:, 0]

    def _latent_statistics(self):
        """Mean and spread of each latent channel, (1, c, 1, 1); 0 and 1 for AudioLDM's VAE, which has none."""
        config = self.vae.config
        mean = config.latents_mean or [0.0] * config.latent_channels
        std = config.latents_std or [1.0] * config.latent_channels
        return (torch.tensor(x, device=self.vae.device)[None, :, None, None] for x in (mean, std))

    @torch.no_grad()
    def __call__(
        self, rms=None, prompt=None, audio=None, generator=None, noise=None, frames=None, output_type="wave", **settings
    ):  # fmt: skip
        """Generate sound.

        rms: (b, n) curve in [0, 1] of window 1024, hop 160; None for sound without control. prompt: text or b texts;
        audio: (b, s) at the vocoder's rate; neither: no prompt. One prompt serves many curves and the other way round.
        generator: a torch.Generator, or one per sound, or noise: a sampler.SeededNoise. frames: length without rms, in
        RMS frames (default: what the U-Net was trained on). output_type: "wave" or "latent". settings: of
        sampler.Settings, by name, among them diffusers' own guidance_scale, num_inference_steps and negative_prompt.

        Returns waveforms (b, s) as float32, or latents (b, c, l, g).
        Raises ValueError for a curve of the wrong length, negative or not finite; for batches that do not fit; for rms
        without a control net.
        """
        settings = sampler.Settings(**settings)
        curve, timbre = self._check_rms(rms), None
        if prompt is not None or audio is not None:
            with settings.autocast(self.device):
                timbre = self.encode_prompt(prompt, audio)
        several = generator if isinstance(generator, list) else None
        counts = {len(x) for x in (timbre, curve, noise, several) if x is not None} or {1}
        if len(counts - {1}) > 1:
            raise ValueError(f"batches of {sorted(counts)}; give as many curves as prompts and generators, or one")
        count = max(counts)
        if curve is not None:
            frames, curve = curve.shape[-1], curve.expand(count, -1)
        length = (frames or self.unet.config.sample_size * self.latent_stride) // self.latent_stride
        bins = self.vocoder.config.model_in_dim // self.latent_stride
        latents = torch.empty(count, self.unet.config.in_channels, length, bins, device=self.device)
        noise = noise or sampler.DrawnNoise(tuple(latents.shape), generator, self.device)
        voice = sampler.Voice(None if timbre is None else timbre.expand(count, -1), torch.ones(length))
        with self.progress_bar(total=settings.num_inference_steps) as bar:

            def tick(share):
                bar.update(round(share * bar.total) - bar.n)

            deque(sampler.denoise(self, latents, curve, [voice], noise, settings, tick=tick), maxlen=0)
        self.maybe_free_model_hooks()
        return latents if output_type == "latent" else self.decode(latents)

    def _check_rms(self, rms):
        if rms is None:
            return None
        if self.controlnet is None:
            raise ValueError("rms was given but this pipeline has no control net; load one, or run train_controlnet")
        rms = torch.as_tensor(rms)
        rms = rms[None] if rms.ndim == 1 else rms
        if rms.ndim != 2:
            raise ValueError(f"rms is {tuple(rms.shape)}; wanted (b, n)")
        # the U-Net halves the latent at all levels but the last: whole ones only, so that nothing is cut on the way
        unit = self.latent_stride * 2 ** (len(self.unet.config.block_out_channels) - 1)
        if rms.shape[-1] == 0 or rms.shape[-1] % unit:
            want = max(unit, round(rms.shape[-1] / unit) * unit)
            raise ValueError(
                f"rms has {rms.shape[-1]} frames; wanted a multiple of {unit}: call rms.resize(rms, {want}), or pad it"
            )
        if not torch.isfinite(rms).all() or (rms < 0).any():
            raise ValueError("rms has negative or non-finite values; wanted loudness in [0, 1]: check its source")
        return rms.to(self.unet.dtype).to(self.device)  # in this order: a GPU of Apple has no float64


@dataclass(frozen=True)
class ControlNetOptions(fit.Training):
    """Training of RMS-ControlNet; `rms_controlnet.train` of params.yaml has these keys.

    mu, kernel: of RMSControlNet. lr: of the copied encoder; new_lr: of the layers around it (default: the same), which
    start at zero and at small rates stay there long. dropout: share of the batch whose prompt is the null. crop: latent
    frames of a random piece to train on (default: all). own: of `diffusion_loss`, 0 in the paper.
    """

    mu: float = 0.0
    kernel: int = 3
    new_lr: float | None = None
    dropout: float = 0.1
    crop: int | None = None
    own: float = 0.0
    warmup: float = 0.0


def train_controlnet(
    pipeline: RMS2Sound,
    latents: Any,
    timbres: Any,
    rms: Any,
    options: ControlNetOptions,
    start: RMSControlNet | None = None,
    condition: Any = None,
) -> list[float]:
    """Give a pipeline a control net, trained by Eq. 4 while everything else stays frozen (section 2.2).

    latents: (i, c, l, g) from `pipeline.encode`. timbres: (i, e) from `encode_prompt` of the same sounds. rms: (i, n)
    their curves, n = stride * l; all three in memory, on disk or computed when read (`vf.models.examples`). start: a
    control net to go on from (default: a copy of the U-Net's encoder). condition: (i, n) the net's input instead of the
    curve, such as a track of onsets. With `start`, its own mu and kernel count, not those of the options.

    Sets `pipeline.controlnet` and returns the losses. Raises ValueError for arrays of different lengths.
    """
    if not len(latents) == len(timbres) == len(rms):
        raise ValueError(f"{len(latents)} latents, {len(timbres)} timbres, {len(rms)} curves; wanted one of each")
    torch.manual_seed(options.seed)
    stride = pipeline.latent_stride
    pipeline.to(fit.device())
    net = start or RMSControlNet.from_unet(pipeline.unet, stride=stride, kernel=options.kernel, mu=options.mu)
    pipeline.unet.requires_grad_(False).eval()
    net.requires_grad_(True)
    new = [weight for name, weight in net.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": net.encoder.parameters()}, {"params": new, "lr": options.new_lr or options.lr}]
    null = pipeline.encode_prompt(count=1)
    pipeline.vae.requires_grad_(False)

    def model(z_t, t, timbre, curve):
        return sampler.predict(pipeline.unet, net, z_t, t, timbre, curve)

    def drawn(generator):
        return draw(len(latents), latents.shape[2], options.batch, options.crop, generator)

    def loss(generator, part):
        *batch, length = drawn(generator)
        items, starts = (part.rows(drawn) for drawn in batch)

        def pieces(curves, items=items, starts=starts):
            cuts = (curves[i][s * stride : (s + length) * stride] for i, s in zip(items, starts))
            return _rows(cuts).to(net.device)

        z = _rows(latents[i][:, s : s + length] for i, s in zip(items, starts)).to(net.device)
        curve = pieces(rms)
        timbre = drop(_rows(timbres[i] for i in items), null.cpu(), options.dropout, generator, part).to(net.device)

        conditions = timbre, curve if condition is None else pieces(condition)
        return diffusion_loss(pipeline.scheduler, model, z, generator, *conditions, own=options.own, part=part)

    history = fit.fit(net, loss, options, groups, label="RMS-ControlNet", items=lambda g: drawn(g)[0])
    pipeline.register_modules(controlnet=net)
    return history


def _rows(rows):
    return torch.stack([torch.as_tensor(np.array(row)) for row in rows])
