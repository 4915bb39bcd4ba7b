"""Which file of a system belongs to which reference, and the two sounds at one length."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vf.data import files
from vf.evaluation import systems

SLACK = 0.1  # seconds that two files of a pair may differ in length: a codec's padding, not another clip
SHORTEST = 0.1  # seconds: less has next to no curve

Pair = tuple[str, Path, Path]  # the name of a clip, the file of a system, its reference


class Reading(NamedTuple):
    """How files become pairs of sounds.

    mapping: a CSV with the columns `generated` and `reference`, names of files with or without suffix, and perhaps
    `system`, the folder's name; without it files pair by name. common: score the clips that all folders have and leave
    out the others; otherwise a missing clip is refused. seconds: only the first so many. tolerance: seconds by which
    two files may differ in length; the shorter one counts.
    """

    mapping: str | Path | None = None
    common: bool = False
    seconds: float | None = None
    tolerance: float = SLACK


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a command line that say how files pair: see `reading_of`."""
    parser.add_argument("--map", help="CSV with the columns generated, reference (and system): which files pair")
    parser.add_argument("--common", action="store_true", help="take only the clips that all folders have")
    parser.add_argument("--seconds", type=float, help="take only the first seconds of each file")
    tolerance = "seconds by which two files may differ in length (%(default)s); the shorter one counts"
    parser.add_argument("--tolerance", type=float, default=SLACK, help=tolerance)


def reading_of(args: argparse.Namespace) -> Reading:
    """What `add_options` read."""
    return Reading(args.map, args.common, args.seconds, args.tolerance)


def system_name(folder: str | Path) -> str:
    """The name of a system, which is its folder's: of a link the link's own, of `.` that of the folder one is in."""
    return Path(os.path.abspath(folder)).name


def by_system(folders: Sequence[str]) -> dict[str, str]:
    """Folders by the name of each; one alone is `estimate`. Raises ValueError for two of one name."""
    if len(folders) == 1:
        return {"estimate": folders[0]}
    names = [system_name(folder) for folder in folders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two folders are called {twice}; wanted a name for each system: rename one")
    return dict(zip(names, folders))


def pair_all(
    folders: Mapping[str, str | Path],
    reference: str | Path,
    reading: Reading = Reading(),  # noqa: B008
) -> dict[str, list[Pair]]:
    """Files of several systems and their references: {system: [(name, path, path of the reference)]}.

    The clips, which are named after the references, are the same for all systems and sorted. Prints what
    `reading.common` leaves out. Raises ValueError for a folder that is missing or empty, for a name that two files of
    one folder share, for clips that only some folders have, for a mapping that cannot be read or leaves no clip, and
    for a tolerance that can be none.
    """
    if not 0 <= reading.tolerance < float("inf"):
        raise ValueError(f"tolerance {reading.tolerance:g} s; wanted 0 or more: give a number of seconds")
    theirs = systems.named(reference)
    found = {name: systems.named(folder) for name, folder in folders.items()}
    if reading.mapping is not None:
        table = _mapping(reading.mapping)
        found = {name: _mapped(table, Path(f), reference, theirs, reading) for name, f in folders.items()}
        theirs = {name: theirs[name] for of in found.values() for name in of}
    shared = set(theirs).intersection(*found.values())
    lacking = {str(folders[name]): sorted(set(theirs) - set(of)) for name, of in found.items()}
    lacking[str(reference)] = sorted({n for of in found.values() for n in of if n not in theirs})
    faults = [f"{folder} lacks {len(names)} ({_some(names)})" for folder, names in lacking.items() if names]
    if faults and not (reading.common and shared):
        remedy = "no clip is in all of them" if reading.common else "or score those that all have: --common"
        raise ValueError(
            f"{' and '.join(faults)}; wanted the same names in both: add or remove files, say which belong "
            f"together in a CSV with the columns generated and reference: --map, {remedy}"
        )
    if not shared:
        raise ValueError(
            f"{reading.mapping}: names no clip of {', '.join(map(str, folders.values()))}; "
            "wanted rows of generated and reference (and system, a folder's name): add them"
        )
    if faults:
        out = sorted({name for names in lacking.values() for name in names})
        print(f"left out, as not all folders have them: {len(out)} clips ({', '.join(out)})\n")
    return {name: [(n, of[n], theirs[n]) for n in sorted(shared)] for name, of in found.items()}


def _some(names):
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _mapping(path):
    """The mapping as a DataFrame of texts. Raises ValueError where it cannot be read or has other columns."""
    # a clip may be called NA
    table = files.read_table(path, dtype=str, skipinitialspace=True, keep_default_na=False, na_values=[""])
    if not {"generated", "reference"} <= set(table) or table[["generated", "reference"]].isna().any(axis=None):
        raise ValueError(
            f"{path}: has the columns {files.excerpt(', '.join(table))}; "
            "wanted generated and reference, filled in each row: name them so"
        )
    return table


def _mapped(table, folder, reference, theirs, reading):
    """{name of the reference: path} of one folder, by the rows of a mapping."""
    if "system" in table:
        table = table[table["system"].isna() | (table["system"] == system_name(folder))]
    ours, result = systems.named(folder), {}
    for generated, wanted in zip(table["generated"], table["reference"]):
        path, truth = _by_name(ours, generated), _by_name(theirs, wanted)
        if truth is None or (path is None and not reading.common):
            name, where = (wanted, reference) if truth is None else (generated, folder)
            raise ValueError(
                f"{reading.mapping}: names {files.excerpt(name)}, which {where} lacks; "
                "wanted one of its files: mend the row"
            )
        if truth.stem in result:
            raise ValueError(
                f"{reading.mapping}: names the reference {files.excerpt(wanted)} twice; wanted one row each: remove one"
            )
        if path is not None:
            result[truth.stem] = path
    return result


def _by_name(files, name):
    """The file of a folder that is called so, with or without its suffix."""
    name = Path(name.strip()).name
    path = files.get(name) or files.get(Path(name).stem)
    return path if path is not None and name in (path.stem, path.name) else None


def read_together(
    paths: Sequence[Path],
    reference: Path,
    sample_rate: int,
    hop: int,
    seconds: float | None = None,
    tolerance: float = SLACK,
) -> list[np.ndarray]:
    """The sounds of several systems and their reference, the last, at one length, that of the shortest.

    Float32 (s,), s whole hops. seconds: only the first so many. Raises ValueError where one differs from the reference
    by more than `tolerance` seconds, is shorter than `seconds` by more than that or than SHORTEST, or holds samples
    that are not finite.
    """
    every = [*paths, reference]
    sounds = [systems.read_sound(p, sample_rate) for p in every]
    lengths = [len(s) / sample_rate for s in sounds]
    for path, length in zip(every, lengths):
        if length < SHORTEST:
            raise ValueError(f"{path}: is {length:.3f} s long; wanted {SHORTEST} s or more: give longer sounds")
        if seconds is not None and length < seconds - tolerance:
            raise ValueError(
                f"{path}: is {length:.2f} s long; wanted {seconds:g} s: give the whole file, ask for fewer --seconds, "
                "or allow for what is missing with --tolerance"
            )
        if seconds is None and abs(length - lengths[-1]) > tolerance:
            raise ValueError(
                f"{path}: is {length:.2f} s long, its reference {lengths[-1]:.2f} s; wanted the same stretch within "
                f"{tolerance:g} s: cut one, judge the first seconds of both with --seconds, or allow more with "
                "--tolerance"
            )
    count = round((min(lengths) if seconds is None else seconds) * sample_rate) // hop * hop
    return [np.pad(s[:count], (0, max(0, count - len(s)))) for s in sounds]
