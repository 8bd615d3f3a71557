"""The statistics of a comparison: pure functions over arrays.

Purpose     Spread and percentiles of epochs; the ratio of two allocators with its interval; what a run
            could have resolved. docs/design/statistics.md argues the choices.
Boundary    Arrays in, numbers out; nothing here knows files, columns or allocators.
Invariants  NaN in the data is an error of the caller, except where a docstring says otherwise. Too few
            data give NaN, never a made-up number. Random draws take their seed as an argument.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Sequence

import numpy as np
from scipy import stats as st

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
BOOTSTRAP_SEED = 20240229
BOOTSTRAP_DRAWS = 2000
DRAWN_AT_ONCE = 1 << 19  # blocks
LAUNCH_EFFECT_ALPHA = 0.2
DEFAULT_CONFIDENCE = 0.95
LEAST_LAUNCHES = 3  # for an interval of what is taken once a launch
PAGE_KB = 4.0  # in which resident memory comes
DEFAULT_POWER = 0.95


def coefficient_of_variation(values) -> float:
    """Sample standard deviation (n - 1) / mean, a fraction; NaN for fewer than two values."""
    values = np.asarray(values, float)
    if len(values) < 2 or values.mean() == 0:
        return float("nan")
    return float(values.std(ddof=1) / values.mean())


def tail_percentiles(values, tail: str, percentiles: Sequence[float] = PERCENTILES) -> dict:
    """Percentiles towards the bad end, in the unit of `values`, by name: "p50" ... and "worst".

    `tail` is "high" where large is bad (ns/op: p99 is the 99th percentile) or "low" where small is bad
    (throughput: p99 is the value that 99 % of epochs reach, the 1st percentile). Linear interpolation
    between order statistics, numpy's default (Hyndman and Fan 1996, type 7).
    """
    if tail not in ("low", "high"):
        raise ValueError(f"tail is {tail!r}, expected 'low' or 'high'")
    values = np.asarray(values, float)
    if len(values) == 0:
        return {**{f"p{p:g}": float("nan") for p in percentiles}, "worst": float("nan")}
    ranks = [100.0 - p if tail == "low" else p for p in percentiles]
    found = {f"p{p:g}": float(value) for p, value in zip(percentiles, np.percentile(values, ranks))}
    found["worst"] = float(values.min() if tail == "low" else values.max())
    return found


def rows_for_percentile(percentile: float) -> int:
    """Rows below which a percentile is only an interpolation to the worst value: 1 / (1 - p)."""
    return int(np.ceil(100.0 / (100.0 - percentile) - 1e-9))


@dataclass(frozen=True)
class Interval:
    """A point with its confidence interval, on the scale of the data (log ratios, say).

    `confidence` is what the interval truly covers (a fraction), which may exceed or, with few data, fall
    short of what was asked. `quantile` is the multiplier of the standard error behind the half width;
    resolving_power() needs it. `method` names the procedure.
    """

    point: float
    lower: float
    upper: float
    confidence: float
    quantile: float
    method: str


def sign_interval_rank(n: int, confidence: float) -> tuple:
    """(k, coverage): the k-th smallest and k-th largest of n values cover the median exactly that often.

    Coverage = 1 - 2 P(Bin(n, 1/2) <= k - 1) for any continuous distribution (Conover, Practical
    Nonparametric Statistics, 3.2). k is the largest with coverage >= confidence, else 1.
    """
    best, coverage = 1, 1.0 - 2.0 * st.binom.cdf(0, n, 0.5)
    for k in range(2, n // 2 + 1):
        covers = 1.0 - 2.0 * st.binom.cdf(k - 1, n, 0.5)
        if covers < confidence:
            break
        best, coverage = k, covers
    return best, float(max(coverage, 0.0))


def sign_interval(values, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
    """The median with its exact order-statistic (sign) interval. NaN bounds for fewer than two values."""
    values = np.sort(np.asarray(values, float))
    n = len(values)
    if n < 2:
        point = float(values[0]) if n else float("nan")
        return Interval(point, float("nan"), float("nan"), 0.0, float("nan"), "sign")
    k, coverage = sign_interval_rank(n, confidence)
    quantile = float(st.norm.ppf((1 + coverage) / 2))
    return Interval(float(np.median(values)), float(values[k - 1]), float(values[n - k]), coverage, quantile,
                    "sign")


def launch_interval(values, launches, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
    """Student's t interval over the medians of the launches: mean +- t(confidence, L - 1) s / sqrt(L).

    The launch is the unit, as Kalibera and Jones (Rigorous Benchmarking in Reasonable Time, 2013) argue
    for data whose highest level of repetition varies. NaN bounds for fewer than two launches.
    """
    medians = launch_medians(values, launches)
    n = len(medians)
    if n < 2:
        point = float(medians[0]) if n else float("nan")
        return Interval(point, float("nan"), float("nan"), 0.0, float("nan"), "launches")
    quantile = float(st.t.ppf((1 + confidence) / 2, n - 1))
    half = quantile * medians.std(ddof=1) / np.sqrt(n)
    return Interval(float(medians.mean()), float(medians.mean() - half), float(medians.mean() + half),
                    confidence, quantile, "launches")


def page_share(*values_kb: float) -> float:
    """A page as a log ratio to the smallest of some amounts of memory."""
    return float(np.log1p(PAGE_KB / min(values_kb)))


def no_narrower(interval: Interval, half: float) -> Interval:
    """The interval, reaching at least `half` to each side of its point."""
    return replace(interval, lower=min(interval.lower, interval.point - half),
                   upper=max(interval.upper, interval.point + half))


def launch_medians(values, launches) -> np.ndarray:
    """The median of the values of each launch, in the launches' order."""
    values, launches = np.asarray(values, float), np.asarray(launches)
    return np.array([np.median(values[launches == launch]) for launch in np.unique(launches)])


