"""Folders of sounds or films against their references: every metric that needs only sound, as it was published.

python -m vf.evaluate FOLDER [FOLDER ...] REFERENCE --out table.csv
"""

import argparse
import importlib
import io
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd

from vf import params
from vf.data import files, media
from vf.evaluation import catalogue, exchange, metrics, pairing, published, scores, systems, timing
from vf.evaluation.sets import FADTK_LEAST, least_windows, set_scores
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

COLUMNS = (  # of the table, in this order
    "e_l1", "e_l1_gain_matched", "e_l1_peak", "e_l1_sounding",
    "acc@1", "acc@5", "acc@10", "within_2", "within_5", "within_8",
    "correlation", *timing.KEYS, *published.CLIP_KEYS, "av_align", "clap", "fad", "fad_inf", "fad_inf_fadtk", "kad",
)  # fmt: skip
BASELINES = ("truth", "silence", "constant", "mismatched")  # rows for comparison


def clip_scores(reference: np.ndarray, estimate: np.ndarray, timeline: Timeline, bins: rms.Bins) -> dict[str, float]:
    """Per-clip numbers that need no embedder, of one pair of sounds (s,): {metric: float}, keys of `catalogue`."""
    window, hop = timeline.video_window, timeline.video_hop
    truth, got = (rms.rms_curve(np.asarray(w, np.float32)[None], window, hop) for w in (reference, estimate))
    times = [onsets.detect(truth[0].numpy(), timeline.sample_rate / hop, bins.floor)]
    row: dict[str, Any] = dict(scores.sound_scores(reference[None], estimate[None], timeline, bins.floor, times))
    ranked = scores.class_scores(bins.encode(got), bins.count)
    classes = scores.curve_scores(truth, truth, got, ranked, bins, timeline.sample_rate / hop, times)
    row |= {"e_l1_sounding": classes["e_l1_sounding"], "e_l1_peak": peak_e_l1(reference, estimate, window, hop)}
    row |= {k: v for k, v in classes.items() if k.startswith(("acc@", "within_"))}
    row |= published.clip_metrics(reference, estimate, timeline.sample_rate)
    return {k: float(np.squeeze(v)) for k, v in row.items()}


def peak_e_l1(reference: np.ndarray, estimate: np.ndarray, window: int, hop: int) -> np.ndarray:
    """E-L1 as T-Foley's released code computes it, of two sounds (s,).

    Both are scaled to peak 1; the result is the L1 distance of their low-passed curves. The frames are centred on
    multiples of the hop, with zeros beyond the ends; those of App. B.1 lie half a hop later. A silent sound stays
    silent.
    """
    curves = []
    for wave in (reference, estimate):
        wave = np.asarray(wave, np.float64)
        curve = librosa.feature.rms(y=wave / max(np.abs(wave).max(), 1e-9), frame_length=window, hop_length=hop)[0]
        curves.append(rms.low_pass(curve))
    return metrics.e_l1(*curves)


