"""Does memory drift over a soak?

Purpose     Slope of RSS with its interval against a budget, and what else a soak must show.
Boundary    The epochs of one process in, one Drift out.
Invariants  DRIFT and STABLE are claims about the true slope, made only when its whole interval is outside
            or inside the budget; everything else is EXTEND, with what would settle it.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats as st

from . import stats, trend
from .errors import InputError

DEFAULT_BUDGET_KB_PER_H = 64.0
PAGE_KB = 4.0
MAX_BLOCKS = 720
MEMORYLESS = 1.2
BLOCK_AUTOCORRELATION_TIMES = 3
SECONDS_PER_HOUR = 3600.0
STEP_GAIN = 0.5
STEP_BLOCKS = 60


@dataclass(frozen=True)
class Drift:
    """Memory in kB (1024 bytes, as /proc has it), slopes in kB/h, cv and syscalls as fractions and per op.

    drift_percent is (median of the last quarter - median of the first quarter after warm-up) / first.
    smallest_slope_kb_per_h is the least slope whose interval would have excluded 0: half the width of the
    interval found, and no less than one page over the span.
    """

    verdict: str
    reason: str
    epochs: int
    warmup_epochs: int
    span_s: float
    ops_per_s_mean: float
    cv: float
    rss_first_kb: float
    rss_last_kb: float
    rss_peak_kb: float
    drift_percent: float
    slope_kb_per_h: float
    slope_lower_kb_per_h: float
    slope_upper_kb_per_h: float
    mann_kendall_p: float
    smallest_slope_kb_per_h: float
    budget_kb_per_h: float
    blocks: int
    epochs_per_block: int
    step_kb: float
    step_at_s: float
    syscalls_per_op: float

    def as_dict(self) -> dict:
        return {key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in asdict(self).items()}


def warmup_epochs(rss: np.ndarray) -> int:
    """How many epochs at the start count as warm-up: the first quarter, or the first half if the head and
    the tail (thirds) of the rest still differ (Mann-Whitney p < 0.01)."""
    quarter = len(rss) // 4
    rest = rss[quarter:]
    third = len(rest) // 3
    if third < 4 or np.ptp(rest) == 0:
        return quarter
    p = st.mannwhitneyu(rest[:third], rest[-third:]).pvalue
    return len(rss) // 2 if p < 0.01 else quarter


def find_step(rss: np.ndarray) -> trend.Step:
    """The best single step, searched on at most STEP_BLOCKS block medians; `at` counts epochs."""
    size = max(1, int(np.ceil(len(rss) / STEP_BLOCKS)))
    step = trend.one_step(stats.median_of_blocks(rss, size))
    return trend.Step(step.at * size, step.size, step.gain)


def block_size(rss: np.ndarray) -> int:
    """Epochs a block, so that block medians are independent enough for Sen's interval.

    Three autocorrelation times, and 1 for a series without memory. With AR(1) noise (0.5, 0.8) the 95 %
    interval of the slope then covers the truth in 95 of 100 soaks; with one time a block in 87.
    """
    time = trend.autocorrelation_time(rss)
    enough = 1 if time <= MEMORYLESS else int(np.ceil(BLOCK_AUTOCORRELATION_TIMES * time))
    return max(enough, int(np.ceil(len(rss) / MAX_BLOCKS)))


def analyse(time_s, rss_kb, ops_per_s=None, peak_rss_kb=None, syscalls=None, ops=None,
            budget_kb_per_h: float = DEFAULT_BUDGET_KB_PER_H, confidence: float = 0.95) -> Drift:
    """Judges one soak. All arguments are arrays with one value an epoch (None: not measured)."""
    nan = float("nan")
    frame = pd.DataFrame({"time_s": time_s, "rss_kb": rss_kb})
    for name, values in (("ops_per_s", ops_per_s), ("peak_rss_kb", peak_rss_kb), ("syscalls", syscalls),
                         ("ops", ops)):
        frame[name] = nan if values is None else np.asarray(values, float)
    frame = frame[frame["time_s"].notna() & frame["rss_kb"].notna()].sort_values("time_s", kind="stable")
    if frame.empty:
        raise InputError("no epoch has both a time and a resident size: nothing to judge")
    time_h = (frame["time_s"] - frame["time_s"].min()).to_numpy() / SECONDS_PER_HOUR
    rss = frame["rss_kb"].to_numpy()
    skip = warmup_epochs(rss)
    step = find_step(rss[skip:])
    level = rss[skip:] - np.where(np.arange(len(rss) - skip) >= step.at, step.size, 0)
    size = block_size(level if step.gain >= STEP_GAIN else rss[skip:])
    x, y = stats.median_of_blocks(time_h[skip:], size), stats.median_of_blocks(rss[skip:], size)
    slope = trend.theil_sen(x, y, confidence)
    span_h = time_h[-1] - time_h[skip] if len(rss) > skip else nan
    page_slope = PAGE_KB / span_h if span_h > 0 else nan
    smallest = max((slope.upper - slope.lower) / 2, page_slope) if len(y) >= trend.MIN_TREND_POINTS else nan
    stepped = (step.gain >= STEP_GAIN and abs(step.size) > PAGE_KB
               and abs(step.size) > budget_kb_per_h * span_h)
    verdict, reason = _judge(slope, smallest, budget_kb_per_h, stepped, step.size, len(y), size)
    rate = frame["ops_per_s"].iloc[skip:].dropna()
    counted = frame[frame["syscalls"].notna() & frame["ops"].notna()].iloc[skip:]
    quarter = max(1, (len(rss) - skip) // 4)
    head, tail = np.median(rss[skip:skip + quarter]), np.median(rss[-quarter:])
    return Drift(
        verdict=verdict, reason=reason, epochs=len(rss), warmup_epochs=skip, span_s=span_h * SECONDS_PER_HOUR,
        ops_per_s_mean=float(rate.mean()) if len(rate) else nan, cv=stats.coefficient_of_variation(rate),
        rss_first_kb=float(rss[0]), rss_last_kb=float(rss[-1]),
        rss_peak_kb=float(np.nanmax([rss.max(), frame["peak_rss_kb"].max()])),
        drift_percent=100.0 * (tail - head) / head if head > 0 else nan,
        slope_kb_per_h=slope.slope, slope_lower_kb_per_h=slope.lower, slope_upper_kb_per_h=slope.upper,
        mann_kendall_p=slope.mann_kendall_p, smallest_slope_kb_per_h=smallest,
        budget_kb_per_h=budget_kb_per_h, blocks=len(y), epochs_per_block=size,
        step_kb=step.size if stepped else nan,
        step_at_s=float(time_h[skip + step.at] * SECONDS_PER_HOUR) if stepped else nan,
        syscalls_per_op=float(counted["syscalls"].sum() / counted["ops"].sum()) if len(counted) else nan)


def _judge(slope: trend.Slope, smallest: float, budget: float, stepped: bool, step_kb: float, blocks: int,
           size: int) -> tuple:
    """(verdict, reason) of a slope in kB/h against a budget, symmetric about 0."""
    if blocks < trend.MIN_TREND_POINTS:
        return "EXTEND", (f"{blocks} independent blocks of {size} epoch(s) after warm-up are too few for a "
                          f"slope; at least {trend.MIN_TREND_POINTS} are needed")
    if stepped:
        return "EXTEND", (f"one step of {step_kb:+.0f} kB and level before and after: a longer soak tells "
                          "whether it comes again")
    if slope.lower > budget or slope.upper < -budget:
        return "DRIFT", f"the whole interval of the slope is beyond the budget of {budget:g} kB/h"
    if smallest > budget:
        return "EXTEND", (f"the smallest slope this soak could see, {smallest:.3g} kB/h, is above the budget "
                          f"of {budget:g} kB/h; a longer soak sees less")
    if slope.lower >= -budget and slope.upper <= budget:
        return "STABLE", f"the whole interval of the slope is within the budget of {budget:g} kB/h"
    return "EXTEND", (f"the interval of the slope reaches beyond the budget of {budget:g} kB/h, but not all "
                      "of it; a longer soak narrows it")
