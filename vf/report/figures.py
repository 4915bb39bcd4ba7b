"""The plots of the notebooks and the report: one look, units on every axis, colours that colour-blind readers can tell apart."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from vf.signal import mel

# Okabe and Ito's palette
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
COLOURS = [BLUE, ORANGE, GREEN, RED, PINK, SKY, BLACK]
plt.rcParams.update({
    "figure.dpi": 110, "savefig.dpi": 160, "font.size": 9, "axes.titlesize": 9, "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8,
    "axes.prop_cycle": plt.cycler(color=COLOURS), "figure.constrained_layout.use": True,
})  # fmt: skip


def strip(ax, frames, seconds, count=12):
    """Draw `count` frames of a film side by side along its time axis. frames: (t, h, w, 3) uint8. seconds: its length."""
    picked = frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]
    ax.imshow(np.concatenate(list(picked), axis=1), extent=(0, seconds, 0, 1), aspect="auto")
    ax.set(yticks=[], ylabel="film")
    ax.grid(False)


def spectrogram(ax, wave, timeline, label=""):
    """Log-mel of a waveform (s,), dB relative to full scale, 64 mel bins up to 8 kHz."""
    hop = timeline.sound_hop
    whole = torch.as_tensor(np.asarray(wave, np.float32))[: len(wave) // hop * hop]
    level = mel.log_mel(whole, timeline.sample_rate, timeline.sound_window, hop).T * 20 / np.log(10)
    ax.imshow(
        level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-70,
        vmax=30,
        extent=(0, len(whole) / timeline.sample_rate, 0, 64),
    )
    ax.set(ylabel="mel bin", title=label)


def curve(ax, values, rate, label=None, **style):
    """An RMS curve (n,) over seconds. rate: frames per second."""
    ax.plot((np.arange(len(values)) + 0.5) / rate, np.asarray(values), lw=style.pop("lw", 1.2), label=label, **style)
    ax.set(ylabel="RMS", xlabel="time (s)", ylim=(0, None), xlim=(0, len(values) / rate))


def losses(history, title, smooth=20):
    """A figure of training losses. history: {name: list of losses}, each with its own panel; what was not trained says so."""
    history = {name: values for name, values in history.items() if len(values)}
    panels = max(1, len(history))
    figure, axes = plt.subplots(1, panels, figsize=(3.4 * panels, 2.2), squeeze=False)
    if not history:
        axes[0, 0].set_axis_off()
        axes[0, 0].text(0.5, 0.5, "loaded, not trained", ha="center")
    for ax, (name, values) in zip(axes[0], history.items()):
        kernel = np.ones(min(smooth, len(values))) / min(smooth, len(values))
        ax.plot(values, color=SKY, lw=0.5, alpha=0.6)
        ax.plot(np.convolve(values, kernel, "valid"), color=BLUE, lw=1.4)
        ax.set(title=name, xlabel="step", ylabel="loss")
    figure.suptitle(title)
    return figure
