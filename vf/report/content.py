"""What a report holds, read from what the stages saved; `page` shows it as HTML and `markdown` as a text to compare."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import yaml

from vf.data import files
from vf.evaluation import catalogue, timing
from vf.params import Params
from vf.report import captions, claims, paper, tables, text, verdicts

CORE = ("video2rms", "rms2sound", "foley", "case_studies")  # metrics that `dvc repro report` measures
BEYOND = ("video2rms_repeats", "rms2sound_repeats", "onsets", "ablations", "benchmark")  # and those of the other stages
REMARK = (
    "Of `make paper-figures`, not of `make repro`: what was last saved in results/{run}, in a fresh clone the "
    "published values."
)
CURVES = (
    "e_l1_sounding",
    "e_l1_event",
    "e_l1_all",
    "correlation",
    "onset_f1_100ms",
    "jitter",
    "parameters",
    "e_l1_sounding minus default",
)
SOUNDS = (
    "e_l1",
    "e_l1_gain_matched",
    "correlation",
    "onset_f1_50ms",
    "fad",
    "clap",
    "material_accuracy",
    "e_l1 minus default",
)
EVENTS = ("level_rank", "start_ms", "end_ms", "length_ms", "hit_seconds", "scratch_seconds")
OTHERS = (
    "prompt", "clips", "e_l1", "silence e_l1", "fad", "fad_inf_fadtk", "kad", "favd", "clap", "onset_f1_50ms",
    "onset_f1_100ms", "lag", "correlation_at_lag", "level_error_db", "trained on",
)  # fmt: skip
PUBLISHED = (  # metrics of other papers, of the same systems
    "clips", "energy_mae", "mfcc_similarity", "onset_accuracy_condfoleygen", "onset_ap_condfoleygen",
    "onset_accuracy_mmaudio", "onset_ap_mmaudio", "onset_f1_mmaudio",
)  # fmt: skip
MINUTES = ("stage", "budget (minutes)", "took")

# minutes that a stage of the small profile may take, on two cores that do nothing else
BUDGET = {
    "01_data": 4, "02_rms": 1, "03_features": 8, "04_video2rms": 3, "05_backbone": 15, "06_rms_controlnet": 8,
    "07_generate": 7, "08_evaluate": 2, "09_case_studies": 2, "10_studio": 1, "14_benchmark": 2, "13_onsets": 35,
    "15_ablations": 1, "11_video2rms_variants, variants": 95, "03_features, variants": 20,
    "12_rms2sound_variants, variants": 80,
}  # fmt: skip


class Section(NamedTuple):
    """A table of the report. key: what links name it by. rows: texts."""

    key: str
    title: str
    remark: str
    columns: list
    rows: list


class Headline(NamedTuple):
    """One number of the first screen. ours, paper: texts. rival: what it is to beat, with its own two numbers."""

    title: str
    metric: catalogue.Metric
    ours: str
    paper: str
    rival: str


class Content(NamedTuple):
    """All of a report. tables: {name: DataFrame}, as written to CSV. films: {clip: {name: path}}."""

    p: Params
    headlines: list
    tally: dict
    tables: dict
    sections: list
    claims: list
    beyond: list
    films: dict
    figures: list
    parameters: str
    left_out: list
    minutes: list


def read(p: Params) -> Content:
    """Everything of a run's report.

    Raises FileNotFoundError where a stage that it needs has not run, ValueError for a file that is no JSON.
    """
    core = {name: _json(p.results(f"metrics/{name}.json")) for name in CORE}
    paths = {name: p.results(f"metrics/{name}.json") for name in BEYOND}
    beyond = {name: _json(path) if path.exists() else {} for name, path in paths.items()}
    hard = p.results("metrics/video2rms_variants/width_0.json")  # the same training without Eq. 3
    if hard.exists() and beyond["video2rms_repeats"]:
        beyond["video2rms_repeats"]["hard_labels"] = _json(hard)
    facts = _json(p.folder("scores") / "facts.json")
    clips = verdicts.read_clips(p.folder("scores") / "per_clip.csv")
    unmeasured = [("E", "the paper's claims on ablations and onsets", "", "", verdicts.MISSING)]
    rows = claims.claims(clips, facts, beyond["benchmark"], beyond["rms2sound_repeats"]) + claims.of_case_studies(
        core["case_studies"]
    )
    rows += beyond["ablations"].get("claims", unmeasured)
    shown = {
        "table1": tables.table1(core["video2rms"], beyond["video2rms_repeats"]),
        "table2": tables.table2(core["foley"], beyond["benchmark"]),
        "table3": tables.table3(),
        "table4": tables.table4(beyond["onsets"]),
        "table5": tables.table5(core["rms2sound"]),
    }
    own = {  # of this run alone, where the report also has what other stages saved
        "table1": tables.table1(core["video2rms"], {}),
        "table2": tables.table2(core["foley"], {}),
        "table3": shown["table3"],
        "table5": shown["table5"],
    }
    sections = [_section(name, title, remark, shown[name]) for name, (title, remark) in captions.TABLES.items()]
    settings = yaml.safe_load((p.root / "params.yaml").read_text())[p.profile]
    return Content(
        p=p,
        headlines=headlines(core),
        tally=claims.tally(rows),
        tables=own,
        sections=[*sections, timing_table(core), *case_tables(core["case_studies"])],
        claims=[tuple(row) for row in rows],
        beyond=beyond_tables(p.run, beyond),
        films=films(p.folder("generated") / "films"),
        figures=figures(p.folder("figures")),
        parameters=yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=120),
        left_out=_json(p.folder("clips") / "clips.json")["left_out"],
        minutes=minutes(p.folder("notebooks")),
    )


def _json(path):
    path.stat()  # FileNotFoundError where its stage has not run
    return files.read_json(path, "what a stage wrote: run that stage again")


def _section(key: str, title: str, remark: str, table: pd.DataFrame) -> Section:
    view = tables.readable(table)
    return Section(key, title, remark, list(view), view.values.tolist())


def headlines(core: dict) -> list[Headline]:
    """The numbers of the first screen. core: {metrics file: content}."""
    found = []
    for title, key, address, rival, name in captions.HEADLINES:
        each = []
        for where in (address, rival):
            stage, row = where.split("/")
            each.append((core[stage].get(row, {}), paper.row(where).values.get(key)))
        (ours, theirs), (other, others) = each
        lower = catalogue.lower_is_better(key)
        plain = f"{name}: {text.measured(text.mean(other, key))}"
        plain += "" if others is None else f" (paper: {others:g})"
        sign = "lower" if lower else "higher"
        found.append(
            Headline(
                title,
                catalogue.find(key),
                text.cell(ours, key),
                text.DASH if theirs is None else f"{theirs:g}",
                f"{plain}; {sign} is better",
            )
        )
    return found


def timing_table(core: dict) -> Section:
    """Timing and level of curves and of sounds, beside the rows that know nothing of the film."""
    rows = {f"curve, {name}": row for name, row in core["video2rms"].items()}
    rows |= {f"sound, {name}": row for name, row in core["foley"].items()}
    cells = [[name, *(text.cell(row, key) for key in timing.KEYS)] for name, row in rows.items()]
    columns = ["row", *map(heading, timing.KEYS)]
    return Section("timing", "Timing and level of single events", captions.TIMING, columns, cells)


def case_tables(case: dict) -> list[Section]:
    """What backs the figures of case studies, over all test films. case: metrics/case_studies.json."""
    events = [[name, *(text.cell(row, key) for key in EVENTS)] for name, row in case.items() if "level_rank" in row]
    drawn = [
        [f"correlation, {name}", text.cell(case["shapes"], name)] for name in case.get("shapes", {}) if "_" not in name
    ]
    for name, what in (
        ("levels of shapes", "all shapes"),
        ("prompts", "one curve, six prompts"),
        ("negative prompts", "ten curves"),
    ):
        row = case.get(name, {})
        drawn += [[f"{heading(key)}, {what}", text.cell(row, key)] for key in row if not key.endswith("_interval")]
    return [
        Section(
            "events",
            "Events of a film (Figs. 3, 4, 9 to 11)",
            captions.EVENTS,
            ["system", *map(heading, EVENTS)],
            events,
        ),
        Section("drawn", "Drawn curves and other prompts (Figs. 12, 13)", captions.DRAWN, ["what", "value"], drawn),
        _counterfactual(case),
    ]


def _counterfactual(case):
    """The table of counterfactual films."""
    keys = [f"{kind}_{what}" for what in ("level_db", "lag_ms", "correlation") for kind in ("true", "curve", "sound")]
    keys.append("material_heard")
    start = "counterfactual: "
    changed = {name[len(start) :]: row for name, row in case.items() if name.startswith(start)}
    rows = [[name, *(text.cell(row, key) for key in keys)] for name, row in changed.items()]
    return Section("counterfactual", "Counterfactual films", captions.COUNTERFACTUAL, ["change", *keys], rows)


def heading(key: str) -> str:
    """A metric's label and arrow as the head of a column; what is no metric as it is."""
    if key.split(" minus ")[0] not in catalogue.METRICS:
        return key
    return f"{catalogue.label(key)} {catalogue.find(key).arrow}".strip()


