"""The site's pages: every public name is documented, every link leads somewhere, notebooks show what a run left."""

import ast
import importlib.util
import json

import pytest
from project import MODULES, ROOT

SPEC = importlib.util.spec_from_file_location("gather", ROOT / "docs/gather.py")
gather = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gather)
PAGES = [name for _, pages in gather.PAGES for name in pages]


def undocumented(node, name=""):
    """Names of public functions and classes, at any depth of classes, that lack a docstring."""
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            if not ast.get_docstring(child):
                yield name + child.name
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{name}{child.name}.")


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_every_public_name_says_what_it_is(module):
    assert not list(undocumented(ast.parse(module.read_text())))


def test_a_missing_docstring_is_found():
    assert list(undocumented(ast.parse("class A:\n def b(self): ...\n def _c(self): ..."))) == ["A", "A.b"]


@pytest.mark.parametrize("name", ["README.md", *PAGES])
def test_every_page_is_there_and_its_links_lead_somewhere(name):
    text = gather.page(name)
    assert text.lstrip().startswith(("#", "---")) and "```mermaid" not in text and "[![" not in text


def test_every_page_of_docs_is_on_the_site():
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(PAGES)


def test_a_link_to_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text("[there](b.md), [a file](c.yaml), [away](https://x.y/z)")
    with pytest.raises(ValueError, match=r"a\.md: link to b\.md, which is not there"):
        gather.page("a.md")
    for name in ("b.md", "c.yaml"):
        (tmp_path / name).touch()
    assert gather.page("a.md") == "there, a file, [away](https://x.y/z)"


def test_every_package_has_its_page():
    rooms = {path.parent.name for path in (ROOT / "vf").glob("*/__init__.py")}
    assert rooms == set(gather.ROOMS)


def test_a_runs_notebooks_take_the_place_of_the_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "ROOT", tmp_path)
    monkeypatch.setattr(gather, "TARGET", tmp_path / "site")
    nb = {"metadata": {"papermill": {"input_path": "of a machine"}}}
    cells = [{"cell_type": kind, "metadata": {}, "source": kind} for kind in ("markdown", "code")]
    repeated = {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": "profile"}
    for folder, found in (("notebooks", cells), ("runs/mine/notebooks", [*cells, repeated])):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "01_a.ipynb").write_text(json.dumps(nb | {"cells": found}))
    (tmp_path / "notebooks/02_b.ipynb").write_text(json.dumps(nb | {"cells": cells}))
    assert gather.notebooks("mine") == ["notebooks/01_a.ipynb", "notebooks/02_b.ipynb"]
    assert "papermill" not in (tmp_path / "site/notebooks/01_a.ipynb").read_text()
    shown = [
        [cell["source"] for cell in json.loads((tmp_path / "site/notebooks" / name).read_text())["cells"]]
        for name in ("01_a.ipynb", "02_b.ipynb")
    ]
    assert shown == [["markdown", "*Outputs are of the run `mine`.*", "code"], ["markdown", "code"]]
