"""Video-Foley whole: a film in, a film with sound out (Fig. 1)."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from vf import adherence, checkpoints, media, params, rms, video2rms
from vf.regions import Region  # noqa: F401  part of what a caller of `sound` and `render` needs
from vf.rms2sound import RMS2Sound


def condition(curve, timeline):
    """A curve at Video2RMS's rate as the condition of RMS2Sound (App. B.2).

    curve: (..., video_rms_frames). Returns (..., sound_rms_frames): nearest neighbour over the clip's length, then zeros.
    """
    curve = torch.as_tensor(curve)
    clip_frames = round(timeline.samples / timeline.sound_hop)
    near = rms.resize(curve, clip_frames)
    return torch.nn.functional.pad(near, (0, timeline.sound_rms_frames - clip_frames))


def generate(pipeline, timeline, curves=None, prompts=None, audio=None, seed=0, batch=16, precision="no", label="", **options):
    """Sound for many clips, each from its own noise, so that systems differ in nothing but what is under test.

    curves: (b, sound_rms_frames), or None for plain text-to-audio. prompts: b texts, or audio: (b, s) prompts. precision:
    "no", or "bf16" for the denoising, twice as fast where the processor knows it. options: guidance_scale,
    num_inference_steps and eta of RMS2Sound. Returns (b, samples) float32, cut to the clip.
    """
    count = len(curves if curves is not None else prompts if prompts is not None else audio)
    pipeline.set_progress_bar_config(disable=True)
    waves = []
    for i in tqdm(range(0, count, batch), desc=label, mininterval=2.0):
        part = slice(i, i + batch)
        size = min(batch, count - i)
        with torch.autocast(pipeline.device.type, torch.bfloat16, enabled=precision == "bf16"):
            latents = pipeline(
                rms=None if curves is None else curves[part],
                prompt=None if prompts is None else prompts[part],
                audio=None if audio is None else audio[part],
                generator=[torch.Generator().manual_seed(seed * 100_003 + i + k) for k in range(size)],
                frames=timeline.sound_rms_frames,
                output_type="latent",
                **options,
            )
        waves.append(pipeline.decode(latents.float())[:, : timeline.samples])
    pipeline.set_progress_bar_config(disable=False)
    return torch.cat(waves).clamp(-1, 1)


class Stopped(Exception):
    """A render was stopped from outside; nothing was written."""


@dataclass
class Foley:
    """A film's new sound.

    film: path, or None. waveform: (s,) float32, perhaps mapped from disk. wanted: (n,) RMS that was asked for, every `hop` samples.
    adherence: how closely the sound follows it, {"raw": {e_l1, error_db, lag_ms, onset_f1_50ms, correlation}, "gain_matched": the
    same}; uncorrected: the same before the gain was corrected, or None where it was not. session: dict, all it takes to make the
    sound again; a script may read it, `save` writes it as JSON.
    """

    film: Path | None
    waveform: np.ndarray = field(repr=False)
    wanted: np.ndarray = field(repr=False)
    sample_rate: int
    window: int
    hop: int
    adherence: dict = field(default=None, repr=False)
    uncorrected: dict | None = field(default=None, repr=False)
    session: dict = field(default=None, repr=False)

    @property
    def rms(self):
        """RMS of the sound, (n,), on the clock of `wanted`."""
        return rms.rms_curve(self.waveform, self.window, self.hop).numpy()

    def save(self, output):
        """Write the film with this sound; the picture is copied, the original stays. Returns the path."""
        media.replace_sound(self.film, output, self.waveform, self.sample_rate)
        return Path(output)


class VideoFoley:
    """Both stages as one.

    model: Video2RMS. pipeline: RMS2Sound. features: callable (frames, times) -> features of a clip. size: (width, height) it
    wants. timeline: of one clip. decode: rule from classes to curve. generation: keywords of RMS2Sound.
    """

    def __init__(self, model, pipeline, features, size, timeline, decode="mean", generation=None):
        self.model, self.pipeline, self.features, self.size = model, pipeline, features, size
        self.timeline, self.decode, self.generation = timeline, decode, generation or {}

    @classmethod
    def from_pretrained(cls, name="small", device="cpu"):
        """Both stages, trained.

        name: "small" or "paper", what `dvc repro` left of that profile in runs/<run>; or "authors", the checkpoints that they
        released, from the folder `weights` of params.yaml. device: where the networks run.
        Raises FileNotFoundError when the profile has not run, and for a file that is not there.
        """
        p = params.load("paper" if name == "authors" else name)
        frames = importlib.import_module(f"vf.backends.{p.profile}.frames")
        if name == "authors":
            model, pipeline = checkpoints.authors(p.path(p.weights))
        else:
            for part in ("features", "video2rms", "rms2sound"):
                if not p.folder(part).is_dir():
                    raise FileNotFoundError(f"{p.folder(part)}: not trained yet; run `make repro` first")
            model = video2rms.Video2RMS.from_pretrained(p.folder("video2rms")).eval()
            pipeline = RMS2Sound.from_pretrained(p.folder("rms2sound"))
        reader = frames.Reader(p.features.kinds, p.features.pool, p.path(p.weights), device)
        frame_encoder = importlib.import_module(f"vf.backends.{p.profile}.frame_encoder")
        features = frame_encoder.load(p.folder("features") / "encoder", reader, device)
        options = {k: p.generate[k] for k in ("guidance_scale", "num_inference_steps", "eta")}
        size, decode = tuple(p.features.size), p.video2rms.decode
        return cls(model.to(device), pipeline.to(device), features, size, p.timeline, decode, options)

    def predict(self, film):
        """The loudness curve of a silent film, (n,) at the 512/128 rate, clip by clip to its end.

        Raises media.MediaError for a file that is no film.
        """
        seconds, t = media.probe(film).seconds, self.timeline
        parts, start = [], 0.0
        while start < seconds - 1 / t.fps:
            frames, times = media.read_frames(film, t.fps, self.size, start, t.seconds)
            missing = t.video_frames - len(frames)
            if missing > 0:  # the last clip: hold its last picture, in which nothing moves
                frames = np.concatenate([frames, np.repeat(frames[-1:], missing, 0)])
                times = np.concatenate([times, times[-1] + np.arange(1, missing + 1) / t.fps])
            parts.append(self.features(frames, times)[None])
            start += t.seconds
        _, curve = video2rms.predict(self.model, np.concatenate(parts), self.model.classes, self.decode)
        return curve.flatten()[: int(seconds * t.sample_rate) // t.video_hop].numpy()

    def sound(self, wanted, prompt=None, audio=None, seed=0, regions=(), progress=None, stop=None):
        """Sound that follows a curve: (n,) at the 512/128 rate, any length -> waveform (n * hop,) float32, perhaps mapped from disk.

        prompt: text, or audio: a path to a sound or film, (path, start, end) in seconds, or a waveform (s,), whose timbre to take;
        neither: no prompt. seed: of the noise. regions: Region, the later one counts where two overlap. progress: called with the
        share that is done, 0 to 1. stop: polled between denoising steps; where it returns true, Stopped is raised.
        Raises ValueError for a curve that is not (n,) values in [0, 1], for regions outside it and for both prompt and audio.
        """
        t = self.timeline
        wanted = torch.as_tensor(np.asarray(wanted, np.float32))
        if wanted.ndim != 1 or not len(wanted) or not torch.isfinite(wanted).all() or (wanted < 0).any():
            raise ValueError(f"curve of shape {tuple(wanted.shape)}; wanted (n,) finite values in [0, 1]: clean it first")
        count = -(-len(wanted) // t.video_rms_frames)
        padded = torch.nn.functional.pad(wanted, (0, count * t.video_rms_frames - len(wanted)))
        curves = condition(padded.reshape(count, -1), t)
        prompts = [prompt] * count if prompt else None
        prompt_audio = None if audio is None else np.repeat(np.asarray(audio, np.float32)[None], count, 0)
        waves = generate(self.pipeline, t, curves, prompts, prompt_audio, seed, label="sound", **self.generation)
        return waves.flatten()[: len(wanted) * t.video_hop].numpy()

    def render(
        self, film, wanted=None, prompt=None, audio=None, seed=0, regions=(), best_of=1, correct_gain=False, progress=None, stop=None,
    ):  # fmt: skip
        """A film in, a Foley out; every choice a hand can make is a keyword.

        film: path, or None for the sound of `wanted` alone. wanted: (n,) RMS in [0, 1] at the 512/128 rate, n that of the film;
        predicted from the film without. prompt, audio, seed, regions, progress, stop: see `sound`. best_of: renders with this many
        seeds, seed, seed + 1 ..., and keeps the one closest to the curve among those whose CLAP score is not below the median of
        all. correct_gain: afterwards multiply the sound towards the curve; `uncorrected` then says what it was before.
        Raises media.MediaError for a film that cannot be read, ValueError for what `sound` refuses, Stopped.
        """
        wanted = self.predict(film) if wanted is None else wanted
        t = self.timeline
        waveform = self.sound(wanted, prompt, audio, seed, regions, progress, stop)
        result = Foley(Path(film) if film else None, waveform, wanted, t.sample_rate, t.video_window, t.video_hop)
        result.adherence = adherence.adherence(wanted, waveform, t, self.model.classes.floor)
        return result

    def __call__(self, film, prompt=None, audio=None, seed=0):
        """A film in, a Foley out: `render` at its plainest."""
        return self.render(film, prompt=prompt, audio=audio, seed=seed)
