"""Reading CSV: any file, standard input, or a file that a killed run left behind.

Purpose     One reader for every tool, which reports bad cells with file, line and column.
Boundary    Rows are read in chunks, other columns are skipped (before the parser sees them as long as the
            lines are plain: csvnarrow.py), and `keep` drops rows at once. read_chunks() holds one chunk at a
            time, whatever the file's size; read_columns() all rows of the columns asked for, 8 bytes a row
            and numeric column, and once more while it joins them.
Invariants  An empty cell is NaN. No cell is ever guessed: text in a numeric column is an error, `nan` and
            `inf` too, and so is a row with more cells than the header. Half a last line is no row.
"""
from __future__ import annotations

import contextlib
import csv
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

import numpy as np
import pandas as pd

from .csvlines import CheckedLines, line_of, note_cut_line
from .csvnarrow import LEAST_COLUMNS, NarrowLines
from .errors import InputError

CHUNK_ROWS = 50_000  # of 42 columns: 60 MB in the parser
STDIN_NAME = "standard input"


def source_name(source: str) -> str:
    """The name of a source in messages: the path, or "standard input" for `-`."""
    return STDIN_NAME if source == "-" else str(source)


def resolve_source(source: str, inside_folder: str = "epochs.csv") -> tuple:
    """(what to read, max_rows of read_chunks()): `-` and files as they are, with all their rows; for a result
    folder its epochs.csv, with those that are complete. Raises InputError."""
    if source == "-" or not Path(source).is_dir():
        return source, None
    path = Path(source) / inside_folder
    rows, cut = count_complete_rows(path)
    if cut:
        note_cut_line(str(path))
    return str(path), rows


def throughput_rows(chunk: pd.DataFrame) -> pd.Series:
    """The mask of throughput epochs: all rows where there is no column `kind`."""
    return chunk["kind"] == "throughput" if "kind" in chunk else pd.Series(True, chunk.index)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def check_header(name: str, found: Sequence[str], needed: Sequence[str]) -> None:
    """Raises InputError that names the missing columns and lists those that are there."""
    missing = [column for column in needed if column not in found]
    if missing:
        raise InputError(f"{name}:1: no column '{missing[0]}'; the header line has: "
                         f"{header_words(found) or 'nothing'}")


def header_words(header: Sequence[str]) -> str:
    """The names of a header line in a message, the first dozen of them."""
    return ", ".join(map(str, header[:12])) + (", ..." if len(header) > 12 else "")


def _open(source: str):
    """A binary stream of the source, as a context manager; standard input stays open. Raises InputError."""
    if source != "-":
        return open(source, "rb")
    if sys.stdin is None:
        raise InputError(f"{STDIN_NAME} is closed; name a file")
    return contextlib.nullcontext(sys.stdin.buffer)


def _read_header(name: str, stream) -> list:
    """Reads the header line off the stream; repeated column names are an error, and so is one column with
    another separator in its name."""
    line = stream.readline().decode("utf-8-sig")
    header = next(csv.reader([line]), [])
    if not any(header):
        raise InputError(f"{name}: the file is empty; a CSV with a header line was expected")
    other = next((mark for mark in ";\t|" if mark in header[0]), None)
    if len(header) == 1 and other:
        raise InputError(f"{name}:1: the header line is {header[0][:60]!r}, as if {other!r} separated the "
                         "columns; put commas there")
    twice = [column for column in header if header.count(column) > 1]
    if twice:
        raise InputError(f"{name}:1: two columns are named '{twice[0]}'; rename one")
    return header


def _as_numbers(name: str, column: str, cells: pd.Series) -> pd.Series:
    """float64 with NaN for empty cells, or an error that names the first cell that is no finite number."""
    numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    bad = np.isinf(numbers)
    if cells.dtype.kind not in "fiu":
        bad |= cells.notna() & numbers.isna()
    if bad.any():
        row = bad.idxmax()
        kind = "finite number" if np.isinf(numbers[row]) else "number"
        raise InputError(f"{name}:{line_of(row)}: column '{column}' holds '{cells[row]}', not a {kind}; "
                         "correct that line or remove it")
    return numbers


def _check_signs(name: str, column: str, numbers: pd.Series) -> None:
    """Raises InputError that names the first number below 0."""
    below = numbers < 0
    if below.any():
        row = below.idxmax()
        raise InputError(f"{name}:{line_of(row)}: column '{column}' holds '{numbers[row]:g}', which cannot "
                         "be negative; correct that line or remove it")


def _with_a_neighbour(column: str, header: list) -> list:
    """A column and one beside it: an empty cell alone in its line would be an empty line, without a cell."""
    place = min(header.index(column), len(header) - 2)
    return header[place:place + 2]


