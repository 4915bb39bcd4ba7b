"""Where clips come from: rendered films, Greatest Hits, any folder of films; sound for RMS2Sound (section 3.1)."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from vf.data import files, media, processes, shards
from vf.data.clips import DEFAULT_PROMPT, Clip, ClipSet, cut, read_times, refusal, text_prompt, to_int16
from vf.data.render import film as render
from vf.signal.timeline import Timeline

SPLITS = ("train", "valid", "test")
LACKING = 0.1  # seconds of a segment that may be without sound at its end
OFFICIAL = {"train": 2212, "test": 732}  # segments of Greatest Hits (section 3.1)


@dataclass(frozen=True)
class FilmCorpus:
    """Where films come from and which of them train, validate and test: the block `films` of params.yaml.

    source: "render" (films that vf.data.render.film draws into `root`), "greatest_hits" (films and labels in `root`),
        or "folder" (any films in `root`).
    root: folder of the films.
    audio: which track of Greatest Hits, "denoised" or "mic".
    folds, fold: without an official split the films are dealt into `folds`; number `fold` is the test set.
    valid_share: share of the training films that validates, where there is no official list of those.
    Raises ValueError for an unknown source.
    """

    source: str
    root: str | Path
    audio: str = "denoised"
    folds: int = 5
    fold: int = 0
    valid_share: float = 0.1

    def __post_init__(self) -> None:
        if self.source not in ("render", "greatest_hits", "folder"):
            raise ValueError(f"films.source is {self.source!r}; wanted render, greatest_hits or folder")

    @property
    def folder(self) -> Path:
        """The folder of the films, as a path."""
        return Path(self.root)

    def paths(self) -> dict[str, Path]:
        """The films, by name. Of several files with one name the first counts."""
        return {self.name_of(path): path for path in reversed(self.found())}

    def found(self) -> list[Path]:
        """All films of the folder, of Greatest Hits those with the track that is asked for, sorted."""
        if self.source == "folder":
            return files.listed(self.folder, media.FILMS)
        return [path for path in files.listed(self.folder, media.FILMS) if path.stem.endswith(f"_{self.audio}")]

    def name_of(self, path: Path) -> str:
        """What a film is called: its file's name, of Greatest Hits without the track."""
        return path.stem if self.source == "folder" else path.stem.removesuffix(f"_{self.audio}")

    def listed(self, split: str) -> list[str]:
        """The names in the folder's list of a split, one a line; none where there is no list.

        Raises ValueError for a list of training or test films without a name.
        """
        path = self.folder / f"{split}.txt"
        if not path.exists():
            return []
        names = [name for line in files.read_text(path).splitlines() if (name := line.strip())]
        if not names and split != "valid":  # films may be rendered without any
            raise ValueError(f"{path}: names no film; wanted one a line: fill the list or remove it")
        return names

    def has_lists(self, *splits: str) -> bool:
        """Whether the folder has a list of each of these splits."""
        return all((self.folder / f"{split}.txt").exists() for split in splits)

    def rest(self) -> str:
        """What the films become that are in no list: "test" beside train.txt alone, "train" beside test.txt alone.

        "none" beside both, so that the paper's counts come out; "folds" beside neither: they are dealt into folds.
        """
        known = self.has_lists("train"), self.has_lists("test")
        return {(True, True): "none", (True, False): "test", (False, True): "train", (False, False): "folds"}[known]

    def split(self, names: Sequence[str], seed: int) -> dict[str, str]:
        """{film: "train", "valid" or "test"}, by the folder's lists, and of films in no list as `rest` says.

        Raises ValueError for a fold that is not there or would have no film, and for an empty list.
        """
        shuffled = random.Random(seed).sample(names, len(names))
        known, rest = set(names), self.rest()
        split = {name: s for s in SPLITS for name in self.listed(s) if name in known}
        others = [name for name in shuffled if name not in split]
        if rest == "folds":
            if not 0 <= self.fold < self.folds:
                raise ValueError(
                    f"films.fold is {self.fold}; wanted 0 to {self.folds - 1}, as films.folds is {self.folds}"
                )
            if self.fold >= len(others):
                raise ValueError(self._too_many_folds(len(others)))
            split |= {name: "test" if i % self.folds == self.fold else "train" for i, name in enumerate(others)}
        elif rest != "none":
            split |= dict.fromkeys(others, rest)
        if not self.has_lists("valid"):
            train = [name for name in shuffled if split.get(name) == "train"]
            for name in train[: round(self.valid_share * len(train)) if len(train) > 1 else 0]:
                split[name] = "valid"
        return split

    def _too_many_folds(self, count):
        return (
            f"films.folds is {self.folds}, and {self.folder} has {count} films for them; "
            f"wanted a film for each fold at least: set films.folds to {max(2, count)} or less, or add films"
        )

    def check_folds(self, count: int) -> None:
        """Raises ValueError where `count` films cannot be dealt into folds without one that has no test film."""
        if self.folds > count:
            raise ValueError(self._too_many_folds(count))


