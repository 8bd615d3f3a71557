"""The two drawings of a scorecard, as SVG.

Purpose     Throughput against peak RSS with intervals; the ratio of each workload to each comparator.
Boundary    Points and rows in, an <svg> out. No library, no script: hover shows <title>.
Invariants  Colours are plot.py's (Okabe and Ito), black being the text colour, so that both themes work;
            every allocator has its own shape too. Text is the page's own colour.
"""
from __future__ import annotations

import html
import math
from typing import Sequence

from . import text
from .plot import COLOURS

WIDTH = 480
_LEFT, _RIGHT, _TOP = 52, 16, 44
_TICKS = (1, 10, 0.1, 100, 0.01, 1000, 0.001, 2, 0.5, 5, 0.2, 20, 0.05, 50, 0.02, 200, 500, 3, 1.5, 0.7, 1.25,
          0.8, 1.1, 0.9, 4, 0.3, 0.6, 7)  # the roundest first
_TICK_DISTANCE = 34  # pixels
_ROW = 22
_LEGEND_LINE = 18
_LABELS = 168


def colour(index: int) -> str:
    return "currentColor" if COLOURS[index % len(COLOURS)] == "#000000" else COLOURS[index % len(COLOURS)]


def _shape(index: int, x: float, y: float, size: float = 5) -> str:
    """A shape of its own for each of COLOURS: a circle, square, triangle, diamond, triangle on its tip, plus,
    bow tie, or triangle on its side."""
    kinds = (None, [(-1, -1), (1, -1), (1, 1), (-1, 1)], [(0, -1.2), (1.1, 1), (-1.1, 1)],
             [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)], [(0, 1.2), (1.1, -1), (-1.1, -1)],
             [(-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4), (0.4, 1.2),
              (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)],
             [(-1.2, -1), (1.2, 1), (1.2, -1), (-1.2, 1)], [(-1.2, 0), (1, -1.1), (1, 1.1)])
    corners = kinds[index % len(kinds)]
    if corners is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'
    points = " ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}"/>'


class _Scale:
    """A logarithmic axis of ratios from pixel `start` to `end`, a little wider than the values."""

    def __init__(self, values: Sequence, start: float, end: float):
        logs = [math.log(value) for value in (*values, 1.0) if value is not None and value > 0]
        pad = max(0.06 * (max(logs) - min(logs)), 0.03)
        self.low, self.high, self.start, self.end = min(logs) - pad, max(logs) + pad, start, end

    def __call__(self, value: float) -> float:
        share = (math.log(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list:
        """The roundest numbers on the axis, so far from each other that their labels do not touch."""
        kept: list = []
        for tick in _TICKS:
            inside = self.low <= math.log(tick) <= self.high
            if inside and all(abs(self(tick) - self(other)) >= _TICK_DISTANCE for other in kept):
                kept.append(tick)
        return kept


def _tag(name: str, content: str = "", **attributes) -> str:
    words = "".join(f' {key.replace("_", "-")}="{value:.1f}"' if isinstance(value, float)
                    else f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{words}>{content}</{name}>"


def _line(x1, y1, x2, y2, opacity=0.25, width=1) -> str:
    return _tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), stroke="currentColor",
                stroke_opacity=opacity, stroke_width=width)


def _label(words: str, x: float, y: float, anchor: str = "start", **more) -> str:
    return _tag("text", html.escape(words), x=float(x), y=float(y), text_anchor=anchor, **more)


def _legend(names: Sequence[str], first: int = 0) -> tuple:
    """(the names with their shapes, in as many lines as they take; the height beyond that of one line)."""
    out, x, down = [], 8.0, 0.0
    for index, name in enumerate(names, first):
        width = 7.6 * len(name)
        if x > 8 and x + 9 + width > WIDTH:
            x, down = 8.0, down + _LEGEND_LINE
        out.append(_tag("g", _shape(index, x, 12 + down), fill=colour(index))
                   + _label(name, x + 9, 16.5 + down))
        x += 30 + width
    return "".join(out), down


def _svg(height: float, title: str, body: str) -> str:
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            f'fill="currentColor" font-size="12.5" font-family="system-ui, sans-serif">'
            f"<title>{html.escape(title)}</title>{body}</svg>")


def _estimate_words(estimate) -> str:
    bounds = text.interval(estimate.lower, estimate.upper)
    return text.ratio(estimate.value) + (f" ({bounds})" if bounds != text.MISSING else "")


