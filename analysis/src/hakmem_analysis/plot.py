"""The picture of a run.

Purpose     Throughput and memory of all subjects over time, and the block ratios with the interval.
Boundary    Result and comparisons in, one PNG out. Headless (Agg), no network.
Invariants  Colours are told apart by colour-blind people (Okabe and Ito's set), and every subject has its
            own marker too. Quarantined epochs are drawn hollow, never dropped. Legends lie outside the data.
            Ratios of more than BANDS_AT_MOST candidates have a row each, or bands would cover each other.
            Every epoch is a point; of a series too dense for a line from point to point, the running median
            is drawn through them.
"""
from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
import numpy as np  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

from . import text  # noqa: E402
from .compare import block_table  # noqa: E402
from .load import Result  # noqa: E402
from .wholefile import MEND, write_picture  # noqa: E402

# One for each subject of `hakbench ab`. The eighth is a dark red: the set's own, yellow, is pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B10026")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
MARKED_EPOCHS = 400  # more in one series are too dense to be joined, or to be told by their markers
MEDIANS = 120  # that many windows of a running median are a series' width
LINE_CHARACTERS = 105  # of the figure's width, in the font of the legends
LEGEND_MARK_CHARACTERS = 5  # what a marker and the gap to the next name take
LEGEND_LINE_POINTS = 15
BANDS_AT_MOST = 2
ROW_INCHES = 0.42
ROOM_FOR_FIGURES = 0.32  # of the data's width, at its right
GREY = "#767676"
TIME_LABEL = "seconds measured since the first epoch"


def draw(result: Result, comparisons: list, headline: str, path: Path) -> None:
    """Writes the PNG. Raises InputError if the path cannot be written."""
    ratios = [row for row in comparisons if row.metric == "throughput" and row.ratio is not None]
    styles = {label: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
              for i, label in enumerate(result.subjects)}
    in_rows = len(ratios) > BANDS_AT_MOST
    heights = [3.0, 2.4] + ([0.5 + ROW_INCHES * len(ratios) if in_rows else 2.6] if ratios else [])
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
             "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlesize": 10.5}
    with plt.rc_context(style):
        figure, axes = plt.subplots(len(heights), 1, figsize=(10, sum(heights) + 0.7), layout="constrained",
                                    gridspec_kw={"height_ratios": heights})
        figure.suptitle(textwrap.fill(text.drawn(headline), 105), fontsize=11, x=0.01, ha="left")
        draw_throughput(axes[0], result, styles)
        legend(axes[0])
        draw_memory(axes[1], result, styles)
        axes[1].sharex(axes[0])
        if ratios:
            (_draw_ratio_rows if in_rows else _draw_ratios)(axes[2], result, ratios, styles)
        write_picture(path, figure, MEND)
        plt.close(figure)


def legend(axis) -> None:
    """The legend at the right of the title line, or if that is too short in lines below it: never over the
    data."""
    names = axis.get_legend_handles_labels()[1]
    title = axis.get_title(loc="left")
    style = {"frameon": False, "borderaxespad": 0.1, "columnspacing": 1.2, "handletextpad": 0.4}
    if len(title) + sum(len(name) + LEGEND_MARK_CHARACTERS for name in names) <= LINE_CHARACTERS:
        axis.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncol=len(names), **style)
        return
    columns = max(1, LINE_CHARACTERS // (max(map(len, names)) + LEGEND_MARK_CHARACTERS))
    lines = -(-len(names) // columns)
    axis.set_title(title, pad=LEGEND_LINE_POINTS * lines + 6)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=columns, **style)


def draw_throughput(axis, result: Result, styles: dict) -> None:
    window = draw_series(axis, result, styles, "ops_per_s", 1e-6, smooth=True)
    axis.set_title(throughput_title(window))
    axis.set_ylabel("million ops/s")
    axis.set_xlim(left=0)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.08 * (high - low))  # room for the launches' names above the data
    mark_launches(axis, result, names=True)
    axis.tick_params(labelbottom=False)


def throughput_title(window: int) -> str:
    """`window`: of the running median, 1 without one."""
    return "Throughput of each epoch" + (f"; the line is the median of {window}" if window > 1 else "")


def draw_memory(axis, result: Result, styles: dict, launches_named: bool = False) -> None:
    largest = result.epochs["rss_above_base_kb"].max()
    unit, scale = ("MB of 1024 kB", 1 / 1024) if largest >= 10_000 else ("kB", 1.0)
    axis.set_title("Resident memory above the process's own")
    axis.set_ylabel(unit)
    axis.set_xlabel(TIME_LABEL)
    if not np.isfinite(largest):
        axis.text(0.5, 0.5, "not measured", transform=axis.transAxes, ha="center", color=GREY)
        return
    draw_series(axis, result, styles, "rss_above_base_kb", scale)
    axis.set_ylim(min(0.0, axis.get_ylim()[0]), 1.08 * max(largest * scale, 1.0))
    mark_launches(axis, result, names=launches_named)


