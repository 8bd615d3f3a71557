"""Makes synthetic soak folders whose truth is known."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from folders import BASE_KB, LABELS, _subject, write_rows
from hakmem_analysis.schema import COLUMNS, EVENT_COLUMNS, RESULT_FORMAT

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
