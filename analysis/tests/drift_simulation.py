#!/usr/bin/env python3
"""How often drift.py is wrong, and how soon it is right, on series whose truth is known.

Purpose     Clean series under several kinds of noise (how many are called DRIFT?), leaks and steps (after
            how many minutes are they?). The figures of docs/analysis/0006-drift-verdicts.md:
            python3 analysis/tests/drift_simulation.py --series 400
Boundary    Series by fixed seeds in, counts of verdicts out. test_drift_simulation.py runs a smaller one.
"""
from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
from hakmem_analysis.drift import analyse  # noqa: E402

LEVEL_KB, PAGE_KB = 33_000, 4
PLANS = ((600, 1.0), (600, 5.0), (3600, 5.0))  # seconds of a soak, of an epoch
DETECTION_MINUTES = (3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)


def ar1(rng, n: int, memory: float, sd_kb: float) -> np.ndarray:
    """Gaussian noise with autocorrelation `memory` between neighbours, stationary from the start."""
    noise = rng.normal(0, sd_kb * np.sqrt(1 - memory ** 2), n)
    noise[0] = rng.normal(0, sd_kb)
    for i in range(1, n):
        noise[i] += memory * noise[i - 1]
    return noise


def warm_up(rng, n: int, kb: float, share: float) -> np.ndarray:
    """An exponential approach to the level whose time constant is `share` of the soak."""
    return -kb * np.exp(-np.linspace(0, 1, n) / share) + rng.normal(0, PAGE_KB, n)


# Name -> series of n epochs: all of them are clean.
CLEAN = {
    "constant": lambda rng, n: np.zeros(n),
    "white noise, 8 kB": lambda rng, n: rng.normal(0, 8, n),
    "AR(1) 0.5, 8 kB": lambda rng, n: ar1(rng, n, 0.5, 8),
    "AR(1) 0.9, 8 kB": lambda rng, n: ar1(rng, n, 0.9, 8),
    "AR(1) 0.98, 8 kB": lambda rng, n: ar1(rng, n, 0.98, 8),
    "AR(1) 0.9, 200 kB": lambda rng, n: ar1(rng, n, 0.9, 200),
    "a page up or down, AR(1) 0.9": lambda rng, n: PAGE_KB * ar1(rng, n, 0.9, 1).round(),
    "2 pages more at random moments": lambda rng, n: PAGE_KB * np.cumsum(rng.random(n) < 2 / n),
    "warm-up 5 MB, 1/20 of the soak": lambda rng, n: warm_up(rng, n, 5000, 1 / 20),
    "warm-up 1 MB, 1/8 of the soak": lambda rng, n: warm_up(rng, n, 1000, 1 / 8),
    "warm-up 500 kB, 1/4 of the soak": lambda rng, n: warm_up(rng, n, 500, 1 / 4),
}


def leak(rng, n: int, epoch_s: float, kb_per_h: float, quantum_kb: float, random: bool,
         noise_kb: float) -> np.ndarray:
    """A leak whose RSS grows by whole quanta, when due or at random moments of that mean rate."""
    if random:
        grown = quantum_kb * np.cumsum(rng.poisson(kb_per_h * epoch_s / 3600 / quantum_kb, n))
    else:
        grown = quantum_kb * np.floor(rng.random() + np.arange(n) * kb_per_h * epoch_s / 3600 / quantum_kb)
    return grown + (ar1(rng, n, 0.9, noise_kb) if noise_kb else 0)


# Name -> (kB/h, quantum, at random?, noise in kB)
LEAKS = {
    "1 MB/h in pages": (1024, 4, False, 0),
    "1 MB/h in pages, at random": (1024, 4, True, 0),
    "1 MB/h, AR(1) 0.9, 8 kB": (1024, 4, False, 8),
    "1 MB/h in 64 kB": (1024, 64, False, 0),
    "256 kB/h in pages": (256, 4, False, 0),
    "256 kB/h in pages, at random": (256, 4, True, 0),
    "256 kB/h, AR(1) 0.9, 8 kB": (256, 4, False, 8),
    "256 kB/h in 64 kB": (256, 64, False, 0),
}


