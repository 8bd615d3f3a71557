"""hakbench export: what the other tools will read. Formats: Google Benchmark's tools/compare.py takes
`benchmarks` with name, run_type, real_time, cpu_time, time_unit; mimalloc-bench reads lines of benchmark,
allocator, elapsed as m:ss.cc, rss in kB."""
import errno
import json
import re
from xml.etree import ElementTree as xml

import numpy as np
import pandas as pd
import pytest

from folders import make_folder
from hakmem_analysis import export, export_formats
from hakmem_analysis import report as report_tool
from hakmem_analysis.load import load_result
from soak_folders import make_soak

BENCHRES_LINE = re.compile("^([^ ]+) +([^ ]+) +([0-9:.]+) +([0-9]+)")


def test_google_benchmark_is_a_file_an_allocator(call, ab_folder, tmp_path):
    done = call(export.main, ab_folder, "--to", "gbench", "-o", tmp_path / "run.json")
    assert done.code == 0 and done.out.count("wrote ") == 2
    result = load_result(ab_folder)
    for label, name in (("a", "hakmem"), ("b", "mimalloc")):
        content = json.loads((tmp_path / f"run-{name}.json").read_text())
        epochs = result.measured(label)
        kept = epochs[~epochs["excluded"]]
        rows = content["benchmarks"]
        assert len(rows) == len(kept) < len(epochs) and rows[0]["repetitions"] == len(rows)
        assert {row["name"] for row in rows} == {"random_mixed/ws:400/threads:1"}
        assert {(row["run_type"], row["time_unit"]) for row in rows} == {("iteration", "ns")}
        assert [row["real_time"] for row in rows] == pytest.approx(kept["ns_per_op"].tolist())
        assert content["context"]["num_cpus"] == 2


def test_benchres_of_a_result(call, ab_folder, tmp_path):
    assert call(export.main, ab_folder, "--to", "mimalloc-bench", "-o", tmp_path / "benchres.csv").code == 0
    head, *lines = (tmp_path / "benchres.csv").read_text().splitlines()
    assert head == export_formats.BENCHRES_HEADER and len(lines) == 2 * 5
    assert all(BENCHRES_LINE.match(line) and len(line.split(" ")) == 8 for line in lines)
    measured = load_result(ab_folder).measured("a")
    first = measured[measured["launch"] == 0]
    assert lines[0].split(" ")[1:4] == ["hakmem", f"0:{first['elapsed_ns'].sum() / 1e9:05.2f}",
                                        f"{first['peak_rss_kb'].max():.0f}"]
    assert lines[0].split(" ")[5] == "-"  # system time is not known, which is not 0


@pytest.mark.parametrize("seconds, words", [(0.004, "0:00.00"), (59.999, "1:00.00"), (61.25, "1:01.25"),
                                            (3725.5, "1:02:05")])
def test_elapsed_as_time_writes_it(seconds, words):
    assert export_formats._elapsed(seconds) == words


def app_folder(folder):
    folder.mkdir()
    row = {"seq": 0, "program": "g++", "allocator": "hakmem", "block": np.nan, "slot": 0, "wall_s": 1.5,
           "cpu_s": 1.25, "system_s": 0.25, "peak_rss_kb": 1000, "minor_faults": 7, "major_faults": 0,
           "involuntary_switches": np.nan, "output_sha256": "aa", "wall_time_s": 1.0}
    pd.DataFrame([row, {**row, "seq": 1, "block": 0}]).to_csv(folder / "runs.csv", index=False)
    return folder


def test_real_programs(call, tmp_path):
    folder, out = app_folder(tmp_path / "app"), tmp_path / "out.csv"
    assert call(export.main, folder, "--to", "mimalloc-bench", "-o", out).code == 0
    assert out.read_text().splitlines()[1:] == ["g++ hakmem 0:01.50 1000 1.00 0.25 0 7"]
    assert call(export.main, folder, "--to", "csv", "-o", out).code == 0
    frame = pd.read_csv(out)
    assert set(frame["metric"]) == {"wall_s", "cpu_s", "system_s", "peak_rss_kb", "minor_faults",
                                    "major_faults"} and len(frame) == 12
    done = call(export.main, folder, "--to", "gbench", "-o", out)
    assert done.code == 1 and "real programs have no ns/op" in done.err and done.err.count("\n") == 1


def test_tidy_csv_holds_every_measurement_once(call, ab_folder, tmp_path):
    assert call(export.main, ab_folder, "--to", "csv", "-o", tmp_path / "t.csv").code == 0
    frame, result = pd.read_csv(tmp_path / "t.csv"), load_result(ab_folder)
    assert frame["value"].notna().all() and "steal_ns" not in set(frame["metric"])
    rates = frame[(frame["metric"] == "ops_per_s") & (frame["kind"] == "throughput")]
    assert len(rates) == len(result.measured("a")) + len(result.measured("b"))
    assert rates["value"].sum() == pytest.approx(
        result.epochs.loc[result.epochs["kind"] == "throughput", "ops_per_s"].sum())
    assert set(frame.loc[frame["block"] == 4, "quarantined"]) == {1}
    assert ",1.0," not in (tmp_path / "t.csv").read_text().split("\n")[1].rsplit(",", 1)[0]


