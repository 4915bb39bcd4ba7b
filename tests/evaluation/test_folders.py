from pathlib import Path

import mir_eval
import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import scipy.stats
import soundfile
from scipy.signal import ellip, filtfilt

from vf.evaluation import catalogue, folders, metrics, pairing, sets, systems
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

RATE = 16000
rng = np.random.default_rng(0)


def pairs(folder, reference, reading=pairing.Reading()):  # noqa: B008
    return pairing.pair_all({"estimate": folder}, reference, reading)["estimate"]


def knocks(seed, seconds=2.0, level=0.4):
    """A sound of decaying bursts."""
    random = np.random.default_rng(seed)
    wave = np.zeros(round(seconds * RATE))
    for start in np.cumsum(random.uniform(0.25, 0.5, 20)):
        begin = round(start * RATE)
        burst = random.normal(size=2000) * np.exp(-np.arange(2000) / 400) * level / 4
        wave[begin : begin + 2000] += burst[: max(0, len(wave) - begin)]
    return wave.clip(-1, 1).astype(np.float32)


class Listen:
    """Embeddings that can be computed by hand: of each tenth of a second its power in three parts."""

    few = False

    def windows(self, waves):
        return {"fad": np.square(waves[:, : waves.shape[1] // 1600 * 1600]).reshape(len(waves), -1, 1600).reshape(
            len(waves), -1, 4, 400).mean(-1)[..., :3] * 100}  # fmt: skip

    def score(self, waves):
        return self.windows(waves)["fad"].mean(1)


@pytest.fixture
def two_folders(tmp_path):
    for folder, shift in (("ours", 100), ("truth", 0)):
        (tmp_path / folder).mkdir()
        for i in range(4):
            soundfile.write(tmp_path / folder / f"film{i // 2}_{i:02d}.wav", knocks(i + shift), RATE, subtype="FLOAT")
    return tmp_path


def test_truth_is_perfect_and_silence_errs_by_the_truth(two_folders):
    table, per_clip = folders.evaluate(two_folders / "ours", two_folders / "truth", Listen())
    rows = table.set_index("system")
    assert list(rows.index) == ["estimate", "truth", "silence", "mismatched"]
    for name in ("e_l1", "e_l1_gain_matched", "e_l1_peak", "e_l1_sounding", "fad"):
        assert rows.loc["truth", name] == pytest.approx(0, abs=1e-6) and rows.loc["estimate", name] > 0
    for name in ("acc@1", "within_2", "correlation", "onset_f1_50ms", "clap"):
        assert rows.loc["truth", name] == pytest.approx(1)
    power = [rms.rms_curve(knocks(i)[: 250 * 128], 512, 128).mean() for i in range(4)]
    assert rows.loc["silence", "e_l1"] == pytest.approx(np.mean(power), abs=1e-6)
    assert pd.isna(rows.loc["mismatched", "fad"])
    assert len(per_clip) == 16 and set(per_clip["clip"]) == {f"film{i // 2}_{i:02d}" for i in range(4)}
    shown = per_clip[per_clip.system == "estimate"]
    assert rows.loc["estimate", "e_l1"] == pytest.approx(shown.e_l1.mean(), abs=1e-6)
    assert rows.loc["estimate", "e_l1 low"] <= rows.loc["estimate", "e_l1"] <= rows.loc["estimate", "e_l1 high"]


def test_every_column_has_a_meaning(two_folders):
    table, _ = folders.evaluate(two_folders / "ours", two_folders / "truth", Listen())
    named = {c.removesuffix(" low").removesuffix(" high") for c in table} - {"system", "clips"}
    assert named == set(folders.COLUMNS) - {"av_align"}, "which needs pictures"
    assert set(folders.COLUMNS) <= set(catalogue.METRICS)
    said = folders.legend(table.columns).set_index("column")
    assert set(said.index) == {c for c in table if c not in ("system", "clips")} - {
        c for c in table if c.endswith((" low", " high"))
    }
    assert said.loc["lag", "unit"] == "ms" and said.loc["e_l1", "better"] == "lower"


class Wide(Listen):
    """Embeddings of 40 numbers, one a sound."""

    def windows(self, waves):
        return {"fad": np.abs(np.fft.rfft(waves)[:, None, 100:4100:100])}


def fad_columns(table):
    return table.loc[0, [c for c in table if c.startswith("fad")]]


def test_too_few_clips_for_fad_leave_it_empty_and_all_else_stands(two_folders, capsys):
    table, per_clip = folders.evaluate(two_folders / "ours", two_folders / "truth", Wide())
    said = capsys.readouterr().out
    assert said.count("left empty") == 1 and said.startswith(
        "fad, fad_inf, fad_inf_fadtk left empty: 4 clips have 4 windows of 40"
    )
    assert "wanted 42 or more: give more clips" in said
    assert list(fad_columns(table).index) == [
        f"{form}{end}" for form in ("fad", "fad_inf", "fad_inf_fadtk") for end in ("", " low", " high")
    ]
    assert "4 clips are of 2 films by their names, as <film>_<number>: film" in said, "or the clips are not so named"
    assert fad_columns(table).isna().all() and table.clap[1] == pytest.approx(1) and len(per_clip) == 16
    assert np.isfinite(table.kad[0]), "which needs no more items than two"
    rest = table.drop(columns=[c for c in table if c.startswith(("fad", "clap", "kad"))])
    pd.testing.assert_frame_equal(rest, folders.evaluate(two_folders / "ours", two_folders / "truth")[0])


@pytest.mark.parametrize("few", [False, True])
def test_the_least_that_fad_takes_is_what_metrics_take(few):
    least = sets.least_windows(12, few)
    for items, empty in (
        (14, []),
        (least, ["fad_inf"] if few else []),
        (least - 1, ["fad_inf", "fad_inf_fadtk"]),
        (least - 2, ["fad", "fad_inf", "fad_inf_fadtk"]),
    ):
        both = [[x[None] for x in gaussians(items, seed)[1]] for seed in (2, 3)]
        scores = sets.set_scores(*both, np.arange(items), few=few, resamples=5)
        assert [name for name in ("fad", "fad_inf", "fad_inf_fadtk") if np.isnan(scores[name])] == empty
        assert np.isnan(scores["fad_interval"]).all() == np.isnan(scores["fad"])
    # the truth is no further from itself than rounding, or nothing is said
    same = [x[None] for x in gaussians(8, 2)[1]]
    found = sets.set_scores(same, same, np.arange(8), few=few, resamples=5)
    assert all(np.isnan(found[name]) or abs(found[name]) < 1 for name in ("fad", "fad_inf", "fad_inf_fadtk"))
    with pytest.raises(ValueError, match="wanted more"):
        metrics.frechet_infinity(gaussians(200)[1], gaussians(least - 1)[1], few=few)


def test_draws_with_too_few_windows_are_left_out():
    # two films of 20 windows and one of 2: with the short one drawn thrice there are no more windows than numbers
    random = np.random.default_rng(0)
    reference, estimate = ([random.normal(size=(n, 12)) for n in (20, 20, 2)] for _ in range(2))
    scores = sets.set_scores(reference, estimate, [0, 1, 2])
    assert np.isfinite(scores["fad_interval"]).all() and scores["fad_interval"][0] < scores["fad_interval"][1]


def test_one_folder_of_references_serves_many_systems(two_folders, capsys):
    ours, truth, third = (two_folders / name for name in ("ours", "truth", "third"))
    third.mkdir()
    for path in sorted(truth.iterdir())[:3]:
        soundfile.write(third / path.name, soundfile.read(path)[0][: 2 * RATE - 500], RATE, subtype="FLOAT")
    both = {"ours": ours, "third": third}
    with pytest.raises(ValueError, match=r"third lacks 1 \(film1_03\).*--map, or score those that all have: --common"):
        pairing.pair_all(both, truth)
    table, _ = folders.evaluate(both, truth, reading=pairing.Reading(common=True))
    assert "left out, as not all folders have them: 1 clips (film1_03)" in capsys.readouterr().out
    rows = table.set_index("system")
    assert list(rows.index) == ["ours", "third", "truth", "silence", "mismatched"] and (rows.clips == 3).all()
    assert rows.loc["third", "e_l1"] < 1e-3 < rows.loc["ours", "e_l1"] and rows.loc["third", "lag"] == 0
    shown = folders.readable(table)
    assert shown.loc["lag", "unit"] == "ms" and shown.loc["e_l1", "better"] == "lower"
    assert shown.loc["e_l1", "ours"] == (
        f"{rows.loc['ours', 'e_l1']:.4g} [{rows.loc['ours', 'e_l1 low']:.3g}, {rows.loc['ours', 'e_l1 high']:.3g}]"
    )
    with pytest.raises(ValueError, match="no clip is in all of them"):
        pairing.pair_all({"ours": two_folders / "ours"}, _renamed(truth), pairing.Reading(common=True))


def _renamed(folder):
    for path in sorted(folder.iterdir()):
        path.rename(folder / f"other_{path.name}")
    return folder


def test_files_are_mapped_by_a_csv_instead_of_renamed(two_folders):
    ours, truth = two_folders / "ours", _renamed(two_folders / "truth")
    rows = [f"film{i // 2}_{i:02d}.wav,other_film{i // 2}_{i:02d}" for i in range(4)]
    table = two_folders / "map.csv"
    table.write_text("generated, reference\n" + "\n".join(rows))
    reading = pairing.Reading(mapping=table)
    assert [(name, a.name) for name, a, _ in pairs(ours, truth, reading)] == [
        (f"other_film{i // 2}_{i:02d}", f"film{i // 2}_{i:02d}.wav") for i in range(4)
    ]
    table.write_text("generated,reference\n" + rows[0])
    assert len(pairs(ours, truth, reading)) == 1, "what the CSV does not name is not scored"
    for text, said in (
        ("a,b\n1,2", "has the columns a, b; wanted generated and reference"),
        ("generated,reference\nfilm0_00,", "wanted generated and reference, filled in each row"),
        ("generated,reference\nfilm9,other_film0_00", "names film9, which .*ours lacks; wanted one of its files"),
        ("generated,reference\nfilm0_00.flac,other_film0_00", "names film0_00.flac, which"),
        ("generated,reference\n" + f"{rows[0]}\n{rows[0]}", "names the reference other_film0_00 twice"),
    ):
        table.write_text(text)
        with pytest.raises(ValueError, match=said):
            pairs(ours, truth, reading)
    table.write_text("generated,reference,system\n" + f"{rows[0]},ours\n{rows[1]},theirs")
    assert [name for name, *_ in pairs(ours, truth, reading)] == ["other_film0_00"]


def test_the_tolerance_for_length_is_an_option_that_the_refusal_names(two_folders):
    ours, truth = two_folders / "ours" / "film0_00.wav", two_folders / "truth" / "film0_00.wav"
    soundfile.write(ours, knocks(0, 1.5), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="1.50 s long, its reference 2.00 s; .* 0.1 s: .*--seconds.*--tolerance"):
        pairing.read_together([ours], truth, RATE, 128)
    made, true = pairing.read_together([ours], truth, RATE, 128, tolerance=0.5)
    assert len(made) == len(true) == round(1.5 * RATE) // 128 * 128
    assert np.array_equal(true, soundfile.read(truth, dtype="float32")[0][: len(true)])


def test_the_best_constant_is_fitted_on_training_sounds_alone(two_folders):
    train = two_folders / "train"
    train.mkdir()
    soundfile.write(train / "a.wav", np.full(RATE, 0.25), RATE, subtype="FLOAT")
    soundfile.write(train / "b.wav", np.full(2 * RATE, 0.05), RATE, subtype="FLOAT")
    table, _ = folders.evaluate(two_folders / "ours", two_folders / "truth", train=train)
    rows = table.set_index("system")
    truth = [rms.rms_curve(knocks(i)[: 250 * 128], 512, 128).numpy() for i in range(4)]
    assert rows.loc["constant", "e_l1"] == pytest.approx(np.mean([np.abs(c - 0.05).mean() for c in truth]), abs=1e-5)
    soundfile.write(train / "film0_00.wav", np.full(RATE, 0.5), RATE)
    with pytest.raises(ValueError, match="has film0_00, which is a reference"):
        folders.evaluate(two_folders / "ours", two_folders / "truth", train=train)


def test_one_clip_has_no_other(two_folders):
    for folder in ("ours", "truth"):
        for i in range(1, 4):
            (two_folders / folder / f"film{i // 2}_{i:02d}.wav").unlink()
    table, per_clip = folders.evaluate(two_folders / "ours", two_folders / "truth")
    assert list(table.system) == list(per_clip.system) == ["estimate", "truth", "silence"]


def test_fad_against_scipys_square_root_and_clap_by_hand(two_folders):
    table, per_clip = folders.evaluate(two_folders / "ours", two_folders / "truth", Listen())
    ours, truth = (
        [
            Listen().windows(soundfile.read(p, dtype="float32")[0][None, :32000])["fad"][0]
            for p in sorted((two_folders / f).iterdir())
        ]
        for f in ("ours", "truth")
    )
    x, y = np.concatenate(truth), np.concatenate(ours)
    cx, cy = np.cov(x.T), np.cov(y.T)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx + cy - 2 * scipy.linalg.sqrtm(cx @ cy).real)
    assert table.fad[0] == pytest.approx(expected, rel=1e-5)
    a, b = truth[2].mean(0), ours[2].mean(0)
    assert per_clip.clap[2] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), rel=1e-5)


