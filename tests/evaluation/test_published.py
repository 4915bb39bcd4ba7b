"""Metrics of other papers against independent computations, and every metric of a clip on a stored example."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.special
import soundfile

from vf.evaluation import folders, metrics, published, sets
from vf.signal import onsets, rms
from vf.signal.timeline import Timeline

EXAMPLE = Path(__file__).parent / "example"
RATE = 16000


def example(name):
    return soundfile.read(EXAMPLE / f"{name}.flac", dtype="float32")[0]


TRUTH, MADE = example("reference"), example("estimate")
TRUTH22, MADE22 = (librosa.resample(w, orig_sr=RATE, target_sr=published.RATE) for w in (TRUTH, MADE))


def clicks(times, seconds=2.0, rate=published.RATE):
    wave = np.zeros(round(seconds * rate), np.float32)
    for k, time in enumerate(times):
        at = round(time * rate)
        tail = np.exp(-np.arange(1500) / 200) * np.random.default_rng(k).normal(size=1500) * 0.2
        wave[at : at + 1500] += tail[: len(wave) - at].astype(np.float32)
    return wave


def test_every_metric_of_the_example_is_what_is_stored():
    expected = json.loads((EXAMPLE / "expected.json").read_text())
    row = folders.clip_scores(TRUTH, MADE, Timeline(), rms.Bins())
    assert set(row) == set(expected) == set(folders.COLUMNS) & set(row)
    assert row == {key: pytest.approx(value, rel=2e-3, abs=1e-5) for key, value in expected.items()}


def test_distances_and_cosines_of_the_stored_embeddings_are_what_is_stored():
    """24 clips of 12 films, 3 windows of 6 numbers each, and CLAP's vectors of them. The scores come from other code:
    scipy.linalg.sqrtm for each Frechet distance, loops over all pairs for KAD."""
    expected = json.loads((EXAMPLE / "expected_sets.json").read_text())
    stored = np.load(EXAMPLE / "embeddings.npz")
    found = sets.set_scores(list(stored["reference"]), list(stored["estimate"]), np.arange(24) // 2, resamples=2)
    found["clap"] = float(metrics.cosine(stored["clap_reference"], stored["clap_estimate"]).mean())
    # the picture's peaks, of a film at 30 fps: four of the sound's five have one within a frame
    picture = np.array([0.22, 0.60, 0.70, 1.05, 1.30, 1.76])
    found["av_align"] = published.av_align(published.sound_peaks(MADE, RATE), picture, 30)
    assert {key: found[key] for key in expected} == {k: pytest.approx(v, rel=1e-6) for k, v in expected.items()}


def test_every_column_of_a_table_has_a_stored_score():
    names = [json.loads((EXAMPLE / f"{name}.json").read_text()) for name in ("expected", "expected_sets")]
    assert set(folders.COLUMNS) == {key for stored in names for key in stored}


def test_the_stored_onset_scores_are_those_of_the_published_code():
    """CondFoleyGen's predict_onset.py and MMAudio's eval_onsets.py gave these on the example, at 22.05 kHz."""
    found = published.condfoleygen_onsets(TRUTH22, MADE22)
    assert (found["accuracy"], found["ap"]) == pytest.approx((0.8, 0.9666666667))
    found = published.mmaudio_onsets([0.2, 0.55, 1.0, 1.4, 1.7], MADE22)
    assert (found["accuracy"], found["ap"], found["f1"]) == pytest.approx((0.8, 0.71, 0.8))


def test_the_authors_onset_accuracy_is_lower_as_it_suppresses_nothing():
    """What REPRODUCTION.md says of the two rules, with the estimate's rise of level above 2 dB as logits at 30 fps."""
    times, fps = [0.2, 0.55, 1.0, 1.4, 1.7], 30
    level = 20 * np.log10(np.maximum(rms.rms_curve(MADE, 512, 128).numpy(), 0.005))
    rise = level - np.concatenate([np.full(4, level[0]), level[:-4]])
    frame = (np.arange(len(rise)) / 125 * fps).astype(int)
    logit = np.array([rise[frame == k].max() for k in range(2 * fps)]) - 2
    found, confidence = onsets.peaks(scipy.special.expit(logit), fps)
    assert onsets.protocol(times, found, confidence, 0.5)["accuracy"] == pytest.approx(2 / 3)
    free, hits = list(np.flatnonzero(logit > 0.5)), 0
    count = len(free)
    for true in (np.array(times) * fps).astype(int):
        near = [k for k in free if abs(k - true) < 3]
        if near:
            free.remove(max(near, key=lambda k: logit[k]))
            hits += 1
    assert hits / (len(times) + count - hits) == pytest.approx(0.4)


