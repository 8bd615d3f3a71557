"""The self-test for people: a table, a page, a picture.

Boundary    Rates and cases in; text for a terminal, report.md and report.png out.
"""
from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Sequence

from . import document, text, wholefile
from .selftest_runs import SCENARIOS
from .selftest_summary import Case

PICTURE = "report.png"


def rate_rows(found: Sequence) -> list:
    """Header and rows of the table of rates, as cells."""
    rows = [["", "runs", "count", "share", "exact 95 % interval", "declared", ""]]
    for rate in found:
        lower, upper = rate.interval
        rows.append([rate.name, str(rate.runs), str(rate.count), text.percent(rate.share, 1),
                     f"{text.percent(lower, 1)} .. {text.percent(upper, 1)}", _declared(rate), rate.state])
    return rows


def _declared(rate) -> str:
    if rate.at_least is not None and rate.at_most is not None:
        return f"{100 * rate.at_least:g} .. {100 * rate.at_most:g} %"
    if rate.at_least is not None:
        return f">= {100 * rate.at_least:g} %"
    return f"<= {100 * rate.at_most:g} %" if rate.at_most is not None else ""


def time_rows(found: Sequence) -> list:
    return [["", "gate runs", "median", "longest"]] + [
        [SCENARIOS[name].words, str(runs), f"{median_s:.1f} s", f"{longest_s:.1f} s"]
        for name, runs, median_s, longest_s in found]


def page(conclusion: str, rates: Sequence, times: Sequence, command: str, picture: bool) -> list:
    """The parts of report.md."""
    rate_table, time_table = rate_rows(rates), time_rows(times)
    parts = [document.Heading("Self-test of the verdicts", 1), document.Paragraph(conclusion, strong=True),
             document.Table(rate_table[0], rate_table[1:]),
             document.Paragraph("Open: the share is outside what is declared, but so few runs cannot tell; "
                                "run more. Broken: the whole exact interval is outside. What is planted and "
                                "how its truth is known: docs/design/selftest.md.")]
    if picture:
        parts += [document.Heading("Every interval against the truth"),
                  document.Picture(Path(PICTURE),
                                   "95 % intervals of the throughput ratio, sorted, and the truth")]
    parts += [document.Heading("Time of a gate run"), document.Table(time_table[0], time_table[1:]),
              document.Heading("Where it comes from"),
              document.Bullets([f"date: {datetime.date.today().isoformat()}",
                                f"kernel: {platform.release()}, {platform.machine()}",
                                f"CPU: {_cpu_model()}"]),
              document.Paragraph("To repeat:"), document.Code(command)]
    return parts


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return text.MISSING
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else text.MISSING


def draw(found: Sequence[Case], path: Path) -> None:
    """Every run's interval, sorted by its point, one panel a scenario; those that miss the truth stand
    out."""
    from . import plot  # chooses matplotlib's backend, and is slow to load
    plt = plot.plt
    panels = [(name, sorted((case for case in found if case.scenario == name), key=lambda case: case.value))
              for name in SCENARIOS if any(case.scenario == name for case in found)]
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.5), layout="constrained",
                                squeeze=False)
    for axis, (name, rows) in zip(axes[0], panels):
        truth = SCENARIOS[name].truth
        for holds, colour, marker in ((True, plot.COLOURS[0], "o"), (False, plot.COLOURS[1], "s")):
            places = [place for place, case in enumerate(rows, 1) if case.holds == holds]
            chosen = [case for case in rows if case.holds == holds]
            if chosen:
                axis.vlines(places, [case.lower for case in chosen], [case.upper for case in chosen],
                            color=colour, linewidth=1.2)
                axis.plot(places, [case.value for case in chosen], linestyle="none", marker=marker,
                          markersize=3.5, color=colour,
                          label=f"{len(chosen)} {'hold' if holds else 'miss'} the truth")
        axis.axhline(truth, color="black", linewidth=1, label=f"truth: {truth:g}")
        axis.set_title(SCENARIOS[name].words, loc="left", fontsize=10)
        axis.set_xlabel("gate runs, sorted by their ratio")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=3, frameon=False, fontsize=8,
                    handletextpad=0.3, columnspacing=0.9)
    axes[0][0].set_ylabel("ratio of throughput, 95 % interval")
    wholefile.write_picture(path, figure, "make its folder writable")
    plt.close(figure)
