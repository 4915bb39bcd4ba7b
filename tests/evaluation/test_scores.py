import json

import numpy as np
import pytest
import torch

from vf.data import clips, files
from vf.evaluation import scores, sets
from vf.signal import rms
from vf.signal.timeline import Timeline

BINS = rms.Bins(64)


def curves(clips=4, n=125):
    generator = torch.Generator().manual_seed(0)
    return 0.2 * torch.rand(clips, n, generator=generator).square() * (torch.rand(clips, n, generator=generator) > 0.5)


def scored(system):
    truth = curves()
    given = scores.baseline_curves(truth, truth, BINS, list("aabb"), 0)[system]
    return scores.curve_scores(truth, truth, *given, BINS, 125, [np.array([0.5])] * 4)


def test_discretised_truth_is_right_in_every_class():
    got = scored("discretised_truth")
    assert (got["acc@1"] == 1).all() and (got["within_2"] == 1).all() and got["e_l1_sounding"].max() < 0.01


def test_silence_errs_by_the_truth_itself():
    truth, got = curves(), scored("silence")
    event = BINS.encode(truth) != 0
    assert np.allclose(got["e_l1_all"], truth.mean(-1), atol=1e-6)
    assert np.allclose(got["e_l1_event"], [(t[e]).mean() for t, e in zip(truth, event)], atol=1e-6)
    assert np.allclose(got["e_l1_sounding"], got["e_l1_event"]) and (got["correlation"] == 0).all()


def test_the_constant_is_the_best_of_all_constants():
    truth = curves()
    best = scores.baseline_curves(truth, truth, BINS, list("abcd"), 0)["constant"][0]
    assert all((truth - best).abs().mean() <= (truth - v).abs().mean() + 1e-7 for v in np.linspace(0, 0.2, 41))


def test_a_linear_world_is_read_by_the_linear_regression():
    rng = np.random.default_rng(0)
    energy = rng.uniform(0, 1, (6, 30)) ** 2
    late = np.sqrt(energy)[:, [0, 0, *range(28)]]  # the sound follows the picture by two frames
    curves = np.repeat(0.01 + 0.3 * late, 4, 1)
    got = scores.linear_curves(energy, curves, [0, 1, 2]).numpy()
    assert got.shape == curves.shape and np.abs(got - curves).max() < 1e-4
    assert (scores.linear_curves(energy, 0 * curves, [0]).numpy() == 0).all()


def test_class_scores_rank_by_distance():
    ranked = scores.class_scores(torch.tensor([5]), 64)[0].argsort(descending=True)
    assert ranked[0] == 5 and set(ranked[1:3].tolist()) == {4, 6}


def test_another_clip_is_of_another_film():
    groups = ["a", "a", "b", "b", "c"]
    assert all(groups[j] != groups[i] for i, j in enumerate(scores.other_clips(groups)))


def test_sound_scores_of_the_truth_and_of_a_quieter_copy():
    timeline = Timeline(seconds=1.0)
    wave = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0)) * torch.linspace(0, 0.2, 16000)
    same = scores.sound_scores(wave, wave, timeline, 0.01)
    half = scores.sound_scores(wave, wave / 2, timeline, 0.01)
    assert (same["e_l1"] == 0).all() and np.allclose(same["correlation"], 1) and (same["onset_f1_50ms"] == 1).all()
    assert np.allclose(half["e_l1_gain_matched"], 0, atol=1e-6) and (half["e_l1"] > 0.01).all()


def test_imposing_an_envelope_gives_that_envelope():
    wave = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0)) * 0.1
    wanted = rms.shape("A", 125, 125, 0, 1, level=0.2)[None]
    got = rms.rms_curve(rms.impose(wave, wanted, 512, 128), 512, 128)
    assert (got - wanted).abs().mean() < 0.01


def test_a_set_is_at_no_distance_from_itself():
    windows = np.random.default_rng(0).normal(size=(6, 9, 3))
    values, (low, high) = scores.set_distance(windows, [windows], list("aabbcc"), 0)
    assert abs(values[0]) < 1e-8 and high < 1e-6
    values, (low, high) = scores.set_distance(windows, [windows + 1, windows + 2], list("aabbcc"), 0)
    assert values == pytest.approx([3, 12]) and low <= 7.5 <= high


