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
WRITTEN = (
    "Save writes the film with its new sound, and the session beside it, of the same name with .json; "
    "a project is a folder of the same name with -project: wavs of 48 kHz, 24 bit (resampled from the model's rate), a "
    "stem for each region, markers, the curve, and a REAPER project"
)


def region(place: foley.Region) -> str:
    """What a region sounds like, in a few words."""
    if place.prompt:
        return place.prompt
    return "the film's own prompt" if place.audio is None else "as a sound"


def choice(place: foley.Region) -> str:
    """A region in the list of regions."""
    return f"{place.start:.2f}–{place.end:.2f} s, {region(place)}, {place.gain_db:+g} dB"


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
        rows = {"before its gain was changed": sound.uncorrected["raw"]} | rows
    current = np.array_equal(sound.wanted, studio.wanted)
    title = "the sound against the wanted curve" if current else "<i>the curve has changed since: Render again</i>"
    table = [(title, *(name for name, _ in SCORES.values()))]
    for label, values in rows.items():
        table.append((label, *(f"{values[key]:.{digits}f}" for key, (_, digits) in SCORES.items())))
    lines = ("<tr>" + "".join(f"<td {CELL}>{cell}</td>" for cell in line) + "</tr>" for line in table)
    reached = sound.session["loudness_reached"]
    level = "" if reached is None else f"<br>integrated loudness: {reached:.1f} LUFS"
    return f"<table style='line-height:1.5'>{''.join(lines)}</table>{level}"
