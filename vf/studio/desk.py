"""The studio's controls. Each calls one method of `studio.Studio`; an error becomes one red line."""

import html
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w
import numpy as np

from vf.foley import curves
from vf.foley import render as foley
from vf.foley.request import NEGATIVES, Timbre
from vf.studio import editor, words
from vf.studio.controls import WIDE, Controls, parsed, row
from vf.studio.regions import RegionPage
from vf.studio.studio import Studio

# the methods of Studio that the drawing surface may call
HANDS = ("draw", "stamp", "move", "scale", "delete", "smooth", "clear", "reset", "undo", "redo")
KINDS = {
    "loudness of a sound": "sound",
    "CSV of time and level": "csv",
    "onsets": "onsets",
    "markers (CSV): regions": "markers",
}
TABS = ("Shape", "Regions", "Curve files", "Save and load", "Another film")


class Desk(Controls):
    """The studio's controls around the drawing surface.

    studio: Studio. output: where Save writes. view: the widget to display.
    """

    def __init__(self, studio: Studio, output: str | Path = "foley.mp4"):
        super().__init__()
        self.studio = studio
        self.editor = editor.Editor()
        self.message = w.HTML(layout=WIDE)
        self.message.add_class("vf-message")
        self.scores = w.HTML(layout=WIDE)
        self.notes = w.HTML(layout=WIDE)
        self.notes.add_class("vf-notes")
        self.bar = w.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "120px"})
        # film, sound and player's choice as last shown; a new object stands for none yet, as None is a film's absence
        self._film: object = object()
        self._sound: object = object()
        self._playing = ""
        self._preview: Path | None = None
        self._folder = tempfile.TemporaryDirectory()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self.editor.on_msg(lambda _, content, buffers: self._hand(content))
        self._regions = RegionPage(self, studio, self.editor, self._do)
        rows = [self._render_controls(), self.message, self._tabs(str(output))]
        self.view = w.VBox([self.editor, self.scores, self.notes, *rows], layout=WIDE)
        for name in ("prompt", "negative"):
            self.fields[name].observe(lambda _: self._note(), "value")
        studio.watchers.append(self.refresh)
        self._busy(False)
        self.refresh()

    # controls

    def _render_controls(self):
        """The controls of every render; they stay in sight, outside the tabs."""
        studio = self.studio
        prompt = [self.field("prompt", w.Text(studio.prompt), "280px", grow=True), *self.stretch_fields("like")]
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
        negative = w.Combobox(options=list(NEGATIVES), placeholder="what is not to be heard: words, or a choice")
        prompt.append(self.field("negative", negative, "220px", grow=True))
        return w.VBox([row(prompt), row(choices)], layout=WIDE)

    def _tabs(self, output):
        pages = [
            self._shape_page(),
            self._regions.view,
            self._curve_page(),
            self._session_page(output),
            self._film_page(),
        ]
        return w.Tab(pages, titles=TABS)

    def _shape_page(self):
        shape = [
            self.field("shape", w.Dropdown(options=list(curves.SHAPES), value="hit"), "150px"),
            self.number("onset", 0.5, 0, 36000, label="onset (s)"),
            self.number("length", 0.4, 0.01, 3600, label="length (s)"),
            self.number("level", 0.2, 0.0, 1.0, width="110px"),
            self.number("peak", 0.5, 0.01, 0.99, width="110px"),
            self.button("Stamp", self._stamp),
        ]
        for name in ("shape", "length", "level", "peak"):
            w.link((self.fields[name], "value"), (self.editor, name))
        return row(shape)

    def _curve_page(self):
        files = [
            self.field("curve file", w.Text(placeholder="curve.csv"), "300px", "file", grow=True),
            self.field("kind", w.Dropdown(options=KINDS), "auto"),
            self.button("Import", self._import),
            self.button("Export", self._export),
        ]
        return row(files)

    def _session_page(self, output):
        save = [
            self.field("output", w.Text(output), "300px", "film", grow=True),
            self.field("project", w.Checkbox(False, indent=False), "180px", "and a project for a DAW"),
            self.button("Save", self._save, "success"),
        ]
        written = w.HTML(f"<span style='color:#555'>{html.escape(words.WRITTEN)}.</span>", layout=WIDE)
        load = [
            self.field("session", w.Text(str(Path(output).with_suffix(".json"))), "300px", "session", grow=True),
            self.button("Load", self._load),
        ]
        return w.VBox([row(save), row(load), written])

    def _film_page(self):
        film = self.field("film", w.Text(placeholder="film.mp4"), "300px", grow=True)
        return row([film, self.button("Open", self._open)])

    # what the buttons and the surface do

    def render(self) -> None:
        """Render in a thread, so that the controls stay usable. Stop ends it after the current step."""
        if self._thread and self._thread.is_alive():
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._busy(True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end of the current render."""
        if self._thread:
            self._thread.join()

    def _work(self):
        if self._do(self._take_choices):
            self._do(self.studio.render, self._progress, self._stop.is_set)
        self._busy(False)

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

    def _progress(self, share):
        self.bar.value = share

    def _busy(self, on):
        self.buttons["Render"].disabled = on
        self.buttons["Stop"].disabled = not on
        self.bar.layout.visibility = "visible" if on else "hidden"
        self.bar.value = 0.0

    def _hand(self, content):
        """Do what a message of the surface asks for."""
        name = content.pop("do")
        if name in HANDS:
            event = self.studio.events[content["event"]] if name == "move" else None
            if self._do(getattr(self.studio, name), **content) and event:  # the event stays selected at its new place
                middle = sum(event) / 2 + content["seconds"]
                events = self.studio.events
                self.editor.selected = next((i for i, (a, b) in enumerate(events) if a <= middle <= b), -1)
        elif name == "player_failed" and self.studio.film and self._preview is None:
            self._do(self._make_preview)
        elif name == "player_failed":
            message = "this browser plays neither the film nor a preview of it; editing and Save work all the same"
            self._say(message, wrong=True)

    def _make_preview(self):
        self._preview = editor.preview(self.studio.film, self._folder.name)
        self._playing = ""
        self.refresh()

    def _do(self, method: Callable, *args, done: str = "", **keywords) -> bool:
        """Call a method and show an error as a red line. Returns whether there was none. done: shown on success."""
        try:
            result = method(*args, **keywords)
        except foley.Stopped:
            self._say("stopped; the last render stays")
            return False
        except Exception as error:  # any error: a user of the controls sees no traceback
            self._say(" ".join(str(error).split()) or type(error).__name__, wrong=True)
            return False
        self._say(f"{done} {result}" if isinstance(result, Path) else done)
        return True

    def _say(self, line, wrong=False):
        text = html.escape(line) or "&nbsp;"
        self.message.value = f'<b style="color:#c00000">{text}</b>' if wrong else text

    def _stamp(self):
        names = ("shape", "onset", "length", "level", "peak")
        self._do(self.studio.stamp, *(self.fields[name].value for name in names))

    def _import(self):
        kind = self.fields["kind"].value
        name = self.fields["curve file"].value
        if kind == "markers":
            self._do(self.studio.read_markers, name)
        else:
            self._do(self.studio.read_curve, name, kind)

    def _export(self):
        kind = self.fields["kind"].value
        name = self.fields["curve file"].value
        if kind == "markers":
            self._do(self.studio.write_markers, name, done="written:")
        else:
            self._do(self.studio.write_curve, name, kind, done="written:")

    def _save(self):
        project = self.fields["project"].value
        self._do(self.studio.save, self.fields["output"].value, project_folder=project, done="saved:")

    def _open(self):
        if self._do(self.studio.open, self.fields["film"].value):
            self._say(f"{self.studio.film} is open; Render makes its sound")

    def _load(self):
        if self._do(self.studio.load, self.fields["session"].value):
            self._say("the session is loaded; Render makes its sound again")
            self._fill()

    # what the desk shows

    def refresh(self) -> None:
        """Show the studio as it is now. Only what has changed is sent to the browser."""
        with self._lock, self.editor.hold_sync():  # the thread of a render and the surface may both come here
            self._show_curves()
            self._show_media()
        self._regions.show()
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
        if film is not self._film:
            self._preview = None
            surface.selected = -1
            surface.span = []
            surface.strip = editor.film_strip(film, self.studio.seconds) if film else b""
        if sound is not self._sound:
            surface.achieved = _floats(sound.rms) if sound else b""
            surface.spectrogram = editor.spectrogram(sound.waveform, self.studio.maker.timeline) if sound else b""
        if film is not self._film or sound is not self._sound or playing != self._playing:
            media_type, media = editor.playable(self._preview or film, sound if playing == "new sound" else None)
            surface.media_type = media_type
            surface.media = media
        self._film = film
        self._sound = sound
        self._playing = playing

    def _fill(self):
        """Put the choices of a loaded session into the fields."""
        studio = self.studio
        self.fill_stretch("like", studio.audio)
        self.fields["negative"].value = studio.negative
        self.fields["loudness"].value = "" if studio.loudness is None else f"{studio.loudness:g}"
        self.fields["prompt"].value = studio.prompt
        self.fields["seed"].value = studio.seed
        self.fields["best of"].value = studio.best_of
        self.fields["correct gain"].value = studio.correct_gain


def _floats(curve: np.ndarray) -> bytes:
    return np.asarray(curve, "<f4").tobytes()
