import os
import re
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import wild
import yaml
from project import NOTEBOOKS, ROOT, code_of

from vf.data import clips, corpora, media, processes, shards, writing
from vf.data.clips import ClipSet
from vf.signal import rms
from vf.signal.timeline import Timeline

SECOND = Timeline(seconds=1.0, fps=10)
REAL = os.environ.get("VF_GREATEST_HITS")


def frames(seconds, fps=10):
    return np.zeros((round(seconds * fps), 16, 16, 3), np.uint8)


def film(folder, name, seconds=2.0, events=("0.2 wood hit None", "1.5 None None None"), sound=True, track="denoised"):
    wave = np.full(round(seconds * 16000), 0.1, np.float32) if sound else None
    writing.write_film(folder / f"{name}_{track}.mp4", frames(seconds), 10, wave)
    (folder / f"{name}_times.txt").write_text("\n".join(events) + "\n")


def corpus(root, **options):
    return corpora.FilmCorpus("greatest_hits", root, **options)


def greatest_hits(root, **options):
    return corpora.films(corpus(root, **options), SECOND, workers=1)


def test_whole_annotated_segments_alone_count(tmp_path):
    film(tmp_path, "a", 3.4, ["0.2 wood hit None", "2.5 rock scratch None"])
    made = greatest_hits(tmp_path, folds=2)
    assert [(c.start, c.caption) for c in made.clips] == [
        (0.0, "A person hit wood with a wooden stick."),
        (2.0, "A person scratch rock with a wooden stick."),
    ]
    assert made.clips[1].events[0].time == 0.5 and made.waves.shape == (2, 16000)


@pytest.mark.parametrize("count, segments", [(299, 1), (290, 0), (599, 2)])
def test_a_film_a_hair_too_short_at_an_odd_rate_counts(tmp_path, count, segments):
    # 300 frames at 29.97 fps are 10.01 s, 299 are 9.98 s: the last frame stays on screen until 10 s
    wave = np.full(round(count / 29.97 * 16000), 0.1, np.float32)
    writing.write_film(tmp_path / "a_denoised.mp4", np.zeros((count, 16, 16, 3), np.uint8), Fraction(30000, 1001), wave)
    times = "".join(f"{t} wood hit None\n" for t in range(0, 20, 5))
    (tmp_path / "a_times.txt").write_text(times)
    film(tmp_path, "b", 10.0)
    made = corpora.films(corpus(tmp_path), Timeline(), workers=1)
    assert len([c for c in made.clips if c.group == "a"]) == segments
    assert bool(made.left_out) == (segments == 0)


def test_segments_are_counted_beside_the_papers(tmp_path):
    film(tmp_path, "a_1", 4.3, ["0.2 wood hit None", "2.5 rock scratch None", "4.1 rock hit None"])
    film(tmp_path, "a_2"), film(tmp_path, "b_1", sound=False), film(tmp_path, "b_2", track="mic")
    assert corpora.beside_the_paper(greatest_hits(tmp_path), corpus(tmp_path), SECOND) is None
    (tmp_path / "train.txt").write_text("a_1\na_2\ngone\n")
    (tmp_path / "test.txt").write_text("b_1\nb_2\n")
    made = greatest_hits(tmp_path, valid_share=0.5)
    counts = corpora.beside_the_paper(made, corpus(tmp_path), SECOND)
    # a_1: seconds 0 and 2 of 0, 1, 2, 3; a_2: both; the last 0.3 s of a_1 are no whole segment
    train = {"films listed": 3, "films missing": 1, "films left out": 0, "segments without annotation": 2}
    assert counts["train"] == {"paper": 2212, "here": 4, "difference": -2208, **train}
    test = {"films listed": 2, "films missing": 1, "films left out": 1, "segments without annotation": 0}
    assert counts["test"] == {"paper": 732, "here": 0, "difference": -732, **test}


def test_a_film_is_in_one_split_alone(tmp_path):
    for name in "abcdef":
        film(tmp_path, name, 3.0, ["0.2 wood hit None", "1.2 wood hit None", "2.2 wood hit None"])
    (tmp_path / "train.txt").write_text("a\nb\nc\nd\n")
    (tmp_path / "test.txt").write_text("e\nf\n")
    made = greatest_hits(tmp_path, valid_share=0.25)
    groups = {split: {c.group for c in made.where(split).clips} for split in ("train", "valid", "test")}
    assert groups["test"] == {"e", "f"} and len(groups["valid"]) == 1 and len(groups["train"]) == 3
    assert groups["train"] | groups["valid"] == set("abcd")
    # the development part is drawn by film, and the same every time
    assert [c.split for c in greatest_hits(tmp_path, valid_share=0.25).clips] == [c.split for c in made.clips]


