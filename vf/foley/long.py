"""Sound longer than a clip: arrays on disk for latents and waveform, and latents of any length decoded as one stream.

Latents lie frame after frame, (l, c, g), in an array that may be mapped from disk; only `batch` windows at a time are
in memory.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from vf.data import media
from vf.models.rms2sound import RMS2Sound
from vf.models.sampler import OVERLAP
from vf.signal import windows

PIECE = 1024  # mel frames of a piece of vocoding: after so many the small vocoder's first phases begin again
SPARE = 192  # mel frames that two pieces share; the vocoder reaches no further than half of them


@torch.no_grad()
def decode(
    pipeline: RMS2Sound,
    latents: np.ndarray,
    window: int,
    batch: int = 8,
    tick: Callable[[float], object] = lambda share: None,
    finished: Iterable[int] | None = None,
) -> Iterator[np.ndarray]:
    """Latents (l, c, g), of any length -> the waveform, piece by piece: yields (s,) float32.

    finished: of `sampler.denoise`, which goes on only as far as the next piece needs; None where all latents are there.

    Windows of `window` latent frames are decoded to log-mels, which are averaged with ramps where they overlap. The
    vocoder goes over these in pieces that share frames with the next, with the same first phases, so that a short
    cross-fade joins equals. Latents of one window come out as from `pipeline.decode`.
    """
    mels, tail = None, None
    for mel, last in _mels(pipeline, latents, window, batch, tick, iter(finished or [len(latents)])):
        mels = mel if mels is None else torch.cat([mels, mel])
        while len(mels) >= PIECE + SPARE or last:
            whole = last and len(mels) <= PIECE + SPARE
            wave = pipeline.vocoder(mels[None, : PIECE + SPARE].to(pipeline.device)).float().cpu().reshape(-1)
            hop = len(wave) // min(len(mels), PIECE + SPARE)
            wave = wave[: min(len(mels), PIECE + SPARE) * hop]  # HiFi-GAN adds a few samples at the end
            if tail is not None:
                middle, width = SPARE // 2 * hop, SPARE // 12 * hop
                fade = ((torch.arange(SPARE * hop) - middle + width) / (2 * width)).clamp(0, 1)[: len(wave)]
                wave[: len(fade)] = fade * wave[: len(fade)] + (1 - fade) * tail[: len(fade)]
            if whole:
                yield wave.numpy()
                return
            yield wave[: PIECE * hop].numpy()
            mels, tail = mels[PIECE:], wave[PIECE * hop :]


def _mels(pipeline, latents, window, batch, tick, finished):
    """Log-mels of latents in order, each frame once: yields ((n, bins), whether it is the last)."""
    reached = 0
    overlap, stride = round(OVERLAP * window), pipeline.latent_stride
    begins = windows.starts(len(latents), window, overlap)
    joined = windows.CrossFade(window * stride, overlap * stride)
    for i in range(0, len(begins), batch):
        group = begins[i : i + batch]
        while reached < min(group[-1] + window, len(latents)):
            reached = next(finished)
        tick(i / len(begins))
        z = (
            torch.stack([torch.from_numpy(np.array(latents[s : s + window])) for s in group])
            .transpose(1, 2)
            .contiguous()
        )
        mels = pipeline.decode_mel(z.to(pipeline.device)).float()
        for k, s in enumerate(group):
            joined.add(s * stride, mels[k])
            last = i + k + 1 == len(begins)
            yield joined.take((s + window if last else begins[i + k + 1]) * stride), last


def scratch(shape: Sequence[int]) -> np.memmap:
    """A float32 array on disk, gone with its last reference. Raises media.MediaError where the disk is full."""
    with _temporary(f"{4 * int(np.prod(shape)) / 1e6:.1f} MB of working space") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, 4 * int(np.prod(shape)))  # else a full disk would end the process
        else:
            file.truncate(4 * int(np.prod(shape)))
        return np.memmap(file, np.float32, "r+", shape=tuple(shape))


def tape(pieces: Iterable[np.ndarray], samples: int) -> np.memmap:
    """Pieces of a waveform, each (s,), one after the other on disk, cut to `samples`: (samples,) float32."""
    left = samples
    with _temporary("the sound") as file:
        for piece in pieces:
            piece = np.ascontiguousarray(piece[:left], np.float32)
            file.write(piece.tobytes())
            left -= len(piece)
        file.flush()
        return np.memmap(file, np.float32, "c", shape=(samples,))


@contextmanager
def _temporary(what):
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        raise media.MediaError(
            f"{tempfile.gettempdir()}: no room for {what} ({error.strerror or error}); "
            "free some, or set TMPDIR to another disk"
        ) from error
