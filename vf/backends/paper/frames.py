"""Features of each video frame in the paper profile: BN-Inception of the picture and of its optical flow (App. B.1).

Optical flow is by RAFT-large at 344 x 256. A frame has 1024 features of its picture and 1024 of its flow.

The authors' code differs in two ways. It takes the flow between neighbouring frames at 30 fps. In a film converted from
25 fps every sixth pair shows the same picture, and its flow is zero; here flow goes to the next distinct picture.
It also starts the pictures one frame late and ends with a row of zeros (`in_authors_order`); here row k is of frame k,
and the last frame has zero flow.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.models.optical_flow import RAFT, raft_large

from vf.backends import weights as released
from vf.backends.nets import bn_inception, i3d
from vf.backends.tensors import build, read

SIZE = (344, 256)  # width, height; the limit of 20 pixels of flow is for this size
KINDS = ("rgb", "flow")
# input of I3D: stacks of 24 frames at 25 fps, 0.96 s, as long as VGGish's windows
STACK = 24
RATE = 25


class Networks(NamedTuple):
    """BN-Inception for colour and for flow, and RAFT, frozen and on one device. None where a network is not needed."""

    rgb: nn.Module | None
    flow: nn.Module | None
    raft: nn.Module | None


def load_raft(state: dict[str, torch.Tensor]) -> RAFT:
    """RAFT-large in eval mode from the tensors of torchvision's file (raft_large_C_T_SKHT_V2-ff5fadd5.pth).

    Raises tensors.CheckpointError for other tensors.
    """
    return build(lambda _: raft_large(weights=None), state, "torchvision's RAFT-large")


def load(
    inception: dict[str, torch.Tensor],
    raft: dict[str, torch.Tensor] | None = None,
    kinds: Sequence[str] = KINDS,
    device: str | torch.device = "cpu",
) -> Networks:
    """Networks from the tensors of the released files of BN-Inception and RAFT, frozen, on a device.

    raft: needed only where `kinds` has "flow". Raises ValueError for other names or shapes.
    """

    def frozen(network):
        return network.requires_grad_(False).to(device)

    rgb = frozen(bn_inception.load(inception, 3)) if "rgb" in kinds else None
    if "flow" not in kinds:
        return Networks(rgb, None, None)
    return Networks(rgb, frozen(bn_inception.load(inception, 2)), frozen(load_raft(raft or {})))


def untrained(device: str | torch.device = "cpu") -> Networks:
    """All three, with weights by chance: time and memory do not depend on them."""
    networks = bn_inception.BNInception(3), bn_inception.BNInception(2), raft_large(weights=None)
    return Networks(*(network.eval().requires_grad_(False).to(device) for network in networks))


def _device(network):
    return next(network.parameters()).device


def distinct_pictures(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pictures of a clip, by timestamp: successive frames of the same time show the same picture.

    times: (t,) seconds. Returns the index of the first frame of each picture (n,) and the picture of each frame (t,).
    Raises ValueError without times.
    """
    times = np.asarray(times)
    if times.ndim != 1 or not len(times):
        raise ValueError(f"times are {times.shape}; wanted (t,), one for each frame: take them from media.read_frames")
    new = np.concatenate([[True], times[1:] != times[:-1]])
    return np.flatnonzero(new), np.cumsum(new) - 1


