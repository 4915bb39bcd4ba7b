"""A film's new sound, and how it is saved."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vf.data import files, writing
from vf.evaluation import adherence
from vf.foley import project, record


class Stopped(Exception):
    """A render was stopped from outside; nothing was written."""


@dataclass
class Foley:
    """A film's new sound.

    film: path, or None. waveform: (s,) float32, perhaps mapped from disk. wanted: (n,) RMS that the sound shall have,
    every `hop` samples. adherence: how closely the sound follows it, {"raw": {e_l1, error_db, lag_ms, onset_f1_50ms,
    correlation}, "gain_matched": the same}, before the one gain that `loudness` asks for; uncorrected: the same before
    the gain was corrected, or None where it was not. session: dict, all it takes to make the sound again; a script may
    read it, `save` writes it as JSON.
    """

    film: Path | None
    waveform: np.ndarray = field(repr=False)
    wanted: np.ndarray = field(repr=False)
    sample_rate: int
    window: int
    hop: int
    adherence: dict = field(repr=False)
    uncorrected: dict | None = field(repr=False)
    session: dict = field(repr=False)

    @property
    def rms(self) -> np.ndarray:
        """RMS of the sound, (n,), on the clock of `wanted`."""
        return adherence.loudness(self.waveform, self.window, self.hop)

    def save(self, output: str | Path, wav: bool = False, project_folder: bool = False) -> Path:
        """Write the film with this sound, and the session beside it as JSON; without a film the sound alone, as wav.

        The picture is copied, the original stays. wav: the sound beside it too, 48 kHz and 24 bit, resampled from the
        model's rate. project_folder: `save_project` too. Returns the path. Raises media.MediaError where it cannot be
        written, ValueError where it would be written over a sound that the session names.
        """
        output = Path(output)
        sound = output.with_suffix(".wav")
        _check_inputs(self.session, [output, output.with_suffix(".json"), *([sound] if wav else [])])
        if project_folder:
            project.check(output)
        if self.film:
            partial = bool(self.session.get("partial"))
            writing.replace_sound(self.film, output, self.waveform, self.sample_rate, partial)
        else:
            writing.write_sound(output, self.waveform, self.sample_rate)
        record.write(output.with_suffix(".json"), self.session)
        if wav and sound != output:
            project.write_wav(sound, self.waveform, self.sample_rate)
        if project_folder:
            self.save_project(output)
        return output

    def save_project(self, output: str | Path) -> Path:
        """Write all that a DAW takes, in a folder beside what `save` wrote to `output` (see `project.write`).

        Returns the folder. Raises media.MediaError where it cannot be written or is there already.
        """
        output = Path(output)
        picture = output if self.film and output.suffix.lower() in writing.FORMATS else self.film
        return project.write(output, picture, self.waveform, self.sample_rate, self.wanted, self.session["regions"])


def _check_inputs(session, written):
    """Raises ValueError where a sound that a session names, and needs to be made again, would be written over."""
    sounds = [part["audio"]["path"] for part in (session, *session["regions"]) if "path" in (part["audio"] or {})]
    if found := files.over(written, sounds):
        raise ValueError(
            f"{found[0]}: is the sound that gives the timbre, and would be written over; wanted another name"
        )
