"""The scorecard as a page.

Purpose     Headline, milestones, targets, a table for each side of the comparison, and the two drawings.
Boundary    A Card in, document parts out; the writers are document.py's.
Invariants  No figure is computed here but its wording. No date and no path but links relative to the page
            and those of the command, as seen from where it ran: the same command gives the same bytes.
"""
from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Optional, Sequence

from . import scorecard_measures as measure
from . import scorecard_svg, text
from .describe import finite
from .document import Bullets, Cell, Code, Drawing, Heading, Paragraph, Table
from .scorecard_data import Card, Programs, conditions
from .scorecard_targets import (MET, MILESTONE_REFERENCE, MISSED, NOT_MEASURED, OPEN, SYSCALL_BUDGET_PER_OP,
                                TARGETS, Estimate, Target, judge, milestone_reached)

DEFAULT_PAGE = "docs/analysis/PERFORMANCE_TARGETS_SCORECARD.md"


def amount(unit: str, value: Optional[float]) -> str:
    """A value of a target in its unit."""
    if not finite(value):
        return text.MISSING
    return {"ratio": text.ratio, "share": text.percent, "kB": text.memory,
            "per op": lambda number: text.plain(number, "{:.3g}"),
            "kB/h": lambda number: f"{text.kb_per_h(number)} kB/h"}[unit](value)


def bounds(unit: str, estimate: Estimate) -> str:
    if estimate.lower is None or estimate.upper is None:
        return text.MISSING
    return f"{amount(unit, estimate.lower)} .. {amount(unit, estimate.upper)}"


def _from_here(path) -> str:
    return Path(os.path.relpath(path)).as_posix()


