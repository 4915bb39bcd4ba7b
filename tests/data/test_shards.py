import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import wild
from project import ROOT

from vf.data import corpora, shards
from vf.signal.timeline import Timeline

RATE = 16000


@pytest.fixture
def folder(tmp_path):
    """Sounds of several lengths and kinds, and some that are of no use."""
    rng = np.random.default_rng(0)
    root = tmp_path / "audio"
    for name, seconds in (("dog/a", 1.2), ("dog/b", 0.7), ("rain/c", 3.4), ("rain/d", 30.0), ("short", 0.2)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / f"{name}.wav", rng.normal(0, 0.1, round(seconds * RATE)).clip(-1, 1), RATE)
    soundfile.write(root / "silent.wav", np.zeros(2 * RATE), RATE)
    late = np.zeros(round(1.3 * RATE))
    late[RATE:] = 0.5  # in the rest that is dropped
    soundfile.write(root / "late.wav", late, RATE)
    (root / "broken.mp3").write_text("no sound")
    (root / "empty.ogg").write_text("")
    return root


def shas(out):
    return {p.name: p.read_bytes() for p in sorted(out.glob("shard-*.tar"))}


def test_pieces_reasons_and_hours(folder, tmp_path):
    made = shards.write(shards.recordings(folder), tmp_path / "out", seconds=1.0, per_shard=2, workers=1)
    names = [key for key, _, _ in shards.read(tmp_path / "out")]
    assert names == ["dog/a_0", "dog/b_0", "rain/c_0", "rain/c_1", "rain/c_2", *[f"rain/d_{k}" for k in range(6)]]
    # of 1.2 s one second counts, of 30 s six; the zeros behind 0.7 s are no sound
    assert made["clips"] == 11 and made["hours"] == pytest.approx((1 + 0.7 + 3 + 6) / 3600, abs=1e-4)
    reasons = {r["id"]: r["reason"] for r in made["rejected"]}
    assert reasons.keys() == {"broken", "empty", "late", "short", "silent"} and str(folder) not in reasons["broken"]
    assert reasons["short"] == "is shorter than 0.5 s" and reasons["silent"] == reasons["late"] == "is silent"
    assert "cannot be read" in reasons["broken"] and "cannot be read" in reasons["empty"]
    assert made["reasons"]["is silent"] == 2 and sum(made["reasons"].values()) == 5
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == made == shards.manifest(tmp_path / "out")


def test_threads_give_the_pieces_of_one_in_the_same_order(folder, tmp_path):
    shards.write(shards.recordings(folder), tmp_path / "out", seconds=1.0, per_shard=2, workers=1)
    alone, many = (list(shards.read(tmp_path / "out", workers)) for workers in (1, 3))
    assert [(key, text) for key, _, text in alone] == [(key, text) for key, _, text in many]
    assert all(np.array_equal(a, b) for (_, a, _), (_, b, _) in zip(alone, many))


def test_a_piece_is_the_recording(folder, tmp_path):
    shards.write(shards.recordings(folder), tmp_path / "out", seconds=1.0, workers=1)
    pieces = {key: (wave, text) for key, wave, text in shards.read(tmp_path / "out")}
    whole, _ = soundfile.read(folder / "rain/c.wav", dtype="int16")
    assert np.abs(pieces["rain/c_1"][0].astype(int) - whole[RATE : 2 * RATE]).max() <= 1
    assert pieces["rain/c_1"][1]["caption"] == "The sound of rain."
    assert (pieces["dog/b_0"][0][round(0.7 * RATE) + 1 :] == 0).all()


def test_interrupted_or_not_by_one_process_or_two_the_bytes_are_the_same(folder, tmp_path):
    found = shards.recordings(folder)
    shards.write(found, tmp_path / "one", 1.0, per_shard=2, workers=1)
    shards.write(found, tmp_path / "two", 1.0, per_shard=2, workers=2)
    assert shas(tmp_path / "one") == shas(tmp_path / "two") and len(shas(tmp_path / "one")) == 5
    # a shard half written and one not begun: as after a power cut
    (tmp_path / "two/manifest.json").unlink()
    (tmp_path / "two/shard-00003.tar").rename(tmp_path / "two/.shard-00003.17.partial.tar")
    (tmp_path / "two/shard-00001.tar").unlink()
    (tmp_path / "two/shard-00002.json").unlink()
    kept = (tmp_path / "two/shard-00000.tar").stat().st_mtime_ns
    shards.write(found, tmp_path / "two", 1.0, per_shard=2, workers=1)
    assert shas(tmp_path / "one") == shas(tmp_path / "two")
    assert (tmp_path / "two/shard-00000.tar").stat().st_mtime_ns == kept, "what was whole is not made again"
    assert not list((tmp_path / "two").glob("*.partial*"))
    with pytest.raises(ValueError, match="shards of other files or settings"):
        shards.write(found, tmp_path / "two", 2.0, per_shard=2, workers=1)
    soundfile.write(folder / "short.wav", np.full(RATE, 0.5), RATE)  # as many recordings, another one of them
    with pytest.raises(ValueError, match="shards of other files or settings"):
        shards.write(shards.recordings(folder), tmp_path / "two", 1.0, per_shard=2, workers=1)