def beyond_tables(run: str, saved: dict) -> list[Section]:
    """Tables of what `dvc repro report` does not run. saved: {metrics file: content}, {} where there is none."""
    ablations = saved["ablations"]
    sounds = {
        f"{name}, {prompt}": row
        for name, both in ablations.get("rms2sound", {}).items()
        for prompt, row in both.items()
    }
    repeats = {name: row for name, row in saved["rms2sound_repeats"].items() if " left of " not in name}
    sections = []
    for key, title, rows, shown in (
        ("ablation1", "Ablations of Video2RMS (Figs. 2 and 8)", ablations.get("video2rms"), CURVES),
        ("ablation2", "Ablations of RMS2Sound with true curves (Fig. 2, B.2)", sounds, SOUNDS),
        ("seeds1", "Video2RMS over seeds", saved["video2rms_repeats"], CURVES),
        ("seeds2", "RMS2Sound over seeds", repeats, SOUNDS),
        ("others", "Systems of others", saved["benchmark"], OTHERS),
        ("published", "Systems of others, by metrics of other papers", saved["benchmark"], PUBLISHED),
    ):
        if rows:
            cells = [[name, *(text.cell(row, metric) for metric in shown)] for name, row in rows.items()]
            sections.append(Section(key, title, REMARK.format(run=run), ["row", *map(heading, shown)], cells))
    return sections


