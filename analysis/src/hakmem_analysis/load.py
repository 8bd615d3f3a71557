"""A result folder in memory.

Purpose     Read and validate manifest.json, epochs.csv and events.csv of one run.
Owns        Result: the manifest, the epochs with the quarantine joined in, the events, the warnings.
Boundary    load_result() is the only place that knows the folder's files.
Invariants  A folder of a killed run loads: a cut-off last line is dropped with a warning. Everything
            else that is damaged is an InputError of one line. A run that measured nothing is an error.
"""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from . import csvfile, measured_time
from .errors import InputError
from .schema import APP_FORMAT, COLUMNS, EVENT_COLUMNS, REQUIRED, RESULT_FORMAT, STATUSES, TYPES


@dataclass
class Result:
    """One run. `epochs` has every column of the schema (NaN where not measured) plus `excluded`:
    True for an epoch that is quarantined, by its own row or with its block; and `time_s`: seconds measured
    since the first epoch's end, without the `pauses` (measured_time.py)."""

    folder: Path
    manifest: dict
    epochs: pd.DataFrame
    events: pd.DataFrame
    warnings: list = field(default_factory=list)
    pauses: list = field(default_factory=list)
    read_files: dict = field(default_factory=dict, repr=False)  # by name: what was read once, and stays

    @property
    def subjects(self) -> list:
        """The labels of the subjects, in the manifest's order."""
        return [subject["label"] for subject in self.manifest["subjects"]]

    @property
    def reference(self):
        """The reference's label, or None in a run of one subject."""
        return self.manifest.get("reference") if len(self.subjects) > 1 else None

    def pair(self, candidate: str, reference: str) -> "Result":
        """The same run with two of its subjects only, the second of them as the reference."""
        both = (candidate, reference)
        subjects = [entry for entry in self.manifest["subjects"] if entry["label"] in both]
        return replace(self, manifest={**self.manifest, "subjects": subjects, "reference": reference},
                       epochs=self.epochs[self.epochs["subject"].isin(both)])

    def against(self, name: str) -> "Result":
        """The same run with another reference, by its label or the allocator's name. Raises InputError."""
        known = {label: label for label in self.subjects}
        for label in self.subjects:
            known.setdefault(self.display_name(label), label)
        if name not in known:
            raise InputError(f"{self.folder}: no subject is {name}; there are: "
                             f"{', '.join(map(self.display_name, self.subjects))}")
        return replace(self, manifest={**self.manifest, "reference": known[name]})

    def subject(self, label: str) -> dict:
        """The manifest's entry of a subject."""
        return next(entry for entry in self.manifest["subjects"] if entry["label"] == label)

    def display_name(self, label: str) -> str:
        """The allocator's name; with the label where two subjects share the name (A/A)."""
        name = self.subject(label)["allocator"]
        shared = sum(entry["allocator"] == name for entry in self.manifest["subjects"]) > 1
        return f"{name} ({label})" if shared else name

    def measured(self, label: str) -> pd.DataFrame:
        """The throughput epochs of a subject, quarantined ones included, in time order."""
        return self.epochs[(self.epochs["subject"] == label) & (self.epochs["kind"] == "throughput")]


def _read_manifest(folder: Path) -> dict:
    path = folder / "manifest.json"
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder that hakbench wrote (its option -o)")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; {folder} is not a result folder of hakbench") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); the run was damaged, measure again") from None
    if isinstance(manifest, dict) and manifest.get("format") == APP_FORMAT:
        raise InputError(f"{folder}: a result of hakbench app, which has no epochs; its report is "
                         f"{folder / 'report.md'}")
    if not isinstance(manifest, dict) or manifest.get("format") != RESULT_FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise InputError(f"{path}: format is {found!r}, expected '{RESULT_FORMAT}'; use the report tool of "
                         "the version that measured")
    _check_manifest(path, manifest)
    return manifest


def _check_manifest(path: Path, manifest: dict) -> None:
    if manifest.get("status") not in STATUSES:
        raise InputError(f"{path}: status is {manifest.get('status')!r}, expected one of "
                         f"{', '.join(STATUSES)}")
    subjects = manifest.get("subjects")
    if not isinstance(subjects, list) or not subjects:
        raise InputError(f"{path}: 'subjects' lists no subject; the run ended before it began, measure again")
    labels = []
    for entry in subjects:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in
                                                  ("label", "allocator")):
            raise InputError(f"{path}: an entry of 'subjects' lacks 'label' or 'allocator'")
        labels.append(entry["label"])
    if len(set(labels)) != len(labels):
        raise InputError(f"{path}: two subjects have the same label")
    if len(labels) > 1 and manifest.get("reference") not in labels:
        raise InputError(f"{path}: reference is {manifest.get('reference')!r}, expected one of the subjects: "
                         f"{', '.join(labels)}")