def test_onset_f1_against_mir_eval():
    truth, ours = knocks(1), knocks(2)
    row = folders.clip_scores(truth, ours, Timeline(), rms.Bins())
    times = [onsets.detect(rms.rms_curve(w, 512, 128).numpy(), 125, 0.01) for w in (truth, ours)]
    assert min(map(len, times)) > 2
    for name, window in (("onset_f1_50ms", 0.05), ("onset_f1_100ms", 0.1)):
        assert row[name] == pytest.approx(mir_eval.onset.f_measure(*times, window=window)[0])


def test_t_foleys_e_l1_by_hand():
    truth, ours = knocks(1, level=0.1), knocks(2, level=0.8)
    curves = []
    for wave in (truth, ours):
        padded = np.pad(wave.astype(np.float64) / np.abs(wave).max(), 256)
        curve = [np.sqrt(np.mean(padded[i : i + 512] ** 2)) for i in range(0, len(wave) + 1, 128)]
        curves.append(filtfilt(*ellip(4, 0.01, 120, 0.125), curve, method="gust").clip(0))
    expected = np.abs(curves[0] - curves[1]).mean()
    assert folders.peak_e_l1(truth, ours, 512, 128) == pytest.approx(expected, rel=1e-6)
    assert folders.peak_e_l1(truth, truth / 3, 512, 128) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(folders.peak_e_l1(truth, 0 * truth, 512, 128))


