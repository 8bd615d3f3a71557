"""The spread of a candidate's throughput against the reference's: the ratio of their CVs.

Purpose     A CV is the machine's noise and the allocator's own together. Subjects that took turns met the
            same machine, so that the ratio of their CVs says what one CV cannot.
Boundary    Result in, a row of `comparisons` out.
Invariants  The epochs are those of the CVs in the tables (describe.quiet_epochs). The unit is the stretch, a
            piece of a launch that holds both sides and is longer than the memory of their difference.
"""
from __future__ import annotations

import numpy as np

from . import stats
from .comparison import Comparison, make_row, number
from .describe import quiet_epochs
from .load import Result
from .trend import block_size

LEAST_STRETCHES = 10  # below, the bootstrap's interval covers far less than it says


def _stretches(sides: list, scores: list) -> list:
    """For each of two series of one launch, the number of the stretch of each epoch, from 0: as many
    stretches, alike in length, as the memory of what decides the ratio allows. To first order that is the
    difference of the squared scores (deviations in units of their spread) of neighbours in time."""
    rare, other = sorted((0, 1), key=lambda side: len(sides[side]))
    begins, places = (sides[side]["seq"].to_numpy() for side in (rare, other))
    beside = np.minimum(np.searchsorted(places, begins), len(places) - 1)
    count = len(begins) // block_size(scores[rare] ** 2 - scores[other][beside] ** 2)
    firsts = begins[np.arange(1, max(count, 1)) * len(begins) // max(count, 1)]
    return [np.searchsorted(firsts, side["seq"].to_numpy(), side="right") for side in sides]


def _drawn(epochs: list, cvs: list) -> tuple:
    """((rates, stretches) of each side, the launch of each stretch): what the bootstrap draws from."""
    rates, stretches, launches = ([], []), ([], []), []
    for launch in np.intersect1d(*(side["launch"].unique() for side in epochs)):
        sides = [side[side["launch"] == launch] for side in epochs]
        scores = [(side["ops_per_s"].to_numpy() / every["ops_per_s"].mean() - 1) / cv
                  for side, every, cv in zip(sides, epochs, cvs)]
        found = _stretches(sides, scores)
        for which, side in enumerate(sides):
            rates[which].append(side["ops_per_s"].to_numpy())
            stretches[which].append(found[which] + len(launches))
        launches += [int(launch)] * (1 + max(numbers.max() for numbers in found))
    return [(np.concatenate(rate), np.concatenate(place)) for rate, place in zip(rates, stretches)], launches


def compare_spread(result: Result, candidate: str, confidence: float) -> Comparison:
    """The ratio of the CVs of throughput, with a bootstrap's interval over launches, then stretches."""
    epochs = [quiet_epochs(result, label).sort_values("seq") for label in (candidate, result.reference)]
    cvs = [stats.coefficient_of_variation(side["ops_per_s"]) for side in epochs]
    noisy = any(side["excluded"].any() for side in epochs)
    point = lower = upper = float("nan")
    launches, notes = [], []
    if all(cv > 0 for cv in cvs):
        point = cvs[0] / cvs[1]
        sides, launches = _drawn(epochs, cvs)
        if len(launches) < LEAST_STRETCHES:
            notes.append(f"no interval from fewer than {LEAST_STRETCHES} stretches of epochs")
        else:
            lower, upper = stats.bootstrap_cv_ratio(*sides, launches, confidence)
    else:
        notes.append("no ratio: a CV is zero or takes more epochs")
    if noisy:
        notes.append("no epoch is free of noise over the limit; measure on a quieter machine")
    interval = stats.Interval(*np.log([point, lower, upper]), confidence, float("nan"), "bootstrap")
    return make_row(result, candidate, "cv", "lower", interval, confidence, reference_value=number(cvs[1]),
                    candidate_value=number(cvs[0]), resolves=None, unit="stretches", blocks=len(launches),
                    launches=len(set(launches)), quarantined_blocks=0, noisy=noisy, note="; ".join(notes))