def test_the_share_of_the_way_that_is_left():
    best, worst = np.full(8, 0.1), np.linspace(0.3, 0.5, 8)
    share, (low, high) = scores.remaining_share(best + 0.25 * (worst - best), worst, best, list("aabbccdd"), 0)
    assert share == pytest.approx(0.25) and low == pytest.approx(0.25) and high == pytest.approx(0.25)
    share, (low, high) = scores.remaining_share(np.full(8, 0.2), worst, best, list("aabbccdd"), 0)
    assert low < share < high


def test_timbre_is_scored_by_embeddings_and_by_name():
    class Listen:
        def score(self, waves):
            return waves[:, :2]

        def materials(self, waves, materials):
            return [materials[int(w[2])] for w in waves]

    waves = np.array([[1.0, 0, 0], [0, 1.0, 1], [1.0, 0, 2]])
    found = scores.timbre_scores(Listen(), waves, waves[[0, 0, 2]], [clips.MATERIALS[0], clips.MATERIALS[1], None])
    assert found["clap"].tolist() == [1, 0, 1]
    assert found["material_accuracy"][:2].tolist() == [1, 0] and np.isnan(found["material_accuracy"][2])


def test_summaries_are_the_same_bytes_twice(tmp_path):
    values = {"x": np.array([0.1, 0.2, np.nan]), "none": np.full(3, np.nan)}
    for name in "ab":
        files.write_json(tmp_path / name, scores.summarise(values, list("abc"), 0))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    saved = json.loads((tmp_path / "a").read_text())
    assert saved["x"] == 0.15 and saved["none"] is None and saved["x_interval"][0] <= 0.15 <= saved["x_interval"][1]


def test_seeds_are_listed_and_differences_paired():
    rng = np.random.default_rng(0)
    hard = rng.random(40)  # clips differ far more than systems do
    ours = [{"e_l1": hard + 0.01 + 0.001 * rng.standard_normal(40)} for _ in range(3)]
    theirs = [{"e_l1": hard + 0.02 + 0.001 * rng.standard_normal(40)} for _ in range(3)]
    groups = np.repeat(np.arange(10), 4)
    one = scores.over_seeds(ours, groups, 0)
    assert one["e_l1"] == [round(float(d["e_l1"].mean()), 6) for d in ours]
    low, high = scores.over_seeds(theirs, groups, 0)["e_l1_interval"]
    assert low < np.mean(one["e_l1"]) < high, "apart from each other their intervals overlap"
    difference = scores.paired_difference(ours, theirs, groups, 0)
    assert difference["e_l1"] == pytest.approx(-0.01, abs=5e-4) and difference["e_l1_interval"][1] < 0


def test_two_sets_lie_as_far_apart_as_their_distances_and_the_same_films_are_drawn():
    rng = np.random.default_rng(0)
    truth, noise = rng.standard_normal((2, 30, 4, 3))
    near, far = truth + 0.1 * noise + 0.2, truth + 0.1 * noise + 1.0
    value, (low, high) = scores.set_difference(truth, [near], [far, far], range(30), 0)
    both = [scores.set_distance(truth, [x], range(30), 0) for x in (near, far)]
    assert value == pytest.approx(both[0][0][0] - both[1][0][0]) and low < value < high < 0
    assert scores.set_difference(truth, [near], [near], range(30), 0) == (0, (0, 0))


