import os

import numpy as np
import pytest
import soundfile

from vf.data import corpora, media, writing
from vf.data.clips import Clip, ClipSet
from vf.evaluation import scores as evaluation
from vf.evaluation import systems
from vf.signal.timeline import Timeline

RATE = 16000
CLIPS = [Clip(f"film{i}_00", None, 0.0, 10.0, "test", f"film{i}") for i in range(2)]


def ramp(seconds, start=0.0, rate=RATE):
    """A sound whose value is a hundredth of its time in seconds, so that a joined sample shows where it came from."""
    return (start + np.arange(round(seconds * rate)) / rate) / 100


def write(folder, name, wave, rate=RATE):
    soundfile.write(folder / name, wave, rate, subtype="FLOAT")


def load(folder, clips=CLIPS, **entry):
    return systems.load("theirs", {"folder": str(folder), **entry}, clips, RATE)


def test_two_halves_of_diff_foley_join_without_a_seam(tmp_path):
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}_0.wav", ramp(8.176))
        write(tmp_path, f"{clip.name}_1.wav", ramp(8.176, start=2.0))
    waves, covered = load(tmp_path, join="diff_foley")
    assert covered == [0, 1] and np.allclose(waves, ramp(10), atol=1e-6)


def test_of_a_syncfusion_piece_five_seconds_count(tmp_path):
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}_0.wav", ramp(5.46))
        write(tmp_path, f"{clip.name}_1.wav", ramp(5.46, start=5.0))
    assert np.allclose(load(tmp_path, join="syncfusion")[0], ramp(10), atol=1e-6)


def test_specvqgan_is_resampled_and_its_missing_end_is_silent(tmp_path):
    written = 848 * 256  # samples that its 53 columns of codes stand for
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}.wav", ramp(written / 22050, rate=22050), 22050)
    wave = load(tmp_path, join="specvqgan")[0][0]
    kept = round(written / 22050 * RATE)
    assert len(wave) == 160000 and (wave[kept + 1 :] == 0).all()
    assert np.allclose(wave[500 : kept - 500], ramp(10)[500 : kept - 500], atol=1e-4)


def test_condfoleygen_is_found_whatever_sound_it_was_conditioned_on(tmp_path):
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}_to_other.wav", ramp(10, rate=22050), 22050)
    assert np.allclose(load(tmp_path, join="condfoleygen")[0][:, 500:-500], ramp(10)[500:-500], atol=1e-4)


def test_condfoleygen_writes_less_than_its_steps(tmp_path):
    written = 5 * 160 * 256 / 22050
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}_to_other.wav", ramp(written, rate=22050), 22050)
    wave = load(tmp_path, join="condfoleygen")[0][0]
    kept = round(written * RATE)
    assert np.allclose(wave[500 : kept - 500], ramp(10)[500 : kept - 500], atol=1e-4) and (wave[kept + 1 :] == 0).all()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (None, "wanted a mapping"),
        ("outputs/x", "wanted a mapping"),
        ({"folder": None}, "wanted folder"),
        ({"folder": "x", "rate": "22050"}, "rate is '22050'; wanted a number"),
        ({"folder": "x", "prompt": "Text"}, "wanted one of none, audio, text"),
    ],
)
def test_an_entry_that_cannot_be_read_is_said(entry, said):
    with pytest.raises(ValueError, match=said):
        systems.load("theirs", entry, CLIPS, RATE)


def test_sound_that_is_no_number_is_said(tmp_path):
    for clip in CLIPS:
        write(tmp_path, f"{clip.name}.wav", ramp(10) * np.nan)
    with pytest.raises(ValueError, match="NaN or infinite"):
        load(tmp_path)


def test_a_name_is_taken_at_its_word(tmp_path):
    clip = Clip("take [1]_00", None, 0.0, 10.0, "test", "take [1]")
    write(tmp_path, "take [1]_00.wav", ramp(10))
    assert load(tmp_path, [clip])[1] == [0]


def test_a_film_from_its_start_covers_the_clips_inside_it(tmp_path, capsys):
    clips = [Clip(f"a_{i:02d}", None, 2.0 * i, 2.0, "test", "a") for i in range(4)]
    write(tmp_path, "a.wav", ramp(5.46))
    waves, covered = load(tmp_path, clips, join="film")
    assert covered == [0, 1] and np.allclose(waves[1], ramp(2, start=2), atol=1e-6)
    assert capsys.readouterr().out == ("theirs: 2 of 4 clips left out, as no file reaches their end: a: 02, 03\n"), (
        "and it says which it leaves out"
    )


def test_films_serve_as_sounds(tmp_path):
    clip = Clip("a_00", None, 0.0, 1.0, "test", "a")
    tone = 0.5 * np.sin(np.arange(RATE) * 0.1).astype(np.float32)
    writing.write_film(tmp_path / "a_00.mp4", np.zeros((15, 16, 16, 3), np.uint8), 15, tone, RATE)
    waves, _ = load(tmp_path, [clip], fps=15)
    assert np.corrcoef(waves[0], tone)[0, 1] > 0.99
    with pytest.raises(ValueError, match="15 frames/s; wanted 30"):
        load(tmp_path, [clip], fps=30)


