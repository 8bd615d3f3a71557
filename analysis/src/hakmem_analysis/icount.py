"""hakbench icount: how many instructions an operation costs, counted, not timed.

Purpose     A gate for machines too noisy for clocks: the same seed gives the same count, so a change of a
            thousandth is seen, whatever else the machine does.
Boundary    Starts `hakbench loop` under callgrind; text or JSON on standard output.
Invariants  An op = (count of a long run - count of a short one) / more ops: what the start and the end of a
            process cost cancels. The allocator's own = its count - that of `floor`: what the loop costs
            cancels. One thread: how threads interleave cannot be repeated. The clock goes on by readings and
            random bytes come from a fixed seed (harness/standalone/steady.c), so ageing by time is not in the
            count.
"""
from __future__ import annotations

import argparse
import glob
import json
import os
import signal
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from . import callgrind, cli, text
from .binary import find_hakbench, find_steady
from .callgrind import INSTRUCTIONS, READS, WRITES, Counts
from .errors import InputError

PROG = "hakbench icount"
FLOOR = "floor"
HARNESS = "hakbench"  # the object file whose functions are not the allocator's
START_OPS = 100_000  # the short run; long enough for thread caches and warm pools to have filled
FUNCTIONS_SHOWN = 5
EVENT_WORDS = {INSTRUCTIONS: "instructions", READS: "reads", WRITES: "writes"}

# (allocator, label, ops, seed) -> Counts of one process
Counter = Callable[[str, str, int, int], Counts]


@dataclass(frozen=True)
class PerOp:
    """One allocator. `total`: event -> array, an element a seed, per op. `functions`: (library, function) ->
    instructions of its own per op, the mean over the seeds; without the harness's."""

    label: str
    name: str
    total: dict
    functions: dict


@dataclass(frozen=True)
class Ratio:
    """Candidate / reference of the allocators' own instructions (`own`) and of all (`total`): the mean over
    the seeds, and the smallest and largest of them. `verdict` is on the own."""

    candidate: str
    reference: str
    own: tuple
    total: tuple
    verdict: str


def measure(label: str, name: str, ops: int, seeds, counter: Counter, pool) -> PerOp:
    """Counts of `ops` operations an op, for each seed. `pool` runs the processes side by side: counting,
    unlike timing, does not mind."""
    jobs = [(pool.submit(counter, name, label, START_OPS, seed),
             pool.submit(counter, name, label, START_OPS + ops, seed)) for seed in seeds]
    pairs = [(short.result(), long.result()) for short, long in jobs]
    total = {event: np.array([(long.totals[event] - short.totals[event]) / ops for short, long in pairs])
             for event in EVENT_WORDS if event in pairs[0][0].totals}
    functions = {}
    for short, long in pairs:
        for key, cost in long.functions.items():
            if Path(key[0]).name != HARNESS:
                more = (cost - short.functions.get(key, 0)) / ops / len(pairs)
                functions[key] = functions.get(key, 0.0) + more
    return PerOp(label, name, total, functions)


class Processes(futures.ThreadPoolExecutor):
    """Counts side by side, one process a CPU; each count is a thread that waits for its process."""

    def __init__(self):
        super().__init__(len(os.sched_getaffinity(0)))
        self._jobs: list = []

    def submit(self, *arguments, **named) -> futures.Future:
        job = super().submit(*arguments, **named)
        self._jobs.append(job)
        return job

    def end(self) -> None:
        """Starts no more, kills what runs, and returns when the threads have tidied up after it."""
        self.shutdown(wait=False, cancel_futures=True)
        # Again and again: a thread may have been about to start its process.
        while waiting := [job for job in self._jobs if not job.done()]:
            for child in _children():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            futures.wait(waiting, timeout=0.05)


def _children() -> list:
    """The processes that threads of this one have started and not waited for yet; none where the kernel does
    not tell (CONFIG_PROC_CHILDREN)."""
    found = []
    for path in glob.glob("/proc/self/task/*/children"):
        with suppress(OSError):
            found += map(int, Path(path).read_text(encoding="ascii").split())
    return found


