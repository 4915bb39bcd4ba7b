"""Anybody's system as a row of Table 2: a folder of its output and how its files make up a clip (App. G).

A folder holds wavs, other sound files or films, one clip or one piece of a clip each, named after the clip.
"""

import argparse
import re
from collections import namedtuple
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

import numpy as np
import pandas as pd

from vf import params
from vf.data import clips, files, media, writing

Join = namedtuple("Join", "files piece rate short why")
Join.__doc__ = """How the files of a system make up a clip.

files: pattern of the names; {clip} or {film} is filled in, {piece} counts from 0, * stands for anything. piece: seconds
of each file that count (None: all). rate: sample rate that the system writes (None: any). short: seconds that may be
missing at the end; they are filled with silence. why: what App. G says, for messages.
"""

JOINS = {
    "whole": Join("{clip}", None, None, 0.1, "one file a clip, from its first to its last second"),
    "film": Join(
        "{film}", None, None, 0.0, "one file a film, from the film's start; clips that it does not cover are left out"
    ),
    "specvqgan": Join("{clip}", None, 22050, 0.2, "10 s at 22.05 kHz, of which the model leaves the last 0.15 s empty"),
    "diff_foley": Join(
        "{clip}_{piece}", 8.0, 16000, 0.0, "8 s from the clip's start, and the 8 s that end with the clip"
    ),
    "condfoleygen": Join("{clip}*", None, 22050, 0.75, "whole steps of 2 s, W_scale of them: 5 for 10 s"),
    "syncfusion": Join("{clip}_{piece}", 5.0, None, 0.0, "pieces of 5.46 s, of which 5 s count, one after the other"),
}
STEPS = (2.0, 160 * 256 / 22050)  # seconds: a step of CondFoleyGen, and the 160 frames of 256 samples its code keeps
PROMPTS = ("none", "audio", "text")
KEYS = {"folder", "join", "files", "rate", "fps", "prompt", "paper", "train"}
LOUDEST = 1e6  # no scale on which people write sound goes further; squares of more are infinite
SUFFIXES = (*media.SOUNDS, *media.FILMS)
# test films of the official split that lie in a system's own training split (of 242): read off its released lists
LEAKAGE = {"condfoleygen": 210, "syncfusion": 172}
TEST_FILMS = 242


def load(
    name: str, entry: dict, wanted: Sequence[clips.Clip], sample_rate: int, root: str | Path = "."
) -> tuple[np.ndarray, list[int]]:
    """The sound of a system for some clips.

    name, entry: of `benchmark.systems` in params.yaml. An entry has `folder`, where the files lie. It may have `join`,
    a key of JOINS; `files`, another pattern for their names; `rate` and `fps`, the sample rate and frame rate that they
    must have; and `prompt`, `paper` and `train` for the table. wanted: the clips. root: what paths start from.

    Returns waves (b, s), float32 at `sample_rate`, level untouched, and the positions (b,) in `wanted` of the clips
    that the system covers; only with `join: film` may some be missing, which are printed then. Raises ValueError for a
    folder or clip that is missing, doubled, too short or of another rate, and for an entry that cannot be read.
    """
    _check_entry(name, entry)
    folder, join, fps = Path(root) / Path(entry["folder"]).expanduser(), entry.get("join") or "whole", entry.get("fps")
    if join not in JOINS:
        raise ValueError(f"{name}: join is {join!r}; wanted one of {', '.join(JOINS)}")
    if not folder.is_dir():
        raise ValueError(
            f"{name}: {folder} is no folder; set benchmark.systems.{name}.folder to the folder of its output"
        )
    how = JOINS[join]._replace(**{k: entry[k] for k in ("files", "rate") if entry.get(k) is not None})
    found = files.listed(folder, SUFFIXES)
    if not found:
        raise ValueError(
            f"{name}: {folder} has no sound or film; wanted files named {how.files} of {', '.join(SUFFIXES)}"
        )
    chosen = [[_find(name, found, how.files, c, k) for k in range(_pieces(join, how, c.seconds))] for c in wanted]
    covered = list(range(len(wanted)))
    if join == "film":
        covered = [i for i in covered if chosen[i][0] and _reaches(chosen[i][0], wanted[i])]
        if 0 < len(covered) < len(wanted):
            print(_left_out(name, wanted, covered))
    missing = [wanted[i].name for i in covered if None in chosen[i]]
    if missing or not covered:
        strangers = [p.name for p in found if not any(p in paths for paths in chosen)]
        raise ValueError(
            f"{name}: {folder} lacks {len(missing) or len(wanted)} of {len(wanted)} clips, "
            f"the first {(missing or [wanted[0].name])[0]}"
            f"{f', and has {strangers[0]}, which is none of them' if strangers else ''}; "
            f"wanted files named {how.files} ({how.why}): generate them, or set `files` to the pattern of the names"
        )
    for path in dict.fromkeys(p for i in covered for p in chosen[i]):
        _check(name, path, how.rate, fps)
    return np.stack([_join(name, join, how, chosen[i], wanted[i], sample_rate) for i in covered]), covered


