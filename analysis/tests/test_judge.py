"""judge.py and metrics.py: each metric's rule, several workloads, and the error rates that are promised."""
import math

import numpy as np
import pandas as pd
import pytest

from folders import make_folder
from hakmem_analysis import judge, launch_stats, metrics
from hakmem_analysis.gate_settings import GateSettings
from hakmem_analysis.load import load_result

SETTINGS = GateSettings(looks=(8,), metrics=("throughput", "ns_above_floor", "peak_rss_above_base",
                                             "rss_above_base", "minor_faults_per_mop", "syscalls_per_op",
                                             "instructions_per_op"))


def judged(folder, settings=SETTINGS, looks=1, floor="c"):
    rows = judge.judge_same_run(load_result(folder), "a", "b", floor, "test", settings, looks)
    return {row.metric: row for row in rows}


def run(tmp_path, ratio=1.0, **more):
    given = dict(names=("x", "y", "floor"), ratios=(ratio, 1.0, 1.3), launches=12, noise=0.004,
                 launch_noise=0.003, rss_kb=(900, 900, 500), syscalls=(0, 0, 0))
    return make_folder(tmp_path / "run", **{**given, **more})


def test_nothing_planted_passes_and_says_what_it_would_have_caught(tmp_path):
    rows = judged(run(tmp_path))
    assert {row.verdict for name, row in rows.items() if name != "instructions_per_op"} == {judge.PASS}
    assert 0.001 < rows["throughput"].resolves < 0.015 < rows["throughput"].catches < 0.03
    assert rows["throughput"].lower < 1 < rows["throughput"].upper
    assert rows["throughput"].p_equivalent < 0.01
    assert rows["throughput"].decided_confidence == pytest.approx(0.95)


def test_a_loss_fails_and_is_measured(tmp_path):
    row = judged(run(tmp_path, ratio=0.97))["throughput"]
    assert row.verdict == judge.FAIL and row.p_equivalent > 0.9
    assert row.value == pytest.approx(0.97, abs=0.005)
    assert row.p_worse < 0.025


def test_a_gain_of_the_same_size_passes(tmp_path):
    assert judged(run(tmp_path, ratio=1.03))["throughput"].verdict == judge.PASS


def test_a_loss_at_the_margin_is_inconclusive(tmp_path):
    assert judged(run(tmp_path, ratio=0.985, noise=0.02))["throughput"].verdict == judge.INCONCLUSIVE


def test_memory_may_shrink_but_not_grow(tmp_path):
    assert judged(run(tmp_path, rss_kb=(990, 900, 500)))["peak_rss_above_base"].verdict == judge.FAIL
    assert judged(run(tmp_path / "2", rss_kb=(800, 900, 500)))["peak_rss_above_base"].verdict == judge.PASS


def test_system_calls_are_compared_with_zero(tmp_path):
    row = judged(run(tmp_path, syscalls=(30, 0, 0)))["syscalls_per_op"]
    assert row.verdict == judge.FAIL
    assert row.value == pytest.approx(1e-6, rel=0.01)
    few = judged(run(tmp_path / "2", syscalls=(1, 0, 0)))["syscalls_per_op"]
    assert few.verdict == judge.PASS and few.value == pytest.approx(1 / 30e6)


def test_time_above_the_floor_needs_a_floor(tmp_path):
    folder = run(tmp_path, ratio=0.94)
    assert judged(folder)["ns_above_floor"].verdict == judge.FAIL
    assert judged(folder)["ns_above_floor"].value == pytest.approx(10 / 0.94 - 10, abs=0.05)
    assert judged(folder, floor=None)["ns_above_floor"].verdict == judge.NOT_MEASURED


def test_what_was_not_measured_is_no_pass(tmp_path):
    row = judged(run(tmp_path))["instructions_per_op"]
    assert row.verdict == judge.NOT_MEASURED
    assert row.value is None and row.p_worse is None


def test_too_few_launches_decide_nothing(tmp_path):
    row = judged(run(tmp_path, ratio=0.5, launches=3))["throughput"]
    assert row.verdict == judge.INCONCLUSIVE and "3 launch" in row.note