@pytest.mark.parametrize(
    "files, entry, message",
    [
        ({"film0_00.wav": 10}, {}, "lacks 1 of 2 clips, the first film1_00"),
        ({"film0_00.wav": 10, "film1-00.wav": 10}, {}, "has film1-00.wav, which is none of them"),
        ({"film0_00.wav": 10, "film0_00.flac": 10, "film1_00.wav": 10}, {}, "both stand for film0_00"),
        ({"film0_00.wav": 10, "film1_00.wav": 7}, {}, "film1_00.wav is 7.00 s long; wanted 10 s"),
        ({"film0_00.wav": 10, "film1_00.wav": 10}, {"rate": 22050}, "has 16000 Hz; wanted the system's own 22050 Hz"),
        ({"film0_00.wav": 10, "film1_00.wav": 10}, {"join": "glue"}, "join is 'glue'; wanted one of whole"),
        ({"film0_00.wav": 10, "film1_00.wav": 10}, {"fold": 1}, "the entry has folder, fold; wanted"),
        (
            {"film0_00_x.wav": 9.5, "film1_00_x.wav": 10},
            {"join": "condfoleygen", "rate": RATE},
            "whole number of 2 s steps",
        ),
        ({f"film{i}_00_{k}.wav": 4 for i in (0, 1) for k in (0, 1)}, {"join": "syncfusion"}, "wanted 5 s"),
        ({"note.txt": 0}, {}, "has no sound or film"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path, files, entry, message):
    for name, seconds in files.items():
        if name.endswith(".txt"):
            (tmp_path / name).write_text("")
        else:
            soundfile.write(tmp_path / name, np.zeros(round(seconds * RATE)), RATE)
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **entry)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="is no folder; set benchmark.systems.theirs.folder"):
        load(tmp_path / "none")


def test_leakage_is_counted_or_taken_from_the_released_lists(tmp_path):
    (tmp_path / "train.json").write_text('["film0", "film7"]')
    assert systems.leakage("x", train=tmp_path / "train.json", films=["film0", "film0", "film1"]) == "1 of 2 films"
    (tmp_path / "list.json").write_text('{"train": ["2015-03-12-18-38-49_271215", "x/2015-02-16_denoised.mp4"]}')
    films = ["2015-03-12-18-38-49", "2015-02-16", "2015-02-17"]
    assert systems.leakage("x", train=tmp_path / "list.json", films=films) == "2 of 3 films"
    (tmp_path / "train.txt").write_text("my film\nanother_mic\n")
    assert systems.leakage("x", train=tmp_path / "train.txt", films=["my film", "another", "film"]) == "2 of 3 films"
    assert systems.leakage("SyncFusion audio", "film") == "172 of 242 official test films"
    assert systems.leakage("x", "condfoleygen") == "210 of 242 official test films"
    assert systems.leakage("Diff-Foley", "diff_foley") == "not known"


def test_what_is_exported_is_read_back(tmp_path):
    timeline = Timeline(seconds=1.0)
    frames = np.random.default_rng(0).integers(0, 255, (30, 32, 48, 3)).astype(np.uint8)
    writing.write_film(tmp_path / "a.mp4", frames, 30, np.full(16000, 0.1, np.float32), RATE)
    films = corpora.films(corpora.FilmCorpus("folder", tmp_path, folds=1), timeline, workers=1)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16000)).astype(np.float32)
    films = ClipSet(films.clips, (noise * 32768).astype(np.int16), RATE)
    systems.export(films, {"theirs": noise}, tmp_path / "out")
    waves, covered = load(tmp_path / "out" / "theirs", films.clips)
    assert covered == [0] and np.abs(waves - noise).max() < 1e-4
    assert media.probe(tmp_path / "out" / "films" / "a_00.mp4").seconds == pytest.approx(1, abs=0.02)
    assert (tmp_path / "out" / "films" / "a_00_times.txt").exists()


OTHERS, FILMS = os.environ.get("VF_OTHER_SYSTEMS"), os.environ.get("VF_GREATEST_HITS")


@pytest.mark.slow
@pytest.mark.skipif(not (OTHERS and FILMS), reason="VF_OTHER_SYSTEMS and VF_GREATEST_HITS point at no recordings")
def test_syncfusions_own_output_follows_the_films_it_was_made_for(tmp_path):
    timeline = Timeline(seconds=5.0)
    films = corpora.films(corpora.FilmCorpus("greatest_hits", FILMS, audio="mic"), timeline, workers=1)
    waves, covered = systems.load(
        "SyncFusion", {"folder": f"{OTHERS}/syncfusion-audio", "join": "film"}, films.clips, RATE
    )
    assert {films.clips[i].start for i in covered} == {0.0}, "5.46 s hold the first clip of 5 s of a film, and no other"
    truth = films.wave(covered)
    theirs = evaluation.sound_scores(truth, waves, timeline, 0.01)
    other = evaluation.sound_scores(truth, np.roll(waves, 1, axis=0), timeline, 0.01)
    assert theirs["onset_f1_50ms"].mean() > other["onset_f1_50ms"].mean() + 0.3
    assert theirs["e_l1"].mean() < other["e_l1"].mean()
