"""How many launches a decision takes, and what a number of launches can decide.

Purpose     Exact power of the one-sided t test over launches; its two inverses: launches needed for a
            shift, and the shift that so many launches show.
Boundary    Numbers in, numbers out: spreads and shifts on one scale (log ratios, say).
Invariants  `looks` planned looks cost confidence (1 - alpha / looks each); a plan is for the last look.
"""
from __future__ import annotations

import functools
import math

import numpy as np
from scipy import optimize
from scipy import stats as st

from .stats import DEFAULT_CONFIDENCE, DEFAULT_POWER
from .verdicts import look_confidence

MOST_LAUNCHES = 1_000_000


def t_power(shift_in_errors: float, dof: float, confidence: float) -> float:
    """P(a shift is shown): that the two-sided interval at `confidence` leaves zero out on the right side.

    T = mean / SE has a noncentral t distribution with noncentrality shift / SE, so the power is
    P(T' > t((1 + confidence) / 2, dof)) (Chow, Shao and Wang, Sample Size Calculations, 3.1). The same
    number is the power to pass a margin of that size when nothing changed.
    """
    critical = st.t.ppf((1 + confidence) / 2, dof)
    with np.errstate(all="ignore"):  # scipy warns of tails that are 0, and reaches them rightly
        return float(st.nct.sf(critical, dof, shift_in_errors))


@functools.lru_cache(maxsize=None)  # each metric of each look asks for the same few
def shift_shown(dof: float, confidence: float, power: float = DEFAULT_POWER) -> float:
    """The shift, in standard errors, that is shown with that power; NaN without degrees of freedom."""
    if not dof > 0:
        return math.nan
    guess = st.t.ppf((1 + confidence) / 2, dof) + st.t.ppf(power, dof)
    return float(optimize.brentq(lambda shift: t_power(shift, dof, confidence) - power, 0.0, 4.0 * guess))


def launches_needed(spread: float, shift: float, confidence: float = DEFAULT_CONFIDENCE, looks: int = 1,
                    power: float = DEFAULT_POWER) -> int:
    """The fewest launches whose last look shows `shift` with that power, for a standard deviation over
    launches of `spread` (the same scale). At least 2. Raises ValueError where no number will do."""
    if not shift > 0 or not spread >= 0:
        raise ValueError(f"shift is {shift}, spread {spread}: expected above 0, and 0 or more")
    confidence = look_confidence(confidence, looks)

    def enough(launches: int) -> bool:
        if spread == 0:
            return True
        return t_power(shift / spread * math.sqrt(launches), launches - 1, confidence) >= power

    high = 2
    while not enough(high):
        high *= 2
        if high > MOST_LAUNCHES:
            raise ValueError(f"more than {MOST_LAUNCHES} launches")
    low = high // 2
    while high - low > 1:  # power grows with the launches
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def shift_resolved(spread: float, launches: int, confidence: float = DEFAULT_CONFIDENCE, looks: int = 1,
                   power: float = DEFAULT_POWER) -> float:
    """The shift that the last look of so many launches shows with that power; NaN for fewer than two."""
    if launches < 2:
        return math.nan
    return shift_shown(launches - 1, look_confidence(confidence, looks), power) * spread / math.sqrt(launches)
