"""Instructions counted by valgrind's callgrind.

Purpose     Run a command under callgrind; read totals and each function's own cost out of its file.
Owns        Counts.
Boundary    count() starts valgrind and removes its files; parse() is pure: text in, Counts out.
Invariants  Callgrind, unlike memcheck, replaces no malloc: the allocator that is counted is the one that
            the command calls. Costs of callees are not in a function's own cost, so the functions add up
            to the totals.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence

from .errors import InputError

INSTRUCTIONS, READS, WRITES = "Ir", "Dr", "Dw"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Counts:
    """One process. `totals`: event -> count, Ir always, Dr and Dw with the cache simulation.
    `functions`: (object file, function) -> instructions of its own."""

    totals: dict
    functions: dict = field(default_factory=dict)


def find_valgrind() -> str:
    """The path of valgrind. Raises InputError naming the package."""
    path = shutil.which("valgrind")
    if path is None:
        raise InputError("valgrind is not installed; install the package valgrind")
    return path


def count(command: Sequence[str], data: bool = False, preload: str = "") -> Counts:
    """Runs the command under callgrind; `data` counts reads and writes of memory too, in twice the time.
    `preload` is a library that the command gets, "" for none.

    Raises InputError with the command's own last line when it fails.
    """
    with tempfile.TemporaryDirectory(prefix="hakbench-callgrind-") as folder:
        out = Path(folder) / "out"
        # hakbench starts itself anew when a tunable of the C library is missing; hence --trace-children.
        valgrind = [find_valgrind(), "--tool=callgrind", "--trace-children=yes",
                    f"--callgrind-out-file={out}", f"--cache-sim={'yes' if data else 'no'}"]
        try:
            done = subprocess.run([*valgrind, *command], capture_output=True, text=True, check=False,
                                  stdin=subprocess.DEVNULL, timeout=TIMEOUT_S,
                                  env={**os.environ, **({"LD_PRELOAD": preload} if preload else {})})
        except subprocess.TimeoutExpired:
            raise InputError(f"callgrind took more than {TIMEOUT_S} s; give fewer operations with "
                             "--ops") from None
        if done.returncode != 0:
            raise InputError(f"{' '.join(command)} failed under valgrind: {_last_words(done)}")
        if not out.exists():
            raise InputError(f"{' '.join(command)}: callgrind wrote no counts; try it by hand: valgrind "
                             "--tool=callgrind COMMAND")
        return parse(out.read_text(encoding="utf-8", errors="replace"))


def _last_words(done: subprocess.CompletedProcess) -> str:
    """The last line that is the command's, not valgrind's (==PID== ...)."""
    lines = [line for line in done.stderr.splitlines() if line.strip() and not re.match(r"==\d+==", line)]
    return lines[-1] if lines else f"exit code {done.returncode}"


_NAMED = re.compile(r"^(c?)(ob|fn)=\((\d+)\)(?: (.*))?$")  # cob=, cfn=: of the callee


def parse(text: str) -> Counts:
    """Callgrind's profile format, version 1 (valgrind manual, "Callgrind Format Specification").

    A cost line is a position, then the counts; trailing zeros may be left out. The line after `calls=` holds
    the cost of the callee and is passed over. A name stands in full once, later as its number. Raises
    InputError.
    """
    events, totals, functions = [], None, {}
    names = {"ob": {}, "fn": {}}
    current = {"ob": "", "fn": ""}
    callee_next = False
    for line in text.splitlines():
        if callee_next:
            callee_next = False
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            key = (current["ob"], current["fn"])
            cells = line.split()
            functions[key] = functions.get(key, 0) + (int(cells[1]) if len(cells) > 1 else 0)
        elif line.startswith("calls="):
            callee_next = True
        elif line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("totals:"):
            totals = [int(cell) for cell in line.split()[1:]]
        else:
            named = _NAMED.match(line)
            if named:
                of_callee, kind, number, name = named.groups()
                known = names[kind].setdefault(number, name or "")
                if not of_callee:
                    current[kind] = known
    if totals is None or events[:1] != [INSTRUCTIONS]:
        raise InputError("callgrind's file holds no totals of instructions (Ir): the counted process was cut "
                         "off; run it again")
    totals += [0] * (len(events) - len(totals))
    return Counts(dict(zip(events, totals)), functions)
