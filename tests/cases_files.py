"""Cases of torture: archives, lists, answers, tables and notebooks that are damaged or odd, and changed files."""

import json
import os
import zipfile
from functools import partial

import cases
import fuzz
import soundfile
import test_stage
import wild
from cases import REFUSED, Case

from vf.data import clips, corpora, files, shards
from vf.data.unpack import unpack
from vf.evaluation import exchange, folders, pairing
from vf.evaluation.listening import opinions, page
from vf.signal.timeline import Timeline


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
    yield Case("archives", "whole", partial(cases.do, _zip, film), _unpacked(["a_denoised.mp4"]))
    for name in (
        "../a_denoised.mp4",
        "/a_denoised.mp4",
        "x\\..\\a_denoised.mp4",
        "c:\\x\\a_denoised.mp4",
        "./a_denoised.mp4",
    ):
        make = partial(cases.do, _zip, [(name, b"x")])
        yield Case("archives", f"an entry {name!a}", make, _unpacked(["a_denoised.mp4"]))
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Case(
            "archives", f"way {how}, a byte changed", partial(cases.do, _zip, film, _flip, how), _unpacked([]), REFUSED
        )
        make = partial(cases.do, _zip, film, None, how)
        yield Case("archives", f"way {how}, whole", make, _unpacked(["a_denoised.mp4"]))
    for share in (0.1, 0.5, 0.9, 0.99):
        make = partial(cases.do, _zip, film, lambda data, share=share: data[: int(share * len(data))])
        yield Case("archives", f"cut at {share:.0%}", make, _unpacked([]), REFUSED)
    for name, entries in {
        "two of one name": [FILM, ("b/a_denoised.mp4", b"y")], "twice the same": [FILM, FILM],
        "no film": [("a.txt", b"")], "nothing": [], "a name of 300 bytes": [(f"{'x' * 296}.mp4", b"x")],
    }.items():  # fmt: skip
        yield Case("archives", name, partial(cases.do, _zip, entries), _unpacked([]), REFUSED, "")
    for how in wild.DAMAGES:
        if how != "one byte more":
            make = partial(cases.do, _zip, film, wild.DAMAGES[how])
            yield Case("archives", how, make, _unpacked([]), REFUSED)
    for name in ("clips.json", "waves.npy"):
        for how in wild.DAMAGES:
            wanted = None if how in ("one byte short", "one byte more") else REFUSED
            make = partial(cases.do, _clip_set, name, how)
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
    cases.written(folder, "good_times.txt", "0.5 wood hit None\n")
    return cases.written(folder, f"{name}_times.txt", times, encoding)


def _films_of(path):
    """The good film is used, and the other one too, or it is named with a reason."""
    corpora.processes.each = lambda work, jobs, _: map(work, jobs)  # here: a process of its own takes its time to start
    found = corpora.films(corpora.FilmCorpus("greatest_hits", path.parent), Timeline(seconds=2.0), workers=1)
    names = {clip.group for clip in found.clips}
    assert "good" in names
    if len(names) < 2:
        (entry,) = found.left_out
        assert entry["remedy"], entry
        raise ValueError(f"{entry['file']}: {entry['reason']}; wanted {entry['remedy'].removeprefix('wanted ')}")


def _captioned(folder, text, encoding="utf-8"):
    soundfile.write(folder / "a.wav", wild.clicks(2.0, 16000), 16000)
    return cases.written(folder, "captions.csv", text, encoding)


def _captions_of(path):
    (found,) = [r for r in shards.recordings(path.parent) if r.id == "a"]
    assert found.caption == "Rain, wind.", found


KEY = {"page": "ab", "systems": ["x", "y"], "questions": [{"id": "q1", "items": {"m": "x", "n": "y"}}]}


