"""What a result folder holds, as the analysis needs it.

Purpose     The columns of epochs.csv and exemplars.csv, with their types, and which no analysis does without.
Owns        COLUMNS and EXEMPLAR_COLUMNS. They mirror columns.def and exemplar_columns.def of harness/src/
            output; a test holds them together.
Boundary    Columns are append-only: a folder of an older harness lacks the newer optional ones and
            loads with NaN there; a newer harness's unknown columns are ignored.
"""
from __future__ import annotations

from typing import NamedTuple

RESULT_FORMAT = "hakbench-result/1"
APP_FORMAT = "hakbench-app/1"  # of a folder of hakbench app, which holds runs and no epochs
VERDICT_FORMAT = "hakbench-verdict/1"
STATUSES = ("running", "complete", "interrupted", "failed")


class Column(NamedTuple):
    """One column: `type` is text, integer or real; required: no analysis without it."""

    name: str
    type: str
    required: bool = False


COLUMNS = (
    Column("seq", "integer", True),
    Column("subject", "text", True),
    Column("allocator", "text", True),
    Column("launch", "integer", True),
    Column("block", "integer", True),
    Column("slot", "integer", True),
    Column("order", "text", True),
    Column("epoch", "integer", True),
    Column("kind", "text", True),
    Column("workload", "text"),
    Column("threads", "integer"),
    Column("cpu", "text"),
    Column("start_ns", "integer"),
    Column("wall_time_s", "real", True),
    Column("ops", "integer", True),
    Column("elapsed_ns", "integer", True),
    Column("cpu_time_ns", "integer"),
    Column("ops_per_s", "real", True),
    Column("ns_per_op", "real", True),
    Column("failed_allocs", "integer"),
    Column("live_bytes", "integer"),
    Column("rss_base_kb", "integer"),
    Column("rss_kb", "integer"),
    Column("rss_above_base_kb", "integer"),
    Column("peak_rss_kb", "integer"),
    Column("peak_rss_above_base_kb", "integer"),
    Column("anon_huge_kb", "integer"),
    Column("vm_size_kb", "integer"),
    Column("minor_faults", "integer"),
    Column("major_faults", "integer"),
    Column("syscalls", "integer"),
    Column("instructions", "integer"),
    Column("drained_rss_kb", "integer"),
    Column("idle_rss_kb", "integer"),
    Column("harness_rss_kb", "integer"),
    Column("voluntary_switches", "integer"),
    Column("involuntary_switches", "integer"),
    Column("run_delay_ns", "integer"),
    Column("steal_ns", "integer"),
    Column("psi_cpu_us", "integer"),
    Column("quarantined", "integer", True),
    Column("load_1min", "real"),
)

EXEMPLAR_COLUMNS = (
    Column("seq", "integer", True),
    Column("subject", "text", True),
    Column("launch", "integer", True),
    Column("op", "text", True),
    Column("size_bytes", "integer", True),
    Column("thread", "integer", True),
    Column("start_ns", "integer", True),
    Column("service_time_ns", "integer", True),
    Column("page_faults", "integer", True),
    Column("context_switches", "integer", True),
)

TYPES = {column.name: column.type for column in COLUMNS}
REQUIRED = tuple(column.name for column in COLUMNS if column.required)

EVENT_COLUMNS = ("seq", "wall_time_s", "subject", "launch", "event", "detail")
