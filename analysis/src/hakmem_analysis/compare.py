"""Candidates against the reference of one run.

Purpose     Block differences of throughput, ratios of memory and system calls, ns above floor; each with
            its interval and verdict.
Boundary    Result in, rows out.
Invariants  The unit is the block within its launch (throughput) or the launch (memory, system calls),
            never the op or the epoch. Blocks that are quarantined or incomplete are left out whole. A run
            in which an allocation of a side failed has no ratio: a failure is cheaper than an allocation.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
import pandas as pd

from . import stats, text
from .comparison import Comparison, allocation_failures, exp_or_none, make_row, number
from .describe import per_launch, syscalls_per_op_by_launch
from .load import Result
from .spread import compare_spread

IN_PAGES = ("rss_above_base", "peak_rss_above_base")
NOT_AN_ALLOCATOR = "not-an-allocator"
OF_A_RATIO = ("ratio", "lower", "upper", "confidence", "resolves", "sign_lower", "sign_upper",
              "bootstrap_lower", "bootstrap_upper", "launch_effect_p", "ratio_with_quarantined")
LAUNCH_IS_THE_UNIT = "the launches differ more than their blocks explain, so the launch is the unit"


@dataclass(frozen=True)
class BlockTable:
    """Block means of two subjects, one row a complete block: columns reference, candidate, launch,
    excluded. `incomplete` blocks lack an epoch (an interrupted run) and are not in it."""

    rows: pd.DataFrame
    incomplete: int

    @property
    def kept(self) -> pd.DataFrame:
        return self.rows[~self.rows["excluded"]]


def block_table(result: Result, reference: str, candidate: str, column: str, log: bool) -> BlockTable:
    """Means over each block of `column` (of its logarithm if `log`) for both subjects.

    With two epochs a side, as in ABBA, the difference of the means of logs is half the difference of the
    summed logs. A block is complete when it has as many measured epochs of each side as its order says.
    """
    epochs = result.epochs
    epochs = epochs[(epochs["kind"] == "throughput") & epochs["block"].notna()
                    & epochs["subject"].isin((reference, candidate))]
    value = np.log(epochs[column]) if log else epochs[column]
    frame = pd.DataFrame({"block": epochs["block"], "subject": epochs["subject"], "value": value})
    by_side = frame.groupby(["block", "subject"])["value"].agg(["mean", "count"]).unstack("subject")
    blocks = epochs.groupby("block").agg(launch=("launch", "first"), excluded=("excluded", "any"),
                                         order=("order", "first"))
    rows = []
    for block, info in blocks.iterrows():
        expected = _epochs_a_side(info["order"], reference, candidate)
        counts = [by_side.get(("count", label), {}).get(block, 0) for label in (reference, candidate)]
        if counts[0] != counts[1] or not counts[0] > 0 or (expected and counts[0] != expected):
            continue
        rows.append({"block": int(block), "launch": int(info["launch"]), "excluded": bool(info["excluded"]),
                     "reference": by_side["mean", reference][block],
                     "candidate": by_side["mean", candidate][block]})
    columns = ["block", "launch", "excluded", "reference", "candidate"]
    table = pd.DataFrame(rows, columns=columns).astype({"excluded": bool})
    return BlockTable(table, len(blocks) - len(table))


def _epochs_a_side(order, reference: str, candidate: str) -> int:
    """How many epochs of each side a block's order ("ABBA") holds; 0 when it does not tell."""
    letters = str(order).lower()
    a, b = letters.count(reference.lower()), letters.count(candidate.lower())
    return a if a == b else 0


def _compare_blocks(result: Result, candidate: str, confidence: float) -> Comparison:
    """The throughput ratio R = exp(median d) with its intervals."""
    reference = result.reference
    table = block_table(result, reference, candidate, "ops_per_s", log=True)
    quarantined = int(table.rows["excluded"].sum())
    noisy = quarantined > 0 and len(table.kept) < blocks_needed(confidence)
    used = table.rows if noisy else table.kept
    differences = (used["candidate"] - used["reference"]).to_numpy()
    launches = used["launch"].to_numpy()
    interval = stats.paired_interval(differences, launches, confidence)
    sign = stats.sign_interval(differences, confidence)
    bootstrap = stats.bootstrap_interval(differences, launches, confidence)
    shift = None if noisy else stats.resolving_power(interval, len(np.unique(launches)))
    return make_row(
        result, candidate, "throughput", "higher", interval, confidence,
        reference_value=exp_or_none(used["reference"].median()),
        candidate_value=exp_or_none(used["candidate"].median()),
        resolves=None if shift is None else number(1 - np.exp(-shift)),
        unit="launches" if interval.method == "launches" else "blocks", blocks=len(table.kept),
        launches=len(np.unique(launches)), quarantined_blocks=quarantined,
        sign_lower=exp_or_none(sign.lower), sign_upper=exp_or_none(sign.upper),
        bootstrap_lower=exp_or_none(bootstrap[0]), bootstrap_upper=exp_or_none(bootstrap[1]),
        launch_effect_p=number(stats.launch_effect_p(differences, launches)),
        ratio_with_quarantined=exp_or_none((table.rows["candidate"] - table.rows["reference"]).median()),
        noisy=noisy, note=_block_note(table, interval, confidence, noisy))


