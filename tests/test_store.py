"""A DVC store in a folder, as docs/scale.md sets it up, and the stages that its examples name."""

import re
import shutil

import pytest
from dvc.repo import Repo
from project import ROOT, stages

CONFIG = """[core]
    no_scm = true
    remote = store
[cache]
    type = "reflink,hardlink,symlink"
['remote "store"']
    url = {store}
"""
PIPELINE = """stages:
  s:
    cmd: cat given >> made && echo ran >> log
    deps: [given]
    outs:
      - made: {persist: true}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text(CONFIG.format(store=tmp_path / "store"))
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "given").write_text("one\n")
    monkeypatch.chdir(folder)
    return folder


def test_a_local_store_brings_results_to_another_checkout_where_nothing_runs_again(project, tmp_path, monkeypatch):
    with Repo() as repo:
        repo.reproduce()
        assert repo.push() >= 1
    other = tmp_path / "other"
    other.mkdir()
    for name in (".dvc/config", "dvc.yaml", "dvc.lock", "given"):  # what git tracks
        (other / name).parent.mkdir(exist_ok=True)
        shutil.copy(project / name, other / name)
    monkeypatch.chdir(other)
    with Repo() as repo:
        repo.pull()
        repo.reproduce()
    assert (other / "made").read_text() == "one\n" and not (other / "log").exists()


def test_an_output_that_is_linked_to_the_cache_does_not_change_it(project):
    """`persist: true` leaves the output of the last run where the next one begins, and that one appends to it."""
    with Repo() as repo:
        repo.reproduce()
        shutil.copy("dvc.lock", "first.lock")
        (project / "given").write_text("two\n")
        repo.reproduce()
        assert (project / "made").read_text() == "one\ntwo\n"
    shutil.copy("first.lock", "dvc.lock")
    with Repo() as repo:
        repo.checkout(force=True)
    assert (project / "made").read_text() == "one\n"


def test_the_jobs_of_the_examples_are_stages():
    page = (ROOT / "docs/scale.md").read_text()
    alone = re.findall(r"^ .* stage\.sh (.+?)\)?$", page, re.M)
    trained = re.findall(r"train\.sh (\w+) (\w+)\)", page)
    names = [name for line in alone for name in line.split()] + [stage for stage, _ in trained]
    assert {"data", "features", "video2rms", "backbone", "rms_controlnet", "generate", "evaluate"} <= set(names)
    assert set(names) <= set(stages())
    assert all((ROOT / f"notebooks/{script}.ipynb").exists() for _, script in trained)