def test_the_microphone_track_where_that_alone_exists(tmp_path):
    film(tmp_path, "a", track="mic"), film(tmp_path, "b", track="mic")
    with pytest.raises(ValueError, match=r"wanted \*_denoised.mp4 .* set films.audio to mic"):
        greatest_hits(tmp_path)
    assert all(c.film.endswith("_mic.mp4") for c in greatest_hits(tmp_path, audio="mic").clips)
    film(tmp_path, "a")
    assert {c.group for c in greatest_hits(tmp_path, folds=1).clips} == {"a"}, "denoised by default"


def test_official_lists_decide(tmp_path):
    for name in "abcd":
        film(tmp_path, name)
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "test.txt").write_text("c\n")
    split = {c.group: c.split for c in greatest_hits(tmp_path, valid_share=0.5).clips}
    assert split["c"] == "test" and sorted([split["a"], split["b"]]) == ["train", "valid"] and "d" not in split


def test_folds_partition_the_films(tmp_path):
    for name in "abcde":
        film(tmp_path, name)
    tested = []
    for fold in range(5):
        made = greatest_hits(tmp_path, folds=5, fold=fold)
        groups = {s: {c.group for c in made.where(s).clips} for s in ("train", "valid", "test")}
        assert not groups["test"] & (groups["train"] | groups["valid"])
        tested += groups["test"]
    assert sorted(tested) == list("abcde")
    with pytest.raises(ValueError, match="films.fold is 5"):
        greatest_hits(tmp_path, folds=5, fold=5)


def test_splits_of_all_folds_are_those_of_each_fold(tmp_path):
    for name in "abcde":
        film(tmp_path, name)
    made = [greatest_hits(tmp_path, folds=3, fold=fold, valid_share=0.3) for fold in range(3)]
    assert corpora.splits(made[1], corpus(tmp_path, folds=3, valid_share=0.3)) == [
        [c.split for c in m.clips] for m in made
    ]
    (tmp_path / "train.txt").write_text("a\nb\nc\n")
    (tmp_path / "test.txt").write_text("d\ne\n")
    official = greatest_hits(tmp_path)
    assert corpora.splits(official, corpus(tmp_path)) == [[c.split for c in official.clips]]


def test_bad_films_are_left_out_and_the_others_go_on(tmp_path):
    film(tmp_path, "good")
    film(tmp_path, "short", 0.5)
    film(tmp_path, "silent", sound=False)
    film(tmp_path, "bad_line", events=["0.2 wood hit None", "oops"])
    film(tmp_path, "no_labels")
    (tmp_path / "no_labels_times.txt").unlink()
    (tmp_path / "text_denoised.mp4").write_text("not a film")
    (tmp_path / "text_times.txt").write_text("0.1 wood hit None\n")
    made = greatest_hits(tmp_path, folds=2)
    assert {c.group for c in made.clips} == {"good"}
    reasons = {item["file"].split("_times")[0].split("_denoised")[0]: item for item in made.left_out}
    assert set(reasons) == {"short", "silent", "bad_line", "no_labels", "text"}
    assert "shorter than one segment" in reasons["short"]["reason"] and "no sound" in reasons["silent"]["reason"]
    assert reasons["bad_line"]["line"] == "2" and reasons["bad_line"]["file"] == "bad_line_times.txt"
    assert "missing" in reasons["no_labels"]["reason"] and "cannot be read" in reasons["text"]["reason"]
    assert all(item["remedy"] for item in made.left_out)


