"""The values that targets are held against, and the Pareto view.

Purpose     Geometric means over workloads with their intervals, worst cases, rates.
Boundary    A Card in, Estimates and Points out; pure.
Invariants  An interval of a geometric mean is Student's over workloads: what it says is how far another
            choice of such workloads would move the mean. Fewer than LEAST_WORKLOADS give none, but the
            throughput of a card with one workload has that workload's own. Workloads that lack a value are
            left out of the mean and counted in the note. The interval of a worst or best case has the
            extremes of all bounds: the case that is extreme by its point need not be it in truth.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Optional, Sequence

import numpy as np
from scipy import stats as st

from . import stats
from .scorecard_data import Card, Workload, finite_or_none
from .scorecard_targets import MILESTONE_REFERENCE, Estimate

LEAST_WORKLOADS = 5


def geometric_mean(ratios: Sequence, folders: Sequence, things: str = "workloads") -> Estimate:
    """The geometric mean of the positive ratios (None: not measured), with Student's interval of its
    logarithm."""
    kept = [(ratio, folder) for ratio, folder in zip(ratios, folders) if ratio is not None and ratio > 0]
    if not kept:
        return Estimate(note="not measured")
    logs = np.log([ratio for ratio, _ in kept])
    places = tuple(dict.fromkeys(folder for _, folder in kept))
    note = f"over {len(kept)} {things if len(kept) > 1 else things[:-1]}"
    if len(kept) < len(ratios):
        note += f" ({len(ratios) - len(kept)} without a value)"
    if len(kept) < LEAST_WORKLOADS:
        return Estimate(float(np.exp(logs.mean())), note=note + f"; an interval takes {LEAST_WORKLOADS}",
                        folders=places)
    half = st.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs))
    lower, upper = np.exp(logs.mean() - half), np.exp(logs.mean() + half)
    return Estimate(float(np.exp(logs.mean())), float(lower), float(upper), note, places)


def _row_ratio(metric: str) -> Callable:
    def take(workload: Workload, comparator: str) -> Optional[float]:
        row = workload.rows.get((comparator, metric))
        return row.ratio if row else None
    return take


def tail_ratio(workload: Workload, comparator: str, candidate: str) -> Optional[float]:
    """Candidate's p99 over epochs of ns/op over the comparator's; None where there is none."""
    if not {candidate, comparator} <= set(workload.summaries):
        return None
    above, below = (finite_or_none(workload.summaries[name].ns_per_op_tail["p99"])
                    for name in (candidate, comparator))
    return above / below if above and below else None


def service_ratio(workload: Workload, comparator: str, candidate: str) -> Optional[float]:
    if not {candidate, comparator} <= set(workload.service):
        return None
    above, below = (finite_or_none(workload.service[name].p99_9_ns) for name in (candidate, comparator))
    return above / below if above and below else None


def mean_against(card: Card, comparator: str, take: Callable) -> Estimate:
    """The geometric mean of take(workload, comparator) over the workloads that have the comparator."""
    used = [workload for workload in card.workloads if comparator in workload.comparators]
    return geometric_mean([take(workload, comparator) for workload in used], [w.folder for w in used])


def _is_firm(row) -> bool:
    """Whether a Comparison has an interval that covers what was asked of it."""
    return row.lower is not None and not row.noisy and (row.confidence or 0) >= row.requested_confidence


def _of_one(mean: Estimate, row) -> Estimate:
    """The mean over one workload, with that workload's own interval where it is firm."""
    if mean.value is None:
        return mean
    if not _is_firm(row):
        return replace(mean, note="over 1 workload, whose own interval is not firm")
    count = f"{row.launches} launches" if row.unit == "launches" else f"{row.blocks} blocks"
    return replace(mean, lower=row.lower, upper=row.upper,
                   note=f"over 1 workload; the interval is its own, over {count}")


def throughput_means(card: Card) -> dict:
    means = {name: mean_against(card, name, _row_ratio("throughput")) for name in card.comparators}
    if len(card.workloads) == 1:
        rows = card.workloads[0].rows
        means = {name: _of_one(mean, rows.get((name, "throughput"))) for name, mean in means.items()}
    return means


def peak_rss_means(card: Card) -> dict:
    return {name: mean_against(card, name, _row_ratio("peak_rss_above_base")) for name in card.comparators}


def _bounds(estimates, choose: Callable) -> tuple:
    """The interval of an extreme (see the head of this file); Nones unless each has an interval."""
    estimates = list(estimates)
    if any(it.lower is None or it.upper is None for it in estimates):
        return None, None
    return choose(it.lower for it in estimates), choose(it.upper for it in estimates)