def _read_epochs(path: Path, warnings: list) -> pd.DataFrame:
    rows, cut = csvfile.count_complete_rows(path)
    if cut:
        warnings.append(f"{path.name}: the last line is cut off (a killed run); it is left out")
    texts = [c.name for c in COLUMNS if c.type == "text"]
    numbers = [c.name for c in COLUMNS if c.type != "text"]
    epochs = csvfile.read_columns(
        str(path), numbers=[n for n in numbers if n in REQUIRED], texts=[t for t in texts if t in REQUIRED],
        optional_numbers=numbers, optional_texts=texts, max_rows=rows)
    for column in TYPES:
        if column not in epochs.columns:
            epochs[column] = np.nan
    bad = epochs["ops_per_s"] <= 0
    if bad.any():
        raise InputError(f"{path}:{bad.idxmax() + 2}: column 'ops_per_s' is not positive; remove that line")
    return epochs


def read_events(path: Path, warnings: list) -> pd.DataFrame:
    """The events of a run, none with a warning where the file is missing."""
    if not path.exists():
        warnings.append(f"{path.name} is missing: quarantined blocks and crashes it named are unknown")
        return pd.DataFrame(columns=EVENT_COLUMNS)
    rows, _ = csvfile.count_complete_rows(path)
    return csvfile.read_columns(str(path), texts=("event", "detail"), max_rows=rows,
                                optional_numbers=("seq", "wall_time_s", "launch"),
                                optional_texts=("subject",))


def _quarantined_blocks(epochs: pd.DataFrame, events: pd.DataFrame) -> set:
    """Blocks named by a `quarantine` event or holding an epoch that is over the limit itself."""
    blocks = set(epochs.loc[epochs["quarantined"] > 0, "block"].dropna())
    for detail in events.loc[events["event"] == "quarantine", "detail"].dropna():
        named = re.search(r"\bblock=(\d+)", detail)
        if named:
            blocks.add(float(named.group(1)))
    return blocks


def load_result(folder) -> Result:
    """Reads a result folder. Raises InputError with one line that names file, line, column and mend."""
    folder = Path(folder)
    warnings: list = []
    manifest = _read_manifest(folder)
    epochs = _read_epochs(folder / "epochs.csv", warnings)
    events = read_events(folder / "events.csv", warnings)
    labels = {entry["label"] for entry in manifest["subjects"]}
    foreign = ~epochs["subject"].isin(labels)
    if foreign.any():
        row = foreign.idxmax()
        raise InputError(f"{folder / 'epochs.csv'}:{row + 2}: subject '{epochs['subject'][row]}' is not in "
                         "manifest.json; the two files are of different runs")
    measured = (epochs["kind"] == "throughput") & epochs["ops_per_s"].notna()
    if not measured.any():
        cause = manifest.get("error") or "events.csv may say why"
        raise InputError(f"{folder / 'epochs.csv'}: no throughput epoch was measured (status "
                         f"{manifest['status']}: {cause}); measure again")
    if (epochs["kind"] == "latency").any() and not (folder / "latency.csv").exists():
        warnings.append("latency.csv is missing: the service times of its latency epochs are unknown")
    blocks = _quarantined_blocks(epochs, events)
    epochs["excluded"] = (epochs["quarantined"] > 0) | epochs["block"].isin(blocks)
    if manifest["status"] == "running":
        warnings.append("the run was killed, or is still going on: its manifest says 'running'")
    elif manifest["status"] != "complete":
        cause = f": {manifest['error']}" if manifest.get("error") else ""
        warnings.append(f"the run is not complete: its manifest says '{manifest['status']}'{cause}")
    failed = epochs.loc[epochs["failed_allocs"] > 0].groupby("subject")["failed_allocs"].sum()
    epochs["time_s"], pauses = measured_time.measured_time(manifest, epochs, events)
    result = Result(folder, manifest, epochs, events, warnings, pauses)
    for label, count in failed.items():
        warnings.append(f"{result.display_name(label)}: {count:.0f} allocation{'s' * (count != 1)} failed, "
                        "so its throughput is not comparable")
    return result
