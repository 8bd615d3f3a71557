"""Service times: histograms against the raw values they were made from."""
import json

import numpy as np
import pandas as pd
import pytest

from folders import make_folder, write_rows
from hakmem_analysis import latency
from hakmem_analysis import report as report_tool
from hakmem_analysis.errors import InputError
from hakmem_analysis.load import load_result

HEADER = ("seq", "subject", "launch", "op", "low_ns", "high_ns", "count")


def edges(values, ns_per_tick=0.4):
    """The harness's buckets: exact below 64 ticks, then 32 to each doubling."""
    ticks = np.floor(np.asarray(values) / ns_per_tick).astype(np.int64)
    width = 1 << np.maximum(np.floor(np.log2(np.maximum(ticks, 1))).astype(np.int64) - 5, 0)
    low = ticks // width * width
    return low * ns_per_tick, (low + width) * ns_per_tick


def histogram(values, op="malloc", subject="a", launch=0, seq=0) -> pd.DataFrame:
    low, high = edges(values)
    pairs, counts = np.unique(np.column_stack([low, high]), axis=0, return_counts=True)
    return pd.DataFrame({"seq": seq, "subject": subject, "launch": launch, "op": op, "low_ns": pairs[:, 0],
                         "high_ns": pairs[:, 1], "count": counts})[list(HEADER)]


def add_latency(folder, *frames) -> None:
    """Latency epochs of the folder, with rows in epochs.csv of the seq that the frames name."""
    rows = pd.concat(frames)
    write_rows(folder / "latency.csv", HEADER, rows.itertuples(index=False))


@pytest.mark.parametrize("draw", [
    lambda rng: rng.lognormal(3, 0.5, 200_000),
    lambda rng: np.where(rng.random(200_000) < 0.001, rng.uniform(1e4, 1e6, 200_000), 30),
    lambda rng: rng.exponential(5000, 200_000),
    lambda rng: np.full(1000, 77.0)])
def test_percentiles_are_those_of_the_values_to_a_bucket(draw):
    values = np.abs(draw(np.random.default_rng(7)))
    points = (0, 1, 50, 90, 99, 99.9, 99.99, 100)
    # inverted_cdf: the smallest value with at least p % at or below it, no interpolation across a gap
    expected = np.percentile(values, points, method="inverted_cdf")
    found = latency.percentiles(histogram(values), points)
    low, high = edges(expected)
    assert np.all(np.abs(found - expected) <= (high - low) + 1e-9)
    assert np.all((high - low) <= np.maximum(expected / 32, 0.4) + 1e-9)


def test_pooling_two_histograms_is_the_histogram_of_all_values():
    rng = np.random.default_rng(1)
    first, second = rng.lognormal(3, 1, 5000), rng.lognormal(4, 1, 3000)
    pooled = pd.concat([histogram(first), histogram(second, op="free", launch=1)])
    whole = histogram(np.concatenate([first, second]))
    assert np.allclose(latency.percentiles(pooled, (50, 99)), latency.percentiles(whole, (50, 99)))


def test_an_empty_histogram_has_no_percentiles():
    assert np.isnan(latency.percentiles(histogram([1.0]).iloc[:0], (50, 99))).all()


def test_slow_operations_are_counted_by_launch_and_the_timer_is_not_one():
    quick = np.full(999_990, 30.0)
    frame = pd.concat([
        histogram(np.concatenate([quick, np.full(10, 90_000.0)]), launch=0),
        histogram(np.concatenate([quick, np.full(10, 30.0)]), op="free", launch=1),
        histogram(np.full(1_000_000, 95_000.0), subject="b", launch=0),
        histogram(np.full(500, 90_000.0), op=latency.TIMER, launch=1)])
    slow = latency.slow_ops_per_mop(frame)
    assert slow.to_dict() == {("a", 0): pytest.approx(10), ("a", 1): 0, ("b", 0): pytest.approx(1e6)}
    assert latency.slow_ops_per_mop(frame, threshold_ns=100_000)["b", 0] == 0


@pytest.mark.parametrize("step_ns, expected", [(10, 10), (0.4, 0.4)])
def test_a_clock_that_advances_in_steps_is_noticed(step_ns, expected):
    readings = 20 + step_ns * np.random.default_rng(5).integers(0, 3, 10_000) + 0.1
    stray = np.linspace(60, 70, 20)  # interrupted ones
    step = latency.clock_step_ns(histogram(np.concatenate([readings, stray])))
    assert step == pytest.approx(expected, abs=0.5 if step_ns > 1 else 1e-6)
    assert np.isnan(latency.clock_step_ns(histogram(np.full(100, 20.1))))