def draw_series(axis, result: Result, styles: dict, column: str, scale: float,
                smooth=False) -> int:
    """One line a subject and launch over the time of the epochs' ends; launches are not joined. `smooth`:
    where a launch has too many epochs, the line is their running median. Returns the longest window of one.
    """
    longest = 1
    for label, (colour, marker) in styles.items():
        measured = result.measured(label)
        measured = measured[measured[column].notna()]
        dense = len(measured) > MARKED_EPOCHS
        for _, launch in measured.groupby("launch"):
            x, y = launch["time_s"], launch[column] * scale
            window = 2 * (len(launch) // (2 * MEDIANS)) + 1 if smooth and len(launch) > MARKED_EPOCHS else 1
            longest = max(longest, window)
            middle = y.rolling(window, center=True, min_periods=1).median() if window > 1 else y
            axis.plot(x, middle, color=colour, linewidth=1.4 if window > 1 else 0.8,
                      alpha=1.0 if window > 1 else 0.6, zorder=4 if window > 1 else 2)
            kept = ~launch["excluded"]
            axis.plot(x[kept], y[kept], linestyle="none", marker=marker, markersize=1.5 if dense else 3.5,
                      color=colour, alpha=0.3 if window > 1 else 1.0, zorder=3)
            axis.plot(x[~kept], y[~kept], linestyle="none", marker=marker, markersize=4.5, color=colour,
                      markerfacecolor="none", zorder=3)
        if len(measured):
            axis.plot([], [], linestyle="none", marker=marker, markersize=3.5, color=colour,
                      label=text.drawn(result.display_name(label)))
    if result.epochs["excluded"].any():
        axis.plot([], [], linestyle="none", marker="o", markersize=4.5, color=GREY, markerfacecolor="none",
                  label="hollow: quarantined")
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.margins(x=0.01)
    return longest


def mark_launches(axis, result: Result, names: bool) -> None:
    """A thin line where each launch begins (not the first), with its number above the data."""
    begins = result.epochs.groupby("launch")["time_s"].min()
    for launch, begin in begins.items():
        if launch > 0:
            axis.axvline(begin, color=GREY, linewidth=0.7, linestyle=":", zorder=1)
        if names and 1 < len(begins) <= 20:
            pause = sum(each.seconds for each in result.pauses if each.before_launch == launch)
            words = f"launch {launch:.0f}" + (f", after a pause of {text.duration(pause)}" if pause else "")
            axis.annotate(words, (begin, 1), xycoords=("data", "axes fraction"),
                          xytext=(3, -2), textcoords="offset points", va="top", fontsize=8, color=GREY)


def _block_ratios(result: Result, row) -> tuple:
    """(blocks, their ratios, which of them are kept) of a comparison."""
    rows = block_table(result, row.reference_subject, row.candidate_subject, "ops_per_s", log=True).rows
    return rows["block"], np.exp(rows["candidate"] - rows["reference"]), ~rows["excluded"]


def _ratio_words(row) -> str:
    words = f"{row.ratio:.3f}"
    if row.lower is not None:
        words += f" ({100 * row.confidence:.0f} %: {row.lower:.3f} .. {row.upper:.3f})"
    return words


def _draw_ratio_rows(axis, result: Result, ratios: list, styles: dict) -> None:
    """A row a candidate: its ratio and interval, named and in figures, and below them a point a block."""
    axis.axvline(1, color="black", linewidth=1, zorder=2)
    for place, row in enumerate(ratios):
        colour, marker = styles[row.candidate_subject]
        _, ratio, kept = _block_ratios(result, row)
        for which, face in ((kept, colour), (~kept, "none")):
            axis.plot(ratio[which], np.full(which.sum(), place + 0.24), linestyle="none", marker=marker,
                      markersize=3.5, color=colour, markerfacecolor=face, alpha=0.55, zorder=3)
        if row.lower is not None:
            axis.plot([row.lower, row.upper], [place - 0.12] * 2, color=colour, linewidth=5, alpha=0.35,
                      solid_capstyle="butt", zorder=3)
        axis.plot([row.ratio], [place - 0.12], marker=marker, markersize=7, color=colour, zorder=4)
        axis.annotate(_ratio_words(row), (1, place), xycoords=("axes fraction", "data"), xytext=(-2, 0),
                      textcoords="offset points", ha="right", va="center", fontsize=9)
    reference = text.drawn(ratios[0].reference)
    axis.set_title(f"Ratio to {reference} with its interval; small: a point a block (1: as fast)")
    axis.set_yticks(range(len(ratios)), [text.drawn(row.candidate) for row in ratios])
    axis.set_ylim(len(ratios) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("ratio of ops/s")
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    low, high = axis.get_xlim()
    axis.set_xlim(low, high + ROOM_FOR_FIGURES * (high - low))


def _draw_ratios(axis, result: Result, ratios: list, styles: dict) -> None:
    """Each block's ratio in the schedule's order, with the interval as a band and 1 as a line."""
    axis.axhline(1, color="black", linewidth=1, zorder=2)
    for row in ratios:
        colour, marker = styles[row.candidate_subject]
        block, ratio, kept = _block_ratios(result, row)
        axis.plot(block[kept], ratio[kept], linestyle="none", marker=marker, markersize=4,
                  color=colour, zorder=3)
        axis.plot(block[~kept], ratio[~kept], linestyle="none", marker=marker, markersize=4.5,
                  color=colour, markerfacecolor="none", zorder=3)
        axis.axhline(row.ratio, color=colour, linewidth=1.2, zorder=2)
        if row.lower is not None:
            axis.axhspan(row.lower, row.upper, color=colour, alpha=0.2, linewidth=0, zorder=1)
        axis.plot([], [], color=colour, marker=marker, markersize=4,
                  label=text.drawn(f"{row.candidate}: {_ratio_words(row)}"))
    axis.set_title(f"Ratio to {text.drawn(ratios[0].reference)}, a point a block (1: as fast)")
    axis.set_ylabel("ratio of ops/s")
    axis.set_xlabel("block")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.margins(x=0.01)
    legend(axis)
