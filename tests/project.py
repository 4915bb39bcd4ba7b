"""What the structural tests share: the imports that modules and notebooks really make."""

import ast
import json
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "vf").rglob("*.py"))
PROFILES = ("small", "paper")


def code_of(notebook):
    """All code cells of a notebook as one text."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def imported(source, profile=None):
    """Files of vf that a text imports, at any depth of the text.

    profile: follow `import_module(f"vf.backends.{profile}.NAME")` into this one's package; without it such imports are
    left out.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vf":
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "vf"}
        elif isinstance(node, ast.JoinedStr) and profile:
            parts = [part.value if isinstance(part, ast.Constant) else profile for part in node.values]
            names |= {"".join(parts)} if parts[0] == "vf.backends." else set()
    files = {ROOT / (name.replace(".", "/") + ".py") for name in names}
    return {f for f in files if f.exists()}


def closure(source, profile=None):
    """The files of vf that a text imports, directly or not. source, profile: as for `imported`."""
    seen, waiting = set(), imported(source, profile)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting |= imported(file.read_text(), profile)
    return seen


def stages():
    """Stages of dvc.yaml; of one that DVC repeats over a mapping of params.yaml, its first repetition."""
    found, params = {}, yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        if "foreach" in stage:
            block, key = stage["foreach"].strip("${}").split(".")
            stage = yaml.safe_load(yaml.safe_dump(stage["do"]).replace("${key}", next(iter(params[block][key]))))
        found[name] = stage
    return found
