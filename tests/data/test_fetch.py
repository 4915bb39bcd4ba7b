"""The one command that fetches Greatest Hits, against an archive of the same layout on this machine."""

import functools
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from project import ROOT

from vf.data import corpora, writing
from vf.signal.timeline import Timeline

DVC = Path(sys.executable).with_name("dvc")


def run(folder, *command):
    env = os.environ | {"DVC_NO_ANALYTICS": "1", "no_proxy": "*", "NO_PROXY": "*"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def served(tmp_path):
    source = tmp_path / "site" / "vis-data"
    source.mkdir(parents=True)
    for name in ("2015-01-01-00-00-00", "2015-01-01-00-00-01-1"):
        writing.write_film(
            source / f"{name}_denoised.mp4", np.zeros((20, 16, 16, 3), np.uint8), 10, np.full(32000, 0.1)
        )
        (source / f"{name}_times.txt").write_text("0.5 wood hit deform\n1.5 None None None\n")
    (source / "train.txt").write_text("2015-01-01-00-00-00\n")
    (source / "test.txt").write_text("2015-01-01-00-00-01-1\n")
    with zipfile.ZipFile(tmp_path / "site" / "vis-data.zip", "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"vis-data/{path.name}")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/vis-data.zip"
    server.shutdown()


@pytest.mark.slow
def test_fetched_and_unpacked_it_is_a_corpus(tmp_path, served):
    clone = tmp_path / "clone"
    clone.mkdir()
    run(clone, "git", "init", "-q")
    shutil.copytree(ROOT / ".dvc", clone / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / ".gitignore", clone)
    pointer = (ROOT / "data.dvc").read_text()
    url = next(line.split("path: ")[1] for line in pointer.splitlines() if "http" in line)
    (clone / "data.dvc").write_text(pointer.replace(url, served))
    (clone / "dvc.yaml").write_text("stages:\n  a:\n    cmd: echo 1 > a.txt\n    outs: [a.txt]\n")

    before = run(clone, DVC, "repro", "a")
    assert before.returncode == 0, before.stderr  # a fresh clone works without the archive

    fetched = run(clone, DVC, "update", "data.dvc")
    assert fetched.returncode == 0 and (clone / "data" / "greatest-hits.zip").exists(), fetched.stderr
    unpacked = run(clone, sys.executable, "-m", "vf.data.unpack", "data/greatest-hits.zip", "data/greatest-hits")
    assert unpacked.returncode == 0, unpacked.stderr
    made = corpora.films(
        corpora.FilmCorpus("greatest_hits", clone / "data" / "greatest-hits"), Timeline(seconds=1.0, fps=10)
    )
    assert sorted((c.split, c.start) for c in made.clips) == [
        ("test", 0.0),
        ("test", 1.0),
        ("train", 0.0),
        ("train", 1.0),
    ]
