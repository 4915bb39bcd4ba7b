"""The house stands as the README draws it: floors, notebooks, stages, two profiles of one shape."""

import ast
import json
import re

import pytest
import yaml
from nbformat import NO_CONVERT, read, write
from nbformat.v4 import new_markdown_cell
from project import MODULES, NOTEBOOKS, PROFILES, ROOT, closure, code_of, imported, stages

from vf.stage import write_code

PACKAGES = [
    "signal",
    "schema",
    "check",
    "params",
    "data",
    "change",
    "stage",
    "aside",
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
    "pretrain",
    "shards",
    "systems",
    "weights",
}  # `python -m vf.NAME`: four lines that call a package
CHECKS = {ROOT / "vf/check.py", ROOT / "vf/schema.py"}  # accept params.yaml or not, and change no number


def room(path):
    """The package of a module of vf, or its own name where it lies in none."""
    return path.relative_to(ROOT / "vf").parts[0].removesuffix(".py")


def test_every_module_lies_in_a_package():
    assert {room(m) for m in MODULES} == {*PACKAGES, *COMMANDS, "__init__"}


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_imports_point_down(module):
    """Package by package; single modules, such as `params` and `stage`, count as one each."""
    used = {room(other) for other in imported(module.read_text())} - {room(module), "__init__"}
    if module.name == "__init__.py":
        assert not used
    elif room(module) in PACKAGES:
        assert used <= set(PACKAGES[: PACKAGES.index(room(module))])


def test_the_drawing_of_the_packages_is_what_they_import():
    drawn = set()
    text = (ROOT / "docs/design.md").read_text()
    for line in re.search(r"```mermaid\ngraph TD\n(.*?)```", text, re.S)[1].splitlines():
        package, others = line.strip().split(" --> ")
        drawn |= {(package, other) for other in others.split(" & ")}
    one = {"check": "params", "schema": "params"}
    rooms = {m: one.get(room(m), room(m)) for m in MODULES}
    real = {(rooms[m], rooms[other]) for m in MODULES for other in imported(m.read_text())}
    packages = set(PACKAGES) - set(one)
    assert drawn == {(a, b) for a, b in real if a != b and {a, b} <= packages}


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
    assert not re.search(r"^\s*(def|class) |^\s*\w+ = lambda", code_of(notebook), re.M)
    assert not re.search(r"[\"']runs/", code_of(notebook)), "paths come from params"


WRITES = "|".join(
    [
        r"(\w+)\.(?:write_text|write_bytes)\(",
        r"np\.savez?\((\w+)",
        r"\.savefig\((\w+)",
        r"(?<!curves)\.to_csv\(([a-z]\w*)[,)]",
        r"torch\.save\(.*, (\w+)\)",
    ]
)


def test_whatever_is_written_appears_whole():
    """By vf.data.files: others write to a `partial` that `whole` moves into place, or to an open `file`."""
    for source in (*MODULES, *NOTEBOOKS):
        text = code_of(source) if source.suffix == ".ipynb" else source.read_text()
        for found in re.finditer(WRITES, text):
            assert {*found.groups()} <= {None, "partial", "file", "files"}, f"{source.name}: {found[0]}"
        if source.suffix == ".ipynb":
            assert not re.search(r"\.save(_pretrained)?\(p\.folder\(\"(?!clips|sounds)", text), source.name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_notebook_keeps_the_names_it_imports(notebook):
    """A value of the same name as a module, some cells later, breaks the call after it."""
    tree = ast.parse(code_of(notebook))
    imports = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert not imports & stored


def command(stage):
    """A stage's command lines as one text."""
    return stage["cmd"] if isinstance(stage["cmd"], str) else "\n".join(stage["cmd"])


def runs(stage):
    """What a stage runs: its notebooks, and the module of `python -m`."""
    found = [ROOT / "notebooks" / f"{stem}.ipynb" for stem in re.findall(r" notebooks/(\w+)\.ipynb", command(stage))]
    # vf.stage, which starts them, changes no number
    modules = re.findall(r"python -m (?:vf\.stage )?(vf(?!\.stage )[\w.]+)", command(stage))
    return found + [ROOT / f"{m.replace('.', '/')}.py" for m in modules]


def needed(stage, profile):
    """Every module of vf that a stage imports in a profile, as paths from the root."""
    files = set()
    for source in runs(stage):
        module = source.suffix == ".py"
        files |= closure(source.read_text() if module else code_of(source), profile) | ({source} if module else set())
    return {str(f.relative_to(ROOT)) for f in files - CHECKS if f.name != "__init__.py"}


def test_the_notebooks_in_reading_order_are_stages():
    assert [n.stem[:2] for n in NOTEBOOKS] == [f"{k:02d}" for k in range(1, 17)]
    for notebook in NOTEBOOKS:
        assert notebook in runs(stages()[notebook.stem[3:]])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", sorted(set(stages()) - {"params"}))  # which has a test of its own
