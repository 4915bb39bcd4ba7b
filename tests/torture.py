"""Kills and bad files, thousands of them: `python tests/torture.py --kills 200`, or `make torture`.

A case is a row of runs/torture.csv: kind, case, outcome, message. Rows that are there are not run again, so the same
command goes on where it stopped. Outcomes: `right` (nothing went wrong, the result is that of an undisturbed run),
`recovered` (killed or without room; run again, the result is the same to the byte), `clear error` (one line that says
what was wanted) and `wrong`, everything else. `--kills 0` leaves the kills out, `--kinds` runs some of the others.
More jobs go into JOBS; the other cases are in tests/cases_*.py.
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
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "data")]  # wild.py lies in one of them
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av  # noqa: E402
import cases  # noqa: E402
import cases_files  # noqa: E402
import cases_media  # noqa: E402
import cases_model  # noqa: E402
import echo  # noqa: E402
import fuzz  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import wild  # noqa: E402
from cases import Case  # noqa: E402

from vf.data import clips, files, writing  # noqa: E402
from vf.signal import fit  # noqa: E402

CASES = [*cases_media.CASES, *cases_model.CASES, *cases_files.CASES]
KINDS = list(dict.fromkeys(case.kind for case in CASES))

COLUMNS = ["kind", "case", "outcome", "message"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RATE = 16000
LONGEST = 1200  # seconds of one attempt, on a machine that others use too
REFUSAL = 3  # exit status of a case that ends in an error that was foreseen


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
        except (ValueError, OSError) as error:
            traced = isinstance(error, OSError) and error.filename is not None  # the system's own, which has no remedy
            code = REFUSAL
            print(ascii(str(error)) if traced else str(error).encode("utf-8", "backslashreplace").decode())
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    status = None
    try:
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
    except KeyboardInterrupt:  # the child is in a group of its own, which Ctrl-C does not reach
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
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


def read(case: Case) -> tuple[str, str]:
    """(outcome, message) of a file that is made and read."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "job"
        folder.mkdir()
        name = Path(scratch) / "name"

        def work():
            warnings.simplefilter("ignore")
            av.logging.set_level(av.logging.PANIC)
            transformers.logging.disable_progress_bar()
            try:
                path = case.make(folder)
            except Exception as error:
                raise RuntimeError(f"cannot be made: {error}") from error
            os.ftruncate(1, 0)  # what encoders said meanwhile
            os.lseek(1, 0, os.SEEK_SET)
            name.write_text(ascii(files.printable(path.name))[1:-1])
            with cases.nothing_left(folder):
                case.read(path)

        status, said, _ = attempt(work, folder, LONGEST, signal.SIGKILL)
        lines = [line.replace(f"{folder}/", "") for line in said.splitlines() if line.strip() and "%|" not in line]
        named = case.names if case.names is not None else name.read_text() if name.exists() else ""
    if not status:
        return ("right", "") if case.wanted != cases.REFUSED else ("wrong", "taken without a word")
    lines = lines or [f"status {status}"]
    if not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == REFUSAL):
        return "wrong", lines[-1]
    clear = len(lines) == 1 and any(word in lines[0] for word in fuzz.REMEDY) and named in ascii(lines[0])
    if not clear or case.wanted == cases.RIGHT:
        return "wrong", f"{len(lines)} lines: {lines[-1]}"
    return "clear error", lines[0]


def _last(text):
    return (text.strip().splitlines() or [""])[-1][:200]


class Rows:
    """The table, to which a row is added as soon as it is known. A row that was half written is written anew."""

    def __init__(self, path: Path, again: bool = False):
        self.path = path
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text() if path.exists() else ""
        rows = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
        rows = [row for row in rows if not (again and row["outcome"] == "wrong")]
        self.rows = {(row["kind"], row["case"]): row for row in rows}
        files.write_csv(path, pd.DataFrame(rows, columns=COLUMNS))

    def add(self, kind: str, case: str, do: Callable[[], tuple[str, str]]) -> None:
        """Run a case that has no row yet."""
        if (kind, case) in self.rows:
            return
        outcome, message = do()
        row = dict(zip(COLUMNS, (kind, case, outcome, files.excerpt(message, 500))))
        self.rows[kind, case] = row
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        if outcome == "wrong":
            print(f"{kind}: {case}: wrong: {message}", flush=True)


def torture(rows: Rows, kills: int, jobs: list[str]) -> None:
    """Stop jobs in all ways that have no row yet. kills: how often each is stopped. jobs: their names."""
    for name in jobs if kills else ():
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
    parser.add_argument("--kills", type=int, default=200, help="how often each job is stopped; 0: never (200)")
    parser.add_argument("--jobs", nargs="*", default=list(JOBS), choices=list(JOBS), help="that are stopped (all)")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS, help="of the other cases (all)")
    parser.add_argument("--again", action="store_true", help="run the cases that went wrong once more")
    parser.add_argument("--table", type=Path, default=TESTS.parent / "runs/torture.csv")
    arguments = parser.parse_args()
    rows = Rows(arguments.table, arguments.again)
    try:
        for case in CASES:
            if case.kind in arguments.kinds:
                rows.add(case.kind, case.name, partial(read, case))
        torture(rows, arguments.kills, arguments.jobs)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here")
        return 130
    for kind in sorted({row["kind"] for row in rows.rows.values()}):
        found = Counter(row["outcome"] for row in rows.rows.values() if row["kind"] == kind)
        print(f"{kind}: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items())))
    found = Counter(row["outcome"] for row in rows.rows.values())
    print(f"{len(rows.rows)} cases: " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.items())))
    return int(found["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
