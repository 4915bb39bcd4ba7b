"""A REAPER project (.rpp), which is plain text: elements in angle brackets, one line a value."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vf.foley.markers import Marker


@dataclass(frozen=True)
class Track:
    """One track.

    file: what it plays from 0 s on, relative to the project with "/" between folders, or None. video: the file is a
    film, which is shown; its fader is down, as its sound is on the other tracks. envelope: [(seconds, factor)], an
    automation lane of volume.
    """

    name: str
    file: str | None = None
    video: bool = False
    envelope: Sequence[tuple[float, float]] = field(default=(), repr=False)


def text(tracks: Sequence[Track], markers: Sequence[Marker], seconds: float, sample_rate: int) -> str:
    """A project as text. seconds: length of every item. Markers with an end become regions."""
    lines = ['<REAPER_PROJECT 0.1 "7.0" 0', f"  SAMPLERATE {sample_rate} 1 0"]
    for number, m in enumerate(markers, 1):
        span = m.end is not None
        lines.append(f"  MARKER {number} {m.time:.6f} {quoted(m.name)} {int(span)}")
        if span:
            lines.append(f'  MARKER {number} {m.end:.6f} "" 1')
    for track in tracks:
        lines += [f"  {line}" for line in _track(track, seconds)]
    return "\n".join([*lines, ">", ""])


def _track(track, seconds):
    lines = ["<TRACK", f"  NAME {quoted(track.name)}", f"  VOLPAN {0 if track.video else 1} 0 -1 -1 1"]
    if track.envelope:
        points = [f"    PT {time:.6f} {value:.6f} 0" for time, value in track.envelope]
        lines += ["  <VOLENV2", "    ACT 1 -1", "    VIS 1 1 1", "    DEFSHAPE 0 -1 -1", *points, "  >"]
    if track.file is not None:
        kind = "VIDEO" if track.video else "WAVE"
        lines += [
            "  <ITEM",
            "    POSITION 0",
            f"    LENGTH {seconds:.6f}",
            "    LOOP 0",
            f"    NAME {quoted(track.name)}",
        ]
        lines += [f"    <SOURCE {kind}", f"      FILE {quoted(track.file)}", "    >", "  >"]
    return [*lines, ">"]


def quoted(words: str) -> str:
    """A value in quotes that it does not hold; where it holds all three kinds, the third is changed, as in REAPER."""
    words = " ".join(words.split("\n"))
    mark = next((m for m in "\"'`" if m not in words), None)
    return f"`{words.replace('`', chr(39))}`" if mark is None else f"{mark}{words}{mark}"
