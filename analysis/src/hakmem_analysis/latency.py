"""Service time: how long single operations took.

Purpose     Read latency.csv, the histograms of the latency epochs, and answer with percentiles and with the
            number of slow operations.
Owns        Nothing; frames in, numbers out.
Boundary    load_latency() is the only place that knows the file. A histogram is a frame with the columns
            low_ns, high_ns, count: `count` operations took low_ns <= t < high_ns.
Invariants  The probe's own readings (op `timer`) are never counted as operations; they have rows of their
            own. No percentile is off by more than the width of its bucket, 1/32 of the value, from that of
            the readings, which themselves have the clock's step.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Optional, Sequence

import numpy as np
import pandas as pd

from . import csvfile
from .errors import InputError
from .load import Result

TIMER = "timer"
PERCENTILES = (50, 99, 99.9, 99.99)
SLOW_NS = 80_000  # above what a timer interrupt takes of an operation on a virtual machine
OPS = ("malloc", "free", "calloc", "realloc", "aligned_alloc", TIMER)
NUMBERS = ("seq", "launch", "low_ns", "high_ns", "count")


@dataclass(frozen=True)
class ServiceTime:
    """The operations of one subject over all its latency epochs; times in ns, the timer's cost included.
    max_ns is the upper edge of the slowest operation's bucket; slow_ops_per_mop counts those above SLOW_NS
    among a million, timer_slow_per_mop such readings of the timer. clock_step_ns: differences below it cannot
    be seen."""

    subject: str
    name: str
    ops: int
    epochs: int
    noisy_epochs: int
    p50_ns: float
    p99_ns: float
    p99_9_ns: float
    p99_99_ns: float
    max_ns: float
    slow_ops_per_mop: float
    timer_p50_ns: float
    timer_slow_per_mop: float
    clock_step_ns: float

    def as_dict(self) -> dict:
        return asdict(self)


def load_latency(result: Result) -> Optional[pd.DataFrame]:
    """The rows of latency.csv with a column `excluded` (their epoch is over the noise limit), or None if
    the run had no latency epochs. Raises InputError."""
    frame = _read_once(result)
    if frame is None:
        return None
    excluded = result.epochs.loc[result.epochs["excluded"], "seq"]
    return frame.assign(excluded=frame["seq"].isin(excluded))


def _read_once(result: Result) -> Optional[pd.DataFrame]:
    path = result.folder / "latency.csv"
    if path.name in result.read_files:
        return result.read_files[path.name]
    if not path.exists():
        return None
    rows, cut = csvfile.count_complete_rows(path)
    if cut:
        result.warnings.append(f"{path.name}: the last line is cut off (a killed run); it is left out")
    frame = csvfile.read_columns(str(path), numbers=NUMBERS, texts=("subject", "op"), max_rows=rows)
    unknown = ~frame["op"].isin(OPS)
    if unknown.any():
        row = unknown.idxmax()
        raise InputError(f"{path}:{row + 2}: op is '{frame['op'][row]}', expected one of {', '.join(OPS)}; "
                         "use the report tool of the version that measured")
    bad = ~((frame["low_ns"] < frame["high_ns"]) & (frame["count"] > 0))
    if bad.any():
        raise InputError(f"{path}:{bad.idxmax() + 2}: not a bucket (low_ns < high_ns, count > 0); remove "
                         "that line")
    result.read_files[path.name] = frame
    return frame


def operations(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of operations, without the probe's own readings."""
    return frame[frame["op"] != TIMER]


def percentiles(hist: pd.DataFrame, points: Sequence[float]) -> np.ndarray:
    """Percentiles in ns, by linear interpolation within the bucket; NaN for an empty histogram.

    The p-th percentile is where the histogram's cumulative share, linear within each bucket, reaches p %.
    The p-th percentile of the values themselves lies in the same bucket or at its edge.
    """
    if hist.empty:
        return np.full(len(points), np.nan)
    pooled = hist.groupby(["low_ns", "high_ns"], as_index=False)["count"].sum()  # sorted by low_ns
    after = pooled["count"].cumsum().to_numpy()
    wanted = np.asarray(points, dtype=float) / 100 * after[-1]
    bucket = np.minimum(np.searchsorted(after, wanted), len(after) - 1)
    low, high, count = (pooled[column].to_numpy()[bucket] for column in ("low_ns", "high_ns", "count"))
    return low + (high - low) * np.clip((wanted - (after[bucket] - count)) / count, 0, 1)


def clock_step_ns(timer: pd.DataFrame) -> float:
    """The step in which the clock advances, from the probe's own readings: the smallest distance of two
    buckets that hold a hundredth of them each. Some CPUs advance their counter only every several ns. NaN if
    all readings are alike."""
    pooled = timer.groupby("low_ns")["count"].sum()
    common = pooled.index[pooled >= pooled.sum() / 100].to_numpy()
    return float(np.diff(common).min()) if len(common) > 1 else float("nan")


def slow_counts(hist: pd.DataFrame, threshold_ns: float = SLOW_NS) -> pd.Series:
    """How many of each bucket are slower; of the bucket that holds the threshold, the share above it."""
    share = (hist["high_ns"] - threshold_ns) / (hist["high_ns"] - hist["low_ns"])
    return hist["count"] * share.clip(0, 1)


def slow_ops_per_mop(hist: pd.DataFrame, threshold_ns: float = SLOW_NS) -> pd.Series:
    """Operations slower than threshold_ns in a million operations: a Series by (subject, launch)."""
    hist = operations(hist)
    parts = pd.DataFrame({"subject": hist["subject"], "launch": hist["launch"], "count": hist["count"],
                          "slow": slow_counts(hist, threshold_ns)})
    sums = parts.groupby(["subject", "launch"])[["slow", "count"]].sum()
    return 1e6 * sums["slow"] / sums["count"]


def _slow_per_mop(hist: pd.DataFrame) -> float:
    """Slow readings in a million of the pooled histograms; NaN of none."""
    count = hist["count"].sum()
    return float(1e6 * slow_counts(hist).sum() / count) if count else float("nan")


def summarise(result: Result, frame: pd.DataFrame, label: str) -> Optional[ServiceTime]:
    """The service time of one subject, or None if none of its operations was timed. Epochs over the noise
    limit are left out, unless there are no others."""
    every = frame[frame["subject"] == label]
    kept = every if every["excluded"].all() else every[~every["excluded"]]
    ops = operations(kept)
    if ops.empty:
        return None
    timer = kept[kept["op"] == TIMER]
    p50, p99, p99_9, p99_99 = map(float, percentiles(ops, PERCENTILES))
    return ServiceTime(
        subject=label, name=result.display_name(label), ops=int(ops["count"].sum()),
        epochs=int(kept["seq"].nunique()), noisy_epochs=int(every.loc[every["excluded"], "seq"].nunique()),
        p50_ns=p50, p99_ns=p99, p99_9_ns=p99_9, p99_99_ns=p99_99, max_ns=float(ops["high_ns"].max()),
        slow_ops_per_mop=_slow_per_mop(ops), timer_p50_ns=float(percentiles(timer, (50,))[0]),
        timer_slow_per_mop=_slow_per_mop(timer), clock_step_ns=clock_step_ns(timer))


def summarise_all(result: Result) -> list:
    """The service times of all subjects that have some, in the manifest's order; [] without latency.csv."""
    frame = load_latency(result)
    if frame is None:
        return []
    found = (summarise(result, frame, label) for label in result.subjects)
    return [service for service in found if service is not None]
