"""The statistics of a gate, whose one unit is the launch: pure functions over one value a launch.

Purpose     Estimates over launches (paired, Welch's for two measurements, counts that may be 0), with
            intervals and one-sided p values that agree; equivalence.
Boundary    Arrays in, numbers out. The scale is the caller's: log ratios, or differences in a unit.
Invariants  An interval at confidence c leaves a bound out exactly when the one-sided p against that bound
            is below (1 - c) / 2. Fewer than two launches give NaN, and NaN decides nothing.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import optimize
from scipy import stats as st

from .stats import DEFAULT_CONFIDENCE, Interval

NAN = float("nan")


@dataclass(frozen=True)
class Counts:
    """Events and operations of both sides over all launches, and the factor from events per operation
    to the metric's unit (1e6 for "per million ops"). `others`: (events, operations, weight) of rates that the
    difference holds besides, such as those of an anchor."""

    candidate: float
    candidate_ops: float
    reference: float
    reference_ops: float
    factor: float = 1.0
    others: tuple = ()


@dataclass(frozen=True)
class Estimate:
    """A mean over launches: `point` and `standard_error` on the scale of the values, Student's `dof`.

    With `counts` no interval is narrower than the one that counting itself allows: launches that all saw
    nothing do not prove that there is nothing. `least`: what each interval reaches to either side at least,
    such as the page in which memory comes.
    """

    point: float
    standard_error: float
    dof: float
    launches: int
    counts: Optional[Counts] = None
    least: float = 0.0

    def quantile(self, confidence: float) -> float:
        """Student's t of a two-sided interval at that confidence."""
        return float(st.t.ppf((1 + confidence) / 2, self.dof))

    def interval(self, confidence: float = DEFAULT_CONFIDENCE) -> Interval:
        """mean +- t(confidence, dof) SE; no narrower than `least`; with counts the wider bound of that
        and count_bounds()."""
        if not self.dof > 0:
            return Interval(self.point, NAN, NAN, 0.0, NAN, "launches")
        quantile = self.quantile(confidence)
        half = max(quantile * self.standard_error, self.least)
        lower, upper = self.point - half, self.point + half
        if self.counts:
            counted = count_bounds(self.counts, confidence)
            lower, upper = min(lower, counted[0]), max(upper, counted[1])
        return Interval(self.point, float(lower), float(upper), confidence, quantile, "launches")

    def p_value(self, bound: float, side: str) -> float:
        """One-sided p of the claim that the truth lies on `side` ("below" or "above") of `bound`.

        P(T_dof <= (point - bound) / SE) for "below"; 1 where the bound is within `least`. With counts the
        larger p of the two procedures. That is what makes it agree with interval().
        """
        if side not in ("below", "above"):
            raise ValueError(f"side is {side!r}, expected 'below' or 'above'")
        if not self.dof > 0:
            return NAN
        if abs(self.point - bound) <= self.least > 0:
            return 1.0
        p = _student_p(self.point, self.standard_error, self.dof, bound, side)
        return max(p, _count_p(self.counts, bound, side)) if self.counts else p

    def effective_error(self, confidence: float) -> float:
        """The standard error that the interval stands for: its half width / t(confidence, dof)."""
        interval = self.interval(confidence)
        return (interval.upper - interval.lower) / 2 / interval.quantile


def _student_p(point: float, standard_error: float, dof: float, bound: float, side: str) -> float:
    shift = point - bound if side == "below" else bound - point
    if standard_error == 0:  # launches that agree to the last digit: the bound is left out or it is not
        return 0.0 if shift < 0 else 1.0
    return float(st.t.cdf(shift / standard_error, dof))