def test_what_cannot_be_measured_is_none_and_null(tmp_path):
    nothing = {"a": np.array([np.nan, np.nan]), "b": np.array([1.0, np.nan])}
    rows = scores.over_seeds([nothing, nothing | {"b": np.array([3.0, np.nan])}], ["x", "y"], 0)
    assert rows["a"] is None and rows["b"] == [1.0, 3.0] and rows["b_interval"] == [2.0, 2.0]
    few = np.random.default_rng(0).normal(size=(2, 3, 8))
    (value,), interval = scores.set_distance(few, [few], ["x", "y"], 0)
    assert np.isnan([value, *interval]).all()
    files.write_json(tmp_path / "x.json", {"fad": value, "fad_interval": list(interval)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"fad": None, "fad_interval": [None, None]}
    assert scores.summarise({"c": np.array([1.0, 2.0])}, ["x", "x"], 0) == {"c": 1.5, "c_interval": None}


def test_onsets_are_annotated_or_heard():
    curve = np.r_[np.full(50, 0.001), np.full(50, 0.2)].astype(np.float32)
    events = [clips.Event(0.1, "metal", "hit")]
    films = [clips.Clip("a", None, 0.0, 1.0, "test", "a", events), clips.Clip("b", None, 0.0, 1.0, "test", "b", [])]
    annotated, heard = scores.onset_times(films, [curve, curve], 100, 0.01)
    assert annotated.tolist() == [0.1] and heard == pytest.approx([0.5], abs=0.03)


def films(*splits):
    items = [clips.Clip(f"c{i}", None, 0.0, 1.0, split, f"g{i}") for i, split in enumerate(splits)]
    return clips.ClipSet(items, np.arange(len(splits), dtype=np.int16)[:, None] * np.ones(4, np.int16), 16000)


def test_sounds_of_others_are_of_training_films():
    got = scores.sounds_of_others(films("test", "train", "train", "test", "valid", "train", "test"))
    assert (got[:, 0] * 32768).tolist() == [1, 2, 5]
    assert len(scores.sounds_of_others(films("train", "test", "test"))) == 2


class Backend:
    """Embedders of pictures that say what they were given."""

    @staticmethod
    def picture_windows(pictures, fps, windows):
        return np.full((windows, 1), float(pictures))

    @staticmethod
    def train_picture(described, dims):
        return described.mean()

    @staticmethod
    def embed_picture(projection, described):
        return described - projection


def test_the_pictures_projection_is_fitted_on_training_films_alone():
    got = scores.picture_embeddings(
        Backend, [1.0, 100.0, 3.0, 7.0], films("train", "valid", "train", "test"), 30, 2, None
    )
    assert got.tolist() == [[[5.0], [5.0]]]


def test_favd_has_the_picture_beside_the_sound():
    class Listen:
        @staticmethod
        def windows(waves):
            return {"fad": np.zeros((2, 3, 4)), "favd": np.zeros((2, 3, 4))}

    heard = scores.hear(Listen, None, np.ones((2, 3, 1)))
    assert heard["fad"].shape == (2, 3, 4) and heard["favd"][..., -1].all() and heard["favd"].shape == (2, 3, 5)


def test_an_entry_has_its_interval_beside_it_and_one_value_a_training():
    assert scores.entry("fad", 1.23456, (1, 2.00004)) == {"fad": 1.2346, "fad_interval": [1, 2.0]}
    assert scores.entry("fad", [1.23456, 2.0], (1, 2))["fad"] == [1.2346, 2.0]


def test_onset_scores_hold_to_their_threshold_and_tolerance():
    found = [(np.array([1.0, 1.5]), np.array([0.9, 0.2])), (np.array([2.07]), np.array([0.9]))]
    told = scores.onset_scores([[1.0], [2.0]], found, 0.5)
    assert told["onset_accuracy"].tolist() == told["onset_f1_100ms"].tolist() == [1, 1]
    assert told["onset_f1_50ms"].tolist() == [1, 0]
    assert scores.onset_scores([[1.0], [2.0]], found, 0.1)["onset_accuracy"].tolist() == [0.5, 1]


def test_a_target_is_not_the_truth():
    truth, groups = 0.2 * torch.rand(4, 125, generator=torch.Generator().manual_seed(0)), list("aabb")
    target = rms.low_pass(truth)
    given = scores.baseline_curves(target, target, BINS, groups, 0)
    ranked = given["discretised_truth"][1]
    got = scores.curve_scores(truth, target, target, ranked, BINS, 125, [np.array([0.5])] * 4)
    assert all((got[k] == 0).all() for k in ("e_l1_event", "e_l1_sounding")) and (got["acc@1"] == 1).all()
    assert np.allclose(got["e_l1_all"], (truth - target).abs().mean(-1)) and (got["correlation"] < 1).all()
    assert torch.equal(given["mismatched"][0], target[scores.other_clips(groups)])


def test_a_row_of_distances_has_each_embedding_its_limits_and_kad():
    draw = np.random.default_rng(0)
    true = {"fad": draw.normal(size=(12, 5, 3)), "favd": draw.normal(size=(12, 5, 4))}
    made = {"fad": true["fad"] + 1, "favd": true["favd"]}
    row = sets.row(true, made, list("aabbccddeeff"), few=True)
    distances = ["fad", "favd", "fad_inf", "fad_inf_fadtk", "kad"]
    assert list(row) == [key for name in distances for key in (name, f"{name}_interval")]
    assert row["fad"] == pytest.approx(3, abs=1e-4) and row["favd"] == pytest.approx(0, abs=1e-4)
    assert row["fad_inf"] == pytest.approx(3, abs=0.6) and row["kad"] > 10
    assert {"fad_c", "fad_c_inf", "fad_c_inf_fadtk"} < sets.row(
        true | {"fad_c": true["fad"]}, made | {"fad_c": made["fad"]}, list("aabbccddeeff"), few=True
    ).keys()
