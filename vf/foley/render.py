"""Video-Foley whole: a film in, a film with sound out (Fig. 1)."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import torch
from numpy.typing import ArrayLike
from tqdm.auto import tqdm
from transformers import RobertaTokenizer

from vf import params
from vf.backends import tensors, weights
from vf.data import files, media
from vf.data.clips import ACTIONS, MATERIALS, words_of
from vf.evaluation import adherence
from vf.foley import card, curves, record, takes
from vf.foley import loudness as delivery
from vf.foley import predict as predictions
from vf.foley import request as requests
from vf.foley.request import Region, Request
from vf.foley.result import Foley, Stopped
from vf.models import authors as checkpoints
from vf.models import video2rms
from vf.models.rms2sound import RMS2Sound
from vf.models.sampler import Settings
from vf.signal.checkpoint import digest
from vf.signal.timeline import Timeline

SAVED = "video_foley.json"  # marks a folder that `save_pretrained` wrote


def shipped() -> Path | None:
    """The folder of the system that the project ships; None where it is missing (see `params.shipped`)."""
    recipe = params.shipped(f"video-foley/{SAVED}")
    return recipe and recipe.parent


def _authors(folder):
    """(Video2RMS, RMS2Sound) as the authors released them. Raises weights.MissingWeights for what the folder lacks."""
    tokenizer = RobertaTokenizer.from_pretrained(weights.find("roberta", folder))
    model = video2rms.from_authors(weights.find("video2rms", folder)).eval()
    return model, checkpoints.rms2sound(weights.find("rms2sound", folder), tokenizer)


def _stages(first, second):
    """(Video2RMS, RMS2Sound) of their folders.

    Raises tensors.CheckpointError for a folder that lacks a file, a weight or the tokenizer's words, or is damaged.
    """
    wanted = "what was saved there: save or fetch the folder again"
    model = tensors.load_folder(first, {".": video2rms.Video2RMS.from_pretrained}, wanted)["."]
    pipeline = tensors.load_folder(second, {".": RMS2Sound.from_pretrained}, wanted)["."]
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            tensors.check_loaded(part, second / name)
    words, known = pipeline.tokenizer.get_vocab(), pipeline.clap.config
    most = getattr(known, "vocabulary", None) or known.text_config.vocab_size
    told = {tuple(pipeline.tokenizer(word)["input_ids"]) for word in ("wood", "metal")}
    if max(words.values()) >= most or len(told) < 2:
        raise tensors.CheckpointError(
            f"{second / 'tokenizer'}: its {len(words)} words are not the {most} of the text encoder; wanted {wanted}"
        )
    return model, pipeline


def _check_recipe(folder, timeline, model, pipeline):
    """Raises FileNotFoundError where a saved folder's networks were made for other lengths and rates than it says."""
    vocoder = pipeline.vocoder.config
    for name, said, made in (
        ("seconds and fps", timeline.video_frames, model.config["frames"]),
        ("seconds and video_hop", timeline.video_rms_frames, model.config["rms_frames"]),
        ("sample_rate", timeline.sample_rate, vocoder.sampling_rate),
        ("sound_hop", timeline.sound_hop, getattr(vocoder, "hop", timeline.sound_hop)),
        ("latent_stride", timeline.latent_stride, pipeline.latent_stride),
    ):
        if said != made:
            raise FileNotFoundError(
                f"{folder / SAVED}: timeline's {name} make {said}, and the networks beside it want {made}; "
                "wanted what was saved there: save or fetch the folder again"
            )


