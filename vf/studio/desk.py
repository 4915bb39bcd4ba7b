"""The studio's controls. Each calls one method of `studio.Studio`; an error becomes one red line."""

import html
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as w
import numpy as np

from vf.foley import curves
from vf.foley import render as foley
from vf.studio import editor
from vf.studio.studio import Stretch, Studio

WIDE = {"width": "100%"}
# the methods of Studio that the drawing surface may call
HANDS = ("draw", "stamp", "move", "scale", "delete", "smooth", "clear", "reset", "undo", "redo")
KINDS = {"loudness of a sound": "sound", "CSV of time and level": "csv", "onsets": "onsets"}
TABS = ("Shape", "Regions", "Curve files", "Save and load", "Another film")
SCORES = {  # keys of adherence.adherence: name and digits
    "e_l1": ("E-L1", 4),
    "error_db": ("error (dB)", 1),
    "lag_ms": ("late by (ms)", 1),
    "onset_f1_50ms": ("onset F1, 50 ms", 2),
    "correlation": ("correlation", 3),
}
CELL = "style='text-align:left;padding-right:18px;min-width:70px'"


class Desk:
    """The studio's controls around the drawing surface.

    studio: Studio. output: where Save writes. view: the widget to display.
    """

    def __init__(self, studio: Studio, output: str | Path = "foley.mp4"):
        self.studio = studio
        self.editor = editor.Editor()
        self.fields: dict = {}
        self.buttons: dict = {}
        self.message = w.HTML(layout=WIDE)
        self.message.add_class("vf-message")
        self.scores = w.HTML(layout=WIDE)
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
        self.editor.observe(self._marked, "span")
        controls = [self.editor, self.scores, self._render_controls(), self.message, self._tabs(str(output))]
        self.view = w.VBox(controls, layout=WIDE)
        studio.watchers.append(self.refresh)
        self._busy(False)
        self.refresh()

    # controls

    def _field(self, name, widget, width="150px", label=None, grow=False):
        """Keep a widget under a name. grow: it takes the space that is left in its row, at least `width`."""
        widget.description = label or name
        widget.layout.width = width
        if grow:
            widget.layout.width = "auto"
            widget.layout.flex = f"1 1 {width}"
        widget.style.description_width = "initial"
        self.fields[name] = widget
        return widget

    def _number(self, name, value, low, high, step=0.01, width="130px", label=None):
        widget = w.BoundedFloatText(value, min=low, max=high, step=step)
        return self._field(name, widget, width, label)

    def _seed(self, name, value):
        """A seed of any size: a bounded field would change a larger one without a word."""
        return self._field(name, w.IntText(value), "150px", "seed")

    def _button(self, name, act, style=""):
        button = w.Button(description=name, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: act())
        self.buttons[name] = button
        return button

    def _stretch_fields(self, name):
        """Fields for a part of a sound or film; `_stretch` reads them."""
        path = w.Text(placeholder="sound or film file", tooltip="its sound is the prompt, instead of the text")
        return [
            self._field(name, path, "220px", "or timbre of", grow=True),
            self._number(f"{name} from", 0.0, 0, 36000, 0.1, "110px", "from (s)"),
            self._number(f"{name} for", 0.0, 0, 3600, 0.1, "100px", "for (s)"),
        ]

    def _stretch(self, name) -> Stretch | None:
        """File, start and length that the fields of `_stretch_fields` hold, or None without a file."""
        path = self.fields[name].value.strip()
        if not path:
            return None
        return path, self.fields[f"{name} from"].value, self.fields[f"{name} for"].value or None

    def _render_controls(self):
        """The controls of every render; they stay in sight, outside the tabs."""
        studio = self.studio
        prompt = [self._field("prompt", w.Text(studio.prompt), "280px", grow=True), *self._stretch_fields("like")]
        row = [
            self._button("Render", self.render, "primary"),
            self._button("Stop", self._stop.set, "warning"),
            self._seed("seed", studio.seed),
            self._field("best of", w.BoundedIntText(studio.best_of, min=1, max=16), "105px"),
            self._field("correct gain", w.Checkbox(studio.correct_gain, indent=False), "115px"),
            self._field("hear", w.Dropdown(options=["new sound", "film's own"]), "150px"),
            self.bar,
        ]
        self.fields["hear"].observe(lambda _: self.refresh(), "value")
        return w.VBox([_row(prompt), _row(row)], layout=WIDE)

    def _tabs(self, output):
        pages = [
            self._shape_page(),
            self._region_page(),
            self._curve_page(),
            self._session_page(output),
            self._film_page(),
        ]
        return w.Tab(pages, titles=TABS)

    def _shape_page(self):
        shape = [
            self._field("shape", w.Dropdown(options=list(curves.SHAPES), value="hit"), "150px"),
            self._number("onset", 0.5, 0, 36000, label="onset (s)"),
            self._number("length", 0.4, 0.01, 3600, label="length (s)"),
            self._number("level", 0.2, 0.0, 1.0, width="110px"),
            self._number("peak", 0.5, 0.01, 0.99, width="110px"),
            self._button("Stamp", self._stamp),
        ]
        for name in ("shape", "length", "level", "peak"):
            w.link((self.fields[name], "value"), (self.editor, name))
        return _row(shape)

    def _region_page(self):
        place = [
            self._number("start", 0.0, 0, 36000, label="start (s)"),
            self._number("end", 1.0, 0, 36000, label="end (s)"),
            self._seed("region seed", 0),
            self._number("gain", 0.0, -40, 40, 0.5, label="gain (dB)"),
        ]
        prompt = [
            self._field("region prompt", w.Text(), "280px", "prompt", grow=True),
            *self._stretch_fields("region like"),
        ]
        regions = [
            self._button("Add region", self._add_region),
            self._field("regions", w.Dropdown(), "300px", grow=True),
            self._button("Delete region", self._delete_region),
        ]
        return w.VBox([_row(place), _row(prompt), _row(regions)])

    def _curve_page(self):
        files = [
            self._field("curve file", w.Text(placeholder="curve.csv"), "300px", "file", grow=True),
            self._field("kind", w.Dropdown(options=KINDS), "auto"),
            self._button("Import", self._import),
            self._button("Export", self._export),
        ]
        return _row(files)

    def _session_page(self, output):
        save = [
            self._field("output", w.Text(output), "300px", "film", grow=True),
            self._button("Save", self._save, "success"),
        ]
        load = [
            self._field("session", w.Text(str(Path(output).with_suffix(".json"))), "300px", "session", grow=True),
            self._button("Load", self._load),
        ]
        return w.VBox([_row(save), _row(load)])

    def _film_page(self):
        film = self._field("film", w.Text(placeholder="film.mp4"), "300px", grow=True)
        return _row([film, self._button("Open", self._open)])

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
        studio = self.studio
        studio.seed = self.fields["seed"].value
        studio.best_of = self.fields["best of"].value
        studio.correct_gain = self.fields["correct gain"].value
        sound = self._stretch("like") or ()
        if self._do(studio.prompt_by, self.fields["prompt"].value.strip(), *sound):
            self._do(studio.render, self._progress, self._stop.is_set)
        self._busy(False)

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

    def _say(self, words, wrong=False):
        text = html.escape(words) or "&nbsp;"
        self.message.value = f'<b style="color:#c00000">{text}</b>' if wrong else text

    def _stamp(self):
        names = ("shape", "onset", "length", "level", "peak")
        self._do(self.studio.stamp, *(self.fields[name].value for name in names))

    def _add_region(self):
        done = self._do(
            self.studio.add_region,
            self.fields["start"].value,
            self.fields["end"].value,
            self.fields["region prompt"].value.strip(),
            self._stretch("region like"),
            self.fields["region seed"].value,
            self.fields["gain"].value,
        )
        if done:
            self.editor.span = []

    def _delete_region(self):
        index = self.fields["regions"].value
        self._do(self.studio.delete_region, -1 if index is None else index)

    def _import(self):
        self._do(self.studio.read_curve, self.fields["curve file"].value, self.fields["kind"].value)

    def _export(self):
        self._do(self.studio.write_curve, self.fields["curve file"].value, self.fields["kind"].value, done="written:")

    def _save(self):
        self._do(self.studio.save, self.fields["output"].value, done="saved:")

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
        regions = self.studio.regions
        self.fields["regions"].options = [
            (f"{r.start:.2f}–{r.end:.2f} s, {_label(r)}, {r.gain_db:+g} dB", i) for i, r in enumerate(regions)
        ]
        self.fields["regions"].index = len(regions) - 1 if regions else None
        self.scores.value = _scores(self.studio)

    def _show_curves(self):
        studio = self.studio
        surface = self.editor
        surface.rate = studio.rate
        surface.seconds = studio.seconds
        surface.wanted = _floats(studio.wanted)
        surface.predicted = _floats(studio.predicted)
        surface.stairs = _floats(studio.stairs)
        surface.events = [[float(start), float(end)] for start, end in studio.events]
        surface.regions = [{"start": r.start, "end": r.end, "label": _label(r)} for r in studio.regions]
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

    def _marked(self, change):
        """A stretch marked in the region lane fills start and end."""
        if change["new"]:
            start, end = change["new"]
            self.fields["start"].value = round(start, 3)
            self.fields["end"].value = round(end, 3)

    def _fill(self):
        """Put the choices of a loaded session into the fields."""
        studio = self.studio
        audio = studio.audio
        path, start, end = audio if isinstance(audio, tuple) else (audio or "", 0.0, 0.0)
        self.fields["like"].value = str(path)
        self.fields["like from"].value = start
        self.fields["like for"].value = end - start
        self.fields["prompt"].value = studio.prompt
        self.fields["seed"].value = studio.seed
        self.fields["best of"].value = studio.best_of
        self.fields["correct gain"].value = studio.correct_gain


