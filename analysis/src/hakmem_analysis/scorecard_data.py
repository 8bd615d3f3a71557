"""What a scorecard is made of: any number of result folders, read.

Purpose     Tell the kinds of folders apart and take from each what the scorecard compares.
Owns        Card, Workload, Soak, Programs.
Boundary    read_card() turns folders into plain data; the folders' files are known to load.py, latency.py
            and app_report.py.
Invariants  Every row keeps its folder. A folder that cannot be used is an InputError of one line; what a
            suite left out, or could not measure, is a note, never silence.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from . import describe, latency, scorecard_micro, soak_judge, wording
from .compare import NOT_AN_ALLOCATOR, compare
from .comparison import Comparison
from .drift import Drift
from .errors import InputError
from .load import Result, load_result
from .scorecard_suite import SUITE_FILE, read_suite

APP_FORMAT = "hakbench-app/1"


@dataclass(frozen=True)
class Workload:
    """One `ab` folder. `summaries` and `service` by allocator; `rows` by (comparator, metric): the candidate
    against each comparator. `launches` are the candidate's values by launch that intervals are made of."""

    name: str
    folder: Path
    result: Result
    summaries: dict
    service: dict
    rows: dict

    @property
    def comparators(self) -> list:
        return list(dict.fromkeys(comparator for comparator, _ in self.rows))

    def best(self) -> Optional[Comparison]:
        """The row of the comparator that the candidate is the least ahead of; None without a ratio."""
        rows = [row for (_, metric), row in self.rows.items() if metric == "throughput"
                and row.ratio is not None]
        return min(rows, key=lambda row: row.ratio, default=None)

    def is_random_mixed(self, ws: Optional[int] = None) -> bool:
        workload = self.result.manifest.get("workload") or {}
        if workload.get("name") != "random_mixed":
            return False
        return ws is None or (workload.get("params") or {}).get("ws") == ws and workload.get("threads") == 1


@dataclass(frozen=True)
class Soak:
    """One process of a soak folder, judged."""

    allocator: str
    launch: int
    workload: str
    folder: Path
    drift: Drift


@dataclass(frozen=True)
class Programs:
    """One `app` folder: its comparisons as verdict.json has them, those of the candidate only."""

    folder: Path
    rows: list
    notes: list


@dataclass
class Card:
    """Everything that was read, for one candidate. `hosts` and `versions` say what it was measured on."""

    candidate: str
    workloads: list = field(default_factory=list)
    soaks: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    micros: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    hosts: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)

    @property
    def comparators(self) -> list:
        """Every allocator that the candidate is compared with, in the order met."""
        return list(dict.fromkeys(name for workload in self.workloads for name in workload.comparators))


def _manifest(folder: Path) -> dict:
    path = folder / "manifest.json"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give folders that hakbench ab, app or soak wrote")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: no result folder of hakbench ab, app or soak, nor a suite: it holds "
                         f"neither manifest.json nor {SUITE_FILE}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); measure again") from None
    return manifest if isinstance(manifest, dict) else {}


def read_card(folders: Sequence, candidate: str) -> Card:
    """Reads all folders. Raises InputError; also when none of them compares the candidate with anything."""
    card = Card(candidate)
    found: list = []
    for folder in map(Path, folders):
        if (folder / SUITE_FILE).exists():
            suite = read_suite(folder)
            card.notes += suite.notes
            found += [(folder / name, name) for name in suite.measured]
        else:
            found.append((folder, ""))
    for place, (folder, name) in enumerate(found):
        if folder.resolve() in (other.resolve() for other, _ in found[:place]):
            raise InputError(f"{folder} is given twice; a measurement counts once")
        _add(card, folder, name)
    if not (card.workloads or card.soaks or card.programs or card.micros):
        raise InputError(f"nothing about {candidate} in {', '.join(map(str, folders))}; give folders of "
                         "hakbench ab, app, soak or micro")
    _tell_apart(card.workloads)
    return card


