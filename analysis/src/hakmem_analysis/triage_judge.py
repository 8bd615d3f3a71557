"""Why peak RSS is what it is: the statistics of a triage.

Purpose     Divide the peak into what the workload needs, what the benchmark's warm-up adds (A), and what the
            allocator's design adds (B); say which of them matters.
Owns        Tax, Part, Split.
Boundary    Arrays of one value a launch in, numbers out; kB of 1024 bytes.
Invariants  peak = need + A + B. A part matters when its whole interval is above the limit, does not when its
            whole interval is below; otherwise the triage is inconclusive. NaN and fewer than LEAST_LAUNCHES
            of a step decide nothing.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
from scipy import stats as st

from .stats import Interval, sign_interval

BENCHMARK, DESIGN, BOTH, NONE, INCONCLUSIVE = ("benchmark", "allocator_design", "both", "none",
                                               "inconclusive")
# Each of the two parts is held to this, so that both hold together with at least 95 %.
PART_CONFIDENCE = 0.975
LEAST_LAUNCHES = 5  # whose widest intervals are worth 92 % together
# Where a process's pages lie differs from launch to launch and moves its peak by about 100 kB.
FLOOR_KB = 256.0
SHARE_OF_TAX = 0.1
YES, NO, OPEN = "yes", "no", "open"


@dataclass(frozen=True)
class Part:
    """One part of the tax: its interval in kB, its share of the tax (lower, point, upper; None where the
    tax is not positive), and whether it matters: "yes", "no" or "open"."""

    interval: Interval
    share: Optional[tuple]
    matters: str


@dataclass(frozen=True)
class Split:
    """The division of the base run's peak above the process's own. `fixed` is what a warm-up of a fixed
    length adds over none; `confidence` is that of A and B together; `launches` are those of the step with
    the fewest."""

    peak: Interval
    need_kb: Optional[float]
    tax_kb: float
    benchmark: Part
    design: Part
    fixed: Interval
    limit_kb: float
    confidence: float
    verdict: str
    launches: int


def shift_interval(values, reference, confidence: float = PART_CONFIDENCE) -> Interval:
    """How far `values` lie above `reference`, two independent samples: the median of all pairs' differences
    (Hodges and Lehmann 1963) with the exact interval of the rank sum test.

    The bounds are the k-th smallest and k-th largest difference, k the largest with
    1 - 2 P(U <= k - 1) >= confidence, U the statistic of Mann and Whitney (Conover, Practical Nonparametric
    Statistics, 5.4). Samples too small for that confidence give their widest interval and what it is worth.
    """
    values, reference = np.asarray(values, float), np.asarray(reference, float)
    differences = np.sort(np.subtract.outer(values, reference).ravel())
    if min(len(values), len(reference)) < 2 or np.isnan(differences).any():
        point = float(np.median(differences)) if len(differences) else float("nan")
        return Interval(point, float("nan"), float("nan"), 0.0, float("nan"), "rank sum")
    tail = np.cumsum(_rank_sum_chances(len(values), len(reference)))
    k = max(1, int(np.searchsorted(tail, (1 - confidence) / 2, side="right")))
    coverage = float(1 - 2 * tail[k - 1])
    quantile = float(st.norm.ppf((1 + coverage) / 2))
    return Interval(float(np.median(differences)), float(differences[k - 1]), float(differences[-k]),
                    coverage, quantile, "rank sum")


def _rank_sum_chances(n: int, m: int) -> np.ndarray:
    """P(U = u) for u = 0 .. n m where both samples have one distribution.

    The Gaussian binomial coefficient of n + m over n, by its product of (1 - q^(m + i)) / (1 - q^i).
    """
    counts = np.zeros(n * m + 1)
    counts[0] = 1.0
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):
            counts[u] += counts[u - i]
    return counts / counts.sum()


def matters(interval: Interval, limit_kb: float) -> str:
    """Whether the part is above the limit."""
    if interval.lower > limit_kb:
        return YES
    return NO if interval.upper < limit_kb else OPEN


def share_of(part: Interval, other: Interval) -> Optional[tuple]:
    """(lower, point, upper) of part / (part + other), the bounds at the corners of the two intervals; a part
    below 0 counts as 0. None where there is nothing to share, or no interval."""

    def share(mine: float, theirs: float) -> float:
        mine, theirs = max(mine, 0.0), max(theirs, 0.0)
        return mine / (mine + theirs) if mine + theirs > 0 else float("nan")

    shares = (share(part.lower, other.upper), share(part.point, other.point), share(part.upper, other.lower))
    return None if np.isnan(shares).any() else shares


def split(base_kb, off_kb, fixed_kb, need_kb: Optional[float], floor_kb: float = FLOOR_KB,
          share_of_tax: float = SHARE_OF_TAX) -> Split:
    """Judges the peaks, above the process's own, of the launches of the three steps.

    `base_kb` is the benchmark as it is, `off_kb` without warm-up, `fixed_kb` with one of fixed length;
    `need_kb` is the live bytes of the run without warm-up, None where unknown: then B holds them too.
    """
    off = np.asarray(off_kb, float)
    peak = sign_interval(base_kb, PART_CONFIDENCE)
    benchmark = shift_interval(base_kb, off)
    design = sign_interval(off - (need_kb or 0.0), PART_CONFIDENCE)
    tax_kb = peak.point - (need_kb or 0.0)
    limit_kb = max(floor_kb, share_of_tax * tax_kb)
    launches = min(len(np.asarray(base_kb)), len(off))
    found = [matters(part, limit_kb) if launches >= LEAST_LAUNCHES else OPEN for part in (benchmark, design)]
    parts = (Part(benchmark, share_of(benchmark, design), found[0]),
             Part(design, share_of(design, benchmark), found[1]))
    confidence = max(0.0, benchmark.confidence + design.confidence - 1)
    return Split(peak, need_kb, float(tax_kb), *parts, shift_interval(fixed_kb, off), float(limit_kb),
                 confidence, _verdict(*found), launches)


def _verdict(benchmark: str, design: str) -> str:
    if OPEN in (benchmark, design):
        return INCONCLUSIVE
    return {(YES, NO): BENCHMARK, (NO, YES): DESIGN, (YES, YES): BOTH, (NO, NO): NONE}[benchmark, design]
