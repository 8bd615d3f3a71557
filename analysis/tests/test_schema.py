"""The Python schema and the harness's columns.def say the same."""
import re
from pathlib import Path

from hakmem_analysis.schema import COLUMNS

COLUMNS_DEF = Path(__file__).resolve().parents[2] / "harness" / "src" / "output" / "columns.def"


def test_schema_mirrors_columns_def():
    text = "\n".join(line for line in COLUMNS_DEF.read_text().splitlines() if not line.startswith("//"))
    declared = re.findall(r"COLUMN\((\w+),\s*(\w+),", text)
    assert declared == [(column.name, column.type) for column in COLUMNS]
