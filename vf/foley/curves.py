"""Edits of a loudness curve by hand, and its way in and out as a sound, a table or a list of onsets.

A curve is (n,) float32: RMS in [0, 1], `rate` values a second, value k at k / rate seconds. Edits return a new curve.
"""

import math
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from vf.data import files, media, writing
from vf.foley import markers
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

SHAPES = (*rms.SHAPES, "silence")
Span = tuple[float, float]  # start and end in seconds


def check(curve: ArrayLike) -> np.ndarray:
    """The curve as (n,) float32.

    Raises ValueError for another shape, for no values, and for values that are not finite or not in [0, 1].
    """
    curve = np.asarray(curve, np.float32)
    if curve.ndim != 1 or not len(curve) or not np.isfinite(curve).all() or (curve < 0).any() or (curve > 1).any():
        extent = "" if curve.ndim != 1 or not len(curve) else f" from {curve.min():g} to {curve.max():g}"
        raise ValueError(f"curve of shape {curve.shape}{extent}; wanted (n,) finite values in [0, 1]: clean it first")
    return curve


def draw(curve: ArrayLike, rate: float, times: ArrayLike, levels: ArrayLike) -> np.ndarray:
    """Replace the curve by straight lines through points, from the first point to the last.

    times: seconds, not falling. levels: RMS in [0, 1]. A single point sets one value. Points outside the curve are
    allowed; only the part of a line inside it counts. Raises ValueError where times and levels differ in number, times
    fall, or levels leave [0, 1].
    """
    curve = check(curve)
    times = np.asarray(times, float).ravel()
    levels = np.asarray(levels, float).ravel()
    if not len(times) or len(times) != len(levels) or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ValueError(
            f"{len(times)} times and {len(levels)} levels; wanted one of each, the times in order: sort the points"
        )
    if not (np.isfinite(levels).all() and (levels >= 0).all() and (levels <= 1).all()):
        raise ValueError(
            f"levels from {levels.min():g} to {levels.max():g}; wanted RMS in [0, 1]: draw inside the plot"
        )
    ends = np.round(times[[0, -1]] * rate).astype(int)
    first = np.clip(ends[0], 0, len(curve))
    last = np.clip(ends[1], -1, len(curve) - 1)
    result = curve.copy()
    result[first : last + 1] = np.interp(np.arange(first, last + 1) / rate, times, levels)
    return result


def stamp(
    curve: ArrayLike, rate: float, name: str, onset: float, length: float, level: float, peak: float = 0.5
) -> np.ndarray:
    """Replace a part of the curve by a shape.

    name: one of SHAPES: those of rms.shape, and "silence". onset, length: seconds. level: largest RMS of the shape, in
    (0, 1]. peak: turning point of A, V and adsr as a share of the length, in (0, 1).
    Raises ValueError for an unknown shape and for what rms.shape refuses.
    """
    curve = check(curve)
    if name not in SHAPES:
        raise ValueError(f"shape {name!r}; wanted one of {', '.join(SHAPES)}")
    silent = name == "silence"
    kind = "flat" if silent else name  # rms.shape then checks the place of silence too
    shape = rms.shape(kind, len(curve), rate, onset, length, 1.0 if silent else level, peak).numpy()
    start = round(onset * rate)
    stretch = slice(start, start + max(1, round(length * rate)))
    result = curve.copy()
    result[stretch] = 0 if silent else shape[stretch]
    return result


def events(curve: ArrayLike, rate: float, floor: float = 0.01, dip: float = 6.0, gap: float = 0.03) -> list[Span]:
    """The curve's events as (start, end) in seconds.

    An event is a stretch at or above `floor` (RMS). Gaps below it of less than `gap` seconds belong to the event. A
    valley at least `dip` dB below the peaks on both sides splits an event at its lowest value.
    """
    curve = check(curve)
    loud = np.flatnonzero(curve >= floor)
    if not len(loud):
        return []
    parts = np.split(loud, np.flatnonzero(np.diff(loud) - 1 >= max(1, gap * rate)) + 1)
    spans = []
    for part in parts:
        start = part[0]
        end = part[-1] + 1
        level = 20 * np.log10(np.maximum(curve[start:end], floor / 2))
        level = level - 1e-6 * np.arange(len(level))  # makes one of two equal peaks the lower
        border = level.min() - 2 * dip  # a peak at the edge then counts as a peak
        peaks, _ = find_peaks(np.concatenate([[border], level, [border]]), prominence=dip)
        peaks = peaks - 1
        cuts = [a + 1 + int(level[a + 1 : b].argmin()) for a, b in zip(peaks[:-1], peaks[1:])]
        edges = [start, *(start + cut for cut in cuts), end]
        spans += [(float(a / rate), float(b / rate)) for a, b in zip(edges[:-1], edges[1:])]
    return spans


