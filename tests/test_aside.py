"""A run with other parameters beside the project, in a project of two stages; and what `make` hands on."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from project import ROOT

from vf import aside, check

PARAMS = (ROOT / "params.yaml").read_text()
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
WEIRD = "a b'c#?ü\"$HOME: `x` & d"


@pytest.fixture
def project(tmp_path):
    """A project, without git, whose folder has a name of every sort; its stages copy the seed and wait."""
    root = tmp_path / WEIRD
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS)
    (root / "notebooks").mkdir()
    (root / "vf").mkdir()
    (root / "vf/a.py").write_text("1")
    first = {"cmd": "mkdir -p runs/${run} && echo ${seed} > runs/${run}/a && sleep ${small.repeats.seeds}"}
    second = {"cmd": "mkdir -p results/${run} && cp runs/${run}/a results/${run}/b"}
    stages = {
        "one": first | {"deps": ["vf"], "params": ["seed"], "outs": ["runs/${run}/a"]},
        "two": second | {"deps": ["runs/${run}/a"], "metrics": [{"results/${run}/b": {"cache": False}}]},
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return root


def start(root, *settings):
    words = [sys.executable, "-m", "vf.aside", *settings]
    return subprocess.Popen(
        words, cwd=root, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def said(process):
    text = process.communicate(timeout=120)[0]
    return process.returncode, text


def test_a_run_of_its_own_leaves_the_project_as_it_was_however_it_ends(project):
    before = {path.name for path in project.iterdir()}
    settings = ("run=mine", "seed=3", "small.repeats.seeds=1")
    killed = start(project, "-S", settings[0], "-S", settings[1], "small.repeats.seeds=60")
    end = time.monotonic() + 60
    while not (project / "runs/mine/a").exists() and time.monotonic() < end:
        time.sleep(0.1)
    code, text = said(start(project, *settings))
    assert code == 1 and "stage aside of run mine is being computed by process" in text
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()  # not its output, which its stage holds open
    code, text = said(start(project, *settings))
    assert code == 0, text
    assert (project / "runs/mine/a").read_text() == (project / "results/mine/b").read_text() == "3\n"
    assert (project / "params.yaml").read_text() == PARAMS
    added = {path.name for path in project.iterdir()} - before
    assert added <= {".aside", ".dvc", "runs", "results", *aside.SHARED} and not (project / "dvc.lock").exists()
    (project / "vf/a.py").unlink()
    (project / "vf/b.py").write_text("2")
    code, text = said(start(project, *settings))
    assert code == 0 and "Running stage 'one'" in text
    assert [path.name for path in (project / ".aside/mine/vf").glob("*.py")] == ["b.py"]


WRONG = [  # a setting, and what its line says
    ("small.vidoe2rms.train.steps=3", "small.vidoe2rms is no key; wanted video2rms"),
    ("small.video2rms.train.setps=3", "small.video2rms.train.setps is no key; wanted steps"),
    ("~ablation.video2rms.bins16", "wanted bins_16"),
    ("xyzzy=3", "xyzzy is no key; there are profile, run"),
    ("seed.x=3", "seed.x is no key; seed is 0; wanted a block there"),
    ("seed", "is no setting; wanted key=value"),
    ("~seed=3", "is no setting"),
    ("seed=abc", 'seed is "abc"; wanted a whole number'),
    ("seed=[1", "is not YAML"),
    ("run=../x", 'run is "../x"; wanted a plain name'),
    ("small.video2rms.train.lr=1e-3", "write 1.0e-3"),
    ("films.root=nowhere", "is no folder"),
]


@pytest.mark.parametrize("setting, word", WRONG, ids=[setting for setting, _ in WRONG])
def test_a_wrong_setting_is_one_line_with_the_nearest_key(project, setting, word):
    with pytest.raises(check.ParamsError) as error:
        aside.prepare(project, aside.settle(project, [setting]))
    (line,) = error.value.lines
    assert word in line and "line" not in line.split(":")[0]


def test_nothing_is_written_before_all_settings_are_right(project):
    before = sorted(project.rglob("*"))
    odd = ("ablation.video2rms={1: {decode: mean}}", "ablation.video2rms={a: {decode: mean}, a: {}}", "seed=&a [*a]")
    for setting in ("run=../x", "run=x; touch y", "run=", "seed=-1", "seed=" + 5000 * "9", "small={}", "~seed", *odd):
        with pytest.raises(check.ParamsError) as error:
            aside.settle(project, [setting])
        assert all("\n" not in line and len(line) < 1000 for line in error.value.lines)
        assert sorted(project.rglob("*")) == before and not (project.parent / "x").exists()


def test_settings_of_every_kind(project):
    films = project / "fi'lms #1: ü"
    films.mkdir()
    values = aside.settle(
        project,
        [
            f"films.root={films}", "audio.sources=[films,folder]", "audio.held_out=null", "weights=1: #2",
            "ablation.video2rms.mine={model: {bins: 100}}", "~ablation.rms2sound.hold",
            "small.video2rms.train.precision=no", "ablation.rms2sound.steps_5.generate.hold=0.5",
        ],
    )  # fmt: skip
    folder = aside.prepare(project, values)
    written = check.check(folder / "params.yaml")
    assert written == values and written["films"]["root"] == str(films) and written["weights"] == "1: #2"
    assert written["audio"]["held_out"] is None and "hold" not in written["ablation"]["rms2sound"]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_hands_every_path_on_as_it_is(tmp_path):
    root = tmp_path / WEIRD
    (root / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "params.yaml", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    python = root / ".venv/bin/python"
    python.write_text('#!/bin/sh\nprintf "%s\\0" "$@" > words\nprintf "%s" "$PATH" > path\n')
    python.chmod(0o755)
    (root / ".venv/installed").touch()
    subprocess.run(["make", "-s", "real", f"FILMS=/tmp/{WEIRD}", "SOUNDS=so unds"], cwd=root, check=True)
    words = (root / "words").read_text().split("\0")
    assert f"films.root=/tmp/{WEIRD}" in words and "audio.root=so unds" in words and "run=mine-real" in words
    assert (root / "path").read_text().startswith(f"{root.resolve()}/.venv/bin:")
    settings = [word for word in words if "=" in word and "root" not in word]
    assert "small.features.start=pretrained/frame_encoder" in settings
    for setting in settings:
        check.change(check.check(root / "params.yaml"), setting)
    (root / ".dvc").mkdir()
    subprocess.run(["make", "-s", "try", "SET=seed=3 small.features.kinds=[flow] run=a*b"], cwd=root, check=True)
    assert (root / "words").read_text().split("\0")[:-1] == [*("-m", "dvc", "exp", "run", "report")]
    subprocess.run(["make", "-s", "smoke"], cwd=root, check=True)
    values = check.check(root / "params.yaml")
    words = (root / "words").read_text().split("\0")
    for setting in words[2 : words.index("--")]:  # what follows are stages
        check.change(values, setting)
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    assert check.check(root / "params.yaml")["run"] == "smoke"
