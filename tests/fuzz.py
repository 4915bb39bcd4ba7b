"""Random changes of whole files for every parser: each is read, or refused in one line that names the file.

TARGETS has the parsers. tests/torture.py runs some hundred changes of each, seeded; `python tests/fuzz.py session`
(`make fuzz TARGET=session`) lets atheris look for more until it is stopped, where that is installed.
"""

import copy
import inspect
import io
import json
import random
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "data")]

import av  # noqa: E402
import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
import wild  # noqa: E402
import yaml  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from vf import check  # noqa: E402
from vf.backends import tensors  # noqa: E402
from vf.data import clips, files, media, shards, writing  # noqa: E402
from vf.data.unpack import unpack  # noqa: E402
from vf.evaluation import exchange, pairing, systems  # noqa: E402
from vf.evaluation.listening import opinions  # noqa: E402
from vf.foley import curves, markers, record, render, table  # noqa: E402
from vf.foley.request import check as check_regions  # noqa: E402
from vf.signal.timeline import Timeline  # noqa: E402

LONGEST = 10.0  # seconds of a processor for one reading
RATE = 16000
SAVED_AS = {".webm": ".webm", ".gif": ".mov", ".wmv": ".avi"}  # others as .mp4
REMEDY = (
    "wanted",
    "fetch it again",
    "run the stage again",
    "is there already",
    "mend",
    "is no key",
    "save the file as UTF-8",
)
INTEGERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0]
TOKENS = [
    b"nan", b"-nan", b"inf", b"-1", b"1e999", b"1e-999", b"9" * 400, b"0" * 50, b"null", b"true", b"None", b"NaN",
    b"Infinity", b"-Infinity", b"-0", b"1_000", b"0x10", "\u0663".encode(), b"time", b"name", b"end", b"\"", b"'", b",",
    b";", b"\t", b"\0", b"\r", b"\n", b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x80", b"\xed\xa0\x80",
    b"\\ud800", b"\xe2\x80\xa8", b"\x1b[2J", b"[" * 2000, b"{\"a\":" * 900, b"A" * 200000, b"../../x", b"/etc/passwd",
    b"$(touch x)", b"x; touch x", b"%s%n", b"--", b"*a", b"&a ", b"!!python/x", b"<<: ", b"# ", b"? ",
]  # fmt: skip
VALUES = [
    None, True, False, 0, -1, 1, 0.5, -0.5, 1e30, 1e308, float("nan"), float("inf"), 2**63, 2**64, 10**400, -(10**400),
    "", "x", "NaN", "\ud800", "a\nb", "\0", "../../x", "x" * 5000, [], [1], [[]], ["x"], [None], [float("nan")], {},
    {"a": 1},
]  # fmt: skip


# changes


