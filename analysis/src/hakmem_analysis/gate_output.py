"""What a gate says, in every form that somebody reads.

Purpose     Table and sentence for people, JSON for programs, JUnit XML, GitHub annotations and step summary.
Boundary    Verdict in, text out. No number is computed here but its wording.
Invariants  Every failing metric is named, with its change, its interval and what was allowed. A pass says
            how small a loss would have failed.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional
from xml.etree import ElementTree as xml

from . import text
from .judge import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, Row
from .metrics import RATIO

GATE_FORMAT = "hakbench-gate/1"
SAME_RUN, BASELINE = "same-run", "stored-baseline"
OF_FLOOR = "of floor"  # unit of a throughput that is stored relative to the anchor
WITH_THE_VALUE = ("ns", OF_FLOOR)  # units that stand beside the values; those of rates stand with the change


@dataclass(frozen=True)
class Verdict:
    """The whole answer of a gate. `kind` is "same-run" or "stored-baseline"; `folders` by workload;
    `launches` by workload: (those of each subject that were measured, those of them that noise left whole),
    of all looks, where a row has those of the look that decided it."""

    kind: str
    verdict: str
    candidate: str
    reference: str
    rows: list
    looks: int
    looks_planned: list
    settings: dict
    folders: dict
    warnings: list = field(default_factory=list)
    launches: dict = field(default_factory=dict)


def as_dict(verdict: Verdict) -> dict:
    """The content of gate.json."""
    return {"format": GATE_FORMAT, "kind": verdict.kind, "verdict": verdict.verdict,
            "sentence": sentence(verdict), "candidate": verdict.candidate,
            "reference": verdict.reference, "looks": verdict.looks,
            "looks_planned": verdict.looks_planned,
            "launches": {workload: {"measured": measured, "quiet": quiet}
                         for workload, (measured, quiet) in verdict.launches.items()},
            "gate": verdict.settings, "folders": verdict.folders, "warnings": verdict.warnings,
            "metrics": [row.as_dict() for row in verdict.rows]}


def amount(row: Row, value: Optional[float], signed: bool = True) -> str:
    """A change as people read it: a ratio in percent, a difference in its unit."""
    if value is None:
        return text.MISSING
    sign = "+" if signed else ""
    if row.scale == RATIO:
        return f"{100 * (value - 1) if signed else 100 * value:{sign}.2f} %"
    return f"{value:{sign}.3g} {row.unit}"


def bounds(row: Row, lower: Optional[float], upper: Optional[float]) -> str:
    if lower is None or upper is None:
        return text.MISSING
    if row.scale == RATIO:
        return f"{100 * (lower - 1):+.2f} .. {100 * (upper - 1):+.2f} %"
    return f"{lower:+.3g} .. {upper:+.3g} {row.unit}"


def allowed(row: Row) -> str:
    sign = "-" if row.better == "higher" else "+"
    return f"{sign}{100 * row.margin:g} %" if row.scale == RATIO else f"{sign}{row.margin:g} {row.unit}"


def caught(row: Row) -> str:
    """The smallest worsening that would have failed in 95 of 100 such runs."""
    return amount(row, row.catches, signed=False)


def _why_open(row: Row) -> str:
    return row.note or (f"{bounds(row, row.decided_lower, row.decided_upper)}, "
                        f"allowed {allowed(row)}")


def by_note(rows: list, everything: list) -> list:
    """(names, note) of the rows that have one, in the order of the rows: a note that holds for several of
    them once."""
    groups: dict = {}
    for row in rows:
        if row.note:
            groups.setdefault(row.note, []).append(row)
    return [(_names(found, everything), note) for note, found in groups.items()]


def _names(rows: list, everything: list) -> str:
    """One metric in words, several by their short names."""
    if len(rows) == 1:
        return rows[0].words + _where(rows[0], everything)
    return ", ".join(row.metric + _where(row, everything) for row in rows)


def _open_words(rows: list, everything: list) -> str:
    """Why each of the rows is open: those with an interval one by one, the others by their note."""
    told = [f"{_names([row], everything)} ({_why_open(row)})" for row in rows if not row.note]
    return "; ".join([*told, *(f"{names} ({note})" for names, note in by_note(rows, everything))])


def _where(row: Row, rows: list) -> str:
    several = len({other.workload for other in rows}) > 1
    return f" on {row.workload}" if several else ""


def what_failed(row: Row, rows: list) -> str:
    direction = "fell" if row.better == "higher" else "rose"
    change = amount(row, row.value).lstrip("+-")
    return (f"{row.words}{_where(row, rows)} {direction} by {change} (95 % interval "
            f"{bounds(row, row.lower, row.upper)}), where {allowed(row)} is allowed")


def sentence(verdict: Verdict) -> str:
    """The answer in one or two sentences."""
    failed = [row for row in verdict.rows if row.verdict == FAIL]
    if failed:
        return "FAIL: " + "; ".join(what_failed(row, verdict.rows) for row in failed) + "."
    open_rows = [row for row in verdict.rows if row.verdict == INCONCLUSIVE]
    if verdict.verdict == INCONCLUSIVE:
        named = _open_words(open_rows, verdict.rows)
        return (f"INCONCLUSIVE: {named or 'nothing was measured'}. Not a failure and not a pass: measure on "
                "a quieter machine, or with more launches.")
    power = [f"a loss of throughput of {caught(row)}{_where(row, verdict.rows)}" for row in verdict.rows
             if row.metric == "throughput" and row.catches is not None]
    caught_too = f"; would have caught {', '.join(power)}" if power else ""
    unknown = dict.fromkeys(row.metric for row in verdict.rows if row.verdict == NOT_MEASURED)
    left_out = f" Not measured here: {', '.join(unknown)}." if unknown else ""
    return f"PASS: nothing that was measured got worse beyond its margin{caught_too}.{left_out}"


def table(verdict: Verdict) -> list:
    """Rows of cells, the header first."""
    several = len({row.workload for row in verdict.rows}) > 1
    cells = [["metric", "reference", "candidate", "change", "95 % interval", "allowed", "would have caught",
              "launches", "verdict"]]
    for row in verdict.rows:
        name = row.metric + (f" ({row.workload})" if several else "")
        cells.append([name, _plain(row, row.reference_value), _plain(row, row.candidate_value),
                      amount(row, row.value),
                      bounds(row, row.lower, row.upper), allowed(row), caught(row), str(row.launches),
                      row.verdict])
    return cells


def _plain(row: Row, value: Optional[float]) -> str:
    if row.unit == "ops/s":
        return text.rate(value)
    if row.unit == "kB":
        return text.memory(value)
    unit = f" {row.unit}" if row.unit in WITH_THE_VALUE and value is not None else ""
    return text.plain(value, "{:.4g}") + unit


def footnote(baseline: bool = False) -> str:
    """How the columns of table() are made that do not follow from each other."""
    if baseline:
        how = "ratio of the geometric means over launches or, where it has a unit, difference of the means"
    else:
        how = "geometric mean of the launches' ratios or, where it has a unit, mean of their differences"
    return (f"change: {how}; the values beside it are medians over launches; launches: those that the "
            "verdict rests on")


def for_people(verdict: Verdict) -> str:
    lines = [f"gate: {verdict.candidate} against {verdict.reference}, look {verdict.looks} of "
             f"{len(verdict.looks_planned)} ({_launches(verdict)})", "", text.text_table(table(verdict)),
             footnote(verdict.kind == BASELINE), "", sentence(verdict)]
    # What is inconclusive is named by the sentence already, unless something failed.
    noted = [row for row in verdict.rows if row.verdict != NOT_MEASURED
             and not (verdict.verdict == INCONCLUSIVE and row.verdict == INCONCLUSIVE)]
    lines += [f"note: {names}: {note}" for names, note in by_note(noted, verdict.rows)]
    lines += [f"warning: {warning}" for warning in verdict.warnings]
    lines += [f"data: {folder}" for folder in verdict.folders.values()]
    return "\n".join(lines)


def _launches(verdict: Verdict) -> str:
    counts = set(verdict.launches.values())
    if len(counts) == 1:
        measured, quiet = counts.pop()
        if quiet == measured:
            return f"{measured} launches of each"
        return f"launches of each: {launches_words(measured, quiet)}"
    return "launches of each: " + "; ".join(f"{workload} {launches_words(*pair)}"
                                            for workload, pair in verdict.launches.items())


def launches_words(measured: int, quiet: int) -> str:
    """"6 measured, 2 quiet"."""
    return f"{measured} measured, {quiet} quiet"


def markdown(verdict: Verdict) -> str:
    """For a step summary."""
    cells = table(verdict)
    lines = [f"### hakbench gate: {verdict.verdict.upper()}", "", sentence(verdict), "",
             "| " + " | ".join(cells[0]) + " |", "|" + " --- |" * len(cells[0])]
    lines += ["| " + " | ".join(row) + " |" for row in cells[1:]]
    lines += ["", footnote(verdict.kind == BASELINE), ""]
    lines += [f"- warning: {warning}" for warning in verdict.warnings]
    return "\n".join(lines) + "\n"


def _escaped(message: str) -> str:
    """As GitHub's workflow commands want it."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_title(title: str) -> str:
    """A property of a workflow command, in which colons and commas have a meaning, too."""
    return _escaped(title).replace(":", "%3A").replace(",", "%2C")


