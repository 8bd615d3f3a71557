"""What `hakbench scorecard --measure` measures: the one table, and the runs.

Purpose     Run every workload of the suite under all allocators, then real programs; remember what could not
            be measured.
Owns        SUITES, ALLOCATORS, suite.json.
Boundary    Starts hakbench through an injected command; what it wrote is read by scorecard_data.py.
Invariants  A folder that is complete is never measured again; one that is not is removed and begun anew. All
            folders of a suite are of the same allocators.
            suite.json is rewritten after every folder, so that a suite that was stopped goes on where it was.
"""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, Sequence

from . import wholefile
from .alone import alone_in
from .binary import find_hakbench
from .errors import InputError
from .looks import Command, run_hakbench

SUITE_FILE = "suite.json"
SUITE_FORMAT = "hakbench-suite/1"
APP, MICRO = "app", "micro"
ALLOCATORS = ("hakmem", "mimalloc", "jemalloc", "tcmalloc", "glibc")

LAUNCHES, BLOCKS = 4, 3
LATENCY_SLOWDOWN = 3  # about: an epoch that times each operation takes longer
LEAST_EPOCH_S, LONGEST_EPOCH_S = 0.05, 0.5
OVERHEAD_S = 2.0  # of one `ab`: checks, launches, calibration
# About: epochs are as long as the reference's, and the other allocators may take longer.
SLOWDOWN = {"standard": 1.9, "batches": 1.0}
WORKLOADS_SHARE = 0.6  # of the time; the rest is the real programs'
APP_BLOCK_S = 35.0
LEAST_APP_BLOCKS = 6  # fewer give no sign interval of 95 %
PROBE_S, PROBE_EPOCHS = 1, 5
MICRO_MIN_TIME_S = 0.02


@dataclass(frozen=True)
class Entry:
    """One folder of the suite: its name, the workload, what is not the workload's default, and how many
    epochs of a launch time each operation."""

    name: str
    workload: str
    arguments: tuple = ()
    latency_epochs: int = 1

    @property
    def epochs(self) -> int:
        """Of an allocator in a launch, those that time each operation for as many as they last."""
        return 2 * BLOCKS + 1 + LATENCY_SLOWDOWN * self.latency_epochs


ORDERS = ("lifo", "fifo", "shuffled")  # as the workload batch numbers them
BATCH_SIZES = (16, 64, 256, 1024, 4096)
BATCH_COUNTS = (100, 1000, 10_000, 100_000)


def _batch(name: str, latency_epochs: int = 1, **params: int) -> Entry:
    return Entry(name, "batch", tuple(word for key, value in params.items()
                                      for word in ("--param", f"{key}={value}")), latency_epochs)


STANDARD = (
    Entry("random_mixed_ws400", "random_mixed", ("--ws", "400")),
    Entry("random_mixed_ws8192", "random_mixed", ("--ws", "8192")),
    Entry("random_mixed_ws100000", "random_mixed", ("--ws", "100000")),
    Entry("random_mixed_2_threads", "random_mixed", ("--ws", "400", "--threads", "2")),
    Entry("random_mixed_ws100000_2_threads", "random_mixed", ("--ws", "100000", "--threads", "2")),
    *(_batch(f"batch_{order}", order=number) for number, order in enumerate(ORDERS)),
    *(Entry(name, name) for name in (
        "producer_consumer", "larson", "thread_churn", "cache_scratch", "growth", "xmalloc", "mstress",
        "cache_thrash", "realloc_growth", "calloc", "aligned", "large")),
    # By time an epoch would be the 14 operations that the slow ones manage: hardly a turn over its 8 slots.
    # Few sizes are drawn in 100, and two allocators' ratio moved by a factor of four from epoch to epoch.
    Entry("huge", "huge", ("--ops", "300")),
    *(Entry(name, name) for name in ("fleet", "fragmentation", "remote_mix")),
)
# Their operations take less than the clock: timing each would be most of the suite, and say little.
BATCHES = tuple(_batch(f"batch_{size}b_x{count}_{order}", 0, size=size, count=count, order=number)
                for size in BATCH_SIZES for count in BATCH_COUNTS for number, order in enumerate(ORDERS))
# Real programs go with the first only.
SUITES = {"standard": STANDARD, "batches": BATCHES}


@dataclass
class Suite:
    """The content of suite.json: the names of the folders that can be read, notes, each of which begins with
    the name of its folder, and the allocators as they were named."""

    measured: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    allocators: list = field(default_factory=lambda: list(ALLOCATORS))

    def forget(self, name: str) -> None:
        """Takes out what is said of a folder, which is to be measured anew."""
        self.measured = [other for other in self.measured if other != name]
        self.notes = [note for note in self.notes if not note.startswith(f"{name}:")]


