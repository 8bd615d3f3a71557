"""Power and sample size against a published table and against simulation."""
import math
import warnings

import numpy as np
import pytest

from hakmem_analysis import launch_stats, power


def test_power_of_a_published_example():
    """R's help page: power.t.test(n = 20, delta = 1, sd = 1, type = "paired" or "one.sample") gives 0.9886;
    for power 0.90 it takes n = 12.585, so 13."""
    assert power.t_power(math.sqrt(20), 19, 0.95) == pytest.approx(0.98860, abs=2e-4)
    assert power.launches_needed(1.0, 1.0, power=0.90) == 13


def test_launches_needed_are_the_fewest():
    for spread, shift in ((0.007, 0.005), (0.007, 0.01), (0.02, 0.03)):
        n = power.launches_needed(spread, shift, looks=3)
        shown = [power.shift_resolved(spread, launches, looks=3) for launches in (n, n - 1)]
        assert shown[0] <= shift < shown[1]


def test_more_looks_and_smaller_shifts_take_more():
    plan = [power.launches_needed(0.007, 0.01, looks=looks) for looks in (1, 2, 3)]
    assert plan == sorted(plan) and plan[0] < plan[2]
    assert power.launches_needed(0.007, 0.005) > 3 * power.launches_needed(0.007, 0.01)
    assert power.launches_needed(0.0, 0.01) == 2


def test_planned_launches_reach_the_planned_power():
    n = power.launches_needed(0.007, 0.005, confidence=0.95, power=0.9)
    rng = np.random.default_rng(1)
    shown = sum(launch_stats.paired(rng.normal(0.005, 0.007, n)).interval(0.95).lower > 0
                for _ in range(1500))
    assert shown / 1500 == pytest.approx(0.9, abs=0.025)


def test_no_warning_of_the_library_reaches_people():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dof in (1, 3, 15, 63):
            assert power.t_power(power.shift_shown(dof, 0.983), dof, 0.983) == pytest.approx(0.95)


def test_what_cannot_be_planned():
    for spread, shift in ((0.1, 0.0), (float("nan"), 0.1), (10.0, 1e-6)):
        with pytest.raises(ValueError):
            power.launches_needed(spread, shift)
    assert math.isnan(power.shift_resolved(0.01, 1)) and math.isnan(power.shift_shown(0, 0.95))
