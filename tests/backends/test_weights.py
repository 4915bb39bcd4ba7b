import hashlib

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
    served.write_bytes(b"tensors")
    right = hashlib.sha256(b"tensors").hexdigest()[:8]
    raft = weights.WEIGHTS["raft"]._replace(source=served.as_uri(), sha256="0badf00d")
    monkeypatch.setitem(weights.WEIGHTS, "raft", raft)
    with pytest.raises(RuntimeError, match="invalid hash value"):
        weights.fetch("raft", tmp_path / "weights")
    assert not list((tmp_path / "weights").iterdir())
    monkeypatch.setitem(weights.WEIGHTS, "raft", raft._replace(sha256=right))
    path = weights.fetch("raft", tmp_path / "weights")
    assert path.read_bytes() == b"tensors" and weights.find("raft", tmp_path / "weights") == path
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
