"""The picture of a soak: throughput, memory, how it moved against the budget, how it falls after a drain.

Boundary    Result and SoakSubjects in, one PNG out.
Invariants  As plot.py's. Of many subjects, those that rest are grey: what drifts stands out. Slopes of more
            than BANDS_AT_MOST subjects have a row each, on one scale, or they would cover each other; so has
            the throughput of more than TOGETHER_AT_MOST, in percent of its median, or the levels would take
            the scale.
"""
from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from . import decay, text
from .cycles import warmup_rows
from .drift import SECONDS_PER_HOUR
from .load import Result
from .plot import (
    BANDS_AT_MOST, COLOURS, GREY, LEGEND_MARK_CHARACTERS, LINE_CHARACTERS, MARKERS, TIME_LABEL,
    draw_memory, draw_series, draw_throughput, mark_launches, plt, throughput_title)
from .soak_judge import STABLE
from .soak_page import names
from .wholefile import MEND, write_picture

COLOURED_AT_MOST = len(COLOURS)
TOGETHER_AT_MOST = 3
THROUGHPUT_INCHES = 2.7
CHANGE_INCHES = 2.9
ROW_INCHES = 0.75
ROOM_FOR_NAME = 0.45  # of the data's height, above it in a row
TOO_FEW = "too few epochs for a slope"


def _styles(result: Result, judged: list) -> dict:
    """Label -> (colour, marker). Few subjects: a colour each; many: only those that do not rest."""
    if len(result.subjects) <= COLOURED_AT_MOST:
        wanted = result.subjects
    else:
        wanted = [subject.subject for subject in judged if subject.drift.verdict != STABLE]
    places = {label: place for place, label in enumerate(wanted)}
    return {label: (COLOURS[places[label] % len(COLOURS)], MARKERS[places[label] % len(MARKERS)])
            if label in places else (GREY, ".") for label in result.subjects}


def _rows(judged: list, styles: dict) -> list:
    """The subjects of each panel of changes: all in one, or of many one each, the grey ones together."""
    sloped = any(np.isfinite(subject.drift.slope_kb_per_h) for subject in judged)
    if len(judged) <= BANDS_AT_MOST or not sloped:
        return [judged]
    grey = [subject for subject in judged if styles[subject.subject][0] == GREY]
    return [[subject] for subject in judged if subject not in grey] + ([grey] if grey else [])


def _throughput_rows(result: Result, styles: dict) -> list:
    """The labels of each panel of throughput: all in one, or of many one each, the grey ones together."""
    labels = [label for label in styles if result.measured(label)["ops_per_s"].notna().any()]
    if len(labels) <= TOGETHER_AT_MOST:
        return [labels]
    grey = [label for label in labels if styles[label][0] == GREY]
    return [[label] for label in labels if label not in grey] + ([grey] if grey else [])


