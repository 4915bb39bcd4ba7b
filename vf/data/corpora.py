"""Where clips come from: rendered films, Greatest Hits, any folder of films; sound for RMS2Sound (section 3.1)."""

import random
import shutil
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from vf.data import media, shards
from vf.data.clips import DEFAULT_PROMPT, Clip, ClipSet, cut, read_text, read_times, text_prompt, to_int16
from vf.data.render import film as render

SPLITS = ("train", "valid", "test")
LACKING = 0.1  # seconds of a segment that may be without sound at its end
OFFICIAL = {"train": 2212, "test": 732}  # segments of Greatest Hits (section 3.1)


def films(
    source,
    root,
    folder,
    timeline,
    seed=0,
    audio="denoised",
    folds=5,
    fold=0,
    valid_share=0.1,
    render_films=None,
    workers=2,
):
    """Clips of films: whole segments of `timeline.seconds`, cut one after the other.

    source: "render" (films are made in `folder`/films by vf.data.render.film with the keywords `render_films`), "greatest_hits"
    (films and labels in `root`; a segment needs at least one annotation, the rule that gives 2212 and 732), or "folder"
    (any films in `root`; those without sound can only be test clips). Split: train.txt, valid.txt and test.txt of the
    folder where it has them; else its films are dealt into `folds`, of which `fold` is the test set. Without valid.txt,
    `valid_share` of the training films validate. Level is kept as it is.
    Returns a ClipSet. A film that cannot be used is left out and listed; raises ValueError when none can.
    """
    if source == "render":
        root = Path(folder) / "films"
        render.write_films(root, fps=timeline.fps, sample_rate=timeline.sample_rate, seed=seed, **render_films)
        audio = "denoised"
    elif source not in ("greatest_hits", "folder"):
        raise ValueError(f"films.source is {source!r}; wanted render, greatest_hits or folder")
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; set films.root to the folder of the films")
    paths = _film_paths(root, source, audio)
    if not paths:
        kind = f"*_{audio}.mp4 with *_times.txt" if source != "folder" else ", ".join(sorted(media.SUFFIXES))
        other = next(
            (track for track in ("denoised", "mic") if source != "folder" and _film_paths(root, source, track)), None
        )
        raise ValueError(f"{root}: has no film; wanted {kind}" + (f": set films.audio to {other}" if other else ""))
    split = _split(root, sorted(paths), seed, folds, fold, valid_share)
    jobs = [(name, str(paths[name]), split[name]) for name in sorted(paths) if name in split]
    read = partial(_segments, source=source, timeline=timeline)
    if not jobs:
        listed = [name for s in SPLITS for name in _listed(root, s)]
        raise ValueError(
            f"{root}: none of the {len(listed)} names in train.txt, valid.txt and test.txt is a film of this folder (the first: "
            f"{listed[0] if listed else 'none'}; a film: {min(paths)}); wanted names like the film's, one a line: mend or remove the lists"
        )
    clips, waves, left_out = [], [], _doubles(root, source)
    with ProcessPoolExecutor(workers) as pool:
        for part in tqdm(pool.map(read, jobs, chunksize=4), total=len(jobs), desc="films", mininterval=2.0):
            clips += part[0]
            waves += part[1]
            left_out += part[2]
    if not clips:
        why = f"; the first: {left_out[0]['file']} {left_out[0]['reason']}" if left_out else ""
        raise ValueError(f"{root}: none of {len(jobs)} films can be used{why}")
    return ClipSet(clips, np.stack(waves), timeline.sample_rate, left_out)


def _film_paths(root, source, audio):
    if source == "folder":
        found = [p for p in sorted(root.iterdir(), reverse=True) if p.suffix.lower() in media.SUFFIXES and p.is_file()]
        return {p.stem: p for p in found}  # of several the first counts
    return {p.name[: -len(f"_{audio}.mp4")]: p for p in sorted(root.glob(f"*_{audio}.mp4"))}


def _doubles(root, source):
    """Films of a folder that go by the name of another one, as entries of `left_out`."""
    if source != "folder":
        return []
    used = _film_paths(root, source, None)
    films = [p for p in sorted(root.iterdir()) if p.suffix.lower() in media.SUFFIXES and p.is_file()]
    return [
        _entry(p, f"goes by the name of {used[p.stem].name}", "rename one of the two")
        for p in films
        if used[p.stem] != p
    ]