def films(
    corpus: FilmCorpus,
    timeline: Timeline,
    seed: int = 0,
    render_films: Mapping[str, Any] | None = None,
    workers: int = 2,
) -> ClipSet:
    """Clips of films: whole segments of `timeline.seconds`, cut one after the other. Their level is kept as it is.

    A segment of Greatest Hits needs at least one annotation; this rule gives the paper's 2212 and 732.
    Split: by the lists train.txt, valid.txt and test.txt of the folder where it has them, else by `corpus.folds`.
    seed: of the split and of rendered films. render_films: further keywords of vf.data.render.film.write_films.
    workers: processes.
    A film that cannot be used is left out, and ClipSet.left_out says why. Raises ValueError when none can be used.
    """
    root = corpus.folder
    if corpus.source == "render":
        options = render_films or {}
        render.write_films(root, fps=timeline.fps, sample_rate=timeline.sample_rate, seed=seed, **options)
        corpus = replace(corpus, audio="denoised")
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; set films.root to the folder of the films")
    paths = corpus.paths()
    if not paths:
        raise ValueError(_no_film(corpus))
    split = corpus.split(sorted(paths), seed)
    jobs = [(name, str(paths[name]), split[name]) for name in sorted(paths) if name in split]
    if not jobs:
        listed = [name for s in SPLITS for name in corpus.listed(s)]
        raise ValueError(
            f"{root}: none of the {len(listed)} names in train.txt, valid.txt and test.txt is a film of this folder "
            f"(the first: {listed[0] if listed else 'none'}; a film: {min(paths)}); "
            "wanted names like the film's, one a line: mend or remove the lists"
        )
    if corpus.rest() != "folds" and (lacking := {"train", "test"} - set(split.values())):
        lost = _mislisted(corpus, paths)
        why = f" ({lost[0]['file']} {lost[0]['reason']})" if lost else ""
        raise ValueError(
            f"{root}: its lists leave no film for {min(lacking)}{why}; wanted one at least: mend or remove the lists"
        )
    read = partial(_segments, source=corpus.source, timeline=timeline)
    clips: list[Clip] = []
    waves: list[np.ndarray] = []
    left_out = _doubles(corpus) + _mislisted(corpus, paths) + _unlisted(corpus, paths)
    found = processes.each(read, jobs, workers)
    for job, part in zip(jobs, tqdm(found, total=len(jobs), desc="films", mininterval=2.0)):
        if part is None:
            left_out.append(_entry(job[1], "ends the process that reads it", "convert it to mp4 (H.264, AAC)"))
            continue
        clips += part[0]
        waves += part[1]
        left_out += part[2]
    if not clips:
        raise ValueError(f"{root}: none of {len(jobs)} films can be used{_first(left_out)}")
    return ClipSet(clips, np.stack(waves), timeline.sample_rate, left_out)


