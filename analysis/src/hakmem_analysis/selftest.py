"""hakbench selftest: proves on this machine that the verdicts can be trusted, and that they can fail.

Purpose     Gate runs with nothing planted must pass, with a planted fault must fail, and the interval must
            hold the known truth as often as it says.
Boundary    Starts gates; writes runs.jsonl, summary.json, report.md, report.png into one folder.
Invariants  What ran is on disk at once: a self-test that was broken off goes on with --resume.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from . import cli, document, loop_check, selftest_page, selftest_soak, selftest_summary, text, wholefile
from .alone import alone_in
from .bursts import bursts
from .errors import InputError
from .icount import at_least
from .rates import BROKEN, OPEN
from .selftest_runs import SCENARIOS, append_run, do_run, in_turns, read_runs, run_gate

PROG = "hakbench selftest"
SETTINGS_FILE = "selftest.json"
DEFAULT_COUNTS, QUICK_COUNTS = (40, 20, 5), (6, 3, 0)


def counts_of(options) -> dict:
    """Scenario name -> how many gate runs."""
    defaults = QUICK_COUNTS if options.quick else DEFAULT_COUNTS
    aa, planted, long = (default if given is None else given
                         for given, default in zip((options.aa, options.planted, options.long), defaults))
    wanted = {name: planted for name in SCENARIOS}
    wanted.update(aa=aa, aa_noise=aa if options.noise else 0, slow1_long=long)
    for words in options.count:
        name, _, count = words.partition("=")
        if name not in SCENARIOS or not count.isdecimal():
            raise InputError(f"--count {words} is not SCENARIO=N; the scenarios are {', '.join(SCENARIOS)}")
        wanted[name] = int(count)
    return {name: count for name, count in wanted.items() if count}


def settings_of(options) -> dict:
    """What makes a self-test repeatable: with "soak" in it, it is one of soaks."""
    if options.soak:
        return {"soak": {"clean": options.clean, "duration_s": options.duration,
                         "first_seed": options.first_seed}}
    counts = counts_of(options)
    if not counts:
        raise InputError("nothing to run; give --aa, --planted or --long a number above 0")
    return {"counts": counts, "first_seed": options.first_seed}


def seconds(words: str) -> float:
    """A duration as people write it, for argparse: "90s", "10m", "1h"."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(words[-1:])
    try:
        value = float(words[:-1]) * unit if unit else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"'{words}' is no duration; write 90s, 10m or 1h")
    return value


def prepare(options) -> tuple:
    """(folder, settings, records so far). Raises InputError when the folder is not what it must be."""
    if options.resume:
        folder = Path(options.resume)
        try:
            settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(f"{folder} holds no {SETTINGS_FILE} of a self-test; name the folder of one, or "
                             "start without --resume") from None
        records = selftest_soak.read_records(folder) if "soak" in settings else read_runs(folder)
        return folder, settings, records
    folder = Path(options.output or f"out/selftest-{time.strftime('%Y%m%d-%H%M%S')}")
    settings = settings_of(options)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} is there already; continue it with --resume {folder}, or name "
                         "another") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); name another with -o") from None
    wholefile.write_text(folder / SETTINGS_FILE, json.dumps(settings) + "\n", "name another folder with -o")
    return folder, settings, []


