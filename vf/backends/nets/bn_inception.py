"""BN-Inception (Ioffe and Szegedy, 2015), trained on ImageNet: the paper's encoder of frames and of optical flow.

Layers, poolings and names are those of the released file (`make weights`). It was translated from Caffe: poolings
include a last window that begins inside the picture (`ceil_mode`), and colours come as blue, green, red.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vf.backends.tensors import build

SIZE = 224  # pixels of a side
MEAN = (104.0, 117.0, 128.0)  # of blue, green, red, 0 to 255
REST = 128.0  # subtracted from the levels of flow
LIMIT = 20.0  # pixels; larger flow is clipped

# channels of the branches: 1x1; 1x1 then 3x3; 1x1 then 3x3 twice; pool then 1x1
BLOCKS: dict[str, tuple] = {
    "3a": (64, (64, 64), (64, 96), 32),
    "3b": (64, (64, 96), (64, 96), 64),
    "3c": (None, (128, 160), (64, 96), None),
    "4a": (224, (64, 96), (96, 128), 128),
    "4b": (192, (96, 128), (96, 128), 128),
    "4c": (160, (128, 160), (128, 160), 128),
    "4d": (96, (128, 192), (160, 192), 128),
    "4e": (None, (128, 192), (192, 256), None),
    "5a": (352, (192, 320), (160, 224), 128),
    "5b": (352, (192, 320), (192, 224), 128),
}
MAX_POOLED = ("3c", "4e", "5b")  # the others take the average, zeros around the picture included
CLASSIFIER = ("last_linear.", "fc.")  # its names in the released file and in its source


class BNInception(nn.Module):
    """Pictures to features, 1024 each: the average over the picture before the classifier, which is left out.

    channels: of the pictures; 3 for colour, 2 for optical flow.
    """

    def __init__(self, channels: int = 3):
        super().__init__()
        self.channels = channels
        self._add("conv1_7x7_s2", channels, 64, 7, stride=2)
        self._add("conv2_3x3_reduce", 64, 64, 1)
        self._add("conv2_3x3", 64, 192, 3)
        size = 192
        for name, (single, (narrow, wide), (double_narrow, double_wide), pooled) in BLOCKS.items():
            block = f"inception_{name}"
            stride = 1 if single else 2
            if single:
                self._add(f"{block}_1x1", size, single, 1)
            self._add(f"{block}_3x3_reduce", size, narrow, 1)
            self._add(f"{block}_3x3", narrow, wide, 3, stride)
            self._add(f"{block}_double_3x3_reduce", size, double_narrow, 1)
            self._add(f"{block}_double_3x3_1", double_narrow, double_wide, 3)
            self._add(f"{block}_double_3x3_2", double_wide, double_wide, 3, stride)
            if pooled:
                self._add(f"{block}_pool_proj", size, pooled, 1)
            # a block without the outer branches halves the picture and hands its pooled input on
            size = (single or 0) + wide + double_wide + (pooled or size)

    def _add(self, name, size, width, kernel, stride=1):
        self.add_module(name, nn.Conv2d(size, width, kernel, stride, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(width))

    def _units(self, x, *names):
        for name in names:
            x = F.relu(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)), inplace=True)
        return x

    def stem(self, x: torch.Tensor) -> torch.Tensor:
        """The layers before the first block: (b, channels, h, w) -> (b, 192, h / 8, w / 8)."""
        x = F.max_pool2d(self._units(x, "conv1_7x7_s2"), 3, stride=2, ceil_mode=True)
        return F.max_pool2d(self._units(x, "conv2_3x3_reduce", "conv2_3x3"), 3, stride=2, ceil_mode=True)

    def block(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """One block of BLOCKS, its branches joined along the channels: (b, c, h, w) -> (b, d, h, w).

        Blocks 3c and 4e halve h and w.
        """
        block = f"inception_{name}"
        single, *_, pooled = BLOCKS[name]
        branches = [self._units(x, f"{block}_1x1")] if single else []
        branches.append(self._units(x, f"{block}_3x3_reduce", f"{block}_3x3"))
        branches.append(self._units(x, *(f"{block}_double_3x3_{part}" for part in ("reduce", "1", "2"))))
        if not pooled:
            branches.append(F.max_pool2d(x, 3, stride=2, ceil_mode=True))
        else:
            pool = F.max_pool2d if name in MAX_POOLED else F.avg_pool2d
            branches.append(self._units(pool(x, 3, stride=1, padding=1), f"{block}_pool_proj"))
        return torch.cat(branches, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of pictures: (b, channels, 224, 224) of `rgb_input` or `flow_input` -> (b, 1024), at least 0.

        Raises ValueError for another shape.
        """
        if x.ndim != 4 or x.shape[1:] != (self.channels, SIZE, SIZE):
            wanted = f"(b, {self.channels}, {SIZE}, {SIZE})"
            raise ValueError(
                f"pictures are {tuple(x.shape)}; wanted {wanted}: prepare them with rgb_input or flow_input"
            )
        x = self.stem(x)
        for name in BLOCKS:
            x = self.block(x, name)
        return x.mean((2, 3))


def load(state: dict[str, torch.Tensor], channels: int = 3) -> BNInception:
    """BNInception in eval mode from the tensors of the released file, without its classifier.

    channels: 3, or 2 for x and y of optical flow. With 2 the first convolution is averaged over the colours, as in the
    authors' code: x and y have the same weights, so the network sees only their sum.
    Norms are rows in that file; its copy with vectors, bn_inception-52deb4733.pth, loads as well.
    Raises tensors.CheckpointError for other tensors.
    """
    state = {name: value for name, value in state.items() if not name.startswith(CLASSIFIER)}
    first = state.get("conv1_7x7_s2.weight")
    if first is not None and first.ndim == 4 and first.shape[1] == 3 != channels:
        state["conv1_7x7_s2.weight"] = first.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    return build(lambda _: BNInception(channels), state, "BN-Inception, the file of `make weights`")


def _squash(maps):
    """Resize to 224 x 224 in whole levels, antialiased, whatever the proportions: (t, c, h, w) -> (t, c, 224, 224)."""
    return F.interpolate(maps, (SIZE, SIZE), mode="bilinear", antialias=True).round()


def rgb_input(frames: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Input of a 3-channel BNInception: uint8 (t, h, w, 3), RGB -> float (t, 3, 224, 224), BGR, 0 to 255 less MEAN.

    Raises ValueError for anything but uint8 colour frames.
    """
    frames = torch.as_tensor(frames)
    if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(
            f"frames are {frames.dtype} {tuple(frames.shape)}; wanted uint8 (t, h, w, 3): decode the film to RGB"
        )
    mean = torch.tensor(MEAN, device=frames.device)[:, None, None]
    return _squash(frames.flip(-1).permute(0, 3, 1, 2).float()) - mean


def flow_input(flow: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Input of a 2-channel BNInception: flow (t, h, w, 2) in pixels -> float (t, 2, 224, 224), -128 to 127.

    -20 to 20 pixels become whole levels 0 to 255, rounded down as in the authors' pictures. No motion is 127. Then 128
    is subtracted. Raises ValueError for another shape or for integers.
    """
    flow = torch.as_tensor(flow)
    if not flow.is_floating_point() or flow.ndim != 4 or flow.shape[-1] != 2:
        raise ValueError(f"flow is {flow.dtype} {tuple(flow.shape)}; wanted floats (t, h, w, 2): x and y in pixels")
    levels = ((flow.float().clamp(-LIMIT, LIMIT) + LIMIT) * (255 / (2 * LIMIT))).floor()
    return _squash(levels.permute(0, 3, 1, 2)) - REST
