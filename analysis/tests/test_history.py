"""hakbench history, and where a series changes its level."""
import dataclasses
import json
import math

import numpy as np
import pytest
from folders import make_folder

from hakmem_analysis import change_points, compare_folders, history, plot
from scorecard_folders import edit_manifest


def test_a_level_that_changes_is_found_where_it_changes():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, 12), rng.normal(5, 1, 10), rng.normal(2, 1, 14)])
    found = change_points.find(values)
    assert [point.at for point in found] == [12, 22]
    assert found[0].after - found[0].before == pytest.approx(5, abs=1) and found[0].p <= 0.01
    assert found[1].after - found[1].before == pytest.approx(-3, abs=1)


def test_noise_alone_is_called_a_change_as_seldom_as_declared():
    rng = np.random.default_rng(2)
    called = sum(bool(change_points.find(rng.normal(size=20))) for _ in range(300))
    assert called <= 9  # 3 expected; 9 or fewer in 99.9 % of such tests


def test_an_outlier_is_no_level():
    assert not change_points.find([0, 0.1, -0.1, 0.05, 9, 0, -0.05, 0.1, 0, 0.02])


@pytest.mark.parametrize("values", [[], [1], [1, 1, 1, 9, 9], [3] * 40])
def test_too_few_or_constant_values_are_no_change(values):
    assert change_points.find(values) == []


def test_ten_values_are_the_fewest_that_can_show_a_change():
    assert change_points.least_values() == 10
    assert [change_points.least_behind(n) for n in (6, 9, 10, 11, 12, 13, 30)] == [None, None, 5, 4, 4, 3, 3]
    assert change_points.least_values(alpha=0.1) < 10 < change_points.least_values(alpha=0.001)


