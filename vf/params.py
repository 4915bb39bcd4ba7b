"""params.yaml and dvc.yaml -> plain values, paths, and the place of a stage's checkpoints.

`python -m vf.params` checks params.yaml and prints everything that is wrong with it, one line each. It must run before
DVC does anything. DVC puts `run` into its commands and outputs, and empties the outputs of a stage before it runs it;
with `run: ../..` these could lie anywhere. So `make` runs the check first, and in `dvc repro` it is the stage `params`.
All other stages depend on its output, which never changes, through `data`. `dvc repro --single-item` runs one stage
alone, so nothing guards it.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import yaml

from vf import check
from vf.signal.timeline import Timeline

FILE = "params.yaml"


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

        Its name depends on the stage's parameters and dependencies, so that no other run resumes from it.
        """
        digest = hashlib.sha256(json.dumps(_fingerprint(self, stage), sort_keys=True).encode()).hexdigest()
        return self.root / "runs" / ".checkpoints" / f"{self.run}-{stage}-{digest[:12]}" / part

    def finished(self, stage: str) -> None:
        """Remove a stage's training state; to be called when its outputs are written."""
        for folder in (self.root / "runs" / ".checkpoints").glob(f"{self.run}-{stage}-*"):
            shutil.rmtree(folder)


def project_root(start: str | Path | None = None) -> Path:
    """The nearest folder above `start` (the working folder) that holds params.yaml.

    Raises FileNotFoundError outside the project.
    """
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).exists():
            return folder
    raise FileNotFoundError(f"no {FILE} in {here} or above it; run from inside the project")


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
    return params


def _blocks(value):
    if isinstance(value, dict):
        return Block({key: _blocks(item) for key, item in value.items()})
    return value


def stage_values(root: Path, stage: str) -> tuple[list, list]:
    """Dependencies (paths) and parameters (dotted keys) of a stage of dvc.yaml, with ${profile} and ${run} filled in.

    stage: its name; of one that DVC repeats over a mapping, `name@key`.
    """
    values = check.read(root / FILE)[0]
    name, _, repeat = stage.partition("@")
    spec = yaml.safe_load((root / "dvc.yaml").read_text())["stages"][name]
    text = json.dumps(spec.get("do", spec)).replace("${key}", repeat)
    for key in ("profile", "run", "films.root", "audio.root"):
        value = values
        for name in key.split("."):
            value = value[name]
        text = text.replace("${" + key + "}", str(value))
    spec = json.loads(text)
    return spec.get("deps", []), spec.get("params", [])


def _fingerprint(params, stage):
    deps, keys = stage_values(params.root, stage)
    values = check.read(params.root / FILE)[0]
    print_of = {"profile": params.profile}
    for key in keys:
        value = values
        for name in key.split("."):
            value = value[name]
        print_of[key] = value
    for dep in deps:
        path = params.root / dep
        if (
            path.parent.name == "code"
        ):  # a copy of the notebook's code (dvc.yaml), which may be older than the notebook in JupyterLab
            path = params.root / "notebooks" / f"{path.stem}.ipynb"
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.parent.name != "__pycache__":
                # data is told apart by size and time, as hashing gigabytes again would cost more than it saves
                known = file.stat().st_size < 1_000_000
                print_of[str(file.relative_to(params.root))] = (
                    hashlib.sha256(file.read_bytes()).hexdigest()
                    if known
                    else [file.stat().st_size, file.stat().st_mtime_ns]
                )
    return print_of


def main() -> int:
    """Check params.yaml. Returns the exit status; the line on a right file never changes, so DVC reruns nothing."""
    try:
        check.check(project_root() / FILE)
    except (FileNotFoundError, check.ParamsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{FILE} is right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