@contextmanager
def processes():
    """Processes, which end at once when one of them fails or Ctrl-C comes."""
    pool = Processes()
    try:
        yield pool
    except BaseException:
        pool.end()
        raise
    finally:
        pool.shutdown()


def regression(lower: float, upper: float, margin: float) -> str:
    """"pass" if no seed needs more than 1 + margin times the instructions, "fail" if every seed does."""
    if upper <= 1 + margin:
        return "pass"
    return "fail" if lower > 1 + margin else "inconclusive"


def compare(candidate: PerOp, reference: PerOp, floor: PerOp, margin: float) -> Ratio:
    """Ratios seed by seed. Raises InputError where the reference has nothing of its own."""
    loop = floor.total[INSTRUCTIONS]
    below = reference.total[INSTRUCTIONS] - loop
    if (below <= 0).any():
        raise InputError(f"--reference {reference.name} needs no instructions above the floor, so there is "
                         "no ratio to it; name an allocator")
    own = _spread((candidate.total[INSTRUCTIONS] - loop) / below)
    total = _spread(candidate.total[INSTRUCTIONS] / reference.total[INSTRUCTIONS])
    return Ratio(candidate.label, reference.label, own, total, regression(own[1], own[2], margin))


def _spread(values: np.ndarray) -> tuple:
    return float(values.mean()), float(values.min()), float(values.max())


def share(words: str) -> float:
    """An argument like "0.1%" or "0.001" as a fraction."""
    try:
        value = float(words[:-1]) / 100 if words.endswith("%") else float(words)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{words}' is no share; write for example 0.1% or 0.001")
    return value


def at_least(smallest: int) -> Callable[[str], int]:
    """A parser of whole numbers from `smallest` on."""

    def parse(words: str) -> int:
        if not words.isdecimal() or int(words) < smallest:
            raise argparse.ArgumentTypeError(f"'{words}' is no whole number of {smallest} or more")
        return int(words)

    return parse


def labelled_settings(settings, labels) -> dict:
    """Label -> the KEY=VALUE of --init that are meant for it: "b:KEY=VALUE" for one, "KEY=VALUE" for all but
    the floor. Raises InputError on a label that is not there."""
    found = {label: [] for label in labels}
    for setting in settings:
        key, equals, _ = setting.partition("=")
        label, colon, _ = key.partition(":")
        if not equals:
            raise InputError(f"--init {setting} has no value; write --init KEY=VALUE or --init b:KEY=VALUE")
        if colon and label not in found:
            raise InputError(f"--init {setting}: there is no allocator '{label}' here; there are: "
                             f"{', '.join(labels)}")
        for one in [label] if colon else labels:
            found[one].append(setting[len(label) + 1:] if colon else setting)
    return found


def make_counter(options: argparse.Namespace, settings: dict) -> Counter:
    """Counts `hakbench loop` with the workload that the options describe."""
    hakbench, steady = find_hakbench(), find_steady()
    workload = []
    for flag, value in (("-w", options.workload), ("--ws", options.ws)):
        workload += [] if value is None else [flag, str(value)]
    for param in options.param:
        workload += ["--param", param]

    def run(name: str, label: str, ops: int, seed: int) -> Counts:
        init = [word for setting in settings.get(label, []) for word in ("--init", setting)]
        # The warm-up is given, so that it is the same for the short and the long run.
        return callgrind.count([hakbench, "loop", "-a", name, *workload, "--threads", "1", *init, "--seed",
                                str(seed), "--ops", str(ops), "--prefault", str(START_OPS)],
                               data=options.data, preload=steady)

    return run


def display_names(subjects) -> dict:
    """Label -> name, with the label where a name stands twice."""
    names = [subject.name for subject in subjects]
    return {subject.label: subject.name if names.count(subject.name) == 1
            else f"{subject.name} ({subject.label})" for subject in subjects}


