"""hakbench app: what an allocator is worth to real programs.

Purpose     Runs compilers, interpreters, a database and a server, or a command of the user's, under each
            allocator by LD_PRELOAD, in turns; compares CPU time, peak RSS, page faults and output.
Boundary    main() is the tool. Writes a result folder: manifest.json, runs.csv, verdict.json, report.md and
            .html.
Invariants  The library that is preloaded is proved to be the one that malloc comes from, before anything is
            run.
"""
from __future__ import annotations

import json
import os
import platform
import random
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Optional

from . import app_library, app_report, cli, document, text, wholefile
from .app_programs import PROGRAMS, Cpus, choose, own_command
from .app_runs import Outcome, RunFile, note_cleared, run_program
from .errors import InputError
from .looks import result_folder

PROG = "hakbench app"
DEFAULT_BLOCKS = 10
LEAST_BLOCKS = 6  # for a sign interval of 95 %
SCHEDULE_SEED = 1


def host() -> dict:
    """What of this machine the figures depend on."""

    def read(path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError:
            return "unknown"

    model = next((line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), "unknown processor")
    return {"cpu_model": model, "cpus_online": os.cpu_count(),
            "kernel": f"{platform.system()} {platform.release()}",
            "thp_enabled": read("/sys/kernel/mm/transparent_hugepage/enabled"),
            "load_average": read("/proc/loadavg")}


def choose_cpus(wanted: str) -> Cpus:
    """The subject's CPU (the highest that is allowed, or `wanted`) and all others for clients."""
    allowed = sorted(os.sched_getaffinity(0))
    subject = allowed[-1]
    if wanted:
        if not wanted.isdecimal() or int(wanted) not in allowed:
            raise InputError(f"--cpu {wanted}: this process may run on {', '.join(map(str, allowed))}")
        subject = int(wanted)
    return Cpus([subject], [cpu for cpu in allowed if cpu != subject] or [subject])


def settings_by_label(settings, labels) -> dict:
    """Label -> ((NAME, VALUE), ...) of --env LABEL:NAME=VALUE. Raises InputError."""
    found: dict = {label: [] for label in labels}
    for setting in settings:
        label, colon, rest = setting.partition(":")
        name, equals, value = rest.partition("=")
        if not (colon and equals and name):
            raise InputError(f"--env {setting}: write LABEL:NAME=VALUE")
        if label not in found:
            raise InputError(f"--env {setting}: there is no allocator '{label}' here; there are "
                             f"{', '.join(labels)}")
        found[label].append((name, value))
    return {label: tuple(pairs) for label, pairs in found.items()}


def resolve_libraries(words, settings) -> list:
    libraries = [app_library.resolve(word) for word in words]
    labels = [library.label for library in libraries]
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise InputError(f"two allocators are called {twice.pop()}; name them: -a LABEL=...")
    environments = settings_by_label(settings, labels)
    libraries = [replace(library, environment=environments[library.label]) for library in libraries]
    for library in libraries:
        app_library.check_in_use(library)
    return libraries


def check_command(name: str, libraries) -> None:
    """Before there is a folder: raises InputError where there is no such program. Where an allocator's --env
    says where programs are, the start of it will tell."""
    if shutil.which(name) or any("PATH" in dict(library.environment) for library in libraries):
        return
    raise InputError(f"{name}: cannot be started: there is no such program, or it may not be executed; check "
                     "its name, or give its path")


def _make_parser():
    parser = cli.make_parser(
        PROG, "Runs real programs under each allocator by LD_PRELOAD, in turns, and compares CPU time, peak\n"
        "resident memory, page faults and output. The first allocator is the candidate.",
        "programs:\n" + "".join(f"  {program.name:<9} {program.models}\n" for program in PROGRAMS)
        + "\nexamples:\n  hakbench app -a hakmem -a mimalloc\n"
        "  hakbench app -a hakmem -a new=/opt/mimalloc/libmimalloc.so -a glibc --programs g++,redis\n"
        "  hakbench app -a hakmem -a lean=hakmem --env lean:HAKMEM_PROFILE=memory_lean_dontneed\n"
        "  hakbench app -a hakmem -a jemalloc -- sort -u words.txt\n\n"
        "exit codes: 0 done, 1 the tool, its input or a program failed, 2 an output differed, or, with\n"
        "--margin, a program was slower")
    parser.add_argument("-a", "--allocator", action="append", required=True, metavar="[LABEL=]ALLOCATOR",
                        help=f"{', '.join([*app_library.BUILT, *app_library.PACKAGED])}, a library by its "
                             f"path, or {app_library.NOTHING} (nothing preloaded); repeat it")
    parser.add_argument("--programs", default="", metavar="LIST",
                        help="which of them, with commas between (default all that are installed)")
    parser.add_argument("--blocks", type=int, default=DEFAULT_BLOCKS, metavar="N",
                        help="blocks; in each every allocator runs twice (default %(default)s)")
    parser.add_argument("--cpu", default="", metavar="N",
                        help="CPU of the measured program (default the last)")
    parser.add_argument("--env", action="append", default=[], metavar="LABEL:NAME=VALUE",
                        help="set a variable for one allocator; repeat it")
    parser.add_argument("--margin", metavar="SHARE",
                        help="fail (2) if a program is slower by more than that, 2%% say")
    parser.add_argument("-o", "--output", metavar="DIR",
                        help="folder of the result (default out/app-TIME-PID)")
    cli.add_format(parser)
    return parser


def _new_folder(wanted) -> Path:
    folder = result_folder(wanted, "app")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); name another with -o") from None
    if (folder / "runs.csv").exists():
        raise InputError(f"{folder} holds a result already; name another folder with -o")
    return folder


