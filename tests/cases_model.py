"""Cases of torture: parameters, weights and sessions that are damaged or odd, and what a command line asks."""

import contextlib
import json
import os
import random
import shutil
from functools import partial
from pathlib import Path

import cases
import echo
import test_params
import torch
import wild
from cases import REFUSED, Case
from safetensors.torch import load_file, save_file

from vf import aside, check, params
from vf.backends import tensors
from vf.backends.small import backbone
from vf.data import media
from vf.foley import batch, command
from vf.foley import session as sessions
from vf.foley.render import VideoFoley

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "pretrained" / "video-foley"


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
    (path.parent / "pretrained").symlink_to(ROOT / "pretrained")  # which it names, and must find
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
        make = partial(cases.do, cases.written, "params.yaml", test_params.changed(key, line))
        yield Case("params", f"{key}: {line!a}", make, _checked, REFUSED)
    for name, (text, wanted) in BROKEN.items():
        make = partial(cases.do, cases.written, "params.yaml", text)
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
        yield Case("params", name, partial(cases.do, _settings, *settings), _settled, wanted, "")


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
            make = partial(cases.do, _model, f"{part}/*.safetensors", _changed, how)
            yield Case("weights", f"{part}: a tensor {how}", make, _loaded, REFUSED)
        for how in rng.sample(sorted(wild.DAMAGES), 4):
            make = partial(cases.do, _model, f"{part}/*.safetensors", wild.damaged, how)
            yield Case("weights", f"{part}: {how}", make, _loaded, REFUSED)
        yield Case(
            "weights", f"{part}: no config", partial(cases.do, _model, f"{part}/config.json", _gone), _loaded, REFUSED
        )
        make = partial(cases.do, _model, f"{part}/config.json", _rewritten, b"{}")
        yield Case("weights", f"{part}: an empty config", make, _loaded, REFUSED)
    for part in ("rms2sound/tokenizer/tokenizer.json", "rms2sound/model_index.json", "video_foley.json"):
        for how in ("cut", "empty", "a login page", "zeros", "noise"):
            make = partial(cases.do, _model, part, wild.damaged, how)
            yield Case("weights", f"{part}: {how}", make, _loaded, REFUSED)
        yield Case("weights", f"{part}: gone", partial(cases.do, _model, part, _gone), _loaded, REFUSED)
        yield Case("weights", f"{part}: {{}}", partial(cases.do, _model, part, _rewritten, b"{}"), _loaded, REFUSED)
        make = partial(cases.do, _model, part, _gone)
        yield Case("weights", f"{part}: gone, by the command", make, _command_loads, REFUSED)
    for part in (
        "rms2sound",
        "rms2sound/tokenizer",
        "rms2sound/scheduler",
        "rms2sound/vocoder",
        "video2rms",
        "encoder",
    ):
        yield Case("weights", f"{part}: gone", partial(cases.do, _model, part, _gone), _loaded, REFUSED)
    make = partial(cases.do, _model, "video2rms/*.safetensors", _swapped, "encoder/diffusion_pytorch_model.safetensors")
    yield Case("weights", "video2rms: the weights of another network", make, _loaded, REFUSED)
    for part in ("unet", "vae", "clap", "vocoder"):
        for change, *given in ((_changed, "missing"), (_changed, "NaN"), (wild.damaged, "one byte short")):
            make = partial(cases.do, _backbone, f"{part}/*.safetensors", change, *given)
            yield Case("weights", f"backbone {part}: {given[0]}", make, backbone.load, REFUSED)
    for part in ("tokenizer/tokenizer.json", "scheduler/scheduler_config.json", "unet", "feature_extractor"):
        yield Case(
            "weights", f"backbone: {part} gone", partial(cases.do, _backbone, part, _gone), backbone.load, REFUSED
        )
    yield Case("weights", "backbone: whole", partial(cases.do, _backbone, "unet", lambda path: None), backbone.load)
    for suffix in ("safetensors", "pt"):
        for how in wild.DAMAGES:
            wanted = None if (suffix, how) == ("pt", "one byte more") else REFUSED  # a zip may have bytes behind it
            yield Case("weights", f"{suffix}: {how}", partial(cases.do, _file, suffix, how), tensors.read, wanted)
    for name in ("smal", "/nowhere", "../x", "a/b/c", "", "~", "paper\n", "\ud800"):
        make = partial(cases.do, cases.written, "name.txt", ascii(name))
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


