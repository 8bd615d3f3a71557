"""Where the program hakbench is, and what was built with it.

Boundary    $HAKBENCH (the launchers bin/hakbench-TOOL set it to the one beside them), else PATH. run() is how
            it is started where it may run for long.
"""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Sequence

from .errors import InputError

VARIABLE = "HAKBENCH"


def find_hakbench() -> str:
    """The path of the program. Raises InputError when there is none."""
    wanted = os.environ.get(VARIABLE, "hakbench")
    path = shutil.which(wanted)
    if path is None:
        raise InputError(f"no program {wanted}: build it (cmake --build --preset release), or name it with "
                         f"{VARIABLE}=/path/hakbench")
    return os.path.abspath(path)


def run(words: Sequence[str], **more) -> subprocess.CompletedProcess:
    """subprocess.run() of hakbench. What ends this process meanwhile ends that one with SIGTERM and waits for
    it, where subprocess.run() would kill it: a tool has processes of its own to end, a run its manifest."""
    with subprocess.Popen(words, **more) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def find_built(name: str) -> str:
    """A file of lib/ beside the program's folder, or of lib/hakmem/ where it is installed. Raises
    InputError."""
    library = Path(find_hakbench()).resolve().parents[1] / "lib"
    for path in (library / name, library / "hakmem" / name):
        if path.exists():
            return str(path)
    raise InputError(f"{library / name} is not there: build it (cmake --build --preset release)")


def find_shared(name: str) -> Path:
    """Where a file of share/hakmem/ beside the program's folder is, if it is there. Raises InputError without
    a program."""
    return Path(find_hakbench()).resolve().parents[1] / "share/hakmem" / name


def to_preload(library: str) -> str:
    """The path of a library for LD_PRELOAD. Raises InputError for one that the linker would split: it then
    warns, loads nothing and goes on."""
    if " " in library or ":" in library:
        raise InputError(f"LD_PRELOAD cannot name {library}: it has a space or a colon; move it, with the "
                         "build or installation that it belongs to")
    return library


def find_steady() -> str:
    """The library that makes a process do the same each time (harness/standalone/steady.c). Raises
    InputError."""
    return to_preload(find_built("hakbench_steady.so"))


def find_run_measured() -> str:
    """The program that starts another and measures it (harness/standalone/run_measured.c). Raises
    InputError."""
    return find_built("run_measured")
