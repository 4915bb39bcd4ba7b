"""Cases of torture: parameters, weights, sessions, archives, answers and tables that are damaged or odd."""

import contextlib
import json
import os
import random
import shutil
import zipfile
from functools import partial
from pathlib import Path

import cases
import echo
import fuzz
import soundfile
import test_params
import test_stage
import torch
import wild
from cases import REFUSED, Case
from safetensors.torch import load_file, save_file

from vf import aside, check, params
from vf.backends import tensors
from vf.backends.small import backbone
from vf.data import clips, corpora, files, media, shards
from vf.data.unpack import unpack
from vf.evaluation import exchange, folders, pairing
from vf.evaluation.listening import opinions, page
from vf.foley import batch, command
from vf.foley import session as sessions
from vf.foley.render import VideoFoley
from vf.signal.timeline import Timeline

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "pretrained" / "video-foley"
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp437")


def _text(folder, name, text, encoding="utf-8"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return folder / name


def _do(make, *given):
    return make(given[-1], *given[:-1])


# parameters


def _checked(path):
    check.check(path)


def _settings(folder, *settings):
    (folder / "settings.json").write_text(json.dumps(settings))
    shutil.copy(ROOT / "params.yaml", folder)
    return folder / "settings.json"


def _settled(path):
    aside.prepare(path.parent, aside.settle(path.parent, json.loads(path.read_text())))


def _main_of_params(path):
    with contextlib.chdir(path.parent):
        cases.told(lambda words: params.main())


PARAMS = (ROOT / "params.yaml").read_text()
BROKEN = {
    "a BOM": ("\ufeff" + PARAMS, cases.RIGHT),
    "UTF-16": (PARAMS.encode("utf-16"), REFUSED),
    "Windows line ends": (PARAMS.replace("\n", "\r\n"), cases.RIGHT),
    "tabs": (PARAMS.replace("  ", "\t"), REFUSED),
    "zero bytes": (b"\0" * 500, REFUSED),
    "a list": ("- a\n- b\n", REFUSED),
    "nothing": ("", REFUSED),
    "two documents": (PARAMS + "---\n" + PARAMS, REFUSED),
    "a name for a block": (PARAMS + "x: &a [*a]\n", REFUSED),
    "names within names": ("".join(f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefgh", "bcdefghi"))
        .join(["a: &a [1, 1]\n", ""]), REFUSED),
    "a python object": (PARAMS + "x: !!python/object/apply:os.system ['true']\n", REFUSED),
    "a date": (PARAMS.replace("seed: 0", "seed: 2024-01-01"), REFUSED),
    "a huge number": (PARAMS.replace("seed: 0", f"seed: {'9' * 500}"), REFUSED),
    "a number of 5,000 digits": (PARAMS.replace("seed: 0", f"seed: {'9' * 5000}"), REFUSED),
    "half a character": (PARAMS.replace("run: mine", 'run: "\\ud800"'), REFUSED),
    "deep lists": ("[" * 5000, REFUSED),
    "a cut": (PARAMS[: len(PARAMS) // 2], REFUSED),
}  # fmt: skip


def _params():
    for key, line in dict.fromkeys((key, line) for key, line, _ in test_params.BAD):
        make = partial(_do, _text, "params.yaml", test_params.changed(key, line))
        yield Case("params", f"{key}: {line!a}", make, _checked, REFUSED)
    for name, (text, wanted) in BROKEN.items():
        make = partial(_do, _text, "params.yaml", text)
        yield Case("params", name, make, _checked, wanted)
        yield Case("params", f"{name}, by the command", make, _main_of_params, wanted)
    for settings in (
        ["run=../x"], ["run=x; touch y"], ["small.vidoe2rms.train.steps=3"], ["seed=1e999"], ["seed=" + "9" * 5000],
        ["~seed"], ["="], ["~"], ["."], ["small..train=3"], ["seed=&a [*a]"], ["films.root="],
        ["small.video2rms.train=3"], ["small={}"], ["ablation.video2rms.a/b={model: {bins: 100}}"],
        ["seed=!!python/x y"], ["small.video2rms.train.steps.x=3"], ["audio.held_out=[a]"], ["sede=3"],
        ["films.rott=/tmp"], ["run="],
    ):  # fmt: skip
        name = f"setting {settings[0][:60]!a}"
        wanted = None if settings[0].startswith(("audio.held_out", "films.root=")) else REFUSED
        yield Case("params", name, partial(_do, _settings, *settings), _settled, wanted, "")


# weights


def _model(folder, part, change, *given):
    """A copy of the model that ships, a part of which was changed."""
    shutil.copytree(SHIPPED, folder / "model")
    found = next((folder / "model").glob(part))
    change(found, *given)
    return folder / "model"


def _gone(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _changed(path, how):
    """A tensor is missing, NaN, of another shape or kind, or there is one too many."""
    values = load_file(path)
    name = sorted(values)[len(values) // 2]
    if how == "missing":
        del values[name]
    elif how == "NaN":
        values[name] = torch.full_like(values[name], float("nan"))
    elif how == "one infinite":
        values[name].view(-1)[0] = float("-inf")
    elif how == "flat":
        values[name] = values[name].flatten()[:-1].clone()
    save_file(values, path)


def _swapped(path, other):
    """The weights of another network."""
    shutil.copy(SHIPPED / other, path)


def _rewritten(path, text):
    path.write_bytes(text)


def _loaded(path):
    VideoFoley.from_pretrained(path)


def _command_loads(path):
    film = echo.film(path.parent / "film.mp4", 1.0)
    cases.told(command.main, film, "--prompt", "a", "--model", path)


def _backbone(folder, part, change, *given):
    _model(folder, f"rms2sound/{part}", change, *given)
    return folder / "model" / "rms2sound"


def _file(folder, suffix, how):
    values = {"a": torch.arange(5000.0), "b": torch.ones(3)}
    path = folder / f"x.{suffix}"
    save_file(values, path) if suffix == "safetensors" else torch.save(values, path)
    return wild.damaged(path, how)


def _weights():
    parts = [
        "encoder",
        "video2rms",
        *(f"rms2sound/{name}" for name in ("clap", "controlnet", "unet", "vae", "vocoder")),
    ]
    rng = random.Random(2)
    for part in parts:
        for how in ("missing", "NaN", "one infinite", "flat"):
            make = partial(_do, _model, f"{part}/*.safetensors", _changed, how)
            yield Case("weights", f"{part}: a tensor {how}", make, _loaded, REFUSED)
        for how in rng.sample(sorted(wild.DAMAGES), 4):
            make = partial(_do, _model, f"{part}/*.safetensors", wild.damaged, how)
            yield Case("weights", f"{part}: {how}", make, _loaded, REFUSED)
        yield Case(
            "weights", f"{part}: no config", partial(_do, _model, f"{part}/config.json", _gone), _loaded, REFUSED
        )
        make = partial(_do, _model, f"{part}/config.json", _rewritten, b"{}")
        yield Case("weights", f"{part}: an empty config", make, _loaded, REFUSED)
    for part in ("rms2sound/tokenizer/tokenizer.json", "rms2sound/model_index.json", "video_foley.json"):
        for how in ("cut", "empty", "a login page", "zeros", "noise"):
            make = partial(_do, _model, part, wild.damaged, how)
            yield Case("weights", f"{part}: {how}", make, _loaded, REFUSED)
        yield Case("weights", f"{part}: gone", partial(_do, _model, part, _gone), _loaded, REFUSED)
        yield Case("weights", f"{part}: {{}}", partial(_do, _model, part, _rewritten, b"{}"), _loaded, REFUSED)
        make = partial(_do, _model, part, _gone)
        yield Case("weights", f"{part}: gone, by the command", make, _command_loads, REFUSED)
    for part in (
        "rms2sound",
        "rms2sound/tokenizer",
        "rms2sound/scheduler",
        "rms2sound/vocoder",
        "video2rms",
        "encoder",
    ):
        yield Case("weights", f"{part}: gone", partial(_do, _model, part, _gone), _loaded, REFUSED)
    make = partial(_do, _model, "video2rms/*.safetensors", _swapped, "encoder/diffusion_pytorch_model.safetensors")
    yield Case("weights", "video2rms: the weights of another network", make, _loaded, REFUSED)
    for part in ("unet", "vae", "clap", "vocoder"):
        for change, *given in ((_changed, "missing"), (_changed, "NaN"), (wild.damaged, "one byte short")):
            make = partial(_do, _backbone, f"{part}/*.safetensors", change, *given)
            yield Case("weights", f"backbone {part}: {given[0]}", make, backbone.load, REFUSED)
    for part in ("tokenizer/tokenizer.json", "scheduler/scheduler_config.json", "unet", "feature_extractor"):
        yield Case("weights", f"backbone: {part} gone", partial(_do, _backbone, part, _gone), backbone.load, REFUSED)
    yield Case("weights", "backbone: whole", partial(_do, _backbone, "unet", lambda path: None), backbone.load)
    for suffix in ("safetensors", "pt"):
        for how in wild.DAMAGES:
            wanted = None if (suffix, how) == ("pt", "one byte more") else REFUSED  # a zip may have bytes behind it
            yield Case("weights", f"{suffix}: {how}", partial(_do, _file, suffix, how), tensors.read, wanted)
    for name in ("smal", "/nowhere", "../x", "a/b/c", "", "~", "paper\n", "\ud800"):
        make = partial(_do, _text, "name.txt", ascii(name))
        yield Case("weights", f"called {name!a}", make, _by_name, REFUSED, "")


def _by_name(path):
    os.environ["HF_HUB_OFFLINE"] = "1"
    VideoFoley.from_pretrained(__import__("ast").literal_eval(path.read_text()))


# sessions and the command


def _session(folder, change=None):
    """A render's session beside its film. change: of its values."""
    film = echo.film(folder / "film.mp4", 3.0)
    echo.studio().render(film, wanted=echo.curve(), prompt="a", seed=5).save(folder / "out.mp4")
    path = folder / "out.json"
    if change:
        values = json.loads(path.read_text())
        change(values)
        path.write_text(json.dumps(values))
    return path


def _damaged_session(folder, how):
    return wild.damaged(_session(folder), how)


def _rendered(path):
    sessions.render(path, path.with_name("again.mp4"), maker=echo.studio())
    assert path.with_name("again.mp4").read_bytes() == path.with_name("out.mp4").read_bytes()


def _set(*keys, to=None, gone=False):
    def change(values):
        for key in keys[:-1]:
            values = values[key]
        if gone:
            del values[keys[-1]]
        else:
            values[keys[-1]] = to

    return change


SESSIONS = {
    "a level is NaN": _set("curve", "levels", 3, to=float("nan")),
    "a level is 10^400": _set("curve", "levels", 3, to=10**400),
    "a level is 2": _set("curve", "levels", 3, to=2),
    "a level is negative": _set("curve", "levels", 3, to=-0.1),
    "no levels": _set("curve", "levels", to=[]),
    "fewer levels than the film": _set("curve", "levels", to=[0.1] * 10),
    "the rate is 0": _set("curve", "rate", to=0),
    "the rate is 10^400": _set("curve", "rate", to=10**400),
    "the seed is 10^400": _set("seed", to=10**400),
    "the seed is -1": _set("seed", to=-1),
    "the seed is 2^63": _set("seed", to=2**63),
    "the seed is true": _set("seed", to=True),
    "half a character for a prompt": _set("prompt", to="\ud800"),
    "an empty prompt": _set("prompt", to="  "),
    "a prompt and a sound": _set("audio", to={"timbre": [0.0, 0.0, 0.0, 1.0]}),
    "the loudness is 5": _set("loudness", to=5),
    "the loudness is 10^400": _set("loudness", to=-(10**400)),
    "a region that leaves the film": _set("regions", to=[
        {"start": 1, "end": 99, "prompt": None, "audio": None, "seed": None, "gain_db": 0}]),
    "a region's gain is infinite": _set("regions", to=[
        {"start": 1, "end": 2, "prompt": None, "audio": None, "seed": None, "gain_db": float("inf")}]),
    "a region is null": _set("regions", to=[None]),
    "the film's path has a zero byte": _set("film", "path", to="a\0b"),
    "the film's path has a line end": _set("film", "path", to="a\nb"),
    "the film's path is long": _set("film", "path", to="x" * 5000),
    "the film's path is a folder": _set("film", "path", to="."),
    "no model": _set("model", gone=True),
    "the model is a list": _set("model", to=[]),
    "another model": _set("model", "sha256", to="0"),
    "hold is NaN": _set("settings", "hold", to=float("nan")),
    "other settings": _set("settings", "num_inference_steps", to=7),
    "version 99": _set("version", to=99),
    "a timbre of three numbers": lambda v: v.update(prompt=None, audio={"timbre": [1.0, 2.0, 3.0]}),
}  # fmt: skip


def _in_encoding(folder, encoding):
    path = _session(folder)
    text = path.read_text()
    path.write_bytes(text.encode(encoding))
    return path


def _given(folder, name, text, *words):
    """A film and a table for the command."""
    echo.film(folder / "film.mp4", 2.0)
    _text(folder, name, text)
    return folder / name


def _asked(option):
    def read(path):
        batch.VideoFoley.from_pretrained = staticmethod(lambda *_: echo.studio())
        cases.told(command.main, path.with_name("film.mp4"), "--prompt", "a", option, path)
        assert media.probe(path.with_name("film-foley.mp4")).has_sound

    return read


def _of_words(words, films=1):
    def read(path):
        batch.VideoFoley.from_pretrained = staticmethod(lambda *_: echo.studio())
        cases.told(command.main, *sorted(path.parent.glob("*.mp4")), *words)

    return read


def _two(folder, table):
    for name in ("a", "b"):
        echo.film(folder / f"{name}.mp4", 1.0)
    if table is not None:
        _text(folder, "foley-scores.csv", table)
    return folder / "foley-scores.csv"


SCORES = "film,output,seed,e_l1,error_db,lag_ms,onset_f1_50ms,correlation,loudness,request,problem\n"
TABLES = {
    "none yet": (None, cases.RIGHT), "empty": ("", cases.RIGHT), "binary": (os.urandom(500), REFUSED),
    "UTF-16": ((SCORES + "a.mp4,,,,,,,,,,\n").encode("utf-16"), cases.RIGHT),
    "of a spreadsheet": ("\ufeff" + SCORES.replace(",", ";") + "a.mp4;x;0;zz;;;;;;ab;\n", cases.RIGHT),
    "of somebody else": ("name,value\nx,1\n", REFUSED),
    "a giant field": (SCORES + "x" * 300000 + "\n", REFUSED),
    "an open quote": (SCORES + '"a.mp4,1\n', REFUSED),
    "rows cut short": (SCORES + "a.mp4\nb.mp4,x\n", cases.RIGHT),
}  # fmt: skip
WORDS = {
    "seed -1": (["--seed", "-1"], REFUSED), "seed 10^30": (["--seed", "9" * 30], REFUSED),
    "best of 0": (["--best-of", "0"], REFUSED), "loudness nan": (["--loudness", "nan"], REFUSED),
    "loudness 3": (["--loudness", "3"], REFUSED), "an empty prompt": (["--prompt", " "], REFUSED),
    "bytes for a prompt": (["--prompt", "\udcff"], REFUSED), "an empty negative": (["--negative", " "], REFUSED),
    "bytes for a negative": (["--prompt", "a", "--negative", "\udcff"], REFUSED),
    "no such curve": (["--curve", "nowhere.csv"], REFUSED), "no such sound": (["--audio", "nowhere.wav"], REFUSED),
    "an output that is the film": (["--output", "film.mp4"], REFUSED),
    "an output in a file": (["--output", "film.mp4/x.mp4"], REFUSED),
}  # fmt: skip
NUMBERS = ("nan", "inf", "1e999", "-1", "9" * 400, "", "x", "1,5", "\u0661", "0x10", "1_0", "1e-999")


def _sessions():
    yield Case("sessions", "whole", _session, _rendered)
    for how in wild.DAMAGES:
        wanted = None if how == "one byte short" else REFUSED  # the last line's end
        wanted = REFUSED if how == "one byte more" else wanted
        yield Case("sessions", how, partial(_do, _damaged_session, how), _rendered, wanted)
    for name, change in SESSIONS.items():
        yield Case("sessions", name, partial(_do, _session, change), _rendered, REFUSED, "")
    for encoding in ENCODINGS:
        wanted = REFUSED if encoding in ("utf-16-le", "utf-16-be", "utf-32") else cases.RIGHT
        yield Case("sessions", f"in {encoding}", partial(_do, _in_encoding, encoding), _rendered, wanted)
    for name, (text, wanted) in TABLES.items():
        read = _of_words(["--prompt", "a"], 2)
        yield Case("sessions", f"a table of scores: {name}", partial(_do, _two, text), read, wanted)
    for name, (words, wanted) in WORDS.items():
        make = partial(_do, _given, "x.csv", "")
        yield Case("sessions", f"the command: {name}", make, _in_folder(_of_words(words)), wanted, "")
    for number in NUMBERS:
        read = _asked("--curve")
        table = partial(_do, _given, "c.csv", f"time,level\n0,0.1\n{number},0.2\n")
        yield Case("sessions", f"a curve at {number[:20]!a}", table, read, None)
        table = partial(_do, _given, "c.csv", f"time,level\n0,0.1\n1,{number}\n")
        yield Case("sessions", f"a curve of {number[:20]!a}", table, read, None)
        onsets = partial(_do, _given, "o.txt", f"0.5\n{number} x\n")
        yield Case("sessions", f"an onset at {number[:20]!a}", onsets, read, None)
        marks = partial(_do, _given, "m.csv", f"time,name\n0.2,b\n{number},c\n")
        yield Case("sessions", f"a marker at {number[:20]!a}", marks, _asked("--regions"), None)
    for name, text in {"a BOM": "\ufefftime;name\n0.2;b\n", "a giant name": f"time,name\n0.2,{'x' * 200000}\n"}.items():
        wanted = cases.RIGHT if name == "a BOM" else REFUSED
        yield Case("sessions", f"markers with {name}", partial(_do, _given, "m.csv", text), _asked("--regions"), wanted)


def _in_folder(read):
    def inside(path):
        with contextlib.chdir(path.parent):
            read(path)

    return inside


# archives, lists and answers


def _zip(folder, entries, change=None, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / "a.zip", "w", how) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    if change:
        (folder / "a.zip").write_bytes(change((folder / "a.zip").read_bytes()))
    return folder / "a.zip"


def _unpacked(names):
    def read(path):
        unpack(path, path.parent / "out")
        found = sorted(p.relative_to(path.parent / "out").as_posix() for p in (path.parent / "out").rglob("*"))
        assert found == sorted(names), found

    return read


FILM = ("vis/a_denoised.mp4", bytes(range(256)) * 100)


def _flip(data):
    data = bytearray(data)
    data[len(data) // 4] ^= 255
    return bytes(data)


def _archives():
    film = [FILM]
    yield Case("archives", "whole", partial(_do, _zip, film), _unpacked(["a_denoised.mp4"]))
    for name in (
        "../a_denoised.mp4",
        "/a_denoised.mp4",
        "x\\..\\a_denoised.mp4",
        "c:\\x\\a_denoised.mp4",
        "./a_denoised.mp4",
    ):
        make = partial(_do, _zip, [(name, b"x")])
        yield Case("archives", f"an entry {name!a}", make, _unpacked(["a_denoised.mp4"]))
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Case(
            "archives", f"way {how}, a byte changed", partial(_do, _zip, film, _flip, how), _unpacked([]), REFUSED
        )
        make = partial(_do, _zip, film, None, how)
        yield Case("archives", f"way {how}, whole", make, _unpacked(["a_denoised.mp4"]))
    for share in (0.1, 0.5, 0.9, 0.99):
        make = partial(_do, _zip, film, lambda data, share=share: data[: int(share * len(data))])
        yield Case("archives", f"cut at {share:.0%}", make, _unpacked([]), REFUSED)
    for name, entries in {
        "two of one name": [FILM, ("b/a_denoised.mp4", b"y")], "twice the same": [FILM, FILM],
        "no film": [("a.txt", b"")], "nothing": [], "a name of 300 bytes": [(f"{'x' * 296}.mp4", b"x")],
    }.items():  # fmt: skip
        yield Case("archives", name, partial(_do, _zip, entries), _unpacked([]), REFUSED, "")
    for how in wild.DAMAGES:
        if how != "one byte more":
            make = partial(_do, _zip, film, wild.DAMAGES[how])
            yield Case("archives", how, make, _unpacked([]), REFUSED)
    for name in ("clips.json", "waves.npy"):
        for how in wild.DAMAGES:
            wanted = None if how in ("one byte short", "one byte more") else REFUSED
            make = partial(_do, _clip_set, name, how)
            yield Case("archives", f"clips: {name} {how}", make, lambda path: clips.load(path.parent), wanted)


def _clip_set(folder, name, how):
    fuzz._clips(folder)
    return wild.damaged(folder / name, how)


def _folder_of_films(folder, times, encoding="utf-8", name="a"):
    """Greatest Hits' layout: one good film, and one whose annotations are odd."""
    for stem in ("good", name):
        path = wild.film(folder / f"{stem}_denoised.mp4", "mpeg4", frames=50)
        soundfile.write(os.fsencode(folder / f"{stem}_denoised.wav"), wild.clicks(2.0, 16000), 16000)
        assert path.exists()
    _text(folder, "good_times.txt", "0.5 wood hit None\n")
    return _text(folder, f"{name}_times.txt", times, encoding)


def _films_of(path):
    """The good film is used, and the other one too, or it is named with a reason."""
    corpora.processes.each = lambda work, jobs, _: map(work, jobs)  # here: a process of its own takes its time to start
    found = corpora.films(corpora.FilmCorpus("greatest_hits", path.parent), Timeline(seconds=2.0), workers=1)
    names = {clip.group for clip in found.clips}
    assert "good" in names
    if len(names) < 2:
        (entry,) = found.left_out
        raise ValueError(f"{entry['file']}: {entry['reason']}; {entry['remedy']}")


def _captioned(folder, text, encoding="utf-8"):
    soundfile.write(folder / "a.wav", wild.clicks(2.0, 16000), 16000)
    return _text(folder, "captions.csv", text, encoding)


def _captions_of(path):
    (found,) = [r for r in shards.recordings(path.parent) if r.id == "a"]
    assert found.caption == "Rain, wind.", found


KEY = {"page": "ab", "systems": ["x", "y"], "questions": [{"id": "q1", "items": {"m": "x", "n": "y"}}]}


def _answered(folder, change=None, how=None, key=KEY, encoding="utf-8", metrics=None):
    files.write_json(folder / "key.json", key)
    values = {"page": "ab", "listener": "l", "answers": {"q1": {c: dict.fromkeys(opinions.CRITERIA, 3) for c in "mn"}}}
    if change:
        change(values)
    _text(folder, "a.json", json.dumps(values), encoding)
    if metrics is not None:
        _text(folder, "metrics.csv", metrics)
    return wild.damaged(folder / "a.json", how) if how else folder / "a.json"


def _scored(path):
    words = ["score", path.parent, path]
    if path.with_name("metrics.csv").exists():
        words += ["--metrics", path.with_name("metrics.csv")]
    cases.told(page.main, *words)
    assert (path.parent / "mos.csv").exists()


KEYS = {"a list": [], "no questions": {"page": "ab", "systems": ["x"], "questions": 3},
        "no items": {"page": "ab", "systems": ["x"], "questions": [{"id": "q"}]},
        "a question of text": {"page": "ab", "systems": ["x"], "questions": ["q"]},
        "systems of text": {"page": "ab", "systems": "x", "questions": []}}  # fmt: skip
METRICS = {"whole": "system,FAD\nx,1\ny,2\n", "semicolons": "\ufeffsystem;FAD\nx;1\ny;2\n", "no system": "a,b\n1,2\n",
           "a text": "system,FAD\nx,low\ny,2\n", "empty": "", "binary": os.urandom(300),
           "an open quote": 'system,F\nx,"1\n', "two rows": "system,F\nx,1\nx,2\n",
           "strangers": "system,F\nz,1\n"}  # fmt: skip


def _notebook(folder, text):
    _text(folder, "params.yaml", test_stage.PARAMS)
    (folder / "notebooks").mkdir()
    return _text(folder / "notebooks", "01_s.ipynb", text)


def _code(text):
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "x"}}
    return json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4})


def _run_stage(path):
    import subprocess
    import sys

    words = [sys.executable, "-m", "vf.stage", "notebooks/01_s.ipynb"]
    done = subprocess.run(words, cwd=path.parent.parent, env=test_stage.ENVIRONMENT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        raise ValueError(f"{done.stderr.strip().splitlines()[-1]}; wanted a notebook that runs: mend it")


def _answers():
    yield Case("answers", "whole", _answered, _scored)
    for how in wild.DAMAGES:
        if how != "one byte short":
            yield Case("answers", how, partial(_do, _answered, None, how), _scored, REFUSED, "")
    for encoding in ENCODINGS:
        wanted = REFUSED if encoding in ("utf-16-le", "utf-16-be", "utf-32") else cases.RIGHT
        make = partial(_do, _answered, None, None, KEY, encoding)
        yield Case("answers", f"in {encoding}", make, _scored, wanted, "")
    for name, key in KEYS.items():
        yield Case("answers", f"a key: {name}", partial(_do, _answered, None, None, key), _scored, REFUSED, "key.json")
    for name, text in METRICS.items():
        wanted = cases.RIGHT if name in ("whole", "semicolons") else REFUSED
        make = partial(_do, _answered, None, None, KEY, "utf-8", text)
        yield Case("answers", f"metrics: {name}", make, _scored, wanted, "metrics")
    for name, value in (("half a character", "\ud800"), ("a list", []), ("null", None), ("long", "x" * 100000)):
        make = partial(_do, _answered, _set("listener", to=value))
        yield Case("answers", f"a listener: {name}", make, _scored, None, "")
    for encoding in ENCODINGS:
        make = partial(_do, _folder_of_films, "0.5 wood hit None\n", encoding)
        wanted = REFUSED if encoding in ("utf-16-le", "utf-16-be", "utf-32") else cases.RIGHT
        yield Case("answers", f"annotations in {encoding}", make, _films_of, wanted, "a_times.txt")
    for text in (
        "x wood hit None\n",
        "0.5 wood\n",
        "nan wood hit None\n",
        "1e999 wood hit None\n",
        "-1 wood hit None\n",
        "",
        "9.5 a b c\n",
    ):
        make = partial(_do, _folder_of_films, text)
        yield Case("answers", f"annotations {text[:20]!a}", make, _films_of, REFUSED, "a_times.txt")
    for name in ("a b", "a'b", "a#b", "a:b", "ä漢", "a\nb", "[a]"):
        make = partial(_do, _folder_of_films, "0.5 wood hit None\n", "utf-8", name)
        yield Case("answers", f"a film called {name!a}", make, _films_of, cases.RIGHT, "")
    table = 'file,caption\na.wav,"Rain, wind."\n'
    for encoding in ENCODINGS:
        wanted = REFUSED if encoding in ("utf-16-le", "utf-16-be", "utf-32") else cases.RIGHT
        yield Case(
            "answers", f"captions in {encoding}", partial(_do, _captioned, table, encoding), _captions_of, wanted
        )
    for name, (text, wanted) in {
        "semicolons": ('file;caption\na.wav;"Rain, wind."\n', cases.RIGHT),
        "tabs": ("file\tcaption\na.wav\tRain, wind.\n", cases.RIGHT),
        "old Mac line ends": ('file,caption\ra.wav,"Rain, wind."\r', cases.RIGHT),
        "no table": ("Rain", REFUSED), "nothing": ("", REFUSED),
        "a giant field": (f"file,caption\na.wav,{'x' * 200000}\n", REFUSED),
        "an open quote": ('file,caption\na.wav,"Rain\n', REFUSED),
        "a path that leaves": ("file,caption\n../a.wav,x\n", REFUSED),
        "twice": ("file,caption\na.wav,x\na.wav,y\n", REFUSED),
    }.items():  # fmt: skip
        yield Case("answers", f"captions: {name}", partial(_do, _captioned, text), _captions_of, wanted)
    for name, text in {
        "no JSON": "{", "empty": "", "a list": "[]", "no cells": "{}", "cells of text": '{"cells": "x"}',
        "zeros": "\0" * 99, "cut": '{"cells": [], "metadata": {}, "nbfor', "a code that fails": _code("1 / 0"),
        "an old format": '{"worksheets": [], "nbformat": 2}', "code that is none": _code("x = ("),
        "a strange cell": '{"cells": [3], "metadata": {}, "nbformat": 4}',
    }.items():  # fmt: skip
        yield Case("answers", f"a notebook: {name}", partial(_do, _notebook, text), _run_stage, REFUSED)
    for name, text in {
        "no rows": "generated,reference\n",
        "one column": "generated\na\n",
        "binary": os.urandom(99),
        "gaps": "generated,reference\na,\n",
    }.items():
        yield Case("answers", f"pairs: {name}", partial(_do, _text, "p.csv", text), _mapped, REFUSED)
    for name, text in {
        "no time": "model,baseline,eval,score,time\na,b,c,1,x\n",
        "a huge time": "model,baseline,eval,score,time\na,b,c,1,1e300\n",
        "a text for a score": "model,baseline,eval,score,time\na,b,c,high,1\n",
        "binary": os.urandom(300),
    }.items():
        yield Case("answers", f"results: {name}", partial(_do, _text, "r.csv", text), exchange.read_results, REFUSED)
    for name, text in {
        "a huge number": '{"FD-VGG": 1' + "0" * 400 + "}",
        "deep": "[" * 100000,
        "a truth": '{"FD-VGG": "x"}',
    }.items():
        yield Case(
            "answers", f"results as JSON: {name}", partial(_do, _text, "r.json", text), exchange.read_results, REFUSED
        )
    yield Case("answers", "a command without folders", partial(_do, _text, "x", ""), _evaluated, REFUSED, "x")


def _mapped(path):
    table = pairing._mapping(path)
    if table.empty:
        raise ValueError(f"{path}: no rows; wanted some")


def _evaluated(path):
    cases.told(folders.main, path, path, "--no-embedders")


def _fuzz():
    for name in fuzz.TARGETS:
        for seed in range(4):
            make = partial(_do, _text, "told", "")
            count = 40 if name in FILMS else 60 if name == "params" else 200
            yield Case("fuzz", f"{name} {seed}: {count} changed files", make, partial(_fuzzed, name, seed, count))


FILMS = ("mp4", "mov", "mkv", "webm", "avi", "gif", "ts", "wmv")


def _fuzzed(name, seed, count, path):
    with path.open("w") as told:
        try:
            fuzz.check_many(name, seed, count, told)
        except AssertionError as error:
            lines = path.read_text().split("\n")
            raise AssertionError(f"{lines[-2] if lines[1:] else ''}: {error}") from error


CASES = [*_params(), *_weights(), *_sessions(), *_archives(), *_answers(), *_fuzz()]
cases.check_names(CASES)