def test_a_run_that_noise_spoiled_is_no_pass(tmp_path):
    rows = judged(run(tmp_path, ratio=0.97, quarantined=tuple(range(200))))
    throughput = rows["throughput"]
    assert throughput.verdict == judge.INCONCLUSIVE and "too noisy: 0 launch" in throughput.note
    assert rows["instructions_per_op"].verdict == judge.NOT_MEASURED
    assert judge.overall(list(rows.values())) == judge.INCONCLUSIVE


def test_a_launch_that_is_mostly_noise_is_left_out(tmp_path):
    folder = run(tmp_path, quarantined=tuple(range(0, 6)))  # 6 of the 9 blocks of launch 0
    result = load_result(folder)
    assert 0 not in metrics.log_ratio(result, "a", "b").index
    assert 1 in metrics.log_ratio(result, "a", "b").index


def test_more_looks_ask_for_more(tmp_path):
    folder = run(tmp_path)
    one, three = judged(folder, looks=1)["throughput"], judged(folder, looks=3)["throughput"]
    assert three.decided_lower < one.decided_lower and three.lower == one.lower
    assert three.decided_confidence == pytest.approx(1 - 0.05 / 3)


def rows_of(p_values):
    estimate = launch_stats.paired(np.linspace(-0.03, -0.02, 10))
    row = judge.make_row("throughput", "w", estimate, 1, 1, SETTINGS, 1)
    return [judge.replace(row, workload=f"w{i}", p_worse=p) for i, p in enumerate(p_values)]


def test_several_workloads_share_the_error_rate():
    """Against 0.025: 0.001 < 0.025 / 3; 0.02 > 0.025 / 2, so it and all after it stand no longer."""
    rows = judge.with_holm(rows_of([0.001, 0.02, 0.024]), SETTINGS, 1)
    assert [row.verdict for row in rows] == [judge.FAIL, judge.INCONCLUSIVE, judge.INCONCLUSIVE]
    assert "3 workloads" in rows[1].note
    assert [row.verdict for row in judge.with_holm(rows_of([0.02]), SETTINGS, 1)] == [judge.FAIL]


def test_metrics_that_the_first_profile_lacks_are_corrected_too():
    first = GateSettings(looks=(8,), metrics=("peak_rss_above_base",))
    verdicts = [row.verdict for row in judge.with_holm(rows_of([0.02, 0.024]), first, 1)]
    assert verdicts == [judge.INCONCLUSIVE] * 2


@pytest.mark.parametrize("verdicts, expected", [
    (["pass", "not measured"], "pass"), (["pass", "inconclusive"], "inconclusive"),
    (["inconclusive", "fail"], "fail"), (["not measured"], "inconclusive")])
def test_the_whole_follows_from_the_parts(verdicts, expected):
    rows = [judge.replace(one, verdict=verdict)
            for one, verdict in zip(rows_of([0.1] * len(verdicts)), verdicts)]
    assert judge.overall(rows) == expected


def test_error_rates_over_launches():
    """2,000 gates of 16 launches, sd 0.7 %: no change fails at most 2.5 % (here the margin makes it none),
    a loss right at the margin at most 2.5 %, 3 % is caught, and the 95 % interval holds the truth."""
    rng = np.random.default_rng(11)
    margin = math.log(1 - 0.015)

    def rates(shift):
        failed = held = 0
        for _ in range(2000):
            estimate = launch_stats.paired(rng.normal(shift, 0.007, 16))
            row = judge.make_row("throughput", "w", estimate, 1, 1, SETTINGS, 1)
            failed += row.verdict == judge.FAIL
            held += row.lower <= math.exp(shift) <= row.upper
        return failed / 2000, held / 2000

    none, at_margin, loss = rates(0.0), rates(margin), rates(math.log(0.97))
    assert none[0] == 0 and at_margin[0] <= 0.035 and loss[0] >= 0.999
    assert all(0.935 <= held <= 0.965 for _, held in (none, at_margin, loss))


@pytest.mark.parametrize("name, sign, log", [("throughput", -1, True), ("peak_rss_above_base", 1, True),
                                             ("ns_above_floor", 1, False)])