def paired(values, counts: Optional[Counts] = None, least: float = 0.0) -> Estimate:
    """The estimate of one difference (or log ratio) a launch: mean, s / sqrt(L), L - 1.

    The launch is the unit, as Kalibera and Jones (Rigorous Benchmarking in Reasonable Time, 2013) argue
    for data whose highest level of repetition varies.
    """
    values = np.asarray(values, float)
    n = len(values)
    if n < 2:
        return Estimate(float(values[0]) if n else NAN, NAN, 0, n, counts, least)
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)), n - 1, n, counts, least)


def welch(candidate, baseline, counts: Optional[Counts] = None, least: float = 0.0) -> Estimate:
    """mean(candidate) - mean(baseline) of two measurements that share no launch.

    Welch (1947): SE^2 = s1^2 / n1 + s2^2 / n2, dof = SE^4 / sum((s_i^2 / n_i)^2 / (n_i - 1)). Unlike the
    pooled t it does not need equal spreads, and days differ in theirs.
    """
    sides = [np.asarray(side, float) for side in (candidate, baseline)]
    launches = min(map(len, sides))
    point = float(sides[0].mean() - sides[1].mean()) if launches else NAN
    if launches < 2:
        return Estimate(point, NAN, 0, launches, counts, least)
    parts = [side.var(ddof=1) / len(side) for side in sides]
    total = sum(parts)
    if total == 0:
        return Estimate(point, 0.0, launches - 1, launches, counts, least)
    dof = total ** 2 / sum(part ** 2 / (len(side) - 1) for part, side in zip(parts, sides))
    return Estimate(point, float(np.sqrt(total)), float(dof), launches, counts, least)


def poisson_bounds(count: float, confidence: float) -> tuple:
    """Exact bounds of the mean of a Poisson count: chi2(alpha/2, 2x) / 2 and chi2(1 - alpha/2, 2x + 2) / 2
    (Garwood 1936)."""
    tail = (1 - confidence) / 2
    lower = st.chi2.ppf(tail, 2 * count) / 2 if count > 0 else 0.0
    return float(lower), float(st.chi2.ppf(1 - tail, 2 * count + 2) / 2)


def count_bounds(counts: Counts, confidence: float) -> tuple:
    """(lower, upper) of the difference of two event rates, in the unit of `counts.factor`; fit for zeros.

    Garwood's bounds of each rate, put together by MOVER (Zou and Donner, Statistics in Medicine 27, 2008):
    L = d - sqrt((r1 - l1)^2 + (u2 - r2)^2), U = d + sqrt((u1 - r1)^2 + (r2 - l2)^2); further rates,
    each times its weight, join the sums in the same way.
    """
    terms = ((counts.candidate, counts.candidate_ops, 1.0), (counts.reference, counts.reference_ops, -1.0),
             *counts.others)
    difference, below, above = 0.0, 0.0, 0.0
    for count, ops, weight in terms:
        low, high = poisson_bounds(count, confidence)
        scale = weight * counts.factor / ops
        ends = sorted((low * scale, high * scale))
        difference += count * scale
        below += (count * scale - ends[0]) ** 2
        above += (ends[1] - count * scale) ** 2
    return float(difference - np.sqrt(below)), float(difference + np.sqrt(above))


def _count_p(counts: Counts, bound: float, side: str) -> float:
    """The p at which a one-sided bound of count_bounds() meets `bound`: half of 1 - confidence there."""

    def gap(p: float) -> float:
        lower, upper = count_bounds(counts, 1 - 2 * p)
        return upper - bound if side == "below" else bound - lower

    smallest, largest = 1e-15, 0.5 - 1e-9
    if gap(largest) > 0:  # not even the point lies on that side
        return 1.0
    if gap(smallest) <= 0:
        return smallest
    return float(optimize.brentq(gap, smallest, largest, xtol=1e-14))


def equivalence_p(estimate: Estimate, lower: float, upper: float) -> float:
    """p of the claim that the truth lies within (lower, upper): the larger of the two one-sided p values
    (TOST; Schuirmann 1987)."""
    return max(estimate.p_value(lower, "above"), estimate.p_value(upper, "below"))
