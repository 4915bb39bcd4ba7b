import numpy as np

from vf.signal import motion

TIMES = np.arange(6) / 30


def test_a_repeated_frame_shows_no_new_picture():
    assert motion.previous_pictures(TIMES[[0, 0, 1, 2, 2, 3]]).tolist() == [0, 0, 1, 2, 2, 4]


def test_energy_is_the_mean_square_change():
    film = np.full((3, 4, 4, 3), 100, np.uint8)
    film[1:, 0, 0] = 151
    assert np.allclose(motion.energy(film, TIMES[:3]), [0, 0.2**2 / 16, 0], atol=1e-6)
    assert np.allclose(motion.energy(film[[0, 1, 1]], TIMES[[0, 1, 1]]), [0, 0.2**2 / 16, 0.2**2 / 16], atol=1e-6)


def test_pictures_at_the_times_of_the_clock_need_no_interpolation():
    index, weights = motion.interpolation(np.arange(5) / 30, 30)
    assert index.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(weights, np.eye(5), atol=1e-6)


def test_values_of_pictures_are_interpolated_between_their_times():
    due = np.arange(12) / 30
    pictures = np.arange(-1, 20) / 25 + 0.02  # the first one was on screen before the clip began
    times = pictures[np.searchsorted(pictures, due, side="right") - 1]
    index, weights = motion.interpolation(times, 30)
    assert len(index) == len(set(times)) == 10 and weights.shape == (12, 10)
    inside = due <= times[-1]
    np.testing.assert_allclose((weights @ times[index])[inside], due[inside], atol=1e-6)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)


def test_a_still_is_one_picture():
    index, weights = motion.interpolation(np.full(3, 0.5), 30)
    assert index.tolist() == [0] and weights.tolist() == [[1]] * 3


def test_rate_of_pictures_is_told_from_the_first_ones():
    due = np.arange(60) / 30
    times = np.floor(due * 25 + 1e-9) / 25
    times[40:] = due[40:]  # a film that ends, in a window of a clock of 30
    assert [motion.rate(t) for t in (due, times, np.arange(9) * 1001 / 30000, np.zeros(5))] == [30, 25, 30, 0]
