"""The byte stream of a CSV: what passes, what is refused, what is left out, wherever the blocks end."""
import io

import pytest

from hakmem_analysis.csvlines import CheckedLines
from hakmem_analysis.errors import InputError

SIZES = (1, 7, 16, 1000)


def through(text: str, columns: int, size: int) -> str:
    lines = CheckedLines("x.csv", io.BytesIO(text.encode()), columns)
    blocks = list(iter(lambda: lines.read(size), b""))
    assert all(block.endswith(b"\n") for block in blocks)
    return b"".join(blocks).decode()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", [
    "", "1,2,3\n4,5,6\n", "1,2,3\r\n4,5,6\r\n", "1,2\n\n,,\n", '"a,b","c\nd,e,f,g\n",3\n4,5,6\n' * 3,
    '"say ""a,b""",2,3\n"",,\n', 'disk 5",2,3\n4,6",5\n7,8,9\n', "é,ü,ö\n"])
def test_what_is_sound_passes_as_it_is(text, size):
    assert through(text, 3, size) == text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text, line, cells", [
    ("1,2,3,4\n5\n", 2, 4), ("1,2\n1,2,3,4,5\n1\n", 3, 5), ("1,2,3\n" * 20 + "1,2,3,\n", 22, 4),
    ('"a,b",2,3\n"a,b",2,3,4\n', 3, 4), ('1,2,"3",4\n', 2, 4), ("1,2,3\n1,2,3,4", 3, 4)])
def test_a_row_with_too_many_cells_is_named(text, line, cells, size):
    with pytest.raises(InputError, match=f"x.csv:{line}: {cells} cells where the header has 3; "):
        through(text, 3, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_last_line_that_is_cut_off_is_left_out_with_a_note(capsys, size):
    assert through("1,2,3\n4,5", 3, size) == "1,2,3\n"
    assert through("4", 3, size) == ""
    assert capsys.readouterr().err == "note: x.csv: the last line is cut off; it is left out\n" * 2


@pytest.mark.parametrize("size", SIZES)
def test_a_last_line_without_a_newline_that_has_all_its_cells_is_a_row(capsys, size):
    assert through("1,2,3\n4,5,", 3, size) == "1,2,3\n4,5,\n"
    assert through('1,2,3\n4,"5\n6",7', 3, size) == '1,2,3\n4,"5\n6",7\n'
    assert through("1\n2", 1, size) == "1\n2\n"
    assert capsys.readouterr().err == ""
