"""Does hakbench's clock see the loop, and nothing but the loop?

Purpose     `floor` through hakbench, with its subject process, its epochs and its sampling, against the same
            loop in a program without a harness, bench_random_mixed_floor, on the same CPU.
Boundary    Starts both in turns; the ratio of their ns per op with its interval out.
Invariants  A side of a pair is the fastest of 20 short epochs, because noise only ever slows a loop down. The
            sides follow each other in an order that alternates; both do the same
            operations of the same seed. The interval is over pairs.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from . import load, stats, text
from .binary import find_hakbench
from .errors import InputError

STANDALONE = "bench_random_mixed_floor"
ALLOWED = 0.02
OPS, WS, SEED = 1_000_000, 400, 1  # some ten milliseconds, shorter than most disturbances
EPOCHS = 20
PAIRS = 30
_THROUGHPUT = re.compile(r"^throughput .*\(([0-9.]+) ns/op", re.MULTILINE)


@dataclass(frozen=True)
class LoopCheck:
    """`ratio` = ns/op through hakbench / ns/op without, the median of the pairs; lower, upper its sign
    interval."""

    hakbench_ns_per_op: float
    standalone_ns_per_op: float
    ratio: float
    lower: float
    upper: float
    pairs: int

    @property
    def verdict(self) -> str:
        """"pass": the whole interval is within what is allowed; "fail": all of it is beyond."""
        if self.lower > 1 - ALLOWED and self.upper < 1 + ALLOWED:
            return "pass"
        return "fail" if self.upper < 1 - ALLOWED or self.lower > 1 + ALLOWED else "inconclusive"

    def as_dict(self) -> dict:
        return {"hakbench_ns_per_op": self.hakbench_ns_per_op,
                "standalone_ns_per_op": self.standalone_ns_per_op, "ratio": self.ratio, "lower": self.lower,
                "upper": self.upper, "pairs": self.pairs, "allowed": ALLOWED, "verdict": self.verdict}


def check(pairs: int, of_hakbench: Callable[[], float], of_standalone: Callable[[], float]) -> LoopCheck:
    """Measures `pairs` pairs; both callables give ns per op."""
    values = []
    for pair in range(pairs):
        sides = (of_hakbench, of_standalone)
        first, second = (side() for side in (sides if pair % 2 == 0 else sides[::-1]))
        values.append((first, second) if pair % 2 == 0 else (second, first))
    with_harness, without = np.array(values).T
    interval = stats.sign_interval(np.log(with_harness / without))
    return LoopCheck(float(np.median(with_harness)), float(np.median(without)), float(np.exp(interval.point)),
                     float(np.exp(interval.lower)), float(np.exp(interval.upper)), pairs)


def of_hakbench(cpu: int) -> float:
    """ns per op of the fastest epoch."""
    with tempfile.TemporaryDirectory(prefix="hakbench-selftest-") as parent:
        folder = Path(parent) / "run"
        _output([find_hakbench(), "run", "-a", "floor", "--ws", str(WS), "--seed", str(SEED), "--ops",
                 str(OPS), "--launches", "1", "--epochs", str(EPOCHS), "--cpus", str(cpu), "--no-report",
                 "-o", str(folder)])
        result = load.load_result(folder)
        return float(result.measured("a")["ns_per_op"].min())


def of_standalone(cpu: int) -> float:
    """ns per op of the loop alone, after a warm-up, the fastest of as many processes as there are epochs."""
    beside = Path(find_hakbench()).with_name(STANDALONE)
    program = str(beside) if beside.exists() else shutil.which(STANDALONE)
    if program is None:
        raise InputError(f"no program {STANDALONE} beside hakbench: build it (cmake --build --preset "
                         "release)")
    command = ["taskset", "-c", str(cpu), program, str(OPS), str(WS), str(SEED)]
    found = [_THROUGHPUT.search(_output(command, {"HAKMEM_BENCH_PREFAULT": str(OPS)})) for _ in range(EPOCHS)]
    if not all(found):
        raise InputError(f"{STANDALONE} printed no throughput; run it by hand")
    return min(float(match.group(1)) for match in found)


def _output(command, environment=None) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(environment or {})})
    except FileNotFoundError:
        raise InputError(f"{command[0]} is not installed; install the package util-linux") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"{' '.join(command)} failed: {lines[-1]}")
    return done.stdout


def sentence(found: LoopCheck) -> str:
    words = {"pass": "agree", "fail": "do not agree", "inconclusive": "cannot be told to agree"}
    more = "; ask for more --pairs" if found.verdict == "inconclusive" else ""
    return (f"{found.verdict.upper()}: floor through hakbench ({text.nanoseconds(found.hakbench_ns_per_op)}) "
            f"and the loop alone ({text.nanoseconds(found.standalone_ns_per_op)}) {words[found.verdict]} "
            f"within {text.percent(ALLOWED, 0)}: ratio {found.ratio:.4f}, interval {found.lower:.4f} .. "
            f"{found.upper:.4f} over {found.pairs} pairs{more}")
