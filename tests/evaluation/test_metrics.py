import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from vf.evaluation import metrics

rng = np.random.default_rng(0)


def test_e_l1_by_hand():
    assert metrics.e_l1([0.0, 0.5, 1.0], [0.0, 0.0, 0.5]) == pytest.approx(1 / 3)
    assert metrics.e_l1([0.0, 0.5, 1.0], [0.0, 0.0, 0.5], [False, True, True]) == pytest.approx(0.5)


def test_e_l1_of_no_frame_is_not_a_number():
    assert np.isnan(metrics.e_l1([0.0, 0.0], [0.0, 0.0], [False, False]))


def test_the_papers_rule_drops_only_common_silence():
    assert metrics.not_both_silent([0, 0, 3], [0, 2, 0]).tolist() == [False, True, True]


def test_accuracy_at_k_by_hand():
    scores = np.array([[0.1, 0.5, 0.4], [0.9, 0.06, 0.04]])
    assert metrics.accuracy_at(scores, [2, 2], 1) == 0
    assert metrics.accuracy_at(scores, [2, 2], 2) == 0.5
    assert metrics.accuracy_at(scores, [2, 2], 3) == 1


def test_random_scores_reach_k_over_bins():
    scores, classes = rng.random((4, 5000, 64)), rng.integers(0, 64, (4, 5000))
    for k in (1, 5, 10):
        assert metrics.accuracy_at(scores, classes, k).mean() == pytest.approx(k / 64, abs=0.01)


def test_constant_scores_are_never_right():
    assert metrics.accuracy_at(np.zeros((10, 64)), np.arange(10), 1) == 0


def test_accuracy_within_tolerance():
    assert metrics.accuracy_within([10, 10, 10], [10, 12, 13], 2) == pytest.approx(2 / 3)


def test_correlation_agrees_with_scipy():
    a, b = rng.random((3, 50)), rng.random((3, 50))
    expected = [scipy.stats.pearsonr(x, y)[0] for x, y in zip(a, b)]
    assert np.allclose(metrics.correlation(a, b), expected)
    assert metrics.correlation(a[0], np.ones(50)) == 0


def test_gain_matching_undoes_a_gain_and_is_optimal():
    truth, estimate = rng.random(200), rng.random(200)
    assert np.allclose(metrics.match_gain(truth, 0.25 * truth), truth)
    best = metrics.e_l1(truth, metrics.match_gain(truth, estimate))
    assert all(best <= metrics.e_l1(truth, g * estimate) + 1e-12 for g in np.linspace(0.01, 3, 400))
    assert (metrics.match_gain(truth, np.zeros(200)) == 0).all()


def test_frechet_of_a_set_with_itself_is_zero():
    x = rng.normal(size=(200, 8))
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-8)


def test_frechet_of_a_shift_is_its_square():
    x = rng.normal(size=(200, 4))
    assert metrics.frechet_distance(x, x + 2) == pytest.approx(4 * 2**2)


def test_frechet_against_the_closed_form_for_commuting_gaussians():
    a, b = np.diag([1.0, 4.0]), np.diag([9.0, 1.0])
    assert metrics.frechet_gaussian(np.zeros(2), a, np.array([3.0, 0]), b) == pytest.approx(
        9 + (1 - 3) ** 2 + (2 - 1) ** 2
    )