def as_json(options, seeds, subjects, floor: PerOp, ratios) -> dict:
    """All figures; instructions, reads and writes are per op."""
    def of(subject: PerOp) -> dict:
        entry = {"label": subject.label, "allocator": subject.name}
        for event, values in subject.total.items():
            entry[EVENT_WORDS[event]] = float(values.mean())
            if subject is not floor:
                own = _spread(values - floor.total[event])
                entry[f"{EVENT_WORDS[event]}_own"], entry[f"{EVENT_WORDS[event]}_own_range"] = own[0], own[1:]
        entry["functions"] = [{"function": function, "library": library, "instructions": cost}
                              for (library, function), cost in top_functions(subject)]
        return entry

    return {"format": "hakbench-icount/1", "source": "callgrind", "ops": options.ops, "seeds": seeds,
            "margin": options.margin, "subjects": [of(subject) for subject in (*subjects, floor)],
            "comparisons": [{"metric": "instructions_own", "candidate": ratio.candidate,
                             "reference": ratio.reference, "ratio": ratio.own[0], "lower": ratio.own[1],
                             "upper": ratio.own[2], "total_ratio": ratio.total[0],
                             "total_lower": ratio.total[1], "total_upper": ratio.total[2],
                             "verdict": ratio.verdict} for ratio in ratios]}


def top_functions(subject: PerOp) -> list:
    """The dearest functions, each with a part of an op that is not nothing."""
    ranked = sorted(subject.functions.items(), key=lambda item: (-item[1], item[0]))
    return [item for item in ranked[:FUNCTIONS_SHOWN] if item[1] >= 0.005]


def as_text(options, seeds, subjects, floor: PerOp, ratios) -> str:
    names = display_names(subjects)
    events = list(floor.total)
    rows = [["an op", *(EVENT_WORDS[event] for event in events),
             *(word for event in events for word in (f"own {EVENT_WORDS[event]}", "over the seeds"))]]
    for subject in (*subjects, floor):
        row = [names.get(subject.label, FLOOR)]
        row += [f"{subject.total[event].mean():.3f}" for event in events]
        for event in events:
            own = _spread(subject.total[event] - floor.total[event])
            figures = [f"{own[0]:.3f}", f"{own[1]:.3f} .. {own[2]:.3f}"]
            row += [text.MISSING] * 2 if subject is floor else figures
        rows.append(row)
    lines = [f"{options.ops} ops after {START_OPS}, seeds {', '.join(map(str, seeds))}, counted by "
             "callgrind; own: above the floor", "", text.text_table(rows)]
    for subject in subjects:
        table = [[names[subject.label] + ": dearest functions", "instructions", "library"]]
        table += [[f"  {function}", f"{cost:.3f}", Path(library).name or text.MISSING]
                  for (library, function), cost in top_functions(subject)]
        if len(table) > 1:
            lines += ["", text.text_table(table)]
    lines += [""] + [sentence(ratio, names, options.margin) for ratio in ratios]
    if has_pmu():
        lines.append("Note: this machine counts instructions in hardware; hakbench ab has them too, of every "
                     "epoch (column instructions).")
    return "\n".join(lines)


def sentence(ratio: Ratio, names: dict, margin: float) -> str:
    """What the comparison says, in one line."""
    candidate, reference = names[ratio.candidate], names[ratio.reference]
    change = abs(ratio.own[0] - 1)
    amount = f"as many instructions of its own as {reference}" if change < 5e-6 else (
        f"{text.percent(change, 3)} {'more' if ratio.own[0] > 1 else 'fewer'} instructions of its own than "
        f"{reference}")
    figures = (f"ratio {ratio.own[0]:.5f}, over the seeds {ratio.own[1]:.5f} .. {ratio.own[2]:.5f}; with the "
               f"loop {ratio.total[0]:.5f}")
    words = {"pass": f"PASS: {candidate} needs {amount}; {text.percent(margin)} more are allowed",
             "fail": f"FAIL: {candidate} needs {amount}; {text.percent(margin)} more are allowed",
             "inconclusive": f"INCONCLUSIVE: {candidate} needs {amount}, but the seeds disagree whether that "
                             f"is more than the {text.percent(margin)} allowed; give more operations with "
                             "--ops"}
    return f"{words[ratio.verdict]} ({figures})"