def _add(card: Card, folder: Path, name: str) -> None:
    if scorecard_micro.is_micro(folder):
        card.micros.append(scorecard_micro.read(folder, card.candidate))
        return
    manifest = _manifest(folder)
    if manifest.get("format") == APP_FORMAT:
        card.programs.append(_read_programs(folder, card.candidate))
        _add_host(card, manifest)
        return
    result = load_result(folder)
    _add_host(card, manifest)
    for entry in result.manifest["subjects"]:
        if _is_allocator(entry):
            card.versions.setdefault(entry["allocator"], entry.get("version") or "")
    card.notes += [f"{folder.name}: {warning}" for warning in result.warnings]
    if soak_judge.is_soak(result):
        card.soaks += _read_soaks(result)
    else:
        card.workloads.append(_read_workload(result, card.candidate, name))


def _add_host(card: Card, manifest: dict) -> None:
    host = manifest.get("host") or {}
    words = ", ".join(filter(None, (
        host.get("cpu_model"), f"{host['cpus_online']} CPUs" if host.get("cpus_online") else "",
        host.get("kernel"))))
    if words and words not in card.hosts:
        card.hosts.append(words)


def _is_allocator(entry: dict) -> bool:
    build = entry.get("build_config") or ""
    return not (build.startswith("control") or NOT_AN_ALLOCATOR in build or entry["allocator"] == "floor")


def short_name(result: Result) -> str:
    """The workload with what is mostly varied: working set and threads."""
    workload = result.manifest.get("workload") or {}
    ws, threads = (workload.get("params") or {}).get("ws"), workload.get("threads")
    return " ".join(filter(None, (
        workload.get("name") or "unnamed workload", (workload.get("file") or "").rsplit("/", 1)[-1],
        f"ws={ws}" if ws else "",
        f"{threads} threads" if threads and threads > 1 else "")))


def _tell_apart(workloads: list) -> None:
    """Workloads that share a short name get their folder's name."""
    names = [workload.name for workload in workloads]
    for at, workload in enumerate(workloads):
        if names.count(workload.name) > 1:
            workloads[at] = Workload(f"{workload.name} ({workload.folder.name})", *(
                getattr(workload, part) for part in ("folder", "result", "summaries", "service", "rows")))


def _read_workload(result: Result, candidate: str, name: str) -> Workload:
    labels = {}
    for entry in result.manifest["subjects"]:
        if _is_allocator(entry):
            labels.setdefault(entry["allocator"], entry["label"])
    if candidate not in labels:
        raise InputError(f"{result.folder}: no subject is {candidate}; there are {', '.join(labels)}: name "
                         "one with --candidate, or leave the folder out")
    if len(labels) < 2:
        raise InputError(f"{result.folder}: nothing but {candidate} in it to compare with; leave the folder "
                         "out")
    summaries = {entry: describe.summarise(result, label) for entry, label in labels.items()}
    summaries = {entry: summary for entry, summary in summaries.items() if summary.epochs}
    frame = latency.load_latency(result)
    service = {entry: latency.summarise(result, frame, labels[entry]) for entry in summaries} \
        if frame is not None else {}
    rows = {(other, row.metric): row for other in summaries if other != candidate
            for row in compare(result.pair(labels[candidate], labels[other]))}
    return Workload(name or short_name(result), result.folder, result, summaries,
                    {entry: found for entry, found in service.items() if found is not None}, rows)


def _read_soaks(result: Result) -> list:
    return [Soak(result.subject(it.subject)["allocator"], it.launch, short_name(result), result.folder,
                 it.drift) for it in soak_judge.judge(result) if _is_allocator(result.subject(it.subject))]


def _read_programs(folder: Path, candidate: str) -> Programs:
    path = folder / "verdict.json"
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
        rows = verdict["comparisons"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run hakbench app again") from None
    found = sorted({row["candidate"] for row in rows})
    if candidate not in found:
        raise InputError(f"{folder}: its candidate is {', '.join(found) or 'none'}, not {candidate}; name it "
                         "with --candidate, or leave the folder out")
    notes = verdict.get("notes") or []
    return Programs(folder, [row for row in rows if row["candidate"] == candidate], notes)


def conditions(workload: Workload) -> str:
    return wording.conditions(workload.result)


def finite_or_none(value) -> Optional[float]:
    return float(value) if value is not None and np.isfinite(value) else None
