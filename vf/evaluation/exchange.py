"""Folders as the field's tools read them, and the results that these tools write.

av-benchmark (github.com/hkchengrex/av-benchmark) scores MMAudio and its peers; fadtk (github.com/microsoft/fadtk) is
what the paper measures FAD with; kadtk is its like for KAD; audio-aes (github.com/facebookresearch/audiobox-aesthetics)
judges sounds without a reference. None of them is part of this project.

video-foley export FOLDER [FOLDER ...] REFERENCE OUT
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from vf.data import files, media, writing
from vf.evaluation import catalogue, pairing, systems
from vf.evaluation.listening import opinions

RATE = 16000  # Hz, at which lengths are measured
AXES = ("CE", "CU", "PC", "PQ")  # of a line that audio-aes writes
CAPTIONS = "CSV with the columns name (or clip) and caption (or prompt)"
COMMANDS = """\
{count} clips of {folders} in {out}, {seconds:g} s or longer. With each tool installed by its own page:

av-benchmark (pictures and texts where there are any, then each system). Pictures of the references that are .mp4.{note}
{extract}{texts}{scored}
fadtk, FAD-P and FAD-C as in the paper:
{fadtk}
audio-aes, Audiobox's aesthetics of the sounds of all folders:
audio-aes {where}/audiobox.jsonl > {where}/audiobox.out.jsonl

Then add their numbers to a table: python -m vf.evaluate ... --results {results} fad.csv {out}/audiobox.out.jsonl
"""


def export(
    folders: Mapping[str, str | Path],
    reference: str | Path,
    out: str | Path,
    captions: str | Path | None = None,
    reading: pairing.Reading = pairing.Reading(),  # noqa: B008
) -> str:
    """Write folders that av-benchmark, fadtk and audio-aes read as they are, and return the commands that score them.

    <out>/reference and <out>/<system> hold <clip>.wav and nothing else: fadtk takes each file of a folder for a sound.
    Mono, 16 bit, at the file's own sample rate, the level untouched, both of a pair cut to one length. av-benchmark
    pairs files by their stems; its --audio_length is the shortest clip, since it drops shorter ones without a word.
    References that are .mp4 go to <out>/videos, captions to <out>/captions.csv (name, caption), the list of all sounds
    that audio-aes reads to <out>/audiobox.jsonl, the commands to <out>/commands.txt.

    folders: {system: folder}. captions: a CSV with the columns name and caption, or clip and prompt, as
    `python -m vf.systems` writes it. reading: how files pair. Raises ValueError for what cannot be paired or read, and
    for a folder that is there already.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; wanted a new folder: name another")
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out}: is there and not empty; wanted a new folder: name another, or remove it")
    if "reference" in folders or "videos" in folders:
        raise ValueError(f"{', '.join(folders)}: no system may be called reference or videos; rename its folder")
    found = pairing.pair_all(folders, reference, reading)
    texts = None if captions is None else _captions(captions, [n for n, *_ in next(iter(found.values()))])
    lengths = {}
    for i, (name, _, truth) in enumerate(next(iter(found.values()))):
        made = [of[i][1] for of in found.values()]
        lengths[name] = len(pairing.read_together(made, truth, RATE, 1, reading.seconds, reading.tolerance)[-1]) / RATE
    truths = [(name, truth) for name, _, truth in next(iter(found.values()))]
    films = [(name, truth) for name, truth in truths if truth.suffix.lower() == ".mp4"]
    said = _commands(out, list(found), min(lengths.values()), [name for name, _ in truths], films, texts is not None)
    partial = out
    try:
        with files.whole_folder(out) as partial:
            _fill(partial, out.resolve(), found, lengths, films)
            if texts is not None:
                files.write_csv(partial / "captions.csv", texts)
            files.write_text(partial / "commands.txt", said)
    except (OSError, media.MediaError) as error:
        raise ValueError(str(error).replace(str(partial), str(out))) from error
    return said


def _fill(folder, final, found, lengths, films):
    """Write sounds, films and the list of all sounds into a folder that is to become `final`."""
    for system, of in found.items():
        for name, path, truth in of:
            _write(folder / system / f"{name}.wav", path, lengths[name])
            _write(folder / "reference" / f"{name}.wav", truth, lengths[name])
    for name, film in films:
        (folder / "videos").mkdir(exist_ok=True)
        shutil.copyfile(film, folder / "videos" / f"{name}.mp4")
    sounds = [path.relative_to(folder) for of in ("reference", *found) for path in sorted((folder / of).glob("*.wav"))]
    files.write_text(
        folder / "audiobox.jsonl", "".join(json.dumps({"path": str(final / path)}) + "\n" for path in sounds)
    )


