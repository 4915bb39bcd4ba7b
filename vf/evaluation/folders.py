"""A folder of sounds or films against its references: every metric that needs only sound, as it was published.

python -m vf.evaluate FOLDER REFERENCE --out table.csv
"""

import argparse
import importlib
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd

from vf import params
from vf.data import files
from vf.evaluation import catalogue, metrics, scores, systems
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

SLACK = 0.1  # seconds that two files of a pair may differ in length: a codec's padding, not another clip
SHORTEST = 0.1  # seconds: less has next to no curve

COLUMNS = (  # of the table, in this order
    "e_l1", "e_l1_gain_matched", "e_l1_peak", "e_l1_sounding",
    "acc@1", "acc@5", "acc@10", "within_2", "within_5", "within_8",
    "correlation", "onset_f1_50ms", "onset_f1_100ms", "clap", "fad", "fad_inf", "fad_inf_fadtk",
)  # fmt: skip


def pairs(folder: str | Path, reference: str | Path) -> list[tuple[str, Path, Path]]:
    """Files of the same name in two folders, whatever their kind: [(name, path, path of the reference)].

    Raises ValueError for a folder that is missing or empty, for a name that two files of one folder share, and for
    names that only one folder has.
    """
    ours, theirs = systems.named(folder), systems.named(reference)
    lack, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    if lack or extra:
        faults = [f"{folder} lacks {len(lack)} ({_some(lack)})"] * bool(lack)
        faults += [f"{reference} lacks {len(extra)} ({_some(extra)})"] * bool(extra)
        raise ValueError(f"{' and '.join(faults)}; wanted the same names in both: add or remove files")
    return [(name, ours[name], theirs[name]) for name in sorted(ours)]


def _some(names):
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def read_pair(
    path: Path, reference: Path, sample_rate: int, hop: int, seconds: float | None = None
) -> list[np.ndarray]:
    """Two sounds of one length: float32 (s,), s whole hops. seconds: only the first so many.

    Raises ValueError where they differ by more than SLACK, are shorter than `seconds` or SHORTEST, or hold samples
    that are not finite.
    """
    sounds = [systems.read_sound(p, sample_rate) for p in (path, reference)]
    for p, sound in zip((path, reference), sounds):
        if len(sound) < SHORTEST * sample_rate:
            raise ValueError(
                f"{p}: is {len(sound) / sample_rate:.3f} s long; wanted {SHORTEST} s or more: give longer sounds"
            )
    lengths = [len(s) / sample_rate for s in sounds]
    if seconds is not None:
        for p, length in zip((path, reference), lengths):
            if length < seconds - SLACK:
                raise ValueError(
                    f"{p}: is {length:.2f} s long; wanted {seconds:g} s: give the whole file, or ask for fewer seconds"
                )
        lengths = [seconds, seconds]
    if abs(lengths[0] - lengths[1]) > SLACK:
        raise ValueError(
            f"{path}: is {lengths[0]:.2f} s long, its reference {lengths[1]:.2f} s; "
            "wanted the same stretch: cut one, or give `seconds`"
        )
    count = round(min(lengths) * sample_rate) // hop * hop
    return [np.pad(s[:count], (0, max(0, count - len(s)))) for s in sounds]


def clip_scores(reference: np.ndarray, estimate: np.ndarray, timeline: Timeline, bins: rms.Bins) -> dict[str, float]:
    """Per-clip numbers that need no embedder, of one pair of sounds (s,): {metric: float}, keys of `catalogue`."""
    window, hop = timeline.video_window, timeline.video_hop
    truth, got = (rms.rms_curve(np.asarray(w, np.float32)[None], window, hop) for w in (reference, estimate))
    times = [onsets.detect(truth[0].numpy(), timeline.sample_rate / hop, bins.floor)]
    row = scores.sound_scores(reference[None], estimate[None], timeline, bins.floor, times)
    ranked = scores.class_scores(bins.encode(got), bins.count)
    classes = scores.curve_scores(truth, truth, got, ranked, bins, timeline.sample_rate / hop, times)
    row |= {"e_l1_sounding": classes["e_l1_sounding"], "e_l1_peak": peak_e_l1(reference, estimate, window, hop)}
    row |= {k: v for k, v in classes.items() if k.startswith(("acc@", "within_", "onset_f1_100"))}
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


