"""Estimates over launches against scipy, published figures and simulations whose truth is known."""
import numpy as np
import pytest
from scipy import stats as st

from hakmem_analysis import launch_stats as ls
from hakmem_analysis import stats


def test_paired_is_students_t():
    values = np.random.default_rng(1).normal(0.01, 0.02, 12)
    interval = ls.paired(values).interval(0.98)
    low, high = st.t.interval(0.98, 11, values.mean(), st.sem(values))
    assert (interval.lower, interval.upper) == (pytest.approx(low), pytest.approx(high))
    assert ls.paired(values).p_value(0.0, "above") == pytest.approx(
        st.ttest_1samp(values, 0.0, alternative="greater").pvalue)
    assert ls.paired(values).p_value(0.02, "below") == pytest.approx(
        st.ttest_1samp(values, 0.02, alternative="less").pvalue)


def test_the_paired_estimate_goes_with_the_launch_interval():
    """Over the launches' medians both give one interval, whose bounds have p = (1 - confidence) / 2."""
    rng = np.random.default_rng(2)
    launches = np.repeat(np.arange(8), 5)
    values = rng.normal(0, 1, 40) + np.repeat(rng.normal(0, 1, 8), 5)
    interval = stats.launch_interval(values, launches, 0.95)
    estimate = ls.paired(stats.launch_medians(values, launches))
    assert estimate.interval(0.95).lower == pytest.approx(interval.lower)
    assert estimate.p_value(interval.upper, "below") == pytest.approx(0.025)
    assert estimate.p_value(interval.lower, "above") == pytest.approx(0.025)
    with pytest.raises(ValueError):
        estimate.p_value(0, "beyond")


def test_welch_is_scipys():
    rng = np.random.default_rng(3)
    new, old = rng.normal(1.0, 0.5, 9), rng.normal(0.8, 2.0, 25)
    theirs = st.ttest_ind(new, old, equal_var=False, alternative="greater")
    ours = ls.welch(new, old)
    assert ours.point == pytest.approx(new.mean() - old.mean())
    assert ours.p_value(0.0, "above") == pytest.approx(theirs.pvalue)
    interval = ours.interval(0.95)
    assert ours.p_value(interval.lower, "above") == pytest.approx(0.025)


def test_welch_of_a_published_example():
    """Welch's test on Student's sleep data, the example of R's help page for t.test: t = -1.8608,
    df = 17.776, 95 % interval -3.3654832 .. 0.2054832."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    estimate = ls.welch(first, second)
    assert estimate.point / estimate.standard_error == pytest.approx(-1.8608, abs=1e-4)
    assert estimate.dof == pytest.approx(17.776, abs=1e-3)
    interval = estimate.interval(0.95)
    assert (interval.lower, interval.upper) == (pytest.approx(-3.3654832, abs=1e-6),
                                                pytest.approx(0.2054832, abs=1e-6))


def test_welch_covers_the_truth_where_spreads_differ():
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(600):
        interval = ls.welch(rng.normal(0.1, 1, 10), rng.normal(0, 3, 30)).interval(0.95)
        covered += interval.lower <= 0.1 <= interval.upper
    assert 0.92 <= covered / 600 <= 0.975


def test_garwoods_bounds_of_published_counts():
    """Garwood's table: 0 -> 0 .. 3.689, 5 -> 1.623 .. 11.668, 10 -> 4.795 .. 18.390."""
    for count, bounds in ((0, (0, 3.689)), (5, (1.623, 11.668)), (10, (4.795, 18.390))):
        assert ls.poisson_bounds(count, 0.95) == pytest.approx(bounds, abs=6e-4)


def test_no_event_in_any_launch_is_no_proof_of_none():
    counts = ls.Counts(0, 40e6, 0, 40e6, 1e6)
    estimate = ls.paired(np.zeros(10), counts)
    interval = estimate.interval(0.95)
    assert interval.upper == pytest.approx(3.689 / 40, abs=1e-4) and interval.lower == -interval.upper
    assert ls.paired(np.zeros(10)).interval(0.95).upper == 0
    assert estimate.p_value(interval.upper, "below") == pytest.approx(0.025, rel=1e-6)
    assert estimate.p_value(interval.upper / 2, "below") > 0.025 > estimate.p_value(0.2, "below")
    assert estimate.p_value(0.0, "above") >= 0.5