def _stretch(curve: np.ndarray, rate: float, span: Span) -> slice:
    """Indices of a span. Raises ValueError for one that is empty or not inside the curve."""
    start, end = span
    seconds = len(curve) / rate
    if not (0 <= start < end and start < seconds and end <= seconds + 1 / rate):
        raise ValueError(
            f"stretch from {start:g} to {end:g} s; wanted one inside the curve's {seconds:g} s that is not empty"
        )
    first = round(start * rate)
    return slice(first, max(first + 1, round(end * rate)))


def move(curve: ArrayLike, rate: float, span: Span, seconds: float) -> np.ndarray:
    """Shift an event in time. span: its start and end. seconds: how much later; negative for earlier.

    Its old place falls silent. At its new place the louder of the two values counts. What leaves the curve is lost.
    Raises ValueError for a span that is empty or not inside the curve.
    """
    curve = check(curve)
    stretch = _stretch(curve, rate, span)
    event = curve[stretch]
    result = curve.copy()
    result[stretch] = 0
    first = stretch.start + round(seconds * rate)
    event = event[max(0, -first) : max(0, len(curve) - first)]
    place = slice(max(0, first), max(0, first) + len(event))
    result[place] = np.maximum(result[place], event)
    return result


def amplify(curve: ArrayLike, decibels: float) -> np.ndarray:
    """Make a whole curve louder or softer; values stop at 1.

    A picture does not show how near the microphone stood, so the level of a predicted curve is that of a middling film.
    Raises ValueError for what is no number of dB, or is beyond 60.
    """
    if not (np.isfinite(decibels) and abs(decibels) <= 60):
        raise ValueError(f"level {decibels}; wanted dB between -60 and 60")
    return scale(curve, 1.0, (0, len(np.asarray(curve))), 10 ** (decibels / 20))  # the span in values


def scale(curve: ArrayLike, rate: float, span: Span, factor: float) -> np.ndarray:
    """Multiply a span by a factor of 0 or more; values stop at 1.

    Raises ValueError for another factor, and for a span that is empty or not inside the curve.
    """
    if not (np.isfinite(factor) and factor >= 0):
        raise ValueError(f"factor {factor}; wanted a number that is not negative")
    curve = check(curve)
    stretch = _stretch(curve, rate, span)
    result = curve.copy()
    result[stretch] = np.minimum(1, result[stretch] * factor)
    return result


def delete(curve: ArrayLike, rate: float, span: Span) -> np.ndarray:
    """Silence a span. Raises ValueError for one that is empty or not inside the curve."""
    return scale(curve, rate, span, 0)


def smooth(curve: ArrayLike, rate: float, seconds: float) -> np.ndarray:
    """Moving average over `seconds`, 0 or more. The first and last value continue beyond the ends."""
    if not (np.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"smoothing over {seconds} s; wanted a number that is not negative")
    return uniform_filter1d(check(curve), 2 * round(seconds * rate / 2) + 1, mode="nearest").clip(0, 1)


def _frames(rate: float, seconds: float) -> int:
    frames = round(rate * seconds)
    if frames < 1:
        raise ValueError(f"a curve of {seconds:g} s at {rate:g} values a second; wanted at least one value")
    return frames


