"""The forms of a triage's result: triage.json, triage.md, triage.png and the text for a terminal.

Purpose     Show the finding, the figures behind it, the owners of the memory, and how to check all of it.
Owns        Triage, what was found.
Boundary    A Triage in; parts of a page, a dict, a picture out.
Invariants  What was not measured is null or "-", never 0.
"""
from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import document, text, triage_words, wholefile
from .describe import finite
from .plot import GREY, MARKERS, plt
from .triage_judge import Part, Split
from .triage_steps import BASE, DUMP_FILE, FIXED, LEDGER_FILE, OFF, STEPS, Ledger

PICTURE, PAGE, JSON = "triage.png", "triage.md", "triage.json"
PAGE_KB = 4
BLACK = "#000000"
NEED, WARM_UP, OWN_DESIGN = "need: live blocks", "A: warm-up", "B: allocator's design"
PROCESS_MORE = "process: libraries, stacks"
# Colour and hatch of each part and owner, the same in every picture; what is alike has one colour.
LOOKS = {NEED: ("#0072B2", ""), WARM_UP: ("#D55E00", ""), OWN_DESIGN: ("#009E73", ""),
         PROCESS_MORE: (GREY, ""),
         "live_blocks": ("#0072B2", ""), "huge_blocks": ("#0072B2", "//"),
         "slack": ("#56B4E9", ""),
         "thread_caches": ("#E69F00", ""), "depot_transfer": ("#E69F00", "//"),
         "never_used": ("#CC79A7", ""),
         "warm_empty_slabs": ("#B10026", ""), "free_runs": ("#B10026", "//"),
         "metadata": (BLACK, ""), "owner_maps": (BLACK, "//"), "heaps": (BLACK, "xx")}


@dataclass(frozen=True)
class Triage:
    """`results` and `peaks_kb` (a launch an element, above the process's own) are by step; `advice` is the
    policy; `warnings` are those of the runs."""

    name: str
    results: dict
    peaks_kb: dict
    base_kb: float
    split: Split
    ledger: Ledger
    advice: list
    warnings: list

    @property
    def headline(self) -> str:
        return triage_words.headline(self.name, self.split)


def _number(value):
    return float(value) if finite(value) else None


def _interval(interval) -> dict:
    return {"kb": _number(interval.point), "lower": _number(interval.lower), "upper": _number(interval.upper),
            "confidence": _number(interval.confidence), "method": interval.method}


def _part(part: Part) -> dict:
    share = dict(zip(("lower", "point", "upper"), part.share)) if part.share else None
    return {**_interval(part.interval), "share_of_tax": share, "matters": part.matters}


def as_dict(triage: Triage) -> dict:
    """All figures; kB are of 1024 bytes, `share_of_tax` is a fraction."""
    split = triage.split
    return {"format": "hakbench-triage/1", "allocator": triage.name, "verdict": split.verdict,
            "conclusion": triage.headline, "confidence": split.confidence,
            "process_base_kb": _number(triage.base_kb), "peak_above_base": _interval(split.peak),
            "need_kb": _number(split.need_kb), "tax_kb": _number(split.tax_kb), "limit_kb": split.limit_kb,
            "benchmark": _part(split.benchmark), "allocator_design": _part(split.design),
            "fixed_warm_up": _interval(split.fixed), "ledger": triage.ledger.content,
            "no_ledger_because": triage.ledger.reason or None, "advice": triage.advice,
            "runs": {step.number: {"folder": step.folder,
                                   "prefault_ops": triage.results[step].manifest.get("prefault_ops"),
                                   "peaks_above_base_kb": [_number(peak) for peak in triage.peaks_kb[step]]}
                     for step in STEPS},
            "warnings": triage.warnings}


def part_rows(triage: Triage) -> list:
    """Header and rows: what the peak of the base run is made of."""
    split = triage.split
    return [["peak RSS is made of", "memory", "interval", "confidence", "share of the tax"],
            ["the process's own, before the allocator", text.memory(triage.base_kb), "", "", ""],
            ["need: live blocks, as asked for", text.memory(split.need_kb), "", "", ""],
            _row("A: the benchmark's warm-up", split.benchmark.interval,
                 triage_words.share_words(split.benchmark)),
            _row("B: the allocator's design", split.design.interval, triage_words.share_words(split.design)),
            _row("sum above the process's own: peak of step 0", split.peak, "")]