def _no_film(corpus):
    """What to say of a folder without a film. It names the other track of Greatest Hits where that one is there."""
    if corpus.source == "folder":
        return f"{corpus.root}: has no film; wanted {', '.join(media.FILMS)}"
    other = next((track for track in ("denoised", "mic") if replace(corpus, audio=track).paths()), None)
    advice = f": set films.audio to {other} (make real AUDIO={other})" if other else ""
    return f"{corpus.root}: has no film; wanted *_{corpus.audio}.mp4 with *_times.txt{advice}"


def _doubles(corpus):
    """Films of a folder that go by the name of another one, as entries of `left_out`."""
    used = corpus.paths()
    return [
        _entry(path, f"goes by the name of {used[corpus.name_of(path)].name}", "rename one of the two")
        for path in corpus.found()
        if used[corpus.name_of(path)] != path
    ]


def _mislisted(corpus, paths):
    """What the lists of a folder say that cannot be, as entries of `left_out`: one for each list and kind."""
    left_out = []
    for k, split in enumerate(SPLITS):
        listed = dict.fromkeys(corpus.listed(split))
        absent = [name for name in listed if name not in paths]
        later = [name for name in listed for other in SPLITS[k + 1 :] if name in corpus.listed(other)]
        for names, what, remedy in (
            (absent, "that no film of the folder has", "put the films there, or mend the names"),
            (later, "that a later list has too, which counts", "leave each name in one list"),
        ):
            if names:
                count = f"{len(names)} name{'s' if len(names) > 1 else ''}"
                reason = f"holds {count} {what} (the first: {names[0]})"
                left_out.append(_entry(corpus.folder / f"{split}.txt", reason, remedy))
    return left_out


def _unlisted(corpus, paths):
    """What became of the films of a folder that are in none of its lists, as an entry of `left_out`."""
    rest, named = corpus.rest(), {name for split in SPLITS for name in corpus.listed(split)}
    others = sorted(set(paths) - named)
    if rest == "folds" or not others:
        return []
    count = f"{len(others)} film{'s' if len(others) > 1 else ''} of the folder (the first: {others[0]})"
    if rest == "none":
        return [
            _entry("train.txt", f"and test.txt lack {count}, which are left out", "add each to one list, to use it")
        ]
    there, lacking = ("train.txt", "test.txt") if rest == "test" else ("test.txt", "train.txt")
    kind = "tests" if rest == "test" else "training films"
    return [_entry(there, f"has no {lacking} beside it: {count} are {kind}", f"write {lacking}, if that is not meant")]


def _entry(file, reason, remedy, line=None, place=None):
    """What `left_out` says of a file. line: its number. place: a second of the film or sound."""
    return {"file": Path(file).name, "line": line, "place": place, "reason": reason, "remedy": remedy}


def _first(left_out):
    """The first entry of `left_out` as the end of a line, with its place and remedy."""
    if not left_out:
        return ""
    entry = left_out[0]
    line = f", line {entry['line']}," if entry["line"] else ""
    return f"; the first: {entry['file']}{line} {entry['reason']}: {entry['remedy']}"


def _entry_of(error, file):
    """The same, from the error that refused a file: "FILE[, line N]: reason; wanted remedy"."""
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


def splits(films: ClipSet, corpus: FilmCorpus, seed: int = 0) -> list[list[str]]:
    """Fold by fold, the split of every clip: "train", "valid" or "test".

    films: the clips of `corpus`. seed: the one that they were split with. With an official split there is one fold, the
    clips' own. Otherwise each film is in the test set of one fold. Raises ValueError for a fold without a film.
    """
    if corpus.rest() != "folds":
        return [[clip.split for clip in films.clips]]
    used = {clip.group for clip in films.clips}
    corpus.check_folds(len(used - set(corpus.listed("valid"))))
    # all that `films` dealt, those that were left out then too: else others would fall elsewhere
    names = sorted(corpus.paths())
    folds = [replace(corpus, fold=fold).split(names, seed) for fold in range(corpus.folds)]
    dealt = [[split[clip.group] for clip in films.clips] for split in folds]
    lost = len(names) - len(used)
    for fold, split in enumerate(dealt):
        if lacking := {"train", "test"} - set(split):
            raise ValueError(
                f"{corpus.folder}: fold {fold} of {corpus.folds} has no film to {min(lacking)}, as {lost} of "
                "its films are left out; wanted one in each: mend or remove those films, or set films.folds lower"
            )
    return dealt


