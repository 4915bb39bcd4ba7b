import os
import shutil
import subprocess
import sys

import pytest
import tiny_weights
import yaml
from project import ROOT

TINY = {  # little of everything, on the paper profile's own code
    "timeline": {"seconds": 2.0, "fps": 5},
    "clips": {"render_films": {"count": {"train": 3, "valid": 1, "test": 2}}},
    "sounds": {"count": 8, "valid_share": 0.25},
    "video2rms": {"model": {"width": 8, "lstm": 4, "bins": 16}, "train": {"steps": 2, "batch": 2}},
    "onset_baseline": {"width": 4, "size": [32, 32], "train": {"steps": 2, "batch": 2}},
    "rms_controlnet": {"train": {"steps": 2, "batch": 2}},
    "generate": {"num_inference_steps": 2, "batch": 2, "films": 1},
    "repeats": {"seeds": 2},
}
VARIANTS = {  # one of each kind
    "video2rms": ("default", "bins_32", "width_0", "other_targets", "fixed_time", "regression"),
    "features": ("rgb",),
    "rms2sound": ("default", "bins_4", "guided_rms", "steps_5", "onsets"),
}


def put(values, changes):
    for key, change in changes.items():
        if isinstance(change, dict):
            put(values[key], change)
        else:
            assert key in values, key
            values[key] = change


def dvc(root, *words):
    paths = {"PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(root)}
    settings = {"DVC_NO_ANALYTICS": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "agg", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(["dvc", *words], cwd=root, env=os.environ | paths | settings, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in the paper profile, with little to do."""
    root = tmp_path_factory.mktemp("project")
    for name in ("vf", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml", "REPRODUCTION.md", "README.md"):
        shutil.copy(ROOT / name, root)
    values = yaml.safe_load((root / "params.yaml").read_text())
    values |= {"profile": "paper", "run": "paper"}
    put(values["paper"], TINY)
    values["ablation"] = {
        block: {name: values["ablation"][block][name] for name in names} for block, names in VARIANTS.items()
    }
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    assert dvc(root, "init", "--no-scm", "-q")[0] == 0
    return root


@pytest.mark.slow
def test_without_weights_it_stops_with_one_message(project):
    for words in (["dag"], ["repro", "--dry", "--force"]):  # a plain --dry wants the outputs of stages it has not run
        code, said = dvc(project, *words)
        assert code == 0 and "features" in said and "report" in said, said[-2000:]
    code, said = dvc(project, "repro", "report")
    assert code != 0
    last = [
        line
        for line in said.splitlines()
        if line.startswith("vf.backends.weights.MissingWeights") or "MissingWeights:" in line
    ]
    assert (
        last and "bn_inception-9f5701afb96c8044.pth: not there" in last[-1] and "`weights` in params.yaml" in last[-1]
    ), said[-3000:]
    assert (project / "runs/paper/clips").exists() and not (project / "runs/paper/features").exists()


@pytest.mark.slow
def test_every_notebook_runs_to_its_end(project):
    source = project / "vf/backends/weights.py"
    for published, own in tiny_weights.write(project / "weights").items():
        source.write_text(source.read_text().replace(f'"{published}"', f'"{own}"'))
    code, said = dvc(project, "repro")
    assert code == 0, said[-5000:]
    assert {p.stem[:2] for p in (project / "runs/paper/notebooks").glob("*.ipynb")} >= {
        f"{n:02}" for n in (*range(1, 13), 14, 16, 17)
    }
    assert (project / "results/paper/metrics/ablations.json").exists()
    assert (project / "results/paper/metrics/foley.json").exists()