def _row(name: str, interval, share: str) -> list:
    bounds = (f"{text.memory(interval.lower)} .. {text.memory(interval.upper)}" if finite(interval.lower)
              else text.MISSING)
    return [name, text.memory(interval.point), bounds, text.percent(interval.confidence, 1), share]


def step_rows(triage: Triage) -> list:
    rows = [["step", "warm-up, ops", "launches", "median peak", "lowest", "highest", "folder"]]
    for step in STEPS:
        peaks = triage.peaks_kb[step]
        ops = triage.results[step].manifest.get("prefault_ops")
        rows.append([f"{step.number}: {step.words}", text.plain(ops, "{:.0f}"), str(len(peaks)),
                     *(text.memory(figure(peaks)) for figure in (np.median, np.min, np.max)), step.folder])
    return rows


def owner_rows(triage: Triage) -> list:
    total = triage.ledger.content["rss_bytes"]
    rows = [["owner", "memory", "of RSS", "what"]]
    for owner in sorted(triage.ledger.owners, key=lambda owner: -owner["bytes"]):
        if owner["bytes"]:
            rows.append([owner["name"], text.memory(owner["bytes"] / 1024),
                         text.percent(owner["bytes"] / total, 1), owner["doc"]])
    return rows


def step2_words(triage: Triage) -> str:
    """What step 2 gave, or why there is none."""
    ledger = triage.ledger
    if not ledger.content:
        words = f"Without step 2: {ledger.reason}. So B is not divided further."
    else:
        kb = triage_words.sums(ledger)
        words = (f"Step 2, the statistics build at the end of a run of its own: RSS "
                 f"{text.memory(ledger.content['rss_bytes'] / 1024)}, of which "
                 f"{text.memory(ledger.content['residual_bytes'] / 1024)} have no owner ({LEDGER_FILE}). "
                 f"{text.memory(kb['process'] - triage.base_kb)} of it are libraries, "
                 "stacks and the harness beyond what the process had before the allocator was loaded; they "
                 "count in B, and no setting changes them."
                 + (f" {text.memory(kb['tool'])} are the ledger's own, in step 2 only and in no B."
                    if kb["tool"] else ""))
    return words + (f" The allocator's own statistics are in {DUMP_FILE}." if ledger.dumped else "")


def page(triage: Triage, command: str) -> list:
    """The parts of triage.md."""
    table = document.Table
    rows, steps = part_rows(triage), step_rows(triage)
    parts = [document.Heading(f"RSS triage of {triage.name}", 1),
             document.Paragraph(triage.headline, strong=True),
             document.Picture(Path(PICTURE), "RSS above the process's own by owner, and the runs' peaks"),
             document.Heading("What to do"), document.Bullets(triage.advice),
             document.Heading("What the peak is made of"), table(rows[0], rows[1:]),
             document.Paragraph("A is how far the peak falls without warm-up, B what is left beyond the "
                                "need; together they are the tax. A part matters above "
                                f"{text.memory(triage.split.limit_kb)}. Both intervals hold together with "
                                f"{text.percent(triage.split.confidence, 1)}. Each figure is a median of its "
                                "own, so the sum may miss by some kB."),
             document.Paragraph(triage_words.fixed_words(triage.split)),
             document.Heading("Who holds it"), document.Paragraph(step2_words(triage))]
    if triage.ledger.content:
        owners = owner_rows(triage)
        parts.append(table(owners[0], owners[1:]))
    parts += [document.Heading("The runs"), table(steps[0], steps[1:]),
              document.Paragraph("Peaks are above the process's own, one a launch: the highest of its "
                                 "epochs. Each folder is a result of hakbench run; judge them again with:"),
              document.Code(command)]
    if triage.warnings:
        parts += [document.Heading("Warnings"), document.Bullets(triage.warnings)]
    return parts


def for_people(triage: Triage, folder: Path) -> str:
    lines = [triage.headline, "", text.text_table(part_rows(triage)), "",
             triage_words.fixed_words(triage.split), step2_words(triage), ""]
    if triage.ledger.content:
        lines += [text.text_table([row[:3] for row in owner_rows(triage)]), ""]
    lines += [f"- {line}" for line in triage.advice]
    lines += [f"warning: {line}" for line in triage.warnings]
    return "\n".join([*lines, "", f"report: {folder / PAGE}"])