def test_a_quieter_copy_differs_by_the_definitions_that_hear_level_alone():
    row = folders.clip_scores(knocks(1), knocks(1) / 2, Timeline(), rms.Bins())
    assert row["e_l1"] > 0.003 and row["e_l1_sounding"] > row["e_l1"] and row["within_2"] < 0.5
    assert row["e_l1_gain_matched"] < 1e-6 and row["e_l1_peak"] < 1e-6 and row["correlation"] == pytest.approx(1)


def gaussians(items, seed=2, dims=12):
    return np.random.default_rng(1).normal(size=(20000, dims)), np.random.default_rng(seed).normal(size=(items, dims))


def test_fad_infinity_takes_away_what_a_small_set_adds():
    # the closed form for two sets of one distribution is 0; a set of 150 is at a distance for its size alone
    found = []
    for seed in range(2, 8):
        reference, estimate = gaussians(150, seed)
        found.append(
            [
                metrics.frechet_distance(reference, estimate),
                metrics.frechet_infinity(reference, estimate, least=40, seed=seed)[0],
                metrics.frechet_infinity(reference, estimate, least=40, replace=True, seed=seed)[0],
            ]
        )
    plain, endless, fadtks = np.mean(found, 0)
    assert plain > 0.25 and abs(endless) < 0.3 * plain
    assert fadtks > 0.5 * plain, "drawing with replacement undoes no more than itself"


