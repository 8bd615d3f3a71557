"""The ratio of two CVs, on folders whose truth is known."""
import numpy as np
import pytest

from folders import make_folder
from hakmem_analysis import stats
from hakmem_analysis.compare import compare
from hakmem_analysis.describe import summarise
from hakmem_analysis.load import load_result
from hakmem_analysis.spread import compare_spread
from soak_folders import make_soak


def widened(result, label, factor):
    """The result with the deviations of a subject's log throughput multiplied."""
    rows = result.epochs["subject"] == label
    logs = np.log(result.epochs.loc[rows, "ops_per_s"])
    result.epochs.loc[rows, "ops_per_s"] = np.exp(logs.mean() + factor * (logs - logs.mean()))
    return result


def soak_of_two(folder, **choice):
    return load_result(make_soak(folder, {"hakmem": lambda _: 0.0, "mimalloc": lambda _: 0.0}, reference=1,
                                 **choice))


def test_like_spreads_are_not_told_apart(ab_folder):
    result = load_result(ab_folder)
    row = next(row for row in compare(result) if row.metric == "cv")
    assert row.lower < 1 < row.upper and row.verdict == "inconclusive" and row.unit == "stretches"
    assert row.ratio == pytest.approx(summarise(result, "a").cv / summarise(result, "b").cv)
    assert row.candidate_value == summarise(result, "a").cv
    assert row.reference_value == summarise(result, "b").cv


@pytest.mark.parametrize("factor, verdict", [(2.0, "worse"), (0.5, "better")])
def test_a_planted_spread_is_found(tmp_path, factor, verdict):
    result = load_result(make_folder(tmp_path / "run"))
    result.epochs = result.epochs[result.epochs["kind"] == "throughput"]
    row = compare_spread(widened(result, "a", factor), "a", 0.95)
    assert row.verdict == verdict and row.lower < factor < row.upper


def test_what_both_meet_cancels(tmp_path):
    """A machine that wanders by a third spreads both sides by the same: their CVs come with it, the ratio
    does not, and its interval stays narrow."""
    result = soak_of_two(tmp_path / "soak")
    machine = np.exp(0.2 * np.sin(np.arange(len(result.epochs)) / 40))
    result.epochs["ops_per_s"] *= machine
    row = compare_spread(result, "a", 0.95)
    assert row.candidate_value > 0.1
    assert 0.95 < row.lower < 1 < row.upper < 1.05


def test_a_memory_makes_stretches_long(tmp_path):
    short = compare_spread(soak_of_two(tmp_path / "a"), "a", 0.95)
    result = soak_of_two(tmp_path / "b")
    own = np.where(result.epochs["subject"] == "a", 0.2, 0) * np.sin(np.arange(len(result.epochs)) / 10)
    result.epochs["ops_per_s"] *= np.exp(own)
    long = compare_spread(result, "a", 0.95)
    assert short.blocks > 100 and 10 <= long.blocks < 50


def test_a_subject_that_has_few_turns_is_in_each_stretch(tmp_path):
    row = compare_spread(soak_of_two(tmp_path / "soak", every=5), "a", 0.95)
    assert 50 < row.blocks <= 100 and row.lower < 1 < row.upper


def test_too_few_stretches_give_no_interval(tmp_path):
    folder = make_folder(tmp_path / "run", launches=1, blocks_per_launch=4)
    row = compare_spread(load_result(folder), "a", 0.95)
    assert row.ratio > 0 and (row.lower, row.verdict) == (None, "inconclusive")
    assert "fewer than 10 stretches" in row.note


@pytest.mark.parametrize("blocks, least", [(6, 0), (12, 8)])
def test_blocks_of_one_launch_bound_the_ratio_or_say_why_not(tmp_path, blocks, least):
    """In ABBA the neighbours of two A are one B: it is no memory of theirs, and each stretch has both."""
    rows = [compare_spread(load_result(make_folder(tmp_path / f"{seed}", launches=1, seed=seed,
                                                   blocks_per_launch=blocks)), "a", 0.95)
            for seed in range(10)]
    assert all((row.lower is None) == bool(row.note) for row in rows)
    assert sum(row.lower is not None for row in rows) >= least