def test_no_film_at_all_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="has no film"):
        greatest_hits(tmp_path)
    film(tmp_path, "short", 0.5)
    with pytest.raises(ValueError, match="none of 1 films"):
        greatest_hits(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        greatest_hits(tmp_path / "none")
    with pytest.raises(ValueError, match="wanted render, greatest_hits or folder"):
        corpora.FilmCorpus("youtube", tmp_path)


def test_films_without_sound_are_left_out_whatever_their_split(tmp_path):
    for k in range(6):
        sound = (None, np.zeros(16000), np.full(16000, 0.1))[k % 3]
        writing.write_film(tmp_path / f"f{k}.mp4", frames(1.0), 10, sound)
    made = corpora.films(corpora.FilmCorpus("folder", tmp_path, folds=2), SECOND, workers=1)
    assert [clip.name for clip in made.clips] == ["f2_00", "f5_00"]
    assert [entry["reason"] for entry in made.left_out] == ["has no sound", "is silent"] * 2


@pytest.mark.parametrize("broken", [0, 5])
def test_a_film_that_is_left_out_moves_no_other_to_another_fold(tmp_path, broken):
    for k in range(8):
        writing.write_film(tmp_path / f"f{k}.mp4", frames(1.0), 10, None if k == broken else np.full(16000, 0.1))
    for fold in range(3):
        corpus = corpora.FilmCorpus("folder", tmp_path, fold=fold, folds=3)
        made = corpora.films(corpus, SECOND, workers=1)
        folds = corpora.splits(made, corpus)
        assert folds[fold] == [clip.split for clip in made.clips]
        assert (
            sorted(name for split in folds for name, clip in zip(split, made.clips) if name == "test") == ["test"] * 7
        )


def test_a_fold_whose_only_test_film_is_left_out_is_named(tmp_path):
    corpus, names = corpora.FilmCorpus("folder", tmp_path, folds=3), ["f0", "f1", "f2", "f3"]
    (alone,) = (name for name, split in replace(corpus, fold=2).split(names, 0).items() if split == "test")
    for name in names:
        writing.write_film(tmp_path / f"{name}.mp4", frames(1.0), 10, None if name == alone else np.full(16000, 0.1))
    made = corpora.films(corpus, SECOND, workers=1)
    with pytest.raises(ValueError, match="fold 2 of 3 has no film to test, as 1 of its films are left out"):
        corpora.splits(made, corpus)


def test_each_segment_has_its_own_stretch_of_sound(tmp_path):
    writing.write_film(tmp_path / "a_denoised.mp4", frames(3.0), 10)
    soundfile.write(tmp_path / "a_denoised.wav", np.repeat([0.1, 0.2, 0.3], 16000), 16000)
    (tmp_path / "a_times.txt").write_text("0.2 wood hit None\n2.2 wood hit None\n")
    assert greatest_hits(tmp_path, folds=1).wave([0, 1]).mean(1) == pytest.approx([0.1, 0.3], abs=1e-4)


def test_rendered_films_come_back_as_clips(tmp_path):
    timeline = Timeline(seconds=1.0, fps=30)
    options = {"count": {"train": 2, "valid": 1, "test": 1}, "size": (48, 36), "seconds": 2.0}
    made = corpora.films(corpora.FilmCorpus("render", tmp_path), timeline, render_films=options, workers=1)
    assert {c.split for c in made.clips} <= {"train", "valid", "test"} and not made.left_out
    assert all(c.events for c in made.clips)


class Guarded:
    """Waves of clips, of which the test split's must not be read."""

    def __init__(self, made):
        self.waves, self.shape, self.barred = made.waves, made.waves.shape, set(made.indices("test"))

    def __getitem__(self, index):
        read = set(np.atleast_1d(np.arange(len(self.waves))[index]).tolist())
        if read & self.barred:
            raise AssertionError(f"the test clips {sorted(read & self.barred)} were read")
        return self.waves[index]


def test_sounds_are_made_without_a_look_at_test_clips(tmp_path):
    for name in "abcde":
        film(tmp_path, name)
    films = greatest_hits(tmp_path, folds=2)
    expected = corpora.sounds(corpora.SoundCorpus(["films"], tmp_path), SECOND, films)
    films.waves = Guarded(films)
    with pytest.raises(AssertionError, match="were read"):
        films.wave(slice(None))
    made = corpora.sounds(corpora.SoundCorpus(["films"], tmp_path), SECOND, films)
    assert np.array_equal(made.waves, expected.waves) and len(made) == len(films.indices("train", "valid")) > 0


def stage_code(number):
    return code_of(next(n for n in NOTEBOOKS if n.stem.startswith(number)))


def test_rms2sound_never_opens_the_films():
    for stage in ("05", "06"):
        assert not re.search(r"""folder\(["']clips""", stage_code(stage))


@pytest.mark.slow
def test_training_does_not_change_with_the_test_films(tmp_path, monkeypatch):
    """The films' stages on a handful of clips, then again with noise for the test films' sound and with other pictures.

    The weights are the same.
    """
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    small = values["small"]
    small["timeline"]["seconds"] = 2.0
    small["clips"]["render_films"] |= {"count": {"train": 6, "valid": 2, "test": 3}, "size": [96, 72]}
    small["sounds"]["count"] = 8  # one of them validates
    small["features"] |= {"size": [96, 72], "weights": None}  # so that the encoder is trained, too
    small["features"]["encoder"] |= {"steps": 3}
    small["video2rms"]["train"] |= {"steps": 3, "batch": 4}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for name in ("dvc.yaml", "vf", "notebooks"):  # what the stages' checkpoints are keyed by
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)

    def run(stage):
        exec(compile(stage_code(stage), stage, "exec"), {})
        plt.close("all")

    def trained():
        run("03"), run("04")
        found = [
            p
            for name in ("features/encoder", "video2rms")
            for p in (tmp_path / "runs/mine" / name).glob("*.safetensors")
        ]
        return {p.name + p.parent.name: p.read_bytes() for p in found}, (
            tmp_path / "runs/mine/features/features.npy"
        ).read_bytes()

    run("01")
    weights, features = trained()
    folder = tmp_path / "runs/mine/clips"
    made = clips.load(folder)
    waves = np.load(folder / "waves.npy")
    waves[made.indices("test")] = np.random.default_rng(0).integers(-32768, 32767, waves[made.indices("test")].shape)
    np.save(folder / "waves.npy", waves)
    other = made.clips[made.indices("train")[0]].film
    for i in made.indices("test"):
        shutil.copy(other, made.clips[i].film)
    again, other_features = trained()
    assert len(weights) == 2 and weights == again
    assert features != other_features, "the other films did arrive"