def _named(means: dict, choose: Callable) -> Estimate:
    """The estimate that `choose` (min or max) picks of those with a value; the note names the comparator."""
    measured = {name: mean for name, mean in means.items() if mean.value is not None}
    if not measured:
        return Estimate(note="not measured")
    name = choose(measured, key=lambda key: measured[key].value)
    best = measured[name]
    return Estimate(best.value, *_bounds(measured.values(), choose), f"{name}, {best.note}", best.folders)


def _worst_workload(card: Card) -> Estimate:
    rows = [(workload, row) for workload in card.workloads for (_, metric), row in workload.rows.items()
            if metric == "throughput" and row.ratio is not None]
    if not rows:
        return Estimate(note="not measured")
    workload, row = min(rows, key=lambda pair: pair[1].ratio)
    loose = sum(not _is_firm(it) for _, it in rows)
    lower, upper = (None, None) if loose else _bounds([it for _, it in rows], min)
    return Estimate(row.ratio, lower, upper, f"{workload.name}, {row.reference}"
                    + (f"; {loose} ratios without a firm interval" if loose else ""), (workload.folder,))


def _base_case(card: Card) -> Optional[Workload]:
    return next((workload for workload in card.workloads
                 if workload.is_random_mixed(400) and card.candidate in workload.summaries), None)


def tax_kb(workload: Workload, allocator: str) -> Optional[float]:
    """Peak RSS above the process's own, less the live bytes, in kB; None where either is unknown."""
    summary = workload.summaries[allocator]
    peak, live = finite_or_none(summary.rss_peak_kb), finite_or_none(summary.live_bytes)
    return None if peak is None or live is None else peak - live / 1024


def _tax(card: Card) -> Estimate:
    workload = _base_case(card)
    value = tax_kb(workload, card.candidate) if workload else None
    if value is None:
        return Estimate(note="not measured")
    epochs = _epochs(workload, card.candidate, measured_only=False)
    live_kb = workload.summaries[card.candidate].live_bytes / 1024
    peaks = epochs.groupby("launch")["peak_rss_above_base_kb"].max().dropna().to_numpy() - live_kb
    if len(peaks) < stats.LEAST_LAUNCHES:
        return Estimate(value, note=f"no interval from fewer than {stats.LEAST_LAUNCHES} launches",
                        folders=(workload.folder,))
    interval = stats.launch_interval(peaks, np.arange(len(peaks)))
    return Estimate(value, min(interval.lower, value - stats.PAGE_KB),
                    max(interval.upper, value + stats.PAGE_KB), f"interval over {len(peaks)} launches",
                    (workload.folder,))


def _epochs(workload: Workload, allocator: str, measured_only: bool):
    label = workload.summaries[allocator].subject
    result = workload.result
    return result.measured(label) if measured_only else result.epochs[result.epochs["subject"] == label]


def _cv(card: Card) -> Estimate:
    """The chi-square interval of a standard deviation, over the mean: epochs taken as independent."""
    workload = _base_case(card)
    summary = workload.summaries[card.candidate] if workload else None
    value = finite_or_none(summary.cv) if summary else None
    if value is None:
        return Estimate(note="not measured")
    freedom = summary.epochs - 1
    lower, upper = (value * np.sqrt(freedom / st.chi2.ppf(share, freedom)) for share in (0.975, 0.025))
    return Estimate(value, float(lower), float(upper), f"over {summary.epochs} epochs", (workload.folder,))


def _cv_ratio(card: Card) -> Estimate:
    """The candidate's CV over the milestone reference's in the same run: what one CV owes to the machine,
    both owe."""
    workload = _base_case(card)
    row = workload.rows.get((MILESTONE_REFERENCE, "cv")) if workload else None
    if row is None or row.ratio is None:
        return Estimate(note="not measured")
    lower, upper = (row.lower, row.upper) if _is_firm(row) else (None, None)
    return Estimate(row.ratio, lower, upper, f"over {row.blocks} {row.unit}", (workload.folder,))


def syscall_rate(workload: Workload, allocator: str) -> Estimate:
    """Calls per op with the exact Poisson interval of the count (Garwood 1936)."""
    epochs = _epochs(workload, allocator, measured_only=True)
    counted = epochs[epochs["syscalls"].notna()]
    ops, calls = float(counted["ops"].sum()), float(counted["syscalls"].sum())
    if not ops > 0:
        return Estimate(note="not counted", folders=(workload.folder,))
    lower = st.chi2.ppf(0.025, 2 * calls) / 2 if calls > 0 else 0.0
    upper = st.chi2.ppf(0.975, 2 * calls + 2) / 2
    return Estimate(calls / ops, float(lower / ops), float(upper / ops),
                    f"{workload.name}: {calls:.0f} calls in {ops:.3g} ops", (workload.folder,))


def _worst_rate(card: Card) -> Estimate:
    rates = [syscall_rate(workload, card.candidate) for workload in card.workloads
             if workload.is_random_mixed() and card.candidate in workload.summaries]
    rates = [rate for rate in rates if rate.value is not None]
    if not rates:
        return Estimate(note="not measured")
    lower, upper = _bounds(rates, max)
    return replace(max(rates, key=lambda rate: rate.value), lower=lower, upper=upper)