def _write(path, source, seconds):
    """A sound as mono WAV at its own rate, `seconds` long; of 16 bits, or of floats where it is louder than those."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = media.sound_rate(source)
    wave = systems.read_sound(source, rate)[: round(seconds * rate)]
    wave = np.pad(wave, (0, round(seconds * rate) - len(wave)))
    subtype = "PCM_16" if np.abs(wave).max(initial=0) <= 1 else "FLOAT"
    writing.write_pieces(path, [wave], rate, subtype)


def _captions(path, names):
    """Captions of the clips as a DataFrame (name, caption). Raises ValueError where one is missing."""
    table = files.read_table(path, dtype=str, keep_default_na=False, na_values=[""]).rename(
        columns={"clip": "name", "prompt": "caption"}
    )
    if not {"name", "caption"} <= set(table):
        raise ValueError(
            f"{path}: has the columns {files.excerpt(', '.join(table))}; wanted name and caption: name them so"
        )
    table = table[table["name"].isin(names)][["name", "caption"]]
    lack = sorted(set(names) - set(table["name"]))
    if lack or table["caption"].isna().any():
        raise ValueError(f"{path}: has no caption for {(lack or ['a clip'])[0]}; wanted one a clip: add it")
    return table


def _commands(out, names, seconds, clips, films, texts):
    where, length, count = out.resolve(), int(seconds * 100) / 100, len(clips)
    left = sorted(set(clips) - {name for name, _ in films})
    note = f" {len(left)} are not, and left out: {', '.join(left[:3])}{', ...' * (len(left) > 3)}." if left else ""
    cache = f"--gt_cache {where}/gt_cache"
    score = "python evaluate.py --gt_audio {0}/reference {1} --pred_audio {0}/{2} --pred_cache {0}/{2}/cache {3}\n"
    skip = ("" if films else " --skip_video_related") + ("" if texts else " --skip_clap")
    scored = [score.format(where, cache, name, f"--audio_length={length}{skip}") for name in names]
    fads = [
        f"fadtk {model} {where}/reference {where}/{name} fad.csv --inf\n"
        for model in ("panns-wavegram-logmel", "clap-2023")
        for name in names
    ]
    extract = f"python extract_video.py {cache} --video_path {where}/videos --audio_length={length}\n" if films else ""
    return COMMANDS.format(
        note=note, count=count, folders=", ".join(["reference", *names]), out=out, where=where, seconds=length,
        extract=extract,
        texts=f"python extract_text.py --text_csv {where}/captions.csv --output_cache_path {where}/gt_cache\n" * texts,
        scored="".join(scored), fadtk="".join(fads),
        results=" ".join(f"{out}/{name}/cache/output_metrics.json" for name in names),
    )  # fmt: skip


def read_results(path: str | Path) -> pd.DataFrame:
    """The results of another tool: {system, column, value}, a column named after metric, tool and date (UTC).

    path: one of these. All but fadtk's and kadtk's have the date of the file.
    - `output_metrics.json` of av-benchmark, which lies in <system>/cache.
    - The .jsonl that audio-aes wrote. The list that it read, which names the sounds, must lie beside it; a sound's
      folder is its system. Values are means over the sounds of a system.
    - A CSV of fadtk (model, baseline, eval, score, inf_r2, time) or kadtk (the same without inf_r2), whose `eval` is
      the folder of the system; of two lines for one column the later counts. kadtk does not write whether it measured
      KAD or FAD, or their limit: it is taken for KAD unless the name of the file has `fad` in it, and for the limit
      where that has `inf` in it.
    - A CSV with `system` and a column of numbers for each metric, of PEAVS or any other tool, as
      `python -m vf.listening --metrics` takes it. The name of the file stands for the tool.
    Raises ValueError for any other file.
    """
    path = Path(path)
    if path.suffix == ".json":
        return _av_benchmark(path)
    if path.suffix == ".jsonl":
        return _audiobox(path)
    table = files.read_table(path, dtype={"system": str})
    if {"model", "baseline", "eval", "score", "time"} <= set(table):
        return _fadtk(path, table)
    if "system" in table:
        return _any_tool(path, table)
    raise ValueError(
        f"{path}: has the columns {files.excerpt(', '.join(table))}; wanted model, baseline, eval, score, time, as in "
        "the CSV that fadtk or kadtk wrote, or system and a column for each metric: name them so"
    )


def _fadtk(path, table):
    tool = "fadtk" if "inf_r2" in table else "kadtk"
    rows = []
    for row in table.sort_values("time").to_dict("records"):
        endless = str(row.get("inf_r2")) not in ("None", "nan") if tool == "fadtk" else "inf" in path.stem.lower()
        metric = "FAD" if tool == "fadtk" or "fad" in path.stem.lower() else "KAD"
        try:
            day, score = datetime.fromtimestamp(float(row["time"]), UTC).date(), float(row["score"])
        except (ValueError, OverflowError, OSError) as error:
            raise ValueError(
                f"{path}: has the score {files.excerpt(row['score'])} at the time {files.excerpt(row['time'])}; "
                f"wanted two numbers, the time in seconds since 1970: give the CSV that {tool} wrote"
            ) from error
        column = f"{metric}{'-inf' * endless} {row['model']} ({tool}, {day})"
        rows.append((Path(str(row["eval"])).name, column, score))
    return pd.DataFrame(rows, columns=["system", "column", "value"])


def _av_benchmark(path):
    values = files.read_json(path, "output_metrics.json of av-benchmark: give the one that it wrote")
    if not isinstance(values, dict) or not all(map(_is_number, values.values())):
        raise ValueError(f"{path}: is no mapping of names to numbers; wanted output_metrics.json of av-benchmark")
    unknown = [key for key in values if not catalogue.known(key)]
    if unknown:
        raise ValueError(
            f"{path}: has {files.excerpt(unknown[0])}, which is no metric of av-benchmark that is known here; "
            "wanted one of vf/evaluation/catalogue.py: add it there"
        )
    folder = path.resolve().parent
    system = folder.parent.name if folder.name == "cache" else folder.name
    rows = [(system, f"{key} (av-benchmark, {_day(path)})", float(value)) for key, value in values.items()]
    return pd.DataFrame(rows, columns=["system", "column", "value"])


def _day(path):
    """The day on which a file was written (UTC)."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _audiobox(path):
    made = _json_lines(path)
    if not made or not all(_is_number(row.get(axis)) for row in made for axis in AXES):
        raise ValueError(f"{path}: has a line without numbers {', '.join(AXES)}; wanted what audio-aes wrote, whole")
    lists = []
    for other in sorted(set(path.parent.glob("*.jsonl")) - {path}):
        with suppress(ValueError):  # another file of that suffix
            rows = _json_lines(other)
            lists += [rows] * (len(rows) == len(made) and all(isinstance(row.get("path"), str) for row in rows))
    if len(lists) != 1:
        raise ValueError(
            f"{path}: has {len(made)} sounds, and beside it {len(lists) or 'no'} lists name as many; wanted the one "
            "that audio-aes read, with the same lines in the same order: put it there, and others elsewhere"
        )
    folders = [Path(row["path"]).parent.name for row in lists[0]]
    table = pd.DataFrame([{axis: row[axis] for axis in AXES} for row in made]).groupby(folders, sort=False).mean()
    rows = [
        (system, f"{axis} (audiobox-aesthetics, {_day(path)})", float(value))
        for system, values in table.iterrows()
        for axis, value in values.items()
    ]
    return pd.DataFrame(rows, columns=["system", "column", "value"])