def draw(triage: Triage, path: Path, mend: str, kept: str) -> None:
    """Writes the PNG: what lies above the process's own memory in stacks at the left, each launch's peak of
    the three runs at the right. What the ledger holds itself is in no other run, and left out."""
    stacks = {"peak of step 0": [(name, kb) for name, kb in (
        (NEED, triage.split.need_kb), (WARM_UP, triage.split.benchmark.interval.point),
        (OWN_DESIGN, triage.split.design.interval.point)) if finite(kb)]}
    if triage.ledger.content:
        mine = [(owner["name"], owner["bytes"] / 1024) for owner in triage.ledger.owners
                if owner["name"] not in (*triage_words.PROCESS, *triage_words.TOOL)]
        more_kb = triage_words.sums(triage.ledger)["process"] - triage.base_kb
        stacks["step 2, by owner"] = [*sorted(mine, key=lambda row: (row[0] != "live_blocks", -row[1])),
                                      (PROCESS_MORE, more_kb)]
    with plt.rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
                         "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlesize": 10.5}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.4), layout="constrained",
                                             gridspec_kw={"width_ratios": [1.9, 1]})
        figure.suptitle(textwrap.fill(text.drawn(triage.headline), 140), fontsize=10.5, x=0.01, ha="left")
        _draw_stacks(left, stacks, triage.base_kb)
        _draw_peaks(right, triage)
        wholefile.write_picture(path, figure, mend, kept)
        plt.close(figure)


def _unit(largest_kb: float) -> tuple:
    return ("MB of 1024 kB", 1 / 1024) if largest_kb >= 10_000 else ("kB", 1.0)


def _draw_stacks(axis, stacks: dict, base_kb: float) -> None:
    """One column a stack, all above `base_kb`; the names stand beside it, with lines where they had to move
    apart."""
    unit, scale = _unit(max(sum(max(kb, 0) for _, kb in rows) for rows in stacks.values()))
    pitch, top = 2.4, 0.0  # a bar is 0.7 wide; the rest is for its names
    for place, rows in enumerate(stacks.values()):
        shown = [(name, kb * scale) for name, kb in rows if kb >= PAGE_KB]
        total = sum(value for _, value in shown)
        bottom, label_at = 0.0, -0.02 * total
        for name, value in shown:
            colour, hatch = LOOKS.get(name, (GREY, ".."))
            axis.bar(pitch * place, value, bottom=bottom, width=0.7, color=colour, hatch=hatch,
                     edgecolor="white", linewidth=0.6, label=name)
            label_at = max(bottom + value / 2, label_at + 0.045 * total)
            axis.annotate(f"{name}  {text.memory(value / scale)}", (pitch * place + 0.36, bottom + value / 2),
                          (pitch * place + 0.5, label_at), va="center", fontsize=8.5,
                          arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6,
                                      "relpos": (0, 0.5)})
            bottom += value
        top = max(top, bottom, label_at)
    axis.set_xticks([pitch * place for place in range(len(stacks))], list(stacks))
    axis.set_xlim(-0.5, pitch * len(stacks) - 0.4)
    axis.set_ylim(0, 1.04 * top)
    axis.set_title(f"Where the memory above the process's own {text.memory(base_kb)} is")
    axis.set_ylabel(f"RSS above the process's own, {unit}")


def _draw_peaks(axis, triage: Triage) -> None:
    """A point a launch, side by side; the median as a line."""
    largest = max(np.max(triage.peaks_kb[step]) for step in STEPS)
    unit, scale = _unit(largest)
    for place, step in enumerate((BASE, OFF, FIXED)):
        peaks = np.asarray(triage.peaks_kb[step]) * scale
        places = place + np.linspace(-0.22, 0.22, len(peaks))
        axis.plot(places, peaks, linestyle="none", marker=MARKERS[place], markersize=5, color=BLACK)
        axis.hlines(np.median(peaks), place - 0.32, place + 0.32, color=GREY, linewidth=2)
    need = triage.split.need_kb
    if finite(need):
        axis.axhline(need * scale, color=LOOKS[NEED][0], linewidth=1.2, linestyle=":")
        axis.annotate("need", (1, need * scale), xycoords=("axes fraction", "data"), xytext=(0, 3),
                      textcoords="offset points", ha="right", fontsize=8.5)
    axis.set_xticks(range(len(STEPS)), [f"{step.number}\n{textwrap.fill(step.words, 16)}" for step in STEPS])
    axis.set_xlim(-0.6, len(STEPS) - 0.4)
    axis.set_ylim(0, 1.1 * max(largest * scale, 1.0))
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_title("Peak of each launch above the process's own")
    axis.set_ylabel(unit)