def test_sounds_of_films_never_include_the_test(tmp_path):
    for name in "abcde":
        film(tmp_path, name)
    films = greatest_hits(tmp_path, folds=2)
    made = corpora.sounds(corpora.SoundCorpus(["films"], tmp_path), SECOND, films)
    groups = {c.group for c in made.clips}
    assert (
        groups == {c.group for c in films.where("train", "valid").clips} and made.waves.shape[1] == SECOND.sound_samples
    )


def test_a_folder_of_sounds(tmp_path):
    (tmp_path / "dog-bark").mkdir()
    soundfile.write(tmp_path / "dog-bark" / "x.wav", np.full(50000, 0.25), 16000)
    soundfile.write(tmp_path / "dog-bark" / "zeros.wav", np.zeros(20000), 16000)
    (tmp_path / "dog-bark" / "broken.wav").write_text("no")
    made = corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path, valid_share=0.0), SECOND)
    assert len(made) == 50000 // SECOND.sound_samples and made.clips[0].caption == "The sound of dog bark."
    assert made.wave(0).mean() == pytest.approx(0.25, abs=1e-3)
    assert made.left_out[0]["file"] == "broken.wav"
    soundfile.write(tmp_path / "dog-bark" / "4-y.wav", np.full(20000, 0.25), 16000)
    made = corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path, held_out="4-*"), SECOND)
    assert {c.group for c in made.clips if c.split == "valid"} == {"4-y"}


def test_rendered_sounds_carry_captions():
    made = corpora.sounds(corpora.SoundCorpus(["render"], "", count=4, valid_share=0.5), SECOND)
    assert [c.split for c in made.clips] == ["valid", "valid", "train", "train"]
    with pytest.raises(ValueError, match="wanted some of"):
        corpora.SoundCorpus(["radio"], "")
    with pytest.raises(ValueError, match="give `films`"):
        corpora.sounds(corpora.SoundCorpus(["films"], ""), SECOND)


@pytest.mark.skipif(not REAL, reason="VF_GREATEST_HITS does not point at films of Greatest Hits")
def test_real_films_are_cut_by_the_papers_rule(tmp_path):
    for path in sorted(Path(REAL).glob("*"))[:14]:  # seven films and their annotations
        (tmp_path / path.name).symlink_to(path)
    made = corpora.films(corpus(tmp_path, audio="mic"), Timeline())
    assert not made.left_out and len(made) > 2 * len({c.group for c in made.clips})
    assert all(c.events and c.film.endswith("_mic.mp4") for c in made.clips)
    level = rms.rms_curve(made.wave(slice(0, 20)), 512, 128).mean()
    assert 0.003 < level < 0.06
    whole = media.read_sound(Path(made.clips[1].film), 16000)
    start = round(made.clips[1].start * 16000)
    assert np.allclose(made.wave(1), whole[start : start + 160000].clip(-1, 1), atol=1e-4)


