"""The units that the names of columns end in.

Purpose     One place that turns a foreign column into seconds, kB, ns an operation or operations a second.
Boundary    The name of a column in, a factor out; pure. kB are 1024 bytes.
Invariants  A name without a unit that is known here is in the unit that its tool expects: factor 1.
"""
from __future__ import annotations

import re

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9, "h": 3600e9}
KILOBYTES = {"b": 1 / 1024, "bytes": 1 / 1024, "kb": 1.0, "mb": 1024.0, "gb": 1024.0 ** 2}
TIME_WORDS = ", ".join(f"_{unit}" for unit in NANOSECONDS)
MEMORY_WORDS = ", ".join(f"_{unit}" for unit in KILOBYTES)
# What else people write for them: one that is not known would pass for the unit that is expected.
NANOSECONDS.update({"nsec": 1.0, "usec": 1e3, "msec": 1e6, "sec": 1e9, "secs": 1e9, "mins": 60e9})
NANOSECONDS.update({word + ending: factor for word, factor in (
    ("nanosecond", 1.0), ("microsecond", 1e3), ("millisecond", 1e6), ("second", 1e9), ("minute", 60e9),
    ("hour", 3600e9)) for ending in ("", "s")})
KILOBYTES.update({"kib": 1.0, "mib": 1024.0, "gib": 1024.0 ** 2})
_PER_TIME = re.compile(rf"_per_({'|'.join(NANOSECONDS)})$", re.IGNORECASE)


def _ending(column: str) -> str:
    return column.rpartition("_")[2].lower() if "_" in column else ""


def to_seconds(column: str) -> float:
    """What a value of this column of times is multiplied with."""
    return NANOSECONDS.get(_ending(column), NANOSECONDS["s"]) / NANOSECONDS["s"]


def to_kb(column: str) -> float:
    return KILOBYTES.get(_ending(column), 1.0)


def to_ns(column: str) -> float:
    """Of a time an operation: us_per_op and latency_us are 1000, ns_per_op and cost 1."""
    time = re.sub("_per_op$", "", column, flags=re.IGNORECASE)
    return NANOSECONDS.get(_ending(time if time == column else f"_{time}"), 1.0)


def is_rate(column: str) -> bool:
    """Whether it counts something by time, as ops_per_s does."""
    return bool(_PER_TIME.search(column))


def to_per_second(column: str) -> float:
    found = _PER_TIME.search(column)
    return NANOSECONDS["s"] / NANOSECONDS[found[1].lower()] if found else 1.0