def _row(children: Sequence[w.Widget]) -> w.HBox:
    return w.HBox(children, layout={"flex_flow": "row wrap", "width": "100%"})


def _floats(curve: np.ndarray) -> bytes:
    return np.asarray(curve, "<f4").tobytes()


def _label(region: foley.Region) -> str:
    """What a region sounds like, in a few words."""
    if region.prompt:
        return region.prompt
    return "the film's own prompt" if region.audio is None else "as a sound"


def _scores(studio: Studio) -> str:
    """The table under the plot: how closely the last render follows its curve."""
    sound = studio.made
    if sound is None:
        return "no render yet"
    rows = {"as it is": sound.adherence["raw"], "after one gain": sound.adherence["gain_matched"]}
    if sound.uncorrected:
        rows = {"before its gain was corrected": sound.uncorrected["raw"]} | rows
    current = np.array_equal(sound.wanted, studio.wanted)
    title = "the sound against the wanted curve" if current else "<i>the curve has changed since: Render again</i>"
    table = [(title, *(name for name, _ in SCORES.values()))]
    for label, scores in rows.items():
        table.append((label, *(f"{scores[key]:.{digits}f}" for key, (_, digits) in SCORES.items())))
    lines = ("<tr>" + "".join(f"<td {CELL}>{cell}</td>" for cell in line) + "</tr>" for line in table)
    return f"<table style='line-height:1.5'>{''.join(lines)}</table>"
