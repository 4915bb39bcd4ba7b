"""A performance: the strokes of one person on things, their times and forces, and the path of the stick.

The statistics follow `GREATEST_HITS`: the 39,950 annotations of its 977 films (first 34 s of each). Notebook 01
compares the rendered films with them.
"""

from dataclasses import dataclass

import numpy as np

from vf.data.clips import MATERIALS

GREATEST_HITS = {
    "events a second": 1.398,
    "gap (s), quantiles": {0.05: 0.333, 0.10: 0.400, 0.25: 0.467, 0.50: 0.600, 0.75: 0.733, 0.90: 0.867, 0.95: 1.067},
    "share of scratches": 0.315,
    "action as before": 0.825,
    "without label": 0.39,
    "materials in 5 s": {1: 0.692, 2: 0.252, 3: 0.056},
    # from the microphone tracks of 27 films, in frames of 32 ms; a silent frame is in the first of 64 classes
    "silent frames": 0.774,
    "RMS of a frame, quantiles": {0.25: 0.0030, 0.50: 0.0049, 0.75: 0.0090, 0.90: 0.0284, 0.95: 0.0636, 0.99: 0.2003},
}
LABELLED = 0.61  # share of events with a label
# Probability of one, two and three things. A thing that is not hit or not labelled within 5 s is in no annotation, so
# more things are laid out than the annotations count.
THINGS_IN_A_CLIP = (0.53, 0.22, 0.25)
NEXT_THING = 0.35  # probability that the next stroke may be on another thing
SCRATCHES = 0.30  # probability of a scratch, where the action is drawn
SAME_ACTION = 0.62  # probability that the action is not drawn again
# nobody annotates silence, so these two are guesses: shares of strokes that miss, and of waves in the air
MISSES = 0.09
WAVES = 0.06


@dataclass(frozen=True)
class Stroke:
    """One movement of the stick.

    time: of contact, in seconds. kind: hit, scratch, miss (stops above the surface) or wave (a scratch in the air).
    thing: index of the thing. force: 0 to 1, visible in the picture. surprise: gain of the sound, not visible.
    place: on the thing, -1 to 1 in x and y. length: of a scratch or wave, in seconds.
    """

    time: float
    kind: str
    thing: int
    force: float
    surprise: float
    place: tuple[float, float]
    length: float = 0.0


@dataclass(frozen=True)
class Style:
    """Style of one person.

    tempo: typical gap between strokes, in seconds. swing: height of a full stroke, in picture heights.
    rebound: height after a stroke, as a share of the stroke's. pauses: probability of a pause after a stroke.
    """

    tempo: float
    swing: float
    rebound: float
    pauses: float


def style(rng: np.random.Generator, unseen: bool = False) -> Style:
    """A random style. unseen: draw from ranges that no training film uses."""
    if unseen:
        swing = rng.uniform(0.22, 0.27) if rng.random() < 0.5 else rng.uniform(0.46, 0.55)
        tempo = rng.uniform(0.40, 0.70)
        rebound = rng.uniform(0.3, 0.6)
    else:
        tempo = rng.uniform(0.45, 0.66)
        swing = rng.uniform(0.28, 0.45)
        rebound = rng.uniform(0.15, 0.45)
    return Style(tempo, swing, rebound, pauses=rng.uniform(0.0, 0.04))


def materials(rng: np.random.Generator) -> list[str]:
    """Materials of one clip: one to three different ones."""
    count = rng.choice(3, p=THINGS_IN_A_CLIP) + 1
    return [str(m) for m in rng.choice(MATERIALS, count, replace=False)]


def plan(seconds: float, things: int, style: Style, rng: np.random.Generator) -> list[Stroke]:
    """The strokes of one film, in order of time. seconds: of the film. things: number of things."""
    strokes = []
    time = rng.uniform(0.1, 0.7)
    target = int(rng.integers(things))
    action = "scratch" if rng.random() < SCRATCHES else "hit"
    base = rng.uniform(0.35, 0.85)
    while time < seconds - 0.15:
        chance = rng.random()
        if chance < MISSES:
            kind = "miss"
        elif chance < MISSES + WAVES:
            kind = "wave"
        else:
            kind = action
        force = float(np.clip(base + rng.normal(0, 0.15), 0.12, 1))
        length = float(rng.uniform(0.2, 0.48)) if kind in ("scratch", "wave") else 0.0
        surprise = float(10 ** (rng.normal(0, 3.0) / 20))
        x, y = rng.uniform(-0.7, 0.7, 2)
        strokes.append(Stroke(float(time), kind, target, force, surprise, (x, y), length))
        gap = style.tempo * np.exp(rng.normal(0, 0.25)) * (0.6 if kind in ("miss", "wave") else 1)
        if rng.random() < style.pauses:
            gap += rng.uniform(0.6, 2.2)
        if rng.random() < NEXT_THING:
            target = int(rng.integers(things))
        if rng.random() > SAME_ACTION:
            action = "scratch" if rng.random() < SCRATCHES * 1.1 else "hit"
            base = float(np.clip(base + rng.normal(0, 0.15), 0.35, 0.85))
        time += max(gap, length + 0.12, 0.28)
    return strokes


