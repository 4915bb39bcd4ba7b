"""Tensors of files that others wrote -> networks of ours: read without running code, renamed, every one accounted for.

A tensor of a file is used, or dropped for a reason that `DROPPED` names, or the file is refused.
"""

import pickle
import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

DROPPED = {
    r"model_ema\..*": "moving average of the U-Net; sound is generated with the weights themselves",
    r"clap\..*": "a second CLAP, which ranks several candidates",
    r"first_stage_model\.loss\..*": "training loss of the VAE",
    r".*\.mel_transform\..*": "constant of a spectrogram that nothing reads",
    r"(betas|logvar|alphas_cumprod.*|sqrt_.*|log_one_minus_.*|posterior_.*|lvlb_weights)": "noise schedule, computed again",
    r".*\.(text|audio)_transform\..*": "unused layers of CLAP",
    r".*\.audio_branch\.(tscam_conv|head)\..*": "CLAP's classifier of sound events",
    r".*\.audio_branch\.(spectrogram_extractor|logmel_extractor)\..*": "constant filters, ClapFeatureExtractor's",
    r".*\.attn_mask": "constant of the attention windows",
    r".*\.position_ids": "0, 1, 2 ...",
    r"encoder\.onset_head\..*": "second head of the onset experiment (App. E.1)",
}


class CheckpointError(ValueError):
    """A file that is not the checkpoint it should be: says which tensors are missing, unknown or of another shape."""


def read(path):
    """Tensors of a .safetensors, .pt, .pth, .ckpt or .bin file by name; never runs code from it.

    Raises FileNotFoundError where there is none, CheckpointError for a file that holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; wanted a checkpoint: check the path")
    if path.suffix == ".safetensors":
        return load_file(path)
    # training checkpoints hold plain numpy arrays beside their tensors; nothing else is let through
    arrays = [(np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype]
    arrays += [type(np.dtype(kind)) for kind in (np.int64, np.float32, np.float64)]
    try:
        with torch.serialization.safe_globals(arrays):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path}: cannot be read as tensors alone ({reason}): fetch it again from its source"
        ) from error
    for key in ("optimizer_Video2RMS", "state_dict", "model"):  # the authors', lightning's, and others' container
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise CheckpointError(
            f"{path}: holds {type(content).__name__}, not a dictionary of tensors: fetch it again from its source"
        )
    return content


def rename(names, rules):
    """{name: new name} after every rule (pattern, replacement) in turn."""
    renamed = {}
    for name in names:
        new = name
        for pattern, replacement in rules:
            new = re.sub(pattern, replacement, new)
        renamed[name] = new
    return renamed


def dropped(names):
    """{name: why} of the tensors that nothing here needs."""
    return {name: why for name in names for pattern, why in DROPPED.items() if re.fullmatch(pattern, name)}


def part(state, prefix, rules, but=None):
    """The tensors under a prefix that are used, under their new names."""
    mine = {
        n: n[len(prefix) :] for n in state if n.startswith(prefix) and not (but and re.match(but, n[len(prefix) :]))
    }
    unused, new = dropped(mine), rename(mine.values(), rules)
    return {new[short]: state[name] for name, short in mine.items() if name not in unused}


def build(network, tensors, source):
    """A network of the size that its tensors have, filled with them; eval mode.

    network: callable that makes it from the tensors {name: tensor}. Raises CheckpointError naming `source`.
    """
    try:
        return _fill(network(tensors), tensors, source)
    except KeyError as error:
        raise CheckpointError(f"{source}: lacks {error}; check that the file is the one its name says") from error


def _fill(model, tensors, source):
    """Load tensors into a model, all of them and nothing else."""
    wanted = model.state_dict()
    fixed = {n for n in wanted if n.endswith(("num_batches_tracked", "token_type_ids", "position_ids"))}
    missing = sorted(wanted.keys() - tensors.keys() - fixed)
    unknown = sorted(tensors.keys() - wanted.keys())
    shaped = [n for n in sorted(tensors.keys() & wanted.keys()) if tensors[n].numel() != wanted[n].numel()]
    for what, names in (("lacks", missing), ("has, unasked for,", unknown), ("has other shapes for", shaped)):
        if names:
            raise CheckpointError(
                f"{source}: {what} {len(names)} tensors of {type(model).__name__}, {', '.join(names[:3])} first: "
                "check that the file is the one its name says"
            )
    # the VAE's attention is 1x1 convolutions there and linear layers here
    model.load_state_dict({n: t.reshape(wanted[n].shape) for n, t in tensors.items()}, strict=False)
    return model.eval()
