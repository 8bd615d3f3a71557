"""hakbench app: schedule, figures, and what is said beside them. Real processes: tests/app_check.sh."""
import json
import random
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hakmem_analysis import app, app_inputs, app_library, app_process, app_report, app_runs, export_formats
from hakmem_analysis.app_library import Library
from hakmem_analysis.app_process import Measurement, ProgramFailed
from hakmem_analysis.app_programs import PROGRAMS, Cpus, Program, choose, own_command
from hakmem_analysis.errors import InputError

LIBRARIES = [Library("a", "/a.so", "1"), Library("b", "/b.so", "2"), Library("c", None, "")]


class FakeProgram:
    """Takes as long as its table says; the digest and a failure are chosen by allocator."""

    name = "fake"

    def __init__(self, cpu_s, digest=lambda label, n: "same", fails=lambda label, n: False):
        self.cpu_s, self.digest, self.fails, self.count = cpu_s, digest, fails, 0
        self.order = []

    def prepare(self, folder):
        (folder / "input").write_text("x")

    def run(self, environment, folder, cpus):
        assert (folder / "input").exists()
        label = {"/a.so": "a", "/b.so": "b"}.get(environment.get("LD_PRELOAD"), "c")
        self.order.append(label)
        self.count += 1
        if self.fails(label, self.count):
            raise ProgramFailed("it fell over")
        s = self.cpu_s[label]
        return Measurement(2 * s, s, s / 10, int(1000 * s), 7, 0, None, self.digest(label, self.count))


def run(program, tmp_path, blocks=6):
    outcome, runs = app_runs.Outcome(), app_runs.RunFile(tmp_path / "runs.csv")
    app_runs.run_program(program, LIBRARIES, blocks, Cpus([0], [0]), random.Random(1), runs, outcome)
    runs.close()
    return pd.read_csv(tmp_path / "runs.csv"), outcome


def test_a_block_is_an_order_and_its_mirror():
    draw = random.Random(3)
    orders = {tuple(app_runs.order_of_block("abc", draw)) for _ in range(100)}
    assert all(order[:3] == order[:2:-1] and sorted(order[:3]) == ["a", "b", "c"] for order in orders)
    assert len(orders) == 6


def test_ratios_of_known_times(tmp_path):
    runs, outcome = run(FakeProgram({"a": 1.0, "b": 1.25, "c": 0.5}), tmp_path)
    assert len(runs) == 3 + 6 * 6 and not outcome.failed
    faster = app_report.compare(runs, "fake", "a", "b", "speed")
    assert (faster.ratio, faster.lower, faster.upper) == pytest.approx((1.25, 1.25, 1.25))
    assert faster.verdict == "better" and faster.blocks == 6
    assert app_report.compare(runs, "fake", "a", "c", "speed").ratio == pytest.approx(0.5)
    smaller = app_report.compare(runs, "fake", "a", "b", "peak_rss")
    assert smaller.ratio == pytest.approx(0.8) and smaller.verdict == "better"
    means = app_report.geometric_means([faster, smaller])
    assert means[("speed", "b")] == pytest.approx(1.25)


def test_a_page_of_memory_is_no_difference(tmp_path):
    runs, _ = run(FakeProgram({"a": 1.0, "b": 1.0, "c": 1.0}), tmp_path)
    peaks = {"a": 1003, "b": 1000, "c": 990}
    row, far = (app_report.compare(runs.assign(peak_rss_kb=runs["allocator"].map(peaks)), "fake", "a", other,
                                   "peak_rss") for other in "bc")
    assert (row.lower, row.upper) == pytest.approx((1.003 / 1.004, 1.003 * 1.004))
    assert (row.verdict, far.verdict) == ("inconclusive", "worse")


def test_a_drift_within_a_block_cancels(tmp_path):
    times = {"a": 1.0, "b": 1.1, "c": 1.0}
    program = FakeProgram(times)
    plain = program.run

    def drifting(environment, folder, cpus):
        it = plain(environment, folder, cpus)
        return replace(it, cpu_s=it.cpu_s * np.exp(0.05 * program.count))

    program.run = drifting
    runs, _ = run(program, tmp_path)
    assert app_report.compare(runs, "fake", "a", "b", "speed").ratio == pytest.approx(1.1, rel=1e-5)


def test_warm_up_runs_do_not_count(tmp_path):
    runs, _ = run(FakeProgram({"a": 1.0, "b": 1.0, "c": 1.0}), tmp_path)
    runs.loc[runs["block"].isna(), "cpu_s"] = 99.0
    assert app_report.compare(runs, "fake", "a", "b", "speed").ratio == pytest.approx(1.0)


def test_a_different_output_is_named(tmp_path):
    _, outcome = run(FakeProgram(dict.fromkeys("abc", 1.0), lambda label, n: "x" if label == "b" else "y"),
                     tmp_path)
    assert outcome.different == {("fake", "b")} and not outcome.varying
    assert "OUTPUT DIFFERS" in app_report.notes(outcome)[0]


