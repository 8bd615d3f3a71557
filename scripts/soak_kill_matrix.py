#!/usr/bin/env python3
"""Ends soaks in every way a soak can end, at random moments, and checks that nothing finished is lost.

Purpose     Prove the crash-safety that docs/design/soak.md promises.
Boundary    Starts the hakbench of a build, in folders of its own. It kills only what it started.
Witness     The metrics file of each soak: it is replaced after a row is written, by other code, in another
            folder. What it counts must be in epochs.csv; rows may be one ahead of it.
Exit codes  0 all cases passed, 1 the tool or its input failed, 2 a case failed, 130 Ctrl-C.
"""
from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import pty
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROG = "soak_kill_matrix.py"
NEEDS = ("numpy", "pandas", "scipy")
EPOCHS_LINE = re.compile(r"^hakbench_epochs_total\{.*\} (\d+)$", re.MULTILINE)
DURATION_S = 1.0
OPS = 400_000  # 10 to 50 ms
OPS_TO_FILL_A_DISK = 10_000  # rows are what fills it
DURATION_TO_FILL_A_DISK_S = 4.0
FIRST_EPOCH_TIMEOUT_S = 60
END_TIMEOUT_S = 60


def start_with_pandas():
    """Starts over with an interpreter that can load result folders, if this one can't."""
    if all(importlib.util.find_spec(name) for name in NEEDS):
        return
    found = subprocess.run([ROOT / "scripts" / "find_python.sh", *NEEDS], stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        sys.exit(1)
    os.execv(found.stdout.strip(), [found.stdout.strip(), *sys.argv])


class CaseFailed(Exception):
    """What a case found that must not be."""


def expect(condition, what):
    if not condition:
        raise CaseFailed(what)


def read_rows(path: Path) -> list:
    """The complete lines of a CSV after its header."""
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")][1:]


class Soak:
    """One soak with its folders: the result, and the metrics file apart from it."""

    def __init__(self, hakbench: Path, home: Path, work: Path, mode: str, limit, fills_disk: bool,
                 terminal: bool):
        self.result, self.metrics, self.errors = home / "result", work / "metrics", work / "errors"
        self.hakbench, self.master = hakbench, None
        ops, duration_s = (OPS_TO_FILL_A_DISK, DURATION_TO_FILL_A_DISK_S) if fills_disk else (OPS, DURATION_S)
        stderr = os.open(self.errors, os.O_WRONLY | os.O_CREAT)
        if terminal:
            os.close(stderr)
            self.master, stderr = pty.openpty()
        arguments = ["-a", "hakmem", "-a", "glibc", "--ops", str(ops), "--ws", "400", "--duration",
                     f"{duration_s}s", "--mode", mode, "-o", str(self.result), "--prometheus",
                     str(self.metrics)]
        if mode == "ratchet":
            arguments += ["--idle", "20ms"]

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if terminal:
                os.setsid()
                fcntl.ioctl(2, termios.TIOCSCTTY, 0)
            limit()

        self.process = subprocess.Popen(self.command(arguments), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=stderr, preexec_fn=prepare)
        os.close(stderr)

    def command(self, arguments):
        return [str(self.hakbench), "soak", "--no-report", *arguments]

    def wait_for_epochs(self, count: int):
        deadline = time.monotonic() + FIRST_EPOCH_TIMEOUT_S
        while self.witnessed() < count and self.process.poll() is None:
            expect(time.monotonic() < deadline, f"no {count} epochs within {FIRST_EPOCH_TIMEOUT_S} s")
            self.pause(0.005)

    def pause(self, seconds: float):
        """Sleeps, and reads what comes on the terminal, as a terminal does."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.master is None:
                time.sleep(left)
            elif select.select([self.master], [], [], left)[0]:
                try:
                    os.read(self.master, 65536)
                except OSError:  # EIO: the soak has ended, nobody holds the other end
                    return

    def witnessed(self) -> int:
        """Epochs that the metrics file says are on record."""
        try:
            return sum(int(count) for count in EPOCHS_LINE.findall(self.metrics.read_text()))
        except FileNotFoundError:
            return 0

    def subject_pids(self) -> list:
        """Of the subjects that now live: the coordinator's children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def resume(self):
        return subprocess.run(self.command(["--resume", str(self.result)]), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=END_TIMEOUT_S + 20, check=False)


def kill_quietly(pid: int, number: int):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it ended by itself in the meantime


def send(number):
    return lambda soak, chance: soak.process.send_signal(number)  # to nobody once it was reaped


def kill_subject(soak: Soak, chance: random.Random):
    pids = soak.subject_pids()
    if pids:
        kill_quietly(chance.choice(pids), signal.SIGKILL)


def kill_both(soak: Soak, chance: random.Random):
    if soak.process.poll() is not None:
        return
    pids = [*soak.subject_pids(), soak.process.pid]
    chance.shuffle(pids)
    for pid in pids:
        kill_quietly(pid, signal.SIGKILL)


def close_terminal(soak: Soak, chance: random.Random):
    os.close(soak.master)


# kind: how the soak is ended; the exit codes it may have (None: its own time was up before).
KINDS = {
    "SIGKILL coordinator": (send(signal.SIGKILL), {-signal.SIGKILL, 0}),
    "SIGKILL subject": (kill_subject, {1, 0}),
    "SIGKILL both": (kill_both, {-signal.SIGKILL, 1, 0}),
    "SIGINT": (send(signal.SIGINT), {130, 0}),
    "SIGTERM": (send(signal.SIGTERM), {143, 0}),
    "SIGHUP": (send(signal.SIGHUP), {129, 0}),
    "terminal closed": (close_terminal, {129, 0}),
    "disk full": (None, {1, 0}),
}


class SmallDisk:
    """A file system that is soon full: a small tmpfs where mounting is allowed, else a limit of file size."""

    def __init__(self, work: Path, chance: random.Random):
        self.path, self.room_kb = work / "disk", chance.randrange(32, 44, 4)
        self.path.mkdir()
        self.mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={self.room_kb}k", "hakbench", str(self.path)],
            stderr=subprocess.DEVNULL, check=False).returncode == 0

    def limit(self):
        if not self.mounted:
            room = (self.room_kb - 20) * 1024
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    def make_room(self):
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=8m", str(self.path)], check=True)

    def close(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)


