"""Plots of two states in a page that asks nothing of the web."""

import os
import re
import subprocess

from vf.report import plots

DVC_YAML = """
plots:
- error: {x: error, y: {table.csv: system}, template: bar_horizontal}
"""


def test_two_states_are_drawn_in_a_page_that_needs_no_network(tmp_path, monkeypatch):
    for name, value in (("DVC_NO_ANALYTICS", "1"), ("GIT_AUTHOR_NAME", "a"), ("GIT_COMMITTER_NAME", "a")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EMAIL", "a@b.c")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "table.csv").write_text("system,error\nvideo-foley,0.125\n")
    (tmp_path / ".dvc").mkdir()
    for words in (["init", "-q"], ["add", "dvc.yaml", "table.csv"], ["commit", "-q", "-m", "before"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "table.csv").write_text("system,error\nvideo-foley,0.0625\n")
    assert plots.draw(tmp_path, ["HEAD", "workspace"], tmp_path / "runs/plots") == os.EX_OK
    page = (tmp_path / "runs/plots/index.html").read_text()
    assert "0.125" in page and "0.0625" in page and "window.vegaEmbed=" in page
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page), "nothing is loaded"
