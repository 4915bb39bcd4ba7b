"""Encoder and Video2RMS trained as one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vf.backends.small.frame_encoder import FrameEncoder
from vf.models import end_to_end
from vf.models.end_to_end import Options
from vf.models.video2rms import Video2RMS

MODEL = {"features": 16, "width": 8, "lstm": 4, "bins": 8, "dropout": 0.0, "relu_logits": False}


def test_lag_of_a_film_is_found_in_all_its_clips_together():
    rng = np.random.default_rng(0)
    truth = rng.random((4, 200)) ** 8
    late = np.stack([end_to_end.delay(curve, by) for curve, by in zip(truth, (5, 5, -3, -3))])
    late += 0.3 * rng.random(late.shape)
    assert end_to_end.film_lags(truth, late, ["a", "a", "b", "b"], 12) == {"a": 5, "b": -3}


def test_lag_of_what_says_nothing_is_none():
    assert end_to_end.film_lags(np.ones((1, 50)), np.ones((1, 50)), ["a"], 12) == {"a": 0}


@pytest.mark.parametrize("by, wanted", [(0, [1, 2, 3, 4]), (1, [1, 1, 2, 3]), (-2, [3, 4, 4, 4])])
def test_a_delayed_curve_holds_the_end_that_it_leaves(by, wanted):
    assert end_to_end.delay(np.array([1, 2, 3, 4]), by).tolist() == wanted


def test_films_are_made_as_loud_as_the_median_film():
    curve = np.abs(np.sin(np.arange(400) / 9)).astype(np.float32)
    curves = np.stack([0.1 * curve, 0.2 * curve, 0.4 * curve, 0 * curve])
    evened = end_to_end.even_levels(curves, ["far", "middle", "near", "silent"])
    # what lies under the floor does not count, so that quantiles of scaled curves are near each other and not equal
    np.testing.assert_allclose(evened[:3].max(1), 0.2, rtol=0.03)
    assert not evened[3].any()
    assert not end_to_end.even_levels(curves[3:], ["silent"]).any()


def test_a_model_can_read_ahead():
    torch.manual_seed(0)
    model = Video2RMS(**MODEL, frames=30, rms_frames=120)
    states = torch.zeros(1, 30, 8)
    states[0, 12] = 1
    now = model.over_time(states.transpose(1, 2))[0, 0].argmax()
    ahead = model.interpolate(ahead=2).over_time(states.transpose(1, 2))[0, 0].argmax()
    assert now - ahead == 8
    assert model.over_time.weight.sum(1).allclose(torch.ones(120))


def blinking(films=3, clips=8, frames=40):
    """Maps in which something blinks at random, and curves (125 values a second) that are loud when it does."""
    rng = np.random.default_rng(0)
    hits = rng.random((films * clips, frames)) < 0.15
    maps = np.zeros((films * clips, frames, 3, 16, 16), np.uint8)
    maps[:, :, 1, 4:8, 4:8] = 200 * hits[:, :, None, None]
    curves = np.repeat(hits, 4, 1) * np.float32(0.3)
    return maps, curves, [film for film in range(films) for _ in range(clips)]


OPTIONS = Options(steps=60, batch=3, lr=5e-3, precision="no")


def learnt(options=OPTIONS, lags=(0, 0, 0)):
    maps, curves, films = blinking()
    curves = np.stack([end_to_end.delay(curve, lags[film]) for curve, film in zip(curves, films)])
    torch.manual_seed(0)
    encoder = FrameEncoder(3, (4, 8))
    model, losses = end_to_end.train(encoder, MODEL, maps, curves, films, range(len(films)), options)
    features = encoder.eval()(torch.from_numpy(maps))
    return losses, model.eval()(features).softmax(-1), curves


def test_both_learn_and_what_was_interrupted_goes_on(tmp_path):
    losses, probability, _ = learnt()
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    state = replace(OPTIONS, checkpoint=tmp_path, every=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(end_to_end, "film_lags", stopped)
        with pytest.raises(KeyboardInterrupt):
            learnt(state)
    again, same, _ = learnt(state)  # the first half lies there, finished
    assert again == losses
    assert torch.equal(probability, same)


def test_what_films_of_a_rate_have_in_common_is_told_apart():
    lags = {"a": 5, "b": 3, "c": -2, "d": -4, "e": 9, "f": 1}
    rates = {"a": 25, "b": 25, "c": 30, "d": 30, "e": 60}
    assert end_to_end.common_lags(lags, rates) == (2, {25: 2, 30: -5})
    assert end_to_end.common_lags(lags, {}) == (2, {})


def test_what_films_of_a_rate_lag_by_is_told_to_the_encoder(monkeypatch):
    maps, curves, films = blinking(films=5)
    clock = np.arange(40) / 30
    times = np.stack([np.repeat(clock[::2], 2) if film % 2 else clock for film in films])  # 15 or 30 pictures a second
    found = iter([{0: -2, 1: 4, 2: -2, 3: 4, 4: 0}, {0: 1, 1: 2, 2: 1, 3: 2, 4: 1}])
    monkeypatch.setattr(end_to_end, "film_lags", lambda *_: next(found))
    targets = []
    monkeypatch.setattr(end_to_end, "_fit", lambda *given: targets.append(given[4].numpy()) or [0.0])
    encoder = FrameEncoder(3, (4, 8))
    example = {"times": times, "synchronous": {4}}
    end_to_end.train(encoder, MODEL, maps, curves, films, range(len(films)), OPTIONS, **example)
    # the first half lags by -2 and 4 about a median of 1, the second by 1 and 2 about 1; 120 values a second
    assert encoder.config["late"] == {"30": pytest.approx(-3 / 120), "15": pytest.approx((3 + 1) / 120)}
    assert all(np.array_equal(first, second) for first, second in zip(*targets)), "nothing is left of single films"


def stopped(*_):
    raise KeyboardInterrupt


def test_lags_of_films_are_taken_out_of_what_is_learnt(monkeypatch):
    found = []
    measure = end_to_end.film_lags
    monkeypatch.setattr(end_to_end, "film_lags", lambda *given: found.append(measure(*given)) or found[-1])
    learnt(replace(OPTIONS, steps=480), lags=(0, 4, -4))
    first, second = found
    # the estimate is of the films' common time: a film whose sound comes late is led by it
    assert first[1] < first[0] < first[2]
    assert np.ptp(list(second.values())) < np.ptp(list(first.values()))


def test_an_encoder_that_was_told_its_rates_before_is_told_what_is_left(monkeypatch):
    maps, curves, films = blinking(films=4)
    clock = np.arange(40) / 30
    times = np.stack([np.repeat(clock[::2], 2) if film % 2 else clock for film in films])
    found = iter([{0: -2, 1: 2, 2: -2, 3: 2}, {0: 0, 1: 0, 2: 0, 3: 0}])
    monkeypatch.setattr(end_to_end, "film_lags", lambda *_: next(found))
    monkeypatch.setattr(end_to_end, "_fit", lambda *_: [0.0])
    encoder = FrameEncoder(3, (4, 8), late={"15": 0.04, "24": 0.01})
    end_to_end.train(encoder, MODEL, maps, curves, films, range(len(films)), OPTIONS, times=times)
    late = {"15": pytest.approx(0.04 + 2 / 120), "24": 0.01, "30": pytest.approx(-2 / 120)}
    assert encoder.config["late"] == late


def clip(value, times=None):
    maps = torch.full((10, 5, 2, 2), value, dtype=torch.uint8)
    return end_to_end.Clip(maps, times, torch.full((40,), value / 100))


def test_a_clip_goes_over_to_another_film():
    clock = np.arange(10) / 30
    late = np.repeat(clock[::2], 2)  # 15 pictures a second
    first, second = clip(10, late), clip(20, late - 0.02)
    joined = end_to_end.join(first, second, 0.3)
    assert joined.maps[:, 0, 0, 0].tolist() == [10] * 3 + [20] * 7
    assert joined.curve.tolist() == pytest.approx([0.1] * 12 + [0.2] * 28)
    assert np.array_equal(joined.times[:3], late[:3]) and np.array_equal(joined.times[4:], late[4:] - 0.02)
    assert late[2] < joined.times[3] < joined.times[4], "no time goes back, and no picture counts as another film's"
    assert end_to_end.join(clip(10), clip(20), 0.3).times is None


def test_two_films_at_once_show_the_larger_change_and_sound_as_strong_as_both():
    first, second = clip(100), clip(40)
    second.maps[:, 1] = 120
    first.maps[:, 3], second.maps[:, 3] = 100, 140  # 28 and 12 from 128, which is no motion
    first.maps[:, 4], second.maps[:, 4] = 120, 200
    both = end_to_end.overlay(first, second, ("difference", "flow"))
    assert both.maps[0, :, 0, 0].tolist() == [70, 120, 100, 100, 200]
    assert both.curve.tolist() == pytest.approx([np.hypot(1, 0.4).clip(max=1)] * 40)
    assert first.maps[0, 0, 0, 0] == 100, "what was given stays"


def seen_in_training(monkeypatch, rates=None, **options):
    """What both networks are given in a few steps: (clips, times, scale of the features) of each."""
    maps, curves, films = blinking(films=4)
    maps[:, :, 0] = np.array(films)[:, None, None, None] + 1
    clock = np.arange(40) / 30
    times = None if rates is None else np.stack([np.repeat(clock[:: rates[f]], rates[f]) for f in films])
    monkeypatch.setattr(end_to_end.frame_encoder, "view", lambda film, *_: film)
    given = []
    forward = end_to_end.FilmToRMS.forward
    monkeypatch.setattr(end_to_end.FilmToRMS, "forward", lambda *a: given.append(a[1:]) or forward(*a))
    training = replace(OPTIONS, steps=6, batch=8, **options)
    end_to_end.train(FrameEncoder(3, (4, 8)), MODEL, maps, curves, films, range(len(films)), training, times=times)
    return given


def test_only_films_of_one_rate_are_joined(monkeypatch):
    given = seen_in_training(monkeypatch, rates=(1, 2, 1, 2), joined=1.0)
    shown = [set(seen[:, 0].flatten().tolist()) for clips, *_ in given for seen in clips]
    assert {frozenset(films) for films in shown} == {frozenset(of) for of in ({1}, {2}, {3}, {4}, {1, 3}, {2, 4})}
    assert all((np.diff(at) >= 0).all() for _, times, _ in given for at in times)


def test_pictures_are_hidden_and_features_dropped(monkeypatch):
    clips, _, scale = seen_in_training(monkeypatch, hidden=1.0, dropped=0.5)[0]
    assert len({int(seen[:, 0].unique()) for seen in clips}) > 4, "a grey of its own for each clip"
    assert clips[0][:, 1].max() == 200, "changes stay"
    assert set(scale.unique().tolist()) == {0.0, 2.0} and scale.shape == (8, 1, 16)
    clips, _, scale = seen_in_training(monkeypatch)[0]
    assert (scale == 1).all() and {int(seen[:, 0].unique()) for seen in clips} <= {1, 2, 3, 4}


def test_both_learn_from_joined_films_too():
    strong = replace(OPTIONS, steps=120, joined=0.5, overlaid=0.3, hidden=0.5, dropped=0.25)
    losses, *_ = learnt(strong)
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:10])


def test_the_lag_that_all_films_share_is_taken_out(monkeypatch):
    maps, curves, films = blinking()
    found = iter([{0: 3, 1: 3, 2: 3}, {0: 2, 1: 2, 2: 2}])
    monkeypatch.setattr(end_to_end, "film_lags", lambda *_: next(found))
    monkeypatch.setattr(end_to_end, "_fit", lambda *_: [0.0])
    model, _ = end_to_end.train(FrameEncoder(3, (4, 8)), MODEL, maps, curves, films, range(len(films)), OPTIONS)
    early = Video2RMS(**MODEL, frames=40, rms_frames=160).interpolate(ahead=2 * 40 / 160)
    assert torch.equal(model.over_time.weight, early.over_time.weight)