def _check_entry(name, entry):
    """Raises ValueError unless an entry of `benchmark.systems` maps KEYS to texts; rate and fps are numbers."""
    wanted = f"wanted folder and perhaps {', '.join(sorted(KEYS - {'folder'}))}"
    if not isinstance(entry, dict):
        raise ValueError(
            f"{name}: the entry is {entry!r}; wanted a mapping, such as {{folder: outputs/{name}}}: {wanted}"
        )
    if set(entry) - KEYS or not entry.get("folder"):
        raise ValueError(f"{name}: the entry has {', '.join(k for k in entry if entry[k] is not None)}; {wanted}")
    for key, value in entry.items():
        kind, form = ((int, float), "a number") if key in ("rate", "fps") else (str, "a text")
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{name}: {key} is {value!r}; wanted {form}: set benchmark.systems.{name}.{key}")
    if (entry.get("prompt") or "none") not in PROMPTS:
        raise ValueError(f"{name}: prompt is {entry['prompt']!r}; wanted one of {', '.join(PROMPTS)}")


def _pieces(join, how, seconds):
    if join == "diff_foley":
        if seconds > 2 * how.piece:
            raise ValueError(
                f"clips are {seconds:g} s long; two parts of {how.piece:g} s make up {2 * how.piece:g} s at most"
            )
        return 1 if seconds <= how.piece else 2
    return 1 if how.piece is None else int(np.ceil(seconds / how.piece))


def _find(name, found, pattern, clip, piece):
    # a film may be called anything, but only the pattern's own * stands for more than itself
    wanted = (
        pattern.replace("{clip}", escape(clip.name))
        .replace("{film}", escape(clip.group))
        .replace("{piece}", str(piece))
    )
    hits = [p for p in found if fnmatchcase(p.stem, wanted)]
    if len(hits) > 1:
        raise ValueError(
            f"{name}: {hits[0].name} and {hits[1].name} both stand for {clip.name}; "
            f"wanted one file named {wanted}: remove one"
        )
    return hits[0] if hits else None


def _left_out(name, wanted, covered):
    """Which clips a system does not cover, film by film."""
    missing: dict[str, list[str]] = {}
    for i in sorted(set(range(len(wanted))) - set(covered)):
        clip = wanted[i]
        missing.setdefault(clip.group, []).append(clip.name.removeprefix(f"{clip.group}_"))
    films = "; ".join(f"{film}: {', '.join(numbers)}" for film, numbers in missing.items())
    return (
        f"{name}: {len(wanted) - len(covered)} of {len(wanted)} clips left out, as no file reaches their end: {films}"
    )


def _reaches(path, clip):
    return len(media.read_sound(path, 16000)) >= (clip.start + clip.seconds) * 16000


