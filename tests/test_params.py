import copy
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from project import ROOT

from vf import change, check, params, schema
from vf.data.render import film
from vf.evaluation import systems
from vf.report import doctor

PARAMS = (ROOT / "params.yaml").read_text()


def project(folder, **values):
    """A project of the published params.yaml with other values, and of one stage."""
    (folder / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load(PARAMS) | values))
    stage = {"cmd": "x ${profile}", "deps": ["code.py"], "params": ["seed", "${profile}.video2rms"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    (folder / "code.py").write_text("1")
    return folder


def test_the_profile_picks_its_block(tmp_path):
    project(tmp_path)
    assert (
        params.load("paper", tmp_path).video2rms.train.batch == 512
        and params.load(root=tmp_path).video2rms.train.batch == 16
    )
    with pytest.raises(ValueError, match="profile 'big'"):
        params.load("big", tmp_path)


def test_it_is_found_from_a_folder_below(tmp_path, monkeypatch):
    (project(tmp_path) / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert params.load().folder("clips") == tmp_path / "runs" / "mine" / "clips"


def test_outside_the_project_says_so(tmp_path, monkeypatch, capsys):
    with pytest.raises(FileNotFoundError, match="run from inside the project"):
        params.load(root=tmp_path)
    monkeypatch.chdir(tmp_path)
    assert params.main() == 1 and len(capsys.readouterr().err.splitlines()) == 1


def test_an_unknown_key_names_the_known(tmp_path):
    with pytest.raises(AttributeError, match="has no 'c' here; it has seeds"):
        _ = params.load(root=project(tmp_path)).repeats.c


def test_checkpoints_are_keyed_by_parameters_and_code(tmp_path):
    first = params.load(root=project(tmp_path)).checkpoint("s", "m")
    assert params.load(root=tmp_path).checkpoint("s", "m") == first
    (tmp_path / "code.py").write_text("2")
    second = params.load(root=tmp_path).checkpoint("s", "m")
    project(tmp_path, seed=1)
    third = params.load(root=tmp_path).checkpoint("s", "m")
    assert len({first, second, third}) == 3


def test_a_state_is_keyed_by_what_the_run_was_started_with(tmp_path, capsys):
    begun = params.load(root=project(tmp_path))
    project(tmp_path, seed=1)
    (tmp_path / "vf").mkdir()
    assert begun.checkpoint("s", "m") == params.load(root=project(tmp_path)).checkpoint("s", "m")
    begun.checkpoint("s", "m").mkdir(parents=True)
    assert not capsys.readouterr().out
    changed = params.load(root=project(tmp_path, seed=1))
    assert changed.checkpoint("s", "m") != begun.checkpoint("s", "m") == begun.checkpoint("s", "m")
    changed.checkpoint("s", "another")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"s: {begun.checkpoint('s', 'm').parent} was trained with other parameters or code")


def test_a_finished_stage_leaves_the_states_of_others(tmp_path):
    kept = []
    for run, name in (("a", "s"), ("a-s", "s"), ("a", "s-x")):
        kept.append(params.load(root=project(tmp_path, run=run)))
        stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]
        (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages | {"s-x": stages["s"]}}))
        kept[-1] = params.load(root=tmp_path)
        kept[-1].checkpoint(name, "m").mkdir(parents=True)
    states = [p.checkpoint(name, "m") for p, name in zip(kept, ("s", "s", "s-x"))]
    kept[0].finished("s")
    assert [state.exists() for state in states] == [False, True, True]
    kept[0].finished("s")


def test_a_cache_outlives_its_stage_and_another_learning_rate(tmp_path):
    p = params.load(root=project(tmp_path))
    p.checkpoint("s", "m").mkdir(parents=True)
    p.cache("examples").mkdir(parents=True)
    p.finished("s")
    assert p.cache("examples").exists() and not p.checkpoint("s", "m").exists()
    block = yaml.safe_load(PARAMS)["small"]
    block["rms_controlnet"]["train"]["lr"] = 1e-5
    assert params.load(root=project(tmp_path, small=block)).cache("examples") == p.cache("examples")