class Page:
    """Makes the parts; `base` is the folder in which the page will lie."""

    def __init__(self, card: Card, pareto_reference: str, base: Path):
        self.card, self.reference, self.base = card, pareto_reference, base
        self.measures = measure.measures(card)
        self.verdicts = {target.name: judge(target, self.measures[target.measure]) for target in TARGETS}

    def link(self, folder: Path) -> str:
        return Path(os.path.relpath(folder, self.base)).as_posix()

    def _folder_cell(self, name: str, folder: Path) -> Cell:
        return Cell(name, self.link(folder))

    def headlines(self) -> list:
        """The answer in up to three sentences."""
        card, reached = self.card, milestone_reached(self.verdicts)
        mean = self.measures["throughput_milestone"]
        lines = []
        if mean.value is not None:
            lines.append(f"Throughput of {card.candidate} over {MILESTONE_REFERENCE}: "
                         f"{_words('ratio', mean)}, geometric mean {mean.note}.")
        best = self.measures["throughput_best"]
        if best.value is not None:
            lines.append(f"Over the best comparator: {_words('ratio', best)} ({best.note}).")
        count = {word: list(self.verdicts.values()).count(word) for word in (MET, MISSED, OPEN, NOT_MEASURED)}
        milestone = f"Milestone reached: {reached}. " if reached else "No milestone is reached for certain. "
        lines.append(milestone + "Milestones and targets: "
                     + ", ".join(f"{number} {word}" for word, number in count.items()) + ".")
        return lines

    def parts(self, folders: Sequence[str], markdown=DEFAULT_PAGE, html=None) -> list:
        """The whole page. `folders` are what the command was given, `markdown` and `html` what it writes."""
        card = self.card
        found = [Heading(f"Performance scorecard of {card.candidate}", 1)]
        found += [Paragraph(line, strong=True) for line in self.headlines()]
        found += [Heading("Milestones"), self._targets(True), Heading("Targets"), self._targets(False),
                  Paragraph("Met and missed are claims of the whole interval; open: the interval holds the "
                            "target, or there is none. An interval of a geometric mean is Student's 95 % "
                            "over workloads: how far another choice of such workloads would move it."
                            + (" Of throughput under a single workload it is that workload's own."
                               if len(card.workloads) == 1 else ""))]
        if card.workloads:
            found += self._throughput() + self._memory() + self._pareto() + self._tail()
        found += self._soaks() + self._programs() + self._micros()
        if card.notes:
            found += [Heading("Notes"), Bullets(card.notes)]
        return [*found, Heading("Where it comes from"), Bullets([
            *(f"machine: {host}" for host in card.hosts),
            *(f"{name} {version}".strip() for name, version in card.versions.items()),
            "each name in the first column links to its folder; how each figure is made: "
            "docs/design/scorecard.md"]), Paragraph("Made, and made again, by:"),
            Code(shlex.join(self._command(folders, markdown, html)))]

    def _command(self, folders: Sequence[str], markdown, html) -> list:
        """The words of the command that makes the same page in the same place."""
        words = ["hakbench", "scorecard", *map(_from_here, folders)]
        if _from_here(markdown) != DEFAULT_PAGE:
            words += ["-o", _from_here(markdown)]
        if html:
            words += ["--html", _from_here(html)]
        if self.card.candidate != "hakmem":
            words += ["--candidate", self.card.candidate]
        if self.reference != MILESTONE_REFERENCE:
            words += ["--reference", self.reference]
        return words

    def _targets(self, milestones: bool) -> Table:
        rows = []
        for target in TARGETS:
            if (target.source == "milestone") == milestones:
                rows.append(self._target_row(target, self.measures[target.measure], not milestones))
        return Table(["", "measure", "verdict", "measured", "interval", "target", "data",
                      *([] if milestones else ["target set by"]), "over"], rows, names=2)

    def _target_row(self, target: Target, estimate: Estimate, sourced: bool) -> list:
        folders = estimate.folders
        data = text.MISSING
        if folders:
            common = folders[0] if len(folders) == 1 else Path(os.path.commonpath(folders))
            data = Cell("folder" if len(folders) == 1 else f"{len(folders)} folders", self.link(common))
        return [target.name, target.words, self.verdicts[target.name],
                Cell(amount(target.unit, estimate.value), sort=estimate.value), bounds(target.unit, estimate),
                f"{target.sense} {amount(target.unit, target.bound)}", data,
                *([target.source] if sourced else []), estimate.note]

    def _throughput(self) -> list:
        card = self.card
        rows = []
        for workload in card.workloads:
            own, best = workload.summaries.get(card.candidate), workload.best()
            rows.append([
                self._folder_cell(workload.name, workload.folder),
                Cell(text.rate(own.ops_per_s), sort=own.ops_per_s) if own else text.MISSING,
                best.reference if best else text.MISSING, best.verdict if best else text.MISSING,
                *(_ratio_cell(workload.rows.get((name, "throughput"))) for name in card.comparators)])
        means = measure.throughput_means(card)
        foot = ["geometric mean", "", "", "", *(_estimate_cell(means[name]) for name in card.comparators)]
        drawn = [(workload.name, {name: workload.rows[name, "throughput"] for name in workload.comparators})
                 for workload in card.workloads]
        found = [Heading("Throughput")]
        if any(row.ratio is not None for _, by_name in drawn for row in by_name.values()):
            found.append(Drawing(scorecard_svg.ratios(drawn, card.comparators, card.candidate)))
        return [*found, Table(["workload", card.candidate, "best comparator", "against it",
                               *(f"/ {name}" for name in card.comparators)], rows, [foot]),
                Paragraph(f"Ratio of {card.candidate}'s throughput to the comparator's, above 1 is faster, "
                          "with its interval. Better and worse only where the interval leaves 1 out; an "
                          "asterisk: too few quiet blocks for the interval's confidence."),
                Bullets([f"{workload.name}: {conditions(workload)}" for workload in card.workloads])]

    def _memory(self) -> list:
        card = self.card
        rows = []
        for workload in card.workloads:
            own = workload.summaries.get(card.candidate)
            tax = measure.tax_kb(workload, card.candidate) if own else None
            live = own.live_bytes / 1024 if own else None
            rows.append([
                self._folder_cell(workload.name, workload.folder), Cell(text.memory(live), sort=live),
                Cell(text.memory(own.rss_peak_kb), sort=own.rss_peak_kb) if own else text.MISSING,
                Cell(text.memory(tax), sort=tax),
                *(_ratio_cell(workload.rows.get((name, "peak_rss_above_base")))
                  for name in card.comparators)])
        means = measure.peak_rss_means(card)
        foot = ["geometric mean", "", "", "", *(_estimate_cell(means[name]) for name in card.comparators)]
        return [Heading("Memory"),
                Table(["workload", "live", f"peak RSS, {card.candidate}", "peak-RSS tax",
                       *(f"/ {name}" for name in card.comparators)], rows, [foot]),
                Paragraph("Peak RSS above the process's own before the allocator was loaded; the tax is what "
                          "of it was not live blocks at the epochs' ends. Ratios below 1 are leaner; kB are "
                          "1024 bytes.")]

    def _pareto(self) -> list:
        points, used = measure.pareto(self.card, self.reference)
        if not points:
            return [Heading("Throughput against memory"), Paragraph(
                f"No workload has both values for every allocator and for {self.reference}.")]
        rows = [[point.allocator, _estimate_cell(point.throughput), _estimate_cell(point.peak_rss),
                 f"beaten on both by {point.dominated_by}" if point.dominated_by else "on the front"]
                for point in points]
        return [Heading("Throughput against memory"),
                Drawing(scorecard_svg.pareto(points, self.reference)),
                Table(["allocator", f"throughput / {self.reference}", f"peak RSS / {self.reference}",
                       "Pareto"], rows),
                Paragraph(f"Geometric means over the {len(used)} workloads that have both values for every "
                          "allocator, ratios of medians; Student's intervals over workloads.")]

    def _tail(self) -> list:
        card, rows = self.card, []
        for workload in card.workloads:
            own = workload.summaries.get(card.candidate)
            if own is None:
                continue
            other = MILESTONE_REFERENCE
            rate = measure.syscall_rate(workload, card.candidate)
            service = workload.service.get(card.candidate)
            rows.append([
                self._folder_cell(workload.name, workload.folder), Cell(text.percent(own.cv), sort=own.cv),
                text.plain(own.ns_per_op_tail["p99"], "{:.3g}"),
                text.ratio(measure.tail_ratio(workload, other, card.candidate)),
                Cell(text.service_time(service.p99_9_ns), sort=service.p99_9_ns) if service
                else text.MISSING,
                text.ratio(measure.service_ratio(workload, other, card.candidate)),
                Cell(amount("per op", rate.value), sort=rate.value), _budget(rate)])
        return [Heading("Tail, spread and system calls"),
                Table(["workload", "CV", "p99 ns/op over epochs", f"/ {MILESTONE_REFERENCE}",
                       "service time p99.9", f"/ {MILESTONE_REFERENCE}", "system calls/op",
                       f"budget {SYSCALL_BUDGET_PER_OP:g}"], rows),
                Paragraph(f"Of {card.candidate}. CV is the machine's noise and the allocator's together. "
                          "Service time is there where the run had latency epochs (--latency). Workloads "
                          "that grow, start threads or use large blocks go to the system by their nature: "
                          "the budget is for random_mixed.")]

    def _soaks(self) -> list:
        if not self.card.soaks:
            return []
        rows = []
        for soak in self.card.soaks:
            it = soak.drift
            slope = Estimate(it.slope_kb_per_h, it.slope_lower_kb_per_h, it.slope_upper_kb_per_h)
            rows.append([self._folder_cell(f"{soak.allocator}, {soak.workload}, launch {soak.launch}",
                                           soak.folder),
                         f"{it.span_s:.0f} s", it.verdict, amount("kB/h", it.slope_kb_per_h),
                         f"{text.kb_per_h(slope.lower)} .. {text.kb_per_h(slope.upper)}",
                         Cell(text.memory(it.rss_peak_kb), sort=it.rss_peak_kb), text.percent(it.cv),
                         text.plain(it.syscalls_per_op, "{:.3g}")])
        return [Heading("Soaks"), Table(["soak", "after warm-up", "verdict", "slope of RSS", "interval, kB/h",
                                         "peak RSS", "CV", "system calls/op"], rows)]

    def _programs(self) -> list:
        if not self.card.programs:
            return []
        found = [Heading("Real programs")]
        for programs in self.card.programs:
            found += [self._program_table(programs), Bullets(programs.notes)]
        return found + [Paragraph("Speed is the ratio of CPU times, above 1 is faster; peak RSS is the whole "
                                  "process's, below 1 is leaner.")]

    def _micros(self) -> list:
        card, found = self.card, []
        for micro in card.micros:
            others = [name for name in micro.allocators if name != card.candidate]
            rows = []
            for name, by_allocator in micro.ns.items():
                own = by_allocator.get(card.candidate)
                rows.append([self._folder_cell(name, micro.folder), Cell(text.nanoseconds(own), sort=own),
                             *(_plain_ratio(micro.ratio(name, card.candidate, other)) for other in others)])
            foot = ["geometric mean", "",
                    *(_plain_ratio(micro.mean_ratio(card.candidate, other)) for other in others)]
            found += [Table(["benchmark", card.candidate, *(f"speed over {other}" for other in others)], rows,
                            [foot])]
        if not found:
            return []
        return [Heading("Single kinds of call"), *found,
                Paragraph("Google Benchmark's micro suite. The allocators ran one after the other, so these "
                          "have no interval and no verdict, and are in no target.")]

    def _program_table(self, programs: Programs) -> Table:
        references = list(dict.fromkeys(row["reference"] for row in programs.rows))
        by_key = {(row["program"], row["reference"], row["metric"]): row for row in programs.rows}
        rows = []
        for program in dict.fromkeys(row["program"] for row in programs.rows):
            cells = []
            for metric in ("speed", "peak_rss"):
                cells += [_row_cell(by_key.get((program, other, metric))) for other in references]
            rows.append([self._folder_cell(program, programs.folder), *cells])
        means = {metric: measure.program_means([programs], metric) for metric in ("speed", "peak_rss")}
        foot = ["geometric mean", *(_estimate_cell(means[metric][other])
                                    for metric in ("speed", "peak_rss") for other in references)]
        return Table(["program", *(f"speed over {other}" for other in references),
                      *(f"peak RSS / {other}" for other in references)], rows, [foot])


