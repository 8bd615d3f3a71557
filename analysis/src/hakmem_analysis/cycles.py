"""Workloads whose live set rises and falls on purpose.

Purpose     Epochs -> one row a whole cycle, so that part of a tooth of the sawtooth is no trend.
Owns        What a cycle of a workload is: CYCLES.
Boundary    The workload of a manifest and the epochs of one process in; frames out. Judging is drift.py's.
Invariants  A row is so many epochs that they hold a whole cycle wherever it begins, and has the largest value
            in them: the peak does not depend on where in a cycle an epoch ends, as its last value does. What
            is left over is taken from the start.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from . import stats, text
from .drift import SECONDS_PER_HOUR, WARMUP_SHARE, Drift, analyse, shortest_h
from .trend import MIN_TREND_POINTS

# Workload -> (its parameter, how many times that is a cycle), in operations of a thread.
CYCLES = {"sawtooth": ("period", 1), "phases": ("phase_ops", 4)}
LARGEST = ("rss_kb", "peak_rss_kb", "live_bytes", "anon_huge_kb", "harness_rss_kb", "drained_rss_kb",
           "idle_rss_kb")
SPARE = 1.25  # of a length that is asked for


def ops_of_cycle(workload: dict) -> float:
    """Operations of all threads in a cycle of a manifest's workload; 0 where there is none."""
    parameter, times = CYCLES.get(workload.get("name") or "", ("", 0))
    length = (workload.get("params") or {}).get(parameter) or 0
    return float(length) * times * (workload.get("threads") or 1)


def epochs_a_cycle(epochs: pd.DataFrame, cycle_ops: float) -> int:
    """How many epochs hold a whole cycle; 0 for a workload without cycles."""
    ops = epochs["ops"].median() if "ops" in epochs else float("nan")
    return max(1, int(np.ceil(cycle_ops / ops))) if cycle_ops > 0 and ops > 0 else 0


def by_cycle(epochs: pd.DataFrame, size: int) -> pd.DataFrame:
    """A row each `size` epochs: time_s (of the last), and of LARGEST the columns that are there, the largest
    in them. RSS is the peak where that was measured."""
    epochs = epochs[epochs["time_s"].notna() & epochs["rss_kb"].notna()]
    epochs = epochs.sort_values("time_s", kind="stable")
    peak = epochs["peak_rss_kb"] if "peak_rss_kb" in epochs else np.nan
    epochs = epochs.assign(rss_kb=epochs["rss_kb"].where(~(peak > epochs["rss_kb"]), peak))
    epochs = epochs.iloc[len(epochs) % size:]
    columns = ["time_s", *(column for column in LARGEST if column in epochs)]
    return epochs[columns].groupby(np.arange(len(epochs)) // size).max()


def analyse_cycles(epochs: pd.DataFrame, cycle_ops: float, **settings) -> tuple:
    """(the frame that was judged, its Drift) of the epochs of one process: by whole cycles where the workload
    has some (`cycle_ops`: 0 without), else by epochs. Columns as drift.analyse()'s arguments, those that
    were measured. The Drift counts in epochs either way."""
    columns = {column: epochs[column] for column in ("ops_per_s", "peak_rss_kb", "syscalls", "ops")
               if column in epochs}
    every = analyse(epochs["time_s"], epochs["rss_kb"], **columns, **settings)
    size = epochs_a_cycle(epochs, cycle_ops)
    if not size:
        return epochs, every
    rows = by_cycle(epochs, size)
    cycle_s = size * epochs["time_s"].sort_values().diff().median()
    if not len(rows):
        return rows, _too_few(replace(every, epochs_per_cycle=size), 0, cycle_s)
    drift = analyse(rows["time_s"], rows["rss_kb"], unit="cycle", **settings)
    skipped = every.epochs % size + drift.warmup_epochs * size
    rate = epochs.sort_values("time_s", kind="stable")["ops_per_s"].iloc[skipped:].dropna() \
        if "ops_per_s" in epochs else pd.Series(dtype=float)
    found = replace(drift, epochs=every.epochs, warmup_epochs=skipped, epochs_per_cycle=size,
                    epochs_per_block=drift.epochs_per_block * size, syscalls_per_op=every.syscalls_per_op,
                    ops_per_s_mean=float(rate.mean()) if len(rate) else float("nan"),
                    cv=stats.coefficient_of_variation(rate), rss_first_kb=every.rss_first_kb,
                    rss_last_kb=every.rss_last_kb, rss_peak_kb=every.rss_peak_kb)
    cycles = drift.epochs - drift.warmup_epochs
    return rows, found if size == 1 or cycles >= MIN_TREND_POINTS else _too_few(found, cycles, cycle_s)


def warmup_rows(drift: Drift) -> int:
    """How many rows of the frame that was judged are warm-up."""
    return drift.warmup_epochs // max(1, drift.epochs_per_cycle)


def _too_few(drift: Drift, cycles: int, cycle_s: float) -> Drift:
    """An EXTEND without a slope, and how long a soak has enough cycles."""
    enough_s = SPARE * cycle_s * MIN_TREND_POINTS * WARMUP_SHARE / (WARMUP_SHARE - 1)
    needed_s = float(np.nanmax([enough_s, shortest_h(drift.budget_kb_per_h) * SECONDS_PER_HOUR]))
    nan = float("nan")
    return replace(
        drift, verdict="EXTEND", slope_kb_per_h=nan, slope_lower_kb_per_h=nan, slope_upper_kb_per_h=nan,
        smallest_slope_kb_per_h=nan, mann_kendall_p=nan, drift_percent=nan, growth_kb=nan, increments=nan,
        step_kb=nan, step_at_s=nan, slowing=False, needed_s=needed_s, blocks=cycles,
        epochs_per_block=drift.epochs_per_cycle,
        reason=f"{text.counted(cycles, 'whole cycle')} of {text.counted(drift.epochs_per_cycle, 'epoch')} "
               f"after warm-up: too few for a slope; at least {MIN_TREND_POINTS} are needed; a soak of about "
               f"{text.duration(needed_s)} would tell")
