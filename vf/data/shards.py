"""A large corpus of recordings as WebDataset shards: FreeSound with WavCaps' captions, or any folder (section 3.1).

    python -m vf.shards AUDIO SHARDS [--json fsd_final.json] [--exclude blacklist.json]
                        [--seconds 10.24] [--pieces 6] [--workers 2]

writes tar files of pieces of equal length (16 kHz FLAC beside a JSON of caption, id and licence) and `manifest.json`:
clips, hours, and what was rejected for which reason. Started again it goes on where it stopped. Many processes give the
same bytes as one.

The paper gives the length of a piece (B.2), but not which stretch of a recording it is. AudioLDM draws one whenever it
reads a file. Here the first `--pieces` stretches are kept, one after the other. A piece takes 0.33 MB more where
RMS2Sound reads it (`audio.sources`).

`--exclude` takes a blacklist of WavCaps. Without it nothing is left out, as in the paper, which tests on films. Whoever
tests on ESC-50, UrbanSound8K or Clotho must give one, as their recordings come from FreeSound too.
"""

import argparse
import hashlib
import io
import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from tqdm.auto import tqdm

from vf.data import files, media, processes
from vf.data.clips import refusal

PIECES = 6  # of one recording at most, so that an hour of rain does not drown a thousand door knocks
SHORTEST = 0.5  # seconds
QUIETEST = 1e-4  # peak
REMAKE = "remove it and run `python -m vf.shards` into the folder again"


class Recording(NamedTuple):
    """A sound file to cut up. id: its name in the corpus. licence: its terms, or the page that states them.

    refused: why it is not to be cut, where that is known before it is opened.
    """

    id: str
    path: str
    caption: str
    licence: str = ""
    refused: str = ""


def recordings(
    audio: str | Path, captions: str | Path | None = None, exclude: str | Path | None = None
) -> list[Recording]:
    """The recordings of a corpus, by id.

    audio: folder of sound files. captions: WavCaps' JSON of FreeSound, {"data": [{"id", "caption", "href", ...}]};
    the files are named by id. Without it every sound file in and below the folder counts. Its id is its path without
    suffix. Its caption comes from `captions.csv` in the folder (columns file, caption and perhaps licence), else from
    the name of its subfolder.
    exclude: WavCaps' blacklist, {"FreeSound": [ids]}, or a JSON list of ids.
    Raises ValueError for a folder that is not there, and for a list that is not there or not of this form.
    """
    audio = Path(audio)
    if not audio.is_dir():
        raise ValueError(f"{audio}: no such folder; wanted the folder of the sound files")
    paths = files.listed(audio, media.SOUNDS, below=True)
    corpus = _of_wavcaps(audio, paths, captions) if captions else _of_folder(audio, paths)
    if exclude:
        try:
            ids = files.read_json(exclude)
            barred = {str(i) for i in (ids["FreeSound"] if isinstance(ids, dict) else ids)}
        except (ValueError, KeyError, TypeError) as error:
            raise _no_list(exclude, error, "WavCaps' blacklist, a list of ids under FreeSound") from error
        corpus = [r._replace(refused="is on the list of those to exclude") if r.id in barred else r for r in corpus]
    return corpus


