"""Runs programs under allocators in turns and puts a row for each run on disk the moment it ends.

Purpose     The schedule of `hakbench app` and its runs.csv.
Boundary    Programs and libraries in, rows out; no statistics.
Invariants  A block is every allocator in random order and then in the opposite order (ABBA), so that what
            drifts slowly cancels within it. An allocator under which a program fails leaves that program's
            turns; what it measured stays.
"""
from __future__ import annotations

import csv
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence

from .app_library import Library
from .app_process import Measurement, ProgramFailed
from .app_programs import Cpus, Program

WARMUP = -1  # the block of runs that are not counted
COLUMNS = ("seq", "program", "allocator", "block", "slot", "wall_s", "cpu_s", "system_s", "peak_rss_kb",
           "minor_faults", "major_faults", "involuntary_switches", "output_sha256", "wall_time_s")
# What a measured program must not inherit: the allocator under test is the only difference.
CLEARED = ("LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES")
HARNESS_PREFIXES = ("HAKMEM_BENCH_", "HAKMEM_PYTHON", "HAKMEM_TEST_")  # no allocator reads those
CLEARED_PREFIXES = ("HAKMEM_", "MIMALLOC_", "MALLOC_", "JEMALLOC_", "TCMALLOC_", "RPMALLOC_", "SNMALLOC_")


@dataclass
class Outcome:
    """What happened beside the figures: (program, allocator) -> why it failed; programs whose output was not
    the same each time under one allocator; (program, allocator) whose output was not the first
    allocator's."""

    failed: dict = field(default_factory=dict)
    varying: set = field(default_factory=set)
    different: set = field(default_factory=set)


class RunFile:
    """runs.csv. Each row is complete and flushed before the next run begins."""

    def __init__(self, path: Path):
        self.file = open(path, "w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file, lineterminator="\n")
        self.writer.writerow(COLUMNS)
        self.file.flush()
        self.seq = 0

    def add(self, program: str, allocator: str, block: int, slot: int, it: Measurement) -> None:
        cells = [self.seq, program, allocator, "" if block == WARMUP else block, slot, f"{it.wall_s:.6f}",
                 f"{it.cpu_s:.6f}", f"{it.system_s:.6f}", it.peak_rss_kb, it.minor_faults, it.major_faults,
                 it.involuntary_switches, it.output_sha256, f"{time.time():.3f}"]
        self.writer.writerow(["" if cell is None else cell for cell in cells])
        self.file.flush()
        self.seq += 1

    def close(self) -> None:
        self.file.close()


def cleared_variables() -> list:
    """The names of the variables that measured programs are run without, in order."""
    return sorted(name for name in os.environ if name in CLEARED or name.startswith(CLEARED_PREFIXES))


def note_cleared() -> None:
    """Says which settings of an allocator in this environment have no effect."""
    names = [name for name in cleared_variables() if not name.startswith(HARNESS_PREFIXES)]
    if names:
        sys.stderr.write(f"note: programs are run without this environment's {', '.join(names)}; set what "
                         f"one allocator is to have with --env LABEL:{names[0]}=VALUE\n")


def clean_environment() -> dict:
    cleared = cleared_variables()
    kept = {name: value for name, value in os.environ.items() if name not in cleared}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}


def order_of_block(labels: Sequence[str], draw: random.Random) -> list:
    """Every label once in random order, then in the opposite order."""
    first = list(labels)
    draw.shuffle(first)
    return first + first[::-1]


def _say(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


def _note_output(outcome: Outcome, digests: dict, varied: set, program: str, label: str, digest: str) -> None:
    """`digests`: allocator -> output of its first run, in the order of the warm-up; `varied`: allocators
    whose output has changed since."""
    if digests.setdefault(label, digest) != digest:
        varied.add(label)
    elif digest != next(iter(digests.values())):
        outcome.different.add((program, label))


def run_program(program: Program, libraries: Sequence[Library], blocks: int, cpus: Cpus, draw: random.Random,
                runs: RunFile, outcome: Outcome) -> None:
    """A warm-up run of each allocator, then the blocks. Failures go to `outcome`."""
    by_label = {library.label: library for library in libraries}
    environment, digests, varied = clean_environment(), {}, set()
    with tempfile.TemporaryDirectory(prefix="hakbench-app-") as name:
        folder = Path(name)
        program.prepare(folder)

        def run(label: str, block: int, slot: int) -> None:
            if (program.name, label) in outcome.failed:
                return
            _say(f"{program.name}: block {max(block, 0) + 1} of {blocks}, {label}")
            try:
                it = program.run(by_label[label].surroundings(environment), folder, cpus)
            except ProgramFailed as failure:
                outcome.failed[program.name, label] = str(failure)
                return
            runs.add(program.name, label, block, slot, it)
            _note_output(outcome, digests, varied, program.name, label, it.output_sha256)

        for slot, label in enumerate(by_label):
            run(label, WARMUP, slot)
        for block in range(blocks):
            for slot, label in enumerate(order_of_block(by_label, draw)):
                run(label, block, slot)
    if varied and varied == set(digests):  # the program's own doing, not an allocator's
        outcome.varying.add(program.name)
        outcome.different = {pair for pair in outcome.different if pair[0] != program.name}
    else:
        outcome.different |= {(program.name, label) for label in varied}
    _say("")
