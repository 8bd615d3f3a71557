"""The lines of csvnarrow.py, made by a process of its own.

Purpose     A wide file of gigabytes in little more than its parsing takes: that fills one CPU, and this
            another.
Boundary    A file and the place behind its header line in; lines out as NarrowLines gives them, and then
            where the rest begins. start() says for which files.
Invariants  Read ahead is what a pipe holds, so memory does not grow with the file. The process ends when its
            reader does, however that ends. What it has read is never read twice.
"""
from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from typing import Optional, Sequence

from .csvnarrow import NarrowLines
from .errors import InputError

LEAST_BYTES = 64 << 20  # in the file: below, a second interpreter takes longer to start than it spares
PROGRAM = "import sys; sys.path = {!r}; from hakmem_analysis import csvahead; csvahead.main(sys.argv)"


class LinesAhead:
    """NarrowLines of another process, to be closed; the same `rows` and `row` at the end, and `begin`, the
    place in the file where the rest begins."""

    def __init__(self, name: str, process: subprocess.Popen):
        self.rows, self.row, self.begin = 0, 0, 0
        self._name, self._process = name, process

    def read(self, size: int) -> bytes:
        """As NarrowLines.read(). Raises InputError if the process did not come to its end."""
        lines = self._process.stdout.read(size)
        if not lines:
            words = self._process.stderr.read().decode(errors="replace").splitlines()
            status = self._process.wait()
            if status != 0:
                reason = words[-1] if words else f"signal {-status}"
                raise InputError(f"{self._name}: the process that reads it ahead failed ({reason}); "
                                 "try again")
            self.rows, self.row, self.begin = map(int, words)
        return lines

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def start(name: str, stream, columns: int, wanted: Sequence[int],
          block_bytes: int) -> Optional[LinesAhead]:
    """Reads ahead from the stream's place on; None for what is no large file, where there is one CPU, and
    where no process can be started. `columns`, `wanted` and `block_bytes` are NarrowLines'."""
    try:
        status, begin = os.fstat(stream.fileno()), stream.tell()
        if not stat.S_ISREG(status.st_mode) or status.st_size - begin < LEAST_BYTES or (
                len(os.sched_getaffinity(0)) < 2):
            return None
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", PROGRAM.format(sys.path),
             os.path.abspath(stream.name), *map(str, (begin, block_bytes, columns, *wanted))],
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return None
    return LinesAhead(name, process)


def main(arguments: Sequence[str]) -> None:
    """The process: `-c FILE BEGIN BLOCK_BYTES COLUMNS WANTED...`. Lines to standard output; at the end
    NarrowLines' rows and row and the place of what it holds to standard error."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # its reader is gone
    path, (begin, block_bytes, columns, *wanted) = arguments[1], map(int, arguments[2:])
    try:
        with open(path, "rb") as stream:
            stream.seek(begin)
            lines = NarrowLines(stream, columns, wanted, block_bytes)
            while block := lines.read(0):
                sys.stdout.buffer.write(block)
            sys.stdout.flush()
            begin = stream.tell() - len(lines.held)
    except OSError as error:
        sys.exit(error.strerror)
    print(lines.rows, lines.row, begin, sep="\n", file=sys.stderr)
