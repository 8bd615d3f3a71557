"""Percentiles of large and of awkward columns: equal to numpy's, in bounded memory and time."""
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hakmem_analysis import csvfile, tail

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
POINTS = (0, 10, 50, 90, 99, 99.9, 99.99)
RNG = np.random.default_rng(20261124)

# Name -> the numbers of a column; NaN is an empty cell.
COLUMNS = {
    "one row": [3.5], "two rows": [2.0, 1.0], "one of many empty cells": [np.nan, np.nan, 7.0, np.nan],
    "all alike": [0.1] * 999, "two values": np.repeat([1.0, 2.0], [700, 301]),
    "huge range": 10.0 ** RNG.uniform(-140, 140, 2000), "both signs": RNG.normal(0, 1e9, 1001),
    "zeros": [0.0, -0.0, 0.0, 1e-320], "sorted": np.arange(1000) / 3, "falling": np.arange(1000)[::-1] / 7,
    "beyond 2^53": [2.0 ** 53, 2.0 ** 53 + 2, 2.0 ** 60, -2.0 ** 61],
    "an outlier in a million": np.where(np.arange(5000) == 4321, 1e18, 1.5),
    **{f"random {size}": np.where(RNG.random(size) < 0.1, np.nan, RNG.lognormal(18, 1, size))
       for size in (2, 3, 10, 99, 100, 101, 1000, 4999)}}


def as_csv(numbers, header: str, line: str) -> str:
    """The column as text, each number as Python writes it: nothing is lost."""
    cells = ("" if np.isnan(number) else repr(float(number)) for number in numbers)
    return header + "\n" + "".join(line.format(cell) + "\n" for cell in cells)


@pytest.fixture(params=[40, 1000, csvfile.CHUNK_ROWS])
def chunk_rows(request, monkeypatch):
    monkeypatch.setattr(csvfile, "CHUNK_ROWS", request.param)


@pytest.mark.parametrize("bad_end", ["low", "high"])
@pytest.mark.parametrize("numbers", COLUMNS.values(), ids=COLUMNS)
def test_calculate_percentiles_is_numpy(call, chunk_rows, numbers, bad_end):
    done = call(tail.percentiles_main, "-", "--column", "x", "--tail", bad_end, "--percentiles",
                ",".join(map(str, POINTS)), "--format", "json", stdin=as_csv(numbers, "a,x", "1,{}"))
    found, numbers = json.loads(done.out)[""], np.asarray(numbers, float)
    there = numbers[~np.isnan(numbers)]
    for point in POINTS:
        rank = point if bad_end == "high" else 100 - point
        assert found[f"p{point:g}"] == np.percentile(there, rank, method="linear")
    assert found["worst"] == (there.max() if bad_end == "high" else there.min())
    assert found["mean"] == there.mean()
    assert (found["rows"], found["missing"]) == (len(there), len(numbers) - len(there))


@pytest.mark.parametrize("numbers", [column for column in COLUMNS.values() if np.nanmin(column) > 0],
                         ids=[name for name, column in COLUMNS.items() if np.nanmin(column) > 0])
def test_epoch_tail_is_numpy(call, chunk_rows, numbers):
    done = call(tail.epoch_tail_main, "-", "--format", "json",
                stdin=as_csv(numbers, "kind,ops_per_s", "throughput,{}"))
    found = json.loads(done.out)[""]
    rates = np.asarray(numbers, float)[~np.isnan(numbers)]
    for point in (50, 90, 95, 99, 99.9):
        assert found["ops_per_s"][f"p{point:g}"] == np.percentile(rates, 100 - point, method="linear")
        assert found["ns_per_op"][f"p{point:g}"] == np.percentile(1e9 / rates, point, method="linear")
    assert found["ops_per_s"]["rows"] == found["ns_per_op"]["rows"] == len(rates)


def test_groups_warm_up_and_quarantine_reach_across_chunks(call, chunk_rows):
    """Turns of two subjects: each one's first 40 epochs and every tenth row are left out."""
    rates = RNG.lognormal(18, 1, 3000)
    lines = "".join(f"{'ab'[i % 2]},throughput,{rate!r},{int(i % 10 == 3)}\n" for i, rate in
                    enumerate(rates.tolist()))
    done = call(tail.epoch_tail_main, "-", "--warmup", "40", "--format", "json",
                stdin="subject,kind,ops_per_s,quarantined\n" + lines)
    found, row = json.loads(done.out), np.arange(3000)
    assert list(found) == ["a", "b"] and found["b"]["quarantined"] == 292
    for label, parity in (("a", 0), ("b", 1)):
        kept = rates[(row % 2 == parity) & (row >= 80) & (row % 10 != 3)]
        assert found[label]["ops_per_s"]["p99"] == np.percentile(kept, 1)
        assert found[label]["ops_per_s"]["rows"] == len(kept)


# ---- a pipe of many rows: what a process took, by the kernel's account

START = """
import resource, sys
sys.path.insert(0, {scripts!r})
sys.argv = {arguments!r}
import _analysis
try:
    _analysis.run("tail", {main!r})
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_maxrss, used.ru_utime + used.ru_stime, file=sys.stderr)
"""
WIDE = ",".join(f"other_{i}" for i in range(30))
TOOLS = {"percentiles_main": ["calculate_percentiles.py", "-", "--column", "ns_per_op"],
         "epoch_tail_main": ["analyze_epoch_tail_csv.py", "-"]}


def measure(main: str, rows: int) -> tuple:
    """(peak RSS in bytes, CPU s) of a tool that reads rows of 33 columns, 200 bytes each, from a pipe."""
    block = "".join(f"a,throughput,{1 + i / 7:.6f},{','.join(['12345'] * 30)}\n" for i in range(10_000))
    code = START.format(scripts=str(SCRIPTS), arguments=TOOLS[main], main=main)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "HAKMEM_PYTHON": sys.executable}) as process:
        process.stdin.write(f"subject,kind,ns_per_op,{WIDE}\n")
        for _ in range(rows // 10_000):
            process.stdin.write(block)
        process.stdin.close()
        words = process.stderr.read().split()
    assert process.returncode == 0 and len(words) == 2, words
    return int(words[0]) * 1024, float(words[1])


@pytest.mark.parametrize("main, columns", [("percentiles_main", 1), ("epoch_tail_main", 2)])
def test_memory_grows_by_the_numbers_alone(main, columns):
    """From 200,000 rows (all buffers are in use) to 1.2 million: 200 MB of text more. 8 bytes a row and
    column stay, one column is held once more while it is described; half as much again is the margin."""
    (few, _), (many, cpu_s) = measure(main, 200_000), measure(main, 1_200_000)
    assert many - few < 1.5 * 8 * (columns + 1) * 1_000_000
    assert cpu_s < 3 * 3.6  # 10 million rows in 30 s, thrice over for a slow or busy machine


def test_a_column_is_held_twice_at_most():
    """While it is described: joined from its parts, then joined and one array of differences."""
    values = tail.Values()
    tracemalloc.start()
    try:
        for _ in range(100):
            values.add(RNG.random(10_000))
        found = values.describe("high")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found["rows"] == 1_000_000 and peak < 2.2 * 8_000_000