def test_fad_infinity_is_the_intercept_of_a_line(monkeypatch):
    monkeypatch.setattr(metrics, "frechet_distance", lambda r, e, few: 3 + 50 / len(e))
    assert metrics.frechet_infinity(*gaussians(800))[0] == pytest.approx(3)


def test_the_interval_of_the_line_is_that_of_its_residuals(monkeypatch):
    noise, drawn, widths = np.random.default_rng(4), [], []

    def noisy(_, estimate, few):
        drawn.append((1 / len(estimate), 3 + 50 / len(estimate) + noise.normal()))
        return drawn[-1][1]

    monkeypatch.setattr(metrics, "frechet_distance", noisy)
    for items in (540, 2000):
        drawn.clear()
        value, (low, high) = metrics.frechet_infinity(*gaussians(items), replace=True)
        line = scipy.stats.linregress(*zip(*drawn))
        half = scipy.stats.t.ppf(0.975, 23) * line.intercept_stderr
        assert (value, low, high) == pytest.approx((line.intercept, line.intercept - half, line.intercept + half))
        widths.append(high - low)
    assert widths[0] > 10 * widths[1], "sizes that lie close together say little"
    monkeypatch.setattr(metrics, "frechet_distance", lambda r, e, few: 3.0)
    value, interval = metrics.frechet_infinity(*gaussians(500), replace=True)
    assert value == 3 and np.isnan(interval).all(), "one size has no line"


