import numpy as np

from vf.signal import motion

TIMES = np.arange(6) / 30


def test_a_repeated_frame_shows_no_new_picture():
    assert motion.distinct(TIMES[[0, 0, 1, 2, 2, 3]]).tolist() == [0, 0, 1, 2, 2, 4]


def test_energy_is_the_mean_square_change():
    film = np.full((3, 4, 4, 3), 100, np.uint8)
    film[1:, 0, 0] = 151
    assert np.allclose(motion.energy(film, TIMES[:3]), [0, 0.2**2 / 16, 0], atol=1e-6)
    assert np.allclose(motion.energy(film[[0, 1, 1]], TIMES[[0, 1, 1]]), [0, 0.2**2 / 16, 0.2**2 / 16], atol=1e-6)
