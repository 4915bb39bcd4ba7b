"""Writing small files and folders, whole or not at all: a stage that is killed leaves no half of a result behind."""

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to, moved there when all went well; on any error nothing is left behind.

    Its name ends as `path` does, as many writers choose a format by it, and holds the process, so that two processes
    may write the same file at once. Raises OSError, which names the file, where it cannot be written.
    """
    path = Path(path)
    partial = beside(path)
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
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.{os.getpid()}.partial{path.suffix}"
    return path.with_name(name)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder beside `path` to fill, moved there when all went well; on any error nothing is left behind.

    A folder that is there already is replaced.
    """
    path = Path(path)
    partial, old = (path.with_name(f".{path.name}.{name}") for name in ("partial", "old"))
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.replace(old)
        partial.replace(path)
    finally:
        for folder in (partial, old):
            shutil.rmtree(folder, ignore_errors=True)


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


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as .npy. Makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        np.save(partial, array)


def write_arrays(path: str | Path, **arrays: Any) -> None:
    """Write arrays by name as .npz. Makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        np.savez(partial, **arrays)


def write_figure(path: str | Path, figure: Any) -> None:
    """Write a figure of matplotlib in the format of the path's suffix."""
    with whole(path) as partial:
        figure.savefig(partial)
