"""The studio's drawing surface: what editor.js shows, and the pictures and films it is given."""

import io
import mimetypes
import tempfile
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch
import traitlets as t

from vf.data import media, writing
from vf.signal import mel


class Editor(anywidget.AnyWidget):
    """The drawing surface (editor.js): what it shows. It sends {do: a method of Studio, ...its keywords} back.

    Curves are float32 bytes, `rate` values a second. strip, spectrogram: images over the whole film. media: the film that
    the player plays. regions: dicts of start, end, label. span: the stretch marked in the region lane, [] without one.
    """

    _esm = Path(__file__).parent / "editor.js"
    _css = Path(__file__).parent / "editor.css"
    seconds, rate = t.Float(1.0).tag(sync=True), t.Float(125.0).tag(sync=True)
    wanted, predicted = t.Bytes(b"").tag(sync=True), t.Bytes(b"").tag(sync=True)
    achieved, stairs = t.Bytes(b"").tag(sync=True), t.Bytes(b"").tag(sync=True)
    strip, spectrogram = t.Bytes(b"").tag(sync=True), t.Bytes(b"").tag(sync=True)
    media, media_type = t.Bytes(b"").tag(sync=True), t.Unicode("").tag(sync=True)
    events, regions, span = t.List().tag(sync=True), t.List().tag(sync=True), t.List().tag(sync=True)
    selected, shape = t.Int(-1).tag(sync=True), t.Unicode("hit").tag(sync=True)
    length, level, peak = t.Float(0.4).tag(sync=True), t.Float(0.2).tag(sync=True), t.Float(0.5).tag(sync=True)


def film_strip(film, seconds, count=24, height=48):
    """PNG of `count` frames of a film side by side, each the one at the start of its share of the time."""
    seen = media.probe(film)
    width = max(2, round(height * seen.width / max(1, seen.height)))
    # one by one, as most of a long film then need not be decoded
    frames = [media.read_frames(film, 25, (width, height), k * seconds / count, 1 / 25)[0][0] for k in range(count)]
    return _png(np.concatenate(frames, axis=1))


def spectrogram(wave, timeline, widest=6000):
    """PNG of a waveform's log-mel (s,), the colours of `figures.spectrogram`. widest: columns at most."""
    hop, piece = timeline.sound_hop, 60 * timeline.sample_rate // timeline.sound_hop * timeline.sound_hop
    step, columns = -(-len(wave) // (hop * widest)), []
    for start in range(0, len(wave) - timeline.sound_window, piece):  # a long sound's spectrum would not fit into memory
        part = torch.from_numpy(np.array(wave[start : start + piece], np.float32))
        columns.append(mel.log_mel(part[: len(part) // hop * hop], timeline.sample_rate, timeline.sound_window, hop)[::step])
    level = torch.cat(columns).T.flip(0) * 20 / np.log(10)
    return _png(plt.get_cmap("magma")(np.clip((level.numpy() + 70) / 100, 0, 1), bytes=True))


def _png(image):
    data = io.BytesIO()
    plt.imsave(data, image, format="png")
    return data.getvalue()


def preview(film, folder, height=240, most=3600):
    """A small H.264 mp4, in `folder`, of a film that a browser cannot play itself: its path. most: frames kept in memory."""
    seen = media.probe(film)
    size = 2 * round(height * seen.width / max(1, seen.height) / 2), height
    rate = max(1, int(min(15, most / seen.seconds)))
    frames, _ = media.read_frames(film, rate, size, 0, seen.seconds)
    wave = media.read_sound(film, 16000) if seen.has_sound else None
    path = Path(folder) / "preview.mp4"
    writing.write_film(path, frames, rate, wave)
    return path


def playable(film, made):
    """(type, bytes) for the player: the film with its new sound, the sound alone, or, without `made`, the film as it is."""
    if made is None:
        return (mimetypes.guess_type(film)[0] or "video/mp4", Path(film).read_bytes()) if film else ("", b"")
    data = io.BytesIO()
    if not film:
        soundfile.write(data, made.waveform, made.sample_rate, format="wav")
        return "audio/wav", data.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        writing.replace_sound(film, Path(folder) / "film.mp4", made.waveform, made.sample_rate)
        return "video/mp4", (Path(folder) / "film.mp4").read_bytes()