def test_what_would_have_been_caught_fails_95_times_in_100(name, sign, log):
    """And what is only told from no change (`resolves`) is allowed: it never fails."""
    rng = np.random.default_rng(12)
    spread = 0.007 if log else 0.1

    def judged_at(shift):
        estimate = launch_stats.paired(rng.normal(sign * shift, spread, 16))
        return judge.make_row(name, "w", estimate, 1, 1, SETTINGS, 3)

    def on_scale(worsening):
        return abs(math.log(1 + sign * worsening)) if log else worsening

    median = {which: np.median([getattr(judged_at(0.0), which) for _ in range(50)])
              for which in ("catches", "resolves")}
    failed = {which: np.mean([judged_at(on_scale(size)).verdict == judge.FAIL for _ in range(300)])
              for which, size in median.items()}
    assert 0.9 <= failed["catches"] <= 0.99 and failed["resolves"] == 0


def test_every_metric_has_its_row_and_words():
    for name, metric in metrics.METRICS.items():
        assert metric.name == name and metric.words and metric.margin > 0
        assert metric.better in ("higher", "lower") and metric.scale in (metrics.RATIO, metrics.DIFFERENCE)


def test_service_time_comes_from_latency_epochs_by_launch(tmp_path):
    folder = run(tmp_path)
    rows = [[9000 + launch, label, launch, "malloc", low, low + 1, count] for launch in range(12)
            for label, low, count in (("a", 60, 10_000), ("b", 40, 10_000), ("a", 200_000, 2))]
    pd.DataFrame(rows, columns=["seq", "subject", "launch", "op", "low_ns", "high_ns", "count"]).to_csv(
        folder / "latency.csv", index=False)
    settings = GateSettings(looks=(8,), metrics=("service_time_p99_ns", "slow_ops_per_mop"))
    found = judged(folder, settings)
    assert found["service_time_p99_ns"].verdict == judge.FAIL
    assert found["service_time_p99_ns"].value == pytest.approx(1.5, abs=0.03)
    assert found["slow_ops_per_mop"].verdict == judge.FAIL
    assert found["slow_ops_per_mop"].value == pytest.approx(200, rel=0.01)


def row(metric, verdict, point):
    estimate = launch_stats.paired(np.linspace(point - 0.001, point + 0.001, 10))
    made = judge.make_row(metric, "w", estimate, 1, 1, SETTINGS, 1)
    return judge.replace(made, verdict=verdict)


def test_a_metric_keeps_its_first_decision():
    before = [row("throughput", "fail", -0.03), row("rss_above_base", "inconclusive", 0.0)]
    now = [row("throughput", "inconclusive", -0.015), row("rss_above_base", "pass", 0.0)]
    kept = judge.first_decisions(before, now)
    assert [(one.metric, one.verdict) for one in kept] == [("throughput", "fail"), ("rss_above_base", "pass")]
    assert kept[0].value == pytest.approx(math.exp(-0.03))


@pytest.mark.parametrize("rows, over", [
    ([("throughput", "pass", 0.0), ("rss_above_base", "pass", 0.0)], True),
    ([("throughput", "pass", 0.0), ("rss_above_base", "inconclusive", 0.0)], False),
    ([("throughput", "fail", -0.03), ("rss_above_base", "inconclusive", 0.0)], True),
    ([("throughput", "fail", -0.03), ("rss_above_base", "inconclusive", 0.05)], False),
    ([("throughput", "inconclusive", -0.03), ("rss_above_base", "fail", 0.05)], False),
    ([("throughput", "inconclusive", -0.01), ("rss_above_base", "fail", 0.05)], True)])
def test_a_failed_gate_goes_on_only_for_what_leans_to_failing(rows, over):
    assert judge.is_over([row(*one) for one in rows]) is over


def test_before_the_last_look_a_failure_must_stand_against_holms_first_step():
    """Against 0.025 / 2: 0.02 stays open, 0.01 decides; over one workload both decide."""
    rows = rows_of([0.01, 0.02])
    of_two = judge.before_holm(rows, SETTINGS, 1, {"throughput": 2})
    assert [row.verdict for row in of_two] == [judge.FAIL, judge.INCONCLUSIVE]
    assert "2 workloads" in of_two[1].note and not judge.is_over(of_two)
    assert judge.before_holm(rows, SETTINGS, 1, {"throughput": 1}) == rows


def test_few_launches_are_called_noise_only_where_noise_took_them(tmp_path):
    few = judged(run(tmp_path, launches=3))["throughput"]
    assert few.note == "too few: 3 launches measured, 4 are needed"
    spoiled = judged(run(tmp_path / "2", quarantined=tuple(range(0, 90))))["throughput"]
    assert spoiled.note == "too noisy: 2 launches left, 4 are needed"