def read_suite(folder: Path) -> Suite:
    """Raises InputError."""
    path = folder / SUITE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != SUITE_FORMAT:
            raise ValueError(f"its format is {content['format']!r}, expected '{SUITE_FORMAT}'")
        return Suite(list(content["measured"]), list(content["notes"]), list(content["allocators"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run hakbench scorecard --measure -o {folder} "
                         "again") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); name another folder with "
                         "-o") from None


def _write_suite(folder: Path, suite: Suite) -> None:
    _make(folder)
    content = json.dumps({"format": SUITE_FORMAT, **asdict(suite)}, indent=1) + "\n"
    wholefile.write_text(folder / SUITE_FILE, content, "name another folder with -o")


def known_workloads() -> set:
    """The names that `hakbench list workloads` prints: those with two blanks before them."""
    done = subprocess.run([find_hakbench(), "list", "workloads"], capture_output=True, text=True, check=False)
    names = set(re.findall(r"^  (\w+)  ", done.stdout, re.MULTILINE))
    if done.returncode or not names:
        raise InputError("hakbench list workloads names no workload: build hakbench again")
    return names


def known_plugins() -> set:
    """The names that `hakbench list allocators` prints."""
    done = subprocess.run([find_hakbench(), "list", "allocators"], capture_output=True, text=True,
                          check=False)
    return set(re.findall(r"^  (\S+)", done.stdout, re.MULTILINE))


def _check_plugins(allocators: Sequence[str], known: set) -> None:
    """Raises InputError for a name that is no plugin here: it would fail under every workload, and take
    programs and micro suite along. What is named by its path is looked for when it runs."""
    lacking = [name for name in allocators
               if not set("=/") & set(name) and name.partition("@")[0] not in known]
    if lacking:
        left = ",".join(name for name in allocators if name not in lacking)
        raise InputError(f"there is no plugin {', '.join(lacking)} here (hakbench list allocators); install "
                         "the package that brings the library and build again, or say --allocators "
                         f"{left}")


def is_complete(folder: Path) -> bool:
    try:
        return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["status"] == "complete"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def label_of(allocator: str) -> str:
    """The name under which hakbench shows an allocator: that of NAME, or of NAME=/path/lib.so."""
    return allocator.partition("=")[0]


def epoch_s(seconds: float, entries: Sequence[Entry], allocators: int, slowdown: float) -> float:
    """The length of the reference's epoch, s, with which all workloads together take so many seconds, if the
    mean epoch is `slowdown` times as long."""
    epochs = LAUNCHES * allocators * sum(entry.epochs for entry in entries)
    seconds = (seconds - OVERHEAD_S * len(entries)) / max(1.0, slowdown * epochs)
    return round(min(max(seconds, LEAST_EPOCH_S), LONGEST_EPOCH_S), 3)


def app_blocks(minutes: float) -> int:
    return max(LEAST_APP_BLOCKS, round(60 * minutes * (1 - WORKLOADS_SHARE) / APP_BLOCK_S))


def ab_arguments(entry: Entry, allocators: Sequence[str], epoch: float, folder: Path) -> list:
    subjects = [word for letter, name in zip("abcdefgh", allocators) for word in (f"--{letter}", name)]
    return ["ab", *subjects, "-w", entry.workload, *entry.arguments, "--launches", str(LAUNCHES), "--blocks",
            str(BLOCKS), "--latency", str(entry.latency_epochs), "--epoch", str(epoch), "--no-report", "-o",
            str(folder)]


def probe_arguments(entry: Entry, allocator: str, folder: Path) -> list:
    """A second, or where operations say how long an epoch is, a few epochs, of one allocator alone."""
    length = ["--epochs", str(PROBE_EPOCHS), "--launches", "1"] if "--ops" in entry.arguments \
        else ["--duration", f"{PROBE_S}s"]
    return ["run", "-a", allocator, "-w", entry.workload, *entry.arguments, *length, "--no-report", "--force",
            "-o", str(folder)]


def _start_anew(folder: Path) -> None:
    """Removes what an earlier attempt left there; only a folder with a manifest of hakbench is touched."""
    if (folder / "manifest.json").exists():
        shutil.rmtree(folder)


def names_of(suite: str) -> list:
    """The names of all folders of a suite."""
    return [entry.name for entry in SUITES[suite]] + ([APP, MICRO] if suite == "standard" else [])


def _choose(suite: str, pattern: str) -> list:
    try:
        chosen = [name for name in names_of(suite) if re.search(pattern, name)]
    except re.error as error:
        raise InputError(f"--filter {pattern}: no regular expression ({error})") from None
    if not chosen:
        raise InputError(f"--filter {pattern}: leaves nothing; there are {', '.join(names_of(suite))}")
    return chosen


