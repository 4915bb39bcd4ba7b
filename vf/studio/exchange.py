"""Files in and out of the desk: what is dropped on it, what it writes, and what the browser downloads."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import traitlets as t

from vf.foley import command
from vf.studio import words
from vf.studio.carrier import SCRIPT, Carrier
from vf.studio.controls import prose, row

if TYPE_CHECKING:
    from vf.studio.desk import Desk

HERE = Path(__file__).parent
KINDS = {
    "loudness of a sound": "sound",
    "CSV of time and level": "csv",
    "onsets": "onsets",
    "markers (CSV): regions": "markers",
}


class DropZone(Carrier):
    """A place to drop files on.

    notice: what it says. large: whether it asks to be used. anywhere: takes what is dropped anywhere on the page.
    """

    _esm = SCRIPT + (HERE / "drop.js").read_text(encoding="utf-8")
    _css = HERE / "files.css"
    notice = t.Unicode("").tag(sync=True)
    large = t.Bool(False).tag(sync=True)
    anywhere = t.Bool(False).tag(sync=True)


class Downloads(Carrier):
    """Links to the files that were written. offered: dicts of key, name and bytes, the last one first."""

    _esm = SCRIPT + (HERE / "downloads.js").read_text(encoding="utf-8")
    _css = HERE / "files.css"
    offered: t.List = t.List().tag(sync=True)

    def offer(self, path: Path, download: bool = False) -> None:
        """Add a link to a file, in place of an older one to it. download: let the browser fetch it at once."""
        others = [entry for entry in self.offered if self.outgoing[entry["key"]] != path]
        key = str(1 + max((int(entry["key"]) for entry in self.offered), default=0))
        self.outgoing[key] = path
        self.offered = [{"key": key, "name": path.name, "bytes": path.stat().st_size}, *others][:8]
        if download:
            self.send({"save": key})


class Exchange:
    """The desk's drop zone and downloads, and its pages of curve files, saving, and another film.

    desk: keeps the fields, and runs what takes long. output: what Save writes. What is dropped is kept in its folder.
    """

    def __init__(self, desk: "Desk", output: str | Path):
        self._desk = desk
        self._studio = desk.studio
        self.drop = DropZone(desk.studio.path(output).parent, self.take)
        self.downloads = Downloads()
        self._named = self._studio.film  # the film that the output is named after
        button = desk.button
        self._gets = [
            button("Download film", lambda: self._get(self._film)),
            button("wav, 48 kHz", lambda: self._get(self._studio.write_wav)),
            button("project for a DAW", lambda: self._get(self._studio.write_project)),
            button("session", lambda: self._get(self._session)),
        ]
        self._gets[2].tooltip = "a zip: film, wavs of 48 kHz, a stem for each region, markers, curve, REAPER project"
        self._gets[3].tooltip = "a small JSON: drop it here together with the film, and the work goes on"
        self.buttons = row(self._gets)
        self.pages = [self._curve_page(), self._session_page(output), self._film_page()]

    def _curve_page(self):
        desk = self._desk
        files = [
            desk.field("curve file", w.Text(placeholder="curve.csv"), "300px", "file", grow=True),
            desk.field("kind", w.Dropdown(options=KINDS), "auto"),
            desk.button("Import", self._import),
            desk.button("Export", self._export),
        ]
        return row(files)

    def _session_page(self, output):
        desk = self._desk
        save = [
            desk.field("output", w.Text(str(output)), "300px", "film", grow=True),
            desk.field("wav", w.Checkbox(False, indent=False), "165px", "and a 48 kHz wav"),
            desk.field("project", w.Checkbox(False, indent=False), "180px", "and a project for a DAW"),
            desk.button("Save", self._save, "success"),
        ]
        load = [
            desk.field("session", w.Text(str(Path(output).with_suffix(".json"))), "300px", "session", grow=True),
            desk.button("Load", lambda: self._load(desk.fields["session"].value)),
        ]
        desk.fields["output"].observe(lambda _: self._say_where(), "value")
        self._where = prose()
        self._say_where()
        return w.VBox([row(save), row(load), self._where])

    def _say_where(self):
        name = self._desk.fields["output"].value
        folder = self._studio.path(name or "x").parent.resolve()
        text = html.escape(f"{words.WRITTEN}. Here all of it goes into {folder}.")
        self._where.value = f"<span style='color:#555'>{text}</span>"

    def _film_page(self):
        desk = self._desk
        film = desk.field("film", w.Text(placeholder="film.mp4"), "300px", grow=True)
        return row([film, desk.button("Open", lambda: self.open(desk.fields["film"].value))])

    # in

    def take(self, path: Path) -> None:
        """Do what a file that was dropped is for: open a film, load a session, take a curve or markers."""
        kind = path.suffix.lower()
        if kind == ".json":
            self._load(path)
        elif kind in (".csv", ".txt"):
            done = f"{path.name} is taken; Undo takes it back"
            self._desk.start(self._desk.attempt, self._studio.read_table, path, done=done)
        elif self._studio.is_sound(path):
            done = f"the curve is the loudness of {path.name}; Undo takes it back. For its timbre: write its name below"
            self._desk.start(self._desk.attempt, self._studio.read_curve, path, "sound", done=done)
        else:
            self.open(path)

    def open(self, film: str | Path) -> None:
        """Open a film beside the desk, which shows how far its curve is."""
        self._desk.start(self._open, film)

    def _open(self, film):
        self._desk.say(f"{Path(film).name}: its loudness curve is being predicted …")
        if self._desk.attempt(self._studio.open, film, self._desk.progress):
            self._desk.say(f"{Path(film).name} is open; Render makes its sound")

    def _load(self, session):
        self._desk.start(self._read, session)

    def _read(self, session):
        if self._desk.attempt(self._studio.load, session, self._desk.progress) and self._desk.attempt(self._desk.fill):
            other = "its weights were others than these: Render makes another sound"
            self._desk.say(f"the session is loaded; {'Render makes its sound again' if self._studio.same else other}")

    def _import(self):
        kind = self._desk.fields["kind"].value
        name = self._desk.fields["curve file"].value
        if kind == "markers":
            self._desk.attempt(self._studio.read_markers, name)
        else:
            self._desk.attempt(self._studio.read_curve, name, kind)

    # out

    def _export(self):
        kind = self._desk.fields["kind"].value
        name = self._desk.fields["curve file"].value
        if kind == "markers":
            self._put(self._studio.write_markers, name)
        else:
            self._put(self._studio.write_curve, name, kind)

    def _save(self):
        fields = self._desk.fields
        self._put(self._studio.save, fields["output"].value, fields["wav"].value, fields["project"].value)

    def _film(self, output):
        path = self._studio.save(output)
        self.downloads.offer(path.with_suffix(".json"))
        return path

    def _session(self, output):
        return self._studio.save(output).with_suffix(".json")

    def _get(self, write: Callable):
        self._desk.start(self._put, write, self._desk.fields["output"].value, download=True)

    def _put(self, write: Callable, *choices: Any, download: bool = False):
        """Write a file and offer it to the browser."""

        def put():
            path = write(*choices)
            self.downloads.offer(path, download)
            return path

        self._desk.attempt(put, done="written:")

    # what is shown

    def show(self) -> None:
        """Name what is written after the film, and offer what can be had."""
        film = self._studio.film
        if film != self._named:
            self._named = film
            output = command.target(film, None, False) if film else Path("foley.wav")
            beside = output.parent == self._studio.folder
            self._desk.fields["output"].value = output.name if beside else str(output)
            self._desk.fields["session"].value = str(Path(self._desk.fields["output"].value).with_suffix(".json"))
        for button in self._gets:
            button.disabled = self._studio.made is None
        self._gets[0].description = "Download film" if film else "Download sound"
        self.drop.large = film is None
        if film is None:
            self.drop.notice = "Drop a film here, or click to choose one"
        else:
            self.drop.notice = (
                f"{film.name}, {self._studio.seconds:.2f} s. Drop another film here, a hummed or clapped sound, "
                "a curve or markers (CSV), onsets (text), or a session (JSON)"
            )