def moving(folder, name, seconds=2.0, events=("0.2 wood hit None",), wave=None, **options):
    """A film whose picture has something in it, and its annotations."""
    wild.film(folder / f"{name}_denoised.mp4", frames=round(25 * seconds), movflags="faststart", **options)
    (folder / f"{name}_times.txt").write_text("\n".join(events) + "\n")


def reasons(made):
    return {item["file"]: item for item in made.left_out}


def test_films_that_are_not_whole_are_left_out_with_the_place(tmp_path):
    for name in ("good", "half", "broken", "zeros"):
        moving(tmp_path, name)
    path = tmp_path / "half_denoised.mp4"
    wild.cut(path, 0.6, path)
    path = tmp_path / "broken_denoised.mp4"
    whole = path.rename(tmp_path / "whole.mp4")
    wild.copied(whole, path, lambda kind, t, p, k: wild.noise(p, k) if kind == "video" and 1 < t < 1.5 else p)
    soundfile.write(tmp_path / "zeros_denoised.wav", np.zeros(32000), 16000)
    wild.cover_art(tmp_path / "song_denoised.mp4")
    (tmp_path / "song_times.txt").write_text("0.2 wood hit None\n")
    made = greatest_hits(tmp_path, folds=2)
    assert {c.group for c in made.clips} == {"good"}
    found = reasons(made)
    assert set(found) == {"half_denoised.mp4", "broken_denoised.mp4", "zeros_denoised.wav", "song_denoised.mp4"}
    for name in ("half", "broken"):
        item = found[f"{name}_denoised.mp4"]
        place = float(item["place"].removesuffix(" s"))
        assert 0.3 < place < 1.7 and f"breaks off at {place:.2f} s" in item["reason"] and "fetch" in item["remedy"]
    assert (
        found["zeros_denoised.wav"]["reason"] == "is silent" and "cover picture" in found["song_denoised.mp4"]["reason"]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sound_beside_a_film_counts_and_must_be_numbers(tmp_path, bad):
    for name in ("good", "bad"):
        moving(tmp_path, name, sound=None)
        wave = np.full(32000, 0.25, np.float32)
        wave[20000] = bad if name == "bad" else 0.25
        soundfile.write(tmp_path / f"{name}_denoised.wav", wave, 16000, subtype="FLOAT")
    moving(tmp_path, "short", sound=None)
    soundfile.write(tmp_path / "short_denoised.wav", np.full(4000, 0.25), 16000)
    made = greatest_hits(tmp_path, folds=2)
    assert {c.group for c in made.clips} == {"good"} and made.wave(0).mean() == pytest.approx(0.25, abs=1e-3)
    assert "not numbers, at 1.250 s (sample 20000" in reasons(made)["bad_denoised.wav"]["reason"]
    assert "sound ends at 0.25 s" in reasons(made)["short_denoised.wav"]["reason"]


def test_annotations_are_named_as_what_they_are(tmp_path):
    text = "0.2 wood hit None\n"
    kinds = {
        "plain": text.encode(),
        "mark": b"\xef\xbb\xbf" + text.encode(),
        "utf16": text.encode("utf-16"),
        "crlf": text.replace("\n", "\r\n").encode(),
        "empty": b"\n",
        "latin": b"0.2 w\xf6\xf6d hit None\n",
        "bare16": text.encode("utf-16-le"),
    }
    for name, data in kinds.items():
        moving(tmp_path, name)
        (tmp_path / f"{name}_times.txt").write_bytes(data)
    moving(tmp_path, "folder")
    (tmp_path / "folder_times.txt").unlink()
    (tmp_path / "folder_times.txt").mkdir()
    made = greatest_hits(tmp_path, folds=2)
    assert {c.group for c in made.clips} == {"plain", "mark", "utf16", "crlf"}
    assert all(c.caption == "A person hit wood with a wooden stick." for c in made.clips)
    found = reasons(made)
    assert set(found) == {f"{name}_times.txt" for name in ("empty", "latin", "bare16", "folder")}
    assert (
        "no annotation" in found["empty_times.txt"]["reason"] and "not in UTF-8" in found["latin_times.txt"]["reason"]
    )
    assert "UTF-8" in found["bare16_times.txt"]["remedy"] and "cannot be read" in found["folder_times.txt"]["reason"]


def test_names_with_spaces_and_marks_work_in_lists(tmp_path):
    for name in ("my film", "other", "a b c"):
        film(tmp_path, name)
    (tmp_path / "train.txt").write_bytes("my film\r\na b c \r\n".encode("utf-8-sig"))
    (tmp_path / "test.txt").write_bytes("\nother\n".encode("utf-16"))
    made = greatest_hits(tmp_path, valid_share=0.0)
    assert {c.group: c.split for c in made.clips} == {"my film": "train", "a b c": "train", "other": "test"}
    assert corpora.beside_the_paper(made, corpus(tmp_path), SECOND)["train"]["films listed"] == 2
    (tmp_path / "train.txt").write_text("my\nb\n")
    (tmp_path / "test.txt").write_text("c\n")
    with pytest.raises(ValueError, match="none of the 3 names in train.txt.*the first: my; a film: a b c") as caught:
        greatest_hits(tmp_path)
    assert "\n" not in str(caught.value)


def test_of_few_sounds_one_validates_and_a_pattern_that_leaves_none_is_refused(tmp_path):
    for name in ("1-a", "1-b", "4-c"):
        soundfile.write(tmp_path / f"{name}.wav", np.full(32000, 0.1), 16000)
    made = corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path, valid_share=0.1), SECOND)
    assert len({clip.group for clip in made.clips if clip.split == "valid"}) == 1
    for pattern, split in (("9-*", "valid"), ("*", "train")):
        with pytest.raises(ValueError, match=f"audio.held_out .* leaves none of .* to {split}; wanted some in train"):
            corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path, held_out=pattern), SECOND)


