"""The report of a soak from end to end, on folders whose truth is known."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from folders import BASE_KB, write_rows
from hakmem_analysis import causes, decay, plot, report as report_tool, soak_judge, soak_page, soak_plot, text
from hakmem_analysis.load import load_result
from hakmem_analysis.schema import EVENT_COLUMNS
from hakmem_analysis.soak import main as analyze_soak
from soak_folders import make_soak, tile_soak

ROOT = Path(__file__).resolve().parents[2]


def still(_):
    return 0.0


def leaking(hours):
    return 1024 * hours


@pytest.fixture(scope="module")
def leak_folder(tmp_path_factory):
    """hakmem leaks 1 MB/h (live bytes too), with mimalloc beside it in every sixth epoch. Read only."""
    return make_soak(tmp_path_factory.mktemp("soak") / "leak", {"hakmem": leaking, "mimalloc": still},
                     every=5, reference=1,
                     others={"hakmem": {"live_bytes": lambda hours: 1e5 + 2 ** 20 * hours}})


def test_the_first_line_says_it_in_plain_words(leak_folder):
    built = report_tool.build(leak_folder)
    assert built.headlines[0] == ("DRIFT. Memory drifts: hakmem on random_mixed, ws=400, 1 thread, over "
                                  "7 min (budget 64 kB/h); mimalloc steady.")
    assert built.headlines[1].startswith("hakmem: DRIFT by +10")
    assert "cause: leak (live blocks grew by" in built.headlines[1]
    assert built.headlines[2].startswith("mimalloc: STABLE: 0 kB/h")


def test_subjects_that_took_turns_are_compared_by_neighbours(leak_folder):
    row = report_tool.build(leak_folder).comparisons[0]
    assert (row.metric, row.candidate, row.reference) == ("throughput", "hakmem", "mimalloc")
    assert row.lower < 1 / 0.9 < row.upper and row.upper / row.lower < 1.02
    assert row.verdict == "better" and "neighbouring" in row.note


def test_neighbours_cancel_what_both_meet(tmp_path):
    """A machine that slows down by a third over the soak does not touch the ratio."""
    folder = make_soak(tmp_path / "soak", {"hakmem": still, "mimalloc": still}, reference=1)
    result = load_result(folder)
    slower = np.linspace(1, 0.67, len(result.epochs))
    result.epochs["ops_per_s"] *= slower
    row = soak_judge.compare_neighbours(result, "a", 0.95)
    assert row.ratio == pytest.approx(1 / 0.9, abs=0.005) and row.lower < 1 / 0.9 < row.upper
    assert row.upper - row.lower < 0.02


def test_a_neighbour_on_each_side_counts(tmp_path):
    """Without noise and on a machine that slows steadily each difference is exact; with one neighbour it
    would be off by half a turn's loss."""
    result = load_result(make_soak(tmp_path / "soak", {"hakmem": still, "mimalloc": still}, reference=1))
    turn = result.epochs["seq"].to_numpy(float)
    result.epochs["ops_per_s"] = np.where(result.epochs["subject"] == "a", 1.1e8, 1e8) * np.exp(-0.01 * turn)
    differences = soak_judge.neighbour_differences(result, "b", "a")["difference"]
    assert differences.to_numpy() == pytest.approx(np.log(1.1), abs=1e-12)


def test_quarantined_pairs_are_left_out(tmp_path):
    result = load_result(make_soak(tmp_path / "soak", {"hakmem": still, "mimalloc": still}, reference=1))
    disturbed = result.epochs.index % 10 == 3
    result.epochs.loc[disturbed, "ops_per_s"] /= 3
    result.epochs.loc[disturbed, "excluded"] = True
    pairs = soak_judge.neighbour_differences(result, "b", "a")
    assert pairs["difference"].abs().max() < 0.2 and pairs.attrs["quarantined"] > 50


