import errno
import json
import os
import resource
from pathlib import Path

import matplotlib.pyplot as plt
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


def test_a_folder_replaces_another_and_stays_where_its_successor_fails(tmp_path):
    for name in ("x", "y"):
        with files.whole_folder(tmp_path / "a") as partial:
            (partial / name).touch()
    with pytest.raises(RuntimeError), files.whole_folder(tmp_path / "a") as partial:
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "y"]


def test_a_folder_comes_back_where_its_successor_cannot_be_moved(tmp_path, monkeypatch):
    with files.whole_folder(tmp_path / "a") as partial:
        (partial / "x").touch()
    replace = Path.replace

    def failing(path, target):
        if path.name.endswith(".partial"):
            raise OSError(errno.EIO, "no")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match="no"), files.whole_folder(tmp_path / "a") as partial:
        (partial / "y").touch()
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "x"]


def test_a_folder_that_a_killed_process_had_moved_aside_comes_back(tmp_path):
    (tmp_path / ".a.old").mkdir()
    (tmp_path / ".a.old" / "x").touch()
    with pytest.raises(RuntimeError), files.whole_folder(tmp_path / "a"):
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "x"]


def test_a_disk_that_fills_leaves_the_old_file_and_names_it(tmp_path):
    """A limit on the size of files stands for the full disk."""
    for write, first, second in (
        (files.write_json, [0], [0] * 99999),
        (files.write_text, "a", "b" * 99999),
        (lambda path, array: files.write_arrays(path, x=array), np.zeros(4), np.zeros(99999)),
    ):
        path = tmp_path / "a.npz"
        write(path, first)
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        try:
            with pytest.raises(OSError, match="a.npz"):
                write(path, second)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.npz"]
        path.unlink()


def test_figures_and_arrays_by_name_read_back(tmp_path):
    figure = plt.figure()
    files.write_figure(tmp_path / "a.png", figure)
    plt.close(figure)
    assert plt.imread(tmp_path / "a.png").ndim == 3
    files.write_arrays(tmp_path / "new" / "a.npz", x=[1, 2], y=3.0)
    with np.load(tmp_path / "new" / "a.npz") as saved:
        assert saved["x"].tolist() == [1, 2] and float(saved["y"]) == 3.0


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding, sign):
    text = f'a{sign}b\r\n1{sign}"x\ny"\r\n\r\n2{sign}z\r\n'
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert files.read_rows(tmp_path / "t.csv") == [(1, ["a", "b"]), (3, ["1", "x\ny"]), (5, ["2", "z"])]
    assert files.read_table(tmp_path / "t.csv").b.tolist() == ["x\ny", "z"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("a,b\n1," + "x" * 200000, "line 2: field larger than field limit"),
        ('a,b\n1,"x', "line 2: unexpected end of data"),
        ("a\0b", "holds zero bytes"),
        (b"\xff\xff", "is not in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_table_is_named_in_a_line(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode()) if text is not None else path.mkdir()
    with pytest.raises(ValueError, match=f"t.csv.*{said}.*; wanted a ") as caught:
        files.read_rows(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, "{'a': 1}", "\ufffe", "1" * 5000])
def test_what_is_no_json_is_named_in_a_line(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x.json: is no JSON \(.*\); wanted a file that was saved here") as caught:
        files.read_json(tmp_path / "x.json")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_quote_that_ends_within_a_cell_is_said_in_printable_words(tmp_path, separator):
    path = tmp_path / "a.csv"
    path.write_text(f'time{separator}rms\n"0.1"x{separator}0.2\n')
    with pytest.raises(ValueError, match="line 2: .* expected after .*; wanted a table of short texts") as error:
        files.read_rows(path)
    assert str(error.value).isprintable()


def test_a_row_with_more_cells_than_headers_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,name,\n0.5,wood,\n")
    assert files.read_rows(path) == [(1, ["time", "name", ""]), (2, ["0.5", "wood", ""])]
    path.write_text("time,name\n1.5,wood,,\n0,5,wood\n")
    for read in (files.read_rows, files.read_table):
        with pytest.raises(ValueError, match="t.csv, line 3: 0,5,wood has more cells than headers, 2; wanted as many"):
            read(path)


def test_columns_are_parted_as_in_the_first_line_that_is_not_blank(tmp_path):
    (tmp_path / "t.csv").write_text("\n  \na;b\n1,5;2\n")
    assert files.read_rows(tmp_path / "t.csv")[-1] == (4, ["1,5", "2"])


def test_hidden_files_and_folders_are_not_listed(tmp_path):
    for name in ("b.wav", "a.WAV", "c.txt", "._a.wav", ".a.12.partial.wav", "in/d.wav", "in/._d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    assert [p.name for p in files.listed(tmp_path, {".wav"})] == ["a.WAV", "b.wav"]
    assert [p.name for p in files.listed(tmp_path, {".wav"}, below=True)] == ["a.WAV", "b.wav", "d.wav"]


def test_a_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a device or a pipe, not a file"):
        files.write_text(tmp_path / "pipe", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"] and not (tmp_path / "pipe").is_file()


def test_a_table_without_headers_or_with_rows_too_long_is_named(tmp_path):
    for text in ("", "a,b\n1,2,3\n4,5,6,7,8\n"):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(
            ValueError, match="t.csv: cannot be read as a table|line 2: 1,2,3 has more cells than headers, 2"
        ):
            files.read_table(tmp_path / "t.csv")


def test_what_a_console_cannot_show_is_escaped():
    assert files.printable("é漢 a\n\x1b\udce9") == "é漢 a\\n\\x1b\\udce9"
    assert files.excerpt("x" * 500) == "x" * 117 + "..." and files.excerpt(["a"]) == "['a']"
