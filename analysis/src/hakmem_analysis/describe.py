"""What one subject did in a run.

Purpose     Throughput, spread, tail, memory, faults and system calls of each subject.
Boundary    Result in, one Summary a subject out.
Invariants  Warm-up epochs count for peak RSS only. Quarantined epochs count for memory and system calls,
            which noise does not change, but not for throughput, unless there are no others. Unmeasured
            is NaN.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import stats
from .load import Result


@dataclass(frozen=True)
class Summary:
    """One subject. Units are in the names; cv and drift are fractions; memory is above the base."""

    subject: str
    name: str
    version: str
    epochs: int
    launches: int
    quarantined_epochs: int
    ops_per_s: float
    ops_per_s_tail: dict
    ns_per_op: float
    ns_per_op_tail: dict
    cv: float
    cv_with_quarantined: float
    rss_base_kb: float
    rss_first_kb: float
    rss_last_kb: float
    rss_median_kb: float
    rss_peak_kb: float
    anon_huge_kb: float
    minor_faults_per_epoch: float
    major_faults: float
    syscalls_per_op: float
    failed_allocs: float
    live_bytes: float


def per_launch(frame, column: str, how: str):
    """A statistic of each launch (a Series by launch); a launch that measured nothing is left out."""
    return frame.groupby("launch")[column].agg(how).dropna()


def syscalls_per_op_by_launch(measured):
    """Sum of system calls / sum of ops of the epochs that counted them, by launch."""
    counted = measured[measured["syscalls"].notna()]
    sums = counted.groupby("launch")[["syscalls", "ops"]].sum()
    return sums["syscalls"] / sums["ops"]


def _median(values) -> float:
    values = values.dropna()
    return float(values.median()) if len(values) else float("nan")


def _sum(values) -> float:
    return float(values.sum(min_count=1))


def quiet_epochs(result: Result, label: str):
    """The epochs that speak of a subject's throughput: those under the noise limit, or all if none is."""
    measured = result.measured(label)
    timed = measured[measured["ops_per_s"].notna()]
    return timed if timed["excluded"].all() else timed[~timed["excluded"]]


def summarise(result: Result, label: str) -> Summary:
    """The summary of one subject; medians over launches where a launch is the unit (first, last, peak)."""
    measured = result.measured(label)
    everything = result.epochs[result.epochs["subject"] == label]
    timed = measured[measured["ops_per_s"].notna()]
    kept = quiet_epochs(result, label)
    counted = measured[measured["syscalls"].notna()]
    nan = float("nan")
    return Summary(
        subject=label,
        name=result.display_name(label),
        version=result.subject(label).get("version") or "",
        epochs=len(kept),
        launches=int(measured["launch"].nunique()),
        quarantined_epochs=int(timed["excluded"].sum()),
        ops_per_s=_median(kept["ops_per_s"]),
        ops_per_s_tail=stats.tail_percentiles(kept["ops_per_s"], "low"),
        ns_per_op=_median(kept["ns_per_op"]),
        ns_per_op_tail=stats.tail_percentiles(kept["ns_per_op"].dropna(), "high"),
        cv=stats.coefficient_of_variation(kept["ops_per_s"]),
        cv_with_quarantined=stats.coefficient_of_variation(timed["ops_per_s"]),
        rss_base_kb=_median(measured["rss_base_kb"]),
        rss_first_kb=_median(per_launch(measured, "rss_above_base_kb", "first")),
        rss_last_kb=_median(per_launch(measured, "rss_above_base_kb", "last")),
        rss_median_kb=_median(per_launch(measured, "rss_above_base_kb", "median")),
        rss_peak_kb=_median(per_launch(everything, "peak_rss_above_base_kb", "max")),
        anon_huge_kb=_median(measured["anon_huge_kb"]),
        minor_faults_per_epoch=float(measured["minor_faults"].mean()),
        major_faults=_sum(measured["major_faults"]),
        syscalls_per_op=float(counted["syscalls"].sum() / counted["ops"].sum()) if len(counted) else nan,
        failed_allocs=_sum(everything["failed_allocs"]),
        live_bytes=_median(measured["live_bytes"]),
    )


def summarise_all(result: Result) -> list:
    """The summaries of all subjects that measured something, in the manifest's order."""
    summaries = [summarise(result, label) for label in result.subjects]
    return [summary for summary in summaries if summary.epochs]


def finite(value: float) -> bool:
    """True for a number that was measured."""
    return value is not None and bool(np.isfinite(value))