def test_frechet_against_scipys_square_root():
    x, y = rng.normal(size=(100, 5)), rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5))
    cx, cy = np.cov(x.T), np.cov(y.T)
    trace = np.trace(cx + cy - 2 * scipy.linalg.sqrtm(cx @ cy).real)
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + trace
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_few_items_is_that_of_their_covariances():
    x, y = rng.normal(size=(12, 30)), 2 * rng.normal(size=(15, 30)) + 1
    expected = metrics.frechet_gaussian(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert metrics.frechet_distance(x, y, few=True) == pytest.approx(expected, rel=1e-6)


def test_frechet_refuses_too_few_items():
    with pytest.raises(ValueError, match="more items than dimensions"):
        metrics.frechet_distance(rng.normal(size=(4, 8)), rng.normal(size=(40, 8)))


def test_cosine_by_hand():
    assert metrics.cosine([[1.0, 0], [1, 1]], [[0.0, 2], [3, 3]]) == pytest.approx([0, 1])


def test_bootstrap_covers_the_mean_and_widens_with_alike_groups():
    values = np.repeat(rng.normal(size=30), 5)
    free = metrics.bootstrap(values)
    grouped = metrics.bootstrap(values, groups=np.repeat(np.arange(30), 5))
    assert free[0] < values.mean() < free[1]
    assert grouped[1] - grouped[0] > 1.5 * (free[1] - free[0])
    assert metrics.bootstrap(values) == free


@pytest.mark.parametrize("size", [1, 3])
def test_all_draws_at_once_are_those_one_by_one(size):
    values = rng.normal(size=60)
    values[rng.random(60) < 0.3] = np.nan
    groups = np.repeat(np.arange(60 // size), size)
    assert metrics.bootstrap(values, groups) == metrics.bootstrap(values, groups, lambda v: np.nanmean(v))


def test_a_pair_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="one length"):
        metrics.e_l1(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        metrics.e_l1([0.0, np.nan], [0.0, 0.0])


def test_the_probe_reads_what_is_there_and_not_what_is_not():
    vectors, curves = [], []
    for _ in range(12):
        curve = rng.random(60)
        vectors.append(rng.normal(size=(60, 20)) + 5 * curve[:, None] * (np.arange(20) == 3))
        curves.append(curve)
    held_out = [k % 3 == 0 for k in range(12)]
    assert metrics.probe(vectors, curves, held_out) > 0.7
    assert abs(metrics.probe(vectors, [rng.random(60) for _ in range(12)], held_out)) < 0.4


def test_jitter_is_the_mean_step_of_a_curve():
    curve = np.array([[0.0, 0.1, 0.0, 0.3], [0.2, 0.2, 0.2, 0.2]])
    assert metrics.jitter(curve) == pytest.approx([0.5 / 3, 0.0])


def test_one_film_tells_nothing_of_others():
    assert np.isnan(metrics.bootstrap([1.0, 2.0], ["a", "a"])).all()
    with pytest.raises(ValueError, match="2 values have 3 groups"):
        metrics.bootstrap([1.0, 2.0], ["a", "b", "c"])


def test_frechet_of_singular_covariances_is_that_of_the_closed_form():
    # Cholesky refuses them: 0 and 4 along one axis, nothing along the other
    a, b = np.diag([1.0, 0.0]), np.diag([9.0, 0.0])
    assert metrics.frechet_gaussian(np.zeros(2), a, np.zeros(2), b) == pytest.approx((1 - 3) ** 2)


def test_frechet_of_almost_the_same_set_is_never_negative():
    x = rng.normal(size=(300, 40))
    for size in (0, 1e-12, 1e-9, 1e-7):
        assert metrics.frechet_distance(x, x + size * rng.normal(size=x.shape)) >= 0


def test_frechet_is_the_trace_of_the_root_that_scipy_finds_of_many_dimensions():
    d = 256
    x, y = rng.normal(size=(600, d)) * np.linspace(0.01, 3, d), rng.normal(size=(600, d)) + 0.1
    cx, cy = np.cov(x.T), np.cov(y.T)
    slow = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx + cy - 2 * scipy.linalg.sqrtm(cx @ cy).real)
    assert metrics.frechet_distance(x, y) == pytest.approx(slow, rel=1e-6)


@pytest.mark.slow
def test_frechet_of_covariances_that_do_not_commute_is_that_of_scipys_root():
    d = 1024
    a, b = (np.cov((rng.normal(size=(2 * d, d)) * np.linspace(0.1, k, d)).T) for k in (2, 1))
    distance = metrics.frechet_gaussian(np.zeros(d), a, np.ones(d), b)
    assert distance == pytest.approx(d + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real), rel=1e-6)


def test_an_interval_is_that_of_95_per_cent():
    values = np.random.default_rng(0).normal(size=400)
    low, high = metrics.bootstrap(values)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
