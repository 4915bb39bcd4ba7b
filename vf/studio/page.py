"""The desk alone on a page, as `make studio` serves it: each visit has a desk, a process and a folder of its own."""

import html
import tempfile
import threading
import time
from pathlib import Path

import ipywidgets as w

WIDE = {"width": "100%"}
HEAD = (
    "<h1 style='font-size:20px;margin:4px 0'>Video-Foley</h1>A silent film goes in; its loudness curve is predicted, "
    "drawn and bent; film and wav come out."
)


class Page:
    """A heading, and below it the desk as soon as its model is loaded.

    folder: what this visit drops and writes goes into a folder of its own in there. hold: of VideoFoley. view: the
    widget to display. loading: the thread that loads the model.
    """

    def __init__(self, folder: str | Path, hold: float | None = None):
        self._hold = hold
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y-%m-%d_%H-%M-%S_"), dir=folder))
        where = html.escape(str(self.folder))
        kept = f"A visit ends when the page is closed or loaded again; what was written stays in <code>{where}</code>."
        self.message = w.HTML("The model is being loaded: about half a minute.", layout=WIDE)
        head = w.HTML(f"<div style='font-family:sans-serif;line-height:1.5'>{HEAD}<br>{kept}</div>", layout=WIDE)
        self.view = w.VBox([head, self.message], layout={"width": "100%", "max_width": "1400px", "margin": "0 auto"})
        self.view.add_class("vf-desk")
        self.loading = threading.Thread(target=self._load, daemon=True)
        self.loading.start()

    def _load(self):
        try:
            from vf.foley.render import VideoFoley  # here, as torch takes seconds and the page is to show at once
            from vf.studio.desk import Desk
            from vf.studio.studio import Studio

            studio = Studio(VideoFoley.from_pretrained(hold=self._hold), folder=self.folder)
            desk = Desk(studio, "foley.wav")
            desk.exchange.drop.anywhere = True
        except Exception as error:  # the page would wait for ever
            self.message.value = f"<b style='color:#c00000'>{html.escape(' '.join(str(error).split()))}</b>"
        else:
            self.view.children = [self.view.children[0], desk.view]
