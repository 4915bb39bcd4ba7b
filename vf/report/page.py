"""The report: tables, claims and one offline page from what the stages saved. `python -m vf.report.page --profile small`."""

import argparse
import base64
import html
import json
from pathlib import Path

import mistune
import yaml

from vf import params
from vf.report import tables, verdicts
from vf.report.captions import FIGURES, GLOSSARY, TABLES
from vf.report.claims import COLUMNS, claims, of_case_studies
from vf.report.published import block, cell, markdown, publish

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top; }
dt { font-weight: 600; } summary { cursor: pointer; } pre { font-size: 12px; overflow-x: auto; }
th { border-bottom: 2px solid #444; } td:first-child { white-space: nowrap; }
img { max-width: 100%; } figure { margin: 1.5rem 0; } figcaption { font-size: 13px; color: #555; }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; } video { width: 100%; }
"""


def minutes(folder):
    """Minutes that notebooks took, from papermill's own record of what they left: rows (stage, budget, took).

    Variants of an ablation, which lie in folders of their own, are one row.
    """
    taken = {}
    for path in sorted(folder.rglob("*.ipynb")):
        record = json.loads(path.read_text())["metadata"].get("papermill", {})
        if record.get("duration"):
            name = path.stem if path.parent == folder else f"{Path(record['input_path']).stem}, variants"
            taken.setdefault(name, []).append(record["duration"] / 60)
    rows = []
    for name, each in sorted(taken.items()):
        label = f"{name} ({len(each)})" if name.endswith("variants") else name
        rows.append((label, BUDGET.get(name, "–"), f"{sum(each):.1f}"))
    return rows


# minutes that a stage of the small profile may take, on two cores that do nothing else
BUDGET = {
    "01_data": 4, "02_rms": 1, "03_features": 8, "04_video2rms": 3, "05_backbone": 15, "06_rms_controlnet": 8, "07_generate": 7,
    "08_evaluate": 2, "09_case_studies": 2, "10_studio": 1, "14_benchmark": 2, "13_onsets": 35,
    "15_ablations": 1, "11_video2rms_variants, variants": 95, "03_features, variants": 20, "12_rms2sound_variants, variants": 80,
}  # fmt: skip


def _embed(path):
    kind = {".png": "image/png", ".mp4": "video/mp4", ".wav": "audio/wav"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _table(columns, rows):
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def page(p, sections, left_out):
    """The whole report as one HTML text with pictures and films inside it, for reading offline.

    sections: (title, remark, columns, rows) of its tables. left_out: dicts of file, line, reason, remedy.
    """
    parts = [f"<h1>Video-Foley: {html.escape(p.run)}</h1>"]
    parts.append(
        f"<p>Profile <b>{p.profile}</b>, films from <b>{html.escape(p.films.source)}</b>, sound from "
        f"<b>{html.escape(', '.join(p.audio.sources))}</b>, seed {p.seed}. Intervals are 95% bootstrap intervals over films. The "
        "paper's values come from its own data and networks and are no target for another corpus; what compares is the order of the "
        "rows. Where this differs from the paper, and why: REPRODUCTION.md. Arrows say which way is better.</p>"
    )
    settings = yaml.safe_load((p.root / "params.yaml").read_text())[p.profile]
    settings = yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=120)
    parts.append(f"<details><summary>Parameters of this profile</summary><pre>{html.escape(settings)}</pre></details>")
    terms = "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd>" for term, text in GLOSSARY.items())
    parts.append(f"<details><summary>Rows and metrics</summary><dl>{terms}</dl></details>")
    for title, remark, columns, rows in sections:
        parts.append(f"<h2>{html.escape(title)}</h2><p>{html.escape(remark)}</p>" + _table(columns, rows))
    why = block((p.root / "REPRODUCTION.md").read_text(), p.run, "why")
    if why:
        parts.append("<h2>Where a trend of the paper does not show, and why</h2><p>Written of the published run.</p>")
        parts.append(mistune.html(why))
    parts.append("<h2>Figures</h2>")
    order = [*FIGURES]
    drawn = {path.stem: path for path in p.folder("figures").glob("*.png")}
    for name in sorted(drawn, key=lambda name: (order.index(name) if name in order else len(order), name)):
        path, caption = drawn[name], FIGURES.get(name, name.replace("_", " "))
        parts.append(
            f'<figure><img src="{_embed(path)}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        )
    films = sorted(p.folder("generated").glob("films/*.mp4"))
    if films:
        parts.append('<h2>Films with generated sound</h2><div class="films">')
        parts += [
            f'<figure><video controls src="{_embed(f)}"></video><figcaption>{html.escape(f.stem)}</figcaption></figure>'
            for f in films
        ]
        parts.append("</div>")
    parts.append(f"<h2>Left out</h2><p>{len(left_out)} films or segments could not be used.</p>")
    if left_out:
        columns = ("file", "line", "reason", "remedy")
        parts.append(_table(columns, [[item.get(c, "") or "" for c in columns] for item in left_out]))
    parts.append("<h2>Minutes a stage</h2>" + _table(MINUTES, minutes(p.folder("notebooks"))))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Video-Foley: {html.escape(p.run)}</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


BEYOND = (
    "Of `make paper-figures`, not of `make repro`: what was last saved in results/{run}, in a fresh clone the published values."
)


def _view(table):
    """Columns and rows of a table, as people read it."""
    view = tables.readable(table)
    return list(view), view.values.tolist()


def _beyond(p, saved):
    """Sections of what `dvc repro report` does not run. saved: {metrics file: content}, {} where there is none."""
    remark = BEYOND.format(run=p.run)
    sections = []
    ablations = saved["ablations"]
    sounds = {f"{name}, {prompt}": row for name, both in ablations.get("rms2sound", {}).items() for prompt, row in both.items()}
    for title, rows, shown in (
        ("Ablations of Video2RMS (Figs. 2 and 8)", ablations.get("video2rms"), CURVES),
        ("Ablations of RMS2Sound with true curves (Fig. 2, B.2)", sounds, SOUNDS),
        ("Video2RMS over seeds", saved["video2rms_repeats"], CURVES),
        ("RMS2Sound over seeds", {k: v for k, v in saved["rms2sound_repeats"].items() if "e_l1" in v}, SOUNDS),
        ("Systems of others", saved["benchmark"], OTHERS),
    ):
        if rows:
            sections.append(
                (title, remark, ("row", *shown), [[name, *(cell(row, m) for m in shown)] for name, row in rows.items()])
            )
    said = ablations.get("claims", [("", "the paper's claims on ablations and onsets", "", "", verdicts.MISSING)])
    return [*sections, ("The paper's claims: ablations and onsets", remark, COLUMNS, said)]


OTHERS = ("prompt", "clips", "e_l1", "silence e_l1", "fad", "favd", "clap", "onset_f1_50ms", "trained on")
MINUTES = ("stage", "budget (minutes)", "took")
CURVES = ("e_l1", "e_l1_event", "e_l1_all", "correlation", "onset_f1_100ms", "jitter", "parameters", "e_l1 minus default")
SOUNDS = ("e_l1", "e_l1_gain_matched", "correlation", "onset_f1_50ms", "fad", "clap", "material_accuracy", "e_l1 minus default")


def write(p):
    """Tables to results/<run>/tables, the page to runs/<run>/report.html, the generated blocks of REPRODUCTION.md."""
    core = ("video2rms", "rms2sound", "foley", "case_studies")
    read = {name: json.loads(p.results(f"metrics/{name}.json").read_text()) for name in core}
    saved = {name: p.results(f"metrics/{name}.json") for name in MORE}
    saved = {name: json.loads(path.read_text()) if path.exists() else {} for name, path in saved.items()}
    hard = p.results("metrics/video2rms_variants/width_0.json")  # the same training without Eq. 3
    if hard.exists() and saved["video2rms_repeats"]:
        saved["video2rms_repeats"]["hard_labels"] = json.loads(hard.read_text())
    facts = json.loads((p.folder("scores") / "facts.json").read_text())
    made = {
        "table1": tables.table1(read["video2rms"], {}),
        "table2": tables.table2(read["foley"], {}),
        "table3": tables.table3(),
        "table5": tables.table5(read["rms2sound"]),
    }
    for name, table in made.items():  # of this run alone; the page and REPRODUCTION.md also have what other stages saved
        table.to_csv(p.results(f"tables/{name}.csv"), index=False)
    made["table1"] = tables.table1(read["video2rms"], saved["video2rms_repeats"])
    made["table2"] = tables.table2(read["foley"], saved["benchmark"])
    made["table4"] = tables.table4(saved["onsets"])
    clips = verdicts.read_clips(p.folder("scores") / "per_clip.csv")
    rows = claims(clips, facts, saved["benchmark"]) + of_case_studies(read["case_studies"])
    sections = [(title, remark, *_view(made[name])) for name, (title, remark) in TABLES.items()]
    sections += [("The paper's claims", "A verdict follows from the numbers; none is written by hand.", COLUMNS, rows)]
    left_out = json.loads((p.folder("clips") / "clips.json").read_text())["left_out"]
    (p.folder("report.html")).write_text(page(p, sections + _beyond(p, saved), left_out))
    blocks = {"claims": markdown(COLUMNS, rows)} | {name: markdown(*_view(table)) for name, table in made.items()}
    blocks["minutes"] = markdown(MINUTES, minutes(p.folder("notebooks")))
    publish(p, blocks)
    return made


MORE = ("video2rms_repeats", "rms2sound_repeats", "onsets", "ablations", "benchmark")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", help="small or paper; params.yaml's own without it")
    p = params.load(parser.parse_args().profile)
    for name, table in write(p).items():
        print(f"\n{name}\n{tables.readable(table).to_string(index=False)}")
    print(f"\n{Path('runs') / p.run / 'report.html'}")


if __name__ == "__main__":
    main()