def launch_effect_p(values, launches) -> float:
    """p of the Kruskal-Wallis test that all launches have one distribution; NaN where it says nothing
    (one launch, or no launch with two values)."""
    values, launches = np.asarray(values, float), np.asarray(launches)
    groups = [values[launches == launch] for launch in np.unique(launches)]
    if len(groups) < 2 or max(map(len, groups)) < 2 or np.ptp(values) == 0:
        return float("nan")
    return float(st.kruskal(*groups).pvalue)


def paired_interval(values, launches, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
    """The interval of the centre of block values taken in several launches.

    The sign interval over all blocks, unless the launches differ among themselves (Kruskal-Wallis
    p < 0.2): then blocks of a launch are no independent witnesses, the sign interval over them covers
    the truth far less often than it says (72 % for launch effects as large as the block noise), and
    Student's interval over the launches takes its place. The lax 0.2 keeps coverage at 94 % or more
    where the effect is too small to be shown; test_stats.py simulates it.
    """
    p = launch_effect_p(values, launches)
    if p < LAUNCH_EFFECT_ALPHA:
        return launch_interval(values, launches, confidence)
    return sign_interval(values, confidence)


def _two_level_draws(launches, draws: int, seed: int):
    """Index arrays that draw launches with replacement, then as many blocks within each.

    Yields (indices, counts) of some draws at a time: counts[i] blocks in draw i, their indices one draw
    after the other. Some at a time, so that the memory is bounded.
    """
    launches = np.asarray(launches)
    order = np.argsort(launches, kind="stable")
    _, starts, sizes = np.unique(launches[order], return_index=True, return_counts=True)
    rng = np.random.default_rng(seed)
    at_once = max(1, DRAWN_AT_ONCE // len(launches))
    for first in range(0, draws, at_once):
        picked = rng.integers(0, len(sizes), (min(at_once, draws - first), len(sizes)))
        count = sizes[picked]
        each = count.ravel()
        offsets = (rng.random(each.sum()) * np.repeat(each, each)).astype(int)
        yield order[np.repeat(starts[picked.ravel()], each) + offsets], count.sum(axis=1)


def _medians(values, counts) -> np.ndarray:
    """The median of each draw: counts[i] values of draw i, one draw after the other."""
    rows = np.full((len(counts), counts.max()), np.inf)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = values
    rows.sort(axis=1)
    draw = np.arange(len(counts))
    return (rows[draw, (counts - 1) // 2] + rows[draw, counts // 2]) / 2.0


def _percentile_bounds(draws, confidence: float) -> tuple:
    tail = 100.0 * (1.0 - confidence) / 2.0
    lower, upper = np.percentile(draws, [tail, 100.0 - tail])
    return float(lower), float(upper)


def bootstrap_interval(values, launches, confidence: float = DEFAULT_CONFIDENCE, draws: int = BOOTSTRAP_DRAWS,
                       seed: int = BOOTSTRAP_SEED) -> tuple:
    """(lower, upper): percentile bootstrap of the median, drawing launches, then blocks within each.

    Davison and Hinkley, Bootstrap Methods and their Application, 3.8. NaN for fewer than two values.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return float("nan"), float("nan")
    medians = [_medians(values[index], counts) for index, counts in _two_level_draws(launches, draws, seed)]
    return _percentile_bounds(np.concatenate(medians), confidence)


def bootstrap_ratio(above, below, launches, confidence: float = DEFAULT_CONFIDENCE,
                    draws: int = BOOTSTRAP_DRAWS, seed: int = BOOTSTRAP_SEED) -> tuple:
    """(lower, upper) of median(above) / median(below) of paired values, by the same two-level draws.

    NaN for fewer than two values, or where a drawn denominator is not positive: then the data do not
    bound the ratio.
    """
    above, below = np.asarray(above, float), np.asarray(below, float)
    if len(above) < 2:
        return float("nan"), float("nan")
    pairs = [(_medians(above[index], counts), _medians(below[index], counts))
             for index, counts in _two_level_draws(launches, draws, seed)]
    tops, bottoms = np.concatenate(pairs, axis=1)
    if (bottoms <= 0).any():
        return float("nan"), float("nan")
    return _percentile_bounds(tops / bottoms, confidence)


def bootstrap_cv_ratio(above: tuple, below: tuple, launches, confidence: float = DEFAULT_CONFIDENCE,
                       draws: int = BOOTSTRAP_DRAWS, seed: int = BOOTSTRAP_SEED) -> tuple:
    """(lower, upper) of cv(above) / cv(below): percentile bootstrap, drawing launches, then stretches within.

    A side is (values, the stretch of each value, from 0); launches[j] is the launch of stretch j. What is
    drawn are stretches with both sides, so that what the sides share stays shared, and so does the order
    within (Kuensch 1989: blocks of a series with a memory). NaN where a draw has no CV.
    """
    totals = [_power_sums(*side, len(launches)) for side in (above, below)]
    drawn = []
    for index, counts in _two_level_draws(launches, draws, seed):
        draw = np.repeat(np.arange(len(counts)), counts)
        weights = np.bincount(draw * len(launches) + index, minlength=len(counts) * len(launches))
        weights = weights.reshape(len(counts), len(launches)).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            top, bottom = (_cv_of_sums(*(weights @ sums).T) for sums in totals)
            drawn.append(top / bottom)
    ratios = np.concatenate(drawn)
    if not np.isfinite(ratios).all():
        return float("nan"), float("nan")
    return _percentile_bounds(ratios, confidence)


def _power_sums(values, stretches, count: int) -> np.ndarray:
    """By stretch: number, sum and sum of squares, in units of the mean, about which nothing cancels."""
    values = np.asarray(values, float)
    values = values / values.mean() - 1
    return np.stack([np.bincount(stretches, power, count) for power in (np.ones_like(values), values,
                                                                        values ** 2)], axis=1)


def _cv_of_sums(count, total, squares):
    """The CVs of values whose sums are _power_sums()."""
    return np.sqrt((squares - total ** 2 / count) / (count - 1)) / (1 + total / count)


def resolving_power(interval: Interval, launches: int, power: float = DEFAULT_POWER) -> Optional[float]:
    """The shift, on the scale of the data, that a run as noisy as this one shows with that power.

    delta = (q(confidence) + q(power)) SE, the sample-size formula of a two-sided test turned round
    (Chow, Shao and Wang, Sample Size Calculations, 3.1), with SE = half width / q(confidence); q is
    normal for the sign interval and Student's t with launches - 1 degrees of freedom for the launch one.
    None when there is no interval.
    """
    if not np.isfinite(interval.lower) or not interval.quantile > 0:
        return None
    student = interval.method == "launches"
    extra = st.t.ppf(power, launches - 1) if student else st.norm.ppf(power)
    standard_error = (interval.upper - interval.lower) / 2.0 / interval.quantile
    return float((interval.quantile + extra) * standard_error)


def median_of_blocks(values, size: int) -> np.ndarray:
    """Medians of consecutive blocks of `size` values; a shorter rest is left out."""
    values = np.asarray(values, float)
    count = len(values) // size
    return np.median(values[:count * size].reshape(count, size), axis=1)
