"""The report: tables, claims and one offline page from what the stages saved. `python -m vf.report --profile small`."""

import argparse
import base64
import html
import json
from pathlib import Path

from vf import params, tables
from vf.claims import COLUMNS, claims, of_case_studies
from vf.published import markdown, publish

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #444; } td:first-child { white-space: nowrap; }
img { max-width: 100%; } figure { margin: 1.5rem 0; } figcaption { font-size: 13px; color: #555; }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; } video { width: 100%; }
"""


def minutes(folder):
    """Minutes each notebook took and the page it left: [(name, minutes)] from papermill's own record."""
    taken = []
    for path in sorted(folder.glob("*.ipynb")):
        duration = json.loads(path.read_text())["metadata"].get("papermill", {}).get("duration")
        if duration:
            taken.append((path.stem, duration / 60))
    return taken


def _embed(path):
    kind = {".png": "image/png", ".mp4": "video/mp4", ".wav": "audio/wav"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _table(columns, rows):
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def page(p, named_tables, claim_rows, left_out, captions):
    """The whole report as one HTML text with pictures and films inside it, for reading offline."""
    parts = [f"<h1>Video-Foley: {html.escape(p.run)}</h1>"]
    parts.append(
        f"<p>Profile <b>{p.profile}</b>, films from <b>{html.escape(p.films.source)}</b>, sound from "
        f"<b>{html.escape(', '.join(p.audio.sources))}</b>, seed {p.seed}. Intervals are 95% bootstrap intervals over films. The "
        "paper's values come from its own data and are no target for another corpus; what compares is the order of the rows."
        "</p>"
    )
    for title, table in named_tables.items():
        view = tables.readable(table)
        parts.append(f"<h2>{title}</h2>" + _table(list(view), view.values.tolist()))
    parts.append("<h2>The paper's claims</h2>" + _table(COLUMNS, claim_rows))
    parts.append("<h2>Figures</h2>")
    for path in sorted(p.folder("figures").glob("*.png")):
        caption = captions.get(path.stem, path.stem.replace("_", " "))
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
    taken = minutes(p.folder("notebooks"))
    if taken:
        parts.append("<h2>Minutes a stage</h2>" + _table(("stage", "minutes"), [(n, f"{m:.1f}") for n, m in taken]))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Video-Foley: {html.escape(p.run)}</title><style>{STYLE}</style>'
        + "\n".join(parts)
        + "</html>\n"
    )


CAPTIONS = {
    "01_clips": "A training film: strip, waveform with annotated events, spectrogram.",
    "01_statistics": "The clips of this run beside Greatest Hits: gaps between events, levels of frames, materials in a clip.",
    "02_rms": "From waveform to RMS curve, to classes, to smoothed labels (Eqs. 1 to 3).",
    "03_features": "Kinds of features: how well a linear probe reads the RMS curve from each, on validation films.",
    "04_losses": "Training loss of Video2RMS.",
    "04_predictions": "True and predicted curves of three test films.",
    "05_losses": "Training losses of the backbone's parts.",
    "05_embedders": "Training losses of the metrics' embedders.",
    "06_losses": "Training loss of RMS-ControlNet (Eq. 4).",
    "08_video2rms": "Video2RMS and the rows that keep it honest, with 95% intervals.",
    "08_rms2sound": "RMS2Sound with true curves, with 95% intervals.",
    "08_foley_e_l1": "Video-Foley: E-L1 of each system, with 95% intervals.",
    "08_foley_fad": "Video-Foley: Frechet distance of each system, with 95% intervals.",
    "09_fig3": "Figure 3's counterpart: several events in one film.",
    "09_fig4": "Figure 4's counterpart: intensity and nuance.",
    "09_fig5": "Figure 5's counterpart: onset annotations over waveforms.",
    "09_fig9": "Figure 9's counterpart: hits and scratches.",
    "09_fig10": "Figure 10's counterpart: intensity and nuance, another film.",
    "09_fig11": "Figure 11's counterpart: start and end of every event.",
    "09_fig12": "Figure 12's counterpart: four shapes, one prompt.",
    "09_fig13": "Figure 13's counterpart: one curve, several prompts.",
    "10_studio": "A curve drawn in the studio and the sound that came of it.",
    "11_video2rms_repeats": "Video2RMS over seeds and folds, with 95% intervals.",
    "12_rms2sound_repeats": "RMS2Sound with true curves over seeds, with 95% intervals.",
    "16_onsets": "Table 4's counterpart: onsets told by Video2RMS and by R(2+1)D.",
    "17_fig2": "Figure 2's counterpart: number of bins, for Video2RMS (over seeds) and RMS2Sound.",
    "17_fig8": "Figure 8's counterpart: width of the smoothed labels, over seeds.",
    "17_video2rms": "Video2RMS, one change at a time, over seeds, with 95% intervals.",
    "17_rms2sound": "RMS2Sound, one change at a time, with 95% intervals.",
}


def write(p):
    """Tables to results/<run>/tables, the page to runs/<run>/report.html, the generated blocks of REPRODUCTION.md."""
    read = {
        name: json.loads(p.results(f"metrics/{name}.json").read_text())
        for name in ("video2rms", "rms2sound", "foley", "case_studies")
    }
    facts = json.loads((p.folder("scores") / "facts.json").read_text())
    made = {
        "table1": tables.table1(read["video2rms"]),
        "table2": tables.table2(read["foley"]),
        "table5": tables.table5(read["rms2sound"]),
    }
    for name, table in made.items():
        table.to_csv(p.results(f"tables/{name}.csv"), index=False)
    rows = claims(read["video2rms"], read["rms2sound"], read["foley"], facts) + of_case_studies(read["case_studies"])
    titles = {"table1": "Table 1: Video2RMS", "table2": "Table 2: Video-Foley", "table5": "Table 5: RMS2Sound"}
    left_out = json.loads((p.folder("clips") / "clips.json").read_text())["left_out"]
    report = page(p, {titles[n]: t for n, t in made.items()}, rows, left_out, CAPTIONS)
    (p.folder("report.html")).write_text(report)
    blocks = {"claims": markdown(COLUMNS, rows)}
    for name, table in made.items():
        view = tables.readable(table)
        blocks[name] = markdown(list(view), view.values.tolist())
    blocks["minutes"] = markdown(("stage", "minutes"), [(n, f"{m:.1f}") for n, m in minutes(p.folder("notebooks"))])
    publish(p, blocks)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", help="small or paper; params.yaml's own without it")
    p = params.load(parser.parse_args().profile)
    for name, table in write(p).items():
        print(f"\n{name}\n{tables.readable(table).to_string(index=False)}")
    print(f"\n{Path('runs') / p.run / 'report.html'}")


if __name__ == "__main__":
    main()