def test_a_film_that_lacks_one_segment_counts_as_a_film(tmp_path):
    lines = ["0.2 wood hit None", "1.2 wood hit None", "2.2 wood hit None"]
    film(tmp_path, "a_1", 3.0, lines)
    film(tmp_path, "a_2", 3.0, lines)
    (tmp_path / "train.txt").write_text("a_1\n")
    (tmp_path / "test.txt").write_text("a_2\n")
    made = greatest_hits(tmp_path)
    short = [{"file": "a_1_denoised.mp4", "line": None, "place": "2 s", "reason": "its sound ends", "remedy": "longer"}]
    kept = ClipSet([c for c in made.clips if c.name != "a_1_02"], made.waves[:-1], made.sample_rate, short)
    counts = corpora.beside_the_paper(kept, corpus(tmp_path), SECOND)["train"]
    assert counts["here"] == 2 and counts["films left out"] == 0 and counts["segments without annotation"] == 0


def test_two_films_of_one_name_are_both_named(tmp_path):
    for suffix in ("mp4", "mkv"):
        wild.film(tmp_path / f"a.{suffix}", frames=50)
    wild.film(tmp_path / "b.mp4", frames=50)
    made = corpora.films(corpora.FilmCorpus("folder", tmp_path, folds=2), SECOND, workers=1)
    assert {c.group for c in made.clips} == {"a", "b"} and len(made.clips) == 4
    assert [(i["file"], i["reason"]) for i in made.left_out] == [("a.mp4", "goes by the name of a.mkv")]


def test_sounds_that_are_of_no_use_are_all_named(tmp_path):
    wave = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
    soundfile.write(tmp_path / "good.wav", wave, 16000)
    soundfile.write(tmp_path / "good.flac", wave, 16000)
    soundfile.write(tmp_path / "zeros.wav", np.zeros(32000), 16000)
    soundfile.write(tmp_path / "part.wav", np.r_[np.zeros(SECOND.sound_samples), wave], 16000)
    for name, bad in (("nan", np.nan), ("inf", np.inf)):
        soundfile.write(tmp_path / f"{name}.wav", np.r_[wave[:8000], np.float32(bad), wave], 16000, subtype="FLOAT")
    for name in ("cut.flac", "cut.wav", "cut.mp3"):
        soundfile.write(tmp_path / f"whole_{name}", wave, 16000)
        wild.cut(tmp_path / f"whole_{name}", 0.6, tmp_path / f"half_{name.replace('.', '_')}").rename(
            tmp_path / f"half {name[4:]}.{name[4:]}"
        )
        (tmp_path / f"whole_{name}").unlink()
    made = corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path, valid_share=0.0), SECOND)
    found = reasons(made)
    assert {c.group for c in made.clips} == {"good", "part"}
    assert set(found) == {
        "good.wav",
        "zeros.wav",
        "part.wav",
        "nan.wav",
        "inf.wav",
        "half flac.flac",
        "half wav.wav",
        "half mp3.mp3",
    }
    assert found["part.wav"]["reason"] == "piece 0 is silent" and found["zeros.wav"]["reason"] == "is silent"
    assert all(found[f"{name}.wav"]["place"] == "0.50 s" for name in ("nan", "inf"))
    for name in ("flac", "wav", "mp3"):
        assert 1.2 < float(found[f"half {name}.{name}"]["place"].removesuffix(" s")) < 2.1


