"""The lines of a CSV without the cells that nobody asked for.

Purpose     Spare the parser most of the text: of a wide file that is most of its time.
Boundary    A binary stream behind its header line in, lines of the wanted cells out, block by block, up to
            the first block that is not plain. From there on csvlines.py has the stream, and what it checks.
Invariants  A plain block holds whole lines with a cell for each column, and neither quotes nor carriage
            returns: so each comma separates, and what comes out is parsed to what the whole lines would be.
            Memory does not grow with the file. A number is the double nearest to its text: pandas' quick
            parser is right where both the digits and the power of ten are exact doubles; any other cell is
            read by Python.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from .csvlines import COMMA, NEWLINE

BLOCK_BYTES = 96 << 10  # so that its arrays are not taken from the kernel, and given back, each time
LEAST_COLUMNS = 3  # in the file for each that is wanted; with fewer there is little to gain
MOST_PADDING = 4  # times the block, for cells as wide as the widest of their column
# Of a quotient or product of two exact doubles: up to 16 digits below 2^53, and a power of ten up to 22.
QUICK_CHARACTERS, QUICK_UNDER_9, SHORT = 15, 17, 5
QUICK_VALUES = 1e-6, 1e15


def runs_of(wanted: Sequence[int]) -> list:
    """(first, last) of each run of neighbours in rising numbers of columns, from 0."""
    firsts = [column for column in wanted if column - 1 not in wanted]
    lasts = [column for column in wanted if column + 1 not in wanted]
    return list(zip(firsts, lasts))


def narrowed(block: bytes, columns: int, runs: Sequence[tuple],
             numbers: Sequence[int] = ()) -> Optional[tuple]:
    """(number of rows, their lines with the cells of `runs` alone, slow_cells() of each column of `numbers`)
    of a block; None if it is not plain, or if a single cell is so long that padding the others to it would
    take more than MOST_PADDING."""
    if not block.endswith(b"\n") or b'"' in block or b"\r" in block:
        return None
    text = np.frombuffer(block, np.uint8)
    ends = text == NEWLINE
    rows = np.count_nonzero(ends)
    separators = np.flatnonzero(ends | (text == COMMA))
    if len(separators) != rows * columns or not ends[separators[columns - 1::columns]].all():
        return None
    stops = separators.reshape(rows, columns)

    def begins_of(column):
        return stops[:, column - 1] + 1 if column else np.concatenate(([0], stops[:-1, -1] + 1))

    cells, there = [], []
    for first, last in runs:
        begins = begins_of(first)
        sizes = stops[:, last] + 1 - begins  # with the separator behind
        width = int(sizes.max())
        if rows * width > MOST_PADDING * len(block):
            return None
        windows = np.ndarray(len(block), f"V{width}", block + bytes(width), strides=(1,))
        cells.append(windows[begins].view(np.uint8).reshape(rows, width))
        there.append(np.arange(width) < sizes[:, np.newaxis])
    cells[-1][np.arange(rows), sizes - 1] = NEWLINE
    lines = np.concatenate(cells, axis=1)[np.concatenate(there, axis=1)].tobytes()
    slow = {column: slow_cells(block, text, begins_of(column), stops[:, column] - begins_of(column))
            for column in numbers}
    return rows, lines, slow


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:  # the parser finds that too
        return float("nan")


def slow_cells(block: bytes, text: np.ndarray, begins: np.ndarray, sizes: np.ndarray) -> tuple:
    """Of a column's cells: (the rows that the quick parser may get wrong by their text alone; their numbers;
    a mask of those so long that their zero may be an underflow)."""
    first = text[begins] - np.uint8(ord("1"))  # what is below it wraps around to more than 8
    long = sizes > SHORT
    rows = np.flatnonzero((sizes > QUICK_UNDER_9) | ((sizes > QUICK_CHARACTERS) & (first == 8))
                          | (long & (first > 8)))
    ends = begins[rows] + sizes[rows]
    return rows, np.array([_number(block[begin:end]) for begin, end in
                           zip(begins[rows].tolist(), ends.tolist())]), long


@dataclass(frozen=True)
class _Block:
    """Lines that passed: the first one's data row, how many, and slow_cells() by column."""

    row: int
    rows: int
    lines: bytes
    slow: dict

    def cells(self, place: int, rows: np.ndarray) -> list:
        lines = self.lines.split(b"\n")
        return [float(lines[row].split(b",")[place]) for row in rows.tolist()]


class NarrowLines:
    """What pandas reads from in place of the stream, as long as its blocks are plain. Of `columns` columns
    those in `wanted` stay, rising numbers from 0; nearest() mends those in `numbers`.

    `rows` is the number of rows that passed. Then `held` is what was read of the rest, from data row `row`
    on: the last row that passed once more, because pandas refuses lines that all lack cells, and the block
    that is not plain; b"" at the end of the stream.
    """

    def __init__(self, stream, columns: int, wanted: Sequence[int], numbers: Sequence[int] = ()):
        self.rows, self.row, self.held = 0, 0, b""
        self._stream, self._columns, self._wanted, self._numbers = stream, columns, list(wanted), numbers
        self._runs, self._before, self._blocks = runs_of(wanted), b"", []

    def read(self, _size: int) -> bytes:
        """Lines, of about BLOCK_BYTES in the stream; b"" where they end."""
        block = self._stream.read(BLOCK_BYTES)
        block += self._stream.readline()
        found = narrowed(block, self._columns, self._runs, self._numbers)
        if found is None:
            last = self._before[self._before[:-1].rfind(b"\n") + 1:] if block else b""
            self.row, self.held = self.rows - bool(last), last + block
            return b""
        self._before = block
        rows, lines, slow = found
        if self._numbers:
            self._blocks.append(_Block(self.rows, rows, lines, slow))
        self.rows += rows
        return lines

    def nearest(self, column: int, row: int, values: np.ndarray) -> np.ndarray:
        """The numbers of a column from data row `row` on, which the quick parser found to be `values`, as
        the doubles nearest to their texts."""
        values, place, size = values.copy(), self._wanted.index(column), np.abs(values)
        quick = ((size >= QUICK_VALUES[0]) & (size <= QUICK_VALUES[1])) | np.isnan(values)
        for block in self._blocks:
            begin, end = max(row, block.row), min(row + len(values), block.row + block.rows)
            if begin >= end:
                continue
            own, part = slice(begin - block.row, end - block.row), slice(begin - row, end - row)
            rows, numbers, long = block.slow[column]
            doubtful = np.flatnonzero(~(quick[part] | ((values[part] == 0) & ~long[own])))
            if len(doubtful):
                values[part][doubtful] = block.cells(place, doubtful + own.start)
            within = (rows >= own.start) & (rows < own.stop)
            values[part][rows[within] - own.start] = numbers[within]
        return values

    def forget(self, row: int) -> None:
        """No row before this one will be asked for."""
        self._blocks = [block for block in self._blocks if block.row + block.rows > row]
