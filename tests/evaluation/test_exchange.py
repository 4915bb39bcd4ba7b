"""Folders for other tools, and what these tools write."""

import json
import os
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import soundfile

from vf.data import writing
from vf.evaluation import catalogue, exchange, pairing
from vf.evaluation import folders as judging
from vf.foley import command

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def folders(tmp_path):
    """A system at 22.05 kHz in stereo, references at 16 kHz; one clip is a little shorter."""
    rng = np.random.default_rng(0)
    for name, rate, channels in (("theirs", 22050, 2), ("truth", 16000, 1)):
        (tmp_path / name).mkdir()
        for i in range(3):
            seconds = 1.95 if (name, i) == ("theirs", 1) else 2.0
            wave = rng.uniform(-0.5, 0.5, (round(seconds * rate), channels))
            soundfile.write(tmp_path / name / f"clip_{i}.flac", wave, rate)
    return tmp_path


def test_folders_are_as_the_tools_read_them(folders):
    out = folders / "out"
    said = exchange.export({"theirs": folders / "theirs"}, folders / "truth", out)
    for name, rate in (("theirs", 22050), ("reference", 16000)):
        # fadtk takes each "*.*" of a folder for a sound, av-benchmark each .wav and .flac by its stem
        assert sorted(p.name for p in (out / name).glob("*.*")) == [f"clip_{i}.wav" for i in range(3)]
        for i, seconds in enumerate((2.0, 1.95, 2.0)):
            info = soundfile.info(out / name / f"clip_{i}.wav")
            assert (info.samplerate, info.channels, info.subtype) == (rate, 1, "PCM_16")
            assert info.frames == pytest.approx(seconds * rate, abs=3), "both of a pair have one length"
    stereo = soundfile.read(folders / "theirs" / "clip_0.flac")[0]
    assert np.allclose(soundfile.read(out / "theirs" / "clip_0.wav")[0], stereo.mean(1), atol=1e-4), "level untouched"
    assert (out / "commands.txt").read_text() == said
    assert f"--pred_audio {out}/theirs --pred_cache {out}/theirs/cache --audio_length=1.9" in said
    assert "--skip_video_related --skip_clap" in said
    assert f"fadtk panns-wavegram-logmel {out}/reference {out}/theirs fad.csv --inf" in said
    sounds = [f"{out}/{name}/clip_{i}.wav" for name in ("reference", "theirs") for i in range(3)]
    assert [json.loads(line) for line in (out / "audiobox.jsonl").read_text().splitlines()] == [
        {"path": path} for path in sounds
    ]
    assert f"audio-aes {out}/audiobox.jsonl > {out}/audiobox.out.jsonl" in said
    with pytest.raises(ValueError, match="is there and not empty"):
        exchange.export({"theirs": folders / "theirs"}, folders / "truth", out)


def test_films_and_captions_go_beside_the_sounds(folders):
    for path in (folders / "truth").iterdir():
        path.unlink()
    tone = 0.3 * np.sin(np.arange(32000) * 0.1).astype(np.float32)
    for i in range(3):
        film = folders / "truth" / f"clip_{i}.mp4"
        writing.write_film(film, np.zeros((30, 16, 16, 3), np.uint8), 15, tone, 16000)
    captions = folders / "prompts.csv"
    captions.write_text("clip,film,prompt\n" + "\n".join(f"clip_{i},f,a hit {i}" for i in range(3)))
    out = folders / "out"
    said = exchange.export({"theirs": folders / "theirs"}, folders / "truth", out, captions)
    assert sorted(p.name for p in (out / "videos").iterdir()) == [f"clip_{i}.mp4" for i in range(3)]
    assert pd.read_csv(out / "captions.csv").to_dict("list") == {
        "name": [f"clip_{i}" for i in range(3)],
        "caption": [f"a hit {i}" for i in range(3)],
    }
    assert "extract_video.py" in said and "extract_text.py" in said and "--skip" not in said
    captions.write_text("clip,prompt\nclip_0,x")
    with pytest.raises(ValueError, match="has no caption for clip_1"):
        exchange.export({"theirs": folders / "theirs"}, folders / "truth", folders / "other", captions)
    assert not (folders / "other").exists()


def test_clips_that_a_folder_lacks_are_refused_or_left_out(folders):
    (folders / "theirs" / "clip_2.flac").unlink()
    with pytest.raises(ValueError, match=r"theirs lacks 1 \(clip_2\)"):
        exchange.export({"theirs": folders / "theirs"}, folders / "truth", folders / "out")
    reading = pairing.Reading(common=True)
    exchange.export({"theirs": folders / "theirs"}, folders / "truth", folders / "out", reading=reading)
    assert len(list((folders / "out" / "reference").iterdir())) == 2


