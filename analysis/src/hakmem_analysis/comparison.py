"""One metric of one candidate against the reference.

Purpose     Comparison, the row of `comparisons` in verdict.json, and how it is made of an interval.
Boundary    An interval of log ratios in, a row out; compare.py, spread.py and soak_judge.py make the
            intervals.
Invariants  ratio = candidate / reference; bounds None where the data allow none. An interval that covers less
            than was asked decides nothing.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Iterable, Optional

import numpy as np

from . import stats, text, verdicts
from .describe import finite
from .load import Result


@dataclass(frozen=True)
class Comparison:
    """One metric of one candidate against the reference.

    `noisy`: fewer blocks are free of quarantine than the confidence takes; then the figures are over all
    blocks, for orientation only, and the verdict is "inconclusive".
    `confidence` is the true coverage of lower..upper, `requested_confidence` what was asked; a smaller
    true one forces the verdict "inconclusive". `resolves` is the smallest relative change that a run this
    noisy would have shown with 95 % power, a fraction. `unit` is what the interval counts: blocks,
    launches or stretches (their number is in `blocks`). `sign_*` and `bootstrap_*` are the two other
    intervals of the same centre.
    """

    metric: str
    better: str
    reference: str
    candidate: str
    reference_subject: str
    candidate_subject: str
    reference_value: Optional[float]
    candidate_value: Optional[float]
    ratio: Optional[float]
    lower: Optional[float]
    upper: Optional[float]
    confidence: Optional[float]
    requested_confidence: float
    verdict: str
    resolves: Optional[float]
    unit: str
    blocks: int
    launches: int
    quarantined_blocks: int
    sign_lower: Optional[float] = None
    sign_upper: Optional[float] = None
    bootstrap_lower: Optional[float] = None
    bootstrap_upper: Optional[float] = None
    launch_effect_p: Optional[float] = None
    ratio_with_quarantined: Optional[float] = None
    noisy: bool = False
    note: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


def number(value) -> Optional[float]:
    """A float for JSON: None where the value is missing or not finite."""
    return float(value) if finite(value) else None


def exp_or_none(value) -> Optional[float]:
    """The exponential of a value for JSON, as number()."""
    return number(np.exp(value)) if finite(value) else None


def allocation_failures(result: Result, labels: Iterable) -> str:
    """How many allocations of these subjects failed, as a sentence without an end; "" where none did."""
    counts = result.epochs.groupby("subject")["failed_allocs"].sum()
    failed = [f"{text.counted(int(counts[label]), 'allocation')} of {result.display_name(label)}"
              for label in labels if counts.get(label, 0) > 0]
    return f"{' and '.join(failed)} failed, so nothing can be compared" if failed else ""


def make_row(result: Result, candidate: str, metric: str, better: str, interval: stats.Interval,
             confidence: float, **values) -> Comparison:
    """The row of an interval of log ratios; it decides only if it covers what was asked."""
    lower, upper = exp_or_none(interval.lower), exp_or_none(interval.upper)
    judged = lower is not None and interval.confidence >= confidence and not values.get("noisy")
    return Comparison(
        metric=metric, better=better, reference=result.display_name(result.reference),
        candidate=result.display_name(candidate), reference_subject=result.reference,
        candidate_subject=candidate, ratio=exp_or_none(interval.point), lower=lower, upper=upper,
        confidence=number(interval.confidence) if lower is not None else None,
        requested_confidence=confidence,
        verdict=verdicts.difference(lower, upper, better) if judged else "inconclusive", **values)
