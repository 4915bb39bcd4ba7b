"""`video-foley`: silent films in, films with sound out, from a shell.

Nothing heavy is imported before a film is at hand, so that `video-foley --help` answers at once.
"""

import argparse
import contextlib
import glob
import importlib
import io
import os
import sys
from pathlib import Path

from vf.data import files, media, processes
from vf.foley.request import LARGEST_SEED

EPILOG = """\
examples:
  video-foley film.mp4 --prompt "A person hit metal with a wooden stick."
  video-foley takes/ --prompt "A person hit wood with a wooden stick." --output out/
  video-foley film.mp4 --audio gravel.wav --curve drawn.csv --best-of 3 --wav
  video-foley film.mp4 --prompt "A person hit wood." --negative "water" --project
  video-foley long.mp4 --prompt "A person hit wood." --listen | ffplay -nodisp -autoexit -

Beside each film lies its session (.json): all it takes to make the sound again, or to open it in the studio. Of several
films foley-scores.csv, beside the new films, holds the scores; the same command goes on where it stopped.

--project adds a folder NAME-foley-project for a DAW: the sound and a stem for each region (48 kHz, 24 bit, resampled
from the model's 16 kHz), markers.csv (time, name, end), curve.csv (time, level) and a REAPER project, in which the
curve is the volume envelope of a track of its own. Both tables come back in, by --curve and --regions.

other command:
  video-foley export FOLDER [FOLDER ...] REFERENCE OUT
                        folders of sounds as av-benchmark, fadtk and audio-aes read them, and the commands that score
                        them (video-foley export --help); a film called export is ./export
"""


def _path(text: str) -> Path:
    """A path of the command line, `~` written out. Raises argparse.ArgumentTypeError for none, as of an unset name."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; wanted a path")
    return Path(text).expanduser()


def _output(text: str) -> str:
    """The same as text, as a Path forgets the stroke at the end of a folder's name."""
    return f"{_path(text)}{os.sep if text.endswith(os.sep) else ''}"


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    p = argparse.ArgumentParser(
        "video-foley",
        description="Give silent films their sound: loudness predicted from the picture, timbre from a prompt.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("films", nargs="+", metavar="FILM", help="a film, a folder of films, or a glob in quotes")
    timbre = p.add_mutually_exclusive_group()
    timbre.add_argument("--prompt", metavar="TEXT", help="what is to be heard, in words")
    timbre.add_argument(
        "--audio",
        metavar="FILE",
        type=_path,
        help="a sound or film whose timbre to take: that of its first seconds, 5 in the shipped model",
    )
    p.add_argument(
        "--negative",
        metavar="TEXT",
        help='what is not to be heard, in words that the model knows (guidance leads away from it), or "no speech" or '
        '"no music", of which the shipped model knows nothing',
    )
    p.add_argument(
        "--output",
        metavar="PATH",
        type=_output,
        help="film to write, or folder where there are several (default: NAME-foley beside each); what is there is "
        "written over only where the session beside it says that this command made it",
    )
    p.add_argument(
        "--curve",
        metavar="FILE",
        type=_path,
        help="loudness to follow instead of the predicted: a .csv of time and level, or of markers (a hit at each), "
        "a .txt of onsets, or a sound",
    )
    p.add_argument(
        "--level",
        metavar="DB",
        type=float,
        default=0.0,
        help="make the curve so much louder: a picture does not show how near the microphone stood (default: 0)",
    )
    p.add_argument(
        "--regions",
        metavar="FILE",
        type=_path,
        help="markers (.csv: time, name, and perhaps end, as REAPER exports them too); their names are prompts",
    )
    p.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the noise; the same seed gives the same sound (default: 0)"
    )
    p.add_argument(
        "--best-of",
        metavar="N",
        type=int,
        default=1,
        help="try N seeds, and keep the one that follows the curve best among the half that is most like the prompt",
    )
    p.add_argument(
        "--hold",
        metavar="SHARE",
        type=float,
        help="how firmly sampling is held to the curve, 0 to 1: it follows more closely, and sounds a little less real "
        "(default: the model's own, 1 in the one that the project ships)",
    )
    p.add_argument("--correct-gain", action="store_true", help="afterwards multiply the sound towards the curve")
    p.add_argument(
        "--loudness",
        metavar="LUFS",
        type=float,
        help="integrated loudness of the sound, such as -23 (EBU R128); less where its true peak would pass -1 dB",
    )
    p.add_argument(
        "--project",
        action="store_true",
        help="write a folder for a DAW beside the film: wav, stems, markers, curve and a REAPER project",
    )
    p.add_argument(
        "--wav",
        action="store_true",
        help="write the sound beside the film too: 48 kHz, 24 bit, resampled from the model's rate",
    )
    p.add_argument(
        "--listen",
        action="store_true",
        help="hear a film's sound while the rest of it is made: it goes to standard output as WAV, for a player at the "
        "other end of a pipe, and what the command says to standard error",
    )
    p.add_argument(
        "--partial",
        action="store_true",
        help="take what can be read of a film that was cut off or is broken, instead of refusing it",
    )
    p.add_argument(
        "--model",
        metavar="NAME",
        help="what VideoFoley.from_pretrained takes (default: the model that the project ships)",
    )
    p.add_argument("--device", metavar="NAME", default="cpu", help="cpu, cuda or mps (default: cpu)")
    return p


