"""A large corpus of recordings, FreeSound as WavCaps captions it or any folder of sounds, as WebDataset shards (section 3.1).

    python -m vf.shards AUDIO SHARDS [--json fsd_final.json] [--seconds 10.24] [--workers 2]

writes tar files of pieces of equal length (16 kHz FLAC beside a JSON of caption, id and licence) and `manifest.json`: clips, hours,
and what was rejected for which reason. Started again it goes on where it stopped; many processes give the same bytes as one.
"""

import argparse
import csv
import io
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import webdataset
from tqdm.auto import tqdm

from vf import media

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aiff", ".aif"}
PIECES = 6  # of one recording at most, so that an hour of rain does not drown a thousand door knocks
SHORTEST = 0.5  # seconds
QUIETEST = 1e-4  # peak


class Recording(NamedTuple):
    """A sound file to cut up. id: its name in the corpus. licence: its terms, or the page that states them."""

    id: str
    path: str
    caption: str
    licence: str


def recordings(audio, captions=None):
    """The recordings of a corpus, by id.

    audio: folder of sound files. captions: WavCaps' JSON of FreeSound ({"data": [{"id", "caption", "href", ...}]}; files are
    named by id). Without it every sound file in and below the folder counts: its caption comes from `captions.csv` in the
    folder (columns file, caption and perhaps licence), else from the name of its subfolder.
    Raises ValueError for a folder or a list that is not there or not readable as such.
    """
    audio = Path(audio)
    if not audio.is_dir():
        raise ValueError(f"{audio}: no such folder; wanted the folder of the sound files")
    files = sorted(p for p in audio.rglob("*") if p.suffix.lower() in SUFFIXES)
    if captions is None:
        return _of_folder(audio, files)
    try:
        listed = json.loads(Path(captions).read_text())["data"]
        wanted = {str(item["id"]): item for item in listed}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{captions}: {error!r}; wanted WavCaps' JSON, a list `data` of items with id and caption") from error
    by_id = {p.stem: p for p in files}
    return [
        Recording(i, str(by_id.get(i, audio / f"{i}.flac")), item.get("caption", ""), item.get("license") or item.get("href", ""))
        for i, item in sorted(wanted.items())
    ]


def _of_folder(audio, files):
    said = {}
    if (audio / "captions.csv").exists():
        with (audio / "captions.csv").open(newline="") as stream:
            said = {row["file"]: row for row in csv.DictReader(stream)}
    found = []
    for path in files:
        name = path.relative_to(audio).as_posix()
        row = said.get(name, {})
        folder = f"The sound of {path.parent.name.replace('-', ' ')}." if path.parent != audio else "A sound."
        found.append(
            Recording(name.rsplit(".", 1)[0].replace("/", "_"), str(path), row.get("caption") or folder, row.get("licence") or "")
        )
    return found


def cut(recording, seconds, sample_rate):
    """Pieces of a recording, (s,) float32 each: one after the other from its start, the last filled up with zeros.

    At most PIECES; a rest shorter than half a piece is dropped, unless it is all there is.
    Raises ValueError with the reason for a file that is missing, unreadable, too short or silent.
    """
    if not Path(recording.path).exists():
        raise ValueError("the file is missing")
    wave = media.read_sound(recording.path, sample_rate)[: round(PIECES * seconds * sample_rate)]
    if len(wave) < SHORTEST * sample_rate:
        raise ValueError(f"is {len(wave) / sample_rate:.2f} s long, shorter than {SHORTEST} s")
    if np.abs(wave).max() < QUIETEST:
        raise ValueError("is silent")
    size = round(seconds * sample_rate)
    count = min(PIECES, max(1, int(len(wave) / size + 0.5)))
    parts = [wave[i * size : (i + 1) * size] for i in range(count)]
    return [np.pad(p, (0, size - len(p))) for p in parts if np.abs(p).max() >= QUIETEST]


