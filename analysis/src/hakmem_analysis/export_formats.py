"""The formats of other tools, made from results in memory.

Purpose     What stands in a Google Benchmark JSON, a benchres.csv, a JUnit XML and a tidy table.
Boundary    Results, frames and dicts in; dicts, texts and frames out. No files.
Invariants  Google Benchmark's tools know no quarantine, so such epochs are left out unless there are no
            others; the tidy table marks them. Warm-up and latency epochs never pass for throughput.
"""
from __future__ import annotations

import re
from xml.etree import ElementTree as xml

import pandas as pd

from .load import Result
from .metrics import RATIO
from .schema import COLUMNS
from .stats import DEFAULT_CONFIDENCE

BENCHRES_HEADER = "# benchmark allocator elapsed rss user sys page-faults page-reclaims"
_TIDY_KEYS = ("subject", "allocator", "workload", "threads", "launch", "block", "slot", "epoch", "kind",
              "quarantined")
_RUN_KEYS = ("seq", "program", "allocator", "block", "slot", "output_sha256")
# A CV is the machine's for the most part: a worse one is read, and fails nothing.
_NOT_CASES = ("cv",)
_NOT_VALUES = ("seq", "order", "cpu", "start_ns", "wall_time_s")
ALLOWED, SLOWER = "within the margin", "slower"
_JUNIT_STATES = {"pass": "", ALLOWED: "", "better": "", "GO": "", "STABLE": "", SLOWER: "failure",
                 "fail": "failure", "worse": "failure", "NO-GO": "failure", "DRIFT": "failure",
                 "failed": "failure", "different": "failure"}
# What a failed program said may hold an escape sequence, which XML 1.0 has no place for.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def benchmark_name(result: Result) -> str:
    """workload/parameter:value/..., threads last, as Google Benchmark writes names."""
    workload = result.manifest.get("workload") or {}
    parts = [workload.get("name") or "workload"]
    if workload.get("file"):
        parts.append("file:" + workload["file"].rsplit("/", 1)[-1])
    parts += [f"{key}:{value}" for key, value in sorted((workload.get("params") or {}).items())]
    return "/".join([*parts, f"threads:{workload.get('threads') or 1}"])


def _kept(result: Result, label: str) -> pd.DataFrame:
    epochs = result.measured(label)
    epochs = epochs[epochs["ops_per_s"].notna()]
    return epochs if epochs["excluded"].all() else epochs[~epochs["excluded"]]


def google_benchmark(result: Result, label: str) -> dict:
    """The JSON of one allocator: every epoch is a repetition, real_time the ns of one operation."""
    name, host, manifest = benchmark_name(result), result.manifest.get("host") or {}, result.manifest
    epochs = _kept(result, label)
    threads = (manifest.get("workload") or {}).get("threads") or 1
    rows = []
    for index, epoch in enumerate(epochs.to_dict("records")):
        row = {"name": name, "family_index": 0, "per_family_instance_index": 0, "run_name": name,
               "run_type": "iteration", "repetitions": len(epochs), "repetition_index": index,
               "threads": threads, "iterations": int(epoch["ops"]), "real_time": epoch["ns_per_op"],
               "cpu_time": epoch["cpu_time_ns"] / epoch["ops"], "time_unit": "ns",
               "items_per_second": epoch["ops_per_s"]}
        rows.append({key: value for key, value in row.items() if not pd.isna(value)})
    context = {"date": manifest.get("start_time"), "host_name": host.get("hostname"),
               "executable": f"hakbench, {result.display_name(label)}", "num_cpus": host.get("cpus_online"),
               "library_build_type": "release", "allocator": result.display_name(label),
               "allocator_version": result.subject(label).get("version")}
    return {"context": {key: value for key, value in context.items() if value is not None},
            "benchmarks": rows}


def _elapsed(seconds: float) -> str:
    """As time's %E: minutes:seconds with hundredths, hours before them where there are some."""
    hundredths = round(100 * seconds)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest // 100:02d}"
    return f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"


