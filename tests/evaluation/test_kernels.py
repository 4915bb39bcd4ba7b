import numpy as np
import pytest
from scipy.spatial.distance import cdist

from vf.evaluation import kernels


def by_hand(x, y, kernel):
    """The unbiased estimator, pair by pair."""
    xx = np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
    yy = np.mean([kernel(y[i], y[j]) for i in range(len(y)) for j in range(len(y)) if i != j])
    return 100 * (xx + yy - 2 * np.mean([kernel(a, b) for a in x for b in y]))


def test_kad_by_hand_pair_by_pair():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(9, 3)) + 1
    apart = sorted(np.linalg.norm(x[i] - x[j]) for i in range(12) for j in range(i))
    width = apart[(len(apart) - 1) // 2]
    assert kernels.median_distance(x) == pytest.approx(width)
    expected = by_hand(x, y, lambda a, b: np.exp(-((a - b) @ (a - b)) / (2 * width**2)))
    assert kernels.kad(x, y) == pytest.approx(expected, rel=1e-6)


def test_kad_is_what_kadtks_code_gives():
    """Stored: kadtk 1.1.0's calc_kernel_audio_distance in float64 with the reference's bandwidth."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(120, 8)).astype("f4"), (random.normal(size=(90, 8)) * 1.2 + 0.3).astype("f4")
    assert kernels.kad(x, y) == pytest.approx(4.066124128606563, rel=1e-6)
    assert kernels.median_distance(x) == pytest.approx(3.744257688522339, rel=1e-6)


def test_two_sets_of_one_kind_are_at_no_distance_on_average_however_small():
    found = [kernels.kad(*np.split(np.random.default_rng(s).normal(size=(20, 4)), 2)) for s in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(200) and min(found) < 0


def test_two_points_far_apart_are_at_the_largest_distance():
    rng = np.random.default_rng(0)
    x = np.zeros((5, 2)) + 1e-3 * rng.normal(size=(5, 2))
    assert kernels.kad(x, x[::-1] + 100) == pytest.approx(100 * 2 * np.exp(-(cdist(x, x) ** 2)[~np.eye(5, dtype=bool)]
        / (2 * kernels.median_distance(x) ** 2 + 1e-8)).mean(), rel=1e-6)  # fmt: skip


def test_the_interval_holds_the_value_and_does_not_lie_too_high():
    rng = np.random.default_rng(0)
    reference = [rng.normal(size=(3, 4)) for _ in range(30)]
    near = [x + 0.3 * rng.normal(size=x.shape) + 0.4 for x in reference]
    value, (low, high) = kernels.kad_with_interval(reference, near, np.arange(30) // 2, 0, 300)
    assert value == pytest.approx(kernels.kad(np.concatenate(reference), np.concatenate(near)))
    assert low < value < high and low > 0
    same, (low, high) = kernels.kad_with_interval(reference, [rng.normal(size=(3, 4)) for _ in range(30)],
                                                  np.arange(30), 0, 300)  # fmt: skip
    assert low < 0 < high and low < same < high


def test_one_item_is_refused():
    with pytest.raises(ValueError, match="wanted two items or more"):
        kernels.kad(np.zeros((1, 3)), np.zeros((5, 3)))
