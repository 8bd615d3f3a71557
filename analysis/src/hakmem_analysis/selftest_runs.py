"""The gate runs of the self-test: what is planted, what is known of it, and what the gate said.

Purpose     Real `hakbench gate` runs around the control plugins, whose truth is known.
Owns        Scenario, SCENARIOS, the file runs.jsonl.
Boundary    The runner starts a process; a test injects another. One line of runs.jsonl is one gate run, on
            disk the moment that the run ends, so that a broken self-test can be continued.
Invariants  Each run has a schedule seed of its own: runs share neither their order of turns nor their moment.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from . import cli, wholefile
from .binary import find_hakbench, run
from .errors import InputError

RUNS_FILE = "runs.jsonl"
THROUGHPUT = "throughput"
PROFILE, SHORT_PROFILE, LONG_PROFILE = "ci_gate", "ci_gate_short", "ci_gate_long"


@dataclass(frozen=True)
class Scenario:
    """`control` runs on both sides; `plant` (KEY=VALUE) is set for the candidate only. `metric` is the one
    that must fail, "" where nothing may. `truth` is the ratio of throughput, where it is known exactly.
    `detected` is the share of the runs that is declared to be caught."""

    name: str
    words: str
    control: str
    plant: str
    metric: str
    truth: Optional[float]
    profile: str = PROFILE
    noise: bool = False
    detected: float = 0.95


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("aa", "nothing planted, one short look", "control_slow", "percent=0", "", 1.0,
             profile=SHORT_PROFILE),
    Scenario("aa_full", "nothing planted, default gate", "control_slow", "percent=0", "", 1.0),
    Scenario("aa_noise", "nothing planted, bursts of work on every CPU", "control_slow", "percent=0", "", 1.0,
             noise=True),
    Scenario("slow3", "3 % slower", "control_slow", "percent=3", THROUGHPUT, 0.97),
    Scenario("slow1_long", "1 % slower, long profile", "control_slow", "percent=1", THROUGHPUT, 0.99,
             profile=LONG_PROFILE, detected=0.8),
    Scenario("rss5", "50 kB more memory (10 %)", "control_rss", "kb=50", "peak_rss_above_base", None),
    Scenario("syscalls", "one system call more in a million ops", "control_syscalls", "per_mop=1",
             "syscalls_per_op", None),
    Scenario("spike", "one pause of 100 us more in a million ops", "control_spike", "per_mop=1,us=100",
             "slow_ops_per_mop", None),
)}


@dataclass(frozen=True)
class GateRun:
    """What one gate process did: its exit code, the JSON it printed, how long it took."""

    exit_code: int
    verdict: dict
    elapsed_s: float


# (arguments after "hakbench gate") -> GateRun
Runner = Callable[[Sequence[str]], GateRun]


def run_gate(arguments: Sequence[str]) -> GateRun:
    """Starts the real gate. Raises InputError with its last line when it fails as a tool."""
    start_s = time.monotonic()
    done = run([find_hakbench(), "gate", *arguments], text=True, stdin=subprocess.DEVNULL,
               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (cli.EXIT_PASS, cli.EXIT_GATE_FAILED, cli.EXIT_INCONCLUSIVE):
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"hakbench gate {' '.join(arguments)} failed: {lines[-1]}")
    try:
        return GateRun(done.returncode, json.loads(done.stdout), time.monotonic() - start_s)
    except json.JSONDecodeError:
        raise InputError(f"hakbench gate {' '.join(arguments)} printed no JSON; repeat it by hand") from None


def schedule_seed(scenario: Scenario, index: int, first_seed: int) -> int:
    """A number that no other run of the self-test has; batches whose first seeds differ by 100 or more of
    each other's runs do not meet either."""
    place = list(SCENARIOS).index(scenario.name)
    return (first_seed + index) * len(SCENARIOS) + place


def gate_arguments(scenario: Scenario, seed: int, folder: Path) -> list:
    init = [word for setting in scenario.plant.split(",") for word in ("--init", f"a:{setting}")]
    return ["--candidate", scenario.control, "--reference", scenario.control, "--profile", scenario.profile,
            "-o", str(folder), "--format", "json", "--", *init, "--schedule-seed", str(seed)]


def in_turns(counts: dict) -> list:
    """(scenario name, index) of all runs, mixed evenly, so that an hour of noise does not meet one scenario
    only."""
    runs = [((index + 0.5) / count, place, name, index)
            for place, (name, count) in enumerate(counts.items()) for index in range(count)]
    return [(name, index) for _, _, name, index in sorted(runs)]


def read_runs(folder: Path) -> list:
    """The records of runs.jsonl; a last line that was cut off is taken away. Raises InputError on other
    damage."""
    path = folder / RUNS_FILE
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[:text.rfind("\n") + 1]
    if whole != text:
        wholefile.write_text(path, whole, "make it writable")
    records = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            raise InputError(f"{path}:{number}: no JSON; remove the line and continue") from None
    return records


def append_run(folder: Path, record: dict) -> None:
    with open(folder / RUNS_FILE, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def do_run(scenario: Scenario, index: int, first_seed: int, folder: Path, keep: bool, runner: Runner) -> dict:
    """One gate run as a record for runs.jsonl. Its result folder is removed, unless it is to be kept."""
    seed = schedule_seed(scenario, index, first_seed)
    result = folder / "runs" / f"{scenario.name}-{index}"
    shutil.rmtree(result, ignore_errors=True)  # of a run that was broken off
    result.parent.mkdir(parents=True, exist_ok=True)
    done = runner(gate_arguments(scenario, seed, result))
    if not keep:
        shutil.rmtree(result, ignore_errors=True)
    return {"scenario": scenario.name, "index": index, "schedule_seed": seed, "exit_code": done.exit_code,
            "elapsed_s": round(done.elapsed_s, 3), "load_1min": round(os.getloadavg()[0], 2),
            "wall_time_s": round(time.time(), 3), "gate": done.verdict}
