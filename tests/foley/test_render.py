"""Film in, film with sound out.

Lengths, prompts and regions, seeds, choosing, correcting, stopping, and requests that are refused.
"""

import numpy as np
import pytest
import torch
from echo import Voice, curve, film, studio

from vf.data import media, writing
from vf.evaluation import adherence
from vf.foley import predict, takes
from vf.foley import render as foley
from vf.foley import request as regions
from vf.foley.render import Region
from vf.foley.request import Request
from vf.signal import rms
from vf.signal.timeline import Timeline


@pytest.mark.parametrize("seconds", [0.7, 1.0, 2.6, 14.0])
def test_a_film_of_any_length_comes_out_whole(tmp_path, seconds):
    source = film(tmp_path / "film.mp4", seconds)
    made = studio()(source, prompt="a", seed=1)
    assert len(made.waveform) == len(made.wanted) * 128 and abs(len(made.wanted) - seconds * 125) < 1
    before = source.read_bytes()
    out = made.save(tmp_path / "out.mp4")
    assert source.read_bytes() == before
    assert len(media.read_frames(out, 10, (32, 24))[0]) == round(seconds * 10)
    assert abs(len(media.read_sound(out, 16000)) - seconds * 16000) < 1600
    assert np.corrcoef(made.rms, made.wanted)[0, 1] > 0.9


def test_the_sound_of_a_long_curve_follows_it_everywhere():
    wanted = curve(14.0)
    wave = studio().sound(wanted, "a")
    assert np.abs(rms.rms_curve(torch.from_numpy(np.array(wave)), 512, 128).numpy() - wanted).max() < 0.02


def test_keywords_change_a_request():
    made = studio().render(None, Request(wanted=curve(), prompt="a", seed=1), seed=3)
    assert made.session["seed"] == 3 and made.session["prompt"] == "a"
    with pytest.raises(TypeError, match="sead"):
        studio().render(None, Request(wanted=curve()), sead=3)


def test_the_same_seed_gives_the_same_sound_and_clips_differ_in_noise():
    wanted = np.full(250, 0.2, np.float32)
    one, two, three = (studio().sound(wanted, "a", seed=s) for s in (0, 0, 1))
    assert np.array_equal(one, two) and not np.array_equal(one, three)
    assert not np.array_equal(one[:16000], one[16000:32000])


def heard(maker, **asked):
    """What the vocoder was given for 3 s: (frames, words)."""
    maker.sound(curve(), **asked)
    return torch.cat(maker.pipeline.vocoder.heard)[:300, 1:5]


def test_a_region_has_its_own_prompt_and_the_rest_keeps_the_films(tmp_path):
    mel = heard(
        studio(), prompt="a", regions=[Region(1.0, 2.0, "b"), Region(1.6, 2.4, audio=np.ones(1600, np.float32))]
    )
    for seconds, word in ((0.5, 0), (1.3, 1), (1.8, 3), (2.2, 3), (2.7, 0)):
        assert torch.allclose(mel[round(seconds * 100)], torch.eye(4)[word])


def test_guidance_is_eq_5_in_every_region():
    """At omega the latent is omega times the prompt's, as the null's is zero; without a prompt it is the null's."""
    mel = heard(studio(guidance_scale=3.0), prompt=None, regions=[Region(1.0, 2.0, "b")])
    assert torch.allclose(mel[150], 3 * torch.eye(4)[1], atol=1e-5) and torch.allclose(mel[50], torch.zeros(4))


def test_a_regions_seed_changes_its_stretch_alone():
    plain, other = (studio().sound(curve(), "a", regions=[Region(1.0, 2.0, seed=s)]) for s in (None, 5))
    same = [np.array_equal(plain[a:b], other[a:b]) for a, b in ((0, 15000), (17000, 31000), (33000, 48000))]
    assert same == [True, False, True]


def test_a_regions_gain_turns_it_up_or_down():
    loud, soft = (studio().sound(curve(), "a", regions=[Region(1.0, 2.0, gain_db=g)]) for g in (0.0, -6.0))
    assert np.allclose(soft[16200:31800], loud[16200:31800] * 10 ** (-6 / 20), atol=1e-6)
    assert np.array_equal(soft[:15800], loud[:15800])


def test_adherence_counts_a_regions_gain_as_wanted():
    made = studio().render(None, wanted=curve(), prompt="a", regions=[Region(1.0, 2.0, gain_db=-6.0)])
    assert made.adherence["raw"]["error_db"] < 0.5 and np.array_equal(made.wanted, curve())