def test_a_bucket_across_the_threshold_counts_by_its_share():
    frame = pd.DataFrame([[0, "a", 0, "free", 79_000.0, 81_000.0, 8], [0, "a", 0, "free", 30.0, 31.0, 2]],
                         columns=HEADER)
    assert latency.slow_ops_per_mop(frame)["a", 0] == pytest.approx(4e5)


def test_report_says_what_was_measured_and_how(spoiled):
    rng = np.random.default_rng(3)
    for_all = [(label, launch) for label in "ab" for launch in range(2)]
    frames = []
    for seq, (label, launch) in enumerate(for_all, 900):
        place = {"subject": label, "launch": launch, "seq": seq}
        frames += [histogram(rng.normal(100 if label == "a" else 200, 1, 20_000), **place),
                   histogram(np.full(1250, 25.0), op=latency.TIMER, **place)]
    add_latency(spoiled, *frames)
    built = report_tool.build(spoiled)
    rows = report_tool.verdict(built)["service_time"]
    assert [row["subject"] for row in rows] == ["a", "b"]
    assert rows[0]["p50_ns"] == pytest.approx(100, rel=1 / 32)
    assert rows[1]["p50_ns"] == pytest.approx(200, rel=1 / 32)
    assert (rows[0]["ops"], rows[0]["epochs"], rows[0]["slow_ops_per_mop"]) == (40_000, 2, 0)
    assert rows[0]["timer_p50_ns"] == pytest.approx(25, abs=1)
    page = report_tool.write(built, plot=False).read_text()
    assert "## Service time" in page and "timer's own cost included" in page
    json.loads((spoiled / "verdict.json").read_text())


def test_the_report_counts_the_slow_operations_of_all_launches(spoiled):
    """One launch of three saw any: their median would be 0 beside a list of them."""
    add_latency(spoiled, *(
        histogram(np.concatenate([np.full(99_998, 30.0), np.full(2, 900_000.0 if launch == 1 else 30.0)]),
                  subject=label, launch=launch, seq=900 + launch)
        for label in "ab" for launch in range(3)))
    rows = report_tool.verdict(report_tool.build(spoiled))["service_time"]
    assert [row["slow_ops_per_mop"] for row in rows] == [pytest.approx(2e6 / 3e5)] * 2


def test_report_without_latency_epochs_has_no_such_section(spoiled):
    built = report_tool.build(spoiled)
    assert report_tool.verdict(built)["service_time"] == []
    assert "Service time" not in report_tool.write(built, plot=False).read_text()


def test_epochs_over_the_noise_limit_are_left_out(tmp_path):
    folder = make_folder(tmp_path / "run", quarantined=(0,))
    result = load_result(folder)
    of_a = result.epochs[result.epochs["subject"] == "a"]
    noisy, quiet = (int(of_a.loc[of_a["excluded"] == over, "seq"].iloc[0]) for over in (True, False))
    add_latency(folder, histogram(np.full(100, 1e6), seq=noisy), histogram(np.full(100, 30.0), seq=quiet))
    service, = latency.summarise_all(result)
    assert (service.epochs, service.noisy_epochs) == (1, 1) and service.max_ns < 40
    add_latency(folder, histogram(np.full(100, 1e6), seq=noisy))
    service, = latency.summarise_all(load_result(folder))
    assert service.max_ns > 1e6, "where there are no others, the noisy ones are shown"


@pytest.mark.parametrize("line, words", [
    ("0,a,0,mallok,1,2,3", ":2: op is 'mallok'"), ("0,a,0,malloc,2,2,3", ":2: not a bucket"),
    ("0,a,0,malloc,1,2,0", ":2: not a bucket"), ("0,a,0,malloc,1,2,x", "not a number")])
def test_damaged_rows_are_named(spoiled, line, words):
    (spoiled / "latency.csv").write_text(",".join(HEADER) + "\n" + line + "\n")
    with pytest.raises(InputError, match=words):
        latency.load_latency(load_result(spoiled))


def test_a_cut_off_last_line_is_left_out(spoiled):
    (spoiled / "latency.csv").write_text(",".join(HEADER) + "\n0,a,0,malloc,1,2,3\n0,a,0,mal")
    result = load_result(spoiled)
    assert len(latency.load_latency(result)) == 1
    assert any("latency.csv" in warning for warning in result.warnings)
