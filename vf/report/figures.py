"""The plots of the report: one look, units on every axis, colours that colour-blind readers can tell apart."""

from collections.abc import Sequence
from typing import Any

import librosa
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from vf.signal import mel
from vf.signal.timeline import Timeline

# Okabe and Ito's palette
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
COLOURS = [BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK]
GREY = "#BBBBBB"  # of a reference, drawn as an area so that no line hides another
WIDTH = 7.2  # inches of a figure as wide as a page
LEVELS = (-70, 30)  # dB, the ends of a spectrogram's colours
FREQUENCIES = (250, 1000, 2000, 4000, 8000)  # Hz, ticks of a mel axis
plt.rcParams.update({
    "figure.dpi": 110, "savefig.dpi": 160, "font.size": 9, "axes.titlesize": 9, "axes.titlelocation": "left",
    "figure.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "legend.fontsize": 8, "axes.prop_cycle": plt.cycler(color=COLOURS), "figure.constrained_layout.use": True,
})  # fmt: skip


def strip(ax: Axes, frames: np.ndarray, seconds: float, count: int = 12) -> None:
    """Draw `count` frames of a film side by side over time. frames: (t, h, w, 3) uint8. seconds: its length."""
    picked = frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]
    ax.imshow(np.concatenate(list(picked), axis=1), extent=(0, seconds, 0, 1), aspect="auto")
    ax.set(yticks=[], ylabel="film")
    ax.grid(False)


def spectrogram(ax: Axes, wave: ArrayLike, timeline: Timeline, label: str = "") -> AxesImage:
    """Draw the log-mel of a waveform (s,), in dB relative to full scale, up to 8 kHz.

    Returns the image, for `colour_bar`.
    """
    hop = timeline.sound_hop
    samples = torch.as_tensor(np.asarray(wave, np.float32))
    whole = samples[: len(samples) // hop * hop]
    level = mel.log_mel(whole, timeline.sample_rate, timeline.sound_window, hop).T * 20 / np.log(10)
    bins = len(level)
    image = ax.imshow(
        level, origin="lower", aspect="auto", cmap="magma", vmin=LEVELS[0], vmax=LEVELS[1],
        extent=(0, len(whole) / timeline.sample_rate, 0, bins),
    )  # fmt: skip
    # the centres of the filters are equally far apart in mel, the first and the last one step from 0 and from 8 kHz
    share = librosa.hz_to_mel(np.array(FREQUENCIES)) / librosa.hz_to_mel(8000)
    ticks = (share * (bins + 1) - 0.5).clip(0, bins)
    ax.set_yticks(ticks, [f"{f / 1000:g}" for f in FREQUENCIES])
    ax.set(ylabel="kHz", title=label)
    return image


def colour_bar(figure: Figure, image: AxesImage, axes: Any) -> None:
    """Say what the colours of spectrograms mean, once for all `axes` that share them."""
    figure.colorbar(image, ax=axes, label="level (dB)", fraction=0.04, pad=0.01)


def curve(ax: Axes, values: ArrayLike, rate: float, label: str | None = None, **style: Any) -> None:
    """An RMS curve (n,) over seconds. rate: frames per second."""
    values = np.asarray(values)
    ax.plot((np.arange(len(values)) + 0.5) / rate, values, lw=style.pop("lw", 1.2), label=label, **style)
    _axes(ax, values, rate)


def reference(ax: Axes, values: ArrayLike, rate: float, label: str | None = None) -> None:
    """An RMS curve (n,) that others are held against, as an area behind them."""
    values = np.asarray(values)
    ax.fill_between((np.arange(len(values)) + 0.5) / rate, values, color=GREY, lw=0, label=label)
    _axes(ax, values, rate)


def _axes(ax, values, rate):
    ax.set(ylabel="RMS", xlabel="time (s)", ylim=(0, None), xlim=(0, len(values) / rate))


def losses(history: dict[str, Sequence[float]], title: str, smooth: int = 20) -> Figure:
    """A figure of training losses: see `loss`.

    history: {name: losses}, each with its own panel. Where nothing was trained, the figure says so.
    """
    history = {name: values for name, values in history.items() if len(values)}
    panels = max(1, len(history))
    figure, axes = plt.subplots(1, panels, figsize=(max(3.4, min(3.4 * panels, WIDTH)), 2.2), squeeze=False)
    if not history:
        axes[0, 0].set_axis_off()
        axes[0, 0].text(0.5, 0.5, "loaded, not trained", ha="center")
    for ax, (name, values) in zip(axes[0], history.items()):
        loss(ax, values, smooth)
        ax.set(title=name)
    for ax in axes[0, 1:]:
        ax.set_ylabel("")
    figure.suptitle(title)
    return figure


def loss(ax: Axes, values: Sequence[float], smooth: int = 20) -> None:
    """The loss of every step and its running mean over `smooth` whole steps, at the middle of them."""
    width = min(smooth, len(values))
    mean = np.convolve(values, np.ones(width) / width, "valid")
    ax.plot(values, color=SKY, lw=0.5, alpha=0.6)
    ax.plot(np.arange(len(mean)) + (width - 1) / 2, mean, color=BLUE, lw=1.4)
    ax.set(xlabel="step", ylabel="loss", xlim=(0, None))
