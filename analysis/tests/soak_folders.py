"""Makes soak folders: synthetic ones whose truth is known, and a real one stretched to more epochs.

By hand, an hour in 3600 epochs of a second out of the soak on record (docs/design/soak.md times it):
    python3 analysis/tests/soak_folders.py out/tiled [--subjects 1]
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from folders import BASE_KB, LABELS, _subject, write_rows  # noqa: E402
from hakmem_analysis.schema import COLUMNS, EVENT_COLUMNS, RESULT_FORMAT  # noqa: E402

ON_RECORD = Path(__file__).resolve().parents[2] / "results" / "2026-11-24-soak-60m"

SAMPLE_COLUMNS = ("seq", "subject", "launch", "epoch", "since_drain_s", "rss_kb")
EVERY_EPOCH = {"launch": 0, "block": "", "slot": "", "order": "", "kind": "throughput",
               "workload": "random_mixed", "threads": 1, "cpu": "1", "ops": 100_000_000, "failed_allocs": 0,
               "rss_base_kb": BASE_KB, "anon_huge_kb": 0, "vm_size_kb": 50_000, "minor_faults": 0,
               "major_faults": 0, "syscalls": 1, "instructions": "", "voluntary_switches": 0,
               "involuntary_switches": 1, "run_delay_ns": 1000, "steal_ns": "", "psi_cpu_us": 0,
               "load_1min": 0.5, "quarantined": 0}


def make_soak(folder: Path, growth_kb: dict, soak_s=600.0, epoch_s=1.0, rate=(1e8, 0.9e8), reference=0,
              every=None, seed=1, gate=None, others=None, samples=None) -> Path:
    """A soak in which allocators take turns, an epoch each (`every`: how many turns the first one has for one
    of each other). growth_kb: name -> hours -> kB above 1000. others: name -> column -> hours -> value.
    samples: rows for samples.csv."""
    rng = np.random.default_rng(seed)
    names = list(growth_kb)
    labels = dict(zip(names, LABELS))
    turns = names if every is None else [names[0]] * every + names[1:]
    rows, epochs, clock = [], dict.fromkeys(names, 0), 1_700_000_000.0
    for seq in range(int(soak_s / epoch_s)):
        name = turns[seq % len(turns)]
        clock += epoch_s
        hours = (seq + 1) * epoch_s / 3600
        ops_per_s = rate[names.index(name) % len(rate)] * np.exp(rng.normal(0, 0.01))
        above = 1000 + int(round(growth_kb[name](hours) / 4)) * 4
        values = {**EVERY_EPOCH, "seq": seq, "subject": labels[name], "allocator": name,
                  "epoch": epochs[name], "start_ns": int(clock * 1e9), "wall_time_s": f"{clock:.6f}",
                  "elapsed_ns": round(epoch_s * 1e9), "cpu_time_ns": round(epoch_s * 1e9),
                  "ops_per_s": f"{ops_per_s:.1f}", "ns_per_op": f"{1e9 / ops_per_s:.4f}",
                  "live_bytes": 105_000 + int(rng.integers(-4000, 4000)), "rss_kb": BASE_KB + above,
                  "rss_above_base_kb": above, "peak_rss_kb": BASE_KB + above + 8,
                  "peak_rss_above_base_kb": above + 8}
        for column, value in (others or {}).get(name, {}).items():
            values[column] = round(value(hours))
        rows.append([values.get(column.name, "") for column in COLUMNS])
        epochs[name] += 1
    folder.mkdir(parents=True)
    write_rows(folder / "epochs.csv", [column.name for column in COLUMNS], rows)
    write_rows(folder / "events.csv", EVENT_COLUMNS, [])
    if samples is not None:
        write_rows(folder / "samples.csv", SAMPLE_COLUMNS, samples)
    manifest = {
        "format": RESULT_FORMAT, "status": "complete", "command": "soak",
        "argv": ["hakbench", "soak", *(word for name in names for word in ("-a", name))],
        "profile": {"run": {"noise": {"steal_share": 0.1}}, **({"gate": gate} if gate else {})},
        "workload": {"name": "random_mixed", "threads": 1, "seed": 1, "params": {"ws": 400}},
        "subjects": [_subject(labels[name], name, False) for name in names],
        "reference": labels[names[reference]], "ops_per_epoch": 100_000_000, "launches": 1,
        "host": {"hostname": "box"}, "git": {"commit": "abc123", "dirty": False},
        "syscalls": {"source": "tracepoint", "reason": None}}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return folder


def tile_soak(folder: Path, subjects=5, epochs=3600, epoch_s=1.0, source=ON_RECORD, seed=1) -> Path:
    """A soak of `epochs` epochs in all, in turns, made of the rows of a real one: those of its first
    `subjects` subjects, again and again, with throughput jittered by 1 % and memory by a page."""
    rng = np.random.default_rng(seed)
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    manifest["subjects"] = manifest["subjects"][:subjects]
    labels = [entry["label"] for entry in manifest["subjects"]]
    if manifest["reference"] not in labels:
        manifest["reference"] = labels[0]
    rows = pd.read_csv(source / "epochs.csv", dtype=str, keep_default_na=False)
    rows = rows[rows["subject"].isin(labels) & (rows["kind"] == "throughput")]
    rows = rows.iloc[np.arange(epochs) % len(rows)].reset_index(drop=True)
    start_s = float(rows["wall_time_s"][0])
    rows["seq"] = np.arange(epochs)
    rows["epoch"] = rows.groupby("subject").cumcount()
    rows["wall_time_s"] = [f"{start_s + epoch_s * seq:.6f}" for seq in range(epochs)]
    rate = rows["ops_per_s"].astype(float) * np.exp(rng.normal(0, 0.01, epochs))
    rows["ops_per_s"], rows["ns_per_op"] = rate, 1e9 / rate
    page_kb = 4 * rng.integers(0, 2, epochs)
    for column in ("rss_kb", "rss_above_base_kb", "peak_rss_kb", "peak_rss_above_base_kb"):
        rows[column] = rows[column].astype(int) + page_kb
    folder.mkdir(parents=True)
    rows.to_csv(folder / "epochs.csv", index=False)
    write_rows(folder / "events.csv", EVENT_COLUMNS, [])
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return folder


if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3600)
    options = parser.parse_args()
    print(tile_soak(options.folder, options.subjects, options.epochs))
