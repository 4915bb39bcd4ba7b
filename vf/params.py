"""params.yaml and dvc.yaml -> plain values, paths, and the place of a stage's checkpoints.

`python -m vf.params` checks params.yaml and prints everything that is wrong with it, one line each. It must run before
DVC does anything. DVC puts `run` into its commands and outputs, and empties the outputs of a stage before it runs it;
with `run: ../..` these could lie anywhere. So `make` runs the check first, and in `dvc repro` it is the stage `params`.
All other stages depend on its output, which never changes, through `data`. Each stage checks it once more (`vf.stage`),
as `dvc repro --single-item` runs one alone.
"""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from vf import check
from vf.signal.timeline import Timeline

FILE = "params.yaml"
STARTED = ("video2rms", "rms_controlnet")  # stages that may start from a checkpoint in `weights`


class Block(dict):
    """A mapping of params.yaml whose keys read as attributes; `**block` passes it on as keywords."""

    def __getattr__(self, key):
        if key.startswith("__"):
            raise AttributeError(key)
        if key not in self:
            raise AttributeError(f"{FILE} has no {key!r} here; it has {', '.join(self)}")
        return self[key]


class Params(Block):
    """What a notebook needs to know: the shared keys and the profile's blocks of params.yaml side by side."""

    root: Path
    sources: "Sources"
    told: set[str]  # stages of whose other states a line was printed

    @property
    def timeline(self) -> Timeline:
        """Timeline of one clip."""
        return Timeline(**self["timeline"])

    def folder(self, name: str, run: str | None = None) -> Path:
        """runs/<run>/<name>: where a stage leaves what is derived and large. run: another than this one."""
        return self.root / "runs" / (run or self.run) / name

    def figure(self, name: str) -> Path:
        """runs/<run>/figures/<name>.png; makes the folder."""
        self.folder("figures").mkdir(parents=True, exist_ok=True)
        return self.folder("figures") / f"{name}.png"

    def results(self, name: str) -> Path:
        """results/<run>/<name>: where the small text that a reader compares is kept; makes its folder."""
        path = self.root / "results" / self.run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def path(self, value: str | Path) -> Path:
        """A path of params.yaml: as it is if absolute, else relative to the project, whatever the working folder."""
        return self.root / Path(value).expanduser()

    def checkpoint(self, stage: str, part: str) -> Path:
        """Folder for a stage's training state.

        Its name depends on the stage's parameters and dependencies, so that no other run resumes from it: on the
        parameters and the code as they were when `load` read them, whatever was edited since. Where another state of
        the stage is there, a line says that this training does not go on from it.
        """
        folder = self._checkpoints(stage)
        digest = hashlib.sha256(json.dumps(self.sources.of(stage), sort_keys=True).encode()).hexdigest()[:12]
        others = [path for path in folder.glob("*") if path.name != digest] if not (folder / digest).exists() else []
        if others and stage not in self.told:
            self.told.add(stage)
            print(f"{stage}: {others[0]} was trained with other parameters or code; this training starts anew")
        return folder / digest / part

    def finished(self, stage: str) -> None:
        """Remove a stage's training state; to be called when its outputs are written."""
        shutil.rmtree(self._checkpoints(stage), ignore_errors=True)

    def cache(self, name: str) -> Path:
        """Folder for what stages of this run compute once and keep. Whoever writes it removes what it replaces."""
        return self.root / "runs" / ".cache" / self.run / name

    def _checkpoints(self, stage):
        return self.root / "runs" / ".checkpoints" / self.run / stage


def project_root(start: str | Path | None = None) -> Path:
    """The nearest folder above `start` (the working folder) that holds params.yaml.

    Raises FileNotFoundError outside the project.
    """
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).exists():
            return folder
    raise FileNotFoundError(
        f"no {FILE} in {here} or above it; wanted a checkout of the project, as the installed package alone has no "
        "settings, notebooks or runs: run from inside the project"
    )


def load(profile: str | None = None, root: str | Path | None = None) -> Params:
    """Read params.yaml.

    profile: "small" or "paper"; the file's own choice without it. Returns Params: top-level keys, and the keys of the
    profile's block beside them; `weights` of networks as absolute paths. Raises check.ParamsError, a ValueError, whose
    message has a line for each thing that is wrong with the file, and ValueError for another profile.
    """
    folder = project_root(root)
    values = check.check(folder / FILE)
    profile, profiles = profile or values["profile"], ("small", "paper")
    if profile not in profiles:
        raise ValueError(f"profile {profile!r}; {FILE} has {', '.join(profiles)}")
    shared = {key: value for key, value in values.items() if key not in profiles}
    params = Params(_blocks({**shared, **values[profile], "profile": profile}))
    params.root = folder
    # the small profile's networks lie in the project, the paper's where the files that others trained are
    home = params.path("" if profile == "small" else params.weights)
    for block in ("features", "backbone", "embedders"):
        if params[block].weights:
            params[block]["weights"] = home / Path(params[block].weights).expanduser()
    params.sources = Sources(folder, params.profile)
    params.told = set()
    return params


