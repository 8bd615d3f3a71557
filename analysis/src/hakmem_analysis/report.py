"""hakbench report: from a result folder to the answer.

Purpose     Write verdict.json, report.md, report.html and report.png into the folder, and print the short
            answer for a terminal. All of them can be made again at any time from the run's own files.
Boundary    main() is the tool; build() the report as data.
Invariants  Everything printed comes from verdict()'s content: no figure is computed in the writers.
"""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from . import cli, document, exemplars, latency, soak_judge, soak_page, text, wholefile, wording
from .compare import above_floor, compare
from .describe import finite, summarise_all
from .load import Result, load_result
from .schema import VERDICT_FORMAT
from .stats import DEFAULT_CONFIDENCE, rows_for_percentile
from .wholefile import MEND

PROG = "hakbench report"

METRIC_WORDS = {
    "throughput": "throughput (ops/s)",
    "cv": "CV of throughput",
    "rss_above_base": "RSS above base, median",
    "peak_rss_above_base": "RSS above base, peak",
    "syscalls_per_op": "system calls per op",
    "ns_above_floor": "ns above floor",
}

ONE_OF = {"launches": "launch", "blocks": "block", "stretches": "stretch"}


@dataclass
class Report:
    result: Result
    summaries: list
    comparisons: list
    floors: dict
    notes: list
    service: list
    slowest: list  # of exemplars.Slowest
    soak: list  # of SoakSubject; empty for what is no soak

    @property
    def headlines(self) -> list:
        if self.soak:
            conditions = wording.conditions(self.result)
            return [soak_page.headline(self.soak, conditions), *soak_page.sentences(self.soak)]
        rows = [row for row in self.comparisons if row.metric == "throughput"]
        if rows:
            return [wording.headline(self.result, row) for row in rows]
        return [wording.single_headline(self.result, summary) for summary in self.summaries]


def build(folder, reference: str = "") -> Report:
    """Loads the folder and computes everything, against the run's own reference or the one that is named.
    Raises InputError."""
    result = load_result(folder)
    if reference:
        result = result.against(reference)
    summaries = summarise_all(result)
    soak = soak_judge.judge(result) if soak_judge.is_soak(result) else []
    if soak:  # has turns instead of blocks
        comparisons = compare(result, throughput=soak_judge.compare_neighbours)
        floors = {summary.subject: None for summary in summaries}
    else:
        comparisons = compare(result)
        floors = {summary.subject: above_floor(result, summary.subject) for summary in summaries}
    # Both may add a warning to the result, which the notes repeat.
    service, slowest = latency.summarise_all(result), exemplars.summarise_all(result)
    return Report(result, summaries, comparisons, floors, wording.notes(result, summaries, comparisons),
                  service, slowest, soak)


def _soak(report: Report) -> dict:
    """What verdict.json says of a soak."""
    return {"verdict": soak_judge.overall(report.soak),
            "budget_kb_per_h": report.soak[0].drift.budget_kb_per_h,
            "subjects": cli.finite_only([subject.as_dict() for subject in report.soak])}


def verdict(report: Report) -> dict:
    """The content of verdict.json."""
    result = report.result
    subjects = []
    for summary in report.summaries:
        floor = report.floors[summary.subject]
        subjects.append({**asdict(summary), "ns_above_floor": floor and floor.point,
                         "ns_above_floor_lower": floor and floor.lower,
                         "ns_above_floor_upper": floor and floor.upper,
                         "ns_above_floor_confidence": floor.confidence
                         if floor and finite(floor.lower) else None})
    return {
        "format": VERDICT_FORMAT,
        "status": result.manifest["status"],
        "workload": result.manifest.get("workload"),
        "headlines": report.headlines,
        "comparisons": cli.finite_only([row.as_dict() for row in report.comparisons]),
        "subjects": cli.finite_only(subjects),
        "service_time": cli.finite_only([row.as_dict() for row in report.service]),
        "slowest_operations": [row.as_dict() for row in report.slowest],
        "notes": report.notes,
        **({"soak": _soak(report)} if report.soak else {}),
    }


def _above_floor(floor) -> str:
    """A cell for an Interval in ns, or None; one that covers less than was asked says so, as ratios do."""
    if floor is None or not finite(floor.point):
        return text.MISSING
    if not finite(floor.lower):
        return f"{floor.point:.3f} ({text.MISSING})"
    covers = "" if floor.confidence >= DEFAULT_CONFIDENCE else f", {100 * floor.confidence:.3g} %"
    return f"{floor.point:.3f} ({floor.lower:.3f} .. {floor.upper:.3f}{covers})"


