"""PANNs' Wavegram-Logmel-CNN14 (Kong et al., 2020), the embedding of FAD-P. Layers have the released file's names."""

import torch
import torch.nn.functional as F
from torch import nn

from vf.backends.tensors import build
from vf.signal.mel import mel_filters

SOURCE = "Wavegram_Logmel_Cnn14_mAP=0.439.pth"
SAMPLE_RATE = 32000
WINDOW = 1024
HOP = 320
MEL = (SAMPLE_RATE, WINDOW, 64, 50.0, 14000.0)
MEL_FILTERS = "logmel_extractor.melW"
# filters that the file stores and `log_mel` computes
STORED = ("spectrogram_extractor.stft.conv_real.weight", "spectrogram_extractor.stft.conv_imag.weight", MEL_FILTERS)


def log_mel(x: torch.Tensor) -> torch.Tensor:
    """Log-mel spectrogram in decibels: waveforms at 32 kHz, (b, s) -> (b, s // 320 + 1, 64), at least -100.

    Power of centred frames under a Hann window, reflected at the ends, through Slaney filters from 50 Hz to 14 kHz.
    The paper of PANNs says Hamming, but the released filters are Hann.
    """
    window = torch.hann_window(WINDOW, device=x.device)
    spectrum = torch.stft(x, WINDOW, HOP, window=window, pad_mode="reflect", return_complex=True)
    mel = mel_filters(*MEL).to(x) @ spectrum.abs().square()
    return 10 * mel.clamp(min=1e-10).log10().transpose(1, 2)


class _WaveBlock(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.conv1 = nn.Conv1d(size, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=2, dilation=2, bias=False)
        self.bn2 = nn.BatchNorm1d(width)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return F.max_pool1d(F.relu(self.bn2(self.conv2(x))), 4)


class _Block(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.conv1 = nn.Conv2d(size, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x, pool):
        x = F.relu(self.bn1(self.conv1(x)))
        return F.avg_pool2d(F.relu(self.bn2(self.conv2(x))), pool)


class WavegramLogmelCnn14(nn.Module):
    """Waveforms to embeddings of 32 * width numbers. The released file has width 64, so 2048 numbers.

    The wavegram is a spectrogram learnt by a 1-d network. Its 2 * width channels, 100 a second, are reshaped to
    width / 16 maps of 32 frequencies and joined with the maps of the log-mel. `fc_audioset`, the classifier of
    AudioSet's classes, is loaded but not used.
    """

    def __init__(self, width: int = 64, classes: int = 527):
        super().__init__()
        self.pre_conv0 = nn.Conv1d(1, width, 11, stride=5, padding=5, bias=False)
        self.pre_bn0 = nn.BatchNorm1d(width)
        self.pre_block1 = _WaveBlock(width, width)
        self.pre_block2 = _WaveBlock(width, 2 * width)
        self.pre_block3 = _WaveBlock(2 * width, 2 * width)
        self.pre_block4 = _Block(width // 16, width)
        self.bn0 = nn.BatchNorm2d(64)
        self.conv_block1 = _Block(1, width)
        self.conv_block2 = _Block(2 * width, 2 * width)
        self.conv_block3 = _Block(2 * width, 4 * width)
        self.conv_block4 = _Block(4 * width, 8 * width)
        self.conv_block5 = _Block(8 * width, 16 * width)
        self.conv_block6 = _Block(16 * width, 32 * width)
        self.fc1 = nn.Linear(32 * width, 32 * width)
        self.fc_audioset = nn.Linear(32 * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One embedding per waveform, of any length: (b, s) at 32 kHz -> (b, 32 * width), at least 0.

        It is the layer before the classifier, after its ReLU. Raises ValueError where the two halves of the network
        would differ in frames (s % 640 from 320 to 635) or no frame would be left (s < 10236).
        """
        frames = -(-x.shape[-1] // 5) // 128
        if x.ndim != 2 or frames < 16 or frames != (x.shape[-1] // HOP + 1) // 2:
            raise ValueError(
                f"waveforms are {tuple(x.shape)}; wanted (b, s) with s whole times 640 (20 ms at 32 kHz), "
                "at least 10240: cut or pad them"
            )
        x = torch.cat([self._spectral(x), self._wavegram(x)], 1)
        for block in (self.conv_block2, self.conv_block3, self.conv_block4, self.conv_block5):
            x = block(x, 2)
        x = self.conv_block6(x, 1).mean(3)
        return F.relu(self.fc1(x.amax(2) + x.mean(2)))

    def _wavegram(self, x):
        x = F.relu(self.pre_bn0(self.pre_conv0(x[:, None])))
        x = self.pre_block3(self.pre_block2(self.pre_block1(x)))
        return self.pre_block4(x.unflatten(1, (-1, 32)).transpose(2, 3), (2, 1))

    def _spectral(self, x):
        x = self.bn0(log_mel(x)[..., None].transpose(1, 2))  # one scale for each mel bin
        return self.conv_block1(x.permute(0, 3, 2, 1), 2)


def load(state: dict[str, torch.Tensor]) -> WavegramLogmelCnn14:
    """WavegramLogmelCnn14 in eval mode from {name: tensor}, as under `model` in the released file.

    The Fourier and mel filters of the file are left out, because `log_mel` computes them. Raises
    tensors.CheckpointError for other tensors, ValueError where the stored mel filters are not those of `log_mel`.
    """
    stored = state.get(MEL_FILTERS)
    if stored is not None and not (
        stored.shape == (WINDOW // 2 + 1, 64) and torch.allclose(stored.float().T, mel_filters(*MEL), atol=1e-5)
    ):
        raise ValueError(
            f"{MEL_FILTERS} {tuple(stored.shape)} is not 64 bins, 50 Hz to 14 kHz, at 32 kHz: check which file it is"
        )
    tensors = {name: tensor for name, tensor in state.items() if name not in STORED}
    layers = ("conv_block1.conv1", "fc_audioset")
    return build(lambda t: WavegramLogmelCnn14(*(len(t[f"{layer}.weight"]) for layer in layers)), tensors, SOURCE)
