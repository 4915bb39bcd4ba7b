"""What Video2RMS sees of each frame in the paper profile: BN-Inception's reading of the picture and of its optical flow.

RAFT-large (App. B.1) at 344 x 256 between frames; 1024 numbers for the picture and 1024 for the flow. The authors' code
takes the flow between neighbours of the film at 30 fps; where 25 fps film was brought to 30 every sixth pair is one
picture twice, and its flow zero. Here flow goes from each picture to the next different one. Theirs also begins the
pictures one frame late and ends with a row of zeros (`in_authors_order`); here row k is of frame k, and the last flow is that of rest.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.models.optical_flow import raft_large

from vf.backends import weights as released
from vf.backends.nets import bn_inception, i3d
from vf.backends.tensors import read

SIZE = (344, 256)  # width, height: a flow of 20 pixels is meant at this size
KINDS = ("rgb", "flow")
STACK, RATE = 24, 25  # I3D reads stacks of 24 frames at 25 a second: 0.96 s, as VGGish's windows


class Networks(NamedTuple):
    """BN-Inception for colour and for flow, and RAFT, all frozen and on one device; None for what is not wanted."""

    rgb: nn.Module | None
    flow: nn.Module | None
    raft: nn.Module | None


def load_raft(state):
    """RAFT-large in eval mode from the tensors of torchvision's file (raft_large_C_T_SKHT_V2-ff5fadd5.pth).

    Raises ValueError for other names or shapes.
    """
    raft = raft_large(weights=None)
    try:
        raft.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"not the tensors of torchvision's RAFT-large: {reason}; check which file it is") from error
    return raft.eval()


def load(inception, raft=None, kinds=KINDS, device="cpu"):
    """Networks on a device from the tensors of the two released files; RAFT's are needed for flow alone.

    Raises ValueError as their loaders do.
    """
    rgb = bn_inception.load(inception, 3) if "rgb" in kinds else None
    flow_of = (bn_inception.load(inception, 2), load_raft(raft)) if "flow" in kinds else (None, None)
    return Networks(*(network and network.requires_grad_(False).to(device) for network in (rgb, *flow_of)))


def _device(network):
    return next(network.parameters()).device


def distinct_pictures(times):
    """Which pictures a clip has, by timestamp: frames that follow each other at one time show one picture.

    times: (t,). Returns the first frame of each picture (n,), and which picture each frame shows (t,).
    Raises ValueError for no times.
    """
    times = np.asarray(times)
    if times.ndim != 1 or not len(times):
        raise ValueError(f"times are {times.shape}; wanted (t,), one for each frame: take them from media.read_frames")
    new = np.concatenate([[True], times[1:] != times[:-1]])
    return np.flatnonzero(new), np.cumsum(new) - 1


def raft_input(frames):
    """Frames as RAFT wants them: uint8 (t, h, w, 3) -> float (t, 3, h, w) in [-1, 1]."""
    return (torch.as_tensor(frames).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


def _check(frames, times):
    if (
        frames.dtype != np.uint8
        or frames.ndim != 4
        or frames.shape[-1] != 3
        or frames.shape[1] % 8
        or frames.shape[2] % 8
    ):
        wanted = "uint8 (t, h, w, 3) with sides that are multiples of 8"
        raise ValueError(
            f"frames are {frames.dtype} {frames.shape}; wanted {wanted}: read them at {SIZE[0]} x {SIZE[1]}"
        )
    if len(frames) != len(times):
        raise ValueError(
            f"{len(times)} times for {len(frames)} frames; wanted one each: take both from media.read_frames"
        )


@torch.no_grad()
def flow(raft, frames, times, batch=4):
    """Optical flow from each frame to the next different picture, in pixels.

    raft: called as torchvision's RAFT is. frames: uint8 (t, h, w, 3), RGB, sides multiples of 8. times: (t,) source
    timestamps. batch: pairs at once. Returns float32 (t, h, w, 2), x to the right and y down. Frames that show one picture
    share its flow; the last picture has none after it and gets zeros, so that t frames have t fields.
    Raises ValueError for other frames, or times that do not match.
    """
    _check(frames, times)
    first, shown = distinct_pictures(times)
    fields = np.zeros((len(first), *frames.shape[1:3], 2), np.float32)
    for i in range(0, len(first) - 1, batch):
        pictures = raft_input(torch.from_numpy(frames[first[i : i + batch + 1]]).to(_device(raft)))
        found = raft(pictures[:-1], pictures[1:])[-1]  # the last and best of its refinements
        fields[i : i + len(found)] = found.permute(0, 2, 3, 1).cpu().numpy()
    return fields[shown]


@torch.no_grad()
def _read(network, maps, prepare, batch):
    """Features of BN-Inception: maps (n, h, w, c), prepared `batch` at a time -> float32 (n, 1024)."""
    pieces = torch.from_numpy(maps).split(batch)
    return np.concatenate([network(prepare(piece.to(_device(network)))).float().cpu().numpy() for piece in pieces])


def clip_features(networks, frames, times, batch=16):
    """The features of a clip: BN-Inception's of the picture, then of its flow.

    networks: Networks. frames, times: as `media.read_frames` gives them at SIZE. batch: pictures at once; RAFT takes a
    quarter of it. Returns float32 (t, 2048). Raises ValueError for frames of another size, or times that do not match.
    """
    _check(frames, times)
    if frames.shape[2:0:-1] != SIZE:
        width, height = frames.shape[2:0:-1]
        wanted = f"{SIZE[0]} x {SIZE[1]}, for which flow is scaled"
        raise ValueError(f"frames are {width} x {height}; wanted {wanted}: set features.size to {list(SIZE)}")
    first, shown = distinct_pictures(times)
    pictures, parts = frames[first], []  # a repeated picture is read once
    if networks.rgb:
        parts.append(_read(networks.rgb, pictures, bn_inception.rgb_input, batch))
    if networks.flow:
        fields = flow(networks.raft, pictures, np.asarray(times)[first], max(batch // 4, 1))
        parts.append(_read(networks.flow, fields, bn_inception.flow_input, batch))
    return np.concatenate(parts, 1)[shown]


class Reader:
    """Reads a clip's pictures as final features.

    kinds: "rgb", "flow" or both. pool: of the small profile; here nothing is pooled. weights: folder of the released files.
    device: where the networks run. Raises ValueError for other kinds, weights.MissingWeights for a file that is not there.
    """

    def __init__(self, kinds=KINDS, pool=1, weights="weights", device="cpu"):
        if not kinds or set(kinds) - set(KINDS):
            raise ValueError(f"features.kinds is {list(kinds)}; wanted rgb, flow or both")
        raft = read(released.find("raft", weights)) if "flow" in kinds else None
        self.networks = load(read(released.find("bn_inception", weights)), raft, kinds, device)
        self.weights, self.device, self._i3d = weights, device, None

    def __call__(self, frames, times):
        """frames, times: as `media.read_frames` gives them at SIZE. Returns float32 (t, 1024 a kind)."""
        return clip_features(self.networks, frames, times)

    def pictures(self, frames, fps, features):
        """What the metrics' picture embedder gets of a clip: I3D's vector of each 0.96 s, float32 (w, 1024)."""
        if self._i3d is None:
            self._i3d = i3d.load(read(released.find("i3d", self.weights))).requires_grad_(False).to(self.device)
        return stacks(self._i3d, frames, fps)


@torch.no_grad()
def stacks(network, frames, fps):
    """I3D's vectors of whole stacks of 24 frames at 25 a second, one after the other: (t, h, w, 3) at `fps` -> float32 (w, e).

    A clip of less than 0.96 s is read as one stack that holds its last picture.
    """
    at = np.minimum((np.arange(max(round(len(frames) / fps * RATE), STACK)) * fps / RATE).astype(int), len(frames) - 1)
    vectors = []
    for k in range(len(at) // STACK):
        pictures = frames[at[k * STACK : (k + 1) * STACK]]
        vectors.append(network(i3d.frames_input(pictures).to(_device(network)))[0].float().cpu().numpy())
    return np.stack(vectors)


def describe(features):
    """Features (t, d) of a clip as vectors for a linear probe: themselves."""
    return features


def in_authors_order(read):
    """A reader whose rows are as the authors' released Video2RMS was trained on.

    Beside the picture of frame k + 1 stands the flow from k to k + 1; the last row is 0. read: function (frames, times) ->
    features (t, d) of picture and flow. Returns such a function.
    """

    def reordered(frames, times):
        features = read(frames, times)
        half = features.shape[1] // 2
        return np.concatenate(
            [np.concatenate([features[1:, :half], features[:-1, half:]], 1), np.zeros_like(features[:1])]
        )

    return reordered
