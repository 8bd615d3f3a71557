"""hakbench export: a result folder in the formats of other tools.

Purpose     Google Benchmark JSON, mimalloc-bench's benchres.csv, JUnit XML, tidy CSV and Parquet.
Boundary    main() is the tool: it knows files. What is in them is export_formats.py's.
Invariants  A measurement that the folder lacks is left out or "-", never 0. A file is whole, or what it
            was before (wholefile.py).
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable, Optional

import pandas as pd

from . import app_report, cli, export_formats, wholefile
from .errors import InputError
from .load import load_result

PROG = "hakbench export"
MEND = "name another file with -o"
JUNIT_SOURCES = ("gate.json", "experiment.json", "verdict.json")


def _app_runs(folder: Path) -> Optional[pd.DataFrame]:
    """runs.csv of a folder of hakbench app, or None if it is none."""
    path = folder / "runs.csv"
    if not path.exists():
        return None
    try:
        return app_report.read_runs(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run hakbench app again") from None


def _write(path: Path, content: str) -> Path:
    return wholefile.write_text(path, content, MEND)


def _gbench(folder: Path, output: Path) -> list:
    """One file an allocator, as compare.py wants it: NAME-ALLOCATOR.json for -o NAME.json."""
    if _app_runs(folder) is not None:
        raise InputError(f"{folder}: real programs have no ns/op; export them with --to mimalloc-bench, "
                         "junit or csv")
    result = load_result(folder)
    return [_write(output.with_name(f"{output.stem}-{result.display_name(label).replace(' ', '_')}"
                                    f"{output.suffix or '.json'}"),
                   json.dumps(export_formats.google_benchmark(result, label), indent=2) + "\n")
            for label in result.subjects]


def _mimalloc_bench(folder: Path, output: Path) -> list:
    runs = _app_runs(folder)
    lines = export_formats.benchres_of_runs(runs) if runs is not None \
        else export_formats.benchres_of_result(load_result(folder))
    return [_write(output, lines)]


def _junit(folder: Path, output: Path) -> list:
    for name in JUNIT_SOURCES:
        path = folder / name
        if path.exists():
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                return [_write(output, export_formats.junit(name, content))]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path}: cannot be read ({error!r}); make it again") from None
    raise InputError(f"{folder}: none of {', '.join(JUNIT_SOURCES)} in it; run hakbench report {folder} "
                     "first")


def _table(folder: Path) -> pd.DataFrame:
    runs = _app_runs(folder)
    return export_formats.tidy_runs(runs) if runs is not None else export_formats.tidy(load_result(folder))


def _csv(folder: Path, output: Path) -> list:
    return [_write(output, _table(folder).to_csv(index=False, lineterminator="\n"))]


def _parquet(folder: Path, output: Path) -> list:
    frame = _table(folder)
    try:
        return [wholefile.write(output, lambda written: frame.to_parquet(written, index=False), MEND)]
    except ImportError:
        raise InputError("Parquet needs the Python module pyarrow or fastparquet, and there is neither; "
                         "install one, or take --to csv") from None


FORMATS: dict = {"gbench": _gbench, "mimalloc-bench": _mimalloc_bench, "junit": _junit, "csv": _csv,
                 "parquet": _parquet}


def _run(argv) -> int:
    parser = cli.make_parser(
        PROG, "Writes a result folder in the format of another tool.",
        "formats:\n  gbench          Google Benchmark JSON, one file an allocator: NAME-ALLOCATOR.json\n"
        "  mimalloc-bench  benchres.csv\n"
        "  junit           JUnit XML of a gate, an experiment, a report, a soak, real programs\n"
        "  csv             tidy CSV: a row a measurement\n"
        "  parquet         the same rows, where pandas can\n\n"
        "examples:\n  hakbench export out/DIR --to gbench -o run.json\n"
        "  hakbench export out/app-DIR --to mimalloc-bench -o benchres.csv\n\n"
        "exit codes: 0 written, 1 the tool or its input failed")
    parser.add_argument("folder", metavar="FOLDER", help="a result folder of hakbench")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file")
    options = parser.parse_args(argv)
    folder = Path(options.folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one that hakbench wrote")
    write: Callable = FORMATS[options.to]
    for path in write(folder, Path(options.output)):
        print(f"wrote {path}")
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
