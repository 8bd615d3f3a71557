"""analyze_soak: is this soak steady?

Purpose     Mean, CV, RSS first/last/peak, drift, slope, system calls, the verdict and its cause of each
            process in a soak's CSV, as text or JSON.
Boundary    A CSV, standard input or a result folder in; of a file, manifest.json and events.csv beside it
            too. The judgement itself is drift.py's and causes.py's.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import numpy as np
import pandas as pd

from . import causes, cli, csvfile, cycles, measured_time, text, units
from .causes import Cause
from .drift import Drift, slope_words
from .errors import InputError
from .gate_settings import RSS_DRIFT_KB_PER_H
from .load import read_events

PROG = "analyze_soak.py"
TIME_COLUMNS = ("wall_time_s", "time_s", "elapsed_s")
RSS_COLUMNS = (("rss_above_base_kb", "peak_rss_above_base_kb"), ("rss_kb", "peak_rss_kb"))
GROUP_COLUMNS = ("subject", "allocator", "launch")


def _read(options) -> pd.DataFrame:
    """Throughput epochs with the columns time_s, rss_kb, peak_rss_kb and those of GROUP_COLUMNS there."""
    source, max_rows = csvfile.resolve_source(options.source)
    name = csvfile.source_name(source)
    time_columns = [options.time] if options.time else list(TIME_COLUMNS)
    rss_columns = [(options.rss, f"peak_{options.rss}")] if options.rss else list(RSS_COLUMNS)
    frame = csvfile.read_columns(
        source,
        optional_numbers=(*time_columns, *(column for pair in rss_columns for column in pair), "ops_per_s",
                          "seq", "ops", "syscalls", "failed_allocs", "quarantined", *causes.COLUMNS),
        optional_texts=("kind", *GROUP_COLUMNS),
        keep=csvfile.throughput_rows, max_rows=max_rows, not_negative=("ops_per_s", "ops", "syscalls"))
    pair = next((pair for pair in rss_columns if pair[0] in frame and frame[pair[0]].notna().any()), None)
    if frame.empty and any(rss in frame for rss, _ in rss_columns):
        raise InputError(f"{name}: no {'throughput epoch' if 'kind' in frame else 'row'} below the header "
                         "line; is it the right file?")
    if pair is None:
        raise InputError(f"{name}: no values in a column '{rss_columns[-1][0]}'; the header line has: "
                         f"{csvfile.header_words(frame.attrs['header'])}; name yours with --rss")
    time = next((column for column in time_columns if column in frame), None)
    if time is None and options.epoch_s is None:
        raise InputError(f"{name}:1: no column '{time_columns[0]}'; name yours with --time, or give the "
                         "seconds an epoch takes with --epoch-s")
    frame["time_s"] = frame[time] * units.to_seconds(time) if options.epoch_s is None else np.nan
    frame.attrs["suspended_s"] = _take_out_suspensions(frame, time, options)
    rss, peak = (frame[column] * units.to_kb(pair[0]) if column in frame else np.nan for column in pair)
    frame["rss_kb"], frame["peak_rss_kb"] = rss, peak
    if "quarantined" in frame and "ops_per_s" in frame:  # noise counts for memory, not for throughput
        quiet = ~(frame["quarantined"] > 0)
        frame["ops_per_s"] = frame["ops_per_s"].where(quiet | (not quiet.any()))
    return frame


def _take_out_suspensions(frame: pd.DataFrame, time: str, options) -> float:
    """Puts the epochs' time_s on measured time if events.csv beside the CSV knows of suspensions; returns the
    seconds taken out. Another clock than the wall's is taken as it is."""
    source = Path(options.source)
    events = (source if source.is_dir() else source.parent) / "events.csv"
    own = options.source != "-" and options.epoch_s is None and time == "wall_time_s" and "seq" in frame
    if not own or not events.is_file():
        return 0.0
    frame["time_s"], gone_s = measured_time.without_suspensions(frame, read_events(events, []))
    return gone_s


def _cycle_ops(options) -> float:
    """Operations of a cycle of the workload: by the option, else by the manifest beside the CSV; 0: none."""
    if options.cycle is not None:
        return options.cycle
    source = Path(options.source)
    manifest = (source if source.is_dir() else source.parent) / "manifest.json"
    if options.source == "-" or not manifest.is_file():
        return 0.0
    try:
        return cycles.ops_of_cycle(json.loads(manifest.read_text(encoding="utf-8")).get("workload") or {})
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{manifest}: cannot be read ({error}); say with --cycle how many operations a "
                         "cycle of the workload has (0: none)") from None


def _text(name: str, drift: Drift, cause: Cause, failed_allocs: Optional[float]) -> str:
    slope, interval, smallest = slope_words(drift)
    if slope != text.MISSING:
        slope += (f" ({100 * drift.confidence:g} % interval {interval}), Mann-Kendall p "
                  f"{drift.mann_kendall_p:.2g}; smallest slope visible {smallest}")
    rows = [
        ["throughput", f"mean {text.rate(drift.ops_per_s_mean)}, CV {text.percent(drift.cv)}, after warm-up"],
        ["RSS", f"first {text.memory(drift.rss_first_kb)}, last {text.memory(drift.rss_last_kb)}, peak "
                f"{text.memory(drift.rss_peak_kb)}; drift {text.plain(drift.drift_percent, '{:+.2f} %')}"],
        ["slope", slope],
        ["cause", f"{cause.name}: {cause.reason}"],
        ["system calls", f"{text.plain(drift.syscalls_per_op, '{:.3g}')} per op, after warm-up"],
        ["over", f"{text.counted(drift.epochs, 'epoch')}, of which {drift.warmup_epochs} warm-up; "
                 f"{drift.span_s:.0f} s after it in {text.counted(drift.blocks, 'block')} of "
                 f"{text.counted(drift.epochs_per_block, 'epoch')}"],
    ]
    if failed_allocs:
        rows.append(["FAILED", f"{text.counted(int(failed_allocs), 'allocation')}: memory that was refused "
                               "cannot drift"])
    return "\n".join([f"{name}: {drift.verdict}: {drift.reason}",
                      *(f"  {label:<13} {words}" for label, words in rows)])