def _check(name, path, rate, fps):
    """A rate that is not the system's own tells of a file that was cut, sped up or mixed up on its way here."""
    got = media.sound_rate(path)
    if rate and got != rate:
        raise ValueError(
            f"{name}: {path.name} has {got} Hz; wanted the system's own {rate} Hz: take its files unconverted"
        )
    if fps and path.suffix.lower() in media.FILMS and abs(media.probe(path).fps - fps) > 0.05:
        got = media.probe(path).fps
        raise ValueError(
            f"{name}: {path.name} has {got:g} frames/s; wanted {fps:g}: drop `fps`, or resample the film in time"
        )


def _join(name, join, how, paths, clip, sample_rate):
    """Waveform (s,) of one clip."""
    length = round(clip.seconds * sample_rate)
    sounds = [read_sound(p, sample_rate) for p in paths]
    if join == "film":
        begin = round(clip.start * sample_rate)
        return sounds[0][begin : begin + length]
    if join == "condfoleygen":
        _whole_steps(name, paths[0], len(sounds[0]) / sample_rate)
    lack = [
        (p, len(s) / sample_rate, wanted)
        for p, s, wanted in zip(paths, sounds, [how.piece or clip.seconds] * len(paths))
        if len(s) / sample_rate < min(wanted, clip.seconds) - how.short - 1e-3
    ]
    if lack:
        path, got, wanted = lack[0]
        raise ValueError(f"{name}: {path.name} is {got:.2f} s long; wanted {wanted:g} s ({how.why}): generate it again")
    if join == "diff_foley" and len(sounds) == 2:
        # App. G: the whole first part, then what the second, which ends with the clip, has beyond it
        part = round(how.piece * sample_rate)
        sounds = [sounds[0][:part], sounds[1][:part][-(length - part) :]]
    elif how.piece is not None:
        sounds = [s[: round(how.piece * sample_rate)] for s in sounds]
    wave = np.concatenate(sounds)[:length]
    return np.pad(wave, (0, length - len(wave)))


def _whole_steps(name, path, seconds):
    if all(abs(seconds / step - round(seconds / step)) > 0.05 for step in STEPS):
        raise ValueError(
            f"{name}: {path.name} is {seconds:.2f} s long; wanted a whole number of 2 s steps: generate it again"
        )


def read_sound(path: str | Path, sample_rate: int) -> np.ndarray:
    """`media.read_sound` of a file that others made: float32 (s,). Raises ValueError for a file of no or of
    huge samples."""
    sound = media.read_sound(path, sample_rate)
    if not len(sound):
        raise ValueError(f"{path}: has no samples at {sample_rate} Hz; wanted a longer sound")
    if not (np.abs(sound) <= LOUDEST).all():
        raise ValueError(
            f"{path}: has samples of up to {np.abs(sound).max():.3g}; wanted numbers in [-1, 1]: write the file again"
        )
    return sound


def named(folder: str | Path, suffixes: Sequence[str] = SUFFIXES) -> dict[str, Path]:
    """Sounds and films of a folder by name: {stem: path}.

    Raises ValueError for a folder that is not there or has none, and for a name that two of its files share.
    """
    if not Path(folder).is_dir():
        raise ValueError(f"{folder}: no such folder; wanted one of sounds or films: check the path")
    found: dict[str, Path] = {}
    for path in files.listed(folder, suffixes):
        if not files.is_utf8(path.name):
            raise ValueError(f"{folder}: {files.printable(path.name)} has a name that is no UTF-8; rename it")
        if path.stem in found:
            raise ValueError(
                f"{folder}: {found[path.stem].name} and {path.name} have one name; wanted one file each: remove one"
            )
        found[path.stem] = path
    if not found:
        raise ValueError(f"{folder}: has no sound or film; wanted files of {', '.join(suffixes)}: check the path")
    return found


