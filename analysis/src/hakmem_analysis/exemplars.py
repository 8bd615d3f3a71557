"""Exemplars of the tail: the slowest operations one by one, and what coincided with them.

Purpose     Read exemplars.csv, the slowest operations of each latency epoch, and say of each subject's worst
            how many met a page fault or a context switch.
Owns        Nothing; frames in, numbers and words out.
Boundary    load_exemplars() is the only place that knows the file.
Invariants  An empty count is "not measured", never 0. "neither" is said only where both were measured.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Optional

import pandas as pd

from . import csvfile, document, text
from .errors import InputError
from .latency import OPS, TIMER
from .load import Result
from .schema import EXEMPLAR_COLUMNS

SHOWN = 3  # of each subject, in a report
NEITHER = "neither"
NOT_MEASURED = "not measured"
ALWAYS_THERE = ("seq", "launch", "start_ns", "service_time_ns")
COUNTS = (("page_faults", "page fault", "page faults"),
          ("context_switches", "context switch", "context switches"))


@dataclass(frozen=True)
class Exemplar:
    """One slow operation. None is not measured, or a free without a size, or a thread without a number."""

    op: str
    service_time_ns: int
    size_bytes: Optional[int]
    thread: Optional[int]
    page_faults: Optional[int]
    context_switches: Optional[int]

    @property
    def coincided(self) -> str:
        """What the operation coincided with, in words."""
        found = [f"{getattr(self, name)} {several}" if getattr(self, name) > 1 else one
                 for name, one, several in COUNTS if getattr(self, name)]
        if found:
            return ", ".join(found)
        return NOT_MEASURED if None in (self.page_faults, self.context_switches) else NEITHER


@dataclass(frozen=True)
class Slowest:
    """The slowest operations on record of one subject, over its latency epochs: how many there are, how many
    of them coincided with what (one with both counts in both), and the `worst` of them, slowest first."""

    subject: str
    name: str
    on_record: int
    with_page_fault: int
    with_context_switch: int
    with_neither: int
    not_measured: int
    worst: tuple

    def as_dict(self) -> dict:
        rows = [{**asdict(row), "coincided": row.coincided} for row in self.worst]
        return {**asdict(self), "worst": rows}


def load_exemplars(result: Result) -> Optional[pd.DataFrame]:
    """The rows of exemplars.csv with a column `excluded` (their epoch is over the noise limit), or None if
    the run wrote none. Raises InputError."""
    path = result.folder / "exemplars.csv"
    if not path.exists():
        return None
    rows, cut = csvfile.count_complete_rows(path)
    if cut:
        result.warnings.append(f"{path.name}: the last line is cut off (a killed run); it is left out")
    texts = [column.name for column in EXEMPLAR_COLUMNS if column.type == "text"]
    numbers = [column.name for column in EXEMPLAR_COLUMNS if column.type != "text"]
    frame = csvfile.read_columns(str(path), numbers=numbers, texts=texts, max_rows=rows)
    known = [op for op in OPS if op != TIMER]
    bad = ~frame["op"].isin(known) | frame[list(ALWAYS_THERE)].isna().any(axis=1) | (
        frame[numbers] < 0).any(axis=1)
    if bad.any():
        raise InputError(f"{path}:{bad.idxmax() + 2}: not an operation (op one of {', '.join(known)}; "
                         f"{', '.join(ALWAYS_THERE)} given; no number below 0); remove that line, or use the "
                         "report tool of the version that measured")
    excluded = result.epochs.loc[result.epochs["excluded"], "seq"]
    return frame.assign(excluded=frame["seq"].isin(excluded))


def _whole(value) -> Optional[int]:
    return None if pd.isna(value) else int(value)


def summarise(result: Result, frame: pd.DataFrame, label: str) -> Optional[Slowest]:
    """The slowest operations of one subject, or None if there are none. Epochs over the noise limit are left
    out, unless there are no others, as in the percentiles."""
    every = frame[frame["subject"] == label]
    kept = every if every["excluded"].all() else every[~every["excluded"]]
    if kept.empty:
        return None
    rows = [Exemplar(row.op, int(row.service_time_ns), *map(_whole, (
        row.size_bytes, row.thread, row.page_faults, row.context_switches)))
        for row in kept.sort_values("service_time_ns", ascending=False, kind="stable").itertuples()]
    return Slowest(
        subject=label, name=result.display_name(label), on_record=len(rows),
        with_page_fault=sum(bool(row.page_faults) for row in rows),
        with_context_switch=sum(bool(row.context_switches) for row in rows),
        with_neither=sum(row.coincided == NEITHER for row in rows),
        not_measured=sum(row.coincided == NOT_MEASURED for row in rows), worst=tuple(rows[:SHOWN]))


def summarise_all(result: Result) -> list:
    """The slowest operations of all subjects that have some, in the manifest's order."""
    frame = load_exemplars(result)
    if frame is None:
        return []
    found = (summarise(result, frame, label) for label in result.subjects)
    return [slowest for slowest in found if slowest is not None]


def _share(slowest: Slowest) -> str:
    words = [f"{slowest.with_page_fault} coincided with a page fault",
             f"{slowest.with_context_switch} with a context switch", f"{slowest.with_neither} with neither"]
    if slowest.not_measured:
        words.append(f"{slowest.not_measured} are not measured")
    return f"of the {slowest.on_record} of {slowest.name} " + ", ".join(words[:-1]) + " and " + words[-1]


def sentence(found: list, manifest: dict) -> str:
    """How many of the slowest operations coincided with what, and why it is unknown where it is."""
    shares = "; ".join(map(_share, found))
    reason = (manifest.get("kernel_events") or {}).get("reason")
    unknown = f" Not measured: {reason}." if reason and any(row.not_measured for row in found) else ""
    return (f"The slowest operations of each latency epoch are on record: {shares}. Neither leaves the "
            f"operation's own work, an interrupt, or the host.{unknown}")


def lines(found: list) -> list:
    """For a terminal: the slowest operation of each subject."""
    return [f"Slowest operation of {row.name}: {_line(row.worst[0])}." for row in found]


def _line(row: Exemplar) -> str:
    size = "" if row.size_bytes is None else f" of {row.size_bytes:,} bytes"
    return f"{text.service_time(row.service_time_ns)}, {row.op}{size}, {_cause(row)}"


def _cause(row: Exemplar) -> str:
    return {NEITHER: "no page fault or context switch", NOT_MEASURED: "cause not measured"}.get(
        row.coincided, row.coincided)


def parts(found: list, manifest: dict) -> list:
    """The table of the report's section on service time, and the sentence below it."""
    if not found:
        return []
    rows = [[slowest.name, row.op, row.coincided, text.service_time(row.service_time_ns),
             text.MISSING if row.size_bytes is None else f"{row.size_bytes:,}",
             text.MISSING if row.thread is None else str(row.thread)]
            for slowest in found for row in slowest.worst]
    return [document.Heading("Slowest operations", 3),
            document.Table(["", "operation", "coincided with", "service time", "bytes asked for", "thread"],
                           rows, names=3),
            document.Paragraph(sentence(found, manifest))]