def shipped(name: str) -> Path | None:
    """A file or folder of `pretrained`: of the checkout, or, where there is none, in the installed package.

    None where neither has it.
    """
    package = Path(__file__).resolve().parent
    homes = (package.parent / "pretrained", package / "pretrained")
    return next((home / name for home in homes if (home / name).exists()), None)


def load_or_exit(profile: str | None = None) -> Params:
    """`load`, for a command line: whatever is wrong ends the process with a line for each thing, and status 1."""
    try:
        return load(profile)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(str(error))


def _blocks(value):
    if isinstance(value, dict):
        return Block({key: _blocks(item) for key, item in value.items()})
    return value


class Sources:
    """What a run is made of: params.yaml, dvc.yaml, the modules of vf and the notebooks, as they are now.

    root: of the project. profile: "small" or "paper". Taken when a run starts, it still says hours later what the run
    was started with.
    """

    def __init__(self, root: Path, profile: str):
        self.root = root
        self.profile = profile
        self.values = check.read(root / FILE)[0]
        self.code = {path: _code(path) for path in (*root.glob("vf/**/*"), *root.glob("notebooks/*.ipynb"))}
        self.stages = (root / "dvc.yaml").read_text() if (root / "dvc.yaml").exists() else ""

    def of(self, stage: str) -> dict:
        """{parameter or file: value or digest} of a stage. stage: its name, or `name@key`.

        Data that other stages wrote is looked at now; what is large is told apart by size and time, as hashing
        gigabytes again would cost more than it saves.
        """
        deps, keys = _stage_values(self.values, self.stages, stage)
        found: dict[str, Any] = {"profile": self.profile}
        for key in keys:
            value = self.values
            for name in key.split("."):
                value = value[name]
            found[key] = value
        for dep in deps:
            path = self.root / dep
            if path.parent.name == "code":  # a copy of the notebook's code, perhaps older than the notebook
                path = self.root / "notebooks" / f"{path.stem}.ipynb"
            for file in _files(path):
                known = self.code.get(file) or _digest(file)
                if known:
                    found[os.path.relpath(file, self.root)] = known
        return found


def _stage_values(values, stages, stage):
    """Dependencies (paths) and parameters (dotted keys) of a stage of dvc.yaml, with ${profile} and ${run} filled in.

    stage: its name; of one that DVC repeats over a mapping, `name@key`.
    """
    name, _, repeat = stage.partition("@")
    spec = (yaml.safe_load(stages) or {"stages": {}})["stages"][name]
    text = json.dumps(spec.get("do", spec)).replace("${key}", repeat)
    for key in ("profile", "run"):
        text = text.replace("${" + key + "}", json.dumps(str(values[key]))[1:-1])
    spec = json.loads(text)
    return spec.get("deps", []), spec.get("params", [])


def _files(path):
    """A file, or the files below a folder but for Python's caches, in order."""
    return [
        file for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.parent.name != "__pycache__"
    ]


def _digest(path):
    """Of a small file its SHA-256, of a large one [size, time]; None for what is no file."""
    if not path.is_file():
        return None
    status = path.stat()
    return [status.st_size, status.st_mtime_ns] if status.st_size >= 1_000_000 else _sha256(path.read_bytes())


def _code(path):
    """The digest of a module; of a notebook, that of its code cells, so that a sentence or a figure changes nothing."""
    if path.suffix != ".ipynb":
        return _digest(path) if path.parent.name != "__pycache__" else None
    data = path.read_bytes()
    try:
        cells = [cell["source"] for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return _sha256(data)
    return _sha256("\0".join("".join(source) for source in cells).encode())


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def check_places(p: Params) -> None:
    """Raises check.ParamsError where a network that params.yaml starts from, or a folder that it reads, is not there.

    p: the profile that is run; what the other one names need not be there.
    """
    weights, places = p.path(p.weights), check.read(p.root / FILE)[1]
    named = {f"{block}.weights": p[block].weights for block in ("features", "backbone", "embedders")}
    if p.features.start:
        named["features.start"] = p.path(p.features.start)
    named |= {f"{block}.start": weights / p[block].start for block in STARTED if p[block].start}
    lines = []

    def look(at, path, remedy):
        if path and not path.exists():
            lines.append(
                f"{FILE}, line {places.get(at, 1)}: {'.'.join(at)} names {path}, which is not there; wanted {remedy}"
            )

    for key, path in named.items():
        network = "a file or folder that is, or null: mend the name, or fetch or train it first"
        look((p.profile, *key.split(".")), path, network)
    folder = "a folder that is: mend the name, or fetch it first"
    if p.films.source != "render":
        look(("films", "root"), p.path(p.films.root), folder)
    if {"folder", "shards"} & set(p.audio.sources):
        look(("audio", "root"), p.path(p.audio.root), folder)
    for name, system in p.benchmark.systems.items():
        look(("benchmark", "systems", name, "folder"), p.path(system["folder"]), folder)
    if lines:
        raise check.ParamsError(lines)


def main() -> int:
    """Check params.yaml. Returns the exit status; the line on a right file never changes, so DVC reruns nothing."""
    try:
        check_places(load(root=project_root()))
    except (FileNotFoundError, check.ParamsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{FILE} is right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
