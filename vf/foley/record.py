"""The record of a render as one small JSON: all it takes to make the sound again, levels written exactly."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vf.data import files, media, writing
from vf.foley import curves, request
from vf.foley.request import Region, Timbre

VERSION = 3
LARGEST = 1e30  # what no number of a session reaches
READABLE = (2, 3)  # 1: other noise, under which no sound can be made again; 2: no negative prompt, no loudness


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file(path: str | Path) -> dict[str, str]:
    """A file as a record names it: its absolute path and SHA-256."""
    return {"path": str(Path(path).resolve()), "sha256": sha256(path)}


def prompts(prompt: str | None, audio: Any, timbre: Any) -> dict[str, Any]:
    """What a sound is made of, as {"prompt": text or None, "audio": ...}.

    audio: a file with its stretch, where it was named by path; the vector of unit norm that CLAP made of it (`timbre`)
    where it was a waveform, which is all that the networks know of it.
    """
    if audio is None:
        return {"prompt": prompt, "audio": None}
    if isinstance(audio, str | Path | tuple | list):
        path, start, end = (audio, None, None) if isinstance(audio, str | Path) else audio
        return {"prompt": None, "audio": {**file(path), "start": start, "end": end}}
    return {"prompt": None, "audio": {"timbre": [float(x) for x in timbre[0].float().cpu()]}}


def regions(places: Sequence[Region], voices: Sequence[Any]) -> list[dict[str, Any]]:
    """Regions as a list of dicts. voices: of `takes.encode_voices`."""
    own = iter(voices[1:])
    rows = []
    for p in places:
        timbre = next(own).timbre if p.prompt is not None or p.audio is not None else None
        what = prompts(p.prompt, p.audio, timbre)
        rows.append({"start": p.start, "end": p.end, **what, "seed": p.seed, "gain_db": p.gain_db})
    return rows


def write(path: str | Path, values: dict) -> Path:
    """Write a record, whole or not at all: one line a key, paths relative to its folder. Raises media.MediaError."""
    path = Path(path)
    lines = [f"{json.dumps(k)}: {json.dumps(_plain(v, path.parent), default=_number)}" for k, v in values.items()]
    with writing.whole(path) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _plain(value, folder):
    if isinstance(value, dict):
        return {k: os.path.relpath(v, folder.resolve()) if k == "path" else _plain(v, folder) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        # the shortest digits that read back as the same float32
        return [float(np.format_float_positional(x)) for x in value.astype(np.float32)]
    return [_plain(v, folder) for v in value] if isinstance(value, list | tuple) else value


def _number(value):
    return value.item()


def is_session(path: str | Path) -> bool:
    """Whether a file is a record of a render, of any version."""
    try:
        values = files.read_json(path)
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and {"version", "curve", "model"} <= values.keys()


def read(path: str | Path) -> tuple[dict, dict]:
    """Keywords of VideoFoley.render from a record, and the record itself: (dict, dict).

    Raises media.MediaError for a file that is no record, for a key that is missing or of another type, and for a film
    or sound that is missing or has changed.
    """
    path = Path(path)
    try:
        values = files.read_json(path)
        if not isinstance(values, dict):
            raise ValueError(f"it holds a {type(values).__name__}")
    except ValueError as error:
        raise _none(path, files.reason(error, path), "the JSON that was saved beside a film") from error
    version, curve = _of(values, "version", path, int), _of(values, "curve", path, dict)
    if _of(curve, "rate", path, float, "curve.") <= 0:
        raise _none(path, f"curve.rate is {curve['rate']:g}", "values a second, above 0")
    levels = _numbers(curve, "levels", path, "curve.")
    if version not in READABLE:
        known = " or ".join(map(str, READABLE))
        raise media.MediaError(f"{path}: session of version {version}; wanted {known}: render the film again")
    _of(_of(values, "model", path, dict), "sha256", path, str, "model.")
    _of(values["model"], "name", path, str | None, "model.")
    settings = {"negative_prompt": None} | _of(values, "settings", path, dict)
    _of(settings, "hold", path, float, "settings.")
    if (batch := _of({"batch": 1} | settings, "batch", path, int, "settings.")) < 1:
        raise _none(path, f"settings.batch is {batch}", "1 or more windows at a time")
    film, regions = _of(values, "film", path, dict | None), _of(values, "regions", path, list)
    keywords = {
        "film": None if film is None else _found(film, path, "film."),
        "wanted": levels,
        "prompt": _of(values, "prompt", path, str | None),
        "audio": _audio(values, path),
        "seed": _of(values, "seed", path, int),
        "regions": [_region(region, path, f"regions[{k}]") for k, region in enumerate(regions)],
        "correct_gain": _of(values, "correct_gain", path, bool),
        "negative_prompt": _of(settings, "negative_prompt", path, str | None, "settings."),
        "loudness": _of({"loudness": None} | values, "loudness", path, float | None),
    }
    if "partial" in values:
        keywords["partial"] = _of(values, "partial", path, bool)
    try:
        request.check(keywords["regions"], len(levels) / curve["rate"])
        request.Request(**{key: value for key, value in keywords.items() if key != "film"})
        curves.check(levels)
    except ValueError as error:
        why, _, wanted = str(error).partition("; wanted ")
        raise _none(path, files.excerpt(why), files.excerpt(wanted or "a request that can be met")) from error
    return keywords, values


def _none(path, why, wanted):
    """The MediaError for a file that is no record."""
    return media.MediaError(f"{path}: is no session ({why}); wanted {wanted}: save the session again")


def _of(values, key, path, kind, prefix=""):
    """A value of a record. kind: its type; a whole number is also a float, and a truth is no number.

    Raises media.MediaError where it is missing or of another type.
    """
    wanted = getattr(kind, "__name__", str(kind))
    if key not in values:
        raise _none(path, f"it lacks {prefix}{key}", wanted)
    value = values[key]
    number = kind in (float, float | None)
    fits = isinstance(value, kind | int if number else kind)
    fits = fits and not (number and value is not None and not abs(value) < LARGEST)
    if not fits or isinstance(value, bool) and kind is not bool:
        raise _none(
            path, f"{prefix}{key} is {files.excerpt(repr(value), 63)}", f"a finite {wanted}" if number else wanted
        )
    return value


def _numbers(values, key, path, prefix):
    """A list of finite numbers of a record, as float32 (n,)."""
    numbers = _of(values, key, path, list, prefix)
    plain = all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < LARGEST for x in numbers)
    if not plain or not numbers:
        raise _none(path, f"{prefix}{key} holds other things than numbers, or nothing", "a list of numbers")
    return np.array(numbers, np.float32)


def _region(values, path, name):
    if not isinstance(values, dict):
        raise _none(path, f"{name} is {files.excerpt(repr(values), 63)}", "a dict")
    prefix = f"{name}."
    return Region(
        _of(values, "start", path, float, prefix),
        _of(values, "end", path, float, prefix),
        _of(values, "prompt", path, str | None, prefix),
        _audio(values, path, prefix),
        _of(values, "seed", path, int | None, prefix),
        _of(values, "gain_db", path, float, prefix),
    )


def _found(named, path, prefix):
    wanted = _of(named, "sha256", path, str, prefix)
    there = Path(os.path.normpath(path.parent / _of(named, "path", path, str, prefix)))
    if not os.path.isfile(there):  # which takes a name that is too long for a missing one
        raise media.MediaError(
            f"{there}: no such file, but {path} names it; "
            "wanted it there: put it back there, or change the path in the session"
        )
    if sha256(there) != wanted:
        raise media.MediaError(f"{there}: has changed since {path} was saved; wanted the same file: render it again")
    return there


def _audio(values, path, prefix=""):
    named, prefix = _of(values, "audio", path, dict | None, prefix), f"{prefix}audio."
    if named is None:
        return None
    if "timbre" in named:
        return Timbre(_numbers(named, "timbre", path, prefix))
    start, end = (_of(named, key, path, float | None, prefix) for key in ("start", "end"))
    there = _found(named, path, prefix)
    return there if start is None and end is None else (there, start, end)
