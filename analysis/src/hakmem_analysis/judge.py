"""From the launches of a run to a verdict on each metric.

Purpose     Estimate every metric's change, hold its interval against the margin, and put several workloads
            together.
Owns        Row, the entries of `metrics` in gate.json.
Boundary    Results in, rows out; runs nothing, writes nothing.
Invariants  A metric that was not measured is "not measured", never a pass. Times come from launches that
            noise left whole; counts and memory from all. Between the looks of one run the error rate is
            shared out.
"""
from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Optional

import numpy as np
import pandas as pd

from . import launch_stats, stats, verdicts
from .comparison import number
from .gate_settings import LEAST_LAUNCHES, GateSettings
from .launch_stats import Counts, Estimate
from .load import Result
from .metrics import METRICS, RATIO, Metric, launch_values, log_ratio
from .power import shift_shown

PASS, FAIL, INCONCLUSIVE, NOT_MEASURED = "pass", "fail", "inconclusive", "not measured"
PLAIN_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Row:
    """One metric of one workload. `value`, its bounds and `margin` are ratios (candidate / reference) or
    differences (candidate - reference) in `unit`. lower..upper is the plain 95 % interval,
    decided_lower..decided_upper the wider one of a planned look that gave the verdict. `resolves`: the
    smallest worsening that would have been told from none in 95 of 100 such runs; `catches`: the smallest
    that would have failed in 95 of 100, which is larger by the margin. `p_worse`: one-sided p of the
    claim that the worsening is beyond the margin; `p_equivalent`: of the claim that the change is within
    the margin either way."""

    metric: str
    words: str
    workload: str
    scale: str
    unit: str
    better: str
    reference_value: Optional[float]
    candidate_value: Optional[float]
    value: Optional[float]
    lower: Optional[float]
    upper: Optional[float]
    decided_lower: Optional[float]
    decided_upper: Optional[float]
    decided_confidence: float
    margin: float
    verdict: str
    resolves: Optional[float]
    catches: Optional[float]
    launches: int
    p_worse: Optional[float]
    p_equivalent: Optional[float] = None
    note: str = ""
    estimate: Optional[Estimate] = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict:
        row = asdict(replace(self, estimate=None))
        del row["estimate"]
        return {key: number(value) if isinstance(value, float) else value for key, value in row.items()}


def limit(metric: Metric, margin: float) -> float:
    """Where the margin lies on the scale of the estimate: log(1 - m), log(1 + m), or m itself."""
    if metric.scale == RATIO:
        return math.log(1 - margin) if metric.better == "higher" else math.log(1 + margin)
    return -margin if metric.better == "higher" else margin


def hold_against(metric: Metric, lower: float, upper: float, bound: float) -> str:
    """"pass" if the whole interval is on the good side of `bound`, "fail" if on the bad one."""
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return INCONCLUSIVE
    if metric.better == "lower":
        lower, upper, bound = -upper, -lower, -bound
    return PASS if lower > bound else FAIL if upper < bound else INCONCLUSIVE


def same_run(result: Result, name: str, candidate: str, reference: str, floor: Optional[str]) -> tuple:
    """(Estimate, candidate's value, reference's value) of a metric of two subjects of one run."""
    metric = METRICS[name]
    if name == "throughput":
        sides = [result.measured(label).groupby("launch")["ops_per_s"].median()
                 for label in (candidate, reference)]
        estimate = launch_stats.paired(log_ratio(result, candidate, reference))
        return estimate, *[centre(side, False) for side in sides]
    sides = [launch_values(result, metric, label, floor) for label in (candidate, reference)]
    pairs = pd.concat(sides, axis=1, keys=("candidate", "reference")).dropna()
    counts = None
    if metric.events:
        counts = counts_of(metric, metric.events(result, candidate), metric.events(result, reference))
    estimate = launch_stats.paired(pairs["candidate"] - pairs["reference"], counts, granule(metric, *sides))
    return estimate, *[centre(side, metric.scale == RATIO) for side in sides]


