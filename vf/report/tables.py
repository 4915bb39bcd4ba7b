"""The paper's tables from the saved metrics: a row a system and prompt, the paper's value beside ours, our interval."""

import pandas as pd

from vf.report.paper import PEAVS, TABLE1, TABLE2, TABLE2_OTHERS, TABLE5
from vf.report.published import mean

COLUMNS1 = {"E-L1": "e_l1", "Acc@1": "acc@1", "Acc@5": "acc@5", "Acc@10": "acc@10"}
OPINIONS = {f"MOS {criterion}": f"mos_{criterion}" for criterion in ("quality", "temporal", "material", "action")}
COLUMNS2 = {"FAD-P": "fad", "FAD-C": "fad_c", "E-L1": "e_l1", "CLAP": "clap", "FAVD": "favd", **OPINIONS}
COLUMNS3 = {"PEAVS": "peavs", "MOS temporal": "mos_temporal"}
COLUMNS4 = {
    "E-L1": "e_l1", "Acc@5": "acc@5", "Onset Acc": "onset_accuracy", "Onset recall": "onset_recall", "Onset AP": "onset_ap",
    "F1 at 100 ms": "onset_f1_100ms", "F1 at 50 ms": "onset_f1_50ms",
}  # fmt: skip
RISING = ("Acc", "CLAP", "MOS", "PEAVS", "Onset", "F1")  # how columns begin in which more is better
COLUMNS5 = {"FAD-P": "fad", "FAD-C": "fad_c", "CLAP": "clap", "E-L1": "e_l1"}
PROMPTS = {"foley_audio": "audio", "foley_text": "text", "text_to_audio": "text", "envelope": "audio", "envelope_text": "text"}
ONSETS = ("RMS alone", "RMS and onsets", "onsets alone", "Video2Onset", "a click every 0.15 s")


def _row(head, columns, ours, paper):
    row = dict(head)
    for column, key in columns.items():
        low, high = ours.get(f"{key}_interval") or (None, None)
        theirs = paper.get(column)
        value, half = theirs if isinstance(theirs, tuple) else (theirs, None)
        row |= {column: mean(ours, key), f"{column} low": low, f"{column} high": high, f"{column} paper": value}
        row |= {f"{column} paper ±": half} if half else {}
    return row


def table1(video2rms, repeats):
    """Table 1 from metrics/video2rms.json and, for the rows over seeds, metrics/video2rms_repeats.json ({}: not run). Returns a DataFrame."""
    plain = "predicted without label smoothing"
    named = [(system, ours, TABLE1.get(system, {})) for system, ours in video2rms.items()]
    if repeats:
        named.append(("predicted, over seeds", repeats["predicted"], TABLE1["predicted"]))
    named.append((f"{plain}, over seeds" if repeats else plain, repeats.get("hard_labels", {}), TABLE1[plain]))
    return pd.DataFrame(
        _row({"system": system, "prompt": ""}, COLUMNS1, ours, {column: paper.get(key) for column, key in COLUMNS1.items()})
        for system, ours, paper in named
    )


def table2(foley, benchmark):
    """Table 2 from metrics/foley.json, other systems below ours: what metrics/benchmark.json has of them ({}: not run).

    Returns a DataFrame.
    """
    rows = [_row({"system": s, "prompt": PROMPTS.get(s, "")}, COLUMNS2, ours, TABLE2.get(s, {})) for s, ours in foley.items()]
    scored = {(row["paper"], row["prompt"]): row for row in benchmark.values() if row.get("paper")}
    for (system, prompt), paper in TABLE2_OTHERS.items():
        rows.append(_row({"system": system, "prompt": prompt}, COLUMNS2, scored.get((system, prompt), {}), paper))
    return pd.DataFrame(rows)


def table3():
    """Table 3: the paper's values. Ours need listeners, whose table `vf.evaluation.listening.page` makes, and PEAVS's own network. Returns a DataFrame."""
    rows = []
    for (system, prompt), peavs in PEAVS.items():
        opinion = (TABLE2.get(system) or TABLE2_OTHERS[system, prompt]).get("MOS temporal")
        rows.append(_row({"system": system, "prompt": prompt}, COLUMNS3, {}, {"PEAVS": peavs, "MOS temporal": opinion}))
    return pd.DataFrame(rows)


def table4(onsets):
    """Table 4 from metrics/onsets.json ({}: not run). The paper's values are not in our text of it. Returns a DataFrame."""
    return pd.DataFrame(_row({"system": system, "prompt": ""}, COLUMNS4, onsets.get(system, {}), {}) for system in ONSETS)


def table5(rms2sound):
    """Table 5 from metrics/rms2sound.json. Returns a DataFrame."""
    rows = [_row({"system": "reconstruction", "prompt": ""}, COLUMNS5, rms2sound["reconstruction"], {})]
    for prompt in ("audio", "text"):
        for system, ours in rms2sound[prompt].items():
            rows.append(_row({"system": system, "prompt": prompt}, COLUMNS5, ours, TABLE5.get((prompt, system), {})))
    return pd.DataFrame(rows)


def readable(table):
    """A table for people: `value [low, high] (paper: x)` in one cell a metric. Returns a DataFrame of strings."""
    result = table[["system", "prompt"] if table["prompt"].any() else ["system"]].copy()
    for column in [c.removesuffix(" paper") for c in table if c.endswith(" paper")]:
        cells = []
        for _, row in table.iterrows():
            ours = "–" if pd.isna(row[column]) else f"{row[column]:.4g}"
            if not pd.isna(row[f"{column} low"]):
                ours += f" [{row[f'{column} low']:.4g}, {row[f'{column} high']:.4g}]"
            theirs, half = row[f"{column} paper"], row.get(f"{column} paper ±")
            half = "" if pd.isna(half) else f" ±{half:g}"
            cells.append(ours + ("" if pd.isna(theirs) else f" (paper: {theirs:g}{half})"))
        result[f"{column} {'↑' if column.startswith(RISING) else '↓'}"] = cells
    return result
