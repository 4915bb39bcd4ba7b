"""The studio's controls. Each calls one method of `studio.Studio`; an error becomes one red line."""

import html
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np

from vf.foley import curves
from vf.foley import render as foley
from vf.foley.request import NEGATIVES, Timbre
from vf.studio import editor, words
from vf.studio.controls import WIDE, Controls, parsed, prose, row
from vf.studio.exchange import Exchange
from vf.studio.regions import RegionPage
from vf.studio.studio import Studio

# the methods of Studio that the drawing surface may call
HANDS = ("draw", "stamp", "move", "scale", "delete", "smooth", "clear", "reset", "undo", "redo")
PROMPT = "A person hit metal with a wooden stick."  # for example
TABS = ("Shape", "Regions", "Curve files", "Save and load", "Another film")


class Desk(Controls):
    """The studio's controls around the drawing surface.

    studio: Studio. output: where Save writes; what is dropped on the desk is kept beside it. view: the widget to
    display. What takes long runs in a thread, one after another, so that the controls stay usable.
    """

    def __init__(self, studio: Studio, output: str | Path = "foley.mp4"):
        super().__init__()
        self.studio = studio
        self._folder = tempfile.TemporaryDirectory()
        self.editor = editor.Editor(self._folder.name, self._heard)
        self.message = prose()
        self.message.add_class("vf-message")
        self.advice = prose()
        self.scores = prose()
        self.notes = prose()
        self.notes.add_class("vf-notes")
        self.bar = w.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "120px"})
        # film, sound and player's choice as last shown; a new object stands for none yet, as None is a film's absence
        self._film: object = object()
        self._sound: object = object()
        self._playing = ""
        self._preview: Path | None = None
        self._recording: Path | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self.editor.on_msg(lambda _, content, buffers: self._hand(content))
        self._regions = RegionPage(self, studio, self.editor, self.attempt)
        self.exchange = Exchange(self, output)
        choices, files = self._render_controls(), self.exchange
        tabs = w.Tab([self._shape_page(), self._regions.view, *files.pages], titles=TABS)
        parts = [files.drop, self.editor, self.advice, choices, self.message, files.buttons, files.downloads]
        self.view = w.VBox([*parts, self.scores, self.notes, tabs], layout=WIDE)
        self.view.add_class("vf-desk")
        for name in ("prompt", "negative"):
            self.fields[name].observe(lambda _: self._note(), "value")
        studio.watchers.append(self.refresh)
        self._busy(False)
        self.refresh()

    # controls

    def _render_controls(self):
        """The controls of every render; they stay in sight, outside the tabs."""
        studio = self.studio
        text = w.Text(studio.prompt, placeholder=PROMPT)
        prompt = [self.field("prompt", text, "280px", grow=True), *self.stretch_fields("like")]
        choices = [
            self.button("Render", self.render, "primary"),
            self.button("Stop", self._stop.set, "warning"),
            self.seed("seed", studio.seed),
            self.field("best of", w.BoundedIntText(studio.best_of, min=1, max=16), "105px"),
            self.field("correct gain", w.Checkbox(studio.correct_gain, indent=False), "115px"),
            self.field("loudness", w.Text(placeholder="as it is"), "150px", "LUFS"),
            self.field("hear", w.Dropdown(options=["new sound", "film's own"]), "150px"),
            self.bar,
        ]
        self.fields["hear"].observe(lambda _: self.refresh(), "value")
        negative = w.Combobox(options=list(NEGATIVES), placeholder="what not to hear")
        prompt.append(self.field("negative", negative, "220px", grow=True))
        return w.VBox([row(prompt), row(choices)], layout=WIDE)

    def _shape_page(self):
        shape = [
            self.field("shape", w.Dropdown(options=list(curves.SHAPES), value="hit"), "150px"),
            self.number("onset", 0.5, 0, 36000, label="onset (s)"),
            self.number("length", 0.4, 0.01, 3600, label="length (s)"),
            self.number("level", 0.2, 0.0, 1.0, width="110px"),
            self.number("peak", 0.5, 0.01, 0.99, width="110px"),
            self.button("Stamp", self._stamp),
            self.field("whole film", self._level_slider(), "270px", "whole film (dB)"),
        ]
        for name in ("shape", "length", "level", "peak"):
            w.link((self.fields[name], "value"), (self.editor, name))
        return row(shape)

    def _level_slider(self):
        """A slider that changes the whole curve when it is let go, and returns to 0, so that undo takes it back."""
        slider = w.FloatSlider(0.0, min=-20, max=20, step=0.5, continuous_update=False, readout_format="+.1f")

        def changed(change):
            if change["new"]:
                self.attempt(self.studio.amplify, change["new"])
                slider.value = 0.0

        slider.observe(changed, "value")
        return slider

    # what the buttons and the surface do

    def render(self) -> None:
        """Render in a thread. Stop ends it after the current step."""
        if not self.buttons["Render"].disabled:
            self.start(self._work)

    def start(self, work: Callable, *args: Any, **keywords: Any) -> None:
        """Do what takes long in a thread, after what is being done already."""
        before = self._thread
        if not (before and before.is_alive()):
            self._stop.clear()  # Stop ends all that waits, too

        def run():
            if before:
                before.join()
            self._busy(True)
            try:
                work(*args, **keywords)
            finally:
                self._busy(False)

        self._busy(True)
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end of what is being done."""
        if self._thread:
            self._thread.join()

    def _work(self):
        if self.attempt(self._take_choices):
            self.attempt(self.studio.render, self.progress, self._stop.is_set)

    def _take_choices(self):
        """Give the studio what the fields of every render say. Raises ValueError for what is no such choice."""
        studio = self.studio
        studio.seed = self.fields["seed"].value
        studio.best_of = self.fields["best of"].value
        studio.correct_gain = self.fields["correct gain"].value
        studio.negative = self.fields["negative"].value.strip()
        studio.loudness = parsed(self.fields["loudness"].value, "LUFS")
        text = self.fields["prompt"].value.strip()
        sound = self.stretch("like")
        if text or sound or not isinstance(studio.audio, Timbre):  # a session's timbre, which no field can show, stays
            studio.prompt_by(text, *(sound or ()))

    def progress(self, share: float) -> None:
        """Show how much is done, 0 to 1. Raises Stopped where Stop was pressed."""
        if self._stop.is_set():
            raise foley.Stopped
        self.bar.value = share

    def _busy(self, on):
        self.buttons["Render"].disabled = on
        self.buttons["Stop"].disabled = not on
        self.bar.layout.display = "flex" if on else "none"
        self.bar.value = 0.0

    def _hand(self, content):
        """Do what a message of the surface asks for."""
        name = content.pop("do")
        if name in HANDS:
            event = self.studio.events[content["event"]] if name == "move" else None
            if self.attempt(getattr(self.studio, name), **content) and event:  # which stays selected at its new place
                middle = sum(event) / 2 + content["seconds"]
                events = self.studio.events
                self.editor.selected = next((i for i, (a, b) in enumerate(events) if a <= middle <= b), -1)
        elif name == "listen" and self._recording:
            how, start = content["how"], content["start"]
            self.start(self.attempt, self.studio.follow, self._recording, how, start, done=words.HEARD[how])
        elif name == "player_failed" and self.studio.film and self._preview is None:
            self.start(self.attempt, self._make_preview)
        elif name == "player_failed":
            message = "this browser plays neither the film nor a preview of it; editing and Save work all the same"
            self.say(message, wrong=True)

    def _heard(self, path):
        self._recording = path

    def _make_preview(self):
        self._preview = editor.preview(self.studio.film, self._folder.name)
        self._playing = ""
        self.refresh()

    def attempt(self, method: Callable, *args, done: str = "", **keywords) -> bool:
        """Call a method and show an error as a red line. Returns whether there was none. done: shown on success."""
        try:
            result = method(*args, **keywords)
        except foley.Stopped:
            self.say("stopped; all stays as it was")
            return False
        except Exception as error:  # any error: a user of the controls sees no traceback
            self.say(" ".join(str(error).split()) or type(error).__name__, wrong=True)
            return False
        self.say(f"{done} {result}" if isinstance(result, Path) else done)
        return True

    def say(self, line: str, wrong: bool = False) -> None:
        """Show a line under the controls, in red where something went wrong."""
        text = html.escape(line) or "&nbsp;"
        self.message.value = f'<b style="color:#c00000">{text}</b>' if wrong else text

    def _stamp(self):
        names = ("shape", "onset", "length", "level", "peak")
        self.attempt(self.studio.stamp, *(self.fields[name].value for name in names))

    # what the desk shows

    def refresh(self) -> None:
        """Show the studio as it is now. Only what has changed is sent to the browser."""
        try:
            with self._lock, self.editor.hold_sync():  # the thread of a render and the surface may both come here
                self._show_curves()
                self._show_media()
        finally:  # what no player shows is saved and downloaded all the same
            self._regions.show()
            self.exchange.show()
            self.advice.value = words.advice(self.studio)
            self.scores.value = words.scores(self.studio)
            self._note()

    def _note(self):
        self.notes.value = words.notes(self.studio, self.fields["prompt"].value, self.fields["negative"].value)

    def _show_curves(self):
        studio = self.studio
        surface = self.editor
        surface.rate = studio.rate
        surface.seconds = studio.seconds
        surface.wanted = _floats(studio.wanted)
        surface.predicted = _floats(studio.predicted)
        surface.stairs = _floats(studio.stairs)
        surface.events = [[float(start), float(end)] for start, end in studio.events]
        rows = editor.rows([(r.start, r.end) for r in studio.regions])
        surface.regions = [
            {"start": r.start, "end": r.end, "label": words.region(r), "row": row}
            for r, row in zip(studio.regions, rows)
        ]
        surface.selected = min(surface.selected, len(surface.events) - 1)

    def _show_media(self):
        """Film strip, spectrogram and player, where film, sound or the player's choice is another than before."""
        film = self.studio.film
        sound = self.studio.made
        playing = self.fields["hear"].value
        surface = self.editor
        new_film, new_sound = film is not self._film, sound is not self._sound
        other = new_film or new_sound or playing != self._playing
        # known before it is shown: what cannot be shown is tried once
        self._film, self._sound, self._playing = film, sound, playing
        if new_film:
            self._preview = None
            surface.selected = -1
            surface.span = []
            surface.strip = editor.film_strip(film, self.studio.seconds) if film else b""
        if new_sound:
            surface.achieved = _floats(sound.rms) if sound else b""
            surface.spectrogram = editor.spectrogram(sound.waveform, self.studio.maker.timeline) if sound else b""
        if other:
            heard = sound if playing == "new sound" else None
            surface.play(*editor.playable(self._preview or film, heard, self._folder.name))

    def fill(self) -> None:
        """Put the choices of a loaded session into the fields."""
        studio = self.studio
        self.fill_stretch("like", studio.audio)
        self.fields["negative"].value = studio.negative
        self.fields["loudness"].value = "" if studio.loudness is None else f"{studio.loudness:g}"
        kept = isinstance(studio.audio, Timbre)
        self.fields["prompt"].placeholder = "the session's own sound gives the timbre" if kept else PROMPT
        self.fields["prompt"].value = studio.prompt
        self.fields["seed"].value = studio.seed
        self.fields["best of"].value = studio.best_of
        self.fields["correct gain"].value = studio.correct_gain


def _floats(curve: np.ndarray) -> bytes:
    return np.asarray(curve, "<f4").tobytes()
