"""Kills and bad files, thousands of them: `python tests/torture.py --kills 200`, or `make torture`.

A case is a row of runs/torture.csv: kind, case, outcome, message. Rows that are there are not run again, so the same
command goes on where it stopped. Outcomes: `right` (nothing went wrong, the result is that of an undisturbed run),
`recovered` (killed or without room; run again, the result is the same to the byte), `clear error` (one line that says
what was wanted) and `wrong`, everything else. More jobs go into JOBS, more files into FILES.
"""

import argparse
import contextlib
import csv
import hashlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "data")]  # wild.py lies in one of them
os.environ.setdefault("OMP_NUM_THREADS", "1")

import echo  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import wild  # noqa: E402

from vf.data import clips, files, media, writing  # noqa: E402
from vf.signal import fit  # noqa: E402

COLUMNS = ["kind", "case", "outcome", "message"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RATE = 16000
LONGEST = 120  # seconds of one attempt


# jobs: each fills a folder, and fills it again where it was stopped


def training(folder: Path) -> None:
    """A small network, its state saved every two steps."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Dropout(0.2), torch.nn.Linear(64, 1))

    def loss(generator, *_):
        x = torch.randn(64, 16, generator=generator)
        return (model(x) - x.sum(-1, keepdim=True)).square().mean()

    options = fit.Training(80, lr=1e-2, ema=0.9, seed=1, checkpoint=folder / "state", every=2)
    losses = fit.fit(model, loss, options)
    files.write_array(folder / "weights.npy", torch.cat([p.detach().flatten() for p in model.parameters()]).numpy())
    files.write_json(folder / "losses.json", losses)
    shutil.rmtree(folder / "state", ignore_errors=True)


def film(folder: Path) -> None:
    """A film, and its copy with another sound."""
    wave = wild.clicks(2.0, RATE)
    writing.write_film(folder / "film.mp4", [wild.picture(k) for k in range(50)], 25, wave, RATE)
    writing.replace_sound(folder / "film.mp4", folder / "made.mp4", wave[::-1].copy(), RATE)
    writing.write_sound(folder / "sound.wav", wave, RATE)


def corpus(folder: Path) -> None:
    """Clips with their waves."""
    waves = np.random.default_rng(0).integers(-32768, 32767, (40, 4 * RATE), dtype=np.int16)
    listed = [clips.Clip(f"c{k}", None, 0.0, 4.0, "train", f"g{k}") for k in range(40)]
    clips.ClipSet(listed, waves, RATE).save(folder / "clips")


def session(folder: Path) -> None:
    """A render with its session beside it."""
    source = echo.film(folder / "film.mp4", 3.0) if not (folder / "film.mp4").exists() else folder / "film.mp4"
    echo.studio().render(source, wanted=echo.curve(), prompt="a", seed=5).save(folder / "out.mp4")


def table(folder: Path) -> None:
    """Tables and metrics."""
    for k in range(10):
        rows = np.random.default_rng(k).standard_normal((2000, 4))
        files.write_csv(folder / f"{k}.csv", pd.DataFrame(rows))
        files.write_json(folder / f"{k}.json", rows[:200].tolist())


def notebook(folder: Path) -> None:
    """A stage: its notebook writes tables. Becomes the stage's entry."""
    import test_stage

    files.write_text(folder / "params.yaml", test_stage.PARAMS)
    code = "import time\nfrom vf.data import files\nfor k in range(40):\n"
    code += "    files.write_json(f'{k}.json', list(range(9999)))\n    time.sleep(0.02)"
    test_stage.notebook(folder / "notebooks/01_s.ipynb", code)
    os.chdir(folder)
    os.execve(sys.executable, [sys.executable, "-m", "vf.stage", "notebooks/01_s.ipynb"], test_stage.ENVIRONMENT)


# name: (job, how many of it are run for one of --kills)
JOBS: dict[str, tuple[Callable[[Path], None], float]] = {
    "training": (training, 1),
    "film": (film, 1),
    "corpus": (corpus, 1),
    "session": (session, 1),
    "table": (table, 1),
    "notebook": (notebook, 0.1),
}


# files: (makes it in a folder and returns its path, reads it)


def frames(path: Path) -> None:
    """Read as stages and renders do."""
    media.check_whole(path)
    media.read_frames(path, 25, (64, 48))


def heard(path: Path) -> None:
    """Read its sound."""
    media.read_sound(path, RATE)


def _of(text: bytes, name: str) -> Callable[[Path], Path]:
    def make(folder):
        (folder / name).write_bytes(text)
        return folder / name

    return make


FILES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "a whole film": (lambda folder: wild.film(folder / "film.mp4"), frames),
    "a gif": (lambda folder: wild.film(folder / "film.gif", "gif", frames=9, rate=10, sound=None), frames),
    **{
        f"a film cut at {share:.0%}": (
            lambda folder, share=share: wild.cut(wild.film(folder / "film.mp4"), share, folder / "cut.mp4"),
            frames,
        )
        for share in (0.0, 0.01, 0.3, 0.9, 0.999)
    },
    "a film without sound": (lambda folder: wild.film(folder / "film.mp4", sound=None), heard),
    "an empty film": (_of(b"", "film.mp4"), frames),
    "a text called a film": (_of(b"no film\n" * 99, "film.mp4"), frames),
    "zeros called a sound": (_of(bytes(9999), "sound.wav"), heard),
    "times that are no numbers": (_of(b"a b c d\n", "x_times.txt"), clips.read_times),
    "times in UTF-16 without a mark": (_of("1.0 wood hit None".encode("utf-16-le"), "x_times.txt"), clips.read_times),
}


# running a case