def make_say(format_of_output: str):
    """How a step is announced: say(words), say("") at the end. On a terminal one line is written over and
    over; elsewhere each step is a line of standard error, so that a log shows life, but none beside JSON."""
    def say(words: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{words}\033[K")
        elif words and format_of_output != "json":
            sys.stderr.write(f"selftest: {words}\n")
    return say


def run_all(folder: Path, settings: dict, records: list, keep: bool, runner, say) -> None:
    """Runs what is not in `records` yet and appends to it."""
    there = {(record["scenario"], record["index"]) for record in records}
    turns = in_turns(settings["counts"])
    for number, (name, index) in enumerate(turns, 1):
        if (name, index) in there:
            continue
        scenario = SCENARIOS[name]
        say(f"{number} of {len(turns)}: {scenario.words}")
        with bursts() if scenario.noise else nullcontext():
            record = do_run(scenario, index, settings["first_seed"], folder, keep, runner)
        append_run(folder, record)
        records.append(record)
    say("")


def conclusion(rates) -> str:
    declared = [rate for rate in rates if rate.is_declared]
    broken = [rate.name.strip() for rate in declared if rate.state == BROKEN]
    undecided = [rate.name.strip() for rate in declared if rate.state == OPEN]
    if broken:
        return f"FAIL: not as declared: {'; '.join(broken)}"
    if undecided:
        return f"INCONCLUSIVE: too few runs to tell: {'; '.join(undecided)}"
    return f"PASS: all {len(declared)} declared rates are met"


def exit_code(words: str, fail_on_inconclusive: bool) -> int:
    if words.startswith("FAIL"):
        return cli.EXIT_GATE_FAILED
    undecided = words.startswith("INCONCLUSIVE") and fail_on_inconclusive
    return cli.EXIT_INCONCLUSIVE if undecided else cli.EXIT_PASS


def _write_summary(folder: Path, summary: dict, parts: list) -> None:
    mend = f"make {folder} writable, and continue with --resume {folder}"
    wholefile.write_text(folder / "summary.json", json.dumps(summary, indent=2) + "\n", mend)
    wholefile.write_text(folder / "report.md", document.to_markdown(parts), mend)


def write(folder: Path, settings: dict, records: list) -> tuple:
    """Writes summary.json, report.md and report.png; returns (rates, times, conclusion)."""
    rates, times = selftest_summary.rates(records), selftest_summary.times(records)
    words = conclusion(rates)
    summary = {"format": "hakbench-selftest/1", "conclusion": words,
               "rates": [rate.as_dict() for rate in rates],
               "times": [{"scenario": name, "runs": runs, "median_s": median_s, "longest_s": longest_s}
                         for name, runs, median_s, longest_s in times]}
    found = selftest_summary.cases(records)
    if found:
        selftest_page.draw(found, folder / selftest_page.PICTURE)
    command = (f"hakbench selftest --first-seed {settings['first_seed']} --aa 0 --planted 0 --long 0"
               + "".join(f" --count {name}={count}" for name, count in settings["counts"].items()))
    parts = selftest_page.page(words, rates, times, command, bool(found))
    _write_summary(folder, summary, parts)
    return rates, times, words


def finish_soaks(folder: Path, settings: dict, records: list) -> tuple:
    """Writes summary.json and report.md of a self-test of soaks; returns (lines for a terminal,
    conclusion)."""
    rates = selftest_soak.rates(records)
    words, table = conclusion(rates), selftest_page.rate_rows(rates)
    summary = {"format": "hakbench-selftest-soak/1", "conclusion": words,
               "rates": [rate.as_dict() for rate in rates], "subjects": records}
    _write_summary(folder, summary, selftest_soak.page(words, table, records, settings))
    return [words, "", text.text_table(table), "", text.text_table(selftest_soak.record_rows(records))], words


def check_loop(options) -> int:
    cpu = max(os.sched_getaffinity(0))
    found = loop_check.check(options.pairs, lambda: loop_check.of_hakbench(cpu),
                             lambda: loop_check.of_standalone(cpu))
    print(json.dumps(found.as_dict(), indent=2) if options.format == "json" else loop_check.sentence(found))
    return exit_code(found.verdict.upper(), options.fail_on_inconclusive)


def make_parser():
    parser = cli.make_parser(
        PROG, "Proves the verdicts on this machine: gates with nothing planted, and gates with known faults.",
        "examples:\n  hakbench selftest --quick\n"
        "  hakbench selftest --aa 200 --planted 50 --long 10 -o out/selftest\n"
        "  hakbench selftest --resume out/selftest\n  hakbench selftest --loop\n"
        "  hakbench selftest --soak                 drift verdicts, half an hour\n\n"
        "exit codes: 0 no declared rate is broken; 1 the tool or its input failed; 2 one is broken; 3 too\n"
        "few runs to tell, with --fail-on-inconclusive")
    number = at_least(0)
    parser.add_argument("--aa", type=number, metavar="N", help="gate runs with nothing planted (default 40)")
    parser.add_argument("--planted", type=number, metavar="N",
                        help="gate runs of each planted fault (default 20)")
    parser.add_argument("--long", type=number, metavar="N",
                        help="gate runs of 1 %% with the long profile (default 5)")
    parser.add_argument("--count", action="append", default=[], metavar="SCENARIO=N",
                        help=f"another number for one scenario, repeatable: {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true",
                        help="6, 3 and 0 of them: shows that it works, proves little")
    parser.add_argument("--noise", action="store_true",
                        help="as many runs again with nothing planted beside bursts of work on every CPU")
    parser.add_argument("--first-seed", type=at_least(1), default=1, metavar="N",
                        help="where the schedule seeds begin (default 1); another for another batch")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="folder of the result (default out/selftest-TIME)")
    parser.add_argument("--resume", metavar="DIR", help="go on with the self-test in this folder")
    parser.add_argument("--keep", action="store_true", help="keep the result folder of every gate run")
    parser.add_argument("--loop", action="store_true",
                        help="instead: does the loop through hakbench take as long as the loop alone?")
    parser.add_argument("--pairs", type=at_least(6), default=loop_check.PAIRS, metavar="N",
                        help=f"pairs of --loop (default {loop_check.PAIRS}, at least 6)")
    parser.add_argument("--soak", action="store_true",
                        help="instead: soaks with nothing planted, and with a leak of 1 MB/h, one of\n"
                             "256 kB/h, and one step of 2 MB")
    parser.add_argument("--clean", type=at_least(1), default=20, metavar="N",
                        help="subjects of --soak with nothing planted (default 20)")
    parser.add_argument("--duration", type=seconds, default=600.0, metavar="T",
                        help="length of each soak of --soak: 10m (default), 1h; they run one after another")
    parser.add_argument("--fail-on-inconclusive", action="store_true",
                        help="exit with 3 when the runs are too few")
    cli.add_format(parser)
    return parser


def _run(argv, runner=run_gate, soak_runner=selftest_soak.run_soak) -> int:
    options = make_parser().parse_args(argv)
    if options.loop:
        return check_loop(options)
    folder, settings, records = prepare(options)
    with alone_in(folder):
        return _go_on(options, folder, settings, records, runner, soak_runner)


def _go_on(options, folder: Path, settings: dict, records: list, runner, soak_runner) -> int:
    say = make_say(options.format)
    try:
        if "soak" in settings:
            selftest_soak.run_all(folder, settings["soak"], records, options.keep, soak_runner, say)
            lines, words = finish_soaks(folder, settings["soak"], records)
        else:
            run_all(folder, settings, records, options.keep, runner, say)
            rates, times, words = write(folder, settings, records)
            lines = [words, "", text.text_table(selftest_page.rate_rows(rates)), "",
                     text.text_table(selftest_page.time_rows(times))]
    except InputError as error:
        raise InputError(f"{error}; mend it and go on with --resume {folder}") from None
    if options.format == "json":
        print((folder / "summary.json").read_text(encoding="utf-8"), end="")
    else:
        print("\n".join([*lines, "", f"report: {folder / 'report.md'}"]))
    return exit_code(words, options.fail_on_inconclusive)


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
