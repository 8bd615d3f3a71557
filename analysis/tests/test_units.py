"""The units that the names of columns end in."""
import pytest

from hakmem_analysis import units


@pytest.mark.parametrize("convert, factors", [
    (units.to_seconds, {"time_ms": 1e-3, "wall_time_s": 1, "T_US": 1e-6, "start_ns": 1e-9,
                        "at_min": 60, "time": 1, "ms": 1, "time_items": 1, "time_msec": 1e-3,
                        "elapsed_sec": 1, "age_hours": 3600,
                        "wall_milliseconds": 1e-3}),
    (units.to_kb, {"rss_kb": 1, "rss_mb": 1024, "rss_bytes": 1 / 1024, "rss_b": 1 / 1024,
                   "RSS_GB": 1024 ** 2, "rss": 1, "b": 1, "rss_KiB": 1, "rss_mib": 1024,
                   "rss_GiB": 1024 ** 2}),
    (units.to_ns, {"ns_per_op": 1, "us_per_op": 1e3, "latency_ms": 1e6, "cost": 1, "us": 1}),
    (units.to_per_second, {"ops_per_s": 1, "ops_per_ms": 1e3, "rate": 1, "ops_per_sec": 1,
                           "ops_per_msec": 1e3, "ops_per_second": 1, "ops_per_minute": 1 / 60})])
def test_a_unit_is_what_the_name_ends_in(convert, factors):
    assert {column: convert(column) for column in factors} == factors


def test_a_rate_is_by_time():
    assert units.is_rate("ops_per_s") and units.is_rate("Ops_Per_ms") and units.is_rate("ops_per_sec")
    assert units.is_rate("ops_per_second") and not units.is_rate("second")
    assert not units.is_rate("ns_per_op") and not units.is_rate("time_s")
