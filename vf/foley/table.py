"""The scores of many films as a table beside them, which also says what is done already."""

import csv
import math
import os
from collections.abc import Collection
from pathlib import Path

from vf.data import files, writing

NAME = "foley-scores.csv"
SCORES = ("e_l1", "error_db", "lag_ms", "onset_f1_50ms", "correlation")
COLUMNS = ("film", "output", "seed", *SCORES, "loudness", "request", "problem")


class Table:
    """Rows by film, kept as CSV in a folder; written whole after each film. Rows of other films stay.

    folder: of the new films. Raises media.MediaError where the file cannot be written, ValueError where one is there
    that is no such table.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self.rows: dict[str, dict[str, str]] = {}
        self._read()

    def _read(self):
        """Take the rows that the file has now, which another run may have written meanwhile."""
        found = files.read_rows(self.path) if self.path.exists() else []
        if found and not {"film", "request", "problem", *SCORES} <= set(found[0][1]):
            raise ValueError(
                f"{self.path}: is no table of scores; wanted that of an earlier run or none: move or rename it"
            )
        for _, cells in found[1:]:
            row = dict(zip(found[0][1], cells))
            if row.get("film"):
                self.rows[row["film"]] = row

    def key(self, file: Path) -> str:
        """A file as the table names it: its path from the table's folder, odd characters escaped."""
        at = os.path.join(os.path.realpath(file.parent), file.name)  # the name itself may be a link, and is kept
        return files.printable(os.path.relpath(at, os.path.realpath(self.path.parent)))

    def done(self, film: Path, request: str) -> bool:
        """Whether a film has the sound of this very request. request: a digest of all that the sound depends on."""
        row = self.rows.get(self.key(film))
        return row is not None and row.get("request") == request and not row.get("problem") and _is_scored(row)

    def made(self, film: Path, output: Path) -> bool:
        """Whether the table says that `output` was written for this film, be it to its end or not."""
        return self.rows.get(self.key(film), {}).get("output") == self.key(output)

    def put(self, film: Path, **values: object) -> None:
        """Set a film's row and write the table. values: by COLUMNS."""
        row = {"film": self.key(film)} | {
            key: "" if value is None else files.printable(str(value)) for key, value in values.items()
        }
        self._read()
        self.rows[row["film"]] = row
        with writing.whole(self.path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows(self.rows.values())

    def fail(self, film: Path, problem: str) -> None:
        """Note why a film got no sound, unless it has a whole one of an earlier request, which stays as it was."""
        self._read()
        row = self.rows.get(self.key(film), {})
        if not row or row.get("problem") or not _is_scored(row):
            self.put(film, output=row.get("output"), problem=problem)

    def text(self, films: list[Path], failed: Collection[Path] = ()) -> str:
        """The rows of some films for the console. failed: those of them that got no new sound."""
        lines = [f"{'E-L1':>8}{'dB':>7}{'late ms':>9}{'F1 50ms':>9}{'corr.':>7}  film"]
        for film in films:
            row = self.rows.get(self.key(film))
            if not row:
                continue
            if row.get("problem") or not _is_scored(row):
                lines.append(f"{'no sound':>40}  {row['film']}")
                continue
            if film in failed:
                lines.append(f"{'no new sound, the earlier one stays':>40}  {row['film']}")
                continue
            e_l1, error, lag, f1, correlation = (float(row[name]) for name in SCORES)
            lines.append(f"{e_l1:8.4f}{error:7.1f}{lag:9.1f}{f1:9.2f}{correlation:7.2f}  {row['film']}")
        return "\n".join(lines)


def _is_scored(row):
    """Whether a row has all scores, as one that a hand changed may not."""
    try:
        return all(not math.isinf(float(row[name])) for name in SCORES)
    except (KeyError, ValueError):
        return False