def _words(unit: str, estimate: Estimate) -> str:
    interval = bounds(unit, estimate)
    return amount(unit, estimate.value) + (f" ({interval})" if interval != text.MISSING else "")


def _estimate_cell(estimate: Estimate) -> Cell:
    return Cell(_words("ratio", estimate), sort=estimate.value)


def _ratio_cell(row) -> Cell:
    """A Comparison's ratio with its interval."""
    if row is None or row.ratio is None:
        return Cell(text.MISSING)
    doubtful = row.noisy or (row.confidence or 0) < row.requested_confidence
    return Cell(_words("ratio", Estimate(row.ratio, row.lower, row.upper)) + (" *" if doubtful else ""),
                sort=row.ratio)


def _plain_ratio(ratio: Optional[float]) -> Cell:
    return Cell(text.ratio(ratio), sort=ratio)


def _row_cell(row: Optional[dict]) -> Cell:
    """The same for a row of a verdict.json."""
    if row is None or row["ratio"] is None:
        return Cell(text.MISSING)
    return _estimate_cell(Estimate(row["ratio"], row["lower"], row["upper"]))


def _budget(rate: Estimate) -> str:
    if rate.value is None:
        return NOT_MEASURED
    if rate.upper <= SYSCALL_BUDGET_PER_OP:
        return "within"
    return "above" if rate.lower > SYSCALL_BUDGET_PER_OP else OPEN
