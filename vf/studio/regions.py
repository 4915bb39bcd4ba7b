"""The desk's page of regions: fields for a part of the film, and the list of those there are."""

from collections.abc import Callable

import ipywidgets as w

from vf.foley import render as foley
from vf.foley.request import LARGEST_GAIN, Timbre
from vf.studio import words
from vf.studio.controls import Controls, row
from vf.studio.editor import Editor
from vf.studio.studio import Studio


class RegionPage:
    """Adds, changes and deletes regions.

    controls: where the fields are kept. do: calls a method and says what went wrong; returns whether nothing did. view:
    the widget to display. A region that comes to be chosen, in the list, on the surface or as the last that is left,
    fills the fields, so that "Change region" changes what is shown.
    """

    def __init__(self, controls: Controls, studio: Studio, editor: Editor, do: Callable[..., bool]):
        self._controls = controls
        self._studio = studio
        self._editor = editor
        self._do = do
        self._chosen: foley.Region | None = None
        self._shown: foley.Region | None = None  # in the fields
        self._listing = False  # the list is being made anew
        place = [
            controls.number("start", 0.0, 0, 36000, label="start (s)"),
            controls.number("end", 1.0, 0, 36000, label="end (s)"),
            controls.seed("region seed", -1, "seed (-1: the film's)", "250px"),
            controls.number("gain", 0.0, -LARGEST_GAIN, LARGEST_GAIN, 0.5, label="gain (dB)"),
        ]
        prompt = [
            controls.field("region prompt", w.Text(), "280px", "prompt", grow=True),
            *controls.stretch_fields("region like"),
        ]
        regions = [
            controls.button("Add region", self._add),
            controls.field("regions", w.Dropdown(), "300px", grow=True),
            controls.button("Change region", self._change),
            controls.button("Delete region", self._delete),
        ]
        self.view = w.VBox([row(place), row(prompt), row(regions)])
        self._fields = controls.fields
        self._fields["regions"].observe(lambda change: self._choose(change["new"]), "value")
        editor.observe(lambda change: self._choose(change["new"]), "region")
        editor.observe(self._marked, "span")

    def show(self) -> None:
        """List the studio's regions. The chosen one stays so; where it is gone, the last one is."""
        regions = self._studio.regions
        index = next((i for i, r in enumerate(regions) if r is self._chosen), len(regions) - 1)
        self._chosen = regions[index] if regions else None
        self._listing = True
        try:
            self._fields["regions"].options = [(words.choice(r), i) for i, r in enumerate(regions)]
            self._fields["regions"].index = index if regions else None
            self._editor.region = index
        finally:
            self._listing = False
        if self._chosen is not self._shown:
            self._fill()

    def _choose(self, index):
        """A region was chosen in the list or on the surface."""
        if self._listing or index is None or not 0 <= index < len(self._studio.regions):
            return
        self._chosen = self._studio.regions[index]
        self.show()

    def _fill(self):
        self._shown = region = self._chosen
        if region is None:
            return
        self._fields["start"].value = round(region.start, 3)
        self._fields["end"].value = round(region.end, 3)
        self._fields["region prompt"].value = region.prompt or ""
        self._fields["region seed"].value = -1 if region.seed is None else region.seed
        self._fields["gain"].value = region.gain_db
        self._controls.fill_stretch("region like", region.audio)

    def _marked(self, change):
        """A stretch marked in the region lane fills start and end."""
        if change["new"]:
            start, end = change["new"]
            self._fields["start"].value = round(start, 3)
            self._fields["end"].value = round(end, 3)

    def _choices(self):
        """Start, end, prompt, sound, seed and gain that the fields hold."""
        seed = self._fields["region seed"].value
        return (
            self._fields["start"].value,
            self._fields["end"].value,
            self._fields["region prompt"].value.strip(),
            self._controls.stretch("region like"),
            None if seed == -1 else seed,
            self._fields["gain"].value,
        )

    def _add(self):
        self._put(self._studio.add_region, *self._choices())

    def _change(self):
        start, end, text, sound, seed, gain_db = self._choices()
        if not text and sound is None and self._chosen and isinstance(self._chosen.audio, Timbre):
            sound = self._chosen.audio  # of a session; no field can show it
        self._put(self._studio.change_region, self._index(), start, end, text, sound, seed, gain_db)

    def _put(self, method, *choices):
        def put():
            self._chosen = method(*choices)

        if self._do(put):
            self._editor.span = []
            self.show()

    def _delete(self):
        self._do(self._studio.delete_region, self._index())

    def _index(self):
        """Of the chosen region, or -1."""
        index = self._fields["regions"].value
        return -1 if index is None else index
