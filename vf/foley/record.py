"""The record of a render as one small JSON: all it takes to make the sound again, levels written exactly."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vf.data import media, writing
from vf.foley.request import Region, Timbre

VERSION = 3
READABLE = (2, 3)  # 1: other noise, under which no sound can be made again; 2: no negative prompt, no loudness


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest(*modules: torch.nn.Module) -> str:
    """SHA-256 over the weights of torch modules, in order."""
    total = hashlib.sha256()
    for module in modules:
        for name, tensor in sorted(module.state_dict().items()):
            total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            total.update(
                tensor.detach().cpu().contiguous().view(torch.uint8).numpy() if tensor.ndim else str(tensor).encode()
            )
    return total.hexdigest()


def file(path: str | Path) -> dict[str, str]:
    """A file as a record names it: its absolute path and SHA-256."""
    return {"path": str(Path(path).resolve()), "sha256": sha256(path)}


def prompts(prompt: str | None, audio: Any, timbre: Any) -> dict[str, Any]:
    """What a sound is made of, as {"prompt": text or None, "audio": ...}.

    audio: a file with its stretch, where it was named by path; the vector of unit norm that CLAP made of it (`timbre`)
    where it was a waveform, which is all that the networks know of it.
    """
    if audio is None:
        return {"prompt": prompt, "audio": None}
    if isinstance(audio, str | Path | tuple | list):
        path, start, end = (audio, None, None) if isinstance(audio, str | Path) else audio
        return {"prompt": None, "audio": {**file(path), "start": start, "end": end}}
    return {"prompt": None, "audio": {"timbre": [float(x) for x in timbre[0].float().cpu()]}}


def regions(places: Sequence[Region], voices: Sequence[Any]) -> list[dict[str, Any]]:
    """Regions as a list of dicts. voices: of `takes.prepare`."""
    own = iter(voices[1:])
    rows = []
    for p in places:
        timbre = next(own).timbre if p.prompt is not None or p.audio is not None else None
        what = prompts(p.prompt, p.audio, timbre)
        rows.append({"start": p.start, "end": p.end, **what, "seed": p.seed, "gain_db": p.gain_db})
    return rows


def write(path: str | Path, values: dict) -> Path:
    """Write a record, whole or not at all: one line a key, paths relative to its folder. Raises media.MediaError."""
    path = Path(path)
    lines = [f"{json.dumps(k)}: {json.dumps(_plain(v, path.parent), default=_number)}" for k, v in values.items()]
    with writing.whole(path) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _plain(value, folder):
    if isinstance(value, dict):
        return {k: os.path.relpath(v, folder.resolve()) if k == "path" else _plain(v, folder) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        # the shortest digits that read back as the same float32
        return [float(np.format_float_positional(x)) for x in value.astype(np.float32)]
    return [_plain(v, folder) for v in value] if isinstance(value, list | tuple) else value


def _number(value):
    return value.item()


def read(path: str | Path) -> tuple[dict, dict]:
    """Keywords of VideoFoley.render from a record, and the record itself: (dict, dict).

    Raises media.MediaError for a file that is no record, and for a film or sound that is missing or has changed.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text())
        version, levels = values["version"], np.array(values["curve"]["levels"], np.float32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise media.MediaError(
            f"{path}: is no session ({error}); wanted the JSON that was saved beside a film"
        ) from error
    if version not in READABLE:
        known = " or ".join(map(str, READABLE))
        raise media.MediaError(f"{path}: session of version {version}; wanted {known}: render the film again")
    places = [
        Region(r["start"], r["end"], r["prompt"], _audio(r["audio"], path), r["seed"], r["gain_db"])
        for r in values["regions"]
    ]
    keywords = {
        "film": None if values["film"] is None else _found(values["film"], path),
        "wanted": levels,
        "prompt": values["prompt"],
        "audio": _audio(values["audio"], path),
        "seed": values["seed"],
        "regions": places,
        "correct_gain": values["correct_gain"],
        "negative_prompt": values["settings"].get("negative_prompt"),
        "loudness": values.get("loudness"),
    }
    return keywords, values


def _found(named, path):
    there = Path(os.path.normpath(path.parent / named["path"]))
    if not there.is_file():
        raise media.MediaError(
            f"{there}: no such file, but {path} names it; put it back there, or change the path in the session"
        )
    if sha256(there) != named["sha256"]:
        raise media.MediaError(f"{there}: has changed since {path} was saved; wanted the same file: render it again")
    return there


def _audio(named, path):
    if named is None:
        return None
    if "timbre" in named:
        return Timbre(np.array(named["timbre"], np.float32))
    there = _found(named, path)
    return there if named["start"] is None and named["end"] is None else (there, named["start"], named["end"])
