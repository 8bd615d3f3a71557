"""Does memory drift over a soak?

Purpose     Slope of RSS with its interval against a budget, and what else a soak must show.
Boundary    The epochs of one process in, one Drift out. Why it drifts is causes.py's.
Invariants  DRIFT and STABLE are claims about the true slope, made only when its whole interval is outside
            or inside the budget; everything else is EXTEND, with what would settle it. One step is never
            a DRIFT (docs/adr/0005-one-step-is-no-drift.md).
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats as st

from . import stats, text, trend
from .errors import InputError
from .gate_settings import RSS_DRIFT_KB_PER_H

CONFIDENCE = 0.99
PAGE_KB = 4.0
WALK_BLOCKS = 10
SECONDS_PER_HOUR = 3600.0
STEP_GAIN = 0.5
STEP_BLOCKS = 60
STEP_STEPS = 2.5
STEP_SIDE_BLOCKS = 3
LATE_BLOCKS = 3  # the two behind a step that find_step() needs, and a rest
SLOWING = 0.75
SLOWING_ONCE_MORE = 0.85  # of a growth that slowed before: that it goes on must be plain
LONGEST_FACTOR = 64.0  # of this soak's length, or LONGEST_H: more is no advice
LONGEST_H = 24.0
WARMUP_SHARE = 4  # a quarter


@dataclass(frozen=True)
class Drift:
    """Memory in kB (1024 bytes, as /proc has it), slopes in kB/h, cv and syscalls as fractions and per op.

    drift_percent is (median of the last quarter - median of the first quarter after warm-up) / first.
    smallest_slope_kb_per_h is the least slope whose interval would have excluded 0: half the width of the
    interval found, and no less than one page over the span. growth_kb came in `increments` (effective) steps.
    needed_s: how long a soak would settle an EXTEND, NaN where that is not known. method: "levels"
    (Theil-Sen over block medians) or "increments" (a series that remembers for ever). epochs_per_cycle: of a
    workload that was judged by whole cycles (cycles.py); 0: by epochs.
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
    confidence: float
    method: str
    mann_kendall_p: float
    smallest_slope_kb_per_h: float
    budget_kb_per_h: float
    blocks: int
    epochs_per_block: int
    growth_kb: float
    increments: float
    step_kb: float
    step_at_s: float
    slowing: bool
    needed_s: float
    syscalls_per_op: float
    epochs_per_cycle: int = 0

    @property
    def moves(self) -> bool:
        """Whether the interval of the slope leaves 0 out."""
        return self.slope_lower_kb_per_h > 0 or self.slope_upper_kb_per_h < 0

    def as_dict(self) -> dict:
        return {key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in asdict(self).items()}


def slope_words(drift: Drift) -> tuple:
    """(slope, its interval, the smallest slope visible) in words and in one unit."""
    slope, lower, upper, smallest = text.slopes(
        drift.slope_kb_per_h, drift.slope_lower_kb_per_h, drift.slope_upper_kb_per_h,
        drift.smallest_slope_kb_per_h)
    interval = text.MISSING if text.MISSING in (lower, upper) else f"{lower} .. {upper}"
    if smallest.startswith("0 ") and drift.smallest_slope_kb_per_h > 0:  # a page over days is not nothing
        smallest = f"{text.kb_per_h(drift.smallest_slope_kb_per_h)} kB/h"
    return slope, interval, smallest.lstrip("+")


@dataclass(frozen=True)
class Line:
    """The slope of one series and how it was found; `at_h` and `level` are its block medians."""

    slope: trend.Slope
    method: str
    block: int
    at_h: np.ndarray
    level: np.ndarray


def line(time_h: np.ndarray, values: np.ndarray, confidence: float = CONFIDENCE) -> Line:
    """The slope of any series: Theil-Sen over blocks longer than its memory; where that leaves too few
    blocks, the mean increment between WALK_BLOCKS of them. NaN slope for too few values."""
    size, method, find = trend.block_size(values), "levels", trend.theil_sen
    if len(values) // size < trend.MIN_TREND_POINTS and len(values) >= 2 * WALK_BLOCKS:
        size, method, find = len(values) // WALK_BLOCKS, "increments", trend.mean_increment
    x, y = stats.median_of_blocks(time_h, size), stats.median_of_blocks(values, size)
    return Line(find(x, y, confidence), method, size, x, y)


