"""A session: the small JSON beside a film from which its sound can be made again, byte for byte on the same machine."""

from dataclasses import asdict

from vf.foley import record
from vf.foley.render import VideoFoley


def read(session_file):
    """What a session asks for, as keywords of VideoFoley.render: film, wanted, prompt, audio, seed, regions,
    correct_gain.

    Raises media.MediaError for a file that is no session, and for a film or sound that is missing or no longer the
    same.
    """
    return record.read(session_file)[0]


def render(session_file, output=None, maker=None, progress=None, stop=None):
    """Make a session's sound again: the same bytes on the same machine.

    output: film to write, with its session beside it; nothing is written without. maker: a VideoFoley that is loaded
    already; the one that the session names is loaded without. progress, stop: see VideoFoley.render. Returns
    foley.Foley. Raises media.MediaError as `read` does, ValueError where the model is not the session's.
    """
    keywords, values = record.read(session_file)
    maker = maker or VideoFoley.from_pretrained(values["model"]["name"], hold=values["settings"]["hold"])
    if maker.digest != values["model"]["sha256"]:
        raise ValueError(
            f"{session_file} was made with other weights than {maker.name!r} has now; wanted the same: restore that run"
        )
    if asdict(maker.settings) != values["settings"]:
        raise ValueError(
            f"{session_file} was made with {values['settings']}, not {asdict(maker.settings)}: set these in params.yaml"
        )
    made = maker.render(**keywords, progress=progress, stop=stop)
    if output is not None:
        made.save(output)
    return made
