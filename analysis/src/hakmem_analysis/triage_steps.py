"""The runs of a triage.

Purpose     Measure the benchmark as it is (step 0), without warm-up (1-A) and with one of fixed length (1-B),
            and ask the statistics build who holds the memory (2).
Owns        Step, STEPS, Settings, Runner, Ledger; the names of the files in a triage's folder.
Boundary    Processes in, ordinary result folders out. The runner is injected, so that tests need no harness.
Invariants  The three runs differ in nothing but the warm-up: 1-A and 1-B take the operations of an epoch
            from the manifest of 0. No epoch is left out as warm-up: the first ones hold the peak, if any do.
            What step 2 runs is what the manifest of step 0 says. Without step 2 a triage goes on.
"""
from __future__ import annotations

import json
import math
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from . import wholefile
from .binary import find_hakbench
from .errors import InputError
from .load import Result, load_result
from .looks import run_hakbench

DUMP_FILE, LEDGER_FILE = "step2.txt", "step2-ledger.json"
FIXED_PREFAULT_OPS = 20_000_000
STEADY_OPS = 20_000_000  # of step 2, after which random_mixed has long been steady
OBSERVED = {"hakmem": "hakmem_observe", "hakmem_observe": "hakmem_observe"}
DUMP_PROGRAM = "bench_random_mixed_hakmem_observe"
DUMPS = {"HAKMEM_TINY_MEM_DUMP": "1", "HAKMEM_SS_STATS_DUMP": "1", "HAKMEM_WARM_POOL_STATS": "1"}


@dataclass(frozen=True)
class Step:
    """`prefault_ops` None: as the benchmark has it."""

    number: str
    words: str
    folder: str
    prefault_ops: Optional[int]


BASE, OFF, FIXED = STEPS = (
    Step("0", "as it is", "step0-base", None),
    Step("1-A", "no warm-up", "step1a-prefault-off", 0),
    Step("1-B", f"warm-up of {FIXED_PREFAULT_OPS:,} ops", "step1b-prefault-fixed", FIXED_PREFAULT_OPS))


@dataclass(frozen=True)
class Settings:
    """What is run. `words` are arguments of `hakbench run`, alike in all steps; `ops` and `prefault_ops`
    None: as the benchmark has them."""

    allocator: str
    launches: int
    launch_s: float
    epoch_s: float
    words: Sequence[str]
    ops: Optional[int] = None
    prefault_ops: Optional[int] = None


@dataclass(frozen=True)
class Ledger:
    """What step 2 found: {"rss_bytes", "residual_bytes", "owners": [{"name", "bytes", "doc"}]} or None, then
    with the reason. `dumped` tells whether step2.txt was written."""

    content: Optional[dict]
    reason: str = ""
    dumped: bool = False

    @property
    def owners(self) -> list:
        return self.content["owners"] if self.content else []


