"""hakbench baseline: what an allocator did, stored so that a later gate can be held against it.

Purpose     Save the launches of a run as JSON; judge another run against such a file.
Owns        The format of the file.
Boundary    Throughput is stored relative to an anchor (`floor`, the least work the ABI permits) that ran in
            the same blocks, so that the machine's speed of the day cancels, and the time above the floor as
            a difference; service times and slow operations beyond the anchor's, which a noisier machine
            lengthens alike; memory and other counts as they are.
Invariants  Runs that are not comparable (another kind of machine, profile, op stream) are refused, unless
            forced.
"""
from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from . import cli, launch_stats, looks, wholefile
from .errors import InputError
from .gate_settings import GateSettings, load_settings
from .judge import Row, centre, counts_of, granule, make_row
from .load import Result
from .metrics import METRICS, RATIO, TAIL, Metric, beyond_anchor, launch_values, time_share

PROG = "hakbench baseline"
BASELINE_FORMAT = "hakbench-baseline/1"
ANCHOR = "floor"
CANDIDATE, ANCHOR_LABEL = "a", "b"
# Arguments of `hakbench ab` that override a profile: with the number that they set, or with what they may.
NUMBERS = {"--ws": "ws", "--seed": "seed", "--threads": "threads", "--warmup": "warmup_epochs",
           "--latency": "latency_epochs", "--blocks": "blocks", "--prefault": "prefault"}
OTHERS = {"-w": ("workload",), "--workload": ("workload",), "--trace": ("workload",),
          "--param": ("workload",), "--epoch": ("epoch_s",), "-p": ("workload", "run"),
          "--profile": ("workload", "run")}
KNOWN_LATER = ("file",)  # a path, which the harness completes
NOT_OF_THE_PROFILE = ("launches", "ops", "cpus", "schedule_seed", "reference")


def host_class(result: Result) -> dict:
    """What must be the same for two machines to be compared."""
    host = result.manifest.get("host", {})
    release = str(host.get("kernel") or "").split()[-1:]  # behind the system's name
    return {"cpu_model": host.get("cpu_model"), "machine": host.get("machine"),
            "kernel": ".".join(release[0].split(".")[:2]) if release else None,
            "cpus_online": host.get("cpus_online"), "thp_enabled": host.get("thp_enabled")}


def workload_settings(result: Result) -> dict:
    """The part of the merged profile that decides what is measured."""
    profile = result.manifest.get("profile", {})
    run = {key: value for key, value in profile.get("run", {}).items() if key not in NOT_OF_THE_PROFILE}
    return {"workload": profile.get("workload"), "run": run}


def make(result: Result, settings: GateSettings) -> dict:
    """The content of a baseline file from a run of a candidate and the anchor."""
    metrics = {}
    for name in settings.metrics:
        metric = METRICS[name]
        values = launch_values(result, metric, CANDIDATE, ANCHOR_LABEL)
        if not len(values):
            continue
        metrics[name] = {"values": [float(value) for value in values]}
        if metric.events:
            metrics[name]["events"] = list(metric.events(result, CANDIDATE))
        if name in TAIL:
            beyond = beyond_anchor(result, metric, CANDIDATE, ANCHOR_LABEL)
            metrics[name]["beyond_anchor"] = {"values": [float(value) for value in beyond]}
            if metric.events:
                term = _anchor_term(result, metric, CANDIDATE, ANCHOR_LABEL)
                metrics[name]["beyond_anchor"]["events"] = term
    subject = result.subject(CANDIDATE)
    return {"format": BASELINE_FORMAT, "candidate": subject["allocator"], "version": subject.get("version"),
            "sha256": subject.get("sha256"), "anchor": ANCHOR, "created_s": round(time.time()),
            "host_class": host_class(result), "settings": workload_settings(result),
            "ops_per_epoch": result.manifest.get("ops_per_epoch"),
            "op_stream_hash": result.manifest.get("op_stream_hash"), "metrics": metrics}


def _anchor_term(result: Result, metric: Metric, candidate: str, anchor: str) -> list:
    """[events, operations, weight] of the anchor's own rate, as beyond_anchor() takes it off."""
    return [*metric.events(result, anchor), time_share(result, candidate, anchor)]


def read(path: str) -> dict:
    """A baseline file. Raises InputError."""
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make one with hakbench "
                         "baseline") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); make it anew with hakbench baseline") from None
    if not isinstance(stored, dict) or stored.get("format") != BASELINE_FORMAT:
        raise InputError(f"{path}: is no baseline of the format {BASELINE_FORMAT}; make one with hakbench "
                         "baseline")
    return stored


