"""Video2Onset: the onset detector that the paper compares with, R(2+1)D on RGB at 15 fps (App. B.1, E.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models import ModelMixin
from torch import nn
from torchvision.models.video.resnet import BasicBlock
from tqdm.auto import tqdm

from vf.signal import fit

FPS = 15


class FactoredConvolution(nn.Sequential):
    """R(2+1)D's convolution: over space, a ReLU, then over time.

    channels, middle, out: of its input, between the two, and of its output. stride: over space. Over time the stride is
    1, unlike torchvision's, because every frame is classified.
    """

    def __init__(self, channels: int, out: int, middle: int, stride: int = 1):
        super().__init__(
            nn.Conv3d(channels, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, out, (3, 1, 1), padding=(1, 0, 0), bias=False),
        )

    @staticmethod
    def get_downsample_stride(stride: int) -> tuple[int, int, int]:
        """Stride of a block's shortcut over time, height and width. torchvision's blocks call it by this name."""
        return 1, stride, stride


class Video2Onset(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers declares config_name in both
    """R(2+1)D-18 without stride over time, then an MLP that gives each frame the logit of an onset.

    width: channels of the first stage, 64 in R(2+1)D-18; each later stage has twice as many.
    """

    @register_to_config
    def __init__(self, width: int = 64):
        super().__init__()
        middle = max(1, round(width * 45 / 64))  # R(2+1)D's own share: 45 channels for 64
        layers: list[nn.Module] = [
            nn.Conv3d(3, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
        for stage in range(4):
            out = width * 2**stage
            stride = 2 if stage else 1
            shortcut = None
            if stage:
                convolution = nn.Conv3d(channels, out, 1, (1, stride, stride), bias=False)
                shortcut = nn.Sequential(convolution, nn.BatchNorm3d(out))
            layers.append(BasicBlock(channels, out, FactoredConvolution, stride, shortcut))
            layers.append(BasicBlock(out, out, FactoredConvolution))
            channels = out
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(channels, channels // 2), nn.ReLU(), nn.Linear(channels // 2, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Logits of an onset in each frame, (b, t), from frames (b, t, h, w, 3) uint8."""
        x = (frames.permute(0, 4, 1, 2, 3).float() / 255 - 0.45) / 0.225
        return self.head(self.layers(x).mean((3, 4)).transpose(1, 2))[..., 0]


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of Video2Onset; `onset_baseline.train` of params.yaml has these keys. seconds: length of a sample."""

    seconds: float = 2.0


def train(model: Video2Onset, frames: np.ndarray, labels: np.ndarray, among: Sequence[int], options: Options) -> list:
    """Train Video2Onset with binary cross entropy on random stretches of the films. Returns the loss of every step.

    frames: (clips, t, h, w, 3) uint8 at 15 fps, perhaps mapped from disk. labels: (clips, t), 0 or 1. among: indices of
    the training clips.
    """
    targets = torch.as_tensor(labels)
    length = min(round(options.seconds * FPS), frames.shape[1])

    def loss(generator, part):
        clips = [among[i] for i in torch.randint(len(among), (options.batch,), generator=generator).tolist()]
        starts = torch.randint(frames.shape[1] - length + 1, (options.batch,), generator=generator).tolist()
        clips, starts = part.rows(clips), part.rows(starts)
        x = torch.stack([torch.from_numpy(frames[i, s : s + length].copy()) for i, s in zip(clips, starts)])
        target = torch.stack([targets[i, s : s + length] for i, s in zip(clips, starts)])
        return F.binary_cross_entropy_with_logits(model(x.to(model.device)), target.to(model.device))

    return fit.fit(model, loss, options, label="Video2Onset")


@torch.no_grad()
def predict(model: Video2Onset, frames: np.ndarray, batch: int = 4) -> torch.Tensor:
    """Probability of an onset in each frame, (clips, t). frames: (clips, t, h, w, 3) uint8."""
    model.eval()
    parts = []
    for i in tqdm(range(0, len(frames), batch), desc="Video2Onset predicts", mininterval=2.0):
        parts.append(model(torch.from_numpy(frames[i : i + batch].copy()).to(model.device)).sigmoid().cpu())
    return torch.cat(parts)