@dataclass(frozen=True)
class _Wanted:
    """What to make of the rows of a CSV; the names are those of read_chunks()."""

    name: str
    numbers: list
    texts: list
    keep: Optional[Callable[[pd.DataFrame], pd.Series]]
    left: list
    exact: bool
    not_negative: Sequence[str]

    def frames(self, lines, columns: list, row: int = 0, since: int = 0,
               max_rows: Optional[int] = None) -> Iterator[pd.DataFrame]:
        """Frames of lines that have these columns, the first of them data row `row`; rows before `since` are
        left out. None where there is no line. Raises InputError, and pandas' errors."""
        try:
            for chunk in pd.read_csv(
                    lines, names=columns, header=None, usecols=[*self.numbers, *self.texts], index_col=False,
                    dtype=dict.fromkeys(self.texts, "category"), nrows=max_rows, chunksize=CHUNK_ROWS,
                    skip_blank_lines=False, low_memory=False, keep_default_na=False, na_values=[""],
                    float_precision="round_trip" if self.exact else None):
                chunk.index += row
                for column in self.numbers:
                    chunk[column] = _as_numbers(self.name, column, chunk[column])
                    if column in self.not_negative:
                        _check_signs(self.name, column, chunk[column])
                kept = chunk.index >= since
                yield chunk.loc[kept if self.keep is None else kept & self.keep(chunk), self.left]
        except pd.errors.EmptyDataError:
            pass
        except pd.errors.ParserError as error:
            if "Calling read" in str(error):  # where Ctrl-C interrupts a read(), pandas loses the exception
                raise KeyboardInterrupt from None
            # "EOF inside string starting at row N": it counts from the first line that it was given.
            words = re.sub(r"(?<=at row )[0-9]+", lambda number: str(row + int(number[0])), str(error))
            raise pd.errors.ParserError(words) from None


def read_chunks(source: str, numbers: Sequence[str] = (), texts: Sequence[str] = (),
                optional_numbers: Sequence[str] = (), optional_texts: Sequence[str] = (),
                keep: Optional[Callable[[pd.DataFrame], pd.Series]] = None,
                forget: Sequence[str] = (), max_rows: Optional[int] = None,
                exact: bool = False, not_negative: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
    """The named columns of a CSV, in frames of at most CHUNK_ROWS rows; `source` is a path or `-`. At least
    one frame, so that the columns are known, with the header line in attrs["header"]; its index is the
    number of the row.

    Columns in `numbers` and `texts` must be there; optional ones are left out of the frames when the
    header lacks them. `keep` maps a chunk to a boolean mask of the rows to keep; columns in `forget` serve
    `keep` only. `max_rows` comes from a caller who has looked through the lines; without it they are checked
    here: a row with more cells than the header is an error, a last line that is cut off is left out with a
    note. Text columns come as categories, numeric ones as float64; `exact`: as the one nearest to the text,
    as Python and numpy read it, else sometimes as its neighbour, in half the time. A number below 0 in one of
    `not_negative` is a bad cell. Raises InputError for a missing, empty or foreign file, and for a bad row or
    cell.
    """
    name = source_name(source)
    wanted_numbers, wanted_texts = {*numbers, *optional_numbers}, {*texts, *optional_texts}
    try:
        with _open(source) as stream, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            header = _read_header(name, stream)
            check_header(name, header, (*numbers, *texts))
            chosen = [column for column in header if column in wanted_numbers | wanted_texts]
            left = [column for column in chosen if column not in forget]
            empty = pd.DataFrame({column: pd.Series(dtype=float if column in wanted_numbers else "category")
                                  for column in left})
            empty.attrs["header"] = header
            yield empty
            wanted = _Wanted(name, [column for column in chosen if column in wanted_numbers],
                             [column for column in chosen if column not in wanted_numbers], keep, left, exact,
                             not_negative)
            if max_rows is not None:
                yield from wanted.frames(stream, header, max_rows=max_rows)
                return
            row, held, rows = 0, b"", 0
            if chosen and len(header) >= LEAST_COLUMNS * len(chosen):
                columns = chosen if len(chosen) > 1 else _with_a_neighbour(chosen[0], header)
                lines = NarrowLines(stream, len(header), [header.index(column) for column in columns])
                yield from wanted.frames(lines, columns)
                row, held, rows = lines.row, lines.held, lines.rows
            yield from wanted.frames(CheckedLines(name, stream, len(header), row, held), header, row, rows)
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        raise InputError(f"{name}: not a readable CSV ({_one_line(error)}); is it the right file?") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: not text in UTF-8; a CSV with a header line was expected") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or _one_line(error)}); "
                         "check the path") from None


def read_columns(source: str, **choice) -> pd.DataFrame:
    """All rows of the named columns of a CSV, numbered anew, texts as str or NaN; the header line is in
    attrs["header"]; the arguments are read_chunks()'s."""
    empty, *frames = read_chunks(source, **choice)
    frame = pd.concat(frames, ignore_index=True) if frames else empty
    for column in frame.select_dtypes("category"):
        frame[column] = frame[column].astype(object)
    frame.attrs["header"] = empty.attrs["header"]
    return frame


def count_complete_rows(path: Path) -> tuple[int, bool]:
    """The number of complete data rows of a file the harness wrote, and whether its end is cut off.

    A row is complete when its line ends in a newline; a killed machine may leave one that does not, as
    the last. Any other row with more or fewer cells than the header is an error, since pandas would
    silently fill it. The file is read as a stream.
    """
    rows, cut = 0, False
    try:
        with open(path, newline="", encoding="utf-8") as stream:

            def complete_lines():
                nonlocal cut
                for line in stream:
                    if line.endswith("\n"):
                        yield line
                    else:
                        cut = True

            reader = csv.reader(complete_lines())
            header = next(reader, None)
            if not header:
                raise InputError(f"{path}: the file is empty; a header line was expected")
            for row in reader:
                if len(row) != len(header):
                    raise InputError(f"{path}:{reader.line_num}: {len(row)} cells where the header has "
                                     f"{len(header)}; remove that line if the rest is sound")
                rows += 1
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged after data row {rows} ({_one_line(error)}); "
                         "cut the file there if the rest is sound") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); is this a result folder?") from None
    return rows, cut
