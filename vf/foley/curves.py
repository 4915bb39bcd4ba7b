"""Bending a loudness curve by hand, and carrying it in and out as sound, table and list of onsets.

A curve is (n,) float32, RMS in [0, 1], `rate` values a second; value k stands at k / rate. Every function returns a new one.
"""

import csv
from pathlib import Path

import numpy as np
import soundfile
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from vf.data import media, writing
from vf.signal import onsets, rms

SHAPES = (*rms.SHAPES, "silence")


def check(curve):
    """The curve as (n,) float32. Raises ValueError for another shape, no values, negative ones, above 1 or not finite."""
    curve = np.asarray(curve, np.float32)
    if curve.ndim != 1 or not len(curve) or not np.isfinite(curve).all() or (curve < 0).any() or (curve > 1).any():
        what = "" if curve.ndim != 1 or not len(curve) else f" from {curve.min():g} to {curve.max():g}"
        raise ValueError(f"curve of shape {curve.shape}{what}; wanted (n,) finite values in [0, 1]: clean it first")
    return curve


def draw(curve, rate, times, levels):
    """Draw straight lines through points, over what is there.

    times: seconds, not falling. levels: RMS in [0, 1]. From the first point to the last the curve is replaced; one point sets one
    value. What lies outside the curve is cut off. Raises ValueError for points that are not one of each, fall back in time or leave [0, 1].
    """
    curve, times, levels = check(curve), np.asarray(times, float).ravel(), np.asarray(levels, float).ravel()
    if not len(times) or len(times) != len(levels) or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise ValueError(f"{len(times)} times and {len(levels)} levels; wanted one of each, the times in order: sort the points")
    if not (np.isfinite(levels).all() and (levels >= 0).all() and (levels <= 1).all()):
        raise ValueError(f"levels from {levels.min():g} to {levels.max():g}; wanted RMS in [0, 1]: draw inside the plot")
    first, last = np.clip(np.round(times[[0, -1]] * rate).astype(int), (0, -1), (len(curve), len(curve) - 1))
    drawn = curve.copy()
    drawn[first : last + 1] = np.interp(np.arange(first, last + 1) / rate, times, levels)
    return drawn


def stamp(curve, rate, name, onset, length, level, peak=0.5):
    """Put a shape where it is wanted; it replaces what is there.

    name: one of SHAPES, rms.shape's and "silence". onset, length: seconds. level: RMS of its loudest value, in (0, 1]. peak: where
    A, V and adsr turn, in (0, 1) of the length. Raises ValueError for what rms.shape refuses.
    """
    curve = check(curve)
    if name not in SHAPES:
        raise ValueError(f"shape {name!r}; wanted one of {', '.join(SHAPES)}")
    # silence has the span of any other shape, and no level
    silent = name == "silence"
    shape = rms.shape("flat" if silent else name, len(curve), rate, onset, length, 1.0 if silent else level, peak).numpy()
    start = round(onset * rate)
    stamped, stretch = curve.copy(), slice(start, start + max(1, round(length * rate)))
    stamped[stretch] = 0 if silent else shape[stretch]
    return stamped


def events(curve, rate, floor=0.01, dip=6.0, gap=0.03):
    """The curve's events: [(start, end)] in seconds.

    Stretches at `floor` or above; holes of less than `gap` seconds belong to the event. Two peaks with a valley between them
    that is at least `dip` dB below both are two events, which part at its bottom.
    """
    curve = check(curve)
    loud = np.flatnonzero(curve >= floor)
    if not len(loud):
        return []
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > max(1, gap * rate)) + 1)
    found = []
    for part in parts:
        start, end = part[0], part[-1] + 1
        level = 20 * np.log10(np.maximum(curve[start:end], floor / 2))
        level = level - 1e-6 * np.arange(len(level))  # of two equal peaks one is the lower
        beside = level.min() - 2 * dip  # so that a peak on the edge counts as one
        peaks, _ = find_peaks(np.concatenate([[beside], level, [beside]]), prominence=dip)
        peaks = peaks - 1
        cuts = [a + 1 + int(level[a + 1 : b].argmin()) for a, b in zip(peaks[:-1], peaks[1:])]
        edges = [start, *(start + c for c in cuts), end]
        found += [(float(a / rate), float(b / rate)) for a, b in zip(edges[:-1], edges[1:])]
    return found


def _stretch(curve, rate, span):
    """Slice of a span (start, end) in seconds. Raises ValueError where it is empty or not in the curve."""
    start, end = span
    seconds = len(curve) / rate
    if not (0 <= start < end and start < seconds and end <= seconds + 1 / rate):
        raise ValueError(f"stretch from {start:g} to {end:g} s; wanted one inside the curve's {seconds:g} s that is not empty")
    first = round(start * rate)
    return slice(first, max(first + 1, round(end * rate)))


def move(curve, rate, span, seconds):
    """Shift an event. span: its (start, end) in seconds. seconds: later, or earlier where negative.

    It leaves silence behind; where it lands the louder of the two counts; what leaves the curve is cut off.
    """
    curve = check(curve)
    stretch, steps = _stretch(curve, rate, span), round(seconds * rate)
    moved, event = curve.copy(), curve[stretch]
    moved[stretch] = 0
    first = stretch.start + steps
    event = event[max(0, -first) : max(0, len(curve) - first)]
    there = slice(max(0, first), max(0, first) + len(event))
    moved[there] = np.maximum(moved[there], event)
    return moved


def scale(curve, rate, span, factor):
    """Make a stretch louder or quieter. span: (start, end) in seconds. factor: not negative; levels stop at 1."""
    if not (np.isfinite(factor) and factor >= 0):
        raise ValueError(f"factor {factor}; wanted a number that is not negative")
    curve = check(curve)
    scaled, stretch = curve.copy(), _stretch(curve, rate, span)
    scaled[stretch] = np.minimum(1, scaled[stretch] * factor)
    return scaled


