"""Figures of the data and of every training, drawn from the numbers that notebooks 01 to 06 saved.

They are apart from the notebooks, so that a change of colour reruns only this module.

`python -m vf.report.training --profile small`
"""

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vf import params
from vf.data import clips, files, media
from vf.report import figures
from vf.signal import rms
from vf.signal.timeline import Timeline


def clip(films: clips.ClipSet, timeline: Timeline) -> Figure:
    """01: the first training film: strip, waveform with its annotated events, spectrogram."""
    first = films.indices("train")[0]
    shown, wave = films.clips[first], films.wave(first)
    frames, _ = media.read_frames(str(shown.film), timeline.fps, (192, 144), shown.start, shown.seconds)
    figure, axes = plt.subplots(3, 1, figsize=(figures.WIDTH, 4), sharex=True, height_ratios=(1, 0.7, 1))
    figures.strip(axes[0], frames, timeline.seconds, count=8)
    axes[1].plot(np.arange(len(wave)) / timeline.sample_rate, wave, lw=0.4, color=figures.BLUE)
    axes[1].set(ylabel="amplitude")
    for event in shown.events:
        axes[1].axvline(event.time, color=figures.RED, lw=0.8)
    figures.colour_bar(figure, figures.spectrogram(axes[2], wave, timeline), [axes[2]])
    axes[2].set(xlabel="time (s)")
    axes[0].set_title(textwrap.fill(f"{shown.name}: “{shown.caption}”", 92))
    return figure


def statistics(saved: dict) -> Figure:
    """01: gaps between events, levels and materials of this run's clips, over those of Greatest Hits.

    saved: clips/statistics.json.
    """
    figure, axes = plt.subplots(1, 3, figsize=(figures.WIDTH, 2.4))
    for ax, name in zip(axes, ("gap", "level")):
        ours, theirs = saved[name], saved["greatest_hits"][name]
        ax.plot(ours["value"], ours["share"], color=figures.BLUE, label="this run")
        ax.plot(theirs["value"], theirs["share"], "x", color=figures.RED, label="Greatest Hits")
        ax.set(ylabel="share below", ylim=(0, 1.02))
    axes[0].set(xlabel="gap between events (s)", xlim=(0, 2))
    axes[1].set(xlabel="RMS of a frame", xscale="log", xlim=(1e-3, 1))
    at = np.arange(1, 4)
    axes[2].bar(at - 0.2, saved["materials"], 0.4, color=figures.BLUE)
    axes[2].bar(at + 0.2, saved["greatest_hits"]["materials"], 0.4, color=figures.RED)
    axes[2].set(xlabel="materials in a clip", ylabel="share of clips", xticks=at, xticklabels=["1", "2", "3 or more"])
    axes[0].legend()
    return figure


def curve(saved: Mapping[str, np.ndarray], timeline: Timeline) -> Figure:
    """02: a waveform, its curve, its classes and what they lose. saved: rms.npz."""
    rate = timeline.video_rms_rate
    figure, axes = plt.subplots(4, 1, figsize=(figures.WIDTH, 5.6), sharex=True)
    wave = saved["wave"]
    axes[0].plot(np.arange(len(wave)) / timeline.sample_rate, wave, color=figures.BLUE, lw=0.3)
    axes[0].set(ylabel="amplitude", ylim=np.array((-1.1, 1.1)) * abs(wave).max())
    figures.reference(axes[1], saved["curve"], rate, "RMS (Eq. 1)")
    figures.curve(axes[1], saved["smooth"], rate, "low-passed", color=figures.RED, lw=0.9)
    axes[1].legend(loc="upper right", ncols=2)
    figures.curve(axes[2], saved["classes"], rate, color=figures.BLUE)
    axes[2].set(ylabel="class")
    labels = [f"{count} bins: mean {error.mean():.5f}" for count, error in zip(saved["counts"], saved["errors"])]
    for error, label in list(zip(saved["errors"], labels))[1:]:
        figures.reference(axes[3], error, rate, label)
    figures.curve(axes[3], saved["errors"][0], rate, labels[0], color=figures.BLUE, lw=0.9)
    axes[3].set(ylabel="error of RMS", ylim=(0, 1.3 * float(np.max(saved["errors"]))))
    axes[3].legend(loc="upper right", ncols=2)
    for ax in axes[:3]:
        ax.set_xlabel("")
    return figure


