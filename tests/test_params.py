import pytest
import yaml
from project import ROOT

from vf import params


def project(folder, **values):
    base = {"profile": "small", "run": "small", "seed": 0, "small": {"a": {"b": 1}}, "paper": {"a": {"b": 2}}}
    base |= {"films": {"root": "x"}, "audio": {"root": "y"}} | values
    (folder / "params.yaml").write_text(yaml.safe_dump(base))
    stage = {"cmd": "x ${profile}", "deps": ["code.py"], "params": ["seed", "${profile}.a"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    (folder / "code.py").write_text("1")
    return folder


def test_the_profile_picks_its_block(tmp_path):
    project(tmp_path)
    assert params.load("paper", tmp_path).a.b == 2 and params.load(root=tmp_path).a.b == 1
    with pytest.raises(ValueError, match="profile 'big'"):
        params.load("big", tmp_path)


def test_it_is_found_from_a_folder_below(tmp_path, monkeypatch):
    (project(tmp_path) / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert params.load().folder("clips") == tmp_path / "runs" / "small" / "clips"


def test_outside_the_project_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="run from inside the project"):
        params.load(root=tmp_path)


def test_an_unknown_key_names_the_known(tmp_path):
    with pytest.raises(AttributeError, match="has no 'c' here; it has b"):
        _ = params.load(root=project(tmp_path)).a.c


def test_checkpoints_are_keyed_by_parameters_and_code(tmp_path):
    first = params.load(root=project(tmp_path)).checkpoint("s", "m")
    assert params.load(root=tmp_path).checkpoint("s", "m") == first
    (tmp_path / "code.py").write_text("2")
    second = params.load(root=tmp_path).checkpoint("s", "m")
    project(tmp_path, seed=1)
    third = params.load(root=tmp_path).checkpoint("s", "m")
    assert len({first, second, third}) == 3


def test_checkpoints_of_a_stage_follow_its_notebook_and_folders_but_no_caches(tmp_path):
    project(tmp_path)
    stage = {"cmd": "x", "deps": ["runs/${run}/code/01_a.py", "lib"], "params": ["seed"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    for name in ("notebooks/01_a.ipynb", "lib/a.py", "lib/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    found = [params.load(root=tmp_path).checkpoint("s", "m")]
    for name in ("lib/__pycache__/a.pyc", "lib/a.py", "notebooks/01_a.ipynb"):
        (tmp_path / name).write_text("2")
        found.append(params.load(root=tmp_path).checkpoint("s", "m"))
    assert found[0] == found[1] and len({*found}) == 3


def test_the_projects_own_lengths():
    assert params.load("paper", ROOT).timeline.sound_rms_frames == 1024
    assert params.load("small", ROOT).timeline.video_rms_frames == 625


def test_a_repeated_stage_has_the_parameters_of_its_own_repetition():
    deps, keys = params.stage_values(ROOT, "video2rms_variants@bins_16")
    assert "ablation.video2rms.bins_16" in keys and "small.video2rms" in keys
    assert not any("$" in value for value in [*deps, *keys])
