"""hakbench gate: did a candidate get worse than a reference by more than is allowed?

Purpose     Measure, judge every gated metric, say so to people and machines, end with 0, 2 or, where asked,
            3.
Boundary    main() is the tool. Measuring is looks.py's, judging judge.py's, wording gate_output.py's.
Invariants  gate.json lies in the (first) result folder whatever the verdict.
"""
from __future__ import annotations

import json
import os
from collections import Counter
from functools import partial
from pathlib import Path

from . import baseline, cli, gate_output, judge, looks, wholefile
from .errors import InputError
from .gate_output import Verdict
from .gate_settings import load_document, load_settings

PROG = "hakbench gate"
DEFAULT_PROFILE = "ci_gate"
CANDIDATE, REFERENCE, FLOOR = "a", "b", "c"

EPILOG = """examples:
  hakbench gate --candidate new=build/libhakmem.so --reference old=/tmp/libhakmem.so
  hakbench gate --candidate hakmem --reference mimalloc --profile ci_gate_long
  hakbench gate --candidate hakmem --baseline results/baselines/hakmem-ws400.json
  hakbench gate --candidate control_slow --reference control_slow -- --init a:percent=3

What stands behind -- is handed to hakbench ab.
exit codes: 0 pass (or inconclusive), 1 the tool or its input failed, 2 the gate failed, 3 inconclusive with
--fail-on-inconclusive"""


def measure(plan: looks.Plan, gate, judged, command, workloads=None) -> tuple:
    """(the last look, rows): `judged` gives the rows of a result; each metric keeps its first decision.
    `workloads`: by metric, over how many of them Holm's procedure will go."""
    rows: list = []

    def is_over(measured) -> bool:
        found = judged(measured.result)
        if workloads and not measured.last:
            found = judge.before_holm(found, gate, len(gate.looks), workloads)
        rows[:] = judge.first_decisions(rows, found)
        return judge.is_over(rows)

    return looks.grow(plan, gate.looks, is_over, command), rows


def _launches(result) -> tuple:
    return looks.launches_of(result, CANDIDATE), looks.quiet_launches(result, CANDIDATE, REFERENCE)


def same_run(options, settings: dict, command) -> Verdict:
    """Candidate against reference, interleaved in the same run; one growing run a profile."""
    rows, folders, warnings, used, launches, names = [], {}, [], 1, {}, {}
    workloads = Counter(metric for gate in settings.values() for metric in gate.metrics)
    for profile, gate in settings.items():
        workload = Path(profile).stem
        floor = FLOOR if "ns_above_floor" in gate.metrics else None
        subjects = {CANDIDATE: options.candidate, REFERENCE: options.reference}
        if floor:
            subjects[floor] = "floor"
        folder = options.folder / workload if len(settings) > 1 else options.folder
        measured, found = measure(
            looks.Plan(subjects, REFERENCE, profile, tuple(options.extra), folder), gate,
            partial(judge.judge_same_run, candidate=CANDIDATE, reference=REFERENCE, floor=floor,
                    workload=workload, settings=gate, looks=len(gate.looks)), command, workloads)
        used = max(used, measured.look)
        launches[workload] = _launches(measured.result)
        rows += found
        folders[workload] = str(folder)
        warnings += measured.result.warnings
        names = {label: measured.result.display_name(label) for label in (CANDIDATE, REFERENCE)}
    first = next(iter(settings.values()))
    rows = judge.with_holm(rows, first, len(first.looks))
    return Verdict(gate_output.SAME_RUN, judge.overall(rows), names[CANDIDATE], names[REFERENCE], rows, used,
                   list(first.looks), first.as_dict(), folders, warnings, launches)


def against_baseline(options, settings: dict, command) -> Verdict:
    """Candidate against what was stored, both relative to the same anchor."""
    if len(settings) > 1:
        raise InputError("--baseline holds one workload; give one --profile, or run the gate once for each")
    stored = baseline.read(options.baseline)
    profile, gate = next(iter(settings.items()))
    workload = Path(profile).stem
    if not options.force:
        baseline.check_profile(stored, load_document(profile), options.extra)
    warnings: list = []

    def judged(result) -> list:
        warnings[:] = [*baseline.check_comparable(stored, result, options.force),
                       *baseline.warn_of_tail(stored, gate)]
        return baseline.judge_rows(stored, result, CANDIDATE, REFERENCE, workload, gate)

    plan = looks.Plan({CANDIDATE: options.candidate, REFERENCE: baseline.ANCHOR}, REFERENCE, profile,
                      (*options.extra, "--ops", str(stored["ops_per_epoch"])), options.folder)
    measured, rows = measure(plan, gate, judged, command)
    return Verdict(gate_output.BASELINE, judge.overall(rows), measured.result.display_name(CANDIDATE),
                   f"{stored['candidate']} of {options.baseline}", rows, measured.look, list(gate.looks),
                   gate.as_dict(), {workload: str(options.folder)}, [*warnings, *measured.result.warnings],
                   {workload: _launches(measured.result)})