def _flat(settings: dict, prefix: str = "") -> dict:
    """{"noise": {"steal_share": 0.5}} -> {"noise.steal_share": 0.5}."""
    found: dict = {}
    for key, value in settings.items():
        found.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return found


def _phrases(before: dict, now: dict) -> list:
    """One phrase for each key that differs."""
    def said(value):
        return "not set" if value is None else value
    before, now = _flat(before), _flat(now)
    return [f"{key}: {said(before.get(key))} in the baseline, {said(now.get(key))} here"
            for key in dict.fromkeys([*before, *now]) if before.get(key) != now.get(key)]


def _workload_phrases(before: dict, now: dict) -> list:
    """The same of workloads; of another one, whose parameters are others too, only the name."""
    names = [{"workload": workload["name"]} if "name" in workload else {} for workload in (before, now)]
    return _phrases(*names) if all(names) and names[0] != names[1] else _phrases(before, now)


def differences(stored: dict, result: Result) -> list:
    """What makes a run not comparable with a baseline, one phrase each."""
    now, before = workload_settings(result), stored["settings"]
    workload = _workload_phrases(before.get("workload") or {}, now["workload"] or {})
    # Another workload has another stream of operations: that is no second difference.
    stream = [] if workload else _phrases({"op stream": stored["op_stream_hash"]},
                                          {"op stream": result.manifest.get("op_stream_hash")})
    return [*_phrases(stored["host_class"], host_class(result)), *workload,
            *_phrases(before.get("run") or {}, now["run"]), *stream]


def _refuse(found: list):
    raise InputError(f"not comparable with the baseline: {'; '.join(found)}; measure the baseline anew "
                     "here, or compare all the same with --force")


def check_comparable(stored: dict, result: Result, force: bool) -> list:
    """Warnings for what differs, if forced. Raises InputError otherwise."""
    found = differences(stored, result)
    if found and not force:
        _refuse(found)
    return [f"compared although {phrase}" for phrase in found]


def check_profile(stored: dict, profile: dict, extra) -> None:
    """Refuses, before anything is measured, settings that the profile or the arguments in `extra` name and
    that differ from the baseline's. What they leave open is judged by check_comparable() when the run tells.
    Raises InputError."""
    numbers, others = _overridden(extra)
    found: list = []
    for part in ("workload", "run"):
        if part in others:
            continue
        before = _flat(stored["settings"].get(part) or {})
        named = {**_flat(profile.get(part, {})),
                 **{key: value for key, value in numbers.items() if key in before}}
        named = {key: value for key, value in named.items()
                 if key not in (*NOT_OF_THE_PROFILE, *KNOWN_LATER, *others)}
        found += _workload_phrases({key: before[key] for key in named if key in before}, named)
    if found:
        _refuse(found)


def _overridden(extra) -> tuple:
    """(numbers by key, other keys and parts) that arguments of `hakbench ab` set instead of the profile."""
    numbers: dict = {}
    others: set = set()
    for word, following in zip(extra, [*extra[1:], ""]):
        flag, equals, value = word.partition("=")
        value = value if equals else following
        if flag in NUMBERS and value.isdecimal():
            numbers[NUMBERS[flag]] = int(value)
        others.update(OTHERS.get(flag, ()))
    return numbers, others


def judge_rows(stored: dict, result: Result, candidate: str, anchor: str, workload: str,
               settings: GateSettings) -> list:
    """Rows as judge.judge_same_run gives, by Welch's interval between the two measurements' launches."""
    return [_row(name, stored["metrics"].get(name), result, candidate, anchor, workload, settings)
            for name in settings.metrics]


def _row(name: str, before, result: Result, candidate: str, anchor: str, workload: str,
         settings: GateSettings) -> Row:
    metric = METRICS[name]
    if name in TAIL and before:
        return _tail_row(name, before, result, candidate, anchor, workload, settings)
    now = launch_values(result, metric, candidate, anchor)
    then = pd.Series(before["values"] if before else [], dtype=float)
    counts = None
    if metric.events and before and before.get("events"):
        counts = counts_of(metric, metric.events(result, candidate), tuple(before["events"]))
    estimate = launch_stats.welch(now, then, counts, granule(metric, now, then))
    logs = metric.scale == RATIO
    measured = min(len(then), len(launch_values(_calm(result), metric, candidate, anchor)))
    row = make_row(name, workload, estimate, centre(now, logs), centre(then, logs), settings,
                   len(settings.looks), measured)
    return replace(row, unit=f"of {ANCHOR}") if name == "throughput" else row


