"""One page on this machine and this checkout: what is there, what is missing, what to do about the first thing wrong.

It asks for nothing but Python's own library: what else it needs it looks for, and says where it is not there.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PYTHON = (3, 11)
DISK = 5  # GB that a whole run of the small profile takes, its films, maps and DVC's copy of them
MEMORY = 4  # GB
START = {
    "video2rms": "video2rms",
    "rms2sound": "rms_controlnet",
}  # rows of WEIGHTS that only a block's `start` asks for


class Finding(NamedTuple):
    """A line of the page.

    what: its subject. found: what is there. remedy: where it is not as it should be. stops: so that `make repro` cannot
    end well.
    """

    what: str
    found: str
    remedy: str = ""
    stops: bool = False


def python() -> Iterator[Finding]:
    """The version that runs this."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        wanted = ".".join(map(str, PYTHON))
        yield Finding(
            "python",
            f"{found}, {sys.executable}",
            f"wanted {wanted} or newer: make PYTHON=python{wanted} install",
            True,
        )
    else:
        yield Finding("python", f"{found}, {sys.executable}")


def packages(root: Path) -> Iterator[Finding]:
    """The packages that requirements.in names, beside the versions of requirements.txt."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)", (root / "requirements.in").read_text(), re.M)
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", (root / "requirements.txt").read_text(), re.M))
    missing: list[str] = []
    other: list[str] = []
    same: list[str] = []
    for name in names:
        wanted = locked.get(name.lower().replace("_", "-"), locked.get(name))
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        # 2.13.0+cpu is 2.13.0, built for another machine
        (same if found.split("+")[0] == wanted else other).append(
            f"{name} {found}" + ("" if found.split("+")[0] == wanted else f" (lock: {wanted})")
        )
    shown = [
        each
        for each in same
        if each.split()[0] in ("torch", "torchvision", "diffusers", "transformers", "dvc", "papermill")
    ]
    if missing:
        more = f" and {len(missing) - 5} more" if missing[5:] else ""
        yield Finding(
            "packages", f"{', '.join(missing[:5])}{more} not installed", "rm -f .venv/installed; make install", True
        )
    if other:
        yield Finding(
            "packages", ", ".join(other), "rm -f .venv/installed; make install brings the versions of requirements.txt"
        )
    if same:
        yield Finding("packages", f"{len(same)} of {len(names)} as requirements.txt has them: {', '.join(shown)}")


def machine(root: Path) -> Iterator[Finding]:
    """Cores and threads, memory, disk, GPU."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    policy = os.environ.get("OMP_WAIT_POLICY")
    text = f"{cores} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', '')}, OMP_WAIT_POLICY={policy or ''}"
    spins = (
        ""
        if (policy or "").upper() == "PASSIVE"
        else "export OMP_WAIT_POLICY=PASSIVE (make does): spinning threads slow torch down"
    )
    yield Finding("threads", text, spins)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield Finding(
        "memory",
        f"{memory:.0f} GB",
        "" if memory >= MEMORY else f"wanted {MEMORY} GB: make batches smaller in params.yaml",
    )
    free = shutil.disk_usage(root).free / 1e9
    lack = (
        ""
        if free >= DISK
        else f"wanted {DISK} GB for the small profile: make room, or `dvc gc --workspace` drops old runs"
    )
    yield Finding("disk", f"{free:.0f} GB free", lack, bool(lack))
    yield from _gpu()


def _gpu():
    try:
        import torch

        from vf.signal import group
    except (ImportError, OSError) as error:
        return [Finding("gpu", f"cannot tell without torch ({_first_line(error)})")]
    if not torch.cuda.is_available():
        slow = "" if group.multiplies_bf16(torch.device("cpu")) else "; its processor has no bf16, so that is float32"
        text = f"none; torch computes with {torch.get_num_threads()} threads, enough for the small profile{slow}"
        return [Finding("gpu", text)]
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return [Finding("gpu", ", ".join(f"{card.name}, {card.total_memory / 1e9:.0f} GB" for card in cards))]


