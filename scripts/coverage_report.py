#!/usr/bin/env python3
"""coverage_report.py - lines of the allocator that its tests ran, from gcov's counts.

Purpose:    one table (a row a file) and the lines that were not run and that nobody explained.
Boundary:   standard library only, any python3 from 3.8 on; runs gcov ($GCOV, default `gcov`) on the files
            that a build with --coverage and its tests left behind; writes nothing. A line counts as run if
            any variant of the allocator ran it. Tables (.def) have no code of their own.
Explained:  a text file. `FILE: why` in the first column, below it, indented, the lines meant, as they
            stand in FILE. Explanations follow a line's text, not its number; one without such a line is an
            error.
Exit codes: 0 pass, 1 bad input, 2 less than --minimum percent covered, or a line neither run nor explained.
"""
import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

FOLDERS = ("allocator/src/", "allocator/preload/")


class BadInput(Exception):
    """What was given cannot be used; the text names the thing and the mend."""


def gcov_documents(build, gcov):
    """gcov's JSON documents, one an object file of `build`; those that never ran are among them."""
    notes = sorted(Path(build).rglob("*.gcno"))
    if not notes:
        raise BadInput(f"{build} holds no .gcno files: run scripts/coverage.sh")
    if not any(note.with_suffix(".gcda").exists() for note in notes):
        raise BadInput(f"{build} holds no counts (.gcda): run scripts/coverage.sh without --report")
    for note in notes:
        command = [gcov, "--json-format", "--stdout", str(note)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            raise BadInput(f"{gcov} failed on {note}: {done.stderr.decode(errors='replace').strip()}")
        for line in done.stdout.splitlines():
            if line.strip():
                yield json.loads(line)


def count_lines(documents, root):
    """{file relative to root: {line number: times run}}, summed over object files and variants."""
    counts = defaultdict(lambda: defaultdict(int))
    for document in documents:
        for entry in document["files"]:
            path = os.path.normpath(os.path.join(document["current_working_directory"], entry["file"]))
            name = os.path.relpath(path, root)
            if name.startswith(FOLDERS) and not name.endswith(".def"):
                for line in entry["lines"]:
                    counts[name][line["line_number"]] += line["count"]
    return counts


def read_explained(text):
    """{file: {text of a line: why}}"""
    explained = defaultdict(dict)
    name = why = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line[0].isspace():
            name, colon, why = line.partition(": ")
            if not colon or not why.strip():
                raise BadInput(f"explanations, line {number}: write `FILE: why`, the lines indented below")
        elif name is None:
            raise BadInput(f"explanations, line {number}: a line of code before any `FILE: why`")
        else:
            explained[name][line.strip()] = why.strip()
    return explained


def judge(counts, explained, source_of):
    """Rows (file, lines, run, explained), unexplained lines (file, number, text), idle explanations.

    `source_of(file)` gives a file's lines. Idle: (file, text) whose lines were all run this time.
    """
    rows, unexplained, idle = [], [], []
    for name in sorted(set(counts) | set(explained)):
        source = [line.strip() for line in source_of(name)]
        reasons = explained.get(name, {})
        for text in reasons:
            if text not in source:
                raise BadInput(f"explanations: {name} has no line `{text}`: bring the explanation up to date")
        gaps = [(number, source[number - 1]) for number, count in sorted(counts[name].items()) if count == 0]
        open_gaps = [(name, number, text) for number, text in gaps if text not in reasons]
        unexplained += open_gaps
        idle += [(name, text) for text in reasons if text not in {text for _, text in gaps}]
        rows.append((name, len(counts[name]), len(counts[name]) - len(gaps), len(gaps) - len(open_gaps)))
    return rows, unexplained, idle


def percent(part, whole):
    """Of no lines, all are covered."""
    return 100.0 * part / whole if whole else 100.0


def report(rows, unexplained, idle, minimum):
    """Prints the findings; returns the exit code."""
    total = ("total", *(sum(row[i] for row in rows) for i in (1, 2, 3)))
    width = max(len(row[0]) for row in (*rows, total))
    print(f"{'file':{width}}  lines    run      %  explained")
    for name, lines, run, known in (*rows, total):
        print(f"{name:{width}}  {lines:5}  {run:5}  {percent(run, lines):5.1f}  {known:9}")
    for name, text in idle:
        print(f"note: {name}: explained, but run this time: {text}")
    for name, number, text in unexplained:
        print(f"{name}:{number}: neither run nor explained: {text}")
    covered = percent(total[2], total[1])
    failed = covered < minimum or bool(unexplained)
    print(f"{'FAIL' if failed else 'PASS'}: {covered:.1f} % of {total[1]} lines run (at least {minimum:g} "
          f"wanted), {total[3]} gaps explained, {len(unexplained)} not")
    return 2 if failed else 0


def main():
    """Reads, counts, judges, prints."""
    parser = argparse.ArgumentParser(description="Lines of the allocator that its tests ran.")
    parser.add_argument("--root", type=Path, required=True, help="the checkout")
    parser.add_argument("--build", type=Path, required=True, help="a build of the preset coverage, tests run")
    parser.add_argument("--explained", type=Path, required=True, help="the explanations")
    parser.add_argument("--minimum", type=float, default=95.0, help="percent of lines (default 95)")
    options = parser.parse_args()
    try:
        explained = read_explained(options.explained.read_text())
        root = options.root.resolve()
        counts = count_lines(gcov_documents(options.build.resolve(), os.environ.get("GCOV", "gcov")), root)

        def source_of(name):
            return (root / name).read_text().splitlines()
        return report(*judge(counts, explained, source_of), options.minimum)
    except (BadInput, OSError) as error:
        print(f"coverage_report.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
