"""How fast is memory given back after a drain?

Purpose     The half-life of what falls off between a drain and the end of idling, from samples.csv.
Boundary    Samples in, one Decay a subject out; read() knows the file. A folder without it has none.
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
    """Medians over `drains` drains: kB above the process's own right after one, kB that fell off by the end
    of idling, and the seconds until half of that was gone (NaN where nothing falls)."""

    drains: int
    drained_kb: float
    fallen_kb: float
    idle_s: float
    half_life_s: float


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


def summarise(samples: Optional[pd.DataFrame], subject: str, launch: int, base_kb: float) -> Optional[Decay]:
    """The Decay of a subject's launch whose own RSS is `base_kb`; None without samples."""
    if samples is None:
        return None
    mine = samples[(samples["subject"] == subject) & (samples["launch"] == launch)].dropna()
    mine = mine.sort_values(["epoch", "since_drain_s"])
    begins = np.flatnonzero(np.diff(mine["epoch"].to_numpy())) + 1
    drains = [(since_s, rss_kb) for since_s, rss_kb in zip(
        *(np.split(mine[column].to_numpy(), begins) for column in ("since_drain_s", "rss_kb")))
        if len(rss_kb) > 1]
    if not drains:
        return None
    lives = [half_life_s(since_s, rss_kb) for since_s, rss_kb in drains]
    known = [life for life in lives if np.isfinite(life)]
    return Decay(len(drains), float(np.median([rss_kb[0] for _, rss_kb in drains]) - base_kb),
                 float(np.median([rss_kb[0] - rss_kb[-1] for _, rss_kb in drains])),
                 float(np.median([since_s[-1] for since_s, _ in drains])),
                 float(np.median(known)) if len(known) > len(lives) / 2 else float("nan"))
