"""One measured run of one program under one allocator.

Purpose     Start it on its CPU, wait for it, and say what it took and what it said.
Boundary    Commands in, one Measurement out; the figures are the kernel's (wait4, /proc), children that the
            program itself waited for included.
Invariants  Output goes to files, not through pipes: nothing that measures runs beside what is measured.
"""
from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from .binary import find_run_measured
from .errors import InputError

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 600.0
NOT_STARTED = 127  # as a shell has it
START_PATIENCE_S = 20.0
POLL_S = 0.02


class ProgramFailed(Exception):
    """The program did not end well; the text says how, with its last words."""


@dataclass(frozen=True)
class Measurement:
    """Times in seconds (wall; CPU, of which in the kernel), memory in kB of 1024 bytes, counts of the whole
    run.

    `output_sha256` is of standard output, standard error and the files that the program wrote. None: not
    measured.
    """

    wall_s: float
    cpu_s: float
    system_s: float
    peak_rss_kb: Optional[int]
    minor_faults: Optional[int]
    major_faults: Optional[int]
    involuntary_switches: Optional[int]
    output_sha256: str


def _on_cpus(cpus: Sequence[int]):
    def pin() -> None:
        os.sched_setaffinity(0, cpus)
    return pin


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _last_words(path: Path) -> str:
    lines = path.read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of the files, each with its length."""
    sum_ = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        sum_.update(f"{len(content)}\n".encode())
        sum_.update(content)
    return sum_.hexdigest()


def run_process(command: Sequence[str], environment: dict, folder: Path, cpus: Sequence[int],
                stdin: Optional[str] = None, writes: Sequence[str] = (), here: bool = False) -> Measurement:
    """Runs a command to its end, in `folder` or, with `here`, in the caller's directory; what it says goes to
    files of `folder`. Raises ProgramFailed."""
    said, complained = folder / "stdout", folder / "stderr"
    for name in writes:
        (folder / name).unlink(missing_ok=True)
    source = open(folder / stdin, "rb") if stdin else open(os.devnull, "rb")
    with source, open(said, "wb") as out, open(complained, "wb") as err:
        status, figures = _run_measured(command, environment, None if here else folder, cpus,
                                        (source, out, err))
    code = os.waitstatus_to_exitcode(status)
    if code == NOT_STARTED:
        raise InputError(f"{command[0]}: cannot be started{_last_words(complained)}")
    if code == -signal.SIGKILL and figures[0] >= PATIENCE_S * 1e9:
        raise ProgramFailed(f"{command[0]} did not end within {PATIENCE_S:.0f} s")
    if code != 0:
        raise ProgramFailed(f"{command[0]} {_ending(code)}{_last_words(complained)}")
    missing = [name for name in writes if not (folder / name).exists()]
    if missing:
        raise ProgramFailed(f"{command[0]} did not write {missing[0]}")
    wall_ns, user_us, system_us, peak_rss_kb, minor, major, switches = figures
    return Measurement(wall_ns / 1e9, (user_us + system_us) / 1e6, system_us / 1e6, peak_rss_kb, minor, major,
                       switches, digest([said, complained, *(folder / name for name in writes)]))


def _run_measured(command: Sequence[str], environment: dict, folder: Optional[Path], cpus: Sequence[int],
                  files) -> tuple:
    """(wait status, the other figures of run_measured's line)."""
    reader, writer = os.pipe()
    with open(reader, encoding="ascii") as report:
        # The library is for the command only, so the starter must be static, as it is.
        words = [find_run_measured(), str(writer), f"{PATIENCE_S:.0f}", ",".join(map(str, cpus)), *command]
        starter = subprocess.Popen(words, cwd=folder, env=environment, stdin=files[0], stdout=files[1],
                                   stderr=files[2], pass_fds=(writer,))
        os.close(writer)
        try:
            line = report.read()
        except BaseException:
            starter.terminate()
            starter.wait()
            raise
        starter.wait()
    if not line:
        raise InputError(f"{words[0]} failed with exit code {starter.returncode}")
    status, *figures = map(int, line.split())
    return status, figures


def _status_kb(pid: int, key: str) -> Optional[int]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return None


def _counters(pid: int) -> dict:
    """CPU seconds (all threads that live, in ns by /proc/PID/task/TID/schedstat) and faults so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    on_cpu_ns = sum(int(thread.read_text().split()[0]) for thread in threads)
    return {"minor": int(fields[7]), "major": int(fields[9]), "cpu": on_cpu_ns / 1e9,
            "system": int(fields[12]) / TICKS_PER_S}


@contextmanager
def serving(command: Sequence[str], environment: dict, folder: Path, cpus: Sequence[int], answers):
    """A server that runs while the block does; yields its process. `answers()` says whether it is up. Raises
    ProgramFailed if it does not come up; it is killed if it does not end on SIGTERM."""
    complained = folder / "server.log"
    with open(complained, "wb") as log:
        try:
            server = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, preexec_fn=_on_cpus(cpus))
        except OSError as error:
            raise InputError(f"{command[0]}: cannot be started ({error.strerror})") from None
    try:
        deadline = time.monotonic() + START_PATIENCE_S
        while not answers():
            if server.poll() is not None:
                raise ProgramFailed(f"{command[0]} {_ending(server.returncode)}{_last_words(complained)}")
            if time.monotonic() > deadline:
                raise ProgramFailed(f"{command[0]} did not answer within {START_PATIENCE_S:.0f} s")
            time.sleep(POLL_S)
        yield server
        if server.poll() is not None:
            raise ProgramFailed(f"{command[0]} {_ending(server.returncode)}{_last_words(complained)}")
    finally:
        server.terminate()
        try:
            server.wait(START_PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def measure_server(server: subprocess.Popen, load, outputs: Sequence[Path]) -> Measurement:
    """What the server took while load() ran. `outputs` are read when it is done."""
    before, begin = _counters(server.pid), time.monotonic()
    load()
    end, after = time.monotonic(), _counters(server.pid)
    return Measurement(end - begin, after["cpu"] - before["cpu"], after["system"] - before["system"],
                       _status_kb(server.pid, "VmHWM"), after["minor"] - before["minor"],
                       after["major"] - before["major"], None, digest(outputs))
