"""The judgement on a soak's folder.

Purpose     Drift, cause and decay of each subject; throughput of those that took turns, against each other.
Boundary    Result in, rows of verdict.json out. Each judgement is drift.py's, causes.py's or decay.py's.
Invariants  A subject is judged over its longest launch: another process is another memory. Pairs are
            neighbours in time within a launch; a quarantined epoch and its pairs are left out.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

import numpy as np
import pandas as pd

from . import causes, cycles, decay, stats, text
from .causes import Cause
from .compare import floor_subject
from .comparison import Comparison, make_row, number
from .decay import Decay
from .drift import Drift
from .gate_settings import check_settings
from .load import Result
from .trend import block_size

COMMAND = "soak"
DRIFT, STABLE, EXTEND = "DRIFT", "STABLE", "EXTEND"


@dataclass(frozen=True)
class SoakSubject:
    """One subject's judgement. `launch` of `launches` is the one that was judged; `judged`: time_s and rss_kb
    of its epochs, or of its cycles (cycles.py)."""

    subject: str
    name: str
    launch: int
    launches: int
    drift: Drift
    cause: Cause
    decay: Optional[Decay]
    failed_allocs: float
    judged: pd.DataFrame = field(repr=False, compare=False)

    def as_dict(self) -> dict:
        return {"subject": self.subject, "name": self.name, "launch": self.launch, "launches": self.launches,
                "drift": self.drift.as_dict(), "cause": self.cause.as_dict(),
                "decay": None if self.decay is None else {
                    key: number(value) for key, value in vars(self.decay).items()},
                "failed_allocs": number(self.failed_allocs)}


def is_soak(result: Result) -> bool:
    return result.manifest.get("command") == COMMAND


def budget_kb_per_h(result: Result) -> float:
    """The budget that the profile declares, or the usual one. Raises InputError for one that is none."""
    gate = (result.manifest.get("profile") or {}).get("gate") or {}
    return check_settings(gate, str(result.folder / "manifest.json")).rss_drift_kb_per_h


def _series(result: Result, label: str) -> tuple:
    """(the epochs of the longest launch with the columns that drift.py and causes.py want, the launch)."""
    measured = result.measured(label)
    launch = measured.groupby("launch").size().idxmax()
    epochs = measured[measured["launch"] == launch]
    column = "rss_above_base_kb" if epochs["rss_above_base_kb"].notna().any() else "rss_kb"
    return epochs.assign(rss_kb=epochs[column]), int(launch)


def drift_of(epochs: pd.DataFrame, budget: float, cycle_ops: float) -> tuple:
    """(what was judged, its Drift) of one process's epochs; quarantined ones count for memory, not for
    throughput."""
    quiet = epochs["ops_per_s"].where(~epochs["excluded"])
    return cycles.analyse_cycles(
        epochs.assign(ops_per_s=quiet if quiet.notna().any() else epochs["ops_per_s"],
                      peak_rss_kb=epochs["peak_rss_above_base_kb"]), cycle_ops, budget_kb_per_h=budget)


def judge(result: Result) -> list:
    """A SoakSubject for each subject that measured a resident size, in the manifest's order."""
    budget, samples = budget_kb_per_h(result), decay.read(result)
    series = {label: _series(result, label) for label in result.subjects if len(result.measured(label))}
    cycle_ops = cycles.ops_of_cycle(result.manifest.get("workload") or {})
    found = {label: drift_of(epochs, budget, cycle_ops) for label, (epochs, _) in series.items()
             if epochs["rss_kb"].notna().any()}
    drifts = {label: drift for label, (_, drift) in found.items()}
    floor = floor_subject(result)
    judged = []
    for label, drift in drifts.items():
        epochs, launch = series[label]
        cause = causes.explain(found[label][0], drift, drifts.get(floor) if label != floor else None)
        everything = result.epochs[result.epochs["subject"] == label]
        judged.append(SoakSubject(
            label, result.display_name(label), launch, int(everything["launch"].nunique()), drift, cause,
            decay.summarise(samples, label, launch, epochs["rss_base_kb"].median()),
            float(everything["failed_allocs"].sum(min_count=1)), found[label][0]))
    return judged


def overall(judged: list) -> str:
    """DRIFT if any subject drifts, else EXTEND if any is not decided, else STABLE."""
    verdicts = {subject.drift.verdict for subject in judged}
    return next((verdict for verdict in (DRIFT, EXTEND) if verdict in verdicts), STABLE)


def neighbour_differences(result: Result, reference: str, candidate: str) -> pd.DataFrame:
    """Log ratios candidate / reference, one a turn of the rarer subject: its epoch against the mean of the
    other's last before and first after it. Columns difference, launch; `quarantined` in attrs counts those
    left out."""
    rows, quarantined = [], 0
    for launch, epochs in result.epochs[result.epochs["kind"] == "throughput"].groupby("launch"):
        sides = {label: epochs[(epochs["subject"] == label) & epochs["ops_per_s"].notna()].sort_values("seq")
                 for label in (reference, candidate)}
        rare = min(sides, key=lambda label: len(sides[label]))
        often = candidate if rare == reference else reference
        other, sign = sides[often], 1.0 if rare == candidate else -1.0
        logs, excluded = np.log(other["ops_per_s"].to_numpy()), other["excluded"].to_numpy(bool)
        after = np.searchsorted(other["seq"].to_numpy(), sides[rare]["seq"].to_numpy())
        for place, rate, noisy in zip(after, sides[rare]["ops_per_s"], sides[rare]["excluded"]):
            if not 0 < place < len(other):
                continue
            if noisy or excluded[place - 1] or excluded[place]:
                quarantined += 1
                continue
            difference = np.log(rate) - (logs[place - 1] + logs[place]) / 2
            rows.append({"difference": sign * difference, "launch": int(launch)})
    frame = pd.DataFrame(rows, columns=["difference", "launch"])
    frame.attrs["quarantined"] = quarantined
    return frame


def compare_neighbours(result: Result, candidate: str, confidence: float) -> Comparison:
    """The throughput ratio of two subjects that took turns: the median of the neighbours' differences, with
    the interval over blocks of them that are longer than their memory."""
    pairs = neighbour_differences(result, result.reference, candidate)
    blocks, launches = [], []
    for launch, part in pairs.groupby("launch"):
        values = part["difference"].to_numpy()
        medians = stats.median_of_blocks(values, block_size(values))
        blocks.extend(medians)
        launches.extend([launch] * len(medians))
    interval = stats.paired_interval(np.array(blocks), np.array(launches), confidence)
    shift = stats.resolving_power(interval, len(set(launches)))
    notes = ["pairs of neighbouring epochs"]
    if interval.confidence < confidence:
        notes.append(f"{text.counted(len(blocks), 'independent block')} of them "
                     f"{'is' if len(blocks) == 1 else 'are'} too few for {100 * confidence:g} %")
    if pairs.attrs["quarantined"]:
        gone = pairs.attrs["quarantined"]
        notes.append(f"{text.counted(gone, 'pair')} over the noise limit {'is' if gone == 1 else 'are'} "
                     "left out")
    medians = [result.measured(label)["ops_per_s"].median() for label in (result.reference, candidate)]
    return make_row(result, candidate, "throughput", "higher", interval, confidence,
                    reference_value=number(medians[0]), candidate_value=number(medians[1]),
                    resolves=None if shift is None else number(1 - np.exp(-shift)),
                    unit="launches" if interval.method == "launches" else "blocks", blocks=len(blocks),
                    launches=len(set(launches)), quarantined_blocks=0,
                    note="; ".join(notes))
