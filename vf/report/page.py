"""The report: results/<run>/report.md to compare, runs/<run>/report.html to look at and listen to, and tables as CSV.

python -m vf.report.page --profile small
"""

import argparse
import base64
import html
from pathlib import Path

from vf import params
from vf.data import files
from vf.evaluation import catalogue
from vf.report import captions, claims, content, tables, text

STYLE = """
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; padding: 0 1rem 3rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; margin: .8rem 0 .3rem; } h2 { margin: 2.2rem 0 .4rem; }
p, dl { max-width: 48rem; margin: .3rem 0; }
nav { display: flex; flex-wrap: wrap; border-block: 1px solid #ddd; padding: .5rem 0; margin-top: 1rem; }
nav a { margin-right: 1rem; }
a { color: #0072b2; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: .6rem 0; }
.numbers div, .tally span { background: #f3f5f7; border-radius: .4rem; padding: .4rem .6rem; }
.numbers b { display: block; font-size: 1.35rem; line-height: 1.3; } .numbers small { color: #555; display: block; }
.tally { display: flex; flex-wrap: wrap; gap: .5rem; margin: .6rem 0; }
.pairs { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .6rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; margin: 0; }
video { width: 100%; } figure { margin: 1rem 0; } .pair figure, .films figure { margin: 0; }
figcaption { font-size: 13px; color: #555; } img { max-width: 100%; height: auto; }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .6rem; }
.table { overflow-x: auto; margin: .6rem 0; } table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #444; } td:first-child { white-space: nowrap; }
summary { cursor: pointer; padding: .3rem 0; } summary span { color: #555; }
dt { font-weight: 600; } dd { margin-bottom: .4rem; }
pre { font-size: 12px; overflow-x: auto; } .holds { color: #00694f; } .fails { color: #b34700; }
@media (max-width: 26rem) { .pairs { grid-template-columns: 1fr; } .numbers { grid-template-columns: 1fr 1fr; } }
"""
KINDS = {".png": "image/png", ".mp4": "video/mp4"}
ON_TOP, PAIR = 3, ("truth", "foley-audio")  # films of the first screen


def _embed(path):
    return f"data:{KINDS[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _cell(value):
    style = {claims.HOLDS: "holds", claims.FAILS: "fails"}.get(value)
    shown = html.escape(str(value))
    return f'<td class="{style}">{shown}</td>' if style else f"<td>{shown}</td>"


def _table(columns, rows):
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _film(clip, name, path):
    caption = f"{clip}: {captions.FILMS.get(name, name)}" if name != clip else clip
    caption = html.escape(caption)
    video = f'<video controls preload="metadata" src="{_embed(path)}"></video>'
    return f"<figure>{video}<figcaption>{caption}</figcaption></figure>"


def _count(tally):
    return ", ".join(f"{count} {verdict}" for verdict, count in tally.items() if count)


def _first_screen(found):
    """What a reader sees before scrolling: what this is, four numbers, three films beside the truth, the tally."""
    p = found.p
    parts = [
        f"<h1>Video-Foley: {html.escape(p.run)}</h1>",
        f"<p>{html.escape(' '.join(captions.ABOUT))}</p>",
        '<div class="numbers">',
    ]
    for each in found.headlines:
        value, _, interval = each.ours.partition(" ")
        parts.append(
            f"<div>{html.escape(each.title)}<b>{html.escape(value)}</b>"
            f"<small>{html.escape(f'{each.metric.label} {interval}')}</small>"
            f"<small>paper: {html.escape(each.paper)}</small><small>{html.escape(each.rival)}</small></div>"
        )
    parts.append('</div><div class="pairs">')
    for clip in _on_top(found.films):
        parts.append(
            '<div class="pair">' + "".join(_film(clip, name, found.films[clip][name]) for name in PAIR) + "</div>"
        )
    counts = "".join(f"<span><b>{count}</b> {html.escape(verdict)}</span>" for verdict, count in found.tally.items())
    parts.append(f'</div><div class="tally"><span>claims of the paper, and our own:</span>{counts}</div>')
    return parts


def _on_top(films):
    return [clip for clip, of in films.items() if set(PAIR) <= set(of)][:ON_TOP]


def _claims(rows):
    """Claims folded by section of the paper."""
    parts = [
        '<h2 id="claims">The paper\'s claims</h2><p>A verdict follows from the numbers; none is written by hand.</p>'
    ]
    for section, of in content.by_section(rows).items():
        title = f"{section} {captions.SECTIONS.get(section, '')}".strip()
        count = html.escape(_count(claims.tally(of)))
        parts.append(f"<details><summary><b>{html.escape(title)}</b> <span>{count}</span></summary>")
        parts.append(_table(claims.COLUMNS, of) + "</details>")
    return parts


def _glossary():
    terms = [
        (
            f"{m.label} {m.arrow}".strip() + f" ({m.key}{f', in {m.unit}' if m.unit else ''})",
            f"{m.meaning} {m.definition}.",
        )
        for m in catalogue.ALL
    ]
    terms += [(name, meaning) for name, meaning in captions.ROWS.items()]
    return (
        "<dl>"
        + "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(meaning)}</dd>" for term, meaning in terms)
        + "</dl>"
    )


