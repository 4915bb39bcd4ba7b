"""The paper's tables from the saved metrics: a row a system and prompt, the paper's value beside ours, our interval."""

import pandas as pd

from vf.paper_values import TABLE1, TABLE2, TABLE2_OTHERS, TABLE5

COLUMNS1 = {"E-L1": "e_l1", "Acc@1": "acc@1", "Acc@5": "acc@5", "Acc@10": "acc@10"}
COLUMNS2 = {"FAD-P": "fad", "FAD-C": "fad_c", "E-L1": "e_l1", "CLAP": "clap", "FAVD": "favd"}
COLUMNS5 = {"FAD-P": "fad", "FAD-C": "fad_c", "CLAP": "clap", "E-L1": "e_l1"}
PROMPTS = {"foley_audio": "audio", "foley_text": "text", "text_to_audio": "text", "envelope": "audio", "envelope_text": "text"}


def _row(head, columns, ours, paper):
    row = dict(head)
    for column, key in columns.items():
        low, high = ours.get(f"{key}_interval") or (None, None)
        row |= {column: ours.get(key), f"{column} low": low, f"{column} high": high, f"{column} paper": paper.get(column)}
    return row


def table1(video2rms):
    """Table 1 from metrics/video2rms.json. Returns a DataFrame."""
    rows = []
    for system, ours in video2rms.items():
        paper = TABLE1.get(system, {})
        named = {column: paper.get(key) for column, key in COLUMNS1.items()}
        rows.append(_row({"system": system, "prompt": ""}, COLUMNS1, ours, named))
    missing = "predicted without label smoothing"
    rows.append(_row({"system": missing, "prompt": ""}, COLUMNS1, {}, {c: TABLE1[missing][k] for c, k in COLUMNS1.items()}))
    return pd.DataFrame(rows)


def table2(foley):
    """Table 2 from metrics/foley.json, the systems not made here below ours. Returns a DataFrame."""
    rows = [_row({"system": s, "prompt": PROMPTS.get(s, "")}, COLUMNS2, ours, TABLE2.get(s, {})) for s, ours in foley.items()]
    rows += [_row({"system": s, "prompt": p}, COLUMNS2, {}, paper) for (s, p), paper in TABLE2_OTHERS.items()]
    return pd.DataFrame(rows)


def table5(rms2sound):
    """Table 5 from metrics/rms2sound.json. Returns a DataFrame."""
    rows = [_row({"system": "reconstruction", "prompt": ""}, COLUMNS5, rms2sound["reconstruction"], {})]
    for prompt in ("audio", "text"):
        for system, ours in rms2sound[prompt].items():
            rows.append(_row({"system": system, "prompt": prompt}, COLUMNS5, ours, TABLE5.get((prompt, system), {})))
    return pd.DataFrame(rows)


def readable(table):
    """A table for people: `value [low, high] (paper: x)` in one cell a metric. Returns a DataFrame of strings."""
    result = table[["system", "prompt"]].copy()
    for column in [c for c in table if f"{c} paper" in table]:
        cells = []
        for _, row in table.iterrows():
            ours = "–" if pd.isna(row[column]) else f"{row[column]:.4g}"
            if not pd.isna(row[f"{column} low"]):
                ours += f" [{row[f'{column} low']:.4g}, {row[f'{column} high']:.4g}]"
            paper = row[f"{column} paper"]
            cells.append(ours + ("" if pd.isna(paper) else f" (paper: {paper:g})"))
        result[column] = cells
    return result