def _entry(file, reason, remedy, line=None, place=None):
    """What `left_out` says of a file."""
    return {"file": Path(file).name, "line": line, "place": place, "reason": reason, "remedy": remedy}


def _entry_of(error, file):
    """The same, of an error that a file was refused with: "FILE[, line N]: reason; wanted remedy"."""
    text = str(error).removeprefix(str(file))
    line = text.removeprefix(", line ").split(":")[0] if text.startswith(", line ") else None
    reason, _, wanted = text.removeprefix(f", line {line}").removeprefix(": ").partition("; wanted ")
    place = getattr(error, "seconds", None)
    return _entry(
        file,
        reason,
        f"wanted {wanted}" if wanted else "see the reason",
        line,
        None if place is None else f"{place:.2f} s",
    )


def _listed(root, split):
    """The names in a list of a split, one a line; none where there is no list."""
    path = root / f"{split}.txt"
    return [name for line in read_text(path).splitlines() if (name := line.strip())] if path.exists() else []


def _split(root, names, seed, folds, fold, valid_share):
    """Split of each film. Films in no official list are dropped, so that the paper's counts come out."""
    lists = {s: _listed(root, s) for s in SPLITS if (root / f"{s}.txt").exists()}
    shuffled = random.Random(seed).sample(names, len(names))
    if "train" in lists and "test" in lists:
        split = {name: s for s, members in lists.items() for name in members if name in set(names)}
    else:
        if not 0 <= fold < folds:
            raise ValueError(f"films.fold is {fold}; wanted 0 to {folds - 1}, as films.folds is {folds}")
        split = {name: "test" if i % folds == fold else "train" for i, name in enumerate(shuffled)}
    if "valid" not in lists:
        train = [name for name in shuffled if split.get(name) == "train"]
        for name in train[: round(valid_share * len(train)) if len(train) > 1 else 0]:
            split[name] = "valid"
    return split


def splits(films, root, folds=5, seed=0, valid_share=0.1):
    """Fold by fold, the split of every clip: a list of lists of "train", "valid" and "test".

    films: a ClipSet. root: the folder it came from; with an official split there is one fold, the clips' own. Otherwise each
    film is in the test set of one fold. Arguments as for `films`.
    """
    if (Path(root) / "train.txt").exists() and (Path(root) / "test.txt").exists():
        return [[clip.split for clip in films.clips]]
    names = sorted({clip.group for clip in films.clips})
    dealt = [_split(Path(root), names, seed, folds, fold, valid_share) for fold in range(folds)]
    return [[split[clip.group] for clip in films.clips] for split in dealt]


class _Unusable(Exception):
    """A film that is left out: the entry that says why."""


def _segments(job, source, timeline):
    """Clips, int16 waves and what was left out of one film."""
    name, path, split = job
    try:
        info, events = _film(path, name, source, timeline)
        sound, has_sound = _sound(path, info, source, split, timeline)
    except _Unusable as error:
        return [], [], [error.args[0]]
    clips, waves, left_out = [], [], []
    for i in range(_whole(info, timeline)):
        start = i * timeline.seconds
        inside = cut(events, start, timeline.seconds)
        if source != "folder" and not inside:
            continue
        begin = round(start * timeline.sample_rate)
        wave = sound[begin : begin + timeline.samples]
        if has_sound and len(wave) < timeline.samples - LACKING * timeline.sample_rate:
            place, end = f"{start:g} s", len(sound) / timeline.sample_rate
            left_out.append(
                _entry(path, f"its sound ends at {end:.2f} s", "give sound as long as the picture", place=place)
            )
            continue
        waves.append(to_int16(np.pad(wave, (0, timeline.samples - len(wave)))))
        caption = text_prompt(inside) if source != "folder" else DEFAULT_PROMPT
        clips.append(Clip(f"{name}_{i:02d}", path, start, timeline.seconds, split, name, inside, caption, has_sound))
    return clips, waves, left_out


def _film(path, name, source, timeline):
    """(Probe, events) of a film that is whole and long enough. Raises _Unusable."""
    with _refusals_of(path):
        info = media.probe(path)
        if source != "render":
            media.check_whole(path, decode=True)
    if not _whole(info, timeline):
        reason = f"is {info.seconds:.2f} s long, shorter than one segment of {timeline.seconds:g} s"
        raise _Unusable(_entry(path, reason, "use a longer film"))
    if source == "folder":
        return info, []
    times = Path(path).with_name(f"{name}_times.txt")
    if not times.exists():
        raise _Unusable(_entry(times, "is missing", "put the film's annotations beside it"))
    with _refusals_of(times):
        events = read_times(times)
    if not events:
        raise _Unusable(_entry(times, "holds no annotation", "annotate the film, or remove both"))
    return info, events


