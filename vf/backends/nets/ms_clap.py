"""The sound tower of Microsoft's CLAP of 2023 (Elizalde et al.), the embedding of FAD-C, from its released file (App. C)."""

import librosa
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import ClapAudioConfig, ClapAudioModel

from vf.backends.nets.audioldm import CLAP, htsat, split_qkv
from vf.backends.tensors import build, part

SOURCE = "CLAP_weights_2023.pth"
SAMPLE_RATE, WINDOW, HOP, BINS, LOWEST, HIGHEST = 44100, 1024, 320, 64, 50.0, 8000.0
SECONDS = 7  # of a chunk; one begins every second, as in fadtk's `clap-2023`
HTSAT = "audio_encoder.base.htsat."
PROJECTION = [(r"^audio_encoder\.projection\.", "projection.")]


class Projection(nn.Module):
    """linear2(gelu(linear1(x))) added to linear1(x), then a layer norm; no biases in the linear layers."""

    def __init__(self, size, dims):
        super().__init__()
        self.linear1 = nn.Linear(size, dims, bias=False)
        self.linear2 = nn.Linear(dims, dims, bias=False)
        self.layer_norm = nn.LayerNorm(dims)

    def forward(self, x):
        """(b, size) -> (b, dims)."""
        first = self.linear1(x)
        return self.layer_norm(first + self.linear2(F.gelu(first)))


class SoundTower(nn.Module):
    """HTSAT and its projection. config: transformers' ClapAudioConfig; dims: of the embedding, 1024 in the file."""

    def __init__(self, config, dims):
        super().__init__()
        self.htsat = ClapAudioModel(config)
        self.projection = Projection(config.hidden_size, dims)

    def forward(self, mels):
        """Log-mels of `log_mel`, (b, frames, 64) -> embeddings (b, dims), not normalised."""
        return self.projection(self.htsat(mels[:, None]).pooler_output)


def load(state):
    """SoundTower in eval mode from the tensors under `model` in the released file; the tower of texts is left out.

    Raises tensors.CheckpointError for other names or shapes.
    """
    # under LAION's names, so that one set of rules serves both HTSATs
    branch = {f"{n.replace(HTSAT, 'htsat.audio_branch.')}": t for n, t in state.items() if n.startswith(HTSAT)}
    tensors = {f"htsat.{n.removeprefix('audio_model.')}": t for n, t in split_qkv(part(branch, "htsat.", CLAP)).items()}
    sound = {n: t for n, t in state.items() if n.startswith("audio_encoder.") and not n.startswith(HTSAT)}
    return build(_tower, tensors | part(sound, "", PROJECTION), SOURCE)


def _tower(tensors):
    config = ClapAudioConfig(**htsat(tensors, "htsat.audio_encoder."))
    return SoundTower(config, len(tensors["projection.linear1.weight"]))


def log_mel(wave):
    """Log-mel in decibels of sound at 44.1 kHz, as librosa makes it: (s,) -> (s // 320 + 1, 64), at least -100."""
    power = librosa.feature.melspectrogram(
        y=wave, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BINS, fmin=LOWEST, fmax=HIGHEST, pad_mode="reflect"
    )
    return librosa.power_to_db(power, top_db=None).T.astype(np.float32)


@torch.no_grad()
def embed(network, waves, rate):
    """Sounds (b, s) at `rate` -> (b, w, dims): of each 7 s that begin at a whole second, zeros behind the end."""
    device, rows = next(network.parameters()).device, []
    for wave in np.asarray(waves, np.float32):
        wave = (
            librosa.resample(wave, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="polyphase")
            if rate != SAMPLE_RATE
            else wave
        )
        # a second that holds no sample of the sound gives no chunk
        starts = range(0, len(wave), SAMPLE_RATE)
        padded = np.pad(wave, (0, SECONDS * SAMPLE_RATE))
        mels = np.stack([log_mel(padded[s : s + SECONDS * SAMPLE_RATE]) for s in starts])
        rows.append(torch.cat([network(m[None].to(device)) for m in torch.from_numpy(mels)]).float().cpu().numpy())
    return np.stack(rows)