def from_sound(path: str | Path, timeline: Timeline, seconds: float | None = None) -> np.ndarray:
    """The loudness of a sound or film, for instance of a recording of hums or claps.

    timeline: gives sample rate, window and hop. seconds: length of the curve, which ends in silence where the sound is
    shorter; None for the sound's own length. Raises media.MediaError for a file without sound.
    """
    wave = media.read_sound(path, timeline.sample_rate)
    hop = timeline.video_hop
    frames = max(2, len(wave) // hop) if seconds is None else _frames(timeline.sample_rate / hop, seconds)
    samples = max(2, frames) * hop
    wave = np.pad(wave[:samples], (0, max(0, samples - len(wave))))
    return rms.rms_curve(wave, timeline.video_window, hop).numpy()[:frames].clip(0, 1)


def from_csv(path: str | Path, rate: float, seconds: float) -> np.ndarray:
    """A curve from a table with headers: `time` (s), and `level` or `rms` (in [0, 1]) or `db` (0 is full scale).

    rate: values a second. seconds: length of the curve. It is linear between the rows, and silent before the first row
    and after the last. A table of markers, `time` and `name` (see `markers.read`), gives a hit at each that has no end.
    Raises ValueError for a file that cannot be read, for other headers, for a row that is not two numbers, for times
    that fall or lie more than a second outside the film, and for markers among which there is no point.
    """
    lines = files.read_rows(path)
    header = [name.strip().lower() for name in lines[0][1]] if lines else []
    unit = next((name for name in ("level", "rms", "db") if name in header), None)
    if unit is None and "name" in header:
        starts = [m.time for m in markers.read(path) if m.end is None]
        if not starts:
            raise ValueError(f"{path}: every marker has an end; wanted points, at which hits begin")
        _check_inside(path, starts, seconds)
        return hits(starts, rate, seconds)
    if "time" not in header or unit is None:
        raise ValueError(
            f"{path}: begins with {files.excerpt(','.join(header)) or 'nothing'}; "
            "wanted the headers time,level or time,db, or those of markers, time,name"
        )
    rows = []
    for number, row in lines[1:]:
        try:
            time, level = float(row[header.index("time")]), float(row[header.index(unit)])
            level = 10 ** (min(level, 99.0) / 20) if unit == "db" else level  # silence is -inf dB
            if not (math.isfinite(time) and 0 <= np.float32(level) <= 1):
                raise ValueError("out of range")
        except (ValueError, IndexError) as error:
            least = "0 or less" if unit == "db" else "0 to 1"
            said = files.excerpt(",".join(row))
            raise ValueError(
                f"{path}, line {number}: {said}; wanted two numbers, time and {unit}, of which {unit} is {least}"
            ) from error
        rows.append([time, level])
    times, levels = np.array(rows or np.zeros((0, 2))).T
    if not len(times) or (np.diff(times) < 0).any():
        raise ValueError(f"{path}: {len(times)} rows; wanted at least one, and all in the order of time")
    _check_inside(path, times, seconds)
    points = np.arange(_frames(rate, seconds)) / rate
    return check(np.interp(points, times, levels, left=0, right=0))


def _check_inside(path, times, seconds):
    """Raises ValueError where a time lies outside the film, by more than a list may be off."""
    first, last = min(times), max(times)
    if first < -markers.SLACK or last > seconds + markers.SLACK:
        raise ValueError(
            f"{path}: its times are {first:g} to {last:g}, the film's 0 to {seconds:.2f} s; wanted seconds within the "
            "film: is it another film's, in frames or in milliseconds?"
        )


def from_onsets(path: str | Path, rate: float, seconds: float, level: float = 0.2, length: float = 0.3) -> np.ndarray:
    """A hit at each onset of a list. Each line begins with a time in seconds, as in Greatest Hits' `_times.txt`.

    rate: values a second. seconds: length of the curve. level: RMS at the onset. length:
    seconds of a hit. Where two hits overlap the louder value counts. Raises ValueError for a file that cannot be read
    or names no time, for times more than a second outside the film, and for a line that does not begin with a time or
    has several; a second one behind a tab is an end, as in labels of Audacity.
    """
    times = []
    for number, line in enumerate(files.read_text(path).splitlines(), 1):
        text = line.split("#")[0]
        words = text.replace(",", " ").split()
        if not words:
            continue
        said = files.excerpt(line.strip())
        if re.match(r"\s*-?\d+,\d", text):
            raise ValueError(f"{path}, line {number}: {said}; wanted a time in seconds first, as 0.5 and not as 0,5")
        try:
            onset = float(words[0])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {said}; wanted a time in seconds first") from error
        if not 0 <= onset <= markers.LONGEST:
            raise ValueError(f"{path}, line {number}: {said}; wanted a time that is not negative")
        if len(words) > 1 and "\t" not in text and all(map(_is_number, words)):
            raise ValueError(f"{path}, line {number}: {said}; wanted one onset a line, in seconds: break the line")
        times.append(onset)
    if not times:
        raise ValueError(f"{path}: names no time; wanted an onset a line, in seconds")
    _check_inside(path, times, seconds)
    return hits(times, rate, seconds, level, length)


def _is_number(word):
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def hits(times: Iterable[float], rate: float, seconds: float, level: float = 0.2, length: float = 0.3) -> np.ndarray:
    """A hit at each time (s), not negative; see `from_onsets` for the rest."""
    curve = np.zeros(_frames(rate, seconds), np.float32)
    for onset in times:
        if round(onset * rate) < len(curve):
            curve = np.maximum(curve, rms.shape("hit", len(curve), rate, onset, length, level).numpy())
    # the networks learn from curves of a 32 ms window, so a hit gets the same blur
    return np.sqrt(uniform_filter1d(curve**2, max(1, round(0.032 * rate))).clip(0, 1))


def read(path: str | Path, timeline: Timeline, seconds: float) -> np.ndarray:
    """A curve from a file: .csv or .tsv by `from_csv`, .txt by `from_onsets`, anything else by `from_sound`.

    Raises what these do, and ValueError for a text of another name.
    """
    rate, kind = timeline.video_rms_rate, Path(path).suffix.lower()
    if kind in (".csv", ".tsv"):
        return from_csv(path, rate, seconds)
    if kind == ".txt":
        return from_onsets(path, rate, seconds)
    try:
        return from_sound(path, timeline, seconds)
    except media.MediaError as error:
        if not _is_text(path):
            raise
        raise ValueError(
            f"{path}: is a text and no sound; wanted a table, .csv or .tsv (time,level), onsets, .txt, or a sound: "
            "name it so"
        ) from error


def _is_text(path):
    """Whether a file begins as texts do, and no film or sound does."""
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return re.fullmatch(rb"[^\0-\x08\x0e-\x1f]+", file.read(512)) is not None


def corners(curve: ArrayLike, rate: float, tolerance: float) -> list[tuple[float, float]]:
    """Points (s, RMS), lines between which stay within `tolerance` of the curve (Douglas and Peucker)."""
    curve = check(curve).astype(float)
    kept, waiting = {0, len(curve) - 1}, [(0, len(curve) - 1)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        line = curve[a] + (curve[b] - curve[a]) * np.arange(1, b - a) / (b - a)
        off = np.abs(curve[a + 1 : b] - line)
        if off.max() > tolerance:
            middle = a + 1 + int(off.argmax())
            kept.add(middle)
            waiting += [(a, middle), (middle, b)]
    return [(k / rate, float(curve[k])) for k in sorted(kept)]


def to_csv(curve: ArrayLike, rate: float, path: str | Path) -> Path:
    """Write time (s) and level (RMS) of every value, which `from_csv` reads back exactly. Returns the path."""
    rows = [f"{k / rate!r},{level!s}" for k, level in enumerate(check(curve))]
    with writing.whole(path) as partial:
        partial.write_text("\n".join(["time,level", *rows, ""]))
    return Path(path)


def to_sound(curve: ArrayLike, timeline: Timeline, path: str | Path) -> Path:
    """Write noise with the loudness of the curve, as a float wav. Returns the path.

    timeline: gives sample rate and hop.
    """
    curve = check(curve)
    # random signs are white noise with the same RMS in every frame
    noise = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), len(curve) * timeline.video_hop)
    centres = (np.arange(len(curve)) + 0.5) * timeline.video_hop
    wave = noise * np.interp(np.arange(len(noise)) + 0.5, centres, curve).astype(np.float32)
    with writing.whole(path) as partial:
        soundfile.write(os.fsencode(partial), wave, timeline.sample_rate, format="WAV", subtype="FLOAT")
    return Path(path)


def to_onsets(curve: ArrayLike, rate: float, floor: float, path: str | Path) -> Path:
    """Write the curve's onsets, one time (s) a line. floor: RMS, see `onsets.detect`. Returns the path."""
    times = onsets.detect(check(curve), rate, floor)
    with writing.whole(path) as partial:
        partial.write_text("".join(f"{time:.4f}\n" for time in times))
    return Path(path)