@pytest.mark.slow
def test_killed_half_way_it_goes_on(folder, tmp_path):
    """Another process, stopped by the signal that no program can catch."""
    for k in range(100):
        shutil.copy(folder / "rain/c.wav", folder / f"rain/{k}.wav")
    write = "shards.write(shards.recordings(sys.argv[1]), sys.argv[2], 1.0, per_shard=4)"
    lines = f"import sys; from vf.data import shards; {write}"
    command = [sys.executable, "-c", lines, str(folder), str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "out").glob("shard-*.tar")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    whole = shas(tmp_path / "out")
    assert 1 <= len(whole) < 28 and not (tmp_path / "out/manifest.json").exists()
    with pytest.raises(ValueError, match="run `python -m vf.shards`"):
        next(shards.read(tmp_path / "out"))
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    shards.write(shards.recordings(folder), tmp_path / "one", 1.0, per_shard=4, workers=1)
    assert shas(tmp_path / "out") == shas(tmp_path / "one") and whole.items() <= shas(tmp_path / "one").items()
    assert shards.manifest(tmp_path / "out") == shards.manifest(tmp_path / "one")


def test_the_command_says_what_it_took(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["vf.data.shards", str(folder), str(tmp_path / "out"), "--seconds", "1", "--workers", "1"]
    )
    shards.main()
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["11 clips, 0.003 h of 9 recordings; 5 rejected", "  2 x is silent"]
    monkeypatch.setattr(sys, "argv", ["vf.data.shards", str(tmp_path / "none"), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="vf.data.shards: .*none: no such folder"):
        shards.main()


def test_wavcaps_names_files_captions_and_pages(folder, tmp_path):
    items = [
        {"id": 17, "caption": "A dog barks.", "href": "https://freesound.org/people/x/sounds/17/", "duration": 1.2},
        {"id": "18", "caption": "Nothing.", "href": ""},
    ]
    (tmp_path / "fsd_final.json").write_text(json.dumps({"num_captions_per_audio": 1, "data": items}))
    (folder / "dog/a.wav").rename(folder / "17.wav")
    found = shards.recordings(folder, tmp_path / "fsd_final.json")
    assert found[0][:4] == ("17", str(folder / "17.wav"), "A dog barks.", "https://freesound.org/people/x/sounds/17/")
    made = shards.write(found, tmp_path / "out", 1.0, workers=1)
    assert made["clips"] == 1 and made["rejected"] == [{"id": "18", "reason": "the file is missing"}]
    for bad in ("[]", '{"data": ["x"]}', '{"data": [{"caption": "no id"}]}', "no json"):
        (tmp_path / "bad.json").write_text(bad)
        with pytest.raises(ValueError, match="wanted WavCaps' JSON"):
            shards.recordings(folder, tmp_path / "bad.json")


def test_recordings_of_other_tests_can_be_excluded(folder, tmp_path):
    (folder / "dog/a.wav").rename(folder / "17.wav")
    (folder / "dog/b.wav").rename(folder / "18.wav")
    (tmp_path / "fsd_final.json").write_text(json.dumps({"data": [{"id": i, "caption": "x"} for i in ("17", "18")]}))
    (tmp_path / "blacklist.json").write_text(json.dumps({"AudioSet": ["Yab.wav"], "FreeSound": ["17"]}))
    found = shards.recordings(folder, tmp_path / "fsd_final.json", tmp_path / "blacklist.json")
    made = shards.write(found, tmp_path / "out", 1.0, workers=1)
    assert [text["id"] for _, _, text in shards.read(tmp_path / "out")] == ["18"]
    assert made["rejected"] == [{"id": "17", "reason": "is on the list of those to exclude"}]
    (tmp_path / "blacklist.json").write_text(json.dumps({"AudioSet": []}))
    with pytest.raises(ValueError, match="wanted WavCaps' blacklist"):
        shards.recordings(folder, None, tmp_path / "blacklist.json")


def test_captions_of_a_folder_may_be_listed(folder):
    (folder / "captions.csv").write_text("file,caption,licence\ndog/a.wav,A small dog.,CC0\ndog/gone.wav,A dog.,CC0\n")
    by_id = {r.id: r for r in shards.recordings(folder)}
    assert (by_id["dog/a"].caption, by_id["dog/a"].licence) == ("A small dog.", "CC0")
    assert by_id["dog/b"].caption == "The sound of dog." and by_id["short"].caption == "A sound."
    with pytest.raises(ValueError, match="the file is missing"):
        shards.cut(by_id["dog/gone"], 1.0, RATE)
    (folder / "captions.csv").write_text("path,text\ndog/a.wav,A small dog.\n")
    with pytest.raises(ValueError, match="wanted file, caption and perhaps licence"):
        shards.recordings(folder)


def test_two_files_of_one_name_are_not_mixed_up(tmp_path):
    for name in ("a.b.wav", "a_b.wav", "a_b.flac", "c.wav"):
        soundfile.write(tmp_path / name, np.full(RATE, 0.5), RATE)
    made = shards.write(shards.recordings(tmp_path), tmp_path / "out", 1.0, workers=1)
    assert [key for key, _, _ in shards.read(tmp_path / "out")] == ["a_b_0", "c_0"]
    assert {r["id"]: r["reason"] for r in made["rejected"]} == dict.fromkeys(
        ("a_b.flac", "a_b.wav"), "goes by the name of a.b.wav"
    )


def test_pieces_of_a_recording_are_limited(folder, tmp_path):
    made = [
        shards.write(shards.recordings(folder), tmp_path / str(n), 1.0, pieces=n, workers=1)["clips"]
        for n in (1, 2, 30)
    ]
    assert made == [4, 1 + 1 + 2 + 2, 1 + 1 + 3 + 30]
    for wrong in ({"pieces": 0}, {"seconds": 0.1}, {"workers": 0}):
        with pytest.raises(ValueError, match="wanted at least"):
            shards.write(shards.recordings(folder), tmp_path / "wrong", **wrong)


def test_numbers_that_are_none_are_refused(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([0.5, np.nan] * RATE, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="not numbers"):
        shards.cut(shards.recordings(tmp_path)[0], 1.0, RATE)


def test_nothing_usable_is_one_error(tmp_path):
    (tmp_path / "x.wav").write_text("")
    with pytest.raises(ValueError, match="none of 1 recordings can be used; the first: x"):
        shards.write(shards.recordings(tmp_path), tmp_path / "out", 1.0, workers=1)
    assert not list((tmp_path / "out").iterdir()), "nothing stands in the way of the files that are put right"
    with pytest.raises(ValueError, match="run `python -m vf.shards`"):
        shards.manifest(tmp_path / "nowhere")


def test_shards_are_a_source_of_sounds(folder, tmp_path, monkeypatch):
    timeline = Timeline(seconds=0.96, fps=25)
    shards.write(shards.recordings(folder), tmp_path / "out", timeline.sound_seconds, workers=1)
    made = corpora.sounds(
        corpora.SoundCorpus(["shards"], tmp_path / "out", valid_share=0.5), timeline, folder=tmp_path / "sounds"
    )
    made.save(tmp_path / "sounds")
    assert isinstance(made.waves, np.memmap) and len(made) == shards.manifest(tmp_path / "out")["clips"]
    assert {c.split for c in made.clips} == {"train", "valid"}
    by_group = {g: {c.split for c in made.clips if c.group == g} for g in {c.group for c in made.clips}}
    assert all(len(splits) == 1 for splits in by_group.values()), "pieces of one recording stay together"
    for clip, wave, (_, expected, _) in zip(made.clips, made.waves, shards.read(tmp_path / "out")):
        assert np.array_equal(wave, expected) and clip.caption.startswith("The sound of ")
    corpus = corpora.SoundCorpus(["shards"], tmp_path / "out", held_out="c*")
    held = corpora.sounds(corpus, timeline, folder=tmp_path / "held")
    assert {c.group for c in held.where("valid").clips} == {"rain/c"}
    with pytest.raises(ValueError, match="pieces of"):
        corpora.sounds(corpus, Timeline(seconds=2.0), folder=tmp_path / "sounds")
    with pytest.raises(ValueError, match="give `folder`"):
        corpora.sounds(corpus, timeline)
    monkeypatch.setattr(corpora.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(ValueError, match="make room or cut fewer --pieces"):
        corpora.sounds(corpus, timeline, folder=tmp_path / "full")
    assert not (tmp_path / "full/waves.npy").exists()
    (tmp_path / "out/shard-00000.tar").unlink()
    with pytest.raises(ValueError, match="shard-00000.tar not there"):
        next(shards.read(tmp_path / "out"))


def test_cut_and_damaged_recordings_are_rejected_with_the_place(tmp_path):
    wave = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    (tmp_path / "in").mkdir()
    for suffix in ("wav", "flac", "mp3"):
        soundfile.write(tmp_path / f"x.{suffix}", wave, RATE)
        data = (tmp_path / f"x.{suffix}").read_bytes()
        (tmp_path / "in" / f"half-{suffix}.{suffix}").write_bytes(data[: len(data) * 6 // 10])
        (tmp_path / "in" / f"whole-{suffix}.{suffix}").write_bytes(data)
    made = shards.write(shards.recordings(tmp_path / "in"), tmp_path / "out", 1.0, workers=1)
    assert made["reasons"] == {"its sound breaks off": 3} and made["clips"] == 9
    assert {r["id"] for r in made["rejected"]} == {"half-wav", "half-flac", "half-mp3"}
    assert all(1.3 < float(r["place"].removesuffix(" s")) < 2.0 for r in made["rejected"])


def test_captions_of_a_spreadsheet(folder):
    table = "file,caption\r\ndog/a.wav,A dög.\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        (folder / "captions.csv").write_bytes(table.encode(encoding))
        assert {r.id: r.caption for r in shards.recordings(folder)}["dog/a"] == "A dög."
    (folder / "captions.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(ValueError, match="captions.csv: is not in UTF-8"):
        shards.recordings(folder)


@pytest.mark.parametrize(
    "text", ["file;caption\r\ndog/a.wav;A dog, small.\r\n", "file\tcaption\ndog/a.wav\tA dog, small.\n"]
)
def test_captions_may_be_parted_by_other_signs(folder, text):
    (folder / "captions.csv").write_bytes(text.encode("utf-8-sig"))
    assert {r.id: r.caption for r in shards.recordings(folder)}["dog/a"] == "A dog, small."


@pytest.mark.parametrize(
    "row, said",
    [
        ("dog/a.wav,A dog, small.", "line 2: dog/a.wav,A dog, small. has more cells than headers, 2"),
        ("dog/a.wav", "line 2: has not 2 fields"),
        ("dog/a.wav,one\ndog/a.wav,two", "line 3: file 'dog/a.wav'; wanted a file of the folder, each once"),
        (",none", "line 2: file ''"),
        ("../a.wav,out", "line 2: file '../a.wav'"),
        ('dog/a.wav,"never closed', "close every quote"),
        (f"dog/a.wav,{'x' * 200000}", "line 2: field larger than field limit"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_line(folder, row, said):
    (folder / "captions.csv").write_text(f"file,caption\n{row}\n")
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        shards.recordings(folder)
    assert "captions.csv" in str(caught.value) and "wanted" in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_shards_and_notes_are_named(folder, tmp_path):
    out = tmp_path / "a:b {1,2} #c?"
    shards.write(shards.recordings(folder), out, 1.0, workers=1)
    assert len(list(shards.read(out))) == shards.manifest(out)["clips"]
    tar = out / "shard-00000.tar"
    whole = tar.read_bytes()
    flipped = whole[:3000] + bytes(400) + whole[3400:]
    for data in (*(do(whole) for how, do in wild.DAMAGES.items() if "one byte" not in how), flipped, whole[:9000]):
        tar.write_bytes(data)
        with pytest.raises(ValueError, match="shard-00000.tar: is damaged|its shards hold .* pieces") as caught:
            list(shards.read(out))
        assert "\n" not in str(caught.value) and "wanted" in str(caught.value)
    tar.write_bytes(whole)
    for name, read in (("manifest.json", shards.manifest), ("shard-00000.json", None), ("settings.json", None)):
        kept = (out / name).read_bytes()
        for data in (b"", b"[]", b"{", b"\xff\xfe\x00"):
            (out / name).write_bytes(data)
            with pytest.raises(
                ValueError, match=f"{name}: .*wanted what vf.data.shards wrote|holds shards of other files"
            ):
                if read:
                    read(out)
                elif name == "settings.json":
                    shards.write(shards.recordings(folder), out, 1.0, workers=1)
                else:
                    shards.write_shard((0, []), out, 1.0, RATE, 1)
        (out / name).write_bytes(kept)