def features(
    probe: dict[str, float], losses: Sequence[float], energy: np.ndarray, level: np.ndarray, name: str, fps: float
) -> Figure:
    """03: what each kind of map knows about loudness, the frame encoder's training, and one film.

    probe: {kind: correlation}. losses: of every step. energy, level: change of the picture and RMS of a film's frames,
    (t,). name: its name.
    """
    figure, axes = plt.subplots(1, 3, figsize=(figures.WIDTH, 2.2), width_ratios=(1, 1, 1.6))
    axes[0].barh(list(probe), list(probe.values()), color=figures.SKY)
    axes[0].set(xlabel="correlation with RMS", title="ridge probe")
    if losses:
        figures.loss(axes[1], losses)
        axes[1].set(ylabel="squared error (10 dB)", title="frame encoder")
    else:
        axes[1].set_axis_off()
        axes[1].text(0.5, 0.5, "loaded, not trained", ha="center")
    figures.reference(axes[2], energy**0.5 / max(float(energy.max()) ** 0.5, 1e-6), fps, "change of the picture")
    figures.curve(axes[2], level / max(float(level.max()), 1e-6), fps, "RMS", color=figures.RED, lw=0.9)
    axes[2].set(ylabel="share of its maximum", title=name)
    axes[2].legend()
    return figure


def predictions(truth: np.ndarray, predicted: np.ndarray, names: Sequence[str], rate: float) -> Figure:
    """04: true and predicted curves of a few test films. truth, predicted: (films, n) RMS; rate: frames per second."""
    figure, axes = plt.subplots(len(names), 1, figsize=(figures.WIDTH, 1.4 * len(names)), sharex=True, squeeze=False)
    for ax, name, true, estimate in zip(axes[:, 0], names, truth, predicted):
        figures.reference(ax, true, rate, "truth")
        figures.curve(ax, estimate, rate, "predicted", color=figures.RED)
        ax.set(title=name, ylim=(0, 1.1 * max(float(true.max()), float(estimate.max()), 0.01)), xlabel="")
    axes[0, 0].legend()
    axes[-1, 0].set_xlabel("time (s)")
    return figure


def pretrained(folder: Path) -> Figure:
    """05, where the backbone was loaded: the loss of its U-Net and FAD of text-to-audio, against steps of pretraining.

    folder: of the shipped system, with the tables `unet.csv` and `progress.csv` that `make pretrain` wrote.
    """
    loss, progress = pd.read_csv(folder / "unet.csv"), pd.read_csv(folder / "progress.csv")
    figure, axes = plt.subplots(1, 2, figsize=(figures.WIDTH, 2.4))
    axes[0].plot(loss["step"], loss["loss"], "o-", ms=3, color=figures.BLUE)
    axes[0].set(title="U-Net: mean loss since the last point", xlabel="step", ylabel="loss", xlim=(0, None))
    limit = progress["step"].isna()
    axes[1].plot(progress["step"][~limit], progress["fad"][~limit], "o-", ms=3, color=figures.BLUE)
    axes[1].axhline(progress["fad"][limit].iloc[0], color=figures.RED, lw=0.9, label="VAE and vocoder alone")
    axes[1].set(title="text-to-audio, no curve", xlabel="step", ylabel="FAD", xlim=(0, None), ylim=(0, None))
    axes[1].legend()
    return figure


def draw(p: params.Params) -> dict[str, Figure]:
    """Draw the figures of 01 to 06 into runs/<run>/figures. Returns them by name, closed."""
    timeline, films = p.timeline, clips.load(p.folder("clips"))
    rate = timeline.video_rms_rate
    made = {"01_clips": clip(films, timeline), "01_statistics": statistics(_json(p, "clips/statistics"))}
    with np.load(p.folder("rms.npz")) as saved:
        made["02_rms"] = curve(saved, timeline)
    first, test = films.indices("train")[0], films.indices("test")[:3]
    true = rms.rms_curve(films.wave([first, *test]), timeline.video_window, timeline.video_hop)
    level = rms.resize(true[0], timeline.video_frames).numpy()
    energy = np.load(p.folder("features") / "energy.npy")[first]
    probe, learnt = _json(p, "features/probe"), _json(p, "features/losses")
    made["03_features"] = features(probe, learnt["frame encoder"], energy, level, films.clips[first].name, timeline.fps)
    with np.load(p.folder("video2rms") / "predictions.npz") as saved:
        predicted = saved["curve"][: len(test)]
    made["04_predictions"] = predictions(true[1:].numpy(), predicted, [films.clips[i].name for i in test], rate)
    for name, folder, title in (
        ("04_losses", "video2rms", "cross entropy, summed over frames"),
        ("05_losses", "backbone", "the backbone's parts"),
        ("05_embedders", "embedders", "the metrics' embedders"),
        ("06_losses", "rms2sound", "Eq. 4"),
    ):
        made[name] = figures.losses(_json(p, f"{folder}/losses"), title)
    shipped = Path(p.backbone.weights or "").parent
    if (shipped / "progress.csv").exists():
        made["05_losses"] = pretrained(shipped)
    for name, figure in made.items():
        files.write_figure(p.figure(name), figure)
        plt.close(figure)
    return made


def _json(p, name):
    return files.read_json(p.folder(f"{name}.json"), "what a stage wrote: run that stage again")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", help="small or paper; params.yaml's own without it")
    try:
        draw(params.load_or_exit(parser.parse_args().profile))
    except (FileNotFoundError, ValueError) as error:  # of clips that are not there
        parser.exit(2, f"{error}: run `make repro` first\n")


if __name__ == "__main__":
    main()
