import json

import numpy as np
import pandas as pd
import pytest

from vf.data import files


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.whole(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "old" and partial.suffix == ".txt"
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_text() == "old"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), files.whole_folder(tmp_path / "a") as partial:
        (partial / "x").touch()
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with files.whole_folder(tmp_path / "a") as partial:
        (partial / "x").touch()
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "x"]


def test_what_is_written_reads_back(tmp_path):
    files.write_json(tmp_path / "new" / "a.json", {"b": float("nan"), "a": [1, (2.5, float("nan"))]})
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == {"b": None, "a": [1, [2.5, None]]}
    assert (tmp_path / "new" / "a.json").read_text().index('"b"') < (tmp_path / "new" / "a.json").read_text().index(
        '"a"'
    )
    files.write_csv(tmp_path / "new" / "a.csv", pd.DataFrame({"x": [0.123456789]}))
    assert (tmp_path / "new" / "a.csv").read_text() == "x\n0.123457\n"
    files.write_array(tmp_path / "new" / "a.npy", np.arange(3))
    assert np.load(tmp_path / "new" / "a.npy").tolist() == [0, 1, 2]