def granule(metric: Metric, *sides: pd.Series) -> float:
    """What an interval of a metric reaches to either side at least: a page of memory, as a log ratio."""
    if metric.unit != "kB" or not all(map(len, sides)):
        return 0.0
    return stats.page_share(*(np.exp(side.median()) for side in sides))


def launches_measured(result: Result, name: str, candidate: str, reference: str, floor: Optional[str]) -> int:
    """The launches that measured a metric, those that noise spoiled with them."""
    calm = replace(result, epochs=result.epochs.assign(excluded=False))
    return same_run(calm, name, candidate, reference, floor)[0].launches


def counts_of(metric: Metric, candidate: tuple, reference: tuple) -> Optional[Counts]:
    """The counted events of both sides; None if a side counted nothing at all."""
    if not (candidate[1] > 0 and reference[1] > 0):
        return None
    return Counts(candidate[0], candidate[1], reference[0], reference[1], metric.per)


def centre(values: pd.Series, logs: bool) -> Optional[float]:
    if not len(values):
        return None
    return float(np.exp(values.median()) if logs else values.median())


def make_row(name: str, workload: str, estimate: Estimate, candidate_value, reference_value,
             settings: GateSettings, looks: int, measured: int = 0) -> Row:
    """The row of one metric, judged at the confidence that one of `looks` planned looks has. `measured`: the
    launches that have a value, also those that the estimate lacks because noise spoiled them."""
    metric, margin = METRICS[name], settings.margin(name)
    bound = limit(metric, margin)
    confidence = verdicts.look_confidence(settings.confidence, looks)
    plain, deciding = estimate.interval(PLAIN_CONFIDENCE), estimate.interval(confidence)
    note, verdict = "", INCONCLUSIVE
    if estimate.launches == 0 and not measured:
        note, verdict = "not measured in this run", NOT_MEASURED
    elif estimate.launches < LEAST_LAUNCHES:
        few = max(measured, estimate.launches)
        note = (f"too noisy: {_launches(estimate.launches)} left" if measured >= LEAST_LAUNCHES else
                f"too few: {_launches(few)} measured") + f", {LEAST_LAUNCHES} are needed"
    else:
        verdict = hold_against(metric, deciding.lower, deciding.upper, bound)
    shown = math.exp if metric.scale == RATIO else float
    side = "below" if metric.better == "higher" else "above"
    judged = verdict != NOT_MEASURED

    def value(x: float) -> Optional[float]:
        return number(shown(x)) if judged and math.isfinite(x) else None

    return Row(
        metric=name, words=metric.words, workload=workload, scale=metric.scale, unit=metric.unit,
        better=metric.better, reference_value=number(reference_value),
        candidate_value=number(candidate_value),
        value=value(estimate.point), lower=value(plain.lower), upper=value(plain.upper),
        decided_lower=value(deciding.lower), decided_upper=value(deciding.upper),
        decided_confidence=confidence,
        margin=margin, verdict=verdict, resolves=_worsening(metric, estimate, confidence, 0.0),
        catches=_worsening(metric, estimate, confidence, abs(bound)),
        launches=estimate.launches, p_worse=number(estimate.p_value(bound, side)) if judged else None,
        p_equivalent=number(launch_stats.equivalence_p(estimate, -abs(bound), abs(bound)))
        if judged else None,
        note=note, estimate=estimate)


def _launches(count: int) -> str:
    return f"{count} launch" + ("" if count == 1 else "es")


def _worsening(metric: Metric, estimate: Estimate, confidence: float, beyond: float) -> Optional[float]:
    """The worsening that is shown to be more than `beyond` (on the estimate's scale) with 95 % power."""
    if not estimate.dof > 0:
        return None
    shift = beyond + shift_shown(estimate.dof, confidence) * estimate.effective_error(confidence)
    if metric.scale != RATIO:
        return number(shift)
    return number(1 - math.exp(-shift) if metric.better == "higher" else math.exp(shift) - 1)