def draw(result: Result, judged: list, headline: str, path: Path) -> None:
    """Writes the PNG. Raises InputError if the path cannot be written."""
    styles = _styles(result, judged)
    drained = [subject for subject in judged if subject.decay]
    rows = _rows(judged, styles)
    changes = [CHANGE_INCHES] if len(rows) == 1 else [ROW_INCHES] * len(rows)
    speeds = _throughput_rows(result, styles)
    first = [THROUGHPUT_INCHES] if len(speeds) == 1 else [ROW_INCHES] * len(speeds)
    heights = [*first, 2.2, *changes] + ([2.6] if drained else [])
    names_wide = max(len(result.display_name(label)) for label in styles) + LEGEND_MARK_CHARACTERS
    columns = max(1, LINE_CHARACTERS // names_wide)
    lines = -(-sum(colour != GREY for colour, _ in styles.values()) // columns)
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
             "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlesize": 10.5}
    with plt.rc_context(style):
        figure, axes = plt.subplots(len(heights), 1, figsize=(10, sum(heights) + 0.9 + 0.22 * lines),
                                    layout="constrained", height_ratios=heights)
        memory = axes[len(speeds)]
        over_time = axes[:len(speeds) + 1 + len(rows)]
        for axis in over_time[1:]:
            axis.sharex(axes[0])
        figure.suptitle(textwrap.fill(text.drawn(headline), 105), fontsize=11, x=0.01, ha="left")
        if len(speeds) == 1:
            draw_throughput(axes[0], result, styles)
        else:
            _draw_throughput_rows(axes[:len(speeds)], result, speeds, styles)
        draw_memory(memory, result, styles, launches_named=len(speeds) > 1)
        memory.set_xlabel("")
        _draw_changes(over_time[len(speeds) + 1:], rows, judged, styles)
        for axis in over_time[:-1]:
            axis.tick_params(labelbottom=False)
        if drained:
            _draw_decay(axes[-1], result, drained, styles)
        handles, labels = _legend_entries(axes[:len(speeds)], styles)
        axes[-1].legend(handles, labels, loc="upper left", bbox_to_anchor=(0, -0.58 / heights[-1]),
                        ncol=columns, frameon=False, fontsize=9, markerscale=2)
        write_picture(path, figure, MEND)
        plt.close(figure)


def _legend_entries(axes, styles: dict) -> tuple:
    """(handles, labels) of the subjects; the grey ones share one entry."""
    by_name = {name: handle for axis in axes for handle, name in zip(*axis.get_legend_handles_labels())}
    entries = [(handle, name) for name, handle in by_name.items()]
    shown = [entry for entry in entries if entry[0].get_color() != GREY or entry[1].startswith("hollow")]
    grey = [entry[0] for entry in entries if entry not in shown]
    steady = sum(colour == GREY for colour, _ in styles.values())
    if steady and grey:
        shown.append((grey[0], text.counted(steady, "steady subject")))
    return [handle for handle, _ in shown], [name for _, name in shown]


def _draw_throughput_rows(axes, result: Result, rows: list, styles: dict) -> None:
    """The throughput of the subjects of a row in each of `axes`, in percent of each one's median; the rows
    are on one scale."""
    window = 1
    for axis, labels in zip(axes, rows):
        for label in labels:
            median = result.measured(label)["ops_per_s"].median()
            window = max(window, draw_series(axis, result, {label: styles[label]}, "ops_per_s", 100 / median,
                                             smooth=True))
        colour = styles[labels[0]][0]
        name = text.counted(len(labels), "steady subject") if colour == GREY else (
            f"{result.display_name(labels[0])}: median {text.rate(median)}")
        _label(axis, name, 0, colour)
        axis.set_ylabel("%")
        mark_launches(axis, result, names=False)
    axes[0].set_title(throughput_title(window) + ", in percent of its subject's median")
    axes[0].set_xlim(left=0)
    limits = [axis.get_ylim() for axis in axes]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axis in axes:
        axis.set_ylim(low, high + ROOM_FOR_NAME * (high - low))
        axis.locator_params(axis="y", nbins=3)


def _draw_changes(axes, rows: list, judged: list, styles: dict) -> None:
    """RSS less its level when the warm-up ended, the slope with its interval, and the budget as a cone: of
    the subjects of a row in each of `axes`, which are on one scale."""
    axes[-1].set_xlabel(TIME_LABEL)
    sloped = [subject for subject in judged if np.isfinite(subject.drift.slope_kb_per_h)]
    if not sloped:
        _say_why_no_slope(axes[0], judged)
        return
    by_cycle = any(subject.drift.epochs_per_cycle for subject in sloped)
    what = "each cycle's peak memory" if by_cycle else "resident memory"
    axes[0].set_title(f"Change of {what} since the warm-up: slope, its interval, the budget (dotted)")
    for axis, subjects in zip(axes, rows):
        axis.set_ylabel("kB")
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        _draw_change(axis, subjects, styles)
    if len(axes) > 1:
        limits = [axis.get_ylim() for axis in axes]
        for axis in axes:
            axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
            axis.locator_params(axis="y", nbins=3)


def _draw_change(axis, subjects: list, styles: dict) -> None:
    labels, judged_s = 0, {}
    for subject in subjects:
        colour, marker = styles[subject.subject]
        if not np.isfinite(subject.drift.slope_kb_per_h):
            _label(axis, f"{subject.name}: {TOO_FEW}", labels, colour)
            labels += 1
            continue
        judged_s.setdefault(subject.launch, []).extend(_draw_slope(axis, subject, colour, marker))
        if colour != GREY:
            _label(axis, _slope_words(subject), labels, colour)
            labels += 1
    if not labels:
        _label(axis, text.counted(len(subjects), "steady subject"), 0, GREY)
    _draw_budget(axis, subjects[0].drift.budget_kb_per_h, judged_s.values())


def _draw_slope(axis, subject, colour: str, marker: str) -> tuple:
    """The times at which it begins and ends."""
    drift = subject.drift
    judged_rows = subject.judged[subject.judged["rss_kb"].notna()].iloc[warmup_rows(drift):]
    at_s, rss = judged_rows["time_s"].to_numpy(), judged_rows["rss_kb"].to_numpy()
    centre_s = at_s[0] + drift.span_s / 2
    slopes = np.array([drift.slope_kb_per_h, drift.slope_lower_kb_per_h, drift.slope_upper_kb_per_h])
    rss = rss - np.where(at_s >= _step_s(drift, subject), drift.step_kb, 0.0)
    level = np.median(rss - slopes[0] * (at_s - centre_s) / SECONDS_PER_HOUR)
    places_s = np.array([at_s[0], centre_s, at_s[-1]])  # the interval is a bow tie: narrow at the centre
    lines = level + np.outer(slopes, (places_s - centre_s) / SECONDS_PER_HOUR)
    base = lines[0, 0]
    axis.plot(at_s, rss - base, linestyle="none", marker=marker, markersize=2, color=colour, alpha=0.5)
    axis.plot(places_s, lines[0] - base, color=colour, linewidth=1.6)
    if colour != GREY:
        axis.fill_between(places_s, lines[1:].min(axis=0) - base, lines[1:].max(axis=0) - base,
                          color=colour, alpha=0.18, linewidth=0)
    return at_s[0], at_s[-1]


def _step_s(drift, subject) -> float:
    """The measured time of the step; infinite without one."""
    if not np.isfinite(drift.step_kb):
        return float("inf")
    return subject.judged["time_s"].min() + drift.step_at_s


def _say_why_no_slope(axis, judged: list) -> None:
    """In place of a drawing: no cone without a slope."""
    needed_s = max(subject.drift.needed_s for subject in judged)
    axis.set_title("Change of resident memory since the warm-up")
    axis.set_yticks([])
    axis.text(0.5, 0.5, f"{TOO_FEW[0].upper()}{TOO_FEW[1:]} of {names(judged)}; a soak of about "
                        f"{text.duration(needed_s)} would have one", transform=axis.transAxes, ha="center",
              va="center", color=GREY)


def _slope_words(subject) -> str:
    words = f"{subject.name}: {text.slope(subject.drift.slope_kb_per_h)}"
    if np.isfinite(subject.drift.step_kb):
        words += f", one step of {text.memory(subject.drift.step_kb)} taken off"
    return words


def _label(axis, words: str, number: int, colour: str) -> None:
    """In lines from the upper left corner down, where no data is yet: the warm-up is left out."""
    axis.annotate(text.drawn(words), (0, 1), xycoords="axes fraction", xytext=(6, -6 - 12 * number),
                  textcoords="offset points", ha="left", va="top", color=colour, fontsize=8.5)


def _draw_decay(axis, result: Result, drained: list, styles: dict) -> None:
    """RSS above the process's own since a drain: the median over drains, with a band that holds most."""
    samples, courses = decay.read(result), []
    for subject in drained:
        epochs = result.measured(subject.subject)
        base_kb = epochs.loc[epochs["launch"] == subject.launch, "rss_base_kb"].median()
        courses.append(decay.course(samples, subject.subject, subject.launch, base_kb))
    largest = max(course.high_kb.max() for course in courses)
    unit, scale = ("MB of 1024 kB", 1 / 1024) if largest >= 10_000 else ("kB", 1.0)
    banded = len(drained) <= BANDS_AT_MOST  # more would cover each other
    axis.set_title("Resident memory after a drain: median over the drains"
                   + ("; 8 of 10 are within the band" if banded else ""))
    axis.set_ylabel(unit)
    axis.set_xlabel("seconds since everything was freed, idling; log scale")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    for subject, course in zip(drained, courses):
        colour, marker = styles[subject.subject]
        if banded:
            axis.fill_between(course.since_s, course.low_kb * scale, course.high_kb * scale, color=colour,
                              alpha=0.18, linewidth=0)
        axis.plot(course.since_s, course.median_kb * scale, color=colour, linewidth=1.4, marker=marker,
                  markersize=3.5)
    axis.set_ylim(0, 1.08 * max(largest * scale, 1.0))


def _draw_budget(axis, budget_kb_per_h: float, judged_s) -> None:
    """A cone for each launch that was judged; `judged_s`: the times in it at which slopes begin and end."""
    budget_kb = 0.0
    for times_s in judged_s:
        begin_s, end_s = min(times_s), max(times_s)
        at_end_kb = budget_kb_per_h * (end_s - begin_s) / SECONDS_PER_HOUR
        budget_kb = max(budget_kb, at_end_kb)
        for sign in (1, -1):
            axis.plot([begin_s, end_s], [0, sign * at_end_kb], color="black", linewidth=1, linestyle=":")
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -1.3 * budget_kb), max(high * 1.12, 1.6 * budget_kb))
