"""Released checkpoints to networks of this project: read without running code, tensors renamed, none left over.

A tensor of a file is used, or dropped for a reason that `DROPPED` gives, or the file is refused. So is a folder that
lacks a tensor of its network: nothing is left as it was drawn.
"""

import logging
import re
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from vf.data import files

DROPPED = {
    r"model_ema\..*": "moving average of the U-Net; sound is generated with the weights themselves",
    r"clap\..*": "a second CLAP, which ranks several candidates",
    r"first_stage_model\.loss\..*": "training loss of the VAE",
    r".*\.mel_transform\..*": "constant of a spectrogram that nothing reads",
    r"(betas|logvar|alphas_cumprod.*|sqrt_.*|log_one_minus_.*|posterior_.*|lvlb_weights)": "noise schedule, recomputed",
    r".*\.(text|audio)_transform\..*": "unused layers of CLAP",
    r".*\.audio_branch\.(tscam_conv|head)\..*": "CLAP's classifier of sound events",
    r".*\.audio_branch\.(spectrogram_extractor|logmel_extractor)\..*": "constant filters, ClapFeatureExtractor's",
    r".*\.attn_mask": "constant of the attention windows",
    r".*\.position_ids": "0, 1, 2 ...",
    r"encoder\.onset_head\..*": "second head of the onset experiment (App. E.1)",
}


KINDS = {"_class_name", "model_type"}  # keys by which diffusers' and transformers' configs name their network
VOCABULARIES = (["tokenizer.json"], ["vocab.json", "merges.txt"])  # either holds a tokenizer's words
SAVED = "what was saved there: fetch it again from its source, or save it again"
PICKLED = {".bin", ".pt", ".pth", ".ckpt"}  # files of weights that are no safetensors


class CheckpointError(ValueError):
    """A file is not the checkpoint it should be. Names the tensors that are missing, unknown or of another shape."""


