"""A render for a digital audio workstation: 48 kHz wavs, a stem per region, markers, curve, and a REAPER project."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import librosa
import numpy as np

from vf.data import files, media, writing
from vf.foley import curves, markers, reaper

RATE = 48000  # of the wavs, which the model's sound is resampled to
DEPTH = 3  # bytes a sample
FADE = 0.01  # seconds in which one stem gives way to another
SEAM = 1  # seconds that a resampled piece is given on both sides
PIECE = 10  # seconds that are resampled at a time
FINE = 0.001  # RMS by which the automation lane may leave the curve: -60 dB


def folder(output: str | Path) -> Path:
    """The folder of a film's project: beside it, `<name>-project`."""
    return Path(output).with_name(f"{Path(output).stem}-project")


def check(output: str | Path) -> None:
    """Raises media.MediaError where a film has a project already, as that may hold somebody's work."""
    there = folder(output)
    if there.exists():
        raise media.MediaError(f"{there}: is there already, and may hold your work; move it away, or name another film")


def size(seconds: float, stems: int) -> int:
    """Bytes that the sounds of a project take. seconds: of the film. stems: how many regions it has, and the rest."""
    return round(seconds * RATE * DEPTH) * (1 + stems)


def write(
    output: str | Path,
    picture: Path | None,
    wave: np.ndarray,
    sample_rate: int,
    wanted: np.ndarray,
    regions: Sequence[dict],
) -> Path:
    """Write all that a DAW takes into `folder(output)`, whole or not at all. Returns the folder.

    It holds `<name>.wav`, the sound, and with regions `stems/`, whose sum it is, all 48 kHz and 24 bit from the film's
    first picture on; `markers.csv` (see `markers.write`) and `curve.csv` (see `curves.to_csv`); and `<name>.rpp`, a
    REAPER project with the film, sound or stems, markers, and the curve as an automation lane of volume on a track of
    its own, from which it can be copied to any other. Paths are relative.

    output: the film with its new sound, whose name is taken. picture: film to show, or None. wave: (s,), perhaps on
    disk. wanted: (n,) RMS. regions: as a session has them. Raises media.MediaError where it cannot be written.
    """
    check(output)
    there, name = folder(output), Path(output).stem
    rate = sample_rate * len(wanted) / len(wave)
    seconds = len(wave) / sample_rate
    found = markers.of(wanted, rate, regions)
    tracks = []
    if picture is not None:
        tracks.append(reaper.Track("film", _relative(picture, there), video=True))
    try:
        with files.whole_folder(there) as partial:
            write_wav(partial / f"{name}.wav", wave, sample_rate)
            if regions:
                (partial / "stems").mkdir()
                for k, words in enumerate(["outside the regions", *map(markers.label, regions)]):
                    file = f"stems/{k:02d} {_plain(words)}.wav"
                    write_wav(partial / file, Stem(wave, sample_rate, regions, k), sample_rate)
                    tracks.append(reaper.Track(words, file))
            else:
                tracks.append(reaper.Track("sound", f"{name}.wav"))
            lane = curves.corners(wanted, rate, FINE)
            tracks.append(reaper.Track("loudness curve", envelope=lane))
            markers.write(partial / "markers.csv", found)
            curves.to_csv(wanted, rate, partial / "curve.csv")
            text = reaper.text(tracks, found, seconds, RATE)
            (partial / f"{name}.rpp").write_bytes(text.encode("utf-8", "surrogateescape"))
    except (OSError, media.MediaError) as error:  # the second of a file within, whose folder has another name yet
        cause = error if isinstance(error, OSError) else error.__cause__
        raise media.MediaError(
            f"{there}: cannot be written ({getattr(cause, 'strerror', None) or error}); "
            "wanted a folder with room: check it and its disk"
        ) from error
    return there


def write_wav(path: str | Path, wave: "np.ndarray | Stem", sample_rate: int) -> None:
    """Write a mono sound (s,) at 48 kHz and 24 bit, whole or not at all.

    It is resampled, so that it holds nothing above half its own sample rate; a comment in the file says so. Raises
    media.MediaError where it cannot be written.
    """
    comment = f"resampled from {sample_rate} Hz: nothing above {sample_rate // 2} Hz"
    writing.write_pieces(path, _resampled(wave, sample_rate), RATE, "PCM_24", comment)


def _resampled(wave, sample_rate) -> Iterator[np.ndarray]:
    """A sound at 48 kHz, piece by piece, each resampled together with its neighbours' edges."""
    size, around = PIECE * sample_rate, SEAM * sample_rate
    for begin in range(0, len(wave), size):
        first = max(0, begin - around)
        piece = np.asarray(wave[first : begin + size + around], np.float32)
        made = librosa.resample(piece, orig_sr=sample_rate, target_sr=RATE, res_type="soxr_hq")
        skip = (begin - first) // sample_rate * RATE
        yield made[skip : skip + PIECE * RATE]


class Stem:
    """The part of a sound that belongs to one region, as long as the whole; it gives arrays by slices.

    index: of the region, from 1; 0 for what belongs to none. The later region has what two share. All stems together
    are the sound again.
    """

    def __init__(self, wave: np.ndarray, sample_rate: int, regions: Sequence[dict], index: int):
        self.wave, self.sample_rate, self.regions, self.index = wave, sample_rate, regions, index

    def __len__(self) -> int:
        return len(self.wave)

    def __getitem__(self, part: slice) -> np.ndarray:
        begin, end, _ = part.indices(len(self.wave))
        positions = np.arange(begin, end) / self.sample_rate
        share = np.ones(end - begin) if self.index == 0 else self._inside(self.index - 1, positions)
        for later in range(self.index, len(self.regions)):
            share *= 1 - self._inside(later, positions)
        return (np.asarray(self.wave[begin:end]) * share).astype(np.float32)

    def _inside(self, k, positions):
        """1 inside a region, 0 outside, with short ramps; none at the film's ends."""
        start, end = self.regions[k]["start"], self.regions[k]["end"]
        half = min(FADE, end - start) / 2
        rise = np.clip((positions - start + half) / (2 * half), 0, 1) if start > 0 else 1.0
        last = end * self.sample_rate >= len(self.wave)
        fall = 1.0 if last else np.clip((end + half - positions) / (2 * half), 0, 1)
        return np.ones(len(positions)) * rise * fall


def _relative(file, start):
    """A path as seen from a folder, with "/" between folders."""
    return Path(os.path.relpath(file.resolve(), start.resolve())).as_posix()


def _plain(words):
    """Words as a part of a file's name, in any alphabet."""
    return re.sub(r"[^\w'-]+", " ", words).strip()[:40].strip() or "region"
