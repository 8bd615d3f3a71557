"""hakbench experiment: is a change worth having? GO, NO-GO, NEUTRAL, measured and recorded by one command.

Purpose     Measure a variant against what is there, decide, and write the decision down with its figures.
Boundary    main() is the tool. Throughput decides; memory, system calls and page faults are guards: a
            variant that fails one of their margins is NO-GO however fast it is.
Invariants  The gain that is asked for is fixed before anything is measured. No early GO while a guard is open
            and its estimate beyond its margin: more launches may yet fail it. Throughput that could not be
            judged is INCONCLUSIVE, never NEUTRAL: nothing was seen.
"""
from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import cli, gate_output, judge, looks, verdicts, wholefile
from .errors import InputError
from .gate_settings import load_settings

PROG = "hakbench experiment"
GUARDS = ("peak_rss_above_base", "rss_above_base", "minor_faults_per_mop", "syscalls_per_op")
CANDIDATE, REFERENCE = "a", "b"
INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Decision:
    """`verdict` is GO, NO-GO, NEUTRAL or INCONCLUSIVE; `reason` one sentence; `rows` throughput first, then
    the guards; `measured` the launches of each side, those that noise spoiled with them."""

    verdict: str
    reason: str
    gain: float
    rows: list
    candidate: str
    reference: str
    folder: str
    workload: str
    measured: int

    @property
    def launches(self) -> str:
        return gate_output.launches_words(self.measured, self.rows[0].launches)


def decide(rows: list, gain: float) -> tuple:
    """(verdict, reason) of judged rows: NEUTRAL where the interval holds 1 + gain, INCONCLUSIVE where there
    is none."""
    throughput = next(row for row in rows if row.metric == "throughput")
    failed = [row for row in rows if row.metric in GUARDS and row.verdict == judge.FAIL]
    if failed:
        return "NO-GO", "; ".join(gate_output.what_failed(row, rows) for row in failed)
    if throughput.decided_lower is None or throughput.launches < judge.LEAST_LAUNCHES:
        return INCONCLUSIVE, f"throughput was not judged: {throughput.note or 'too few launches'}"
    interval = (f"throughput {gate_output.amount(throughput, throughput.value)} "
                f"({100 * throughput.decided_confidence:.1f} % interval "
                f"{gate_output.bounds(throughput, throughput.decided_lower, throughput.decided_upper)})")
    verdict = verdicts.experiment(throughput.decided_lower, throughput.decided_upper, gain)
    words = {"GO": "all of the interval is above", "NO-GO": "all of the interval is below",
             "NEUTRAL": "the interval holds"}[verdict]
    return verdict, f"{interval}; {words} the gain of {100 * gain:g} % that was asked for"


def is_over(rows: list, gain: float) -> bool:
    """Whether no further look is worth its time."""
    verdict = decide(rows, gain)[0]
    doubtful = any(row.metric in GUARDS and row.verdict == judge.INCONCLUSIVE and judge.leans_to_failing(row)
                   for row in rows)
    return verdict == "NO-GO" or verdict == "GO" and not doubtful


def for_people(decision: Decision) -> str:
    rows = [["metric", "reference", "candidate", "change", "95 % interval"]]
    rows += [line[:5] for line in gate_output.table(_as_verdict(decision))[1:]]
    title = f"experiment: {decision.candidate} against {decision.reference}, {decision.workload}"
    return "\n".join([title, "", gate_output.text.text_table(rows), gate_output.footnote(), "",
                      f"{decision.verdict}: {decision.reason}.", f"launches of each: {decision.launches}",
                      f"data: {decision.folder}"])


def _as_verdict(decision: Decision) -> gate_output.Verdict:
    return gate_output.Verdict("experiment", decision.verdict, decision.candidate, decision.reference,
                               decision.rows, 1, [1], {}, {decision.workload: decision.folder})


def as_dict(decision: Decision) -> dict:
    return {"format": "hakbench-experiment/1", "verdict": decision.verdict, "reason": decision.reason,
            "gain": decision.gain, "candidate": decision.candidate, "reference": decision.reference,
            "workload": decision.workload, "folder": decision.folder,
            "launches_measured": decision.measured,
            "metrics": [row.as_dict() for row in decision.rows]}