def check_loads(folder: Path, rows: int):
    """The analysis loads the folder, and has exactly the rows that the file has."""
    from hakmem_analysis.errors import InputError
    from hakmem_analysis.load import load_result
    try:
        loaded = load_result(folder)
    except InputError as error:
        raise CaseFailed(f"the folder does not load: {error}") from None
    expect(len(loaded.epochs) == rows, f"{len(loaded.epochs)} epochs load, {rows} rows are on disk")
    expect(list(loaded.epochs["seq"]) == list(range(rows)), "the epochs' numbers have a gap")


def run_case(hakbench: Path, kind: str, mode: str, chance: random.Random, work: Path) -> dict:
    end, allowed = KINDS[kind]
    disk = SmallDisk(work, chance) if kind == "disk full" else None
    try:
        soak = Soak(hakbench, disk.path if disk else work, work, mode,
                    disk.limit if disk else lambda: None, disk is not None, kind == "terminal closed")
        outcome = observe(soak, end, allowed, chance, disk)
        return {**outcome, "mounted": disk.mounted} if disk else outcome
    finally:
        if disk:
            disk.close()


def observe(soak: Soak, end, allowed, chance, disk) -> dict:
    """Ends the soak, and checks the folder, then a resumed soak's."""
    csv = soak.result / "epochs.csv"
    try:
        if end:
            soak.wait_for_epochs(4)  # warm-up of both, and one each: a folder without an epoch does not load
            soak.pause(chance.uniform(0, 0.6 * DURATION_S))
            end(soak, chance)
        code = soak.process.wait(END_TIMEOUT_S)
    finally:
        if soak.process.poll() is None:
            soak.process.kill()
            soak.process.wait()
    witnessed = soak.witnessed()
    rows = read_rows(csv)
    error = soak.errors.read_text().splitlines()
    expect(code in allowed, f"exit code {code}: {error[-1:]}")
    expect(len(rows) >= witnessed, f"{witnessed} epochs were finished, {len(rows)} rows are on disk")
    expect(len(rows) <= witnessed + 1, f"{len(rows)} rows where {witnessed} epochs were finished")
    if code == 1:
        faults = [line for line in error if line.startswith("hakbench: error: ")]
        expect(len(faults) == 1, f"not one clear error: {error}")
    json.loads((soak.result / "manifest.json").read_text())
    check_loads(soak.result, len(rows))
    if disk:
        disk.make_room()
    if code == 0:
        return {"rows": len(rows), "ended_itself": True}
    resumed = soak.resume()
    expect(resumed.returncode == 0, f"the resumed soak ended with {resumed.returncode}: {resumed.stderr}")
    after = read_rows(csv)
    expect(after[:len(rows)] == rows, "the resumed soak changed rows of before")
    expect(len(after) > len(rows), "the resumed soak added nothing")
    expect(json.loads((soak.result / "manifest.json").read_text())["status"] == "complete",
           "the resumed soak is not complete")
    check_loads(soak.result, len(after))
    return {"rows": len(rows), "ended_itself": False}