def judge_same_run(result: Result, candidate: str, reference: str, floor: Optional[str], workload: str,
                   settings: GateSettings, looks: int) -> list:
    """The rows of all metrics of one workload."""
    rows = []
    for name in settings.metrics:
        estimate, *values = same_run(result, name, candidate, reference, floor)
        measured = estimate.launches
        if measured < LEAST_LAUNCHES:
            measured = launches_measured(result, name, candidate, reference, floor)
        rows.append(make_row(name, workload, estimate, *values, settings, looks, measured))
    return rows


def _look_alpha(settings: GateSettings, looks: int) -> float:
    """What one side of a look may err."""
    return (1 - verdicts.look_confidence(settings.confidence, looks)) / 2


def _by_chance(row: Row, workloads: int) -> Row:
    return replace(row, verdict=INCONCLUSIVE,
                   note=f"beyond the margin, but not beyond chance among {workloads} workloads")


def before_holm(rows: list, settings: GateSettings, looks: int, workloads: dict) -> list:
    """Rows of one workload of several, with looks left: a failure that the first step of Holm's procedure
    over `workloads` (how many, by metric) would not bear out stays open, because what the others will show is
    not known and the run can go on. with_holm() bears out every failure that passes here."""
    alpha = _look_alpha(settings, looks)

    def is_open(row: Row) -> bool:
        several = workloads[row.metric]
        return row.verdict == FAIL and several > 1 and row.p_worse > alpha / several

    return [_by_chance(row, workloads[row.metric]) if is_open(row) else row for row in rows]


def with_holm(rows: list, settings: GateSettings, looks: int) -> list:
    """Rows of several workloads: a metric's failures stand only as far as Holm's procedure over its
    workloads rejects, so that ten workloads do not raise ten times the false alarms. Passes need no
    correction: all of them must hold together."""
    alpha = _look_alpha(settings, looks)
    judged = list(rows)
    for name in dict.fromkeys(row.metric for row in rows):
        places = [i for i, row in enumerate(rows) if row.metric == name and row.p_worse is not None
                  and row.launches >= LEAST_LAUNCHES]
        if len(places) < 2:
            continue
        for i, rejected in zip(places, verdicts.holm([rows[i].p_worse for i in places], alpha)):
            if rows[i].verdict == FAIL and not rejected:
                judged[i] = _by_chance(rows[i], len(places))
    return judged


def first_decisions(before: list, now: list) -> list:
    """The rows after another look: a metric that was decided keeps the row that decided it, because each
    metric's test ends at its first decision."""
    decided = {row.metric: row for row in before if row.verdict in (PASS, FAIL)}
    return [decided.get(row.metric, row) for row in now]


def is_over(rows: list) -> bool:
    """Whether no further look is worth its time: all is decided, or something failed and no open metric
    leans to failing too."""
    open_rows = [row for row in rows if row.verdict == INCONCLUSIVE]
    if not open_rows or not any(row.verdict == FAIL for row in rows):
        return not open_rows
    return not any(leans_to_failing(row) for row in open_rows)


def leans_to_failing(row: Row) -> bool:
    """Whether the estimate itself lies beyond the margin."""
    if row.estimate is None or not math.isfinite(row.estimate.point):
        return False
    bound = limit(METRICS[row.metric], row.margin)
    return row.estimate.point < bound if row.better == "higher" else row.estimate.point > bound


def overall(rows: list) -> str:
    """"fail" if a metric failed, "inconclusive" if one could not be decided or nothing was measured, else
    "pass"."""
    found = [row.verdict for row in rows]
    if FAIL in found:
        return FAIL
    return PASS if PASS in found and INCONCLUSIVE not in found else INCONCLUSIVE
