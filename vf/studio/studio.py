"""The studio without its widgets: a film's wanted loudness curve, its edits, regions, prompts and renders."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vf.data import media
from vf.foley import curves, markers, session, vocabulary
from vf.foley import render as foley
from vf.foley.request import Request, Timbre

State = tuple[np.ndarray, list[foley.Region]]  # a curve and its regions, as undo keeps them
Stretch = tuple[str | Path, float, float | None]  # a file, a start (s), and a length (s) or None for the rest


class Studio:
    """One film and all choices for its sound. Each control of `desk.Desk` calls one method here; a script can as well.

    maker: foley.VideoFoley. film: path, or None for a sound without a film, one clip long. prompt: text. seed: of the
    noise. folder: relative paths start here.

    wanted: RMS that the sound should have, (n,), one value every 128 samples; it starts as `predicted`, the curve
    predicted from the film. regions: parts of the film with prompts of their own. audio: a sound as prompt, or None.
    negative: what is not to be heard, or "". loudness: LUFS, or None. made: the last render, or None. watchers:
    functions called without arguments after every change. A change replaces `wanted` and `regions`; it never writes
    into them. Raises media.MediaError for a film that cannot be read.
    """

    def __init__(
        self,
        maker: foley.VideoFoley,
        film: str | Path | None = None,
        prompt: str = "",
        seed: int = 0,
        folder: str | Path = ".",
    ):
        self.maker = maker
        self.folder = Path(folder)
        self.watchers: list[Callable[[], None]] = []
        self.prompt = prompt
        self.audio: object = None
        self.seed = seed
        self.best_of = 1
        self.correct_gain = False
        self.negative = ""
        self.loudness: float | None = None
        self.open(film)

    @property
    def rate(self) -> float:
        """Values of the curve a second."""
        return self.maker.timeline.sample_rate / self.maker.timeline.video_hop

    @property
    def seconds(self) -> float:
        """Length of the curve."""
        return len(self.wanted) / self.rate

    @property
    def events(self) -> list[curves.Span]:
        """The wanted curve's events: (start, end) in seconds (see `curves.events`)."""
        return curves.events(self.wanted, self.rate, self.maker.model.classes.floor)

    @property
    def stairs(self) -> np.ndarray:
        """The wanted curve rounded to the classes of Video2RMS, (n,)."""
        return self.maker.model.classes.discretise(self.wanted).numpy()

    def path(self, name: str | Path | None) -> Path:
        """A path as typed by a user: absolute, or relative to `folder`. Raises ValueError for an empty one."""
        if not str(name or "").strip():
            raise ValueError("no file was named; wanted a path: write one into the field")
        return self.folder / Path(str(name).strip()).expanduser()

    def open(self, film: str | Path | None = None) -> None:
        """Start with another film and the curve predicted from it. Without a film: silence, one clip long."""
        path = self.path(film) if film else None
        predicted = self.maker.predict(path) if path else np.zeros(self.maker.timeline.video_rms_frames, np.float32)
        self.film = path
        self.predicted: np.ndarray = predicted
        self.wanted: np.ndarray = predicted
        self.regions: list[foley.Region] = []
        self.made: foley.Foley | None = None
        self._past: list[State] = []
        self._future: list[State] = []
        self._changed()

    # the curve

    def draw(self, times: Sequence[float], levels: Sequence[float]) -> None:
        """Replace the curve by straight lines through points. times: seconds, rising. levels: RMS in [0, 1]."""
        self._put(curves.draw(self.wanted, self.rate, times, levels))

    def stamp(self, name: str, onset: float, length: float, level: float, peak: float = 0.5) -> None:
        """Replace a part of the curve by a shape (see `curves.stamp`). onset, length: seconds. level: largest RMS."""
        self._put(curves.stamp(self.wanted, self.rate, name, onset, length, level, peak))

    def move(self, event: int, seconds: float) -> None:
        """Shift an event. event: its index in `events`. seconds: how much later; negative for earlier."""
        self._put(curves.move(self.wanted, self.rate, self._event(event), seconds))

    def scale(self, event: int, factor: float) -> None:
        """Make an event louder or quieter. event: its index in `events`."""
        self._put(curves.scale(self.wanted, self.rate, self._event(event), factor))

    def delete(self, event: int) -> None:
        """Silence an event. event: its index in `events`."""
        self._put(curves.delete(self.wanted, self.rate, self._event(event)))

    def smooth(self, seconds: float = 0.05) -> None:
        """Smooth the curve by a moving average over `seconds`."""
        self._put(curves.smooth(self.wanted, self.rate, seconds))

    def clear(self) -> None:
        """Make the whole curve silent."""
        self._put(np.zeros_like(self.wanted))

    def reset(self) -> None:
        """Return to the predicted curve."""
        self._put(self.predicted)

    def undo(self) -> None:
        """Take back the last change of curve or regions, if there is one."""
        self._swap(self._past, self._future)

    def redo(self) -> None:
        """Make the change again that `undo` took back last, if there is one."""
        self._swap(self._future, self._past)

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

    def write_curve(self, name: str | Path, kind: str = "csv") -> Path:
        """Write the wanted curve to a file. kind: as for `read_curve`. Returns the path."""
        if kind == "sound":
            return curves.to_sound(self.wanted, self.maker.timeline, self.path(name))
        if kind == "csv":
            return curves.to_csv(self.wanted, self.rate, self.path(name))
        if kind == "onsets":
            return curves.to_onsets(self.wanted, self.rate, self.maker.model.classes.floor, self.path(name))
        raise ValueError(f"kind of curve {kind!r}; wanted sound, csv or onsets")

    def read_markers(self, name: str | Path) -> None:
        """Take the regions from a table of markers (see `markers.regions`), in place of those that are there.

        Raises ValueError for another table, and for one of which nothing lies in the film.
        """
        places = markers.regions(markers.read(self.path(name)), self.seconds)
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
        wave = media.read_sound(path, sample_rate, start, seconds)
        if not np.abs(wave).max(initial=0) > 0:
            raise ValueError(
                f"{name}: from {start:g} s on there is only silence; wanted a sound to take the timbre from"
            )
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
        )
        self.made = self.maker.render(self.film, request, progress, stop)
        self._changed()
        return self.made

    def save(self, output: str | Path, wav: bool = False, project_folder: bool = False) -> Path:
        """Write the film with its new sound, and the session beside it. Returns the path of the film.

        wav, project_folder: see Foley.save.

        Raises ValueError before a render.
        """
        if self.made is None:
            raise ValueError("there is no sound yet; wanted a render to save: press Render")
        return self.made.save(self.path(output), wav, project_folder)

    def load(self, name: str | Path) -> None:
        """Continue a saved session: film, curve, regions, prompt and seed. `render` then makes the same sound.

        Raises media.MediaError for a file that is no session, or whose film or sounds are missing or have changed.
        """
        saved = session.read(self.path(name))
        self.open(saved["film"])
        if not self.film:
            self.predicted = np.zeros_like(saved["wanted"])
        self.prompt = saved["prompt"] or ""
        self.audio = saved["audio"]
        self.seed = saved["seed"]
        self.best_of = 1
        self.correct_gain = saved["correct_gain"]
        self.negative = saved["negative_prompt"] or ""
        self.loudness = saved["loudness"]
        self._past = [(self.predicted, [])]
        self.wanted = np.asarray(saved["wanted"], np.float32)
        self.regions = list(saved["regions"])
        self._changed()

    def _event(self, index: int) -> curves.Span:
        events = self.events
        if not 0 <= index < len(events):
            raise ValueError(f"event {index}; the curve has {len(events)}: select one of them")
        return events[index]

    def _keep(self) -> None:
        """Remember curve and regions for `undo`, before a change."""
        self._past.append((self.wanted, self.regions))
        self._future = []

    def _put(self, curve: np.ndarray) -> None:
        self._keep()
        self.wanted = np.asarray(curve, np.float32)
        self._changed()

    def _swap(self, source: list[State], target: list[State]) -> None:
        if source:
            target.append((self.wanted, self.regions))
            self.wanted, self.regions = source.pop()
            self._changed()

    def _changed(self) -> None:
        for watcher in list(self.watchers):
            watcher()


def _named(audio):
    """A sound as prompt as a session names it, in as far as markers need it."""
    if audio is None:
        return None
    path = audio[0] if isinstance(audio, tuple | list) else audio
    return {"path": str(path)} if isinstance(path, str | Path) else {}