def _subject_table(report: Report) -> document.Table:
    floors = any(report.floors.values())
    header = ["", "ops/s, median", "ns/op", "CV", "p99 low tail", "worst epoch", "RSS first", "last",
              "peak", "minor faults/epoch", "system calls/op"] + (["ns above floor"] if floors else [])
    rows = []
    for s in report.summaries:
        row = [f"{s.name} {s.version}".strip(), text.rate(s.ops_per_s), text.plain(s.ns_per_op, "{:.3f}"),
               text.percent(s.cv), text.rate(s.ops_per_s_tail["p99"]), text.rate(s.ops_per_s_tail["worst"]),
               text.memory(s.rss_first_kb), text.memory(s.rss_last_kb), text.memory(s.rss_peak_kb),
               text.plain(s.minor_faults_per_epoch, "{:.1f}"), text.plain(s.syscalls_per_op, "{:.3g}")]
        if floors:
            row.append(_above_floor(report.floors[s.subject]))
        rows.append(row)
    return document.Table(header, rows)


def _service_table(report: Report) -> document.Table:
    rows = [[row.name, *(text.service_time(value) for value in (
        row.p50_ns, row.p99_ns, row.p99_9_ns, row.p99_99_ns, row.max_ns)),
        text.plain(row.slow_ops_per_mop, "{:.3g}"), text.service_time(row.timer_p50_ns),
        text.plain(row.timer_slow_per_mop, "{:.3g}")] for row in report.service]
    return document.Table(["", "p50", "p99", "p99.9", "p99.99", "max", "slow ops per million",
                           "timer, p50", "slow timer readings per million"], rows)


def _service_parts(report: Report) -> list:
    """The section on service time; nothing without latency epochs."""
    if not report.service:
        return []
    clock = report.result.manifest.get("latency_clock") or "unknown"
    noisy = sum(row.noisy_epochs for row in report.service)
    fewest = min(row.ops for row in report.service)
    step_ns = max((row.clock_step_ns for row in report.service if finite(row.clock_step_ns)), default=0)
    return [document.Heading("Service time"), _service_table(report), document.Paragraph(
        "Service time of single operations, the timer's own cost included, in epochs of their own (clock: "
        f"{clock}; at least {fewest:,} operations of each). Slow is above {latency.SLOW_NS // 1000} us: the "
        "timer's empty readings show how much of that is the machine's doing. Percentiles are good to 1/32 "
        "of the value" + (f", and no better than the clock's step of {step_ns:.0f} ns." if step_ns >= 1
                          else ".")
        + (f" {text.counted(noisy, 'epoch')} over the noise limit, left out if others are left." if noisy
           else "")), *exemplars.parts(report.slowest, report.result.manifest)]


def _value(metric: str, value) -> str:
    write = {"throughput": text.rate, "cv": text.percent, "ns_above_floor": text.nanoseconds,
             "syscalls_per_op": lambda count: text.plain(count, "{:.3g}")}.get(metric, text.memory)
    return write(value)


def _verdict(row) -> str:
    if row.ratio is None:
        return row.note
    return row.verdict if row.lower is not None or not row.note else f"{row.verdict}: {row.note}"


def _units(row) -> str:
    """What the interval of a row counts: "45 blocks"."""
    count = row.launches if row.unit == "launches" else row.blocks
    return f"1 {ONE_OF.get(row.unit, row.unit)}" if count == 1 else f"{count} {row.unit}"


def _ratio_table(report: Report) -> document.Table:
    rows = []
    for row in report.comparisons:
        bounds = text.interval(row.lower, row.upper)
        if row.lower is not None:
            bounds += f" ({100 * row.confidence:.3g} %)"
        rows.append([f"{row.candidate} / {row.reference}: {METRIC_WORDS[row.metric]}",
                     _value(row.metric, row.candidate_value), _value(row.metric, row.reference_value),
                     text.ratio(row.ratio), bounds, _verdict(row),
                     text.percent(row.resolves, 1), _units(row)])
    return document.Table(["candidate / reference", "candidate", "reference", "ratio", "interval", "verdict",
                           "would have caught", "over"], rows)


