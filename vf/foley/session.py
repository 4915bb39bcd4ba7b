"""A session: the small JSON beside a film from which its sound can be made again, byte for byte on the same machine."""

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from vf.data import files, media
from vf.foley import record
from vf.foley.render import Foley, VideoFoley
from vf.foley.request import Timbre
from vf.models.sampler import Settings


def _check_rate(session_file, values, maker):
    """Raises media.MediaError where a session's curve has not as many values a second as a model's."""
    rate = values["curve"]["rate"]
    if rate != maker.rate:
        raise media.MediaError(
            f"{session_file}: curve.rate is {rate:g}; wanted {maker.rate:g}, the model's values a second: "
            "save the session again"
        )


def take_up(session_file: str | Path, maker: VideoFoley) -> tuple[dict, VideoFoley, bool]:
    """What goes on with a session: its request, as of `record.read`, `maker` with its settings, same weights or not.

    Raises media.MediaError as `record.read` does, for settings that cannot be, and for a curve of another rate than
    `maker`'s.
    """
    keywords, values = record.read(session_file)
    _check_rate(session_file, values, maker)
    try:
        settings = Settings(**_saved(values) | {"negative_prompt": None})  # which the request brings
    except (TypeError, ValueError) as error:
        raise media.MediaError(
            f"{session_file}: is no session (settings: {files.excerpt(error)}); wanted those of a render: "
            "save the session again"
        ) from error
    own = copy.copy(maker)
    own.settings = settings
    return keywords, own, maker.digest == values["model"]["sha256"]


def _saved(values):
    """The settings of a session; an older one lacks what came later."""
    return asdict(Settings()) | values["settings"]


def render(
    session_file: str | Path,
    output: str | Path | None = None,
    maker: VideoFoley | None = None,
    progress: Callable[[float], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Foley:
    """Make a session's sound again: the same bytes on the same machine.

    output: film to write, with its session beside it; without it nothing is written. maker: a loaded VideoFoley;
    without it, the one that the session names is loaded. progress, stop: see VideoFoley.render. Raises media.MediaError
    as `record.read` does, ValueError where the model is not the session's.
    """
    keywords, values = record.read(session_file)
    maker = maker or VideoFoley.from_pretrained(values["model"]["name"], hold=values["settings"]["hold"])
    if maker.digest != values["model"]["sha256"]:
        raise ValueError(
            f"{session_file} was made with other weights than {maker.name or 'the shipped system'} has now; "
            "wanted the same: restore that run"
        )
    saved = _saved(values)
    brought = {key: saved[key] for key in ("negative_prompt", "batch")}  # the one by the request, the other below
    own = asdict(maker.settings) | brought
    if own != saved:
        other = {key: value for key, value in saved.items() if own.get(key) != value}
        raise ValueError(f"{session_file} was made with other settings; wanted {other}: set these in params.yaml")
    _check_rate(session_file, values, maker)
    size = maker.pipeline.encode_prompt(count=1).shape[-1]
    for audio in (keywords["audio"], *(region.audio for region in keywords["regions"])):
        if isinstance(audio, Timbre) and len(audio.vector) != size:
            raise media.MediaError(
                f"{session_file}: is no session (a timbre has {len(audio.vector)} numbers); "
                f"wanted {size}: save the session again"
            )
    maker = copy.copy(maker)
    maker.settings = replace(maker.settings, batch=saved["batch"])  # on which the last bits depend
    made = maker.render(**keywords, progress=progress, stop=stop)
    if output is not None:
        made.save(output)
    return made