def test_e_mae_by_librosa():
    energies = []
    for wave in (TRUTH, MADE):
        wave = wave - wave.mean()
        padded = np.pad(0.5 * wave / np.abs(wave).max(), 432, mode="reflect")
        size = np.abs(librosa.stft(padded, n_fft=1024, hop_length=160, window="hann", center=False))
        bins = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=64, fmin=0, fmax=8000) @ size
        energies.append(np.log(np.maximum(bins, 1e-5)).mean(0))
    expected = np.abs(energies[0] - energies[1]).mean()
    assert expected > 0.3
    assert published.energy_mae(TRUTH, MADE) == pytest.approx(expected, rel=1e-3)


def test_e_mae_sees_no_gain():
    assert published.energy_mae(TRUTH, TRUTH / 4) == pytest.approx(0, abs=1e-3)
    assert published.energy_mae(TRUTH, 0 * TRUTH) > 1


def test_mfcc_similarity_by_a_cosine_transform():
    means = []
    for wave in (TRUTH, MADE):
        power = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=2048, hop_length=512)
        decibels = 10 * np.log10(np.maximum(power, 1e-10))
        decibels = np.maximum(decibels, decibels.max() - 80)
        coefficients = scipy.fft.dct(decibels, axis=0, norm="ortho")[1:21]
        padded = np.pad(wave, 1024)
        level = np.sqrt([np.mean(padded[i : i + 2048] ** 2) for i in range(0, len(wave) + 1, 512)])
        means.append(coefficients[:, level >= level.max() / 100].mean(1))
    expected = means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1])
    assert published.mfcc_similarity(TRUTH, MADE, RATE) == pytest.approx(expected, rel=1e-3)


def test_mfcc_similarity_sees_timbre_and_no_level():
    assert published.mfcc_similarity(TRUTH, TRUTH / 4, RATE) == pytest.approx(1, abs=1e-3)
    assert published.mfcc_similarity(TRUTH, np.zeros_like(TRUTH), RATE) == 0
    tone = 0.1 * np.sin(2 * np.pi * 3000 * np.arange(32000) / RATE).astype(np.float32)
    assert published.mfcc_similarity(TRUTH, tone, RATE) < published.mfcc_similarity(TRUTH, MADE, RATE)


def test_a_sound_has_its_own_onsets_and_silence_none():
    same = published.condfoleygen_onsets(TRUTH22, TRUTH22)
    assert same["accuracy"] == same["ap"] == 1
    silent = published.condfoleygen_onsets(TRUTH22, 0 * TRUTH22)
    assert silent["accuracy"] == 0 and silent["ap"] == 1, "the trap that docs/metrics.md names"
    assert all(np.isnan(v) for v in published.condfoleygen_onsets(0 * TRUTH22, 0 * TRUTH22).values())
    assert published.condfoleygen_onsets(0 * TRUTH22, TRUTH22)["accuracy"] == 0


def test_a_click_every_sixth_of_a_second_is_hardly_ever_wrong():
    often = clicks(np.arange(0.1, 1.9, 0.15))
    found = published.condfoleygen_onsets(TRUTH22, often)
    stored = {"accuracy": 1.0, "ap": 0.800909, "f1": 0.588235}  # docs/metrics.md quotes the first
    assert found == {key: pytest.approx(value, abs=1e-5) for key, value in stored.items()}
    assert found["accuracy"] > found["f1"], "accuracy is a recall: false alarms cost nothing"


def test_mmaudios_tolerance_is_three_times_condfoleygens():
    late = clicks([0.75, 1.55])
    assert published.mmaudio_onsets([0.5, 1.3], late)["accuracy"] == 1
    assert published.condfoleygen_onsets(clicks([0.5, 1.3]), late)["accuracy"] == 0
    assert published.mmaudio_onsets([0.1, 8.5], clicks([0.75]))["accuracy"] == 0, "8 s count, 0.65 s is too far"


def test_av_align_by_hand():
    # 1 and 1.03 lie within a frame of the one peak at 1.02, which counts once; 2 lies more than a frame from the next
    assert published.av_align([1.0, 1.03, 2.0], [1.02, 2.04, 3.0], 30) == pytest.approx(1 / (3 + 3 - 1))
    assert published.av_align([1.0, 1.1, 1.2, 1.3, 1.4], [1.2], 4) == pytest.approx(1 / 5)
    assert published.av_align([1.0, 1.1], [1.05, 1.15], 4) == 1
    assert published.av_align([], [1.0], 30) == 0 and np.isnan(published.av_align([], [], 30))


def test_flow_peaks_are_where_something_moves():
    frames = np.zeros((20, 64, 64, 3), np.uint8)
    texture = np.random.default_rng(0).integers(60, 255, (24, 24, 3)).astype(np.uint8)
    at = 8
    for k in range(20):
        at += 4 if k in (5, 12) else 0
        frames[k, 20:44, at : at + 24] = texture
    assert published.flow_peaks(frames, 10.0).tolist() == [0.5, 1.2]


def test_sound_peaks_are_where_something_sounds():
    found = published.sound_peaks(clicks([0.5, 1.2], rate=RATE), RATE)
    assert found == pytest.approx([0.5, 1.2], abs=0.05)