def _noise_words(kept: int, blocks: int, confidence: float) -> str:
    return (f"only {kept} of {blocks} blocks are free of noise over the limit and "
            f"{blocks_needed(confidence)} are needed; measure on a quieter machine")


def _reach_words(blocks: int, reached: float, confidence: float) -> str:
    return (f"{text.counted(blocks, 'block')} can give {100 * reached:.1f} % confidence at most; "
            f"{100 * confidence:g} % takes {blocks_needed(confidence)}")


def _block_note(table: BlockTable, interval: stats.Interval, confidence: float, noisy: bool) -> str:
    notes = []
    if noisy:
        notes.append(_noise_words(len(table.kept), len(table.rows), confidence))
    elif not len(table.rows):
        notes.append("no block was finished")
    elif interval.confidence < confidence:
        notes.append(_reach_words(len(table.kept), interval.confidence, confidence))
    if interval.method == "launches":
        notes.append(LAUNCH_IS_THE_UNIT)
    if table.rows["launch"].nunique() == 1:
        notes.append("one launch only: how much another address-space layout would change is unknown")
    if table.incomplete:
        notes.append(f"{text.counted(table.incomplete, 'incomplete block')} left out")
    return "; ".join(notes)


def blocks_reach(blocks: int) -> float:
    """The confidence that so many blocks can reach: that of the interval from the least to the greatest."""
    return 1 - 2.0 ** (1 - blocks)


def blocks_needed(confidence: float) -> int:
    """The smallest number of blocks that can reach the confidence."""
    return int(np.ceil(1 - np.log2(1 - confidence)))


def _compare_launches(result: Result, candidate: str, metric: str, reference_values, candidate_values,
                      confidence: float) -> Comparison:
    """A ratio whose unit is the launch: the launches of both sides are paired by number.

    Log ratios where every value is positive; otherwise the values stand alone, without a ratio. Fewer than
    stats.LEAST_LAUNCHES have no interval, and one of memory is never narrower than a page to each side.
    """
    pairs = pd.DataFrame({"reference": reference_values, "candidate": candidate_values}).dropna()
    positive = len(pairs) > 0 and (pairs > 0).all().all()
    note, resolves = "", None
    if positive:
        logs = np.log(pairs["candidate"] / pairs["reference"]).to_numpy()
        interval = stats.launch_interval(logs, np.arange(len(logs)), confidence)
        if len(pairs) < stats.LEAST_LAUNCHES:
            nan = float("nan")
            interval = replace(interval, lower=nan, upper=nan, confidence=0.0)
            note = f"no interval from fewer than {stats.LEAST_LAUNCHES} launches"
        elif metric in IN_PAGES:
            interval = stats.no_narrower(interval, stats.page_share(*pairs.median()))
        shift = stats.resolving_power(interval, len(logs))
        resolves = None if shift is None else number(np.exp(shift) - 1)
    else:
        nan = float("nan")
        interval = stats.Interval(nan, nan, nan, 0.0, nan, "launches")
        note = "no ratio: a value is zero or below" if len(pairs) else "not measured"
    return make_row(result, candidate, metric, "lower", interval, confidence,
                    reference_value=number(pairs["reference"].median()),
                    candidate_value=number(pairs["candidate"].median()), resolves=resolves, unit="launches",
                    blocks=0, launches=len(pairs), quarantined_blocks=0, note=note)


def _above_floor_blocks(result: Result, candidate: str, floor: str) -> pd.DataFrame:
    """ns/op above the floor of both sides, a row a block that is complete in both: columns reference,
    candidate, launch, excluded."""
    sides = [block_table(result, floor, label, "ns_per_op", log=False).rows.set_index("block").astype(
        {"reference": float, "candidate": float}) for label in (result.reference, candidate)]
    both = sides[0].join(sides[1], how="inner", lsuffix="_0", rsuffix="_1")
    return pd.DataFrame({"reference": both["candidate_0"] - both["reference_0"],
                         "candidate": both["candidate_1"] - both["reference_1"], "launch": both["launch_0"],
                         "excluded": both["excluded_0"] | both["excluded_1"]})