def bytes_changed(data: bytes, rng: random.Random, front: float = 0.5) -> bytes:
    """Some changes of bytes, of which a share `front` lies in the first 2,000 bytes, where headers are."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        size = len(data)
        at = rng.randrange(min(size, 2000) if rng.random() < front else size) if size else 0
        length = min(size - at, rng.choice([1, 2, 4, 8, 40, 400]))
        do = rng.randrange(8)
        if do == 0 and size:
            data[at] ^= 1 << rng.randrange(8)
        elif do == 1:
            data[at : at + length] = rng.randbytes(length)
        elif do == 2:
            del data[at : at + length]
        elif do == 3:
            data[at:at] = data[at : at + length]
        elif do == 4:
            del data[at:]
        elif do == 5:
            value = rng.choice(INTEGERS)
            width = rng.choice([2, 4, 8])
            data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, rng.choice(["big", "little"]))
        elif do == 6:
            data[at : at + length] = rng.choice(TOKENS)
        else:
            data[at:at] = rng.choice(TOKENS)
    return bytes(data)


def json_changed(data: bytes, rng: random.Random) -> bytes:
    """One or two values of a JSON are others, gone or new; now and then its bytes are changed."""
    if rng.random() < 0.3:
        return bytes_changed(data, rng)
    values = json.loads(data)
    for _ in range(rng.choice([1, 1, 2])):
        inner = values
        while True:
            keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else []
            if not keys:
                break
            key = rng.choice(list(keys))
            if isinstance(inner[key], dict | list) and inner[key] and rng.random() < 0.75:
                inner = inner[key]
                continue
            if rng.random() < 0.15:
                del inner[key]
            else:
                inner[key] = copy.deepcopy(rng.choice(VALUES))
            break
    return json.dumps(values).encode()


def yaml_changed(data: bytes, rng: random.Random) -> bytes:
    """The same for YAML."""
    if rng.random() < 0.4:
        return bytes_changed(data, rng, 0.1)
    values = json.loads(json_changed(json.dumps(yaml.safe_load(data)).encode(), random.Random(rng.random())) or b"{}")
    return yaml.safe_dump(values, allow_unicode=rng.random() < 0.5).encode("utf-8", "replace")


def _json_of(change):
    def changed(data, rng):
        try:
            return change(data, rng)
        except (ValueError, RecursionError):  # it is no JSON any more
            return bytes_changed(data, rng)

    return changed


# what is changed


@cache
def _made(make: Callable[..., Path], *given) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder), *given).read_bytes()


def _session(folder):
    values = {
        "version": 3, "film": None, "curve": {"rate": 125.0, "levels": [0.1, 0.2, 0.3, 0.0]}, "prompt": "a",
        "audio": None, "seed": 3, "correct_gain": False, "candidates": [], "loudness": -23.0, "partial": True,
        "regions": [
            {"start": 0.0, "end": 0.02, "prompt": None, "seed": 4, "gain_db": -3.0, "audio": {"timbre": [0.5, 0.5]}},
        ],
        "settings": {"hold": 0.0, "negative_prompt": "b"}, "model": {"name": None, "sha256": "ab"},
    }  # fmt: skip
    files.write_json(folder / "s.json", values)
    return folder / "s.json"


def read_session(path: Path) -> None:
    """As the studio does, with the checks of a request behind it."""
    keywords, _ = record.read(path)
    wanted = curves.check(keywords["wanted"])
    check_regions(keywords["regions"], len(wanted) / 125)


def _film(folder, suffix, codec, sound):
    return wild.film(folder / f"f.{suffix}", codec, frames=12, sound=sound)


def _sound(folder, suffix, codec):
    return wild.sound_file(folder / f"s.{suffix}", codec, wild.clicks(0.6))


def _wav(folder, suffix, subtype):
    soundfile.write(folder / f"s.{suffix}", wild.clicks(0.3, 8000), 8000, subtype=subtype)
    return folder / f"s.{suffix}"


def read_film(path: Path) -> None:
    """All that a stage or a render does with a film; one that is read whole can be saved or says why not."""
    output = path.with_name(f"out{SAVED_AS.get(path.suffix, '.mp4')}")
    for partial in (False, True):
        try:
            media.probe(path)
            media.check_whole(path, decode=True)
            media.readable(path)
            media.read_frames(path, 25, (32, 24), 0.0, 1.0, partial)
            media.read_sound(path, RATE, 0.0, None, partial)
            writing.replace_sound(path, output, np.zeros(RATE), RATE, partial)
        except media.MediaError:
            if partial:
                raise
        finally:
            output.unlink(missing_ok=True)


def read_sound(path: Path) -> None:
    """Read a sound, whole and in part."""
    for given in ((0.0, None, True), (0.2, 0.2, False), (0.0, None, False)):
        wave = media.read_sound(path, RATE, *given)
        assert wave.ndim == 1 and np.isfinite(wave).all()


def _zip(folder, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / "a.zip", "w", how) as archive:
        archive.writestr("vis-data/a_denoised.mp4", bytes(range(256)) * 20)
        archive.writestr("vis-data/a_times.txt", "0.1 wood hit None\n" * 30)
        archive.writestr("vis-data/readme.md", "no")
    return folder / "a.zip"


def read_zip(path: Path) -> None:
    """Unpack; nothing may come out elsewhere, nor half of it."""
    before = {p for p in path.parent.rglob("*") if p != path}
    try:
        unpack(path, path.parent / "out" / "films")
    except ValueError:
        found = {p for p in path.parent.rglob("*") if p != path and p.is_file()}
        assert found <= before, f"left {found - before}"
        raise
    there = [p for p in path.parent.rglob("*") if p.is_file() and p != path and p not in before]
    assert all(p.parent == path.parent / "out" / "films" for p in there)


def _weights(folder):
    save_file({"a": torch.arange(300.0), "b": torch.ones(3, dtype=torch.float16)}, folder / "w.safetensors")
    return folder / "w.safetensors"


def _pickle(folder):
    torch.save({"state_dict": {"a": torch.arange(300.0), "b": torch.ones(3)}}, folder / "w.pt")
    return folder / "w.pt"


def read_weights(path: Path) -> None:
    """Read a file of tensors."""
    tensors.read(path)
    if path.suffix == ".safetensors":
        tensors.check_folder(path.parent)


def _clips(folder):
    listed = [clips.Clip(f"c{k}", "x.mp4", 0.0, 1.0, "train", "g", (clips.Event(0.1, "wood"),)) for k in range(2)]
    clips.ClipSet(listed, np.zeros((2, 10), np.int16), RATE).save(folder)
    return folder / "clips.json"


def read_clips(path: Path) -> None:
    """Load clips."""
    path = path.rename(path.with_name("clips.json"))
    np.save(path.with_name("waves.npy"), np.zeros((2, 10), np.int16))
    clips.load(path.parent).where("train")


KEY = {"page": "ab", "systems": ["x", "y"], "questions": [{"id": "q1", "items": {"m": "x", "n": "y"}}]}


def _answers(folder):
    scores = {code: dict.fromkeys(opinions.CRITERIA, 3) for code in "mn"}
    files.write_json(folder / "a.json", {"page": "ab", "listener": "l", "answers": {"q1": scores}})
    return folder / "a.json"


def read_answers(path: Path) -> None:
    """A listener's file counts or is left out with the reason."""
    ratings, left_out = opinions.read_answers(KEY, [path])
    assert len(ratings) == 2 and not left_out or ratings.empty and len(left_out) == 1
    opinions.markdown(opinions.mean_scores(ratings, KEY["systems"])) if len(ratings) else None
    for name, why in left_out:
        raise ValueError(f"{name}: {why}")


