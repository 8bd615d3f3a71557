"""hakbench compare: folders of one workload side by side."""
import json

import pandas as pd
import pytest

from folders import make_folder
from hakmem_analysis import compare_folders
from scorecard_folders import edit_manifest


def rows_of(call, *folders):
    done = call(compare_folders.main, *folders, "--format", "json")
    assert done.code == 0, done.err
    return {(row["folder"], row["metric"]): row for row in json.loads(done.out)["rows"]}


def test_a_change_of_the_ratio_is_found_on_another_days_machine(call, tmp_path):
    before = make_folder(tmp_path / "before", ratios=(1.0, 1.0))
    after = make_folder(tmp_path / "after", ratios=(0.55, 0.5), seed=2)  # half as fast a machine, 10 % better
    rows = rows_of(call, before, after)
    first, now = rows[str(before), "throughput"], rows[str(after), "throughput"]
    assert first["change"] is None and first["verdict"] == ""
    assert now["change"] == pytest.approx(1.1, rel=0.02) and now["verdict"] == "better"
    assert now["change_lower"] < now["change"] < now["change_upper"]
    assert now["commit"] == "abc123" and now["cv"] > 0


def test_a_machine_that_is_not_described_is_another_and_no_crash(call, tmp_path):
    """As in folders that other tools wrote, or an older hakbench."""
    folders = [make_folder(tmp_path / "1", seed=3),
               edit_manifest(make_folder(tmp_path / "2", seed=4), host={"hostname": "box"})]
    done = call(compare_folders.main, *folders)
    assert done.code == 0 and "kernel not known (there 6.1)" in done.out + done.err


def test_no_change_is_none_found(call, tmp_path):
    folders = [make_folder(tmp_path / str(seed), seed=seed) for seed in (3, 4)]
    row = rows_of(call, *folders)[str(folders[1]), "throughput"]
    assert row["change_lower"] < 1 < row["change_upper"] and row["verdict"] == "inconclusive"


def test_two_traces_are_two_workloads(call, tmp_path):
    folders = []
    for name in ("redis", "sqlite"):
        folder = make_folder(tmp_path / name)
        folders.append(edit_manifest(folder, workload={"name": "trace", "threads": 1, "seed": 1, "params": {},
                                                       "file": f"/somewhere/{name}.trace"}))
    done = call(compare_folders.main, *folders)
    assert done.code == 1 and "sqlite.trace" in done.err and "redis.trace" in done.err


def test_the_interval_of_a_change_joins_both(call, tmp_path):
    folders = [make_folder(tmp_path / str(seed), seed=seed) for seed in (5, 6)]
    rows = rows_of(call, *folders)
    widths = [rows[str(folder), "throughput"] for folder in folders]
    own = [row["upper"] / row["lower"] for row in widths]
    joined = widths[1]["change_upper"] / widths[1]["change_lower"]
    assert max(own) < joined < own[0] * own[1]


def test_too_few_blocks_give_no_change(call, tmp_path):
    folders = [make_folder(tmp_path / str(seed), seed=seed, launches=1, blocks_per_launch=2)
               for seed in (7, 8)]
    row = rows_of(call, *folders)[str(folders[1]), "throughput"]
    assert row["change"] is None and row["verdict"] == "inconclusive"


def test_text_has_a_table_a_metric(call, ab_folder):
    done = call(compare_folders.main, ab_folder, ab_folder)
    assert done.code == 0
    for title in ("Throughput", "Peak RSS above base"):
        assert f"{title}: hakmem / mimalloc\nfolder" in done.out


def of(**changes):
    """Makes a folder with another workload part than folders.py's."""
    workload = {"name": "random_mixed", "threads": 1, "seed": 1, "params": {"ws": 400}}
    return lambda folder: edit_manifest(make_folder(folder), workload={**workload, **changes})


@pytest.mark.parametrize("make, words", [
    (of(name="larson", threads=2), "its workload is larson (there random_mixed); compare"),
    (of(params={"ws": 8192}), "its ws is 8192 (there 400); compare"),
    (of(threads=4), "its threads is 4 (there 1); compare"),
    (lambda folder: make_folder(folder, names=("hakmem",), ratios=(1,)), "one allocator alone")])
