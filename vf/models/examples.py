"""What RMS-ControlNet learns from (section 2.2), and what it is asked for in the tables (section 3.2): prompts and true curves."""

from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from vf.data import clips, files
from vf.signal import rms


class Live:
    """Rows that are computed whenever they are asked for. row: function of an index; count: how many there are."""

    def __init__(self, row, count):
        self.row, self.shape = row, (count, *np.shape(row(0)))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        return self.row(int(index))


def measure(pipeline, waves, timeline):
    """Latents (b, c, l, g), CLAP vectors (b, e) and curves (b, n) of waveforms (b, s), float32 numpy."""
    waves = torch.as_tensor(np.asarray(waves, np.float32))
    curves = rms.rms_curve(waves, timeline.sound_window, timeline.sound_hop)
    return [x.float().cpu().numpy() for x in (pipeline.encode(waves), pipeline.encode_prompt(audio=waves), curves)]


def examples(pipeline, sounds, among, timeline, folder=None, batch=32):
    """Latents, timbres and curves of sounds, for `rms2sound.train_controlnet`.

    sounds: clips.ClipSet. among: indices of the sounds wanted. folder: where they are kept on disk, written `batch` at a
    time; what an earlier call left there is taken on. Without it every row is computed when it is read.
    Returns three array-likes with one row a sound.
    """
    if folder is None:
        return [Live(lambda i, k=k: measure(pipeline, sounds.wave([among[i]]), timeline)[k][0], len(among)) for k in range(3)]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    progress, stores = folder / "done.txt", None
    done = int(progress.read_text()) if progress.exists() else 0
    paths = [folder / f"{name}.npy" for name in ("latents", "timbres", "curves")]
    for i in tqdm(range(done, len(among), batch), desc="latents", mininterval=2.0):
        rows = measure(pipeline, sounds.wave(among[i : i + batch]), timeline)
        if stores is None:
            mode = "r+" if done else "w+"
            stores = [np.lib.format.open_memmap(p, mode, r.dtype, (len(among), *r.shape[1:])) for p, r in zip(paths, rows)]
        for store, row in zip(stores, rows):
            store[i : i + len(row)] = row
            store.flush()
        files.write_text(progress, str(i + len(rows[0])))
    return [np.load(p, mmap_mode="r") for p in paths]


def prompts(films):
    """Both prompts of every clip, as keywords of the sampler: {"audio": {"audio": (b, s)}, "text": {"prompts": b texts}}.

    films: clips.ClipSet. Audio is the clip's own sound, silent before its first event; text comes from the annotations (section 3.2).
    """
    heard = [clips.mute_before_onset(films.wave(i), c.events, films.sample_rate) for i, c in enumerate(films.clips)]
    return {"audio": {"audio": np.stack(heard)}, "text": {"prompts": [c.caption for c in films.clips]}}


def true_curves(waves, timeline):
    """Sounds as long as RMS2Sound makes them, and their curves (App. B.2): (b, s) -> ((b, sound_samples), (b, sound_rms_frames))."""
    padded = torch.nn.functional.pad(torch.as_tensor(waves), (0, timeline.sound_samples - timeline.samples))
    return padded, rms.rms_curve(padded, timeline.sound_window, timeline.sound_hop)
