"""The picture of a soak: throughput, memory, and how memory moved against the budget.

Boundary    Result and SoakSubjects in, one PNG out.
Invariants  As plot.py's. Of many subjects, those that rest are grey: what drifts stands out.
"""
from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from . import text
from .drift import SECONDS_PER_HOUR
from .load import Result
from .plot import COLOURS, GREY, MARKERS, draw_memory, draw_throughput, plt
from .soak_judge import STABLE

COLOURED_AT_MOST = len(COLOURS)
LEGEND_COLUMNS = 4


def _styles(result: Result, judged: list) -> dict:
    """Label -> (colour, marker). Few subjects: a colour each; many: only those that do not rest."""
    if len(result.subjects) <= COLOURED_AT_MOST:
        wanted = result.subjects
    else:
        wanted = [subject.subject for subject in judged if subject.drift.verdict != STABLE]
    places = {label: place for place, label in enumerate(wanted)}
    return {label: (COLOURS[places[label] % len(COLOURS)], MARKERS[places[label] % len(MARKERS)])
            if label in places else (GREY, ".") for label in result.subjects}


def draw(result: Result, judged: list, headline: str, path: Path) -> None:
    """Writes the PNG. Raises OSError if the path cannot be written."""
    styles = _styles(result, judged)
    rows = -(-sum(colour != GREY for colour, _ in styles.values()) // LEGEND_COLUMNS)
    heights = [2.7, 2.2, 2.9]
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
             "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlesize": 10.5}
    start_s = result.epochs["wall_time_s"].min()
    with plt.rc_context(style):
        figure, axes = plt.subplots(3, 1, figsize=(10, sum(heights) + 0.9 + 0.22 * rows),
                                    layout="constrained", sharex=True, height_ratios=heights)
        figure.suptitle(textwrap.fill(headline, 105), fontsize=11, x=0.01, ha="left")
        draw_throughput(axes[0], result, styles, start_s)
        draw_memory(axes[1], result, styles, start_s)
        axes[1].set_xlabel("")
        _draw_change(axes[2], result, judged, styles, start_s)
        handles, labels = _legend_entries(axes[0], styles)
        axes[2].legend(handles, labels, loc="upper left", bbox_to_anchor=(0, -0.2), ncol=LEGEND_COLUMNS,
                       frameon=False, fontsize=9, markerscale=2)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def _legend_entries(axis, styles: dict) -> tuple:
    """(handles, labels) of the subjects; the grey ones share one entry."""
    entries = list(zip(*axis.get_legend_handles_labels()))
    shown = [entry for entry in entries if entry[0].get_color() != GREY or entry[1].startswith("hollow")]
    grey = [entry[0] for entry in entries if entry not in shown]
    steady = sum(colour == GREY for colour, _ in styles.values())
    if steady and grey:
        shown.append((grey[0], f"{steady} steady subjects"))
    return [handle for handle, _ in shown], [name for _, name in shown]


def _draw_change(axis, result: Result, judged: list, styles: dict, start_s: float) -> None:
    """RSS less its level when the warm-up ended, the slope with its interval, and the budget as a cone."""
    axis.set_title("Change of resident memory since the warm-up: slope, its interval, the budget (dotted)")
    axis.set_ylabel("kB")
    axis.set_xlabel("seconds since the first epoch")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    labels = 0
    for subject in judged:
        drift, (colour, marker) = subject.drift, styles[subject.subject]
        epochs = result.measured(subject.subject)
        epochs = epochs[(epochs["launch"] == subject.launch) & epochs["rss_above_base_kb"].notna()]
        epochs = epochs.iloc[drift.warmup_epochs:]
        if epochs.empty or not np.isfinite(drift.slope_kb_per_h):
            continue
        at_s, rss = epochs["wall_time_s"].to_numpy() - start_s, epochs["rss_above_base_kb"].to_numpy()
        centre_s = at_s[0] + drift.span_s / 2
        slopes = np.array([drift.slope_kb_per_h, drift.slope_lower_kb_per_h, drift.slope_upper_kb_per_h])
        ends_h = (np.array([at_s[0], at_s[-1]]) - centre_s) / SECONDS_PER_HOUR
        rss = rss - np.where(at_s >= _step_s(drift, result, subject) - start_s, drift.step_kb, 0.0)
        middle = np.median(rss)
        base = middle + ends_h[0] * slopes[0]
        axis.plot(at_s, rss - base, linestyle="none", marker=marker, markersize=2, color=colour, alpha=0.5)
        lines = middle - base + np.outer(slopes, ends_h)
        axis.plot([at_s[0], at_s[-1]], lines[0], color=colour, linewidth=1.6)
        if colour != GREY:
            axis.fill_between([at_s[0], at_s[-1]], lines[1:].min(axis=0), lines[1:].max(axis=0), color=colour,
                              alpha=0.18, linewidth=0)
            _label(axis, subject, labels, colour)
            labels += 1
    _draw_budget(axis, judged, result, start_s)


def _step_s(drift, result: Result, subject) -> float:
    """The wall time of the step; infinite without one."""
    if not np.isfinite(drift.step_kb):
        return float("inf")
    epochs = result.measured(subject.subject)
    return epochs.loc[epochs["launch"] == subject.launch, "wall_time_s"].min() + drift.step_at_s


def _label(axis, subject, number: int, colour: str) -> None:
    """In lines from the upper left corner down, where no data is yet: the warm-up is left out."""
    words = f"{subject.name}: {text.slope(subject.drift.slope_kb_per_h)}"
    if np.isfinite(subject.drift.step_kb):
        words += f", one step of {text.memory(subject.drift.step_kb)} taken off"
    axis.annotate(words, (0, 1), xycoords="axes fraction", xytext=(6, -6 - 12 * number),
                  textcoords="offset points", ha="left", va="top", color=colour, fontsize=8.5)


def _draw_budget(axis, judged: list, result: Result, start_s: float) -> None:
    span_s = max(subject.drift.span_s for subject in judged)
    end_s = result.epochs["wall_time_s"].max() - start_s
    budget_kb = judged[0].drift.budget_kb_per_h * span_s / SECONDS_PER_HOUR
    for sign in (1, -1):
        axis.plot([end_s - span_s, end_s], [0, sign * budget_kb], color="black", linewidth=1, linestyle=":")
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -1.3 * budget_kb), max(high * 1.12, 1.6 * budget_kb))