def test_folders_that_cannot_be_compared(call, ab_folder, tmp_path, make, words):
    done = call(compare_folders.main, ab_folder, make(tmp_path / "other"))
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("changes, words, verdict", [
    ({"ops_per_epoch": 20_000_000, "op_stream_hash": "1"},
     "operations per epoch 20000000 (there 30000000)", "better"),
    ({"ops_per_epoch": 1_000_000, "op_stream_hash": "1"},
     "operations per epoch 1000000 (there 30000000)", "not comparable"),
    ({"epoch_s": 0.1}, "seconds an epoch 0.1 (there 0.3)", "better"),
    ({"workload": {"name": "random_mixed", "threads": 1, "seed": 2, "params": {"ws": 400}}},
     "seed 2 (there 1)", "better"),
    ({"op_stream_hash": "1"}, "stream of operations 1 (there 0123456789abcdef)", "not comparable"),
    ({"host": {"cpu_model": "Another", "kernel": "6.1", "cpus_online": 2}}, "CPU Another (there A CPU)",
     "not comparable")])
def test_what_else_differs_is_named_in_one_line(call, tmp_path, changes, words, verdict):
    before = make_folder(tmp_path / "before", ratios=(1.0, 1.0))
    after = edit_manifest(make_folder(tmp_path / "after", ratios=(1.1, 1.0), seed=2), **changes)
    done = call(compare_folders.main, before, after)
    found = [line for line in done.out.splitlines() if line.startswith("Note: ")]
    assert len(found) == 1 and words in found[0] and f"{after} was not measured as {before}" in found[0]
    assert ("No verdict" in found[0]) == (verdict == "not comparable")
    assert rows_of(call, before, after)[str(after), "throughput"]["verdict"] == verdict


def test_another_version_of_the_reference_leaves_no_verdict(call, tmp_path):
    before, after = (make_folder(tmp_path / name) for name in ("before", "after"))
    subjects = json.loads((after / "manifest.json").read_text())["subjects"]
    subjects[0]["version"], subjects[1]["version"] = "0.2", "3.4.3"  # the candidate's may change
    edit_manifest(after, subjects=subjects)
    done = call(compare_folders.main, before, after)
    assert "version of mimalloc 3.4.3 (there 1.2.3). No verdict" in done.out and "0.2" not in done.out
    assert rows_of(call, before, after)[str(after), "throughput"]["verdict"] == "not comparable"


def test_folders_measured_alike_need_no_note(call, tmp_path):
    folders = [make_folder(tmp_path / str(seed), seed=seed) for seed in (9, 10)]
    assert "Note" not in call(compare_folders.main, *folders).out


def rebased(folder, times=2):
    """As if the process's own memory were so many times as much; what is above it stays."""
    rows = pd.read_csv(folder / "epochs.csv", dtype=str, keep_default_na=False)
    more = (times - 1) * rows["rss_base_kb"].astype(int)
    for column in ("rss_base_kb", "rss_kb", "peak_rss_kb"):
        rows[column] = rows[column].astype(int) + more
    rows.to_csv(folder / "epochs.csv", index=False)
    return folder


def test_another_base_of_memory_leaves_no_verdict_on_memory(call, tmp_path):
    before = make_folder(tmp_path / "before", ratios=(1.0, 1.0))
    after = rebased(make_folder(tmp_path / "after", ratios=(1.1, 1.0), seed=2))
    rows = rows_of(call, before, after)
    assert rows[str(after), "throughput"]["verdict"] == "better"
    assert rows[str(after), "peak_rss_above_base"]["verdict"] == "not comparable"
    notes = [line for line in call(compare_folders.main, before, after).out.splitlines() if "Note: " in line]
    assert len(notes) == 1 and "the process's own memory " in notes[0]
    assert notes[0].endswith("No verdict on peak RSS: its change may be that of the process's own memory")
    edit_manifest(after, host={"cpu_model": "Another", "kernel": "6.1", "cpus_online": 2})
    assert call(compare_folders.main, before, after).out.splitlines()[1].endswith(
        "No verdict: the change may be that of CPU; of peak RSS also of the process's own memory")


def test_folders_out_of_the_order_of_time_are_named(call, tmp_path):
    early, late = (make_folder(tmp_path / name, seed=seed) for seed, name in enumerate(("zz", "aa")))
    rows = pd.read_csv(late / "epochs.csv", dtype=str, keep_default_na=False)
    rows["wall_time_s"] = [f"{float(wall) + 86400:.6f}" for wall in rows["wall_time_s"]]
    rows.to_csv(late / "epochs.csv", index=False)
    assert "Note" not in call(compare_folders.main, early, late).out
    done = call(compare_folders.main, late, early)
    assert (f"Note: not in the order of time: {early} was measured before {late}; each is held against "
            f"{late}, the first one given") in done.out.splitlines()