def test_lists_that_name_what_is_not_there_say_so(tmp_path):
    for name in ("a b", "c", "d"):
        film(tmp_path, name)
    (tmp_path / "train.txt").write_text("a b\nc\nnot there\n")
    (tmp_path / "test.txt").write_text("d\nc\n")
    made = greatest_hits(tmp_path, valid_share=0.0)
    assert {c.group: c.split for c in made.clips} == {"a b": "train", "c": "test", "d": "test"}
    said = [item["reason"] for item in made.left_out]
    assert said == [
        "holds 1 name that no film of the folder has (the first: not there)",
        "holds 1 name that a later list has too, which counts (the first: c)",
    ]
    assert all(item["file"] == "train.txt" and item["remedy"] for item in made.left_out)


def test_where_no_film_can_be_used_the_first_says_where_and_what_to_do(tmp_path):
    film(tmp_path, "a", events=["0.2 wood hit None", "0,5 wood hit None"])
    with pytest.raises(ValueError, match=r"none of 1 films can be used; the first: a_times.txt, line 2, .*: wanted"):
        greatest_hits(tmp_path)


@pytest.mark.parametrize(
    "lists, expected, said",
    [
        ({"test": "a"}, {"a": "test", "b": "train", "c": "train", "d": "train"}, "test.txt has no train.txt beside"),
        ({"train": "a"}, {"a": "train", "b": "test", "c": "test", "d": "test"}, "train.txt has no test.txt beside"),
        ({"train": "a", "test": "b"}, {"a": "train", "b": "test"}, "train.txt and test.txt lack 2 films .*first: c"),
        ({"train": "a\nb\nc", "test": "d"}, {"a": "train", "b": "train", "c": "train", "d": "test"}, None),
        ({"train": "a", "valid": "b"}, {"a": "train", "b": "valid", "c": "test", "d": "test"}, "the first: c"),
    ],
)
def test_what_films_in_no_list_become_is_said(tmp_path, lists, expected, said):
    for name in "abcd":
        film(tmp_path, name)
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    made = greatest_hits(tmp_path, valid_share=0.0)
    assert {c.group: c.split for c in made.clips} == expected
    entries = [f"{item['file']} {item['reason']}" for item in made.left_out]
    assert len(entries) == bool(said) and all(re.search(said, entry) for entry in entries)
    assert corpora.splits(made, corpus(tmp_path)) == [[c.split for c in made.clips]]


def test_a_list_of_validation_films_alone_leaves_the_others_to_the_folds(tmp_path):
    for name in "abcd":
        film(tmp_path, name)
    (tmp_path / "valid.txt").write_text("b\n")
    split = {c.group: c.split for c in greatest_hits(tmp_path, folds=3).clips}
    assert split["b"] == "valid" and sorted(split.values()) == ["test", "train", "train", "valid"]


@pytest.mark.parametrize(
    "lists, options, said",
    [
        ({"train": " \n"}, {}, r"train.txt: names no film; wanted one a line: fill the list or remove it"),
        (
            {"train": "none", "test": "a"},
            {},
            r"no film for train \(train.txt holds 1 name that .* has \(the first: none\)\); wanted one",
        ),
        ({"train": "a\nb"}, {}, r"its lists leave no film for test; wanted one"),
        ({}, {"folds": 10, "fold": 9}, r"films.folds is 10, and .* has 2 films for them; .*: set films.folds to 2"),
    ],
)
def test_a_split_without_a_film_is_refused_before_anything_is_read(tmp_path, lists, options, said):
    for name in "ab":
        film(tmp_path, name)
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        greatest_hits(tmp_path, **options)
    assert "\n" not in str(caught.value)


def test_folds_of_which_some_would_have_no_film_are_refused(tmp_path):
    film(tmp_path, "a"), film(tmp_path, "b")
    made = greatest_hits(tmp_path, folds=3)
    with pytest.raises(ValueError, match=r"films.folds is 3, and .* has 2 films for them; wanted a film for each"):
        corpora.splits(made, corpus(tmp_path, folds=3))


