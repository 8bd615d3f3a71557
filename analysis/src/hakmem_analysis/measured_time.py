"""The time that a run was measured in, without its pauses.

Purpose     Put epochs on an axis on which a resumed run goes on where it had ended, and a machine that was
            suspended was not away.
Boundary    Manifest, epochs and events in; the time of each epoch's end and the pauses out.
Invariants  Time within a launch is the clock's but for suspensions, so a slope per hour is one of hours
            measured. Only pauses on record are taken out: the manifest's `resumed`, events
            `suspended`.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHORTEST_NAMED_S = 60.0
SOON_S = 900.0  # an event is written that soon after the epoch that it names, a drain and its idling between
CLOCK_STEP_S = 1.0  # what the wall's clock may be off by when the machine wakes up


@dataclass(frozen=True)
class Pause:
    """A time that is not on the axis. `before_launch`: of a run that was resumed; None: the machine was
    suspended."""

    seconds: float
    at_s: float
    before_launch: object = None


def _suspensions(epochs: pd.DataFrame, events: pd.DataFrame) -> list:
    """(wall time from which on it counts, seconds) of each; that is the end of the epoch it fell into, or of
    the drain and the idling behind it."""
    written_s = events["wall_time_s"] if "wall_time_s" in events else pd.Series(np.nan, events.index)
    found = []
    for row, detail in events.loc[events["event"] == "suspended", "detail"].dropna().items():
        told = re.search(r"\bseq=(\d+) slept_s=([0-9.]+)", detail)
        ends = epochs.loc[epochs["seq"] == float(told[1]), "wall_time_s"].dropna() if told else []
        if len(ends):
            end, slept_s = float(ends.iloc[0]), float(told[2])
            found.append((_counts_from(epochs["wall_time_s"], end, slept_s, written_s[row]), slept_s))
    return found


def _counts_from(wall: pd.Series, end: float, slept_s: float, written_s: float) -> float:
    """`end`, the end of the epoch that an event names, or the machine's waking if it slept behind that, while
    the subject was drained and idled: the event was written at `written_s`, and the sleep is in the longer of
    the times from the last epoch's end to this one and from there to the event."""
    earlier = wall[wall < end]
    before_s = end - earlier.max() if len(earlier) else 0.0
    behind = written_s - end >= max(slept_s - CLOCK_STEP_S, before_s)
    return min(end + slept_s, written_s) if behind else end


def _resumptions(manifest: dict, epochs: pd.DataFrame) -> list:
    """(wall time, seconds, launch) of each: from the last epoch's end to the next launch's first start."""
    found = []
    starts = epochs["wall_time_s"] - epochs["elapsed_ns"].fillna(0) / 1e9
    for entry in manifest.get("resumed") or ():
        launch = entry.get("from_launch")
        before, after = epochs["launch"] < launch, epochs["launch"] >= launch
        if before.any() and after.any():
            gap = starts[after].min() - epochs.loc[before, "wall_time_s"].max()
            found.append((float(starts[after].min()), max(0.0, float(gap)), launch))
    return found


def without_suspensions(epochs: pd.DataFrame, events: pd.DataFrame) -> tuple:
    """(wall_time_s of each epoch less what the machine had been suspended for before; seconds in all) of a
    CSV's epochs, by the events that lie beside it: those of epochs that end when the events say so, since it
    may be another run's CSV."""
    if "wall_time_s" in events:
        told = events["detail"].astype(str).str.extract(r"\bseq=(\d+)(?: slept_s=([0-9.]+))?").astype(float)
        ends = told[0].map(epochs.drop_duplicates("seq").set_index("seq")["wall_time_s"])
        late_s = events["wall_time_s"] - ends
        events = events[~((late_s.abs() > SOON_S) & ((late_s - told[1].fillna(0)).abs() > SOON_S))]
    wall, gone_s = epochs["wall_time_s"], 0.0
    time_s = wall.copy()
    for at, seconds in _suspensions(epochs, events):
        time_s -= np.where(wall >= at, seconds, 0.0)
        gone_s += seconds
    return time_s, gone_s


def measured_time(manifest: dict, epochs: pd.DataFrame, events: pd.DataFrame) -> tuple:
    """(seconds from the first epoch's end to each epoch's, a Series; the Pauses in their order)."""
    wall = epochs["wall_time_s"]
    suspensions = [(*each, None) for each in _suspensions(epochs, events)]
    taken = sorted([*suspensions, *_resumptions(manifest, epochs)], key=lambda each: each[0])
    time_s, pauses, gone_s = wall - wall.min(), [], 0.0
    for at, seconds, launch in taken:
        if seconds >= SHORTEST_NAMED_S:
            begin_s = at - wall.min() - gone_s - seconds
            pauses.append(Pause(seconds, max(0.0, begin_s), launch))
        gone_s += seconds
        time_s = time_s - np.where(wall >= at, seconds, 0.0)
    return time_s, pauses
