"""What `hakbench micro` measured, for the scorecard.

Purpose     Read a folder of Google Benchmark files, one an allocator, into one table.
Boundary    Files in, plain data out. The allocators ran one after the other, not in turns, so there are
            ratios here but no intervals and no verdicts.
"""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from .errors import InputError

NS_OF = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}


@dataclass(frozen=True)
class Micro:
    """`ns`: benchmark -> allocator -> ns an iteration, the median of the repetitions."""

    folder: Path
    ns: dict

    @property
    def allocators(self) -> list:
        return list(dict.fromkeys(name for by_allocator in self.ns.values() for name in by_allocator))

    def ratio(self, benchmark: str, candidate: str, other: str) -> Optional[float]:
        """How many times as fast the candidate is; None where one of the two was not measured."""
        by_allocator = self.ns[benchmark]
        if not (by_allocator.get(candidate) and by_allocator.get(other)):
            return None
        return by_allocator[other] / by_allocator[candidate]

    def mean_ratio(self, candidate: str, other: str) -> Optional[float]:
        """Geometric mean over the benchmarks that both have."""
        ratios = [ratio for ratio in (self.ratio(name, candidate, other) for name in self.ns) if ratio]
        return float(np.exp(np.mean(np.log(ratios)))) if ratios else None


def _content(path: Path) -> dict:
    """What a file of Google Benchmark holds; {} if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_ours = isinstance(content, dict) and isinstance(content.get("benchmarks"), list) \
        and isinstance(content.get("context"), dict) and "allocator" in content["context"]
    return content if is_ours else {}


def is_micro(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "manifest.json").exists() \
        and any(_content(path) for path in folder.glob("*.json"))


def read(folder: Path, candidate: str) -> Micro:
    """Raises InputError if a file is damaged, or the candidate is not there."""
    times: dict = {}
    for path in sorted(folder.glob("*.json")):
        content = _content(path)
        if not content:
            continue
        for row in content["benchmarks"]:
            if row.get("run_type", "iteration") != "iteration":
                continue
            try:
                ns = float(row["real_time"]) * NS_OF[row["time_unit"]]
                key = row["run_name"] if "run_name" in row else row["name"]
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path}: a benchmark lacks {error}; run hakbench micro again") from None
            times.setdefault(key, {}).setdefault(content["context"]["allocator"], []).append(ns)
    ns = {name: {allocator: float(np.median(values)) for allocator, values in by_allocator.items()}
          for name, by_allocator in times.items()}
    micro = Micro(folder, ns)
    if candidate not in micro.allocators:
        raise InputError(f"{folder}: no file is of {candidate}; there are "
                         f"{', '.join(micro.allocators) or 'none'}")
    return micro