def test_a_stretch_of_a_film_is_a_prompt(tmp_path):
    wave = np.zeros(32000, np.float32)
    wave[16000:] = 0.1
    writing.write_film(tmp_path / "bell.mp4", np.zeros((20, 24, 32, 3), np.uint8), 10, wave)
    maker = studio()
    maker.sound(curve(), audio=(tmp_path / "bell.mp4", 1.2, 1.8))
    given = maker.pipeline.calls[-1][0]
    assert given.shape == (1, 9600) and given[0, 4000] == pytest.approx(0.1, abs=0.02)
    with pytest.raises(ValueError, match="only silence"):
        maker.sound(curve(), audio=(tmp_path / "bell.mp4", 0.0, 0.5))
    with pytest.raises(media.MediaError, match="no such file"):
        maker.sound(curve(), audio="none.wav")
    late = np.r_[np.zeros(16000 * 5), np.ones(16000)].astype(np.float32)
    with pytest.raises(ValueError, match="only silence in its first 5 s, and CLAP hears no more"):
        maker.sound(curve(), audio=late)
    maker.sound(curve(), audio=late[1:])


def test_the_best_of_many_is_closest_among_the_half_that_is_most_like_the_prompt():
    scores = [(0.3, 0.9), (0.1, 0.2), (0.2, 0.5), (0.4, 0.6)]
    tried = [({"raw": {"e_l1": e}}, clap, seed, None) for seed, (e, clap) in enumerate(scores)]
    assert takes.best(tried)[2] == 0  # seeds 1 and 2 are the half that is less like it
    assert takes.best(tried[:2])[2] == 1 and takes.best(tried[:3])[2] == 2  # of two the curve decides
    assert takes.best([(a, None, seed, None) for a, _, seed, _ in tried])[2] == 1


def test_best_of_keeps_the_seed_that_gives_the_same_sound_again(monkeypatch):
    errors = iter([0.3, 0.1, 0.2])
    monkeypatch.setattr(adherence, "adherence", lambda *_: {"raw": {"e_l1": next(errors)}})
    made = studio().render(None, wanted=curve(), prompt="a", seed=7, best_of=3)
    assert made.session["seed"] == 8 and [c["seed"] for c in made.session["candidates"]] == [7, 8, 9]
    assert np.array_equal(made.waveform, studio().sound(curve(), "a", seed=8))


def test_the_corrected_gain_is_recorded_as_such(monkeypatch):
    maker = studio()
    plain = Voice.__call__
    monkeypatch.setattr(Voice, "__call__", lambda self, mel: 0.5 * plain(self, mel))
    made = maker.render(None, wanted=curve(), prompt="a", correct_gain=True)
    assert made.uncorrected["raw"]["error_db"] == pytest.approx(6, abs=0.3) and made.adherence["raw"]["error_db"] < 0.6
    assert made.session["correct_gain"] and made.session["uncorrected"] == made.uncorrected
    assert maker.render(None, wanted=curve(), prompt="a").uncorrected is None


