"""The figures of `hakbench app` from its runs.csv.

Purpose     Speed and memory of the first allocator over each other one, a program at a time.
Boundary    The rows in, comparisons and the parts of a report out.
Invariants  Speed = the reference's CPU time / the candidate's, above 1 is better. The unit is the block: the
            mean of the logs of an allocator's two runs in it. The interval is the exact sign interval of the
            blocks.
"""
from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Optional, Sequence

import numpy as np
import pandas as pd

from . import document, stats, text, verdicts

# metric -> (column, which way of the ratio candidate / reference is good, as speed)
METRICS = {"speed": ("cpu_s", "higher"), "wall_speed": ("wall_s", "higher"),
           "peak_rss": ("peak_rss_kb", "lower"), "minor_faults": ("minor_faults", "lower")}

SHORT_CPU_S = 0.05  # of a run; below, the start of the process is most of it


@dataclass(frozen=True)
class Comparison:
    """One metric of one program. Values are medians over all counted runs, in s, kB or
    faults; `resolves` is the shift
    that so many so noisy blocks show with 95 % power, a fraction."""

    program: str
    metric: str
    better: str
    candidate: str
    reference: str
    candidate_value: float
    reference_value: float
    ratio: float
    lower: float
    upper: float
    confidence: float
    blocks: int
    verdict: str
    resolves: float

    def as_dict(self) -> dict:
        return {key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in asdict(self).items()}


def read_runs(path) -> pd.DataFrame:
    """runs.csv; a program may be called `true` or `nan`, and stays a name."""
    return pd.read_csv(path, converters=dict.fromkeys(("program", "allocator"), str))


def counted(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["block"].notna()]


