"""The lines of a CSV without the cells that nobody asked for.

Purpose     Spare the parser most of the text: of a wide file that is most of its time.
Boundary    A binary stream behind its header line in, lines of the wanted cells out, block by block, up to
            the first block that is not plain. From there on csvlines.py has the stream, and what it checks.
Invariants  A plain block holds whole lines with a cell for each column, and neither quotes nor carriage
            returns: so each comma separates, and what comes out is parsed to what the whole lines would be.
            Memory does not grow with the file.
"""
from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from .csvlines import COMMA, NEWLINE

BLOCK_BYTES = 1 << 18  # it and what is made of it fit into a CPU's own cache
LEAST_COLUMNS = 3  # in the file for each that is wanted; with fewer there is little to gain
MOST_PADDING = 4  # times the block, for cells as wide as the widest of their column


def runs_of(wanted: Sequence[int]) -> list:
    """(first, last) of each run of neighbours in rising numbers of columns, from 0."""
    firsts = [column for column in wanted if column - 1 not in wanted]
    lasts = [column for column in wanted if column + 1 not in wanted]
    return list(zip(firsts, lasts))


def narrowed(block: bytes, columns: int, runs: Sequence[tuple]) -> Optional[tuple]:
    """(number of rows, their lines with the cells of `runs` alone) of a block; None if it is not plain, or
    if a single cell is so long that padding the others to it would take more than MOST_PADDING."""
    if not block.endswith(b"\n") or b'"' in block or b"\r" in block:
        return None
    text = np.frombuffer(block, np.uint8)
    ends = text == NEWLINE
    rows = np.count_nonzero(ends)
    separators = np.flatnonzero(ends | (text == COMMA))
    if len(separators) != rows * columns or not ends[separators[columns - 1::columns]].all():
        return None
    stops = separators.reshape(rows, columns)
    cells, there = [], []
    for first, last in runs:
        begins = stops[:, first - 1] + 1 if first else np.concatenate(([0], stops[:-1, -1] + 1))
        sizes = stops[:, last] + 1 - begins  # with the separator behind
        width = int(sizes.max())
        if rows * width > MOST_PADDING * len(block):
            return None
        windows = np.ndarray(len(block), f"V{width}", block + bytes(width), strides=(1,))
        cells.append(windows[begins].view(np.uint8).reshape(rows, width))
        there.append(np.arange(width) < sizes[:, np.newaxis])
    cells[-1][np.arange(rows), sizes - 1] = NEWLINE
    return rows, np.concatenate(cells, axis=1)[np.concatenate(there, axis=1)].tobytes()


class NarrowLines:
    """What pandas reads from in place of the stream, as long as its blocks are plain. Of `columns` columns
    those in `wanted` stay, rising numbers from 0.

    `rows` is the number of rows that passed. Then `held` is what was read of the rest, from data row `row`
    on: the last row that passed once more, because pandas refuses lines that all lack cells, and the block
    that is not plain; b"" at the end of the stream.
    """

    def __init__(self, stream, columns: int, wanted: Sequence[int]):
        self.rows, self.row, self.held = 0, 0, b""
        self._stream, self._columns, self._runs = stream, columns, runs_of(wanted)
        self._before = b""

    def read(self, _size: int) -> bytes:
        """Lines, of about BLOCK_BYTES in the stream; b"" where they end."""
        block = self._stream.read(BLOCK_BYTES)
        block += self._stream.readline()
        found = narrowed(block, self._columns, self._runs)
        if found is None:
            last = self._before[self._before[:-1].rfind(b"\n") + 1:] if block else b""
            self.row, self.held = self.rows - bool(last), last + block
            return b""
        self._before = block
        self.rows += found[0]
        return found[1]