def _json_lines(path):
    """Mappings of a file of JSON lines; others, such as what audio-aes says of itself, are passed over."""
    lines = [line for line in files.read_text(path).split("\n") if line.startswith("{")]
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: has a line that is no JSON ({files.excerpt(error)}); wanted it whole: make it again"
        ) from error


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _any_tool(path, table):
    if table["system"].isna().any():
        raise ValueError(f"{path}: has a row without a system; wanted a name in each: fill it in, or drop the row")
    try:
        names = opinions.metric_columns(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    rows = [
        (system, f"{catalogue.key_of(name)} ({path.stem}, {_day(path)})", float(value))
        for name in names
        for system, value in zip(table["system"], pd.to_numeric(table[name]))
        if not pd.isna(value)
    ]
    return pd.DataFrame(rows, columns=["system", "column", "value"])


def add_results(table: pd.DataFrame, results: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A table of systems with the results of other tools as further columns.

    Results of a folder `reference`, as `export` calls it, are those of the truth. Where the table has one system called
    `estimate`, it takes the results of the only other system that they are of. Raises ValueError for results of a
    system that the table lacks.
    """
    if not results:
        return table
    found, names = pd.concat(results), list(table["system"])
    if "truth" in names:
        found = found.replace({"system": {"reference": "truth"}})
    strangers = sorted(set(found["system"]) - set(names))
    if "estimate" in names and len(strangers) == 1:
        found, strangers = found.replace({"system": {strangers[0]: "estimate"}}), []
    if strangers:
        raise ValueError(f"results are of {strangers[0]}; wanted one of {', '.join(names)}: name its folder so")
    wide = found.groupby(["system", "column"], sort=False)["value"].last().unstack("column")
    return table.join(wide, on="system")


def main(arguments: list[str] | None = None) -> int:
    """The command `video-foley export`. Returns 0, or 1 where nothing was written, of which a line says why."""
    parser = argparse.ArgumentParser(
        "video-foley export",
        description="Write folders as av-benchmark, fadtk and audio-aes read them, and the commands that score them.",
        epilog="To put sound on a film or folder of that name: video-foley ./export",
    )
    parser.add_argument("folder", nargs="+", help="sounds or films to judge, a folder for each system")
    parser.add_argument("reference", help="their references, under the same names (else see --map)")
    parser.add_argument("out", help="new folder to write")
    parser.add_argument("--captions", help=CAPTIONS)
    pairing.add_options(parser)
    args = parser.parse_args(arguments)
    try:
        said = export(pairing.by_system(args.folder), args.reference, args.out, args.captions, pairing.reading_of(args))
    except (ValueError, OSError) as error:
        print(f"video-foley export: {error}", file=sys.stderr)
        return 1
    print(said)
    return 0
