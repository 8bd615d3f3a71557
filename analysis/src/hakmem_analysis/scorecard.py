"""hakbench scorecard: an allocator against its targets, from result folders.

Purpose     Write the scorecard as Markdown and as one HTML page; with --measure, measure it first.
Boundary    main() is the tool. Reads folders of hakbench ab, app and soak; writes the two pages and nothing
            else, but with --measure a folder that holds all that was measured, and with the page of hakmem's
            source tree the paragraph of its README.md.
Invariants  The same command gives the same bytes. A page is whole, or what it was before.
"""
from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from . import cli, document, scorecard_readme, scorecard_suite, wholefile
from .scorecard_data import Card, read_card
from .scorecard_page import DEFAULT_PAGE, Page
from .scorecard_targets import MILESTONE_REFERENCE, TARGETS

PROG = "hakbench scorecard"
SCORECARD_FORMAT = "hakbench-scorecard/1"
ELSEWHERE = "scorecard.md"
README = "README.md"  # whose figures go with the page at DEFAULT_PAGE
SOURCE_TREE = (str(Path(DEFAULT_PAGE).parent), "analysis/src/hakmem_analysis")  # what only its top holds
MOST_ALLOCATORS = 8  # as many as hakbench ab takes


def make_parser():
    parser = cli.make_parser(
        PROG, "Holds an allocator against its targets: throughput against every comparator, memory, tail,\n"
        "system calls, drift and real programs, from any number of result folders.",
        "A folder is one that hakbench ab, app or soak wrote, or one of --measure, which holds many.\n\n"
        "examples:\n  hakbench scorecard results/2026-11-23-quick-ws400 -o card.md\n"
        "  hakbench scorecard --measure -o out/suite --minutes 15\n"
        "  hakbench scorecard out/suite --html card.html\n\n"
        "exit codes: 0 written, whatever the verdicts, 1 the tool or its input failed")
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="result folders")
    parser.add_argument("-o", "--output", metavar="PATH",
                        help=f"the Markdown page (default {DEFAULT_PAGE} at the top of hakmem's source tree, "
                             f"elsewhere {ELSEWHERE} where you are; the former also writes its "
                             f"figures into {README}); with --measure the folder of all that "
                             "is measured, scorecard.md and scorecard.html in it")
    parser.add_argument("--html", metavar="FILE", help="also as one HTML page, which needs nothing else")
    parser.add_argument("--candidate", default="hakmem", metavar="ALLOCATOR",
                        help="whose scorecard (default %(default)s)")
    parser.add_argument("--reference", default=MILESTONE_REFERENCE, metavar="ALLOCATOR",
                        help="1 in the view of throughput against memory (default %(default)s)")
    parser.add_argument("--measure", action="store_true",
                        help="measure the suite first; what is complete in the folder is kept")
    parser.add_argument("--minutes", type=float, default=15.0, metavar="N",
                        help="with --measure: about how long (default %(default)g)")
    parser.add_argument("--suite", choices=sorted(scorecard_suite.SUITES), default="standard",
                        help="with --measure: which workloads (default %(default)s; batches: one-size "
                             "batches of many sizes, counts and orders)")
    parser.add_argument("--allocators", metavar="LIST", default=",".join(scorecard_suite.ALLOCATORS),
                        help="with --measure: whom, the candidate first, with commas between; "
                             "NAME=/path/lib.so is any malloc library (default %(default)s)")
    parser.add_argument("--filter", default="", metavar="REGEX",
                        help="with --measure: only what matches of the suite: "
                             f"{', '.join(scorecard_suite.names_of('standard'))}")
    cli.add_format(parser)
    return parser


def _check(parser, options) -> None:
    if options.measure:
        if not options.output:
            parser.error("--measure needs -o FOLDER")
        if options.folders:
            parser.error("--measure makes its folders itself; give them without it")
        if not options.minutes > 0:
            parser.error("--minutes must be more than 0")
        names = [scorecard_suite.label_of(word) for word in options.allocators.split(",")]
        if options.candidate != names[0]:
            parser.error(f"--measure compares {', '.join(names)}, the first with the others; its candidate "
                         f"is not {options.candidate}")
        if not 2 <= len(set(names)) == len(names) <= MOST_ALLOCATORS:
            parser.error(f"--allocators {options.allocators}: give 2 to {MOST_ALLOCATORS} different ones")
    elif not options.folders:
        parser.error("give a result folder, or --measure")
    elif options.filter:
        parser.error("--filter goes with --measure")


def _in_source_tree() -> bool:
    """Whether one stands at the top of hakmem's tree: another project's docs/analysis is none of ours."""
    return all(map(os.path.isdir, SOURCE_TREE))


def default_page() -> Path:
    """Where the page goes if no -o says it."""
    return Path(DEFAULT_PAGE) if _in_source_tree() else Path.cwd() / ELSEWHERE


def _refresh_readme(card: Card, markdown: Path) -> list:
    """Writes the page's figures into README.md if the page is the source tree's own. Its path, or nothing."""
    readme = Path(README)
    own = _in_source_tree() and os.path.relpath(markdown) == DEFAULT_PAGE
    if not (own and readme.is_file() and card.workloads):
        return []
    before = readme.read_text(encoding="utf-8")
    after = scorecard_readme.rewritten(README, before, scorecard_readme.paragraph(card, DEFAULT_PAGE))
    if after != before:
        _write(readme, after)
    return [readme] if scorecard_readme.BEGIN in after else []


def _write(path: Path, content: str) -> None:
    wholefile.write_text(path, content, "make its folder, or name another file with -o or --html")


def as_dict(card: Card, page: Page) -> dict:
    """The scorecard for machines."""
    return {
        "format": SCORECARD_FORMAT, "candidate": card.candidate, "comparators": card.comparators,
        "headlines": page.headlines(),
        "targets": [{**asdict(target), "value": it.value, "lower": it.lower, "upper": it.upper,
                     "note": it.note, "verdict": page.verdicts[target.name],
                     "folders": [os.path.relpath(folder) for folder in it.folders]}
                    for target in TARGETS for it in (page.measures[target.measure],)],
        "workloads": [{"workload": workload.name, "folder": os.path.relpath(workload.folder),
                       "comparisons": [row.as_dict() for row in workload.rows.values()]}
                      for workload in card.workloads],
        "notes": card.notes}


def _run(argv) -> int:
    parser = make_parser()
    options = parser.parse_args(argv)
    _check(parser, options)
    folders = options.folders
    markdown = Path(options.output) if options.output else default_page()
    html = options.html and Path(options.html)
    if options.measure:
        folder = Path(options.output)
        scorecard_suite.measure(folder, options.minutes, options.filter, scorecard_suite.report_progress,
                                allocators=options.allocators.split(","), suite_name=options.suite)
        folders, markdown, html = [options.output], folder / "scorecard.md", html or folder / "scorecard.html"
    card = read_card(folders, options.candidate)
    page = Page(card, options.reference, markdown.parent)
    _write(markdown, document.to_markdown(page.parts(folders, markdown, html)))
    if html:
        parts = Page(card, options.reference, html.parent).parts(folders, markdown, html)
        _write(html, document.to_html(parts, f"Performance scorecard of {card.candidate}", sortable=True))
    readme = _refresh_readme(card, markdown)
    if options.format == "json":
        print(json.dumps(as_dict(card, page), indent=2))
    else:
        print("\n".join([*page.headlines(), *(f"Note: {note}" for note in card.notes),
                         *(f"figures: {path}" for path in readme),
                         *(f"scorecard: {path}" for path in (markdown, html) if path)]))
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
