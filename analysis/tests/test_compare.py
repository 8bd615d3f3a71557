"""Comparisons on folders whose truth is known."""
import re

import numpy as np
import pandas as pd
import pytest

from folders import make_folder
from hakmem_analysis import report, wording
from hakmem_analysis.compare import block_table, compare
from hakmem_analysis.describe import summarise
from hakmem_analysis.load import load_result
from soak_folders import make_soak


def rows(result):
    return {(row.metric, row.candidate_subject): row for row in compare(result)}


def test_the_planted_ratio_is_found(ab_folder):
    row = rows(load_result(ab_folder))["throughput", "a"]
    assert row.lower < 1.12 < row.upper
    assert row.verdict == "better" and row.ratio == pytest.approx(1.12, abs=0.01)
    assert (row.blocks, row.launches, row.quarantined_blocks) == (43, 5, 2)
    assert row.confidence >= 0.95
    assert 0 < row.resolves < 0.02


def test_what_failed_to_allocate_has_no_ratio(spoiled):
    """Also of memory: what was refused is not resident."""
    epochs = pd.read_csv(spoiled / "epochs.csv", dtype=str, keep_default_na=False)
    epochs.loc[epochs.index[epochs["subject"] == "a"][:2], "failed_allocs"] = "3"
    epochs.to_csv(spoiled / "epochs.csv", index=False)
    result = load_result(spoiled)
    found = compare(result)
    assert {row.metric for row in found} >= {"throughput", "cv", "peak_rss_above_base"}
    for row in found:
        assert (row.ratio, row.lower, row.verdict) == (None, None, "inconclusive")
        assert row.note == "6 allocations of hakmem failed, so nothing can be compared"
    assert wording.headline(result, found[0]) == (
        "No ratio of hakmem to mimalloc on random_mixed, ws=400, 1 thread: 6 allocations of hakmem failed, "
        "so nothing can be compared.")


def test_allocations_that_failed_are_in_the_first_line(tmp_path):
    still = dict.fromkeys(("hakmem", "mimalloc"), lambda hours: 0.0)
    folder = make_soak(tmp_path / "soak", still, reference=1,
                       others={"hakmem": {"failed_allocs": lambda hours: hours > 0.1}})
    built = report.build(folder)
    assert re.match(r"STABLE\. .* [0-9]+ allocations of hakmem failed: memory that was refused cannot "
                    r"drift\.$", built.headlines[0])
    assert built.comparisons[0].ratio is None


def test_block_difference_is_half_the_difference_of_summed_logs(ab_folder):
    result = load_result(ab_folder)
    table = block_table(result, "b", "a", "ops_per_s", log=True).rows.set_index("block")
    epochs = result.epochs[result.epochs["block"] == 11]
    logs = np.log(epochs["ops_per_s"]).groupby(epochs["subject"]).sum()
    difference = table.loc[11, "candidate"] - table.loc[11, "reference"]
    assert difference == pytest.approx((logs["a"] - logs["b"]) / 2)


def test_quarantined_blocks_do_not_count(tmp_path):
    """Blocks that are spoiled and quarantined leave the ratio as it was."""
    folder = make_folder(tmp_path / "run", quarantined=(1, 2, 3))
    path = folder / "epochs.csv"
    before = rows(load_result(folder))["throughput", "a"]
    lines = path.read_text().splitlines()
    header = lines[0].split(",")
    block, rate, subject = (header.index(name) for name in ("block", "ops_per_s", "subject"))
    for i, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        if cells[block] in ("1", "2", "3") and cells[subject] == "a":
            cells[rate] = "1000"
            lines[i] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    after = rows(load_result(folder))["throughput", "a"]
    assert (after.ratio, after.lower, after.upper) == (before.ratio, before.lower, before.upper)
    assert after.ratio_with_quarantined is not None


