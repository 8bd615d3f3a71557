"""Where a series of measurements changes its level: pure functions over arrays.

Purpose     Find the moments at which a series of independent values takes another level, and how sure that
            is.
Boundary    Values in order in, ChangePoints out; what a value is does not matter here.
Invariants  A change is claimed only where a permutation test of the best split says p <= alpha; the segments
            on both sides are then searched in the same way (binary segmentation: Scott and Knott 1974;
            Matteson and James 2014 for the permutation test). Draws come from a fixed seed: the same series,
            the same answer. Too few values (see least_values()) give no change, never a guess.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import numpy as np

LEAST_SEGMENT = 3  # values on each side of a change
ALPHA = 0.01
DRAWS = 1999  # the smallest p is 1 / (DRAWS + 1)
SEED = 20261124
SAFETY = 0.9  # a share of alpha: the p of a drawn test scatters


@dataclass(frozen=True)
class ChangePoint:
    """`at` is the index of the first value of the new level; `before` and `after` are the medians of the two
    segments as they ended up; p is the permutation test's."""

    at: int
    before: float
    after: float
    p: float


def least_behind(values: int, alpha: float = ALPHA) -> Optional[int]:
    """The fewest values on the shorter side of a change that shows among `values` of them; None where not
    even one in the middle does.

    However clear a change is, the orders of the values that keep its two sides apart are as good as the one
    observed: two of the C(n, k) ways to choose the k values of a side, so p is 2 / C(n, k) at best."""
    for shorter in range(LEAST_SEGMENT, values // 2 + 1):
        if 2 / math.comb(values, shorter) <= SAFETY * alpha:
            return shorter
    return None


def least_values(alpha: float = ALPHA) -> int:
    """The fewest values among which a change can show."""
    values = 2 * LEAST_SEGMENT
    while least_behind(values, alpha) is None:
        values += 1
    return values


def _scores(values: np.ndarray) -> np.ndarray:
    """|mean on the left - mean on the right| sqrt(n1 n2 / n) of every split that leaves LEAST_SEGMENT values
    on each side (the CUSUM statistic, without its division by the noise, which permuting does not change).
    `values` may have rows: one series each."""
    n = values.shape[-1]
    left = np.arange(LEAST_SEGMENT, n - LEAST_SEGMENT + 1)
    sums = np.cumsum(values, axis=-1)
    head = sums[..., left - 1] / left
    tail = (sums[..., -1:] - sums[..., left - 1]) / (n - left)
    return np.abs(head - tail) * np.sqrt(left * (n - left) / n)


def _best_split(values: np.ndarray, rng) -> tuple:
    """(index of the first value behind the best split, p); (0, 1.0) where there are too few values."""
    if len(values) < 2 * LEAST_SEGMENT or np.ptp(values) == 0:
        return 0, 1.0
    scores = _scores(values)
    shuffled = rng.permuted(np.tile(values, (DRAWS, 1)), axis=1)
    # A hair of tolerance: a permutation that is the same split must not lose by rounding.
    as_good = (_scores(shuffled).max(axis=1) >= scores.max() * (1 - 1e-12)).sum()
    return LEAST_SEGMENT + int(scores.argmax()), (1 + as_good) / (DRAWS + 1)


def find(values, alpha: float = ALPHA, seed: int = SEED) -> list:
    """The changes of level of `values`, in order."""
    values = np.asarray(values, float)
    rng = np.random.default_rng(seed)
    found = []
    segments = [(0, len(values))]
    while segments:
        begin, end = segments.pop()
        split, p = _best_split(values[begin:end], rng)
        if p <= alpha:
            found.append((begin + split, p))
            segments += [(begin, begin + split), (begin + split, end)]
    found.sort()
    edges = [0, *(at for at, _ in found), len(values)]
    levels = [float(np.median(values[a:b])) for a, b in zip(edges, edges[1:])] if len(values) else []
    return [ChangePoint(at, levels[i], levels[i + 1], float(p)) for i, (at, p) in enumerate(found)]