def films_of(names: list[str]) -> list[Path]:
    """The films that are named on a command line: a file, the films of a folder, or the matches of a glob.

    Of a folder or a glob films that this command made (NAME-foley) and hidden files are left out. Raises ValueError
    where a name matches nothing, and for what is no file.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if not name.strip():
            raise ValueError("a film's name is empty; wanted a film, a folder or a glob in quotes: check the command")
        if os.path.isdir(path):  # which takes a name that is too long for a missing one
            try:
                matches = [p for p in files.listed(path, media.FILMS) if _is_given(p)]
            except OSError as error:
                raise ValueError(
                    f"{path}: cannot be read ({error.strerror}); wanted a folder: check its rights"
                ) from error
        elif os.path.exists(path):
            if not os.path.isfile(path):
                raise ValueError(f"{files.excerpt(name, 300)}: is a device or a pipe; wanted a film: save it as a file")
            matches = [path]
        else:
            matches = sorted(p for p in map(Path, glob.glob(str(path))) if _is_given(p))
        if not matches:
            what = (
                f"has no film ({', '.join(media.FILMS)}; NAME-foley and hidden files are passed over)"
                if os.path.isdir(path)
                else "is a link to a film that is not there"
                if os.path.islink(path)
                else "no such film, and no film matches it"
            )
            raise ValueError(
                f"{files.excerpt(name, 300)}: {what}; wanted a film, a folder or a glob in quotes: check the path"
            )
        found += [p for p in matches if p not in found]
    return found


def _is_given(path):
    """Whether a file of a folder or a glob is a film to work on: no result of an earlier run, nothing hidden."""
    return not path.stem.endswith("-foley") and not path.name.startswith(".") and path.is_file()


def target(film: Path, given: str | None, several: bool) -> Path:
    """Where a film with its sound goes. given: of the command line; a folder where there are several films.

    Makes the folder; raises ValueError where that cannot be.
    """
    known = film.suffix.lower() in media.SUFFIXES
    # a .mov holds a GIF's picture beside sound, a .mkv nearly anything's
    suffix = film.suffix if known else ".mov" if film.suffix.lower() == ".gif" else ".mkv"
    name = f"{film.stem}-foley{suffix}"
    if given is None:
        return film.with_name(name)
    output = Path(given)
    if several and output.suffix.lower() in (*media.FILMS, ".wav", ".flac") and not output.is_dir():
        raise ValueError(f"{output}: is the name of a single film; wanted a folder for several: name one with --output")
    if several or given.endswith(os.sep) or output.is_dir() or not output.suffix:
        return _made(output) / name
    _made(output.parent)
    return output


def _made(folder):
    """A folder that is there, or is made. Raises ValueError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot be made ({error.strerror}); wanted a folder for the new films: name another --output"
        ) from error
    return folder


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns 0, 1 where a film got no sound, of which a line says why, or 130 where it was stopped.
    """
    words = sys.argv[1:] if arguments is None else arguments
    processes.wait_passively()
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):  # and no stream that a notebook put there
            sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
        status = _export(words[1:]) if words[:1] == ["export"] else _run(words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:  # in the seconds before the first film
        print("video-foley: stopped", file=sys.stderr)
        return 130
    except OSError as error:  # every other one is met where it arises
        print(f"video-foley: standard output cannot be written to ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more when it ends
        return 1


def _export(arguments):
    # here, as torch takes seconds; by its name, so that the studio, which imports this module, depends on no metrics
    return importlib.import_module("vf.evaluation.exchange").main(arguments)


def _run(arguments):
    wanted = parser().parse_args(arguments)
    try:
        films = films_of(wanted.films)
        if wanted.best_of < 1 or not 0 <= wanted.seed <= LARGEST_SEED - wanted.best_of + 1:
            raise ValueError(
                f"--best-of {wanted.best_of}, --seed {wanted.seed}; wanted at least 1, and seeds of 0 to {LARGEST_SEED}"
            )
        if wanted.loudness is not None and not -70 < wanted.loudness < 0:
            raise ValueError(f"--loudness {wanted.loudness:g}; wanted LUFS between -70 and 0, such as -23")
        if not abs(wanted.level) <= 60:
            raise ValueError(f"--level {wanted.level:g}; wanted dB between -60 and 60")
        if wanted.listen:
            _check_listening(films, wanted)
        for option in ("audio", "curve", "regions"):
            path = getattr(wanted, option)
            if path is not None and not os.path.isfile(path):
                raise ValueError(f"--{option} {files.excerpt(path, 300)}: no such file; wanted one: check the path")
        for option in ("prompt", "negative"):
            if (text := getattr(wanted, option)) is not None and not text.strip():
                raise ValueError(f"--{option} is empty; wanted words: leave it out for none")
    except ValueError as error:
        print(f"video-foley: {error}", file=sys.stderr)
        return 1
    from vf.foley import batch  # here, as torch takes seconds

    if not wanted.listen:
        return batch.run(films, wanted)
    with open(os.dup(sys.stdout.fileno()), "wb", buffering=0) as heard, contextlib.redirect_stdout(sys.stderr):
        return batch.run(films, wanted, heard)


def _check_listening(films, wanted):
    """Raises ValueError where there is nothing to hear before all is made, or nobody to hear it."""
    if len(films) > 1:
        raise ValueError(f"--listen with {len(films)} films; wanted one: give them one by one")
    if wanted.best_of > 1 or wanted.correct_gain or wanted.loudness is not None:
        raise ValueError(
            "--listen beside --best-of, --correct-gain or --loudness, which need the whole sound; "
            "wanted it alone: leave these out"
        )
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError(
            "--listen: standard output is no pipe; wanted a player: add `| ffplay -nodisp -autoexit -`, or another "
            "that reads WAV from a pipe"
        )


if __name__ == "__main__":
    sys.exit(main())