def _calm(result: Result) -> Result:
    """The run as if no epoch were over the noise limit: what was measured, spoiled by noise or not."""
    return replace(result, epochs=result.epochs.assign(excluded=False))


def _tail_row(name: str, before: dict, result: Result, candidate: str, anchor: str, workload: str,
              settings: GateSettings) -> Row:
    """A tail's row: both measurements beyond their anchor's own tail. A baseline that holds none of the
    anchor's (warn_of_tail) leaves it not measured."""
    metric, stored = METRICS[name], before.get("beyond_anchor") or {"values": []}
    now, then = beyond_anchor(result, metric, candidate, anchor), pd.Series(stored["values"], dtype=float)
    if not len(then):
        now = now.iloc[:0]
    counts = None
    if metric.events and len(now):
        counts = counts_of(metric, metric.events(result, candidate), tuple(before["events"]))
        if counts:
            events, ops, weight = _anchor_term(result, metric, candidate, anchor)
            counts = replace(counts, others=((events, ops, -weight), tuple(stored["events"])))
    logs = metric.scale == RATIO
    measured = min(len(then), len(beyond_anchor(_calm(result), metric, candidate, anchor)))
    row = make_row(name, workload, launch_stats.welch(now, then, counts), centre(now, logs),
                   centre(then, logs), settings, len(settings.looks), measured)
    return replace(row, unit=f"of {ANCHOR}" if logs else f"{metric.unit} above {ANCHOR}")


def warn_of_tail(stored: dict, settings: GateSettings) -> list:
    """What a baseline of an older hakbench lacks."""
    lacking = [name for name in settings.metrics if name in TAIL and name in stored["metrics"]
               and "beyond_anchor" not in stored["metrics"][name]]
    return [f"{', '.join(lacking)}: not judged, because the baseline holds nothing of {ANCHOR}'s own tail; "
            "measure it anew with hakbench baseline"] if lacking else []


def _run(argv, command=looks.run_hakbench) -> int:
    parser = cli.make_parser(
        PROG, "Measures an allocator beside the anchor and stores it for `hakbench gate --baseline`.",
        "examples:\n  hakbench baseline --candidate hakmem -o results/baselines/hakmem-ws400.json\n"
        "  hakbench baseline --candidate hakmem --profile ci_gate -o b.json -- --ws 8192\n\n"
        "exit codes: 0 stored, 1 the tool or its input failed")
    parser.add_argument("--candidate", required=True, metavar="ALLOCATOR",
                        help="NAME, NAME=/path.so or /path.so")
    parser.add_argument("-p", "--profile", default="ci_gate", metavar="PROFILE", help="(default ci_gate)")
    parser.add_argument("-o", "--output", required=True, type=cli.file_to_write, metavar="FILE",
                        help="the baseline file to write")
    parser.add_argument("--folder", metavar="DIR", help="folder of the run (default out/baseline-TIME-PID)")
    options, extra = cli.parse_with_rest(parser, argv)
    settings = load_settings(options.profile)
    if "throughput" not in settings.metrics:
        raise InputError(f"{options.profile}: 'gate.metrics' lacks throughput, which a baseline must hold; "
                         "add it there")
    folder = looks.result_folder(options.folder, "baseline")
    looks.check_empty(folder, extra, "--folder")
    plan = looks.Plan({CANDIDATE: options.candidate, ANCHOR_LABEL: ANCHOR}, ANCHOR_LABEL, options.profile,
                      tuple(extra), folder)
    measured = looks.grow(plan, settings.looks[-1:], lambda _: True, command)
    content = make(measured.result, settings)
    if "throughput" not in content["metrics"]:
        raise InputError(f"{folder}: noise left no launch whole, nothing is stored; measure on a quieter "
                         "machine")
    wholefile.write_text(Path(options.output), json.dumps(content, indent=1) + "\n",
                         "name another file with -o", f"the run is kept in {folder}")
    print(f"stored {content['candidate']} ({len(content['metrics']['throughput']['values'])} launches, "
          f"{len(content['metrics'])} metrics) in {options.output}; data: {folder}")
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