def test_limits_are_of_all_windows_and_empty_where_there_are_too_few():
    reference, estimate = (gaussians(60, seed, dims=4)[1].reshape(20, 3, 4) for seed in (2, 3))
    found = sets.limits(reference, estimate, seed=1)
    flat = reference.reshape(60, 4), estimate.reshape(60, 4)
    assert found["inf"][0] == metrics.frechet_infinity(*flat, seed=1)[0]
    assert found["inf_fadtk"][0] == metrics.frechet_infinity(*flat, replace=True, seed=1)[0]
    assert all(low < value < high for value, (low, high) in found.values())
    few = sets.limits(reference[:1], estimate[:1])
    assert all(np.isnan([value, *interval]).all() for value, interval in few.values())


def test_fad_infinity_begins_at_500_as_fadtk_does(monkeypatch):
    """fadtk: 25 draws with replacement of 500 to all items, of a smaller set still of 500 at first."""
    for items in (300, 800):
        drawn = []
        monkeypatch.setattr(metrics, "frechet_distance", lambda r, e, few, drawn=drawn: drawn.append(len(e)) or 1.0)
        metrics.frechet_infinity(*gaussians(items), replace=True)
        assert drawn == [int(n) for n in np.linspace(500, items, 25)]


def test_fad_infinity_with_replacement_is_what_fadtks_code_gives():
    """Stored: fadtk 1.1.0's calc_frechet_distance on the same draws (its own are of numpy's global generator)."""
    for items, expected in ((700, 0.516699179837), (300, 0.751022162501)):
        random = np.random.default_rng(0)
        random.normal(size=(120, 8)), random.normal(size=(90, 8))
        for n in (700, 300):
            estimate, reference = random.normal(size=(n, 4)) * 1.2 + 0.3, random.normal(size=(900, 4))
            if n == items:
                found = metrics.frechet_infinity(reference, estimate, replace=True)[0]
                assert found == pytest.approx(expected, abs=1e-9)


def test_fad_infinity_refuses_a_set_of_one_size():
    with pytest.raises(ValueError, match="wanted more than 13 items"):
        metrics.frechet_infinity(*gaussians(13))


def test_pairs_are_found_whatever_their_kind(two_folders):
    (two_folders / "ours" / "film0_00.wav").rename(two_folders / "ours" / "film0_00.flac")
    assert [name for name, *_ in pairs(two_folders / "ours", two_folders / "truth")] == [
        f"film{i // 2}_{i:02d}" for i in range(4)
    ]


def test_missing_doubled_and_differently_long_files_are_named(two_folders):
    ours, truth = two_folders / "ours", two_folders / "truth"
    (ours / "film0_00.flac").write_bytes((ours / "film0_00.wav").read_bytes())
    with pytest.raises(ValueError, match="film0_00.flac and film0_00.wav have one name"):
        pairs(ours, truth)
    (ours / "film0_00.flac").unlink()
    (ours / "film0_00.wav").rename(ours / "film9_00.wav")
    with pytest.raises(ValueError, match=r"ours lacks 1 \(film0_00\) and .*truth lacks 1 \(film9_00\)"):
        pairs(ours, truth)
    with pytest.raises(ValueError, match="no such folder"):
        pairs(ours / "none", truth)
    soundfile.write(ours / "film9_00.wav", knocks(0, 1.5), RATE)
    with pytest.raises(ValueError, match="film9_00.wav: is 1.50 s long, its reference 2.00 s"):
        pairing.read_together([ours / "film9_00.wav"], truth / "film0_00.wav", RATE, 128)
    with pytest.raises(ValueError, match="is 1.50 s long; wanted 1.8 s"):
        pairing.read_together([ours / "film9_00.wav"], truth / "film0_00.wav", RATE, 128, 1.8)
    a, b = pairing.read_together([ours / "film9_00.wav"], truth / "film0_00.wav", RATE, 128, 1.0)
    assert len(a) == len(b) == 16000