def test_verdict_json_and_all_files(leak_folder, call, tmp_path):
    done = call(report_tool.main, leak_folder, "--format", "json")
    assert (done.code, done.err) == (0, "")
    soak = json.loads(done.out)["soak"]
    assert (soak["verdict"], soak["budget_kb_per_h"]) == ("DRIFT", 64)
    hakmem, mimalloc = soak["subjects"]
    assert hakmem["drift"]["verdict"] == "DRIFT" and hakmem["cause"]["name"] == causes.LEAK
    assert mimalloc["drift"]["verdict"] == "STABLE" and mimalloc["cause"]["name"] == causes.NONE
    assert mimalloc["failed_allocs"] == 0 and mimalloc["decay"] is None
    assert (leak_folder / "report.png").read_bytes().startswith(b"\x89PNG")
    page = (leak_folder / "report.md").read_text()
    for words in ("# Soak of hakmem and mimalloc", "## Drift", "hakmem: leak: live blocks grew by"):
        assert words in page


def test_a_step_is_named_and_a_longer_soak_asked_for(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": lambda hours: 2048 if hours >= 0.1 else 0})
    built = report_tool.build(folder)
    assert built.headlines[0].startswith("EXTEND. This soak does not settle whether memory drifts: hakmem")
    assert "soak for about 24 min" in built.headlines[0]
    assert "one step of +2048 kB at 6 min" in built.headlines[1]


def test_the_profile_declares_the_budget(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": leaking}, gate={"rss_drift_kb_per_h": 4096})
    assert report_tool.build(folder).headlines[0].startswith(
        "STABLE. Memory drifts within the budget: hakmem")


def test_days_of_soaking_show_more_than_nothing(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": still}, soak_s=6 * 86_400, epoch_s=3600)
    assert "; it would have shown 0.0374 kB/h. RSS" in report_tool.build(folder).headlines[1]
    assert [text.duration(3600 * hours) for hours in (99.4, 99.6, 36)] == ["99 h", "4 days", "36 h"]


def test_a_budget_that_is_none_is_one_line(tmp_path, call):
    folder = make_soak(tmp_path / "soak", {"hakmem": still}, gate={"rss_drift_kb_per_h": -1})
    done = call(report_tool.main, folder)
    assert done.code == 1 and done.err.count("\n") == 1
    assert "'gate.rss_drift_kb_per_h' must be a positive number of kB an hour, as 64, not -1" in done.err


def test_many_steady_subjects_are_counted_and_drawn(tmp_path):
    growth = {f"clean{i}": still for i in range(7)}
    folder = make_soak(tmp_path / "soak", {**growth, "leaky": leaking}, epoch_s=0.5)
    built = report_tool.build(folder)
    assert "Memory drifts: leaky" in built.headlines[0] and "7 subjects steady" in built.headlines[0]
    assert len(built.headlines) == 2
    report_tool.write(built, plot=True)
    assert (folder / "report.png").stat().st_size > 20_000


def test_the_longest_launch_is_judged(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": still})
    result = load_result(folder)
    result.epochs.loc[result.epochs["seq"] < 100, ["launch", "rss_above_base_kb"]] = [1, 9000]
    subject = soak_judge.judge(result)[0]
    assert (subject.launch, subject.launches, subject.drift.epochs) == (0, 2, 500)
    assert subject.drift.verdict == "STABLE"


def test_the_floor_accuses_the_harness(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": leaking, "floor": leaking})
    hakmem, floor = soak_judge.judge(load_result(folder))
    assert hakmem.cause.name == causes.HARNESS and floor.drift.verdict == "DRIFT"


def test_slopes_of_one_line_are_in_one_unit(tmp_path, call):
    """A short, noisy soak: slope, interval and what it sees are in tens of thousands of kB/h."""
    rng = np.random.default_rng(4)
    folder = make_soak(tmp_path / "soak", {"hakmem": lambda hours: 8000 * hours + rng.normal(0, 60)},
                       soak_s=40)
    out = call(analyze_soak, folder).out
    line = next(line for line in out.splitlines() if line.lstrip().startswith("slope"))
    found = re.search(r"slope +([+-]\d+) kB/h \(99 % interval (-\d+) kB/h \.\. (\+\d+) kB/h\), .*; "
                      r"smallest slope visible (\d+) kB/h$", line)
    assert found, line
    assert int(found.group(2)) < int(found.group(1)) < int(found.group(3)) and int(found.group(4)) > 10_000
    assert f"could see, {found.group(4)} kB/h, is above the budget of 64 kB/h" in out.splitlines()[0]
    row = soak_page.table_rows(soak_judge.judge(load_result(folder)))
    cells = dict(zip(*row))
    assert [cells[name] for name in ("slope", "99 % interval", "smallest visible")] == [
        f"{found.group(1)} kB/h", f"{found.group(2)} kB/h .. {found.group(3)} kB/h",
        f"{found.group(4)} kB/h"]


def test_a_huge_slope_has_its_interval_in_mb_too(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": lambda hours: 200_000 * hours})
    words = report_tool.build(folder).headlines[1]
    assert re.match(r"hakmem: DRIFT by \+195 MB/h \(99 % interval \+19\d MB/h \.\. \+19\d MB/h\)",
                    words), words


def test_half_life_of_a_decay(tmp_path):
    """RSS falls from 5000 to 3000 kB with a half-life of 0.3 s; the clean subject does not fall."""
    since_s = np.geomspace(0.01, 3, 20)
    samples = [[seq, label, 0, seq, round(at, 6), round(3000 + 2000 * share * 0.5 ** (at / 0.3))]
               for seq in range(5) for label, share in (("a", 1), ("b", 0)) for at in since_s]
    folder = make_soak(tmp_path / "soak", {"hakmem": still, "mimalloc": still}, samples=samples)
    hakmem, mimalloc = soak_judge.judge(load_result(folder))
    assert hakmem.decay.half_life_s == pytest.approx(0.3, rel=0.1)
    assert hakmem.decay.fallen_kb == pytest.approx(2000, rel=0.05) and hakmem.decay.drains == 5
    assert hakmem.decay.drained_kb == pytest.approx(5000 - BASE_KB, rel=0.05)
    assert mimalloc.decay.fallen_kb == 0 and np.isnan(mimalloc.decay.half_life_s)
    page = "\n".join(str(part) for part in report_tool.page(report_tool.build(folder), None))
    assert "half-life" in page


SINCE_S = np.geomspace(0.001, 3, 20)


def drained_soak(folder, drains=10, **more):
    """hakmem falls from 5000 kB, 5010 in the second drain and so on, to 3000; mimalloc stays at 3000."""
    samples = [[seq, label, 0, seq, round(at, 6), round(3000 + share * (2000 + 10 * seq) * 0.5 ** (at / 0.3))]
               for seq in range(drains) for label, share in (("a", 1), ("b", 0)) for at in SINCE_S]
    return make_soak(folder, {"hakmem": still, "mimalloc": still}, samples=samples, **more)


def test_a_ratchet_soak_says_what_stays_and_for_how_long(tmp_path, call):
    done = call(report_tool.main, drained_soak(tmp_path / "soak"), "--summary", "--no-plot")
    first, last = (np.median([round(500 + (2000 + 10 * seq) * 0.5 ** (at / 0.3)) for seq in range(10)])
                   for at in (SINCE_S[0], SINCE_S[-1]))
    lines = [line for line in done.out.splitlines() if "everything freed" in line]
    assert len(lines) == 2
    assert lines[0].startswith(
        f"hakmem, everything freed: RSS {first:.0f} kB right after a drain, {last:.0f} kB after 3 s of "
        "idling (medians of 10 drains); half-life of the fall 0.3")
    assert lines[1] == (
        "mimalloc, everything freed: RSS 500 kB right after a drain, 500 kB after 3 s of idling (medians of "
        "10 drains); most drains show no fall of more than a page, so no half-life.")
    steady = report_tool.build(make_soak(tmp_path / "steady", {"hakmem": still}))
    assert not any("freed" in line for line in steady.headlines)


def test_the_decay_is_drawn_for_a_ratchet_soak_only(tmp_path, drawn):
    panel = drawn(drained_soak(tmp_path / "soak"))[3]
    hakmem, mimalloc = (line.get_ydata() for line in panel.lines)
    assert panel.lines[0].get_xdata() == pytest.approx(SINCE_S, abs=1e-6)
    assert hakmem == pytest.approx(500 + 2045 * 0.5 ** (SINCE_S / 0.3), abs=1)
    assert (mimalloc == 500).all() and len(panel.collections) == 2
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(500 + (2000 + 81) * 0.5 ** (SINCE_S[0] / 0.3), abs=1)
    assert len(drawn(make_soak(tmp_path / "steady", {"hakmem": still}))) == 3


def test_a_drain_that_was_cut_short_is_no_part_of_the_course(tmp_path):
    folder = drained_soak(tmp_path / "soak")
    path = folder / "samples.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-7]))
    course = decay.course(decay.read(load_result(folder)), "b", 0, BASE_KB)
    assert course.drains == 9 and len(course.median_kb) == 20
    assert decay.course(None, "a", 0, BASE_KB) is None


def test_too_few_epochs_for_a_slope_are_said_in_words(tmp_path, drawn):
    panel = drawn(drained_soak(tmp_path / "few", soak_s=8))[2]
    words = [written.get_text() for written in panel.texts]
    assert words == ["Too few epochs for a slope of hakmem and mimalloc; a soak of about 5 min would have "
                     "one"]
    assert not panel.lines
    panel = drawn(make_soak(tmp_path / "some", {"hakmem": still, "mimalloc": still}, soak_s=40, every=6))[2]
    words = [written.get_text() for written in panel.texts]
    assert words == ["hakmem: 0 kB/h", "mimalloc: too few epochs for a slope"] and panel.lines


def long_named(number):
    return f"hakmem@a_profile_of_a_long_name_{number}"


@pytest.mark.parametrize("count, rows", [(1, 1), (2, 1), (3, 3), (8, 8)])
def test_slopes_of_many_subjects_have_a_row_each(tmp_path, drawn, count, rows):
    folder = make_soak(tmp_path / "soak", {**{long_named(each): still for each in range(count - 1)},
                                           "leaky": leaking}, epoch_s=0.5)
    axes = drawn(folder)
    speeds = 1 if count <= soak_plot.TOGETHER_AT_MOST else count
    panels = axes[speeds + 1:]
    assert len(panels) == rows and len({panel.get_ylim() for panel in panels}) == 1
    assert [len(panel.collections) for panel in panels] == [count // rows] * rows
    assert panels[-1].texts[-1].get_text().startswith("leaky: +")
    figure = axes[0].figure
    legend = axes[-1].get_legend().get_window_extent()
    assert 0 <= legend.x0 and legend.x1 <= figure.bbox.width and legend.y0 >= 0
    assert axes[0].get_window_extent().width > 0.8 * figure.bbox.width


def test_steady_subjects_beyond_the_colours_share_a_row(tmp_path, drawn):
    growth = {f"clean{each}": still for each in range(len(soak_plot.COLOURS))}
    axes = drawn(make_soak(tmp_path / "soak", {**growth, "leaky": leaking}, epoch_s=0.5))
    for panels in (axes[:2], axes[3:]):
        words = [panel.texts[-1].get_text().split(":")[0] for panel in panels]
        assert words == ["leaky", "8 steady subjects"]


def test_throughput_of_many_subjects_has_a_row_each_in_percent_of_its_median(tmp_path, drawn):
    """One that is ten times as fast does not flatten the others."""
    folder = make_soak(tmp_path / "soak", dict.fromkeys("wxyz", still), rate=(1e9, 1e8))
    panels = drawn(folder)[:4]
    assert [panel.texts[0].get_text().split(":")[0] for panel in panels] == list("wxyz")
    median = load_result(folder).measured("a")["ops_per_s"].median()
    assert panels[0].texts[0].get_text() == f"w: median {text.rate(median)}"
    assert len({panel.get_ylim() for panel in panels}) == 1
    for panel in panels:
        points = np.concatenate([line.get_ydata() for line in panel.lines if line.get_linestyle() == "None"])
        assert np.median(points) == pytest.approx(100) and 95 < points.min() < points.max() < 105
        assert panel.get_ylim()[0] < points.min() and panel.get_ylim()[1] > points.max()
    assert "percent of its subject's median" in panels[0].get_title(loc="left")
    assert len(drawn(make_soak(tmp_path / "three", dict.fromkeys("xyz", still)))) == 1 + 1 + 3


def test_the_line_of_a_slope_goes_through_its_data_and_the_interval_is_a_bow_tie(tmp_path, drawn):
    """A leak whose epochs lie closer at its start, and so before the centre of time."""
    folder = make_soak(tmp_path / "soak", {"hakmem": lambda hours: 90_000 * hours})
    epochs = pd.read_csv(folder / "epochs.csv", dtype=str, keep_default_na=False)
    epochs[(epochs.index % 5 == 0) | (epochs.index < 300)].to_csv(folder / "epochs.csv", index=False)
    panel = drawn(folder)[2]
    points, line = panel.lines[:2]
    off_kb = points.get_ydata() - np.interp(points.get_xdata(), line.get_xdata(), line.get_ydata())
    assert abs(np.median(off_kb)) < 4 and line.get_ydata()[0] == pytest.approx(0)
    corners = panel.collections[0].get_paths()[0].vertices
    heights = [np.ptp(corners[np.isclose(corners[:, 0], at), 1]) for at in line.get_xdata()]
    assert heights[1] < 0.01 and heights[0] == pytest.approx(heights[2]) and heights[0] > 0.1


def test_what_is_after_warm_up_says_so_and_how_many_epochs_it_is(tmp_path):
    """Memory that settles has half of its epochs left out, any other a quarter."""
    folder = make_soak(tmp_path / "soak", {"hakmem": lambda hours: -2000 * np.exp(-hours * 40),
                                           "mimalloc": still}, soak_s=240)
    head, *rows = soak_page.table_rows(soak_judge.judge(load_result(folder)))
    assert [row[head.index("judged over")] for row in rows] == [
        "2 min, 60 of 120 epochs", "3 min, 90 of 120 epochs"]
    assert "CV after warm-up" in head and "system calls/op after warm-up" in head
    report_tool.write(report_tool.build(folder), plot=False)
    page = (folder / "report.md").read_text()
    assert "after warm-up CV 0." in page or "after warm-up CV 1." in page
    assert "or the first half where memory was still settling" in page


def test_half_life_is_linear_between_samples():
    assert decay.half_life_s(np.array([0, 1, 2.0]), np.array([100, 60, 0.0])) == pytest.approx(1 + 10 / 60)
    assert np.isnan(decay.half_life_s(np.array([0, 1.0]), np.array([100, 97.0])))


def test_analyze_soak_names_the_cause_too(leak_folder, call):
    done = call(analyze_soak, leak_folder)
    assert "subject a, allocator hakmem, launch 0: DRIFT" in done.out and "leak: live blocks grew" in done.out
    found = json.loads(call(analyze_soak, leak_folder, "--format", "json").out)
    assert found["subject b, allocator mimalloc, launch 0"]["cause"]["name"] == "none"


# ---- an hour in epochs of a second: the whole commands, as people start them

@pytest.fixture(scope="module", params=[1, 5])
def hour_folder(request, tmp_path_factory):
    return tile_soak(tmp_path_factory.mktemp("hour") / "soak", subjects=request.param)


@pytest.fixture
def launcher(tmp_path):
    """bin/hakbench-report of a build folder, as CMake makes it."""
    text = (ROOT / "analysis" / "launcher.sh.in").read_text()
    for name, value in (("TOOL", "report"), ("PREFIX", ""), ("SCRIPTS", ROOT / "scripts"),
                        ("SOURCE", ROOT / "analysis" / "src"), ("BIN", tmp_path / "bin"),
                        ("FONT_CACHE", tmp_path / "cache" / "matplotlib")):
        text = text.replace(f"@{name}@", str(value))
    (tmp_path / "cache" / "matplotlib").mkdir(parents=True)
    (tmp_path / "hakbench-report").write_text(text)
    return ["sh", tmp_path / "hakbench-report"]


@pytest.mark.parametrize("safe_path", [{}, {"PYTHONSAFEPATH": "1"}])
def test_a_users_files_are_no_modules_of_the_tools(launcher, tmp_path, safe_path):
    for name in ("random", "json", "statistics", "hakmem_analysis"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user\'s file')")
    done = subprocess.run([*launcher, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "HAKMEM_PYTHON": sys.executable, **safe_path})
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: hakbench report")


def cpu_seconds(*command) -> float:
    """What a command and its children took, which must succeed; bytecode may be written, as by default."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before = os.times()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL,
                   env={**environment, "HAKMEM_PYTHON": sys.executable})
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_an_hour_of_seconds_is_reported_soon(hour_folder, launcher, tmp_path):
    """3 s is the promise; thrice over for a slow or busy machine, whose first start looks for fonts too."""
    assert cpu_seconds(*launcher, hour_folder) < 3 * 3
    assert (hour_folder / "report.png").stat().st_size > 20_000
    assert not list(tmp_path.rglob("*.pyc")), "the libraries are compiled anew at the first start"


def test_an_hour_of_seconds_is_judged_soon(hour_folder):
    script = ROOT / "scripts" / "analyze_soak.py"
    assert cpu_seconds(sys.executable, script, hour_folder / "epochs.csv") < 3 * 3


def test_an_hour_of_drains_has_a_half_life(tmp_path):
    """3600 drains with 20 samples each, in no order, and one with a single sample, which says nothing."""
    since_s = np.geomspace(0.01, 1, 20)
    samples = [[0, "a", 0, epoch, round(at, 6), round(3000 + (1000 + epoch) * 0.5 ** (at / 0.3))]
               for epoch in range(3600) for at in since_s] + [[0, "a", 0, 9999, 0.5, 77]]
    np.random.default_rng(1).shuffle(samples)
    folder = make_soak(tmp_path / "soak", {"hakmem": still}, soak_s=60, samples=samples)
    result = load_result(folder)
    found = decay.summarise(decay.read(result), "a", 0, 0)
    assert found.drains == 3600 and found.idle_s == 1
    assert found.half_life_s == pytest.approx(0.26, abs=0.02)
    assert found.drained_kb == pytest.approx(3000 + 2799.5 * 0.5 ** (0.01 / 0.3), abs=1)


def test_a_dense_series_is_points_with_their_running_median(hour_folder):
    """Every epoch stays a point; the line through them has the median of a window."""
    result = load_result(hour_folder)
    figure, axis = plot.plt.subplots()
    styles = {label: (plot.COLOURS[0], "o") for label in result.subjects}
    window = plot.draw_series(axis, result, styles, "ops_per_s", 1.0, smooth=True)
    rates = result.measured("a")["ops_per_s"].to_numpy()
    points = [line.get_ydata() for line in axis.lines if line.get_linestyle() == "None"]
    line = next(line.get_ydata() for line in axis.lines if line.get_linestyle() == "-")
    assert any(np.array_equal(values, rates) for values in points)
    assert window > 5 and np.array_equal(line[100], np.median(rates[100 - window // 2:101 + window // 2]))
    assert plot.draw_series(axis, result, styles, "rss_above_base_kb", 1.0) == 1
    plot.plt.close(figure)


def sawtooth(slope_kb_per_h=0.0, cycle_s=35.0, amplitude_kb=46_000):
    """Hours -> kB: teeth from floor to peak and back, whose peaks rise by a slope."""
    def at(hours):
        phase = hours * 3600 / cycle_s % 1
        return amplitude_kb * (1 - abs(2 * phase - 1)) + slope_kb_per_h * hours
    return at


def make_teeth(folder, soak_s, epoch_s=1.0, name="sawtooth", params=None, **shape):
    """A tooth of 35 s (3.5 G ops) in epochs of 1 s; the peak is the highest within the epoch."""
    teeth, cycle_h = sawtooth(**shape), shape.get("cycle_s", 35.0) / 3600

    def peak(hours):
        top = (np.floor(hours / cycle_h - 0.5) + 0.5) * cycle_h  # of the last tooth
        return 1000 + max(map(teeth, (hours, max(hours - epoch_s / 3600, top))))

    make_soak(folder, {"hakmem": teeth}, soak_s=soak_s, epoch_s=epoch_s,
              others={"hakmem": {"live_bytes": lambda hours: 1024 * sawtooth()(hours),
                                 "peak_rss_above_base_kb": peak}})
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["workload"] = {"name": name, "threads": 1, "seed": 1,
                            "params": params or {"period": 3_500_000_000}}
    path.write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("soak_s, name, params", [
    (12, "sawtooth", None), (30, "sawtooth", None), (60, "sawtooth", None), (300, "sawtooth", None),
    (12, "phases", {"phase_ops": 875_000_000}), (60, "phases", {"phase_ops": 875_000_000})])
def test_a_part_of_a_tooth_is_no_leak(tmp_path, call, soak_s, name, params):
    folder = make_teeth(tmp_path / "soak", soak_s, name=name, params=params)
    built = report_tool.build(folder)
    assert built.headlines[0].startswith("EXTEND.") and " of 35 epochs after warm-up" in built.headlines[1]
    assert "leak" not in built.headlines[1] and "8 min would tell" in built.headlines[1]
    for source in (folder, folder / "epochs.csv"):
        assert "EXTEND" in call(analyze_soak, source).out
    assert call(report_tool.main, folder).code == 0


def test_a_rise_of_seconds_in_short_epochs_is_no_leak(tmp_path):
    """120 epochs on one flank: as straight a line as any leak's."""
    folder = make_teeth(tmp_path / "soak", 12, epoch_s=0.1, params={"period": 35_000_000_000})
    subject = soak_judge.judge(load_result(folder))[0]
    assert subject.drift.verdict == "EXTEND" and subject.cause.name != causes.LEAK
    assert subject.drift.needed_s == pytest.approx(35 * 8 * 4 / 3 * 1.25, rel=0.01)
    assert (subject.drift.blocks, subject.drift.epochs_per_block) == (0, 350)


def test_teeth_are_judged_by_their_peaks(tmp_path):
    still_peaks = make_teeth(tmp_path / "still", 3600)
    assert soak_judge.judge(load_result(still_peaks))[0].drift.verdict == "STABLE"
    rising = soak_judge.judge(load_result(make_teeth(tmp_path / "rising", 3600, slope_kb_per_h=1024)))[0]
    assert rising.drift.verdict == "DRIFT" and rising.drift.slope_kb_per_h == pytest.approx(1024, rel=0.1)
    assert rising.drift.epochs == 3600 and 900 <= rising.drift.warmup_epochs < 970


def test_epochs_of_many_teeth_are_judged_by_their_peaks_too(tmp_path):
    """Epochs of a little more than a tooth end a little later in it each time: a slow beat, no drift."""
    folder = make_teeth(tmp_path / "soak", 3600, epoch_s=5.0, cycle_s=4.995, params={"period": 99_900_000})
    subject = soak_judge.judge(load_result(folder))[0]
    assert subject.drift.verdict == "STABLE" and subject.drift.epochs_per_cycle == 1


def test_a_cycle_may_be_named_for_a_csv_alone(tmp_path, call):
    folder = make_teeth(tmp_path / "soak", 60)
    csv = tmp_path / "alone.csv"
    csv.write_bytes((folder / "epochs.csv").read_bytes())
    assert "whole cycle" not in call(analyze_soak, csv).out
    assert "whole cycle" in call(analyze_soak, csv, "--cycle", "3.5e9").out


def resumed(folder, pause_s, at=400):
    """The soak, killed after `at` epochs and resumed after a pause: its later epochs are launch 1."""
    path = folder / "epochs.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    later = np.arange(len(rows)) >= at
    rows["launch"] = np.where(later, "1", "0")
    rows["wall_time_s"] = [f"{float(wall) + pause_s * gone:.6f}"
                           for wall, gone in zip(rows["wall_time_s"], later)]
    rows.to_csv(path, index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["resumed"] = [{"from_launch": 1, "wall_time_s": 0}]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_the_pause_of_a_resumed_soak_is_in_no_slope_and_no_picture(tmp_path):
    result = load_result(resumed(make_soak(tmp_path / "soak", {"hakmem": leaking}), 7200))
    assert result.epochs["time_s"].max() == pytest.approx(599, abs=1e-3)
    assert result.epochs["time_s"].diff().max() == pytest.approx(1, abs=1e-3)
    assert soak_judge.judge(result)[0].drift.slope_kb_per_h == pytest.approx(1024, rel=0.05)
    notes = report_tool.build(result.folder).notes
    assert "the run was resumed with launch 1 after 7 min of measuring: 2 h that are in no slope and no " \
           "picture" in notes
    figure, axis = plot.plt.subplots()
    plot.draw_throughput(axis, result, {"a": ("black", "o")})
    assert axis.get_xlim()[1] < 700
    assert "launch 1, after a pause of 2 h" in [words.get_text() for words in axis.texts]
    plot.plt.close(figure)


def test_the_budget_of_a_resumed_soak_is_drawn_where_its_slopes_are(tmp_path, drawn):
    """Which launch is the longest is judged, not the last; and each its own if subjects differ in that."""
    def cones(panel):
        return [tuple(line.get_xdata()) for line in panel.lines if line.get_linestyle() == ":"]

    def slopes(panel):
        return {(line.get_xdata()[0], line.get_xdata()[-1]) for line in panel.lines
                if line.get_linestyle() == "-"}

    panel = drawn(resumed(make_soak(tmp_path / "one", {"hakmem": leaking}), 7200))[2]
    (begin, end), = slopes(panel)
    assert end == pytest.approx(399) and cones(panel) == [(begin, end)] * 2
    folder = resumed(make_soak(tmp_path / "two", {"hakmem": leaking, "mimalloc": still}), 7200)
    rows = pd.read_csv(folder / "epochs.csv", dtype=str, keep_default_na=False)
    gone = (rows["subject"] == "b") & (rows["launch"] == "0") & (rows["seq"].astype(int) < 300)
    rows[~gone].to_csv(folder / "epochs.csv", index=False)
    panel = drawn(folder)[2]
    assert len(slopes(panel)) == 2 and set(cones(panel)) == slopes(panel) and len(cones(panel)) == 4


def suspended(folder, behind=False):
    """A leak of 1 MB/h, with three hours away in the middle, within the epoch that the event names or
    behind it."""
    make_soak(folder, {"hakmem": leaking})
    path = folder / "epochs.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    away = 10_800.0 * (rows["seq"].astype(int) >= 330 + behind)
    rows["wall_time_s"] = [f"{float(wall) + more:.6f}" for wall, more in zip(rows["wall_time_s"], away)]
    rows.to_csv(path, index=False)
    write_rows(folder / "events.csv", EVENT_COLUMNS,
               [[0, "1700011131.2", "a", 0, "suspended", "seq=330 slept_s=10800.0"]])
    return folder


def test_a_suspended_machine_is_not_on_the_axis_either(tmp_path):
    """It is a leak of 1 MB an hour measured."""
    folder = suspended(tmp_path / "soak")
    built = report_tool.build(folder)
    drift = built.soak[0].drift
    assert drift.slope_kb_per_h == pytest.approx(1024, rel=0.05) and drift.span_s < 600
    assert any(note.startswith("the machine was suspended after 6 min of measuring: 3 h")
               for note in built.notes)


def test_a_machine_that_was_suspended_while_a_subject_idled_is_not_on_the_axis(tmp_path, call):
    """The event names the epoch before, whose end lies before the pause: it stays where it is."""
    folder = suspended(tmp_path / "soak", behind=True)
    result = load_result(folder)
    assert result.epochs["time_s"].to_numpy() == pytest.approx(np.arange(600))
    built = report_tool.build(folder)
    assert built.soak[0].drift.slope_kb_per_h == pytest.approx(1024, rel=0.05)
    assert any(note.startswith("the machine was suspended after 6 min of measuring: 3 h")
               for note in built.notes)
    assert slope_by_script(call, folder) == pytest.approx(built.soak[0].drift.slope_kb_per_h, rel=1e-6)
    assert call(analyze_soak, folder).out.endswith("stopped, for 3 h, which are in no slope\n")


def slope_by_script(call, *arguments, **stdin):
    return json.loads(call(analyze_soak, *arguments, "--format", "json", **stdin).out)[
        "subject a, allocator hakmem, launch 0"]["slope_kb_per_h"]


def test_analyze_soak_reads_suspensions_beside_the_csv(tmp_path, call):
    """From the folder or its CSV it is the report's slope; of a stream, of a CSV elsewhere, of another clock
    and of another run's CSV it is the wall clock's."""
    folder = suspended(tmp_path / "soak")
    csv = folder / "epochs.csv"
    right = report_tool.build(folder).soak[0].drift.slope_kb_per_h
    for source in (folder, csv):
        assert slope_by_script(call, source) == pytest.approx(right, rel=1e-6)
        assert call(analyze_soak, source).out.endswith("stopped, for 3 h, which are in no slope\n")
    rows = pd.read_csv(csv)
    (tmp_path / "alone.csv").write_text(csv.read_text())
    wall = slope_by_script(call, "-", stdin=csv.read_text())
    assert abs(wall) < 200 and slope_by_script(call, tmp_path / "alone.csv") == wall
    rows["other_s"] = rows["wall_time_s"]
    rows.to_csv(csv, index=False)
    assert slope_by_script(call, csv, "--time", "other_s") == pytest.approx(wall)
    rows["wall_time_s"] += 86_400
    rows.to_csv(folder / "another.csv", index=False)
    assert slope_by_script(call, folder / "another.csv") == pytest.approx(wall)
    assert "suspended" not in call(analyze_soak, folder / "another.csv").out
