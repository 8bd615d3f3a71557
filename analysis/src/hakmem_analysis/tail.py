"""Percentiles of epochs and of any CSV column.

Purpose     The tools analyze_epoch_tail_csv (throughput and ns/op over epochs) and calculate_percentiles
            (any numeric column). Percentiles go towards the bad end: throughput's tail is its LOW end.
Boundary    A CSV, standard input or a result folder in; a table or JSON on standard output.
Invariants  Exact percentiles of all rows, so the numbers are kept: 8 bytes a row and column, and as much
            again for one group's column while it is described. All else is dropped chunk by chunk: memory
            does not grow with the other columns. Empty cells are left out and counted.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from . import cli, csvfile, stats, text, units
from .errors import InputError
from .load import load_result

EXIT_CODES = "exit codes: 0 done, 1 the input cannot be used (one line says why)"
NO_VALUE = "(none)"


@dataclass
class Values:
    """The numbers of one column, gathered chunk by chunk; empty cells are only counted."""

    parts: list = field(default_factory=list)
    missing: int = 0

    def add(self, values) -> None:
        values = np.asarray(values, float)
        there = ~np.isnan(values)
        self.missing += int(len(values) - there.sum())
        self.parts.append(values[there])

    def describe(self, tail: str, percentiles=stats.PERCENTILES) -> dict:
        """Count, missing, mean, cv and percentiles, in the column's own unit. Ends the gathering: the parts
        are given up once they are joined."""
        values = np.concatenate(self.parts) if self.parts else np.empty(0)
        self.parts = []
        return {"rows": len(values), "missing": self.missing, "tail": tail,
                "mean": float(values.mean()) if len(values) else None,
                "cv": None if len(values) < 2 else stats.coefficient_of_variation(values),
                **stats.tail_percentiles(values, tail, percentiles)}


def _groups(chunk: pd.DataFrame, by: list, empty: str):
    """(labels, rows) by columns of categories, in order of appearance; `empty` is the label of empty cells.
    Without columns all rows, with no label."""
    codes = [chunk[column].cat.codes.to_numpy() for column in by]
    for _, rows in chunk.groupby(codes if len(by) > 1 else codes[0], sort=False) if by else [(None, chunk)]:
        labels = [rows[column].iat[0] for column in by]
        yield [empty if pd.isna(label) else label for label in labels], rows


def _note_few(rows: int, percentiles) -> str:
    """A line for percentiles that these rows cannot support, or ""."""
    lacking = [p for p in percentiles if rows < stats.rows_for_percentile(p)]
    if not lacking:
        return ""
    needed = stats.rows_for_percentile(lacking[0])
    return (f"p{lacking[0]:g} and beyond need at least {needed} rows to differ from the worst; "
            f"there are {rows}")


def _emit(found: dict, options, words: str) -> int:
    print(cli.json_text(found) if options.format == "json" else words)
    return cli.EXIT_PASS


# ---- analyze_epoch_tail_csv

@dataclass
class _Epochs:
    """The throughput epochs of one subject, gathered chunk by chunk. `at_zero` counts those of 0 ops/s or 0
    ns/op, which have no inverse and so no value for the other one."""

    seen: int = 0
    quarantined: int = 0
    at_zero: int = 0
    ops_per_s: Values = field(default_factory=Values)
    ns_per_op: Values = field(default_factory=Values)

    def add(self, rows: pd.DataFrame, options) -> None:
        """Rows with the columns ops_per_s, ns_per_op and excluded."""
        warmup, self.seen = max(0, options.warmup - self.seen), self.seen + len(rows)
        rate, cost, excluded = (rows[column].to_numpy()[warmup:] for column in
                                ("ops_per_s", "ns_per_op", "excluded"))
        if not options.keep_quarantined:
            self.quarantined += int(excluded.sum())
            rate, cost = rate[~excluded], cost[~excluded]
        self.at_zero += int((((rate == 0) & np.isnan(cost)) | ((cost == 0) & np.isnan(rate))).sum())
        self.ops_per_s.add(rate)
        self.ns_per_op.add(cost)


def _inverse(values: pd.Series) -> pd.Series:
    """ns/op of ops/s and the other way round; NaN at 0."""
    return 1e9 / values.where(values > 0)


def _chunks_of_epochs(source: str, options):
    """Frames of throughput epochs with the columns ops_per_s, ns_per_op, excluded and, where the source has
    them, allocator and subject; whichever rate column is missing is made from the other, since ns/op = 1e9 /
    (ops/s)."""
    rate, ns = options.throughput, options.ns
    for chunk in csvfile.read_chunks(
            source, optional_numbers=(rate, ns, "quarantined"), exact=True, not_negative=(rate, ns),
            optional_texts=("kind", "subject", "allocator"), keep=csvfile.throughput_rows, forget=("kind",)):
        if rate not in chunk and ns not in chunk:
            raise InputError(f"{csvfile.source_name(source)}:1: no column '{rate}' and none '{ns}'; name "
                             "yours with --throughput or --ns")
        per_s = chunk[rate] * units.to_per_second(rate) if rate in chunk else None
        cost = chunk[ns] * units.to_ns(ns) if ns in chunk else None
        yield chunk.assign(ops_per_s=_inverse(cost) if per_s is None else per_s,
                           ns_per_op=_inverse(per_s) if cost is None else cost,
                           excluded=chunk["quarantined"] > 0 if "quarantined" in chunk else False)


def _named_groups(chunk: pd.DataFrame):
    """(name, rows) by the columns allocator and subject, or what there is of them: "hakmem (a)"."""
    by = [column for column in ("allocator", "subject") if column in chunk]
    for labels, rows in _groups(chunk, by, ""):
        yield "{} ({})".format(*labels) if len(labels) == 2 else "".join(labels), rows


def _gather_epochs(source: str, options) -> dict:
    """Name -> _Epochs, in order of appearance. A folder knows of more quarantine than its epochs.csv."""
    found: dict = {}
    if source != "-" and Path(source).is_dir():
        result = load_result(source)
        epochs = result.epochs[result.epochs["kind"] == "throughput"]
        for label, rows in epochs.groupby("subject", sort=False):
            found.setdefault(result.display_name(label), _Epochs()).add(rows, options)
        return found
    for chunk in _chunks_of_epochs(source, options):
        for name, rows in _named_groups(chunk):
            found.setdefault(name, _Epochs()).add(rows, options)
    return found


def _epoch_tail_parser():
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
                        help="column of operations a second, or by the unit of time that its name ends in: "
                             "ops_per_ms (default ops_per_s)")
    parser.add_argument("--ns", metavar="COLUMN", default="ns_per_op",
                        help="column of ns an operation, or of the unit of time in its name, as us_per_op or "
                             "latency_us (default ns_per_op)")
    parser.add_argument("--warmup", metavar="N", type=int, default=0,
                        help="leave out the first N epochs of each subject (default 0)")
    parser.add_argument("--keep-quarantined", action="store_true", help="count quarantined epochs too")
    cli.add_format(parser)
    return parser


def _epoch_tail(argv) -> int:
    parser = _epoch_tail_parser()
    options = parser.parse_args(argv)
    if options.warmup < 0:
        parser.error("--warmup must be 0 or more")
    found, lines = {}, []
    for name, epochs in _gather_epochs(options.source, options).items():
        excluded = epochs.quarantined
        rate, cost = epochs.ops_per_s.describe("low"), epochs.ns_per_op.describe("high")
        found[name] = {"quarantined": excluded, "at_zero": epochs.at_zero, "ops_per_s": rate,
                       "ns_per_op": cost}
        names = [f"p{p:g}" for p in stats.PERCENTILES] + ["worst"]
        lines.append(f"{name or 'all epochs'}: {text.counted(rate['rows'], 'epoch')}, CV "
                     f"{text.percent(rate['cv'])}"
                     + (f", {excluded} quarantined left out" if excluded else ""))
        lines.append(text.text_table([
            ["", *names],
            ["throughput", *(text.rate(rate[key]) for key in names)],
            ["ns/op", *(text.plain(cost[key], "{:.3f}") for key in names)]]))
        few = _note_few(rate["rows"], stats.PERCENTILES)
        zero = f"{text.counted(epochs.at_zero, 'epoch')} of 0 ops/s or 0 ns/op: in one of the two lines only"
        lines += [*([zero] if epochs.at_zero else ()), *([few] if few else ()), ""]
    if not any(group["ops_per_s"]["rows"] for group in found.values()):
        name = csvfile.source_name(options.source)
        quarantined = sum(group["quarantined"] for group in found.values())
        if quarantined:
            raise InputError(f"{name}: no throughput epoch is left, {quarantined} are quarantined (over the "
                             "noise limit); count them all the same with --keep-quarantined")
        raise InputError(f"{name}: no throughput epoch in it; is it the right file, and is "
                         "--warmup smaller than the run?")
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


def _percentiles_parser():
    parser = cli.make_parser(
        "calculate_percentiles.py", "Percentiles of one numeric column of any CSV, towards its bad end.",
        "The tail is the high end, but the low end for columns that end in _per_s, _per_ms and so on;\n"
        "--tail decides. Values stay in the column's own unit.\n"
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
    parser.add_argument("--by", metavar="COLUMN", default="",
                        help=f"a row for each value of this column, {NO_VALUE} for empty cells")
    parser.add_argument("--where", metavar="COLUMN=VALUE", action="append", default=[],
                        help="only rows with that text in that column; may be repeated")
    cli.add_format(parser)
    return parser


def _percentiles(argv) -> int:
    options = _percentiles_parser().parse_args(argv)
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

    source, max_rows = csvfile.resolve_source(options.source)
    gathered: dict = {}
    positive = units.is_rate(options.column) or options.column.endswith("_per_op")
    for chunk in csvfile.read_chunks(source, numbers=(options.column,), texts=sorted(texts), exact=True,
                                     not_negative=(options.column,) if positive else (),
                                     keep=keep if conditions else None, max_rows=max_rows,
                                     forget=[column for column, _ in conditions if column != options.by]):
        for labels, rows in _groups(chunk, [options.by] if options.by else [], NO_VALUE):
            gathered.setdefault("".join(labels), Values()).add(rows[options.column])
    if not any(len(part) for values in gathered.values() for part in values.parts):
        raise InputError(f"{csvfile.source_name(source)}: column '{options.column}' has no value"
                         + (" in the rows chosen" if conditions else ""))
    tail = options.tail or ("low" if units.is_rate(options.column) else "high")
    names = [f"p{p:g}" for p in percentiles] + ["worst"]
    found, table = {}, [[f"{options.column} ({tail} end)", "rows", "mean", *names]]
    for name, values in gathered.items():
        found[name] = values.describe(tail, percentiles)
        table.append([name or "all rows", str(found[name]["rows"]),
                      *(text.plain(found[name][key], "{:.6g}") for key in ("mean", *names))])
    few = _note_few(min(group["rows"] for group in found.values()), sorted(percentiles))
    return _emit(found, options, text.text_table(table) + (f"\n{few}" if few else ""))


def percentiles_main(argv=None) -> int:
    return cli.run_tool("calculate_percentiles.py", _percentiles, argv)