def set_scores(
    reference: list[np.ndarray],
    estimate: list[np.ndarray],
    groups: Sequence[str],
    seed: int = 0,
    few: bool = False,
    resamples: int = 100,
) -> dict[str, Any]:
    """FAD of two lists of window embeddings (w, e), one a clip, and its limit for endlessly many sounds.

    groups: the film of each clip, for the interval, which lies too high (see `catalogue`). few: of
    `metrics.frechet_distance`. Returns {fad, fad_interval, fad_inf, fad_inf_fadtk}; NaN where there are too few windows
    (see `least_windows`). A draw of the interval that has too few is left out.
    """
    true, made = np.concatenate(reference), np.concatenate(estimate)
    order, least = np.arange(len(estimate)), least_windows(true.shape[1], few)

    def distance(clips):
        sets = [np.concatenate([x[i] for i in np.asarray(clips, int)]) for x in (reference, estimate)]
        return metrics.frechet_distance(*sets, few) if min(map(len, sets)) >= least - 1 else np.nan

    def endless(replace):
        enough = min(len(true), len(made)) >= least
        return metrics.frechet_infinity(true, made, replace=replace, seed=seed, few=few) if enough else np.nan

    fad = distance(order)
    return {
        "fad": fad,
        "fad_interval": (fad, fad)
        if np.isnan(fad)
        else metrics.bootstrap(order, groups, distance, resamples, seed=seed),
        "fad_inf": endless(False),
        "fad_inf_fadtk": endless(True),
    }


def least_windows(dims: int, few: bool = False) -> int:
    """Least number of embeddings of `dims` numbers for `metrics.frechet_infinity`, which needs two sizes of set.

    FAD itself needs one less. few: of `metrics.frechet_distance`.
    """
    return 3 if few else dims + 2