def block_logs(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean log of a column: a row a block, a column an allocator; blocks with a gap are left out."""
    logs = runs.assign(log=np.log(runs[column].where(runs[column] > 0)))
    return logs.pivot_table(index="block", columns="allocator", values="log", aggfunc="mean")


def compare(runs: pd.DataFrame, program: str, candidate: str, reference: str, metric: str) -> Comparison:
    column, better = METRICS[metric]
    rows = counted(runs[runs["program"] == program])
    rows = rows[rows["allocator"].isin((candidate, reference))]
    nan, sign = float("nan"), -1.0 if better == "higher" else 1.0
    logs = block_logs(rows, column)
    has_both = {candidate, reference} <= set(logs.columns)
    differences = sign * (logs[candidate] - logs[reference]).dropna() if has_both else []
    medians = rows.groupby("allocator")[column].median()
    interval = stats.sign_interval(differences)
    if metric == "peak_rss" and has_both:
        interval = stats.no_narrower(interval, stats.page_share(*medians))
    ratio, lower, upper = (float(np.exp(value)) for value in (interval.point, interval.lower, interval.upper))
    resolves = stats.resolving_power(interval, len(differences))
    return Comparison(program, metric, better, candidate, reference, float(medians.get(candidate, nan)),
                      float(medians.get(reference, nan)), ratio, lower, upper, interval.confidence,
                      len(differences), verdicts.difference(lower, upper, better)
                      if interval.confidence >= stats.DEFAULT_CONFIDENCE else "inconclusive",
                      nan if resolves is None else float(np.expm1(resolves)))


def compare_all(runs: pd.DataFrame, labels: Sequence[str]) -> list:
    """The first label against each other one, in the order of the programs in the file."""
    return [compare(runs, program, labels[0], reference, metric)
            for program in runs["program"].unique() for reference in labels[1:] for metric in METRICS]


def geometric_means(comparisons: Sequence[Comparison]) -> dict:
    """(metric, reference) -> geometric mean over the programs that have a ratio."""
    groups: dict = {}
    for row in comparisons:
        if np.isfinite(row.ratio):
            groups.setdefault((row.metric, row.reference), []).append(np.log(row.ratio))
    return {key: float(np.exp(np.mean(logs))) for key, logs in groups.items()}


def _value(row: Comparison, value: float) -> str:
    if row.metric == "peak_rss":
        return text.memory(value)
    return text.plain(value, "{:.0f}" if row.metric == "minor_faults" else "{:.3f} s")


def _ratio(row: Comparison) -> str:
    if not np.isfinite(row.lower):
        return text.ratio(row.ratio)
    worth = f", {_percent(row.confidence)} interval" if is_weak(row) else ""
    return f"{text.ratio(row.ratio)} ({row.lower:.3f}..{row.upper:.3f}{worth})"


def is_weak(row: Comparison) -> bool:
    """Whether its interval is worth less than 95 %, so that it decides nothing."""
    return bool(np.isfinite(row.lower)) and row.confidence < stats.DEFAULT_CONFIDENCE


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"


def table(comparisons: Sequence[Comparison], metric: str) -> list:
    """Header and rows of one metric: a row a program, a column a reference."""
    rows = [row for row in comparisons if row.metric == metric]
    references = list(dict.fromkeys(row.reference for row in rows))
    words = f"{rows[0].candidate} /" if rows[0].better == "lower" else "speed over"
    lines = [["program", rows[0].candidate, *(f"{words} {reference}" for reference in references)]]
    for program in dict.fromkeys(row.program for row in rows):
        of_program = [row for row in rows if row.program == program]
        own = _value(of_program[0], of_program[0].candidate_value)
        lines.append([program, own, *map(_ratio, of_program)])
    means = geometric_means(rows)
    lines.append(["geometric mean", "", *(text.ratio(means.get((metric, reference), float("nan")))
                                          for reference in references)])
    return lines


def warnings(comparisons: Sequence[Comparison]) -> list:
    """What makes figures worth less than they look, a line each."""
    speeds = [row for row in comparisons if row.metric == "speed"]
    weak: dict = {}
    for row in filter(is_weak, speeds):
        weak.setdefault((row.blocks, row.confidence), {})[row.program] = True
    lines = [f"warning: too little was measured: {blocks} block{'s' * (blocks != 1)} give "
             f"{_percent(confidence)} intervals, and no verdict ({', '.join(programs)}); --blocks 6 or more "
             "give 95 %" for (blocks, confidence), programs in weak.items()]
    cpu_s: dict = {}
    for row in speeds:
        values = [value for value in (row.candidate_value, row.reference_value) if np.isfinite(value)]
        cpu_s[row.program] = min([*values, cpu_s.get(row.program, np.inf)])
    return [*lines, *(f"warning: {program} runs for {1000 * value:.0f} ms of CPU time: below "
                      f"{1000 * SHORT_CPU_S:.0f} ms start-up, page faults and noise outweigh malloc; give it "
                      "more to do"
                      for program, value in cpu_s.items() if value < SHORT_CPU_S)]


def too_slow(comparisons: Sequence[Comparison], margin: Optional[float]) -> list:
    """The comparisons of speed whose whole interval lies beyond the loss that `margin` (a share) allows."""
    return [row for row in comparisons if margin is not None and row.metric == "speed"
            and row.verdict == "worse" and row.upper < 1 - margin]


def _too_slow_words(row: Comparison, margin: float) -> str:
    return (f"FAIL: {row.program} is slower under {row.candidate} than under {row.reference} by more than "
            f"{_percent(margin)}: its speed is {_ratio(row)} of that")


def notes(outcome, comparisons: Sequence[Comparison] = (), margin: Optional[float] = None) -> list:
    """What the reader must know beside the figures, a line each."""
    lines = [f"{program} under {label} FAILED: {why}" for (program, label), why in outcome.failed.items()]
    lines += [f"{program} under {label}: its OUTPUT DIFFERS from that under the first allocator"
              for program, label in sorted(outcome.different)]
    lines += [f"{program}: its output is not the same from run to run, so it was not compared"
              for program in sorted(outcome.varying)]
    same = ["Every program gave the same output under every allocator."]
    slow = [_too_slow_words(row, margin) for row in too_slow(comparisons, margin)]
    return [*slow, *(lines or same), *warnings(comparisons)]


TITLES = (("speed", "Speed (CPU time)"), ("peak_rss", "Peak resident memory of the whole process"),
          ("minor_faults", "Page faults"), ("wall_speed", "Speed (wall time)"))


def _interval_words(comparisons: Sequence[Comparison]) -> str:
    """What the intervals are, and what they are worth: not the same where an allocator left in the midst."""
    worth = sorted({row.confidence for row in comparisons if np.isfinite(row.lower)})
    ends = dict.fromkeys(f"{100 * value:.1f}" for value in worth[:1] + worth[-1:])
    return f"Intervals are exact sign intervals ({' to '.join(ends)} %)." if worth else ""


def parts(comparisons: Sequence[Comparison], outcome, manifest: dict) -> list:
    """The report as parts of a document."""
    found = [document.Heading("Real programs: " + " ".join(manifest["allocators"]), 1)]
    if comparisons:
        speeds = [row for row in comparisons if row.metric == "speed"]
        counts = Counter(row.reference for row in speeds if np.isfinite(row.ratio))
        found.append(document.Paragraph(" ".join(
            f"{comparisons[0].candidate} is {text.ratio(mean)}x as fast as {reference} (CPU time, geometric "
            f"mean of {text.counted(counts[reference], 'program')})."
            for (_, reference), mean in geometric_means(speeds).items()), strong=True))
    found.append(document.Bullets(notes(outcome, comparisons, manifest.get("margin"))))
    for metric, title in TITLES if comparisons else ():
        head, *rows = table(comparisons, metric)
        found += [document.Heading(title), document.Table(head, rows)]
    if not comparisons:
        found.append(document.Paragraph("One allocator alone: its runs are in runs.csv."))
    host = manifest["host"]
    return [*found, document.Heading("How"), document.Bullets([
        f"{manifest['blocks']} blocks of each program; in a block every allocator runs twice, in random "
        "order and then in the opposite one; one run of each before that is not counted. "
        + _interval_words(comparisons),
        f"CPUs {manifest['cpus']}; {host['cpu_model']}, {host['kernel']}, transparent huge pages "
        f"{host['thp_enabled']}.",
        *(f"{label}: {row['path'] or 'nothing preloaded'}"
          + (f", SHA-256 {row['sha256'][:16]}" if row["sha256"] else "")
          + "".join(f", {key}={value}" for key, value in row["environment"].items())
          for label, row in manifest["allocators"].items())]),
        document.Code(" ".join(manifest["argv"]))]
