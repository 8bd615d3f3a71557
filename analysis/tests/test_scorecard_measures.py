"""Values of the scorecard with intervals of their own: peak-RSS tax, drift over soaks, the ratio of CVs."""
from types import SimpleNamespace

import pytest

from folders import make_folder
from hakmem_analysis import scorecard_data, scorecard_measures
from hakmem_analysis.load import load_result


def card_of(folder):
    workload = scorecard_data._read_workload(load_result(folder), "hakmem", "")
    return SimpleNamespace(workloads=[workload], candidate="hakmem")


def test_two_launches_bound_no_memory(tmp_path):
    found = scorecard_measures._tax(card_of(make_folder(tmp_path / "run", launches=2)))
    assert found.value > 0 and (found.lower, found.upper) == (None, None) and "fewer than 3" in found.note


def test_launches_that_agree_bound_memory_to_a_page(tmp_path):
    folder = make_folder(tmp_path / "run", launches=3)
    path = folder / "epochs.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    peak = lines[0].index("peak_rss_above_base_kb")
    path.write_text("".join(",".join([*line[:peak], "908", *line[peak + 1:]]) + "\n" if row else
                            ",".join(line) + "\n" for row, line in enumerate(lines)))
    card = card_of(folder)
    found = scorecard_measures._tax(card)
    assert (found.value - found.lower, found.upper - found.value) == (pytest.approx(4), pytest.approx(4))


def test_drift_has_the_bounds_of_all_soaks():
    """The steepest slope is 3, but another soak may have grown by 40."""
    soaks = [SimpleNamespace(allocator="hakmem", folder="f", drift=SimpleNamespace(
        slope_kb_per_h=slope, slope_lower_kb_per_h=lower, slope_upper_kb_per_h=upper, verdict="STABLE",
        span_s=60)) for slope, lower, upper in ((3.0, 2.0, 5.0), (-1.0, -40.0, 30.0))]
    found = scorecard_measures._drift(SimpleNamespace(soaks=soaks, candidate="hakmem"))
    assert (found.value, found.lower, found.upper) == (3.0, 2.0, 40.0)


def test_the_ratio_of_cvs_is_that_of_the_base_case(tmp_path):
    card = card_of(make_folder(tmp_path / "run"))
    row = card.workloads[0].rows["mimalloc", "cv"]
    found = scorecard_measures._cv_ratio(card)
    assert (found.value, found.lower, found.upper) == (row.ratio, row.lower, row.upper)
    assert scorecard_measures._cv_ratio(SimpleNamespace(workloads=[], candidate="hakmem")).value is None
