"""How often something happened, and whether that is as often as was declared.

Boundary    Counts in, shares with exact intervals and words out; pure.
Invariants  A share over few runs is a rough figure. Only an exact interval wholly outside what was declared
            breaks the declaration; a share that is outside while its interval reaches in leaves it open.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from scipy import stats as st

MET, OPEN, BROKEN, NOT_RUN = "met", "open", "broken", "not run"


def exact_interval(count: int, runs: int, confidence: float = 0.95) -> tuple:
    """(lower, upper) of a binomial share, exact: Clopper and Pearson, Biometrika 26 (1934), by quantiles of
    the beta distribution. (0, 1) without runs."""
    tail = (1 - confidence) / 2
    lower = st.beta.ppf(tail, count, runs - count + 1) if count > 0 else 0.0
    upper = st.beta.ppf(1 - tail, count + 1, runs - count) if count < runs else 1.0
    return float(lower), float(upper)


@dataclass(frozen=True)
class Rate:
    """`count` of `runs`; `at_least` and `at_most` are the declared bounds of the share, None where nothing is
    declared (a figure for orientation)."""

    name: str
    count: int
    runs: int
    at_least: Optional[float] = None
    at_most: Optional[float] = None

    @property
    def share(self) -> Optional[float]:
        return self.count / self.runs if self.runs else None

    @property
    def interval(self) -> tuple:
        return exact_interval(self.count, self.runs)

    @property
    def is_declared(self) -> bool:
        return self.at_least is not None or self.at_most is not None

    @property
    def state(self) -> str:
        """met, open, broken or not run; "" where nothing is declared."""
        if not self.is_declared:
            return ""
        if not self.runs:
            return NOT_RUN
        low = 0.0 if self.at_least is None else self.at_least
        high = 1.0 if self.at_most is None else self.at_most
        if low <= self.share <= high:
            return MET
        lower, upper = self.interval
        return BROKEN if upper < low or lower > high else OPEN

    def as_dict(self) -> dict:
        lower, upper = self.interval
        return {"name": self.name, "count": self.count, "runs": self.runs, "share": self.share,
                "lower": lower, "upper": upper, "at_least": self.at_least, "at_most": self.at_most,
                "state": self.state}