@pytest.mark.parametrize("values", range(6, 31))
def test_a_clean_change_shows_once_so_many_values_lie_behind_it(values):
    """At either end of the series; and where even the best p is well above 1 %, never."""
    noise = np.random.default_rng(values).normal(0, 0.01, values)
    least = change_points.least_behind(values)
    for behind in range(change_points.LEAST_SEGMENT, values // 2 + 1):
        step = np.arange(values) >= values - behind
        for series in (step + noise, step[::-1] + noise):
            found = bool(change_points.find(series))
            if least is not None and behind >= least:
                assert found
            elif 2 / math.comb(values, behind) > 1.2 * change_points.ALPHA:
                assert not found


def _folders(tmp_path, ratios):
    """In reverse order of time: the tool sorts by what was measured."""
    made = []
    for i, ratio in enumerate(ratios):
        folder = make_folder(tmp_path / f"r{i:02d}", ratios=(ratio, 1.0), launches=3, blocks_per_launch=4,
                             noise=0.005, seed=i)
        lines = (folder / "epochs.csv").read_text().splitlines()
        at = lines[0].split(",").index("wall_time_s")
        for n, line in enumerate(lines[1:], 1):
            cells = line.split(",")
            cells[at] = f"{float(cells[at]) + 86400 * i:.6f}"
            lines[n] = ",".join(cells)
        (folder / "epochs.csv").write_text("\n".join(lines) + "\n")
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["git"]["commit"] = f"commit{i:04d}"
        (folder / "manifest.json").write_text(json.dumps(manifest))
        made.append(folder)
    return made[::-1]


def test_a_loss_of_4_percent_is_named_with_its_commits(call, tmp_path):
    folders = _folders(tmp_path, [1.12] * 6 + [1.075] * 6)
    picture = tmp_path / "history.png"
    done = call(history.main, *folders, "--png", picture)
    assert done.code == 0 and picture.stat().st_size > 10_000
    last = done.out.strip().splitlines()[-1]
    assert "hakmem: throughput over mimalloc changed by -" in last
    assert "between commit0005 and commit0006" in last
    assert "too few folders since its last change to tell: 6, at least 10 are needed" in done.out
    found = json.loads(call(history.main, *folders, "--format", "json").out)["changes"]
    assert len(found) == 1 and found[0]["verdict"] == "worse"
    assert found[0]["ratio"] == pytest.approx(1.075 / 1.12, abs=0.01)


def test_a_change_between_two_machines_has_no_verdict(call, tmp_path):
    """The note stands where the machine changes, not at every folder since."""
    folders = _folders(tmp_path, [1.12] * 6 + [1.075] * 6)
    for folder in folders[:6]:
        edit_manifest(folder, host={"cpu_model": "Another", "kernel": "6.1", "cpus_online": 2})
    done = call(history.main, *folders)
    assert [line for line in done.out.splitlines() if line.startswith("Note: ")] == [
        f"Note: {tmp_path / 'r06'} was not measured as {tmp_path / 'r05'}: CPU Another (there A CPU). No "
        "verdict: the change may be that of CPU"]
    assert done.out.strip().endswith(", which are not comparable: see the note")
    content = json.loads(call(history.main, *folders, "--format", "json").out)
    assert content["changes"][0]["verdict"] == "not comparable" and len(content["notes"]) == 1
    folders = _folders(tmp_path / "calibrated", [1.12] * 6 + [1.075] * 6)
    for number, folder in enumerate(folders):
        edit_manifest(folder, ops_per_epoch=30_000_000 + 1000 * number, op_stream_hash=str(number))
    content = json.loads(call(history.main, *folders, "--format", "json").out)
    assert content["notes"] == [] and content["changes"][0]["verdict"] == "worse"


def _axes(monkeypatch, rows, folders, path):
    """The panels of the picture of these rows."""
    drawn = []
    monkeypatch.setattr(plot.plt, "close", drawn.append)
    history.draw(rows, folders, "words", path)
    monkeypatch.undo()
    plot.plt.close(drawn[-1])
    return drawn[-1].axes


def _row(folder, metric, ratio, lower, upper, candidate="hakmem"):
    return compare_folders.Row(**{**dict.fromkeys(
        field.name for field in dataclasses.fields(compare_folders.Row)), "folder": folder, "commit": folder,
        "candidate": candidate, "reference": "mimalloc", "metric": metric, "ratio": ratio, "lower": lower,
        "upper": upper})


def test_one_wide_interval_hides_no_change_and_a_folder_has_one_place(monkeypatch, tmp_path):
    metrics = "throughput", "peak_rss_above_base"
    rows = [_row(f"c{i}", metric, 1.0 if i < 6 else 0.14, *((0.018, 148) if i == 3 else (0.13, 1.1)))
            for metric in metrics for i in range(12) if (i, metric) != (0, metrics[0])]
    rows += [_row(f"c{i}", metrics[0], 1.0, 0.99, 1.01, "floor") for i in range(12)]
    panels = _axes(monkeypatch, rows, [f"c{i}" for i in range(12)], tmp_path / "history.png")
    assert [axis.get_yscale() for axis in panels] == ["log", "log", "linear"]
    assert len({axis.get_xlim() for axis in panels}) == 1
    points = [next(line for line in axis.lines if line.get_marker() == "o").get_xdata() for axis in panels]
    assert list(points[0]) == list(range(1, 12)) and list(points[1]) == list(range(12))
    dotted = [line.get_xdata()[0] for axis in panels for line in axis.lines if line.get_linestyle() == ":"]
    assert dotted == [5.5, 5.5]


def test_folders_that_agree_have_no_change(call, tmp_path):
    done = call(history.main, *_folders(tmp_path, [1.1] * 12))
    assert done.code == 0 and done.out.strip().endswith("No ratio changed its level.")
    assert done.out.count("\na change shows once 4 folders lie behind it\n") == 2


@pytest.mark.parametrize("ratios", [[1.3] * 5 + [1.0] * 4, [1.1] * 6])
def test_too_few_folders_are_not_called_unchanged(call, tmp_path, ratios):
    folders = _folders(tmp_path, ratios)
    done = call(history.main, *folders)
    assert done.code == 0 and "No ratio changed" not in done.out
    assert done.out.count(f"\ntoo few folders to tell: {len(ratios)}, at least 10 are needed") == 2
    found = json.loads(call(history.main, *folders, "--format", "json").out)
    assert found["changes"] == [] and found["reach"][0] == {
        "candidate": "hakmem", "reference": "mimalloc", "metric": "throughput", "folders": len(ratios),
        "needed": 10, "behind": None}


def test_a_folder_that_is_given_twice_is_refused(call, tmp_path):
    """It would be two measurements that agree."""
    folder = make_folder(tmp_path / "run", launches=2)
    done = call(history.main, folder, tmp_path / "run" / ".." / "run")
    assert done.code == 1 and done.err.endswith("run is given 2 times; a measurement counts once\n")


def test_one_allocator_alone_is_refused(call, tmp_path):
    done = call(history.main, make_folder(tmp_path / "one", names=("hakmem",), ratios=(1.0,)))
    assert done.code == 1 and "compare folders of hakbench ab" in done.err