def test_a_launch_that_was_cut_off_takes_no_interval_away(tmp_path):
    """Draws of it alone would have no spread: one in four, of two launches."""
    rows = []
    for seed in range(6):
        result = load_result(make_folder(tmp_path / f"{seed}", launches=2, blocks_per_launch=30, seed=seed))
        result.epochs = result.epochs[(result.epochs["launch"] == 0) | (result.epochs["block"] == 30)]
        rows.append(compare_spread(result, "a", 0.95))
    assert all((row.lower is None) == ("fewer than 10" in row.note) for row in rows)
    bounds = [(row.lower, row.upper) for row in rows if row.lower is not None]
    assert len(bounds) >= 3 and all(0.3 < lower < upper < 3 for lower, upper in bounds)


def test_sides_that_share_no_launch_have_no_interval(tmp_path):
    """Noise over the limit took all epochs of one side from each launch."""
    result = load_result(make_folder(tmp_path / "run", launches=2))
    result.epochs["excluded"] = (result.epochs["subject"] == "a") == (result.epochs["launch"] == 0)
    row = compare_spread(result, "a", 0.95)
    assert row.ratio > 0 and row.lower is None and "fewer than 10 stretches" in row.note


def test_noise_over_the_limit_decides_nothing(tmp_path):
    result = load_result(make_folder(tmp_path / "run", quarantined=range(45)))
    result.epochs["excluded"] = True
    row = compare_spread(widened(result, "a", 5), "a", 0.95)
    assert row.lower > 1 and row.noisy and row.verdict == "inconclusive" and "quieter machine" in row.note


def test_a_series_without_spread_has_no_ratio(tmp_path):
    result = load_result(make_folder(tmp_path / "run"))
    result.epochs.loc[result.epochs["subject"] == "b", "ops_per_s"] = 1e8
    row = compare_spread(result, "a", 0.95)
    assert (row.ratio, row.lower) == (None, None) and "a CV is zero" in row.note


def test_the_bootstrap_draws_the_textbook_cv():
    """With a stretch a launch of its own each draw is a choice of whole series; drawing both of two gives one
    of four ratios, whose extremes are the bounds."""
    above, below = np.array([1.0, 2, 4, 5, 5, 9]), np.array([3.0, 4, 5, 6, 8, 8])
    stretches = np.array([0, 0, 0, 1, 1, 1])
    cv = stats.coefficient_of_variation
    halves = [[cv(np.concatenate([side[stretches == i] for i in pick])) for side in (above, below)]
              for pick in ((0, 0), (0, 1), (1, 1))]
    ratios = [top / bottom for top, bottom in halves]
    found = stats.bootstrap_cv_ratio((above, stretches), (below, stretches), [0, 1])
    assert found == (pytest.approx(min(ratios)), pytest.approx(max(ratios)))


def autoregressive(rng, n, rho, tails):
    """A series with a memory; `tails` are the degrees of freedom of its noise."""
    noise, x = rng.standard_t(tails, n), np.zeros(n)
    for i in range(1, n):
        x[i] = rho * x[i - 1] + noise[i]
    return x


@pytest.mark.parametrize("rho, tails, least", [(0.0, 30, 0.88), (0.6, 30, 0.85), (0.0, 4, 0.85)])
def test_coverage(tmp_path, rho, tails, least):
    """How often the interval holds the truth, 1; docs/design/statistics.md has the table."""
    rng, result, held = np.random.default_rng(5), soak_of_two(tmp_path / "soak", soak_s=240), 0
    bounds = 0
    order = result.epochs["subject"] == "a"
    for _ in range(100):
        rate = np.empty(len(result.epochs))
        for side in (order, ~order):
            rate[side] = autoregressive(rng, int(side.sum()), rho, tails)
        result.epochs["ops_per_s"] = 1e8 * np.exp(0.01 * rate)
        row = compare_spread(result, "a", 0.95)
        bounds += row.lower is not None
        held += row.lower is not None and row.lower < 1 < row.upper
    assert bounds > 80 and held / bounds >= least