def test_results_are_read_back_as_named_and_dated_columns(tmp_path):
    scores = tmp_path / "theirs" / "cache" / "output_metrics.json"
    scores.parent.mkdir(parents=True)
    scores.write_text(json.dumps({"FD-PANN": 12.5, "DeSync": 0.7}))
    os.utime(scores, (TIME, TIME))
    found = exchange.read_results(scores)
    assert found.values.tolist() == [
        ["theirs", "FD-PANN (av-benchmark, 2026-01-31)", 12.5],
        ["theirs", "DeSync (av-benchmark, 2026-01-31)", 0.7],
    ]
    fads = tmp_path / "fad.csv"  # as fadtk 1.1.0 appends to it
    fads.write_text(
        "model,baseline,eval,score,inf_r2,time\n"
        f"panns-wavegram-logmel,out/reference,out/theirs,26.0,0.9,{TIME + 9}\n"
        f"panns-wavegram-logmel,out/reference,out/theirs,27.0,0.9,{TIME + 10}\n"
        f"clap-2023,out/reference,out/ours/,180.0,None,{TIME}\n"
    )
    kads = tmp_path / "kad.csv"
    kads.write_text(f"model,baseline,eval,score,time\nclap-2023,out/reference,out/theirs,1.5,{TIME}\n")
    table = pd.DataFrame({"system": ["ours", "theirs", "truth"], "e_l1": [1.0, 2.0, 0.0]})
    table = exchange.add_results(table, [found, exchange.read_results(fads), exchange.read_results(kads)])
    rows = table.set_index("system")
    inf = "FAD-inf panns-wavegram-logmel (fadtk, 2026-01-31)"
    assert rows.loc["theirs", inf] == 27.0, "the later of two"
    assert rows.loc["ours", "FAD clap-2023 (fadtk, 2026-01-31)"] == 180.0 and pd.isna(rows.loc["truth", inf])
    assert rows.loc["theirs", "KAD clap-2023 (kadtk, 2026-01-31)"] == 1.5
    assert all(catalogue.known(column) for column in table if column != "system")
    assert catalogue.find(inf).better == "lower" and catalogue.find("DeSync (av-benchmark, 2026-01-31)").unit == "s"


def test_one_system_takes_the_results_of_the_only_one(tmp_path):
    results = pd.DataFrame(
        [("theirs", "DeSync (av-benchmark, 2026-01-31)", 0.7)], columns=["system", "column", "value"]
    )
    table = exchange.add_results(pd.DataFrame({"system": ["estimate", "truth"]}), [results])
    assert table.iloc[0, 1] == 0.7 and pd.isna(table.iloc[1, 1])
    with pytest.raises(ValueError, match="results are of theirs; wanted one of ours"):
        exchange.add_results(pd.DataFrame({"system": ["ours"]}), [results])


def audiobox(folder, made, *names):
    """What audio-aes reads and writes: a list, and a line of scores a sound after one of its own."""
    (folder / "in.jsonl").write_text("".join(json.dumps({"path": f"/x/{name}.wav"}) + "\n" for name in names))
    lines = [json.dumps({"CE": ce, "CU": 5.0, "PC": 2, "PQ": 7.0}) for ce in made]
    (folder / "out.jsonl").write_text("\n".join(["using precision bf16", *lines]) + "\n")
    os.utime(folder / "out.jsonl", (TIME, TIME))
    return folder / "out.jsonl"


def test_audiobox_scores_are_means_over_the_sounds_of_each_folder(tmp_path):
    made = audiobox(tmp_path, [3.0, 6.0, 4.0], "ours/a", "reference/a", "ours/b")
    (tmp_path / "other.jsonl").write_text('{"x": 1}\n' * 3)
    table = pd.DataFrame({"system": ["estimate", "truth", "silence"], "e_l1": [1.0, 0.0, 2.0]})
    rows = exchange.add_results(table, [exchange.read_results(made)]).set_index("system")
    column = "CE (audiobox-aesthetics, 2026-01-31)"
    assert rows.loc[["estimate", "truth"], column].tolist() == [3.5, 6.0] and pd.isna(rows.loc["silence", column])
    assert rows.loc["estimate", "PQ (audiobox-aesthetics, 2026-01-31)"] == 7.0
    assert catalogue.find(column).better == "higher" and catalogue.find(column.replace("CE", "PC")).better == "neither"


def test_audiobox_scores_whose_list_is_not_beside_them_are_refused(tmp_path):
    made = audiobox(tmp_path, [3.0, 6.0], "ours/a", "ours/b", "ours/c")
    with pytest.raises(ValueError, match="out.jsonl: has 2 sounds, and beside it no lists name as many"):
        exchange.read_results(made)
    made = audiobox(tmp_path, [3.0, 6.0], "ours/a", "ours/b")
    (tmp_path / "copy.jsonl").write_text((tmp_path / "in.jsonl").read_text())
    with pytest.raises(ValueError, match="beside it 2 lists name as many"):
        exchange.read_results(made)
    with pytest.raises(ValueError, match="in.jsonl: has a line without numbers CE, CU, PC, PQ"):
        exchange.read_results(tmp_path / "in.jsonl")


