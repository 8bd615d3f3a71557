"""Were two folders measured alike?

Purpose     Name what differs between two result folders of one workload, and which of it forbids a verdict.
Boundary    Two Results in, Differences out. What a difference does to a figure is not guessed.
Invariants  Both sides of a folder's ratio share its operations and seed, so a ratio outlives another seed and
            as many operations per epoch as another calibration finds (MOST_TIMES). Far shorter epochs
            are another state of heap and caches; a machine, a reference, a stream of operations may be
            the whole change. What memory is counted from may be all of a change of memory, and is none of
            throughput. Another workload is refused.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .baseline import host_class
from .errors import InputError
from .load import Result

MOST_TIMES = 2.0  # the operations per epoch; the same build on record differed by 1.25 from day to day
MOST_BASE_TIMES = 1.25  # a process's own memory; one build's differs by a percent from day to day
MEMORY = "peak_rss_above_base"
SETTINGS = (("seconds an epoch", "epoch_s"),
            ("operations before the first epoch", "prefault_ops"), ("warm-up epochs", "warmup_epochs"))
MACHINE = {"cpu_model": "CPU", "machine": "architecture", "kernel": "kernel", "cpus_online": "CPUs",
           "thp_enabled": "huge pages"}


@dataclass(frozen=True)
class Difference:
    """`name` of what differs, its value here and in the first folder. `forbids` a verdict on the change, of
    `metric` only if that is set."""

    name: str
    here: object
    first: object
    forbids: bool
    metric: str = ""

    @property
    def words(self) -> str:
        return f"{self.name} {_said(self.here)} (there {_said(self.first)})"

    def forbids_of(self, metric: str) -> bool:
        return self.forbids and self.metric in ("", metric)


def _said(value) -> str:
    return "not known" if value is None else str(value)


def _workload(result: Result) -> dict:
    """What makes a workload, by the name that a reader knows it by; of no parameter that is not set."""
    workload = result.manifest.get("workload") or {}
    params = workload.get("params") or {}
    return {"workload": workload.get("name"), "trace": Path(workload.get("file") or "").name,
            **{key: params[key] for key in sorted(params, key=lambda key: (key != "ws", key))},
            "threads": workload.get("threads")}


def check_workload(first: Result, result: Result) -> None:
    """Raises InputError if the two ran different workloads, and names what differs."""
    there, here = _workload(first), _workload(result)
    keys = [key for key in {**here, **there} if here.get(key) != there.get(key)]
    if here["workload"] != there["workload"]:
        keys = ["workload"]  # its parameters are others too
    if keys:
        found = ", ".join(f"{key} is {_said(here.get(key))} (there {_said(there.get(key))})" for key in keys)
        raise InputError(f"{result.folder}: another workload than that of {first.folder}: its {found}; "
                         "compare folders of one workload, or see hakbench scorecard")


def _reference(result: Result) -> dict:
    entry = result.subject(result.reference)
    return {key: entry.get(key) for key in ("allocator", "version", "env", "init")}


def _base_kb(result: Result) -> Optional[float]:
    """The memory that the reference's process had before its allocator: what its RSS is counted from."""
    base = result.measured(result.reference)["rss_base_kb"].median()
    return float(base) if base > 0 else None


def _bases(first: Result, result: Result) -> list:
    here, there = _base_kb(result), _base_kb(first)
    if None in (here, there) or max(here, there) <= MOST_BASE_TIMES * min(here, there):
        return []
    return [Difference("the process's own memory", f"{here:.0f} kB", f"{there:.0f} kB", True, MEMORY)]


def differences(first: Result, result: Result) -> list:
    """The Differences of two folders of one workload, those that forbid a verdict first."""
    found = []

    def look(name: str, here, there, forbids: bool) -> None:
        if here != there:
            found.append(Difference(name, here, there, forbids))

    here, there = host_class(result), host_class(first)
    for key, name in MACHINE.items():
        look(name, here[key], there[key], True)
    here, there = _reference(result), _reference(first)
    if here["allocator"] == there["allocator"]:  # else no row of one folder meets one of the other
        look(f"version of {here['allocator']}", here["version"], there["version"], True)
        for key, name in (("env", "environment"), ("init", "settings")):
            look(f"{name} of {here['allocator']}", here[key] or {}, there[key] or {}, True)
    seeds = [(of.manifest.get("workload") or {}).get("seed") for of in (result, first)]
    ops = [of.manifest.get("ops_per_epoch") for of in (result, first)]
    if seeds[0] == seeds[1] and ops[0] == ops[1]:  # both are in the hash
        look("stream of operations", *(of.manifest.get("op_stream_hash") for of in (result, first)), True)
    for name, key in SETTINGS:
        look(name, result.manifest.get(key), first.manifest.get(key), False)
    look("seed", *seeds, False)
    look("operations per epoch", *ops, None in ops or max(ops) > MOST_TIMES * min(ops))
    found += _bases(first, result)
    found.sort(key=lambda each: not each.forbids)
    return found


def note(first: Result, result: Result, found: list) -> Optional[str]:
    """The differences in one line; None without any."""
    if not found:
        return None
    line = f"{result.folder} was not measured as {first.folder}: {', '.join(each.words for each in found)}. "
    forbidding, of_memory = ([each.name for each in found if each.forbids and each.metric == metric]
                             for metric in ("", MEMORY))
    if forbidding:
        line += f"No verdict: the change may be that of {' or '.join(forbidding)}"
        return line + (f"; of peak RSS also of {of_memory[0]}" if of_memory else "")
    if of_memory:
        return line + f"No verdict on peak RSS: its change may be that of {of_memory[0]}"
    return line + ("Ratios are compared all the same, because both sides of each shared these; ops/s alone "
                   "may differ by them")
