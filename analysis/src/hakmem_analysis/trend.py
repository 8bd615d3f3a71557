"""The statistics of a series in time: pure functions over arrays.

Purpose     Slope with interval, test for a trend, memory of a series, one step against a trend.
Boundary    Arrays in, numbers out. x is in any unit; slopes are in units of y by units of x.
Invariants  Too few data give NaN, never a made-up number.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as st

MIN_TREND_POINTS = 8


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
    the first M >= window * tau(M) (Sokal, Monte Carlo Methods in Statistical Mechanics, 1997, section 3).
    A constant series has time 1.
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
    return float(max(1.0, tau[enough[0]] if len(enough) else tau.max()))


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
