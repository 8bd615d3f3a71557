"""The Python schema and the harness's lists of columns say the same."""
import re
from pathlib import Path

import pytest

from hakmem_analysis.schema import COLUMNS, EXEMPLAR_COLUMNS

OUTPUT = Path(__file__).resolve().parents[2] / "harness" / "src" / "output"


@pytest.mark.parametrize("name, columns", [("columns.def", COLUMNS),
                                           ("exemplar_columns.def", EXEMPLAR_COLUMNS)])
def test_schema_mirrors_the_harness(name, columns):
    text = "\n".join(line for line in (OUTPUT / name).read_text().splitlines() if not line.startswith("//"))
    declared = re.findall(r"COLUMN\((\w+),\s*(\w+),", text)
    assert declared == [(column.name, column.type) for column in columns]