@pytest.mark.parametrize("rates, spread", [((0.05, 0.05), 0), ((0.5, 2.0), 0), ((3.0, 5.0), 1.0)])
def test_count_interval_covers_the_truth(rates, spread):
    """Poisson counts a launch, also with rates that differ from launch to launch (gamma, variance
    `spread` times the mean squared): never below the stated 95 % by more than simulation error."""
    rng = np.random.default_rng(5)
    covered, runs, launches = 0, 400, 12
    for _ in range(runs):
        seen = []
        for rate in rates:
            means = rng.gamma(1 / spread, rate * spread, launches) if spread else rate
            seen.append(rng.poisson(means, launches))
        counts = ls.Counts(seen[0].sum(), launches, seen[1].sum(), launches)
        interval = ls.paired(seen[0] - seen[1], counts).interval(0.95)
        covered += interval.lower <= rates[0] - rates[1] <= interval.upper
    assert covered / runs >= 0.93


def test_equivalence_is_two_one_sided_tests():
    values = np.random.default_rng(6).normal(0.001, 0.01, 20)
    estimate = ls.paired(values)
    p = ls.equivalence_p(estimate, np.log(0.985), np.log(1.015))
    assert p == pytest.approx(max(
        st.ttest_1samp(values, np.log(0.985), alternative="greater").pvalue,
        st.ttest_1samp(values, np.log(1.015), alternative="less").pvalue))
    assert p < 0.05 < ls.equivalence_p(estimate, np.log(0.999), np.log(1.001))


def test_equivalence_is_claimed_in_error_no_more_often_than_alpha():
    rng = np.random.default_rng(7)
    wrong = sum(ls.equivalence_p(ls.paired(rng.normal(0.015, 0.01, 10)), -0.015, 0.015) < 0.05
                for _ in range(800))
    assert 0.03 <= wrong / 800 <= 0.07


def test_too_few_launches_decide_nothing():
    for estimate in (ls.paired([]), ls.paired([0.1]), ls.welch([0.1], [0.1, 0.2])):
        assert np.isnan(estimate.interval().lower) and np.isnan(estimate.p_value(0, "above"))


def test_no_interval_is_narrower_than_its_least():
    for estimate in (ls.paired([0.5, 0.5, 0.5], least=0.1), ls.welch([0.6] * 3, [0.1] * 3, least=0.1)):
        interval = estimate.interval()
        assert (interval.lower, interval.upper) == pytest.approx((0.4, 0.6))
        assert [estimate.p_value(bound, "above") for bound in (0.39, 0.41)] == pytest.approx([0, 1])
        assert [estimate.p_value(bound, "below") for bound in (0.59, 0.61)] == pytest.approx([1, 0])
    spread = [0.1, 0.5, 0.9]
    assert ls.paired(spread, least=0.1).interval() == ls.paired(spread).interval()


def test_launches_that_agree_exactly():
    estimate = ls.paired([0.5, 0.5, 0.5])
    assert (estimate.p_value(0.4, "above"), estimate.p_value(0.6, "above")) == (0.0, 1.0)
    assert ls.welch([1, 1], [1, 1, 1]).interval().upper == 0


def test_bounds_of_further_rates_join_the_others():
    """A difference of four rates holds the truth as often as it says."""
    rng, held = np.random.default_rng(8), 0
    rates, ops, weight = (3.0, 1.0, 2.0, 0.5), 5.0, 1.25
    truth = rates[0] - rates[1] - weight * (rates[2] - rates[3])
    for _ in range(500):
        seen = [float(rng.poisson(rate * ops)) for rate in rates]
        lower, upper = ls.count_bounds(ls.Counts(seen[0], ops, seen[1], ops, 1.0, (
            (seen[2], ops, -weight), (seen[3], ops, weight))), 0.95)
        held += lower <= truth <= upper
    assert 0.94 <= held / 500 <= 0.995
