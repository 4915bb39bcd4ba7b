"""Figures that set systems side by side: case studies, drawn shapes, bars of a metric, the studio's film."""

import textwrap
from collections.abc import Collection, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vf.data.clips import Event
from vf.evaluation import metrics
from vf.report.figures import BLUE, RED, SKY, WIDTH, colour_bar, curve, reference, spectrogram, strip
from vf.signal import rms
from vf.signal.timeline import Timeline


def typical(score: ArrayLike, quality: ArrayLike, shown: Collection[int] = (), share: float = 0.1) -> int:
    """Index of a clip to show: the one of median quality among the clips with the highest scores.

    The best clip would flatter the system, and the first may be anything. score: (b,) what the figure is about.
    quality: (b,) how well it went. shown: indices to take only where there is no other. share: of clips that count as
    the highest, at least one.
    """
    score = np.asarray(score)
    fresh = np.array([i for i in range(len(score)) if i not in shown] or range(len(score)))
    top = fresh[np.argsort(score[fresh], kind="stable")[::-1][: max(1, round(share * len(score)))]]
    order = top[np.argsort(np.asarray(quality)[top], kind="stable")]
    return int(order[len(order) // 2])


def case(
    frames: np.ndarray,
    sounds: dict[str, ArrayLike],
    timeline: Timeline,
    events: Sequence[Event] = (),
    predicted: ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """Figures 3 and 4: the film's strip, then the log-mel and RMS of each system on the same axes.

    frames: (t, h, w, 3) uint8. sounds: {system: (s,) waveform}. events: marked on the strip. predicted:
    (n,) curve of Video2RMS at the 512/128 rate, drawn as an area into every RMS panel. Returns the figure.
    """
    rows = 1 + len(sounds)
    figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 1.15 * rows + 0.3), sharex=True, width_ratios=(1.1, 1))
    rate = timeline.video_rms_rate
    measured = {
        name: rms.rms_curve(torch.as_tensor(np.asarray(w, np.float32)), timeline.video_window, timeline.video_hop)
        for name, w in sounds.items()
    }
    highest = [float(c.max()) for c in measured.values()]
    top = 1.1 * max([*highest, 0.0 if predicted is None else float(np.max(predicted)), 0.01])
    strip(axes[0, 0], frames, timeline.seconds, count=6)
    axes[0, 1].set_axis_off()
    for action, marker in (("hit", "v"), ("scratch", "s"), (None, "d")):
        times = [e.time for e in events if e.action == action]
        label = f"{action or 'event'}, annotated"
        axes[0, 0].plot(
            times, [0.9] * len(times), marker, ms=4, color="w", mec="k", mew=0.6, label=label if times else None
        )
    for (left, right), (name, wave) in zip(axes[1:], sounds.items()):
        image = spectrogram(left, wave, timeline, name)
        curve(right, measured[name], rate, "RMS", color=BLUE)
        if predicted is not None:
            reference(right, predicted, rate, "RMS that Video2RMS predicts")
        right.set(ylim=(0, top), title=name, xlabel="")
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    colour_bar(figure, image, axes[1:, 0])
    labels = [ax.get_legend_handles_labels() for ax in (axes[0, 0], axes[1, 1])]
    figure.legend(*(sum(each, []) for each in zip(*labels)), loc="outside lower center", ncols=5)
    figure.suptitle(textwrap.fill(title, 110))
    return figure


def pairs(films: Sequence[tuple[str, ArrayLike, ArrayLike]], timeline: Timeline) -> Figure:
    """Spectrograms of true sounds, that of a system below each, in two columns.

    films: (title, true sound (s,), the system's sound (s,)) of each. Returns the figure.
    """
    lines = (len(films) + 1) // 2
    figure, axes = plt.subplots(2 * lines, 2, figsize=(1.5 * WIDTH, 2.1 * lines), sharex=True, squeeze=False)
    for k, (title, *sounds) in enumerate(films):
        waves = torch.as_tensor(np.asarray(sounds, np.float32))
        curves = rms.rms_curve(waves, timeline.video_window, timeline.video_hop).numpy()
        r, e_l1 = (float(metric(curves[:1], curves[1:])[0]) for metric in (metrics.correlation, metrics.e_l1))
        true, ours = axes[2 * (k // 2) : 2 * (k // 2) + 2, k % 2]
        image = spectrogram(true, waves[0], timeline, textwrap.shorten(title, 64, placeholder=" …"))
        spectrogram(ours, waves[1], timeline, f"correlation {r:.2f}, E-L1 {e_l1:.4f}")
        true.set_ylabel("truth (kHz)")
        ours.set_ylabel("ours (kHz)")
    for ax in axes[-2:, 1] if len(films) % 2 else []:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    colour_bar(figure, image, axes)
    return figure


def shapes(wanted: dict[str, ArrayLike], sounds: dict[str, ArrayLike], timeline: Timeline, title: str) -> Figure:
    """Figures 12 and 13: one prompt and several curves, or the reverse.

    wanted: {shape: (n,) at the 512/128 rate}. sounds: {shape: (s,)}. Returns the figure.
    """
    figure, axes = plt.subplots(
        2, len(wanted), figsize=(1.9 * len(wanted), 3.2), sharex=True, sharey="row", squeeze=False
    )
    rate, top_level = timeline.video_rms_rate, 0.0
    for (top, bottom), (name, goal) in zip(axes.T, wanted.items()):
        wave = torch.as_tensor(np.asarray(sounds[name], np.float32))
        image = spectrogram(top, wave, timeline, name)
        got = rms.rms_curve(wave, timeline.video_window, timeline.video_hop)
        reference(bottom, goal, rate, "wanted")
        curve(bottom, got, rate, "got", color=BLUE)
        r = float(metrics.correlation(goal, got))
        bottom.set_title(f"r = {r:.2f}")
        top_level = max(top_level, float(got.max()), float(np.max(np.asarray(goal))))
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    axes[1, 0].set_ylim(0, 1.1 * top_level)
    axes[1, 0].legend()
    colour_bar(figure, image, axes[0, :])
    figure.suptitle(textwrap.fill(title, 110))
    return figure


def annotations(sounds: dict[str, ArrayLike], events: dict[str, Sequence[Event]], timeline: Timeline) -> Figure:
    """Figure 5: the size of waveforms, and lines where their events were annotated.

    sounds: {name: (s,)}. events: of each sound. Returns the figure.
    """
    figure, axes = plt.subplots(len(sounds), 1, figsize=(WIDTH, 1.2 * len(sounds) + 0.3), sharex=True, squeeze=False)
    for ax, (name, wave) in zip(axes[:, 0], sounds.items()):
        size = np.abs(np.asarray(wave))
        ax.plot(np.arange(len(size)) / timeline.sample_rate, size, color=BLUE, lw=0.4, rasterized=True)
        for event in events[name]:
            ax.axvline(event.time, color=RED, lw=1)
        ax.set(xlim=(0, len(size) / timeline.sample_rate), ylim=(0, None), ylabel="|amplitude|", title=name)
    axes[-1, 0].set_xlabel("time (s)")
    return figure


def bars(rows: dict[str, dict], metric: str, label: str, title: str) -> Figure:
    """Horizontal bars of one metric over systems, with its intervals and its value behind each.

    rows: {system: {metric: value, metric_interval: [low, high]}}; a list of values, one a seed, is shown by its mean.
    Returns the figure.
    """
    names = [n for n in rows if rows[n].get(metric) is not None and np.isfinite(np.mean(rows[n][metric]))]
    values = np.array([np.mean(rows[n][metric]) for n in names])
    spans = np.array([rows[n].get(f"{metric}_interval") or [v, v] for n, v in zip(names, values)]).reshape(-1, 2)
    figure, ax = plt.subplots(figsize=(5.2, 0.32 * len(names) + 0.9))
    y = np.arange(len(names))[::-1]
    error = np.clip([values - spans[:, 0], spans[:, 1] - values], 0, None)
    ax.barh(y, values, xerr=error, color=SKY, height=0.65, error_kw={"lw": 1})
    for value, span, row in zip(values, spans, y):
        ax.annotate(
            f"{value:.3g}",
            (np.nanmax([value, span[1]]), row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    ax.set(yticks=y, yticklabels=[n.replace("_", " ") for n in names], xlabel=label, title=title)
    ax.set_xlim(0, 1.12 * np.nanmax([*values, *spans.flat, 1e-9]))
    return figure


def sweep(ax: Axes, rows: dict[Any, dict], metric: str, label: str, xlabel: str | None = None) -> None:
    """One metric over the values of a setting, evenly spaced, with its intervals.

    rows: {setting: {metric: number or a list, one a seed, metric_interval: [low, high]}}, in the order to be drawn.
    """
    values = np.array([np.mean(row[metric]) for row in rows.values()])
    spans = np.array([row.get(f"{metric}_interval") or (v, v) for row, v in zip(rows.values(), values)])
    error = np.clip([values - spans[:, 0], spans[:, 1] - values], 0, None)
    ax.errorbar(range(len(rows)), values, yerr=error, color=BLUE, marker="o", ms=4, lw=1.2, capsize=2)
    ax.set(ylabel=label, xlabel=xlabel or "", ylim=(0, 1.1 * max(values.max(), spans.max())))
    ax.set_xticks(range(len(rows)), [str(setting) for setting in rows], rotation=60 if len(rows) > 6 else 0)


def film(made: Any, timeline: Timeline) -> Figure:
    """A film's new sound: its spectrogram, and its curve over the one that was wanted.

    made: a foley.render.Foley. It is not imported, as stages that draw other figures do not depend on it. Returns the
    figure.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH, 3.4), sharex=True)
    colour_bar(figure, spectrogram(top, made.waveform, timeline, made.film.name), [top])
    reference(bottom, made.wanted, made.sample_rate / made.hop, "wanted")
    curve(bottom, made.rms, made.sample_rate / made.hop, "got", color=BLUE)
    bottom.set_ylim(0, 1.1 * max(float(np.max(made.rms)), float(np.max(made.wanted)), 0.01))
    bottom.legend()
    return figure