def leakage(name: str, join: str = "whole", train: str | Path | None = None, films: Iterable[str] = ()) -> str:
    """How many of the tested films a system was trained on, as text for the table.

    name: of the system. join: a key of JOINS. Either may show whose system it is. train: a file that lists its training
    films, one a line or as JSON. films: ours, which are counted in that list; paths, suffixes, `_mic`, `_denoised` and
    the number of a piece (`_271215`) are cut from the names. Without `train`, the result is the count of official test
    films in the lists that the system's authors released.
    """
    if train is not None:
        text = files.read_text(train)
        listed = _texts(files.read_json(train)) if text.lstrip()[:1] in ("[", "{") else text.splitlines()
        names = (Path(re.sub(r"\.(mp4|wav|txt|npy)$", "", each.strip())).name for each in listed)
        seen = {re.sub(r"(_mic|_denoised)?(_\d+)?(_mic|_denoised)?$", "", each) for each in names}
        tested = set(films)
        return f"{len(tested & seen)} of {len(tested)} films"
    known = [count for key, count in LEAKAGE.items() if key in (join, re.sub("[^a-z]", "", name.lower())[: len(key)])]
    return f"{known[0]} of {TEST_FILMS} official test films" if known else "not known"


def _texts(value):
    """Every text in a value of JSON, keys too."""
    if isinstance(value, str):
        return [value]
    items = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in _texts(item)]


def export(clipset: clips.ClipSet, sounds: dict[str, np.ndarray], folder: str | Path) -> None:
    """Write clips as folders, for `load`, vf.evaluation.folders, vf.evaluation.listening.page and other systems.

    sounds: {system: (b, s)}, one of them the truth. Writes <folder>/<system>/<clip>.wav, 16
    bit, <folder>/prompts.csv, and, for clips that have a picture, <folder>/films/<clip>.mp4 with its `_times.txt` in
    Greatest Hits' form.
    """
    folder = Path(folder)
    for system, waves in sounds.items():
        (folder / system).mkdir(parents=True, exist_ok=True)
        for clip, wave in zip(clipset.clips, waves):
            path = folder / system / f"{clip.name}.wav"
            writing.write_sound(path, np.asarray(wave, np.float32), clipset.sample_rate)
    rows = [{"clip": c.name, "film": c.group, "start": c.start, "prompt": c.caption} for c in clipset.clips]
    files.write_csv(folder / "prompts.csv", pd.DataFrame(rows), float_format=None)
    (folder / "films").mkdir(exist_ok=True)
    for i, clip in enumerate(clipset.clips):
        if clip.film is None:
            continue
        frames, rate = media.read_small(clip.film, clip.start, clip.seconds)
        writing.write_film(folder / "films" / f"{clip.name}.mp4", frames, rate, clipset.wave(i), clipset.sample_rate)
        clips.write_times(folder / "films" / f"{clip.name}_times.txt", clip.events)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    about = "Write the test clips of this project's run, and the sounds it made of them, as folders."
    parser = argparse.ArgumentParser(prog="python -m vf.systems", description=about)
    parser.add_argument("out", help="folder to write")
    parser.add_argument("--profile", help="small or paper (that of params.yaml)")
    parser.add_argument(
        "--sounds",
        nargs="*",
        default=["audio_predicted", "text_predicted", "text_none"],
        help="of runs/<run>/generated",
    )
    args = parser.parse_args(arguments)
    p = params.load_or_exit(args.profile)
    paths = {name: p.folder("generated") / f"{name}.npy" for name in args.sounds}
    lack = [str(f) for f in [p.folder("clips") / "clips.json", *paths.values()] if not f.exists()]
    if lack:
        parser.exit(2, f"{lack[0]}: not there; run `make repro` first, or name other sounds with --sounds\n")
    films = clips.load(p.folder("clips")).where("test")
    sounds = {"truth": films.wave(slice(None))} | {n: clips.from_int16(np.load(f)) for n, f in paths.items()}
    try:
        export(films, sounds, args.out)
    except media.MediaError as error:
        parser.exit(2, f"{error}\n")
    except OSError as error:
        parser.exit(2, f"{args.out}: {error.strerror or error}; wanted a folder to write: name another\n")
    print(f"{len(films)} clips: {', '.join(['films', *sounds])} in {args.out}")


if __name__ == "__main__":
    main()
