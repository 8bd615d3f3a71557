"""trend.py against scipy, a published example and series whose truth is known."""
import numpy as np
import pytest
from scipy import stats as st

from hakmem_analysis import trend


def test_theil_sen_is_scipys_and_ignores_an_outlier():
    x = np.arange(20.0)
    y = 3 * x + 1
    y[5] = 1e6
    slope = trend.theil_sen(x, y)
    expected = st.theilslopes(y, x, 0.95)
    assert slope.slope == pytest.approx(3)
    assert (slope.lower, slope.upper) == (expected[2], expected[3])


def test_theil_sen_of_the_published_example():
    """The example of Sen 1968 (J. Am. Stat. Assoc. 63, section 6): slope 4, 93 % interval 26/7 .. 35/8."""
    t = np.array([1, 2, 3, 4, 10, 12, 18])
    x = np.array([9, 15, 19, 20, 45, 55, 78])
    slope, _, lower, upper = st.theilslopes(x, t, 0.93)
    assert slope == pytest.approx(4.0)
    assert (lower, upper) == (pytest.approx(26 / 7), pytest.approx(35 / 8))
    padded = trend.theil_sen(np.append(t, 20), np.append(x, 86))
    assert padded.slope == pytest.approx(4.0, abs=0.1)


def test_theil_sen_interval_covers_the_truth():
    rng = np.random.default_rng(1)
    x = np.arange(40.0)
    covered = sum(s.lower <= 0.3 <= s.upper for s in
                  (trend.theil_sen(x, 0.3 * x + rng.standard_t(3, 40)) for _ in range(600)))
    assert 0.93 <= covered / 600 <= 0.97


def test_too_few_points_give_no_slope():
    assert np.isnan(trend.theil_sen([1, 2, 3], [1, 2, 3]).slope)


def test_mann_kendall():
    assert trend.mann_kendall(np.arange(10))[0] == pytest.approx(1)
    assert trend.mann_kendall(np.arange(10))[1] < 1e-4
    assert trend.mann_kendall(np.ones(10)) == (0.0, 1.0)
    y = [3, 1, 4, 1, 5, 9, 2, 6]
    assert trend.mann_kendall(y)[1] == pytest.approx(st.kendalltau(range(8), y).pvalue)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_autocorrelation_time_of_ar1(phi):
    """An AR(1) series has the integrated time (1 + phi) / (1 - phi)."""
    rng = np.random.default_rng(2)
    y = np.zeros(20_000)
    noise = rng.normal(0, 1, len(y))
    for i in range(1, len(y)):
        y[i] = phi * y[i - 1] + noise[i]
    assert trend.autocorrelation_time(y) == pytest.approx((1 + phi) / (1 - phi), rel=0.15)


def test_a_short_series_does_not_forget_its_memory():
    """60 values of an AR(1) of 0.9: none may be taken for memoryless (time 19; biased low, but not to 1)."""
    for seed in range(200):
        noise = np.random.default_rng(seed).normal(0, 1, 160)
        for i in range(1, len(noise)):
            noise[i] += 0.9 * noise[i - 1]
        assert trend.autocorrelation_time(noise[100:]) > 1.5


def test_autocorrelation_time_ignores_a_trend_and_a_constant():
    rng = np.random.default_rng(3)
    assert trend.autocorrelation_time(np.arange(500.0) + rng.normal(0, 1, 500)) < 1.5
    assert trend.autocorrelation_time(np.full(100, 33_000.0)) == 1.0


def test_one_step_is_told_from_a_line():
    rng = np.random.default_rng(4)
    step = trend.one_step(np.where(np.arange(60) < 35, 1000, 3000) + rng.normal(0, 10, 60))
    assert step.at == 35 and step.size == pytest.approx(2000, abs=20) and step.gain > 0.9
    assert trend.one_step(100 * np.arange(60) + rng.normal(0, 10, 60)).gain < 0
    assert abs(trend.one_step(rng.normal(0, 10, 60)).gain) < 0.4


def test_isotonic_is_the_nearest_series_that_never_falls():
    assert trend.isotonic([1, 3, 2, 4]).tolist() == [1, 2.5, 2.5, 4]
    assert trend.isotonic([3, 2, 1]).tolist() == [2, 2, 2]


def test_a_staircase_counts_its_stairs():
    stairs = trend.staircase(np.repeat([0, 64, 128, 192], 10))
    assert (stairs.growth, stairs.steps) == (192, pytest.approx(3))
    falling = trend.staircase(-np.repeat([0, 2048], 10))
    assert (falling.growth, falling.steps) == (-2048, pytest.approx(1))
    assert trend.staircase(np.full(9, 7.0)).steps == 0
    assert trend.staircase(np.arange(50.0)).steps == pytest.approx(49)


def test_least_count_is_garwoods():
    assert trend.least_count(0) == 0
    assert trend.least_count(8, 0.99) == pytest.approx(st.chi2.ppf(0.005, 16) / 2)
    assert st.poisson.sf(7, trend.least_count(8, 0.95)) == pytest.approx(0.025)


@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_the_interval_of_increments_covers_the_drift_of_a_walk(drift):
    """Averages of ten values each, as drift.py makes them."""
    rng, covered = np.random.default_rng(6), 0
    for _ in range(400):
        walk = np.cumsum(rng.normal(drift, 1, 100)).reshape(10, 10).mean(axis=1)
        slope = trend.mean_increment(10 * np.arange(10), walk)
        covered += slope.lower <= drift <= slope.upper
    assert 0.93 <= covered / 400 <= 1