def films(folder: Path) -> dict[str, dict[str, Path]]:
    """Generated films by clip, {clip: {name: path}}: names as in `captions.FILMS`, else the whole stem of the file."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*.mp4")):
        name = next((name for name in captions.FILMS if path.stem.endswith(f"_{name}")), None)
        clip = path.stem.removesuffix(f"_{name}") if name else path.stem
        found.setdefault(clip, {})[name or path.stem] = path
    order = list(captions.FILMS)
    return {
        clip: dict(sorted(of.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))
        for clip, of in found.items()
    }


def figures(folder: Path) -> list[tuple[Path, str]]:
    """(path, caption) of every figure that was drawn, the paper's first."""
    order = list(captions.FIGURES)
    drawn = {path.stem: path for path in folder.glob("*.png")}
    names = sorted(drawn, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(drawn[name], captions.FIGURES.get(name, name.replace("_", " "))) for name in names]


def minutes(folder: Path) -> list[tuple]:
    """Minutes that notebooks took, from papermill's own record of what they left: rows (stage, budget, took).

    Variants of an ablation, which lie in folders of their own, are one row.
    """
    taken: dict[str, list[float]] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        try:
            record = json.loads(path.read_text())["metadata"].get("papermill", {})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}: is no notebook ({files.excerpt(error)}); wanted papermill's: run its stage again"
            ) from error
        if record.get("duration"):
            name = path.stem if path.parent == folder else f"{Path(record['input_path']).stem}, variants"
            taken.setdefault(name, []).append(record["duration"] / 60)
    rows = []
    for name, each in sorted(taken.items()):
        label = f"{name} ({len(each)})" if name.endswith("variants") else name
        rows.append((label, BUDGET.get(name, text.DASH), f"{sum(each):.1f}"))
    return rows


def by_section(rows: list[tuple]) -> dict[str, list[tuple]]:
    """Claims by the section of the paper that they begin with, in the order of sections; our own last."""
    found: dict[str, list[tuple]] = {}
    for row in rows:
        found.setdefault(row[0].split(",")[0], []).append(row)
    return dict(sorted(found.items(), key=lambda item: (item[0] == claims.OWN, item[0][0].isalpha(), item[0])))
