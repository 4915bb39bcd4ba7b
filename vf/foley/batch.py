"""Films of a command line, one after the other: what the model knows, each film's sound, and what was written where."""

import argparse
import hashlib
import json
import math
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from diffusers.utils import logging as diffusers_logging
from tqdm import tqdm
from transformers.utils import logging as transformers_logging

from vf.data import files, media, writing
from vf.foley import alongside, command, curves, markers, playing, project, record, vocabulary
from vf.foley.render import Foley, VideoFoley
from vf.foley.request import Request
from vf.foley.table import Table

LONGEST_NAME = 255  # bytes
WAYS = "Draw, hum or clap another: `make studio`, or --curve with a recording of a voice along with the film."


def run(films: list[Path], wanted: argparse.Namespace, heard: BinaryIO | None = None) -> int:
    """Give films their sound. wanted: arguments of `command.parser`. heard: unbuffered, where --listen writes.

    One film that fails stops no other. Of several films a table of scores is kept beside them, and those that have the
    sound of the same request already are passed over. Returns 0, 1 where a film failed, or 130 where it was stopped.
    """
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    several = len(films) > 1
    try:
        outputs = [command.target(film, wanted.output, several) for film in films]
        maker = VideoFoley.from_pretrained(wanted.model or None, wanted.device, wanted.hold)
        request = _digest(maker, wanted)
        regions = markers.read_regions(wanted.regions, math.inf) if wanted.regions else ()
    except (OSError, ValueError, RuntimeError) as error:
        print(f"video-foley: {error}", file=sys.stderr)
        return 1
    prompts = [wanted.prompt, *(region.prompt for region in regions)]
    for line in (vocabulary.known(maker), *vocabulary.unknown(maker, prompts, wanted.negative)):
        print(line)
    if wanted.audio:
        print(f"The timbre is that of the first {maker.pipeline.heard:g} s of {files.printable(str(wanted.audio))}.")
    print(vocabulary.SCORES)
    print(f"Writes {_names(outputs[0].with_name('NAME-foley.*') if several else outputs[0], wanted, maker)}")
    failed: list[Path] = []
    try:
        table = Table(outputs[0].parent) if several else None
        for k, (film, output) in enumerate(zip(films, outputs)):
            name = files.printable(film.name)  # it need not be text
            label = f"{k + 1}/{len(films)} {name}" if several else name
            try:
                _check_own(k, films, outputs, wanted, table)
                _film(maker, film, output, wanted, label, table, request, heard)
            except Exception as error:  # whatever it is, the other films get their sound
                failed.append(film)
                reason = _reason(film, error, wanted.partial)
                print(f"video-foley: {reason}", file=sys.stderr)
                if table:
                    table.fail(film, reason)
    except ValueError as error:  # of the table
        print(f"video-foley: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"video-foley: stopped{'; the same command goes on from here' if several else ''}", file=sys.stderr)
        return 130
    if table:
        print(table.text(films, failed))
        print(f"Scores of all films: {table.path}")
    if failed and several:
        names = ", ".join(files.printable(film.name) for film in failed)
        print(f"video-foley: {len(failed)} of {len(films)} films got no sound: {names}", file=sys.stderr)
    return 1 if failed else 0


def _reason(film, error, partial):
    """An error as one line that names the film; its kind too where it is none that is foreseen."""
    kind = "" if isinstance(error, (media.MediaError, ValueError, OSError)) else f"{type(error).__name__}: "
    cut = isinstance(error, media.Truncated) and str(error).startswith(f"{film}: ")  # and not a sound that was given
    way = "; or add --partial, which takes that much" if cut and not partial else ""
    reason = files.printable(" ".join(f"{kind}{error}{way}".split()))
    name = files.printable(str(film))
    return reason if name in reason else f"{name}: {reason}"


def _film(maker, film, output, wanted, label, table, request, heard):
    """Make and write the sound of one film, unless it has it already."""
    digest = hashlib.sha256((request + record.sha256(film)).encode()).hexdigest()[:16]
    if table and table.done(film, digest) and all(path.exists() for path in _files(output, wanted)):
        print(files.printable(f"{film.name}: has this sound already, in {output}"))
        return
    made = make(maker, film, output, wanted, label, heard)
    if table:  # until the sound is whole, as what was there may be gone
        table.put(film, output=table.key(output), problem="was not written to its end")
    made.save(output, wanted.wav)
    if table:
        values = {"output": table.key(output), "seed": made.session["seed"], "request": digest}
        table.put(film, **values, **made.adherence["raw"], loudness=made.session["loudness_reached"])
    if wanted.project:  # last, as a project that is there stops the film when the command goes on
        made.save_project(output)
    print(summary(film, made, output, wanted, maker))
    predicted = not wanted.curve and not wanted.partial
    if predicted and (why := alongside.doubt(made.wanted, film, maker.timeline, maker.model.classes.floor)):
        print(f"{files.printable(film.name)}: {why} {WAYS}")


def make(
    maker: VideoFoley,
    film: Path,
    output: Path,
    wanted: argparse.Namespace,
    label: str,
    heard: BinaryIO | None = None,
) -> Foley:
    """Make the sound of one film, after what would keep it from being written to `output` was looked for.

    label: of the progress bar. heard: of `run`. Raises media.MediaError and ValueError as VideoFoley.render does, and
    Foley.save would.
    """
    # before minutes of rendering
    if wanted.project:
        project.check(output)
    if not wanted.partial:
        media.check_whole(film)
    seconds = maker.frames(film, wanted.partial) / maker.rate  # as long as the curve that is predicted
    regions = markers.read_regions(wanted.regions, seconds) if wanted.regions else ()
    stems = len(regions) + 1 if regions else 0
    beside = project.size(seconds, stems) * wanted.project + project.size(seconds, 0) * wanted.wav
    writing.check_output(film, output, maker.timeline.sample_rate, wanted.partial, beside)
    curve = curves.read(wanted.curve, maker.timeline, seconds) if wanted.curve else None
    if wanted.level:
        curve = curves.amplify(maker.predict(film, partial=wanted.partial) if curve is None else curve, wanted.level)
    request = Request(
        wanted=curve,
        prompt=wanted.prompt,
        audio=wanted.audio,
        seed=wanted.seed,
        regions=regions,
        best_of=wanted.best_of,
        correct_gain=wanted.correct_gain,
        negative_prompt=wanted.negative,
        loudness=wanted.loudness,
        partial=wanted.partial,
    )
    listen = None
    if heard:
        samples = maker.frames(film, wanted.partial) * maker.timeline.video_hop
        listen = playing.Player(heard, samples, maker.timeline.sample_rate)
    with tqdm(total=100, desc=label, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:
        return maker.render(film, request, lambda share: bar.update(round(100 * share) - bar.n), listen=listen)


def _check_own(k, films, outputs, wanted, table):
    """Raises ValueError where what is made of film k has no name, or would be written over anything but its like.

    Its like is what the command made of it before, as a session or the table says.
    """
    own = record.is_session(outputs[k].with_suffix(".json")) or (table and table.made(films[k], outputs[k]))
    for path in _files(outputs[k], wanted):
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise ValueError(
                f"{path}: the name is longer than the {LONGEST_NAME} bytes that a disk keeps; "
                "wanted a shorter one: give it with --output"
            )
        elsewhere = (films[k], project.folder(outputs[k]))  # have checks of their own
        if path.exists() and not own and not any(p.exists() and path.samefile(p) for p in elsewhere):
            raise ValueError(
                f"{path}: is there already, and no session beside it says that this command made it; "
                "wanted another name: move it away, or give another --output"
            )
    inputs = [*films, *(path for key in ("audio", "curve", "regions") if (path := getattr(wanted, key)))]
    if found := files.over(_files(outputs[k], wanted), (path for path in inputs if path != films[k])):
        raise ValueError(
            f"{films[k]}: {found[0]} would be written over {found[1]}, which is given to read; "
            "wanted another name: give it an --output of its own"
        )
    for film, output in zip(films[:k], outputs):
        if output.with_suffix("") == outputs[k].with_suffix(""):
            raise ValueError(
                f"{films[k]}: would be written to {outputs[k]}, over the sound of {film} or its session; "
                "wanted another name: rename it, or give it an --output of its own"
            )


def _digest(maker, wanted):
    """SHA-256 of all that a sound depends on, but for the film."""
    files = {key: record.sha256(path) for key in ("audio", "curve", "regions") if (path := getattr(wanted, key))}
    encoder, reading = maker.origin or (None, None)
    model = {
        "model": maker.digest,
        "timeline": asdict(maker.timeline),
        "size": list(maker.size),
        "decode": maker.decode,
        "reading": reading,
        "encoder": [record.sha256(path) for path in sorted(encoder.glob("*")) if path.is_file()] if encoder else None,
    }
    choices = ("prompt", "negative", "level", "seed", "best_of", "correct_gain", "loudness", "partial")
    values = {key: getattr(wanted, key) for key in choices} | files | asdict(maker.settings) | model
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _files(output, wanted):
    """What is written for a film: itself, its session, and what was asked for beside it."""
    beside = [output.with_suffix(".wav")] if wanted.wav else []
    beside += [project.folder(output)] if wanted.project else []
    return [*dict.fromkeys([output, output.with_suffix(".json"), *beside])]


def _names(output, wanted, maker):
    """The same in words."""
    rate = f"48 kHz, 24 bit, resampled from {maker.timeline.sample_rate / 1000:g} kHz"
    notes = {".json": " (session)", ".wav": f" ({rate})" if wanted.wav else ""}
    named = [
        f"{files.printable(str(path))}{notes.get(path.suffix, '') if path != output else ''}"
        for path in _files(output, wanted)
    ]
    return ", ".join(named)


def summary(film: Path, made: Foley, output: Path, wanted: argparse.Namespace, maker: VideoFoley) -> str:
    """What was written, and how closely the sound follows its curve."""
    raw = made.adherence["raw"]
    scores = f"E-L1 {raw['e_l1']:.4f}, correlation {raw['correlation']:.2f}, onset F1 {raw['onset_f1_50ms']:.2f}"
    if made.session["loudness"] is not None:
        reached = made.session["loudness_reached"]
        level = "silence, left as it is" if reached is None else f"{reached:.1f} LUFS"
        short = reached is not None and reached < made.session["loudness"] - 0.05
        scores += f", {level}{' (more would clip)' if short else ''}"
    seconds = len(made.waveform) / made.sample_rate
    if wanted.partial and seconds < (whole := media.probe(film).seconds) - 0.1:
        scores += f"; {seconds:.2f} of its {whole:.2f} s could be read, and the new film ends there"
    return f"{files.printable(film.name)}: {scores}; wrote {_names(output, wanted, maker)}"
