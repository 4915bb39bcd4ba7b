"""Films of a command line, one after the other: what the model knows, each film's sound, and what was written where."""

import argparse
import sys
from pathlib import Path

import librosa
import soundfile
from diffusers.utils import logging as diffusers_logging
from tqdm import tqdm
from transformers.utils import logging as transformers_logging

from vf.data import media, writing
from vf.foley import command, curves
from vf.foley.render import Foley, VideoFoley

WAV_RATE = 48000


def run(films: list[Path], wanted: argparse.Namespace) -> int:
    """Give films their sound. wanted: arguments of `command.parser`. Returns 0, or 1 where one of them failed."""
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    try:
        maker = VideoFoley.from_pretrained(wanted.model or None, wanted.device)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"video-foley: {error}", file=sys.stderr)
        return 1
    print(knowledge(maker, wanted.prompt))
    print("Scores compare the sound with its loudness curve, not with the film.")
    failed = 0
    for film in films:
        try:
            made, output = one(maker, film, wanted, several=len(films) > 1)
        except (media.MediaError, ValueError) as error:
            failed += 1
            way = "; or add --partial, which takes that much" if isinstance(error, media.Truncated) else ""
            print(f"video-foley: {error}{way}", file=sys.stderr)
            continue
        print(summary(film, made, output, wanted.wav))
    return 1 if failed else 0


def one(maker: VideoFoley, film: Path, wanted: argparse.Namespace, several: bool) -> tuple[Foley, Path]:
    """Make and write the sound of one film. Returns it, and the path of the new film.

    Raises media.MediaError and ValueError as VideoFoley.render and Foley.save do.
    """
    output = command.target(film, wanted.output, several)
    writing.check_output(film, output, maker.timeline.sample_rate, wanted.partial)  # before minutes of rendering
    curve = None
    if wanted.curve:
        seconds = media.readable(film) if wanted.partial else media.probe(film).seconds
        if wanted.curve.suffix.lower() == ".csv":
            curve = curves.from_csv(wanted.curve, maker.rate, seconds)
        else:
            curve = curves.from_sound(wanted.curve, maker.timeline, seconds)
    with tqdm(total=100, desc=film.name, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:
        made = maker.render(
            film,
            wanted=curve,
            prompt=wanted.prompt,
            audio=wanted.audio,
            seed=wanted.seed,
            best_of=wanted.best_of,
            correct_gain=wanted.correct_gain,
            partial=wanted.partial,
            progress=lambda share: bar.update(round(100 * share) - bar.n),
        )
    made.save(output)
    if wanted.wav:
        wave = librosa.resample(made.waveform, orig_sr=made.sample_rate, target_sr=WAV_RATE, res_type="soxr_hq")
        with writing.whole(output.with_suffix(".wav")) as partial:
            soundfile.write(partial, wave, WAV_RATE, "PCM_24")
    return made, output


def knowledge(maker: VideoFoley, prompt: str | None) -> str:
    """What the model's text encoder learnt, and which words of a prompt it did not; a line, or two."""
    materials, actions = maker.vocabulary
    if not materials:
        return "Prompts are free text."
    lines = [f"Knows {', '.join(materials)}; {' and '.join(actions)}."]
    unknown = maker.unknown_words(prompt) if prompt else []
    if unknown:
        lines.append(f"Never learnt: {', '.join(unknown)}. The sound will follow the other words.")
    return "\n".join(lines)


def summary(film: Path, made: Foley, output: Path, wav: bool) -> str:
    """What was written, and how closely the sound follows its curve."""
    raw = made.adherence["raw"]
    written = [output, output.with_suffix(".json"), *([output.with_suffix(".wav")] if wav else [])]
    scores = f"E-L1 {raw['e_l1']:.4f}, correlation {raw['correlation']:.2f}, onset F1 {raw['onset_f1_50ms']:.2f}"
    return f"{film.name}: {scores}; wrote {', '.join(map(str, written))}"
