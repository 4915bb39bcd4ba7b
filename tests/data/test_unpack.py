import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from vf.data.unpack import unpack


def test_unpacking_takes_bare_names_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("vis-data/a_denoised.mp4", b"film")
        archive.writestr("../../evil_times.txt", "0.1 wood hit None\n")
        archive.writestr("vis-data/readme.md", "no")
    unpack(tmp_path / "a.zip", tmp_path / "out" / "films")
    assert sorted(p.name for p in (tmp_path / "out" / "films").iterdir()) == ["a_denoised.mp4", "evil_times.txt"]
    assert not (tmp_path.parent / "evil_times.txt").exists()


def test_an_archive_that_is_none_leaves_nothing(tmp_path):
    (tmp_path / "a.zip").write_text("no zip")
    with pytest.raises(ValueError, match="not a zip"):
        unpack(tmp_path / "a.zip", tmp_path / "films")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x.txt", "")
    with pytest.raises(ValueError, match="holds no film"):
        unpack(tmp_path / "b.zip", tmp_path / "films")
    assert not (tmp_path / "films").exists() and not (tmp_path / ".films.partial").exists()


def test_damaged_doubled_and_too_large_archives_leave_nothing(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a_denoised.mp4", bytes(range(256)) * 100)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[5000] ^= 255
    (tmp_path / "damaged.zip").write_bytes(data)
    with pytest.raises(ValueError, match="damaged.zip: is damaged"):
        unpack(tmp_path / "damaged.zip", tmp_path / "films")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("x/a_denoised.mp4", b"one")
        archive.writestr("y/a_denoised.mp4", b"two")
    with pytest.raises(ValueError, match="x/a_denoised.mp4 and y/a_denoised.mp4 have one name"):
        unpack(tmp_path / "twice.zip", tmp_path / "films")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(ValueError, match="GB needed"):
        unpack(tmp_path / "a.zip", tmp_path / "films")
    assert not (tmp_path / "films").exists() and not (tmp_path / ".films.partial").exists()


def test_a_name_that_differs_is_told_in_a_line_that_fits(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a_denoised.mp4", bytes(9000))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[26:28] = (5000).to_bytes(2, "little")  # the length of the name in the file's own header
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ValueError, match="a.zip: is damaged .*fetch it again") as caught:
        unpack(tmp_path / "a.zip", tmp_path / "films")
    assert len(str(caught.value)) < 500 and str(caught.value).isprintable()


def test_archives_that_cannot_be_opened_leave_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a_denoised.mp4", bytes(range(256)) * 100)
    whole = (tmp_path / "a.zip").read_bytes()
    locked = bytearray(whole)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[whole.find(mark) + at] |= 1  # asks for a password
    packed = bytearray(whole)
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        packed[whole.find(mark) + at] = 97  # a way to compress that nobody has
    listed = bytearray(whole)
    listed[whole.find(b"PK\1\2")] = 0
    for data in (locked, packed, listed, whole[: len(whole) // 2], whole[:-30], b""):
        (tmp_path / "b.zip").write_bytes(data)
        with pytest.raises(ValueError, match="b.zip: is (damaged|not a zip)") as caught:
            unpack(tmp_path / "b.zip", tmp_path / "films")
        assert "\n" not in str(caught.value) and not (tmp_path / "films").exists()
        assert not (tmp_path / ".films.partial").exists()


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_told_however_an_archive_is_packed(tmp_path, how):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", how) as archive:
        archive.writestr("x/a_denoised.mp4", np.random.default_rng(0).bytes(5000))
    whole = (tmp_path / "a.zip").read_bytes()
    for at in range(60, 5000, 97):
        data = bytearray(whole)
        data[at] ^= 255
        (tmp_path / "b.zip").write_bytes(data)
        with pytest.raises(ValueError, match="b.zip: is damaged") as caught:
            unpack(tmp_path / "b.zip", tmp_path / "films")
        assert "\n" not in str(caught.value) and sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_folders_of_windows_are_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("vis\\data\\a_denoised.mp4", b"film")
    unpack(tmp_path / "a.zip", tmp_path / "films")
    assert [p.name for p in (tmp_path / "films").iterdir()] == ["a_denoised.mp4"]