def _of_wavcaps(audio, paths, captions):
    """The recordings that WavCaps' JSON lists, by id, whether their file is there or not."""
    try:
        listed = {str(item["id"]): item for item in files.read_json(captions)["data"]}
        for item in listed.values():
            if not isinstance(item.get("caption") or "", str):
                raise TypeError(f"caption {item['caption']!r} of {item['id']!r} is no text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_list(captions, error, "WavCaps' JSON, a list `data` of items with id and caption") from error
    by_id = {p.stem: p for p in paths}
    corpus = []
    for name, item in sorted(listed.items()):
        path = by_id.get(name, audio / f"{name}.flac")
        licence = str(item.get("license") or item.get("href") or "")
        corpus.append(Recording(name, str(path), item.get("caption") or "A sound.", licence))
    return corpus


def _no_list(path, error, wanted):
    """The ValueError for a list that is not what it should be."""
    why = files.reason(error, path)
    why = f"lacks {why}" if isinstance(error, KeyError) else why
    return ValueError(f"{path}: {why}; wanted {wanted}: fetch it again")


def _of_folder(audio, paths):
    """The sound files of a folder, and those that its captions.csv lists, by name."""
    table = audio / "captions.csv"
    rows = _captions(table) if table.exists() else {}
    # what is listed and not there is rejected later
    names = sorted({p.relative_to(audio).as_posix() for p in paths} | set(rows))
    corpus, first = [], {}
    for name in names:
        path, row, key = audio / name, rows.get(name, {}), name.rsplit(".", 1)[0]
        other = first.setdefault(_key(key), name)
        refused = "" if other == name else f"goes by the name of {other}"
        folder = f"The sound of {path.parent.name.replace('-', ' ')}." if path.parent != audio else "A sound."
        caption, licence = row.get("caption") or folder, row.get("licence") or ""
        corpus.append(Recording(name if refused else key, str(path), caption, licence, refused))
    return corpus


def _captions(table):
    """The rows of a captions.csv, by file."""
    found = files.read_rows(table)
    header = found[0][1] if found else []
    if not {"file", "caption"} <= set(header):
        raise ValueError(
            f"{table}: its columns are {files.excerpt(header)}; wanted file, caption and perhaps licence: add them"
        )
    rows: dict[str, dict[str, str]] = {}
    for line, cells in found[1:]:
        where = f"{table}, line {line}"
        if len(cells) != len(header):
            raise ValueError(
                f"{where}: has not {len(header)} fields; wanted one for each column: put a text with commas into quotes"
            )
        row = dict(zip(header, cells))
        name = row["file"]
        if not name or name in rows or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(
                f"{where}: file {files.excerpt(name)!r}; wanted a file of the folder, each once: "
                "mend or delete the line"
            )
        rows[name] = row
    return rows


def _key(name):
    """A name as a key of WebDataset, which ends a sample's key at the first dot."""
    return name.replace(".", "_")


def cut(recording: Recording, seconds: float, sample_rate: int, pieces: int = PIECES) -> list[np.ndarray]:
    """Pieces of a recording, (s,) float32 each: one after the other from its start, at most `pieces`.

    seconds: of a piece; the last one may be shorter. A rest shorter than half a piece is dropped, unless it is all
    there is. So is a silent piece.
    Raises ValueError with the reason for a file that is missing, cannot be read, is cut off, holds no numbers, or is
    too short, silent or
    far beyond 1.
    """
    if recording.refused:
        raise ValueError(recording.refused)
    if not os.path.exists(recording.path):  # which takes a name that is too long for a missing one
        raise ValueError("the file is missing")
    wave = np.concatenate(
        [np.zeros(0, np.float32), *media.stream_sound(recording.path, sample_rate, 0.0, pieces * seconds)]
    )
    wave = wave[: round(pieces * seconds * sample_rate)]
    if len(wave) < SHORTEST * sample_rate:
        raise ValueError(f"is shorter than {SHORTEST} s")
    size = round(seconds * sample_rate)
    count = min(pieces, max(1, int(len(wave) / size + 0.5)))
    parts = [wave[i * size : (i + 1) * size] for i in range(count)]
    parts = [p for p in parts if np.abs(p).max() >= QUIETEST]
    found = refusal(wave) if parts else ("is silent", "")
    if found:
        raise ValueError(found[0])
    return parts


def write_shard(
    part: tuple[int, list[Recording]], folder: str | Path, seconds: float, sample_rate: int, pieces: int
) -> dict[str, Any]:
    """Write one shard and its own manifest, each whole or not at all. A shard that is there is kept.

    part: (number, recordings). seconds, sample_rate, pieces: as for `cut`.
    Returns its manifest {clips, seconds, rejected: [{id, reason, perhaps place}]}.
    """
    import webdataset  # here, as it brings torch along, which processes that read films do without

    number, items = part
    tar, notes = (Path(folder) / f"shard-{number:05d}.{end}" for end in ("tar", "json"))
    if tar.exists() and notes.exists():
        return _read_json(notes, "clips", "seconds", "rejected")
    lengths: list[float] = []
    rejected: list[dict[str, str]] = []
    size = round(seconds * sample_rate)
    with (
        files.whole(tar) as beside,
        beside.open("wb") as stream,
        webdataset.TarWriter(stream, user="", group="", mtime=0.0) as writer,
    ):
        for item in items:
            try:
                parts = cut(item, seconds, sample_rate, pieces)
            except ValueError as error:  # media.MediaError is one
                rejected.append({"id": item.id, **_reason(error, item.path)})
                continue
            text = json.dumps({"caption": item.caption, "id": item.id, "licence": item.licence})
            for k, wave in enumerate(parts):
                flac = _flac(np.pad(wave, (0, size - len(wave))), sample_rate)
                writer.write({"__key__": f"{_key(item.id)}_{k}", "flac": flac, "json": text})
                lengths.append(len(wave) / sample_rate)
    summary = {"clips": len(lengths), "seconds": sum(lengths), "rejected": rejected}
    files.write_json(notes, summary)
    return summary


def _reason(error, path):
    """{reason, and place where the error has one}. The reason has no place in it, so that equal ones count together."""
    reason = files.reason(error, path)
    place = getattr(error, "seconds", None)
    if place is None:
        return {"reason": reason}
    return {"reason": re.split(r",? at \d", reason)[0], "place": f"{place:.2f} s"}


def _flac(wave, sample_rate):
    stream = io.BytesIO()
    soundfile.write(stream, wave.clip(-1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def write(
    corpus: list[Recording],
    folder: str | Path,
    seconds: float = 10.24,
    sample_rate: int = 16000,
    pieces: int = PIECES,
    per_shard: int = 100,
    workers: int = 2,
) -> dict[str, Any]:
    """Cut recordings into shards of a folder, `per_shard` recordings each.

    seconds, sample_rate, pieces: as for `cut`. workers: processes.
    Returns the manifest that is also written: {clips, hours (of sound, not of the zeros behind it), recordings,
    seconds, sample_rate, pieces, per_shard, list (a digest of `corpus`), reasons ({reason: count}), rejected}.
    Raises ValueError where nothing could be used, and where the folder holds shards cut otherwise or from other files.
    """
    if not corpus:
        raise ValueError("no recording to cut; wanted sound files: check the folder")
    if not (seconds >= SHORTEST and pieces >= 1 and workers >= 1):
        raise ValueError(
            f"seconds {seconds}, pieces {pieces}, workers {workers}; "
            f"wanted at least {SHORTEST} s, one piece and one process"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "seconds": seconds,
        "sample_rate": sample_rate,
        "pieces": pieces,
        "per_shard": per_shard,
        "recordings": len(corpus),
        "list": _digest(corpus),
    }
    kept = folder / "settings.json"
    if kept.exists() and _read_json(kept) != settings:
        raise ValueError(
            f"{folder}: holds shards of other files or settings than {settings}; empty it or name another folder"
        )
    files.write_json(kept, settings)
    parts = [(i, corpus[k : k + per_shard]) for i, k in enumerate(range(0, len(corpus), per_shard))]
    job = partial(write_shard, folder=folder, seconds=seconds, sample_rate=sample_rate, pieces=pieces)
    try:
        with processes.pool(workers) as pool:
            summaries = list(tqdm(pool.map(job, parts), total=len(parts), desc="shards", mininterval=2.0))
    except BrokenProcessPool as error:
        raise ValueError(
            f"{folder}: a process was killed, perhaps for want of memory; start again with fewer workers, "
            'and a script with its work below `if __name__ == "__main__":`'
        ) from error
    for left in folder.glob(".*.partial.*"):  # of commands that were stopped
        left.unlink()
    clips = sum(summary["clips"] for summary in summaries)
    rejected = [entry for summary in summaries for entry in summary["rejected"]]
    if not clips:
        for path in [kept, *folder.glob("shard-*")]:  # or they would stand in the way of the files that are wanted
            path.unlink()
        raise ValueError(
            f"none of {len(corpus)} recordings can be used; the first: {rejected[0]['id']} {rejected[0]['reason']}"
        )
    hours = sum(summary["seconds"] for summary in summaries) / 3600
    reasons = Counter(entry["reason"] for entry in rejected)
    manifest = {"clips": clips, "hours": round(hours, 4), **settings, "reasons": reasons, "rejected": rejected}
    files.write_json(folder / "manifest.json", manifest)
    return manifest


def _digest(corpus):
    """Tells one list of recordings from another, by what it says of each and by the sizes of the files."""
    sizes = [os.path.getsize(r.path) if os.path.exists(r.path) else None for r in corpus]
    rows = [[r.id, r.caption, r.licence, r.refused, size] for r, size in zip(corpus, sizes)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest that `write` left. Raises ValueError for a folder without one."""
    path = Path(folder) / "manifest.json"
    if not path.exists():
        raise ValueError(f"{path}: not there; wanted finished shards: run `python -m vf.shards` into {folder} first")
    return _read_json(path, "clips", "recordings", "per_shard", "seconds", "sample_rate", "rejected")


def _read_json(path, *keys):
    """A dict that `write` wrote. Raises ValueError, which names the file, for anything else."""
    values = files.read_json(path, f"what vf.data.shards wrote: {REMAKE}")
    if not isinstance(values, dict) or not set(keys) <= set(values):
        raise ValueError(f"{path}: lacks {', '.join(keys)}; wanted what vf.data.shards wrote: {REMAKE}")
    return values


def read(folder: str | Path, workers: int = 1) -> Iterator[tuple[str, np.ndarray, dict[str, str]]]:
    """Pieces of all shards in order: yields (key, int16 wave (s,), {caption, id, licence}).

    workers: threads that decode, each a shard of its own, which is in memory then. Raises ValueError where a shard of
    the manifest is not there, is damaged or lacks pieces.
    """
    known = manifest(folder)
    paths = [Path(folder) / f"shard-{i:05d}.tar" for i in range(-(-known["recordings"] // known["per_shard"]))]
    if gone := [p.name for p in paths if not p.exists()]:
        raise ValueError(f"{folder}: {', '.join(gone)} not there; run `python -m vf.shards` into it again")
    count = 0
    for pieces in processes.in_threads(_pieces, paths, workers):  # decoders let other threads run
        count += len(pieces)
        yield from pieces
    if count != known["clips"]:
        raise ValueError(
            f"{folder}: its shards hold {count} pieces, not {known['clips']}; wanted all of them: {REMAKE}"
        )


def _pieces(path):
    """Pieces of one shard, as `read` gives them. Raises ValueError for a shard that is damaged."""
    try:
        return list(_decoded(path))
    except (tarfile.TarError, soundfile.LibsndfileError, OSError, EOFError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: is damaged ({files.excerpt(error)}); wanted a whole shard: {REMAKE}") from error


def _decoded(path):
    """Pieces of one shard, one by one. A sample's key ends at the first dot of its name."""
    parts = {}
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            folder, _, name = member.name.rpartition("/")
            key, _, kind = name.partition(".")
            data = tar.extractfile(member)
            parts[kind] = data.read() if data else b""
            if {"flac", "json"} <= set(parts):
                wave, _ = soundfile.read(io.BytesIO(parts["flac"]), dtype="int16")
                yield f"{folder}/{key}" if folder else key, wave, json.loads(parts["json"])
                parts = {}
        if parts:
            raise KeyError(f"the last piece has only its {next(iter(parts))}")


def main() -> None:
    """The command line. Any ValueError ends it with one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", help="folder of the sound files")
    parser.add_argument("shards", help="folder to write")
    parser.add_argument("--json", help="WavCaps' JSON with captions; without it a folder of sounds")
    parser.add_argument("--exclude", help="WavCaps' blacklist: recordings that tests are made of")
    parser.add_argument("--seconds", type=float, default=10.24, help="length of a piece (10.24)")
    parser.add_argument("--pieces", type=int, default=PIECES, help=f"of one recording at most ({PIECES})")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    given = parser.parse_args()
    try:
        corpus = recordings(given.audio, given.json, given.exclude)
        result = write(corpus, given.shards, given.seconds, pieces=given.pieces, workers=given.workers)
    except (ValueError, OSError) as error:
        raise SystemExit(f"vf.data.shards: {error}") from error
    print(
        f"{result['clips']} clips, {result['hours']} h of {result['recordings']} recordings; "
        f"{len(result['rejected'])} rejected"
    )
    for reason, count in Counter(result["reasons"]).most_common():
        print(f"  {count} x {reason}")


if __name__ == "__main__":
    main()