def raft_input(frames: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Input of RAFT: uint8 (t, h, w, 3) -> float (t, 3, h, w) in [-1, 1]."""
    return (torch.as_tensor(frames).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


def _check(frames, times):
    """Raise ValueError for frames that RAFT cannot read, or another number of times."""
    colour = frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[-1] == 3
    if not colour or frames.shape[1] % 8 or frames.shape[2] % 8:
        wanted = "uint8 (t, h, w, 3) with sides that are multiples of 8"
        raise ValueError(
            f"frames are {frames.dtype} {frames.shape}; wanted {wanted}: read them at {SIZE[0]} x {SIZE[1]}"
        )
    if len(frames) != len(times):
        raise ValueError(
            f"{len(times)} times for {len(frames)} frames; wanted one each: take both from media.read_frames"
        )


@torch.no_grad()
def flow(raft: nn.Module, frames: np.ndarray, times: np.ndarray, batch: int = 4) -> np.ndarray:
    """Optical flow from each frame to the next distinct picture, in pixels.

    raft: torchvision's RAFT. frames: uint8 (t, h, w, 3), RGB, sides multiples of 8. times: (t,) source timestamps.
    batch: pairs at once. Returns float32 (t, h, w, 2), x to the right and y down. Frames of one picture share its flow.
    The last picture has no successor and gets zeros.
    Raises ValueError for other frames, or times that do not match.
    """
    _check(frames, times)
    first, shown = distinct_pictures(times)
    fields = np.zeros((len(first), *frames.shape[1:3], 2), np.float32)
    for i in range(0, len(first) - 1, batch):
        pictures = raft_input(torch.from_numpy(frames[first[i : i + batch + 1]]).to(_device(raft)))
        estimate = raft(pictures[:-1], pictures[1:])[-1]  # the last and best of its refinements
        fields[i : i + len(estimate)] = estimate.permute(0, 2, 3, 1).cpu().numpy()
    return fields[shown]


@torch.no_grad()
def _read(network, maps, prepare, batch):
    """Features of BN-Inception: maps (n, h, w, c) -> float32 (n, 1024). prepare: makes its input, `batch` at a time."""
    pieces = torch.from_numpy(maps).split(batch)
    return np.concatenate([network(prepare(piece.to(_device(network)))).float().cpu().numpy() for piece in pieces])


def clip_features(networks: Networks, frames: np.ndarray, times: np.ndarray, batch: int = 16) -> np.ndarray:
    """Features of a clip: BN-Inception's of the picture, then of its flow.

    frames, times: from `media.read_frames` at SIZE. batch: pictures at once; RAFT takes a quarter of it.
    Returns float32 (t, 2048), or (t, 1024) where `networks` has only one kind.
    Raises ValueError for frames of another size, or times that do not match.
    """
    _check(frames, times)
    if frames.shape[2:0:-1] != SIZE:
        height, width = frames.shape[1:3]
        wanted = f"{SIZE[0]} x {SIZE[1]}, for which flow is scaled"
        raise ValueError(f"frames are {width} x {height}; wanted {wanted}: set features.size to {list(SIZE)}")
    first, shown = distinct_pictures(times)
    pictures = frames[first]  # a repeated picture is encoded once
    parts = []
    if networks.rgb:
        parts.append(_read(networks.rgb, pictures, bn_inception.rgb_input, batch))
    if networks.flow and networks.raft:
        fields = flow(networks.raft, pictures, np.asarray(times)[first], max(batch // 4, 1))
        parts.append(_read(networks.flow, fields, bn_inception.flow_input, batch))
    return np.concatenate(parts, 1)[shown]


class Reader:
    """Final features of a clip's frames.

    kinds: "rgb", "flow" or both. pool: of the small profile, not used here. weights: folder of the released files.
    device: of the networks. Raises ValueError for other kinds, weights.MissingWeights for a missing file.
    """

    def __init__(
        self,
        kinds: Sequence[str] = KINDS,
        pool: int = 1,
        weights: str | Path = "weights",
        device: str | torch.device = "cpu",
    ):
        if not kinds or set(kinds) - set(KINDS):
            raise ValueError(f"features.kinds is {list(kinds)}; wanted rgb, flow or both")
        raft = read(released.find("raft", weights)) if "flow" in kinds else None
        self.networks = load(read(released.find("bn_inception", weights)), raft, kinds, device)
        self.weights = weights
        self.device = device
        self._i3d: i3d.I3D | None = None

    def __call__(self, frames: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Features float32 (t, 1024 or 2048) of `clip_features`. frames, times: from `media.read_frames` at SIZE."""
        return clip_features(self.networks, frames, times)

    def pictures(self, frames: np.ndarray, fps: float, features: np.ndarray) -> np.ndarray:
        """Input of the metrics' picture embedder: I3D's vector of each 0.96 s of a clip, float32 (w, 1024).

        frames: uint8 (t, h, w, 3) at `fps`. features: of the small profile, not used here.
        """
        if self._i3d is None:
            self._i3d = i3d.load(read(released.find("i3d", self.weights))).requires_grad_(False).to(self.device)
        return stacks(self._i3d, frames, fps)


@torch.no_grad()
def stacks(network: i3d.I3D, frames: np.ndarray, fps: float) -> np.ndarray:
    """I3D's vectors of successive whole stacks of 24 frames at 25 fps: uint8 (t, h, w, 3) at `fps` -> float32 (w, e).

    A clip of less than 0.96 s gives one stack, in which its last picture is repeated.
    """
    count = max(round(len(frames) / fps * RATE), STACK)
    index = np.minimum((np.arange(count) * fps / RATE).astype(int), len(frames) - 1)
    vectors = []
    for k in range(count // STACK):
        pictures = frames[index[k * STACK : (k + 1) * STACK]]
        vectors.append(network(i3d.frames_input(pictures).to(_device(network)))[0].float().cpu().numpy())
    return np.stack(vectors)


def describe(features: np.ndarray) -> np.ndarray:
    """Vectors for a linear probe: the features (t, d), unchanged."""
    return features


def in_authors_order(
    reader: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Wrap a reader so that its rows are in the order in which the authors trained their released Video2RMS.

    Row k holds the picture of frame k + 1 and the flow from frame k to k + 1. The last row is 0.
    reader: function (frames, times) of a clip -> features (t, d), first half picture, second half flow.
    """

    def reordered(frames, times):
        features = reader(frames, times)
        half = features.shape[1] // 2
        rows = np.concatenate([features[1:, :half], features[:-1, half:]], 1)
        return np.concatenate([rows, np.zeros_like(features[:1])])

    return reordered