class _Unusable(Exception):
    """A film that is left out: the entry that says why."""


def _segments(job, source, timeline):
    """Clips, int16 waves and what was left out of one film."""
    name, path, split = job
    try:
        info, events = _film(path, name, source, timeline)
        file, sound = _sound(path, info, timeline)
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
        if len(wave) < timeline.samples - LACKING * timeline.sample_rate:
            place, end = f"{start:g} s", len(sound) / timeline.sample_rate
            left_out.append(
                _entry(file, f"its sound ends at {end:.2f} s", "give sound as long as the picture", place=place)
            )
            continue
        waves.append(to_int16(np.pad(wave, (0, timeline.samples - len(wave)))))
        caption = text_prompt(inside) if source != "folder" else DEFAULT_PROMPT
        clips.append(Clip(f"{name}_{i:02d}", path, start, timeline.seconds, split, name, inside, caption))
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
    if events[0].time >= info.seconds:
        reason = f"holds no annotation within the film's {info.seconds:.2f} s"
        raise _Unusable(_entry(times, reason, "give times in seconds from the film's start"))
    return info, events


def _sound(path, info, timeline):
    """(file that the sound is from, sound (s,)) of a film. Raises _Unusable. The wav beside it comes first."""
    film = Path(path)
    file = next((wav for s in (".wav", ".WAV") if (wav := film.with_suffix(s)).exists()), film)
    if file == film and not info.has_sound:
        raise _Unusable(_entry(file, "has no sound", "give a film with sound; `video-foley` gives one to this"))
    with _refusals_of(file):
        sound = media.read_sound(file, timeline.sample_rate)
    if found := refusal(sound):
        raise _Unusable(_entry(file, *found))
    return file, sound


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


@dataclass(frozen=True)
class SoundCorpus:
    """Where the sound of RMS2Sound and its backbone comes from: the blocks `audio` and `sounds` of params.yaml.

    sources: any of "render" (`count` pieces from vf.data.render.film), "films" (sound of the training and validation
        films, never of test films) and "folder" (sound files in and below `root`; a subfolder's name is the caption);
        or "shards" alone (what vf.data.shards wrote into `root`).
    root: folder of the sound files, or of the shards.
    held_out: pattern of the names of files or recordings that validate. None: a share of them, drawn.
    count: rendered pieces. valid_share: share that validates, where `held_out` does not say.
    Raises ValueError for an unknown source.
    """

    sources: Sequence[str]
    root: str | Path
    held_out: str | None = None
    count: int = 800
    valid_share: float = 0.1

    def __post_init__(self) -> None:
        known = set(self.sources) <= {"render", "films", "folder"} or list(self.sources) == ["shards"]
        if not known or not self.sources:
            raise ValueError(f"audio.sources is {self.sources}; wanted some of render, films, folder, or shards alone")