def evaluate(
    folder: str | Path,
    reference: str | Path,
    listen: Any = None,
    timeline: Timeline | None = None,
    seconds: float | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a folder of sounds or films against the folder of its references.

    listen: embedders (vf.backends.<profile>.embedders.load); without them CLAP and FAD are left out. timeline: sample
    rate, window and hop of the curves; by default the paper's. seconds: read only so much of each file.

    Returns two DataFrames. The first has a row for `estimate`, and for comparison `truth`, `silence` and, of two clips
    or more, `mismatched`. Its columns (COLUMNS) are means over clips with the `low` and `high` of their bootstrap
    intervals, for which segments named <film>_<number> are drawn by film. FAD's interval lies too high. Where there are
    too few clips for FAD, it is left empty and a line is printed. The second has a row for each clip and system.

    Raises ValueError for files that are missing, doubled, of different lengths, too short or unreadable.
    """
    if seconds is not None and not seconds >= SHORTEST:
        raise ValueError(
            f"seconds is {seconds:g}; wanted {SHORTEST} or more: ask for more, or leave it out for whole files"
        )
    timeline, bins = timeline or Timeline(), rms.Bins()
    found = pairs(folder, reference)
    names = [name for name, *_ in found]
    groups = [re.sub(r"_\d{1,3}$", "", name) for name in names]
    sounds = [read_pair(a, b, timeline.sample_rate, timeline.video_hop, seconds) for _, a, b in found]
    truth = [b for _, b in sounds]
    others = scores.other_clips(groups)
    rows_of = {
        "estimate": [a for a, _ in sounds],
        "truth": truth,
        "silence": [np.zeros_like(t) for t in truth],
        "mismatched": [np.resize(truth[others[i]], len(t)) for i, t in enumerate(truth)],
    }
    if len(names) == 1:
        del rows_of["mismatched"]  # there is none: it would be the truth itself
    paths = {name: [a if name == "estimate" else b for _, a, b in found] for name in rows_of}
    embedded = {name: _embed(listen, waves, paths[name]) for name, waves in rows_of.items()} if listen else {}
    rows, clips = [], []
    for system, waves in rows_of.items():
        measured = pd.DataFrame([clip_scores(t, w, timeline, bins) for t, w in zip(truth, waves)])
        if listen:
            measured["clap"] = [float(metrics.cosine(a, b)) for a, b in zip(embedded["truth"][1], embedded[system][1])]
        summary = scores.summarise({k: measured[k].to_numpy() for k in measured}, groups, seed)
        # these are the true sounds in another order, which is no distance at all
        if listen and system != "mismatched":
            summary |= set_scores(
                embedded["truth"][0], embedded[system][0], groups, seed, getattr(listen, "few", False)
            )
        rows.append({"system": system, "clips": len(names)} | _flat(summary))
        clips.append(pd.concat([pd.DataFrame({"system": system, "clip": names}), measured], axis=1))
    if listen:
        _note_too_few(rows[0], embedded["truth"][0], getattr(listen, "few", False))
    return pd.DataFrame(rows), pd.concat(clips, ignore_index=True)


def _note_too_few(row, windows, few):
    """Say once why FAD is empty, of a row of the table and the window embeddings (w, e) of each clip."""
    empty = [name for name in ("fad", "fad_inf", "fad_inf_fadtk") if np.isnan(row[name])]
    if empty:
        count, dims = sum(map(len, windows)), windows[0].shape[1]
        print(
            f"{', '.join(empty)} left empty: {len(windows)} clips have {count} windows of {dims} numbers; wanted "
            f"{least_windows(dims, few)} or more: give more clips, or longer ones\n"
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
                f"{path}: the embedders cannot take it ({error}); wanted a second or more, of round length: "
                "give --seconds, or go without CLAP and FAD: --no-embedders"
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
    """The embedders that a run of this project trained.

    Raises FileNotFoundError outside the project, and ValueError before it has run.
    """
    p = params.load(profile)
    folder = p.folder("embedders", run)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no embedders; run `make repro` first, or go without CLAP and FAD: --no-embedders")
    return importlib.import_module(f"vf.backends.{p.profile}.embedders").load(folder)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vf.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="sounds or films to judge")
    parser.add_argument("reference", help="their references, under the same names")
    parser.add_argument(
        "--out", default="table.csv", help="the table; the numbers of each clip go to <out>.per_clip.csv"
    )
    parser.add_argument("--seconds", type=float, help="judge only the first seconds of each file")
    parser.add_argument("--profile", help="whose embedders measure CLAP and FAD (that of params.yaml)")
    parser.add_argument("--run", help="which run they come from (that of params.yaml)")
    parser.add_argument("--no-embedders", action="store_true", help="leave CLAP and FAD out")
    args = parser.parse_args(arguments)
    out = Path(args.out)
    try:
        _check_out(out)
        listen = None if args.no_embedders else embedders(args.profile, args.run)
        table, per_clip = evaluate(args.folder, args.reference, listen, seconds=args.seconds)
        shown = table.set_index("system").drop(columns=[c for c in table if c.endswith((" low", " high"))]).T
        shown.insert(0, "better", [catalogue.find(key).better if key in COLUMNS else "" for key in shown.index])
        print(shown.to_string(float_format=lambda v: f"{v:.4g}"))
        files.write_csv(out, table)
        files.write_csv(out.with_suffix(".per_clip.csv"), per_clip)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


def _check_out(out):
    """Raises ValueError where no table can be written, before minutes go into it."""
    if not out.name or out.is_dir():
        raise ValueError(f"{out}: is a folder; wanted the name of a new table: add one, such as {out / 'table.csv'}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise ValueError(
            f"{out}: cannot be written ({error.strerror}); wanted a place for a table: check the folder and its rights"
        ) from error


if __name__ == "__main__":
    main()