def page(found: content.Content) -> str:
    """The whole report as one HTML text with pictures and films inside it, for reading offline."""
    p, parts = found.p, _first_screen(found)
    links = [(s.key, s.title.split(":")[0]) for s in found.sections] + [("claims", "Claims")]
    links += [("beyond", "Ablations, seeds, other systems")] if found.beyond else []
    links += [
        ("figures", "Figures"),
        ("films", "Films"),
        ("glossary", "Metrics and rows"),
        ("parameters", "Parameters"),
    ]
    links += [("left-out", "Left out"), ("minutes", "Minutes")]
    parts.append("<nav>" + "".join(f'<a href="#{key}">{html.escape(title)}</a>' for key, title in links) + "</nav>")
    parts.append(
        f"<p>Profile <b>{p.profile}</b>, films from <b>{html.escape(p.films.source)}</b>, sound from "
        f"<b>{html.escape(', '.join(p.audio.sources))}</b>, seed {p.seed}. {html.escape(captions.NOTE)}</p>"
    )
    for key, title, remark, columns, rows in found.sections:
        parts.append(f'<h2 id="{key}">{html.escape(title)}</h2><p>{html.escape(remark)}</p>' + _table(columns, rows))
    parts += _claims(found.claims)
    if found.beyond:
        parts.append(
            f'<h2 id="beyond">Ablations, seeds, other systems</h2><p>{html.escape(found.beyond[0].remark)}</p>'
        )
        parts += [f"<h3>{html.escape(s.title)}</h3>" + _table(s.columns, s.rows) for s in found.beyond]
    parts.append('<h2 id="figures">Figures</h2>')
    for path, caption in found.figures:
        shown = html.escape(caption)
        parts.append(f'<figure><img src="{_embed(path)}" alt="{shown}"><figcaption>{shown}</figcaption></figure>')
    top = _on_top(found.films)
    rest = [(c, n, f) for c, of in found.films.items() for n, f in of.items() if c not in top or n not in PAIR]
    parts.append(
        '<h2 id="films">Films with generated sound</h2><p>Those at the top are not repeated.</p><div class="films">'
    )
    parts += [_film(*each) for each in rest]
    parts.append('</div><h2 id="glossary">Metrics and rows</h2>' + _glossary())
    parts.append(f'<h2 id="parameters">Parameters of this profile</h2><pre>{html.escape(found.parameters)}</pre>')
    parts.append(f'<h2 id="left-out">Left out</h2><p>{len(found.left_out)} films or segments could not be used.</p>')
    if found.left_out:
        columns = ("file", "line", "place", "reason", "remedy")
        parts.append(_table(columns, [[item.get(c, "") or "" for c in columns] for item in found.left_out]))
    parts.append('<h2 id="minutes">Minutes a stage</h2>' + _table(content.MINUTES, found.minutes))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Video-Foley: {html.escape(p.run)}</title><style>{STYLE}</style>" + "\n".join(parts) + "</html>\n"
    )


def markdown(found: content.Content) -> str:
    """Tables, claims, verdicts and parameters as Markdown: for the same numbers the same text, so that runs compare."""
    p = found.p
    parts = [
        f"# Video-Foley: {p.run}",
        "Written by the stage `report`; do not edit. " + captions.NOTE,
        f"Profile `{p.profile}`, films from `{p.films.source}`, sound from `{', '.join(p.audio.sources)}`, "
        f"seed {p.seed}. Claims: {_count(found.tally)}.",
    ]
    for section in (*found.sections, *found.beyond):
        parts += [f"## {section.title}", section.remark, text.markdown(section.columns, section.rows)]
    parts.append("## The paper's claims")
    for section, of in content.by_section(found.claims).items():
        parts += [
            f"### {section} {captions.SECTIONS.get(section, '')}".strip(),
            f"{_count(claims.tally(of)).capitalize()}.",
        ]
        parts.append(text.markdown(claims.COLUMNS, of))
    parts += ["## Parameters of this profile", f"```yaml\n{found.parameters}```"]
    return "\n\n".join(parts) + "\n"


def write(p: params.Params) -> content.Content:
    """Tables to results/<run>/tables, the text to results/<run>/report.md, the page to runs/<run>/report.html."""
    found = content.read(p)
    for name, table in found.tables.items():
        files.write_csv(p.results(f"tables/{name}.csv"), table, float_format=None)
    files.write_text(p.results("report.md"), markdown(found))
    files.write_text(p.folder("report.html"), page(found))
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", help="small or paper; params.yaml's own without it")
    p = params.load_or_exit(parser.parse_args().profile)
    try:
        found = write(p)
    except FileNotFoundError as error:
        parser.exit(2, f"{error.filename}: is not there; wanted what `make repro` leaves: run it first\n")
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    for name, table in found.tables.items():
        print(f"\n{name}\n{tables.readable(table).to_string(index=False)}")
    print(f"\n{_count(found.tally)}: {Path('runs') / p.run / 'report.html'}")


if __name__ == "__main__":
    main()
