"""hakbench history: how a measurement went over commits, and where it changed.

Purpose     Put the folders of one workload in the order in which they were measured, find the changes of
            level of each ratio, name the commits between which they lie, and draw them.
Boundary    main() is the tool. Result folders of hakbench ab in; text or JSON on standard output, one PNG.
Invariants  Judged are ratios to the reference that was measured in the same folder, so that a machine that
            became slower is no change. A change is one of the level (change_points.py), not of one folder.
            What else differs from one folder to the next is named, and a change between two that differ in
            what may be all of it has no verdict (comparable.py).
"""
from __future__ import annotations

import json
import math
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional, Sequence

from . import change_points, cli, comparable, text, verdicts, wholefile, wording
from .compare_folders import NOT_COMPARABLE, TITLES, Row, measured_at, side_by_side
from .errors import InputError
from .load import Result, load_result

PROG = "hakbench history"
HISTORY_FORMAT = "hakbench-history/1"
LOG_SPAN = 4
LEAST_FOLDERS = change_points.least_values()


@dataclass(frozen=True)
class Change:
    """A change of one ratio: it lies between the commits `last` and `first` (of the folders `last_folder` and
    `first_folder`). `ratio` is the level after over the level before; `verdict` better, worse or not
    comparable."""

    candidate: str
    reference: str
    metric: str
    last_folder: str
    last: str
    first_folder: str
    first: str
    ratio: float
    p: float
    verdict: str


@dataclass(frozen=True)
class Reach:
    """What the folders of one ratio can show. `folders`: those since its last change, or all; `needed`: the
    fewest among which a change can show; `behind`: how many of `folders` must lie behind a change before it
    shows, None where they are too few."""

    candidate: str
    reference: str
    metric: str
    folders: int
    needed: int
    behind: Optional[int]


def by_key(rows: Sequence[Row]) -> dict:
    """(candidate, reference, metric) -> its rows that have a ratio, in order."""
    series: dict = {}
    for row in rows:
        if row.ratio is not None:
            series.setdefault((row.candidate, row.reference, row.metric), []).append(row)
    return series


def find_changes(rows: Sequence[Row], results: Sequence[Result] = ()) -> list:
    """The Changes; of `results`, which the rows come from, what else differs between two folders."""
    found, by_folder = [], {str(result.folder): result for result in results}

    def differ(last: Row, first: Row) -> bool:
        return bool(by_folder) and any(each.forbids_of(first.metric) for each in comparable.differences(
            by_folder[last.folder], by_folder[first.folder]))

    for key, series in by_key(rows).items():
        better = "higher" if key[2] == "throughput" else "lower"
        for point in change_points.find([math.log(row.ratio) for row in series]):
            last, first = series[point.at - 1], series[point.at]
            ratio = math.exp(point.after - point.before)
            verdict = NOT_COMPARABLE if differ(last, first) else verdicts.difference(ratio, ratio, better)
            found.append(Change(*key, last.folder, last.commit, first.folder, first.commit, ratio, point.p,
                                verdict))
    return found


def notes(results: Sequence[Result]) -> list:
    """A line for each folder that differs from the one before it in what may be all of a change. What leaves
    ratios comparable, as the operations per epoch of each calibration, would be a line a folder."""
    found = []
    for before, result in zip(results, results[1:]):
        forbidding = [each for each in comparable.differences(before, result) if each.forbids]
        found.append(comparable.note(before, result, forbidding))
    return [line for line in found if line]


def reaches(rows: Sequence[Row], changes: Sequence[Change]) -> dict:
    """(candidate, reference, metric) -> Reach."""
    found = {}
    for key, series in by_key(rows).items():
        changed = [change.first_folder for change in changes
                   if (change.candidate, change.reference, change.metric) == key]
        begin = [row.folder for row in series].index(changed[-1]) if changed else 0
        folders = len(series) - begin
        found[key] = Reach(*key, folders, LEAST_FOLDERS, change_points.least_behind(folders))
    return found


def _reach_words(reach: Reach, changed: bool) -> str:
    if reach.behind is None:
        since = " since its last change" if changed else ""
        return f"too few folders{since} to tell: {reach.folders}, at least {reach.needed} are needed"
    return f"{'another' if changed else 'a'} change shows once {reach.behind} folders lie behind it"


def _changed_at(changes: Sequence[Change], row: Row) -> str:
    for change in changes:
        key = (change.candidate, change.reference, change.metric)
        if key == (row.candidate, row.reference, row.metric) and change.first_folder == row.folder:
            return f"{100 * (change.ratio - 1):+.2f} % ({change.verdict}, p {change.p:.2g})"
    return ""