def sounds(
    corpus: SoundCorpus,
    timeline: Timeline,
    films: ClipSet | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
) -> ClipSet:
    """Sound with captions for RMS2Sound and its backbone, in pieces of `timeline.sound_seconds`: train and valid clips.

    films: clips whose sound the source "films" takes. seed: of rendered sounds and of the draw of those that validate.
    folder: where the waves of shards are written, as waves.npy: they are too large for memory.
    Pieces that are shorter are padded with zeros. Their level is kept as it is.
    Raises ValueError when there is no sound, when films or folder are lacking, or when shards have another timeline.
    """
    if "shards" in corpus.sources:
        if folder is None:
            raise ValueError("audio.sources is shards, without a folder; wanted one for their waves: give `folder`")
        return _sharded(corpus, timeline, seed, Path(folder))
    if "films" in corpus.sources and films is None:
        raise ValueError("audio.sources names films, and there are none; wanted their clips: give `films`")
    pieces: list[tuple[Clip, np.ndarray]] = []
    left_out: list[dict[str, str | None]] = []
    if "render" in corpus.sources:
        pieces += _rendered_sounds(corpus, timeline, seed)
    if "films" in corpus.sources and films is not None:
        pieces += _film_sounds(films, timeline)
    if "folder" in corpus.sources:
        pieces += _folder_sounds(corpus, timeline, seed, left_out)
    if not pieces:
        raise ValueError(f"audio.sources {corpus.sources} gave no sound; check audio.root ({corpus.root})")
    clips, waves = zip(*pieces)
    _check_splits(clips, corpus)
    return ClipSet(list(clips), np.stack(waves), timeline.sample_rate, left_out)


def _held_out(corpus, count):
    """How many of some recordings validate: one at least, where any are to."""
    return min(count, max(round(corpus.valid_share * count), int(corpus.valid_share > 0)))


def _check_splits(clips, corpus):
    """Raises ValueError where no sound is left to train, or none to validate though some are held out."""
    held_out = {"folder", "shards"} & set(corpus.sources) and (corpus.valid_share or corpus.held_out)
    for split in ("train", "valid") if held_out else ():
        if not any(clip.split == split for clip in clips):
            chosen = f"audio.held_out {corpus.held_out}" if corpus.held_out else f"valid_share {corpus.valid_share:g}"
            raise ValueError(
                f"audio.sources {list(corpus.sources)}: {chosen} leaves none of {len(clips)} pieces to {split}; "
                "wanted some in train and in valid: change it, or add sounds"
            )


def _piece(timeline, name, split, group, wave, caption, events=()):
    """(Clip, int16 wave) of a piece of sound, padded with zeros to its length."""
    clip = Clip(name, None, 0.0, timeline.sound_seconds, split, group, tuple(events), caption)
    return clip, to_int16(np.pad(wave, (0, timeline.sound_samples - len(wave))))


def _rendered_sounds(corpus, timeline, seed):
    """Pieces of rendered sound; the first of them validate."""
    rendered = render.sounds(corpus.count, timeline.sound_seconds, timeline.sample_rate, seed)
    for i, (wave, events) in enumerate(tqdm(rendered, total=corpus.count, desc="rendered sounds", mininterval=2.0)):
        split = "valid" if i < round(corpus.valid_share * corpus.count) else "train"
        name = f"render_{i:05d}"
        yield _piece(timeline, name, split, name, wave[: timeline.sound_samples], text_prompt(events), events)


def _film_sounds(films, timeline):
    """The sound of training and validation clips."""
    for i in films.indices("train", "valid"):
        clip = films.clips[i]
        wave = films.wave(i)[: timeline.sound_samples]
        yield _piece(timeline, clip.name, clip.split, clip.group, wave, clip.caption, clip.events)