def read_recipe(path: Path) -> None:
    """What a saved VideoFoley holds."""
    render._recipe(path.rename(path.with_name(render.SAVED)).parent, 0.0)


def _table(folder):
    rows = ["film,output,seed,e_l1,error_db,lag_ms,onset_f1_50ms,correlation,loudness,request,problem"]
    rows += [f"{n}.mp4,{n}-foley.mp4,0,0.01,1.0,2.0,0.9,0.8,-23.0,ab," for n in "ab"]
    (folder / table.NAME).write_text("\n".join([*rows, ""]))
    return folder / table.NAME


def read_scores(path: Path) -> None:
    """The table of a batch goes on where it stopped."""
    path = path.rename(path.with_name(table.NAME))
    found = table.Table(path.parent)
    films = [path.with_name(f"{n}.mp4") for n in "ab"]
    found.done(films[0], "ab")
    found.text(films)
    found.put(films[0], seed=1)
    table.Table(path.parent)


def _text(text, name):
    def make(folder):
        (folder / name).write_text(text)
        return folder / name

    return make


class Target(NamedTuple):
    """A parser. made: the bytes of a whole file, several to choose from. change: of bytes. read: the parser."""

    made: list[Callable[[], bytes]]
    suffix: str
    change: Callable[[bytes, random.Random], bytes]
    read: Callable[[Path], object]


def _films(suffix, *kinds):
    return Target(
        [lambda kind=kind: _made(_film, suffix, *kind) for kind in kinds], f".{suffix}", bytes_changed, read_film
    )


def _sounds(suffix, *codecs, made=_sound):
    return Target(
        [lambda codec=codec: _made(made, suffix, codec) for codec in codecs], f".{suffix}", bytes_changed, read_sound
    )


def _plain(text, name, read, change=bytes_changed):
    return Target([lambda: text.encode()], Path(name).suffix, change, read)