def _begin(folder: Path, allocators: Sequence[str]) -> Suite:
    """What the folder holds already. Raises InputError if that is of other allocators."""
    if not (folder / SUITE_FILE).exists():
        return Suite(allocators=list(allocators))
    suite = read_suite(folder)
    if suite.allocators != list(allocators):
        raise InputError(f"{folder} holds a suite of {', '.join(suite.allocators)}; name these with "
                         "--allocators, or another folder with -o")
    return suite


def measure(folder: Path, minutes: float, pattern: str, say: Callable = lambda line: None,
            command: Command = run_hakbench, known: Callable = known_workloads,
            allocators: Sequence[str] = ALLOCATORS, suite_name: str = "standard",
            plugins: Callable = known_plugins) -> Suite:
    """Measures what is missing of the suite in `folder`. Raises InputError if nothing could be measured, or
    if another process is at it."""
    chosen = _choose(suite_name, pattern)
    entries = [entry for entry in SUITES[suite_name] if entry.name in chosen]
    names = known()
    _check_plugins(allocators, plugins())
    _make(folder)
    with alone_in(folder):
        return _measure(folder, minutes, chosen, entries, names, say, command, _begin(folder, allocators),
                        suite_name)


def _measure(folder: Path, minutes: float, chosen: Sequence[str], entries: Sequence[Entry], names: set,
             say: Callable, command: Command, suite: Suite, suite_name: str) -> Suite:
    for entry in entries:
        if entry.workload not in names:
            suite.forget(entry.name)
            suite.notes.append(f"{entry.name}: left out, this hakbench has no such workload")
    entries = [entry for entry in entries if entry.workload in names]
    share = WORKLOADS_SHARE if APP in chosen else 1.0
    epoch = epoch_s(60 * minutes * share, entries, len(suite.allocators), SLOWDOWN[suite_name])
    runs: list = [(entry.name, lambda place, entry=entry: _measure_entry(place, entry, epoch, suite, command))
                  for entry in entries]
    if APP in chosen:
        runs.append((APP, lambda place: _measure_programs(place, minutes, suite, command)))
    if MICRO in chosen:
        runs.append((MICRO, lambda place: _measure_micro(place, suite, command)))
    for number, (name, run) in enumerate(runs, 1):
        say(f"{number}/{len(runs)} {name}")
        whole = is_complete(folder / name) if name != MICRO else _is_whole(folder / name, suite)
        if not (name in suite.measured and whole):
            suite.forget(name)
            if whole or run(folder / name):
                suite.measured.append(name)
        _write_suite(folder, suite)
    if not suite.measured:
        raise InputError(f"{folder}: nothing could be measured: {'; '.join(suite.notes)}")
    return suite


def _measure_entry(folder: Path, entry: Entry, epoch: float, suite: Suite, command: Command) -> bool:
    """Measures all allocators; if that fails, those that a short run of their own does not fail under."""
    _start_anew(folder)
    if command(ab_arguments(entry, suite.allocators, epoch, folder)) == 0:
        return True
    failing = [name for name in suite.allocators if command(probe_arguments(entry, name, folder / "probe"))]
    shutil.rmtree(folder, ignore_errors=True)
    left = [name for name in suite.allocators if name not in failing]
    who = ", ".join(map(label_of, failing)) or "an allocator that cannot be told"
    suite.notes.append(f"{entry.name}: FAILED under {who}")
    if not failing or suite.allocators[0] in failing or len(left) < 2:
        return False
    return command(ab_arguments(entry, left, epoch, folder)) == 0


def _measure_programs(folder: Path, minutes: float, suite: Suite, command: Command) -> bool:
    _start_anew(folder)
    words = [word for name in suite.allocators for word in ("-a", name)]
    code = command(["app", *words, "--blocks", str(app_blocks(minutes)), "-o", str(folder)])
    if code:
        suite.notes.append(f"{APP}: see the notes on real programs" if (folder / "verdict.json").exists()
                           else f"{APP}: real programs could not be measured")
    return (folder / "verdict.json").exists()


def _is_whole(folder: Path, suite: Suite) -> bool:
    """Whether the micro suite's files of all allocators are there."""
    return all((folder / f"{label_of(name)}.json").exists() for name in suite.allocators)


def _measure_micro(folder: Path, suite: Suite, command: Command) -> bool:
    words = [word for name in suite.allocators for word in ("-a", name)]
    # It has no manifest that tells whose the folder is: only these allocators' files are begun anew.
    if command(["micro", *words, "--min-time", str(MICRO_MIN_TIME_S), "--force", "-o", str(folder)]) == 0:
        return True
    suite.notes.append(f"{MICRO}: the micro suite could not be measured")
    return False


def report_progress(line: str) -> None:
    sys.stderr.write(f"scorecard: {line}\n")
