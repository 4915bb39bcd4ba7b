"""The plots of the notebooks and the report: one look, units on every axis, colours that colour-blind readers can tell apart."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from vf import mel, rms

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
        level, origin="lower", aspect="auto", cmap="magma", vmin=-70, vmax=30, extent=(0, len(whole) / timeline.sample_rate, 0, 64)
    )
    ax.set(ylabel="mel bin", title=label)


def curve(ax, values, rate, label=None, **style):
    """An RMS curve (n,) over seconds. rate: frames per second."""
    ax.plot((np.arange(len(values)) + 0.5) / rate, np.asarray(values), lw=style.pop("lw", 1.2), label=label, **style)
    ax.set(ylabel="RMS", xlabel="time (s)", ylim=(0, None), xlim=(0, len(values) / rate))


def losses(history, title, smooth=20):
    """A figure of training losses. history: {name: list of losses}, each with its own panel."""
    figure, axes = plt.subplots(1, len(history), figsize=(3.4 * len(history), 2.2), squeeze=False)
    for ax, (name, values) in zip(axes[0], history.items()):
        kernel = np.ones(min(smooth, len(values))) / min(smooth, len(values))
        ax.plot(values, color=SKY, lw=0.5, alpha=0.6)
        ax.plot(np.convolve(values, kernel, "valid"), color=BLUE, lw=1.4)
        ax.set(title=name, xlabel="step", ylabel="loss")
    figure.suptitle(title)
    return figure


def case(frames, sounds, timeline, wanted=None, title=""):
    """Figures 3 and 4: the film's strip, then the log-mel and RMS of each system on the same axes.

    frames: (t, h, w, 3) uint8. sounds: {system: (s,) waveform}. wanted: (n,) curve at the 512/128 rate, drawn dashed
    into every RMS panel. Returns the figure.
    """
    rows = 1 + len(sounds)
    figure, axes = plt.subplots(rows, 2, figsize=(7.2, 1.15 * rows + 0.3), sharex=True, width_ratios=(1, 1))
    rate = timeline.sample_rate / timeline.video_hop
    measured = {
        name: rms.rms_curve(torch.as_tensor(np.asarray(w, np.float32)), timeline.video_window, timeline.video_hop)
        for name, w in sounds.items()
    }
    top = 1.1 * max([float(c.max()) for c in measured.values()] + [float(np.max(wanted)) if wanted is not None else 0, 0.01])
    for ax in axes[0]:
        strip(ax, frames, timeline.seconds, count=6)
    for (left, right), (name, wave) in zip(axes[1:], sounds.items()):
        spectrogram(left, wave, timeline, name)
        curve(right, measured[name], rate, color=BLUE)
        if wanted is not None:
            curve(right, wanted, rate, color=RED, ls="--", lw=0.9)
        right.set(ylim=(0, top), title=f"{name}: RMS" + (" (dashed: wanted)" if wanted is not None else ""))
        left.set_xlabel("")
        right.set_xlabel("")
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    figure.suptitle(title)
    return figure


def shapes(wanted, sounds, timeline, title):
    """Figure 12: one prompt, several curves. wanted: {shape: (n,) at the 512/128 rate}; sounds: {shape: (s,)}."""
    figure, axes = plt.subplots(2, len(wanted), figsize=(1.9 * len(wanted), 3.2), sharex=True, sharey="row", squeeze=False)
    rate = timeline.sample_rate / timeline.video_hop
    for (top, bottom), (name, goal) in zip(axes.T, wanted.items()):
        wave = torch.as_tensor(np.asarray(sounds[name], np.float32))
        spectrogram(top, wave, timeline, name)
        got = rms.rms_curve(wave, timeline.video_window, timeline.video_hop)
        curve(bottom, got, rate, "got", color=BLUE)
        curve(bottom, goal, rate, "wanted", color=RED, ls="--")
        r = float(np.corrcoef(np.asarray(got), np.asarray(goal))[0, 1])
        bottom.set_title(f"r = {r:.2f}")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    axes[1, 0].legend()
    figure.suptitle(title)
    return figure


def bars(rows, metric, label, title, paper=None):
    """Horizontal bars of one metric over systems, with intervals, and the paper's values as diamonds.

    rows: {system: {metric: value, metric_interval: [low, high]}}. paper: {system: value}. Returns the figure.
    """
    names = [n for n in rows if rows[n].get(metric) is not None]
    values = np.array([rows[n][metric] for n in names])
    spans = np.array([rows[n].get(f"{metric}_interval") or [v, v] for n, v in zip(names, values)])
    figure, ax = plt.subplots(figsize=(5.2, 0.32 * len(names) + 0.9))
    y = np.arange(len(names))[::-1]
    error = np.clip([values - spans[:, 0], spans[:, 1] - values], 0, None)
    ax.barh(y, values, xerr=error, color=SKY, height=0.65, error_kw={"lw": 1})
    for name, row in zip(names, y):
        if paper and paper.get(name) is not None:
            ax.plot(paper[name], row, "D", color=RED, ms=5)
    if paper:
        ax.plot([], [], "D", color=RED, ms=5, label="the paper (its own data)")
        ax.legend()
    ax.set(yticks=y, yticklabels=names, xlabel=label, title=title)
    return figure


def film(made):
    """A foley.Foley: spectrogram of the sound, and its curve over the one that was wanted."""
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.2, 3.4), sharex=True)
    seconds = len(made.waveform) / made.sample_rate
    hop = 160
    whole = torch.as_tensor(made.waveform)[: len(made.waveform) // hop * hop]
    level = mel.log_mel(whole, made.sample_rate, hop=hop).T * 20 / np.log(10)
    top.imshow(level, origin="lower", aspect="auto", cmap="magma", vmin=-70, vmax=30, extent=(0, seconds, 0, 64))
    top.set(ylabel="mel bin", title=str(made.film.name))
    curve(bottom, made.rms, made.sample_rate / made.hop, "got", color=BLUE)
    curve(bottom, made.wanted, made.sample_rate / made.hop, "wanted", color=RED, ls="--")
    bottom.legend()
    return figure