def make_parser():
    parser = cli.make_parser(
        PROG, "Is a soak steady? Mean, CV, RSS first/last/peak, drift, slope, system calls per op, and the\n"
        "verdict of each process: DRIFT (the slope is beyond the budget), STABLE (within it), or EXTEND\n"
        "(this soak is too short or too noisy to tell, or RSS rose in one step), and the cause.",
        "RSS is rss_above_base_kb where the CSV has it, else rss_kb. Drift in percent compares the medians\n"
        "of the last and the first quarter after warm-up; the slope is Theil and Sen's.\n\n"
        "examples:\n  scripts/analyze_soak.py soak.csv\n"
        "  scripts/analyze_soak.py out/DIR --budget 16 --format json\n"
        "  scripts/analyze_soak.py - --rss rss --epoch-s 5 < old.csv\n\n"
        "exit codes: 0 done, 1 the input cannot be used (one line says why); with --gate also 2 a DRIFT\n"
        "or a failed allocation, 3 neither but an EXTEND")
    parser.add_argument("source", metavar="CSV", help="a CSV file, a result folder, or - for standard input")
    parser.add_argument("--budget", metavar="KB_PER_H", type=float, default=RSS_DRIFT_KB_PER_H,
                        help="slope of RSS that is tolerated, kB an hour either way (default %(default)g)")
    parser.add_argument("--rss", metavar="COLUMN",
                        help="column of resident memory, in the unit that its name ends in "
                             f"({units.MEMORY_WORDS}; without one kB, which are 1024 bytes)")
    parser.add_argument("--time", metavar="COLUMN",
                        help=f"column of time, in the unit that its name ends in ({units.TIME_WORDS}; "
                             "without one seconds)")
    parser.add_argument("--epoch-s", metavar="S", type=float, help="no time column: an epoch takes S seconds")
    parser.add_argument("--gate", action="store_true", help="let the verdict set the exit code")
    parser.add_argument("--cycle", metavar="OPS", type=float,
                        help="operations of a cycle of a workload whose live set rises and falls, which is "
                             "then judged by its peaks; 0: none (default: as manifest.json beside it says)")
    cli.add_format(parser)
    return parser


def _options(argv):
    parser = make_parser()
    options = parser.parse_args(argv)
    for option, value in (("--budget", options.budget), ("--epoch-s", options.epoch_s)):
        if value is not None and not value > 0:
            parser.error(f"{option} must be more than 0")
    if options.cycle is not None and not options.cycle >= 0:
        parser.error("--cycle must be 0 or more")
    return options


def _judge(frame: pd.DataFrame, options) -> dict:
    """{name of a process: (Drift, Cause, allocations that failed or None)}, in the CSV's order. Raises
    InputError if there is none."""
    cycle_ops = _cycle_ops(options)
    by = [column for column in GROUP_COLUMNS if column in frame]
    grouper = by if len(by) > 1 else by[0] if by else None  # pandas warns of a list of one name
    groups = frame.groupby(grouper, sort=False, dropna=False) if by else [((), frame)]
    found = {}
    for key, rows in groups:
        key = key if isinstance(key, tuple) else (key,)
        name = ", ".join(f"{column} {value}" for column, value in zip(by, key)) or "soak"
        if options.epoch_s is not None:
            rows = rows.assign(time_s=np.arange(len(rows)) * options.epoch_s)
        judged, drift = cycles.analyse_cycles(rows, cycle_ops, budget_kb_per_h=options.budget)
        failed = rows["failed_allocs"].sum(min_count=1) if "failed_allocs" in rows else np.nan
        found[name] = drift, causes.explain(judged, drift), None if np.isnan(failed) else float(failed)
    if not found:
        raise InputError(f"{csvfile.source_name(options.source)}: no throughput epoch in it; is it the right "
                         "file?")
    return found


def _run(argv) -> int:
    options = _options(argv)
    frame = _read(options)
    found = _judge(frame, options)
    if options.format == "json":
        print(cli.json_text({name: {**drift.as_dict(), "cause": cause.as_dict(), "failed_allocs": failed}
                             for name, (drift, cause, failed) in found.items()}))
    else:
        print("\n\n".join(_text(name, *judged) for name, judged in found.items()))
        if frame.attrs["suspended_s"]:
            away = text.duration(frame.attrs["suspended_s"])
            print(f"\nthe machine was suspended, or hakbench stopped, for {away}, which are in no slope")
    verdicts = {drift.verdict for drift, _, _ in found.values()}
    if not options.gate:
        return cli.EXIT_PASS
    if "DRIFT" in verdicts or any(failed for _, _, failed in found.values()):
        return cli.EXIT_GATE_FAILED
    return cli.EXIT_INCONCLUSIVE if "EXTEND" in verdicts else cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
