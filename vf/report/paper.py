"""The paper's numbers, each with its table and row.

What is not here is not in our text of the paper, or was not measured there.

A row has the address of ours that stands beside it, STAGE/SYSTEM or STAGE/PROMPT/SYSTEM; systems that are not made here
have theirs below `others`.
"""

from typing import NamedTuple

from vf.evaluation import catalogue


class Row(NamedTuple):
    """A row of a table of the paper.

    values: {metric: number}. halves: half of the 95% interval of an opinion, where one is given.
    """

    table: str
    name: str
    values: dict
    halves: dict = {}


def _opinions(quality, temporal, material, action):
    """Values and halves of the four opinions, each given as (value, half)."""
    each = {"mos_quality": quality, "mos_temporal": temporal, "mos_material": material, "mos_action": action}
    return {key: value for key, (value, _) in each.items()}, {key: half for key, (_, half) in each.items()}


def _row2(name, values, *opinions):
    means, halves = _opinions(*opinions) if opinions else ({}, {})
    return Row("Table 2", name, values | means, halves)


ROWS = {
    "video2rms/discretised_truth": Row("Table 1", "disc. RMS (g.t.)", {"e_l1_sounding": 0.00243}),
    "video2rms/predicted": Row(
        "Table 1", "Video2RMS", {"e_l1_sounding": 0.0431, "acc@1": 0.0128, "acc@5": 0.238, "acc@10": 0.449}
    ),
    "video2rms/hard_labels": Row(
        "Table 1", "without label smoothing",
        {"e_l1_sounding": 0.0450, "acc@1": 0.0116, "acc@5": 0.241, "acc@10": 0.446},
    ),
    "video2rms/random": Row(
        "Table 1", "random choice, l.b.", {"e_l1_sounding": 0.2807, "acc@1": 0.0154, "acc@5": 0.0769, "acc@10": 0.154}
    ),
    "foley/ground_truth": _row2(
        "Ground Truth", {"fad": 0, "fad_c": 0, "e_l1": 0, "favd": 0},
        (4.57, 0.08), (4.83, 0.06), (4.70, 0.08), (4.90, 0.04),
    ),
    "foley/foley_audio": _row2(
        "Video-Foley, Audio Prompt", {"fad": 27.2, "fad_c": 187, "e_l1": 0.0090, "clap": 0.644, "favd": 0.80},
        (3.93, 0.12), (4.40, 0.11), (3.83, 0.15), (4.56, 0.08),
    ),
    "foley/foley_text": _row2(
        "Video-Foley, Text Prompt", {"fad": 66.8, "fad_c": 451, "e_l1": 0.0103, "clap": 0.476, "favd": 3.28}
    ),
    "foley/text_to_audio": _row2(
        "Text-to-Audio", {"fad": 59.8, "fad_c": 397, "e_l1": 0.0217, "clap": 0.443, "favd": 2.67},
        (2.39, 0.13), (2.00, 0.13), (2.78, 0.16), (3.21, 0.17),
    ),
    "others/none/SpecVQGAN": _row2(
        "SpecVQGAN", {"fad": 101.0, "fad_c": 579, "e_l1": 0.0230, "clap": 0.323, "favd": 6.42},
    ),
    "others/none/Diff-Foley": _row2(
        "Diff-Foley", {"fad": 87.0, "fad_c": 550, "e_l1": 0.0291, "clap": 0.403, "favd": 4.61},
        (2.11, 0.11), (1.86, 0.14), (1.78, 0.13), (2.38, 0.17),
    ),
    "others/audio/CondFoleyGen": _row2(
        "CondFoleyGen", {"fad": 42.2, "fad_c": 381, "e_l1": 0.0238, "clap": 0.572, "favd": 1.01},
        (3.10, 0.13), (1.93, 0.13), (2.36, 0.16), (2.79, 0.17),
    ),
    "others/audio/SyncFusion": _row2(
        "SyncFusion, Audio Prompt", {"fad": 65.9, "fad_c": 335, "e_l1": 0.0239, "clap": 0.631, "favd": 4.50},
        (3.10, 0.13), (3.10, 0.19), (3.04, 0.18), (3.22, 0.19),
    ),
    "others/text/SyncFusion": _row2(
        "SyncFusion, Text Prompt", {"fad": 81.6, "fad_c": 424, "e_l1": 0.0292, "clap": 0.529, "favd": 5.11}
    ),
    "rms2sound/audio/none": Row(
        "Table 5", "w/o RMS, Audio Prompt", {"fad": 29.0, "fad_c": 194, "clap": 0.619, "e_l1": 0.02076}
    ),
    "rms2sound/audio/discretised": Row(
        "Table 5", "disc. RMS, Audio Prompt", {"fad": 21.6, "fad_c": 154, "clap": 0.686, "e_l1": 0.00348}
    ),
    "rms2sound/audio/continuous": Row(
        "Table 5", "cont. RMS, Audio Prompt", {"fad": 19.9, "fad_c": 152, "clap": 0.657, "e_l1": 0.00361}
    ),
    "rms2sound/text/none": Row(
        "Table 5", "w/o RMS, Text Prompt", {"fad": 59.8, "fad_c": 397, "clap": 0.443, "e_l1": 0.0276}
    ),
    "rms2sound/text/discretised": Row(
        "Table 5", "disc. RMS, Text Prompt", {"fad": 46.8, "fad_c": 333, "clap": 0.504, "e_l1": 0.00496}
    ),
    "rms2sound/text/continuous": Row(
        "Table 5", "cont. RMS, Text Prompt", {"fad": 44.6, "fad_c": 323, "clap": 0.531, "e_l1": 0.00498}
    ),
}  # fmt: skip
PEAVS = {  # Table 3, whose opinions on timing are Table 2's; in its order
    "foley/ground_truth": 1.81, "others/none/SpecVQGAN": 2.64, "others/none/Diff-Foley": 2.25,
    "others/audio/CondFoleyGen": 1.80, "others/audio/SyncFusion": 2.21, "foley/foley_audio": 1.70,
    "others/text/SyncFusion": 2.31, "foley/foley_text": 2.27, "foley/text_to_audio": 1.82,
}  # fmt: skip


def row(address: str) -> Row:
    """The paper's row that stands beside one of ours; one without values where there is none."""
    return ROWS.get(address, Row("", "", {}))


def opposite(better: str, worse: str, key: str) -> str:
    """The paper's values of the two rows that a claim compares, `0.238 against 0.241`; "–" if one is missing.

    Where the paper's own numbers contradict the claim, the text adds "the other way".
    """
    ours, theirs = (row(address).values.get(key) for address in (better, worse))
    if ours is None or theirs is None:
        return "–"
    holds = ours < theirs if catalogue.lower_is_better(key) else ours > theirs
    return f"{ours:g} against {theirs:g}" + ("" if holds else ", the other way")


def without_gain(more: str, base: str, key: str) -> str:
    """`opposite` for a claim that `more` gains nothing on `base`: says so where the paper's own numbers have a gain."""
    text = opposite(more, base, key)
    return (
        text.removesuffix(", the other way") if text.endswith(", the other way") or text == "–" else f"{text}, a gain"
    )
