"""The rendered corpus: films of a stick that hits and scratches things, in Greatest Hits' layout, and sound alone.

It stands in for real film and is as hard in the ways that matter: near misses and waving, camera shake, occlusion,
motion blur, noise, clutter, uneven light, loudness that the picture does not explain, background noise. Of what the
renderer knows (force, contact, material), `_times.txt` holds only what human annotators would have seen.
"""

import copy
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from vf.data import clips, files, processes, writing
from vf.data.clips import Event
from vf.data.render import sound as render_sound
from vf.data.render import strokes

SUBFRAMES = 4  # drawn while the shutter is open, half a frame, and averaged into motion blur
# base colour (RGB) and contrast of the texture of each material
_LOOKS = {
    "wood": ((150, 105, 60), 9),
    "metal": ((150, 155, 160), 2),
    "dirt": ((95, 75, 55), 14),
    "rock": ((125, 122, 115), 12),
    "leaf": ((110, 95, 40), 22),
    "plastic": ((60, 110, 170), 3),
    "cloth": ((120, 60, 80), 7),
    "paper": ((215, 210, 195), 4),
    "grass": ((70, 115, 45), 20),
    "water": ((70, 95, 105), 10),
    "drywall": ((200, 198, 190), 3),
    "gravel": ((135, 130, 125), 24),
    "plastic-bag": ((190, 195, 200), 12),
    "ceramic": ((205, 190, 175), 2),
    "tile": ((165, 150, 140), 5),
    "carpet": ((100, 80, 95), 11),
    "glass": ((140, 165, 165), 3),
}
_LOOSE = {"leaf", "grass", "gravel", "dirt", "water"}  # these scatter or splash; the others jump
_POOL = 12  # objects of each material that training films share; test films have their own


