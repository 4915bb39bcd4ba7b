"""From noise to latents: Eq. 4's f, guided by Eq. 5, in the steps of any scheduler of diffusers (sections 2.2, 3.2).

A clip is one window. Longer sound is many: in each step overlapping windows of the same latents are denoised, and the
networks' outputs are averaged with ramps where two share a frame (MultiDiffusion, Bar-Tal et al. 2023), so that
neighbours agree before anything is decoded. Axes: b sounds, c channels, l latent frames, g latent bins, e embedding, n
frames of the RMS curve.
"""

import copy
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from vf.signal import group, windows
from vf.signal.diffusion import estimate, guide
from vf.signal.mel import FLOOR, energy
from vf.signal.rms import gain
from vf.signal.timeline import Timeline

OVERLAP = 1 / 4  # share of a window that the next one covers too


@dataclass(frozen=True)
class Settings:
    """How to sample; the block `generate` of params.yaml.

    guidance_scale: omega of Eq. 5; 1 is plain conditioning. num_inference_steps: of the scheduler. eta: 0
    (deterministic DDIM) to 1. precision: of the networks, of `group.autocast`. batch: windows at a time.
    guide_rms: guide the curve too, i.e. leave it out beside the null prompt, which the paper tried and gave up (App.
    B.2). hold: strength of `hold`, 0 (off, the paper) to 1, in the last step and those in which at most a fifth of the
    power is noise. negative_prompt: a text that Eq. 5 leads away from in place of the null prompt; None for the null,
    as in the paper. scheduler: "ddim", the pipeline's own, or "dpm", DPM-Solver++ of second order (Lu et al. 2022),
    which needs fewer steps and is deterministic, whatever eta. spacing: exponent of the times of "dpm", `times`; above
    1 more of the steps lie where little noise is left. Raises ValueError for a value outside these.
    """

    guidance_scale: float = 3.5
    num_inference_steps: int = 25
    eta: float = 0.0
    precision: str = "no"
    batch: int = 16
    guide_rms: bool = False
    hold: float = 0.0
    negative_prompt: str | None = None
    scheduler: str = "ddim"
    spacing: float = 1.0

    def __post_init__(self):
        for name, fits, wanted in (
            ("guidance_scale", math.isfinite(self.guidance_scale), "a finite number"),
            ("num_inference_steps", self.num_inference_steps >= 1, "1 or more"),
            ("eta", 0 <= self.eta <= 1, "0 to 1"),
            ("precision", self.precision in ("no", "bf16"), "'no' or 'bf16'"),
            ("batch", self.batch >= 1, "1 or more"),
            ("hold", 0 <= self.hold <= 1, "0 (off) to 1"),
            ("negative_prompt", _is_text_or_none(self.negative_prompt), "words, or None for none"),
            (
                "guidance_scale",
                self.negative_prompt is None or self.guidance_scale != 1,
                "above 1 beside a negative prompt, which guidance alone brings in",
            ),
            ("scheduler", self.scheduler in ("ddim", "dpm"), "'ddim' or 'dpm'"),
            ("spacing", 1 <= self.spacing <= 4, "1 to 4"),
            ("spacing", self.spacing == 1 or self.scheduler == "dpm", "1 beside scheduler ddim, whose steps are even"),
        ):
            if not fits:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted {wanted}")

    @classmethod
    def of(cls, block: dict, **changes) -> "Settings":
        """The settings among the keys of a block of params.yaml, which has others too, with changes."""
        names = {f.name for f in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in block.items() if key in names} | changes)

    def solver(self, scheduler: Any, device: torch.device) -> Any:
        """A new scheduler with its times. scheduler: a pipeline's own, whose noise schedule it keeps."""
        if self.scheduler == "ddim":
            solver = copy.deepcopy(scheduler)
            solver.set_timesteps(self.num_inference_steps, device=device)
            return solver
        # it ends where DDIM does, at the least noise of the schedule or at none; the last step is so long in log-SNR
        # that second order goes astray there
        end = "zero" if scheduler.config.get("set_alpha_to_one", True) else "sigma_min"
        config = {"final_sigmas_type": end, "euler_at_final": True}
        solver = DPMSolverMultistepScheduler.from_config(scheduler.config, **config)
        solver.set_timesteps(device=device, timesteps=times(solver.config.num_train_timesteps, self))
        return solver

    def autocast(self, device: torch.device) -> torch.autocast:
        """Context in which networks run at this precision."""
        return group.autocast(self.precision, device)


