"""The byte stream of a CSV, looked through on its way to the parser.

Purpose     Refuse a row with more cells than the header, and leave out a last line that is cut off: pandas
            would silently drop the cells of the one and fill those of the other.
Boundary    A binary stream behind its header line in, its lines out, block by block. What the cells
            hold is csvfile.py's.
Invariants  A block holds whole lines and nothing is kept between blocks but counts, so memory does not grow
            with the file. Commas and newlines within quotes separate nothing. numpy counts separators; the
            csv module reads only a row that has too many, and has the last word on it. Not counted is a row
            whose quoted newline falls on the edge of two blocks.
"""
from __future__ import annotations

import csv
import io
import sys

import numpy as np

from .errors import InputError

NEWLINE, COMMA, QUOTE = b'\n,"'


def line_of(row: int) -> int:
    """The line of data row `row` (from 0) in a file whose header is line 1."""
    return row + 2


def note_cut_line(name: str) -> None:
    sys.stderr.write(f"note: {name}: the last line is cut off; it is left out\n")


def _cells(row: bytes) -> int:
    """The most cells of a row; of several where a stray quote made them look like one."""
    return max(map(len, csv.reader(io.StringIO(row.decode("utf-8", "replace"), newline=""))), default=0)


class CheckedLines:
    """What pandas reads from in place of the stream, of which `held` was read already; data row `row` is its
    first. read() raises InputError with file and line."""

    def __init__(self, name: str, stream, columns: int, row: int = 0, held: bytes = b""):
        self._name, self._stream, self._columns = name, stream, columns
        self._rows, self._held = row, held  # data rows that have ended
        self._within_quotes = False  # at the end of the last block

    def read(self, size: int) -> bytes:
        """At least `size` bytes up to the end of a line; b"" at the end of the stream."""
        block, self._held = self._held or self._stream.read(size), b""
        block += self._stream.readline()
        if block and not block.endswith(b"\n"):
            block = self._ended(block)
        if block:
            self._check(block)
        return block

    def _ended(self, block: bytes) -> bytes:
        """The last block with an end to its last line, or without that line."""
        head, newline, last = block.rpartition(b"\n")
        # An odd quote ends a cell of several lines, or opens one that never ends: the parser's to say.
        if last.count(b'"') % 2 == 0 and _cells(last) < self._columns:
            note_cut_line(self._name)
            return head + newline
        return block + b"\n"

    def _check(self, block: bytes) -> None:
        numbers = np.frombuffer(block, np.uint8)
        ends, commas = numbers == NEWLINE, numbers == COMMA
        began_within = self._within_quotes
        if began_within or b'"' in block:
            quotes = np.cumsum(numbers == QUOTE, dtype=np.uint8) + np.uint8(began_within)
            outside = (quotes & 1) == 0
            ends &= outside
            commas &= outside
            self._within_quotes = not outside[-1]
        ends = np.flatnonzero(ends)
        if not len(ends):
            return
        begins = np.concatenate(([0], ends[:-1] + 1))
        separators = np.add.reduceat(commas.view(np.uint8), begins, dtype=np.uint32)
        if began_within:
            separators[:1] = 0
        for row in np.flatnonzero(separators >= self._columns):
            begin = ends[row - 1] + 1 if row else 0
            cells = _cells(block[begin:ends[row]])
            if cells > self._columns:
                raise InputError(f"{self._name}:{line_of(self._rows + row)}: {cells} cells where the header "
                                 f"has {self._columns}; quote a cell that holds a comma, or remove that line")
        self._rows += len(ends)
