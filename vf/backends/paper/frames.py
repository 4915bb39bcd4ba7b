"""What Video2RMS sees of each frame in the paper profile: BN-Inception's reading of the picture and of its optical flow.

RAFT-large (App. B.1) at 344 x 256 between frames; 1024 numbers for the picture and 1024 for the flow. The authors' code
takes the flow between neighbours of the film at 30 fps; where 25 fps film was brought to 30 every sixth pair is one
picture twice, and its flow zero. Here flow goes from each picture to the next different one. Theirs also begins the
pictures one frame late and ends with a row of zeros; here row k is of frame k, and the last flow is that of rest.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torchvision.models.optical_flow import raft_large

from vf.backends.nets import bn_inception

SIZE = (344, 256)  # width, height: a flow of 20 pixels is meant at this size


class Networks(NamedTuple):
    """BN-Inception for colour and for flow, and RAFT, all frozen and on one device."""

    rgb: nn.Module
    flow: nn.Module
    raft: nn.Module


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


def load(inception, raft, device="cpu"):
    """Networks on a device from the tensors of the two released files. Raises ValueError as their loaders do."""
    networks = (bn_inception.load(inception, 3), bn_inception.load(inception, 2), load_raft(raft))
    return Networks(*(network.requires_grad_(False).to(device) for network in networks))


def _device(network):
    return next(network.parameters()).device


def distinct(times):
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
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or frames.shape[1] % 8 or frames.shape[2] % 8:
        wanted = "uint8 (t, h, w, 3) with sides that are multiples of 8"
        raise ValueError(f"frames are {frames.dtype} {frames.shape}; wanted {wanted}: read them at {SIZE[0]} x {SIZE[1]}")
    if len(frames) != len(times):
        raise ValueError(f"{len(times)} times for {len(frames)} frames; wanted one each: take both from media.read_frames")


@torch.no_grad()
def flow(raft, frames, times, batch=4):
    """Optical flow from each frame to the next different picture, in pixels.

    raft: called as torchvision's RAFT is. frames: uint8 (t, h, w, 3), RGB, sides multiples of 8. times: (t,) source
    timestamps. batch: pairs at once. Returns float32 (t, h, w, 2), x to the right and y down. Frames that show one picture
    share its flow; the last picture has none after it and gets zeros, so that t frames have t fields.
    Raises ValueError for other frames, or times that do not match.
    """
    _check(frames, times)
    first, shown = distinct(times)
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
    first, shown = distinct(times)
    pictures = frames[first]  # a repeated picture is read once
    fields = flow(networks.raft, pictures, np.asarray(times)[first], max(batch // 4, 1))
    rgb = _read(networks.rgb, pictures, bn_inception.rgb_input, batch)
    return np.concatenate([rgb, _read(networks.flow, fields, bn_inception.flow_input, batch)], 1)[shown]
