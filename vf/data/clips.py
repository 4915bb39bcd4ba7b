"""What a clip is: a stretch of a film, its sound, its events and its prompt (sections 3.1, 3.2)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from vf.data import files

MATERIALS = (
    "wood", "metal", "dirt", "rock", "leaf", "plastic", "cloth", "paper", "grass", "water", "drywall", "gravel",
    "plastic-bag", "ceramic", "tile", "carpet", "glass",
)  # fmt: skip
ACTIONS = ("hit", "scratch")
FAR_BEYOND = 10.0  # a coder's overshoot and a hot mix of floats stay below
DEFAULT_PROMPT = "A person hit something with a wooden stick."


@dataclass(frozen=True)
class Event:
    """One annotated sound.

    time: seconds from the start of the film or clip. material, action, reaction: None where the annotators gave none.
    """

    time: float
    material: str | None = None
    action: str | None = None
    reaction: str | None = None


@dataclass(frozen=True)
class Clip:
    """A stretch of film with its sound, or (film None) of sound alone.

    start, seconds: where it lies in the film. split: train, valid or test. group: the film's name, shared by its clips.
    events: times from the clip's start. caption: its text prompt.
    """

    name: str
    film: str | None
    start: float
    seconds: float
    split: str
    group: str
    events: tuple[Event, ...] = ()
    caption: str = DEFAULT_PROMPT


@dataclass
class ClipSet:
    """Clips, their sound and what had to be left out.

    waves: (n, s) int16, perhaps on disk; read them through `wave`. sample_rate: samples per second.
    left_out: one dict for each thing left out: file, line, place (where in the file), reason and remedy. line and place
    are None where there is none.
    """

    clips: list[Clip]
    waves: np.ndarray
    sample_rate: int
    left_out: list[dict[str, str | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.clips)

    def wave(self, index: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Sound of one clip, or of several: float32 (s,) or (k, s), in [-1, 1]."""
        return from_int16(self.waves[index])

    def where(self, *splits: str) -> "ClipSet":
        """The clips of the given splits, as a ClipSet."""
        index = self.indices(*splits)
        return ClipSet([self.clips[i] for i in index], self.waves[index], self.sample_rate, self.left_out)

    def indices(self, *splits: str) -> list[int]:
        """Positions of the clips of the given splits."""
        return [i for i, clip in enumerate(self.clips) if clip.split in splits]

    def save(self, folder: str | Path) -> None:
        """Write clips.json and waves.npy into a folder. Makes the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        mapped = Path(getattr(self.waves, "filename", None) or "")
        if mapped != folder.resolve() / "waves.npy":  # else they lie there already
            files.write_array(folder / "waves.npy", self.waves)
        # films that lie in the folder move with it
        clips = [asdict(replace(c, film=_inside(c.film, folder))) for c in self.clips]
        index = {"sample_rate": self.sample_rate, "clips": clips, "left_out": self.left_out}
        files.write_json(folder / "clips.json", index)


def _inside(film, folder):
    path = Path(film).resolve() if film else None
    return path.relative_to(folder.resolve()).as_posix() if path and path.is_relative_to(folder.resolve()) else film


def load(folder: str | Path) -> ClipSet:
    """Read the ClipSet that `ClipSet.save` wrote. Its waves stay on disk until they are used.

    Raises ValueError, which names the file, where one of the two is missing, is damaged or does not fit the other.
    """
    folder = Path(folder)
    path = folder / "clips.json"
    try:
        index = files.read_json(path)
        films = [c["film"] and str(folder / c["film"]) for c in index["clips"]]
        events = [tuple(Event(**e) for e in c["events"]) for c in index["clips"]]
        clips = [Clip(**{**c, "film": f, "events": e}) for c, f, e in zip(index["clips"], films, events)]
        sample_rate, left_out = index["sample_rate"], index["left_out"]
        path = folder / "waves.npy"
        waves = np.load(path, mmap_mode="r")
        if len(waves) != len(clips):
            raise ValueError(f"it has {len(waves)} waves for {len(clips)} clips")
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        why = files.reason(error, path)
        raise ValueError(f"{path}: is not what was saved ({why}); wanted whole clips: run the stage again") from error
    return ClipSet(clips, waves, sample_rate, left_out)


def to_int16(wave: np.ndarray) -> np.ndarray:
    """A waveform in [-1, 1] as int16 of the same shape, rounded. What is louder is clipped.

    Raises ValueError for samples that are no numbers, which would become silence.
    """
    if not np.isfinite(wave).all():
        raise ValueError("a sound holds NaN or infinite samples; wanted numbers in [-1, 1]")
    return (np.asarray(wave, np.float32) * 32768).round().clip(-32768, 32767).astype(np.int16)


def refusal(wave: np.ndarray) -> tuple[str, str] | None:
    """Why a sound (s,) cannot be kept as 16-bit samples, and the remedy; None where it can.

    It must sound after `to_int16` too, and not be clipped to what it is not, as integers stored as floats would be.
    """
    peak = float(np.abs(wave).max(initial=0))
    if not np.isfinite(peak):
        return "holds NaN or infinite samples", "write it again with samples in [-1, 1]"
    if peak * 32768 <= 0.5:
        return "is silent", "replace or remove it"
    if peak > FAR_BEYOND:
        return "has samples far beyond 1", f"write it again with samples in [-1, 1]: the largest is {peak:.4g}"
    return None


def from_int16(wave: np.ndarray) -> np.ndarray:
    """The float32 waveform of int16 samples, of the same shape, in [-1, 1]."""
    return np.asarray(wave, np.float32) / 32768


def read_times(path: str | Path) -> list[Event]:
    """Events of a film, by time, from its `_times.txt`.

    A line is `time material action reaction`, where time is in seconds and each word may be None.
    Raises ValueError: for a line that is not so it names file, line and remedy; for a file that is no text, the file.
    """
    events = []
    for number, line in enumerate(files.read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            time = float(words[0])
        except ValueError:
            time = -1.0
        if len(words) != 4 or not 0 <= time < float("inf"):
            raise ValueError(
                f"{path}, line {number}: {files.excerpt(line)!r}; wanted `seconds material action reaction`: "
                "mend or delete the line"
            )
        events.append(Event(time, *(None if w == "None" else w for w in words[1:])))
    return sorted(events, key=lambda e: e.time)


def write_times(path: str | Path, events: Iterable[Event]) -> None:
    """Write events as `read_times` reads them, to a tenth of a millisecond."""
    lines = [f"{e.time:.4f} {e.material} {e.action} {e.reaction}\n" for e in events]
    files.write_text(path, "".join(lines))


def cut(events: Iterable[Event], start: float, seconds: float) -> tuple[Event, ...]:
    """The events inside a stretch of `seconds` from `start` on. Their times are counted from its start."""
    return tuple(replace(e, time=round(e.time - start, 4)) for e in events if start <= e.time < start + seconds)


def text_prompt(events: Iterable[Event]) -> str:
    """The paper's template (section 3.2): a sentence for each material and action, in order, joined by "After that,".

    Events without material or action are skipped. A pair that comes again counts once. Without any pair it is the
    default prompt.
    """
    pairs = dict.fromkeys((e.action, e.material) for e in events if e.action and e.material)
    sentences = [f"person {action} {material} with a wooden stick." for action, material in pairs]
    return "A " + " After that, a ".join(sentences) if sentences else DEFAULT_PROMPT


def words_of(caption: str) -> list[str]:
    """Lower-case words of a caption; "plastic-bag" is one."""
    return re.findall(r"[a-z]+(?:-[a-z]+)*", caption.lower())


def mute_before_onset(wave: np.ndarray, events: Sequence[Event], sample_rate: int) -> np.ndarray:
    """The audio prompt: the clip's own sound, silent until its first annotated event.

    wave: (s,). Returns a copy of it.
    """
    prompt = np.array(wave, copy=True)
    if events:
        prompt[: round(events[0].time * sample_rate)] = 0
    return prompt


def material_of(clip: Clip) -> str | None:
    """The material that all labelled events of a clip share. None where there are several or none."""
    materials = {e.material for e in clip.events if e.material}
    return materials.pop() if len(materials) == 1 else None