def for_people(rows: Sequence[Row], changes: Sequence[Change], words: str, remarks: Sequence[str]) -> str:
    lines, reach = [words, *(f"Note: {remark}" for remark in remarks)], reaches(rows, changes)
    changed = {(change.candidate, change.reference, change.metric) for change in changes}
    for key, series in by_key(rows).items():
        cells = [["folder", "commit", f"/ {key[1]}", "interval", "changed"]]
        cells += [[row.folder, row.commit, text.ratio(row.ratio), text.interval(row.lower, row.upper),
                   _changed_at(changes, row)] for row in series]
        lines += ["", f"{TITLES[key[2]]}: {key[0]} / {key[1]}", text.text_table(cells),
                  _reach_words(reach[key], key in changed)]
    found = [f"{change.candidate}: {TITLES[change.metric].lower()} over {change.reference} changed "
             f"by {100 * (change.ratio - 1):+.2f} % between {change.last or change.last_folder} and "
             f"{change.first or change.first_folder} (p {change.p:.2g})"
             + (f", which are {NOT_COMPARABLE}: see the note" if change.verdict == NOT_COMPARABLE else "")
             for change in changes]
    if not changes and all(it.behind is not None for it in reach.values()):
        found = ["No ratio changed its level."]
    return "\n".join([*lines, "", *found] if found else lines)


def _log_where_wide(axis, values: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers, where one wide interval would hide the others."""
    from matplotlib.ticker import LogLocator, NullLocator

    if max(values) <= LOG_SPAN * min(values):
        return
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 1000 * min(values) else (1,)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_ylabel("log scale", fontsize=8)


def draw(rows: Sequence[Row], folders: Sequence[str], words: str, path: Path) -> None:
    """The ratios with their intervals, folder by folder, and the levels between the changes. A folder has one
    place in all panels, in the order of `folders`; an axis that spans more than LOG_SPAN times its
    least value is logarithmic."""
    from .plot import COLOURS, GREY, plt  # matplotlib takes a second to load: only where there is a picture

    series, commits = by_key(rows), {row.folder: row.commit for row in rows}
    figure, axes = plt.subplots(len(series), 1, figsize=(10, 2.6 * len(series) + 0.6), layout="constrained",
                                squeeze=False, sharex=True)
    figure.suptitle(text.drawn(words), fontsize=11, x=0.01, ha="left")
    for number, ((key, values), axis) in enumerate(zip(series.items(), axes[:, 0])):
        colour, places = COLOURS[number % len(COLOURS)], [folders.index(row.folder) for row in values]
        bounded = [(place, row) for place, row in zip(places, values) if row.lower is not None]
        axis.vlines([place for place, _ in bounded], [row.lower for _, row in bounded],
                    [row.upper for _, row in bounded], color=colour, linewidth=1.2)
        axis.plot(places, [row.ratio for row in values], "o", color=colour, markersize=5)
        points = change_points.find([math.log(row.ratio) for row in values])
        edges = [0, *(point.at for point in points), len(values)]
        levels = [points[0].before, *(point.after for point in points)] if points else []
        for level, begin, end in zip(levels, edges, edges[1:]):
            axis.hlines(math.exp(level), places[begin] - 0.4, places[end - 1] + 0.4, color=GREY, linewidth=2)
        for point in points:
            axis.axvline((places[point.at - 1] + places[point.at]) / 2, color=GREY, linestyle=":",
                         linewidth=1.2)
        axis.set_title(f"{TITLES[key[2]]}: {key[0]} / {key[1]}", loc="left", fontsize=10.5, weight="bold")
        _log_where_wide(axis, [bound for row in values for bound in (row.lower, row.ratio, row.upper)
                               if bound is not None and bound > 0])
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xticks(range(len(folders)), [commits.get(folder) or Path(folder).name
                                                 for folder in folders], rotation=30, ha="right", fontsize=8)
    try:
        wholefile.write_picture(path, figure, "name another with --png")
    finally:
        plt.close(figure)


def _run(argv) -> int:
    parser = cli.make_parser(
        PROG, "Puts folders of one workload in the order in which they were measured, and says where a\n"
        f"ratio changed its level. That takes {LEAST_FOLDERS} folders at least, half of them behind the\n"
        "change. Among more folders fewer need lie behind it; a small change takes more.",
        "examples:\n  hakbench history out/nightly/*\n"
        "  hakbench history out/nightly/* --png history.png --format json\n\n"
        "exit codes: 0 done, whatever changed (hakbench gate decides), 1 the tool or its input failed")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="result folders of hakbench ab")
    parser.add_argument("--png", metavar="FILE", help="also draw the ratios")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    folder, times = Counter(map(os.path.realpath, options.folders)).most_common(1)[0]
    if times > 1:
        raise InputError(f"{os.path.relpath(folder)} is given {times} times; a measurement counts once")
    results = sorted((load_result(folder) for folder in options.folders), key=measured_at)
    rows = side_by_side(results)
    if not by_key(rows):
        raise InputError("no folder has a ratio: give folders of hakbench ab")
    changes, words = find_changes(rows, results), wording.conditions(results[0])
    if options.png:
        draw(rows, [str(result.folder) for result in results], words, Path(options.png))
    if options.format == "json":
        print(json.dumps({"format": HISTORY_FORMAT, "workload": words, "notes": notes(results),
                          "rows": [asdict(row) for row in rows],
                          "changes": [asdict(change) for change in changes],
                          "reach": [asdict(reach) for reach in reaches(rows, changes).values()]}, indent=2))
    else:
        print(for_people(rows, changes, words, notes(results)))
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
