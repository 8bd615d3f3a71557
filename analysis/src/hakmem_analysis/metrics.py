"""What a gate looks at: the one table of its metrics, and one value of each for every launch.

Purpose     Names, directions, margins and words of the gated metrics; how each is taken from a run.
Owns        METRICS.
Boundary    Result and a subject's label in, a Series by launch out. Whether a difference matters is decided
            in judge.py.
Invariants  A launch that did not measure a metric has no value there; none is made up. A launch with fewer
            than half its blocks free of noise over the limit gives no time.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import numpy as np
import pandas as pd

from . import latency
from .compare import block_table
from .describe import per_launch, syscalls_per_op_by_launch
from .load import Result

RATIO, DIFFERENCE = "ratio", "difference"
LEAST_SHARE_OF_BLOCKS = 0.5


@dataclass(frozen=True)
class Metric:
    """A gated metric. `margin` is the worsening that is allowed: a fraction for RATIO, in `unit` for
    DIFFERENCE. `words` reads after "the candidate's"; `take` gives (result, label, other label) -> Series
    by launch; for throughput the Series is of log ratios to the other subject already. `events` gives
    (count, ops) behind a rate that is counted, and `per` its factor."""

    name: str
    words: str
    better: str
    scale: str
    margin: float
    unit: str
    take: Callable
    events: Optional[Callable] = None
    per: float = 1.0


def _kept_blocks(result: Result, label: str, other: str, column: str, log: bool) -> pd.DataFrame:
    table = block_table(result, other, label, column, log)
    kept = table.kept
    share = kept.groupby("launch").size() / table.rows.groupby("launch").size()
    return kept[kept["launch"].isin(share.index[share >= LEAST_SHARE_OF_BLOCKS])]


def log_ratio(result: Result, label: str, other: str) -> pd.Series:
    """The median over a launch's blocks of log(throughput of label / of other)."""
    kept = _kept_blocks(result, label, other, "ops_per_s", log=True)
    return (kept["candidate"] - kept["reference"]).groupby(kept["launch"]).median()


def _above_floor(result: Result, label: str, floor: Optional[str]) -> pd.Series:
    if floor is None:
        return pd.Series(dtype=float)
    kept = _kept_blocks(result, label, floor, "ns_per_op", log=False)
    return (kept["candidate"] - kept["reference"]).groupby(kept["launch"]).median()


def _service_time(percentile: float) -> Callable:
    def take(result: Result, label: str, _other) -> pd.Series:
        frame = _timed_operations(result, label)
        return pd.Series({launch: float(latency.percentiles(hist, (percentile,))[0])
                          for launch, hist in frame.groupby("launch")}, dtype=float)
    return take


def _timed_operations(result: Result, label: str) -> pd.DataFrame:
    frame = latency.load_latency(result)
    if frame is None:
        return pd.DataFrame(columns=("launch", "low_ns", "high_ns", "count"))
    frame = latency.operations(frame)
    return frame[(frame["subject"] == label) & ~frame["excluded"]]


def _slow_ops(result: Result, label: str, _other) -> pd.Series:
    frame = _timed_operations(result, label)
    if frame.empty:
        return pd.Series(dtype=float)
    return latency.slow_ops_per_mop(frame).xs(label, level="subject")


def time_share(result: Result, label: str, anchor: str) -> float:
    """How many times as long as the anchor's a subject's timed operation takes (medians, the timer in both):
    what interrupts a machine hits an operation in proportion to its time. NaN without latency epochs."""
    times = [latency.percentiles(_timed_operations(result, side), (50,))[0] for side in (label, anchor)]
    return float(times[0] / times[1]) if times[1] > 0 else float("nan")


def _slow_events(result: Result, label: str) -> tuple:
    frame = _timed_operations(result, label)
    ops = float(frame["count"].sum())
    return (round(float(latency.slow_counts(frame).sum())), ops) if ops else (0, 0.0)


def _peak_rss(result: Result, label: str, _other) -> pd.Series:
    epochs = result.epochs[(result.epochs["subject"] == label) & (result.epochs["kind"] != "latency")]
    return per_launch(epochs, "peak_rss_above_base_kb", "max")


def _rate(column: str, per: float) -> Callable:
    def take(result: Result, label: str, _other) -> pd.Series:
        return _events_by_launch(result, label, column, per)
    return take


def _events_by_launch(result: Result, label: str, column: str, per: float) -> pd.Series:
    counted = result.measured(label)
    counted = counted[counted[column].notna()]
    sums = counted.groupby("launch")[[column, "ops"]].sum()
    return per * sums[column] / sums["ops"]


def _events(column: str) -> Callable:
    def total(result: Result, label: str) -> tuple:
        counted = result.measured(label)
        counted = counted[counted[column].notna()]
        return float(counted[column].sum()), float(counted["ops"].sum())
    return total


METRICS = {metric.name: metric for metric in (
    Metric("throughput", "throughput", "higher", RATIO, 0.015, "ops/s", log_ratio),
    Metric("ns_above_floor", "own time per operation, above the floor", "lower", DIFFERENCE, 0.2, "ns",
           _above_floor),
    Metric("service_time_p99_ns", "99th percentile of service time", "lower", RATIO, 0.10, "ns",
           _service_time(99)),
    Metric("service_time_p999_ns", "99.9th percentile of service time", "lower", RATIO, 0.50, "ns",
           _service_time(99.9)),
    Metric("slow_ops_per_mop", f"operations slower than {latency.SLOW_NS // 1000} us per million", "lower",
           DIFFERENCE, 0.4, "per million ops", _slow_ops, _slow_events, 1e6),
    Metric("peak_rss_above_base", "peak RSS", "lower", RATIO, 0.03, "kB", _peak_rss),
    Metric("rss_above_base", "final RSS", "lower", RATIO, 0.03, "kB",
           lambda result, label, _: per_launch(result.measured(label), "rss_above_base_kb", "last")),
    Metric("minor_faults_per_mop", "page faults per million operations", "lower", DIFFERENCE, 2.0,
           "per million ops", _rate("minor_faults", 1e6), _events("minor_faults"), 1e6),
    Metric("syscalls_per_op", "system calls per operation", "lower", DIFFERENCE, 1e-7, "per op",
           lambda result, label, _: syscalls_per_op_by_launch(result.measured(label)), _events("syscalls")),
    Metric("instructions_per_op", "instructions per operation", "lower", RATIO, 0.002, "per op",
           _rate("instructions", 1.0)),
)}


# What a machine's own interruptions make grow; against a baseline it is held against the anchor's.
TAIL = ("service_time_p99_ns", "service_time_p999_ns", "slow_ops_per_mop")


def beyond_anchor(result: Result, metric: Metric, label: str, anchor: str) -> pd.Series:
    """A metric of TAIL by launch, less what the anchor has of it in the same launch: log ratios of service
    times; of slow operations the rate above the anchor's, times time_share()."""
    own, anchors = (launch_values(result, metric, side, None) for side in (label, anchor))
    share = time_share(result, label, anchor) if metric.scale == DIFFERENCE and len(own) else 1.0
    return (own - share * anchors).dropna()


def launch_values(result: Result, metric: Metric, label: str, floor: Optional[str]) -> pd.Series:
    """The metric of a subject by launch, on its scale: logarithms for RATIO. Throughput is relative to
    `floor`, the anchor that takes the machine's speed of the day out. Values that have no logarithm give
    none."""
    values = metric.take(result, label, floor)
    if metric.name == "throughput":
        return values
    values = values.astype(float)
    return np.log(values[values > 0]) if metric.scale == RATIO else values
