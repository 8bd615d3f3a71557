"""Exact intervals of shares, and what they say of a declaration."""
import numpy as np
import pytest
from scipy import stats as st

from hakmem_analysis.rates import BROKEN, MET, NOT_RUN, OPEN, Rate, exact_interval


@pytest.mark.parametrize("count, runs, lower, upper", [
    (0, 20, 0.0, 0.1684), (1, 20, 0.0013, 0.2487), (10, 20, 0.2720, 0.7280), (20, 20, 0.8316, 1.0)])
def test_exact_interval_equals_the_published_table(count, runs, lower, upper):
    """Clopper-Pearson limits for n = 20 (Documenta Geigy, Scientific Tables)."""
    assert exact_interval(count, runs) == pytest.approx((lower, upper), abs=5e-5)


def test_exact_interval_covers_at_least_as_often_as_it_says():
    for share in (0.025, 0.5, 0.95):
        counts = np.arange(41)
        holds = [exact_interval(count, 40)[0] <= share <= exact_interval(count, 40)[1] for count in counts]
        assert st.binom.pmf(counts, 40, share)[holds].sum() >= 0.95


@pytest.mark.parametrize("rate, state", [
    (Rate("x", 0, 0, at_most=0.025), NOT_RUN), (Rate("x", 0, 3, at_most=0.025), MET),
    (Rate("x", 1, 10, at_most=0.025), OPEN), (Rate("x", 8, 10, at_most=0.025), BROKEN),
    (Rate("x", 20, 20, at_least=0.95), MET), (Rate("x", 18, 20, at_least=0.95), OPEN),
    (Rate("x", 5, 20, at_least=0.95), BROKEN), (Rate("x", 95, 100, 0.93, 0.97), MET),
    (Rate("x", 100, 100, 0.93, 0.97), OPEN), (Rate("x", 1000, 1000, 0.93, 0.97), BROKEN),
    (Rate("x", 3, 10), "")])
def test_states(rate, state):
    assert rate.state == state
