"""What all tools share: a reader that went away, and JSON that every reader takes."""
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hakmem_analysis import cli

SOURCE = Path(__file__).resolve().parents[1] / "src"


@pytest.mark.parametrize("verdict, words, code", [
    ("gate failed", 1, 2), ("no end of words", 1_000_000, 1)])
def test_a_reader_that_went_away_makes_no_pass(verdict, words, code):
    """A short answer is lost after main has returned its code, a long one before."""
    program = ("import sys; from hakmem_analysis import cli; "
               f"sys.exit(cli.run_tool('tool', lambda argv: print({verdict!r} * {words}) or 2))")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True,
                          env={**environment, "PYTHONPATH": str(SOURCE)}, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, "")


def test_json_has_null_for_what_is_no_finite_number():
    content = {"a": [1.5, math.nan, {"b": np.float64("inf")}], "c": (None, "NaN", 3)}
    assert json.loads(cli.json_text(content)) == {"a": [1.5, None, {"b": None}], "c": [None, "NaN", 3]}