def test_an_output_that_varies_by_itself_is_not_compared(tmp_path):
    _, outcome = run(FakeProgram(dict.fromkeys("abc", 1.0), lambda label, n: str(n)), tmp_path)
    assert outcome.varying == {"fake"} and not outcome.different


def test_an_output_that_varies_under_one_allocator_only_is_that_ones_doing(tmp_path):
    _, outcome = run(FakeProgram(dict.fromkeys("abc", 1.0), lambda label, n: str(n) if label == "b" else "y"),
                     tmp_path)
    assert outcome.different == {("fake", "b")} and not outcome.varying


def test_a_command_of_the_users_runs_in_the_users_directory(tmp_path, monkeypatch):
    starter = tmp_path / "run_measured"
    starter.write_text('#!/bin/sh\nline=/dev/fd/$1; shift 3; "$@"; '
                       'echo "$(($? * 256)) 1000 0 0 1000 0 0 0" >$line\n')
    starter.chmod(0o755)
    monkeypatch.setattr(app_process, "find_run_measured", lambda: str(starter))
    for place, word in (("mine", "pear"), ("own", "apple")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "words.txt").write_text(f"{word}\n")
    monkeypatch.chdir(tmp_path / "mine")
    command = ("cat", "words.txt")
    digests = [program.run({"PATH": "/usr/bin:/bin"}, tmp_path / "own", Cpus([0], [0])).output_sha256
               for program in (own_command(command), own_command(command), Program("cat", "", {}, command))]
    assert digests[0] == digests[1] != digests[2]
    assert (tmp_path / "own" / "stdout").read_text() == "apple\n"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["words.txt"]


def test_few_blocks_give_no_verdict(tmp_path):
    runs, _ = run(FakeProgram({"a": 1.0, "b": 1.25, "c": 0.5}), tmp_path, blocks=5)
    assert app_report.compare(runs, "fake", "a", "b", "speed").verdict == "inconclusive"
    with pytest.raises(InputError, match="--margin needs --blocks 6 or more"):
        app._run(["-a", "glibc", "--margin", "2%", "--blocks", "5"])


def test_intervals_of_less_than_95_percent_say_what_they_are_worth(tmp_path):
    runs, outcome = run(FakeProgram({"a": 1.0, "b": 1.25, "c": 0.5}), tmp_path, blocks=2)
    rows = app_report.compare_all(runs, "abc")
    assert app_report.table(rows, "speed")[1][2] == "1.250 (1.250..1.250, 50 % interval)"
    assert app_report.notes(outcome, rows) == [
        "Every program gave the same output under every allocator.",
        "warning: too little was measured: 2 blocks give 50 % intervals, and no verdict (fake); --blocks 6 "
        "or more give 95 %"]
    cases = export_formats.junit("verdict.json", {"comparisons": [row.as_dict() for row in rows]})
    assert "ratio 1.25 (1.25 .. 1.25, a 50 % interval: too little was measured)" in cases
    runs, outcome = run(FakeProgram({"a": 1.0, "b": 1.25, "c": 0.5}), tmp_path, blocks=6)
    rows = app_report.compare_all(runs, "abc")
    assert app_report.table(rows, "speed")[1][2] == "1.250 (1.250..1.250)"
    assert len(app_report.notes(outcome, rows)) == 1
    assert "too little" not in export_formats.junit("verdict.json",
                                                    {"comparisons": [row.as_dict() for row in rows]})


def test_a_program_that_hardly_runs_is_named(tmp_path):
    runs, outcome = run(FakeProgram({"a": 0.06, "b": 0.06, "c": 0.04}), tmp_path)
    rows = app_report.compare_all(runs, "abc")
    assert app_report.notes(outcome, rows)[1:] == [
        "warning: fake runs for 40 ms of CPU time: below 50 ms start-up, page faults and noise outweigh "
        "malloc; give it more to do"]
    app._finish(tmp_path, LIBRARIES, outcome, {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0",
                                               "argv": []})
    for name in ("verdict.json", "report.md"):
        assert "fake runs for 40 ms" in (tmp_path / name).read_text()
    assert "fake runs for 40 ms" in app.for_people(rows, outcome, tmp_path)


