"""hakbench compare: the same measurement in several folders, side by side.

Purpose     What an allocator made of one workload in each folder, and how that changed since the first.
Boundary    main() is the tool. Result folders of hakbench ab in; a table out, in the order given.
Invariants  Folders are compared by their ratios to the reference that was measured beside the candidate,
            never by throughput alone: the machine's speed of the day is in both sides and cancels. Folders
            of different workloads are refused; what else differs is named, and where it may be the whole
            change there is no verdict (comparable.py). The interval of a change joins two independent
            ones: their halves, on the logarithmic scale, add in squares.
"""
from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Optional, Sequence

from . import cli, comparable, text, verdicts, wording
from .compare import compare
from .comparison import Comparison
from .describe import Summary, summarise
from .errors import InputError
from .load import Result, load_result

PROG = "hakbench compare"
COMPARE_FORMAT = "hakbench-compare/1"
NOT_COMPARABLE = "not comparable"
TITLES = {"throughput": "Throughput", "peak_rss_above_base": "Peak RSS above base"}


@dataclass(frozen=True)
class Row:
    """One candidate and metric in one folder; `cv` is its throughput's. `change` is the folder's ratio over
    the first folder's; None in the first folder, or where either has no interval."""

    folder: str
    commit: str
    candidate: str
    reference: str
    metric: str
    value: Optional[float]
    ratio: Optional[float]
    lower: Optional[float]
    upper: Optional[float]
    cv: Optional[float]
    change: Optional[float] = None
    change_lower: Optional[float] = None
    change_upper: Optional[float] = None
    verdict: str = ""


def change(first: Comparison, now: Comparison) -> tuple:
    """(change, lower, upper, verdict) of two independent ratios; Nones where one has no firm interval."""
    firm = all(row.ratio is not None and row.lower is not None and not row.noisy
               and row.confidence >= row.requested_confidence for row in (first, now))
    if not firm:
        return None, None, None, "inconclusive"
    centre = math.log(now.ratio / first.ratio)
    below = math.hypot(math.log(now.ratio / now.lower), math.log(first.upper / first.ratio))
    above = math.hypot(math.log(now.upper / now.ratio), math.log(first.ratio / first.lower))
    lower, upper = math.exp(centre - below), math.exp(centre + above)
    return math.exp(centre), lower, upper, verdicts.difference(lower, upper, now.better)


def _key(row: Comparison) -> tuple:
    return row.candidate, row.reference, row.metric


def side_by_side(results: Sequence[Result]) -> list:
    """Rows of all folders, grouped by candidate, reference and metric. Raises InputError for folders that
    cannot be compared."""
    for result in results:
        comparable.check_workload(results[0], result)
        if result.reference is None:
            raise InputError(f"{result.folder}: one allocator alone; compare folders of hakbench ab")
    found = [[row for row in compare(result) if row.metric in TITLES] for result in results]
    first: dict = {}
    rows = []
    for result, comparisons in zip(results, found):
        differing = comparable.differences(results[0], result)
        for row in comparisons:
            summary: Summary = summarise(result, row.candidate_subject)
            known = first.setdefault(_key(row), row)
            since = (None, None, None, "") if known is row else change(known, row)
            if known is not row and any(each.forbids_of(row.metric) for each in differing):
                since = (*since[:3], NOT_COMPARABLE)
            rows.append(Row(str(result.folder), ((result.manifest.get("git") or {}).get("commit") or "")[:10],
                            *_key(row), row.candidate_value, row.ratio, row.lower, row.upper,
                            summary.cv if math.isfinite(summary.cv) else None, *since))
    keys = list(first)
    return sorted(rows, key=lambda row: keys.index((row.candidate, row.reference, row.metric)))


def measured_at(result: Result) -> float:
    """The wall time of its first epoch: the order of folders in time."""
    return result.epochs["wall_time_s"].min()


def notes(results: Sequence[Result]) -> list:
    """A line for each folder that was not measured as the first was, and one if they are not in the order of
    time."""
    found = [comparable.note(results[0], result, comparable.differences(results[0], result))
             for result in results[1:]]
    for before, result in zip(results, results[1:]):
        if result.epochs["wall_time_s"].max() < measured_at(before):
            found.append(f"not in the order of time: {result.folder} was measured before {before.folder}; "
                         f"each is held against {results[0].folder}, the first one given")
            break
    return [line for line in found if line]


def for_people(rows: Sequence[Row], words: str, remarks: Sequence[str] = ()) -> str:
    lines = [words, *(f"Note: {remark}" for remark in remarks)]
    for key in dict.fromkeys((row.candidate, row.reference, row.metric) for row in rows):
        cells = [["folder", "commit", key[0], f"/ {key[1]}", "interval", "since the first", "interval",
                  "verdict"]]
        for row in rows:
            if (row.candidate, row.reference, row.metric) == key:
                write = text.rate if row.metric == "throughput" else text.memory
                cells.append([row.folder, row.commit, write(row.value), text.ratio(row.ratio),
                              text.interval(row.lower, row.upper), text.ratio(row.change),
                              text.interval(row.change_lower, row.change_upper), row.verdict])
        lines += ["", f"{TITLES[key[2]]}: {key[0]} / {key[1]}", text.text_table(cells)]
    return "\n".join(lines)


def _run(argv) -> int:
    parser = cli.make_parser(
        PROG, "Puts folders of one workload side by side: each candidate's ratio to its reference, and how\n"
        "that changed since the first folder. A note names what else differs between the folders. Up to\n"
        "twice the operations per epoch, another seed or warm-up leave a ratio comparable; more, another\n"
        "machine, version or settings of the reference, or stream of operations leave no verdict; another\n"
        "working set, number of threads or parameter is another workload, and refused. Another base that\n"
        "memory is counted from leaves no verdict on memory. The folders stay in the order given, a note\n"
        "says if that is not of time; hakbench history sorts them.",
        "examples:\n  hakbench compare out/before out/after\n"
        "  hakbench compare out/monday out/tuesday out/wednesday --format json\n\n"
        "exit codes: 0 done, whatever changed (hakbench gate decides), 1 the tool or its input failed")
    parser.add_argument("folders", nargs="+", metavar="FOLDER",
                        help="result folders of hakbench ab; the others are held against the first")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    results = [load_result(folder) for folder in options.folders]
    rows = side_by_side(results)
    if options.format == "json":
        print(json.dumps({"format": COMPARE_FORMAT, "workload": wording.conditions(results[0]),
                          "notes": notes(results), "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        print(for_people(rows, wording.conditions(results[0]), notes(results)))
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
