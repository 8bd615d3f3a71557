"""Why does memory drift?

Purpose     Name the cause of a growth: a leak, the allocator's own leak, fragmentation, retention, huge
            pages, the harness, one step; or say why it cannot be told.
Boundary    The epochs of one process and its Drift in, one Cause out; pure. Columns that were not measured
            (absent, or all NaN) only narrow what can be told.
Invariants  A cause is named only if it explains at least half of the growth, in its interval's lower bound
            more than nothing. Where two would, the one nearer to the program wins: harness, live bytes, huge
            pages, then what shows after a drain.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Optional

import numpy as np
import pandas as pd

from . import text
from .drift import SECONDS_PER_HOUR, Drift, find_step, line
from .trend import MIN_TREND_POINTS

NONE, UNKNOWN, SHRINKING, STEP = "none", "unknown", "shrinking", "one step"
HARNESS, LEAK, HUGE_PAGES = "harness", "leak", "huge pages"
ALLOCATOR_LEAK, FRAGMENTATION, RETENTION = "allocator leak", "fragmentation", "retention"

HALF = 0.5
CONFIDENCE = 0.95
BYTES_PER_KB = 1024.0
# Column -> what it is called in a sentence.
COLUMNS = {"live_bytes": "live blocks", "anon_huge_kb": "huge pages", "harness_rss_kb": "the harness",
           "drained_rss_kb": "RSS after a drain", "idle_rss_kb": "RSS after idling"}


@dataclass(frozen=True)
class Growth:
    """How much a column grew over the judged part of a soak, kB, with its interval."""

    kb: float
    lower_kb: float
    upper_kb: float

    def explains(self, growth_kb: float) -> bool:
        return self.lower_kb > 0 and self.kb >= HALF * growth_kb

    def is_flat(self, growth_kb: float) -> bool:
        """Too little to explain a growth, in its interval's upper bound too."""
        return self.upper_kb < HALF * growth_kb


@dataclass(frozen=True)
class Cause:
    """`name` is one of the constants above; `reason` a sentence; `growths_kb` what each measured column grew
    by, the resident size itself as "rss_kb"."""

    name: str
    reason: str
    growths_kb: dict = field(default_factory=dict)

    def as_dict(self) -> dict:
        return asdict(self)


def _trend_growth(time_h: np.ndarray, values: np.ndarray, span_h: float) -> Optional[Growth]:
    """The slope times the span, one step taken off. None for too few values."""
    if len(values) < MIN_TREND_POINTS:
        return None
    step = find_step(values)
    if step.gain > 0:
        values = values - np.where(np.arange(len(values)) >= step.at, step.size, 0)
    slope = line(time_h, values, CONFIDENCE).slope
    if not np.isfinite(slope.slope):
        return None
    return Growth(*(float(bound * span_h) for bound in (slope.slope, slope.lower, slope.upper)))


def _step_growth(time_h: np.ndarray, values: np.ndarray, at_h: float) -> Optional[Growth]:
    """The levels after a moment less those before; the interval: their quartiles. None without both."""
    before, after = values[time_h < at_h], values[time_h >= at_h]
    if not len(before) or not len(after):
        return None
    (low, middle, high), (low_after, middle_after, high_after) = (
        np.percentile(part, (25, 50, 75)) for part in (before, after))
    return Growth(float(middle_after - middle), float(low_after - high), float(high_after - low))