def evaluate(
    folder: str | Path | Mapping[str, str | Path],
    reference: str | Path,
    listen: Any = None,
    timeline: Timeline | None = None,
    reading: pairing.Reading = pairing.Reading(),  # noqa: B008
    seed: int = 0,
    train: str | Path | None = None,
    picture: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score folders of sounds or films against the folder of their references.

    folder: of one system, which is called `estimate`, or {name of a system: folder}; all are scored on the same clips.
    listen: embedders (vf.backends.<profile>.embedders.load); without them CLAP, FAD and KAD are left out. timeline:
    sample rate, window and hop of the curves; by default the paper's. reading: how files pair. train: folder of the
    sounds that the best constant is fitted on, none of them a reference. picture: also measure AV-Align on the
    references, which are films then; it takes minutes.

    Returns two DataFrames. The first has a row for each system, and for comparison `truth`, `silence`, with `train` the
    best `constant`, and, of two clips or more, `mismatched`. Its columns (COLUMNS) are means over clips with the `low`
    and `high` of their bootstrap intervals, for which segments named <film>_<number> are drawn by film. FAD's interval
    lies too high; those of FAD-infinity are of its line. Where there are too few clips for FAD, it is left empty and a
    line is printed. The second has a row for each clip and system.

    Raises ValueError for files that are missing, doubled, of different lengths, too short or unreadable.
    """
    if reading.seconds is not None and not pairing.SHORTEST <= reading.seconds < float("inf"):
        raise ValueError(
            f"seconds is {reading.seconds:g}; wanted {pairing.SHORTEST} or more: ask for more, or leave it out for "
            "whole files"
        )
    timeline, bins = timeline or Timeline(), rms.Bins()
    found = pairing.pair_all(folder if isinstance(folder, Mapping) else {"estimate": folder}, reference, reading)
    if set(found) & set(BASELINES):
        raise ValueError(f"{min(set(found) & set(BASELINES))}: is the name of a row for comparison; rename the folder")
    one = next(iter(found.values()))
    names = [name for name, *_ in one]
    groups = [_film_of(name) for name in names]
    rows_of, paths = _sounds(found, timeline, reading, train, seed)
    truth, peaks = rows_of["truth"], _flow_peaks([p for *_, p in one], reading) if picture else None
    embedded = {name: _embed(listen, waves, paths[name]) for name, waves in rows_of.items()} if listen else {}
    rows, clips = [], []
    for system, waves in rows_of.items():
        measured = pd.DataFrame([clip_scores(t, w, timeline, bins) for t, w in zip(truth, waves)])
        if peaks is not None:
            heard = [published.sound_peaks(w, timeline.sample_rate) for w in waves]
            measured["av_align"] = [published.av_align(a, *of) for a, of in zip(heard, peaks)]
        if listen:
            measured["clap"] = [float(metrics.cosine(a, b)) for a, b in zip(embedded["truth"][1], embedded[system][1])]
        summary = scores.summarise({k: measured[k].to_numpy() for k in measured}, groups, seed)
        # these are the true sounds in another order, which is no distance at all
        if listen and system != "mismatched":
            few = getattr(listen, "few", False)
            summary |= set_scores(embedded["truth"][0], embedded[system][0], groups, seed, few)
        rows.append({"system": system, "clips": len(names)} | _flat(summary))
        clips.append(pd.concat([pd.DataFrame({"system": system, "clip": names}), measured], axis=1))
    if listen:
        _note_too_few(rows[0], embedded["truth"][0], getattr(listen, "few", False))
    if len(set(groups)) < len(groups):
        k = next(k for k, group in enumerate(groups) if groups.count(group) > 1)
        print(
            f"{len(names)} clips are of {len(set(groups))} films by their names, as <film>_<number>: {names[k]} of "
            f"{groups[k]}; intervals draw whole films, and `mismatched` takes another's: rename clips that are films\n"
        )
    return pd.DataFrame(rows), pd.concat(clips, ignore_index=True)


def _film_of(name):
    """The film of a clip by its name, <film>_<number>; of any other name, the name."""
    return re.sub(r"_\d{1,3}$", "", name)


def _sounds(found, timeline, reading, train, seed):
    """Waveforms of every row, {row: [(s,) of each clip]}, and the path that each comes from."""
    rate, hop, first = timeline.sample_rate, timeline.video_hop, next(iter(found.values()))
    read = [
        pairing.read_together([of[i][1] for of in found.values()], path, rate, hop, reading.seconds, reading.tolerance)
        for i, (*_, path) in enumerate(first)
    ]
    *made, truth = (list(waves) for waves in zip(*read))
    rows, names, lengths = dict(zip(found, made)), [name for name, *_ in first], [len(t) for t in truth]
    rows |= {"truth": truth, "silence": [np.zeros_like(t) for t in truth]}
    if train is not None:
        curves = _training_curves(train, names, timeline)
        rows["constant"] = [scores.constant_sounds(curves, 1, n, seed + i)[0] for i, n in enumerate(lengths)]
    if len(names) > 1:  # of one clip there is no other: it would be the truth itself
        others = scores.other_clips([_film_of(name) for name in names])
        rows["mismatched"] = [np.resize(truth[others[i]], len(t)) for i, t in enumerate(truth)]
    truths = [path for *_, path in first]
    return rows, {row: [p for _, p, _ in found[row]] if row in found else truths for row in rows}


def _training_curves(train, tested, timeline):
    """All frames of the RMS curves of a folder of training sounds, (n,). Raises ValueError where one is tested."""
    known = systems.named(train)
    if set(known) & set(tested):
        raise ValueError(
            f"{train}: has {min(set(known) & set(tested))}, which is a reference; wanted training sounds alone: "
            "name another folder"
        )
    rate, hop = timeline.sample_rate, timeline.video_hop
    waves = [systems.read_sound(path, rate) for path in known.values()]
    return np.concatenate([rms.rms_curve(w[: len(w) // hop * hop], timeline.video_window, hop).numpy() for w in waves])


def _flow_peaks(paths, reading):
    """Peaks of motion (s) and the frame rate of each film. Raises ValueError for a file that is none."""
    found = []
    for path in paths:
        if path.suffix.lower() not in media.FILMS:
            raise ValueError(f"{path}: has no picture; wanted films as references: name them, or go without --picture")
        film = media.probe(path)
        count = None if reading.seconds is None else round(reading.seconds * film.fps)
        frames = islice(media.stream_frames(path, film.fps, (film.width, film.height)), count)
        found.append((published.flow_peaks((image for image, _ in frames), film.fps), film.fps))
    return found


def _note_too_few(row, windows, few):
    """Say once why FAD is empty or weak, of a row of the table and the window embeddings (w, e) of each clip."""
    empty = [name for name in ("fad", "fad_inf", "fad_inf_fadtk") if np.isnan(row[name])]
    count, dims = sum(map(len, windows)), windows[0].shape[1]
    if empty:
        print(
            f"{', '.join(empty)} left empty: {len(windows)} clips have {count} windows of {dims} numbers; wanted "
            f"{least_windows(dims)} or more: give more clips, or longer ones\n"
        )
    if few and count <= dims and "fad" not in empty:
        print(
            f"fad is of {count} windows of {dims} numbers: with no more windows than numbers it depends on how many "
            "there are; compare systems on the same clips, or read kad\n"
        )
    elif count < FADTK_LEAST and not empty:
        print(
            f"fad_inf_fadtk is of {count} windows: fadtk's line begins at {FADTK_LEAST}, drawn with replacement, and "
            "says little of so few; kad has no such bias\n"
        )


def _embed(listen, waves, paths):
    """Window embeddings for FAD and the CLAP embedding of each sound, one at a time as they may differ in length."""
    windows, embedded = [], []
    for wave, path in zip(waves, paths):
        try:
            windows.append(listen.windows(wave[None])["fad"][0])
            embedded.append(listen.score(wave[None])[0])
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path}: the embedders cannot take it ({files.excerpt(error)}); "
                "wanted a second or more, of round length: give --seconds, or go without CLAP and FAD: --no-embedders"
            ) from error
    return windows, embedded


def _flat(summary):
    """{metric, metric_interval} -> {metric, metric low, metric high}, in the order of COLUMNS."""
    row = {}
    for name in (m for m in COLUMNS if m in summary):
        low, high = summary.get(f"{name}_interval") or (None, None)
        row |= {name: summary[name]} | (
            {f"{name} low": low, f"{name} high": high} if f"{name}_interval" in summary else {}
        )
    return row


def embedders(profile: str | None = None, run: str | None = None) -> Any:
    """The embedders that a run of this project left, or without one those that ship, which a line says.

    profile, run: None for params.yaml's own; where one is given it must have run. Raises ValueError where it has not.
    """
    own = None
    try:
        p = params.load(profile)
        own = p.folder("embedders", run)
    except FileNotFoundError as error:  # no checkout
        if profile or run:
            raise ValueError(str(error)) from error
    if own and own.is_dir():
        return importlib.import_module(f"vf.backends.{p.profile}.embedders").load(own)
    ours = params.shipped("embedders")
    if profile or run or ours is None or own and p.profile != "small":
        lacking = own or "pretrained/embedders"
        raise ValueError(f"{lacking}: no embedders; run `make repro` first, or go without CLAP and FAD: --no-embedders")
    print(f"CLAP, FAD and KAD are of the networks that ship, {ours}: no run has left others")
    return importlib.import_module("vf.backends.small.embedders").load(ours)


def legend(columns: Sequence[str]) -> pd.DataFrame:
    """What the columns of a table mean: {column, label, unit, better, meaning, definition}, of those of `catalogue`."""
    known = [(c, catalogue.find(c)) for c in columns if catalogue.known(c)]
    return pd.DataFrame(
        [(c, m.label, m.unit, m.better, m.meaning, m.definition) for c, m in known],
        columns=["column", "label", "unit", "better", "meaning", "definition"],
    )


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table for people: a line for each metric with its unit and the better way, `value [low, high]` a system."""
    said = legend([c for c in table if not c.endswith((" low", " high"))]).set_index("column")
    shown = {"unit": said["unit"], "better": said["better"]}
    for _, row in table.iterrows():
        shown[row["system"]] = [_measured(row, c) for c in said.index]
    return pd.DataFrame(shown, index=said.index)


def _measured(row, column):
    value, ends = row[column], [row.get(f"{column} {end}") for end in ("low", "high")]
    if pd.isna(value):
        return "–"
    return f"{value:.4g}" + ("" if any(map(pd.isna, ends)) else f" [{ends[0]:.3g}, {ends[1]:.3g}]")


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vf.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="+", help="sounds or films to judge, a folder for each system")
    parser.add_argument("reference", help="their references, under the same names (else see --map)")
    parser.add_argument(
        "--out", default="table.csv", help="the table; beside it <out>.per_clip.csv and <out>.legend.csv"
    )
    pairing.add_options(parser)
    parser.add_argument("--train", help="training sounds, for the row of the best constant")
    parser.add_argument("--picture", action="store_true", help="measure AV-Align too; the references are films")
    results = "results of av-benchmark, fadtk, kadtk or audio-aes to add, or a CSV with `system` and a column a metric"
    parser.add_argument("--results", nargs="+", default=[], help=results)
    parser.add_argument(
        "--export", metavar="OUT", help="do not judge: write folders for other tools, as `video-foley export` does"
    )
    parser.add_argument("--captions", help=f"{exchange.CAPTIONS}, for --export")
    embedding = "whose embedders measure CLAP, FAD and KAD (that of params.yaml; before it has run those that ship)"
    parser.add_argument("--profile", help=embedding)
    parser.add_argument("--run", help="which run they come from (that of params.yaml)")
    parser.add_argument("--no-embedders", action="store_true", help="leave CLAP, FAD and KAD out")
    args = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a console need not show a dash
    reading = pairing.reading_of(args)
    try:
        folders = pairing.by_system(args.folder)
        if args.export:
            print(exchange.export(folders, args.reference, args.export, args.captions, reading))
            return
        out = Path(args.out)
        _check_out(out, [args.map, *args.results], [*args.folder, args.reference, args.train])
        added = [exchange.read_results(path) for path in args.results]
        listen = None if args.no_embedders else embedders(args.profile, args.run)
        table, per_clip = evaluate(
            folders, args.reference, listen, reading=reading, train=args.train, picture=args.picture
        )
        table = exchange.add_results(table, added)
        said = legend(table.columns)
        for path, content in zip(_tables(out), (table, per_clip, said)):
            files.write_csv(path, content)
        print(readable(table).to_string())
        print("\n" + "\n".join(f"{row.column}: {row.meaning}" for row in said.itertuples()))
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


def _tables(out):
    """The files of the command: the table, the scores of each clip, what the columns mean."""
    stem = out.name.removesuffix(".csv")
    return out, out.with_name(f"{stem}.per_clip.csv"), out.with_name(f"{stem}.legend.csv")


def _check_out(out, inputs, folders):
    """Raises ValueError where no table can be written, before minutes go into it, and where it would be over an input.

    inputs, folders: files and folders that are read; None for one that is not.
    """
    if not out.name or out.is_dir():
        raise ValueError(f"{out}: is a folder; wanted the name of a new table: add one, such as {out / 'table.csv'}")
    given = [path for path in inputs if path]
    given += [path for folder in folders if folder for path in Path(folder).glob("*")]
    if found := files.over(_tables(out), given):
        raise ValueError(f"{found[0]}: is read and would be written over; wanted the name of a new table: set --out")
    for path in _tables(out):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ValueError(f"{path}: is a device or a pipe; wanted the name of a new table: set --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise ValueError(
            f"{out}: cannot be written ({error.strerror}); wanted a place for a table: check the folder and its rights"
        ) from error


if __name__ == "__main__":
    main()
