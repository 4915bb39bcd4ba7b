"""What `pip install` brings: the wheel's files, and dependencies that its imports need and the lock agrees with."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement
from project import MODULES, ROOT, closure

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = {  # of a module's name, where the two differ
    "av": "av",
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "huggingface_hub": "huggingface-hub",
}


def names(requirements):
    return {Requirement(line).name for line in requirements}


def third_party(files):
    """Packages that modules of vf import at any depth, Python's own left out."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {node.module.split(".")[0]}
    return {PACKAGES.get(name, name) for name in found - set(sys.stdlib_module_names) - {"vf"}}


def reached(profile, *modules):
    files = {ROOT / "vf" / f"{name}.py" for name in modules}
    return files.union(*(closure(file.read_text(), profile) for file in files))


@pytest.mark.parametrize(
    ("profile", "modules", "extras"),
    [
        ("small", ["foley/command", "foley/batch", "foley/render", "foley/session", "foley/demo"], []),
        ("small", ["evaluate", "listening", "systems", "weights"], []),
        ("small", ["studio/desk", "studio/studio"], ["studio"]),
        ("paper", ["foley/render", "evaluate", "shards"], ["paper"]),
    ],
)
def test_an_install_brings_what_its_modules_import(profile, modules, extras):
    brought = names(PROJECT["dependencies"]).union(*(names(EXTRAS[extra]) for extra in extras))
    assert third_party(reached(profile, *modules)) <= brought


def test_nothing_is_installed_that_no_module_imports():
    used = third_party(MODULES)
    assert names(PROJECT["dependencies"]) <= used
    assert names(EXTRAS["paper"]) <= used


def test_the_lock_lies_within_the_ranges_of_the_wheel():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = (line.split(";")[0].strip().split("==") for line in lines if re.match(r"[\w.-]+==", line))
    locked = {name.lower().replace("_", "-"): version for name, version in pins}
    listed = names(line.split("#")[0] for line in (ROOT / "requirements.in").read_text().splitlines() if line[:1] > "#")
    for line in [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]:
        wanted = Requirement(line)
        if wanted.name != "video-foley":
            assert wanted.name in listed, f"{wanted.name} is missing in requirements.in"
            assert wanted.specifier.contains(locked[wanted.name.lower().replace("_", "-")]), line


def test_every_folder_of_modules_is_listed_as_a_package():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {".".join(module.relative_to(ROOT).parent.parts) for module in MODULES}
    assert set(tool["packages"]) == folders | {"vf.pretrained"}


def test_the_shipped_system_is_found_beside_the_checkout_and_in_the_package(tmp_path, monkeypatch):
    from vf import params
    from vf.foley import render  # here, as torch takes seconds

    package = tmp_path / "vf"
    monkeypatch.setattr(params, "__file__", str(package / "params.py"))
    assert render.shipped() is None
    for home in (package / "pretrained", tmp_path / "pretrained"):  # the later comes first
        (home / "video-foley").mkdir(parents=True)
        (home / "video-foley" / render.SAVED).touch()
        assert render.shipped() == home / "video-foley"


SLOW = [pytest.param("vf.report.page", marks=pytest.mark.slow)]


@pytest.mark.parametrize("module", ["vf.systems", "vf.weights", "vf.aside", *SLOW])
def test_what_needs_the_checkout_says_so_in_one_line(module, tmp_path):
    (tmp_path / "a").mkdir()
    words = {"vf.systems": ["out"], "vf.weights": ["all"]}.get(module, [])
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode and "Traceback" not in done.stderr
    assert "checkout of the project" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_shipped_system(tmp_path):
    """Built from a copy, as setuptools leaves a folder `build` where it works."""
    for name in ("vf", "pretrained"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    held = set(zipfile.ZipFile(next((tmp_path / "out").glob("*.whl"))).namelist())
    assert {str(module.relative_to(tmp_path)) for module in (tmp_path / "vf").rglob("*.*")} <= held
    shipped = {file for file in (tmp_path / "pretrained").rglob("*") if file.is_file()}
    assert {f"vf/{file.relative_to(tmp_path)}" for file in shipped} <= held
    assert not [name for name in held if name.startswith(("tests", "runs", "notebooks", "pretrained"))]
