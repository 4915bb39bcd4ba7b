"""The paper's tables from the saved metrics: a row a system and prompt, the paper's value beside ours, our interval."""

import pandas as pd

from vf.evaluation import catalogue
from vf.report import paper, text

OPINIONS = ("mos_quality", "mos_temporal", "mos_material", "mos_action")
COLUMNS1 = ("e_l1_sounding", "acc@1", "acc@5", "acc@10", "e_l1_all")
DISTANCES = ("fad", "fad_inf_fadtk", "fad_c", "fad_c_inf_fadtk", "kad")  # plain, in the paper's form, and kernels
COLUMNS2 = (*DISTANCES, "e_l1", "clap", "favd", *OPINIONS)
COLUMNS3 = ("peavs", "mos_temporal")
COLUMNS4 = ("e_l1_sounding", "acc@5", "onset_accuracy", "onset_recall", "onset_ap", "onset_f1_100ms", "onset_f1_50ms")
COLUMNS5 = (*DISTANCES, "clap", "e_l1")
PROMPTS = {
    "foley_audio": "audio",
    "foley_text": "text",
    "text_to_audio": "text",
    "envelope": "audio",
    "envelope_text": "text",
}
ONSETS = ("RMS alone", "RMS and onsets", "onsets alone", "Video2Onset", "a click every 0.15 s")


def _row(system, prompt, keys, ours, theirs):
    """A row of a table. ours: a row of results. theirs: a paper.Row."""
    row = {"system": system, "prompt": prompt}
    for key in keys:
        column = catalogue.label(key)
        low, high = ours.get(f"{key}_interval") or (None, None)
        row |= {column: text.mean(ours, key), f"{column} low": low, f"{column} high": high}
        # the paper's FAD is fadtk's FAD-infinity; its values stand beside the plain distance too, which claims compare
        row |= {f"{column} paper": theirs.values.get(key.removesuffix("_inf_fadtk"))}
        row |= {f"{column} paper ±": theirs.halves[key]} if key in theirs.halves else {}
    return row


def table1(video2rms: dict, repeats: dict) -> pd.DataFrame:
    """Table 1 from metrics/video2rms.json and, for rows over seeds, metrics/video2rms_repeats.json ({}: not run)."""
    plain, hard = "predicted without label smoothing", paper.row("video2rms/hard_labels")
    rows = [_row(system, "", COLUMNS1, ours, paper.row(f"video2rms/{system}")) for system, ours in video2rms.items()]
    if repeats:
        rows.append(_row("predicted, over seeds", "", COLUMNS1, repeats["predicted"], paper.row("video2rms/predicted")))
    named = f"{plain}, over seeds" if repeats else plain
    rows.append(_row(named, "", COLUMNS1, repeats.get("hard_labels", {}), hard))
    return pd.DataFrame(rows)


def table2(foley: dict, benchmark: dict) -> pd.DataFrame:
    """Table 2 from metrics/foley.json; other systems, from metrics/benchmark.json ({}: not run), stand below ours."""
    rows = [_row(s, PROMPTS.get(s, ""), COLUMNS2, ours, paper.row(f"foley/{s}")) for s, ours in foley.items()]
    scored = {f"others/{row['prompt']}/{row['paper']}": row for row in benchmark.values() if row.get("paper")}
    for address, theirs in paper.ROWS.items():
        stage, *where = address.split("/")
        if stage == "others":
            rows.append(_row(where[1], where[0], COLUMNS2, scored.get(address, {}), theirs))
    return pd.DataFrame(rows)


def table3() -> pd.DataFrame:
    """Table 3: the paper's values.

    Ours need listeners, whose table `vf.evaluation.listening.page` makes, and PEAVS's own network.
    """
    rows = []
    for address, peavs in paper.PEAVS.items():
        stage, *where = address.split("/")
        system = where[-1]
        prompt = where[0] if stage == "others" else PROMPTS.get(system, "")
        theirs = paper.row(address)
        rows.append(_row(system, prompt, COLUMNS3, {}, theirs._replace(values=theirs.values | {"peavs": peavs})))
    return pd.DataFrame(rows)


def table4(onsets: dict) -> pd.DataFrame:
    """Table 4 from metrics/onsets.json ({}: not run). The paper's values are not in our text of it."""
    return pd.DataFrame(_row(system, "", COLUMNS4, onsets.get(system, {}), paper.row("")) for system in ONSETS)


def table5(rms2sound: dict) -> pd.DataFrame:
    """Table 5 from metrics/rms2sound.json, with the rows that know nothing of the film where it has them."""
    known = ("reconstruction", "silence", "constant", "training_clip")
    rows = [_row(name, "", COLUMNS5, rms2sound[name], paper.row("")) for name in known if name in rms2sound]
    for prompt in ("audio", "text"):
        for system, ours in rms2sound[prompt].items():
            rows.append(_row(system, prompt, COLUMNS5, ours, paper.row(f"rms2sound/{prompt}/{system}")))
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """A table for people: `value [low, high] (paper: x)` in one cell a metric, all of them texts."""
    result = table[["system", "prompt"] if table["prompt"].any() else ["system"]].copy()
    arrows = {metric.label: metric.arrow for metric in catalogue.ALL}
    for column in [c.removesuffix(" paper") for c in table if c.endswith(" paper")]:
        cells = []
        for _, row in table.iterrows():
            ours = text.measured(row[column], (row[f"{column} low"], row[f"{column} high"]))
            theirs, half = row[f"{column} paper"], row.get(f"{column} paper ±")
            half = "" if pd.isna(half) else f" ±{half:g}"
            cells.append(ours + ("" if pd.isna(theirs) else f" (paper: {theirs:g}{half})"))
        result[f"{column} {arrows[column]}"] = cells
    return result
