"""The scorecard in a paragraph, for README.md.

Purpose     Geometric means of throughput and of peak RSS against each comparator, and where the candidate is
            shown to be behind; put between two marks of a file, whose other lines are people's.
Boundary    A Card in, lines out; rewritten() maps the text of a file to its new text.
Invariants  The figures are those of the page, to two decimals. Behind is what the page's rows call worse:
            an interval that leaves 1 out.
"""
from __future__ import annotations

import textwrap
from typing import Optional

from . import scorecard_measures as measure
from .errors import InputError
from .scorecard_data import Card

BEGIN = "<!-- figures of the scorecard: hakbench scorecard writes them, see docs/design/scorecard.md -->"
END = "<!-- end of the figures -->"
WIDTH = 120
NAMED_AT_MOST = 3


def _figure(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.2f}"


def _joined(words: list) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _known_as(card: Card, name: str) -> str:
    """The name with its version: mimalloc 2.0.9, tcmalloc (gperftools 2.10)."""
    version = card.versions.get(name, "").partition("-")[0]
    return f"{name} {version}" if version[:1].isdigit() else f"{name} ({version})" if version else name


def _lacking(card: Card) -> str:
    """The workloads that are in no mean against a comparator, in brackets; "" without any."""
    found = []
    for name in card.comparators:
        rows = [(workload.name, workload.rows.get((name, "throughput"))) for workload in card.workloads]
        without = [workload for workload, row in rows if row is None or row.ratio is None]
        if without:
            named = ", without " + _joined([f"`{it}`" for it in without])
            found.append(f"{name} in {len(rows) - len(without)}"
                         + (named if len(without) <= NAMED_AT_MOST else ""))
    return f" ({'; '.join(found)})" if found else ""


def _behind(card: Card) -> str:
    found = []
    for workload in card.workloads:
        found += [f"`{workload.name}` ({_figure(row.ratio)} of {name}, {_figure(row.lower)} to "
                  f"{_figure(row.upper)})" for (name, metric), row in workload.rows.items()
                  if metric == "throughput" and row.verdict == "worse"]
    if not found:
        return f"{card.candidate} is shown to be behind in none of them."
    return f"{card.candidate} is shown to be behind in {_joined(found)}."


def paragraph(card: Card, link: str) -> str:
    """The paragraph, with a link to the page, of a Card with workloads."""
    speed, memory = measure.throughput_means(card), measure.peak_rss_means(card)
    speeds = [f"{_figure(mean.value)} of {_known_as(card, name)}" for name, mean in speed.items()]
    memories = [f"{_figure(mean.value)} of {name}" for name, mean in memory.items()]
    count = len(card.workloads)
    words = (f"Over {count} workload{'s' if count != 1 else ''}{_lacking(card)} the geometric mean of "
             f"throughput is {_joined(speeds)}; that of peak RSS is {_joined(memories)}: "
             f"[the scorecard]({link}). {_behind(card)}")
    return textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)


def rewritten(name: str, content: str, words: str) -> str:
    """`content` of the file `name` with `words` between the two marks; as it is if it has none. Raises
    InputError if it has one of them, or several."""
    counts = content.count(BEGIN), content.count(END)
    if counts == (0, 0):
        return content
    head, _, rest = content.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if counts != (1, 1) or not mark:
        raise InputError(f"{name}: the marks '{BEGIN}' and '{END}' must be there once each, in this order; "
                         "put them around the paragraph, or remove both")
    return f"{head}{BEGIN}\n{words}\n{END}{tail}"
