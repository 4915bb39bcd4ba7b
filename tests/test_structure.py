"""The house stands as the README draws it: floors, notebooks, stages, two profiles of one shape."""

import json
import re

import pytest
import yaml
from project import MODULES, NOTEBOOKS, ROOT, closure, code_of, imported, stages

FLOORS = [  # imports point down, or within a floor to the left
    ["timeline", "rms", "mel", "metrics", "onsets", "events", "fit", "motion"],
    ["media", "writing", "clips", "params", "weights", "tensors", "unpack", "curves", "regions", "systems"],
    ["backends", "render_sound", "strokes", "render", "shards", "corpora"],
    ["video2rms", "onset_baseline", "rms_controlnet", "steering", "rms2sound", "examples", "sampling"],
    [
        "checkpoints",
        "evaluation",
        "evaluate",
        "opinions",
        "adherence",
        "windows",
        "predictions",
        "takes",
        "record",
        "foley",
        "session",
        "listening",
    ],
    [
        "published",
        "verdicts",
        "paper_values",
        "captions",
        "tables",
        "claims",
        "figures",
        "comparisons",
        "report",
        "studio",
        "editor",
        "widgets",
    ],
]
LOWEST_MAY_IMPORT = {"params": {"timeline"}}


def room(path):
    return path.relative_to(ROOT / "vf").parts[0].removesuffix(".py")


def place(name):
    return next((floor, rooms.index(name)) for floor, rooms in enumerate(FLOORS) if name in rooms)


def test_every_room_has_a_floor():
    assert {room(m) for m in MODULES} - {"__init__"} <= {r for floor in FLOORS for r in floor}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_imports_point_down_or_left(module):
    if module.name == "__init__.py":
        assert not imported(module.read_text())
        return
    for other in imported(module.read_text()):
        if room(other) not in ("__init__", room(module)):
            assert place(room(other)) < place(room(module)), f"{room(module)} imports {room(other)}"


def test_the_lowest_floor_imports_nothing_of_vf_but_its_left():
    for module in MODULES:
        if room(module) in FLOORS[0]:
            assert not {room(o) for o in imported(module.read_text())} - {"rms"}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_modules_stay_small_and_plain(module):
    text = module.read_text()
    assert len(text.splitlines()) <= 300
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
    expected = {str(f.relative_to(ROOT)).replace("backends/small/", "backends/${profile}/") for f in closure(real)}
    listed = {d for d in stage["deps"] if d.startswith("vf/")}
    assert listed == {e for e in expected if not e.endswith("__init__.py")}


def test_the_report_depends_on_what_it_imports():
    real = {str(f.relative_to(ROOT)) for f in closure([ROOT / "vf/report.py"])}
    assert {d for d in stages()["report"]["deps"] if d.startswith("vf/")} == {r for r in real if not r.endswith("__init__.py")}


def test_what_a_stage_reads_another_one_writes():
    outs = {
        o if isinstance(o, str) else next(iter(o)) for s in stages().values() for o in s.get("outs", []) + s.get("metrics", [])
    }
    read = {d for s in stages().values() for d in s["deps"] if d.startswith(("runs/", "results/"))}
    assert all(any(r == o or r.startswith(o + "/") or o.startswith(r + "/") for o in outs) for r in read)


def test_default_stages_need_no_download():
    assert not any("data/" in d or ".dvc" in d for s in stages().values() for d in s["deps"])


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
