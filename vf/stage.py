"""The entry of the stages of dvc.yaml: `python -m vf.stage notebooks/11_video2rms_variants.ipynb 11/wide variant=wide`.

It runs a notebook with papermill, into runs/<run>/notebooks, or the `main` of a module (`python -m vf.stage
vf.report.page`); of the folder `notebooks` it writes the code cells. Before that it checks params.yaml, as nothing else
does in `dvc repro --single-item`, and takes the stage's lock, which the kernel of the system releases however the
process ends. Commands hold no value of params.yaml, which a shell would read before the check: `run` is read here, and
in `11/@ variant=@` each @ is the key of the stage that DVC repeats over a mapping, what its name has behind the @.
While it runs, it ends when DVC ends, and its notebook's kernel with it: nothing writes on beside the next run. When it
has run, the parameters and files that the stage depends on must still be those it started with, as DVC would record the
new ones for what the old ones made.
"""

import contextlib
import datetime
import fcntl
import os
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from vf import check, params
from vf.data import files, processes

UNFINISHED = ".stages"  # in runs/<run>: locks, and notebooks that run
PATIENCE = 10.0  # seconds: a run that was killed just now may still be ending
# the notebook's kernel ends when this process does
WITH_PARENT = "__import__('vf.data.processes', fromlist=['_']).end_with_parent()"


class StageError(RuntimeError):
    """Why a stage cannot run, or what it made cannot be kept, in one line."""


@contextlib.contextmanager
def lock(folder: Path, stage: str, patience: float = PATIENCE) -> Iterator[TextIO]:
    """Hold runs/<run>/.stages/<stage>.lock, so that no second process computes the stage of the run.

    folder: runs/<run>. patience: seconds to wait for another. Yields the locked file. Raises StageError, which names
    the process that holds it.
    """
    path = folder / UNFINISHED / f"{stage}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        give_up = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > give_up:
                    file.seek(0)
                    raise StageError(
                        f"stage {stage} of run {folder.name} is being computed by {file.read().strip() or 'another'}; "
                        "wanted one at a time: wait for it or end it, or give params.yaml another `run`"
                    ) from error
                time.sleep(0.2)
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.datetime.now():%H:%M}\n")
        file.flush()
        yield file


def run(root: Path, source: str, name: str | None = None, **values: str) -> None:
    """Run one notebook or module as the stage that DVC says this is.

    root: of the project. source: path from there of a notebook or of the folder of notebooks, or a module's name. name:
    of the executed notebook; the notebook's own without it. values: parameters of the notebook besides the profile.
    Raises StageError, check.ParamsError, OSError where a file cannot be written, and what the notebook or the module
    raises.
    """
    p = params.load(root=root)
    stage = os.environ.get("DVC_STAGE", Path(source).stem)
    with lock(p.folder(""), stage):
        before = _print_of(p, stage)
        if source.endswith(".ipynb"):
            if not (root / source).is_file():
                there = ", ".join(path.name for path in sorted((root / "notebooks").glob("*.ipynb")))
                raise StageError(f"{source}: no such notebook; wanted one of notebooks/: {there}")
            output = p.folder("notebooks") / f"{name or Path(source).stem}.ipynb"
            partial = p.folder(UNFINISHED) / f"{stage}.ipynb"
            execute(root / source, output, partial, {"profile": p.profile, **values})
        elif (root / source).is_dir():
            write_code(root / source, p.folder("code"))
        else:
            sys.argv = [source, "--profile", p.profile]
            runpy.run_module(source, run_name="__main__")
        _check_unchanged(before, _print_of(params.load(root=root), stage), stage)


def execute(source: Path, output: Path, partial: Path, values: dict) -> None:
    """Run a notebook into another file, which appears whole: with all its output, or up to the cell that failed.

    partial: where it is written meanwhile, on the same disk. values: parameters. Widgets are kept as text, not as what
    they hold, which may be a film. Raises what papermill raises where a cell fails.
    """
    import papermill  # here, as it takes its time

    for path in (output, partial):
        path.parent.mkdir(parents=True, exist_ok=True)
    # the kernel's warning that others on this machine could listen, at each start, hides what matters
    arguments = [f"--IPKernelApp.exec_lines={WITH_PARENT}", "--Application.log_level=40"]
    options = {"store_widget_state": False, "extra_arguments": arguments}
    try:
        papermill.execute_notebook(source, partial, values, **options)
    finally:
        if partial.exists() and not isinstance(sys.exception(), OSError):
            partial.replace(output)


def write_code(notebooks: Path, folder: Path) -> None:
    """Write the code cells of every notebook as a module of the same name, so that a sentence changes no file.

    Raises OSError where one cannot be written.
    """
    from nbconvert import PythonExporter  # here, as they take their time
    from nbformat import NO_CONVERT, read

    exporter = PythonExporter(exclude_markdown=True, exclude_input_prompt=True, exclude_output_prompt=True)
    for path in sorted(notebooks.glob("*.ipynb")):
        files.write_text(folder / f"{path.stem}.py", exporter.from_notebook_node(read(path, NO_CONVERT))[0])


def keyed(words: list[str], stage: str) -> list[str]:
    """Words of a command, their @ replaced by the key of a stage that DVC repeats: `wide` of `video2rms_variants@wide`.

    Raises StageError where a word has an @ and the stage no key.
    """
    key = stage.partition("@")[2]
    if not key and any("@" in word for word in words):
        raise StageError(f"{' '.join(words)}: @ stands for a variant's name, and stage {stage or 'none'} has none; "
                         "wanted it of DVC: dvc repro STAGE@NAME, or write the name")  # fmt: skip
    return [word.replace("@", key) for word in words]


def _print_of(p, stage):
    """What the stage depends on; nothing where dvc.yaml has no such stage."""
    try:
        return p.sources.of(stage)
    except KeyError:
        return {}


def _check_unchanged(before, after, stage):
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    if changed:
        more = f" and {len(changed) - 3} more" if changed[3:] else ""
        raise StageError(
            f"{', '.join(changed[:3])}{more} changed while stage {stage} ran, so what it made belongs to neither; "
            f"wanted no change: run again, or `dvc commit {stage}` where the change cannot matter"
        )


def main() -> int:
    """The command line. Returns the exit status; whatever fails ends in one line."""
    if not sys.argv[1:]:
        print("usage: python -m vf.stage NOTEBOOK|MODULE [NAME] [PARAMETER=VALUE ...]", file=sys.stderr)
        return 2
    source, *words = sys.argv[1:]
    processes.end_with_parent()
    processes.wait_passively()
    try:
        words = keyed(words, os.environ.get("DVC_STAGE", ""))
        name = words.pop(0) if words and "=" not in words[0] else None
        run(params.project_root(), source, name, **dict(word.split("=", 1) for word in words))
    except (StageError, check.ParamsError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{source}: interrupted; run again to go on", file=sys.stderr)
    except OSError as error:
        where = error.filename or Path("runs")
        print(f"{where}: {error.strerror or error}; wanted a file that can be written: make room", file=sys.stderr)
    except Exception as error:  # of a notebook's cell: papermill's text has its traceback
        print(error, file=sys.stderr)
        print(f"{source}: {type(error).__name__}: {(str(error).splitlines() or [''])[-1]}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
