"""hakbench triage: why peak RSS is what it is.

Purpose     One command for the steps: the benchmark as it is, without warm-up, with one of fixed length, the
            allocator's own statistics, and the verdict: benchmark, allocator design, or a share of each.
Boundary    Starts hakbench; writes triage.md, triage.json, triage.png and a result folder a step.
Invariants  The verdict follows from the folder alone: --judge makes it again without measuring.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np

from . import cli, document, looks, triage_page, triage_steps, triage_words, wholefile
from .errors import InputError
from .icount import at_least
from .load import Result
from .triage_judge import FLOOR_KB, INCONCLUSIVE, split
from .triage_steps import BASE, FIXED, OFF, STEPS, Runner, Settings

PROG = "hakbench triage"
FEWEST_LAUNCHES, MOST_LAUNCHES, EPOCHS_A_LAUNCH = 6, 20, 6
DURATION_S, EPOCH_S = 300.0, 5.0
QUICK_DURATION_S, QUICK_EPOCH_S = 15.0, 0.25
UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "m": 60.0, "h": 3600.0}


def duration(words: str) -> float:
    """An argument like 250ms, 5 or 5m in seconds."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)(ms|s|m|h|)", words)
    if not found or not float(found.group(1)) > 0:
        raise argparse.ArgumentTypeError(f"'{words}' is no duration above zero; write for example 250ms, 5s "
                                         "or 5m")
    return float(found.group(1)) * UNITS[found.group(2)]


def launches_for(duration_s: float, epoch_s: float) -> int:
    """How many launches a step is divided into: what differs between launches is what blurs a peak, so as
    many as still have some epochs each."""
    return min(MOST_LAUNCHES, max(FEWEST_LAUNCHES, math.floor(duration_s / (EPOCHS_A_LAUNCH * epoch_s))))


def expect_room(duration_s: float, epoch_s: float, launches: int) -> None:
    """Raises InputError where an epoch a launch takes longer than the whole run may."""
    least_s = launches * epoch_s
    if least_s <= duration_s * (1 + 1e-9):  # 250ms and 0.25 are the same
        return
    fewer = ", fewer --launches," if launches > FEWEST_LAUNCHES else ","
    raise InputError(f"--duration {duration_s:g} s has no room for {launches} launches with an epoch of "
                     f"{epoch_s:g} s each; give a --duration of {least_s:g} s or more{fewer} or a shorter "
                     "--epoch")


def settings_of(options, extra) -> Settings:
    duration_s = options.duration or (QUICK_DURATION_S if options.quick else DURATION_S)
    epoch_s = options.epoch or (QUICK_EPOCH_S if options.quick else EPOCH_S)
    launches = options.launches or launches_for(duration_s, epoch_s)
    if options.ops is None:  # else nobody knows yet how long an epoch takes
        expect_room(duration_s, epoch_s, launches)
    words: list = []
    for flag, value in (("--profile", options.profile), ("-w", options.workload), ("--ws", options.ws)):
        words += [] if value is None else [flag, str(value)]
    for flag, values in (("--param", options.param), ("--init", options.init), ("--env", options.env)):
        words += [word for value in values for word in (flag, value)]
    return Settings(options.allocator, launches, max(duration_s / launches, epoch_s), epoch_s,
                    (*words, *extra), options.ops, options.prefault)


def allocator_of(result: Result) -> str:
    return result.subject(result.subjects[0])["allocator"]


def as_typed(subject: dict) -> str:
    """The allocator as hakbench takes it: what was named by its path is known to this folder alone."""
    path, (name, at, profile) = subject.get("path") or "", subject["allocator"].partition("@")
    return shlex.quote(f"{name}={path}{at}{profile}") if os.path.isabs(path) else name + at + profile


def peaks_kb(result: Result) -> np.ndarray:
    """The highest RSS above the process's own of each launch. Raises InputError where it was not measured."""
    epochs = result.measured(result.subjects[0])
    peaks = epochs.groupby("launch")["peak_rss_above_base_kb"].max()
    if peaks.isna().any():
        raise InputError(f"{result.folder / 'epochs.csv'}: peak RSS was not measured; /proc/PID/clear_refs "
                         "must be writable (hakbench doctor tells more)")
    return peaks.to_numpy(float)


def need_kb(result: Result):
    """What the workload holds at most, as it asked for it: the median over launches; None if unknown."""
    live = result.measured(result.subjects[0]).groupby("launch")["live_bytes"].max()
    return None if live.isna().any() else float(live.median()) / 1024


