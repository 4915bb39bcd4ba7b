"""The studio's controls. Each calls one method of `studio.Studio`; what goes wrong is one red line."""

import html
import tempfile
import threading
from pathlib import Path

import ipywidgets as w
import numpy as np

from vf.foley import curves
from vf.foley import render as foley
from vf.studio import editor

WIDE = {"width": "100%"}
HANDS = ("draw", "stamp", "move", "scale", "delete", "smooth", "clear", "reset", "undo", "redo")  # what the surface may call
KINDS = {"loudness of a sound": "sound", "CSV of time and level": "csv", "onsets": "onsets"}
TABS = ("Shape", "Regions", "Curve files", "Save and load", "Another film")
SCORES = {  # of adherence.adherence: name and digits
    "e_l1": ("E-L1", 4), "error_db": ("error (dB)", 1), "lag_ms": ("late by (ms)", 1), "onset_f1_50ms": ("onset F1, 50 ms", 2),
    "correlation": ("correlation", 3),
}  # fmt: skip
CELL = "style='text-align:left;padding-right:18px;min-width:70px'"


class Desk:
    """The studio's controls around the editor. studio: studio.Studio. output: where Save writes. view: the widget to display."""

    def __init__(self, studio, output="foley.mp4"):
        self.studio, self.editor, self._shown = studio, editor.Editor(), (self, self, "")
        self._stop, self._thread, self._lock = threading.Event(), None, threading.RLock()
        self._folder, self._preview = tempfile.TemporaryDirectory(), None
        self.fields, self.buttons = {}, {}
        self.message, self.scores = w.HTML(layout=WIDE), w.HTML(layout=WIDE)
        self.message.add_class("vf-message")
        self.editor.on_msg(lambda _, content, buffers: self._hand(content))
        self.view = w.VBox([self.editor, self.scores, self._making(), self.message, self._tabs(str(output))], layout=WIDE)
        studio.watchers.append(self.refresh)
        self._busy(False)
        self.refresh()

    # controls

    def _field(self, name, widget, width="150px", label=None, grow=False):
        """Keep a widget under a name. grow: it takes what the row leaves, at least `width`."""
        widget.description, widget.layout.width = label or name, width
        if grow:
            widget.layout.width, widget.layout.flex = "auto", f"1 1 {width}"
        widget.style.description_width = "initial"
        self.fields[name] = widget
        return widget

    def _number(self, name, value, low, high, step=0.01, width="130px", label=None):
        widget = w.BoundedFloatText(value, min=low, max=high, step=step)
        return self._field(name, widget, width, label)

    def _button(self, name, act, style=""):
        self.buttons[name] = w.Button(description=name, button_style=style, layout={"width": "auto"})
        self.buttons[name].on_click(lambda _: act())
        return self.buttons[name]

    def _sound(self, name):
        """Fields that name a stretch of a sound or film; `_stretch` reads them."""
        path = w.Text(placeholder="sound or film file", tooltip="its sound is the prompt, instead of the text")
        return [
            self._field(name, path, "220px", "or timbre of", grow=True),
            self._number(f"{name} from", 0.0, 0, 36000, 0.1, "110px", "from (s)"),
            self._number(f"{name} for", 0.0, 0, 3600, 0.1, "100px", "for (s)"),
        ]

    def _stretch(self, name):
        f = self.fields
        return f[name].value.strip() or None, f[f"{name} from"].value, f[f"{name} for"].value or None

    def _making(self):
        """Prompt, seed, Render and Stop: what every render needs stays in sight."""
        studio = self.studio
        prompt = [self._field("prompt", w.Text(studio.prompt), "280px", grow=True), *self._sound("like")]
        self.bar = w.FloatProgress(0.0, min=0.0, max=1.0, layout={"width": "120px"})
        row = [
            self._button("Render", self.render, "primary"),
            self._button("Stop", self._stop.set, "warning"),
            self._field("seed", w.BoundedIntText(studio.seed, min=0, max=99999), "110px"),
            self._field("best of", w.BoundedIntText(studio.best_of, min=1, max=16), "105px"),
            self._field("correct gain", w.Checkbox(studio.correct_gain, indent=False), "115px"),
            self._field("hear", w.Dropdown(options=["new sound", "film's own"]), "150px"),
            self.bar,
        ]
        self.fields["hear"].observe(lambda _: self.refresh(), "value")
        return w.VBox([_row(prompt), _row(row)], layout=WIDE)

    def _tabs(self, output):
        do, f, studio = self._do, self.fields, self.studio
        shape = [
            self._field("shape", w.Dropdown(options=list(curves.SHAPES), value="hit"), "150px"),
            self._number("onset", 0.5, 0, 36000, label="onset (s)"),
            self._number("length", 0.4, 0.01, 3600, label="length (s)"),
            self._number("level", 0.2, 0.0, 1.0, width="110px"),
            self._number("peak", 0.5, 0.01, 0.99, width="110px"),
            self._button("Stamp", lambda: do(studio.stamp, *(f[n].value for n in ("shape", "onset", "length", "level", "peak")))),
        ]
        for name in ("shape", "length", "level", "peak"):
            w.link((f[name], "value"), (self.editor, name))
        region = [
            self._number("start", 0.0, 0, 36000, label="start (s)"),
            self._number("end", 1.0, 0, 36000, label="end (s)"),
            self._field("region seed", w.BoundedIntText(0, min=0, max=99999), "110px", "seed"),
            self._number("gain", 0.0, -40, 40, 0.5, label="gain (dB)"),
        ]
        words = [self._field("region prompt", w.Text(), "280px", "prompt", grow=True), *self._sound("region like")]
        there = [
            self._button("Add region", self._add_region),
            self._field("regions", w.Dropdown(), "300px", grow=True),
            self._button(
                "Delete region", lambda: do(studio.delete_region, -1 if f["regions"].value is None else f["regions"].value)
            ),
        ]
        self.editor.observe(self._marked, "span")  # a stretch marked in the region lane fills start and end
        files = [
            self._field("curve file", w.Text(placeholder="curve.csv"), "300px", "file", grow=True),
            self._field("kind", w.Dropdown(options=KINDS), "auto"),
            self._button("Import", lambda: do(studio.read_curve, f["curve file"].value, f["kind"].value)),
            self._button("Export", lambda: do(studio.write_curve, f["curve file"].value, f["kind"].value, said="written:")),
        ]
        keep = [
            self._field("output", w.Text(output), "300px", "film", grow=True),
            self._button("Save", lambda: do(studio.save, f["output"].value, said="saved:"), "success"),
        ]
        load = [
            self._field("session", w.Text(str(Path(output).with_suffix(".json"))), "300px", "session", grow=True),
            self._button("Load", self._load),
        ]
        other = [
            self._field("film", w.Text(placeholder="film.mp4"), "300px", grow=True),
            self._button("Open", self._open),
        ]
        pages = [_row(shape), w.VBox([_row(region), _row(words), _row(there)]), _row(files), w.VBox([_row(keep), _row(load)])]
        return w.Tab([*pages, _row(other)], titles=TABS)

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
            event = self.studio.events[content["event"]] if name == "move" else None
            if self._do(getattr(self.studio, name), **content) and event:  # keep it selected where it went
                middle = sum(event) / 2 + content["seconds"]
                self.editor.selected = next((i for i, (a, b) in enumerate(self.studio.events) if a <= middle <= b), -1)
        elif name == "player_failed" and self.studio.film and self._preview is None:
            self._do(self._make_preview)
        elif name == "player_failed":
            self._say("this browser plays neither the film nor a preview of it; editing and Save work all the same", wrong=True)

    def _make_preview(self):
        self._preview = editor.preview(self.studio.film, self._folder.name)
        self._shown = (*self._shown[:2], "")
        self.refresh()

    def _do(self, method, *args, said="", **keywords):
        """Call a method; what goes wrong becomes the red line. Returns whether it went well."""
        try:
            result = method(*args, **keywords)
        except foley.Stopped:
            self._say("stopped; the last render stays")
            return False
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
        if self._do(self.studio.add_region, *values, f["region seed"].value, f["gain"].value):
            self.editor.span = []

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
        with self._lock, e.hold_sync():  # a render that ends and a hand that draws may both come here
            e.rate, e.seconds = s.rate, s.seconds
            e.wanted, e.predicted, e.stairs = (np.asarray(c, "<f4").tobytes() for c in (s.wanted, s.predicted, s.stairs))
            e.events = [[float(a), float(b)] for a, b in s.events]
            e.regions = [{"start": r.start, "end": r.end, "label": r.prompt or "as a sound"} for r in s.regions]
            e.selected = min(e.selected, len(e.events) - 1)
            film, made, heard = s.film is not self._shown[0], s.made is not self._shown[1], self.fields["hear"].value
            if film:
                self._preview, e.selected, e.span = None, -1, []
                e.strip = editor.film_strip(s.film, s.seconds) if s.film else b""
            if made:
                e.achieved = np.asarray(s.made.rms, "<f4").tobytes() if s.made else b""
                e.spectrogram = editor.spectrogram(s.made.waveform, s.maker.timeline) if s.made else b""
            if film or made or heard != self._shown[2]:
                e.media_type, e.media = editor.playable(self._preview or s.film, s.made if heard == "new sound" else None)
            self._shown = (s.film, s.made, heard)
        self.fields["regions"].options = [
            (f"{r.start:.2f}–{r.end:.2f} s, {r.prompt or 'as a sound'}, {r.gain_db:+g} dB", i) for i, r in enumerate(s.regions)
        ]
        self.fields["regions"].index = len(s.regions) - 1 if s.regions else None
        self.scores.value = _scores(s)

    def _marked(self, change):
        if change["new"]:
            self.fields["start"].value, self.fields["end"].value = (round(x, 3) for x in change["new"])

    def _fill(self):
        s, f = self.studio, self.fields
        path, start, end = s.audio if isinstance(s.audio, tuple) else (s.audio or "", 0.0, 0.0)
        f["like"].value, f["like from"].value, f["like for"].value = str(path), start, end - start
        f["prompt"].value, f["seed"].value = s.prompt, s.seed
        f["best of"].value, f["correct gain"].value = s.best_of, s.correct_gain


def _row(children):
    return w.HBox(children, layout={"flex_flow": "row wrap", "width": "100%"})


def _scores(studio):
    """The lines under the plot: how closely the last render follows the curve it was given."""
    made = studio.made
    if made is None:
        return "no render yet"
    rows = {"as it is": made.adherence["raw"], "after one gain": made.adherence["gain_matched"]}
    if made.uncorrected:
        rows = {"before its gain was corrected": made.uncorrected["raw"]} | rows
    fresh = np.array_equal(made.wanted, studio.wanted)
    title = "the sound against the wanted curve" if fresh else "<i>the curve has changed since: Render again</i>"
    table = [(title, *(name for name, _ in SCORES.values()))]
    table += [(what, *(f"{scores[key]:.{digits}f}" for key, (_, digits) in SCORES.items())) for what, scores in rows.items()]
    lines = ("<tr>" + "".join(f"<td {CELL}>{cell}</td>" for cell in line) + "</tr>" for line in table)
    return f"<table style='line-height:1.5'>{''.join(lines)}</table>"