def _above_floor_interval(kept: pd.DataFrame, ratio: float, confidence: float) -> tuple:
    """(stats.Interval of the log ratio, notes, p of a launch effect), as for throughput: over the blocks, or
    over the launches where those differ. The effect is sought in candidate - ratio x reference, which is
    linear and rests at 0. Blocks cannot cover more than their sign interval would."""
    nan = float("nan")
    p = stats.launch_effect_p(kept["candidate"] - ratio * kept["reference"], kept["launch"])
    if p < stats.LAUNCH_EFFECT_ALPHA:
        medians = kept.groupby("launch")[["reference", "candidate"]].median()
        notes = [LAUNCH_IS_THE_UNIT]
        if (medians > 0).all(axis=None):
            logs = np.log(medians["candidate"] / medians["reference"]).to_numpy()
            interval = stats.launch_interval(logs, np.arange(len(logs)), confidence)
        else:
            notes.append("no interval: in a launch an allocator is not above the floor")
            interval = stats.Interval(np.log(ratio), nan, nan, 0.0, nan, "launches")
    else:
        notes = ["by bootstrap"]
        lower, upper = stats.bootstrap_ratio(kept["candidate"], kept["reference"], kept["launch"], confidence)
        interval = stats.Interval(np.log(ratio), np.log(max(lower, 1e-9)), np.log(upper), confidence, nan,
                                  "bootstrap")
    return replace(interval, confidence=min(interval.confidence, blocks_reach(len(kept)))), notes, p


def _compare_above_floor(result: Result, candidate: str, floor: str, confidence: float) -> Comparison:
    """The ratio of ns/op above the floor: of medians of block differences, or over the launches where those
    differ. Fewer quiet blocks than blocks_needed() decide nothing."""
    both = _above_floor_blocks(result, candidate, floor)
    kept = both[~both["excluded"]]
    values = kept[["reference", "candidate"]].median()
    nan, p = float("nan"), None
    interval = stats.Interval(nan, nan, nan, 0.0, nan, "bootstrap")
    notes = [] if len(both) else ["no block was finished"]
    if (values > 0).all():
        ratio = values["candidate"] / values["reference"]
        interval, notes, p = _above_floor_interval(kept, ratio, confidence)
    elif len(kept):
        notes = ["no ratio: an allocator is not above the floor in this run"]
    if len(kept) < min(blocks_needed(confidence), len(both)):
        notes.insert(0, _noise_words(len(kept), len(both), confidence))
    elif 0 < len(kept) < blocks_needed(confidence):
        notes.insert(0, _reach_words(len(kept), blocks_reach(len(kept)), confidence))
    return make_row(result, candidate, "ns_above_floor", "lower", interval, confidence,
                    reference_value=number(values["reference"]), candidate_value=number(values["candidate"]),
                    resolves=None, unit="launches" if interval.method == "launches" else "blocks",
                    blocks=len(kept), launches=int(kept["launch"].nunique()),
                    quarantined_blocks=int(both["excluded"].sum()), launch_effect_p=number(p),
                    note="; ".join(notes))


def floor_subject(result: Result) -> Optional[str]:
    """The label of the subject that is no allocator but the least work the ABI permits, or None."""
    for entry in result.manifest["subjects"]:
        if NOT_AN_ALLOCATOR in (entry.get("build_config") or "") or entry["allocator"] == "floor":
            return entry["label"]
    return None


def above_floor(result: Result, label: str, confidence: float = stats.DEFAULT_CONFIDENCE):
    """The stats.Interval of a subject's ns/op above the floor, in ns; None without a floor in the run."""
    floor = floor_subject(result)
    if floor is None or floor == label:
        return None
    kept = block_table(result, floor, label, "ns_per_op", log=False).kept
    return stats.paired_interval(kept["candidate"] - kept["reference"], kept["launch"], confidence)


def compare(result: Result, confidence: float = stats.DEFAULT_CONFIDENCE, throughput=None) -> list:
    """All comparisons of a run: every candidate against the reference, throughput first. Empty for a run
    of one subject. `throughput`: for a run without blocks, what compares its throughput; (result, candidate,
    confidence) -> Comparison."""
    reference = result.reference
    if reference is None:
        return []
    floor = floor_subject(result) if throughput is None else None
    throughput = throughput or _compare_blocks
    everything = {label: result.epochs[result.epochs["subject"] == label] for label in result.subjects}
    measured = {label: result.measured(label) for label in result.subjects}
    rows = []
    for candidate in result.subjects:
        if candidate == reference:
            continue
        rows += [throughput(result, candidate, confidence), compare_spread(result, candidate, confidence)]
        for metric, values in (
                ("rss_above_base", lambda s: per_launch(measured[s], "rss_above_base_kb", "median")),
                ("peak_rss_above_base", lambda s: per_launch(everything[s], "peak_rss_above_base_kb", "max")),
                ("syscalls_per_op", lambda s: syscalls_per_op_by_launch(measured[s]))):
            rows.append(_compare_launches(result, candidate, metric, values(reference), values(candidate),
                                          confidence))
        if floor is not None and floor not in (reference, candidate):
            rows.append(_compare_above_floor(result, candidate, floor, confidence))
    return [_unless_failed(result, row) for row in rows]


def _unless_failed(result: Result, row: Comparison) -> Comparison:
    """The row, without a ratio where an allocation of one of its sides failed."""
    failed = allocation_failures(result, (row.reference_subject, row.candidate_subject))
    if not failed:
        return row
    return replace(row, **dict.fromkeys(OF_A_RATIO), verdict="inconclusive", noisy=False, note=failed)