def _answered(folder, change=None, how=None, key=KEY, encoding="utf-8", metrics=None):
    files.write_json(folder / "key.json", key)
    values = {"page": "ab", "listener": "l", "answers": {"q1": {c: dict.fromkeys(opinions.CRITERIA, 3) for c in "mn"}}}
    if change:
        change(values)
    cases.written(folder, "a.json", json.dumps(values), encoding)
    if metrics is not None:
        cases.written(folder, "metrics.csv", metrics)
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
    cases.written(folder, "params.yaml", test_stage.PARAMS)
    (folder / "notebooks").mkdir()
    return cases.written(folder / "notebooks", "01_s.ipynb", text)


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
            yield Case("answers", how, partial(cases.do, _answered, None, how), _scored, REFUSED, "")
    for encoding in cases.ENCODINGS:
        wanted = REFUSED if encoding in cases.UNMARKED else cases.RIGHT
        make = partial(cases.do, _answered, None, None, KEY, encoding)
        yield Case("answers", f"in {encoding}", make, _scored, wanted, "")
    for name, key in KEYS.items():
        yield Case(
            "answers", f"a key: {name}", partial(cases.do, _answered, None, None, key), _scored, REFUSED, "key.json"
        )
    for name, text in METRICS.items():
        wanted = cases.RIGHT if name in ("whole", "semicolons") else REFUSED
        make = partial(cases.do, _answered, None, None, KEY, "utf-8", text)
        yield Case("answers", f"metrics: {name}", make, _scored, wanted, "metrics")
    for name, value in (("half a character", "\ud800"), ("a list", []), ("null", None), ("long", "x" * 100000)):
        make = partial(cases.do, _answered, cases.put("listener", to=value))
        yield Case("answers", f"a listener: {name}", make, _scored, None, "")
    for encoding in cases.ENCODINGS:
        make = partial(cases.do, _folder_of_films, "0.5 wood hit None\n", encoding)
        wanted = REFUSED if encoding in cases.UNMARKED else cases.RIGHT
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
        make = partial(cases.do, _folder_of_films, text)
        yield Case("answers", f"annotations {text[:20]!a}", make, _films_of, REFUSED, "a_times.txt")
    for name in ("a b", "a'b", "a#b", "a:b", "ä漢", "a\nb", "[a]"):
        make = partial(cases.do, _folder_of_films, "0.5 wood hit None\n", "utf-8", name)
        yield Case("answers", f"a film called {name!a}", make, _films_of, cases.RIGHT, "")
    table = 'file,caption\na.wav,"Rain, wind."\n'
    for encoding in cases.ENCODINGS:
        wanted = REFUSED if encoding in cases.UNMARKED else cases.RIGHT
        yield Case(
            "answers", f"captions in {encoding}", partial(cases.do, _captioned, table, encoding), _captions_of, wanted
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
        yield Case("answers", f"captions: {name}", partial(cases.do, _captioned, text), _captions_of, wanted)
    for name, text in {
        "no JSON": "{", "empty": "", "a list": "[]", "no cells": "{}", "cells of text": '{"cells": "x"}',
        "zeros": "\0" * 99, "cut": '{"cells": [], "metadata": {}, "nbfor', "a code that fails": _code("1 / 0"),
        "an old format": '{"worksheets": [], "nbformat": 2}', "code that is none": _code("x = ("),
        "a strange cell": '{"cells": [3], "metadata": {}, "nbformat": 4}',
    }.items():  # fmt: skip
        yield Case("answers", f"a notebook: {name}", partial(cases.do, _notebook, text), _run_stage, REFUSED)
    for name, text in {
        "no rows": "generated,reference\n",
        "one column": "generated\na\n",
        "binary": os.urandom(99),
        "gaps": "generated,reference\na,\n",
    }.items():
        yield Case("answers", f"pairs: {name}", partial(cases.do, cases.written, "p.csv", text), _mapped, REFUSED)
    for file, name, text in (
        ("r.csv", "results: no time", "model,baseline,eval,score,time\na,b,c,1,x\n"),
        ("r.csv", "results: a huge time", "model,baseline,eval,score,time\na,b,c,1,1e300\n"),
        ("r.csv", "results: a text for a score", "model,baseline,eval,score,time\na,b,c,high,1\n"),
        ("r.csv", "results: binary", os.urandom(300)),
        ("r.csv", "results of systems: no name", "system,peavs\n,1\n"),
        ("r.csv", "results of systems: a text", "system,peavs\nours,high\n"),
        ("r.jsonl", "results of audio-aes: cut", '{"CE": 1, "CU": 1, "PC": 1, "P'),
        ("r.jsonl", "results of audio-aes: without a list", '{"CE": 1, "CU": 1, "PC": 1, "PQ": 1}'),
        ("r.jsonl", "results of audio-aes: deep", '{"CE": ' + "[" * 100000),
        ("r.json", "results as JSON: a huge number", '{"FD-VGG": 1' + "0" * 400 + "}"),
        ("r.json", "results as JSON: deep", "[" * 100000),
        ("r.json", "results as JSON: a truth", '{"FD-VGG": "x"}'),
    ):
        yield Case("answers", name, partial(cases.do, cases.written, file, text), exchange.read_results, REFUSED)
    yield Case(
        "answers", "a command without folders", partial(cases.do, cases.written, "x", ""), _evaluated, REFUSED, "x"
    )


def _mapped(path):
    table = pairing._mapping(path)
    if table.empty:
        raise ValueError(f"{path}: no rows; wanted some")


def _evaluated(path):
    cases.told(folders.main, path, path, "--no-embedders")


def _fuzz():
    for name in fuzz.TARGETS:
        for seed in range(4):
            make = partial(cases.do, cases.written, "told", "")
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


CASES = [*_archives(), *_answers(), *_fuzz()]
cases.check_names(CASES)
