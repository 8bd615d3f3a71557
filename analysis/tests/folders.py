"""Makes synthetic result folders whose truth is known."""
from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from hakmem_analysis.schema import COLUMNS, EVENT_COLUMNS, RESULT_FORMAT

LABELS = "abcdefghi"
BASE_KB = 2500


def _subject(label: str, name: str, same_library: bool) -> dict:
    digest = ("a" if same_library else label) * 64
    return {"label": label, "allocator": name, "version": "1.2.3", "path": f"plugins/{name}.so",
            "library_path": f"plugins/{name}.so", "sha256": digest, "build_id": label * 40,
            "build_config": "not-an-allocator" if name == "floor" else "-O2", "link_kind": "static",
            "generic": False}


def write_rows(path: Path, header, rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def make_folder(folder: Path, names=("hakmem", "mimalloc"), ratios=(1.12, 1.0), reference="b",
                launches=5, blocks_per_launch=9, noise=0.01, launch_noise=0.0, quarantined=(),
                status="complete", seed=1, rss_kb=(900, 850), syscalls=(0, 3), epochs_of_single=40) -> Path:
    """A folder in which subject i runs at ratios[i] x 100 M ops/s. Two or more subjects: mirrored blocks
    (ABBA, BAAB); one: plain epochs. `quarantined` are block numbers."""
    rng = np.random.default_rng(seed)
    labels = LABELS[:len(names)]
    rows, events, clock = [], [], 1_700_000_000.0
    ops = 30_000_000
    counters = {}

    def add(label, launch, block, slot, order, kind, factor):
        nonlocal clock
        i = labels.index(label)
        rate = 1e8 * ratios[i] * factor * np.exp(rng.normal(0, noise))
        elapsed = ops / rate
        clock += elapsed + 0.02
        epoch = counters[launch, label] = counters.get((launch, label), -1) + 1
        rss = BASE_KB + rss_kb[i % len(rss_kb)] + int(rng.integers(0, 3)) * 4
        values = {
            "seq": len(rows), "subject": label, "allocator": names[i], "launch": launch, "block": block,
            "slot": slot, "order": order, "epoch": epoch, "kind": kind, "workload": "random_mixed",
            "threads": 1, "cpu": "1", "start_ns": int((clock - 1.6e9) * 1e9), "wall_time_s": f"{clock:.6f}",
            "ops": ops, "elapsed_ns": round(elapsed * 1e9), "cpu_time_ns": round(elapsed * 1e9),
            "ops_per_s": f"{rate:.1f}", "ns_per_op": f"{1e9 / rate:.4f}", "failed_allocs": 0,
            "live_bytes": 105_000, "rss_base_kb": BASE_KB, "rss_kb": rss, "rss_above_base_kb": rss - BASE_KB,
            "peak_rss_kb": rss + 8, "peak_rss_above_base_kb": rss + 8 - BASE_KB, "anon_huge_kb": 0,
            "vm_size_kb": 50_000, "minor_faults": int(rng.integers(0, 5)), "major_faults": 0,
            "syscalls": syscalls[i % len(syscalls)], "instructions": "",
            "voluntary_switches": 0, "involuntary_switches": 1, "run_delay_ns": 1000,
            "steal_ns": "", "psi_cpu_us": 0, "load_1min": 0.5,
            "quarantined": 1 if block in quarantined and slot == 1 else 0}
        rows.append([values.get(column.name, "") for column in COLUMNS])  # others: not measured

    block = 0
    for launch in range(launches):
        effects = {label: np.exp(rng.normal(0, launch_noise)) for label in labels}
        for label in labels:
            events.append([len(events), f"{clock:.6f}", label, launch, "launch", "pid=1"])
            add(label, launch, "", "", "", "warmup", 0.8)
        if len(names) == 1:
            for _ in range(epochs_of_single):
                add(labels, launch, "", "", "", "throughput", 1.0)
            continue
        for _ in range(blocks_per_launch):
            half = labels if rng.random() < 0.5 else labels[::-1]
            order = half + half[::-1]
            for slot, label in enumerate(order):
                add(label, launch, block, slot, order.upper(), "throughput", effects[label])
            if block in quarantined:
                events.append([len(events), f"{clock:.6f}", "", launch, "quarantine", f"block={block} steal"])
            block += 1
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "epochs.csv", [column.name for column in COLUMNS], rows)
    write_rows(folder / "events.csv", EVENT_COLUMNS, events)
    aa = len(set(names)) == 1 and len(names) > 1
    manifest = {
        "format": RESULT_FORMAT, "status": status, "command": "ab" if len(names) > 1 else "run",
        "argv": ["hakbench", "ab", "--a", names[0], "--b", names[-1], "-o", "out/my run"],
        "profile": {"run": {"noise": {"steal_share": 0.1}}},
        "workload": {"name": "random_mixed", "threads": 1, "seed": 1, "params": {"ws": 400}},
        "subjects": [_subject(label, name, aa) for label, name in zip(labels, names)],
        "reference": reference if len(names) > 1 else labels[0], "ops_per_epoch": ops,
        "op_stream_hash": "0123456789abcdef", "epoch_s": 0.3, "schedule_seed": 7, "launches": launches,
        "blocks": blocks_per_launch,
        "host": {"hostname": "box", "cpu_model": "A CPU", "kernel": "6.1", "cpus_online": 2},
        "git": {"commit": "abc123", "dirty": False}, "syscalls": {"source": "tracepoint", "reason": None}}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return folder