def _sound(path, info, source, split, timeline):
    """(sound (s,), whether there is any) of a film, or of the wav beside it. Raises _Unusable."""
    separate = Path(path).with_suffix(".wav")
    file = separate if separate.exists() else Path(path)
    allowed = source == "folder" and split == "test"
    remedy = "give a film with sound, or use it for generation alone (test split)"
    if file == separate or info.has_sound:
        with _refusals_of(file):
            sound = media.read_sound(file, timeline.sample_rate)
        if sound.any():
            return sound, True
    if not allowed:
        raise _Unusable(_entry(file, "is silent" if file == separate or info.has_sound else "has no sound", remedy))
    return np.zeros(round(info.seconds * timeline.sample_rate), np.float32), False


@contextmanager
def _refusals_of(file):
    """What a file is refused with, as _Unusable."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise _Unusable(_entry_of(error, file)) from error


def _whole(info, timeline):
    """Segments in a film. A frame of slack: one of 10 s at 29.97 fps is a hair shorter than 10 s."""
    return int((info.seconds + 1.5 / max(info.fps, 1)) / timeline.seconds)


def sounds(sources, root, timeline, films=None, count=800, valid_share=0.1, seed=0, folder=None, held_out=None):
    """Sound with captions for RMS2Sound and its backbone, in pieces of `timeline.sound_seconds`.

    sources: any of "render" (`count` pieces from vf.data.render.film), "films" (the sound of `films`' training and validation
    clips, never of test clips), "folder" (sound files in and below `root`; a subfolder's name is the caption), or "shards"
    alone: what vf.data.shards wrote into `root`, too large for memory, so its waves are written to `folder`/waves.npy.
    held_out: pattern of the names of files or recordings that validate; without it `valid_share` of them, drawn, do.
    Pieces shorter than wanted are padded with zeros; level is kept. Returns a ClipSet of train and valid clips.
    Raises ValueError for an unknown source, when nothing is found, or where shards are not of this timeline.
    """
    unknown = set(sources) - {"render", "films", "folder"}
    if list(sources) == ["shards"]:
        return _sharded(Path(root), timeline, valid_share, seed, Path(folder), held_out)
    if unknown or not sources:
        raise ValueError(f"audio.sources is {sources}; wanted some of render, films, folder, or shards alone")
    clips, waves, left_out = [], [], []

    def add(name, split, group, wave, caption, events=()):
        clips.append(Clip(name, None, 0.0, timeline.sound_seconds, split, group, tuple(events), caption))
        waves.append(to_int16(np.pad(wave, (0, timeline.sound_samples - len(wave)))))

    if "render" in sources:
        made = render.sounds(count, timeline.sound_seconds, timeline.sample_rate, seed)
        for i, (wave, events) in enumerate(tqdm(made, total=count, desc="rendered sounds", mininterval=2.0)):
            split = "valid" if i < round(valid_share * count) else "train"
            add(
                f"render_{i:05d}", split, f"render_{i:05d}", wave[: timeline.sound_samples], text_prompt(events), events
            )
    if "films" in sources:
        for i in films.indices("train", "valid"):
            clip = films.clips[i]
            if clip.has_sound:
                add(
                    clip.name,
                    clip.split,
                    clip.group,
                    films.wave(i)[: timeline.sound_samples],
                    clip.caption,
                    clip.events,
                )
    if "folder" in sources:
        _folder_sounds(Path(root), timeline, valid_share, seed, held_out, add, left_out)
    if not clips:
        raise ValueError(f"audio.sources {sources} gave no sound; check audio.root ({root})")
    return ClipSet(clips, np.stack(waves), timeline.sample_rate, left_out)


def _folder_sounds(root, timeline, valid_share, seed, held_out, add, left_out):
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; set audio.root to the folder of the sounds")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in shards.SUFFIXES)
    drawn = random.Random(seed).sample(paths, round(valid_share * len(paths)))
    valid = {p for p in paths if fnmatch(p.stem, held_out)} if held_out else set(drawn)
    used = {}
    for path in tqdm(paths, desc="sound files", mininterval=2.0):
        key = f"{path.relative_to(root).with_suffix('')}".replace("/", "_")
        if (other := used.setdefault(key, path)) != path:
            left_out.append(_entry(path, f"goes by the name of {other.name}", "rename one of the two"))
            continue
        try:
            wave = media.read_sound(path, timeline.sample_rate)
        except media.MediaError as error:
            left_out.append(_entry_of(error, path))
            continue
        if not wave.any():
            left_out.append(_entry(path, "is silent", "replace or remove it"))
            continue
        caption = f"The sound of {path.parent.name.replace('-', ' ')}." if path.parent != root else "A sound."
        for i in range(max(1, len(wave) // timeline.sound_samples)):
            piece = wave[i * timeline.sound_samples : (i + 1) * timeline.sound_samples]
            if piece.any():
                add(f"{key}_{i:02d}", "valid" if path in valid else "train", path.stem, piece, caption)
            else:
                place = f"{i * timeline.sound_seconds:.2f} s"
                left_out.append(_entry(path, f"piece {i} is silent", "nothing, unless it should sound", place=place))


def _sharded(root, timeline, valid_share, seed, folder, held_out):
    """ClipSet of all pieces of a folder of shards, its waves on disk."""
    made, size = shards.manifest(root), timeline.sound_samples
    if (round(made["seconds"] * made["sample_rate"]), made["sample_rate"]) != (size, timeline.sample_rate):
        raise ValueError(
            f"{root}: holds pieces of {made['seconds']} s at {made['sample_rate']} Hz; wanted {timeline.sound_seconds:g} s at "
            f"{timeline.sample_rate} Hz: cut them again with --seconds {timeline.sound_seconds:g}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "waves.npy").unlink(missing_ok=True)
    # a mapped file that outgrows its disk ends the process without a word
    needed, free = 2 * size * made["clips"], shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{folder}: {needed / 1e9:.0f} GB needed, {free / 1e9:.0f} free; make room or cut fewer --pieces"
        )
    waves = np.lib.format.open_memmap(folder / "waves.npy", "w+", np.int16, (made["clips"], size))
    texts = []
    for i, (key, wave, text) in enumerate(tqdm(shards.read(root), total=len(waves), desc="shards", mininterval=2.0)):
        waves[i] = wave
        texts.append((key, text["id"], text["caption"]))
    waves.flush()
    names = sorted({name for _, name, _ in texts})
    drawn = random.Random(seed).sample(names, max(round(valid_share * len(names)), valid_share > 0))
    valid = {name for name in names if fnmatch(Path(name).name, held_out)} if held_out else set(drawn)
    clips = [
        Clip(
            key.replace("/", "_"),
            None,
            0.0,
            timeline.sound_seconds,
            "valid" if name in valid else "train",
            name,
            (),
            caption,
        )
        for key, name, caption in texts
    ]
    left_out = [
        {
            "file": r["id"],
            "line": None,
            "place": r.get("place"),
            "reason": r["reason"],
            "remedy": "replace or remove it",
        }
        for r in made["rejected"]
    ]
    return ClipSet(clips, waves, timeline.sample_rate, left_out)


def beside_the_paper(films, root, timeline, audio="denoised"):
    """How many segments of Greatest Hits the paper had, how many are here, and what explains the difference.

    films: ClipSet of `films("greatest_hits", root, ...)`, with the same timeline and audio. Training and validation films
    count together. Returns {split: {paper, here, difference, films listed, films missing (no such track in the folder), films
    left out (`films.left_out` says why), segments without annotation}}; None where there are no official lists.
    """
    root = Path(root)
    if not all((root / f"{split}.txt").exists() for split in OFFICIAL):
        return None
    paths, counts = _film_paths(root, "greatest_hits", audio), {}
    left_out = {item["file"].rsplit("_", 1)[0] for item in films.left_out}
    for split, paper in OFFICIAL.items():
        listed = set(_listed(root, split))
        used = listed & set(paths) - left_out
        here = len(films.indices(*(("train", "valid") if split == "train" else ("test",))))
        counts[split] = {
            "paper": paper,
            "here": here,
            "difference": here - paper,
            "films listed": len(listed),
            "films missing": len(listed - set(paths)),
            "films left out": len(listed & left_out),
            "segments without annotation": sum(_whole(media.probe(paths[name]), timeline) for name in used) - here,
        }
    return counts