def _benchres(rows) -> str:
    """Lines of (benchmark, allocator, seconds, rss kB, user s, system s, major faults, minor faults)."""
    def seconds(value):
        return "-" if pd.isna(value) else f"{value:.2f}"

    def count(value):
        return "-" if pd.isna(value) else f"{value:.0f}"

    lines = [BENCHRES_HEADER]
    for name, allocator, elapsed, rss, user, system, major, minor in rows:
        lines.append(" ".join((name.replace(" ", "_"), allocator.replace(" ", "_"), _elapsed(elapsed),
                               count(rss), seconds(user), seconds(system), count(major), count(minor))))
    return "\n".join(lines) + "\n"


def _ops_in_common(result: Result) -> float:
    """The operations that every line is scaled to: the most that a subject did in one launch."""
    measured = result.epochs[result.epochs["kind"] == "throughput"]
    return measured.groupby(["subject", "launch"])["ops"].sum().max()


def _total(epochs: pd.DataFrame, column: str, ops: float) -> float:
    """The sum of a column over the epochs that measured it, scaled from their operations to `ops`."""
    known = epochs[epochs[column].notna() & (epochs["ops"] > 0)]
    return known[column].sum() * (ops / known["ops"].sum()) if len(known) else float("nan")


def benchres_of_result(result: Result) -> str:
    """A line a launch: all its throughput epochs. Elapsed, CPU time and faults are sums, scaled to the same
    number of operations in every line: the most that a subject did in one launch. In a soak `--beside` has
    fewer turns than the others, and an interrupted launch is shorter; in a finished `ab` nothing is scaled.
    User and system time are not told apart: all of it stands under user."""
    name, ops, rows = benchmark_name(result), _ops_in_common(result), []
    for label in result.subjects:
        for _, epochs in result.measured(label).groupby("launch"):
            elapsed, cpu, major, minor = (_total(epochs, column, ops) for column in (
                "elapsed_ns", "cpu_time_ns", "major_faults", "minor_faults"))
            if not pd.isna(elapsed):
                rows.append((name, result.display_name(label), elapsed / 1e9, epochs["peak_rss_kb"].max(),
                             cpu / 1e9, float("nan"), major, minor))
    return _benchres(rows)


def benchres_of_runs(runs: pd.DataFrame) -> str:
    """A line a counted run of a real program."""
    counted = runs[runs["block"].notna()]
    return _benchres((row.program, row.allocator, row.wall_s, row.peak_rss_kb, row.cpu_s - row.system_s,
                      row.system_s, row.major_faults, row.minor_faults) for row in counted.itertuples())


def _verdict_cases(content: dict) -> list:
    """(workload, case, verdict, words) of a verdict.json: its comparisons, a soak's subjects, and the
    programs of hakbench app that failed or whose output differed (older folders do not name those)."""
    workload = (content.get("workload") or {}).get("name") or "workload"
    cases = [(row.get("program") or workload,
              f"{row['metric']}: {row['candidate']} against {row['reference']}",
              _held_to_margin(row, content), _comparison_words(row)) for row in content["comparisons"]
             if row["metric"] not in _NOT_CASES]
    cases += [(workload, f"drift: {subject['name']}", subject["drift"]["verdict"], subject["drift"]["reason"])
              for subject in (content.get("soak") or {}).get("subjects", ())]
    cases += [(row["program"], f"run: {row['allocator']}", "failed", row["reason"])
              for row in content.get("failed", ())]
    return cases + [(row["program"], f"output: {row['allocator']}", "different",
                     "not the output under the first allocator") for row in content.get("different", ())]


def _held_to_margin(row: dict, content: dict) -> str:
    """The verdict of a comparison; of a program's speed that hakbench app held to a margin, as its exit code
    says it: SLOWER beyond the margin, ALLOWED if it is worse, but not shown to be by more."""
    if content.get("margin") is None or row["metric"] != "speed" or row["verdict"] != "worse":
        return row["verdict"]
    sides = {"program": row["program"], "allocator": row["candidate"], "reference": row["reference"]}
    return SLOWER if sides in content.get("slower", ()) else ALLOWED


