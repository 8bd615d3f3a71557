"""What the gate runs of the self-test add up to.

Purpose     Rates of false and right verdicts and of intervals that hold the truth, each with its exact
            interval and held against what is declared here.
Owns        The declared rates.
Boundary    Records of runs.jsonl in, Rate and Case out; pure. finding() is the one place that knows the
            gate's JSON.
Invariants  A share is over runs, never over epochs or launches. A verdict that was not given ("inconclusive")
            is neither a false failure nor a detection.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from . import cli, verdicts
from .rates import Rate
from .selftest_runs import SCENARIOS, THROUGHPUT, Scenario

FALSE_FAILURES_AT_MOST = 0.025
FALSE_GO_AT_MOST = 0.025
COVERAGE_AT_LEAST, COVERAGE_AT_MOST = 0.93, 0.97
GAIN = 0.005  # what an experiment must gain for a GO, as hakbench experiment has it


@dataclass(frozen=True)
class Finding:
    """One metric of one gate run. `lower`, `upper`: the plain 95 % interval; `decided_*`: the wider one that
    the verdict came from. None where the gate had none."""

    verdict: str
    value: Optional[float]
    lower: Optional[float]
    upper: Optional[float]
    decided_lower: Optional[float]
    decided_upper: Optional[float]


@dataclass(frozen=True)
class Case:
    """One throughput interval against its truth, for the picture."""

    scenario: str
    value: float
    lower: float
    upper: float

    @property
    def holds(self) -> bool:
        return bool(self.lower <= SCENARIOS[self.scenario].truth <= self.upper)


def finding(record: dict, metric: str) -> Optional[Finding]:
    """The metric's row in the gate's JSON, None if it was not judged."""
    for row in record["gate"]["metrics"]:
        if row["metric"] == metric:
            return Finding(row["verdict"], row["value"], row["lower"], row["upper"], row["decided_lower"],
                           row["decided_upper"])
    return None


def cases(records: Sequence[dict]) -> list:
    """The throughput intervals of all runs whose truth is known."""
    found = []
    for record in records:
        if SCENARIOS[record["scenario"]].truth is None:
            continue
        row = finding(record, THROUGHPUT)
        if row and None not in (row.value, row.lower, row.upper):
            found.append(Case(record["scenario"], row.value, row.lower, row.upper))
    return found


def rates(records: Sequence[dict]) -> list:
    """All rates, those with a declared bound first to last as a person asks: false alarms, truth,
    detection."""
    found = []
    for scenario in SCENARIOS.values():
        runs = [record for record in records if record["scenario"] == scenario.name]
        if runs and not scenario.metric:
            found += _false_verdicts(scenario, runs)
    quiet = [case for case in cases(records) if not SCENARIOS[case.scenario].noise]
    noisy = [case for case in cases(records) if SCENARIOS[case.scenario].noise]
    if quiet:
        found.append(_coverage("95 % intervals that hold the truth", quiet, declared=True))
        found += [_coverage(f"  of them: {scenario.words}", [case for case in quiet if case.scenario == name],
                            declared=False)
                  for name, scenario in SCENARIOS.items() if any(case.scenario == name for case in quiet)]
    if noisy:
        found.append(_coverage("95 % intervals that hold the truth, with bursts", noisy, declared=False))
    for scenario in SCENARIOS.values():
        runs = [record for record in records if record["scenario"] == scenario.name]
        if runs and scenario.metric:
            caught = sum(is_caught(scenario, record) for record in runs)
            found.append(Rate(f"caught: {scenario.words}", caught, len(runs), at_least=scenario.detected))
    return found


def is_caught(scenario: Scenario, record: dict) -> bool:
    """The gate failed, and it names the metric that the fault was planted in."""
    row = finding(record, scenario.metric)
    return record["exit_code"] == cli.EXIT_GATE_FAILED and row is not None and row.verdict == "fail"


def _false_verdicts(scenario: Scenario, runs: Sequence[dict]) -> list:
    failed = sum(record["exit_code"] == cli.EXIT_GATE_FAILED for record in runs)
    undecided = sum(record["gate"]["verdict"] == "inconclusive" for record in runs)
    go = sum(_experiment(record) == "GO" for record in runs)
    return [Rate(f"false failures: {scenario.words}", failed, len(runs), at_most=FALSE_FAILURES_AT_MOST),
            Rate(f"false GO: {scenario.words}", go, len(runs), at_most=FALSE_GO_AT_MOST),
            Rate(f"no verdict: {scenario.words}", undecided, len(runs))]


def _experiment(record: dict) -> str:
    """What hakbench experiment would have said of the same data."""
    row = finding(record, THROUGHPUT)
    if row is None or row.decided_lower is None:
        return "NEUTRAL"
    return verdicts.experiment(row.decided_lower, row.decided_upper, GAIN)


def _coverage(name: str, found: Sequence[Case], declared: bool) -> Rate:
    bounds = (COVERAGE_AT_LEAST, COVERAGE_AT_MOST) if declared else (None, None)
    return Rate(name, sum(case.holds for case in found), len(found), *bounds)


def times(records: Sequence[dict]) -> list:
    """(scenario, runs, median seconds, longest) of each scenario that ran."""
    found = []
    for name in SCENARIOS:
        elapsed_s = [record["elapsed_s"] for record in records if record["scenario"] == name]
        if elapsed_s:
            found.append((name, len(elapsed_s), float(np.median(elapsed_s)), float(max(elapsed_s))))
    return found
