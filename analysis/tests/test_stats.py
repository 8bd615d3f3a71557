"""stats.py against scipy, published tables and simulations whose truth is known."""
import numpy as np
import pytest
from scipy import stats as st

from hakmem_analysis import stats


def test_cv_is_the_textbook_one():
    assert stats.coefficient_of_variation([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx(np.sqrt(32 / 7) / 5)
    assert stats.coefficient_of_variation([2, 4, 9]) == pytest.approx(st.variation([2, 4, 9], ddof=1))
    assert np.isnan(stats.coefficient_of_variation([3.0]))


def test_percentiles_equal_numpy_towards_the_bad_end():
    values = np.random.default_rng(1).lognormal(0, 1, 1000)
    high = stats.tail_percentiles(values, "high")
    low = stats.tail_percentiles(values, "low")
    for p in stats.PERCENTILES:
        assert high[f"p{p:g}"] == np.percentile(values, p)
        assert low[f"p{p:g}"] == np.percentile(values, 100 - p)
    assert (high["worst"], low["worst"]) == (values.max(), values.min())
    assert low["p99"] < low["p50"] < high["p99"]


def test_percentiles_of_nothing_are_missing():
    assert all(np.isnan(value) for value in stats.tail_percentiles([], "low").values())


def test_rows_that_a_percentile_needs():
    assert [stats.rows_for_percentile(p) for p in (50, 90, 99, 99.9)] == [2, 10, 100, 1000]


@pytest.mark.parametrize("n, k, percent", [
    # Conover, Practical Nonparametric Statistics, table of the sign interval; exact binomial sums.
    (5, 1, 93.75), (6, 1, 96.88), (8, 1, 99.22), (9, 2, 96.09), (10, 2, 97.85), (20, 6, 95.86),
    (25, 8, 95.67), (45, 16, 96.43)])
def test_sign_interval_rank_against_the_table(n, k, percent):
    rank, coverage = stats.sign_interval_rank(n, 0.95)
    assert rank == k
    assert 100 * coverage == pytest.approx(percent, abs=0.01)


def test_sign_interval_picks_the_order_statistics():
    interval = stats.sign_interval(np.arange(1.0, 21.0)[::-1])
    assert (interval.point, interval.lower, interval.upper) == (10.5, 6.0, 15.0)


def test_sign_interval_of_too_few_values():
    three = stats.sign_interval([1.0, 2.0, 3.0])
    assert (three.lower, three.upper, three.confidence) == (1.0, 3.0, 0.75)
    one = stats.sign_interval([1.0])
    assert one.point == 1.0 and np.isnan(one.lower) and one.confidence == 0.0
    assert np.isnan(stats.sign_interval([]).point)


def test_launch_interval_is_students():
    values = np.array([1.0, 1.2, 0.9, 1.1])
    interval = stats.launch_interval(values, range(4))
    low, high = st.t.interval(0.95, 3, values.mean(), st.sem(values))
    assert (interval.lower, interval.upper) == (pytest.approx(low), pytest.approx(high))


def simulate(launch_sd, runs=160, launches=5, blocks=9, heavy=False):
    """Share of intervals that hold the truth 0, for block noise of unit spread."""
    rng = np.random.default_rng(42)
    numbers = np.repeat(np.arange(launches), blocks)
    covered = {"paired": 0, "sign": 0}
    for _ in range(runs):
        noise = rng.standard_t(3, launches * blocks) if heavy else rng.normal(0, 1, launches * blocks)
        values = noise + np.repeat(rng.normal(0, launch_sd, launches), blocks)
        for name, interval in (("paired", stats.paired_interval(values, numbers)),
                               ("sign", stats.sign_interval(values))):
            covered[name] += interval.lower <= 0 <= interval.upper
    return {name: count / runs for name, count in covered.items()}


def test_sign_interval_covers_the_truth():
    """45 independent skewed blocks: stated 96.4 %, 93 to 97 % wanted (plus simulation error)."""
    rng = np.random.default_rng(3)
    truth = np.median(st.gamma(2).rvs(size=2_000_000, random_state=rng))
    draws = np.sort(st.gamma(2).rvs(size=(4000, 45), random_state=rng), axis=1)
    k, coverage = stats.sign_interval_rank(45, 0.95)
    share = ((draws[:, k - 1] <= truth) & (truth <= draws[:, 45 - k])).mean()
    assert 0.93 < share < 0.975
    assert share == pytest.approx(coverage, abs=0.01)


@pytest.mark.parametrize("launch_sd, heavy", [(0.0, False), (0.5, False), (1.0, False), (2.0, False),
                                              (0.5, True)])
def test_paired_interval_covers_the_truth_with_launch_effects(launch_sd, heavy):
    assert 0.90 <= simulate(launch_sd, heavy=heavy)["paired"] <= 0.985


def test_plain_sign_interval_fails_with_launch_effects():
    """Why paired_interval exists: without it, launch effects as large as the noise give 7 in 10."""
    assert simulate(1.0)["sign"] < 0.85


def test_launch_effect_is_kruskal_wallis():
    values, launches = [1, 2, 3, 11, 12, 13, 5, 6, 7], [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert stats.launch_effect_p(values, launches) == pytest.approx(st.kruskal([1, 2, 3], [11, 12, 13],
                                                                               [5, 6, 7]).pvalue)
    assert np.isnan(stats.launch_effect_p([1, 2, 3], [0, 0, 0]))
    assert np.isnan(stats.launch_effect_p([1, 2, 3], [0, 1, 2]))
    assert np.isnan(stats.launch_effect_p([1, 1, 1, 1], [0, 0, 1, 1]))


def test_bootstrap_of_independent_blocks_agrees_with_scipy():
    values = np.random.default_rng(5).normal(0, 1, 60)
    ours = stats.bootstrap_interval(values, np.zeros(60))
    theirs = st.bootstrap((values,), np.median, n_resamples=4000, method="percentile", random_state=1,
                          vectorized=True).confidence_interval
    assert ours == (pytest.approx(theirs.low, abs=0.08), pytest.approx(theirs.high, abs=0.08))


def test_bootstrap_is_repeatable_and_sees_launches():
    rng = np.random.default_rng(6)
    launches = np.repeat(np.arange(5), 9)
    values = rng.normal(0, 0.1, 45) + np.repeat([-1.0, -0.5, 0.0, 0.5, 1.0], 9)
    two_level = stats.bootstrap_interval(values, launches)
    assert two_level == stats.bootstrap_interval(values, launches)
    flat = stats.bootstrap_interval(values, np.zeros(45))
    assert two_level[1] - two_level[0] > 1.3 * (flat[1] - flat[0])


@pytest.mark.parametrize("at_once", [1, 100, 1 << 19])
def test_bootstrap_draws_launches_and_then_as_many_blocks_of_each(monkeypatch, at_once):
    """Launches of 1, 2 and 4 blocks, one draw or many at a time."""
    monkeypatch.setattr(stats, "DRAWN_AT_ONCE", at_once)
    launches = np.array([7, 3, 7, 7, 5, 5, 7])
    size = {3: 1, 5: 2, 7: 4}
    drawn = []
    for index, counts in stats._two_level_draws(launches, 500, seed=1):
        assert len(index) == counts.sum()
        assert at_once < 500 or len(counts) == 500
        for draw in np.split(index, np.cumsum(counts)[:-1]):
            of = np.bincount(launches[draw], minlength=8)
            assert sum(of[launch] // blocks for launch, blocks in size.items()) == 3
            assert all(of[launch] % blocks == 0 for launch, blocks in size.items())
            drawn.append(draw)
    assert len(drawn) == 500
    every = np.bincount(np.concatenate(drawn), minlength=7)
    assert every == pytest.approx(500, rel=0.25)


def test_medians_of_draws_of_unequal_lengths_are_numpys():
    rng = np.random.default_rng(3)
    draws = [rng.normal(size=count) for count in (1, 2, 3, 10, 11)]
    ours = stats._medians(np.concatenate(draws), np.array([len(draw) for draw in draws]))
    assert ours.tolist() == [np.median(draw) for draw in draws]


def test_bootstrap_does_not_need_sorted_launches():
    rng = np.random.default_rng(8)
    launches = np.repeat(np.arange(4), 6)
    values = rng.normal(0, 1, 24) + 10 * launches
    shuffled = rng.permutation(24)
    a, b = stats.bootstrap_interval(values, launches), stats.bootstrap_interval(values[shuffled],
                                                                                launches[shuffled])
    assert a == (pytest.approx(b[0], abs=2.5), pytest.approx(b[1], abs=2.5))


def test_bootstrap_ratio():
    rng = np.random.default_rng(7)
    below = rng.normal(2, 0.1, 40)
    lower, upper = stats.bootstrap_ratio(3 * below, below, np.repeat(range(4), 10))
    assert (lower, upper) == (pytest.approx(3), pytest.approx(3))
    assert np.isnan(stats.bootstrap_ratio(below, below - 2, np.repeat(range(4), 10))[0])


@pytest.mark.parametrize("launch_sd", [0.0, 1.5])
def test_resolving_power_is_what_it_says(launch_sd):
    """Half of the stated shift is missed often, the stated one is caught about 95 times in 100."""
    rng = np.random.default_rng(9)
    launches = np.repeat(np.arange(8), 6)
    scale = {"stated": 1.0, "half": 0.5}
    caught = {name: 0 for name in scale}
    runs = 150

    def draw():
        return rng.normal(0, 1, 48) + np.repeat(rng.normal(0, launch_sd, 8), 6)

    shift = np.median([stats.resolving_power(stats.paired_interval(draw(), launches), 8) for _ in range(50)])
    for _ in range(runs):
        values = draw()
        for name, factor in scale.items():
            caught[name] += stats.paired_interval(values - factor * shift, launches).upper < 0
    assert 0.89 <= caught["stated"] / runs <= 1.0
    assert caught["half"] / runs < 0.7


def test_resolving_power_without_an_interval():
    assert stats.resolving_power(stats.sign_interval([1.0]), 1) is None


def test_median_of_blocks_leaves_the_rest_out():
    assert stats.median_of_blocks([1, 2, 3, 10, 20, 30, 7], 3).tolist() == [2.0, 20.0]