SESSIONS = {
    "a level is NaN": cases.put("curve", "levels", 3, to=float("nan")),
    "a level is 10^400": cases.put("curve", "levels", 3, to=10**400),
    "a level is 2": cases.put("curve", "levels", 3, to=2),
    "a level is negative": cases.put("curve", "levels", 3, to=-0.1),
    "no levels": cases.put("curve", "levels", to=[]),
    "fewer levels than the film": cases.put("curve", "levels", to=[0.1] * 10),
    "the rate is 0": cases.put("curve", "rate", to=0),
    "the rate is 10^400": cases.put("curve", "rate", to=10**400),
    "the seed is 10^400": cases.put("seed", to=10**400),
    "the seed is -1": cases.put("seed", to=-1),
    "the seed is 2^63": cases.put("seed", to=2**63),
    "the seed is true": cases.put("seed", to=True),
    "half a character for a prompt": cases.put("prompt", to="\ud800"),
    "an empty prompt": cases.put("prompt", to="  "),
    "a prompt and a sound": cases.put("audio", to={"timbre": [0.0, 0.0, 0.0, 1.0]}),
    "the loudness is 5": cases.put("loudness", to=5),
    "the loudness is 10^400": cases.put("loudness", to=-(10**400)),
    "a region that leaves the film": cases.put("regions", to=[
        {"start": 1, "end": 99, "prompt": None, "audio": None, "seed": None, "gain_db": 0}]),
    "a region's gain is infinite": cases.put("regions", to=[
        {"start": 1, "end": 2, "prompt": None, "audio": None, "seed": None, "gain_db": float("inf")}]),
    "a region is null": cases.put("regions", to=[None]),
    "the film's path has a zero byte": cases.put("film", "path", to="a\0b"),
    "the film's path has a line end": cases.put("film", "path", to="a\nb"),
    "the film's path is long": cases.put("film", "path", to="x" * 5000),
    "the film's path is a folder": cases.put("film", "path", to="."),
    "no model": cases.put("model", gone=True),
    "the model is a list": cases.put("model", to=[]),
    "another model": cases.put("model", "sha256", to="0"),
    "hold is NaN": cases.put("settings", "hold", to=float("nan")),
    "other settings": cases.put("settings", "num_inference_steps", to=7),
    "version 99": cases.put("version", to=99),
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
    cases.written(folder, name, text)
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
        cases.written(folder, "foley-scores.csv", table)
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
        yield Case("sessions", how, partial(cases.do, _damaged_session, how), _rendered, wanted)
    for name, change in SESSIONS.items():
        yield Case("sessions", name, partial(cases.do, _session, change), _rendered, REFUSED, "")
    for encoding in cases.ENCODINGS:
        wanted = REFUSED if encoding in cases.UNMARKED else cases.RIGHT
        yield Case("sessions", f"in {encoding}", partial(cases.do, _in_encoding, encoding), _rendered, wanted)
    for name, (text, wanted) in TABLES.items():
        read = _of_words(["--prompt", "a"], 2)
        yield Case("sessions", f"a table of scores: {name}", partial(cases.do, _two, text), read, wanted)
    for name, (words, wanted) in WORDS.items():
        make = partial(cases.do, _given, "x.csv", "")
        yield Case("sessions", f"the command: {name}", make, _in_folder(_of_words(words)), wanted, "")
    for number in NUMBERS:
        read = _asked("--curve")
        table = partial(cases.do, _given, "c.csv", f"time,level\n0,0.1\n{number},0.2\n")
        yield Case("sessions", f"a curve at {number[:20]!a}", table, read, None)
        table = partial(cases.do, _given, "c.csv", f"time,level\n0,0.1\n1,{number}\n")
        yield Case("sessions", f"a curve of {number[:20]!a}", table, read, None)
        onsets = partial(cases.do, _given, "o.txt", f"0.5\n{number} x\n")
        yield Case("sessions", f"an onset at {number[:20]!a}", onsets, read, None)
        marks = partial(cases.do, _given, "m.csv", f"time,name\n0.2,b\n{number},c\n")
        yield Case("sessions", f"a marker at {number[:20]!a}", marks, _asked("--regions"), None)
    for name, text in {"a BOM": "\ufefftime;name\n0.2;b\n", "a giant name": f"time,name\n0.2,{'x' * 200000}\n"}.items():
        wanted = cases.RIGHT if name == "a BOM" else REFUSED
        yield Case(
            "sessions", f"markers with {name}", partial(cases.do, _given, "m.csv", text), _asked("--regions"), wanted
        )


def _in_folder(read):
    def inside(path):
        with contextlib.chdir(path.parent):
            read(path)

    return inside


CASES = [*_params(), *_weights(), *_sessions()]
cases.check_names(CASES)
