"""Any folder of sounds or films against its references: every metric of the paper in each of its published definitions.

python -m vf.evaluate FOLDER REFERENCE --out table.csv
"""

import argparse
import importlib
import re
from pathlib import Path

import librosa
import numpy as np
import pandas as pd

from vf import evaluation, media, metrics, onsets, params, rms, systems
from vf.timeline import Timeline

SLACK = 0.1  # seconds that two files of a pair may differ in length: a codec's padding, not another clip

MEANINGS = {
    "e_l1": "E-L1 of generated sound: all frames, raw level, RMS 512/128 (App. C)",
    "e_l1_gain_matched": "the same after the one gain that makes it smallest",
    "e_l1_peak": "E-L1 as T-Foley measures it: both sounds at peak 1, curves low-passed",
    "e_l1_sounding": "E-L1 of Table 1: without the frames that are silent in both",
    "acc@1": "Acc@k: true RMS class among the k nearest to the sound's own class, without common silence",
    "acc@5": "",
    "acc@10": "",
    "within_2": "RMS class off by at most 2, 5, 8",
    "within_5": "",
    "within_8": "",
    "correlation": "Pearson correlation of the two curves",
    "onset_f1_50ms": "F1 of onsets, one-to-one within 50 ms",
    "onset_f1_100ms": "the same within 100 ms",
    "clap": "CLAP score: cosine of embeddings",
    "fad": "Frechet distance of window embeddings (Eq. 6)",
    "fad_inf": "FAD for endless many sounds: a line over 1 / N, subsets drawn without replacement",
    "fad_inf_fadtk": "the same drawn with replacement, as fadtk does",
}


def pairs(folder, reference):
    """Files of two folders that bear the same name, whatever their kind: [(name, path, path of the reference)].

    Raises ValueError for a folder that is not there or empty, a name that two files of a folder share, and names that only
    one of them has.
    """
    ours, theirs = systems.named(folder), systems.named(reference)
    lack, extra = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    if lack or extra:
        said = [f"{folder} lacks {len(lack)} ({_some(lack)})"] * bool(lack)
        said += [f"{reference} lacks {len(extra)} ({_some(extra)})"] * bool(extra)
        raise ValueError(f"{' and '.join(said)}; wanted the same names in both: add or remove files")
    return [(name, ours[name], theirs[name]) for name in sorted(ours)]


def _some(names):
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def read_pair(path, reference, sample_rate, hop, seconds=None):
    """Two sounds of one length: float32 (s,), s whole hops. seconds: only the first so many.

    Raises ValueError where they differ by more than SLACK, or are shorter than `seconds`.
    """
    sounds = [media.read_sound(p, sample_rate) for p in (path, reference)]
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
            f"{path}: is {lengths[0]:.2f} s long, its reference {lengths[1]:.2f} s; wanted the same stretch: cut one, or give `seconds`"
        )
    count = round(min(lengths) * sample_rate) // hop * hop
    return [np.pad(s[:count], (0, max(0, count - len(s)))) for s in sounds]


def clip_scores(reference, estimate, timeline, bins):
    """Per-clip numbers that need no embedder, of one pair of sounds (s,): {metric: float}. See MEANINGS."""
    window, hop = timeline.video_window, timeline.video_hop
    truth, got = (rms.rms_curve(np.asarray(w, np.float32)[None], window, hop) for w in (reference, estimate))
    times = [onsets.detect(truth[0].numpy(), timeline.sample_rate / hop, bins.floor)]
    row = evaluation.sound_scores(reference[None], estimate[None], timeline, bins.floor, times)
    ranked = evaluation.class_scores(bins.encode(got), bins.count)
    classes = evaluation.curve_scores(truth, truth, got, ranked, bins, timeline.sample_rate / hop, times)
    row |= {"e_l1_sounding": classes["e_l1"], "e_l1_peak": peak_e_l1(reference, estimate, window, hop)}
    row |= {k: v for k, v in classes.items() if k.startswith(("acc@", "within_", "onset_f1_100"))}
    return {k: float(np.squeeze(v)) for k, v in row.items()}


def peak_e_l1(reference, estimate, window, hop):
    """E-L1 as T-Foley's released code has it: both sounds (s,) scaled to peak 1, then the L1 of their low-passed curves.

    Its frames are centred on multiples of the hop and see zeros beyond the ends; ours (App. B.1) lie half a hop later. A
    silent sound stays silent.
    """
    curves = []
    for wave in (reference, estimate):
        wave = np.asarray(wave, np.float64)
        curve = librosa.feature.rms(y=wave / max(np.abs(wave).max(), 1e-9), frame_length=window, hop_length=hop)[0]
        curves.append(rms.low_pass(curve))
    return metrics.e_l1(*curves)


