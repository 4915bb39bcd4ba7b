"""Widgets by name: fields, buttons, and the three fields of a stretch of a sound."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from vf.foley.request import Timbre
from vf.studio.studio import Stretch

WIDE = {"width": "100%"}
NO_SOUND = "sound or film file"


class Controls:
    """Fields and buttons by name, on which others build."""

    def __init__(self) -> None:
        self.fields: dict = {}
        self.buttons: dict = {}

    def field(self, name: str, widget: Any, width: str = "150px", label: str | None = None, grow: bool = False) -> Any:
        """Keep a widget under a name. grow: it takes the space that is left in its row, at least `width`."""
        widget.description = label or name
        widget.layout.width = width
        if grow:
            widget.layout.width = "auto"
            widget.layout.flex = f"1 1 {width}"
        widget.style.description_width = "initial"
        self.fields[name] = widget
        return widget

    def number(
        self,
        name: str,
        value: float,
        low: float,
        high: float,
        step: float = 0.01,
        width: str = "130px",
        label: str | None = None,
    ) -> w.BoundedFloatText:
        """A field for a number from low to high."""
        widget = w.BoundedFloatText(value, min=low, max=high, step=step)
        return self.field(name, widget, width, label)

    def seed(self, name: str, value: int, label: str = "seed", width: str = "150px") -> w.IntText:
        """A seed of any size: a bounded field would change a larger one without a word."""
        return self.field(name, w.IntText(value), width, label)

    def button(self, name: str, act: Callable[[], object], style: str = "") -> w.Button:
        """A button of that name. act: what it does."""
        button = w.Button(description=name, button_style=style, layout={"width": "auto"})
        button.on_click(lambda _: act())
        self.buttons[name] = button
        return button

    def stretch_fields(self, name: str) -> list[w.Widget]:
        """Fields for a part of a sound or film; `stretch` reads them."""
        path = w.Text(placeholder=NO_SOUND, tooltip="its sound is the prompt, instead of the text")
        return [
            self.field(name, path, "220px", "or timbre of", grow=True),
            self.number(f"{name} from", 0.0, 0, 36000, 0.1, "110px", "from (s)"),
            self.number(f"{name} for", 0.0, 0, 3600, 0.1, "100px", "for (s)"),
        ]

    def stretch(self, name: str) -> Stretch | None:
        """File, start and length that the fields of `stretch_fields` hold, or None without a file."""
        path = self.fields[name].value.strip()
        if not path:
            return None
        return path, self.fields[f"{name} from"].value, self.fields[f"{name} for"].value or None

    def fill_stretch(self, name: str, audio: Any) -> None:
        """Put a sound as prompt into the fields of `stretch_fields`."""
        kept = isinstance(audio, Timbre)  # of a session: a vector without a file, which no field can hold
        self.fields[name].placeholder = "the session's own sound; a file replaces it" if kept else NO_SOUND
        if kept:
            audio = None
        path, start, end = audio if isinstance(audio, tuple) else (audio or "", 0.0, 0.0)
        self.fields[name].value = str(path)
        start = start or 0.0
        self.fields[f"{name} from"].value = start
        self.fields[f"{name} for"].value = 0.0 if end is None else end - start


def prose() -> w.HTML:
    """A widget for sentences, which may take several lines."""
    widget = w.HTML(layout=WIDE)
    widget.add_class("vf-text")
    return widget


def parsed(text: str, unit: str) -> float | None:
    """A number that a field may hold, or None for an empty one."""
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise ValueError(f"{unit}: {text!r}; wanted a number, or an empty field") from error


def row(children: Sequence[w.Widget]) -> w.HBox:
    """Widgets side by side, in as many lines as they need."""
    return w.HBox(children, layout={"flex_flow": "row wrap", "width": "100%"})