def test_a_table_of_any_tool_adds_its_columns_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "judges.csv"
    path.write_text("system,PEAVS,loudness (LUFS),CLAP\nours,2.25,-23,\ntruth,1.5,-20,0.7\n")
    os.utime(path, (TIME, TIME))
    table = pd.DataFrame({"system": ["estimate", "truth"], "e_l1": [1.0, 0.0]})
    table = exchange.add_results(table, [exchange.read_results(path)])
    names = [f"{name} (judges, 2026-01-31)" for name in ("peavs", "loudness (LUFS)", "clap")]
    assert set(names) == {*table} - {"system", "e_l1"}
    assert table[names].iloc[0, :2].tolist() == [2.25, -23.0] and pd.isna(table[names].iloc[0, 2])
    said = judging.legend(names).set_index("column")
    assert (
        said["better"].tolist() == ["higher", "neither", "higher"] and said.loc[names[1], "label"] == "loudness (LUFS)"
    )
    assert judging.readable(table).loc[names[1], "estimate"] == "-23", "what is not known here is shown as well"


def test_the_command_writes_what_the_function_does_or_says_why_not(folders, capsys, monkeypatch):
    words = ["export", *map(str, (folders / name for name in ("theirs", "truth", "out")))]
    assert command.main(words) == 0
    assert "audio-aes" in capsys.readouterr().out and (folders / "out/estimate/clip_0.wav").exists()
    assert command.main([*words, "--common"]) == 1, "the folder is there by now"
    error = capsys.readouterr().err
    assert error.startswith("video-foley export: ") and "is there and not empty" in error and error.count("\n") == 1
    assert "video-foley export FOLDER" in command.parser().format_help()
    asked = []
    monkeypatch.setattr(command, "films_of", lambda names: asked.extend(names) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command.main(["./export", "--prompt", "x"])
    assert asked == ["./export"], "a film of that name"


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("a.csv", "system,x\nours,loud\n", "a.csv: the metrics have 'loud' in column x"),
        ("a.csv", "system,x\nours,1\nours,2\n", "a.csv: the metrics have two rows for ours"),
        ("a.csv", "system,x\n,1\n", "a.csv: has a row without a system"),
        ("a.jsonl", '{"CE": 1,', "has a line that is no JSON"),
        ("a.csv", "x,y\n1,2\n", "has the columns x, y; wanted model"),
        ("a.json", "[1]", "is no mapping of names to numbers"),
        ("a.json", '{"Loudness": 1}', "has Loudness, which is no metric of av-benchmark"),
    ],
)
def test_other_files_are_refused(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=said):
        exchange.read_results(tmp_path / name)


def test_a_pair_is_as_long_as_was_asked_for_where_one_of_it_is_a_little_shorter(tmp_path):
    for name, seconds in (("ours", 3.95), ("truth", 4.5)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "c0.wav", np.full(round(seconds * 16000), 0.1), 16000)
    reading = pairing.Reading(seconds=4.0)
    exchange.export({"ours": str(tmp_path / "ours")}, str(tmp_path / "truth"), tmp_path / "out", reading=reading)
    written = [soundfile.info(path).duration for path in sorted((tmp_path / "out").glob("*/c0.wav"))]
    assert written == [4.0, 4.0] and "--audio_length=4.0" in (tmp_path / "out" / "commands.txt").read_text()


def test_kadtks_limit_is_told_by_the_name_of_its_file(tmp_path):
    (tmp_path / "kad_inf.csv").write_text(f"model,baseline,eval,score,time\nclap-2023,ref,ours,1.5,{TIME}\n")
    (row,) = exchange.read_results(tmp_path / "kad_inf.csv").itertuples()
    assert row.column.startswith("KAD-inf clap-2023 (kadtk")


def test_what_is_left_out_is_said_and_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    for name in ("ours", "truth"):
        (tmp_path / name).mkdir()
        for clip in "abc":
            soundfile.write(tmp_path / name / f"{clip}.wav", 0.1 * np.ones(16000), 16000)
    said = exchange.export({"ours": tmp_path / "ours"}, tmp_path / "truth", tmp_path / "out")
    assert (
        "3 are not, and left out: a, b, c." in said and "/.out" not in (tmp_path / "out" / "audiobox.jsonl").read_text()
    )

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange.writing, "write_pieces", full)
    with pytest.raises(ValueError, match="No space left on device"):
        exchange.export({"ours": tmp_path / "ours"}, tmp_path / "truth", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "out", "truth"]
