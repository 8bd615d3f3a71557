"""A run that grows until its question is answered, at a few looks that were planned before.

Purpose     Measure with `hakbench ab`, judge, and continue the same run with more launches while it is
            undecided.
Owns        Measured, Plan.
Boundary    The one place of the package that starts measurements; the command is injected, so tests need no
            harness.
Invariants  At most the planned looks; each judges at 1 - alpha / looks (verdicts.look_confidence). What was
            measured stays in its folder, whatever happens after. A run in which allocations failed is judged
            by nobody: an allocator that fails is fast and lean.
"""
from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from .binary import find_hakbench, run
from .comparison import allocation_failures
from .errors import InputError
from .load import Result, load_result
from .metrics import log_ratio

# (arguments after "hakbench") -> exit code
Command = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Measured:
    """A folder as it is after a look, and its result in memory. `look` counts from 1."""

    result: Result
    look: int
    last: bool


@dataclass(frozen=True)
class Plan:
    """What one growing run is made of: subjects by label, the profile, further arguments, its folder."""

    subjects: dict
    reference: str
    profile: Optional[str]
    extra: tuple
    folder: Path


def result_folder(wanted: Optional[str], kind: str) -> Path:
    """The folder that was asked for, or out/KIND-TIME-PID, so that two runs of one second do not meet."""
    return Path(wanted or f"out/{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")


def check_empty(folder: Path, extra: Sequence[str], option: str = "-o") -> None:
    """Refuses a folder that holds something, unless `extra`, which `hakbench ab` gets, overwrites it. Raises
    InputError; `option` is the one that names the folder."""
    if folder.exists() and "--force" not in extra and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is no folder"
        raise InputError(f"{folder} {what}; name another folder with {option}")


def run_hakbench(arguments: Sequence[str]) -> int:
    """Runs hakbench with its output put on standard error, so that standard output stays the verdict's."""
    return run([find_hakbench(), *arguments], stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode


def launches_of(result: Result, label: str) -> int:
    """How many launches of a subject were measured, those that noise spoiled with them."""
    return int(result.measured(label)["launch"].nunique())


def quiet_launches(result: Result, label: str, other: str) -> int:
    """How many launches noise left whole enough to compare the two subjects' throughput."""
    return len(log_ratio(result, label, other))


def first_arguments(plan: Plan, launches: int) -> list:
    words = ["ab"]
    for label, allocator in plan.subjects.items():
        words += [f"--{label}", allocator]
    words += ["--reference", plan.reference, "--launches", str(launches)]
    if plan.profile:
        words += ["--profile", plan.profile]
    return [*words, *plan.extra, "-o", str(plan.folder), "--no-report"]


def further_arguments(plan: Plan, launches: int) -> list:
    return ["ab", "--resume", str(plan.folder), "--launches", str(launches), "--no-report"]


def _holds_epochs(folder: Path) -> bool:
    epochs = folder / "epochs.csv"
    return epochs.exists() and epochs.read_bytes().count(b"\n") > 1  # more than the header


def check_allocations(result: Result) -> None:
    """Raises InputError if an allocation of a subject failed."""
    failed = allocation_failures(result, result.subjects)
    if failed:
        raise InputError(f"{failed}; give more memory, or a smaller workload; what was measured is in "
                         f"{result.folder}")


def grow(plan: Plan, looks: Sequence[int], decided: Callable[[Measured], bool],
         command: Command = run_hakbench) -> Measured:
    """Measures look after look until decided() says so or the looks are used up; returns the last Measured.

    Raises InputError when hakbench fails, whose own line stands on standard error already, and when an
    allocation failed.
    """
    for number, launches in enumerate(looks, 1):
        words = first_arguments(plan, launches) if number == 1 else further_arguments(plan, launches)
        code = command(words)
        if code != 0:
            kept = f"; what was measured is in {plan.folder}" if _holds_epochs(plan.folder) else ""
            raise InputError(f"hakbench {' '.join(words)} failed with exit code {code}{kept}")
        measured = Measured(load_result(plan.folder), number, number == len(looks))
        check_allocations(measured.result)
        if decided(measured) or measured.last:
            return measured
    raise ValueError("no looks were planned")