def test_suffixes_in_capitals_are_read(tmp_path):
    film(tmp_path, "a"), film(tmp_path, "b")
    (tmp_path / "a_denoised.mp4").rename(tmp_path / "a_denoised.MP4")
    soundfile.write(tmp_path / "a_denoised.WAV", np.full(32000, 0.25), 16000)
    made = greatest_hits(tmp_path, folds=2)
    levels = {c.group: made.wave(i).mean() for i, c in enumerate(made.clips)}
    assert levels == pytest.approx({"a": 0.25, "b": 0.1}, abs=0.01)


WAVE = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
SILENT = {"faint": WAVE * 1e-6, "opposite": np.stack([WAVE, -WAVE], 1)}
BEYOND = {"huge": WAVE * 1e20, "integers": (WAVE * 32768).round()}


@pytest.mark.parametrize("name, wave", [*SILENT.items(), *BEYOND.items()])
def test_a_sound_that_16_bits_do_not_hold_is_left_out_wherever_it_lies(tmp_path, name, wave):
    said = "is silent" if name in SILENT else "has samples far beyond 1"
    film(tmp_path, "a"), film(tmp_path, "b")
    soundfile.write(tmp_path / "a_denoised.wav", wave, 16000, subtype="FLOAT")
    made = greatest_hits(tmp_path, folds=2)
    assert {c.group for c in made.clips} == {"b"} and reasons(made)["a_denoised.wav"]["reason"] == said
    (tmp_path / "sounds").mkdir()
    shutil.copy(tmp_path / "a_denoised.wav", tmp_path / "sounds")
    soundfile.write(tmp_path / "sounds/hot.wav", WAVE * 2, 16000, subtype="FLOAT")
    made = corpora.sounds(corpora.SoundCorpus(["folder"], tmp_path / "sounds", valid_share=0.0), SECOND)
    assert {c.group for c in made.clips} == {"hot"} and reasons(made)["a_denoised.wav"]["reason"] == said
    found = {recording.id: recording for recording in shards.recordings(tmp_path / "sounds")}
    assert len(shards.cut(found["hot"], 1.0, 16000)) == 2
    with pytest.raises(ValueError, match=said):
        shards.cut(found["a_denoised"], 1.0, 16000)


def test_annotations_behind_the_films_end_are_named(tmp_path):
    film(tmp_path, "a"), film(tmp_path, "b", events=["99 wood hit None"])
    made = greatest_hits(tmp_path)
    assert reasons(made)["b_times.txt"]["reason"] == "holds no annotation within the film's 2.00 s"


@pytest.mark.parametrize("make", [wild.fragmented_film, wild.film_cut_off, wild.film_of_one_time, wild.film_that_leaps])
def test_odd_films_of_a_folder_are_left_out_and_the_others_go_on(tmp_path, make):
    (tmp_path / "in").mkdir()
    (tmp_path / "made").mkdir()
    wild.film(tmp_path / "in" / "good.mp4", frames=50)
    odd = make(tmp_path / "made")
    odd = (
        wild.cut(odd, 0.6, tmp_path / "in" / f"odd{odd.suffix}")
        if make is wild.fragmented_film
        else odd.rename(tmp_path / "in" / f"odd{odd.suffix}")
    )
    made = corpora.films(corpora.FilmCorpus("folder", tmp_path / "in", folds=1), SECOND, workers=1)
    assert {c.group for c in made.clips} == {"good"} and len(made.left_out) == 1
    entry = made.left_out[0]
    assert entry["file"] == odd.name and entry["reason"] and entry["remedy"]
    assert (entry["place"] is None) == (make is wild.film_of_one_time)


def test_a_job_that_ends_its_process_does_not_stop_the_others():
    assert list(processes.each(wild.ten_times, [0, 1, 2, 3], 2)) == [0, 10, None, 30]


def test_films_of_any_container_are_taken_or_named(tmp_path):
    for name in ("a.mp4", "b.ts", "c.mpg"):
        wild.film(tmp_path / name, frames=50, **({"codec": "mpeg2video", "sound": "mp2"} if name == "c.mpg" else {}))
    wild.film(tmp_path / "d.gif", codec="gif", frames=50, sound=None)
    made = corpora.films(corpora.FilmCorpus("folder", tmp_path, folds=2), SECOND, workers=1)
    assert {c.group for c in made.clips} == {"a", "b", "c"} and list(reasons(made)) == ["d.gif"]
