"""Percentiles of epochs and of any CSV column.

Purpose     The tools analyze_epoch_tail_csv (throughput and ns/op over epochs) and calculate_percentiles
            (any numeric column). Percentiles go towards the bad end: throughput's tail is its LOW end.
Boundary    A CSV, standard input or a result folder in; a table or JSON on standard output.
Invariants  Exact percentiles of all rows, so 8 bytes a row and column are kept; the rest of the file is
            read in chunks and dropped. Empty cells are left out and counted.
"""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from . import cli, csvfile, stats, text
from .errors import InputError
from .load import load_result

EXIT_CODES = "exit codes: 0 done, 1 the input cannot be used (one line says why)"


def describe_column(values, tail: str, percentiles=stats.PERCENTILES) -> dict:
    """Count, missing, mean, cv and percentiles of one column, in its own unit."""
    values = np.asarray(values, float)
    present = values[~np.isnan(values)]
    return {"rows": len(present), "missing": int(len(values) - len(present)), "tail": tail,
            "mean": float(present.mean()) if len(present) else None,
            "cv": None if len(present) < 2 else stats.coefficient_of_variation(present),
            **stats.tail_percentiles(present, tail, percentiles)}


def _groups(frame: pd.DataFrame, by: str):
    """(name, rows) of each group in order of appearance; one unnamed group without `by`."""
    if not by:
        yield "", frame
    else:
        labels = frame[by].astype("category")
        for name in frame[by].dropna().unique():
            yield str(name), frame[labels == name]


def _note_few(rows: int, percentiles) -> str:
    """A line for percentiles that these rows cannot support, or ""."""
    lacking = [p for p in percentiles if rows < stats.rows_for_percentile(p)]
    if not lacking:
        return ""
    needed = stats.rows_for_percentile(lacking[0])
    return (f"p{lacking[0]:g} and beyond need at least {needed} rows to differ from the worst; "
            f"there are {rows}")


def _emit(found: dict, options, words: str) -> int:
    print(json.dumps(found, indent=2) if options.format == "json" else words)
    return cli.EXIT_PASS


# ---- analyze_epoch_tail_csv

def _read_epochs(source: str, options) -> pd.DataFrame:
    """Throughput epochs with columns group, ops_per_s, ns_per_op, excluded; whichever rate column is
    missing is made from the other, since ns/op = 1e9 / (ops/s)."""
    if source != "-" and Path(source).is_dir():
        result = load_result(source)
        epochs = result.epochs[result.epochs["kind"] == "throughput"].copy()
        epochs["group"] = epochs["subject"].map(result.display_name)
        return epochs
    rate, ns = options.throughput, options.ns
    frame = csvfile.read_columns(
        source, optional_numbers=(rate, ns, "quarantined"), optional_texts=("kind", "subject", "allocator"),
        keep=csvfile.throughput_rows)
    if rate not in frame and ns not in frame:
        raise InputError(f"{csvfile.source_name(source)}:1: no column '{rate}' and none '{ns}'; name yours "
                         "with --throughput or --ns")
    frame["ops_per_s"] = frame[rate] if rate in frame else 1e9 / frame[ns]
    frame["ns_per_op"] = frame[ns] if ns in frame else 1e9 / frame[rate]
    frame["excluded"] = frame["quarantined"] > 0 if "quarantined" in frame else False
    frame["group"] = _group_names(frame)
    return frame


def _group_names(frame: pd.DataFrame):
    """"hakmem (a)" from the columns allocator and subject, or what there is of them."""
    allocator, subject = (frame[column].fillna("") if column in frame else None
                          for column in ("allocator", "subject"))
    if allocator is None or subject is None:
        return "" if allocator is subject else (subject if allocator is None else allocator)
    return allocator + " (" + subject + ")"


def _epoch_tail(argv) -> int:
    parser = cli.make_parser(
        "analyze_epoch_tail_csv.py",
        "Throughput and ns/op percentiles over epochs, towards the bad end:\n"
        "p99 of throughput is what 99 % of the epochs reach, p99 of ns/op what 99 % stay below.",
        "Warm-up and latency epochs (column kind) are left out, quarantined ones are left out and counted.\n"
        "One table for each subject, if the CSV has a column subject or allocator.\n\n"
        "examples:\n  scripts/analyze_epoch_tail_csv.py out/DIR\n"
        "  scripts/analyze_epoch_tail_csv.py soak.csv --warmup 12\n"
        "  scripts/analyze_epoch_tail_csv.py - --format json < soak.csv\n\n" + EXIT_CODES)
    parser.add_argument("source", metavar="CSV", help="a CSV file, a result folder, or - for standard input")
    parser.add_argument("--throughput", metavar="COLUMN", default="ops_per_s",
                        help="column of operations a second (default ops_per_s)")
    parser.add_argument("--ns", metavar="COLUMN", default="ns_per_op",
                        help="column of ns an operation (default ns_per_op)")
    parser.add_argument("--warmup", metavar="N", type=int, default=0,
                        help="leave out the first N epochs of each subject (default 0)")
    parser.add_argument("--keep-quarantined", action="store_true", help="count quarantined epochs too")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    if options.warmup < 0:
        parser.error("--warmup must be 0 or more")
    epochs = _read_epochs(options.source, options)
    found, lines = {}, []
    for name, rows in _groups(epochs, "group"):
        rows = rows.iloc[options.warmup:]
        excluded = 0 if options.keep_quarantined else int(rows["excluded"].sum())
        kept = rows if options.keep_quarantined else rows[~rows["excluded"]]
        rate = describe_column(kept["ops_per_s"], "low")
        cost = describe_column(kept["ns_per_op"], "high")
        found[name] = {"quarantined": excluded, "ops_per_s": rate, "ns_per_op": cost}
        names = [f"p{p:g}" for p in stats.PERCENTILES] + ["worst"]
        lines.append(f"{name or 'all epochs'}: {rate['rows']} epochs, CV {text.percent(rate['cv'])}"
                     + (f", {excluded} quarantined left out" if excluded else ""))
        lines.append(text.text_table([
            ["", *names],
            ["throughput", *(text.rate(rate[key]) for key in names)],
            ["ns/op", *(text.plain(cost[key], "{:.3f}") for key in names)]]))
        few = _note_few(rate["rows"], stats.PERCENTILES)
        lines += [few, ""] if few else [""]
    if not any(group["ops_per_s"]["rows"] for group in found.values()):
        raise InputError(f"{csvfile.source_name(options.source)}: no throughput epoch in it; is it the right "
                         "file, and is --warmup smaller than the run?")
    return _emit(found, options, "\n".join(lines).rstrip())


