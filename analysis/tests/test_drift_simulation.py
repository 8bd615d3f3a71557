"""The error rates that docs/analysis/0006-drift-verdicts.md states, on fewer series."""
import pytest

import drift_simulation as simulation

SHORT, LONG = (600, 1.0), (3600, 5.0)


@pytest.mark.parametrize("name", simulation.CLEAN)
def test_clean_series_are_hardly_ever_called_drift(name):
    series = 25
    found = sum((simulation.clean_verdicts(name, plan, series) for plan in (SHORT, LONG)),
                simulation.Counter())
    assert found["DRIFT"] <= 1, found  # 2 of 50 or more: 1 in 11 at a rate of 1 %; the seeds are fixed


@pytest.mark.parametrize("name, plan", [
    ("1 MB/h in pages", SHORT), ("256 kB/h in pages", SHORT), ("1 MB/h in 64 kB", LONG),
    ("1 MB/h, AR(1) 0.9, 8 kB", LONG)])
def test_leaks_are_found(name, plan):
    assert simulation.leak_verdicts(name, plan, 20)["DRIFT"] >= 19


def test_one_step_is_named_and_is_no_drift():
    named, drifts = simulation.steps_named(SHORT, 20)
    assert named >= 18 and drifts == 0


def test_detection_time():
    assert simulation.detection_minutes("1 MB/h in pages", 20) <= 5
    assert simulation.detection_minutes("256 kB/h in pages", 20) <= 10