def attempt(work: Callable[[], object], folder: Path, end: float, number: int, room: int | None = None) -> tuple:
    """Do something in a process of its own. Returns (its exit status as os.waitpid has it, what it said, seconds).

    end: seconds after which it gets the signal `number`. room: bytes that a file may have, as on a disk that fills.
    """
    log = folder.with_name(f"{folder.name}.log")
    log.touch()
    begin = time.monotonic()
    if not (child := os.fork()):
        code = 1
        try:
            with log.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.setpgid(0, 0)
            if room is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
            work()
            code = 0
        except ValueError as error:
            code = 3
            print(error)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    status = None
    while status is None:
        done, value = os.waitpid(child, os.WNOHANG)
        passed = time.monotonic() - begin
        if done:
            status = value
        elif passed > LONGEST:
            os.kill(child, signal.SIGKILL)
        elif passed >= end:
            os.kill(child, number)
            end = LONGEST
        else:
            time.sleep(min(0.005, max(0.0, end - passed)))
    return status, log.read_text(errors="replace"), time.monotonic() - begin


def results(folder: Path) -> dict[str, str]:
    """{file: SHA-256} of what a job left, but for hidden files, which are unfinished, and executed notebooks."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")) and path.suffix != ".ipynb":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def stopped(job: Callable, wanted: dict, seconds: float, rng: random.Random, number: int | None) -> tuple[str, str]:
    """(outcome, message) of a job that is stopped once, and run again.

    wanted: of `results` of an undisturbed run, which took so many seconds. number: of the signal; None for no room.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "job"
        folder.mkdir()
        end, room = (rng.uniform(0, seconds), None) if number else (LONGEST, rng.randrange(1, 60_000))
        status, said, _ = attempt(partial(job, folder), folder, end, number or signal.SIGKILL, room)
        half = [name for name, digest in results(folder).items() if name in wanted and digest != wanted[name]]
        if half:
            return "wrong", f"stopped after {end:.3f} s: {half[0]} is neither whole nor absent"
        if not status:
            return ("right", "") if results(folder) == wanted else ("wrong", "not stopped, but other bytes")
        status, again, _ = attempt(partial(job, folder), folder, LONGEST, signal.SIGKILL)
        if status:
            return "wrong", f"cannot go on: {_last(again)}; before: {_last(said)}"
        got = results(folder)
        apart = sorted(name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name))
        return ("wrong", f"stopped after {end:.3f} s: {apart[0]} differs") if apart else ("recovered", _last(said))


def read(make: Callable, reader: Callable) -> tuple[str, str]:
    """(outcome, message) of a file that is made and read."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "job"
        folder.mkdir()
        status, said, _ = attempt(lambda: reader(make(folder)), folder, LONGEST, signal.SIGKILL)
        lines = [line.replace(f"{folder}/", "") for line in said.splitlines() if line.strip()]
    if not status:
        return "right", ""
    clear = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3 and len(lines) == 1 and "wanted" in lines[0]
    return ("clear error" if clear else "wrong"), (lines or [f"status {status}"])[-1]


def _last(text):
    return (text.strip().splitlines() or [""])[-1][:200]


class Rows:
    """The table, to which a row is added as soon as it is known. A row that was half written is written anew."""

    def __init__(self, path: Path):
        self.path = path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        rows = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
        self.rows = {(row["kind"], row["case"]): row for row in rows}
        files.write_csv(path, pd.DataFrame(rows, columns=COLUMNS))

    def add(self, kind: str, case: str, do: Callable[[], tuple[str, str]]) -> None:
        """Run a case that has no row yet."""
        if (kind, case) in self.rows:
            return
        outcome, message = do()
        row = dict(zip(COLUMNS, (kind, case, outcome, message.replace("\n", " "))))
        self.rows[kind, case] = row
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        if outcome == "wrong":
            print(f"{kind}: {case}: wrong: {message}", flush=True)


def torture(rows: Rows, kills: int, jobs: list[str]) -> None:
    """Run all cases that have no row yet. kills: how often a job is stopped. jobs: names; `files` for bad files."""
    for name in jobs:
        if name == "files":
            for case, (make, reader) in FILES.items():
                rows.add("file", case, partial(read, make, reader))
            continue
        job, share = JOBS[name]
        cases = [(k, (*SIGNALS, None)[k % 4]) for k in range(max(1, round(kills * share)))]
        cases = [(*_named(name, *case), *case) for case in cases]
        if all((kind, case) in rows.rows for kind, case, *_ in cases):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "job"
            folder.mkdir()
            status, said, seconds = attempt(partial(job, folder), folder, LONGEST, signal.SIGKILL)
            if status:
                raise SystemExit(f"{name} does not even run undisturbed: {_last(said)}")
            wanted = results(folder)
        for kind, case, k, number in cases:
            rng = random.Random(f"{name} {k}")
            rows.add(kind, case, partial(stopped, job, wanted, seconds, rng, number))


def _named(job, k, number):
    """(kind, case) of the k-th time that a job is stopped."""
    return ("kill", f"{job} {signal.Signals(number).name} {k}") if number else ("full disk", f"{job} no room {k}")


def main() -> int:
    """The command line. Returns 1 where a case went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="how often each job is stopped (default: 200)")
    parser.add_argument("--jobs", nargs="*", default=[*JOBS, "files"], choices=[*JOBS, "files"])
    parser.add_argument("--table", type=Path, default=TESTS.parent / "runs/torture.csv")
    arguments = parser.parse_args()
    rows = Rows(arguments.table)
    torture(rows, arguments.kills, arguments.jobs)
    found = Counter(row["outcome"] for row in rows.rows.values())
    print(f"{len(rows.rows)} cases: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items())))
    return int(found["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