def page(report: Report, picture) -> list:
    """The report as document parts; `picture` is the path of the PNG, or None."""
    result = report.result
    names = " against ".join(summary.name for summary in report.summaries[:2])
    if report.soak:
        names = f"Soak of {soak_page.names(report.soak)}"
    epochs = min((summary.epochs for summary in report.summaries), default=0)
    parts = [document.Heading(f"{names}: {wording.conditions(result)}", 1)]
    parts += [document.Paragraph(line, strong=True) for line in report.headlines]
    if picture:
        parts.append(document.Picture(picture, "throughput and memory over time; " + (
            "how memory moved" if report.soak else "the ratio of each block")))
    if report.soak:
        parts += soak_page.parts(report.soak)
    parts += [document.Heading("Subjects"), _subject_table(report), document.Paragraph(
        "Medians over epochs; RSS is above the process's own before the allocator was loaded, medians over "
        "launches; kB are 1024 bytes. The low tail p99 is what 99 % of the epochs reach"
        + (f"; with {text.counted(epochs, 'epoch')} it is near the worst one."
           if epochs < rows_for_percentile(99) else "."))]
    if report.comparisons:
        parts += [document.Heading("Ratios"), _ratio_table(report), document.Paragraph(
            "Ratio = candidate / reference: above 1 is better for throughput, below 1 for all else. An "
            "interval that contains 1 shows no difference; \"would have caught\" is the smallest change such "
            "a run shows in 95 of 100 cases. How each interval is made: docs/design/statistics.md.")]
    parts += _service_parts(report)
    if report.notes:
        parts += [document.Heading("Noise and limits"), document.Bullets(report.notes)]
    parts += [document.Heading("Where it comes from"),
              document.Bullets([f"{name}: {value}" for name, value in wording.provenance(result)])]
    if wording.command(result):
        parts += [document.Paragraph("To repeat:"), document.Code(wording.command(result))]
    return parts


def summary_text(report: Report, path) -> str:
    """The short answer for a terminal: ratio with interval, CV and RSS of each, the report's path."""
    rows = [["", "ops/s", "ns/op", "CV", "RSS last", "RSS peak", "syscalls/op"]]
    for s in report.summaries:
        rows.append([s.name, text.rate(s.ops_per_s), text.plain(s.ns_per_op, "{:.3f}"), text.percent(s.cv),
                     text.memory(s.rss_last_kb), text.memory(s.rss_peak_kb),
                     text.plain(s.syscalls_per_op, "{:.3g}")])
    lines = [*report.headlines, "", text.text_table(rows)]
    if report.soak:
        ratios = [row for row in report.comparisons if row.metric == "throughput"]
        if len(ratios) < soak_page.NAMED_AT_MOST:
            lines += ["", *(wording.headline(report.result, row) for row in ratios)]
    for row in report.comparisons:
        if row.metric == "peak_rss_above_base" and row.ratio is not None and (
                len(report.summaries) <= soak_page.NAMED_AT_MOST):
            bounds = f" ({row.note if row.lower is None else text.interval(row.lower, row.upper)})"
            lines.append(f"Peak RSS above base: {row.candidate} holds {text.ratio(row.ratio)}x what "
                         f"{row.reference} holds{bounds}.")
    lines += exemplars.lines(report.slowest)
    lines += wording.noise_notes(report.result, report.summaries, report.comparisons)
    lines += [f"Note: {warning}" for warning in report.result.warnings]
    return "\n".join([*lines, "", f"report: {path}"])


def _draw(report: Report, picture: Path) -> None:
    """Imports here: matplotlib is slow to load, and a terminal's answer needs none."""
    if report.soak:
        from . import soak_plot
        soak_plot.draw(report.result, report.soak, report.headlines[0], picture)
    else:
        from . import plot
        plot.draw(report.result, report.comparisons, report.headlines[0], picture)


def write(report: Report, plot: bool) -> Path:
    """Writes all files of the report; returns the path of report.md. Raises InputError if it cannot."""
    folder = report.result.folder
    picture = folder / "report.png" if plot else None
    wholefile.write_text(folder / "verdict.json", json.dumps(verdict(report), indent=2) + "\n", MEND)
    if picture:
        _draw(report, picture)
    parts = page(report, picture)
    wholefile.write_text(folder / "report.md", document.to_markdown(parts), MEND)
    wholefile.write_text(folder / "report.html", document.to_html(parts, parts[0].text), MEND)
    return folder / "report.md"


def _run(argv) -> int:
    parser = cli.make_parser(
        PROG, "Makes the report of a result folder: verdict.json, report.md, report.html, report.png.",
        "examples:\n  hakbench report out/20260101-120000-hakmem-vs-mimalloc\n"
        "  hakbench report DIR --summary\n  hakbench report DIR --reference mimalloc\n"
        "  hakbench report DIR --format json | jq .comparisons[0].ratio\n\n"
        "exit codes: 0 the report is made, 1 the folder cannot be used (one line says why)")
    parser.add_argument("folder", metavar="DIR", help="the folder that hakbench run, ab or soak wrote")
    parser.add_argument("--summary", action="store_true",
                        help="print only the short answer and the report's path")
    parser.add_argument("--no-plot", action="store_true", help="leave the picture out")
    parser.add_argument("--reference", metavar="NAME", default="",
                        help="the subject to compare with, by label or allocator (default as in the run)")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    report = build(options.folder, options.reference)
    path = write(report, not options.no_plot)
    if options.format == "json":
        print(json.dumps(verdict(report), indent=2))
    elif options.summary:
        print(summary_text(report, path))
    else:
        print(path.read_text(encoding="utf-8"))
        print(f"report: {path}")
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