def judge(values: np.ndarray, epoch_s: float):
    """The Drift of a series in whole pages around LEVEL_KB."""
    return analyse(np.arange(len(values)) * epoch_s, np.round((LEVEL_KB + values) / PAGE_KB) * PAGE_KB)


def clean_verdicts(name: str, plan: tuple, series: int) -> Counter:
    soak_s, epoch_s = plan
    return Counter(judge(CLEAN[name](np.random.default_rng(seed), int(soak_s / epoch_s)), epoch_s).verdict
                   for seed in range(series))


def leak_verdicts(name: str, plan: tuple, series: int) -> Counter:
    soak_s, epoch_s = plan
    kb_per_h, quantum_kb, random, noise_kb = LEAKS[name]
    return Counter(judge(leak(np.random.default_rng(seed), int(soak_s / epoch_s), epoch_s, kb_per_h,
                              quantum_kb, random, noise_kb), epoch_s).verdict for seed in range(series))


def steps_named(plan: tuple, series: int) -> tuple:
    """(series that end EXTEND with a step within 5 % of its size and 2 % of its moment, those called DRIFT)
    of steps of 2 MB at 30 to 90 % of the soak, in AR(1) noise of 8 kB."""
    soak_s, epoch_s = plan
    n, named, drifts = int(soak_s / epoch_s), 0, 0
    for seed in range(series):
        rng = np.random.default_rng(seed)
        at = int(n * rng.uniform(0.3, 0.9))
        drift = judge(np.where(np.arange(n) >= at, 2048, 0) + ar1(rng, n, 0.9, 8), epoch_s)
        drifts += drift.verdict == "DRIFT"
        named += (drift.verdict == "EXTEND" and abs(drift.step_kb - 2048) < 103
                  and abs(drift.step_at_s - at * epoch_s) < 0.02 * soak_s)
    return named, drifts


def detection_minutes(name: str, series: int, share: float = 0.95) -> int:
    """The shortest of DETECTION_MINUTES at which that share of soaks (1 s epochs) is DRIFT; 0 if none."""
    for minutes in DETECTION_MINUTES:
        if leak_verdicts(name, (60 * minutes, 1.0), series)["DRIFT"] >= share * series:
            return minutes
    return 0


def _row(cells) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def print_clean(series: int, heads: list) -> None:
    print(_row(["clean: DRIFT / STABLE / EXTEND", *heads]), _row(["---"] * 4), sep="\n")
    for name in CLEAN:
        found = [clean_verdicts(name, plan, series) for plan in PLANS]
        print(_row([name, *(f"{c['DRIFT']} / {c['STABLE']} / {c['EXTEND']}" for c in found)]), flush=True)


def print_leaks(series: int, heads: list) -> None:
    print(_row(["leak: DRIFT", *heads, "95 % found in a soak of"]), _row(["---"] * 5), sep="\n")
    for name in LEAKS:
        found = [leak_verdicts(name, plan, series)["DRIFT"] for plan in PLANS]
        minutes = detection_minutes(name, max(20, series // 4))
        print(_row([name, *found, f"{minutes} min" if minutes else "more than an hour"]), flush=True)


def print_steps(series: int, heads: list) -> None:
    print(_row(["one step of 2 MB: named / DRIFT", *heads]), _row(["---"] * 4), sep="\n")
    print(_row([f"of {series}", *(f"{a} / {b}" for a, b in (steps_named(plan, series) for plan in PLANS))]))


PARTS = {"clean": print_clean, "leaks": print_leaks, "steps": print_steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=400, help="series of each kind (default 400)")
    parser.add_argument("--part", choices=tuple(PARTS), help="one table only (default all)")
    options = parser.parse_args()
    heads = [f"{soak_s // 60} min, epochs of {epoch_s:g} s" for soak_s, epoch_s in PLANS]
    for part in [options.part] if options.part else PARTS:
        PARTS[part](options.series, heads)
        print(flush=True)


if __name__ == "__main__":
    main()