def epoch_tail_main(argv=None) -> int:
    return cli.run_tool("analyze_epoch_tail_csv.py", _epoch_tail, argv)


# ---- calculate_percentiles

def _condition(term: str) -> tuple:
    column, equals, value = term.partition("=")
    if not equals or not column:
        raise InputError(f"--where {term}: expected COLUMN=VALUE")
    return column, value


def _parse_percentiles(words: str) -> list:
    try:
        percentiles = [float(word) for word in words.split(",")]
    except ValueError:
        percentiles = []
    if not percentiles or not all(0 <= p < 100 for p in percentiles):
        raise InputError(f"--percentiles {words}: expected numbers from 0 to below 100, separated by commas")
    return percentiles


def _percentiles(argv) -> int:
    parser = cli.make_parser(
        "calculate_percentiles.py", "Percentiles of one numeric column of any CSV, towards its bad end.",
        "The tail is the high end, but the low end for columns that end in _per_s; --tail decides.\n"
        "Linear interpolation, as numpy.percentile. Empty cells are left out and counted.\n\n"
        "examples:\n  scripts/calculate_percentiles.py out/DIR --column peak_rss_kb --by allocator\n"
        "  scripts/calculate_percentiles.py soak.csv --column ops_per_s --where kind=throughput\n"
        "  zcat big.csv.gz | scripts/calculate_percentiles.py - --column lat_ns --percentiles 50,99.99\n\n"
        + EXIT_CODES)
    parser.add_argument("source", metavar="CSV",
                        help="a CSV file, a result folder (its epochs.csv), or - for standard input")
    parser.add_argument("--column", metavar="NAME", required=True, help="the column")
    parser.add_argument("--tail", choices=("low", "high"), help="which end is bad")
    parser.add_argument("--percentiles", metavar="LIST",
                        default=",".join(f"{p:g}" for p in stats.PERCENTILES),
                        help="default %(default)s; the worst value comes always")
    parser.add_argument("--by", metavar="COLUMN", default="", help="a row for each value of this column")
    parser.add_argument("--where", metavar="COLUMN=VALUE", action="append", default=[],
                        help="only rows with that text in that column; may be repeated")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    percentiles = _parse_percentiles(options.percentiles)
    conditions = [_condition(term) for term in options.where]
    texts = {column for column, _ in conditions} | ({options.by} if options.by else set())
    if options.column in texts:
        raise InputError(f"column '{options.column}' cannot be both --column and --by or --where")

    def keep(chunk: pd.DataFrame) -> pd.Series:
        mask = pd.Series(True, chunk.index)
        for column, value in conditions:
            mask &= chunk[column] == value
        return mask

    source = csvfile.resolve_source(options.source)
    frame = csvfile.read_columns(source, numbers=(options.column,), texts=sorted(texts),
                                 keep=keep if conditions else None,
                                 forget=[column for column, _ in conditions if column != options.by])
    if not frame[options.column].notna().any():
        raise InputError(f"{csvfile.source_name(source)}: column '{options.column}' has no value"
                         + (" in the rows chosen" if conditions else ""))
    tail = options.tail or ("low" if options.column.endswith("_per_s") else "high")
    names = [f"p{p:g}" for p in percentiles] + ["worst"]
    found, table = {}, [[f"{options.column} ({tail} end)", "rows", "mean", *names]]
    for name, rows in _groups(frame, options.by):
        found[name] = describe_column(rows[options.column], tail, percentiles)
        table.append([name or "all rows", str(found[name]["rows"]),
                      *(text.plain(found[name][key], "{:.6g}") for key in ("mean", *names))])
    few = _note_few(min(group["rows"] for group in found.values()), sorted(percentiles))
    return _emit(found, options, text.text_table(table) + (f"\n{few}" if few else ""))


def percentiles_main(argv=None) -> int:
    return cli.run_tool("calculate_percentiles.py", _percentiles, argv)
