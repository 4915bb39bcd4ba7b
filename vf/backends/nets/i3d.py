"""Inception I3D (Carreira and Zisserman, 2017), the picture half of FAVD's embedding. Weights are pytorch-i3d's."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vf.backends.tensors import build

# channels of the branches: 1x1, 1x1 then 3x3, 1x1 then 3x3, pool then 1x1
MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
# kernel and stride of the pooling before a block
POOLS = {"3b": ((1, 3, 3), (1, 2, 2)), "4b": ((3, 3, 3), (2, 2, 2)), "5b": ((2, 2, 2), (2, 2, 2))}


def pad_same(x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """TensorFlow's SAME padding: zeros around the last three axes of x, so that size n gives ceil(n / stride).

    Where the number of zeros is odd, the end gets one more. kernel, stride: of the three axes.
    """
    pads: list[int] = []
    for size, k, s in zip(x.shape[-3:], kernel, stride):
        total = max(k - (size % s or s), 0)
        pads = [total // 2, total - total // 2, *pads]  # F.pad begins with the last axis
    return F.pad(x, pads)


def max_pool(x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """Maximum pooling with SAME padding. The zeros at the edge do not matter, because x comes out of a ReLU."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


class _Unit(nn.Module):
    def __init__(self, size, width, kernel, stride=1):
        super().__init__()
        self.conv3d = nn.Conv3d(size, width, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(width, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv3d(pad_same(x, self.conv3d.kernel_size, self.conv3d.stride))))


class _Mixed(nn.Module):
    def __init__(self, size, widths):
        super().__init__()
        self.b0 = _Unit(size, widths[0], 1)
        self.b1a = _Unit(size, widths[1], 1)
        self.b1b = _Unit(widths[1], widths[2], 3)
        self.b2a = _Unit(size, widths[3], 1)
        self.b2b = _Unit(widths[3], widths[4], 3)
        self.b3b = _Unit(size, widths[5], 1)

    def forward(self, x):
        pooled = max_pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3D(nn.Module):
    """Film to one vector of 16 * width numbers. The released file has width 64, so 1024 numbers.

    `logits`, the classifier of Kinetics' classes, is loaded but not used.
    """

    def __init__(self, width: int = 64, classes: int = 400):
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(3, width, 7, 2)
        self.Conv3d_2b_1x1 = _Unit(width, width, 1)
        self.Conv3d_2c_3x3 = _Unit(width, 3 * width, 3)
        size = 3 * width
        for name, full_widths in MIXED.items():
            widths = [w * width // 64 for w in full_widths]
            self.add_module(f"Mixed_{name}", _Mixed(size, widths))
            size = widths[0] + widths[2] + widths[4] + widths[5]
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(size, classes, 1)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors of films: pictures (b, 3, t, h, w) in [-1, 1], made for h = w = 224 -> (b, 16 * width).

        Averages over the picture and over pairs of neighbours in time, as before the logits, then over time.
        Raises ValueError for fewer than 9 frames, which leave no pair.
        """
        if x.ndim != 5 or x.shape[1] != 3 or x.shape[2] < 9:
            raise ValueError(
                f"pictures are {tuple(x.shape)}; wanted (b, 3, t, h, w) of at least 9 frames: pass a longer window"
            )
        x = max_pool(self.Conv3d_1a_7x7(x), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in MIXED:
            if name in POOLS:
                x = max_pool(x, *POOLS[name])
            x = self.get_submodule(f"Mixed_{name}")(x)
        x = x.mean((3, 4))
        return (x[..., 1:] + x[..., :-1]).mean(2) / 2


def frames_input(frames: np.ndarray | torch.Tensor, size: int = 224) -> torch.Tensor:
    """Input of I3D: uint8 (t, h, w, 3) -> (1, 3, t, size, size) in [-1, 1].

    The shorter side is resized to size * 8 / 7 (256), bilinearly with antialiasing, in whole levels. Then the middle is
    cut out. Raises ValueError for anything but uint8 colour frames.
    """
    frames = torch.as_tensor(frames)
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(
            f"frames are {frames.dtype} {tuple(frames.shape)}; wanted uint8 (t, h, w, 3): decode the film to RGB"
        )
    height, width = frames.shape[1:3]
    short = size * 8 // 7
    target = tuple(short * side // min(height, width) for side in (height, width))
    top = (target[0] - size) // 2
    left = (target[1] - size) // 2
    parts = []
    for piece in frames.split(32):  # a whole film at full size, in floats, would not fit into memory
        piece = piece.permute(0, 3, 1, 2).float()
        if target != (height, width):
            piece = F.interpolate(piece, target, mode="bilinear", antialias=True).round()
        parts.append(piece[..., top : top + size, left : left + size])
    return (torch.cat(parts).transpose(0, 1)[None] * 2 / 255 - 1).contiguous()


def load(state: dict[str, torch.Tensor]) -> I3D:
    """I3D in eval mode from the tensors of the released file. Raises tensors.CheckpointError for others."""
    layers = ("Conv3d_1a_7x7", "logits")
    return build(lambda t: I3D(*(len(t[f"{layer}.conv3d.weight"]) for layer in layers)), state, "rgb_imagenet.pt")