def _metric_words(row: dict) -> str:
    """The change, its interval and the margin of a row of gate.json or experiment.json."""
    if row.get("note"):
        return row["note"]
    if row.get("value") is None:
        return "not measured"
    words = f"{'ratio' if row.get('scale') == RATIO else 'change'} {row['value']:.4g}"
    if row.get("lower") is not None and row.get("upper") is not None:
        words += f" (95 % interval {row['lower']:.4g} .. {row['upper']:.4g})"
    if row.get("margin") is None:
        return words
    ratio = row.get("scale") == RATIO
    return f"{words}, {100 * row['margin']:g} % allowed" if ratio else (
        f"{words}, {row['margin']:g} {row['unit']} allowed")


def junit(source: str, content: dict) -> str:
    """The XML of a gate.json, experiment.json or verdict.json: a test case a metric, and what else was
    judged. Failed: fail, slower, worse, NO-GO, DRIFT, a program that failed or whose output differed;
    skipped: whatever is undecided (EXTEND too) or not measured."""
    kind = source.split(".")[0]
    if kind == "verdict":
        cases = _verdict_cases(content)
    else:
        cases = [(row["workload"], row["metric"], row["verdict"], _metric_words(row))
                 for row in content["metrics"]]
    if kind == "experiment":
        cases.insert(0, (content["workload"], "decision", content["verdict"], content["reason"]))
    states = [_JUNIT_STATES.get(verdict, "skipped") for _, _, verdict, _ in cases]
    suite = xml.Element("testsuite", name=f"hakbench {kind}", tests=str(len(cases)), errors="0",
                        failures=str(states.count("failure")), skipped=str(states.count("skipped")))
    for (workload, name, verdict, words), state in zip(cases, states):
        case = xml.SubElement(suite, "testcase", classname=f"hakbench.{kind}.{workload}", name=name)
        if state:
            xml.SubElement(case, state, message=_NOT_IN_XML.sub("?", f"{verdict}: {words}"))
    root = xml.Element("testsuites")
    root.append(suite)
    xml.indent(root)
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _comparison_words(row: dict) -> str:
    if row["ratio"] is None:
        return row.get("note") or "not measured"
    words = f"ratio {row['ratio']:.4g}"
    if row["lower"] is None:
        return words
    bounds, confidence = f"{row['lower']:.4g} .. {row['upper']:.4g}", row.get("confidence")
    asked = row.get("requested_confidence", DEFAULT_CONFIDENCE)
    if row["verdict"] == "inconclusive" and confidence and confidence < asked:
        return f"{words} ({bounds}, a {100 * confidence:.3g} % interval: too little was measured)"
    return f"{words} ({100 * confidence:.3g} % interval {bounds})" if confidence else f"{words} ({bounds})"


def _tidy(frame: pd.DataFrame, keys: list, values: list) -> pd.DataFrame:
    long = frame[keys + values].melt(id_vars=keys, var_name="metric", value_name="value")
    long = long[long["value"].notna()].reset_index(drop=True)
    return long.assign(**{key: long[key].convert_dtypes() for key in keys})  # whole numbers, not 1.0


def tidy(result: Result) -> pd.DataFrame:
    """A row a measurement: the epoch's keys, `metric`, `value`; what was not measured has no row. Here
    `quarantined` is 1 for every epoch of a quarantined block."""
    frame = result.epochs.assign(quarantined=result.epochs["excluded"].astype(int))
    values = [column.name for column in COLUMNS
              if column.name not in (*_TIDY_KEYS, *_NOT_VALUES) and column.type != "text"]
    return _tidy(frame, list(_TIDY_KEYS), values)


def tidy_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The same of the runs of real programs; runs without a block were warm-up."""
    values = [column for column in runs.columns if column not in (*_RUN_KEYS, "wall_time_s")]
    return _tidy(runs, list(_RUN_KEYS), values)