def test_a_loss_beyond_the_margin_is_named_everywhere(tmp_path):
    _, outcome = run(FakeProgram({"a": 1.05, "b": 1.0, "c": 1.04}), tmp_path)
    manifest = {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0", "argv": [], "margin": 0.02}
    rows = app._finish(tmp_path, LIBRARIES, outcome, manifest)
    line = ("FAIL: fake is slower under a than under b by more than 2 %: its speed is 0.952 (0.952..0.952) "
            "of that")
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["margin"] == 0.02 and verdict["notes"][0] == line
    assert verdict["slower"] == [{"program": "fake", "allocator": "a", "reference": "b"}]
    said = app.for_people(rows, outcome, tmp_path, 0.02)
    assert line in said and said.count("FAIL") == 1 and line in (tmp_path / "report.md").read_text()
    app._finish(tmp_path, LIBRARIES, outcome, {**manifest, "margin": None})
    assert "FAIL" not in (tmp_path / "report.md").read_text()


def test_a_failure_ends_the_turns_of_its_allocator_only(tmp_path):
    program = FakeProgram(dict.fromkeys("abc", 1.0), fails=lambda label, n: label == "b" and n > 8)
    runs, outcome = run(program, tmp_path)
    assert outcome.failed == {("fake", "b"): "it fell over"}
    assert len(runs[runs["allocator"] == "a"]) == 13 and 0 < len(runs[runs["allocator"] == "b"]) < 13
    assert app_report.compare(runs, "fake", "a", "c", "speed").blocks == 6


def test_an_allocator_without_runs_has_no_ratio(tmp_path):
    program = FakeProgram(dict.fromkeys("abc", 1.0), fails=lambda label, n: label == "b")
    runs, _ = run(program, tmp_path)
    row = app_report.compare(runs, "fake", "a", "b", "speed")
    assert row.as_dict()["ratio"] is None and row.verdict == "inconclusive"
    assert app_report.table(app_report.compare_all(runs, "abc"), "speed")[1][2] == "-"


def test_the_report_counts_the_programs_and_is_sure_by_the_blocks_that_there_are(tmp_path):
    """Two programs; of the first b runs none, and c leaves the second in the midst."""
    outcome, runs = app_runs.Outcome(), app_runs.RunFile(tmp_path / "runs.csv")
    for name, fails in (("fake", lambda label, n: label == "b"),
                        ("other", lambda label, n: label == "c" and n > 12)):
        program = FakeProgram({"a": 1.0, "b": 1.25, "c": 0.5}, fails=fails)
        program.name = name
        app_runs.run_program(program, LIBRARIES, 6, Cpus([0], [0]), random.Random(1), runs, outcome)
    runs.close()
    app._finish(tmp_path, LIBRARIES, outcome, {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0",
                                               "argv": []})
    page = (tmp_path / "report.md").read_text()
    assert "as fast as b (CPU time, geometric mean of 1 program)" in page
    assert "as fast as c (CPU time, geometric mean of 2 programs)" in page
    assert re.search(r"exact sign intervals \([1-9]\d?\.\d to 96\.9 %\)", page)


def test_inputs_are_the_same_each_time():
    for make in app_inputs.INPUTS.values():
        assert make() == make()
    assert set(app_inputs.INPUTS) == {program.name for program in PROGRAMS}


def test_wrong_words_are_refused():
    with pytest.raises(InputError, match="no program 'emacs'"):
        choose("lua,emacs")
    with pytest.raises(InputError, match="there is no allocator 'z' here"):
        app.settings_by_label(["z:A=1"], ["a"])
    with pytest.raises(InputError, match="write LABEL:NAME=VALUE"):
        app.settings_by_label(["A=1"], ["a"])
    with pytest.raises(InputError, match="--cpu 4096"):
        app.choose_cpus("4096")


def test_the_measured_program_inherits_no_setting_of_an_allocator(monkeypatch):
    monkeypatch.setenv("HAKMEM_CHECK", "1")
    monkeypatch.setenv("LD_PRELOAD", "/elsewhere.so")
    environment = LIBRARIES[2].surroundings(app_runs.clean_environment())
    assert "LD_PRELOAD" not in environment and "HAKMEM_CHECK" not in environment


@pytest.mark.parametrize("name", ["true", "nan", "1.0", "null"])
def test_a_program_may_have_any_name(tmp_path, name):
    program = FakeProgram(dict.fromkeys("abc", 1.0))
    program.name = name
    _, outcome = run(program, tmp_path)
    manifest = {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0", "argv": ["hakbench", "app"]}
    app._finish(tmp_path, LIBRARIES, outcome, manifest)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert {row["program"] for row in verdict["comparisons"]} == {name}


def test_verdict_json_names_what_failed_and_what_differed(tmp_path):
    program = FakeProgram(dict.fromkeys("abc", 1.0), lambda label, n: "x" if label == "c" else "y",
                          fails=lambda label, n: label == "b")
    _, outcome = run(program, tmp_path)
    manifest = {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0", "argv": ["hakbench", "app"]}
    app._finish(tmp_path, LIBRARIES, outcome, manifest)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert verdict["failed"] == [{"program": "fake", "allocator": "b", "reason": "it fell over"}]
    assert verdict["different"] == [{"program": "fake", "allocator": "c"}]
    cases = export_formats.junit("verdict.json", verdict)
    assert 'name="run: b"' in cases and 'name="output: c"' in cases


@pytest.mark.parametrize("name", ["my lib.so", "a:b.so"])
def test_a_library_that_ld_preload_cannot_name_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"^LD_PRELOAD cannot name .*{name}: it has a space or a colon"):
        app_library.resolve(f"x={tmp_path / name}")