def github_annotations(verdict: Verdict) -> list:
    lines = [f"::error title={_escaped_title(f'hakbench gate: {row.metric}')}::"
             f"{_escaped(what_failed(row, verdict.rows))}"
             for row in verdict.rows if row.verdict == FAIL]
    if not lines and verdict.verdict == INCONCLUSIVE:
        lines.append(f"::warning title=hakbench gate::{_escaped(sentence(verdict))}")
    return lines or [f"::notice title=hakbench gate::{_escaped(sentence(verdict))}"]


def junit(verdict: Verdict) -> str:
    """One test case a metric: failed, skipped where nothing was decided."""
    count = {name: str(sum(row.verdict == name for row in verdict.rows)) for name in (FAIL, PASS)}
    skipped = str(len(verdict.rows) - int(count[FAIL]) - int(count[PASS]))
    root = xml.Element("testsuites")
    suite = xml.SubElement(root, "testsuite", name="hakbench gate", tests=str(len(verdict.rows)),
                           failures=count[FAIL], errors="0", skipped=skipped)
    for row in verdict.rows:
        case = xml.SubElement(suite, "testcase", classname=f"hakbench.gate.{row.workload}", name=row.metric)
        if row.verdict == FAIL:
            xml.SubElement(case, "failure", message=what_failed(row, verdict.rows)).text = sentence(verdict)
        elif row.verdict != PASS:
            reason = row.note if row.verdict == NOT_MEASURED else f"inconclusive: {_why_open(row)}"
            xml.SubElement(case, "skipped", message=reason)
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
