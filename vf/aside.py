"""The pipeline with other parameters, beside the project: `python -m vf.aside run=other seed=1 -- report`.

It works in `.aside/<run>`, a copy of the code with a params.yaml and a dvc.lock of its own, whose `runs`, `results` and
data are the project's. So params.yaml, dvc.lock and other runs stay as they are, however it ends; the copy knows what
is done, and the same command goes on there. It needs no git. What follows `--` are stages; without them, all.
"""

import filecmp
import os
import shutil
import sys
from pathlib import Path

import yaml

from vf import check, params, stage
from vf.data import files

COPIED = ("vf", "notebooks", "dvc.yaml", ".dvcignore")
SHARED = ("runs", "results", "data", "weights", "pretrained")
CACHES = {"__pycache__", ".ipynb_checkpoints"}
FOLDERS = ("films.root", "audio.root")  # as typed, from the working folder
CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n[cache]\n    dir = {}\n"


def settle(root: Path, settings: list[str]) -> dict:
    """`check.settle` of a project's params.yaml, for settings of folders as they were typed.

    root: of the project. Raises check.ParamsError: nothing is written before, as `run` names folders.
    """
    settings = list(settings)
    for i, setting in enumerate(settings):
        key, _, text = setting.partition("=")
        if key in FOLDERS and text:
            folder = Path(text).expanduser().resolve()
            if not folder.is_dir():
                raise check.ParamsError([f"{setting}: {folder} is no folder; wanted one: mend the path"])
            settings[i] = f"{key}={folder}"
    return check.settle(root / params.FILE, settings)


def prepare(root: Path, values: dict) -> Path:
    """Write `.aside/<run>`, or bring it up to date. values: of its params.yaml, as `settle` gives them. Returns it."""
    folder = root / ".aside" / values["run"]
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        _copy(root / name, folder / name)
    for name in SHARED:
        (root / name).mkdir(exist_ok=True)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(root / name, target_is_directory=True)
    files.write_text(folder / params.FILE, _text(values))
    files.write_text(folder / ".dvc" / "config", CONFIG.format(root / ".dvc" / "cache"))
    return folder


def _text(values):
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=1000)


def _copy(source, target):
    """Make a file or folder as another is; what is the same already is left alone."""
    if not source.is_dir():
        if source.exists() and not (target.exists() and filecmp.cmp(source, target, shallow=False)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.whole(target) as partial:
                shutil.copyfile(source, partial)
        return
    names = {path.name for path in source.iterdir()} - CACHES
    target.mkdir(parents=True, exist_ok=True)
    for left in {path.name for path in target.iterdir()} - names - CACHES:
        path = target / left
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in names:
        _copy(source / name, target / name)


def main() -> int:
    """The command line: becomes `dvc repro` in the folder. Returns 1 where a setting is wrong."""
    words = [word for word in sys.argv[1:] if word not in ("-S", "--set-param")]  # as `dvc exp run` has them
    settings, stages = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    try:
        root = params.project_root()
    except FileNotFoundError as error:
        sys.exit(str(error))
    try:
        values = settle(root, settings)
        with stage.lock(root / "runs" / values["run"], "aside", patience=1.0) as held:
            folder = prepare(root, values)
            print(f"run {values['run']}: works in {folder}, writes runs/{values['run']} and results/{values['run']}")
            sys.stdout.flush()
            os.set_inheritable(held.fileno(), True)  # DVC holds the lock to its end
            os.chdir(folder)
            os.execvp(sys.executable, [sys.executable, "-m", "dvc", "repro", *stages])
    except (check.ParamsError, stage.StageError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; wanted room and rights to write there", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