def _sizes(drift) -> tuple:
    """The least and the greatest size of a slope within its interval, kB/h."""
    ends = sorted((abs(drift.slope_lower_kb_per_h), abs(drift.slope_upper_kb_per_h)))
    return (0.0 if drift.slope_lower_kb_per_h < 0 < drift.slope_upper_kb_per_h else ends[0]), ends[1]


def _drift(card: Card) -> Estimate:
    """The steepest slope, up or down; its bounds are of its size."""
    soaks = [soak for soak in card.soaks
             if card.candidate in (soak.allocator, soak.allocator.partition("@")[0])]  # NAME@PROFILE too
    drifting = [soak for soak in soaks if soak.drift.verdict == "DRIFT"]
    found = [soak for soak in drifting or soaks if finite_or_none(soak.drift.slope_kb_per_h) is not None]
    if not found:
        return Estimate(note="no soak with a slope among the folders")
    worst = max(found, key=lambda soak: abs(soak.drift.slope_kb_per_h))
    drift = worst.drift
    settled = bool(drifting) or all(soak.drift.verdict == "STABLE" for soak in soaks)
    ends = [max(bounds) for bounds in zip(*(_sizes(soak.drift) for soak in found))]
    words = f"{worst.allocator}, {drift.verdict} over {drift.span_s:.0f} s, the steepest of {len(soaks)}"
    return Estimate(drift.slope_kb_per_h, *(ends if settled else (None, None)), words, (worst.folder,))


def program_means(folders: Sequence, metric: str) -> dict:
    """By reference: the geometric mean over all programs of these app folders."""
    groups: dict = {}
    for programs in folders:
        for row in programs.rows:
            if row["metric"] == metric:
                groups.setdefault(row["reference"], []).append((row["ratio"], programs.folder))
    return {name: geometric_mean(*zip(*pairs), things="programs") for name, pairs in groups.items()}


def measures(card: Card) -> dict:
    """Every measure that scorecard_targets.py names, by name."""
    def tail(workload, other):
        return tail_ratio(workload, other, card.candidate)

    def service(workload, other):
        return service_ratio(workload, other, card.candidate)

    throughput, base = throughput_means(card), _base_case(card)
    return {
        "throughput_milestone": throughput.get(MILESTONE_REFERENCE, Estimate(note="not measured")),
        "throughput_best": _named(throughput, min), "throughput_worst": _worst_workload(card),
        "peak_rss_leanest": _named(peak_rss_means(card), max), "rss_tax_kb": _tax(card), "cv": _cv(card),
        "cv_milestone": _cv_ratio(card),
        "tail_milestone": mean_against(card, MILESTONE_REFERENCE, tail),
        "service_milestone": mean_against(card, MILESTONE_REFERENCE, service),
        "syscalls_worst": _worst_rate(card),
        "syscalls": syscall_rate(base, card.candidate) if base else Estimate(note="not measured"),
        "drift": _drift(card), "programs_best": _named(program_means(card.programs, "speed"), min),
        "programs_leanest": _named(program_means(card.programs, "peak_rss"), max)}


@dataclass(frozen=True)
class Point:
    """One allocator of the Pareto view: both geometric means relative to the reference allocator.
    `dominated_by` names an allocator that is at least as good on both and better on one."""

    allocator: str
    throughput: Estimate
    peak_rss: Estimate
    dominated_by: str = ""


def pareto(card: Card, reference: str) -> tuple:
    """(points, workloads used): only workloads in which every allocator of the card has both values, so
    that the points can be compared. No points without such a workload."""
    names = [card.candidate, *card.comparators]
    used = [workload for workload in card.workloads
            if reference in names and all(name in workload.summaries
                                          and _positive(workload, name) for name in names)]
    if not used:
        return [], []
    folders = [workload.folder for workload in used]

    def mean(name: str, column: str) -> Estimate:
        return geometric_mean([getattr(w.summaries[name], column) / getattr(w.summaries[reference], column)
                               for w in used], folders)

    points = [Point(name, mean(name, "ops_per_s"), mean(name, "rss_peak_kb")) for name in names]
    return [Point(point.allocator, point.throughput, point.peak_rss, _dominator(point, points))
            for point in points], used


def _positive(workload: Workload, name: str) -> bool:
    values = (workload.summaries[name].ops_per_s, workload.summaries[name].rss_peak_kb)
    return all((finite_or_none(value) or 0) > 0 for value in values)


def _dominator(point: Point, points: list) -> str:
    for other in points:
        faster = other.throughput.value - point.throughput.value
        leaner = point.peak_rss.value - other.peak_rss.value
        if faster >= 0 and leaner >= 0 and faster + leaner > 0:
            return other.allocator
    return ""