def set_scores(reference, estimate, groups, seed=0, few=False, resamples=100):
    """FAD of two lists of window embeddings (w, e), one a clip, and what it comes to for endless many sounds.

    groups: the film of each clip, for the interval. few: of `metrics.frechet_distance`.
    Returns {fad, fad_interval, fad_inf, fad_inf_fadtk}.
    """

    def distance(clips):
        clips = np.asarray(clips, int)
        return metrics.frechet_distance(*(np.concatenate([x[i] for i in clips]) for x in (reference, estimate)), few)

    every, heard = np.concatenate(reference), np.concatenate(estimate)
    order = np.arange(len(estimate))
    return {
        "fad": distance(order),
        "fad_interval": metrics.bootstrap(order, groups, distance, resamples, seed=seed),
        "fad_inf": metrics.frechet_infinity(every, heard, seed=seed, few=few),
        "fad_inf_fadtk": metrics.frechet_infinity(every, heard, replace=True, seed=seed, few=few),
    }


def evaluate(folder, reference, listen=None, timeline=None, seconds=None, seed=0):
    """Every metric of a folder of sounds or films against the folder of its references, with rows that keep it honest.

    listen: embedders of a back-end (vf.backends.<profile>.embedders.load), for CLAP and FAD; left out without them. timeline:
    sample rate, window and hop of the curves; the paper's without it. seconds: only the first so many of each file.
    Returns (table, per_clip), two DataFrames: a row for `estimate`, `truth`, `silence` and `other_clip`, columns the means over
    clips with bootstrap intervals (`low`, `high`; segments <film>_<number> are drawn by film), see MEANINGS; and a row a clip and system.
    Raises ValueError for files that are missing, doubled, of different lengths or unreadable.
    """
    timeline, bins = timeline or Timeline(), rms.Bins()
    found = pairs(folder, reference)
    names = [name for name, *_ in found]
    groups = [re.sub(r"_\d{1,3}$", "", name) for name in names]
    sounds = [read_pair(a, b, timeline.sample_rate, timeline.video_hop, seconds) for _, a, b in found]
    truth = [b for _, b in sounds]
    others = evaluation.other_clips(groups)
    rows_of = {
        "estimate": [a for a, _ in sounds],
        "truth": truth,
        "silence": [np.zeros_like(t) for t in truth],
        "other_clip": [np.resize(truth[others[i]], len(t)) for i, t in enumerate(truth)],
    }
    heard = {name: _hear(listen, waves) for name, waves in rows_of.items()} if listen else {}
    rows, clips = [], []
    for system, waves in rows_of.items():
        scores = pd.DataFrame([clip_scores(t, w, timeline, bins) for t, w in zip(truth, waves)])
        if listen:
            scores["clap"] = [float(metrics.cosine(a, b)) for a, b in zip(heard["truth"][1], heard[system][1])]
        summary = evaluation.summarise({k: scores[k].to_numpy() for k in scores}, groups, seed)
        # the other clips are the true sounds in another order, which is no distance at all
        if listen and system != "other_clip":
            summary |= set_scores(heard["truth"][0], heard[system][0], groups, seed, getattr(listen, "few", False))
        rows.append({"system": system, "clips": len(names)} | _flat(summary))
        clips.append(pd.concat([pd.DataFrame({"system": system, "clip": names}), scores], axis=1))
    return pd.DataFrame(rows), pd.concat(clips, ignore_index=True)


def _hear(listen, waves):
    """Window embeddings of the FAD and CLAP embedding of each sound, one at a time as they may differ in length."""
    return [listen.windows(w[None])["fad"][0] for w in waves], [listen.score(w[None])[0] for w in waves]


def _flat(summary):
    """{metric, metric_interval} -> {metric, metric low, metric high}, in the order of MEANINGS."""
    row = {}
    for name in (m for m in MEANINGS if m in summary):
        low, high = summary.get(f"{name}_interval") or (None, None)
        row |= {name: summary[name]} | ({f"{name} low": low, f"{name} high": high} if f"{name}_interval" in summary else {})
    return row


def embedders(profile=None, run=None):
    """What a run of this project has learnt to listen with. Raises ValueError outside the project or before it has run."""
    p = params.load(profile)
    folder = p.folder("embedders", run)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no embedders; run `make repro` first, or go without CLAP and FAD: --no-embedders")
    return importlib.import_module(f"vf.backends.{p.profile}.embedders").load(folder)


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vf.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="sounds or films to judge")
    parser.add_argument("reference", help="their references, under the same names")
    parser.add_argument("--out", default="table.csv", help="the table; the numbers of each clip go to <out>.per_clip.csv")
    parser.add_argument("--seconds", type=float, help="judge only the first seconds of each file")
    parser.add_argument("--profile", help="whose embedders measure CLAP and FAD (that of params.yaml)")
    parser.add_argument("--run", help="which run they come from (that of params.yaml)")
    parser.add_argument("--no-embedders", action="store_true", help="leave CLAP and FAD out")
    args = parser.parse_args(arguments)
    try:
        listen = None if args.no_embedders else embedders(args.profile, args.run)
        table, per_clip = evaluate(args.folder, args.reference, listen, seconds=args.seconds)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"{error}\n")
    out = Path(args.out)
    evaluation.write_csv(out, table)
    evaluation.write_csv(out.with_suffix(".per_clip.csv"), per_clip)
    shown = table.set_index("system").drop(columns=[c for c in table if c.endswith((" low", " high"))]).T
    print(shown.to_string(float_format=lambda v: f"{v:.4g}"))


if __name__ == "__main__":
    main()
