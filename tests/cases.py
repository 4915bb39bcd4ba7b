"""What a case of tests/torture.py is: a file or folder that is odd, what reads it, and what is right."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import wild

from vf.data import media, writing

RATE = 16000
RIGHT, REFUSED = "right", "clear error"
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp437")
UNMARKED = ("utf-16-le", "utf-16-be", "utf-32")  # which no reader can tell from something else


class Case(NamedTuple):
    """One case. make: makes it in an empty folder and returns its path. read: what the product does with the path; it
    raises AssertionError where the result is wrong. wanted: RIGHT, REFUSED, or None where either will do.
    names: what a refusal must name; the path's own name without it.
    """

    kind: str
    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]
    wanted: str | None = RIGHT
    names: str | None = None


def check_names(listed: list[Case]) -> None:
    """Raises ValueError where two cases have one name, of which one would never run."""
    names = [(case.kind, case.name) for case in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"cases named twice: {twice}; wanted a name for each")


def told(main: Callable[[list[str]], object], *words: object) -> str:
    """Run a command line. Returns what it printed; raises ValueError with its error output where it failed.

    Raises AssertionError for a failure without a word.
    """
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            err.write(code)
    if code:
        lines = [line for line in err.getvalue().splitlines() if line.strip() and "\r" not in line and "%|" not in line]
        assert lines, f"exit status {code} and nothing said"
        raise ValueError("\n".join(lines))
    return out.getvalue()


def written(folder: Path, name: str, text: str | bytes, encoding: str = "utf-8") -> Path:
    """A file with a text."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return folder / name


def do(make: Callable[..., Path], *given) -> Path:
    """make(folder, *given), where the folder comes last: `partial(do, make, 1, 2)` is what a case wants."""
    return make(given[-1], *given[:-1])


def put(*keys, to: object = None, gone: bool = False) -> Callable[[dict], None]:
    """A change of nested dicts and lists: what lies at `keys` is another value, or gone."""

    def change(values):
        for key in keys[:-1]:
            values = values[key]
        if gone:
            del values[keys[-1]]
        else:
            values[keys[-1]] = to

    return change


def times(
    clicks: list[float] | tuple = wild.CLICKS, within: float = 2.5e-3, start: float = 0.0
) -> Callable[[Path], None]:
    """A reader whose sound must click at these seconds, read whole and from the middle."""

    def read(path):
        wave = media.read_sound(path, RATE)
        found = wild.onsets(wave) if wave.any() else np.zeros(0)
        assert len(found) == len(clicks) and np.abs(found - clicks).max(initial=0) <= within, f"clicks at {found}"
        middle = clicks[len(clicks) // 2] - 0.3
        part = media.read_sound(path, RATE, middle, 0.6)
        found = wild.onsets(part)
        assert len(found) == 1 and abs(found[0] - 0.3) <= within, f"from {middle} s on, clicks at {found}"

    return read


def whole_film(path: Path, frames: int = 100, size: tuple[int, int] = wild.SIZE, rate: float = 25) -> None:
    """A reader that wants every picture of a film, in order, and the same ones from the middle on."""
    info = media.probe(path)
    media.check_whole(path, decode=True)
    assert abs(info.seconds - frames / rate) < 1.5 / rate and (info.width, info.height) == size, info
    images, stamps = media.read_frames(path, rate, size)
    assert abs(len(images) - frames) <= 1 and (np.diff(stamps) >= 0).all(), f"{len(images)} pictures"
    bright = np.array([np.median(image[size[1] // 2 :]) for image in images])
    assert (np.diff(bright[: min(frames, 100)]) >= -12).all(), "pictures out of order"
    half = frames // 2 / rate
    later, _ = media.read_frames(path, rate, size, half)
    assert abs(len(later) - (len(images) - frames // 2)) <= 1 and np.array_equal(later[-1], images[-1]), (
        "from the middle"
    )


def saved_as(suffix: str, name: str = "made") -> Callable[[Path], None]:
    """A reader that gives a film another sound: picture and times stay, the sound is in time, and it is whole.

    Where that is refused, the way that the refusal names must work.
    """

    def read(path):
        output = path.with_name(f"{name}{suffix}")
        sound = wild.clicks(4.0, RATE)
        try:
            writing.check_output(path, output, RATE)
        except media.MediaError as error:
            said = str(error)
            assert not output.exists()
            if "name it " in said:
                way = path.with_name(said.rsplit("name it ", 1)[1])
                writing.check_output(path, way, RATE)
                _compare(path, way, sound)
            raise
        _compare(path, output, sound)

    return read


def _compare(film, output, sound):
    writing.replace_sound(film, output, sound, RATE)
    media.check_whole(output, decode=True)
    info = media.probe(film)
    size = info.width // 2 * 2, info.height // 2 * 2
    old, new = (media.read_frames(path, info.fps, size) for path in (film, output))
    assert np.array_equal(old[0], new[0]), "other pictures"
    assert np.abs((old[1] - old[1][0]) - (new[1] - new[1][0])).max() < 2e-3, "other times"
    assert media.probe(output)[2:4] == info[2:4] and media.extent(output).turned == media.extent(film).turned
    found = wild.onsets(media.read_sound(output, RATE))
    expected = [c for c in wild.CLICKS if c < info.seconds - 0.05]
    assert len(found) == len(expected) and np.abs(found - expected).max(initial=0) < 2.5e-3, f"clicks at {found}"


def cut_off(path: Path) -> None:
    """A reader of half a film or sound: it must be refused, and what is there can still be had."""
    kinds = [(media.read_sound, (RATE,))]
    if path.suffix in {*media.SUFFIXES, ".ts", ".gif", ".flv", ".wmv", ".mxf"}:
        kinds.append((media.check_whole, (True,)))
    first = None
    for read, given in kinds:
        try:
            read(path, *given)
        except media.MediaError as error:
            assert "\n" not in str(error) and path.name in str(error), str(error)
            first = error
        else:
            what = "sound" if read is media.read_sound else "picture"
            raise AssertionError(f"half of its {what} is taken for the whole")
    if isinstance(first, media.Truncated):
        part = media.read_sound(path, RATE, partial=True)
        assert np.isfinite(part).all()
    raise first


@contextlib.contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Raises AssertionError where something is left half written, or anything at all after an error."""
    before = {p.relative_to(folder) for p in folder.rglob("*")}
    try:
        yield
    except (ValueError, OSError):
        more = {p.relative_to(folder) for p in folder.rglob("*")} - before
        assert not [p for p in more if ".partial" in p.name], f"left {sorted(map(str, more))}"
        raise
    left = [str(p) for p in folder.rglob("*") if ".partial" in p.name or ".old" in p.name]
    assert not left, f"left {left}"