def test_a_stage_depends_on_what_it_imports(name, profile):
    """A stage lists every module that it imports in this profile, or the module's folder.

    It lists no file that neither profile needs.
    """
    stage = stages()[name]
    listed = {d.replace("${profile}", profile) for d in stage["deps"] if d.startswith("vf/")}
    folders = tuple(f"{d}/" for d in listed if (ROOT / d).is_dir())
    assert all((ROOT / d).exists() for d in listed)
    assert {f for f in needed(stage, profile) if f not in listed and not f.startswith(folders)} == set()
    either = {f.replace(f"backends/{p}/", "backends/${profile}/") for p in PROFILES for f in needed(stage, p)}
    assert {d for d in stage["deps"] if d.startswith("vf/") and d.endswith(".py")} <= either
    assert all(any(f.startswith(folder) for p in PROFILES for f in needed(stage, p)) for folder in folders)


def test_dynamic_imports_are_followed_into_each_profile():
    text = 'import importlib\nimportlib.import_module(f"vf.backends.{p.profile}.embedders")\n'
    assert ROOT / "vf/backends/nets/panns.py" in closure(text, "paper") - closure(text, "small")
    assert ROOT / "vf/backends/small/embedders.py" in closure(text, "small") and not closure(text)


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_its_notebooks_code_alone(name):
    """So that a sentence reruns nothing; and on no executed notebook, as these differ from run to run."""
    stage = stages()[name]
    code = {f"runs/${{run}}/code/{source.stem}.py" for source in runs(stage) if source.suffix == ".ipynb"}
    assert {d for d in stage["deps"] if "/code/" in d} == code
    assert not any(d.endswith(".ipynb") or "/notebooks" in d for d in stage["deps"])


def test_a_sentence_does_not_change_the_code_that_stages_depend_on(tmp_path):
    notebook = read(ROOT / "notebooks/02_rms.ipynb", NO_CONVERT)

    def code():
        write(notebook, tmp_path / "a.ipynb")
        write_code(tmp_path, tmp_path / "code")
        return (tmp_path / "code/a.py").read_bytes()

    before = code()
    notebook.cells[0].source += "\nAnother sentence."
    notebook.cells.insert(2, new_markdown_cell("## And a heading"))
    assert code() == before
    notebook.cells[3].source += "\nx = 1"
    assert code() != before


def test_a_colour_or_a_caption_trains_nothing():
    training = [n for n in NOTEBOOKS if n.stem[:2] in ("01", "02", "03", "04", "05", "06", "11", "12", "13")]
    for notebook in training:
        assert not {str(f) for p in PROFILES for f in closure(code_of(notebook), p) if "report" in f.parts}


def test_caches_are_no_dependency():
    assert "__pycache__/" in (ROOT / ".dvcignore").read_text().split()


def test_every_command_goes_through_the_checked_entry_and_gives_a_shell_nothing_to_expand():
    """`exec`, so that no shell stands between DVC and what it started; of params.yaml's values none in its words."""
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    lines = {name: command(stage.get("do", stage)).splitlines() for name, stage in written.items()}
    assert lines.pop("params") == ["mkdir -p runs && exec python -m vf.params > runs/params.checked"]
    for line in (line for found in lines.values() for line in found):
        assert re.fullmatch(r"exec python -m vf\.stage [\w./]+( [\w./@=]+)*", line), line


def test_params_are_checked_before_anything_runs():
    """Every stage comes after `params`, whose output is asked for by `data` alone: from each a way leads there."""
    checked = stages()["params"]
    code = {str(f.relative_to(ROOT)) for f in closure((ROOT / "vf/params.py").read_text())} | {"vf/params.py"}
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


def test_what_a_stage_reads_another_one_writes():
    outs = {
        o if isinstance(o, str) else next(iter(o))
        for s in stages().values()
        for o in s.get("outs", []) + s.get("metrics", [])
    }
    read = {d for s in stages().values() for d in s["deps"] if d.startswith(("runs/", "results/"))}
    assert all(any(r == o or r.startswith(o + "/") or o.startswith(r + "/") for o in outs) for r in read)


def test_default_stages_need_no_download():
    assert not any(d.startswith("data") for s in stages().values() for d in s["deps"])


def keys(block, other, path=""):
    for key in block:
        yield f"{path}{key}"
        if (
            isinstance(block[key], dict)
            and isinstance(other.get(key), dict)
            and key not in ("vae", "clap", "unet", "tagger")
        ):
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
    for path in [
        *MODULES,
        *NOTEBOOKS,
        ROOT / "requirements.txt",
        ROOT / "dvc.yaml",
        ROOT / "README.md",
        ROOT / "Makefile",
    ]:
        text = path.read_text()
        assert not any(w in text for w in words), path
