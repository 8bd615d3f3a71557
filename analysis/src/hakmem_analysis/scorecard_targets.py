"""What hakmem is held against: the one table of targets.

Purpose     Milestones, targets with their sources, and the verdict on a measured value.
Owns        TARGETS.
Boundary    Pure. `measure` names a value that scorecard_measures.py takes from the folders.
Invariants  A target is met or missed only when the whole interval says so; without an interval, or while the
            interval holds the target, it is open. What was not measured says so.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .gate_settings import RSS_DRIFT_KB_PER_H

MET, MISSED, OPEN, NOT_MEASURED = "met", "missed", "open", "not measured"
AT_LEAST, AT_MOST, ABOVE, BELOW = "at least", "at most", "above", "below"

MILESTONE_REFERENCE = "mimalloc"
SYSCALL_BUDGET_PER_OP = 1e-4

_GOAL = "the project's goal"
_EARLIER = "the earlier system"


@dataclass(frozen=True)
class Estimate:
    """A value with its interval. None: not measured, or no interval; `note` then says why. `folders` are
    where it comes from."""

    value: Optional[float] = None
    lower: Optional[float] = None
    upper: Optional[float] = None
    note: str = ""
    folders: tuple = ()


@dataclass(frozen=True)
class Target:
    """`measure` must be `sense` `bound`; `unit` is "ratio", "share", "per op", "kB" or "kB/h"."""

    name: str
    words: str
    measure: str
    sense: str
    bound: float
    unit: str
    source: str


def _milestone(number: int, share: float) -> Target:
    return Target(f"M{number}", f"throughput / {MILESTONE_REFERENCE}, geometric mean", "throughput_milestone",
                  AT_LEAST, share, "ratio", "milestone")


TARGETS = (
    _milestone(1, 0.50), _milestone(2, 0.60), _milestone(3, 0.75), _milestone(4, 1.00),
    Target("M5", "throughput / that of the best comparator, geometric mean", "throughput_best", ABOVE, 1.0,
           "ratio", "milestone"),
    Target("T1", "throughput / that of the best comparator, geometric mean", "throughput_best", AT_LEAST,
           1.15, "ratio", _GOAL),
    Target("T2", "throughput / that of the workload's own best, worst workload", "throughput_worst", AT_LEAST,
           0.97, "ratio", _GOAL),
    Target("T3", "peak RSS / that of the leanest comparator, geometric mean", "peak_rss_leanest", AT_MOST,
           1.0, "ratio", _GOAL),
    Target("T4", "peak-RSS tax: peak RSS above the live bytes, random_mixed ws=400", "rss_tax_kb", BELOW,
           33 * 1024, "kB", _EARLIER),
    Target("T5", "CV of throughput over epochs, random_mixed ws=400", "cv", BELOW, 0.0131, "share", _EARLIER),
    Target("T6", f"p99 over epochs of ns/op / {MILESTONE_REFERENCE}'s, geometric mean", "tail_milestone",
           AT_MOST, 1.0, "ratio", _GOAL),
    Target("T7", f"service time p99.9 / {MILESTONE_REFERENCE}'s, geometric mean", "service_milestone",
           AT_MOST, 1.0, "ratio", _GOAL),
    Target("T8", "system calls per op, worst random_mixed", "syscalls_worst", AT_MOST, SYSCALL_BUDGET_PER_OP,
           "per op", "budget"),
    Target("T9", "system calls per op, random_mixed ws=400", "syscalls", BELOW, 1.25e-7, "per op", _EARLIER),
    Target("T10", "drift of RSS in soaks, the steepest", "drift", AT_MOST, RSS_DRIFT_KB_PER_H, "kB/h",
           "budget"),
    Target("T11", "real programs: speed / that of the best comparator, geometric mean", "programs_best",
           AT_LEAST, 1.0, "ratio", _GOAL),
    Target("T12", "real programs: peak RSS / that of the leanest comparator, geometric mean",
           "programs_leanest", AT_MOST, 1.0, "ratio", _GOAL),
    Target("T13", f"CV of throughput / {MILESTONE_REFERENCE}'s, random_mixed ws=400", "cv_milestone", AT_MOST,
           1.0, "ratio", _GOAL),
)


def judge(target: Target, estimate: Estimate) -> str:
    """MET, MISSED, OPEN or NOT_MEASURED."""
    if estimate.value is None:
        return NOT_MEASURED
    if estimate.lower is None or estimate.upper is None:
        return OPEN
    lower, upper, bound = estimate.lower, estimate.upper, target.bound
    if target.sense in (AT_LEAST, ABOVE):
        good = lower >= bound if target.sense == AT_LEAST else lower > bound
        return MET if good else MISSED if upper < bound else OPEN
    good = upper <= bound if target.sense == AT_MOST else upper < bound
    return MET if good else MISSED if lower > bound else OPEN


def milestone_reached(verdicts: dict) -> str:
    """The highest milestone that is met with all below it, from verdicts by name; "" for none."""
    reached = ""
    for target in TARGETS:
        if target.source == "milestone":
            if verdicts[target.name] != MET:
                break
            reached = target.name
    return reached