def workload_words(manifest: dict) -> str:
    """The arguments that give this workload, and subject b the settings of this run's, to hakbench ab."""
    workload = manifest["workload"]
    words = ["-w", workload["name"], "--threads", str(workload["threads"])]
    for name, value in workload["params"].items():
        words += ["--param", f"{name}={value}"]
    if workload.get("file"):
        words += ["--trace", workload["file"]]
    subject = manifest["subjects"][0]
    for flag in ("init", "env"):
        for name, value in subject.get(flag, {}).items():
            words += [f"--{flag}", f"b:{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return " " + shlex.join(words)


def judge(results: dict, ledger, floor_kb: float) -> triage_page.Triage:
    """The finding from the three results by step, and step 2's."""
    base = results[BASE]
    name = allocator_of(base)
    peaks = {step: peaks_kb(results[step]) for step in STEPS}
    found = split(peaks[BASE], peaks[OFF], peaks[FIXED], need_kb(results[OFF]), floor_kb)
    base_kb = float(base.measured(base.subjects[0])["rss_base_kb"].median())
    warnings = [f"step {step.number}: {warning}" for step in STEPS for warning in results[step].warnings]
    advice = triage_words.policy(name, found, ledger, workload_words(base.manifest),
                                 as_typed(base.manifest["subjects"][0]))
    return triage_page.Triage(name, results, peaks, base_kb, found, ledger, advice, warnings)


def write(triage: triage_page.Triage, folder: Path, floor_kb: float) -> str:
    """triage.md, triage.json and triage.png; returns the JSON. Raises InputError."""
    content = json.dumps(triage_page.as_dict(triage), indent=2, allow_nan=False) + "\n"
    command = f"hakbench triage --judge {shlex.quote(str(folder))}"
    command += "" if floor_kb == FLOOR_KB else f" --limit-kb {floor_kb:g}"
    mend, kept = "make its folder writable", f"repeat with --judge {folder}"
    triage_page.draw(triage, folder / triage_page.PICTURE, mend, kept)
    page = document.to_markdown(triage_page.page(triage, command))
    for name, text in ((triage_page.PAGE, page), (triage_page.JSON, content)):
        wholefile.write_text(folder / name, text, mend, kept)
    return content


def new_folder(wanted) -> Path:
    folder = looks.result_folder(wanted, "triage")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} is there already; name another with -o, or judge what it holds with "
                         f"--judge {folder}") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); name another with -o") from None
    return folder


def make_parser():
    parser = cli.make_parser(
        PROG, "Why is peak RSS what it is: the benchmark's warm-up (A), or the allocator's design (B)?",
        "steps: 0 the benchmark as it is; 1-A without warm-up; 1-B with one of "
        f"{triage_steps.FIXED_PREFAULT_OPS:,} ops;\n2 the ledger and the dumps of the statistics build "
        "(hakmem only); 3 the verdict.\n\n"
        "examples:\n  hakbench triage -a hakmem\n  hakbench triage -a mimalloc --quick\n"
        "  hakbench triage -a hakmem --profile mixed_speed_first -o out/triage\n"
        "  hakbench triage -a jemalloc -w larson -- --threads 2\n  hakbench triage --judge out/triage\n\n"
        "Words behind -- go to hakbench run.\n\n"
        "exit codes: 0 there is a verdict; 1 the tool or its input failed; 3 inconclusive, with\n"
        "--fail-on-inconclusive")
    parser.add_argument("-a", "--allocator", default="hakmem", metavar="ALLOCATOR",
                        help="a plugin's name, NAME=/path.so or /path.so (default hakmem)")
    parser.add_argument("-p", "--profile", help="settings from a profile: its name or its file")
    parser.add_argument("-w", "--workload", help="workload (default random_mixed)")
    parser.add_argument("--ws", type=at_least(1), help="working set: slots of a worker (default 400)")
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE",
                        help="another parameter of the workload")
    parser.add_argument("--init", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting for the plugin's init")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE",
                        help="a variable in the allocator's environment: HAKMEM_PROFILE=memory_lean_free")
    parser.add_argument("--duration", type=duration, help="of each of the three runs (default 300s)")
    parser.add_argument("--epoch", type=duration, help="length of an epoch (default 5s)")
    parser.add_argument("--ops", type=at_least(1), help="operations of an epoch, instead of calibrating it")
    parser.add_argument("--launches", type=at_least(FEWEST_LAUNCHES), metavar="N",
                        help=f"fresh processes a run is divided into (default {EPOCHS_A_LAUNCH} epochs each, "
                        f"{FEWEST_LAUNCHES} to {MOST_LAUNCHES})")
    parser.add_argument("--prefault", type=at_least(0), metavar="OPS",
                        help="the warm-up of step 0 (default as hakbench run: $HAKMEM_BENCH_PREFAULT, else a "
                        "tenth of an epoch)")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_DURATION_S:g} s a run, {1000 * QUICK_EPOCH_S:g} ms an epoch: about a "
                        "minute in all")
    parser.add_argument("--limit-kb", type=at_least(1), default=FLOOR_KB, metavar="KB",
                        help=f"what does not matter (default {FLOOR_KB:g}; a tenth of the tax if that is "
                        "more)")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="folder of the result (default out/triage-TIME-PID)")
    parser.add_argument("--judge", metavar="DIR", help="judge the runs in this folder again; measure nothing")
    parser.add_argument("--fail-on-inconclusive", action="store_true",
                        help="exit with 3 when the launches differ too much")
    cli.add_format(parser)
    return parser


def _say(words: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{words}\n")


def _run(argv, runner: Runner = Runner()) -> int:
    options, extra = cli.parse_with_rest(make_parser(), argv)
    if options.judge:
        folder = Path(options.judge)
        results = triage_steps.load(folder)
        ledger = triage_steps.load_ledger(allocator_of(results[BASE]), folder)
    else:
        settings = settings_of(options, extra)
        folder = new_folder(options.output)
        try:
            results = triage_steps.measure(settings, folder, runner, _say)
        except InputError:
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()
            raise
        _say("step 2: the statistics build")
        ledger = triage_steps.observe(options.allocator, results[BASE], folder, runner)
    found = judge(results, ledger, options.limit_kb)
    content = write(found, folder, options.limit_kb)
    print(content if options.format == "json" else triage_page.for_people(found, folder),
          end="" if options.format == "json" else "\n")
    undecided = found.split.verdict == INCONCLUSIVE and options.fail_on_inconclusive
    return cli.EXIT_INCONCLUSIVE if undecided else cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