def test_a_against_a_contains_one(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem", "hakmem"), ratios=(1, 1), rss_kb=(900, 900))
    row = rows(load_result(folder))["throughput", "a"]
    assert row.verdict == "inconclusive" and row.lower <= 1 <= row.upper
    assert (row.candidate, row.reference) == ("hakmem (a)", "hakmem (b)")


def test_launch_effects_widen_the_interval(tmp_path):
    quiet = rows(load_result(make_folder(tmp_path / "quiet")))["throughput", "a"]
    moved = rows(load_result(make_folder(tmp_path / "moved", launch_noise=0.05)))["throughput", "a"]
    assert (quiet.unit, moved.unit) == ("blocks", "launches")
    assert moved.upper - moved.lower > 3 * (quiet.upper - quiet.lower)
    assert moved.sign_upper - moved.sign_lower < moved.upper - moved.lower


def test_too_few_blocks_decide_nothing(tmp_path):
    folder = make_folder(tmp_path / "run", launches=1, blocks_per_launch=4)
    row = rows(load_result(folder))["throughput", "a"]
    assert row.verdict == "inconclusive" and row.lower > 1
    assert row.confidence == pytest.approx(0.875)
    assert "95 % takes 6" in row.note and "one launch only" in row.note


def test_everything_quarantined(tmp_path):
    folder = make_folder(tmp_path / "run", launches=1, blocks_per_launch=3, quarantined=(0, 1, 2))
    row = rows(load_result(folder))["throughput", "a"]
    assert (row.noisy, row.verdict, row.blocks, row.quarantined_blocks) == (True, "inconclusive", 0, 3)
    assert row.ratio == pytest.approx(1.12, abs=0.02) and row.resolves is None
    assert "quieter machine" in row.note


def test_too_few_quiet_blocks_decide_nothing_however_clear_the_ratio(tmp_path):
    folder = make_folder(tmp_path / "run", launches=3, blocks_per_launch=5, quarantined=range(2, 13))
    row = rows(load_result(folder))["throughput", "a"]
    assert row.blocks == 4 and row.noisy and row.lower > 1 and row.verdict == "inconclusive"


def test_a_run_without_a_finished_block(spoiled):
    path = spoiled / "epochs.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:6]) + "\n")
    row = rows(load_result(spoiled))["throughput", "a"]
    assert (row.ratio, row.verdict) == (None, "inconclusive") and "no block was finished" in row.note


def test_interrupted_block_is_left_out(spoiled):
    path = spoiled / "epochs.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    row = rows(load_result(spoiled))["throughput", "a"]
    assert row.blocks == 42 and "1 incomplete block" in row.note


def test_memory_ratios(ab_folder):
    found = rows(load_result(ab_folder))
    row = found["rss_above_base", "a"]
    assert row.ratio == pytest.approx(904 / 854, abs=0.01)
    assert (row.verdict, row.unit) == ("worse", "launches")
    assert found["peak_rss_above_base", "a"].ratio == pytest.approx(916 / 866, abs=0.01)


def memory_rows(folder, launches, rss_kb):
    """Launches that all have the same memory, `rss_kb` of a and b."""
    make_folder(folder, launches=launches)
    epochs = pd.read_csv(folder / "epochs.csv")
    for column in ("rss_above_base_kb", "peak_rss_above_base_kb"):
        epochs[column] = epochs["subject"].map(dict(zip("ab", rss_kb)))
    epochs.to_csv(folder / "epochs.csv", index=False)
    found = rows(load_result(folder))
    return [found[metric, "a"] for metric in ("rss_above_base", "peak_rss_above_base")]


def test_two_launches_give_no_interval_of_memory(tmp_path):
    for row in memory_rows(tmp_path / "two", 2, (105, 100)):
        assert (row.lower, row.resolves, row.verdict) == (None, None, "inconclusive")
        assert row.ratio == pytest.approx(1.05) and row.note == "no interval from fewer than 3 launches"


def test_an_interval_of_memory_is_a_page_wide_to_each_side(tmp_path):
    for row in memory_rows(tmp_path / "one_page", 3, (104, 100)):
        assert (row.lower, row.upper) == pytest.approx((1, 1.04 ** 2)) and row.verdict == "inconclusive"
    for row in memory_rows(tmp_path / "two_pages", 3, (108, 100)):
        assert row.lower == pytest.approx(1.08 / 1.04) and row.verdict == "worse"


def test_no_ratio_of_zero_system_calls(ab_folder):
    row = rows(load_result(ab_folder))["syscalls_per_op", "a"]
    assert (row.ratio, row.lower, row.verdict) == (None, None, "inconclusive")
    assert row.candidate_value == 0 and row.reference_value == pytest.approx(1e-7)


def test_unmeasured_is_missing(spoiled):
    path = spoiled / "epochs.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    drop = lines[0].index("syscalls")
    for cells in lines[1:]:
        cells[drop] = ""
    path.write_text("\n".join(",".join(cells) for cells in lines) + "\n")
    result = load_result(spoiled)
    row = rows(result)["syscalls_per_op", "a"]
    assert row.candidate_value is None and row.note == "not measured"
    assert np.isnan(summarise(result, "a").syscalls_per_op)


def test_three_subjects_and_the_floor(tmp_path):
    """hakmem 1.12x, floor 1.15x of 10 ns: 0.23 and 1.30 ns above the floor."""
    folder = make_folder(tmp_path / "run", names=("hakmem", "mimalloc", "floor"), ratios=(1.12, 1.0, 1.15),
                         noise=0.002)
    found = rows(load_result(folder))
    assert found["throughput", "c"].ratio == pytest.approx(1.15, abs=0.01)
    row = found["ns_above_floor", "a"]
    assert row.candidate_value == pytest.approx(0.233, abs=0.03)
    assert row.reference_value == pytest.approx(1.304, abs=0.03)
    assert row.lower < row.ratio < row.upper < 0.3 and row.verdict == "better"
    assert ("ns_above_floor", "c") not in found


def test_one_subject_has_no_comparison(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem",), ratios=(1.1,), launches=2)
    assert compare(load_result(folder)) == []


def test_summary(ab_folder):
    summary = summarise(load_result(ab_folder), "a")
    assert (summary.epochs, summary.launches, summary.quarantined_epochs) == (86, 5, 4)
    assert summary.ops_per_s == pytest.approx(1.12e8, rel=0.005)
    assert summary.cv == pytest.approx(0.01, rel=0.3)
    assert summary.ops_per_s_tail["worst"] < summary.ops_per_s_tail["p99"] < summary.ops_per_s
    assert summary.rss_peak_kb == 916 and summary.syscalls_per_op == 0 and summary.failed_allocs == 0


def above_floor_row(tmp_path, **more):
    """3.3 and 5.8 ns above the floor: 0.57."""
    given = {"names": ("hakmem", "mimalloc", "floor"), "ratios": (1.0, 0.8, 1.5), **more}
    return rows(load_result(make_folder(tmp_path / "run", **given)))["ns_above_floor", "a"]


def test_two_blocks_above_the_floor_decide_nothing(tmp_path):
    row = above_floor_row(tmp_path, launches=1, blocks_per_launch=2)
    assert row.upper < 0.7 and row.verdict == "inconclusive" and row.confidence == 0.5
    assert "2 blocks can give 50.0 % confidence at most; 95 % takes 6" in row.note


def test_too_few_quiet_blocks_above_the_floor_decide_nothing(tmp_path):
    row = above_floor_row(tmp_path, launches=3, blocks_per_launch=5, quarantined=range(2, 13))
    assert row.ratio < 0.7 and row.verdict == "inconclusive"
    assert (row.blocks, row.quarantined_blocks) == (4, 11)
    assert "only 4 of 15 blocks are free of noise over the limit and 6 are needed" in row.note


def test_nothing_quiet_above_the_floor_is_noise_and_no_missing_floor(tmp_path):
    row = above_floor_row(tmp_path, launches=1, blocks_per_launch=3, quarantined=range(3))
    assert row.ratio is None and row.note.startswith("only 0 of 3") and "not above the floor" not in row.note


def test_launches_that_differ_are_the_unit_above_the_floor_too(tmp_path):
    quiet = above_floor_row(tmp_path / "quiet")
    moved = above_floor_row(tmp_path / "moved", launch_noise=0.03)
    assert quiet.verdict == "better" and moved.launch_effect_p < 0.2
    assert moved.unit == "launches" and "the launch is the unit" in moved.note
    assert moved.upper - moved.lower > 3 * (quiet.upper - quiet.lower)
    assert moved.lower < (10 - 10 / 1.5) / (12.5 - 10 / 1.5) < moved.upper