def _rng(*key):
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def _texture(shape, colour, grain, rng):
    """Cloudy noise around a colour, float32 (h, w, 3). grain: contrast of the noise, in levels."""
    h, w = shape
    texture = np.zeros((h, w), np.float32)
    for cells in (3, 8, 20, 50):
        patch = rng.standard_normal((max(2, cells * h // w), cells)).astype(np.float32)
        texture += cv2.resize(patch, (w, h), interpolation=cv2.INTER_LINEAR)
    tint = np.asarray(colour, np.float32) + rng.normal(0, 12, 3).astype(np.float32)
    return tint + grain * texture[..., None] * rng.uniform(0.8, 1.2, 3).astype(np.float32)


def _outline(place, size, rng):
    """Polygon (n, 2) in pixels. place: its centre x, y and half sizes, in picture widths and heights."""
    w, h = size
    corners = rng.choice([4, 24])
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 0.5)
    radius = 1.25 * rng.uniform(0.85, 1.15, corners)[:, None]
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    return (directions * radius * place[2:] * (w, h) + place[:2] * (w, h)).astype(np.float32)


class _Scene:
    """The picture before anything moves.

    image: uint8 (h, w, 3), wider than the film's picture by `margin` on all sides. places: (things, 4) centre x, y and
    half sizes, in picture widths and heights. boxes: (x, y, width, height) of each thing in the image, in pixels.
    """

    def __init__(self, materials, size, rng, unseen):
        w, h = size
        self.size = size
        self.margin = 12
        full = (h + 2 * self.margin, w + 2 * self.margin)
        self.image = _texture(full, rng.uniform(50, 200, 3), rng.uniform(5, 25), rng)
        for _ in range(rng.integers(2, 9)):  # clutter
            place = np.array([*rng.uniform(0, 1.1, 2), *rng.uniform(0.02, 0.13, 2)])
            outline = _outline(place, size, rng).astype(np.int32) + self.margin
            cv2.fillPoly(self.image, [outline], rng.uniform(20, 230, 3).tolist())
        columns = rng.permutation(len(materials))
        places = []
        self.boxes = []
        for material, column in zip(materials, columns):
            x = (column + 0.5) / len(materials) * 0.7 + 0.15 + rng.uniform(-0.06, 0.06)
            half = np.array([rng.uniform(0.12, 0.2), rng.uniform(0.1, 0.18)]) / np.sqrt(len(materials))
            place = np.array([x, rng.uniform(0.55, 0.78), *half])
            outline = (_outline(place, size, rng) + self.margin).astype(np.int32)
            mask = np.zeros(full, np.uint8)
            cv2.fillPoly(mask, [outline], 255)
            colour, grain = _LOOKS[material]
            shift = rng.normal(0, 25 if unseen else 14, 3)
            self.image = np.where(mask[..., None] > 0, _texture(full, colour + shift, grain, rng), self.image)
            cv2.polylines(self.image, [outline], True, (self.image[mask > 0].mean(0) * 0.55).tolist(), 1, cv2.LINE_AA)
            places.append(place)
            self.boxes.append(cv2.boundingRect(outline))
        yy, xx = np.mgrid[0 : full[0], 0 : full[1]].astype(np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        bend = rng.uniform(0.05, 0.45)
        light = 1 + bend * (np.cos(angle) * (xx / full[1] - 0.5) + np.sin(angle) * (yy / full[0] - 0.5)) * 2
        self.image = np.clip(self.image * light[..., None] * rng.uniform(0.6, 1.15), 0, 255).astype(np.uint8)
        self.places = np.array(places)


class _Player:
    """Stick, hand and arm of one person under one light, as one camera sees them. Directions are in picture sizes."""

    def __init__(self, rng, unseen):
        tilt = rng.uniform(-0.5, 0.5) if unseen else rng.uniform(-0.3, 0.3)
        self.up = np.array([np.sin(tilt), -np.cos(tilt)]) * rng.uniform(0.75, 1.05)
        self.sun = np.array([rng.uniform(-0.7, 0.7), rng.uniform(0.1, 0.4)])
        side = rng.choice([-1.0, 1.0])
        self.reach = np.array([side * rng.uniform(0.32, 0.5), rng.uniform(-0.22, 0.1)])  # from the tip to the hand
        self.colour = rng.uniform(30, 235, 3) if unseen else np.array([190, 150, 100]) + rng.normal(0, 20, 3)
        self.thick = int(rng.integers(2, 5))  # of the stick, in pixels
        self.skin = np.array([205, 160, 130]) + rng.normal(0, 25, 3)
        self.sleeve = rng.uniform(15, 200, 3)

    def draw(self, view, path, shift, darkness):
        """Draw shadow, arm, stick and hand into a picture in place.

        view: float32 (h, w, 3). path: (SUBFRAMES, 3) of `strokes.trajectory`. shift: of the camera, in pixels.
        darkness: of the shadow, 0 to 1.
        """
        h, w = view.shape[:2]
        shadow, arm, stick, hand = (np.zeros((h, w), np.float32) for _ in range(4))
        for x, y, height in path:
            ground = np.array([x, y])
            foot = ground + self.sun * height  # of the shadow
            grip = ground + self.reach + self.up * (0.12 + 0.45 * height)
            _line(shadow, foot, foot + (self.reach * 0.9 + self.sun * 0.1), self.thick, shift)
            _line(stick, ground + self.up * height, grip, self.thick, shift)
            _line(hand, grip, grip + 0.04 * self.reach, 15, shift)
            _line(arm, grip + 0.1 * self.reach, grip + 2.2 * self.reach, 19, shift)
        layers = ((shadow * darkness, 0.0), (arm, self.sleeve), (stick, self.colour), (hand, self.skin))
        for mask, ink in layers:
            opacity = np.minimum(mask / SUBFRAMES, 1)[..., None]
            view += opacity * (np.asarray(ink, np.float32) - view)


def _film(materials, performance, style, seconds, fps, size, rng, unseen):
    """Pictures uint8 (t, h, w, 3) of a performance. performance: a list of strokes. size: (width, height)."""
    w, h = size
    scene = _Scene(materials, size, rng, unseen)
    count = round(seconds * fps)
    index = np.arange(count * SUBFRAMES)
    times = (index // SUBFRAMES + index % SUBFRAMES / (2 * SUBFRAMES)) / fps
    path = strokes.trajectory(performance, scene.places, style, times)
    path[:, :2] += 0.004 * _wander(len(times), 4 * SUBFRAMES, rng)[:, :2]  # no hand is a machine
    player = _Player(rng, unseen)
    shake = _wander(count, 10, rng)[:, :2] * rng.uniform(0, 2.2) + _wander(count, 3, rng)[:, :2] * rng.uniform(0, 0.5)
    exposure = 1 + 0.02 * _wander(count, 20, rng)[:, 0]
    noise = rng.normal(0, rng.uniform(2, 7), (6, h + 16, w + 16, 1)).astype(np.float32)
    impacts = [(s, scene.boxes[s.thing], materials[s.thing]) for s in performance if s.kind in ("hit", "scratch")]
    debris = (rng.normal(0, 1, (10, 2)), rng.uniform(0.5, 1.3, 10))  # direction and speed of each piece
    obstacle = None
    if rng.random() < 0.2:  # something near the lens: position, drift, radius, colour
        obstacle = (rng.uniform(0, 1), rng.uniform(-0.1, 0.1), rng.uniform(0.04, 0.12), rng.uniform(10, 120, 3))

    frames = np.empty((count, h, w, 3), np.uint8)
    darkness = rng.uniform(0.35, 0.7)
    for k in range(count):
        now = k / fps
        image = _react(scene, impacts, now, debris)
        dx, dy = np.clip(shake[k], -scene.margin + 1, scene.margin - 1)
        shift = np.float32([[1, 0, dx - scene.margin], [0, 1, dy - scene.margin]])
        view = cv2.warpAffine(image, shift, (w, h), flags=cv2.INTER_LINEAR).astype(np.float32)
        player.draw(view, path[k * SUBFRAMES : (k + 1) * SUBFRAMES], (dx, dy), darkness)
        if obstacle is not None:
            x, drift, radius, ink = obstacle
            centre = (int((x + drift * now) * w), int(h * 0.95))
            cv2.circle(view, centre, int(radius * w), ink.tolist(), -1, cv2.LINE_AA)
        oy, ox = rng.integers(16, size=2)
        view = view * exposure[k] + noise[k % 6, oy : oy + h, ox : ox + w]
        frames[k] = np.clip(view, 0, 255)
    return frames


def _line(mask, a, b, thick, shift):
    """Add an anti-aliased line to a float mask (h, w). a, b: end points, in picture sizes. thick, shift: pixels."""
    size = mask.shape[::-1]
    points = [tuple(int(round(16 * v)) for v in np.asarray(p) * size + shift) for p in (a, b)]
    layer = np.zeros(mask.shape, np.uint8)
    cv2.line(layer, points[0], points[1], 255, thick, cv2.LINE_AA, 4)
    mask += layer.astype(np.float32) / 255


def _wander(count, smooth, rng):
    """Smooth random motion (count, 3) of about unit variance. smooth: samples from one random value to the next."""
    knots = rng.standard_normal((max(4, count // smooth + 3), 3))
    at = np.linspace(0, len(knots) - 1, count)
    return np.stack([np.interp(at, np.arange(len(knots)), knots[:, i]) for i in range(3)], 1)


def _react(scene, impacts, now, debris):
    """The scene's image after its strokes: solid things jump and settle, loose ones scatter, water makes rings.

    impacts: (stroke, box of its thing, material). now: seconds. debris: directions and speeds of pieces.
    """
    image = scene.image
    moved = None
    for stroke, (x, y, w, h), material in impacts:
        age = now - stroke.time
        if not 0 <= age < 0.4:
            continue
        moved = image.copy() if moved is None else moved
        if material in _LOOSE:
            directions, speeds = debris
            centre = scene.places[stroke.thing][:2] * scene.size + scene.margin
            ink = tuple(0.6 * c for c in _LOOKS[material][0])
            for direction, speed in zip(directions, speeds):
                at = centre + direction * speed * 60 * stroke.force * age + (0, 160 * age**2 - 40 * stroke.force * age)
                cv2.circle(moved, tuple(int(v) for v in at), 1, ink, -1, cv2.LINE_AA)
            if material == "water":
                cv2.circle(moved, tuple(int(v) for v in centre), int(4 + 50 * age), (180, 195, 200), 1, cv2.LINE_AA)
        else:
            give = 2.2 * stroke.force * np.exp(-age / 0.08) * np.cos(2 * np.pi * 9 * age)
            x0 = max(x, 3)
            y0 = max(y, 3)
            patch = image[y0 : y + h, x0 : x + w]
            if patch.size:
                shift = np.float32([[1, 0, 0.4 * give], [0, 1, give]])
                shifted = cv2.warpAffine(patch, shift, patch.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
                moved[y0 : y + h, x0 : x + w] = shifted
    return image if moved is None else moved


def _sound(things, performance, seconds, rate, rng):
    """Waveform (s,) of a performance in its room, with the gain of its recording."""
    count = round(seconds * rate)
    wave = np.zeros(count + 4 * rate)
    for stroke in performance:
        if stroke.kind == "hit":
            sound = render_sound.hit(things[stroke.thing], stroke.force, rate, rng)
        elif stroke.kind == "scratch":
            sound = render_sound.scratch(things[stroke.thing], strokes.speed_of_scratch(stroke, rate), rate, rng)
        else:
            continue
        begin = round(stroke.time * rate)
        wave[begin : begin + len(sound)] += stroke.surprise * sound[: len(wave) - begin]
    gain = 0.26 * 10 ** (rng.normal(0, 4) / 20)  # level differs between recordings, as in Greatest Hits
    floor = np.exp(rng.normal(np.log(0.0032), 0.4))
    wave = gain * wave[:count] + floor * render_sound.room(seconds, rate, rng)
    # microphones and limiters saturate
    return (np.tanh(wave / 0.9) * 0.9).astype(np.float32)


def _events(materials, performance, rng, labelled=strokes.LABELLED):
    """Annotations of a performance: an Event for each sound. labelled: share of events with a label."""
    events = []
    for stroke in performance:
        if stroke.kind in ("hit", "scratch"):
            known = rng.random() < labelled
            label = (materials[stroke.thing], stroke.kind) if known else (None, None)
            reaction = ("scatter" if materials[stroke.thing] in _LOOSE else "deform") if known else None
            events.append(Event(round(stroke.time, 4), *label, reaction))
    return events


@dataclass(frozen=True)
class Change:
    """What a counterfactual film has different; all else stays as it is: chance, people, light, noise.

    decibels: by which every hit is softer or louder (a scratch a little less), by the force that the picture shows
    too. delay: of every stroke, in seconds. material: of all things. moved: the camera's picture to the right and down,
    in picture sizes. nearer: factor by which everything looks larger. The sound of a camera that moves is the same.
    """

    decibels: float = 0.0
    delay: float = 0.0
    material: str | None = None
    moved: tuple[float, float] = (0.0, 0.0)
    nearer: float = 1.0

    def strokes(self, performance: list[strokes.Stroke]) -> list[strokes.Stroke]:
        """The performance with this change."""
        factor = 10 ** (self.decibels / 20 / render_sound.FORCE)
        return [replace(s, time=s.time + self.delay, force=s.force * factor) for s in performance]

    def frames(self, frames: np.ndarray) -> np.ndarray:
        """The pictures (t, h, w, 3) from where this change puts the camera."""
        if self.nearer == 1 and self.moved == (0.0, 0.0):
            return frames
        h, w = frames.shape[1:3]
        view = np.array(
            [
                [self.nearer, 0, (0.5 - 0.5 * self.nearer + self.moved[0]) * w],
                [0, self.nearer, (0.5 - 0.5 * self.nearer + self.moved[1]) * h],
            ]
        )
        return np.stack([cv2.warpAffine(f, view, (w, h), borderMode=cv2.BORDER_REPLICATE) for f in frames])


def film(
    split: str,
    index: int,
    seconds: float = 5.0,
    fps: int = 30,
    size: tuple[int, int] = (192, 144),
    sample_rate: int = 16000,
    seed: int = 0,
    change: Change | None = None,
) -> tuple[np.ndarray, np.ndarray, list[Event]]:
    """One film. The same arguments give the same bytes.

    split: train, valid or test. Test films have things, cameras and styles of their own. index: of the film in its
    split. size: (width, height). change: for a counterfactual film. Returns frames uint8 (t, h, w, 3), waveform (s,)
    float32 and events.
    """
    rng = _rng(seed, split, index)
    unseen = split == "test"
    materials = strokes.materials(rng)
    style = strokes.style(rng, unseen)
    numbers = [int(rng.integers(_POOL)) + (_POOL if unseen else 0) for _ in materials]
    things = [render_sound.thing(m, _rng(seed, m, k)) for m, k in zip(materials, numbers)]
    performance = strokes.plan(seconds, len(things), style, rng)
    as_before = copy.deepcopy(rng) if change else rng
    wave = _sound(things, performance, seconds, sample_rate, rng)
    if change:  # the picture's chance is what it is without the change, and the sound begins from the same
        performance = change.strokes(performance)
        if change.material:
            materials = [change.material] * len(materials)
            things = [render_sound.thing(m, _rng(seed, m, k)) for m, k in zip(materials, numbers)]
        wave = _sound(things, performance, seconds, sample_rate, as_before)
    events = [e for e in _events(materials, performance, rng) if e.time < seconds]
    frames = _film(materials, performance, style, seconds, fps, size, rng, unseen)
    return change.frames(frames) if change else frames, wave, events


def _write(job, folder, seconds, fps, size, sample_rate, seed):
    """Render and write one film. job: (split, index). Returns (split, name)."""
    split, index = job
    cv2.setNumThreads(1)
    frames, wave, events = film(split, index, seconds, fps, size, sample_rate, seed)
    name = f"{split}-{index:04d}"
    writing.write_film(folder / f"{name}_denoised.mp4", frames, fps, wave, sample_rate)
    clips.write_times(folder / f"{name}_times.txt", events)
    return split, name


def write_films(
    folder: str | Path,
    count: dict[str, int],
    seconds: float = 5.0,
    fps: int = 30,
    size: tuple[int, int] = (192, 144),
    sample_rate: int = 16000,
    seed: int = 0,
    workers: int = 2,
) -> None:
    """Render films into a folder in Greatest Hits' layout, with train.txt, valid.txt and test.txt.

    count: {split: number of films}. seconds: of each film. size: (width, height), even.
    workers: number of processes; it does not change the result.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(split, i) for split, number in count.items() for i in range(number)]
    work = partial(
        _write, folder=folder, seconds=seconds, fps=fps, size=tuple(size), sample_rate=sample_rate, seed=seed
    )
    names: dict[str, list[str]] = {split: [] for split in count}
    with processes.pool(workers) as pool:
        for split, name in tqdm(pool.map(work, jobs), total=len(jobs), desc="rendering", mininterval=2.0):
            names[split].append(name)
    for split, members in names.items():
        files.write_text(folder / f"{split}.txt", "\n".join(members) + "\n")


def sound(
    index: int, seconds: float, sample_rate: int = 16000, seed: int = 0, unseen: float = 0.0
) -> tuple[np.ndarray, list[Event]]:
    """One performance without a picture: waveform (s,) float32 and events, all with labels, as in sound libraries.

    All things are new. unseen: probability of a style that no training film has.
    """
    rng = _rng(seed, "sound", index)
    materials = strokes.materials(rng)
    style = strokes.style(rng, unseen=rng.random() < unseen)
    things = [render_sound.thing(m, rng, spread=1.3) for m in materials]
    performance = strokes.plan(seconds, len(things), style, rng)
    wave = _sound(things, performance, seconds, sample_rate, rng)
    return wave, _events(materials, performance, rng, labelled=1.0)


def sounds(
    count: int, seconds: float, sample_rate: int = 16000, seed: int = 0
) -> Iterator[tuple[np.ndarray, list[Event]]]:
    """Yield `count` results of `sound` for RMS2Sound, half of them in styles that no training film has."""
    for index in range(count):
        yield sound(index, seconds, sample_rate, seed, unseen=0.5)
