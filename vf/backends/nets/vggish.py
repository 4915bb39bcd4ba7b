"""VGGish (Hershey et al., 2017), the sound half of FAVD's embedding. Layers have the names of torchvggish's file."""

from functools import lru_cache

import numpy as np
import torch
from torch import nn
from transformers.audio_utils import mel_filter_bank

from vf.backends.tensors import build

SOURCE = "vggish-10086976.pth"
SAMPLE_RATE = 16000
WINDOW = 400
HOP = 160
FFT = 512
FRAMES = 96  # of an example
BINS = 64


@lru_cache(maxsize=1)
def mel_filters() -> torch.Tensor:
    """HTK mel filters from 125 to 7500 Hz, (257, 64): triangles of height 1 over the mel axis, not over hertz."""
    bank = mel_filter_bank(
        FFT // 2 + 1, BINS, 125, 7500, SAMPLE_RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    return torch.from_numpy(bank.astype(np.float32))


def log_mel_examples(wave: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Input of VGGish: log(mel + 0.01) in examples of 0.96 s.

    wave: (b, s) at 16 kHz. Returns (b, examples, 96, 64): magnitudes of frames of 25 ms every 10 ms under a Hann
    window, from the start of the sound, through `mel_filters`. An incomplete example at the end is dropped. Raises
    ValueError for less than one example, 15600 samples.
    """
    wave = torch.as_tensor(wave, dtype=torch.float32)
    least = (FRAMES - 1) * HOP + WINDOW
    if wave.ndim != 2 or wave.shape[-1] < least:
        raise ValueError(
            f"wave is {tuple(wave.shape)}; wanted (b, s) at 16 kHz with s at least {least}: pad it with silence"
        )
    frames = wave.unfold(-1, WINDOW, HOP) * torch.hann_window(WINDOW, device=wave.device)
    mel = torch.fft.rfft(frames, FFT).abs() @ mel_filters().to(wave.device)
    return (mel + 0.01).log().unfold(1, FRAMES, FRAMES).transpose(2, 3)


class VGGish(nn.Module):
    """Examples to embeddings of `dims` numbers. The released file has width 64, hidden 4096 and dims 128.

    AudioSet's release adds a PCA and rounds to 8 bits; Frechet distances are computed without them.
    """

    def __init__(self, width: int = 64, hidden: int = 4096, dims: int = 128):
        super().__init__()
        layers: list[nn.Module] = []
        size = 1
        for depth, convolutions in enumerate((1, 1, 2, 2)):
            for _ in range(convolutions):
                layers += [nn.Conv2d(size, width * 2**depth, 3, padding=1), nn.ReLU()]
                size = width * 2**depth
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(FRAMES // 16 * (BINS // 16) * size, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, dims),
            nn.ReLU(),
        )

    def forward(self, examples: torch.Tensor) -> torch.Tensor:
        """Embeddings of `log_mel_examples`, after the last ReLU: (..., 96, 64) -> (..., dims), at least 0."""
        maps = self.features(examples.reshape(-1, 1, FRAMES, BINS))
        vectors = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))  # TensorFlow's order: channels last
        return vectors.reshape(*examples.shape[:-2], -1)


def load(state: dict[str, torch.Tensor]) -> VGGish:
    """VGGish in eval mode from the tensors of the released file. Raises tensors.CheckpointError for others."""
    layers = ("features.0", "embeddings.0", "embeddings.4")
    return build(lambda t: VGGish(*(len(t[f"{layer}.weight"]) for layer in layers)), state, SOURCE)
