"""The page of `make studio`: each visit has a desk and a folder of its own, and a model that is missing is said."""

import json

from echo import studio as maker
from project import ROOT

from vf.foley.render import VideoFoley
from vf.studio.page import Page


def test_each_visit_has_a_desk_and_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(VideoFoley, "from_pretrained", lambda *_, **__: maker())
    pages = [Page(tmp_path / "studio") for _ in range(2)]
    for page in pages:
        page.loading.join()
        drop = page.view.children[1].children[0]
        assert drop.inbox == page.folder and drop.anywhere and drop.large
        assert str(page.folder) in page.view.children[0].value
    assert pages[0].folder != pages[1].folder and {p.folder.parent for p in pages} == {tmp_path / "studio"}


def test_a_model_that_cannot_be_loaded_is_one_red_line(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("no <model>\nhere; fetch it")

    monkeypatch.setattr(VideoFoley, "from_pretrained", missing)
    page = Page(tmp_path)
    page.loading.join()
    assert "no &lt;model&gt; here; fetch it" in page.message.value and page.message in page.view.children


def test_the_notebook_of_the_page_defines_nothing_and_is_what_make_serves():
    cells = json.loads((ROOT / "vf/studio/page.ipynb").read_text())["cells"]
    source = "".join("".join(cell["source"]) for cell in cells)
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    assert "def " not in source and "class " not in source
    assert "voila" in (ROOT / "Makefile").read_text() and "vf/studio/page.ipynb" in (ROOT / "Makefile").read_text()
