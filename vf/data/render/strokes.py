"""A performance: which strokes a person makes on which things, when and how hard, and how the stick moves to make them.

Statistics follow the 39,950 annotations of Greatest Hits' 977 films (first 34 s of each), `GREATEST_HITS`; notebook 01 lays
what comes out beside them.
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
    # of the microphone track of 27 films; frames of 32 ms, silent: the first of 64 classes
    "silent frames": 0.774,
    "RMS of a frame, quantiles": {0.25: 0.0030, 0.50: 0.0049, 0.75: 0.0090, 0.90: 0.0284, 0.95: 0.0636, 0.99: 0.2003},
}
LABELLED = 0.61
# a thing not hit or not labelled in 5 s is not counted, so more are laid out than the annotations show
THINGS_IN_A_CLIP, NEXT_THING = (0.53, 0.22, 0.25), 0.35
SCRATCHES, SAME_ACTION = 0.30, 0.62
# what the annotations cannot say, as nobody labels silence: strokes that miss, and waving
MISSES, WAVES = 0.09, 0.06


@dataclass(frozen=True)
class Stroke:
    """One movement. time: contact (s). kind: hit, scratch, miss (stops above the surface) or wave (a scratch in the air).

    force: 0 to 1, what the eye can see. surprise: gain of the sound that the eye cannot see. place: where on the thing,
    -1 to 1 each way. length: of a scratch or wave (s).
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
    """How one person plays. tempo: typical gap (s). swing: height of a full stroke (picture heights). rebound: of that
    height. pauses: how likely one is after a stroke."""

    tempo: float
    swing: float
    rebound: float
    pauses: float


def style(rng, unseen=False):
    """A person's style. unseen: from ranges that no training film uses."""
    if unseen:
        swing = rng.uniform(0.22, 0.27) if rng.random() < 0.5 else rng.uniform(0.46, 0.55)
        return Style(rng.uniform(0.40, 0.70), swing, rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.04))
    return Style(
        rng.uniform(0.45, 0.66),
        swing=rng.uniform(0.28, 0.45),
        rebound=rng.uniform(0.15, 0.45),
        pauses=rng.uniform(0.0, 0.04),
    )


def materials(rng):
    """Materials of one clip, one to three different ones."""
    count = rng.choice(3, p=THINGS_IN_A_CLIP) + 1
    return [str(m) for m in rng.choice(MATERIALS, count, replace=False)]


def plan(seconds, things, style, rng):
    """The strokes of one film, by time. things: how many there are to hit."""
    strokes, time, target = [], rng.uniform(0.1, 0.7), int(rng.integers(things))
    action = "scratch" if rng.random() < SCRATCHES else "hit"
    base = rng.uniform(0.35, 0.85)
    while time < seconds - 0.15:
        chance = rng.random()
        kind = "miss" if chance < MISSES else "wave" if chance < MISSES + WAVES else action
        force = float(np.clip(base + rng.normal(0, 0.15), 0.12, 1))
        length = float(rng.uniform(0.2, 0.48)) if kind in ("scratch", "wave") else 0.0
        surprise = float(10 ** (rng.normal(0, 3.0) / 20))
        strokes.append(Stroke(float(time), kind, target, force, surprise, tuple(rng.uniform(-0.7, 0.7, 2)), length))
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
    """A short scratch goes one way, a long one comes back."""
    return 1 if stroke.length < 0.35 else 2


def speed_of_scratch(stroke, rate):
    """Speed of the stick along the surface over a scratch, (s,), in proportion to force."""
    t = np.arange(round(stroke.length * rate)) / rate
    return stroke.force * np.abs(np.sin(np.pi * _turns(stroke) * t / stroke.length))


def _sweep(stroke, t):
    """Where a scratch is after t seconds: the integral of its speed, in picture widths, towards the thing's middle."""
    way = -np.sign(stroke.place[0]) or 1.0
    return way * 0.09 * stroke.force * (1 - np.cos(np.pi * _turns(stroke) * t / stroke.length))


def trajectory(strokes, places, style, times):
    """Where the stick's tip is.

    strokes: a plan. places: (things, 4) centre x, y and half sizes, in picture widths and heights. times: (n,) seconds,
    increasing. Returns (n, 3): x and y of the point on the surface below the tip, and height above it.
    A hit falls ever faster and stops dead; a miss slows down and stops above; that is all that tells them apart.
    """
    knots_t, knots_xy, falls = [-1.0], [places[0][:2] + np.array([0, -0.1])], []
    path = np.zeros((len(times), 3))
    path[:, 2] = 0.55 * style.swing
    for stroke in strokes:
        x, y, w, h = places[stroke.thing]
        point = np.array([x + stroke.place[0] * w, y + stroke.place[1] * h])
        top = style.swing * (0.35 + 0.65 * stroke.force)
        fall = 0.30 - 0.16 * stroke.force
        falls.append((stroke, point, top, fall))
        knots_t += [stroke.time - 0.05, stroke.time + max(stroke.length, 0.05)]
        knots_xy += [point, point + np.array([_sweep(stroke, stroke.length), 0]) if stroke.length else point]
    order = np.maximum.accumulate(np.array(knots_t) + 1e-6 * np.arange(len(knots_t)))
    for axis in (0, 1):
        path[:, axis] = np.interp(times, order, np.array(knots_xy)[:, axis])
    rest = 0.3 * style.swing
    previous_end = -1.0
    for stroke, point, top, fall in falls:
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
        path[falling, 2] = low + (top - low) * ((1 - u**2) if not in_air else (0.5 + 0.5 * np.cos(np.pi * u)))
        end = stroke.time + stroke.length
        rubbing = (times >= stroke.time) & (times < end)
        if stroke.length:
            path[rubbing, 0] = point[0] + _sweep(stroke, times[rubbing] - stroke.time)
            path[rubbing, 2] = low
        after = times >= end
        u = times[after] - end
        back = low + style.rebound * top * (0.4 if in_air else 1) * np.minimum(u / 0.09, 1)
        path[after, 2] = (
            np.where(u < 0.09, back, back[-1] + (rest - back[-1]) * np.minimum((u - 0.09) / 0.3, 1)) if len(u) else rest
        )
        previous_end = end
    return path