def _folder_sounds(corpus, timeline, seed, left_out):
    """Pieces of the sound files of a folder; `left_out` gets an entry for each that cannot be used.

    Raises ValueError without the folder.
    """
    root, samples = Path(corpus.root), timeline.sound_samples
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; set audio.root to the folder of the sounds")
    paths = files.listed(root, media.SOUNDS, below=True)
    drawn = random.Random(seed).sample(paths, _held_out(corpus, len(paths)))
    valid = {p for p in paths if fnmatch(p.stem, corpus.held_out)} if corpus.held_out else set(drawn)
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
        if found := refusal(wave):
            left_out.append(_entry(path, *found))
            continue
        caption = f"The sound of {path.parent.name.replace('-', ' ')}." if path.parent != root else "A sound."
        split = "valid" if path in valid else "train"
        for i in range(max(1, len(wave) // samples)):
            piece = wave[i * samples : (i + 1) * samples]
            if refusal(piece) is None:
                yield _piece(timeline, f"{key}_{i:02d}", split, path.stem, piece, caption)
            else:
                place = f"{i * timeline.sound_seconds:.2f} s"
                left_out.append(_entry(path, f"piece {i} is silent", "nothing, unless it should sound", place=place))


def _sharded(corpus, timeline, seed, folder):
    """ClipSet of all pieces of a folder of shards, its waves on disk."""
    root, size = Path(corpus.root), timeline.sound_samples
    manifest = shards.manifest(root)
    seconds, rate, count = manifest["seconds"], manifest["sample_rate"], manifest["clips"]
    if (round(seconds * rate), rate) != (size, timeline.sample_rate):
        raise ValueError(
            f"{root}: holds pieces of {seconds} s at {rate} Hz; wanted {timeline.sound_seconds:g} s at "
            f"{timeline.sample_rate} Hz: cut them again with --seconds {timeline.sound_seconds:g}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "waves.npy").unlink(missing_ok=True)
    # a mapped file that outgrows its disk ends the process without a word
    needed, free = 2 * size * count, shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{folder}: {needed / 1e9:.0f} GB needed, {free / 1e9:.0f} free; make room or cut fewer --pieces"
        )
    waves = np.lib.format.open_memmap(folder / "waves.npy", "w+", np.int16, (count, size))
    texts = []
    pieces = shards.read(root, workers=os.cpu_count() or 1)
    for i, (key, wave, text) in enumerate(tqdm(pieces, total=count, desc="shards", mininterval=2.0)):
        waves[i] = wave
        texts.append((key, text["id"], text["caption"]))
    waves.flush()
    names = sorted({name for _, name, _ in texts})
    drawn = random.Random(seed).sample(names, _held_out(corpus, len(names)))
    pattern = corpus.held_out
    valid = {name for name in names if fnmatch(Path(name).name, pattern)} if pattern else set(drawn)
    clips = []
    for key, name, caption in texts:
        split = "valid" if name in valid else "train"
        clips.append(Clip(key.replace("/", "_"), None, 0.0, timeline.sound_seconds, split, name, (), caption))
    _check_splits(clips, corpus)
    left_out = [
        {
            "file": r["id"],
            "line": None,
            "place": r.get("place"),
            "reason": r["reason"],
            "remedy": "replace or remove it",
        }
        for r in manifest["rejected"]
    ]
    return ClipSet(clips, waves, timeline.sample_rate, left_out)


def beside_the_paper(films: ClipSet, corpus: FilmCorpus, timeline: Timeline) -> dict[str, dict[str, int]] | None:
    """How many segments of Greatest Hits the paper had, how many are here, and what explains the difference.

    films: the clips of `corpus`, a copy of Greatest Hits, by the same timeline. Training and validation films count
    together. None where there are no official lists.
    Returns for "train" and "test" a row of counts: paper, here, difference, films listed, films missing (they have no
    such track in the folder), films left out (`films.left_out` says why), and segments without annotation.
    """
    if not corpus.has_lists(*OFFICIAL):
        return None
    paths, counts = corpus.paths(), {}
    entries = Counter(str(item["file"]).rsplit("_", 1)[0] for item in films.left_out)
    left_out = entries.keys() - {clip.group for clip in films.clips}  # others lack single segments
    for split, paper in OFFICIAL.items():
        listed = set(corpus.listed(split))
        used = listed & set(paths) - left_out
        here = len(films.indices(*(("train", "valid") if split == "train" else ("test",))))
        counts[split] = {
            "paper": paper,
            "here": here,
            "difference": here - paper,
            "films listed": len(listed),
            "films missing": len(listed - set(paths)),
            "films left out": len(listed & left_out),
            "segments without annotation": sum(
                _whole(media.probe(paths[name]), timeline) - entries[name] for name in used
            )
            - here,
        }
    return counts
