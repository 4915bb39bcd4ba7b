import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from project import ROOT
from torchvision.models import get_weight

from vf.backends import weights


def test_the_readme_shows_the_table():
    assert f"<!-- weights -->\n{weights.table()}\n<!-- end weights -->" in (ROOT / "docs/paper-profile.md").read_text()


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_what_is_missing_is_named_with_its_page_and_place(name, tmp_path):
    with pytest.raises(weights.MissingWeights) as error:
        weights.find(name, tmp_path)
    weight = weights.WEIGHTS[name]
    assert all(
        part in str(error.value) for part in (weight.file, weight.page, weight.licence, str(tmp_path), "params.yaml")
    )


def test_raft_is_torchvisions_own():
    assert weights.WEIGHTS["raft"].source == get_weight("Raft_Large_Weights.C_T_SKHT_V2").url


def test_a_file_with_another_hash_is_refused(tmp_path, monkeypatch):
    weight = weights.WEIGHTS["raft"]
    (tmp_path / weight.file).write_bytes(b"half a download")
    with pytest.raises(ValueError, match="published is ff5fadd5: fetch it again from"):
        weights.find("raft", tmp_path)
    own = hashlib.sha256(b"half a download").hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "raft", weight._replace(sha256=own[:8]))
    assert weights.find("raft", tmp_path) == tmp_path / weight.file


def test_a_download_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    served = tmp_path / "served.pth"
    served.write_bytes(b"PK\x03\x04tensors")
    right = hashlib.sha256(b"PK\x03\x04tensors").hexdigest()[:8]
    raft = weights.WEIGHTS["raft"]._replace(source=served.as_uri(), sha256="0badf00d")
    monkeypatch.setitem(weights.WEIGHTS, "raft", raft)
    with pytest.raises(RuntimeError, match="invalid hash value"):
        weights.fetch("raft", tmp_path / "weights")
    assert not list((tmp_path / "weights").iterdir())
    monkeypatch.setitem(weights.WEIGHTS, "raft", raft._replace(sha256=right))
    path = weights.fetch("raft", tmp_path / "weights")
    assert path.read_bytes() == b"PK\x03\x04tensors" and weights.find("raft", tmp_path / "weights") == path
    served.unlink()
    assert weights.fetch("raft", tmp_path / "weights") == path, "what is there is kept"


def test_hubs_are_asked_for_the_file_or_the_folder(tmp_path, monkeypatch):
    asked = []

    def one_file(repository, file, local_dir):
        asked.append((repository, file, local_dir))

    def folder(repository, local_dir, allow_patterns):
        local_dir.mkdir(parents=True)
        asked.append((repository, local_dir.name, "*.safetensors" in allow_patterns))

    monkeypatch.setattr(weights.huggingface_hub, "hf_hub_download", one_file)
    monkeypatch.setattr(weights.huggingface_hub, "snapshot_download", folder)
    weights.fetch("video2rms", tmp_path)
    weights.fetch("audioldm", tmp_path)
    weights.fetch("roberta", tmp_path)
    assert asked == [
        ("jnwnlee/video-foley", "checkpoint_000500_Video2RMS.pt", tmp_path),
        ("cvssp/audioldm-s-full", "audioldm-s-full.partial", True),
        ("FacebookAI/roberta-base", "roberta-base.partial", False),
    ]
    assert (tmp_path / "audioldm-s-full").is_dir() and (tmp_path / "roberta-base").is_dir()


class Site(BaseHTTPRequestHandler):
    """A site that serves `data`, and breaks off at `ends` if that is set."""

    data, ends, kind, asked = b"", None, "application/octet-stream", []

    def do_GET(self):
        asked = self.headers.get("Range")
        self.asked.append(asked)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(self.data) - begin))
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        self.wfile.write(self.data[begin : self.ends])

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    kind = type("Served", (Site,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = f"http://127.0.0.1:{server.server_port}/raft.pth"
    raft = weights.WEIGHTS["raft"]._replace(source=source, sha256="")
    monkeypatch.setitem(weights.WEIGHTS, "raft", raft)
    kind.data = bytes(range(256)) * 400
    yield kind
    server.shutdown()


def test_a_download_that_broke_off_goes_on_where_it_stopped(tmp_path, site):
    site.ends = len(site.data) * 4 // 10
    with pytest.raises(OSError, match="40960 of 102400 bytes came; wanted all"):
        weights.fetch("raft", tmp_path)
    assert not (tmp_path / weights.WEIGHTS["raft"].file).exists()
    with pytest.raises(weights.MissingWeights):
        weights.find("raft", tmp_path)
    site.ends = None
    assert weights.fetch("raft", tmp_path).read_bytes() == site.data
    assert site.asked == [None, "bytes=40960-"] and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\n<!DOCTYPE html><html>Please log in</html>",
        b"<!-- portal --><html>",
        b'{"error": "quota"}',
        b"Not found\n",
        b"",
    ],
)
def test_a_login_page_or_a_message_is_not_kept(tmp_path, site, data):
    site.data = data
    with pytest.raises(RuntimeError, match="sent a web page or a message .*; wanted the file itself"):
        weights.fetch("raft", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n\x80\x02abc", b"no web server\r\n\r\n"]
)
def test_an_answer_that_breaks_off_is_one_line(tmp_path, site, monkeypatch, answer):
    def do_GET(self):
        self.wfile.write(answer)
        self.close_connection = True

    monkeypatch.setattr(site, "do_GET", do_GET)
    with pytest.raises(OSError, match="raft.pth: (broke off|no answer of a web server) .*; wanted"):
        weights.fetch("raft", tmp_path)


def test_the_command_says_it_in_one_line(tmp_path, site, monkeypatch):
    site.ends = 1000
    monkeypatch.setattr(sys, "argv", ["vf.weights", "raft"])
    monkeypatch.setattr(
        weights.params, "load", lambda profile: type("P", (), {"weights": "w", "path": lambda _, w: tmp_path})()
    )
    with pytest.raises(SystemExit, match="vf.weights: raft: .*1000 of 102400 bytes came"):
        weights.main()
