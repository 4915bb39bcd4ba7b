"""A stage's entry, in a project of one stage and a notebook of three lines."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from project import ROOT

from vf import params, stage

PARAMS = (ROOT / "params.yaml").read_text()
DVC = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
ENVIRONMENT = os.environ | {"PATH": DVC, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1", "IPYTHONDIR": "/nonexistent"}
SLOWLY = """
import os, time
with open("writing", "a") as file:
    for k in range(600):
        print(os.getpid(), file=file, flush=True)
        time.sleep(0.05)
"""


def notebook(path, *cells):
    """A notebook of code cells after the one with the profile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = ['profile = ""', *cells]
    listed = [
        {"cell_type": "code", "id": str(k), "metadata": {"tags": ["parameters"] * (k == 0)}, "source": text}
        | {"outputs": [], "execution_count": None}
        for k, text in enumerate(texts)
    ]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path.write_text(json.dumps({"cells": listed, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose one stage, `s`, runs notebooks/01_s.ipynb."""
    (tmp_path / "params.yaml").write_text(PARAMS)
    one = {"cmd": "exec python -m vf.stage notebooks/01_s.ipynb", "deps": ["code.py"], "params": ["seed"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": one | {"outs": ["runs/${run}/made"]}}}))
    (tmp_path / "code.py").write_text("1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "s")
    return tmp_path


def entry(*words, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "vf.stage", *words], env=ENVIRONMENT | {"DVC_STAGE": "s"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end, path
        time.sleep(0.05)


def alive(pid):
    """Whether a process runs; one that waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def run_of(folder):
    return params.load(root=folder).folder("")


def test_a_second_process_is_told_who_computes_the_stage(project):
    folder = run_of(project)
    with (
        stage.lock(folder, "s"),
        pytest.raises(stage.StageError, match=rf"stage s of run {folder.name} .* process {os.getpid()} since") as told,
        stage.lock(folder, "s", patience=0),
    ):
        pass
    assert "\n" not in str(told.value)
    with stage.lock(folder, "s", patience=0), stage.lock(folder, "another", patience=0):
        pass


def test_what_changed_while_a_stage_ran_is_named(project):
    (project / "made.py").write_text("")
    notebook(project / "notebooks/01_s.ipynb", 'open("code.py", "w").write("2")')
    with pytest.raises(stage.StageError, match=r"^code.py changed while stage s ran.*wanted no change: run again"):
        stage.run(project, "notebooks/01_s.ipynb")
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text().replace("code.py", "made.py"))
    stage.run(project, "notebooks/01_s.ipynb", "03/x", profile="small")
    assert json.loads((run_of(project) / "notebooks/03/x.ipynb").read_text())["cells"][-1]["execution_count"]


def test_a_wrong_params_yaml_stops_a_single_stage(project):
    (project / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: abc"))
    notebook(project / "notebooks/01_s.ipynb", 'open("ran", "w")')
    _, said = (process := entry("notebooks/01_s.ipynb")).communicate(timeout=120)
    assert process.returncode == 1 and said.splitlines() == [
        'params.yaml, line 4: seed is "abc"; wanted a whole number of at least 0 and below 4294967296'
    ]
    assert not (project / "ran").exists()


@pytest.mark.parametrize("name", ["code", "video2rms_variants"])
@pytest.mark.parametrize("run", ["$(touch OWNED)x", "../../escaped"])
def test_no_command_of_dvc_yaml_gets_past_a_wrong_run(project, name, run):
    """By a shell, as DVC starts it, with the values that DVC puts into it; what holds for all: test_structure.py."""
    (project / "params.yaml").write_text(PARAMS.replace("run: mine", f"run: {json.dumps(run)}"))
    (project / "notebooks").mkdir()
    before = {path.name for path in project.iterdir()}
    spec = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name]
    line = spec.get("do", spec)["cmd"].replace("${run}", run).replace("${key}", run)
    environment = ENVIRONMENT | {"DVC_STAGE": f"{name}@{run}"}
    done = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.startswith("params.yaml, line 3: run is ")
    assert {path.name for path in project.iterdir()} == before and not (project.parent / "escaped").exists()


def test_the_key_of_a_repeated_stage_stands_for_each_at(project, monkeypatch):
    notebook(project / "notebooks/01_s.ipynb", 'variant = ""')
    monkeypatch.setattr(sys, "argv", ["vf.stage", "notebooks/01_s.ipynb", "11/@", "variant=@"])
    monkeypatch.setenv("DVC_STAGE", "s@wide")
    called = {}
    monkeypatch.setattr(stage, "run", lambda root, source, name, **values: called.update(values, name=name))
    assert stage.main() == 0 and called == {"name": "11/wide", "variant": "wide"}
    with pytest.raises(stage.StageError, match="@ stands for a variant's name, and stage s has none; wanted"):
        stage.keyed(["11/@"], "s")


def test_the_code_of_the_notebooks_is_what_nbconvert_writes(project):
    notebook(project / "notebooks/01_s.ipynb", "%%time\nx = 'ü'", "")
    stage.run(project, "notebooks")
    folder = run_of(project) / "code"
    words = ["--to", "python", "--no-prompt", "--TemplateExporter.exclude_markdown=True", "--output-dir", "by"]
    subprocess.run([sys.executable, "-m", "nbconvert", *words, "notebooks/01_s.ipynb"], env=ENVIRONMENT, check=True)
    assert (folder / "01_s.py").read_bytes() == (project / "by/01_s.py").read_bytes()
    assert [path.name for path in folder.iterdir()] == ["01_s.py"]


def test_a_notebook_that_is_not_there_is_named_beside_those_that_are(project):
    notebook(project / "notebooks/01_s.ipynb", "pass")
    with pytest.raises(stage.StageError, match="notebooks/02_s.ipynb: no such notebook; wanted one of .* 01_s.ipynb"):
        stage.run(project, "notebooks/02_s.ipynb")


def test_a_cell_that_fails_leaves_a_whole_notebook_and_its_error(project):
    notebook(project / "notebooks/01_s.ipynb", "print(3)", "1 / 0")
    _, said = (process := entry("notebooks/01_s.ipynb")).communicate(timeout=120)
    assert process.returncode == 1 and "ZeroDivisionError: division by zero" in said.splitlines()[-1]
    folder = run_of(project) / "notebooks"
    assert "ZeroDivisionError" in (folder / "01_s.ipynb").read_text() and len(list(folder.iterdir())) == 1


def test_a_film_in_a_widget_is_not_in_the_executed_notebook(project):
    shown = "import ipywidgets\nipywidgets.Image(value=bytes(300_000))"
    notebook(project / "notebooks/01_s.ipynb", shown)
    stage.run(project, "notebooks/01_s.ipynb")
    assert (run_of(project) / "notebooks/01_s.ipynb").stat().st_size < 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("who", [pytest.param("dvc", marks=pytest.mark.slow), "shell", "entry"])
def test_nothing_writes_on_when_dvc_or_the_entry_is_killed(project, who):
    notebook(project / "notebooks/01_s.ipynb", SLOWLY)
    if who == "dvc":
        (project / ".dvc").mkdir()
        (project / ".dvc/config").write_text("[core]\n    no_scm = true\n")
        process = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], env=ENVIRONMENT)
    elif who == "shell":  # what starts the stage as DVC does: a shell that makes place for it
        words = ["/bin/sh", "-c", "exec python -m vf.stage notebooks/01_s.ipynb"]
        start = f"import subprocess; subprocess.Popen({words}).wait()"
        process = subprocess.Popen([sys.executable, "-c", start], env=ENVIRONMENT | {"DVC_STAGE": "s"})
    else:
        process = entry("notebooks/01_s.ipynb")
    wait_for(project / "writing")
    kernel = int((project / "writing").read_text().split()[0])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + 3
    while alive(kernel) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(kernel)
    with stage.lock(run_of(project), "s", patience=3):
        assert not (run_of(project) / "notebooks/01_s.ipynb").exists()
    notebook(project / "notebooks/01_s.ipynb", "1")
    stage.run(project, "notebooks/01_s.ipynb")
    assert [path.name for path in run_of(project).rglob("*.ipynb")] == ["01_s.ipynb"]


def test_without_a_notebook_it_says_what_it_wants(monkeypatch, capsys):
    monkeypatch.setattr(stage.sys, "argv", ["vf.stage"])
    assert stage.main() == 2 and "usage: python -m vf.stage NOTEBOOK" in capsys.readouterr().err