def delete(curve, rate, span):
    """Silence a stretch. span: (start, end) in seconds."""
    return scale(curve, rate, span, 0)


def smooth(curve, rate, seconds):
    """Moving average over `seconds`; the ends are held, so that a constant stays one."""
    if not (np.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"smoothing over {seconds} s; wanted a number that is not negative")
    return uniform_filter1d(check(curve), 2 * round(seconds * rate / 2) + 1, mode="nearest").clip(0, 1)


def _frames(rate, seconds):
    frames = round(rate * seconds)
    if frames < 1:
        raise ValueError(f"a curve of {seconds:g} s at {rate:g} values a second; wanted at least one value")
    return frames


def from_sound(path, timeline, seconds=None):
    """The loudness of a sound or film: clap or hum the curve that is wanted.

    timeline: gives rate, window and hop of the curve. seconds: length of the curve, its end silent where the sound is shorter;
    the sound's own length without. Raises media.MediaError for a file without sound.
    """
    wave = media.read_sound(path, timeline.sample_rate)
    hop, window = timeline.video_hop, timeline.video_window
    frames = max(2, len(wave) // hop) if seconds is None else _frames(timeline.sample_rate / hop, seconds)
    wave = np.pad(wave[: max(2, frames) * hop], (0, max(0, max(2, frames) * hop - len(wave))))
    return rms.rms_curve(wave, window, hop).numpy()[:frames].clip(0, 1)


def from_csv(path, rate, seconds):
    """A curve from a table with a line of headers: `time` (seconds) and `level` (RMS in [0, 1]) or `db` (0 is full scale).

    rate: values a second. seconds: length of the curve. Straight lines between the rows; silence before the first and after the last.
    Raises ValueError for other headers, for a row that is no pair of numbers and for times that fall.
    """
    try:
        lines = [row for row in csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines()) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise media.MediaError(f"{path}: cannot be read ({_why(error)}); wanted a table of time and level") from error
    header = [name.strip().lower() for name in lines[0]] if lines else []
    unit = next((name for name in ("level", "db") if name in header), None)
    if "time" not in header or unit is None:
        raise ValueError(f"{path}: begins with {','.join(header) or 'nothing'}; wanted the headers time,level or time,db")
    rows = []
    for number, row in enumerate(lines[1:], 2):
        try:
            rows.append([float(row[header.index("time")]), float(row[header.index(unit)])])
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {number}: {','.join(row)}; wanted two numbers, time and {unit}") from error
    times, levels = np.array(rows or np.zeros((0, 2))).T
    levels = 10 ** (levels / 20) if unit == "db" else levels
    if not len(times) or np.isnan(times).any() or np.isnan(levels).any() or (np.diff(times) < 0).any():
        raise ValueError(f"{path}: {len(times)} rows; wanted at least one, without NaN and in the order of time")
    points = np.arange(_frames(rate, seconds)) / rate
    return check(np.interp(points, times, levels, left=0, right=0))


def from_onsets(path, rate, seconds, level=0.2, length=0.3):
    """A hit at each onset of a list: Greatest Hits' `_times.txt`, or any text whose lines begin with a time in seconds.

    rate: values a second. seconds: length of the curve; later times are left out. level: RMS of a hit's first value. length: of
    a hit, seconds; where two meet the louder counts. Raises ValueError for a line that does not begin with a time.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise media.MediaError(f"{path}: cannot be read ({_why(error)}); wanted a text of times") from error
    curve = np.zeros(_frames(rate, seconds), np.float32)
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            onset = float(words[0])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {line.strip()}; wanted a time in seconds first") from error
        if not np.isfinite(onset) or onset < 0:
            raise ValueError(f"{path}, line {number}: {line.strip()}; wanted a time that is not negative")
        if round(onset * rate) < len(curve):
            curve = np.maximum(curve, rms.shape("hit", len(curve), rate, onset, length, level).numpy())
    # as a window of 32 ms hears hits, which is how the networks know them
    return np.sqrt(uniform_filter1d(curve**2, max(1, round(0.032 * rate))).clip(0, 1))


def _why(error):
    return getattr(error, "strerror", None) or error


def to_csv(curve, rate, path):
    """Write time (s) and level (RMS) of every value; `from_csv` gives the same bytes back. Returns the path."""
    rows = [f"{k / rate!r},{level!s}" for k, level in enumerate(check(curve))]
    with writing.whole(path) as partial:
        partial.write_text("\n".join(["time,level", *rows, ""]))
    return Path(path)


def to_sound(curve, timeline, path):
    """Write noise that is as loud as the curve, a float wav. timeline: gives rate and hop. Returns the path."""
    curve = check(curve)
    # signs at random are white noise whose every frame has the same RMS
    noise = np.random.default_rng(0).choice(np.float32([-1, 1]), len(curve) * timeline.video_hop)
    centres = (np.arange(len(curve)) + 0.5) * timeline.video_hop
    wave = noise * np.interp(np.arange(len(noise)) + 0.5, centres, curve).astype(np.float32)
    with writing.whole(path) as partial:
        soundfile.write(partial, wave, timeline.sample_rate, format="WAV", subtype="FLOAT")
    return Path(path)


def to_onsets(curve, rate, floor, path):
    """Write the curve's onsets (`onsets.detect`), one time (s) a line. Returns the path."""
    times = onsets.detect(check(curve), rate, floor)
    with writing.whole(path) as partial:
        partial.write_text("".join(f"{t:.4f}\n" for t in times))
    return Path(path)