def capture(words: Sequence[str], environment: dict) -> subprocess.CompletedProcess:
    """Runs a program with more in its environment; its two outputs as text."""
    return subprocess.run(words, env={**os.environ, **environment}, capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Runner:
    """`hakbench`: (arguments) -> exit code, its output on standard error. `capture`: see above."""

    hakbench: Callable[[Sequence[str]], int] = run_hakbench
    capture: Callable[[Sequence[str], dict], subprocess.CompletedProcess] = capture


def run_words(settings: Settings, step: Step, folder: Path, ops: Optional[int]) -> list:
    """The arguments of `hakbench` for one step."""
    prefault = settings.prefault_ops if step is BASE else step.prefault_ops
    words = ["run", "-a", settings.allocator, *settings.words, "--epoch", f"{settings.epoch_s:g}",
             "--epochs", str(math.ceil(settings.launch_s / settings.epoch_s)),
             "--launches", str(settings.launches), "--warmup", "0"]
    for flag, value in (("--ops", ops), ("--prefault", prefault)):
        words += [] if value is None else [flag, str(value)]
    return [*words, "-o", str(folder / step.folder), "--no-report"]


def measure(settings: Settings, folder: Path, runner: Runner, say: Callable[[str], None]) -> dict:
    """Runs steps 0 and 1; returns the results by step. Raises InputError when hakbench fails."""
    results: dict = {}
    for step in STEPS:
        say(f"step {step.number}: {step.words}")
        ops = results[BASE].manifest["ops_per_epoch"] if results else settings.ops
        words = run_words(settings, step, folder, ops)
        code = runner.hakbench(words)
        if code != 0:
            raise InputError(f"step {step.number}, hakbench {' '.join(words)}, failed with exit code {code}")
        results[step] = load_result(folder / step.folder)
    return results


def load(folder: Path) -> dict:
    """The results of a triage that was measured before, by step. Raises InputError."""
    return {step: load_result(folder / step.folder) for step in STEPS}


def observe(allocator: str, base: Result, folder: Path, runner: Runner) -> Ledger:
    """Step 2: the ledger of the statistics build, and its dumps in step2.txt."""
    if plugin_of(allocator) not in OBSERVED:
        return Ledger(None, _no_build(allocator))
    subject, workload = base.manifest["subjects"][0], base.manifest["workload"]
    ops = min(STEADY_OPS, base.manifest["ops_per_epoch"] * len(base.measured(subject["label"])))
    prefault = base.manifest.get("prefault_ops", ops // 10)
    dumped = _dump(subject, workload, ops, prefault, folder, runner)
    words = [find_hakbench(), "ledger", "-a", OBSERVED[plugin_of(allocator)], "-w", workload["name"],
             "--seed", str(workload["seed"]), "--threads", str(workload["threads"])]
    for flag, pairs in (("--param", workload["params"]), ("--init", subject.get("init", {})),
                        ("--env", subject.get("env", {}))):
        words += [word for name, value in pairs.items() for word in (flag, f"{name}={_text(value)}")]
    if workload.get("file"):
        words += ["--trace", workload["file"]]
    words += ["--prefault", str(prefault), "--ops", str(ops), "--format", "json"]
    try:
        done = runner.capture(words, {})
    except OSError as error:
        return Ledger(None, f"hakbench ledger did not start ({error.strerror})", dumped)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return Ledger(None, lines[-1].replace("hakbench: error:", "hakbench ledger failed:"), dumped)
    try:
        content = checked(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError):
        return Ledger(None, "hakbench ledger printed no ledger", dumped)
    wholefile.write_text(folder / LEDGER_FILE, json.dumps(content, indent=2) + "\n", wholefile.MEND)
    return Ledger(content, dumped=dumped)


def load_ledger(allocator: str, folder: Path) -> Ledger:
    """What step 2 left in a triage's folder."""
    if plugin_of(allocator) not in OBSERVED:
        return Ledger(None, _no_build(allocator))
    dumped = (folder / DUMP_FILE).exists()
    try:
        return Ledger(checked(json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))), dumped=dumped)
    except FileNotFoundError:
        return Ledger(None, f"the folder holds no {LEDGER_FILE}", dumped)
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{folder / LEDGER_FILE}: is no ledger; take the file away to judge without "
                         "it") from None


def _no_build(allocator: str) -> str:
    return f"there is no statistics build of {allocator}"


def plugin_of(allocator: str) -> str:
    """The plugin of PLUGIN@PROFILE, or of PLUGIN."""
    return allocator.partition("@")[0]


def checked(content: dict) -> dict:
    """The parts of a ledger that a triage reads. Raises KeyError, TypeError or ValueError."""
    return {"rss_bytes": int(content["rss_bytes"]), "residual_bytes": int(content["residual_bytes"]),
            "owners": [{"name": str(owner["name"]), "bytes": int(owner["bytes"]), "doc": str(owner["doc"])}
                       for owner in content["owners"]]}


def _text(value) -> str:
    """A setting of the manifest as it is written at a command line."""
    return value if isinstance(value, str) else json.dumps(value)


def _dump(subject: dict, workload: dict, ops: int, prefault: int, folder: Path, runner: Runner) -> bool:
    """The text statistics at the end of the bench without a harness, where it runs this workload."""
    program = Path(find_hakbench()).parent / DUMP_PROGRAM
    if workload["name"] != "random_mixed" or workload["threads"] != 1 or not program.exists():
        return False
    params = workload["params"]
    words = [ops, params["ws"], workload["seed"], params["min_size"], params["max_size"]]
    settings = {name: _text(value) for name, value in
                {**subject.get("init", {}), **subject.get("env", {})}.items() if name.startswith("HAKMEM_")}
    done = runner.capture([str(program), *map(str, words)],
                          {**settings, **DUMPS, "HAKMEM_BENCH_PREFAULT": str(prefault)})
    if done.returncode != 0:
        return False
    wholefile.write_text(folder / DUMP_FILE, done.stdout + done.stderr, wholefile.MEND)
    return True
