"""The studio's drawing surface: the values that editor.js shows, and the pictures and films made for it."""

import io
import mimetypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import traitlets as t

from vf.data import media, writing
from vf.foley.render import Foley
from vf.signal import mel
from vf.signal.timeline import Timeline
from vf.studio.carrier import SCRIPT, Carrier


class Editor(Carrier):
    """The values that the surface (editor.js) shows. It sends {do: method of Studio, ...keywords} back.

    folder: where recordings arrive. received: called with the path of each.

    seconds: length of the curves. rate: their values a second. wanted, predicted, achieved, stairs: curves as float32
    bytes. strip, spectrogram: PNG images over the whole film. media, media_type: what the player plays; `media` is the
    key by which it fetches the file, so that no saved notebook holds a film. events: pairs of seconds. regions: dicts
    of start, end, label and row (see `rows`). region: index of the chosen one, or -1. span: the stretch marked in the
    region lane, or []. selected: index of an event, or -1. shape, length, level, peak: of the next stamp.
    """

    _esm = SCRIPT + (Path(__file__).parent / "editor.js").read_text(encoding="utf-8")
    _css = Path(__file__).parent / "editor.css"
    seconds = t.Float(1.0).tag(sync=True)
    rate = t.Float(125.0).tag(sync=True)
    wanted = t.Bytes(b"").tag(sync=True)
    predicted = t.Bytes(b"").tag(sync=True)
    achieved = t.Bytes(b"").tag(sync=True)
    stairs = t.Bytes(b"").tag(sync=True)
    strip = t.Bytes(b"").tag(sync=True)
    spectrogram = t.Bytes(b"").tag(sync=True)
    media = t.Unicode("").tag(sync=True)
    media_type = t.Unicode("").tag(sync=True)
    events: t.List = t.List().tag(sync=True)
    regions: t.List = t.List().tag(sync=True)
    region = t.Int(-1).tag(sync=True)
    span: t.List = t.List().tag(sync=True)
    selected = t.Int(-1).tag(sync=True)
    shape = t.Unicode("hit").tag(sync=True)
    length = t.Float(0.4).tag(sync=True)
    level = t.Float(0.2).tag(sync=True)
    peak = t.Float(0.5).tag(sync=True)

    def __init__(self, folder: str | Path, received: Callable[[Path], object]):
        super().__init__(folder, received)
        self._plays = 0

    def play(self, media_type: str, path: Path | None) -> None:
        """Give the player another file, or none."""
        self._plays += 1
        key = f"media {self._plays}"
        self.outgoing = {key: path} if path else {}
        with self.hold_sync():
            self.media_type = media_type
            self.media = key if path else ""


def rows(spans: Sequence[tuple[float, float]]) -> list[int]:
    """A row for each span (start, end), the first in which it lies over none of those before it."""
    taken: list[list[tuple[float, float]]] = []
    found = []
    for start, end in spans:
        free = (k for k, others in enumerate(taken) if all(end <= a or b <= start for a, b in others))
        row = next(free, len(taken))
        if row == len(taken):
            taken.append([])
        taken[row].append((start, end))
        found.append(row)
    return found


def film_strip(film: str | Path, seconds: float, count: int = 24, height: int = 48) -> bytes:
    """PNG of `count` frames side by side, each from the start of its share of the film. height: pixels."""
    info = media.probe(film)
    width = max(2, round(height * info.width / max(1, info.height)))
    # reading frame by frame skips most of a long film
    frames = [media.read_frames(film, 25, (width, height), k * seconds / count, 1 / 25)[0][0] for k in range(count)]
    return _png(np.concatenate(frames, axis=1))


def spectrogram(wave: np.ndarray, timeline: Timeline, widest: int = 6000) -> bytes:
    """PNG of the log-mel of a waveform (s,), in the colours of `figures.spectrogram`. widest: most columns."""
    hop = timeline.sound_hop
    minute = 60 * timeline.sample_rate // hop * hop
    step = -(-len(wave) // (hop * widest))
    if len(wave) <= timeline.sound_window:
        wave = np.pad(wave, (0, timeline.sound_window + hop - len(wave)))
    columns = []
    for start in range(0, len(wave) - timeline.sound_window, minute):  # the whole of a long sound needs too much memory
        part = torch.from_numpy(np.array(wave[start : start + minute], np.float32))
        part = part[: len(part) // hop * hop]
        columns.append(mel.log_mel(part, timeline.sample_rate, timeline.sound_window, hop)[::step])
    level = torch.cat(columns).T.flip(0) * 20 / np.log(10)
    return _png(plt.get_cmap("magma")(np.clip((level.numpy() + 70) / 100, 0, 1), bytes=True))


def _png(image):
    data = io.BytesIO()
    plt.imsave(data, image, format="png")
    return data.getvalue()


def preview(film: str | Path, folder: str | Path, height: int = 240, most: int = 3600) -> Path:
    """Write a small H.264 mp4 of a film that the browser cannot play, into `folder`. Returns its path.

    height: pixels. most: frames at most, as all of them are kept in memory.
    """
    info = media.probe(film)
    size = (2 * round(height * info.width / max(1, info.height) / 2), height)
    rate = max(1, int(min(15, most / info.seconds)))
    frames, _ = media.read_frames(film, rate, size, 0, info.seconds)
    wave = media.read_sound(film, 16000) if info.has_sound else None
    path = Path(folder) / "preview.mp4"
    writing.write_film(path, frames, rate, wave)
    return path


def playable(film: str | Path | None, sound: Foley | None, folder: str | Path) -> tuple[str, Path | None]:
    """Media type and file for the player. folder: where the film with its new sound is written.

    It plays the film with its new sound, or the one that is not None: the sound alone, too, where neither mp4 nor the
    film's own container can hold both. Without both, there is no type and no file.
    """
    if sound is None:
        return ("", None) if film is None else (mimetypes.guess_type(film)[0] or "video/mp4", Path(film))
    if film is not None:
        for suffix in dict.fromkeys((".mp4", Path(film).suffix)):
            path, partial = Path(folder) / f"playing{suffix}", sound.session.get("partial", False)
            with suppress(media.MediaError):
                writing.replace_sound(film, path, sound.waveform, sound.sample_rate, partial)
                return mimetypes.guess_type(path)[0] or "video/mp4", path
    path = Path(folder) / "playing.wav"
    writing.write_sound(path, sound.waveform, sound.sample_rate)
    return "audio/wav", path