def test_a_sentence_of_a_notebook_keeps_its_training_state(tmp_path):
    project(tmp_path)
    stage = {"cmd": "x", "deps": ["runs/${run}/code/01_a.py"], "params": ["seed"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    (tmp_path / "notebooks").mkdir()
    found = []
    for text, code in (("a", "1"), ("b", "1"), ("b", "2")):
        cells = [{"cell_type": "markdown", "source": text}, {"cell_type": "code", "source": [code]}]
        (tmp_path / "notebooks/01_a.ipynb").write_text(json.dumps({"cells": cells}))
        found.append(params.load(root=tmp_path).checkpoint("s", "m"))
    assert found[0] == found[1] != found[2]


def test_checkpoints_of_a_stage_follow_its_notebook_and_folders_but_no_caches(tmp_path):
    project(tmp_path)
    stage = {"cmd": "x", "deps": ["runs/${run}/code/01_a.py", "lib"], "params": ["seed"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": stage}}))
    for name in ("notebooks/01_a.ipynb", "lib/a.py", "lib/__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    found = [params.load(root=tmp_path).checkpoint("s", "m")]
    for name in ("lib/__pycache__/a.pyc", "lib/a.py", "notebooks/01_a.ipynb"):
        (tmp_path / name).write_text("2")
        found.append(params.load(root=tmp_path).checkpoint("s", "m"))
    assert found[0] == found[1] and len({*found}) == 3


def test_the_projects_own_lengths():
    assert params.load("paper", ROOT).timeline.sound_rms_frames == 1024
    assert params.load("small", ROOT).timeline.video_rms_frames == 625


def test_a_repeated_stage_has_the_parameters_of_its_own_repetition():
    sources = params.load(root=ROOT).sources.of("video2rms_variants@bins_16")
    assert {"ablation.video2rms.bins_16", "small.video2rms"} <= sources.keys()
    assert not any("$" in name for name in sources)


def said(folder, text):
    """The lines that a params.yaml of this text is answered with; none where it is right."""
    (folder / "params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        check.check(folder / "params.yaml")
    except check.ParamsError as error:
        return error.lines
    return []


def changed(key, line):
    """The published params.yaml with `line` in place of a dotted key and its value."""
    value = yaml.compose(PARAMS)
    for name in key.split("."):
        at, value = next((k, v) for k, v in value.value if k.value == name)
    return PARAMS[: at.start_mark.index] + line + PARAMS[value.end_mark.index :]


def test_the_published_file_is_right(tmp_path):
    assert said(tmp_path, PARAMS) == [] and check.check(ROOT / "params.yaml") == yaml.safe_load(PARAMS)


BAD = [  # the key, what stands in its place, and a word of the one line that answers
    # a name that becomes a folder, a word of the shell and one of papermill
    *(("run", f"run: {name}", "run is .*plain name") for name in (
        "../../elsewhere", "'x; touch OWNED'", "my run", "a/b", "/tmp/x", "..", ".", ".hidden", "-rf", "''", "a$HOME",
        '"a`b`"', "\"it's\"", "'a\"b'", '"a\\nb"', "null", "[a, b]", "{a: b}", "2024", "2024-01-01", "x*", "a|b",
        "ünï", "a\\b", "a{b", "a:b", "x" * 101,
    )),
    # DVC would read some of these as numbers
    *(("run", f"run: {name}", "a letter or _ in front") for name in ("2024_01_01", "1e3", "001", "0x1F", '"007"')),
    *(("ablation.video2rms.bins_16", f"{name}: {{decode: mean}}", wanted) for name, wanted in (
        ("a.b", 'has the name "a.b"'), ("1e3", 'has the name "1e3"'), ("features_x", "another name than features_x"),
    )),
    ("small.features.kinds", "kinds: [flow]", r"\[difference\], as pretrained/frame_encoder has, or null for"),
    ("small.features.encoder.widths", "widths: [12, 96]",
     r"widths is \[12, 96\]; wanted \[12, 32, 48, 96\], as pretrained/frame_encoder has"),
    ("small.features.start", "start: pretrained/frame_encoder", "null, as features.weights is taken as it is"),
    # numbers
    ("small.video2rms.train.steps", "steps: -5", "steps is -5; wanted a whole number of at least 0"),
    ("small.video2rms.train.batch", "batch: 0", "batch is 0; wanted a whole number of at least 1"),
    ("small.video2rms.train.batch", "batch: 1.5", "batch is 1.5"),
    ("small.video2rms.train.batch", "batch: true", "batch is true; wanted a whole number"),
    ("small.video2rms.train.lr", "lr: 1e-3", "write 1.0e-3"),
    ("small.video2rms.train.lr", "lr: 2.5e3", r"write 2.5e\+3"),
    ("small.video2rms.train.lr", "lr: '0.1'", "write 0.1"),
    ("small.video2rms.train.lr", "lr: 0", "wanted a number above 0"),
    ("small.video2rms.train.lr", "lr: .nan", "lr is NaN"),
    ("small.video2rms.train.lr", "lr: .inf", "lr is Infinity"),
    ("small.video2rms.train.lr", "lr: null", "lr is null"),
    ("small.video2rms.train.steps", "steps: 1e3", "write 1000"),
    ("small.video2rms.train.betas", "betas: [0.9]", "a list of 2"),
    ("small.video2rms.train.betas", "betas: [0.9, 1.0]",
        r"betas\[1\] is 1.0; wanted a number of at least 0 and below 1"),
    ("small.video2rms.train.betas", "betas: [0.9, high]", r'betas\[1\] is "high"'),
    ("small.video2rms.model.bins", "bins: 2", "at least 3"),
    ("small.video2rms.model.dropout", "dropout: 1.0", "below 1"),
    ("small.clips.valid_share", "valid_share: 2", "valid_share is 2"),
    ("small.sounds.valid_share", "valid_share: 0", "above 0"),
    ("small.generate.num_inference_steps", "num_inference_steps: 1001", "at most 1000"),
    ("small.generate.eta", "eta: 1.5", "at most 1"),
    ("small.generate.num_inference_steps", "num_inference_steps: 1:20", 'is "1:20"; wanted a whole'),
    ("small.generate.num_inference_steps", "num_inference_steps: 020", 'is "020"; wanted a whole .* write 20'),
    ("small.generate.num_inference_steps", "num_inference_steps: 0x10", 'is "0x10"; wanted a whole'),
    ("small.generate.num_inference_steps", "num_inference_steps: 1e400", 'is "1e400"; wanted a whole'),
    ("seed", "seed: 1:30", 'seed is "1:30"; wanted a whole number'),
    ("paper.timeline.fps", "fps: 1000000000000000000000000000000", "fps is 10+; wanted .* at most 1000000000"),
    ("small.generate.spacing", "spacing: 0.5", "at least 1"),
    ("paper.generate.spacing", "spacing: 1.5", "spacing is 1.5; wanted 1, as the steps of ddim are even"),
    ("small.generate.eta", "eta: 1.0", "eta is 1.0; wanted 0, as dpm adds no noise"),
    ("small.repeats.seeds", "seeds: 0", "seeds is 0"),
    ("seed", "seed: abc", 'seed is "abc"; wanted a whole number'),
    ("seed", "seed: -1", "seed is -1"),
    ("seed", "seed: 4294967296", "below 4294967296"),
    ("seed", "seed:", "seed is null"),
    # words
    ("profile", "profile: big", 'one of "small", "paper"'),
    ("films.source", "source: youtube", 'one of "render", "greatest_hits", "folder"'),
    ("films.audio", "audio: loud", "denoised"),
    ("small.video2rms.low_pass", "low_pass: maybe", "true or false"),
    ("small.video2rms.low_pass", "low_pass: 1", "true or false"),
    ("small.video2rms.decode", "decode: medain", '"median"'),
    ("small.video2rms.train.schedule", "schedule: linear", '"cosine"'),
    ("small.video2rms.train.precision", "precision: fp16", '"bf16"'),
    ("weights", "weights: null", "weights is null"),
    # lists
    ("audio.sources", "sources: []", "at least 1"),
    ("audio.sources", "sources: render", "wanted a list"),
    ("audio.sources", "sources: [render, tape]", '"tape"'),
    ("audio.sources", "sources: [shards, films]", "shards alone"),
    ("audio.sources", "sources: [render, render]", "once"),
    ("small.features.kinds", "kinds: [rgb]", '"difference"'),
    ("small.features.kinds", "kinds: [colour, flow]", "colour alone"),
    ("small.features.size", "size: [191, 144]", "an even number"),
    ("small.features.size", "size: [192]", "a list of 2"),
    # blocks
    ("small.timeline", "timeline: null", "timeline is null; wanted a block of seconds"),
    ("small.backbone.vae", "vae: null", "vae is null; wanted a block"),
    ("paper.features.encoder", "encoder: {steps: 4}", "wanted null"),
    ("paper.backbone.vae", "vae: {steps: 1}", "wanted null"),
    ("paper.features.weights", "weights: here", "wanted null"),
    ("small.backbone.weights", "weights: 3", "small.backbone.weights is 3"),
    ("benchmark.systems", "systems: {A: outputs}", 'A is "outputs"'),
    ("benchmark.systems", "systems: {A: {folder: x, join: diff-foley}}", '"diff_foley"'),
    ("benchmark.systems", "systems: {A: {foler: x}}", "foler is no key; wanted folder"),
    # keys
    ("small.video2rms.decode", "decod: median", "decod is no key; wanted decode"),
    ("small.video2rms.decode", "decode: median\n    decod: mean", "decod is no key; wanted decode"),
    ("small.video2rms.train.steps", "steps: 400, setps: 1", "setps is no key; wanted steps"),
    ("seed", "sed: 0", "sed is no key; wanted seed"),
    ("seed", "seed: 0\nxyzzy: 1", "xyzzy is no key; params.yaml has profile, run"),
    ("seed", "seed: 0\nseed: 1", "seed is there twice, first in line 4"),
    ("small.generate.eta", "eta: 1.0, eta: 0.0", "small.generate.eta is there twice"),
    ("small.generate.films", "", "small.generate.films is missing"),
    # an ablation
    ("ablation.video2rms.bins_16", "bins_16: {model: {bin: 16}}", "bins_16.model.bin is no key; wanted bins"),
    ("ablation.video2rms.bins_16", "bins_16: {modle: {bins: 16}}", "bins_16.modle is no key; wanted model"),
    ("ablation.video2rms.bins_16", "bins_16: {model: {bins: many}}", 'model.bins is "many"'),
    ("ablation.video2rms.bins_16", "bins_16: {model: {bins: null}}", "model.bins is null"),
    ("ablation.video2rms.bins_16", "bins_16:", "bins_16 is null"),
    ("ablation.video2rms.bins_16", "a/b: {model: {bins: 16}}", 'the name "a/b"'),
    ("ablation.video2rms.bins_16", "16: {model: {bins: 16}}", "the name 16"),
    ("ablation.video2rms.bins_16", "default: {decode: mean}", "another name"),
    ("ablation.rms2sound.bins_4", "bins_4: {bins: 2}", "wanted 0, for no classes"),
    ("ablation.rms2sound.bins_4", "bins_4: {generate: {films: 2}}", "films is no key"),
    ("ablation.rms2sound.bins_4", "bins_4: {condition: levels}", '"onsets"'),
    ("ablation.features.flow", "flow: {small: [flow]}", "flow.paper is missing"),
    # what must agree
    ("films.fold", "fold: 5", "fold is 5; wanted 0 to 4"),
    ("films.folds", "folds: 1", "folds is 1"),
    ("films.folds", "folds: 1000000000000", "folds is 1000000000000; wanted .* at least 2 and at most 1000"),
    ("run", "run: params.checked", "wanted another name: runs/params.checked is a file of the pipeline's own"),
    ("small.clips.render_films.size", "size: [100000000, 144]", "size.* is 100000000; wanted .* at most 8192"),
    ("small.onset_baseline.size", "size: [56, 100000000]", "size.* is 100000000; wanted .* at most 8192"),
    ("ablation.rms2sound.ddim", "ddim: {generate: {scheduler: ddim}}",
        "ablation.rms2sound.ddim makes small.generate.spacing 1.5; wanted 1, as the steps of ddim are even"),
    ("ablation.rms2sound.ddim", "ddim: {generate: {eta: 1.0}}", "generate.eta 1.0; wanted 0, as dpm adds no noise"),
    ("small.timeline.seconds", "seconds: 4.99", "whole number of video frames"),
    ("small.timeline.video_window", "video_window: 64", "a window of the hop"),
    ("small.timeline.sample_rate", "sample_rate: 44100", "wanted 16000"),
    ("small.timeline.latent_stride", "latent_stride: 8", "wanted 4"),
    ("small.rms_controlnet.train.kernel", "kernel: 5", "kernel is 5; wanted timeline.latent_stride, 4"),
    ("small.features.pool", "pool: 5", "multiples of `pool`, 5"),
    ("small.features.encoder.window", "window: 151", "the 150 video frames"),
    ("small.video2rms.model.features", "features: 100", "wanted 192"),
    ("paper.video2rms.model.features", "features: 1024", "wanted 2048"),
    ("paper.features.size", "size: [192, 144]", r"\[344, 256\]"),
    ("small.sounds.count", "count: 3", "wanted enough sounds"),
    ("small.video2rms.train.steps", "steps: 0", "steps is 0; wanted 1 or more, as `start` names nothing"),
    ("paper.rms_controlnet.train.steps", "steps: 0", "steps is 0; wanted 1 or more, as `start` names nothing"),
    ("small.timeline.unet_stride", "unet_stride: 3", "wanted a multiple of 4"),
    ("paper.timeline.unet_stride", "unet_stride: 4", "wanted a multiple of 8"),
]  # fmt: skip


@pytest.mark.parametrize("key, line, word", BAD, ids=lambda text: text[:40])
def test_what_is_wrong_is_said_in_one_line(tmp_path, key, line, word):
    lines = said(tmp_path, changed(key, line))
    assert len(lines) == 1 and re.search(word, lines[0]) and re.match(r"params.yaml, line \d+: ", lines[0]), lines


BROKEN = [  # files that hold no values at all
    ("", "is empty"),
    ("# nothing\n", "is empty"),
    ("- a\n", "holds"),
    ("run: [\n", "is not YAML"),
    ("run: a: b\n", "line 1: is not YAML"),
    ("run:\n\ta: 1\n", "line 2: is not YAML"),
    (b"run: caf\xe9\n", "not UTF-8"),
    ("run: &a [*a]\n", "is not YAML"),
    ("run: !!python/name:os.system\n", "is not YAML"),
    ("run: \x07\n", "is not YAML"),
    ("seed: !!bool 3\n", "is not YAML"),
    ("run: a\n1: 2\n", 'line 2: is not YAML: the key "1" is no name'),
    ('run: a\n"b\\nc": 2\n', "line 2: is not YAML: the key"),
    ("run: a\n[a, b]: 2\n", "line 2: is not YAML: the key"),
    ("[" * 5000, "is not YAML"),
    ("a: &a [1, 1]\n" + "".join(f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefg", "bcdefgh")),
        "holds more than 100000 values"),
]  # fmt: skip


@pytest.mark.parametrize("text, word", BROKEN, ids=range(len(BROKEN)))
def test_a_file_without_values_is_one_line(tmp_path, text, word):
    (line,) = said(tmp_path, text)
    assert word in line and "\n" not in line


def test_a_file_that_is_cut_short_is_one_line(tmp_path):
    lines = PARAMS.splitlines(keepends=True)
    for kept in range(3, len(lines), 4):
        found = said(tmp_path, "".join(lines[:kept]))
        assert len(found) == 1 and re.search("missing|is null; wanted a block", found[0]), (kept, found)


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path):
    for path in (tmp_path / "params.yaml", tmp_path):
        with pytest.raises(check.ParamsError) as error:
            check.check(path)
        assert len(error.value.lines) == 1


def test_everything_is_said_at_once_in_the_order_of_the_file(tmp_path, monkeypatch, capsys):
    text = (
        PARAMS.replace("seed: 0", "seed: abc")
        .replace("fold: 0 ", "fold: 9 ")
        .replace("run: mine ", "run: my run ")
        .replace("lr: 2.0e-3", "lr: 2e-3")
    )
    lines = said(tmp_path, text)
    assert [re.search(r": ([\w.]+) is", line)[1] for line in lines] == [
        "run",
        "seed",
        "films.fold",
        "small.video2rms.train.lr",
    ]
    with pytest.raises(ValueError) as error:
        params.load(root=tmp_path)
    assert str(error.value).splitlines() == lines
    monkeypatch.chdir(tmp_path)
    assert params.main() == 1 and capsys.readouterr() == ("", "\n".join(lines) + "\n")


@pytest.mark.slow
def test_dvc_runs_and_clears_nothing_that_a_wrong_run_names(tmp_path):
    root, kept = tmp_path / "outer/project", tmp_path / "outer/victim/clips/film.mp4"
    kept.parent.mkdir(parents=True)
    kept.write_text("precious")
    for name in ("vf", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"}
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=root, env=environment, check=True)
    for run in ("../../victim", "'x; touch OWNED'"):
        (root / "params.yaml").write_text(changed("run", f"run: {run}"))
        done = subprocess.run(["dvc", "repro"], cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode and "line 3: run is" in done.stderr and "Running stage 'data'" not in done.stdout
        # a stage alone, which nothing checks before DVC, finds nothing that it depends on in such a place
        words = ["dvc", "repro", "--single-item", "data"]
        assert subprocess.run(words, cwd=root, env=environment, capture_output=True).returncode
        assert kept.read_text() == "precious" and not list(tmp_path.rglob("OWNED"))


def test_a_word_that_dvc_wrote_without_quotes_is_still_a_word(tmp_path):
    assert said(tmp_path, PARAMS.replace('precision: "no"', "precision: no")) == []


def test_an_ablation_is_held_against_the_profile_that_it_changes(tmp_path):
    """By its rules: what suits one profile need not suit another."""
    values = copy.deepcopy(yaml.safe_load(PARAMS))
    values["small"]["generate"] |= {"scheduler": "dpm", "spacing": 2.0}
    assert said(tmp_path, yaml.safe_dump(values)) == []
    values["ablation"]["rms2sound"]["even"] = {"generate": {"scheduler": "ddim"}}
    (line,) = said(tmp_path, yaml.safe_dump(values))
    assert "ablation.rms2sound.even makes small.generate.spacing 2.0; wanted 1" in line
    values["ablation"]["rms2sound"]["even"] = {"generate": {"scheduler": "ddim", "spacing": 1.0}}
    assert said(tmp_path, yaml.safe_dump(values)) == []


PLACES = [("features.weights", "here"), ("backbone.weights", "here"), ("embedders.weights", "here"),
    ("features.start", "other"), ("video2rms.start", "a.pt"), ("rms_controlnet.start", "a.pth")]  # fmt: skip


@pytest.mark.parametrize("key, value", PLACES)
def test_networks_that_are_not_there_are_named_before_anything_runs(tmp_path, monkeypatch, capsys, key, value):
    values = yaml.safe_load(PARAMS)
    for block in ("features", "backbone", "embedders"):
        values["small"][block]["weights"] = None
    block, name = key.split(".")
    values["small"][block][name] = value
    project(tmp_path, **values)
    monkeypatch.chdir(tmp_path)
    assert params.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"params.yaml, line \d+: small.{key} names .*{value}.*, which is not there; wanted .*", line)
    place = f"weights/{value}" if name == "start" and block != "features" else value
    (tmp_path / place).mkdir(parents=True)
    assert params.main() == 0


@pytest.mark.parametrize(
    "line", [{"model": {"bins": 100}}, {"train": {"normalise": True, "lr": 1}}, {"classify": False}], ids=str
)
def test_an_ablation_of_ones_own_passes(tmp_path, line):
    values = copy.deepcopy(yaml.safe_load(PARAMS))
    values["ablation"]["video2rms"]["own-1_b"] = line
    assert said(tmp_path, yaml.safe_dump(values)) == []


def test_the_chosen_profile_has_clips_and_sounds(tmp_path):
    lines = said(tmp_path, PARAMS.replace("profile: small", "profile: paper"))
    assert len(lines) == 2 and "films.source" in lines[0] and "paper.sounds.count" in lines[1]
    real = PARAMS.replace("source: render", "source: greatest_hits").replace("sources: [render]", "sources: [shards]")
    assert said(tmp_path, real.replace("profile: small", "profile: paper")) == []


def test_the_schema_knows_what_the_code_knows():
    assert schema.RENDERED == film.film.__defaults__[0] == film.write_films.__defaults__[0]
    entry = schema.System.model_json_schema()["properties"]
    assert set(entry) == systems.KEYS and set(entry["join"]["anyOf"][0]["enum"]) == set(systems.JOINS)
    assert entry["prompt"]["anyOf"][0]["enum"] == list(systems.PROMPTS)


def test_the_doctor_names_the_first_thing_wrong(tmp_path, monkeypatch, capsys):
    for name in ("requirements.in", "requirements.txt", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: abc").replace("fold: 0 ", "fold: 9 "))
    monkeypatch.chdir(tmp_path)
    assert doctor.main() == 1
    page = capsys.readouterr().out
    found = {line[2:].split()[0]: line for line in page.splitlines()[2:]}
    assert 'params.yaml  line 4: seed is "abc"' in found["params.yaml"] and "and 1 more" in found["params.yaml"]
    assert found["params.yaml"][0] == found["dvc"][0] == "!" and found["disk"] and found["threads"]
    assert page.startswith("First: ") and "Traceback" not in page


def test_a_download_without_git_stops_nothing(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").touch()
    git, dvc = doctor.checkout(tmp_path)
    assert "no repository; `make repro` sets DVC up without one" in git.found and not git.stops and not dvc.stops
    (tmp_path / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    assert next(iter(doctor.checkout(tmp_path))).found == "not used: DVC is set up without it"


def test_the_doctor_works_where_nothing_is_installed(tmp_path):
    shutil.copytree(ROOT / "vf", tmp_path / "vf", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.in", "requirements.txt", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    words = [sys.executable, "-S", "-m", "vf.report.doctor"]  # -S: no packages
    done = subprocess.run(words, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.startswith("First: packages: torch, torchvision") and not done.stderr
    assert "git          not installed" in done.stdout and "gpu          cannot tell without torch" in done.stdout


def test_the_doctor_lets_go_who_is_well():
    well = [doctor.Finding("python", "3.11"), doctor.Finding("threads", "2", "export X")]
    assert doctor.page(well).startswith("Nothing stops `make repro`.\nBetter: threads: 2: export X")
    (found,) = doctor.parameters(ROOT)
    assert found.found == "right: profile small, run mine, seed 0" and not found.stops


def test_the_curve_that_both_networks_learn_as_one_is_not_low_passed(tmp_path):
    shares = ", ".join(f"{name}: 0.0" for name in ("weight_decay", "level", "joined", "overlaid", "hidden", "dropped"))
    text = changed("small.features.end_to_end", f"end_to_end: {{steps: 8, batch: 2, lr: 1.0e-3, {shares}}}")
    for before, after in (("low_pass: false", "low_pass: true"), ("seeds: 3", "seeds: 1"), ("views: 1", "views: 0")):
        text = text.replace(before, after, 1)
    (line,) = said(tmp_path, text)
    assert "small.video2rms.low_pass is true; wanted false, as features.end_to_end learns the curve as it is" in line


def test_a_clip_is_joined_or_laid_over_another_and_not_both(tmp_path):
    def answered(overlaid):
        shares = f"joined: 0.7, overlaid: {overlaid}, hidden: 0.0, dropped: 0.0"
        block = f"end_to_end: {{steps: 8, batch: 2, lr: 1.0e-3, weight_decay: 0.0, level: 1.0, {shares}}}"
        text = changed("small.features.end_to_end", block)
        return said(
            tmp_path, text.replace("repeats: {seeds: 3}", "repeats: {seeds: 1}", 1).replace("views: 1", "views: 0", 1)
        )

    assert answered(0.3) == []
    (line,) = answered(0.4)
    assert line.endswith("wanted joined and overlaid that are 1 together at most, as each clip is one or the other")


@pytest.mark.parametrize("settings, said", [
    (["small.video2rms.model.bin=32"],
     "small.video2rms.model.bin=32: small.video2rms.model.bin is no key; wanted bins: mend the name\n"),
    (["seed=1", "small.video2rms.model.bins=0"],
     "small.video2rms.model.bins is 0; wanted a whole number of at least 3\n"),
    (["small.features.end_to_end.steps=3"],
     "small.features.end_to_end.steps=3: small.features.end_to_end.steps is no key; small.features.end_to_end is null; "
     "wanted a block there: set that as one\n"),
    (["seed=!!timestamp x"], "seed=!!timestamp x: '!!timestamp x' is not YAML; mend the value\n"),
    (["seed=!!int ''"], "seed=!!int '': \"!!int ''\" is not YAML; mend the value\n"),
    (["films.root="], 'films.root is ""; wanted a text\n'),
])  # fmt: skip
def test_wrong_settings_are_one_line_with_the_nearest_key_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, settings, said
):
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["vf.change", *settings])
    assert change.main() == 1 and capsys.readouterr().err == said
    assert (tmp_path / "params.yaml").read_text() == PARAMS and len(list(tmp_path.iterdir())) == 1


SETTINGS = ["seed=3", "run=no", "films.root=2024", "audio.held_out=null", "small.video2rms.train.lr=1.0e-3",
    "ablation.features={flow: {small: [flow], paper: [flow]}}", "small.video2rms.train.precision=no",
    "ablation.video2rms.new={model: {bins: 100}}", "~ablation.rms2sound.hold",
    "small.features.weights=null"]  # fmt: skip


def test_settings_are_written_as_they_were_checked_and_comments_stay(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    change.write(path, [])
    assert path.read_text() == PARAMS
    change.write(path, SETTINGS)
    wanted = yaml.safe_load(PARAMS)
    for setting in SETTINGS:
        check.change(wanted, setting)
    assert check.check(path) == wanted and wanted["run"] == "no" and list(wanted["ablation"]["features"]) == ["flow"]
    lines, before = path.read_text().splitlines(), PARAMS.splitlines()
    assert sum(line not in before for line in lines) < 15, "but for a blank or two in the changed ones"
    assert sum("#" in line for line in lines) >= sum("#" in line for line in before) - 1


def test_a_setting_may_mend_the_file(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.replace("run: mine", "run: 3x/"))
    with pytest.raises(check.ParamsError, match="params.yaml, line 3: run is"):
        change.write(path, ["seed=1"])
    change.write(path, ["run=mine"])
    assert check.check(path) == yaml.safe_load(PARAMS)