def test_sounds_that_cannot_be_judged_are_named(two_folders):
    ours, truth = two_folders / "ours", two_folders / "truth"
    wave = knocks(0)
    wave[100] = np.nan
    soundfile.write(truth / "film0_00.wav", wave, RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="truth/film0_00.wav: has NaN or infinite samples"):
        folders.evaluate(ours, truth)
    for folder in (ours, truth):
        soundfile.write(folder / "film0_00.wav", knocks(0)[:400], RATE)
    with pytest.raises(ValueError, match="ours/film0_00.wav: is 0.025 s long; wanted 0.1 s or more"):
        folders.evaluate(ours, truth)
    for folder in (ours, truth):
        soundfile.write(folder / "film0_00.wav", knocks(0)[: round(pairing.SHORTEST * RATE)], RATE)
    assert len(folders.evaluate(ours, truth)[0]) == 4

    class Deaf(Listen):
        def score(self, waves):
            raise RuntimeError("kernel size 12")

    with pytest.raises(ValueError, match=r"ours/film0_00.wav: the embedders cannot take it \(kernel size 12\); wanted"):
        folders.evaluate(ours, truth, Deaf())
    for seconds in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="seconds is .*; wanted 0.1 or more"):
            folders.evaluate(ours, truth, reading=pairing.Reading(seconds=seconds))