def checkout(root: Path) -> Iterator[Finding]:
    """git, which DVC can do without, and DVC, without which no stage runs."""
    top = _output(root, "git", "rev-parse", "--show-toplevel")
    settings = [path.read_text() for path in (root / ".dvc").glob("config*") if path.is_file()]
    if any(re.search(r"no_scm\s*=\s*true", text, re.I) for text in settings):
        yield Finding("git", "not used: DVC is set up without it")
    elif shutil.which("git") is None:
        yield Finding("git", "not installed; `make repro` sets DVC up without it")
    elif top is None:
        yield Finding("git", "no repository; `make repro` sets DVC up without one")
    else:
        changed = len((_output(root, "git", "status", "--porcelain") or "").splitlines())
        yield Finding("git", f"{top}, {_output(root, 'git', 'describe', '--always')}, {changed} changed files")
    if not (root / ".dvc").is_dir():
        yield Finding("dvc", f"{root} has no .dvc", "git checkout .dvc, or `dvc init`", True)
    elif not (root / "dvc.yaml").is_file():
        yield Finding("dvc", "no dvc.yaml", "git checkout dvc.yaml", True)
    elif not (root / "dvc.lock").is_file():
        yield Finding("dvc", "set up; no dvc.lock, so that every stage will run")
    else:
        yield Finding("dvc", "set up")


def parameters(root: Path) -> Iterator[Finding]:
    """params.yaml, against vf.schema."""
    from vf import check

    try:
        values = check.check(root / "params.yaml")
    except check.ParamsError as error:
        more = [f"and {len(error.lines) - 1} more: python -m vf.params"] if len(error.lines) > 1 else []
        yield Finding(
            "params.yaml", "; ".join([error.lines[0].removeprefix("params.yaml, "), *more]), "mend the line", True
        )
    else:
        yield Finding("params.yaml", f"right: profile {values['profile']}, run {values['run']}, seed {values['seed']}")


def films(root: Path) -> Iterator[Finding]:
    """The films that params.yaml names, and those that were rendered."""
    from vf.data import media

    p = _params(root)
    made = len(list((p.folder("clips") / "films").glob("*.mp4")))
    wanted = sum(p.clips.render_films.count.values())
    chosen = p.films.source == "render"
    yield Finding(
        "rendered",
        f"{made} of {wanted} films in {p.folder('clips') / 'films'}"
        f"{'' if made or not chosen else '; stage data makes them'}",
    )
    folder = p.path(p.films.root)
    if not folder.is_dir():
        remedy = "" if chosen else "make greatest-hits, or set films.root to the folder of the films"
        yield Finding(
            "films",
            f"{folder} is not there{', nor needed: films.source is render' if chosen else ''}",
            remedy,
            not chosen,
        )
        return
    kinds = {track: len(list(folder.glob(f"*_{track}.mp4"))) for track in ("denoised", "mic")} | {
        "times": len(list(folder.glob("*_times.txt")))
    }
    every = sum(path.suffix.lower() in media.FILMS for path in folder.iterdir())
    usable = every if p.films.source == "folder" else kinds[p.films.audio]
    remedy = "" if chosen or usable else "set films.root and films.audio to what the folder holds"
    yield Finding(
        "films",
        f"{folder}: {every} films, {', '.join(f'{n} {kind}' for kind, n in kinds.items())}",
        remedy,
        bool(remedy),
    )


def sounds(root: Path) -> Iterator[Finding]:
    """The folder of sounds or shards that params.yaml names."""
    from vf.data import media

    p = _params(root)
    folder, wanted = p.path(p.audio.root), set(p.audio.sources) - {"render", "films"}
    if not folder.is_dir():
        remedy = "set audio.root to the folder of the sounds" if wanted else ""
        text = "" if wanted else f", nor needed: audio.sources is {', '.join(p.audio.sources)}"
        yield Finding("audio", f"{folder} is not there{text}", remedy, bool(wanted))
        return
    counts = {"sound files": 0, "shards": 0}
    for path in folder.rglob("*"):
        counts["sound files"] += path.suffix.lower() in media.SOUNDS
        counts["shards"] += path.suffix == ".tar"
    lack = [
        kind
        for kind, source in (("sound files", "folder"), ("shards", "shards"))
        if source in wanted and not counts[kind]
    ]
    remedy = f"wanted {lack[0]}: set audio.root, or make shards with python -m vf.shards" if lack else ""
    yield Finding("audio", f"{folder}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}", remedy, bool(lack))


