"""Small files and folders: read as people and their programs write them, and written whole or not at all.

A stage that is killed leaves no half of a result behind. A file that cannot be read is named in one line.
"""

import csv
import errno
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def read_text(path: str | Path) -> str:
    """A text as editors and spreadsheets write it: UTF-8 with a byte order mark or without, or UTF-16 with one.

    Raises ValueError, which names the file, where it cannot be read or is no such text.
    """
    try:
        data = Path(path).read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read ({error.strerror}); wanted a text file: check what it is and its rights"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not in UTF-8 ({error.reason}); wanted a text: save it as UTF-8") from error
    if "\0" in text:
        raise ValueError(f"{path}: holds zero bytes, as UTF-16 without a mark does; wanted a text: save it as UTF-8")
    return text


def read_json(path: str | Path, wanted: str = "a file that was saved here: save or fetch it again") -> Any:
    """What a JSON file holds. wanted: what an error says was wanted, and what to do.

    Raises ValueError, which names the file, where it cannot be read or is no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON ({reason(error, path)}); wanted {wanted}") from error


def separator(text: str) -> str:
    """What parts the columns of a table by its first line: a comma, a semicolon or a tab, whichever is there most."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def read_rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """Rows of a CSV, those that are empty left out: (number of its last line, its cells).

    Columns are parted by commas, semicolons or tabs. Raises ValueError, which names the file, and the line where there
    is one, for what cannot be read as a table, and for a row with more cells than the first, the headers: a name or a
    number with a comma in it has moved the others.
    """
    return _rows(path, read_text(path))


def _rows(path, text):
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True)
    begin = 1
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                begin = reader.line_num + 1
                continue
            width = len(rows[0][1]) if rows else len(row)
            if any(cell.strip() for cell in row[width:]):
                raise ValueError(
                    f"{path}, line {reader.line_num}: {excerpt(','.join(row))} has more cells than headers, {width}; "
                    "wanted as many: quote a text that holds a comma, write numbers with a point"
                )
            rows.append((reader.line_num, row[:width]))
            begin = reader.line_num + 1
    except csv.Error as error:
        why = excerpt(error)  # it quotes the separator, which may be a tab
        raise ValueError(f"{path}, line {begin}: {why}; wanted a table of short texts: close every quote") from error
    return rows


def read_table(path: str | Path, **options: Any) -> "pd.DataFrame":
    """A CSV as a DataFrame. Columns are parted as in `read_rows`. options: of pandas.read_csv.

    Raises ValueError, which names the file, for what `read_rows` and pandas cannot read as a table.
    """
    import pandas as pd  # here, as it takes its time

    text = read_text(path)
    _rows(path, text)
    try:
        return pd.read_csv(io.StringIO(text), sep=separator(text), index_col=False, **options)
    except (ValueError, OverflowError) as error:  # pandas' own errors are such ones
        why = excerpt(str(error).strip())
        raise ValueError(f"{path}: cannot be read as a table ({why}); wanted a CSV with a line of headers") from error


def excerpt(text: object, most: int = 120) -> str:
    """What an error shows of a text that is not its own: printable, and cut where it is longer than `most`."""
    shown = printable(str(text))
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def reason(error: Exception, path: str | Path = "") -> str:
    """What an error says, without the path that it begins with and what was wanted instead, not too long."""
    return excerpt(str(error).removeprefix(f"{path}: ").split("; wanted")[0], 300)


def listed(folder: str | Path, suffixes: Collection[str], below: bool = False) -> list[Path]:
    """Files of a folder whose suffix, in lower case, is one of `suffixes`, sorted. below: those of folders in it too.

    Folders and hidden files are passed over: half-written ones, and what other systems keep beside a file (`._a.wav`).
    """
    paths = Path(folder).rglob("*") if below else Path(folder).iterdir()
    return sorted(p for p in paths if p.suffix.lower() in suffixes and not p.name.startswith(".") and p.is_file())


def over(written: Iterable[str | Path], read: Iterable[str | Path]) -> tuple[Path, Path] | None:
    """The first path that would be written over one that is read, and that one, links followed; None where none is."""
    given = {os.path.realpath(path): Path(path) for path in read}
    return next(((Path(p), given[real]) for p in written if (real := os.path.realpath(p)) in given), None)


def is_utf8(name: str) -> bool:
    """Whether a file's name is text that a table can hold; names in other encodings come in as halves of characters."""
    return not any("\ud800" <= c <= "\udfff" for c in name)


def printable(text: str) -> str:
    """A text in one line of characters that a console can show: others, as of odd file names, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to, moved there when all went well; on any error nothing is left behind.

    Its name ends as `path` does, as many writers choose a format by it, and holds the process, so that two processes
    may write the same file at once. Raises OSError, which names the file, where it cannot be written.
    """
    path = Path(path)
    partial = beside(path)
    if path.exists() and not (path.is_file() or path.is_dir()):  # a folder is refused by the last step
        raise OSError(errno.EINVAL, "is a device or a pipe, not a file", str(path))
    try:
        yield partial
        partial.replace(path)
    except OSError as error:  # numpy says only how many bytes it wrote
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):  # a folder that cannot be written says so once
            partial.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A hidden path beside another, of the same suffix; a digest of the name where 255 bytes would not hold it."""
    name = f".{path.stem}.{os.getpid()}.partial{path.suffix}"
    if len(os.fsencode(name)) > 255:
        name = f".{_digest(path)}.{os.getpid()}.partial{path.suffix}"
    return path.with_name(name)


def _digest(path):
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder beside `path` to fill, moved there when all went well; on any error nothing is left behind.

    A folder that is there already is replaced.
    """
    path = Path(path)
    name = path.name if len(os.fsencode(path.name)) < 245 else _digest(path)  # of 255 bytes
    partial, old = (path.with_name(f".{name}.{end}") for end in ("partial", "old"))
    _bring_back(old, path)  # of a process that was killed between the two moves
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.replace(old)
        partial.replace(path)
    finally:
        _bring_back(old, path)
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)


def _bring_back(old, path):
    """Put a folder that was to be replaced back where nothing replaced it."""
    if old.exists() and not path.exists():
        old.replace(path)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text. Makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | Path, values: object) -> None:
    """Write JSON in the order given, NaN as null. Makes the folder."""
    write_text(path, json.dumps(_finite(values), indent=1, allow_nan=False) + "\n")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_csv(path: str | Path, table: "pd.DataFrame", index: bool = False, float_format: str | None = "%.6g") -> None:
    """Write a DataFrame as CSV. index: with its index as the first column. Makes the folder."""
    write_text(path, table.to_csv(index=index, float_format=float_format, lineterminator="\n"))


def write_array(path: str | Path, array: Any) -> None:
    """Write an array as .npy. Makes the folder. array: or a column of a table on disk, of which a row is in memory."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        if isinstance(array, np.ndarray):
            np.save(partial, array)
            return
        header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        with partial.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for row in array:
                file.write(row.tobytes())


def write_arrays(path: str | Path, **arrays: Any) -> None:
    """Write arrays by name as .npz. Makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        np.savez(partial, **arrays)


def write_figure(path: str | Path, figure: Any) -> None:
    """Write a figure of matplotlib in the format of the path's suffix."""
    with whole(path) as partial:
        figure.savefig(partial)