def write_shard(part, folder, seconds, sample_rate):
    """Write one shard and its own manifest, each whole or not at all; a shard that is there is kept.

    part: (number, recordings). Returns its manifest {clips, recordings, rejected: [{id, reason}]}.
    """
    number, items = part
    tar, notes = (Path(folder) / f"shard-{number:05d}.{end}" for end in ("tar", "json"))
    if tar.exists() and notes.exists():
        return json.loads(notes.read_text())
    manifest = {"clips": 0, "recordings": len(items), "rejected": []}
    partial_tar = tar.with_suffix(".partial")
    with partial_tar.open("wb") as stream, webdataset.TarWriter(stream, user="", group="", mtime=0.0) as writer:
        for item in items:
            try:
                pieces = cut(item, seconds, sample_rate)
            except ValueError as error:  # media.MediaError is one
                reason = str(error).removeprefix(f"{item.path}: ")
                manifest["rejected"].append({"id": item.id, "reason": reason})
                continue
            for k, wave in enumerate(pieces):
                text = {"caption": item.caption, "id": item.id, "licence": item.licence}
                writer.write(
                    {"__key__": f"{item.id.replace('.', '_')}_{k}", "flac": _flac(wave, sample_rate), "json": json.dumps(text)}
                )
            manifest["clips"] += len(pieces)
    partial_tar.replace(tar)
    notes.write_text(json.dumps(manifest) + "\n")
    return manifest


def _flac(wave, sample_rate):
    stream = io.BytesIO()
    soundfile.write(stream, wave.clip(-1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def write(found, folder, seconds=10.24, sample_rate=16000, per_shard=500, workers=2):
    """Cut recordings into shards of a folder, `per_shard` recordings each, by several processes.

    found: list of Recording. Returns the manifest that is also written: {clips, hours, recordings, seconds, sample_rate,
    per_shard, rejected}. Raises ValueError where nothing could be used, or where the folder holds shards cut otherwise.
    """
    if not found:
        raise ValueError("no recording to cut; wanted sound files: check the folder")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"seconds": seconds, "sample_rate": sample_rate, "per_shard": per_shard, "recordings": len(found)}
    if (folder / "settings.json").exists() and json.loads((folder / "settings.json").read_text()) != settings:
        raise ValueError(f"{folder}: holds shards of other settings than {settings}; empty it or name another folder")
    (folder / "settings.json").write_text(json.dumps(settings) + "\n")
    parts = [(i, found[k : k + per_shard]) for i, k in enumerate(range(0, len(found), per_shard))]
    with ProcessPoolExecutor(workers) as pool:
        job = partial(write_shard, folder=folder, seconds=seconds, sample_rate=sample_rate)
        made = list(tqdm(pool.map(job, parts), total=len(parts), desc="shards", mininterval=2.0))
    clips, rejected = sum(m["clips"] for m in made), [r for m in made for r in m["rejected"]]
    if not clips:
        raise ValueError(f"none of {len(found)} recordings can be used; the first: {rejected[0]['id']} {rejected[0]['reason']}")
    manifest = {"clips": clips, "hours": round(clips * seconds / 3600, 3), **settings, "rejected": rejected}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def manifest(folder):
    """The manifest that `write` left. Raises ValueError for a folder without one."""
    path = Path(folder) / "manifest.json"
    if not path.exists():
        raise ValueError(f"{path}: not there; wanted finished shards: run `python -m vf.shards` into {folder} first")
    return json.loads(path.read_text())


def read(folder):
    """Pieces of all shards in order: yields (key, int16 wave (s,), {caption, id, licence})."""
    urls = [str(p) for p in sorted(Path(folder).glob("shard-*.tar"))]
    for sample in webdataset.WebDataset(urls, shardshuffle=False):
        wave, _ = soundfile.read(io.BytesIO(sample["flac"]), dtype="int16")
        yield sample["__key__"], wave, json.loads(sample["json"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", help="folder of the sound files")
    parser.add_argument("shards", help="folder to write")
    parser.add_argument("--json", help="WavCaps' JSON with captions; without it a folder of sounds")
    parser.add_argument("--seconds", type=float, default=10.24, help="length of a piece (10.24)")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    made = write(recordings(given.audio, given.json), given.shards, given.seconds, workers=given.workers)
    print(f"{made['clips']} clips, {made['hours']} h of {made['recordings']} recordings; {len(made['rejected'])} rejected")


if __name__ == "__main__":
    main()