def record(decision: Decision, title: str, lesson: str, command: str, host: dict) -> str:
    """The decision as a note in Markdown."""
    cells = gate_output.table(_as_verdict(decision))
    lines = [f"# {title}", "", f"**{decision.verdict}**: {decision.reason}.", "",
             "| " + " | ".join(cells[0][:5]) + " |", "|" + " --- |" * 5]
    lines += ["| " + " | ".join(row[:5]) + " |" for row in cells[1:]]
    lines += ["", gate_output.footnote(), "", f"- date: {time.strftime('%Y-%m-%d')}",
              f"- machine: {host.get('cpu_model', 'unknown')}, {host.get('cpus_online', '?')} CPUs, "
              f"{host.get('kernel', '')}",
              f"- launches of each: {decision.launches}; gain asked for: {100 * decision.gain:g} %",
              "", "To repeat:", "", "```sh", command, "```"]
    if lesson:
        lines += ["", f"Lesson: {lesson}"]
    return "\n".join(lines) + "\n"


def make_parser():
    parser = cli.make_parser(
        PROG, "Measures a variant against what is there and decides: GO, NO-GO or NEUTRAL; INCONCLUSIVE\n"
        "where noise left nothing to judge.",
        "examples:\n  hakbench experiment --candidate hakmem_passdown --reference hakmem\n"
        "  hakbench experiment --candidate hakmem --reference hakmem --gain 1% --record note.md \\\n"
        "      --title 'Small depot' -- --env a:HAKMEM_DEPOT_KB=64 --ws 8192\n\n"
        "What stands behind -- is handed to hakbench ab.\n"
        "exit codes: 0 GO, NO-GO or NEUTRAL (or inconclusive), 1 the tool or its input failed,\n"
        "3 inconclusive with --fail-on-inconclusive")
    parser.add_argument("--candidate", required=True, metavar="ALLOCATOR", help="the variant")
    parser.add_argument("--reference", required=True, metavar="ALLOCATOR", help="what is there")
    parser.add_argument("-p", "--profile", default="ci_gate", metavar="PROFILE", help="(default ci_gate)")
    parser.add_argument("--gain", metavar="SHARE",
                        help="gain of throughput that is worth it (default the profile's)")
    parser.add_argument("--record", type=cli.file_to_write, metavar="FILE",
                        help="also write the decision down as Markdown")
    parser.add_argument("--title", default="Experiment", help="heading of the record")
    parser.add_argument("--lesson", default="", help="one sentence for the record")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="folder of the result (default out/experiment-TIME-PID)")
    parser.add_argument("--fail-on-inconclusive", action="store_true",
                        help="exit 3 when throughput could not be judged")
    cli.add_format(parser)
    return parser


def _write(decision: Decision, options, argv, result) -> None:
    """experiment.json in the folder, and the record where one is asked for. Raises InputError."""
    folder = Path(decision.folder)
    files = {folder / "experiment.json": json.dumps(as_dict(decision), indent=2) + "\n"}
    if options.record:
        words = shlex.join(["hakbench", "experiment", *(sys.argv[2:] if argv is None else argv)])
        files[Path(options.record)] = record(decision, options.title, options.lesson, words,
                                             result.manifest.get("host", {}))
    for path, content in files.items():
        wholefile.write_text(path, content, "make its folder writable",
                             f"the measurement is kept in {folder}")


def _run(argv, command=looks.run_hakbench) -> int:
    options, extra = cli.parse_with_rest(make_parser(), argv)
    settings = load_settings(options.profile)
    if "throughput" not in settings.metrics:
        raise InputError(f"{options.profile}: 'gate.metrics' lacks throughput, which decides an experiment; "
                         "add it there")
    gain = settings.gain if options.gain is None else cli.share("--gain", options.gain)
    folder = looks.result_folder(options.output, "experiment")
    looks.check_empty(folder, extra)
    plan = looks.Plan({CANDIDATE: options.candidate, REFERENCE: options.reference}, REFERENCE,
                      options.profile, tuple(extra), folder)
    rows: list = []

    def decided(measured) -> bool:
        judged = judge.judge_same_run(measured.result, CANDIDATE, REFERENCE, None, Path(options.profile).stem,
                                      settings, len(settings.looks))
        rows[:] = sorted((row for row in judged if row.metric in ("throughput", *GUARDS)),
                         key=lambda row: row.metric != "throughput")
        return is_over(rows, gain)

    result = looks.grow(plan, settings.looks, decided, command).result
    decision = Decision(*decide(rows, gain), gain, rows, result.display_name(CANDIDATE),
                        result.display_name(REFERENCE), str(folder), Path(options.profile).stem,
                        looks.launches_of(result, CANDIDATE))
    _write(decision, options, argv, result)
    print(json.dumps(as_dict(decision), indent=2) if options.format == "json" else for_people(decision))
    undecided = decision.verdict == INCONCLUSIVE and options.fail_on_inconclusive
    return cli.EXIT_INCONCLUSIVE if undecided else cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
