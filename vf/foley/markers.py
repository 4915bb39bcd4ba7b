"""Markers: places in a film with names, as tables that a DAW or a hand can read and change, and back."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vf.data import files, writing
from vf.foley.request import Region
from vf.signal import onsets

ONSET = "onset"  # name of the markers that a render puts where its curve rises
SLACK = 1.0  # seconds by which a list of times may go beyond its film
LONGEST = 1e9  # seconds: no film is so long


@dataclass(frozen=True)
class Marker:
    """A place with a name, and the end of what begins there, or None. time, end: seconds."""

    time: float
    name: str = ""
    end: float | None = None


def label(region: Any) -> str:
    """What a region sounds like, in a few words. region: a dict of a session, with prompt and audio.

    A text prompt is its own label. Others stand in brackets, so that `regions` takes them for no prompt.
    """
    if region["prompt"]:
        return region["prompt"]
    if region["audio"] is None:
        return "[the film's own prompt]"
    return f"[like {Path(region['audio']['path']).name}]" if "path" in region["audio"] else "[like a sound]"


def of(wanted: np.ndarray, rate: float, places: Sequence[dict]) -> list[Marker]:
    """Markers of a render, in order of time: its regions, and the onsets of its curve.

    wanted: (n,) RMS, `rate` values a second. places: regions as a session has them.
    """
    hits = [Marker(float(time), ONSET) for time in onsets.detect(wanted, rate)]
    spans = [Marker(p["start"], label(p), p["end"]) for p in places]
    return sorted([*spans, *hits], key=lambda m: m.time)


def write(path: str | Path, found: Sequence[Marker]) -> Path:
    """Write markers as CSV with the columns time (s), name, and end (s; empty for a point). Returns the path."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["time", "name", "end"])
    for m in found:
        table.writerow([f"{m.time:.4f}", m.name, "" if m.end is None else f"{m.end:.4f}"])
    with writing.whole(path) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return Path(path)


def read(path: str | Path) -> list[Marker]:
    """Markers of a CSV, in order of time.

    It has headers: `time` or `start`, `name`, and perhaps `end`; so REAPER's Region/Marker Manager exports, too. Times
    are seconds, or h:m:s. Raises ValueError for a file that cannot be read and for another table.
    """
    rows = files.read_rows(path)
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    begin = next((name for name in ("time", "start") if name in header), None)
    if begin is None or "name" not in header:
        raise ValueError(f"{path}: begins with {_begin(header)}; wanted the headers time,name")
    found = []
    for number, row in rows[1:]:
        cells = dict(zip(header, row))
        try:
            end = seconds(cells["end"]) if cells.get("end", "").strip() else None
            start = seconds(cells[begin])
            if end is not None and end <= start:
                raise ValueError("ends before it begins")
            found.append(Marker(start, cells.get("name", "").strip(), end))
        except (ValueError, KeyError) as error:
            said = files.excerpt(",".join(row))
            raise ValueError(
                f"{path}, line {number}: {said}; wanted seconds or h:m:s, a name, and an end, if any, behind its start"
            ) from error
    if not found:
        raise ValueError(f"{path}: no markers; wanted at least one below the headers")
    return sorted(found, key=lambda m: m.time)


def _begin(header):
    """The first line of a table as an error shows it."""
    return files.excerpt(",".join(header)) or "nothing"


def seconds(text: str) -> float:
    """Seconds of "12.5", "1:02.5" or "1:00:02.5". Raises ValueError for another text."""
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise ValueError(f"time {text!r}; wanted seconds or h:m:s")
    total = 0.0
    for part in text.strip().split(":"):
        total = 60 * total + float(part)
    if total > LONGEST:
        raise ValueError(f"time {text[:40]!r}; wanted at most {LONGEST:g} s")
    return total


def regions(found: Sequence[Marker], length: float) -> list[Region]:
    """Markers as regions, the names as prompts; a name in brackets, or none, leaves the film's own prompt.

    Markers with an end are regions, and points beside them are not. Where none has an end, each begins a region that
    lasts to the next one, but for the onsets that a render marks (`of`). length: of the film, seconds; what ends behind
    it is cut, what begins in the second behind it is left out. Raises ValueError where one begins later, or all of them
    are left out.
    """
    spans = [m for m in found if m.end is not None]
    if not spans:
        named = [m for m in found if m.name != ONSET]
        if found and not named:
            raise ValueError("has onsets alone, which begin no region; wanted markers whose names are prompts")
        ends = [*(m.time for m in named[1:]), length]
        spans = [Marker(m.time, m.name, end) for m, end in zip(named, ends)]
    places = []
    for m in spans:
        end = length if m.end is None else min(length, m.end)
        if m.time < end:
            prompt = None if not m.name or m.name.startswith("[") else m.name
            places.append(Region(m.time, end, prompt))
    outside = [m.time for m in spans if m.time > length + SLACK] or [m.time for m in spans if not places]
    if outside:
        raise ValueError(
            f"regions begin at {outside[0]:g} s or later, the film ends at {length:.2f} s; wanted seconds in it: "
            "are they another film's, in frames or in milliseconds?"
        )
    return places


def read_regions(path: str | Path, length: float) -> list[Region]:
    """`regions` of a table of markers. Raises ValueError, which names the file, as `read` and `regions` do."""
    found = read(path)
    try:
        return regions(found, length)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