def test_progress_rises_to_one_and_stop_stops(tmp_path):
    shares, maker = [], studio()
    source = film(tmp_path / "film.mp4", 3.0)
    maker.render(source, prompt="a", best_of=2, progress=shares.append)
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares) and len(shares) > 8
    polled = []

    def stop():
        polled.append(len(polled))
        return len(polled) == 5

    with pytest.raises(foley.Stopped):
        maker.render(source, prompt="a", progress=shares.append, stop=stop)
    assert len(polled) == 5 and [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


BAD_CURVES = [np.array([0.1, np.nan]), np.array([-0.1, 0.1]), np.zeros((2, 2)), np.zeros(0), np.array([0.1, 1.5])]


@pytest.mark.parametrize("bad", BAD_CURVES)
def test_a_bad_curve_is_refused(bad):
    with pytest.raises(ValueError, match="clean it first"):
        studio().sound(bad, "a")


BAD_WISHES = [
    ({"prompt": " "}, "wanted words"),
    ({"prompt": "a", "audio": np.ones(100)}, "both prompt and audio"),
    ({"seed": -1}, "seed -1"),
    ({"audio": np.zeros(1600)}, "only silence"),
    ({"audio": np.array([0.1, np.nan])}, "finite"),
    ({"regions": [Region(2.5, 3.5, "b")]}, "inside the film's 3.00 s"),
    ({"regions": [Region(1.0, 1.0, "b")]}, "not empty"),
    ({"regions": [Region(-0.5, 1.0, "b")]}, "inside the film"),
    ({"regions": [Region(0.5, 1.0, "")]}, "wanted words"),
    ({"regions": [Region(0.5, 1.0, "b", gain_db=np.nan)]}, "gain nan"),
    ({"regions": [Region(0.5, 1.0, "b", seed=1.5)]}, "seed 1.5"),
]


@pytest.mark.parametrize("wish, words", BAD_WISHES, ids=[w for _, w in BAD_WISHES])
def test_what_cannot_be_made_is_refused_at_once(wish, words):
    maker = studio()
    with pytest.raises(ValueError, match=words):
        maker.sound(curve(), **wish)
    assert not maker.pipeline.vocoder.heard


def test_a_curve_must_be_as_long_as_its_film(tmp_path):
    with pytest.raises(ValueError, match="wanted 250 values, as .* has: cut or pad"):
        studio().render(film(tmp_path / "film.mp4", 2.0), wanted=curve(3.0), prompt="a")
    with pytest.raises(ValueError, match="neither film nor curve"):
        studio().render(None)
    with pytest.raises(ValueError, match="best_of=0"):
        studio().render(None, wanted=curve(), best_of=0)


def test_a_film_without_a_picture_leaves_nothing(tmp_path):
    (tmp_path / "film.mp4").write_text("no film")
    with pytest.raises(media.MediaError, match="film.mp4"):
        studio()(tmp_path / "film.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["film.mp4"]


def test_a_film_of_one_picture_is_refused(tmp_path):
    writing.write_film(tmp_path / "one.mp4", np.zeros((1, 24, 32, 3), np.uint8), 10)
    with pytest.raises(media.MediaError, match="one.mp4: has 1 picture"):
        studio()(tmp_path / "one.mp4")


def test_a_sound_without_a_film_is_saved_as_wav(tmp_path):
    made = studio().render(None, wanted=curve(), prompt="a")
    assert made.save(tmp_path / "foley.wav").stat().st_size > 2 * len(made.waveform)
    assert np.abs(media.read_sound(tmp_path / "foley.wav", 16000) - made.waveform).max() < 1e-4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["foley.json", "foley.wav"]
    with pytest.raises(media.MediaError, match="wanted .wav"):
        made.save(tmp_path / "foley.xyz")


def test_gains_are_the_wanted_decibels_inside_and_none_outside():
    places = [Region(1.0, 2.0, gain_db=6.0), Region(1.5, 3.0, gain_db=-12.0)]
    factor = 20 * np.log10(regions.gains(places, np.array([0.5, 1.2, 1.7, 2.5, 3.5])))
    assert np.allclose(factor, [0, 6, -6, -12, 0], atol=1e-4)


@pytest.mark.parametrize("choices, said", [
    ({"prompt": " "}, "wanted words"), ({"seed": -1}, "wanted a whole number"),
    ({"prompt": "a", "audio": np.ones(9)}, "both prompt and audio"), ({"audio": "none.wav"}, "none.wav"),
    ({"audio": ("none.wav", -1.0, None)}, "from -1 s to its end"),
    ({"regions": [Region(0.5, 99.0)]}, "inside the film"),
    ({"regions": [Region(0.1, 0.5, gain_db=99.0)]}, "gain 99 dB"),
])  # fmt: skip
def test_what_cannot_be_met_is_said_before_the_film_is_read(tmp_path, choices, said):
    maker = studio()
    maker.features = lambda *_: pytest.fail("the film was read")
    with pytest.raises((ValueError, OSError), match=said):
        maker.render(film(tmp_path / "film.mp4", 2.0), **choices)


@pytest.mark.parametrize("frames", [1, 100, 124, 2000])
def test_a_film_that_is_longer_or_shorter_than_it_says_gets_the_curve_that_was_asked_for(tmp_path, frames):
    pictures = np.broadcast_to(np.linspace(20, 220, 40)[:, None, None, None], (40, 24, 32, 3)).astype(np.uint8)
    writing.write_film(tmp_path / "film.mp4", pictures, 10)

    class Hears:
        device, classes = torch.device("cpu"), rms.Bins(64)

        def __call__(self, x):
            return torch.zeros(1, 125, 64)

    curve = predict.predict(
        tmp_path / "film.mp4", frames, Hears(), lambda *_: np.zeros((10, 1)), (32, 24), Timeline(seconds=1.0, fps=10)
    )
    assert curve.shape == (frames,) and np.isfinite(curve).all() and np.ptp(curve) < 1e-6


def test_a_long_curve_follows_its_film_and_each_window_has_its_own_clock(tmp_path):
    level, bins, clocks = 20 + 12 * (np.arange(70) % 18), rms.Bins(64), []
    pictures = np.broadcast_to(level[:, None, None, None], (70, 24, 32, 3)).astype(np.uint8)
    writing.write_film(tmp_path / "film.mp4", pictures, 10)

    def features(seen, times):
        clocks.append(times)
        return seen.mean((1, 2, 3))[:, None] / 255

    class Sees:
        device, classes = torch.device("cpu"), bins

        def __call__(self, x):
            return 99 * torch.nn.functional.one_hot(bins.encode(x[:, torch.arange(125) * 10 // 125, 0]), 64).float()

    curve = predict.predict(tmp_path / "film.mp4", 875, Sees(), features, (32, 24), Timeline(seconds=1.0, fps=10))
    assert np.abs(curve - level[np.arange(875) * 10 // 125] / 255).max() < 0.03
    assert all(np.allclose(times, np.arange(10) / 10, atol=2e-3) for times in clocks)