def _turns(stroke):
    """Number of strokes of a scratch: a short one goes one way, a long one comes back."""
    return 1 if stroke.length < 0.35 else 2


def speed_of_scratch(stroke: Stroke, rate: int) -> np.ndarray:
    """Speed of the stick along the surface during a scratch, (s,), proportional to force. rate: samples per second."""
    t = np.arange(round(stroke.length * rate)) / rate
    return stroke.force * np.abs(np.sin(np.pi * _turns(stroke) * t / stroke.length))


def _sweep(stroke, t):
    """Way of a scratch after t seconds, towards the thing's middle, in picture widths: the integral of its speed."""
    way = -np.sign(stroke.place[0]) or 1.0
    return way * 0.09 * stroke.force * (1 - np.cos(np.pi * _turns(stroke) * t / stroke.length))


def trajectory(strokes: list[Stroke], places: np.ndarray, style: Style, times: np.ndarray) -> np.ndarray:
    """Path of the stick's tip.

    strokes: of `plan`. places: (things, 4) centre x, y and half sizes, in picture widths and heights. times: (n,)
    seconds, increasing. Returns (n, 3): x and y of the point on the surface below the tip, and the height above it.
    A hit falls ever faster and stops at once. A miss slows down and stops above the surface. Nothing else in the
    picture tells them apart.
    """
    points = []
    knot_times = [-1.0]
    knots = [places[0][:2] + np.array([0, -0.1])]
    for stroke in strokes:
        x, y, w, h = places[stroke.thing]
        point = np.array([x + stroke.place[0] * w, y + stroke.place[1] * h])
        points.append(point)
        knot_times += [stroke.time - 0.05, stroke.time + max(stroke.length, 0.05)]
        knots += [point, point + np.array([_sweep(stroke, stroke.length), 0]) if stroke.length else point]
    order = np.maximum.accumulate(np.array(knot_times) + 1e-6 * np.arange(len(knot_times)))
    path = np.zeros((len(times), 3))
    path[:, 2] = 0.55 * style.swing
    for axis in (0, 1):
        path[:, axis] = np.interp(times, order, np.array(knots)[:, axis])
    rest = 0.3 * style.swing
    previous_end = -1.0
    for stroke, point in zip(strokes, points):
        top = style.swing * (0.35 + 0.65 * stroke.force)
        fall = 0.30 - 0.16 * stroke.force
        begin = max(stroke.time - fall, previous_end + 0.04)
        lift = max(previous_end, begin - 0.25)
        rising = (times >= lift) & (times < begin)
        before = path[rising, 2]
        u = (times[rising] - lift) / max(begin - lift, 1e-6)
        path[rising, 2] = before + (top - before) * (3 * u**2 - 2 * u**3)
        falling = (times >= begin) & (times < stroke.time)
        u = (times[falling] - begin) / max(stroke.time - begin, 1e-6)
        in_air = stroke.kind in ("miss", "wave")
        low = 0.06 + 0.05 * (1 - stroke.force) if in_air else 0.0
        descent = 0.5 + 0.5 * np.cos(np.pi * u) if in_air else 1 - u**2
        path[falling, 2] = low + (top - low) * descent
        end = stroke.time + stroke.length
        rubbing = (times >= stroke.time) & (times < end)
        if stroke.length:
            path[rubbing, 0] = point[0] + _sweep(stroke, times[rubbing] - stroke.time)
            path[rubbing, 2] = low
        after = times >= end
        u = times[after] - end
        if len(u):
            back = low + style.rebound * top * (0.4 if in_air else 1) * np.minimum(u / 0.09, 1)
            settle = back[-1] + (rest - back[-1]) * np.minimum((u - 0.09) / 0.3, 1)
            path[after, 2] = np.where(u < 0.09, back, settle)
        previous_end = end
    return path
