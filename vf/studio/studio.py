"""The studio without its widgets: a film's wanted loudness curve, how a hand changes it, regions, prompts and renders."""

from pathlib import Path

import numpy as np

from vf.data import media
from vf.foley import curves, session
from vf.foley import render as foley
from vf.foley.request import Request


class Studio:
    """One film on the desk. Every control of `widgets.Desk` is a call to one method here, so a script can do all a hand can.

    maker: foley.VideoFoley. film: path, or None for a sound alone, one clip long. prompt: text. seed: of the noise.
    folder: where relative paths start.

    wanted: (n,) RMS that is asked for, one value a hop of 128 samples; it starts as `predicted`, the curve that the film
    suggests. regions: list of foley.Region. made: the last render, a foley.Foley, or None. watchers: called without
    arguments after every change. A change replaces `wanted` and `regions` and never writes into them.
    Raises media.MediaError for a film that cannot be read.
    """

    def __init__(self, maker, film=None, prompt="", seed=0, folder="."):
        self.maker, self.folder, self.watchers = maker, Path(folder), []
        self.prompt, self.audio, self.seed = prompt, None, seed
        self.best_of, self.correct_gain = 1, False
        self.open(film)

    @property
    def rate(self):
        """Values of the curve a second."""
        return self.maker.timeline.sample_rate / self.maker.timeline.video_hop

    @property
    def seconds(self):
        """Length of the curve."""
        return len(self.wanted) / self.rate

    @property
    def events(self):
        """The wanted curve's events, as curves.events finds them."""
        return curves.events(self.wanted, self.rate, self.maker.model.classes.floor)

    @property
    def stairs(self):
        """What the classes of Video2RMS make of the wanted curve, (n,)."""
        return self.maker.model.classes.discretise(self.wanted).numpy()

    def path(self, name):
        """A path as a hand writes it: absolute, or from `folder`. Raises ValueError for an empty one."""
        if not str(name or "").strip():
            raise ValueError("no file was named; wanted a path: write one into the field")
        return self.folder / Path(str(name).strip()).expanduser()

    def open(self, film=None):
        """Lay another film on the desk, with the curve predicted from it; without one, silence as long as a clip."""
        film = self.path(film) if film else None
        predicted = self.maker.predict(film) if film else np.zeros(self.maker.timeline.video_rms_frames, np.float32)
        self.film, self.predicted, self.wanted = film, predicted, predicted
        self.regions, self.made, self._past, self._future = [], None, [], []
        self._changed()

    # the curve

    def draw(self, times, levels):
        """Draw straight lines through points over the curve. times: seconds, rising. levels: RMS in [0, 1]."""
        self._put(curves.draw(self.wanted, self.rate, times, levels))

    def stamp(self, name, onset, length, level, peak=0.5):
        """Stamp a shape (see `curves.stamp`) onto the curve. onset, length: seconds. level: RMS of its top."""
        self._put(curves.stamp(self.wanted, self.rate, name, onset, length, level, peak))

    def move(self, event, seconds):
        """Shift an event. event: its place in `events`. seconds: later, or earlier where negative."""
        self._put(curves.move(self.wanted, self.rate, self._event(event), seconds))

    def scale(self, event, factor):
        """Make an event louder or quieter. event: its place in `events`."""
        self._put(curves.scale(self.wanted, self.rate, self._event(event), factor))

    def delete(self, event):
        """Silence an event. event: its place in `events`."""
        self._put(curves.delete(self.wanted, self.rate, self._event(event)))

    def smooth(self, seconds=0.05):
        """Take the roughness out of the curve. seconds: over which it is averaged."""
        self._put(curves.smooth(self.wanted, self.rate, seconds))

    def clear(self):
        """Silence everywhere."""
        self._put(np.zeros_like(self.wanted))

    def reset(self):
        """Back to the predicted curve."""
        self._put(self.predicted)

    def undo(self):
        """Take the last change of curve or regions back; nothing happens when there is none."""
        self._swap(self._past, self._future)

    def redo(self):
        """Do again what undo took back."""
        self._swap(self._future, self._past)

    def read_curve(self, name, kind="sound"):
        """Take the wanted curve from a file. kind: "sound" (its loudness), "csv" (time and level) or "onsets" (a hit at each)."""
        path, timeline = self.path(name), self.maker.timeline
        if kind == "sound":
            curve = curves.from_sound(path, timeline, self.seconds)
        elif kind == "csv":
            curve = curves.from_csv(path, self.rate, self.seconds)
        elif kind == "onsets":
            curve = curves.from_onsets(path, self.rate, self.seconds)
        else:
            raise ValueError(f"kind of curve {kind!r}; wanted sound, csv or onsets")
        self._put(curve)

    def write_curve(self, name, kind="csv"):
        """Write the wanted curve to a file, of the kinds that `read_curve` reads. Returns the path."""
        if kind == "sound":
            return curves.to_sound(self.wanted, self.maker.timeline, self.path(name))
        if kind == "csv":
            return curves.to_csv(self.wanted, self.rate, self.path(name))
        if kind == "onsets":
            return curves.to_onsets(self.wanted, self.rate, self.maker.model.classes.floor, self.path(name))
        raise ValueError(f"kind of curve {kind!r}; wanted sound, csv or onsets")

    # prompts and regions

    def timbre(self, name, start=0.0, seconds=None):
        """A sound as prompt, in the form VideoFoley.render takes it: a path, or (path, start, end) of a stretch of it.

        name: a sound, or another film. Raises media.MediaError where it has no sound there, ValueError where that is silent.
        """
        path = self.path(name)
        wave = media.read_sound(path, self.maker.timeline.sample_rate, start, seconds)
        if not np.abs(wave).max(initial=0) > 0:
            raise ValueError(f"{name}: from {start:g} s on there is only silence; wanted a sound to take the timbre from")
        return path if not start and seconds is None else (path, start, start + len(wave) / self.maker.timeline.sample_rate)

    def prompt_by(self, text="", sound=None, start=0.0, seconds=None):
        """Choose what the sound is made of: a text, or the timbre of a file (see `timbre`), which then goes before the text."""
        self.audio = self.timbre(sound, start, seconds) if sound else None
        self.prompt = text
        self._changed()

    def add_region(self, start, end, text="", sound=None, sound_start=0.0, sound_seconds=None, seed=None, gain_db=0.0):
        """A stretch of the film with a prompt, noise and gain (dB) of its own. start, end: seconds. The rest: see foley.Region."""
        if not 0 <= start < end <= self.seconds + 1e-6:
            raise ValueError(f"region from {start:g} to {end:g} s; wanted a stretch inside the film's {self.seconds:g} s")
        audio = self.timbre(sound, sound_start, sound_seconds) if sound else None
        region = foley.Region(start, min(end, self.seconds), None if audio else text or None, audio, seed, gain_db)
        self._keep()
        self.regions = sorted([*self.regions, region], key=lambda r: r.start)
        self._changed()

    def delete_region(self, index):
        """Take a region away. index: its place in `regions`."""
        if not 0 <= index < len(self.regions):
            raise ValueError(f"region {index}; there are {len(self.regions)}: choose one of them")
        self._keep()
        self.regions = [r for i, r in enumerate(self.regions) if i != index]
        self._changed()

    # renders

    def render(self, progress=None, stop=None):
        """Sound for the wanted curve, prompt and regions: a foley.Foley, kept as `made`. progress, stop: see VideoFoley.render."""
        prompt = None if self.audio else self.prompt or None
        request = Request(self.wanted, prompt, self.audio, self.seed, self.regions, self.best_of, self.correct_gain)
        self.made = self.maker.render(self.film, request, progress, stop)
        self._changed()
        return self.made

    def save(self, output):
        """Write the film with its new sound, and the session beside it. Returns the path. Raises ValueError before a render."""
        if self.made is None:
            raise ValueError("there is no sound yet; wanted a render to save: press Render")
        return self.made.save(self.path(output))

    def load(self, name):
        """Take up a session again: film, curve, regions, prompt and seed as they were saved; `render` makes the same sound.

        Raises media.MediaError for a file that is no session or whose film or sounds are missing or have changed.
        """
        saved = session.read(self.path(name))
        self.open(saved["film"])
        if not self.film:
            self.predicted = np.zeros_like(saved["wanted"])
        self.prompt, self.audio, self.seed = saved["prompt"] or "", saved["audio"], saved["seed"]
        self.best_of, self.correct_gain = 1, saved["correct_gain"]
        self._past = [(self.predicted, [])]
        self.wanted, self.regions = np.asarray(saved["wanted"], np.float32), list(saved["regions"])
        self._changed()

    def _event(self, index):
        found = self.events
        if not 0 <= index < len(found):
            raise ValueError(f"event {index}; the curve has {len(found)}: select one of them")
        return found[index]

    def _keep(self):
        self._past.append((self.wanted, self.regions))
        self._future = []

    def _put(self, curve):
        self._keep()
        self.wanted = np.asarray(curve, np.float32)
        self._changed()

    def _swap(self, source, target):
        if source:
            target.append((self.wanted, self.regions))
            self.wanted, self.regions = source.pop()
            self._changed()

    def _changed(self):
        for watcher in list(self.watchers):
            watcher()
