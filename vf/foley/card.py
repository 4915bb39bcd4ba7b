"""The card of a saved VideoFoley: README.md in the Hugging Face hub's format, fields as YAML above plain text."""

from pathlib import Path

import yaml

from vf.data import files

FILE = "README.md"
FIELDS = {
    "library_name": "video-foley",
    "pipeline_tag": "text-to-audio",  # the nearest of the tasks that the hub names
    "tags": ["foley", "video-to-audio", "text-to-audio", "audio", "diffusers"],
}
TEXT = """\
# Video-Foley

A silent film goes in, a film with sound comes out: Video2RMS predicts the loudness curve from the picture, and
RMS2Sound makes sound that follows it, with the timbre of a text or audio prompt.

    from vf import VideoFoley
    VideoFoley.from_pretrained("FOLDER OR user/name")("film.mp4", prompt="A person hit wood.").save("out.mp4")

Frames: {kinds}, {width}x{height}, {fps} a second. Sound: mono, {rate} Hz. What it learnt from, how good it is and
under which licence it may be used is for the one who trained it to say here.
"""


def write(folder: Path, card: str | None, **values: object) -> None:
    """Write a folder's card, unless it has one.

    card: that of the folder it was loaded from; None: a plain one, made of `values`, which TEXT names.
    """
    if (folder / FILE).exists():
        return
    fields = yaml.safe_dump(FIELDS, sort_keys=False)
    files.write_text(folder / FILE, card or f"---\n{fields}---\n\n{TEXT.format(**values)}")
