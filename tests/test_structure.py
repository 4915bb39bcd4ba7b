"""The house stands as the README draws it: floors, notebooks, stages, two profiles of one shape."""

import json
import re

import pytest
import yaml
from project import MODULES, NOTEBOOKS, ROOT, closure, code_of, imported, stages

PACKAGES = [
    "signal",
    "schema",
    "check",
    "params",
    "data",
    "backends",
    "models",
    "evaluation",
    "foley",
    "studio",
    "report",
]  # from the ground up
COMMANDS = {
    "evaluate",
    "listening",
    "shards",
    "systems",
    "weights",
}  # `python -m vf.NAME`: four lines that call a package
CHECKS = {ROOT / "vf/check.py", ROOT / "vf/schema.py"}  # accept params.yaml or not, and change no number
MOVED = {"rms_controlnet"}  # where older model_index.json name a class


def room(path):
    """The package of a module of vf, or its own name where it lies in none."""
    return path.relative_to(ROOT / "vf").parts[0].removesuffix(".py")


def test_every_module_lies_in_a_package():
    assert {room(m) for m in MODULES} == {*PACKAGES, *COMMANDS, *MOVED, "__init__"}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_imports_point_down(module):
    """Package by package; `schema`, `check` and `params`, single modules, count as one each."""
    used = {room(other) for other in imported(module.read_text())} - {room(module), "__init__"}
    if module.name == "__init__.py":
        assert not used
    elif room(module) in PACKAGES:
        assert used <= set(PACKAGES[: PACKAGES.index(room(module))])


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_modules_stay_plain(module):
    text = module.read_text()
    assert not re.search(r"^\s*assert |except:|^\s*pass$", text, re.M)
    assert text.lstrip().startswith('"""')


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_notebooks_explain_and_define_nothing(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert len({c["id"] for c in cells}) == len(cells)
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith(f"# {notebook.stem[:2]} · ")
    assert all(not c["outputs"] and c["execution_count"] is None for c in code)
    assert [c for c in code if "parameters" in c["metadata"].get("tags", [])] == code[:1]
    assert not re.search(r"^\s*(def|class) ", code_of(notebook), re.M)
    assert not re.search(r"[\"']runs/", code_of(notebook)), "paths come from params"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_stage_depends_on_what_it_imports(notebook):
    stage = stages()[notebook.stem[3:]]
    assert notebook.name in stage["cmd"] and f"notebooks/{notebook.name}" in stage["deps"]
    code = code_of(notebook)
    real = imported(code)
    # the one dynamic import, by profile: followed through the small one
    named = set(re.findall(r"vf\.backends\.\{\w+(?:\.\w+)?\}\.(\w+)", code + "".join(f.read_text() for f in closure(real))))
    uses_foley = "VideoFoley" in code
    named = {n for n in named if f'.{n}"' in code or uses_foley}
    real |= {ROOT / f"vf/backends/small/{n}.py" for n in named}
    expected = {str(f.relative_to(ROOT)).replace("backends/small/", "backends/${profile}/") for f in closure(real) - CHECKS}
    listed = {d for d in stage["deps"] if d.startswith("vf/")}
    assert listed == {e for e in expected if not e.endswith("__init__.py")}


def test_params_are_checked_before_anything_runs():
    """Every stage comes after `params`, whose output is asked for by `data` alone: from each a way leads there."""
    checked = stages()["params"]
    code = {str(f.relative_to(ROOT)) for f in closure([ROOT / "vf/params.py"])} | {"vf/params.py"}
    assert set(checked["deps"]) == code | {"params.yaml"}
    after, found = {"params"}, True
    outs = {
        name: [o if isinstance(o, str) else next(iter(o)) for key in ("outs", "metrics") for o in s.get(key, [])]
        for name, s in stages().items()
    }
    while found:
        made = [o for name in after for o in outs[name]]
        found = {
            name
            for name, stage in stages().items()
            if name not in after
            and any(d == o or d.startswith(o + "/") or o.startswith(d + "/") for d in stage["deps"] for o in made)
        }
        after |= found
    assert after == set(stages())


def test_the_report_depends_on_what_it_imports():
    real = {str(f.relative_to(ROOT)) for f in closure([ROOT / "vf/report/page.py"]) - CHECKS}
    assert {d for d in stages()["report"]["deps"] if d.startswith("vf/")} == {r for r in real if not r.endswith("__init__.py")}


def test_what_a_stage_reads_another_one_writes():
    outs = {
        o if isinstance(o, str) else next(iter(o)) for s in stages().values() for o in s.get("outs", []) + s.get("metrics", [])
    }
    read = {d for s in stages().values() for d in s["deps"] if d.startswith(("runs/", "results/"))}
    assert all(any(r == o or r.startswith(o + "/") or o.startswith(r + "/") for o in outs) for r in read)


def test_default_stages_need_no_download():
    assert not any(d.startswith("data") for s in stages().values() for d in s["deps"])


def keys(block, other, path=""):
    for key in block:
        yield f"{path}{key}"
        if isinstance(block[key], dict) and isinstance(other.get(key), dict) and key not in ("vae", "clap", "unet", "tagger"):
            yield from keys(block[key], other[key], f"{path}{key}.")


def test_the_two_profiles_have_the_same_keys():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    small, paper = values["small"], values["paper"]
    assert set(keys(small, paper)) == set(keys(paper, small))


def test_every_parameter_of_a_stage_exists():
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for stage in stages().values():
        for key in stage.get("params", []):
            for profile in ("small", "paper"):
                value = values
                for name in key.replace("${profile}", profile).split("."):
                    assert name in value, key
                    value = value[name]


def test_nothing_names_a_machine_or_a_registry():
    words = ("/ro" + "ot/", "/wo" + "rk/", "index" + "-url")
    for path in [*MODULES, *NOTEBOOKS, ROOT / "requirements.txt", ROOT / "dvc.yaml", ROOT / "README.md", ROOT / "Makefile"]:
        text = path.read_text()
        assert not any(w in text for w in words), path
