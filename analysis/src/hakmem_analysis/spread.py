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
SHORT_SHARE = 3  # of the longest launch's stretches: a third


def _pieces(places: list) -> list:
    """For each of two series of one launch, given by their places in the schedule, the number of the piece of
    each epoch, from 0: pieces as short as can be that hold both series."""
    rare = min(places, key=len)
    turns = [np.searchsorted(rare[1:], side, side="right") for side in places]
    both = np.all([np.bincount(side, minlength=len(rare)) > 0 for side in turns], axis=0)
    pieces = np.maximum(np.cumsum(both) - 1, 0)
    return [pieces[side] for side in turns]


def _stretches(places: list, scores: list) -> tuple:
    """(for each of two series of one launch, the number of the stretch of each epoch, from 0; how many there
    are): as many stretches of pieces, alike in length, as the memory of what decides the ratio allows. To
    first order that is the difference of the mean squared scores (deviations in units of their spread)."""
    pieces = _pieces(places)
    count = 1 + max(side.max() for side in pieces)
    squares = [np.bincount(side, score ** 2) / np.bincount(side) for side, score in zip(pieces, scores)]
    stretches = max(1, count // block_size(squares[0] - squares[1]))
    return [side * stretches // count for side in pieces], stretches


def _drawn(epochs: list, cvs: list) -> tuple:
    """((rates, stretches) of each side, the launch of each stretch): what the bootstrap draws from. A launch
    much shorter than the longest counts with that one: a draw of it alone would have hardly an epoch."""
    rates, stretches, launches = ([], []), ([], []), []
    for launch in np.intersect1d(*(side["launch"].unique() for side in epochs)):
        sides = [side[side["launch"] == launch] for side in epochs]
        scores = [(side["ops_per_s"].to_numpy() / every["ops_per_s"].mean() - 1) / cv
                  for side, every, cv in zip(sides, epochs, cvs)]
        found, count = _stretches([side["seq"].to_numpy() for side in sides], scores)
        for which, side in enumerate(sides):
            rates[which].append(side["ops_per_s"].to_numpy())
            stretches[which].append(found[which] + len(launches))
        launches += [int(launch)] * count
    if not launches:
        return [], []
    names, counts = np.unique(launches, return_counts=True)
    short = names[SHORT_SHARE * counts < counts.max()]  # cut off, or resumed for the rest
    launches = np.where(np.isin(launches, short), names[counts.argmax()], launches)
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
            if not lower > 0:
                lower = upper = float("nan")
                notes.append("no interval: few epochs have all of a side's spread")
    else:
        notes.append("no ratio: a CV is zero or takes more epochs")
    if noisy:
        notes.append("no epoch is free of noise over the limit; measure on a quieter machine")
    interval = stats.Interval(*np.log([point, lower, upper]), confidence, float("nan"), "bootstrap")
    return make_row(result, candidate, "cv", "lower", interval, confidence, reference_value=number(cvs[1]),
                    candidate_value=number(cvs[0]), resolves=None, unit="stretches", blocks=len(launches),
                    launches=len(set(launches)), quarantined_blocks=0, noisy=noisy, note="; ".join(notes))