def publish(verdict: Verdict, options) -> None:
    """gate.json beside the data, and the forms that were asked for. Raises InputError if one cannot be
    written."""
    content = json.dumps(gate_output.as_dict(verdict), indent=2) + "\n"
    files = {Path(next(iter(verdict.folders.values()))) / "gate.json": content}
    if options.json:
        files[Path(options.json)] = content
    if options.junit:
        files[Path(options.junit)] = gate_output.junit(verdict)
    for path, text in files.items():
        wholefile.write_text(path, text, "make its folder, or name another file",
                             f"the measurement is kept in {', '.join(verdict.folders.values())}")
    if options.format == "json":
        print(content, end="")
    else:
        print(gate_output.for_people(verdict))
    if options.github or os.environ.get("GITHUB_ACTIONS") == "true":
        if options.format != "json":  # annotations share standard output
            print("\n".join(gate_output.github_annotations(verdict)))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            try:
                with open(summary, "a", encoding="utf-8") as stream:
                    stream.write(gate_output.markdown(verdict))
            except OSError as error:
                raise InputError(f"{summary}: cannot be written ({error.strerror}); GITHUB_STEP_SUMMARY must "
                                 "name a file") from None


def parse(argv):
    parser = cli.make_parser(
        PROG, "Fails when a candidate is worse than a reference by more than the profile allows.", EPILOG)
    parser.add_argument("--candidate", required=True, metavar="ALLOCATOR",
                        help="NAME, NAME=/path.so or /path.so")
    against = parser.add_mutually_exclusive_group(required=True)
    against.add_argument("--reference", metavar="ALLOCATOR", help="measured in the same run (recommended)")
    against.add_argument("--baseline", metavar="FILE", help="stored by hakbench baseline")
    parser.add_argument("-p", "--profile", action="append", metavar="PROFILE",
                        help="workload, looks and margins; again for several workloads (default "
                             f"{DEFAULT_PROFILE})")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="folder of the result (default out/gate-TIME-PID)")
    parser.add_argument("--junit", type=cli.file_to_write, metavar="FILE",
                        help="also write JUnit XML, a test case a metric")
    parser.add_argument("--json", type=cli.file_to_write, metavar="FILE",
                        help="also write gate.json there")
    parser.add_argument("--github", action="store_true",
                        help="GitHub annotations and step summary (by itself where GITHUB_ACTIONS=true)")
    parser.add_argument("--fail-on-inconclusive", action="store_true",
                        help="exit 3 when nothing could be decided")
    parser.add_argument("--force", action="store_true",
                        help="compare with a baseline of another machine, profile or op stream all the same")
    cli.add_format(parser)
    options, extra = cli.parse_with_rest(parser, argv)
    if options.force and not options.baseline:
        parser.error("--force compares with a --baseline that is not comparable, and there is none here")
    options.extra = extra
    options.profile = options.profile or [DEFAULT_PROFILE]
    options.folder = looks.result_folder(options.output, "gate")
    return options


def exit_code(verdict: str, fail_on_inconclusive: bool) -> int:
    if verdict == judge.FAIL:
        return cli.EXIT_GATE_FAILED
    if verdict == judge.INCONCLUSIVE and fail_on_inconclusive:
        return cli.EXIT_INCONCLUSIVE
    return cli.EXIT_PASS


def _run(argv, command=looks.run_hakbench) -> int:
    options = parse(argv)
    settings: dict = {profile: load_settings(profile) for profile in options.profile}
    looks.check_empty(options.folder, options.extra)
    names = Counter(Path(profile).stem for profile in settings)
    name, several = names.most_common(1)[0]
    if several > 1:
        raise InputError(f"{several} profiles are called {name}, as their folders would be; rename a file, "
                         "or gate them one by one")
    if len({(gate.confidence, gate.looks) for gate in settings.values()}) > 1:
        raise InputError("the profiles differ in gate.confidence or gate.looks; gate them one by one")
    verdict = (against_baseline if options.baseline else same_run)(options, settings, command)
    publish(verdict, options)
    return exit_code(verdict.verdict, options.fail_on_inconclusive)


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
