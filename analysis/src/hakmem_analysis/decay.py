"""How fast is memory given back after a drain?

Purpose     What is resident from a drain to the end of idling, and the half-life of its fall, from
            samples.csv.
Boundary    Samples in, one Decay and one Course a subject out; read() knows the file. A folder without it has
            none.
Invariants  A fall of no more than a page is no decay: its half-life is missing, never 0.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
import pandas as pd

from . import csvfile
from .load import Result

FILE = "samples.csv"
PAGE_KB = 4.0
NUMBERS = ("launch", "epoch", "since_drain_s", "rss_kb")


@dataclass(frozen=True)
class Decay:
    """Medians over `drains` drains: kB above the process's own right after one and at the end of idling, kB
    that fell off between, and the seconds until half of that was gone (NaN where nothing falls)."""

    drains: int
    drained_kb: float
    idle_kb: float
    fallen_kb: float
    idle_s: float
    half_life_s: float


@dataclass(frozen=True)
class Course:
    """How RSS goes after a drain, over `drains` of them: arrays with a value a sample, the median of the
    time, and the 10th, 50th and 90th percentile of kB above the process's own."""

    drains: int
    since_s: np.ndarray
    low_kb: np.ndarray
    median_kb: np.ndarray
    high_kb: np.ndarray


def read(result: Result) -> Optional[pd.DataFrame]:
    """The samples of a folder; None if it has none. Raises InputError for a damaged file."""
    path = result.folder / FILE
    if not path.exists():
        return None
    rows, _ = csvfile.count_complete_rows(path)
    return csvfile.read_columns(str(path), numbers=NUMBERS, texts=("subject",), max_rows=rows)


def half_life_s(since_s: np.ndarray, rss_kb: np.ndarray) -> float:
    """When the series, in time order, first is half-way from its first to its last value (linear between
    samples); NaN if it falls by no more than a page."""
    fallen = rss_kb[0] - rss_kb[-1]
    if fallen <= PAGE_KB:
        return float("nan")
    half = rss_kb[0] - fallen / 2
    after = int(np.argmax(rss_kb <= half))
    before = after - 1
    share = (rss_kb[before] - half) / (rss_kb[before] - rss_kb[after])
    return float(since_s[before] + share * (since_s[after] - since_s[before]))


def _drains(samples: pd.DataFrame, subject: str, launch: int) -> list:
    """(seconds since the drain, RSS in kB) of each drain with more than one sample, in time order."""
    mine = samples[(samples["subject"] == subject) & (samples["launch"] == launch)].dropna()
    mine = mine.sort_values(["epoch", "since_drain_s"])
    begins = np.flatnonzero(np.diff(mine["epoch"].to_numpy())) + 1
    return [(since_s, rss_kb) for since_s, rss_kb in zip(
        *(np.split(mine[column].to_numpy(), begins) for column in ("since_drain_s", "rss_kb")))
        if len(rss_kb) > 1]


def course(samples: Optional[pd.DataFrame], subject: str, launch: int, base_kb: float) -> Optional[Course]:
    """The Course of a subject's launch whose own RSS is `base_kb`; None without samples. Drains with fewer
    samples than most are left out: an idle time that ended early has no N-th one."""
    drains = [] if samples is None else _drains(samples, subject, launch)
    if not drains:
        return None
    size = int(np.median([len(rss_kb) for _, rss_kb in drains]))
    whole = [(since_s[:size], rss_kb[:size]) for since_s, rss_kb in drains if len(rss_kb) >= size]
    since_s, rss_kb = (np.array(values) for values in zip(*whole))
    low, middle, high = np.percentile(rss_kb, [10, 50, 90], axis=0) - base_kb
    return Course(len(whole), np.median(since_s, axis=0), low, middle, high)


def summarise(samples: Optional[pd.DataFrame], subject: str, launch: int, base_kb: float) -> Optional[Decay]:
    """The Decay of a subject's launch whose own RSS is `base_kb`; None without samples."""
    drains = [] if samples is None else _drains(samples, subject, launch)
    if not drains:
        return None
    lives = [half_life_s(since_s, rss_kb) for since_s, rss_kb in drains]
    known = [life for life in lives if np.isfinite(life)]
    return Decay(len(drains), float(np.median([rss_kb[0] for _, rss_kb in drains]) - base_kb),
                 float(np.median([rss_kb[-1] for _, rss_kb in drains]) - base_kb),
                 float(np.median([rss_kb[0] - rss_kb[-1] for _, rss_kb in drains])),
                 float(np.median([since_s[-1] for since_s, _ in drains])),
                 float(np.median(known)) if len(known) > len(lives) / 2 else float("nan"))
