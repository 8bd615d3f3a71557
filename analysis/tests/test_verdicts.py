"""verdicts.py: each decision at its borders, and the error rates that it promises."""
import numpy as np
import pytest

from hakmem_analysis import verdicts

NAN = float("nan")


@pytest.mark.parametrize("lower, upper, better, expected", [
    (1.01, 1.03, "higher", "better"), (0.97, 0.99, "higher", "worse"), (0.99, 1.01, "higher", "inconclusive"),
    (1.01, 1.03, "lower", "worse"), (0.97, 0.99, "lower", "better"), (1.0, 1.2, "higher", "inconclusive"),
    (NAN, NAN, "higher", "inconclusive")])
def test_difference(lower, upper, better, expected):
    assert verdicts.difference(lower, upper, better) == expected


@pytest.mark.parametrize("lower, upper, expected", [
    (0.98, 1.01, "pass"), (0.90, 0.96, "fail"), (0.96, 0.99, "inconclusive"), (0.97, 0.99, "inconclusive"),
    (0.90, 0.97, "inconclusive"), (NAN, NAN, "inconclusive")])
def test_regression_with_a_margin_of_three_percent(lower, upper, expected):
    assert verdicts.regression(lower, upper, 0.03) == expected


@pytest.mark.parametrize("lower, upper, expected", [
    (1.02, 1.05, "GO"), (0.99, 1.005, "NO-GO"), (1.0, 1.05, "NEUTRAL"), (NAN, NAN, "NEUTRAL")])
def test_experiment_with_a_gain_of_one_percent(lower, upper, expected):
    assert verdicts.experiment(lower, upper, 0.01) == expected


def test_holm_example():
    """p 0.01, 0.04, 0.03, 0.005 at 0.05: the two smallest are rejected (0.0125, 0.0167), 0.03 > 0.025."""
    assert verdicts.holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert verdicts.holm([]) == []
    assert verdicts.holm([NAN, 0.001]) == [False, True]


def test_holm_keeps_the_familywise_error():
    p = np.random.default_rng(1).random((4000, 6))
    assert np.mean([any(verdicts.holm(row)) for row in p]) == pytest.approx(0.05, abs=0.012)


def test_three_looks_share_alpha():
    assert verdicts.look_confidence(0.95) == pytest.approx(1 - 0.05 / 3)
    assert verdicts.look_confidence(0.95, looks=1) == pytest.approx(0.95)
