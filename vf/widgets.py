"""Controls for RMS shapes in the notebook. Every control calls a plain method of Board, so a script can do the same."""

import io

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Audio, Video, display

from vf import figures, media, rms


class Board:
    """A curve made of shapes, and the sound it becomes.

    studio: foley.VideoFoley. prompt: text. curve: (n,) RMS at the 512/128 rate, one clip long until a film's is loaded.
    view: the widget to display.
    """

    def __init__(self, studio, prompt=""):
        self.studio, self.film, self.output = studio, None, None
        timeline = studio.timeline
        self.rate = timeline.sample_rate / timeline.video_hop
        self.curve = np.zeros(timeline.video_rms_frames, np.float32)
        self.waveform, self._past = None, []
        slider, layout = ipywidgets.FloatSlider, ipywidgets.Layout(width="100%")
        self.shape = ipywidgets.Dropdown(options=list(rms.SHAPES), value="hit", description="shape")
        self.onset = slider(0.5, min=0, max=timeline.seconds - 0.05, step=0.01, description="onset (s)", layout=layout)
        self.length = slider(0.4, min=0.02, max=timeline.seconds, step=0.01, description="length (s)", layout=layout)
        self.peak = slider(0.5, min=0.05, max=0.95, step=0.05, description="peak", layout=layout)
        self.level = slider(0.2, min=0.02, max=0.6, step=0.01, description="level", layout=layout)
        self.prompt = ipywidgets.Text(prompt, description="prompt", layout=layout)
        self.seed = ipywidgets.BoundedIntText(0, min=0, max=9999, description="seed")
        self.message = ipywidgets.HTML()
        self._plot, self._player = ipywidgets.Image(format="png", layout=layout), ipywidgets.Output()
        buttons = []
        for text, act, style in (
            ("Add shape", self._add_clicked, ""), ("Undo", self.undo, ""), ("Clear", self.clear, ""),
            ("Generate", self._generate_clicked, "primary"),
        ):  # fmt: skip
            button = ipywidgets.Button(description=text, button_style=style)
            button.on_click(lambda _, act=act: act())
            buttons.append(button)
        left = ipywidgets.VBox([self.shape, self.onset, self.length, self.peak, self.level], layout={"width": "50%"})
        right = ipywidgets.VBox([self.prompt, self.seed, ipywidgets.HBox(buttons), self.message], layout={"width": "50%"})
        self.view = ipywidgets.VBox([self._plot, ipywidgets.HBox([left, right]), self._player])
        self._draw()

    def add(self, name, onset, length, level, peak=0.5):
        """Stamp a shape onto the curve (see `rms.shape`); where it lies it replaces quieter values."""
        event = rms.shape(name, len(self.curve), self.rate, onset, length, level, peak).numpy()
        self._past.append(self.curve)
        self.curve = np.maximum(self.curve, event)
        self._draw()

    def undo(self):
        """Take the last change back; nothing happens when there is none."""
        if self._past:
            self.curve = self._past.pop()
            self._draw()

    def clear(self):
        """Silence the whole curve; undo brings it back."""
        self._past.append(self.curve)
        self.curve = np.zeros_like(self.curve)
        self._draw()

    def load(self, curve, film=None, output=None):
        """Take a curve (n,), for instance a film's predicted one, of any length.

        film, output: from now on Generate writes the film with its new sound to `output`.
        """
        self._past.append(self.curve)
        self.curve, self.film, self.output = np.asarray(curve, np.float32), film, output
        self.onset.max = len(self.curve) / self.rate - 0.05
        self._draw()

    def generate(self):
        """Sound for the curve and the prompt: waveform (s,), also kept as `waveform` and written under a loaded film."""
        self.waveform = self.studio.sound(self.curve, self.prompt.value.strip() or None, seed=self.seed.value)
        if self.film and self.output:
            media.replace_sound(self.film, self.output, self.waveform, self.studio.timeline.sample_rate)
        self._draw()
        return self.waveform

    def _add_clicked(self):
        try:
            self.add(self.shape.value, self.onset.value, self.length.value, self.level.value, self.peak.value)
            self.message.value = ""
        except ValueError as error:
            self.message.value = str(error)

    def _generate_clicked(self):
        self.message.value = "generating …"
        self.generate()
        self.message.value = ""
        with self._player:
            self._player.clear_output()
            if self.film and self.output:
                display(Video(str(self.output), embed=True, mimetype="video/mp4"))
            else:
                display(Audio(self.waveform, rate=self.studio.timeline.sample_rate, normalize=False))

    def _draw(self):
        figure, ax = plt.subplots(figsize=(9, 2.2))
        top = float(self.curve.max())
        figures.curve(ax, self.curve, self.rate, "wanted", color=figures.RED, ls="--")
        if self.waveform is not None and len(self.waveform) >= len(self.curve) * self.studio.timeline.video_hop:
            wave = torch.as_tensor(self.waveform)[: len(self.curve) * self.studio.timeline.video_hop]
            got = rms.rms_curve(wave, self.studio.timeline.video_window, self.studio.timeline.video_hop)
            figures.curve(ax, got, self.rate, "got", color=figures.BLUE)
            top = max(top, float(got.max()))
            ax.legend()
        ax.set_ylim(0, max(0.1, 1.1 * top))
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=100)
        plt.close(figure)
        self._plot.value = data.getvalue()
