"""Lines without the cells that nobody asked for: what is parsed of them is what the whole lines hold."""
import csv
import io
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hakmem_analysis import csvfile, csvnarrow
from hakmem_analysis.errors import InputError

RNG = np.random.default_rng(20261128)
WANTED = ([0], [4], [2], [0, 1, 2, 3, 4], [0, 4], [1, 2], [0, 2, 3])
CELLS = ["", "0", "-1.5e300", "throughput", "é", "a b", "'", "\0", "x" * 12]


def some_lines(rows: int) -> str:
    return "".join(",".join(RNG.choice(CELLS, 5)) + "\n" for _ in range(rows))


def test_runs():
    assert csvnarrow.runs_of([1, 2, 8, 17, 18, 19, 40]) == [(1, 2), (8, 8), (17, 19), (40, 40)]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
@pytest.mark.parametrize("rows", [1, 2, 50])
def test_the_wanted_cells_come_out_as_they_are(wanted, rows):
    text = some_lines(rows)
    count, lines = csvnarrow.narrowed(text.encode(), 5, csvnarrow.runs_of(wanted))
    assert count == rows
    assert lines.decode() == "".join(",".join(line.split(",")[column] for column in wanted) + "\n"
                                     for line in text.splitlines())


@pytest.mark.parametrize("text", [
    "", "1,2,3,4,5", "1,2,3,4,5\n1,2,3,4,5", "1,2,3,4\n", "1,2,3,4,5,6\n", "1,2,3,4\n1,2,3,4,5,6\n",
    "1,2,3,4,5,6\n1,2,3,4\n", "\n", "1,2,3,4,5\n\n", '1,"2",3,4,5\n', "1,2,3,4,5\r\n", "1,2,3,4\r1,5\n",
    ",,,,\n" * 99 + f",,{'x' * 999},,\n"])
def test_a_block_that_is_not_plain_is_left_to_others(text):
    assert csvnarrow.narrowed(text.encode(), 5, [(0, 0), (2, 2)]) is None


# ---- a file of several blocks and chunks, by the narrow way and by the other one

HEADER = "a,name,b,c,x,d,e,f,g\n"
PLAIN = [f"{i},{'pqr'[i % 3]}{'' if i % 7 else i},,2,{i / 7!r},,,4,5\n" for i in range(200)]
LATE = {"nothing": "", "a quoted cell": '1,"p,q",,,7,,,,\n', "a quoted newline": '1,"p\nq",,,7,,,,\n',
        "a short row": "1,p\n", "a blank line": "\n", "an empty cell": "1,,,,,,,,\n",
        "carriage returns": "1,p,,,7,,,,\r\n", "a lone carriage return": "1,p,,,7\r,,,,\n",
        "a row with more cells": "1,p,,,7,,,,,10\n", "one for a short row": f"1,p\n{'1,' * 15}1\n",
        "no number": "1,p,,,fast,,,,\n", "infinity": "1,p,,,-inf,,,,\n",
        "no number within quotes": '1,p,,,"fast",,,,\n',
        "no UTF-8": "1,\udcff,,,7,,,,\n", "a quote that does not end": '1,"p,,,7,,,,\n'}
ENDS = {"whole": "", "cut off": "1,p,,,7", "without its newline": "1,p,,,7,,,,", "a quote": '1,p,,,7,,,,"\n'}


def read(path, **choice):
    """The rows, each with its number in front, or what the error says."""
    try:
        _, *frames = csvfile.read_chunks(str(path), numbers=["x"], texts=["name"], **choice)
    except InputError as error:
        return str(error)
    return [[*map(str, row)] for frame in frames for row in frame.itertuples()]