MARKERS = '#,Name,Start,End,Length\nR1,wood,1.5,2.5,1\nM1,"a, b",0:03.5,,\n'
CURVE = "time,level\n0,0.1\n0.5,0.9\n1.0,0\n"
DECIBELS = "time;db\n0;-20\n0.5;-6\n"
CAPTIONS = 'file,caption,licence\na.wav,A dog.,CC0\nb/c.wav,"Rain, wind.",\n'
RESULTS = "model,baseline,eval,score,inf_r2,time\nclap,/r,/a/ours,1.5,0.9,1700000000\n"
WAVCAPS = json.dumps({"data": [{"id": "1", "caption": "A dog.", "href": "http://x"}, {"id": 2, "caption": "Rain."}]})
METRICS = '{"FD-VGG": 1.5, "KL-PANNS-softmax": 2}'
RECIPE = TESTS.parent / "pretrained/video-foley/video_foley.json"
TARGETS: dict[str, Target] = {
    "session": Target([lambda: _made(_session)], ".json", _json_of(json_changed), read_session),
    "markers": _plain(MARKERS, "m.csv", lambda p: markers.read_regions(p, 9.0)),
    "curve": _plain(CURVE, "c.csv", lambda p: curves.read(p, Timeline(seconds=1.0), 2.0)),
    "curve in dB": _plain(DECIBELS, "c.csv", lambda p: curves.read(p, Timeline(seconds=1.0), 2.0)),
    "onsets": _plain("0.5 hit\n1.5, x\n# no\n", "o.txt", lambda p: curves.read(p, Timeline(seconds=1.0), 2.0)),
    "annotations": _plain("0.5 wood hit static\n1.5 None None None\n", "t.txt", clips.read_times),
    "captions": _plain(CAPTIONS, "captions.csv", lambda p: shards._captions(p)),
    "WavCaps": _plain(WAVCAPS, "w.json", lambda p: shards.recordings(p.parent, p), _json_of(json_changed)),
    "blacklist": _plain(
        '{"FreeSound": ["1", 2]}', "b.json", lambda p: shards.recordings(p.parent, None, p), _json_of(json_changed)
    ),
    "clips": Target([lambda: _made(_clips)], ".json", _json_of(json_changed), read_clips),
    "params": Target([(TESTS.parent / "params.yaml").read_bytes], ".yaml", _json_of(yaml_changed), check.check),
    "zip": Target([lambda: _made(_zip)], ".zip", bytes_changed, read_zip),
    "zip of lzma": Target([lambda: _made(_zip, zipfile.ZIP_LZMA)], ".zip", bytes_changed, read_zip),
    "zip of bzip2": Target([lambda: _made(_zip, zipfile.ZIP_BZIP2)], ".zip", bytes_changed, read_zip),
    "safetensors": Target([lambda: _made(_weights)], ".safetensors", bytes_changed, read_weights),
    "pt": Target([lambda: _made(_pickle)], ".pt", bytes_changed, read_weights),
    "answers": Target([lambda: _made(_answers)], ".json", _json_of(json_changed), read_answers),
    "results": _plain(RESULTS, "r.csv", exchange.read_results),
    "metrics": _plain(METRICS, "m.json", exchange.read_results, _json_of(json_changed)),
    "pairs": _plain("generated,reference\na,b\n", "p.csv", pairing._mapping),
    "train list": _plain("2015-a_mic_271215.mp4\nb\n", "l.txt", lambda p: systems.leakage("x", train=p, films=["b"])),
    "scores": Target([lambda: _made(_table)], ".csv", bytes_changed, read_scores),
    "recipe": Target([RECIPE.read_bytes], ".json", _json_of(json_changed), read_recipe),
    "mp4": _films("mp4", ("libx264", "aac"), ("mpeg4", "libmp3lame"), ("libvpx-vp9", "libopus")),
    "mov": _films("mov", ("libx264", "pcm_s16le"), ("mjpeg", "aac")),
    "mkv": _films("mkv", ("libx264", "flac"), ("ffv1", "pcm_s16le"), ("mpeg4", "libopus")),
    "webm": _films("webm", ("libvpx", "libopus")),
    "avi": _films("avi", ("mpeg4", "pcm_s16le"), ("mjpeg", "libmp3lame")),
    "gif": _films("gif", ("gif", None)),
    "ts": _films("ts", ("libx264", "aac"), ("mpeg2video", "mp2")),
    "wmv": _films("wmv", ("wmv2", "libmp3lame")),
    "wav": _sounds("wav", "PCM_16", "FLOAT", "MS_ADPCM", "ULAW", made=_wav),
    "aiff": _sounds("aiff", "PCM_16", made=_wav),
    "w64": _sounds("w64", "PCM_24", made=_wav),
    "au": _sounds("au", "FLOAT", made=_wav),
    "caf": _sounds("caf", "ALAC_16", made=_wav),
    "flac": _sounds("flac", "flac"),
    "mp3": _sounds("mp3", "libmp3lame"),
    "ogg": _sounds("ogg", "libopus", "flac"),
    "vorbis": _sounds("ogg", "VORBIS", made=_wav),
    "m4a": _sounds("m4a", "aac", "alac"),
}  # fmt: skip


