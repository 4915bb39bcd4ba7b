"""Whether a run agrees with the published one: `python -m vf.report.agreement`, ten lines.

The published numbers are those of results/small, which git tracks; a run of one's own has another name. Two trainings
never give the same numbers on two machines. So a number agrees where it lies in the published 95% interval, or the
published one in its own.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vf import params
from vf.data import files
from vf.evaluation import catalogue
from vf.report.text import DASH, measured

PUBLISHED = "small"
AUDIO = "Video-Foley, audio prompt"
HEADLINES = (  # what the README and the first screen of the report say: file, row, metric
    ("video2rms", "predicted", "acc@5"),
    ("video2rms", "predicted", "e_l1_all"),
    ("video2rms", "predicted", "correlation"),
    ("foley", "foley_audio", "e_l1"),
    ("foley", "foley_audio", "fad"),
    ("foley", "text_to_audio", "fad"),
    ("case_studies", AUDIO, "start_ms"),
)
NUMBERS = "the numbers of a run: run its stage again, or `git checkout results` for published ones"
Measured = tuple[float, tuple[float, float]]  # a value and its 95% interval


def numbers(folder: Path) -> dict[tuple[str, ...], Measured]:
    """Every number with an interval below a folder `metrics`: {(file, row, ..., metric): (value, interval)}.

    Raises ValueError for a file that is no JSON.
    """
    found: dict[tuple[str, ...], Measured] = {}
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        found |= dict(_numbers(files.read_json(path, NUMBERS), (name,)))
    return found


def _numbers(values: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Measured]]:
    for key, value in values.items() if isinstance(values, dict) else ():
        interval = values.get(f"{key}_interval")
        each = value if isinstance(value, list) else [value]  # one a training
        if _is_interval(interval) and each and all(isinstance(v, (int, float)) for v in each):
            yield (*at, key), (sum(each) / len(each), (interval[0], interval[1]))
        yield from _numbers(value, (*at, key))


def _is_interval(value):
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)


def agree(one: Measured, other: Measured) -> bool:
    """Whether either value lies in the other's interval, or both are the same.

    The interval of an unbiased distance, from films drawn with repetition, need not hold the distance itself.
    """
    return one[0] == other[0] or other[1][0] <= one[0] <= other[1][1] or one[1][0] <= other[0] <= one[1][1]


def lines(own: dict, published: dict, run: str) -> list[str]:
    """Ten lines: title, a line a headline, how many of all numbers agree and which is furthest off, verdict.

    own, published: of `numbers`. run: the name of the run that is compared.
    """
    out = [f"{'':1} {'results/' + run:<50}{'this run':<30}published [95%]"]
    apart = 0
    for at in HEADLINES:
        mine, theirs = own.get(at), published.get(at)
        ok = mine and theirs and agree(mine, theirs)
        apart += not ok
        label = f"{catalogue.label(at[2])}, {at[1].replace('_', ' ')}"
        out.append(f"{' ' if ok else '!'} {label:<50}{_shown(mine):<30}{_shown(theirs)}")
    both = own.keys() & published.keys()
    off = sorted((at for at in both if not agree(own[at], published[at])), key=lambda at: -_gap(own[at], published[at]))
    lost = len(published.keys() - own.keys())
    worst = f"; furthest off: {'/'.join(off[0])}, {_shown(own[off[0]])} for {_shown(published[off[0]])}" if off else ""
    missing = f"; {lost} published ones were not measured here" if lost else ""
    out.append(f"{len(both) - len(off)} of {len(both)} numbers with an interval agree{missing}{worst}")
    if apart:
        out.append(
            f"{apart} of {len(HEADLINES)} headline numbers differ (!): results/{run}/report.md has the parameters"
        )
    else:
        out.append(f"results/{run} agrees with results/{PUBLISHED} in all {len(HEADLINES)} headline numbers")
    return out


def _shown(number):
    return measured(*number, ".3g") if number else DASH


def _gap(one, other):
    """How far two values lie apart, in half widths of the published interval."""
    return abs(one[0] - other[0]) / max((other[1][1] - other[1][0]) / 2, 1e-9)


def main() -> int:
    """The command line. Returns 1 where there is nothing to compare."""
    p = params.load_or_exit()
    folders = [p.root / "results" / run / "metrics" for run in (p.run, PUBLISHED)]
    if p.run == PUBLISHED:
        print(f"run: {p.run} is the published run itself; wanted one of another name: set `run` in params.yaml")
        return 1
    try:
        own, published = (numbers(folder) for folder in folders)
    except ValueError as error:
        print(error)
        return 1
    if not own or not published:
        empty = folders[0] if not own else folders[1]
        print(
            f"{empty}: holds no numbers; wanted those of a run: {'make repro' if not own else 'git checkout results'}"
        )
        return 1
    print("\n".join(lines(own, published, p.run)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
