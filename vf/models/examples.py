"""What RMS-ControlNet learns from (section 2.2), and the prompts and true curves of the tables (section 3.2)."""

import hashlib
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from vf.data import clips, columns
from vf.data.clips import ClipSet
from vf.models.rms2sound import RMS2Sound
from vf.signal import checkpoint, fit, mel, rms
from vf.signal.timeline import Timeline


class Live:
    """An array whose rows are computed each time they are read. row: computes the row of an index. count: of rows."""

    def __init__(self, row: Callable[[int], np.ndarray], count: int):
        self.row = row
        self.shape = (count, *np.shape(row(0)))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        return self.row(int(index))


def measure(pipeline: RMS2Sound, waves: np.ndarray, timeline: Timeline) -> list[np.ndarray]:
    """Latents (b, c, l, g), CLAP vectors (b, e) and RMS curves (b, n) of waveforms (b, s), all float32."""
    audio = torch.as_tensor(np.asarray(waves, np.float32))
    latents = pipeline.encode(audio)
    timbres = pipeline.encode_prompt(audio=audio)
    curves = rms.rms_curve(audio, timeline.sound_window, timeline.sound_hop)
    return [tensor.float().cpu().numpy() for tensor in (latents, timbres, curves)]


def examples(
    pipeline: RMS2Sound,
    sounds: ClipSet,
    among: Sequence[int],
    timeline: Timeline,
    folder: str | Path | None = None,
    batch: int = 32,
    size: int = 256,
) -> list:
    """Latents, timbres and curves of sounds, for `rms2sound.train_controlnet`: three array-likes with a row a sound.

    among: indices of the sounds. folder: where the rows are kept, in a folder by their `key`; others there, of other
    sounds or weights, are removed. They are embedded `batch` at a time and kept by `columns.table`, `size` to a shard.
    Without a folder, each row is computed whenever it is read.
    """
    names = ("latents", "timbres", "curves")
    if folder is None:

        @lru_cache(size)
        def row(i):  # its three columns are read one after the other
            return [values[0] for values in measure(pipeline, sounds.wave([among[i]]), timeline)]

        def column(k):
            return Live(lambda i: row(i)[k], len(among))

        return [column(k) for k in range(3)]
    kept = Path(folder) / key(pipeline, sounds, among, timeline) / str(size)
    if fit.is_main():
        for old in Path(folder).glob("[0-9a-f]" * 16):
            if old != kept.parent:
                shutil.rmtree(old)

    def compute(rows):
        chosen = among[rows.start : rows.stop]
        pieces = [measure(pipeline, sounds.wave(chosen[i : i + batch]), timeline) for i in range(0, len(chosen), batch)]
        return dict(zip(names, (np.concatenate(column) for column in zip(*pieces))))

    found = columns.table(len(among), compute, kept, size, "latents")
    return [found[name] for name in names]


def key(pipeline: RMS2Sound, sounds: ClipSet, among: Sequence[int], timeline: Timeline) -> str:
    """Tells arrays of `examples` apart by all that they depend on, so that another learning rate embeds nothing again.

    That is the weights of VAE and CLAP, what computes with them, the sounds and the window of the curves. Sounds on
    disk are told apart by size and time, as reading them would take as long as embedding them on a fast GPU.
    """
    vae, rate = pipeline.vae.config, pipeline.vocoder.config.sampling_rate
    scale = [vae.scaling_factor, vae.latents_mean, vae.latents_std]
    parts = [sys.modules[type(x).__module__] for x in (pipeline, pipeline.clap, pipeline.feature_extractor)]
    own = {m.__name__: m for m in (mel, rms, *parts) if m.__name__.startswith("vf.")}
    file = getattr(sounds.waves, "filename", None)
    waves = [os.path.getsize(file), os.stat(file).st_mtime_ns] if file else np.asarray(sounds.waves)
    total = hashlib.sha256(checkpoint.digest(pipeline.vae, pipeline.clap).encode())
    for value in (scale, rate, [inspect.getsource(own[name]) for name in sorted(own)], waves, list(among)):
        total.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    total.update(repr((timeline.sound_window, timeline.sound_hop)).encode())
    return total.hexdigest()[:16]


def prompts(films: ClipSet) -> dict[str, dict]:
    """Both prompts of every clip, as keywords of the sampler (section 3.2).

    Audio is the clip's own sound, silent before its first event. Text comes from the annotations. Returns {"audio":
    {"audio": (b, s)}, "text": {"prompts": b texts}}.
    """
    muted = [clips.mute_before_onset(films.wave(i), c.events, films.sample_rate) for i, c in enumerate(films.clips)]
    return {"audio": {"audio": np.stack(muted)}, "text": {"prompts": [c.caption for c in films.clips]}}


def true_curves(waves: ArrayLike, timeline: Timeline) -> tuple[torch.Tensor, torch.Tensor]:
    """Sounds (b, s), padded to the length that RMS2Sound makes, and their curves (App. B.2).

    Returns ((b, sound_samples), (b, sound_rms_frames)).
    """
    padded = torch.nn.functional.pad(torch.as_tensor(waves), (0, timeline.sound_samples - timeline.samples))
    return padded, rms.rms_curve(padded, timeline.sound_window, timeline.sound_hop)
