"""A film's curve beside other sounds: the film's own, and a voice or hands that were recorded along with it."""

from contextlib import suppress
from pathlib import Path

import numpy as np

from vf.data import media
from vf.foley import curves
from vf.signal import onsets
from vf.signal.timeline import Timeline

POOR = 0.3  # correlation of a curve with the film's own loudness, below which the two are said to differ
LOUD = 0.2  # largest RMS of a recorded curve, as of a hit
HUSH = 30  # dB below its peak at which a recording counts as silent


def doubt(curve: np.ndarray, film: str | Path | None, timeline: Timeline, floor: float) -> str:
    """Why a predicted curve may not be what a film shows, in a sentence; "" where nothing speaks against it.

    curve: (n,) RMS at the 512/128 rate. floor: smallest RMS of an event. It is advice: where the film's own sound,
    which will be replaced, cannot be read, nothing speaks against the curve.
    """
    if film is None:
        return ""
    if curve.max() < floor:
        return "No sound was predicted for this film."
    if np.percentile(curve, 5) > curve.max() / 2:
        return "The predicted curve hardly moves."
    rate = timeline.video_rms_rate
    with suppress(media.MediaError):  # of a film without sound, or with one that is damaged
        own = curves.from_sound(film, timeline, len(curve) / rate)
        if own.max() >= floor and (likeness := np.corrcoef(own, curve)[0, 1]) < POOR:
            return f"The predicted curve does not follow the film's own sound (correlation {likeness:.2f})."
    return ""


def recorded(path: str | Path, how: str, timeline: Timeline, floor: float) -> np.ndarray:
    """The curve of a recording: (n,) RMS at the 512/128 rate, as long as the recording.

    how: "hum" for its loudness, brought to a peak of LOUD; "clap" for a hit at each of its onsets. What lies HUSH dB
    below its peak is silence. floor: smallest RMS of an onset. Raises ValueError for another way and for a silent
    recording, media.MediaError for a file without sound.
    """
    if how not in ("hum", "clap"):
        raise ValueError(f"way {how!r}; wanted hum or clap")
    heard = curves.from_sound(path, timeline)
    if heard.max() <= 0:
        raise ValueError("nothing was heard; wanted a voice or claps: check the microphone")
    heard = heard * (LOUD / heard.max())
    heard[heard < LOUD * 10 ** (-HUSH / 20)] = 0
    if how == "hum":
        return heard
    rate = timeline.video_rms_rate
    return curves.hits(onsets.detect(heard, rate, floor), rate, len(heard) / rate, LOUD)
