"""What the desk says in words: scores of the last render, names of regions, and what is worth knowing before one."""

import html

import numpy as np

from vf.foley import render as foley
from vf.foley import vocabulary
from vf.studio.studio import Studio

SCORES = {  # keys of adherence.adherence: name and digits
    "e_l1": ("E-L1", 4),
    "error_db": ("error (dB)", 1),
    "lag_ms": ("late by (ms)", 1),
    "onset_f1_50ms": ("onset F1, 50 ms", 2),
    "correlation": ("correlation", 3),
}
CELL = "style='text-align:left;padding-right:18px;min-width:70px'"
WAYS = (
    "three ways to another curve: <b>Draw</b> over it, or <b>Hum</b> or <b>Clap</b> along with the film. "
    "A recording of either, dropped on the field at the top, does the same."
)
HEARD = {
    "hum": "the curve follows the voice; Undo takes it back",
    "clap": "the curve has a hit at each clap; Undo takes it back",
}
WRITTEN = (
    "Save writes the film with its new sound, and the session beside it, of the same name with .json; on request the "
    "sound alone, with .wav: 48 kHz, 24 bit (resampled from the model's rate), and a project, a folder with -project: "
    "such wavs, a stem for each region, markers, the curve, and a REAPER project. "
    "Each Download writes the same files first"
)


def region(place: foley.Region) -> str:
    """What a region sounds like, in a few words."""
    if place.prompt:
        return place.prompt
    return "the film's own prompt" if place.audio is None else "as a sound"


def choice(place: foley.Region) -> str:
    """A region in the list of regions."""
    return f"{place.start:.2f}–{place.end:.2f} s, {region(place)}, {place.gain_db:+g} dB"


def advice(studio: Studio) -> str:
    """The line under the curve: where it comes from, why it may be wrong, and what to do then, as HTML."""
    if studio.film is None:
        return f"No film yet, so the curve is silent. There are {WAYS}"
    doubt = studio.doubt
    if doubt:
        return f"<b style='color:#c00000'>{html.escape(doubt)}</b> There are {WAYS}"
    return f"The dashed curve is predicted from the picture alone. Where it misses what you see, {WAYS}"


def notes(studio: Studio, prompt: str, negative: str) -> str:
    """What the model knows, what it does not, and what scores mean, as HTML. prompt, negative: as typed so far."""
    warnings = [f"<b>{html.escape(line)}</b>" for line in studio.remarks(prompt, negative)]
    return "<br>".join([html.escape(f"{vocabulary.known(studio.maker)} {vocabulary.SCORES}"), *warnings])


def scores(studio: Studio) -> str:
    """The table under the plot: how closely the last render follows its curve."""
    sound = studio.made
    if sound is None:
        return "no render yet"
    rows = {"as it is": sound.adherence["raw"], "after one gain": sound.adherence["gain_matched"]}
    if sound.uncorrected:
        rows = {"before its gain was corrected": sound.uncorrected["raw"]} | rows
    current = np.array_equal(sound.wanted, studio.wanted)
    title = "the sound against the wanted curve" if current else "<i>the curve has changed since: Render again</i>"
    table = [(title, *(name for name, _ in SCORES.values()))]
    for label, values in rows.items():
        table.append((label, *(f"{values[key]:.{digits}f}" for key, (_, digits) in SCORES.items())))
    lines = ("<tr>" + "".join(f"<td {CELL}>{cell}</td>" for cell in line) + "</tr>" for line in table)
    reached = sound.session["loudness_reached"]
    level = "" if reached is None else f"<br>integrated loudness: {reached:.1f} LUFS, which the scores leave out"
    return f"<div style='overflow-x:auto'><table style='line-height:1.5'>{''.join(lines)}</table></div>{level}"
