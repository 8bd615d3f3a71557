"""The statistics of a series in time: pure functions over arrays.

Purpose     Slope with interval, test for a trend, memory of a series; one step, a staircase, a trend.
Boundary    Arrays in, numbers out. x is in any unit; slopes are in units of y by units of x.
Invariants  Too few data give NaN, never a made-up number.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as st

MIN_TREND_POINTS = 8
MAX_BLOCKS = 240
MEMORYLESS = 1.2
BLOCK_AUTOCORRELATION_TIMES = 3


@dataclass(frozen=True)
class Slope:
    """A slope with its confidence interval, and the p of the Mann-Kendall test for any trend."""

    slope: float
    lower: float
    upper: float
    mann_kendall_p: float


def mann_kendall(y) -> tuple:
    """(tau, p): Kendall's tau of y against its order, two-sided p (Mann 1945, Kendall 1975; tau-b by
    scipy, which corrects for ties). A constant series has tau 0 and p 1."""
    y = np.asarray(y, float)
    if len(y) < 3 or np.ptp(y) == 0:
        return 0.0, 1.0
    tau, p = st.kendalltau(np.arange(len(y)), y)
    return float(tau), float(p)


def theil_sen(x, y, confidence: float = 0.95) -> Slope:
    """Median of the slopes of all pairs, with Sen's interval (Sen 1968), by scipy.

    The interval counts values as independent: thin a correlated series first, to medians of blocks
    longer than autocorrelation_time(). Pairs make it O(n^2) in time and memory: 1,000 points are 4 MB.
    NaN for fewer than MIN_TREND_POINTS points.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(y) < MIN_TREND_POINTS:
        nan = float("nan")
        return Slope(nan, nan, nan, nan)
    slope, _, lower, upper = st.theilslopes(y, x, confidence)
    return Slope(float(slope), float(lower), float(upper), mann_kendall(y)[1])


def autocorrelation_time(y, window: float = 5.0) -> float:
    """Integrated autocorrelation time in samples: 1 + 2 sum rho(k), at least 1.

    The straight line through y is taken off first, since a trend would count as memory. The sum stops at
    the first M >= window * tau(M) (Sokal, Monte Carlo Methods in Statistical Mechanics, 1997, section 3), and
    the largest sum on the way counts: in a short series the estimates of rho fall below 0 further out and
    would take the memory away again. A constant series has time 1.
    """
    y = np.asarray(y, float)
    n = len(y)
    if n < 4:
        return 1.0
    t = np.arange(n)
    residual = y - np.polyval(np.polyfit(t, y, 1), t)
    if residual.std() <= 1e-12 * max(1.0, np.abs(y).max()):
        return 1.0
    spectrum = np.fft.rfft(residual, 2 * n)
    rho = np.fft.irfft(spectrum * np.conj(spectrum))[:n]
    rho /= rho[0]
    tau = 2.0 * np.cumsum(rho) - 1.0
    enough = np.nonzero(t >= window * tau)[0]
    return float(max(1.0, tau[:enough[0] + 1].max() if len(enough) else tau.max()))


def block_size(values: np.ndarray) -> int:
    """Epochs a block, so that block medians are independent enough for Sen's interval.

    Three autocorrelation times, and 1 for a series without memory. With AR(1) noise (0.5, 0.8) the 95 %
    interval of the slope then covers the truth in 95 of 100 soaks; with one time a block in 87.
    """
    time = autocorrelation_time(values)
    enough = 1 if time <= MEMORYLESS else int(np.ceil(BLOCK_AUTOCORRELATION_TIMES * time))
    return max(enough, int(np.ceil(len(values) / MAX_BLOCKS)))


@dataclass(frozen=True)
class Step:
    """One step: from index `at` on, the level is `size` higher. `gain` is the share of the straight
    line's absolute error that the step removes (1: a perfect step; 0 or less: the line fits as well)."""

    at: int
    size: float
    gain: float


def one_step(y) -> Step:
    """The best split of y into two constant levels (medians, least absolute error), against the
    Theil-Sen line. At least two points on each side; an O(n^2) search, meant for block medians."""
    y = np.asarray(y, float)
    n = len(y)
    if n < 4:
        return Step(0, 0.0, 0.0)

    def error(part):
        return np.abs(part - np.median(part)).sum()

    at = min(range(2, n - 1), key=lambda k: error(y[:k]) + error(y[k:]))
    step_error = error(y[:at]) + error(y[at:])
    t = np.arange(n)
    slope, intercept, _, _ = st.theilslopes(y, t)
    line_error = np.abs(y - intercept - slope * t).sum()
    gain = 1.0 - step_error / line_error if line_error > 0 else 0.0
    return Step(at, float(np.median(y[at:]) - np.median(y[:at])), float(gain))


def mean_increment(x, y, confidence: float = 0.95) -> Slope:
    """The mean of the slopes between neighbouring points, with Student's interval.

    For a series that remembers for ever (a leak that comes at random is a random walk around its line):
    its values are no independent witnesses, its increments are. For independent values it is right too, but
    wide. y may be averages of a walk over intervals that touch: their increments share half an interval
    (correlation 1/4; Working, Econometrica 28, 1960), so the variance is taken 3/2 times as large. NaN for
    fewer than MIN_TREND_POINTS points.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(y) < MIN_TREND_POINTS:
        nan = float("nan")
        return Slope(nan, nan, nan, nan)
    rates = np.diff(y) / np.diff(x)
    half = st.t.ppf((1 + confidence) / 2, len(rates) - 1) * rates.std(ddof=1) * np.sqrt(1.5 / len(rates))
    return Slope(float(rates.mean()), float(rates.mean() - half), float(rates.mean() + half),
                 mann_kendall(y)[1])


def isotonic(y) -> np.ndarray:
    """The least-squares fit of y that never falls: pool adjacent violators (Barlow and others, Statistical
    Inference under Order Restrictions, 1972)."""
    pools: list = []  # (mean, how many)
    for value in np.asarray(y, float):
        mean, count = value, 1
        while pools and pools[-1][0] >= mean:
            lower, more = pools.pop()
            mean, count = (mean * count + lower * more) / (count + more), count + more
        pools.append((mean, count))
    return np.repeat([mean for mean, _ in pools], [count for _, count in pools])


@dataclass(frozen=True)
class Staircase:
    """How a series came from its first level to its last. `growth`: the rise (below 0: the fall) of the
    monotone fit; `steps`: the effective number of increments it came in, growth^2 / sum of squares: n for n
    equal ones, near 1 when one holds nearly everything; 0 for a constant."""

    growth: float
    steps: float


def staircase(y) -> Staircase:
    y = np.asarray(y, float)
    best = Staircase(0.0, 0.0)
    for sign in (1.0, -1.0):
        increments = np.diff(isotonic(sign * y))
        growth = increments.sum()
        if growth > abs(best.growth):
            best = Staircase(float(sign * growth), float(growth ** 2 / (increments ** 2).sum()))
    return best


def least_count(count: float, confidence: float = 0.95) -> float:
    """The lower bound of the mean of a Poisson count (Garwood 1936), for effective counts too; 0 for 0."""
    return float(st.chi2.ppf((1 - confidence) / 2, 2 * count) / 2) if count > 0 else 0.0
