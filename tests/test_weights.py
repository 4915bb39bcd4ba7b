import hashlib

import pytest
from project import ROOT

from vf import weights


def test_the_readme_shows_the_table():
    assert f"<!-- weights -->\n{weights.table()}\n<!-- end weights -->" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", weights.WEIGHTS)
def test_what_is_missing_is_named_with_its_page_and_place(name, tmp_path):
    with pytest.raises(weights.MissingWeights) as error:
        weights.find(name, tmp_path)
    weight = weights.WEIGHTS[name]
    assert all(part in str(error.value) for part in (weight.file, weight.page, weight.licence, str(tmp_path), "params.yaml"))


def test_a_file_with_another_hash_is_refused(tmp_path, monkeypatch):
    weight = weights.WEIGHTS["raft"]
    (tmp_path / weight.file).write_bytes(b"half a download")
    with pytest.raises(ValueError, match="published is ff5fadd5: fetch it again from"):
        weights.find("raft", tmp_path)
    own = hashlib.sha256(b"half a download").hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "raft", weight._replace(sha256=own[:8]))
    assert weights.find("raft", tmp_path) == tmp_path / weight.file
