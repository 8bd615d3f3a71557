"""The time that a run was measured in, without its pauses.

Purpose     Put epochs on an axis on which a resumed run goes on where it had ended, and a machine that was
            suspended, or hakbench that was stopped (Ctrl-Z), was not away.
Boundary    Manifest, epochs and events in; the time of each epoch's end and the pauses out.
Invariants  Time within a launch is the clock's but for suspensions and stops, so a slope per hour is one of
            hours measured. Only pauses on record are taken out: the manifest's `resumed`, events `suspended`
            and `stopped`.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHORTEST_NAMED_S = 60.0
SOON_S = 900.0  # an event is written that soon after the epoch that it names, a drain and its idling between
CLOCK_STEP_S = 1.0  # what the wall's clock may be off by when the machine wakes up
SUSPENDED, STOPPED = "the machine was suspended", "hakbench was stopped"
_EVENTS = {"suspended": SUSPENDED, "stopped": STOPPED}


@dataclass(frozen=True)
class Pause:
    """A time that is not on the axis. `before_launch`: of a run that was resumed; None: `what` happened,
    SUSPENDED or STOPPED."""

    seconds: float
    at_s: float
    before_launch: object = None
    what: str = ""


def _absences(epochs: pd.DataFrame, events: pd.DataFrame) -> list:
    """(wall time from which on it counts, seconds, SUSPENDED or STOPPED) of each; that is the end of the
    epoch it fell into, or of the drain and the idling behind it. How long hakbench was stopped nobody has
    told it: as much longer as that epoch took, or what is behind it, than epochs do."""
    written_s = events["wall_time_s"] if "wall_time_s" in events else pd.Series(np.nan, events.index)
    usual_s, found, slept_s = epochs["wall_time_s"].sort_values().diff().median(), [], {}
    told_of = events.loc[events["event"].isin(_EVENTS), ["event", "detail"]].dropna()
    for row, event, detail in told_of.itertuples():
        told = re.search(r"\bseq=(\d+)(?: slept_s=([0-9.]+))?", detail)
        epoch = epochs[epochs["seq"] == float(told[1])].head(1) if told else epochs[:0]
        if not epoch["wall_time_s"].notna().any():
            continue
        end, wall = float(epoch["wall_time_s"].iloc[0]), epochs["wall_time_s"]
        if event == "suspended":
            seconds = slept_s[told[1]] = float(told[2] or 0)
        else:
            if "launch" in epochs:
                wall = wall[epochs["launch"] == epoch["launch"].iloc[0]]
            took_s = np.fmax(_since_the_last(wall, end), written_s[row] - end)
            seconds = took_s - usual_s - slept_s.get(told[1], 0.0)
            seconds = seconds if seconds > CLOCK_STEP_S else 0.0
        if seconds > 0:
            found.append((_counts_from(wall, end, seconds, written_s[row]), seconds, _EVENTS[event]))
    return found


def _since_the_last(wall: pd.Series, end: float) -> float:
    """From the end of the last epoch before to this end; 0 for the first."""
    earlier = wall[wall < end]
    return end - earlier.max() if len(earlier) else 0.0


def _counts_from(wall: pd.Series, end: float, slept_s: float, written_s: float) -> float:
    """`end`, the end of the epoch that an event names, or the machine's waking if it slept behind that, while
    the subject was drained and idled: the event was written at `written_s`, and the sleep is in the longer of
    the times from the last epoch's end to this one and from there to the event."""
    behind = written_s - end >= max(slept_s - CLOCK_STEP_S, _since_the_last(wall, end))
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
    """(wall_time_s of each epoch less what the machine had been suspended, or hakbench stopped, for before;
    seconds in all) of a CSV's epochs, by the events that lie beside it: those of epochs that end when the
    events say so, since it may be another run's CSV."""
    if "wall_time_s" in events:
        told = events["detail"].astype(str).str.extract(r"\bseq=(\d+)(?: slept_s=([0-9.]+))?").astype(float)
        ends = told[0].map(epochs.drop_duplicates("seq").set_index("seq")["wall_time_s"])
        late_s = events["wall_time_s"] - ends
        events = events[~((late_s.abs() > SOON_S) & ((late_s - told[1].fillna(0)).abs() > SOON_S))]
    wall, gone_s = epochs["wall_time_s"], 0.0
    time_s = wall.copy()
    for at, seconds, _ in _absences(epochs, events):
        time_s -= np.where(wall >= at, seconds, 0.0)
        gone_s += seconds
    return time_s, gone_s


def measured_time(manifest: dict, epochs: pd.DataFrame, events: pd.DataFrame) -> tuple:
    """(seconds from the first epoch's end to each epoch's, a Series; the Pauses in their order)."""
    wall = epochs["wall_time_s"]
    absences = [(at, seconds, None, what) for at, seconds, what in _absences(epochs, events)]
    resumptions = [(*each, "") for each in _resumptions(manifest, epochs)]
    time_s, pauses = wall - wall.min(), []
    taken = sorted([*absences, *resumptions], key=lambda each: each[0])
    for at, seconds, launch, what in taken:
        if seconds >= SHORTEST_NAMED_S:
            begin_s = at - wall.min() - sum(each[1] for each in taken if each[0] <= at)
            pauses.append(Pause(seconds, max(0.0, begin_s), launch, what))
        time_s = time_s - np.where(wall >= at, seconds, 0.0)
    return time_s, pauses