def growths(epochs: pd.DataFrame, drift: Drift) -> dict:
    """Column -> Growth of every column that was measured often enough, after the warm-up."""
    epochs = epochs[epochs["time_s"].notna() & epochs["rss_kb"].notna()]
    epochs = epochs.sort_values("time_s", kind="stable")
    time_h = (epochs["time_s"] - epochs["time_s"].min()).to_numpy() / SECONDS_PER_HOUR
    judged = slice(drift.warmup_epochs // max(1, drift.epochs_per_cycle), None)
    span_h, found = drift.span_s / SECONDS_PER_HOUR, {}
    for column in ("rss_kb", *COLUMNS):
        if column not in epochs:
            continue
        values = epochs[column].to_numpy(float)[judged]
        there = np.isfinite(values)
        values, at_h = values[there], time_h[judged][there]
        if column == "live_bytes":
            values = values / BYTES_PER_KB
        if drift.verdict != "DRIFT" and np.isfinite(drift.step_kb):
            growth = _step_growth(at_h, values, drift.step_at_s / SECONDS_PER_HOUR)
        else:
            growth = _trend_growth(at_h, values, span_h)
        if growth is not None:
            found[column] = growth
    return found


def explain(epochs: pd.DataFrame, drift: Drift, floor: Optional[Drift] = None) -> Cause:
    """The cause of what `drift` says of `epochs`: columns time_s, rss_kb and any of COLUMNS. `floor` is the
    Drift of the subject that is no allocator, of the same soak."""
    if drift.verdict == "STABLE":
        within = f"memory drifts within the budget of {text.kb_per_h(drift.budget_kb_per_h)} kB/h"
        return Cause(NONE, within if drift.moves else "memory does not drift")
    found = growths(epochs, drift)
    numbers = {column: growth.kb for column, growth in found.items()}
    name, reason = _name(drift, found, floor)
    return Cause(name, reason, numbers)


def _name(drift: Drift, found: dict, floor: Optional[Drift]) -> tuple:
    rss = found.get("rss_kb")
    if rss is None:
        return UNKNOWN, "cannot tell, because too few epochs were measured"
    stepped = drift.verdict != "DRIFT" and np.isfinite(drift.step_kb)
    if rss.upper_kb < 0:
        return (STEP if stepped else SHRINKING), f"memory is given back: {text.memory(rss.kb)} over the soak"
    if not rss.lower_kb > 0:
        return NONE, "no growth is shown"
    if stepped:
        return STEP, _step_words(drift, found)
    harness = _harness(rss, found, drift, floor)
    if harness:
        return HARNESS, harness
    for column, name in (("live_bytes", LEAK), ("anon_huge_kb", HUGE_PAGES)):
        if column in found and found[column].explains(rss.kb):
            return name, (f"{COLUMNS[column]} grew by {text.memory(found[column].kb)}, RSS by "
                          f"{text.memory(rss.kb)}")
    return _behind_the_program(drift, rss, found)


def _step_words(drift: Drift, found: dict) -> str:
    words = f"RSS rose by {text.memory(drift.step_kb)} at {text.duration(drift.step_at_s)}, and only then"
    shared = [COLUMNS[column] for column in ("live_bytes", "anon_huge_kb", "drained_rss_kb")
              if column in found and found[column].explains(drift.step_kb)]
    return words + (f"; with it rose {' and '.join(shared)}" if shared else "")


def _harness(rss: Growth, found: dict, drift: Drift, floor: Optional[Drift]) -> str:
    """Why the growth is the harness's; "" where it is not."""
    if floor is not None and floor.slope_lower_kb_per_h > 0 and (
            floor.slope_kb_per_h >= HALF * drift.slope_kb_per_h):
        of_floor, own = text.slopes(floor.slope_kb_per_h, drift.slope_kb_per_h)
        return f"the floor, which is no allocator, grows too: by {of_floor} where this grows by {own}"
    grown = found.get("harness_rss_kb")
    if grown is not None and grown.explains(rss.kb):
        return f"the harness itself grew by {text.memory(grown.kb)}, RSS by {text.memory(rss.kb)}"
    return ""


def _behind_the_program(drift: Drift, rss: Growth, found: dict) -> tuple:
    """The cause of a growth that live bytes and huge pages do not explain."""
    live = found.get("live_bytes")
    if live is None:
        return UNKNOWN, "cannot tell, because live bytes were not measured"
    if not live.is_flat(rss.kb):
        return UNKNOWN, "cannot tell, because live bytes vary too much; a longer soak narrows it"
    shares = [(COLUMNS[column], found[column].kb / rss.kb) for column in ("live_bytes", "anon_huge_kb")
              if column in found and found[column].lower_kb > 0]
    if sum(share for _, share in shares) >= HALF:
        listed = ", ".join(f"{words} {text.percent(share, 0)}" for words, share in shares)
        return UNKNOWN, f"cannot tell, because no one cause explains half of the growth: {listed}"
    drained, idle = found.get("drained_rss_kb"), found.get("idle_rss_kb")
    if drained is None:
        if drift.slowing:
            return RETENTION, ("live bytes are flat and RSS grows ever more slowly: caches that fill; a "
                               "ratchet soak (--mode ratchet) would prove it")
        return UNKNOWN, ("cannot tell an allocator's leak from fragmentation and retention, because nothing "
                         "was drained: live bytes are flat; soak with --mode ratchet")
    if drained.is_flat(rss.kb):
        return FRAGMENTATION, (f"live bytes are flat and RSS grew by {text.memory(rss.kb)}, but it falls "
                               "back after a drain")
    if not drained.explains(rss.kb):
        return UNKNOWN, ("cannot tell, because RSS after a drain varies too much; a longer soak narrows it")
    if idle is not None and idle.is_flat(rss.kb):
        return RETENTION, (f"live bytes are flat and RSS after a drain grew by {text.memory(drained.kb)}, "
                           "but idling gives it back")
    if drift.slowing:
        return RETENTION, "live bytes are flat and RSS after a drain grows ever more slowly: caches that fill"
    return ALLOCATOR_LEAK, (f"live bytes are flat, and RSS after a drain grew by {text.memory(drained.kb)} "
                            f"of {text.memory(rss.kb)}: the allocator keeps what was freed")
