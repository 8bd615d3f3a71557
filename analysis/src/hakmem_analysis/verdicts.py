"""From an interval to a decision: pure functions.

Purpose     Difference, regression gate, experiment, several workloads at once, several looks at one run.
Boundary    Ratios in, words out. Bounds are of the ratio candidate / reference. NaN bounds (too few data)
            are never a pass: the answer is inconclusive.
"""
from __future__ import annotations

from typing import Sequence

import numpy as np

LOOKS = 3


def difference(lower: float, upper: float, better: str) -> str:
    """"better", "worse" or "inconclusive" (the interval contains 1, or there is none).

    `better` says which way is good: "higher" (throughput) or "lower" (RSS).
    """
    if lower > 1:
        return "better" if better == "higher" else "worse"
    if upper < 1:
        return "worse" if better == "higher" else "better"
    return "inconclusive"


def regression(lower: float, upper: float, margin: float) -> str:
    """Non-inferiority with margin m of a ratio whose good direction is up.

    "pass" if lower > 1 - m, "fail" if upper < 1 - m, else "inconclusive".
    """
    if lower > 1 - margin:
        return "pass"
    return "fail" if upper < 1 - margin else "inconclusive"


def experiment(lower: float, upper: float, gain: float) -> str:
    """"GO" if lower > 1 + gain, "NO-GO" if upper < 1 + gain, else "NEUTRAL"."""
    if lower > 1 + gain:
        return "GO"
    return "NO-GO" if upper < 1 + gain else "NEUTRAL"


def look_confidence(confidence: float, looks: int = LOOKS) -> float:
    """The confidence of each interval when a run may be extended and judged at `looks` planned looks:
    1 - alpha / looks (Bonferroni), so that all of them together err at most alpha often."""
    return 1 - (1 - confidence) / looks


def holm(p_values: Sequence[float], alpha: float = 0.05) -> list:
    """Which hypotheses Holm's step-down procedure rejects (Holm 1979), in the order given.

    The smallest p is held against alpha / m, the next against alpha / (m - 1), and so on; the first that
    fails stops it. The chance of any false rejection stays below alpha.
    """
    p_values = np.asarray(p_values, float)
    rejected = np.zeros(len(p_values), bool)
    for rank, index in enumerate(np.argsort(p_values)):
        if not p_values[index] <= alpha / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected.tolist()
