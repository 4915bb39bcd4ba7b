"""Numbers and tables as readers see them."""

from collections.abc import Iterable, Sequence
from typing import Any

DASH = "–"  # for what was not measured


def mean(row: dict, metric: str) -> Any:
    """A metric of a row of results; the mean of a list of values, one a training; None where it was not measured."""
    value = row.get(metric)
    return sum(value) / len(value) if isinstance(value, list) else value


def measured(value: float | None, interval: Sequence | None = None, digits: str = ".4g", sign: str = "") -> str:
    """`value [low, high]`, the one form of a number with its interval; without one where a bound is missing.

    digits: of the value, as format has them. sign: "+" for a difference, whose sign is always shown.
    """
    if value is None or value != value:
        return DASH
    ends = [None] if interval is None else list(interval)
    known = all(end is not None and end == end for end in ends)
    return f"{value:{sign}{digits}}" + (f" [{', '.join(f'{end:{sign}{digits}}' for end in ends)}]" if known else "")


def cell(row: dict, metric: str) -> str:
    """`value [low, high]` of a row of results, a list of values, one a training, by its mean; a text as it is."""
    value = mean(row, metric)
    return value or DASH if isinstance(value, str) else measured(value, row.get(f"{metric}_interval"))


def markdown(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(each).replace("|", "\\|") for each in row) + " |" for row in rows]
    return "\n".join(lines)