def check_one(target: Target, data: bytes, folder: Path) -> str:
    """Read one file. Returns what it was refused with, "" where it was read.

    Raises AssertionError for an error of another kind, of many lines, or that names neither the file nor a remedy.
    """
    path = folder / f"changed{target.suffix}"
    path.write_bytes(data)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        target.read(path)
    except (ValueError, OSError) as error:
        said = str(error)
        lines = said.split("\n")
        assert type(error).__module__ != "builtins" or type(error) in (ValueError, FileNotFoundError), repr(error)
        named = isinstance(error, check.ParamsError) or any(p in said for p in (path.name, folder.name))
        assert named and all(any(word in line for word in REMEDY) for line in lines if line), said
        assert len(lines) == 1 or isinstance(error, check.ParamsError), said
        assert said.isprintable() or isinstance(error, check.ParamsError), repr(said)
        assert all(len(line) < 1000 for line in lines), f"{len(said)} characters: {said[:300]}"
        return said
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    left = [p.name for p in folder.rglob("*") if ".partial" in p.name]
    assert not left, f"left {left}"
    return ""


def _late(*_):
    raise AssertionError(f"took more than {LONGEST} s")


def check_many(name: str, seed: int, count: int, told: io.TextIOBase | None = None) -> tuple[int, int]:
    """Check `count` changed files of a parser. Returns how many were read and how many refused.

    told: gets the number of each before it is read, as some end the process. Raises AssertionError, which has the
    number of the file, where one is wrong.
    """
    av.logging.set_level(av.logging.PANIC)
    signal.signal(signal.SIGPROF, _late)
    target, read = TARGETS[name], 0
    whole = [make() for make in target.made]
    for k in range(count):
        data = changed(name, seed, k, whole)
        if told:
            told.write(f"{name} {seed} {k}\n")
            told.flush()
        with tempfile.TemporaryDirectory() as folder:
            try:
                read += not check_one(target, data, Path(folder))
            except AssertionError:
                raise
            except BaseException as error:
                raise AssertionError(f"{name} {seed} {k}: {type(error).__name__}: {error}") from error
    return read, count - read


def changed(name: str, seed: int, k: int, whole: list[bytes] | None = None) -> bytes:
    """The k-th changed file."""
    target, rng = TARGETS[name], random.Random(f"{name} {seed} {k}")
    whole = whole or [make() for make in target.made]
    return target.change(rng.choice(whole), rng)


def main() -> None:
    """Let atheris change the files of one parser until it is stopped. What it finds, it writes to `crash-*`."""
    import atheris

    name = sys.argv.pop(1)
    target = TARGETS[name]
    signal.signal(signal.SIGPROF, _late)
    av.logging.set_level(av.logging.PANIC)
    for module in [m for m in list(sys.modules.values()) if m.__name__.startswith(("vf.", "zipfile", "csv", "json"))]:
        for value in list(vars(module).values()):
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                atheris.instrument_func(value)
    with tempfile.TemporaryDirectory() as corpus:
        for k, make in enumerate(target.made):
            Path(corpus, str(k)).write_bytes(make())

        def once(data):
            with tempfile.TemporaryDirectory() as folder:
                check_one(target, data, Path(folder))

        atheris.Setup([*sys.argv, corpus], once)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
