"""Numbers as people read them. A missing number is "-", never 0."""
from __future__ import annotations

from .describe import finite

MISSING = "-"


def plain(value, pattern: str = "{:.4g}") -> str:
    return pattern.format(value) if finite(value) else MISSING


def counted(number: int, noun: str) -> str:
    """As people count: 1 epoch, 2 epochs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def drawn(words: str) -> str:
    """For matplotlib, to which what stands between two dollar signs is a formula, and what begins with an
    underscore no name for a legend."""
    return (" " if words.startswith("_") else "") + words.replace("$", r"\$")


def rate(ops_per_s) -> str:
    """Throughput: "118.3 M/s"."""
    return plain(ops_per_s / 1e6, "{:.4g} M/s") if finite(ops_per_s) else MISSING


def nanoseconds(ns) -> str:
    return plain(ns, "{:.3f} ns")


def service_time(ns) -> str:
    """The time of one operation: whole ns, from 10,000 ns on in us, from 10,000 us on in ms."""
    if not finite(ns):
        return MISSING
    for unit in ("ns", "us"):
        if ns < 10_000:
            return f"{ns:.0f} {unit}"
        ns /= 1000
    return f"{ns:.0f} ms"


def percent(fraction, digits: int = 2) -> str:
    return plain(100 * fraction, f"{{:.{digits}f}} %") if finite(fraction) else MISSING


def memory(kb) -> str:
    """Memory in kB of 1024 bytes, as /proc has it; from 10,000 kB on in MB of 1024 kB."""
    if not finite(kb):
        return MISSING
    return f"{kb:.0f} kB" if abs(kb) < 10_000 else f"{kb / 1024:.1f} MB"


def ratio(value) -> str:
    """Three decimals, since verdicts turn on tenths of a percent; large ones three digits."""
    return plain(value, "{:.3f}" if abs(value) < 10 else "{:.3g}") if finite(value) else MISSING


def interval(lower, upper) -> str:
    return f"{ratio(lower)} .. {ratio(upper)}" if finite(lower) and finite(upper) else MISSING


def text_table(rows) -> str:
    """Rows of cells in columns for a terminal: the first flush left, the others flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def duration(seconds) -> str:
    """A time as one would say it: "40 s", "25 min", "3.5 h", "2 days"."""
    if not finite(seconds):
        return MISSING
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds >= 99.5 * 3600:
        return f"{seconds / 86400:.0f} days"
    return f"{seconds / 3600:.2g} h"


def signed(kb_per_h) -> str:
    """A slope's number with its sign and three digits: "+1023", "-0.52"; "0" below a twentieth."""
    if not finite(kb_per_h):
        return MISSING
    if abs(kb_per_h) < 0.05:
        return "0"
    return f"{kb_per_h:+.0f}" if abs(kb_per_h) >= 100 else f"{kb_per_h:+.3g}"


def slopes(*kb_per_h) -> list:
    """Slopes that stand in one line, all in one unit: ["+256 kB/h", "-3.2 kB/h"]; in MB/h of 1024 kB/h where
    the largest is 100,000 kB/h or more."""
    large = any(finite(value) and abs(value) >= 100_000 for value in kb_per_h)
    scale, unit = (1024, "MB/h") if large else (1, "kB/h")
    return [f"{signed(value / scale)} {unit}" if finite(value) else MISSING for value in kb_per_h]


def slope(kb_per_h) -> str:
    """A growth: "+256 kB/h"."""
    return slopes(kb_per_h)[0]


def kb_per_h(value) -> str:
    """A size of slopes, as a budget, always in kB/h and without an exponent: "64", "0.5", "30208"."""
    return plain(value, "{:.0f}" if finite(value) and abs(value) >= 100 else "{:.3g}")