def test_parquet_or_one_line_that_says_what_is_missing(call, ab_folder, tmp_path):
    done = call(export.main, ab_folder, "--to", "parquet", "-o", tmp_path / "t.parquet")
    if done.code == 0:
        frame = pd.read_parquet(tmp_path / "t.parquet")
        assert len(frame) == len(export_formats.tidy(load_result(ab_folder)))
    else:
        assert "pyarrow" in done.err and "--to csv" in done.err and done.err.count("\n") == 1


def junit_states(path):
    suite = xml.parse(path).getroot().find("testsuite")
    states = [case[0].tag if len(case) else "passed" for case in suite]
    assert int(suite.get("tests")) == len(states)
    assert int(suite.get("failures")) == states.count("failure")
    assert int(suite.get("skipped")) == states.count("skipped")
    return dict(zip((case.get("name") for case in suite), states))


def test_junit_of_a_verdict_says_better_worse_and_undecided(call, tmp_path):
    folder = make_folder(tmp_path / "run", ratios=(0.8, 1.0), rss_kb=(900, 1900))
    assert call(export.main, folder, "--to", "junit", "-o", tmp_path / "x.xml").code == 1  # no verdict yet
    call(report_tool.main, folder, "--no-plot")
    assert call(export.main, folder, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    assert junit_states(tmp_path / "x.xml") == {
        "throughput: hakmem against mimalloc": "failure", "rss_above_base: hakmem against mimalloc": "passed",
        "peak_rss_above_base: hakmem against mimalloc": "passed",
        "syscalls_per_op: hakmem against mimalloc": "skipped"}


def failure(path, name):
    return xml.parse(path).getroot().find(f".//testcase[@name='{name}']/failure").get("message")


def test_a_failure_says_the_ratio_and_its_interval(call, tmp_path):
    folder, out = make_folder(tmp_path / "run", ratios=(0.8, 1.0)), tmp_path / "x.xml"
    call(report_tool.main, folder, "--no-plot")
    assert call(export.main, folder, "--to", "junit", "-o", out).code == 0
    assert re.fullmatch(r"worse: ratio 0\.[78]\d* \(9\d\.?\d* % interval 0\.79\d* \.\. 0\.80\d*\)",
                        failure(out, "throughput: hakmem against mimalloc"))
    row = {"workload": "w", "metric": "throughput", "verdict": "fail", "note": "", "scale": "ratio",
           "unit": "ops/s", "value": 0.9, "lower": 0.88, "upper": 0.92, "margin": 0.015}
    faults = {**row, "metric": "minor_faults_per_mop", "scale": "difference", "unit": "per million ops",
              "value": 5.0, "lower": 4.0, "upper": 6.0, "margin": 2.0}
    (tmp_path / "gate.json").write_text(json.dumps({"metrics": [row, faults]}))
    assert call(export.main, tmp_path, "--to", "junit", "-o", out).code == 0
    assert failure(out, "throughput") == "fail: ratio 0.9 (95 % interval 0.88 .. 0.92), 1.5 % allowed"
    assert failure(out, "minor_faults_per_mop") == (
        "fail: change 5 (95 % interval 4 .. 6), 2 per million ops allowed")


def test_real_programs_are_held_to_their_margin(call, tmp_path):
    row = {"metric": "speed", "candidate": "hakmem", "reference": "mimalloc", "verdict": "worse"}
    content = {"comparisons": [{**row, "program": "g++", "ratio": 0.9, "lower": 0.89, "upper": 0.91},
                               {**row, "program": "lua", "ratio": 0.99, "lower": 0.985, "upper": 0.995}],
               "margin": 0.02, "slower": [{"program": "g++", "allocator": "hakmem", "reference": "mimalloc"}]}
    path, out, case = tmp_path / "verdict.json", tmp_path / "x.xml", "speed: hakmem against mimalloc"
    path.write_text(json.dumps(content))
    assert call(export.main, tmp_path, "--to", "junit", "-o", out).code == 0
    assert [len(found) for found in xml.parse(out).getroot().iter("testcase")] == [1, 0]
    assert failure(out, case) == "slower: ratio 0.9 (0.89 .. 0.91)"
    path.write_text(json.dumps({**content, "margin": None, "slower": []}))  # none was given: worse is worse
    assert call(export.main, tmp_path, "--to", "junit", "-o", out).code == 0
    assert [len(found) for found in xml.parse(out).getroot().iter("testcase")] == [1, 1]


def test_junit_of_a_gate_and_an_experiment(call, tmp_path):
    row = {"workload": "w", "metric": "throughput", "verdict": "fail", "note": "", "value": 0.9}
    content = {"metrics": [row, {**row, "metric": "peak_rss_above_base", "verdict": "not measured"}],
               "workload": "w", "verdict": "NO-GO", "reason": "it lost"}
    (tmp_path / "experiment.json").write_text(json.dumps(content))
    assert call(export.main, tmp_path, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    assert junit_states(tmp_path / "x.xml") == {"decision": "failure", "throughput": "failure",
                                                "peak_rss_above_base": "skipped"}
    (tmp_path / "gate.json").write_text(json.dumps(content))
    assert call(export.main, tmp_path, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    assert junit_states(tmp_path / "x.xml") == {"throughput": "failure", "peak_rss_above_base": "skipped"}


@pytest.mark.parametrize("arguments, words", [
    (("nowhere", "--to", "csv", "-o", "x"), "no such folder"),
    ((".", "--to", "xls", "-o", "x"), "invalid choice"),
    ((".", "--to", "csv", "-o", "x"), "manifest.json: missing")])
def test_errors_are_one_line(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = call(export.main, *arguments)
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_named(call, ab_folder, tmp_path):
    done = call(export.main, ab_folder, "--to", "csv", "-o", tmp_path / "no" / "t.csv")
    assert done.code == 1 and "cannot be written" in done.err and done.err.count("\n") == 1


def test_a_full_disk_leaves_what_was_there(call, ab_folder, tmp_path, monkeypatch):
    def fill(path, content, **_):
        path.write_bytes(content[:100].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "t.csv"
    file.write_text("old")
    monkeypatch.setattr(export.Path, "write_text", fill)
    done = call(export.main, ab_folder, "--to", "csv", "-o", file)
    assert done.code == 1 and done.err == (
        f"hakbench export: error: {file}: cannot be written (No space left on device); free space\n")
    assert file.read_text() == "old" and list(folder.iterdir()) == [file]


def test_a_link_stays_one_and_a_device_is_written_as_it_is(call, ab_folder, tmp_path):
    (tmp_path / "file").write_text("old")
    for name, target in (("link", "file"), ("full", "/dev/full")):
        (tmp_path / name).symlink_to(target)
    assert call(export.main, ab_folder, "--to", "csv", "-o", tmp_path / "link").code == 0
    assert (tmp_path / "link").is_symlink() and len((tmp_path / "file").read_text()) > 1000
    done = call(export.main, ab_folder, "--to", "csv", "-o", tmp_path / "full")
    assert done.code == 1 and done.err.endswith("; free space\n")


def still(_):
    return 0.0


def seconds(elapsed):
    minutes, rest = elapsed.split(":")
    return 60 * int(minutes) + float(rest)


def test_benchres_of_a_soak_is_for_the_same_operations_in_every_line(call, tmp_path):
    """mimalloc has every sixth turn and is slower by a ninth: so it is in the file, not five times faster."""
    folder = make_soak(tmp_path / "soak", {"hakmem": still, "mimalloc": still}, rate=(1e8, 0.9e8), every=5,
                       others={"mimalloc": {"minor_faults": lambda hours: 3}})
    epochs = pd.read_csv(folder / "epochs.csv")
    epochs["elapsed_ns"] = (1e9 * epochs["ops"] / epochs["ops_per_s"]).round().astype(int)
    epochs.to_csv(folder / "epochs.csv", index=False)
    assert call(export.main, folder, "--to", "mimalloc-bench", "-o", tmp_path / "b.csv").code == 0
    lines = [line.split(" ") for line in (tmp_path / "b.csv").read_text().splitlines()[1:]]
    hakmem, mimalloc = lines
    assert seconds(hakmem[2]) == pytest.approx(500, rel=0.01)
    assert seconds(mimalloc[2]) / seconds(hakmem[2]) == pytest.approx(1 / 0.9, rel=0.01)
    assert float(mimalloc[4]) == pytest.approx(500) and mimalloc[7] == "1500"  # 500 epochs of 3 faults


def test_junit_of_a_soak_has_a_case_a_subject(call, tmp_path):
    folder = make_soak(tmp_path / "soak", {"leaky": lambda hours: 1024 * hours, "clean": still,
                                           "stepped": lambda hours: 2048 if hours >= 0.1 else 0})
    call(report_tool.main, folder, "--no-plot")
    assert call(export.main, folder, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    states = junit_states(tmp_path / "x.xml")
    assert {name: state for name, state in states.items() if name.startswith("drift: ")} == {
        "drift: leaky": "failure", "drift: clean": "passed", "drift: stepped": "skipped"}
    assert failure(tmp_path / "x.xml", "drift: leaky").startswith("DRIFT: ")


def test_junit_of_real_programs_fails_what_failed_and_what_differed(call, tmp_path):
    content = {"comparisons": [], "notes": [],
               "failed": [{"program": "g++", "allocator": "b", "reason": "killed by SIGSEGV: \x1b[1moh"}],
               "different": [{"program": "lua", "allocator": "c"}]}
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(content))
    assert call(export.main, tmp_path, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    assert junit_states(tmp_path / "x.xml") == {"run: b": "failure", "output: c": "failure"}
    assert "SIGSEGV: ?[1moh" in (tmp_path / "x.xml").read_text()
    path.write_text(json.dumps({"comparisons": [], "notes": []}))  # of an older version
    assert call(export.main, tmp_path, "--to", "junit", "-o", tmp_path / "x.xml").code == 0
    assert junit_states(tmp_path / "x.xml") == {}
