"""Video-Foley whole: a film in, a film with sound out (Fig. 1)."""

import importlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import RobertaTokenizer

from vf import params
from vf.backends import weights
from vf.data import media, writing
from vf.evaluation import adherence
from vf.foley import predict as predictions
from vf.foley import record, takes
from vf.foley.request import Region  # noqa: F401  a word of whoever calls `render`
from vf.models import authors as checkpoints
from vf.models import video2rms
from vf.models.rms2sound import RMS2Sound
from vf.models.sampler import Settings


def _authors(folder):
    """(Video2RMS, RMS2Sound) as the authors released them. Raises weights.MissingWeights for what the folder lacks."""
    tokenizer = RobertaTokenizer.from_pretrained(weights.find("roberta", folder))
    model = video2rms.from_authors(weights.find("video2rms", folder)).eval()
    return model, checkpoints.rms2sound(weights.find("rms2sound", folder), tokenizer)


class Stopped(Exception):
    """A render was stopped from outside; nothing was written."""


@dataclass
class Foley:
    """A film's new sound.

    film: path, or None. waveform: (s,) float32, perhaps mapped from disk. wanted: (n,) RMS that the sound shall have,
    every `hop` samples. adherence: how closely the sound follows it, {"raw": {e_l1, error_db, lag_ms, onset_f1_50ms,
    correlation}, "gain_matched": the same}; uncorrected: the same before the gain was corrected, or None where it was
    not. session: dict, all it takes to make the sound again; a script may read it, `save` writes it as JSON.
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
        return adherence.loudness(self.waveform, self.window, self.hop)

    def save(self, output):
        """Write the film with this sound, and the session beside it as JSON; without a film the sound alone, as wav.

        The picture is copied, the original stays. Returns the path. Raises media.MediaError where it cannot be written.
        """
        output = Path(output)
        if self.film:
            writing.replace_sound(self.film, output, self.waveform, self.sample_rate)
        else:
            writing.write_sound(output, self.waveform, self.sample_rate)
        record.write(output.with_suffix(".json"), self.session)
        return output


class VideoFoley:
    """Both stages as one.

    model: Video2RMS. pipeline: RMS2Sound. features: callable (frames, times) -> features of a clip. size: (width,
    height) it wants. timeline: of one clip. decode: rule from classes to curve. settings: sampler.Settings. name: that
    `from_pretrained` knows it by, or None.
    """

    def __init__(self, model, pipeline, features, size, timeline, decode="mean", settings=None, name=None):
        self.model, self.pipeline, self.features, self.size, self.name = model, pipeline, features, size, name
        self.timeline, self.decode, self.settings = timeline, decode, settings or Settings()

    @classmethod
    def from_pretrained(cls, name="small", device="cpu", hold=0.0):
        """Both stages, trained, with the settings of the tables: the system of Table 2.

        name: "small" or "paper", what `dvc repro` left of that profile in runs/<run>; or "authors", the checkpoints
        that they released, from the folder `weights` of params.yaml. device: where the networks run. hold: how firmly
        the sampler is held to the curve, beyond the paper (sampler.hold), 0 (off) to 1. Raises FileNotFoundError when
        the profile has not run, and for a file that is not there.
        """
        p = params.load("paper" if name == "authors" else name)
        frames = importlib.import_module(f"vf.backends.{p.profile}.frames")
        if name == "authors":
            model, pipeline = _authors(p.path(p.weights))
        else:
            for part in ("features", "video2rms", "rms2sound"):
                if not p.folder(part).is_dir():
                    raise FileNotFoundError(f"{p.folder(part)}: not trained yet; run `make repro` first")
            model = video2rms.Video2RMS.from_pretrained(p.folder("video2rms")).eval()
            pipeline = RMS2Sound.from_pretrained(p.folder("rms2sound"))
        reader = frames.Reader(p.features.kinds, p.features.pool, p.path(p.weights), device)
        frame_encoder = importlib.import_module(f"vf.backends.{p.profile}.frame_encoder")
        features = frame_encoder.load(p.folder("features") / "encoder", reader, device)
        if name == "authors":
            features = frames.in_authors_order(features)
        settings = Settings.of(p.generate, hold=hold)
        size, decode = tuple(p.features.size), p.video2rms.decode
        return cls(model.to(device), pipeline.to(device), features, size, p.timeline, decode, settings, name)

    @cached_property
    def digest(self):
        """SHA-256 of all weights that make the sound, and of Video2RMS."""
        parts = [part for _, part in sorted(self.pipeline.components.items()) if isinstance(part, torch.nn.Module)]
        return record.digest(self.model, *parts)

    @property
    def rate(self):
        """Values of the curve a second."""
        return self.timeline.sample_rate / self.timeline.video_hop

    def frames(self, film):
        """How many values the curve of a film has. Raises media.MediaError for a file that is no film."""
        return int(media.probe(film).seconds * self.rate + 1e-6)

    def predict(self, film, tick=lambda share: None):
        """The loudness curve of a silent film, (n,) at the 512/128 rate, to its end.

        tick: called with the share that is done; may raise to stop. Raises media.MediaError for a file that is no film,
        or of a single picture.
        """
        return predictions.predict(
            film, self.frames(film), self.model, self.features, self.size, self.timeline, self.decode, tick
        )

    def sound(self, wanted, prompt=None, audio=None, seed=0, regions=(), progress=None, stop=None):
        """Sound that follows a curve: (n,) at the 512/128 rate, any length -> waveform (n * hop,) float32, perhaps
        mapped from disk.

        prompt: text, or audio: a path to a sound or film, (path, start, end) in seconds, or a waveform (s,), whose
        timbre to take; neither: no prompt. seed: of the noise. regions: Region, the later one counts where two overlap.
        progress: called with the share that is done, 0 to 1. stop: polled between denoising steps; where it returns
        true, Stopped is raised. Raises ValueError for a curve that is not (n,) values in [0, 1], for regions outside it
        and for both prompt and audio.
        """
        t, regions = self.timeline, list(regions)
        wanted, voices = takes.prepare(self.pipeline, t, wanted, self.settings, prompt, audio, seed, regions)
        with _bar(progress) as show:
            return takes.take(self.pipeline, t, wanted, voices, seed, regions, self.settings, _ticker(show, stop, 0.0, 1.0))

    def render(
        self, film, wanted=None, prompt=None, audio=None, seed=0, regions=(), best_of=1, correct_gain=False, progress=None, stop=None,
    ):  # fmt: skip
        """A film in, a Foley out; every choice a hand can make is a keyword.

        film: path, or None for the sound of `wanted` alone. wanted: (n,) RMS in [0, 1] at the 512/128 rate, n that of
        the film; predicted from the film without. prompt, audio, seed, regions, progress, stop: see `sound`. best_of:
        renders with this many seeds, seed, seed + 1 ..., and keeps the one closest to the curve among those whose CLAP
        score is not below the median of all. correct_gain: afterwards multiply the sound towards the curve;
        `uncorrected` then says what it was before. Raises media.MediaError for a film that cannot be read, ValueError
        for what `sound` refuses, Stopped.
        """
        t, regions, net, floor = self.timeline, list(regions), self.pipeline, self.model.classes.floor
        if best_of < 1:
            raise ValueError(f"best_of={best_of}; wanted 1 or more")
        if film is None and wanted is None:
            raise ValueError("neither film nor curve was given; wanted at least one of the two")
        if film is not None and wanted is not None and np.shape(wanted) != (self.frames(film),):
            raise ValueError(f"curve of shape {np.shape(wanted)}; {film} has {self.frames(film)} values: cut or pad the curve")
        with _bar(progress) as show:
            ready = 0.2 if wanted is None else 0.0
            wanted = self.predict(film, _ticker(show, stop, 0.0, ready)) if wanted is None else wanted
            wanted, voices = takes.prepare(net, t, wanted, self.settings, prompt, audio, seed, regions)
            scaled = wanted * takes.factors(t, len(wanted), regions)
            tried = []
            for k in range(best_of):
                tick = _ticker(show, stop, ready + k * (1 - ready) / best_of, ready + (k + 1) * (1 - ready) / best_of)
                wave = takes.take(net, t, wanted, voices, seed + k, regions, self.settings, tick)
                likeness = takes.likeness(net, t, wave, voices, floor) if best_of > 1 else None
                tried.append((adherence.adherence(scaled, wave, t, floor), likeness, seed + k, wave))
            scores, _, kept, wave = takes.best(tried)
            before = scores if correct_gain else None
            if correct_gain:
                wave = takes.corrected(t, wave, scaled, floor)
                scores = adherence.adherence(scaled, wave, t, floor)
            show(1.0)
        session = {
            "version": record.VERSION,
            "film": None if film is None else record.file(film),
            "curve": {"rate": self.rate, "levels": wanted},
            **record.prompts(prompt, audio, voices[0].timbre),
            "seed": kept,
            "regions": record.regions(regions, voices),
            "correct_gain": correct_gain,
            "candidates": [{"seed": s, "e_l1": a["raw"]["e_l1"], "clap": clap} for a, clap, s, _ in tried],
            "settings": asdict(self.settings),
            "model": {"name": self.name, "sha256": self.digest},
            "adherence": scores,
            "uncorrected": before,
        }
        return Foley(film and Path(film), wave, wanted, t.sample_rate, t.video_window, t.video_hop, scores, before, session)

    def __call__(self, film, prompt=None, audio=None, seed=0):
        """A film in, a Foley out: `render` at its plainest."""
        return self.render(film, prompt=prompt, audio=audio, seed=seed)


def _ticker(show, stop, low, high):
    def tick(share):
        if stop is not None and stop():
            raise Stopped("stopped; nothing was written")
        show(low + (high - low) * share)

    return tick


@contextmanager
def _bar(progress):
    """`progress` itself, or a bar where there is none."""
    if progress is not None:
        yield progress
        return
    with tqdm(total=100, desc="sound", bar_format="{l_bar}{bar}| {elapsed}") as bar:
        yield lambda share: bar.update(round(100 * share) - bar.n)