def report(cases: list, seed: int) -> dict:
    kinds = {}
    for kind in KINDS:
        of_kind = [case for case in cases if case["kind"] == kind]
        if of_kind:
            kinds[kind] = {"cases": len(of_kind),
                           "ended_before": sum(case.get("ended_itself", False) for case in of_kind),
                           "epochs_before": sum(case.get("rows", 0) for case in of_kind),
                           "failed": sum("failure" in case for case in of_kind)}
    return {"format": "hakbench-kill-matrix/1", "seed": seed, "cases": len(cases),
            "disks_mounted": sum(case.get("mounted", False) for case in cases),
            "modes": dict(Counter(case["mode"] for case in cases)), "kinds": kinds,
            "failures": [case for case in cases if "failure" in case]}


def show(summary: dict):
    print(f"{'how it ended':22} {'cases':>6} {'ended before':>13} {'epochs before':>14} {'failed':>7}")
    for kind, row in summary["kinds"].items():
        print(f"{kind:22} {row['cases']:6} {row['ended_before']:13} {row['epochs_before']:14} "
              f"{row['failed']:7}")
    failed = len(summary["failures"])
    print(f"{'all':22} {summary['cases']:6} {'':13} {'':14} {failed:7}")
    for case in summary["failures"]:
        print(f"FAILED case {case['case']}, {case['kind']}, {case['mode']}: {case['failure']}")


def parse(argv):
    from hakmem_analysis import cli
    parser = cli.make_parser(
        PROG, "Ends short soaks in every way a soak can end, at random moments; checks that every\n"
        "finished epoch is on record, that the folder loads, and that --resume completes it.",
        "examples:\n  scripts/soak_kill_matrix.py --cases 200 --seed 1 --json summary.json\n"
        "  scripts/soak_kill_matrix.py --cases 8\n\n"
        "exit codes: 0 all cases passed, 1 the tool or its input failed, 2 a case failed")
    parser.add_argument("--cases", type=int, default=200,
                        help="how many, spread over the kinds (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and victims (default 1)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), metavar="KIND",
                        help=f"only this way to end; again for more: {', '.join(KINDS)}")
    parser.add_argument("--hakbench", type=Path, default=ROOT / "build" / "release" / "bin" / "hakbench",
                        help="the program (default the release build's)")
    parser.add_argument("--json", type=Path, help="write the summary here, too")
    options = parser.parse_args(argv)
    if options.cases < 1:
        parser.error(f"--cases {options.cases}: at least 1 is needed")
    if not options.hakbench.is_file() or not os.access(options.hakbench, os.X_OK):
        parser.error(f"no program {options.hakbench}; build it, or name one with --hakbench")
    return options


def check_writable(path: Path):
    """Before the cases, which take minutes, rather than behind them."""
    from hakmem_analysis.errors import InputError
    try:
        there = path.exists()
        path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another with --json") from None


def run_cases(options, cases: list):
    """Runs the cases and appends what each gave."""
    kinds = options.kind or list(KINDS)
    for number in range(options.cases):
        # Its own generator: a case can be repeated whatever was before it.
        chance = random.Random(options.seed * 1_000_003 + number)
        kind = kinds[number % len(kinds)]
        mode = "steady" if kind == "disk full" else chance.choice(["steady", "steady", "ratchet"])
        case = {"case": number, "kind": kind, "mode": mode}
        work = Path(tempfile.mkdtemp(prefix="hakbench-kill-"))
        try:
            case.update(run_case(options.hakbench.resolve(), kind, case["mode"], chance, work))
        except (CaseFailed, subprocess.TimeoutExpired, ValueError, FileNotFoundError) as failure:
            case["failure"] = str(failure)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        cases.append(case)
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {options.cases}", end="", file=sys.stderr, flush=True)


def run(argv) -> int:
    options, cases = parse(argv), []
    if options.json:
        check_writable(options.json)
    try:
        run_cases(options, cases)
    except KeyboardInterrupt:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        sys.stderr.write(f"{PROG}: interrupted after {len(cases)} of {options.cases} cases; nothing is "
                         "written\n")
        raise
    summary = report(cases, options.seed)
    show(summary)
    if options.json:
        from hakmem_analysis import wholefile
        wholefile.write_text(options.json, json.dumps(summary, indent=2) + "\n", "name another with --json")
    return 2 if summary["failures"] else 0


def main(argv=None) -> int:
    start_with_pandas()
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "analysis" / "src"))
    from hakmem_analysis import start
    start.leave_at_interrupt()
    from hakmem_analysis import cli
    return cli.run_tool(PROG, run, argv)


if __name__ == "__main__":
    sys.exit(main())
