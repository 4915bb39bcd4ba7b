"""Lays out the pages of the site in docs/_build/source, in the repository's order of folders, so that links hold.

`python docs/gather.py [RUN]`. README.md becomes the front page. Notebooks are the executed ones of runs/RUN/notebooks
where they are there, else the sources; nothing is executed. `make docs` calls this, then Sphinx.
"""

import argparse
import ast
import json
import re
import shutil
from pathlib import Path

from vf.data import files

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "_build" / "source"
PAGES = [  # caption of the menu, and its pages
    ("Read first", ["docs/gallery.md", "docs/real-films.md", "REPRODUCTION.md"]),
    (
        "Guides",
        [
            "docs/metrics.md",
            "docs/paper-profile.md",
            "docs/scale.md",
            "docs/baselines.md",
            "docs/listening.md",
            "docs/design.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
        ],
    ),
    ("Models and data", ["pretrained/README.md", "pretrained/video-foley/README.md", "docs/dataset-card.md"]),
]
ROOMS = ["foley", "studio", "models", "evaluation", "signal", "data", "backends", "report"]  # of the API, by use
SINGLE = ["params", "stage", "aside"]  # modules that are rooms of their own
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def write(name, text):
    """Write a page below docs/_build/source."""
    path = TARGET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def drawing(found):
    """The drawing of the packages as a table, as its script would have to come from a network."""
    arrows = re.findall(r"^\s*(\w+) --> (.+)$", found[1], re.M)
    rows = [
        f"| `{package}` | {', '.join(f'`{other}`' for other in others.split(' & '))} |" for package, others in arrows
    ]
    return "\n".join(["| package | imports |", "|---|---|", *rows])


def page(name):
    """A markdown page of the repository as the site shows it.

    Links to files that are no pages become plain text. Raises ValueError for one to a file that is not there at all.
    """
    pages = {page for _, group in PAGES for page in group}
    text = re.sub(r"```mermaid\n(.*?)```", drawing, (ROOT / name).read_text(), flags=re.S)
    text = "\n".join(line for line in text.split("\n") if not line.startswith("[!["))  # badges

    def link(found):
        words, path, anchor = found.groups()
        if re.match(r"\w+:", path):
            return found[0]
        target = (ROOT / name).parent / path
        if not target.exists():
            raise ValueError(f"{name}: link to {path}, which is not there; wanted a file of the repository")
        if target.suffix == ".mp4":
            up = "../" * name.count("/")
            return f'<video controls preload="metadata" src="{up}_static/{target.name}" title="{words}"></video>'
        inside = target.resolve().relative_to(ROOT).as_posix()
        if inside == "README.md":
            return f"[{words}]({'../' * name.count('/')}index.md)"
        return found[0] if inside in pages or target.suffix == ".png" else words

    return LINK.sub(link, text)


def menu(caption, pages, depth=1):
    """A hidden table of contents, which the theme shows at the side."""
    lines = "\n".join(name.rsplit(".", 1)[0] if "/" in name or "." in name else name for name in pages)
    return f"\n```{{toctree}}\n:hidden:\n:maxdepth: {depth}\n:caption: {caption}\n\n{lines}\n```\n"


def notebooks(run):
    """Copy the notebooks, executed where a run has them. Returns their names on the site."""
    names = []
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        made = ROOT / "runs" / (run or "") / "notebooks"
        there = [path for path in (made / source.name, made / source.name[:2] / "default.ipynb") if path.is_file()]
        executed = there[0] if run and there else source
        nb = files.read_json(executed, "a notebook that papermill ran: run its stage again")
        nb["metadata"].pop("papermill", None)  # paths of the machine that ran it
        # the sources' cell of parameters stands above the one with which a run repeats it
        nb["cells"] = [c for c in nb["cells"] if "injected-parameters" not in c["metadata"].get("tags", [])]
        for cell in nb["cells"]:
            cell["metadata"] = {"tags": ["remove-stderr", *cell["metadata"].get("tags", [])]}  # bars of progress
        if executed != source:
            note = f"*Outputs are of the run `{run}`.*"
            if run == "smoke":
                note = "*Outputs are of a run on a handful of clips, to show the way: their numbers mean nothing.*"
            nb["cells"].insert(1, {"cell_type": "markdown", "id": "run", "metadata": {}, "source": note})
        name = f"notebooks/{source.name}"
        write(name, json.dumps(nb, ensure_ascii=False))
        names.append(name)
    return names


def about(path):
    """The docstring of a module, without importing it."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def api():
    """One page for each package of vf, with all public names of its modules. Returns the pages."""
    names = []
    for room in [*ROOMS, *SINGLE]:
        folder = ROOT / "vf" / room
        modules = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        text = [f"# vf.{room}\n"]
        for module in modules:
            dotted = ".".join(module.relative_to(ROOT).with_suffix("").parts)
            if module.name == "__init__.py":
                text.append(about(module) if module.parent == folder else "")
                continue
            text.append(f"## {dotted}\n" if folder.is_dir() else "")
            text.append(f"```{{eval-rst}}\n.. automodule:: {dotted}\n   :members:\n   :show-inheritance:\n```\n")
        write(f"api/vf.{room}.md", "\n".join(text))
        names.append(f"api/vf.{room}.md")
    return names


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", help="whose executed notebooks to show (default: none's)")
    run = parser.parse_args().run
    shutil.rmtree(TARGET, ignore_errors=True)
    (TARGET / "docs").mkdir(parents=True)
    for picture in (ROOT / "docs").glob("*.png"):
        shutil.copy(picture, TARGET / "docs")
    groups = [(caption, [name for name in pages if (ROOT / name).exists()]) for caption, pages in PAGES]
    for _, pages in groups:
        for name in pages:
            write(name, page(name))
    menus = [menu(caption, pages) for caption, pages in groups]
    menus.append(menu("Notebooks", notebooks(run)))
    menus.append(menu("API", api()))
    write("index.md", page("README.md") + "".join(menus))


if __name__ == "__main__":
    main()