def read(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors of a .safetensors, .pt, .pth, .ckpt or .bin file by name. Runs no code from the file.

    Raises FileNotFoundError where there is no file, CheckpointError for a file that holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; wanted a checkpoint: check the path")
    if path.suffix == ".safetensors":
        check_whole(path)
        return load_file(path)
    # training checkpoints hold plain numpy arrays beside their tensors; nothing else is allowed
    reconstruct = np._core.multiarray._reconstruct  # type: ignore[attr-defined]  # numpy's unpickling, not in its stubs
    arrays: list = [(reconstruct, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype]
    arrays += [type(np.dtype(kind)) for kind in (np.int64, np.float32, np.float64)]
    try:
        with torch.serialization.safe_globals(arrays):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes raise whatever the pickle's opcodes happen to
        raise CheckpointError(
            f"{path}: cannot be read as tensors alone ({reason(error)}): fetch it again from its source"
        ) from error
    for key in ("optimizer_Video2RMS", "state_dict", "model"):  # containers of the authors, of Lightning, and of others
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise CheckpointError(
            f"{path}: holds {type(content).__name__}, not a dictionary of tensors: fetch it again from its source"
        )
    return content


def reason(error: BaseException) -> str:
    """The first line of what an error says, not too long."""
    return files.excerpt((str(error).strip().splitlines() or [type(error).__name__])[0], 300)


def check_whole(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a .safetensors file by name, none of which is read.

    Raises CheckpointError for a file that is no such one, or shorter or longer than its header says.
    """
    try:
        with safe_open(path, "pt") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: is no whole file of tensors ({reason(error)}): fetch it again from its source, or save it again"
        ) from error


def check_folder(folder: str | Path, wanted: str = SAVED) -> None:
    """Check the files in and below a folder, all but the numbers of their weights (`check_loaded`).

    wanted: the end of the error's line, what was wanted and how to get it. Raises CheckpointError where a .safetensors
    or .json file is damaged, a config names no network, as its values would be defaults, or a tokenizer has no words.
    """
    for path in sorted(Path(folder).rglob("*.safetensors")):
        check_whole(path)
    for path in sorted(Path(folder).rglob("*.json")):
        try:
            values = files.read_json(path, wanted)
        except ValueError as error:
            raise CheckpointError(str(error)) from error
        if path.name == "config.json" and not (isinstance(values, dict) and values.keys() & KINDS):
            raise CheckpointError(f"{path}: names no network; wanted {wanted}")
        if path.name == "tokenizer_config.json" and not any(
            all((path.parent / name).is_file() for name in names) for names in VOCABULARIES
        ):
            raise CheckpointError(f"{path.parent}: lacks {VOCABULARIES[0][0]}; wanted {wanted}")


def check_loaded(model: torch.nn.Module, folder: str | Path) -> None:
    """Check that all weights of a model are those of the folder that it was loaded from.

    Raises CheckpointError for a tensor that the folder's files of weights lack, and for parameters and buffers (such as
    the running variance of a batch norm) that are no numbers.
    """
    folder, state = Path(folder), model.state_dict()
    paths = sorted(folder.glob("*.safetensors")) or [p for p in sorted(folder.glob("*model*")) if p.suffix in PICKLED]
    names = {name for path in paths for name in (check_whole if path.suffix == ".safetensors" else read)(path)}
    empty = {name for name in state if state[name].is_meta}  # which their loader did not find
    held = {state[name].data_ptr() for name in names & state.keys() - empty}  # one tensor may have two names
    lacking = (state.keys() - names if names else set()) or empty
    missing = sorted(name for name in lacking if state[name].is_meta or state[name].data_ptr() not in held)
    if missing:
        pickled = len(paths) == 1 and paths[0].suffix in PICKLED  # beside files of other kinds, which may be meant
        raise CheckpointError(
            f"{paths[0] if pickled else folder}: lacks {len(missing)} tensors of {type(model).__name__}, "
            f"{', '.join(missing[:3])} first: fetch it again from its source, or save it again"
        )
    _check_numbers(state, folder)


def load_folder(folder: str | Path, readers: dict[str, Callable[[Path], Any]], wanted: str) -> dict[str, Any]:
    """Read the parts of a folder, networks in eval mode.

    readers: {name of a part: function of its folder}. wanted: the end of the error's line, what was and how to get it.
    Raises CheckpointError for a folder that is damaged or lacks a file or a weight.
    """
    folder = Path(folder)
    check_folder(folder, wanted)
    try:
        with _silent():
            parts = {name: read(folder / name) for name, read in readers.items()}
    except Exception as error:  # diffusers and transformers raise many kinds, of many lines
        raise CheckpointError(f"{folder}: cannot be loaded ({reason(error)}); wanted {wanted}") from error
    for name, part in parts.items():
        if isinstance(part, torch.nn.Module):
            check_loaded(part.eval(), folder / name)
    return parts


@contextmanager
def _silent():
    """Without the warnings of diffusers and transformers: `check_loaded` says what they do, with a remedy."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def _check_numbers(tensors, source):
    """Raises CheckpointError for weights that are NaN or infinite."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{source}: {name} holds NaN or infinite weights, not numbers: "
                "fetch it again from its source, or train it again"
            )


def rename(names: Iterable[str], rules: list[tuple]) -> dict[str, str]:
    """{name: new name} after all rules in turn. rules: (regular expression, replacement as in re.sub)."""
    renamed = {}
    for name in names:
        new = name
        for pattern, replacement in rules:
            new = re.sub(pattern, replacement, new)
        renamed[name] = new
    return renamed


def dropped(names: Iterable[str]) -> dict[str, str]:
    """{name: reason} of the tensors that nothing here needs."""
    return {name: reason for name in names for pattern, reason in DROPPED.items() if re.fullmatch(pattern, name)}


def part(
    state: dict[str, torch.Tensor], prefix: str, rules: list[tuple], but: str | None = None
) -> dict[str, torch.Tensor]:
    """The tensors of one network of a file, without those of `DROPPED`, under their new names.

    state: {name: tensor} of the file. prefix: of the network's names. rules: as in `rename`, for what follows the
    prefix. but: regular expression of what to leave out.
    """
    short = {name: name[len(prefix) :] for name in state if name.startswith(prefix)}
    if but:
        short = {name: rest for name, rest in short.items() if not re.match(but, rest)}
    unused = dropped(short)
    new = rename(short.values(), rules)
    return {new[rest]: state[name] for name, rest in short.items() if name not in unused}


def build(network: Callable, tensors: dict[str, torch.Tensor], source: str | Path):
    """Make a network of its tensors' size and load them; returns it in eval mode.

    network: function of the tensors {name: tensor} that makes the network. source: file that an error names.
    Raises CheckpointError for other tensors than the network's.
    """
    try:
        return _fill(network(tensors), tensors, source)
    except KeyError as error:
        raise CheckpointError(f"{source}: lacks {error}; check that the file is the one its name says") from error


def _sides(tensor):
    return [side for side in tensor.shape if side != 1]


def _fill(model, tensors, source):
    """Load tensors into a model. Raises CheckpointError unless they are exactly the model's."""
    state = model.state_dict()
    fixed = {n for n in state if n.endswith(("num_batches_tracked", "token_type_ids", "position_ids"))}
    missing = sorted(state.keys() - tensors.keys() - fixed)
    unknown = sorted(tensors.keys() - state.keys())
    shaped = [n for n in sorted(tensors.keys() & state.keys()) if _sides(tensors[n]) != _sides(state[n])]
    for problem, names in (("lacks", missing), ("has, unasked for,", unknown), ("has other shapes for", shaped)):
        if names:
            raise CheckpointError(
                f"{source}: {problem} {len(names)} tensors of {type(model).__name__}, {', '.join(names[:3])} first: "
                "check that the file is the one its name says"
            )
    _check_numbers(tensors, source)
    # 1x1 convolutions may be linear layers here, and rows vectors
    model.load_state_dict({n: t.reshape(state[n].shape) for n, t in tensors.items()}, strict=False)
    return model.eval()