@pytest.fixture
def both_ways(tmp_path, monkeypatch, capsys):
    """Reads a text by the narrow way, then by the other one: (what it gave, notes) of each."""

    def run(text: str, **choice) -> list:
        path, found = tmp_path / "x.csv", []
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        for least in (csvnarrow.LEAST_COLUMNS, 1000):
            monkeypatch.setattr(csvfile, "LEAST_COLUMNS", least)
            found.append((read(path, **choice), capsys.readouterr().err))
        return found

    monkeypatch.setattr(csvnarrow, "BLOCK_BYTES", 500)
    monkeypatch.setattr(csvfile, "CHUNK_ROWS", 30)
    return run


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("row", [0, 151, 200])
def test_both_ways_read_the_same_and_say_the_same(both_ways, late, end, row):
    """Not at row 150, where a chunk begins: pandas refuses a chunk whose rows all lack cells."""
    (narrow, note), (wide, later_note) = both_ways(
        "".join([HEADER, *PLAIN[:row], LATE[late], *PLAIN[row:], ENDS[end]]))
    assert narrow == wide
    assert note == later_note or isinstance(narrow, str) and not note  # it ended before


def test_an_error_in_a_later_block_names_its_row(both_ways):
    for late, words in (("no number", "column 'x' holds 'fast'"), ("a row with more cells", "10 cells"),
                        ("no number within quotes", "column 'x' holds 'fast'"),
                        ("infinity", "column 'x' holds '-inf', not a finite number")):
        for found, _ in both_ways("".join([HEADER, *PLAIN[:150], LATE[late], *PLAIN[150:]])):
            assert "x.csv:152: " in found and words in found


def test_the_narrow_way_is_taken(both_ways, monkeypatch):
    """As far as the block with the quote: the other one reads the rest."""
    rows = []

    class Lines(csvfile.CheckedLines):
        def __init__(self, name, stream, columns, row=0, held=b""):
            rows.append((row, held))
            super().__init__(name, stream, columns, row, held)

    monkeypatch.setattr(csvfile, "CheckedLines", Lines)
    both_ways("".join([HEADER, *PLAIN]))
    assert rows == [(200, b""), (0, b"")]
    both_ways("".join([HEADER, *PLAIN[:150], LATE["a quoted cell"], *PLAIN[150:]]))
    assert 130 < rows[2][0] < 150 and b'"p,q"' in rows[2][1]


def test_columns_come_in_the_header_s_order(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("".join([HEADER, *PLAIN]))
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    frame = csvfile.read_columns(str(path), numbers=["x", "a"], texts=["name"], exact=True)
    assert list(frame) == ["a", "name", "x"]
    assert frame["x"].tolist() == [float(row["x"]) for row in rows]
    assert frame["name"].tolist() == [row["name"] for row in rows]


@pytest.mark.parametrize("least", [csvnarrow.LEAST_COLUMNS, 1000])
def test_ctrl_c_while_the_parser_reads_is_no_bad_file(monkeypatch, least):
    class Stream(io.BytesIO):
        def read(self, size):
            signal.raise_signal(signal.SIGINT)
            return super().read(size)

    monkeypatch.setattr(csvfile, "LEAST_COLUMNS", least)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Stream((HEADER + PLAIN[0]).encode())))
    with pytest.raises(KeyboardInterrupt):
        csvfile.read_columns("-", numbers=["x"])


@pytest.mark.parametrize("column", ["a", "c", "x", "g"])
def test_a_single_wanted_column_of_empty_cells(tmp_path, monkeypatch, column):
    """pandas refuses a chunk of empty lines."""
    monkeypatch.setattr(csvfile, "CHUNK_ROWS", 5)
    path = tmp_path / "x.csv"
    path.write_text(HEADER + ",,,,,,,,\n" * 20 + "1,1,1,1,1,1,1,1,1\n")
    assert csvfile.read_columns(str(path), numbers=[column])[column].fillna(0).tolist() == [0] * 20 + [1]


def test_the_rest_begins_with_a_row_that_has_all_cells(monkeypatch):
    """pandas refuses lines that all lack some."""
    monkeypatch.setattr(csvnarrow, "BLOCK_BYTES", 4)
    lines = csvnarrow.NarrowLines(io.BytesIO(b"1,2,3\n4,5,6\n7\n"), 3, [1])
    assert [lines.read(1) for _ in range(3)] == [b"2\n", b"5\n", b""]
    assert (lines.rows, lines.row, lines.held) == (2, 1, b"4,5,6\n7\n")
