"""The audio tower of Microsoft's CLAP of 2023 (Elizalde et al.), the embedding of FAD-C (App. C)."""

import librosa
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import ClapAudioConfig, ClapAudioModel

from vf.backends.nets.audioldm import CLAP, htsat, split_qkv
from vf.backends.tensors import build, part

SOURCE = "CLAP_weights_2023.pth"
SAMPLE_RATE = 44100
WINDOW = 1024
HOP = 320
BINS = 64
LOWEST = 50.0  # Hz
HIGHEST = 8000.0  # Hz
SECONDS = 7  # of a chunk; one begins every second, as in fadtk's `clap-2023`
HTSAT = "audio_encoder.base.htsat."
PROJECTION: list[tuple] = [(r"^audio_encoder\.projection\.", "projection.")]


class Projection(nn.Module):
    """linear1(x) + linear2(gelu(linear1(x))), then a layer norm. The linear layers have no biases."""

    def __init__(self, size: int, dims: int):
        super().__init__()
        self.linear1 = nn.Linear(size, dims, bias=False)
        self.linear2 = nn.Linear(dims, dims, bias=False)
        self.layer_norm = nn.LayerNorm(dims)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, size) -> (b, dims)."""
        first = self.linear1(x)
        return self.layer_norm(first + self.linear2(F.gelu(first)))


class SoundTower(nn.Module):
    """HTSAT and its projection. config: of the HTSAT. dims: of the embedding, 1024 in the released file."""

    def __init__(self, config: ClapAudioConfig, dims: int):
        super().__init__()
        self.htsat = ClapAudioModel(config)
        self.projection = Projection(config.hidden_size, dims)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Embeddings of `log_mel` (b, frames, 64): (b, dims), not normalised."""
        return self.projection(self.htsat(mels[:, None]).pooler_output)


def load(state: dict[str, torch.Tensor]) -> SoundTower:
    """SoundTower in eval mode from the tensors under `model` in the released file, without the text tower.

    Raises tensors.CheckpointError for other names or shapes.
    """
    # under LAION's names, so that one set of rules serves both HTSATs
    branch = {n.replace(HTSAT, "htsat.audio_branch."): t for n, t in state.items() if n.startswith(HTSAT)}
    renamed = split_qkv(part(branch, "htsat.", CLAP))
    tensors = {f"htsat.{n.removeprefix('audio_model.')}": t for n, t in renamed.items()}
    sound = {n: t for n, t in state.items() if n.startswith("audio_encoder.") and not n.startswith(HTSAT)}
    return build(_tower, tensors | part(sound, "", PROJECTION), SOURCE)


def _tower(tensors):
    config = ClapAudioConfig(**htsat(tensors, "htsat.audio_encoder."))
    return SoundTower(config, len(tensors["projection.linear1.weight"]))


def log_mel(wave: np.ndarray) -> np.ndarray:
    """librosa's log-mel of sound at 44.1 kHz: (s,) -> (s // 320 + 1, 64) float32, in decibels, at least -100."""
    power = librosa.feature.melspectrogram(
        y=wave, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BINS, fmin=LOWEST, fmax=HIGHEST, pad_mode="reflect"
    )
    return librosa.power_to_db(power, top_db=None).T.astype(np.float32)


@torch.no_grad()
def embed(network: SoundTower, waves: np.ndarray, rate: int) -> np.ndarray:
    """Embeddings of chunks of sounds: (b, s) at `rate` -> (b, w, dims) float32.

    A chunk of 7 s begins at each whole second within the sound. Zeros follow the end of the sound.
    """
    device = next(network.parameters()).device
    rows = []
    for wave in np.asarray(waves, np.float32):
        if rate != SAMPLE_RATE:
            wave = librosa.resample(wave, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="polyphase")
        starts = range(0, len(wave), SAMPLE_RATE)
        padded = np.pad(wave, (0, SECONDS * SAMPLE_RATE))
        mels = np.stack([log_mel(padded[s : s + SECONDS * SAMPLE_RATE]) for s in starts])
        rows.append(torch.cat([network(m[None].to(device)) for m in torch.from_numpy(mels)]).float().cpu().numpy())
    return np.stack(rows)
