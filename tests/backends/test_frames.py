import numpy as np
import pytest

from vf.backends.small import frames

TIMES = np.arange(6) / 30


def moving_square(step=2, count=6):
    film = np.full((count, 48, 64, 3), 90, np.uint8)
    texture = np.random.default_rng(0).integers(0, 255, (16, 16, 1))
    for k in range(count):
        film[k, 16:32, 16 + step * k : 32 + step * k] = texture
    return film


def test_a_still_film_has_no_change():
    maps = frames.difference(np.full((6, 48, 64, 3), 100, np.uint8), TIMES)
    assert maps.shape == (6, 3, 24, 32) and maps.dtype == np.uint8
    assert (maps[:, 0] == 100).all() and (maps[:, 1:] == 0).all()


def test_one_bright_pixel_survives_pooling():
    film = np.full((2, 48, 64, 3), 100, np.uint8)
    film[1, 7, 9] = 220
    maps = frames.difference(film, TIMES[:2], pool=4)
    assert maps[1, 1, 1, 2] == 120 and maps[1, 2].max() == 0
    film[1, 7, 9] = 20
    assert frames.difference(film, TIMES[:2], pool=4)[1, 2, 1, 2] == 80


@pytest.mark.parametrize("kind", ["difference", "flow"])
def test_a_repeated_frame_repeats_its_change(kind):
    film = moving_square()[[0, 1, 2, 2, 3, 4]]
    times = TIMES[[0, 1, 2, 2, 3, 4]]
    maps = frames.Reader([kind])(film, times)
    assert np.array_equal(maps[2], maps[3])
    changes = maps[1:, 1:] if kind == "difference" else np.abs(maps[1:].astype(int) - 128)
    assert all(change.max() > 5 for change in changes)


def test_flow_of_a_known_translation():
    maps = frames.flow(moving_square(step=4), TIMES, pool=1)
    inside = maps[2, :, 18:30, 26:36].astype(float) - 128
    assert np.median(inside[0]) * 20 / 127 == pytest.approx(4, abs=0.7)
    assert abs(np.median(inside[1]) * 20 / 127) < 0.7


def test_kinds_stand_side_by_side():
    both = frames.Reader(["difference", "flow"])(moving_square(), TIMES)
    assert both.shape == (6, 5, 24, 32)
    with pytest.raises(ValueError, match="wanted difference, flow or both"):
        frames.Reader(["colour", "flow"])
    with pytest.raises(ValueError, match="multiples of 5"):
        frames.difference(moving_square(), TIMES, pool=5)


def test_the_colour_encoder_sees_colour():
    red = np.zeros((2, 48, 64, 3), np.uint8)
    red[..., 0] = 200
    assert (frames.colour(red, TIMES[:2])[:, :3].reshape(2, 3, -1) == [[200], [0], [0]]).all()