def test_huge_samples_and_files_too_short_are_named(two_folders):
    for folder in ("ours", "truth"):
        soundfile.write(two_folders / folder / "film0_00.wav", np.full(RATE, 1e18, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="film0_00.wav: has samples of up to 1e[+]18"):
        folders.evaluate(two_folders / "ours", two_folders / "truth")
    soundfile.write(two_folders / "one.wav", np.zeros(1), 48000)
    with pytest.raises(ValueError, match="one.wav: has no samples"):
        systems.read_sound(two_folders / "one.wav", 8)


@pytest.mark.parametrize("tolerance", [np.nan, -1.0, np.inf])
def test_a_tolerance_that_can_be_none_is_refused(two_folders, tolerance):
    reading = pairing.Reading(tolerance=tolerance)
    with pytest.raises(ValueError, match="tolerance .* s; wanted 0 or more"):
        pairs(two_folders / "ours", two_folders / "truth", reading)


def test_what_is_read_is_never_written_over(two_folders, capsys):
    """Tables of the command, whichever of its inputs they would lie over; and devices."""
    (two_folders / "table.csv").write_text("generated,reference\nfilm0_00,film0_00\n")
    (two_folders / "fad.csv").write_text("system,fad\nours,1\n")
    before = {path: path.read_bytes() for path in two_folders.rglob("*.*")}
    base = [str(two_folders / "ours"), str(two_folders / "truth"), "--no-embedders", "--out"]
    for words in (
        [str(two_folders / "table.csv"), "--map", str(two_folders / "table.csv")],
        [str(two_folders / "fad.csv"), "--results", str(two_folders / "fad.csv")],
        [str(two_folders / "truth/film0_00.wav")],
        ["/dev/null"],
    ):
        with pytest.raises(SystemExit):
            folders.main([*base, *words])
        said = capsys.readouterr().err
        assert "wanted the name of a new table" in said and said.count("\n") == 1
    assert {path: path.read_bytes() for path in two_folders.rglob("*.*")} == before


def test_companions_and_folders_are_no_clips_and_names_must_be_text(two_folders):
    ours, truth = two_folders / "ours", two_folders / "truth"
    (ours / "._film0_00.wav").write_bytes(b"mac")
    (ours / "folder.wav").mkdir()
    assert len(pairs(ours, truth)) == 4
    (ours / b"caf\xe9.wav".decode("utf-8", "surrogateescape")).write_bytes(b"")
    with pytest.raises(ValueError, match=r"caf\\udce9.wav has a name that is no UTF-8; rename it"):
        pairs(ours, truth)


def test_a_mapping_with_clips_called_na_none_at_all_or_cells_too_many(two_folders):
    ours, truth, table = two_folders / "ours", two_folders / "truth", two_folders / "map.csv"
    for folder in (ours, truth):
        (folder / "film0_00.wav").rename(folder / "NA.wav")
    table.write_text("generated,reference,\nNA,NA,\n")
    assert [name for name, *_ in pairs(ours, truth, pairing.Reading(table))] == ["NA"]
    for rows in ("", "NA,NA,other\n"):
        table.write_text("generated,reference,system\n" + rows)
        with pytest.raises(ValueError, match="map.csv: names no clip of .*ours; wanted rows of generated"):
            pairs(ours, truth, pairing.Reading(table))
    table.write_text("generated,reference\nNA,film0_01,film0_01\n")
    with pytest.raises(ValueError, match="line 2: NA,film0_01,film0_01 has more cells than headers, 2"):
        pairs(ours, truth, pairing.Reading(table))


@pytest.mark.parametrize(
    "out, why", [("ours", "is a folder"), ("ours/film0_00.wav/table.csv", "cannot be written"), ("", "is a folder")]
)
def test_a_table_that_cannot_be_written_is_said_before_anything_is_measured(two_folders, monkeypatch, capsys, out, why):
    monkeypatch.setattr(folders, "evaluate", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(SystemExit):
        folders.main(
            [
                str(two_folders / "ours"),
                str(two_folders / "truth"),
                "--out",
                str(two_folders / out) if out else "",
                "--no-embedders",
            ]
        )
    assert why in capsys.readouterr().err


def test_the_command_writes_both_tables_or_says_what_is_wrong(two_folders, capsys):
    out = two_folders / "made" / "table.csv"
    folders.main([str(two_folders / "ours"), str(two_folders / "truth"), "--out", str(out), "--no-embedders"])
    assert list(pd.read_csv(out).system) == ["estimate", "truth", "silence", "mismatched"]
    assert len(pd.read_csv(out.with_suffix(".per_clip.csv"))) == 16
    assert "onset_f1_100ms" in capsys.readouterr().out
    assert "lag" in set(pd.read_csv(out.with_suffix(".legend.csv")).column)
    with pytest.raises(SystemExit):
        folders.main(
            [
                str(two_folders / "ours"),
                str(two_folders / "none"),
                "--out",
                str(two_folders / "no.csv"),
                "--no-embedders",
            ]
        )
    assert "no such folder" in capsys.readouterr().err and not (two_folders / "no.csv").exists()


def test_tables_of_names_with_a_dot_do_not_share_what_lies_beside_them():
    first, second = (folders._tables(Path(name)) for name in ("run.v1", "run.v2"))
    assert not set(first) & set(second)
    assert [path.name for path in folders._tables(Path("a.csv"))] == ["a.csv", "a.per_clip.csv", "a.legend.csv"]


def test_links_to_folders_of_one_name_are_systems_by_their_own_names(tmp_path, monkeypatch):
    for name in ("r1", "r2"):
        (tmp_path / name / "out").mkdir(parents=True)
        (tmp_path / f"sys{name}").symlink_to(tmp_path / name / "out")
    found = pairing.by_system([str(tmp_path / "sysr1"), str(tmp_path / "sysr2")])
    assert list(found) == ["sysr1", "sysr2"]
    monkeypatch.chdir(tmp_path / "r1")
    assert pairing.system_name(".") == "r1"


def test_without_a_run_the_networks_that_ship_judge_and_a_line_says_so(tmp_path, monkeypatch, capsys):
    def no_checkout(*_):
        raise FileNotFoundError("no params.yaml; wanted a checkout of the project")

    monkeypatch.setattr(folders.params, "load", no_checkout)
    listen = folders.embedders()
    assert set(listen.windows(np.zeros((1, 16000), np.float32))) >= {"fad"}
    assert "are of the networks that ship" in capsys.readouterr().out
    with pytest.raises(ValueError, match="wanted a checkout"):
        folders.embedders(run="mine")
    monkeypatch.setattr(folders.params, "shipped", lambda _: None)
    with pytest.raises(ValueError, match="no embedders"):
        folders.embedders()