def weights(root: Path) -> Iterator[Finding]:
    """Files that others trained; the paper profile needs them."""
    from vf.backends.weights import WEIGHTS

    p = _params(root)
    folder, paper = p.path(p.weights), p.profile == "paper"
    named = {"audioldm": p.backbone.weights if paper else None} | {row: p[block].start for row, block in START.items()}
    there = {row: (folder / (named.get(row) or weight.file)).exists() for row, weight in WEIGHTS.items()}
    needed = {row for row in WEIGHTS if row not in START or named[row]}
    if (folder / (named["audioldm"] or WEIGHTS["audioldm"].file)).is_file():
        needed.discard("clap")  # the single file has both of CLAP's towers
    lack = [row for row, found in there.items() if not found]
    first = [row for row in lack if row in needed]
    remedy = f"python -m vf.weights {' '.join(first)}" if paper and first else ""
    here = ", ".join(row for row, found in there.items() if found) or "none"
    why = "" if paper else "; the small profile needs none"
    yield Finding(
        "weights",
        f"{folder}: {here} of {len(WEIGHTS)}; missing: {', '.join(lack) or 'none'}{why}",
        remedy,
        bool(remedy),
    )


def _params(root):
    """vf.params.Params of the checkout. Raises where the file is wrong, which `parameters` says."""
    from vf import params

    return params.load(root=root)


def _output(root, *words):
    """What a command says, or None where it cannot be run or fails."""
    try:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _first_line(error):
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:100]}"


def examine(root: Path) -> list[Finding]:
    """Findings on a checkout, in the order of the page.

    A check that fails, as where a package is missing or params.yaml is wrong, becomes one line.
    """
    findings: list[Finding] = []
    subjects = {
        "python": lambda: python(),
        "packages": lambda: packages(root),
        "params.yaml": lambda: parameters(root),
        "git": lambda: checkout(root),
        "machine": lambda: machine(root),
        "films": lambda: films(root),
        "audio": lambda: sounds(root),
        "weights": lambda: weights(root),
    }
    for what, look in subjects.items():
        try:
            findings += look()
        except Exception as error:  # whatever is broken here, the rest of the page is wanted all the more
            findings.append(Finding(what, f"cannot tell: {_first_line(error)}"))
    return findings


def page(findings: list[Finding]) -> str:
    """The text: first what is wrong first, then every finding."""
    stops = [f for f in findings if f.stops]
    remarks = [f for f in findings if f.remedy and not f.stops]
    if stops:
        more = f" ({len(stops) - 1} more below, marked !)" if stops[1:] else ""
        lines = [f"First: {stops[0].what}: {stops[0].found}: {stops[0].remedy}{more}"]
    elif remarks:
        lines = ["Nothing stops `make repro`.", f"Better: {remarks[0].what}: {remarks[0].found}: {remarks[0].remedy}"]
    else:
        lines = ["Nothing stops `make repro`."]
    rows = [
        f"{'!' if f.stops else ' '} {f.what:<12} {f.found}{f'  ->  {f.remedy}' if f.remedy else ''}" for f in findings
    ]
    return "\n".join([*lines, "", *rows])


def main() -> int:
    """Print the page. Returns 1 where something stops `make repro`, else 0."""
    here = Path.cwd().resolve()
    root = next(
        (
            folder
            for folder in (here, *here.parents)
            if (folder / "dvc.yaml").exists() or (folder / "params.yaml").exists()
        ),
        here,
    )
    findings = examine(root)
    print(page(findings))
    return int(any(f.stops for f in findings))


if __name__ == "__main__":
    sys.exit(main())
