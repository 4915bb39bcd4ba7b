"""The studio's controls. Each calls one method of `studio.Studio`; what goes wrong is one red line."""

import html
import threading
from pathlib import Path

import ipywidgets as w
import numpy as np

from vf import curves, editor

WIDE = {"width": "100%"}
HANDS = ("draw", "stamp", "move", "scale", "delete", "smooth", "clear", "reset", "undo", "redo")  # what the surface may call
KINDS = {"loudness of a sound": "sound", "CSV of time and level": "csv", "onsets": "onsets"}
TABS = ("Shape", "Regions", "Import and export a curve", "Save and load", "Another film")


class Desk:
    """The studio's controls around the editor. studio: studio.Studio. output: where Save writes. view: the widget to display."""

    def __init__(self, studio, output="foley.mp4"):
        self.studio, self.editor, self._shown = studio, editor.Editor(), (self, self, "")
        self._stop, self._thread = threading.Event(), None
        self.fields, self.buttons = {}, {}
        self.message, self.scores = w.HTML(layout=WIDE), w.HTML(layout=WIDE)
        self.message.add_class("vf-message")
        self.editor.on_msg(lambda _, content, buffers: self._hand(content))
        self.view = w.VBox([self.editor, self.scores, self._making(), self.message, self._tabs(str(output))], layout=WIDE)
        studio.watchers.append(self.refresh)
        self._busy(False)
        self.refresh()

    # controls

    def _field(self, name, widget, width="150px", label=None):
        widget.description, widget.layout.width = label or name, width
        if hasattr(widget.style, "description_width"):
            widget.style.description_width = "initial"
        self.fields[name] = widget
        return widget

    def _number(self, name, value, low, high, step=0.01, width="150px", label=None):
        widget = w.BoundedFloatText(value, min=low, max=high, step=step)
        return self._field(name, widget, width, label)

    def _button(self, name, act, style=""):
        self.buttons[name] = w.Button(description=name, button_style=style, layout={"width": "auto"})
        self.buttons[name].on_click(lambda _: act())
        return self.buttons[name]

    def _sound(self, name):
        """Fields that name a stretch of a sound or film; `_stretch` reads them."""
        path = w.Text(placeholder="sound or film whose timbre to take instead of the text")
        return [
            self._field(name, path, "360px", "or like"),
            self._number(f"{name} from", 0.0, 0, 36000, 0.1, "120px", "from (s)"),
            self._number(f"{name} length", 0.0, 0, 3600, 0.1, "150px", "length (s, 0: all)"),
        ]

    def _stretch(self, name):
        f = self.fields
        return f[name].value.strip() or None, f[f"{name} from"].value, f[f"{name} length"].value or None

    def _making(self):
        """Prompt, seed, Render and Stop: what every render needs stays in sight."""
        studio = self.studio
        prompt = [self._field("prompt", w.Text(studio.prompt), "420px"), *self._sound("like")]
        self.bar = w.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "140px"})
        listen = w.ToggleButtons(options=["new sound", "film's own"], style={"button_width": "90px"})
        row = [
            self._button("Render", self.render, "primary"),
            self._button("Stop", self._stop.set, "warning"),
            self._field("seed", w.BoundedIntText(studio.seed, min=0, max=99999), "120px"),
            self._field("best of", w.BoundedIntText(studio.best_of, min=1, max=16), "110px"),
            self._field("correct gain", w.Checkbox(studio.correct_gain, indent=False), "110px"),
            self._field("play", listen, "auto"),
            self.bar,
        ]
        listen.observe(lambda _: self.refresh(), "value")
        return w.VBox([_row(prompt), _row(row)])

    def _tabs(self, output):
        do, f, studio = self._do, self.fields, self.studio
        shape = w.Dropdown(options=list(curves.SHAPES), value="hit")
        shapes = [
            self._field("shape", shape, "160px"),
            self._number("onset", 0.5, 0, 36000, label="onset (s)"),
            self._number("length", 0.4, 0.01, 3600, label="length (s)"),
            self._number("level", 0.2, 0.0, 1.0),
            self._number("peak", 0.5, 0.01, 0.99),
            self._button("Stamp", lambda: do(studio.stamp, *(f[n].value for n in ("shape", "onset", "length", "level", "peak")))),
        ]
        for name in ("shape", "length", "peak"):
            w.link((f[name], "value"), (self.editor, name))
        regions = [
            self._number("start", 0.0, 0, 36000, label="start (s)"),
            self._number("end", 1.0, 0, 36000, label="end (s)"),
            self._field("region prompt", w.Text(), "420px", "prompt"),
            *self._sound("region like"),
            self._field("region seed", w.BoundedIntText(0, min=0, max=99999), "120px", "seed"),
            self._number("gain", 0.0, -40, 40, 0.5, label="gain (dB)"),
            self._button("Add region", self._add_region),
            self._field("regions", w.Dropdown(), "420px"),
            self._button(
                "Delete region", lambda: do(studio.delete_region, -1 if f["regions"].value is None else f["regions"].value)
            ),
        ]
        self.editor.observe(self._marked, "span")  # a stretch marked in the region lane fills start and end
        files = [
            self._field("curve file", w.Text(placeholder="curve.csv"), "420px", "file"),
            self._field("kind", w.Dropdown(options=KINDS), "auto"),
            self._button("Import", lambda: do(studio.read_curve, f["curve file"].value, f["kind"].value)),
            self._button("Export", lambda: do(studio.write_curve, f["curve file"].value, f["kind"].value, said="written:")),
        ]
        keep = [
            self._field("output", w.Text(output), "420px", "film"),
            self._button("Save", lambda: do(studio.save, f["output"].value, said="saved:"), "success"),
            self._field("session", w.Text(placeholder="foley.json"), "420px", "session"),
            self._button("Load", self._load),
        ]
        other = [self._field("film", w.Text(placeholder="film.mp4"), "420px"), self._button("Open", self._open)]
        return w.Tab([_row(shapes), _row(regions), _row(files), _row(keep), _row(other)], titles=TABS)

    # what a hand does

    def render(self):
        """Render in a thread, so that the desk stays live; Stop ends it after the step it is at."""
        if self._thread and self._thread.is_alive():
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._busy(True)
        self._thread.start()

    def wait(self):
        """Until the render that runs is done."""
        if self._thread:
            self._thread.join()

    def _work(self):
        studio, f = self.studio, self.fields
        studio.seed, studio.best_of, studio.correct_gain = f["seed"].value, f["best of"].value, f["correct gain"].value
        if self._do(studio.prompt_by, f["prompt"].value.strip(), *self._stretch("like")):
            self._do(studio.render, self._progress, self._stop.is_set)
        self._busy(False)

    def _progress(self, share):
        self.bar.value = share

    def _busy(self, on):
        self.buttons["Render"].disabled, self.buttons["Stop"].disabled = on, not on
        self.bar.layout.visibility = "visible" if on else "hidden"
        self.bar.value = 0.0

    def _hand(self, content):
        """One message of the surface."""
        name = content.pop("do")
        if name in HANDS:
            self._do(getattr(self.studio, name), **content)
        elif name == "player_failed":
            self._say(f"this browser cannot play the film ({content['why']}); editing and Save work all the same", wrong=True)

    def _do(self, method, *args, said="", **keywords):
        """Call a method; what goes wrong becomes the red line. Returns whether it went well."""
        try:
            result = method(*args, **keywords)
        except Exception as error:  # a hand at a widget has no traceback to read, whatever it was
            self._say(" ".join(str(error).split()) or type(error).__name__, wrong=True)
            return False
        self._say(f"{said} {result}" if isinstance(result, Path) else said)
        return True

    def _say(self, words, wrong=False):
        text = html.escape(words) or "&nbsp;"
        self.message.value = f'<b style="color:#c00000">{text}</b>' if wrong else text

    def _add_region(self):
        f = self.fields
        values = f["start"].value, f["end"].value, f["region prompt"].value.strip(), *self._stretch("region like")
        self._do(self.studio.add_region, *values, f["region seed"].value, f["gain"].value)

    def _open(self):
        if self._do(self.studio.open, self.fields["film"].value):
            self._say(f"{self.studio.film} is on the desk; Render gives it sound")

    def _load(self):
        if self._do(self.studio.load, self.fields["session"].value):
            self._say("the session is back on the desk")
            self._fill()

    # what it shows

    def refresh(self):
        """Show the studio as it is now; what has not changed is not sent again."""
        s, e = self.studio, self.editor
        with e.hold_sync():
            e.rate, e.seconds = s.rate, s.seconds
            e.wanted, e.predicted, e.stairs = (np.asarray(c, "<f4").tobytes() for c in (s.wanted, s.predicted, s.stairs))
            e.events = [[float(a), float(b)] for a, b in s.events]
            e.regions = [{"start": r.start, "end": r.end, "label": r.prompt or "as a sound"} for r in s.regions]
            e.selected = min(e.selected, len(e.events) - 1)
            film, made, heard = s.film is not self._shown[0], s.made is not self._shown[1], self.fields["play"].value
            if film:
                e.strip = editor.film_strip(s.film, s.seconds) if s.film else b""
            if made:
                e.achieved = np.asarray(s.made.rms, "<f4").tobytes() if s.made else b""
                e.spectrogram = editor.spectrogram(s.made.waveform, s.maker.timeline) if s.made else b""
            if film or made or heard != self._shown[2]:
                e.media_type, e.media = editor.playable(s.film, s.made if heard == "new sound" else None)
            self._shown = (s.film, s.made, heard)
        self.fields["regions"].options = [
            (f"{r.start:.2f}–{r.end:.2f} s, {r.prompt or 'as a sound'}, {r.gain_db:+g} dB", i) for i, r in enumerate(s.regions)
        ]
        self.scores.value = _scores(s)

    def _marked(self, change):
        if change["new"]:
            self.fields["start"].value, self.fields["end"].value = (round(x, 3) for x in change["new"])

    def _fill(self):
        s, f = self.studio, self.fields
        f["prompt"].value, f["like"].value, f["seed"].value = s.prompt, s.audio_name, s.seed
        f["best of"].value, f["correct gain"].value = s.best_of, s.correct_gain


def _row(children):
    return w.HBox(children, layout={"flex_flow": "row wrap", "width": "100%"})


def _scores(studio):
    """The line under the plot: how well the last render follows the curve it was given."""
    if studio.made is None:
        return "no render yet"
    words = " · ".join(f"{name} {value:.4g}" for name, value in studio.made.adherence.items())
    old = "" if np.array_equal(studio.made.wanted, studio.wanted) else " · <i>the curve has changed since: Render again</i>"
    return words + old