def _measure(programs, libraries, options, cpus: Cpus, folder: Path) -> Outcome:
    outcome, draw = Outcome(), random.Random(SCHEDULE_SEED)
    try:
        runs = RunFile(folder / "runs.csv")
        try:
            for program in programs:
                run_program(program, libraries, options.blocks, cpus, draw, runs, outcome)
        finally:
            runs.close()
    except OSError as error:
        raise InputError(f"{folder}/runs.csv: {error.strerror}; the rows before are kept") from None
    return outcome


def _finish(folder: Path, libraries, outcome: Outcome, manifest: dict) -> list:
    """Judges runs.csv, writes verdict.json and the report; returns the comparisons."""
    runs = app_report.read_runs(folder / "runs.csv")
    comparisons = app_report.compare_all(runs, [library.label for library in libraries])
    margin = manifest.get("margin")
    manifest["status"] = "failed" if outcome.failed else "complete"
    wholefile.write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n", wholefile.MEND)
    wholefile.write_text(folder / "verdict.json", json.dumps({
        "format": "hakbench-app/1", "comparisons": [row.as_dict() for row in comparisons],
        "failed": [{"program": program, "allocator": label, "reason": reason}
                   for (program, label), reason in outcome.failed.items()],
        "different": [{"program": program, "allocator": label}
                      for program, label in sorted(outcome.different)],
        "margin": margin,
        "slower": [{"program": row.program, "allocator": row.candidate, "reference": row.reference}
                   for row in app_report.too_slow(comparisons, margin)],
        "notes": app_report.notes(outcome, comparisons, margin)}, indent=1) + "\n",
        wholefile.MEND)
    parts = app_report.parts(comparisons, outcome, manifest)
    wholefile.write_text(folder / "report.md", document.to_markdown(parts), wholefile.MEND)
    wholefile.write_text(folder / "report.html", document.to_html(parts, "Real programs"), wholefile.MEND)
    return comparisons


def for_people(comparisons, outcome: Outcome, folder: Path, margin: Optional[float] = None) -> str:
    lines = []
    for metric, title in app_report.TITLES[:2] if comparisons else ():
        lines += [title, text.text_table(app_report.table(comparisons, metric)), ""]
    return "\n".join([*lines, *app_report.notes(outcome, comparisons, margin),
                      f"report: {folder / 'report.md'}"])


def _run(argv) -> int:
    options, command = cli.parse_with_rest(_make_parser(), argv)
    if options.blocks < 1:
        raise InputError("--blocks must be 1 or more")
    if command and options.programs:
        raise InputError("either --programs or a command behind --, not both")
    margin = None if options.margin is None else cli.share("--margin", options.margin)
    if margin is not None and options.blocks < LEAST_BLOCKS:
        raise InputError(f"--margin needs --blocks {LEAST_BLOCKS} or more: fewer give no interval of 95 %")
    programs = [own_command(command)] if command else choose(options.programs)
    libraries = resolve_libraries(options.allocator, options.env)
    if command:
        check_command(command[0], libraries)
    cpus = choose_cpus(options.cpu)
    note_cleared()
    folder = _new_folder(options.output)
    words = sys.argv[2:] if argv is None else list(argv)
    manifest = {
        "format": "hakbench-app/1", "argv": ["hakbench", "app", *map(shlex.quote, words)],
        "status": "running", "start_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "allocators": {library.label: {"path": library.path, "sha256": library.sha256,
                                       "environment": dict(library.environment)} for library in libraries},
        "programs": {program.name: list(program.command) for program in programs}, "blocks": options.blocks,
        "margin": margin, "schedule_seed": SCHEDULE_SEED,
        "cpus": ",".join(map(str, cpus.subject)), "host": host()}
    wholefile.write_text(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n", wholefile.MEND)
    outcome = _measure(programs, libraries, options, cpus, folder)
    comparisons = _finish(folder, libraries, outcome, manifest)
    if options.format == "json":
        print((folder / "verdict.json").read_text(encoding="utf-8"), end="")
    else:
        print(for_people(comparisons, outcome, folder, margin))
    if outcome.failed:
        return cli.EXIT_ERROR
    failed = outcome.different or app_report.too_slow(comparisons, margin)
    return cli.EXIT_GATE_FAILED if failed else cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
