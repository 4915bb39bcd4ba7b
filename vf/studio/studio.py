"""The studio without its widgets: a film's wanted loudness curve, its edits, regions, prompts and renders."""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vf.data import files, media, writing
from vf.foley import alongside, curves, markers, project, session, vocabulary
from vf.foley import render as foley
from vf.foley.request import Request, Timbre, listen
from vf.studio.edits import Edits

Stretch = tuple[str | Path, float, float | None]  # a file, a start (s), and a length (s) or None for the rest


class Studio(Edits):
    """One film and all choices for its sound. Each control of `desk.Desk` calls one method here; a script can as well.

    maker: foley.VideoFoley. film: path, or None for a sound without a film, one clip long. prompt: text. seed: of the
    noise. folder: relative paths start here.

    wanted: RMS that the sound should have, (n,), one value every 128 samples; it starts as `predicted`, the curve
    predicted from the film; `edits.Edits` says how it changes. regions: parts of the film with prompts of their own.
    doubt: why the predicted curve may be wrong, in a sentence, or "". audio: a sound as prompt, or None. negative: what
    is not to be heard, or "". loudness: LUFS, or None. renderer: `maker`, with the settings of a session that was
    loaded; same: whether its weights are the session's. made: the last render, or None. Raises media.MediaError for a
    film that cannot be read.
    """

    def __init__(
        self,
        maker: foley.VideoFoley,
        film: str | Path | None = None,
        prompt: str = "",
        seed: int = 0,
        folder: str | Path = ".",
    ):
        super().__init__(maker)
        self.folder = Path(folder)
        self.prompt = prompt
        self.audio: object = None
        self.seed = seed
        self.best_of = 1
        self.correct_gain = False
        self.negative = ""
        self.loudness: float | None = None
        self.open(film)

    def path(self, name: str | Path | None) -> Path:
        """A path as typed by a user: absolute, or relative to `folder`. Raises ValueError for an empty one."""
        if not str(name or "").strip():
            raise ValueError("no file was named; wanted a path: write one into the field")
        return self.folder / Path(str(name).strip()).expanduser()

    def open(
        self,
        film: str | Path | None = None,
        progress: Callable[[float], object] | None = None,
        partial: bool = False,
    ) -> None:
        """Start with another film and the curve predicted from it. Without a film: silence, one clip long.

        progress: called with the share of the film that was seen; may raise to stop. partial: take what can be read of
        a film that was cut off.
        """
        path = self.path(film) if film else None
        tick = progress or (lambda share: None)
        silence = np.zeros(self.maker.timeline.video_rms_frames, np.float32)
        predicted = self.maker.predict(path, tick, partial) if path else silence
        doubt = alongside.doubt(predicted, path, self.maker.timeline, self.maker.model.classes.floor)
        self.film, self.doubt, self.partial = path, doubt, partial
        self.renderer, self.same = self.maker, True
        self.made: foley.Foley | None = None
        self._begin(predicted, predicted)
        self._changed()

    # the curve in files

    def read_curve(self, name: str | Path, kind: str = "sound") -> None:
        """Take the wanted curve from a file.

        kind: "sound" for its loudness, "csv" for a table of time and level, "onsets" for a hit at each time of a list.
        Raises ValueError for another kind and for a bad file, media.MediaError for a file that cannot be read.
        """
        path = self.path(name)
        if kind == "sound":
            curve = curves.from_sound(path, self.maker.timeline, self.seconds)
        elif kind == "csv":
            curve = curves.from_csv(path, self.rate, self.seconds)
        elif kind == "onsets":
            curve = curves.from_onsets(path, self.rate, self.seconds)
        else:
            raise ValueError(f"kind of curve {kind!r}; wanted sound, csv or onsets")
        self._put(curve)

    def follow(self, name: str | Path, how: str = "hum", start: float = 0.0) -> None:
        """Take a recording made along with the film as the curve, from `start` (s) to its end.

        how, and what is raised: see `alongside.recorded`.
        """
        heard = alongside.recorded(self.path(name), how, self.maker.timeline, self.maker.model.classes.floor)
        curve = self.wanted.copy()
        first = min(len(curve), max(0, round(start * self.rate)))
        curve[first : first + len(heard)] = heard[: len(curve) - first]
        self._put(curve)

    def write_curve(self, name: str | Path, kind: str = "csv") -> Path:
        """Write the wanted curve to a file. kind: as for `read_curve`. Returns the path."""
        if kind == "sound":
            return curves.to_sound(self.wanted, self.maker.timeline, self.path(name))
        if kind == "csv":
            return curves.to_csv(self.wanted, self.rate, self.path(name))
        if kind == "onsets":
            return curves.to_onsets(self.wanted, self.rate, self.maker.model.classes.floor, self.path(name))
        raise ValueError(f"kind of curve {kind!r}; wanted sound, csv or onsets")

    def is_sound(self, name: str | Path) -> bool:
        """Whether a file holds a sound and no film."""
        path = self.path(name)
        film = path.suffix.lower() in media.FILMS and not _fails(media.probe, path)
        return not film and not _fails(media.sound_rate, path)

    def read_table(self, name: str | Path) -> None:
        """Take what a text file holds: onsets of a .txt; of a .csv regions, where it names stretches, else the curve.

        Raises as `read_curve` and `read_markers` do.
        """
        path = self.path(name)
        if path.suffix.lower() == ".txt":
            return self.read_curve(path, "onsets")
        names = [cell.strip().lower() for _, row in files.read_rows(path)[:1] for cell in row]
        if "name" in names and any(m.end is not None for m in markers.read(path)):
            return self.read_markers(path)
        self.read_curve(path, "csv")

    def read_markers(self, name: str | Path) -> None:
        """Take the regions from a table of markers (see `markers.read_regions`), in place of those that are there.

        Raises ValueError for another table, and for one of which nothing lies in the film.
        """
        places = markers.read_regions(self.path(name), self.seconds)
        if not places:
            raise ValueError(f"{name}: no marker lies in the film's {self.seconds:g} s; wanted one at least")
        self._keep()
        self.regions = places
        self._changed()

    def write_markers(self, name: str | Path) -> Path:
        """Write regions and onsets of the wanted curve as a table (see `markers.write`). Returns the path."""
        places = [{"start": r.start, "end": r.end, "prompt": r.prompt, "audio": _named(r.audio)} for r in self.regions]
        return markers.write(self.path(name), markers.of(self.wanted, self.rate, places))

    # prompts and regions

    def remarks(self, prompt: str, negative: str) -> list[str]:
        """What is worth knowing before a render: words that the model never learnt, regions without a prompt.

        prompt, negative: the film's, as typed so far.
        """
        lines = vocabulary.unknown(self.maker, [prompt, *(r.prompt for r in self.regions)], negative)
        if any(r.prompt is None and r.audio is None for r in self.regions):
            own = "the film's own prompt" if prompt or self.audio else "no prompt, as the film has none"
            lines.append(f"A region without a prompt has {own}; seed and gain are the region's.")
        return lines

    def timbre(
        self, name: str | Path, start: float = 0.0, seconds: float | None = None
    ) -> Path | tuple[Path, float, float]:
        """A sound as prompt, as VideoFoley.render takes it: a path, or (path, start, end) of a part of it.

        name: a sound or a film. start, seconds: the part. Raises media.MediaError where the file has no sound,
        ValueError where it is silent.
        """
        path = self.path(name)
        sample_rate = self.maker.timeline.sample_rate
        wave = listen((path, start, None if seconds is None else start + seconds), sample_rate)
        if not start and seconds is None:
            return path
        return path, start, start + len(wave) / sample_rate

    def prompt_by(
        self, text: str = "", sound: str | Path | None = None, start: float = 0.0, seconds: float | None = None
    ) -> None:
        """Choose the prompt: a text, or the timbre of a file (see `timbre`). A file takes precedence over a text."""
        self.audio = self.timbre(sound, start, seconds) if sound else None
        self.prompt = text
        self._changed()

    def add_region(
        self,
        start: float,
        end: float,
        text: str = "",
        sound: str | Path | Stretch | None = None,
        seed: int | None = None,
        gain_db: float = 0.0,
    ) -> foley.Region:
        """Give a part of the film a prompt, noise and gain (dB) of its own (see foley.Region). start, end: seconds.

        sound: a file whose timbre is the prompt, or (file, start, seconds) for a part of it (see `timbre`). Without
        text and sound, the film's own prompt holds; without a seed, its noise. Returns the region. Raises ValueError
        for a region outside the film.
        """
        region = self._region(start, end, text, sound, seed, gain_db)
        self._keep()
        self.regions = sorted([*self.regions, region], key=lambda r: r.start)
        self._changed()
        return region

    def change_region(
        self,
        index: int,
        start: float,
        end: float,
        text: str = "",
        sound: str | Path | Stretch | Timbre | None = None,
        seed: int | None = None,
        gain_db: float = 0.0,
    ) -> foley.Region:
        """Put another region in the place of one. index: its place in `regions`. The rest: see `add_region`."""
        self._check_index(index)
        region = self._region(start, end, text, sound, seed, gain_db)
        self._keep()
        others = [*self.regions[:index], region, *self.regions[index + 1 :]]
        self.regions = sorted(others, key=lambda r: r.start)
        self._changed()
        return region

    def _region(self, start, end, text, sound, seed, gain_db):
        if not 0 <= start < end <= self.seconds + 1e-6:
            raise ValueError(
                f"region from {start:g} to {end:g} s; wanted a stretch inside the film's {self.seconds:g} s"
            )
        if not sound:
            audio = None
        elif isinstance(sound, Timbre):
            audio = sound
        elif isinstance(sound, tuple):
            audio = self.timbre(*sound)
        else:
            audio = self.timbre(sound)
        return foley.Region(start, min(end, self.seconds), None if audio else text or None, audio, seed, gain_db)

    def delete_region(self, index: int) -> None:
        """Take a region away. index: its place in `regions`. Raises ValueError for an index that is not there."""
        self._check_index(index)
        self._keep()
        self.regions = [region for i, region in enumerate(self.regions) if i != index]
        self._changed()

    def _check_index(self, index):
        if not 0 <= index < len(self.regions):
            raise ValueError(f"region {index}; there are {len(self.regions)}: choose one of them")

    # renders

    def render(
        self, progress: Callable[[float], None] | None = None, stop: Callable[[], bool] | None = None
    ) -> foley.Foley:
        """Make the sound of the wanted curve, prompt and regions, and keep it as `made`.

        progress, stop: see VideoFoley.render.
        """
        prompt = None if self.audio else self.prompt or None
        request = Request(
            wanted=self.wanted,
            prompt=prompt,
            audio=self.audio,
            seed=self.seed,
            regions=self.regions,
            best_of=self.best_of,
            correct_gain=self.correct_gain,
            negative_prompt=self.negative or None,
            loudness=self.loudness,
            partial=self.partial,
        )
        self.made = self.renderer.render(self.film, request, progress, stop)
        self._changed()
        return self.made

    def save(self, output: str | Path, wav: bool = False, project_folder: bool = False) -> Path:
        """Write the film with its new sound, and the session beside it. Returns the path of the film.

        wav, project_folder: see Foley.save. Raises ValueError before a render.
        """
        return self._finished().save(self.path(output), wav, project_folder)

    def write_wav(self, output: str | Path) -> Path:
        """Write the last render's sound alone, 48 kHz and 24 bit, as `output` with .wav. Returns the path.

        Raises ValueError before a render.
        """
        made, path = self._finished(), self.path(output).with_suffix(".wav")
        project.write_wav(path, made.waveform, made.sample_rate)
        return path

    def write_project(self, output: str | Path) -> Path:
        """Write a zip of the film with its new sound and all that a DAW takes (see `project.write`). Returns its path.

        Raises ValueError before a render.
        """
        made, path = self._finished(), self.path(output)
        target = path.with_name(f"{path.stem}-project.zip")
        with tempfile.TemporaryDirectory() as folder, writing.whole(target) as partial:
            film = made.save(Path(folder) / path.name, project_folder=True)
            film.with_suffix(".json").unlink()  # it names the film of this machine
            with zipfile.ZipFile(partial, "w") as archive:
                for file in sorted(Path(folder).rglob("*")):
                    archive.write(file, file.relative_to(folder))
        return target

    def _finished(self) -> foley.Foley:
        if self.made is None:
            raise ValueError("there is no sound yet; wanted a render to save: press Render")
        return self.made

    def load(self, name: str | Path, progress: Callable[[float], object] | None = None) -> None:
        """Continue a saved session: film, curve, regions, prompt, seed and settings.

        `render` then makes the same sound, if the weights are the `same`.

        progress: see `open`. Raises media.MediaError for a file that is no session, or whose film or sounds are missing
        or have changed.
        """
        saved, renderer, same = session.take_up(self.path(name), self.maker)
        self.open(saved["film"], progress, saved.get("partial", False))
        self.renderer, self.same = renderer, same
        self.prompt = saved["prompt"] or ""
        self.audio = saved["audio"]
        self.seed = saved["seed"]
        self.best_of = 1
        self.correct_gain = saved["correct_gain"]
        self.negative = saved["negative_prompt"] or ""
        self.loudness = saved["loudness"]
        wanted = np.asarray(saved["wanted"], np.float32)
        self._begin(self.predicted if self.film else np.zeros_like(wanted), wanted, saved["regions"])
        self._changed()


def _fails(read, path):
    """Whether a file cannot be read so."""
    try:
        read(path)
    except media.MediaError:
        return True
    return False


def _named(audio):
    """A sound as prompt as a session names it, in as far as markers need it."""
    if audio is None:
        return None
    path = audio[0] if isinstance(audio, tuple | list) else audio
    return {"path": str(path)} if isinstance(path, str | Path) else {}