def times(trained: int, settings: Settings) -> list[int]:
    """Times of the steps, falling: trained * (1 - i / steps) ** spacing - 1, rounded, each once.

    With spacing 1 they are diffusers' "trailing" ones. The last step leaves out what lies below its time: at 20 even
    steps that is noise of a quarter of the sound's own variation, and what is left comes out smooth.
    """
    steps = settings.num_inference_steps
    exact = (trained * (1 - i / steps) ** settings.spacing for i in range(steps))
    return sorted({max(0, round(t) - 1) for t in exact}, reverse=True)


def _is_text_or_none(text):
    return text is None or isinstance(text, str) and bool(text.strip())


@dataclass
class Voice:
    """A timbre and where it holds.

    timbre: (b, e), or None for no prompt. weight: (l,), all voices together 1 in every frame.
    """

    timbre: torch.Tensor | None
    weight: torch.Tensor = field(repr=False)


class SeededNoise:
    """Standard normal noise, the same in every frame whatever is sampled beside it and however windows are batched.

    Noise comes in blocks of a clip's length. Block k of a sound has a torch.Generator of its own, seeded seed * 100_003
    + clip + k, which draws what the sampler starts from, then what each step adds. A test set is one block each, `clip`
    being the clip's place in it; a film begins at clip 0 and goes on through the blocks.

    shape: (c, l, g) of a block. spans: [(seed, first, last)], which seed holds from which latent frame to before which;
    the later span counts. clips: of each sound. Call it step by step, and within a step from frame to frame.
    """

    def __init__(self, shape: tuple[int, int, int], spans: list[tuple[int, int, int]], clips: Sequence[int] = (0,)):
        self.shape, self.spans, self.clips = shape, spans, clips
        self._generators: dict[tuple, tuple] = {}  # (sound, span, block): (generator, the step it has drawn)
        self._latest: dict[tuple, tuple] = {}  # (sound, span): (block, step, values); a block may be needed in parts

    def __len__(self):
        return len(self.clips)

    def __call__(self, step: int, begin: int, end: int, dtype: torch.dtype) -> torch.Tensor:
        """Noise of latent frames begin to end, (b, c, end - begin, g). step: of the sampler; -1 is its start."""
        channels, block, bins = self.shape
        noise = torch.empty(len(self.clips), channels, end - begin, bins, dtype=dtype)
        for sound in range(len(self.clips)):
            for span, (_, first, last) in enumerate(self.spans):
                low, high = max(begin, first), min(end, last)
                for k in range(low // block, -(-high // block) if low < high else 0):
                    a, b = max(low, k * block), min(high, (k + 1) * block)
                    values = self._block(sound, span, k, step, dtype)
                    noise[sound, :, a - begin : b - begin] = values[:, a - k * block : b - k * block]
        return noise

    def generator(self, begin: int) -> list[torch.Generator]:
        """For schedulers that draw for themselves: each sound's generator of the block that holds frame `begin`."""
        span = max(i for i, (_, first, last) in enumerate(self.spans) if first <= begin < last)
        k = begin // self.shape[1]
        for sound in range(len(self.clips)):
            if (sound, span, k) not in self._generators:
                self._block(sound, span, k, -1, torch.float32)
        return [self._generators[sound, span, k][0] for sound in range(len(self.clips))]

    def _block(self, sound, span, k, step, dtype):
        """Block k of a sound under a span's seed, (c, l, g)."""
        latest = self._latest.get((sound, span))
        if latest and latest[:2] == (k, step):
            return latest[2]
        generator, drawn = self._generators.get((sound, span, k), (None, step))
        if drawn >= step:
            seed = (self.spans[span][0] * 100_003 + self.clips[sound] + k) % 2**63  # no generator takes more
            generator, drawn = torch.Generator().manual_seed(seed), -2
        for _ in range(drawn, step):
            values = torch.randn(self.shape, generator=generator, dtype=dtype)
        self._generators[sound, span, k] = generator, step
        self._latest[sound, span] = k, step, values
        return values


class DrawnNoise:
    """Standard normal noise as diffusers draws it, for sounds of one window.

    shape: (b, c, l, g). source: a torch.Generator, one a sound, or None for torch's own.
    """

    def __init__(self, shape: tuple[int, int, int, int], source, device: torch.device):
        self.shape, self.source, self.device = shape, source, device

    def __call__(self, step: int, begin: int, end: int, dtype: torch.dtype) -> torch.Tensor:
        """The next noise, (b, c, l, g)."""
        return randn_tensor(self.shape, generator=self.source, device=self.device, dtype=dtype)

    def generator(self, begin: int) -> Any:
        """For schedulers that draw for themselves."""
        return self.source


def predict(
    unet: Any, controlnet: Any, z_t: torch.Tensor, t: Any, timbre: torch.Tensor, rms: torch.Tensor | None = None
) -> torch.Tensor:
    """f(z_t, t, C, R) of Eq. 4: the U-Net's output, with the control net's residuals where there is a curve.

    z_t: (b, c, l, g). t: a number or (b,). timbre: (b, e). rms: (b, n) in [0, 1], or None. Returns (b, c, l, g).
    """
    residuals = {} if rms is None else controlnet(z_t, t, timbre, rms).kwargs()
    return unet(z_t, t, encoder_hidden_states=None, class_labels=timbre, **residuals).sample


@torch.no_grad()
def denoise(
    pipeline: Any,
    latents: Any,
    curve: torch.Tensor | None,
    voices: Sequence[Voice],
    noise: Any,
    settings: Settings,
    window: int | None = None,
    tick: Callable[[float], object] = lambda share: None,
) -> Iterator[int]:
    """Fill latents (b, c, l, g) with sound: the denoising loop. Yields up to which frame they are finished.

    pipeline: RMS2Sound. latents: float32, written in place; it may be a view of an array on disk, of which about
    `settings.batch` windows are read at a time. curve: (b, l * stride) RMS, or None. voices: list of Voice. noise:
    SeededNoise, or DrawnNoise where one window is all. window: latent frames (default: all of them). tick: called with
    the share that is done before each pass through the networks and behind the last; may raise to stop.

    A step of a window needs no more than its neighbours' step before. So windows, `settings.batch` at a time, go
    through their steps one behind the other, and the first are finished, and can be heard, long before the last.
    """
    sounds, _, total, _ = latents.shape
    window = window or total
    overlap, device, stride = round(OVERLAP * window), pipeline.device, pipeline.latent_stride
    begins = windows.starts(total, window, overlap)
    size = max(1, settings.batch // sounds)
    groups = [begins[i : i + size] for i in range(0, len(begins), size)]
    schedulers = [settings.solver(pipeline.scheduler, device) for _ in groups]  # some keep earlier steps' outputs
    for begin in range(0, total, window):
        start = noise(-1, begin, min(total, begin + window), pipeline.unet.dtype)
        latents[:, :, begin : begin + window] = start.to(device) * schedulers[0].init_noise_sigma
    steps, eta = schedulers[0].timesteps, settings.eta if settings.scheduler == "ddim" else 0.0
    joined = [windows.CrossFade(window, overlap) for _ in steps]
    turns = range(len(groups) + len(steps) - 1)
    order = [(g, turn - g) for turn in turns for g in reversed(range(len(groups))) if 0 <= turn - g < len(steps)]
    for done, (g, i) in enumerate(order):
        tick(done / len(order))
        part, scheduler, t = groups[g], schedulers[g], steps[i]
        z_t = torch.cat([latents[:, :, s : s + window] for s in part]).to(device).contiguous()
        curves = None
        if curve is not None:
            curves = torch.cat([curve[:, s * stride : (s + window) * stride] for s in part]).to(device)
        with settings.autocast(device):
            outputs = _outputs(pipeline, scheduler.scale_model_input(z_t, t), t, part, curves, voices, settings)
        if settings.hold and curves is not None and (i + 1 == len(steps) or _is_late(pipeline, t)):
            outputs = hold(pipeline, outputs, z_t, t, curves, settings.hold)
        for s, output in zip(part, outputs.split(sounds)):
            joined[i].add(s, output)
        begin, end = part[0], groups[g + 1][0] if g + 1 < len(groups) else total
        output = joined[i].take(end).to(outputs)  # noise and step have the precision of the networks' output
        extra = _extra(scheduler, eta, noise, i, begin, end, output)
        latents[:, :, begin:end] = scheduler.step(output, t, latents[:, :, begin:end].to(device), **extra).prev_sample
        if done + 1 == len(order):
            tick(1.0)
        if i + 1 == len(steps):
            yield end


def _is_late(pipeline, t):
    """Whether to hold at time t. Earlier the estimate is a mean over many sounds: holding it costs time and timbre."""
    return pipeline.scheduler.alphas_cumprod[int(t)] >= 0.8


def _extra(scheduler, eta, noise, step, begin, end, output):
    """Keywords of a scheduler's step beside output, time and latents: eta and noise, under its own names."""
    accepted = inspect.signature(scheduler.step).parameters
    extra = {"eta": eta} if "eta" in accepted else {}
    if "variance_noise" in accepted and eta > 0:
        return {**extra, "variance_noise": noise(step, begin, end, output.dtype).to(output.device)}
    return {**extra, "generator": noise.generator(begin)} if "generator" in accepted else extra


def _outputs(pipeline, z_in, t, begins, curves, voices, settings):
    """Eq. 5 of each row, (r, c, window, g), mixed by the voices that hold in its frames.

    Rows are, for every window in `begins`, all sounds. z_in: (r, c, window, g), scaled for the U-Net. curves: (r, n),
    or None.
    """
    window, sounds = z_in.shape[2], len(z_in) // len(begins)
    rows = [(begins[r // sounds], r % sounds) for r in range(len(z_in))]
    present = [[k for k, v in enumerate(voices) if v.weight[s : s + window].any()] for s, _ in rows]
    guided, controlled = settings.guidance_scale != 1, curves is not None
    null_controlled = controlled and not settings.guide_rms
    # jobs of the networks: (row, voice, with its curve or without); beside the voices there are two more prompts
    null, negative = "null", "negative"
    away = null if settings.negative_prompt is None else negative  # what Eq. 5 leads away from
    own = [null if v.timbre is None else k for k, v in enumerate(voices)]
    nulls, prompted = [], []
    for r, voices_here in enumerate(present):
        for k in voices_here:
            if guided and (own[k], controlled) != (away, null_controlled):
                nulls.append((r, away, null_controlled))
            (nulls if own[k] == null else prompted).append((r, own[k], controlled))
    jobs, output = [*dict.fromkeys(nulls), *prompted], {}
    fixed = {null: pipeline.encode_prompt(count=1)[0]}
    if away == negative:
        fixed[negative] = pipeline.encode_prompt(settings.negative_prompt)[0]
    for with_curve in (False, True):
        alike = [job for job in jobs if job[2] is with_curve]
        for i in range(0, len(alike), 2 * len(rows)):
            part = alike[i : i + 2 * len(rows)]
            timbres = torch.stack([fixed[k] if k in fixed else voices[k].timbre[rows[r][1]] for r, k, _ in part])
            z_part = z_in[[r for r, *_ in part]].to(pipeline.unet.dtype)
            curves_part = curves[[r for r, *_ in part]] if with_curve else None
            out = predict(pipeline.unet, pipeline.controlnet, z_part, t, timbres.to(z_part.device), curves_part)
            output.update(zip(part, out))
    mixed = []
    for r, (begin, _) in enumerate(rows):
        parts = []
        for k in present[r]:
            part = output[r, own[k], controlled]
            if guided and (own[k], controlled) != (away, null_controlled):
                part = guide(part, output[r, away, null_controlled], settings.guidance_scale)
            parts.append(part)
        if len(parts) > 1:
            weights = (voices[k].weight[begin : begin + window, None].to(parts[0].device) for k in present[r])
            parts = [sum(weight * part for weight, part in zip(weights, parts)).to(parts[0].dtype)]
        mixed += parts
    return torch.stack(mixed)


@torch.no_grad()
def hold(
    pipeline: Any,
    output: torch.Tensor,
    z_t: torch.Tensor,
    t: torch.Tensor,
    curve: torch.Tensor,
    strength: float,
) -> torch.Tensor:
    """Move an output of the networks towards a loudness curve: beyond the paper, and off by default.

    The latents that the output estimates are decoded, each frame of the log-mel gets the curve's level (`rms.gain`),
    and the latents change by what that changes in their encoding: a projection onto the sounds of that loudness, as
    DDNM's (Wang et al. 2023) onto the images of a measurement.

    output: of the networks, after guidance, for z_t (b, c, l, g) at time t. curve: (b, n) RMS. strength: share of the
    way, in dB, 0 to 1. Returns an output of the same shape.
    """
    scheduler = pipeline.scheduler
    with group.autocast("no", z_t.device):  # levels are finer than bf16
        output, z_t, curve = output.float(), z_t.float(), curve.float()
        clean, alpha = estimate(scheduler, output, z_t, t.expand(len(z_t)))
        mel = pipeline.decode_mel(clean)
        level = energy(mel, pipeline.vocoder.config.sampling_rate)
        moved = (mel + strength * gain(curve, level).log()[..., None]).clamp(min=math.log(FLOOR))
        clean = clean + pipeline.encode_mel(moved) - pipeline.encode_mel(mel)
    sigma = (1 - alpha**2).sqrt()
    if scheduler.config.prediction_type == "epsilon":
        return (z_t - alpha * clean) / sigma
    return (alpha * z_t - clean) / sigma


def latent_frames(frames: int, timeline: Timeline) -> int:
    """Latent frames of a curve of `frames` values at Video2RMS's rate, at least a clip's."""
    return max(timeline.latent_frames, -(-frames * timeline.video_hop // (timeline.sound_hop * timeline.latent_stride)))


def condition(curve: Any, timeline: Timeline) -> torch.Tensor:
    """A curve at Video2RMS's rate as the condition of RMS2Sound (App. B.2): nearest neighbour, then zeros.

    curve: (..., n), of a clip or of a longer film. Returns (..., latent_frames(n) * stride): a clip's sound_rms_frames.
    """
    curve = torch.as_tensor(curve).float()
    frames = curve.shape[-1]
    centres = torch.arange(latent_frames(frames, timeline) * timeline.latent_stride, dtype=torch.float64) + 0.5
    nearest = (centres * timeline.sound_hop / timeline.video_hop).long()
    return F.pad(curve, (0, 1))[..., nearest.clamp(max=frames)]


def generate(
    pipeline: Any,
    timeline: Timeline,
    settings: Settings,
    curves: Any = None,
    prompts: Sequence[str] | None = None,
    audio: Any = None,
    seed: int = 0,
    label: str = "",
) -> torch.Tensor:
    """Sound for many clips (sections 3.2, B.2), each from its own noise, the same for every system that is compared.

    settings: Settings. curves: (b, sound_rms_frames), or None for plain text-to-audio. prompts: b texts, or audio: (b,
    s), whose timbre to take. seed: of SeededNoise. label: of the progress bar. Returns (b, samples) float32 in [-1, 1],
    cut to the clip.
    """
    count = len(curves if curves is not None else prompts if prompts is not None else audio)
    bins = pipeline.vocoder.config.model_in_dim // timeline.latent_stride
    shape = (pipeline.unet.config.in_channels, timeline.latent_frames, bins)
    pipeline.set_progress_bar_config(disable=True)
    waves = []
    for i in tqdm(range(0, count, settings.batch), desc=label, mininterval=2.0):
        part = slice(i, i + settings.batch)
        latents = pipeline(
            rms=None if curves is None else curves[part],
            prompt=None if prompts is None else prompts[part],
            audio=None if audio is None else audio[part],
            noise=SeededNoise(shape, [(seed, 0, timeline.latent_frames)], range(i, min(i + settings.batch, count))),
            frames=timeline.sound_rms_frames,
            output_type="latent",
            **dataclasses.asdict(settings),
        )
        waves.append(pipeline.decode(latents.float())[:, : timeline.samples])
    pipeline.set_progress_bar_config(disable=False)
    return torch.cat(waves).clamp(-1, 1)
