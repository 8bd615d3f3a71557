"""A soak for people: the sentences and the tables of its report.

Boundary    SoakSubjects in, plain text and document parts out.
Invariants  The first line says what someone on call needs: does memory drift, which, by how much, why.
"""
from __future__ import annotations

from typing import Sequence

from . import causes, document, text
from .describe import finite
from .drift import slope_words
from .soak_judge import DRIFT, EXTEND, STABLE, SoakSubject, overall

NAMED_AT_MOST = 6


def names(judged: Sequence[SoakSubject]) -> str:
    """The subjects in a sentence: "a, b and c", or how many."""
    listed = [subject.name for subject in judged]
    if len(listed) > NAMED_AT_MOST:
        return f"{len(listed)} subjects"
    return " and ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))


def _of(judged: Sequence[SoakSubject], verdict: str) -> list:
    return [subject for subject in judged if subject.drift.verdict == verdict]


def headline(judged: Sequence[SoakSubject], conditions: str) -> str:
    """The verdict of the whole soak in one line, and whose allocations failed meanwhile."""
    failed = [f"{text.counted(int(subject.failed_allocs), 'allocation')} of {subject.name}"
              for subject in judged if subject.failed_allocs > 0]
    return " ".join(filter(None, (_verdict(judged, conditions), f"{' and '.join(failed)} failed: memory that "
                                  "was refused cannot drift." if failed else "")))


def _verdict(judged: Sequence[SoakSubject], conditions: str) -> str:
    drifts, undecided, steady = (_of(judged, verdict) for verdict in (DRIFT, EXTEND, STABLE))
    over = text.duration(max(subject.drift.span_s for subject in judged))
    budget = f"budget {text.kb_per_h(judged[0].drift.budget_kb_per_h)} kB/h"
    verdict = overall(judged)
    if verdict == DRIFT:
        words = f"Memory drifts: {names(drifts)}"
        rest = [f"{names(part)} {word}" for part, word in ((undecided, "undecided"), (steady, "steady"))
                if part]
        return f"DRIFT. {words} on {conditions}, over {over} ({budget})" + (
            f"; {'; '.join(rest)}." if rest else ".")
    if verdict == EXTEND:
        needed = [subject.drift.needed_s for subject in undecided if finite(subject.drift.needed_s)]
        words = f"EXTEND. This soak does not settle whether memory drifts: {names(undecided)} on {conditions}"
        return words + f", over {over} ({budget})" + (
            f"; soak for about {text.duration(max(needed))}." if needed else ".")
    words = "Memory drifts within the budget" if any(
        subject.drift.moves for subject in steady) else "Memory does not drift"
    return f"STABLE. {words}: {names(steady)} on {conditions}, over {over} ({budget})."


def sentence(subject: SoakSubject) -> str:
    """One subject: verdict, slope, why, and what else a soak shows."""
    drift = subject.drift
    verdict = f"{subject.name}: {drift.verdict}"
    slope, interval, smallest = slope_words(drift)
    slope += f" ({100 * drift.confidence:g} % interval {interval})"
    if drift.verdict == STABLE:
        words = f"{verdict}: {slope}; it would have shown {smallest}"
    elif drift.verdict == DRIFT:
        words = f"{verdict} by {slope}; cause: {subject.cause.name} ({subject.cause.reason})"
    else:
        words = f"{verdict}: {drift.reason}"
        if subject.cause.name != causes.NONE:
            words += f". Cause: {subject.cause.name} ({subject.cause.reason})"
    return (f"{words}. RSS {text.memory(drift.rss_last_kb)} at the end, peak "
            f"{text.memory(drift.rss_peak_kb)}; after warm-up CV {text.percent(drift.cv)} and "
            f"{text.plain(drift.syscalls_per_op, '{:.3g}')} system calls an op; "
            f"{text.plain(subject.failed_allocs, '{:.0f}')} failed allocations.")


def drain_sentence(subject: SoakSubject) -> str:
    """What stays resident of a subject when everything is freed, and for how long."""
    decay = subject.decay
    fall = (f"half-life of the fall {decay.half_life_s:.3g} s" if finite(decay.half_life_s)
            else "most drains show no fall of more than a page, so no half-life")
    drains = f"medians of {decay.drains} drains" if decay.drains > 1 else "1 drain"
    return (f"{subject.name}, everything freed: RSS {text.memory(decay.drained_kb)} right after a drain, "
            f"{text.memory(decay.idle_kb)} after {decay.idle_s:.3g} s of idling ({drains}); {fall}.")


def sentences(judged: Sequence[SoakSubject]) -> list:
    """Of each subject that does not rest; of all where there are few. Then of each that was drained."""
    return [sentence(subject) for subject in judged
            if len(judged) <= NAMED_AT_MOST or subject.drift.verdict != STABLE] + [
                drain_sentence(subject) for subject in judged if subject.decay]


def table_rows(judged: Sequence[SoakSubject]) -> list:
    """Header and rows of the table of drifts, as cells."""
    decays = any(subject.decay for subject in judged)
    rows = [["", "verdict", "cause", "slope", "99 % interval", "smallest visible", "RSS first", "last",
             "judged over", "CV after warm-up", "system calls/op after warm-up", "failed allocs"]
            + (["after a drain", "falls while idle", "half-life"] if decays else [])]
    for subject in judged:
        drift, decay = subject.drift, subject.decay
        left = drift.epochs - drift.warmup_epochs
        row = [subject.name, drift.verdict, subject.cause.name, *slope_words(drift),
               text.memory(drift.rss_first_kb), text.memory(drift.rss_last_kb),
               f"{text.duration(drift.span_s)}, {left} of {drift.epochs} epochs",
               text.percent(drift.cv), text.plain(drift.syscalls_per_op, "{:.3g}"),
               text.plain(subject.failed_allocs, "{:.0f}")]
        if decays:
            row += [text.MISSING] * 3 if decay is None else [
                text.memory(decay.drained_kb), text.memory(decay.fallen_kb),
                text.plain(decay.half_life_s, "{:.3g} s")]
        rows.append(row)
    return rows


def parts(judged: Sequence[SoakSubject]) -> list:
    """The section on drift."""
    rows = table_rows(judged)
    named = [f"{subject.name}: {subject.cause.name}: {subject.cause.reason}" for subject in judged
             if subject.cause.name != causes.NONE]
    relaunched = [f"{subject.name} ran in {subject.launches} processes; launch {subject.launch}, the "
                  "longest, is judged" for subject in judged if subject.launches > 1]
    found = [document.Heading("Drift"), document.Table(rows[0], rows[1:]), document.Paragraph(
        "DRIFT: the whole interval of the slope is beyond the budget. STABLE: all of it is within. EXTEND: "
        "neither; the reason says how long a soak would tell. Warm-up is left out: the first quarter of "
        "the epochs, or the first half where memory was still settling; \"judged over\" says how many were "
        "left. A workload whose live set rises and falls (sawtooth, phases) is judged by the peak of each "
        "whole cycle. RSS is above the process's own. How it is judged: docs/design/statistics.md.")]
    if named or relaunched:
        found.append(document.Bullets(named + relaunched))
    return found
