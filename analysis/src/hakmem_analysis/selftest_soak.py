"""hakbench selftest --soak: soaks whose truth is known.

Purpose     Real `hakbench soak` runs in which subjects with nothing planted and one with a planted fault take
            turns: no clean one may be called DRIFT, each fault must be told and its cause named.
Owns        Plant, PLANTS, the file soaks.jsonl.
Boundary    The runner starts a process and judges its folder; a test injects another. One line of soaks.jsonl
            is one subject of one soak, on disk when the soak ends, so that a broken self-test can go on.
Invariants  Clean subjects run the same control with a fault of 0. What is claimed is of the clock: each soak
            lasts its whole duration; with N subjects in turns each one does an N-th of the work, and less.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

from . import causes, document, text
from .binary import find_hakbench
from .errors import InputError
from .load import load_result
from .rates import Rate
from .soak_judge import DRIFT, EXTEND, STABLE, judge

SOAKS_FILE = "soaks.jsonl"
SUBJECTS = 8  # of one soak: as many as hakbench lets take turns
LABELS = "abcdefgh"
EPOCH, IDLE = "100ms", "200ms"
MIB = 1 << 20
STEP_KB = 2048
STEP_SHARE = 0.5  # of the duration, when the step comes
FALSE_DRIFT_AT_MOST, NAMED_AT_LEAST = 0.01, 0.95
SIZE_TOLERANCE, TIME_TOLERANCE = 0.1, 0.05
CLEAN = "clean"


@dataclass(frozen=True)
class Plant:
    """A control with settings; what must be said of it: `verdict` and `cause`; `kb_per_h`, its truth."""

    name: str
    words: str
    control: str
    settings: Callable[[float], tuple]
    verdict: str
    cause: str
    kb_per_h: float


PLANTS = {plant.name: plant for plant in (
    Plant("leak1m", "a leak of 1 MB/h", "control_leak", lambda _: (f"bytes_per_hour={MIB}",), DRIFT,
          causes.ALLOCATOR_LEAK, 1024.0),
    Plant("leak256k", "a leak of 256 kB/h", "control_leak", lambda _: (f"bytes_per_hour={MIB // 4}",), DRIFT,
          causes.ALLOCATOR_LEAK, 256.0),
    Plant("step2m", "one step of 2 MB", "control_step",
          lambda duration_s: (f"kb={STEP_KB}", f"after_s={STEP_SHARE * duration_s:g}"), EXTEND,
          causes.STEP, 0.0),
)}

# (arguments after "hakbench soak") -> None; the folder is among them
Runner = Callable[[Sequence[str]], None]


def run_soak(arguments: Sequence[str]) -> None:
    """Starts the real soak. Raises InputError with its last line when it fails."""
    done = subprocess.run([find_hakbench(), "soak", *arguments], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise InputError(f"hakbench soak {' '.join(arguments)} failed: {lines[-1]}")


def plan(clean: int) -> list:
    """The soaks, each a list of what its subjects are: one planted, in turns, then clean ones; `clean` of
    them in all, spread evenly. Each fault is planted at least once."""
    plants = list(PLANTS)
    soaks = max(len(plants), -(-clean // (SUBJECTS - 1)))
    return [[plants[place % len(plants)], *[CLEAN] * (clean // soaks + (place < clean % soaks))]
            for place in range(soaks)]


def arguments(subjects: Sequence[str], duration_s: float, seed: int, folder: Path) -> list:
    words = []
    for label, name in zip(LABELS, subjects):
        plant = PLANTS.get(name)
        words += ["-a", plant.control if plant else "control_leak"]
        for setting in plant.settings(duration_s) if plant else ():
            words += ["--init", f"{label}:{setting}"]
    return [*words, "--mode", "ratchet", "--epoch", EPOCH, "--idle", IDLE, "--duration", f"{duration_s:g}s",
            "--seed", str(seed), "--no-report", "-o", str(folder)]


def records_of(number: int, subjects: Sequence[str], folder: Path, duration_s: float) -> list:
    """What was judged of each subject, as lines of soaks.jsonl."""
    records = []
    for name, subject in zip(subjects, judge(load_result(folder))):
        drift = subject.drift.as_dict()
        kept = {key: drift[key] for key in (
            "verdict", "reason", "epochs", "slope_kb_per_h", "slope_lower_kb_per_h", "slope_upper_kb_per_h",
            "smallest_slope_kb_per_h", "step_kb", "step_at_s", "needed_s", "rss_last_kb", "ops_per_s_mean")}
        records.append({"soak": number, "name": name, "duration_s": duration_s, **kept,
                        "cause": subject.cause.name, "cause_reason": subject.cause.reason})
    return records


def is_named(record: dict) -> bool:
    """The verdict and the cause are those of what was planted; of a step also its size and moment."""
    plant = PLANTS[record["name"]]
    if (record["verdict"], record["cause"]) != (plant.verdict, plant.cause):
        return False
    if plant.cause != causes.STEP:
        return True
    due_s = STEP_SHARE * record["duration_s"]
    return (record["step_kb"] is not None and abs(record["step_kb"] / STEP_KB - 1) <= SIZE_TOLERANCE
            and abs(record["step_at_s"] - due_s) <= TIME_TOLERANCE * record["duration_s"])


def rates(records: Sequence[dict]) -> list:
    clean = [record for record in records if record["name"] == CLEAN]
    found = [Rate("false DRIFT: nothing planted", sum(r["verdict"] == DRIFT for r in clean), len(clean),
                  at_most=FALSE_DRIFT_AT_MOST),
             Rate("STABLE: nothing planted", sum(r["verdict"] == STABLE for r in clean), len(clean))]
    for name, plant in PLANTS.items():
        mine = [record for record in records if record["name"] == name]
        found.append(Rate(f"told and named: {plant.words}", sum(map(is_named, mine)), len(mine),
                          at_least=NAMED_AT_LEAST))
    return found


def read_records(folder: Path) -> list:
    """The records of the soaks that ended. Raises InputError for a damaged file."""
    path = folder / SOAKS_FILE
    if not path.exists():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise InputError(f"{path}: a line is no JSON; remove it and go on with --resume {folder}") from None


def run_all(folder: Path, settings: dict, records: list, keep: bool, runner: Runner,
            say: Callable[[str], None]) -> None:
    """Runs the soaks that are not in `records` yet and appends to it."""
    soaks = plan(settings["clean"])
    done = {record["soak"] for record in records}
    for number, subjects in enumerate(soaks):
        if number in done:
            continue
        say(f"soak {number + 1} of {len(soaks)}, {text.duration(settings['duration_s'])}")
        result = folder / "soaks" / str(number)
        shutil.rmtree(result, ignore_errors=True)  # of a soak that was broken off
        result.parent.mkdir(parents=True, exist_ok=True)
        runner(arguments(subjects, settings["duration_s"], settings["first_seed"] + number, result))
        found = records_of(number, subjects, result, settings["duration_s"])
        with open(folder / SOAKS_FILE, "a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(record) + "\n" for record in found))
            stream.flush()
            os.fsync(stream.fileno())
        records += found
        if not keep:
            shutil.rmtree(result, ignore_errors=True)
    say("")


def record_rows(records: Sequence[dict]) -> list:
    """Header and rows of the table of subjects, as cells; the clean ones by their verdict."""
    rows = [["planted", "soak", "verdict", "cause", "slope", "99 % interval", "truth", "as it must be"]]
    for record in records:
        plant = PLANTS.get(record["name"])
        slope, lower, upper, truth = text.slopes(
            *(record[f"slope_{part}kb_per_h"] for part in ("", "lower_", "upper_")),
            plant.kb_per_h if plant else 0.0)
        rows.append([plant.words if plant else "nothing", str(record["soak"] + 1), record["verdict"],
                     record["cause"], slope, f"{lower} .. {upper}", truth,
                     ("yes" if is_named(record) else "no") if plant else
                     ("no" if record["verdict"] == DRIFT else "yes")])
    return rows


def page(conclusion: str, rate_rows: Sequence, records: Sequence[dict], settings: dict) -> list:
    """The parts of report.md."""
    rows = record_rows(records)
    command = (f"hakbench selftest --soak --clean {settings['clean']} --first-seed {settings['first_seed']} "
               f"--duration {settings['duration_s']:g}s")
    epochs = min((record["epochs"] for record in records), default=0)
    return [document.Heading("Self-test of the drift verdicts", 1),
            document.Paragraph(conclusion, strong=True),
            document.Table(rate_rows[0], rate_rows[1:]),
            document.Heading("Every subject"), document.Table(rows[0], rows[1:]),
            document.Paragraph(
                f"Soaks of {text.duration(settings['duration_s'])} on the clock, in ratchet mode: after each "
                f"epoch of {EPOCH} a subject frees everything and idles for {IDLE}. Up to {SUBJECTS} "
                f"processes take turns, each has at least {epochs} epochs. What a leak an hour shows is "
                "therefore true of the clock; a leak an operation would show at the pace of so many "
                "operations."),
            document.Heading("Where it comes from"),
            document.Bullets([f"date: {time.strftime('%Y-%m-%d')}", f"kernel: {os.uname().release}"]),
            document.Paragraph("To repeat:"), document.Code(command)]
