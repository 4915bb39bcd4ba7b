import json

import numpy as np
import pytest
import soundfile

from vf import corpora, shards
from vf.timeline import Timeline

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
    (root / "broken.mp3").write_text("no sound")
    return root


def shas(out):
    return {p.name: p.read_bytes() for p in sorted(out.glob("shard-*.tar"))}


def test_pieces_reasons_and_hours(folder, tmp_path):
    made = shards.write(shards.recordings(folder), tmp_path / "out", seconds=1.0, per_shard=2, workers=1)
    names = [key for key, _, _ in shards.read(tmp_path / "out")]
    assert names == ["dog_a_0", "dog_b_0", "rain_c_0", "rain_c_1", "rain_c_2", *[f"rain_d_{k}" for k in range(6)]]
    assert made["clips"] == 11 and made["hours"] == round(11 / 3600, 3)
    reasons = {r["id"]: r["reason"] for r in made["rejected"]}
    assert reasons.keys() == {"broken", "short", "silent"} and reasons["silent"] == "is silent"
    assert reasons["short"] == "is 0.20 s long, shorter than 0.5 s" and str(folder) not in reasons["broken"]
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == made == shards.manifest(tmp_path / "out")


def test_a_piece_is_the_recording(folder, tmp_path):
    shards.write(shards.recordings(folder), tmp_path / "out", seconds=1.0, workers=1)
    pieces = {key: (wave, text) for key, wave, text in shards.read(tmp_path / "out")}
    whole, _ = soundfile.read(folder / "rain/c.wav", dtype="int16")
    assert np.abs(pieces["rain_c_1"][0].astype(int) - whole[RATE : 2 * RATE]).max() <= 1
    assert pieces["rain_c_1"][1]["caption"] == "The sound of rain."
    assert (pieces["dog_b_0"][0][round(0.7 * RATE) + 1 :] == 0).all()


def test_interrupted_or_not_by_one_process_or_two_the_bytes_are_the_same(folder, tmp_path, monkeypatch):
    found = shards.recordings(folder)
    shards.write(found, tmp_path / "one", 1.0, per_shard=2, workers=1)
    shards.write(found, tmp_path / "two", 1.0, per_shard=2, workers=2)
    assert shas(tmp_path / "one") == shas(tmp_path / "two") and len(shas(tmp_path / "one")) == 4
    # a shard half written and one not begun: as after a power cut
    (tmp_path / "two/manifest.json").unlink()
    (tmp_path / "two/shard-00003.tar").rename(tmp_path / "two/shard-00003.partial")
    (tmp_path / "two/shard-00001.tar").unlink()
    kept = (tmp_path / "two/shard-00000.tar").stat().st_mtime_ns
    shards.write(found, tmp_path / "two", 1.0, per_shard=2, workers=1)
    assert shas(tmp_path / "one") == shas(tmp_path / "two")
    assert (tmp_path / "two/shard-00000.tar").stat().st_mtime_ns == kept, "what was whole is not made again"
    with pytest.raises(ValueError, match="shards of other settings"):
        shards.write(found, tmp_path / "two", 2.0, per_shard=2, workers=1)


def test_wavcaps_names_files_captions_and_pages(folder, tmp_path):
    items = [
        {"id": 17, "caption": "A dog barks.", "href": "https://freesound.org/people/x/sounds/17/", "duration": 1.2},
        {"id": "18", "caption": "Nothing.", "href": ""},
    ]
    (tmp_path / "fsd_final.json").write_text(json.dumps({"num_captions_per_audio": 1, "data": items}))
    (folder / "dog/a.wav").rename(folder / "17.wav")
    found = shards.recordings(folder, tmp_path / "fsd_final.json")
    assert found[0] == ("17", str(folder / "17.wav"), "A dog barks.", "https://freesound.org/people/x/sounds/17/")
    made = shards.write(found, tmp_path / "out", 1.0, workers=1)
    assert made["clips"] == 1 and made["rejected"] == [{"id": "18", "reason": "the file is missing"}]
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(ValueError, match="wanted WavCaps' JSON"):
        shards.recordings(folder, tmp_path / "bad.json")


def test_captions_of_a_folder_may_be_listed(folder):
    (folder / "captions.csv").write_text("file,caption,licence\ndog/a.wav,A small dog.,CC0\n")
    by_id = {r.id: r for r in shards.recordings(folder)}
    assert (by_id["dog_a"].caption, by_id["dog_a"].licence) == ("A small dog.", "CC0")
    assert by_id["dog_b"].caption == "The sound of dog." and by_id["short"].caption == "A sound."


def test_nothing_usable_is_one_error(tmp_path):
    (tmp_path / "x.wav").write_text("")
    with pytest.raises(ValueError, match="none of 1 recordings can be used; the first: x"):
        shards.write(shards.recordings(tmp_path), tmp_path / "out", 1.0, workers=1)
    with pytest.raises(ValueError, match="run `python -m vf.shards`"):
        shards.manifest(tmp_path / "nowhere")


def test_shards_are_a_source_of_sounds(folder, tmp_path):
    timeline = Timeline(seconds=0.96, fps=25)
    shards.write(shards.recordings(folder), tmp_path / "out", timeline.sound_seconds, workers=1)
    made = corpora.sounds(["shards"], tmp_path / "out", timeline, valid_share=0.5, folder=tmp_path / "sounds")
    made.save(tmp_path / "sounds")
    assert isinstance(made.waves, np.memmap) and len(made) == shards.manifest(tmp_path / "out")["clips"]
    assert {c.split for c in made.clips} == {"train", "valid"}
    by_group = {g: {c.split for c in made.clips if c.group == g} for g in {c.group for c in made.clips}}
    assert all(len(splits) == 1 for splits in by_group.values()), "pieces of one recording stay together"
    with pytest.raises(ValueError, match="pieces of"):
        corpora.sounds(["shards"], tmp_path / "out", Timeline(seconds=2.0), folder=tmp_path / "sounds")
