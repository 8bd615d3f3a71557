"""Makes what a scorecard is made of: ab folders of several allocators, app folders, soaks, a suite."""
from __future__ import annotations

import json
from pathlib import Path

from folders import make_folder
from hakmem_analysis import scorecard_suite

NAMES = ("hakmem", "mimalloc", "jemalloc")


def edit_manifest(folder: Path, **changes) -> Path:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest.update(changes)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def make_workload(folder: Path, ratios=(1.2, 1.0, 0.9), workload="random_mixed", params=None, names=NAMES,
                  **more) -> Path:
    make_folder(folder, names, ratios, launches=4, blocks_per_launch=3, rss_kb=(900, 1000, 1500), **more)
    return edit_manifest(folder, workload={"name": workload, "threads": 1, "seed": 1,
                                           "params": {"ws": 400} if params is None else params})


def make_app(folder: Path, ratio=1.1, programs=("g++", "perl", "lua", "redis", "python3")) -> Path:
    folder.mkdir(parents=True)
    rows = [{"program": program, "metric": metric, "candidate": "hakmem", "reference": "mimalloc",
             "ratio": value, "lower": value - 0.01, "upper": value + 0.01, "verdict": "better"}
            for program in programs for metric, value in (("speed", ratio), ("peak_rss", 0.9))]
    manifest = {"format": "hakbench-app/1", "status": "complete", "host": {"cpu_model": "A CPU"}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    verdict = {"format": "hakbench-app/1", "comparisons": rows, "notes": ["Same output everywhere."]}
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    return folder


def make_soak(folder: Path, name="hakmem") -> Path:
    make_folder(folder, (name,), (1.0,), launches=1, epochs_of_single=400)
    return edit_manifest(folder, command="soak")


def make_suite(folder: Path) -> Path:
    """Six workloads, at 1.0, 1.1 ... 1.5 times mimalloc, and real programs."""
    names = [f"w{number}" for number in range(6)]
    for number, name in enumerate(names):
        make_workload(folder / name, (1.0 + number / 10, 1.0, 0.9), workload=name, noise=0.002, seed=number)
    make_app(folder / "app")
    suite = scorecard_suite.Suite([*names, "app"], ["huge: FAILED under tcmalloc"])
    scorecard_suite._write_suite(folder, suite)
    return folder