def has_pmu() -> bool:
    """Whether the kernel shows the processor's own counters (cpu, or cpu_core and cpu_atom)."""
    return bool(glob.glob("/sys/bus/event_source/devices/cpu*"))


def make_parser() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        PROG,
        "Counts the instructions of an operation, with valgrind's callgrind: exact, and blind to noise.",
        "examples:\n  hakbench icount --candidate hakmem\n"
        "  hakbench icount --candidate hakmem --reference before=/tmp/libhakmem.so --margin 0.1%\n"
        "  hakbench icount --candidate hakmem --reference mimalloc --also jemalloc --cache --ws 8192\n\n"
        "What it does not see: cache misses, mispredicted branches, system calls, page faults. A program of\n"
        "fewer instructions is not always a faster one; hakbench gate times.\n\n"
        "exit codes: 0 pass, or nothing was judged; 1 the tool or its input failed; 2 the candidate needs\n"
        "more than the margin; 3 inconclusive, with --fail-on-inconclusive")
    parser.add_argument("--candidate", required=True, metavar="ALLOCATOR",
                        help="a plugin's name, NAME=/path.so or /path.so; label a")
    parser.add_argument("--reference", metavar="ALLOCATOR", help="what it is held against; label b")
    parser.add_argument("--also", action="append", default=[], metavar="ALLOCATOR",
                        help="another one to show, not judged; labels c, d ...")
    parser.add_argument("-w", "--workload",
                        help="workload (default random_mixed), with one thread; not one that takes two")
    parser.add_argument("--ws", type=int, help="working set: slots of a worker (default 400)")
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE",
                        help="another parameter of the workload")
    parser.add_argument("--seed", type=at_least(0), default=1,
                        help="the first seed of the workload (default 1)")
    parser.add_argument("--seeds", type=at_least(1), default=3, metavar="N",
                        help="how many seeds (default 3)")
    parser.add_argument("--init", action="append", default=[], metavar="[LABEL:]KEY=VALUE",
                        help="a setting of the allocator labelled a, b ..., or of all")
    parser.add_argument("--ops", type=at_least(1000), default=1_000_000,
                        help="operations counted for each seed (default 1000000)")
    parser.add_argument("--margin", type=share, default=0.001, metavar="SHARE",
                        help="how many more instructions of its own the candidate may need (default 0.1%%)")
    parser.add_argument("--cache", dest="data", action="store_true",
                        help="count reads and writes of memory too, in twice the time")
    parser.add_argument("--fail-on-inconclusive", action="store_true",
                        help="exit with 3 when the seeds disagree")
    cli.add_format(parser)
    return parser


def _run(argv, counter: Optional[Counter] = None) -> int:
    options = make_parser().parse_args(argv)
    wanted = [("a", options.candidate)] + ([("b", options.reference)] if options.reference else [])
    wanted += [(chr(ord("c") + i), name) for i, name in enumerate(options.also)]
    settings = labelled_settings(options.init, [label for label, _ in wanted])
    if counter is None:
        callgrind.find_valgrind()
        counter = make_counter(options, settings)
    seeds = list(range(options.seed, options.seed + options.seeds))
    with processes() as pool:
        floor, *subjects = [measure(label, name, options.ops, seeds, counter, pool)
                            for label, name in [("", FLOOR), *wanted]]
    reference = next((subject for subject in subjects if subject.label == "b"), None)
    ratios = [] if reference is None else [compare(subject, reference, floor, options.margin)
                                           for subject in subjects if subject is not reference]
    if options.format == "json":
        print(json.dumps(as_json(options, seeds, subjects, floor, ratios), indent=2))
    else:
        print(as_text(options, seeds, subjects, floor, ratios))
    verdict = ratios[0].verdict if ratios else "pass"
    if verdict == "fail":
        return cli.EXIT_GATE_FAILED
    undecided = verdict == "inconclusive" and options.fail_on_inconclusive
    return cli.EXIT_INCONCLUSIVE if undecided else cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