def pareto(points: Sequence, reference: str) -> str:
    """The Pareto view: right is faster, up is leaner. The line joins the allocators none beats on both."""
    legend, more = _legend([point.allocator for point in points])
    top, bottom, height = _TOP + more, 330.0 + more, 372.0 + more
    x = _Scale([v for p in points for v in (p.throughput.value, p.throughput.lower, p.throughput.upper)],
               _LEFT, WIDTH - _RIGHT)
    y = _Scale([v for p in points for v in (p.peak_rss.value, p.peak_rss.lower, p.peak_rss.upper)],
               top, bottom)
    out = [legend]
    for tick in x.ticks():
        out += [_line(x(tick), top, x(tick), bottom, 0.5 if tick == 1 else 0.15),
                _label(f"{tick:g}", x(tick), bottom + 16, "middle")]
    for tick in y.ticks():
        out += [_line(_LEFT, y(tick), WIDTH - _RIGHT, y(tick), 0.5 if tick == 1 else 0.15),
                _label(f"{tick:g}", _LEFT - 6, y(tick) + 4, "end")]
    out.append(_label(f"throughput / {reference}'s: right is faster", (_LEFT + WIDTH) / 2, bottom + 34,
                      "middle"))
    middle = (top + bottom) / 2
    out.append(_label(f"peak RSS / {reference}'s: up is leaner", 13, middle, "middle",
                      transform=f"rotate(-90 13 {middle:.0f})"))
    front = sorted((p for p in points if not p.dominated_by), key=lambda p: p.throughput.value)
    path = " ".join(f"{x(p.throughput.value):.1f},{y(p.peak_rss.value):.1f}" for p in front)
    out.append(f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-opacity="0.5" '
               'stroke-dasharray="4 3"/>')
    for index, point in enumerate(points):
        px, py = x(point.throughput.value), y(point.peak_rss.value)
        words = (f"{point.allocator}: throughput {_estimate_words(point.throughput)}, peak RSS "
                 f"{_estimate_words(point.peak_rss)}")
        marks = [_tag("title", html.escape(words))]
        for estimate, line in ((point.throughput, lambda low, high: (x(low), py, x(high), py)),
                               (point.peak_rss, lambda low, high: (px, y(low), px, y(high)))):
            if estimate.lower is not None:
                x1, y1, x2, y2 = line(estimate.lower, estimate.upper)
                marks.append(_tag("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour(index), stroke_width=2,
                                  stroke_opacity=0.6))
        marks.append(_shape(index, px, py, 6))
        out.append(_tag("g", "".join(marks), fill=colour(index)))
    return _svg(height, "Throughput against peak RSS of each allocator", "".join(out))


def ratios(rows: Sequence, comparators: Sequence[str], candidate: str) -> str:
    """A row a workload: (name, {comparator: Comparison of throughput}); a mark a comparator."""
    legend, more = _legend(comparators, 1)
    top = _TOP + more
    bottom = top + _ROW * len(rows)
    found = [row for _, by_name in rows for row in by_name.values() if row.ratio is not None]
    x = _Scale([value for row in found for value in (row.ratio, row.lower, row.upper)], _LABELS,
               WIDTH - _RIGHT)
    out = [legend]
    for tick in x.ticks():
        out += [_line(x(tick), top - 8, x(tick), bottom, 0.7 if tick == 1 else 0.15),
                _label(f"{tick:g}", x(tick), bottom + 14, "middle")]
    for at, (name, by_name) in enumerate(rows):
        py = top + _ROW * (at + 0.5) - 4
        shown = name if len(name) <= 24 else name[:23] + "\u2026"
        out += [_label(shown, 4, py + 4), _line(_LABELS, py, WIDTH - _RIGHT, py, 0.08)]
        for index, comparator in enumerate(comparators, 1):
            row = by_name.get(comparator)
            if row is None or row.ratio is None:
                continue
            words = f"{name}: {candidate} / {comparator} {text.ratio(row.ratio)}"
            marks = [_tag("title", html.escape(f"{words} ({text.interval(row.lower, row.upper)})"))]
            if row.lower is not None:
                marks.append(_tag("line", x1=x(row.lower), y1=py, x2=x(row.upper), y2=py,
                                  stroke=colour(index), stroke_width=2, stroke_opacity=0.6))
            marks.append(_shape(index, x(row.ratio), py, 4))
            out.append(_tag("g", "".join(marks), fill=colour(index)))
    out.append(_label(f"throughput of {candidate} / comparator's: right of 1, {candidate} is faster",
                      WIDTH / 2, bottom + 32, "middle"))
    return _svg(bottom + 42, f"Throughput of {candidate} over each comparator, by workload", "".join(out))