def _recipe(folder, hold):
    """(what SAVED holds, Timeline, Settings) of a saved folder. hold: in place of its own, or None.

    Raises FileNotFoundError for one that is none, ValueError for a `hold` out of range.
    """
    try:
        recipe = files.read_json(folder / SAVED)
        timeline = Timeline(**recipe["timeline"])
        settings = Settings(**recipe["settings"])
        reading, size, decode = recipe["reading"], recipe["size"], recipe["decode"]
        pool, kinds, profile = reading["pool"], reading["kinds"], reading["profile"]
        for name, value, fits in (
            ("size", size, len(size) == 2 and all(type(n) is int and 0 < n < 1 << 14 for n in size)),
            ("decode", decode, decode in video2rms.RULES),
            ("reading.profile", profile, profile in ("small", "paper")),
            ("reading.kinds", kinds, kinds and all(isinstance(kind, str) for kind in kinds)),
            ("reading.pool", pool, type(pool) is int and 0 < pool <= min(size)),
        ):
            if not fits:
                raise ValueError(f"{name} is {value!r}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, ZeroDivisionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else files.reason(error)
        raise FileNotFoundError(
            f"{folder}: is no saved VideoFoley ({why}); wanted a folder with {SAVED}: save one with save_pretrained"
        ) from error
    return recipe, timeline, settings if hold is None else replace(settings, hold=hold)


def _fetched(name: str) -> Path:
    """The folder that a name stands for, fetched from the hub where it is a repository's."""
    if os.path.isdir(name):  # which takes a name that is too long for a missing one
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise FileNotFoundError(
            f"{files.printable(name)}: no such folder; "
            "wanted small, paper, authors, a saved folder or a hub id user/name"
        )
    try:
        return Path(huggingface_hub.snapshot_download(name))
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise FileNotFoundError(
            f"{name}: not fetched from the hub ({reason}); check the name and the connection"
        ) from error


class VideoFoley:
    """Both stages as one.

    model: Video2RMS. pipeline: RMS2Sound. features: callable (frames, times) -> features of a clip. size: (width,
    height) it wants. timeline: of one clip. decode: rule from classes to curve. settings: sampler.Settings. name: that
    `from_pretrained` knows it by, or None.
    """

    def __init__(self, model, pipeline, features, size, timeline, decode="mean", settings=None, name=None):
        self.model, self.pipeline, self.features, self.size, self.name = model, pipeline, features, size, name
        self.timeline, self.decode, self.settings = timeline, decode, settings or Settings()
        self.origin = None  # folder of the frame encoder, and how frames are read: what `save_pretrained` copies
        self.card = None  # the text of the saved folder's README.md

    @classmethod
    def from_pretrained(
        cls, name: str | Path | None = None, device: str = "cpu", hold: float | None = None
    ) -> "VideoFoley":
        """Both stages, trained; "small" and "paper" are the system of Table 2, with its settings.

        name: "small" or "paper", what `dvc repro` left of that profile in runs/<run>; "authors", the checkpoints that
        they released, in the folder `weights` of params.yaml; a folder that `save_pretrained` wrote; or a repository of
        the Hugging Face hub, `user/name`. The default is what the project ships, or "small" where that is missing.
        device: where the networks run. hold: strength of sampler.hold, which is beyond the paper, 0 (off) to 1; None
        for the saved folder's own, which is 1 in what ships, and for 0 elsewhere. Raises FileNotFoundError when the
        profile has not run, and for a file or repository that is missing.
        """
        given = None if name is None else str(name)  # a session names it so, wherever the checkout lies
        name = str(shipped() or "small") if given is None else given
        if name not in ("small", "paper", "authors"):
            return cls._saved(_fetched(name), device, hold, given)
        p = params.load("paper" if name == "authors" else name)
        backend = importlib.import_module(f"vf.backends.{p.profile}.frame_encoder")
        frames = importlib.import_module(f"vf.backends.{p.profile}.frames")
        if name == "authors":
            model, pipeline = _authors(p.path(p.weights))
        else:
            for part in ("features", "video2rms", "rms2sound"):
                if not p.folder(part).is_dir():
                    raise FileNotFoundError(f"{p.folder(part)}: not trained yet; run `make repro` first")
            model, pipeline = _stages(p.folder("video2rms"), p.folder("rms2sound"))
        reader = frames.Reader(p.features.kinds, p.features.pool, p.path(p.weights), device)
        encoder = p.folder("features") / "encoder"
        features = backend.load(encoder, reader, device)
        if name == "authors":
            features = frames.in_authors_order(features)
        settings = Settings.of(p.generate, hold=hold or 0.0)
        size, decode = tuple(p.features.size), p.video2rms.decode
        maker = cls(model.to(device), pipeline.to(device), features, size, p.timeline, decode, settings, given)
        if name != "authors":
            maker.origin = encoder, {"profile": p.profile, "kinds": list(p.features.kinds), "pool": p.features.pool}
        return maker

    @classmethod
    def _saved(cls, folder: Path, device: str, hold: float | None, name: str | None) -> "VideoFoley":
        """What `save_pretrained` wrote into a folder."""
        recipe, timeline, settings = _recipe(folder, hold)
        reading, size, decode = recipe["reading"], tuple(recipe["size"]), recipe["decode"]
        profile, kinds, pool = (reading[key] for key in ("profile", "kinds", "pool"))
        frames = importlib.import_module(f"vf.backends.{profile}.frames")
        backend = importlib.import_module(f"vf.backends.{profile}.frame_encoder")
        model, pipeline = _stages(folder / "video2rms", folder / "rms2sound")
        _check_recipe(folder, timeline, model, pipeline)
        tensors.check_folder(folder / "encoder")
        features = backend.load(folder / "encoder", frames.Reader(kinds, pool, folder, device), device)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.float()  # weights may be kept in half precision
        maker = cls(model.to(device), pipeline.to(device), features, size, timeline, decode, settings, name)
        maker.origin = folder / "encoder", reading
        maker.card = (folder / card.FILE).read_text() if (folder / card.FILE).is_file() else None
        return maker

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write both stages and the frame encoder into a folder that `from_pretrained` takes. Returns the folder.

        A card in the hub's format, README.md, is written with them where the folder has none: that of the folder it
        was loaded from, or a plain one to be completed.

        Raises ValueError for one that was not loaded by `from_pretrained` from a run or a saved folder.
        """
        if self.origin is None:
            raise ValueError(
                f"{self.name or 'this VideoFoley'} has no frame encoder to copy; wanted one loaded from a run"
            )
        folder, (encoder, reading) = Path(folder), self.origin
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder / "video2rms")
        self.pipeline.save_pretrained(folder / "rms2sound")
        if encoder.resolve() != (folder / "encoder").resolve():
            shutil.copytree(encoder, folder / "encoder", dirs_exist_ok=True)
        recipe = {
            "timeline": asdict(self.timeline),
            "reading": reading,
            "size": list(self.size),
            "decode": self.decode,
            "settings": asdict(self.settings),
        }
        files.write_json(folder / SAVED, recipe)
        width, height = self.size
        kinds = " and ".join(reading["kinds"])
        about = {"kinds": kinds, "width": width, "height": height, "fps": self.timeline.fps}
        card.write(folder, self.card, **about, rate=self.timeline.sample_rate)
        return folder

    def push_to_hub(self, repository: str, **options) -> str:
        """Save into a repository of the Hugging Face hub, made where there is none. Returns its address.

        repository: `user/name`. options: of huggingface_hub's `upload_folder`, such as `token` and `commit_message`.
        """
        hub = huggingface_hub.HfApi(token=options.get("token"))
        hub.create_repo(repository, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            return str(hub.upload_folder(repo_id=repository, folder_path=self.save_pretrained(folder), **options))

    @property
    def vocabulary(self) -> tuple[list[str], list[str]]:
        """Materials and actions that the text encoder was trained on; empty lists where it reads any text."""
        lexicon = set(getattr(self.pipeline.clap.config, "lexicon", None) or ())
        return [m for m in MATERIALS if m in lexicon], [a for a in ACTIONS if a in lexicon]

    def unknown_words(self, prompt: str) -> list[str]:
        """Words of a prompt that the text encoder was never trained on, in order; none where it reads any text."""
        lexicon = set(getattr(self.pipeline.clap.config, "lexicon", None) or ())
        return [word for word in dict.fromkeys(words_of(prompt)) if word not in lexicon] if lexicon else []

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all weights that make the sound, and of Video2RMS."""
        parts = [part for _, part in sorted(self.pipeline.components.items()) if isinstance(part, torch.nn.Module)]
        return digest(self.model, *parts)

    @property
    def rate(self) -> float:
        """Values of the curve a second."""
        return self.timeline.video_rms_rate

    def frames(self, film: str | Path, partial: bool = False) -> int:
        """How many values the curve of a film has. partial: of what can be read of it.

        Raises media.MediaError for a file that is no film.
        """
        seconds = media.readable(film) if partial else media.probe(film).seconds
        return int(seconds * self.rate + 1e-6)

    def predict(
        self,
        film: str | Path,
        tick: Callable[[float], object] = lambda share: None,
        partial: bool = False,
    ) -> np.ndarray:
        """The loudness curve of a silent film, (n,) at the 512/128 rate, to its end.

        tick: called with the share that is done; may raise to stop. partial: end where the film breaks off. Raises
        media.MediaError for a file that is no film, or of a single picture.
        """
        frames = self.frames(film, partial)
        return predictions.predict(
            film, frames, self.model, self.features, self.size, self.timeline, self.decode, tick, partial
        )

    def sound(
        self,
        wanted: ArrayLike,
        prompt: str | None = None,
        audio: object = None,
        seed: int = 0,
        regions: Iterable[Region] = (),
        progress: Callable[[float], object] | None = None,
        stop: Callable[[], bool] | None = None,
        negative_prompt: str | None = None,
    ) -> np.ndarray:
        """Sound that follows a curve: (n * hop,) float32, perhaps mapped from disk.

        wanted: the curve, (n,) RMS at the 512/128 rate, of any length. prompt: text, or audio: a path to a sound or
        film, (path, start, end) in seconds, or a waveform (s,), whose timbre to take; neither: no prompt. seed: of the
        noise. regions: Region, the later one counts where two overlap. progress: called with the share that is done, 0
        to 1. stop: polled between denoising steps; where it returns true, Stopped is raised. negative_prompt: see
        Request. Raises ValueError for a curve that is not (n,) values in [0, 1], for regions outside it and for both
        prompt and audio.
        """
        t, places, settings = self.timeline, list(regions), self._settings(negative_prompt)
        curve = curves.check(wanted)
        voices = takes.encode_voices(self.pipeline, t, len(curve), settings, prompt, audio, seed, places)
        with _bar(progress) as show:
            tick = _ticker(show, stop, 0.0, 1.0)
            return takes.take(self.pipeline, t, curve, voices, seed, places, settings, tick)

    def _settings(self, negative_prompt):
        """The settings, with a request's negative prompt where it has one."""
        if negative_prompt is None:
            return self.settings
        return replace(self.settings, negative_prompt=requests.negative(negative_prompt))

    def render(
        self,
        film: str | Path | None,
        request: Request | None = None,
        progress: Callable[[float], object] | None = None,
        stop: Callable[[], bool] | None = None,
        listen: Callable[[np.ndarray], object] | None = None,
        **choices: Any,
    ) -> Foley:
        """A film in, a Foley out.

        film: path, or None for the sound of a curve alone. request: every choice a hand can make; its fields may also
        be given as keywords. progress, stop: see `sound`. listen: called with each piece of the sound, (s,) float32, in
        order and as soon as it is finished; the rest is made after that. Raises media.MediaError for a film that cannot
        be read, ValueError for a request that cannot be met, Stopped.
        """
        r = replace(request or Request(), **choices)
        if listen and (r.best_of > 1 or r.correct_gain or r.loudness is not None):
            raise ValueError(
                "listen beside best_of, correct_gain or loudness, which need the whole sound; wanted it alone: "
                "leave these out"
            )
        t, regions, net, floor = self.timeline, list(r.regions), self.pipeline, self.model.classes.floor
        best_of, seed, prompt, audio, wanted = r.best_of, r.seed, r.prompt, r.audio, r.wanted
        settings = self._settings(r.negative_prompt)
        if listen:
            settings = replace(settings, batch=1)  # a window is finished the sooner
        if film is not None and not r.partial:
            media.check_whole(film, decode=wanted is not None)
        if film is not None and wanted is not None and np.shape(wanted) != (count := self.frames(film, r.partial),):
            raise ValueError(
                f"curve of shape {np.shape(wanted)}; wanted {count} values, as {film} has: cut or pad the curve"
            )
        if wanted is not None:
            curve = curves.check(wanted)
            length = len(curve)
        elif film is not None:
            length = self.frames(film, r.partial)
        else:
            raise ValueError("neither film nor curve was given; wanted at least one of the two")
        # all that can be refused is, before the minutes of a prediction
        voices = takes.encode_voices(net, t, length, settings, prompt, audio, seed, regions)
        if r.loudness is not None:
            delivery.check(length * t.video_hop, t.sample_rate)
        with _bar(progress) as show:
            ready = 0.2 if wanted is None else 0.0
            if wanted is None and film is not None:
                curve = curves.check(self.predict(film, _ticker(show, stop, 0.0, ready), r.partial))
            scaled = curve * takes.factors(t, len(curve), regions)
            tried = []
            for k in range(best_of):
                tick = _ticker(show, stop, ready + k * (1 - ready) / best_of, ready + (k + 1) * (1 - ready) / best_of)
                wave = takes.take(net, t, curve, voices, seed + k, regions, settings, tick, listen)
                likeness = takes.likeness(net, t, wave, voices, floor) if best_of > 1 else None
                tried.append((adherence.adherence(scaled, wave, t, floor), likeness, seed + k, wave))
            scores, _, kept, wave = takes.best(tried)
            before = reached = None
            if r.correct_gain:
                before, wave = scores, takes.corrected(t, wave, scaled, floor)
                scores = adherence.adherence(scaled, wave, t, floor)
            if r.loudness is not None:  # another level than the curve's is what was asked for, and does not count
                wave, reached = delivery.brought_to(wave, t.sample_rate, r.loudness)
            show(1.0)
        session = {
            "version": record.VERSION,
            "film": None if film is None else record.file(film),
            "curve": {"rate": self.rate, "levels": curve},
            **record.prompts(prompt, audio, voices[0].timbre),
            "seed": kept,
            "regions": record.regions(regions, voices),
            "correct_gain": r.correct_gain,
            **({"partial": True} if r.partial else {}),
            "candidates": [{"seed": s, "e_l1": a["raw"]["e_l1"], "clap": clap} for a, clap, s, _ in tried],
            "loudness": r.loudness,
            "loudness_reached": reached,
            "settings": asdict(settings),
            "model": {"name": self.name, "sha256": self.digest},
            "adherence": scores,
            "uncorrected": before,
        }
        return Foley(
            None if film is None else Path(film),
            wave,
            curve,
            t.sample_rate,
            t.video_window,
            t.video_hop,
            scores,
            before,
            session,
        )

    def __call__(self, film: str | Path, prompt: str | None = None, audio: object = None, seed: int = 0) -> Foley:
        """A film in, a Foley out: `render` at its plainest."""
        return self.render(film, Request(prompt=prompt, audio=audio, seed=seed))


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
