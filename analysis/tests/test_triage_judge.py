"""What a triage concludes from peaks whose causes are known."""
import numpy as np
import pytest
from scipy import stats as st

from hakmem_analysis import triage_judge as judge
from hakmem_analysis import triage_words

LAUNCHES = 10


def peaks(kb, jitter_kb=40.0, seed=1, launches=LAUNCHES):
    return kb + np.random.default_rng(seed).normal(0, jitter_kb, launches)


def case(need=100.0, warm_up=0.0, design=0.0, jitter_kb=40.0, launches=LAUNCHES):
    base, off, fixed = (peaks(need + design + added, jitter_kb, seed, launches)
                        for seed, added in ((1, warm_up), (2, 0.0), (3, warm_up)))
    return judge.split(base, off, fixed, need)


@pytest.mark.parametrize("warm_up, design, verdict", [
    (32_000, 0, judge.BENCHMARK), (32_000, 1_000, judge.BENCHMARK), (0, 980, judge.DESIGN),
    (0, 32_000, judge.DESIGN), (2_000, 32_000, judge.DESIGN), (20_000, 12_000, judge.BOTH),
    (0, 0, judge.NONE), (100, 100, judge.NONE)])
def test_verdict(warm_up, design, verdict):
    assert case(warm_up=warm_up, design=design).verdict == verdict


@pytest.mark.parametrize("warm_up, design, jitter_kb", [(0, 1_000, 900), (250, 0, 60)])
def test_too_noisy_is_inconclusive(warm_up, design, jitter_kb):
    assert case(warm_up=warm_up, design=design, jitter_kb=jitter_kb).verdict == judge.INCONCLUSIVE


def test_one_launch_decides_nothing():
    found = case(design=32_000, launches=1)
    assert found.verdict == judge.INCONCLUSIVE and found.confidence == 0 and found.benchmark.share is None


@pytest.mark.parametrize("launches", [2, 4])
def test_launches_of_an_interrupted_run_decide_nothing_and_the_sentence_says_so(launches):
    found = case(warm_up=32_000, launches=launches)
    assert found.verdict == judge.INCONCLUSIVE
    words = triage_words.headline("hakmem", found)
    assert f"{launches} launches of hakmem are too few to tell whether the warm-up" in words


def test_five_launches_are_enough_and_say_how_sure_they_are():
    found = case(warm_up=32_000, launches=5)
    assert found.verdict == judge.BENCHMARK
    # rank sum of 5 and 5: the widest interval, 1 - 2 / C(10, 5); the sign interval of 5: 1 - 2 / 2^5
    assert found.benchmark.interval.confidence == pytest.approx(1 - 2 * 2 / 252)
    assert found.design.interval.confidence == pytest.approx(1 - 2 / 32)
    assert found.confidence == pytest.approx(1 - 4 / 252 - 2 / 32)


def test_parts_add_up_to_the_peak():
    found = case(need=500, warm_up=3_000, design=7_000, jitter_kb=0)
    assert found.peak.point == 10_500 and found.tax_kb == 10_000 and found.limit_kb == 1_000
    assert (found.benchmark.interval.point, found.design.interval.point) == (3_000, 7_000)
    assert found.benchmark.share == pytest.approx((0.3, 0.3, 0.3))
    assert found.design.share == pytest.approx((0.7, 0.7, 0.7))


def test_unknown_need_is_left_in_the_design():
    found = judge.split(peaks(1_000), peaks(1_000, seed=2), peaks(1_000, seed=3), None)
    assert found.need_kb is None and found.design.interval.point == pytest.approx(1_000, abs=40)


def test_warm_up_that_lowers_the_peak_has_no_share():
    found = judge.split(peaks(1_000), peaks(4_000, seed=2), peaks(1_000, seed=3), 100)
    assert found.benchmark.matters == judge.NO and found.benchmark.share == (0, 0, 0)
    assert found.benchmark.interval.point == pytest.approx(-3_000, abs=60)


def test_missing_peaks_decide_nothing():
    nothing = np.full(LAUNCHES, np.nan)
    assert judge.split(nothing, nothing, nothing, 100).verdict == judge.INCONCLUSIVE


@pytest.mark.parametrize("n, m", [(2, 2), (5, 5), (6, 9), (10, 10)])
def test_rank_sum_chances(n, m):
    chances = judge._rank_sum_chances(n, m)
    assert chances.sum() == pytest.approx(1) and chances == pytest.approx(chances[::-1])
    for u in range(3):  # scipy's exact two-sided p of U is twice the lower tail
        values = _samples_with_u(n, m, u)
        exact = st.mannwhitneyu(*values, method="exact").pvalue
        assert min(1, 2 * chances[:u + 1].sum()) == pytest.approx(exact)


def _samples_with_u(n, m, u):
    """n values below all m others, but for the largest, which is above u of them."""
    low, high = np.arange(n, dtype=float), 100 + np.arange(m, dtype=float)
    if u:
        low[-1] = high[u - 1] + 0.5
    return low, high


def test_shift_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(5)
    draws = 2_000
    held = 0
    for _ in range(draws):
        found = judge.shift_interval(rng.exponential(1, 8) + 3, rng.exponential(1, 8))
        held += found.lower <= 3 <= found.upper
    assert held / draws == pytest.approx(found.confidence, abs=0.012) and found.confidence >= 0.975