def _step_medians(values: np.ndarray) -> tuple:
    """(medians of at most STEP_BLOCKS blocks, epochs a block): fine enough to show each stair."""
    size = max(1, int(np.ceil(len(values) / STEP_BLOCKS)))
    return stats.median_of_blocks(values, size), size


def find_step(values: np.ndarray) -> trend.Step:
    """The best single step, searched on at most STEP_BLOCKS block medians, then to the epoch `at`. Its size
    is that of the levels right beside it, so that a trend does not count in; its gain is 0 where the series
    came to its level in more increments than a step has."""
    medians, size = _step_medians(values)
    step = trend.one_step(medians)
    if step.gain < STEP_GAIN or trend.staircase(medians).steps >= STEP_STEPS:
        return trend.Step(step.at * size, step.size, 0.0)
    before = medians[max(0, step.at - STEP_SIDE_BLOCKS):step.at]
    after = medians[step.at:step.at + STEP_SIDE_BLOCKS]
    low, high = np.median(before), np.median(after)
    start = (step.at - 1) * size  # the very epoch, which lies in a block beside the boundary
    across = (values[start:start + 2 * size] - (low + high) / 2) * (high - low) > 0
    return trend.Step(start + int(np.argmax(across)), float(high - low), step.gain)


def find_late_step(values: np.ndarray, least_kb: float) -> trend.Step:
    """A step too near to the end for find_step(): all epochs from `at` on lie more than `least_kb` beyond
    whatever was seen before the last LATE_BLOCKS blocks. Its gain is 1; 0 where there is none."""
    tail = LATE_BLOCKS * _step_medians(values)[1]
    before, late = values[:-tail], values[-tail:]
    if len(before) < trend.MIN_TREND_POINTS:
        return trend.Step(0, 0.0, 0.0)
    for sign in (1, -1):
        back = np.flatnonzero(sign * late <= (sign * before).max() + least_kb)
        behind = late[back[-1] + 1:] if len(back) else late
        if len(behind):
            level = np.median(before[-STEP_SIDE_BLOCKS * tail // LATE_BLOCKS:])
            return trend.Step(len(values) - len(behind), float(np.median(behind) - level), 1.0)
    return trend.Step(0, 0.0, 0.0)


def slows(values: np.ndarray, share: float = SLOWING) -> bool:
    """True when the second half of a growth brings less than `share` of what the first brings."""
    if len(values) < 2 * trend.MIN_TREND_POINTS:
        return False
    fifth = max(1, len(values) // 5)
    middle = len(values) // 2
    first, last = np.median(values[:fifth]), np.median(values[-fifth:])
    halfway = np.median(values[middle - fifth // 2:middle - fifth // 2 + fifth])
    return bool((last - halfway) * np.sign(last - first) < share * abs(halfway - first))


def warmup_epochs(rss: np.ndarray) -> int:
    """How many epochs at the start count as warm-up: the first quarter, or the first half if the head and
    the tail (thirds) of the rest still differ (Mann-Whitney p < 0.01) because of a growth that slows. A leak
    keeps its pace, and a step is no warm-up: they keep the quarter."""
    quarter = len(rss) // WARMUP_SHARE
    rest = rss[quarter:]
    third = len(rest) // 3
    if third < 4 or np.ptp(rest) == 0:
        return quarter
    if st.mannwhitneyu(rest[:third], rest[-third:]).pvalue >= 0.01 or not slows(rest):
        return quarter
    return quarter if find_step(rest).gain >= STEP_GAIN else len(rss) // 2


def analyse(time_s, rss_kb, ops_per_s=None, peak_rss_kb=None, syscalls=None, ops=None,
            budget_kb_per_h: float = RSS_DRIFT_KB_PER_H, confidence: float = CONFIDENCE,
            unit: str = "epoch") -> Drift:
    """Judges one soak. All arguments are arrays with one value an epoch (None: not measured), or of another
    `unit`, which the reason names."""
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
    span_h = time_h[-1] - time_h[skip] if len(rss) > skip else nan
    step, least_kb = find_step(rss[skip:]), max(PAGE_KB, budget_kb_per_h * span_h)
    stepped = step.gain >= STEP_GAIN and abs(step.size) > least_kb
    without = rss[skip:] - np.where(np.arange(len(rss) - skip) >= step.at, step.size, 0)
    level = without if stepped else rss[skip:]
    found = line(time_h[skip:], level, confidence)
    slowed_before = skip != len(rss) // WARMUP_SHARE
    stairs = trend.staircase(_step_medians(level)[0])
    case = _Case(found, stairs, float(span_h), float(time_h[-1]), budget_kb_per_h, confidence,
                 slows(level, SLOWING_ONCE_MORE if slowed_before else SLOWING),
                 step.size if stepped else nan, float(time_h[skip + step.at]) if stepped else nan, unit)
    verdict, reason, needed_h = _judge(case)
    late = find_late_step(level, least_kb) if verdict == "STABLE" else trend.Step(0, 0.0, 0.0)
    if late.gain > 0:  # the slope does not see it: it is the median of slopes
        case = replace(case, step_kb=late.size, step_at_h=float(time_h[skip + late.at]))
        verdict, reason, needed_h = _judge(case)
    rate = frame["ops_per_s"].iloc[skip:].dropna()
    counted = frame[frame["syscalls"].notna() & frame["ops"].notna()].iloc[skip:]
    quarter = max(1, (len(rss) - skip) // 4)
    head, tail = np.median(rss[skip:skip + quarter]), np.median(rss[-quarter:])
    slope = found.slope
    return Drift(
        verdict=verdict, reason=reason, epochs=len(rss), warmup_epochs=skip, span_s=span_h * SECONDS_PER_HOUR,
        ops_per_s_mean=float(rate.mean()) if len(rate) else nan, cv=stats.coefficient_of_variation(rate),
        rss_first_kb=float(rss[0]), rss_last_kb=float(rss[-1]),
        rss_peak_kb=float(np.nanmax([rss.max(), frame["peak_rss_kb"].max()])),
        drift_percent=100.0 * (tail - head) / head if head > 0 else nan,
        slope_kb_per_h=slope.slope, slope_lower_kb_per_h=slope.lower, slope_upper_kb_per_h=slope.upper,
        confidence=confidence, method=found.method, mann_kendall_p=slope.mann_kendall_p,
        smallest_slope_kb_per_h=case.smallest, budget_kb_per_h=budget_kb_per_h, blocks=len(found.level),
        epochs_per_block=found.block, growth_kb=case.stairs.growth, increments=case.stairs.steps,
        step_kb=case.step_kb, step_at_s=case.step_at_h * SECONDS_PER_HOUR, slowing=case.slowing,
        needed_s=needed_h * SECONDS_PER_HOUR,
        syscalls_per_op=float(counted["syscalls"].sum() / counted["ops"].sum()) if len(counted) else nan)


@dataclass(frozen=True)
class _Case:
    """What a verdict is made of. Hours and kB; step_* are NaN without a step."""

    line: Line
    stairs: trend.Staircase
    span_h: float
    total_h: float
    budget: float
    confidence: float
    slowing: bool
    step_kb: float
    step_at_h: float
    unit: str

    @property
    def half_width(self) -> float:
        return (self.line.slope.upper - self.line.slope.lower) / 2

    @property
    def smallest(self) -> float:
        page = PAGE_KB / self.span_h if self.span_h > 0 else float("nan")
        return max(self.half_width, page) if np.isfinite(self.half_width) else float("nan")

    @property
    def longest_factor(self) -> float:
        """How many times its length a soak may be asked to take."""
        return max(LONGEST_FACTOR, LONGEST_H / self.total_h) if self.total_h > 0 else LONGEST_FACTOR

    def least_rate(self, times: float = 1.0) -> float:
        """The least rate of growth that its increments, taken as chance events of their size, allow; if the
        soak had gone on in the same way, `times` as long."""
        steps = self.stairs.steps * times
        share = trend.least_count(steps, self.confidence) / steps if steps > 0 else 0.0
        return share * abs(self.stairs.growth) / self.span_h


def _judge(case: _Case) -> tuple:
    """(verdict, reason, hours of a soak that would settle it or NaN) by the budget, symmetric about 0."""
    slope, budget, nan = case.line.slope, case.budget, float("nan")
    tolerated = f"the budget of {text.kb_per_h(budget)} kB/h"
    blocks = len(case.line.level)
    if blocks < trend.MIN_TREND_POINTS:
        needed_h = max(1.25 * case.total_h * trend.MIN_TREND_POINTS / max(blocks, 1), shortest_h(budget))
        return "EXTEND", (f"{text.counted(blocks, 'independent block')} of "
                          f"{text.counted(case.line.block, case.unit)} after warm-up: too few for a slope; "
                          f"at least {trend.MIN_TREND_POINTS} are needed"
                          + _about(needed_h)), needed_h
    beyond = slope.lower > budget or slope.upper < -budget
    if beyond and case.least_rate() > budget and not case.slowing:
        words = f"the whole interval of the slope is beyond {tolerated}"
        if np.isfinite(case.step_kb):
            words += f", also without one step of {case.step_kb:+.0f} kB"
        return "DRIFT", words, nan
    if np.isfinite(case.step_kb):
        needed_h = WARMUP_SHARE * case.step_at_h
        at = text.duration(case.step_at_h * SECONDS_PER_HOUR)
        return "EXTEND", (f"one step of {case.step_kb:+.0f} kB at {at}, and no trend before or after: if it "
                          "does not come again, a soak of "
                          f"{text.duration(needed_h * SECONDS_PER_HOUR)} has it in its warm-up"), needed_h
    if beyond and case.slowing:
        needed_h = 2 * case.total_h
        return "EXTEND", (f"RSS still grows by {text.slope(slope.slope)}, but ever more slowly: a warm-up "
                          "that is not over yet" + _about(needed_h)), needed_h
    if beyond:
        needed_h = _needed_for_stairs(case)
        return "EXTEND", (f"RSS came to its level in {case.stairs.steps:.1f} steps of about "
                          f"{abs(case.stairs.growth) / case.stairs.steps:.0f} kB: too few to call it a trend"
                          + _about(needed_h)), needed_h
    if case.smallest > budget:
        needed_h = _needed_for_width(case)
        return "EXTEND", (f"the smallest slope this soak could see, {text.kb_per_h(case.smallest)} kB/h, is "
                          f"above {tolerated}" + _about(needed_h)), needed_h
    if slope.lower >= -budget and slope.upper <= budget:
        return "STABLE", f"the whole interval of the slope is within {tolerated}", nan
    needed_h = _needed_for_width(case)
    return "EXTEND", (f"the interval of the slope reaches beyond {tolerated}, but not all of it"
                      + _about(needed_h)), needed_h


def _about(needed_h: float) -> str:
    if not np.isfinite(needed_h):
        return "; it lies so near the budget that no soak settles it soon"
    return f"; a soak of about {text.duration(needed_h * SECONDS_PER_HOUR)} would tell"


def shortest_h(budget: float) -> float:
    """Hours of a soak in whose judged part a page more is within the budget."""
    return PAGE_KB / budget * WARMUP_SHARE / (WARMUP_SHARE - 1)


def _needed_for_width(case: _Case) -> float:
    """Hours of a soak whose interval is half as wide as the distance of the slope to the budget.

    The width of Sen's interval falls with the 3/2 power of the span, that of mean increments with its
    square root; a page over the span must fit into the budget too.
    """
    room = abs(case.budget - abs(case.line.slope.slope))
    power = 2 / 3 if case.line.method == "levels" else 2.0
    factor = max((case.half_width / room) ** power if room > 0 else np.inf, 1.25)
    if factor > case.longest_factor:
        return float("nan")
    return max(factor * case.total_h, shortest_h(case.budget))


def _needed_for_stairs(case: _Case) -> float:
    """Hours of a soak in which the same growth comes in enough increments."""
    times = 1.25
    while times <= case.longest_factor and case.least_rate(times) <= case.budget:
        times *= 1.25
    return times * case.total_h if times <= case.longest_factor else float("nan")
