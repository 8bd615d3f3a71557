"""gate, experiment, baseline, plan: looks, exit codes, every output, with a stand-in for hakbench."""
import json
import re
from xml.etree import ElementTree as xml

import pandas as pd
import pytest
from scipy import stats as st

from gate_runs import FakeHakbench
from hakmem_analysis import (baseline, cli, experiment, gate, gate_output, gate_settings, judge, launch_stats,
                             looks, plan)
from hakmem_analysis.errors import InputError
from hakmem_analysis.load import load_result
from hakmem_analysis.metrics import METRICS


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def profile(tmp_path):
    def make(name="small", **gate_part):
        path = tmp_path / f"{name}.json"
        part = {"looks": [6, 12, 24],
                "metrics": ["throughput", "peak_rss_above_base", "syscalls_per_op"], **gate_part}
        path.write_text("// for a test\n" + json.dumps({"gate": part}))
        return str(path)
    return make


def run(fake, *arguments, tool=gate):
    return tool._run([str(word) for word in arguments], command=fake)


SIDES = ("--candidate", "new", "--reference", "old")


def test_pass_stops_at_the_first_look(profile, capsys):
    fake = FakeHakbench()
    assert run(fake, *SIDES, "-p", profile(), "-o", "out") == cli.EXIT_PASS
    assert len(fake.calls) == 1
    words = fake.calls[0]
    assert words[:5] == ["ab", "--a", "new", "--b", "old"] and words[words.index("--launches") + 1] == "6"
    out = capsys.readouterr().out
    assert "PASS: nothing that was measured got worse beyond its margin; would have " \
        "caught a loss of throughput of" in out
    assert json.loads(open("out/gate.json").read())["verdict"] == "pass"


def test_a_pass_names_what_was_not_measured(profile, capsys):
    chosen = profile(metrics=["throughput", "instructions_per_op"])
    assert run(FakeHakbench(), *SIDES, "-p", chosen, "-o", "out", "--junit", "j.xml") == cli.EXIT_PASS
    assert "Not measured here: instructions_per_op." in capsys.readouterr().out
    skipped = xml.parse("j.xml").getroot().find(".//testcase[@name='instructions_per_op']/skipped")
    assert skipped.attrib["message"] == "not measured in this run"


def test_a_loss_fails_with_its_figures(profile, capsys):
    fake = FakeHakbench(ratio=0.97)
    assert run(fake, *SIDES, "-p", profile(), "-o", "out") == cli.EXIT_GATE_FAILED
    out = capsys.readouterr().out
    assert "FAIL: throughput fell by 3." in out or "FAIL: throughput fell by 2.9" in out
    assert "where -1.5 % is allowed" in out


def test_undecided_goes_on_to_the_planned_looks_and_no_further(profile, capsys):
    fake = FakeHakbench(ratio=0.985, noise=0.02, launch_noise=0.01)
    assert run(fake, *SIDES, "-p", profile(), "-o", "out", "--", "--init", "a:percent=1") == cli.EXIT_PASS
    assert [call[call.index("--launches") + 1] for call in fake.calls] == ["6", "12", "24"]
    assert fake.calls[0][-5:] == ["--init", "a:percent=1", "-o", "out", "--no-report"]
    assert fake.calls[1] == ["ab", "--resume", "out", "--launches", "12", "--no-report"]
    assert "INCONCLUSIVE: throughput" in capsys.readouterr().out
    again = FakeHakbench(ratio=0.985, noise=0.02, launch_noise=0.01)
    assert run(again, *SIDES, "-p", profile(), "-o", "2", "--fail-on-inconclusive") == cli.EXIT_INCONCLUSIVE


def test_every_failing_metric_is_named(profile, capsys):
    fake = FakeHakbench(rss_kb=(990, 900, 500), syscalls=(30, 0, 0))
    assert run(fake, *SIDES, "-p", profile(), "-o", "out") == cli.EXIT_GATE_FAILED
    out = capsys.readouterr().out
    assert "peak RSS rose by" in out and "system calls per operation rose by 1e-06 per op" in out


def test_memory_that_is_the_same_in_each_launch_is_known_to_a_page(profile, monkeypatch):
    def same_memory(words):
        FakeHakbench()(words)
        path = words[words.index("-o") + 1] + "/epochs.csv"
        epochs = pd.read_csv(path)
        epochs["peak_rss_above_base_kb"] = epochs["subject"].map({"a": 102, "b": 100})
        epochs.to_csv(path, index=False)
        return 0

    run(same_memory, *SIDES, "-p", profile(metrics=["peak_rss_above_base"], looks=[6]), "-o", "out")
    row = json.loads(open("out/gate.json").read())["metrics"][0]
    assert row["verdict"] == "inconclusive"
    assert (row["lower"], row["upper"]) == pytest.approx((1.02 / 1.04, 1.02 * 1.04))


def test_junit_json_and_github(profile, capsys, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    fake = FakeHakbench(ratio=0.95)
    run(fake, *SIDES, "-p", profile(), "-o", "out", "--junit", "j.xml", "--json", "g.json", "--github")
    suite = xml.parse("j.xml").getroot().find("testsuite")
    assert suite.attrib["tests"] == "3" and suite.attrib["failures"] == "1"
    failure = suite.find("testcase[@name='throughput']/failure")
    assert "fell by" in failure.attrib["message"]
    assert json.loads(open("g.json").read()) == json.loads(open("out/gate.json").read())
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("::error"))
    assert line.startswith("::error title=hakbench gate%3A throughput::throughput fell by") and "%25" in line
    assert "### hakbench gate: FAIL" in summary.read_text() and "| throughput |" in summary.read_text()


def test_a_step_summary_that_cannot_be_written_is_named(profile, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(InputError, match="cannot be written.*GITHUB_STEP_SUMMARY"):
        run(FakeHakbench(), *SIDES, "-p", profile(), "-o", "out", "--github")


def test_json_on_standard_output_is_nothing_but_json(profile, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    run(FakeHakbench(), *SIDES, "-p", profile(), "-o", "out", "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    row = answer["metrics"][0]
    assert answer["format"] == gate_output.GATE_FORMAT and answer["verdict"] == "pass"
    assert row["metric"] == "throughput" and row["decided_lower"] < row["lower"] < row["value"] < row["upper"]


def test_several_profiles_each_have_their_folder(profile, capsys):
    fake = FakeHakbench(ratio=0.95)
    one, two = profile("one"), profile("two")
    assert run(fake, *SIDES, "-p", one, "-p", two, "-o", "out") == cli.EXIT_GATE_FAILED
    assert {call[call.index("-o") + 1] for call in fake.calls if "-o" in call} == {"out/one", "out/two"}
    assert "throughput on one fell" in capsys.readouterr().out
    unnamed = FakeHakbench()
    run(unnamed, *SIDES, "-p", one, "-p", two)
    places = [call[call.index("-o") + 1].rpartition("/") for call in unnamed.calls if "-o" in call]
    assert [place[2] for place in places] == ["one", "two"] and places[0][0] == places[1][0]


def rows_with_p(monkeypatch, p_by_workload):
    """Instead of judging: throughput with the p value, and the interval that agrees with it, that
    p_by_workload[workload] has for that look."""
    def judged(result, candidate, reference, floor, workload, settings, looks):
        look = settings.looks.index(result.manifest["launches"])
        bound = judge.limit(METRICS["throughput"], settings.margin("throughput"))
        point = bound + 0.01 * st.t.ppf(p_by_workload[workload][look], 5)
        estimate = launch_stats.Estimate(point, 0.01, 5, 6)
        return [judge.make_row("throughput", workload, estimate, 1, 1, settings, looks)]
    monkeypatch.setattr(judge, "judge_same_run", judged)


def test_a_failure_that_holm_would_annul_goes_on_while_looks_are_left(profile, monkeypatch, capsys):
    one, two, fake = profile("one"), profile("two"), FakeHakbench()
    rows_with_p(monkeypatch, {"one": (0.006, 1e-5), "two": (0.006, 0.006, 0.9999)})
    assert run(fake, *SIDES, "-p", one, "-p", two, "-o", "out") == cli.EXIT_GATE_FAILED
    assert [call[call.index("--launches") + 1] for call in fake.calls] == ["6", "12", "6", "12", "24"]
    assert "throughput on one fell" in capsys.readouterr().out
    found = json.loads(open("out/one/gate.json").read())
    assert [row["verdict"] for row in found["metrics"]] == ["fail", "pass"]


def test_at_the_last_look_holm_takes_all_its_steps(profile, monkeypatch):
    rows_with_p(monkeypatch, {"one": (0.003,), "two": (0.006, 0.006, 0.006)})
    fake = FakeHakbench()
    assert run(fake, *SIDES, "-p", profile("one"), "-p", profile("two"), "-o", "out") == cli.EXIT_GATE_FAILED
    assert [row["verdict"] for row in json.loads(open("out/one/gate.json").read())["metrics"]] == ["fail"] * 2
    assert len(fake.calls) == 1 + 3
    rows_with_p(monkeypatch, {"one": (0.006,) * 3, "two": (0.006,) * 3})
    assert run(FakeHakbench(), *SIDES, "-p", profile("one"), "-p", profile("two"), "-o", "2") == cli.EXIT_PASS


def test_one_profile_decides_by_its_own_interval(profile, monkeypatch):
    rows_with_p(monkeypatch, {"one": (0.006,)})
    fake = FakeHakbench()
    assert run(fake, *SIDES, "-p", profile("one"), "-o", "out") == cli.EXIT_GATE_FAILED
    assert len(fake.calls) == 1


def test_floor_is_measured_only_where_it_is_asked_for(profile):
    fake = FakeHakbench()
    run(fake, *SIDES, "-p", profile(metrics=["throughput", "ns_above_floor"]), "-o", "out")
    assert fake.subjects == ["new", "old", "floor"]


@pytest.mark.parametrize("part, complaint", [
    ({"loks": [1]}, "unknown key 'gate.loks'; did you mean 'looks'?"),
    ({"looks": [20, 10]}, "'gate.looks' must be one to three rising numbers"),
    ({"looks": [2, 3]}, "numbers of launches, the last at least 4, as [10, 20, 40], not [2, 3]"),
    ({"margins": {"troughput": 0.1}}, "unknown metric 'troughput' in 'gate'; did you mean 'throughput'?"),
    ({"margins": {"throughput": -1}}, "'gate.margins' must be an object of positive numbers"),
    ({"margins": {"throughput": 3}}, "'gate.margins.throughput' must be a fraction below 1"),
    ({"confidence": 95}, "'gate.confidence' must be a fraction")])
def test_a_bad_gate_part_is_named_before_anything_is_measured(profile, part, complaint, call, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"gate": part}))
    done = call(gate.main, *SIDES, "-p", path)
    assert done.code == cli.EXIT_ERROR
    assert complaint in done.err and str(path) in done.err and len(done.err.splitlines()) == 1


def test_a_profile_that_is_no_object_is_named(call, tmp_path):
    path = tmp_path / "list.json"
    path.write_text("[]")
    done = call(gate.main, *SIDES, "-p", path)
    assert done.code == cli.EXIT_ERROR and f"{path}: a profile must be an object" in done.err


def test_wrong_usage_and_unknown_profile(call):
    assert call(gate.main, "--candidate", "x").code == cli.EXIT_ERROR
    done = call(gate.main, *SIDES, "-p", "ci_gat")
    assert done.code == cli.EXIT_ERROR and "did you mean 'ci_gate'?" in done.err


def test_a_failing_harness_is_an_error_and_no_verdict(profile):
    with pytest.raises(InputError, match="failed with exit code 1"):
        run(FakeHakbench(exit_code=1), *SIDES, "-p", profile(), "-o", "out")


@pytest.mark.parametrize("tool, arguments, option", [
    (gate, (*SIDES, "-o", "full"), "-o"), (experiment, (*SIDES, "-o", "full"), "-o"),
    (baseline, ("--candidate", "x", "-o", "b.json", "--folder", "full"), "--folder")])
def test_a_folder_that_holds_something_is_refused_before_anything_is_measured(
        profile, tmp_path, tool, arguments, option):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").touch()
    fake, chosen = FakeHakbench(), profile()
    with pytest.raises(InputError, match=f"^full is not empty; name another folder with {option}$"):
        run(fake, *arguments, "-p", chosen, tool=tool)
    assert fake.calls == []
    run(fake, *arguments, "-p", chosen, "--", "--force", tool=tool)
    assert "--force" in fake.calls[0]


def test_force_without_a_baseline_is_wrong_usage(profile, call):
    done = call(gate.main, *SIDES, "-p", profile(), "-o", "out", "--force")
    assert done.code == cli.EXIT_ERROR and "--force compares with a --baseline" in done.err


def test_comments_do_not_touch_texts():
    text = '{"a": "http://x", // one\n "b": /* two\n */ 1}'
    assert json.loads(gate_settings.without_comments(text)) == {"a": "http://x", "b": 1}
    assert gate_settings.without_comments(text).count("\n") == text.count("\n")


def test_the_profiles_that_come_with_it_are_good():
    for name in ("ci_gate", "ci_gate_long", "ci_gate_short"):
        assert gate_settings.load_settings(name).margin("throughput") < 0.03


# --- the stored baseline

def store(profile, capsys, **fake):
    assert run(FakeHakbench(**fake), "--candidate", "hak", "-p", profile, "-o", "b.json", "--folder",
               "stored", tool=baseline) == cli.EXIT_PASS
    assert "stored hak (24 launches" in capsys.readouterr().out
    return json.loads(open("b.json").read())


def test_baseline_holds_and_catches(profile, capsys):
    chosen = profile(metrics=["throughput", "ns_above_floor", "peak_rss_above_base", "syscalls_per_op"])
    stored = store(chosen, capsys, seed=5)
    assert stored["anchor"] == "floor" and stored["ops_per_epoch"] == 30_000_000
    same, slow = FakeHakbench(seed=6), FakeHakbench(seed=7, ratio=0.97)
    sides = ("--candidate", "hak", "--baseline", "b.json", "-p", chosen)
    assert run(same, *sides, "-o", "same") == cli.EXIT_PASS
    assert json.loads(open("same/gate.json").read())["metrics"][0]["unit"] == "of floor"
    said = capsys.readouterr().out
    assert re.search(r"^throughput +[\d.]+ of floor +[\d.]+ of floor ", said, re.MULTILINE)
    assert re.search(r"^ns_above_floor +[-\d.]+ ns +[-\d.]+ ns ", said, re.MULTILINE)
    assert "change: ratio of the geometric means over launches" in said
    assert same.subjects == ["hak", "floor"] and same.calls[0][same.calls[0].index("--ops") + 1] == "30000000"
    assert run(slow, *sides, "-o", "slow") == cli.EXIT_GATE_FAILED
    assert "throughput fell by" in capsys.readouterr().out


def slow_row(folder):
    return next(row for row in json.loads(open(f"{folder}/gate.json").read())["metrics"]
                if row["metric"] == "slow_ops_per_mop")


def test_a_noisier_machine_is_no_tail_of_the_candidates(profile, capsys):
    """The floor's slow operations grow alike: 0.2 to 6 a million, and by its time an operation's share."""
    chosen = profile(metrics=["throughput", "slow_ops_per_mop", "service_time_p99_ns"], looks=[24],
                     margins={"slow_ops_per_mop": 2.0})
    stored = store(chosen, capsys, seed=5, slow=(0.25, 0.2))
    weight = stored["metrics"]["slow_ops_per_mop"]["beyond_anchor"]["events"][2]
    assert weight == pytest.approx(1.25, rel=0.02)
    sides = ("--candidate", "hak", "--baseline", "b.json", "-p", chosen)
    assert run(FakeHakbench(seed=6, slow=(7.5, 6)), *sides, "-o", "noisy") == cli.EXIT_PASS
    row = slow_row("noisy")
    assert row["verdict"] == "pass" and row["unit"] == "per million ops above floor"
    assert row["lower"] < 0 < row["upper"]
    assert run(FakeHakbench(seed=7, slow=(17.5, 6)), *sides, "-o", "own") == cli.EXIT_GATE_FAILED
    assert slow_row("own")["value"] == pytest.approx(10, abs=1.5)
    assert "rose by 1" in capsys.readouterr().out and slow_row("own")["verdict"] == "fail"


def test_a_baseline_without_the_floors_tail_leaves_the_tail_unjudged(profile, capsys):
    chosen = profile(metrics=["throughput", "slow_ops_per_mop"], looks=[24])
    stored = store(chosen, capsys, seed=5, slow=(0.25, 0.2))
    del stored["metrics"]["slow_ops_per_mop"]["beyond_anchor"]
    open("b.json", "w").write(json.dumps(stored))
    assert run(FakeHakbench(seed=6, slow=(7.5, 6)), "--candidate", "hak", "--baseline", "b.json",
               "-p", chosen, "-o", "again") == cli.EXIT_PASS
    assert slow_row("again")["verdict"] == "not measured"
    assert "warning: slow_ops_per_mop: not judged, because the baseline holds nothing of floor's own tail; " \
           "measure it anew" in capsys.readouterr().out


def test_noise_that_spoils_a_run_is_no_pass_against_a_baseline(profile, capsys):
    chosen = profile()
    store(chosen, capsys)
    spoiled = FakeHakbench(quarantined=tuple(range(1000)))
    assert run(spoiled, "--candidate", "hak", "--baseline", "b.json", "-p", chosen, "-o", "again",
               "--fail-on-inconclusive") == cli.EXIT_INCONCLUSIVE
    assert "INCONCLUSIVE: throughput (too noisy: 0 launch" in capsys.readouterr().out


def test_noise_that_spoils_the_tail_is_no_pass_against_a_baseline(profile, capsys):
    """All latency epochs are over the noise limit, the blocks are not."""
    chosen = profile(metrics=["throughput", "slow_ops_per_mop"], looks=[24])
    store(chosen, capsys, seed=5, slow=(0.25, 0.2))
    fake = FakeHakbench(seed=6, slow=(7.5, 0.2))

    def noisy(words):
        code = fake(words)
        epochs = pd.read_csv("again/epochs.csv", dtype=str, keep_default_na=False)
        timed = epochs.iloc[[0] * 24].assign(seq=range(9000, 9024), kind="latency", quarantined="1")
        pd.concat([epochs, timed]).to_csv("again/epochs.csv", index=False)
        return code

    assert run(noisy, "--candidate", "hak", "--baseline", "b.json", "-p", chosen, "-o", "again",
               "--fail-on-inconclusive") == cli.EXIT_INCONCLUSIVE
    assert slow_row("again")["note"] == "too noisy: 0 launches left, 4 are needed"


def test_noise_is_named_once_with_the_metrics_it_spoiled(profile, capsys):
    chosen = profile(looks=[6], metrics=["ns_above_floor", "throughput", "peak_rss_above_base"])
    run(FakeHakbench(quarantined=tuple(range(1000))), *SIDES, "-p", chosen, "-o", "out")
    said = capsys.readouterr().out
    assert said.count("too noisy") == 1 and "note:" not in said
    assert "INCONCLUSIVE: ns_above_floor, throughput (too noisy: 0 launches left, 4 are needed). Not" in said


def test_noise_beside_a_failure_is_one_note_and_the_launches_are_told_apart(profile, capsys):
    chosen = profile(looks=[6], metrics=["ns_above_floor", "throughput", "peak_rss_above_base"])
    spoiled = FakeHakbench(quarantined=tuple(range(1000)), rss_kb=(990, 900, 500))
    assert run(spoiled, *SIDES, "-p", chosen, "-o", "out") == cli.EXIT_GATE_FAILED
    said = capsys.readouterr().out
    assert "\nnote: ns_above_floor, throughput: too noisy: 0 launches left, 4 are needed\n" in said
    assert "(launches of each: 6 measured, 0 quiet)" in said
    run(spoiled, *SIDES, "-p", profile(looks=[6], metrics=["throughput"]), "-o", "2")
    assert "(launches of each: 6 measured, 0 quiet)" in capsys.readouterr().out


def test_each_row_says_how_many_launches_decided_it(profile, capsys):
    """Throughput is decided at the first look, memory, just beyond its margin, goes on to the last."""
    chosen = profile(metrics=["throughput", "rss_above_base"], margins={"rss_above_base": 0.0385})
    run(FakeHakbench(rss_kb=(936, 900, 500)), *SIDES, "-p", chosen, "-o", "out")
    said = capsys.readouterr().out
    assert "look 3 of 3 (24 launches of each)" in said
    throughput, memory = (next(line for line in said.splitlines() if line.startswith(name)).split()
                          for name in ("throughput", "rss_above_base"))
    assert throughput[-2:] == ["6", "pass"] and memory[-2:] == ["24", "inconclusive"]
    found = json.loads(open("out/gate.json").read())
    assert found["launches"] == {"small": {"measured": 24, "quiet": 24}}


def test_workloads_that_took_different_numbers_of_launches_are_told_apart():
    row = gate_output.Verdict("same-run", "pass", "new", "old", [], 2, [6, 12], {}, {}, [],
                              {"one": (6, 5), "two": (12, 12)})
    assert "(launches of each: one 6 measured, 5 quiet; two 12 measured, 12 quiet)" in \
        gate_output.for_people(row)


def test_the_table_says_how_its_change_is_made(profile, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    run(FakeHakbench(), *SIDES, "-p", profile(), "-o", "out", "--github")
    words = "\nchange: geometric mean of the launches' ratios"
    assert words in capsys.readouterr().out and words in (tmp_path / "summary.md").read_text()


def settings_of(profile_path, **run_part):
    """A profile with a workload and a run part; stored settings that a baseline made with it would have."""
    document = json.loads(gate_settings.without_comments(open(profile_path).read()))
    document["workload"] = {"name": "random_mixed", "ws": 400}
    document["run"] = {"latency_epochs": 2, "noise": {"steal_share": 0.5}, "launches": 9, **run_part}
    open(profile_path, "w").write(json.dumps(document))
    return {"workload": {"name": "random_mixed", "ws": 400, "min_size": 16},
            "run": {"latency_epochs": 2, "noise": {"steal_share": 0.5}, "warmup_epochs": 1}}


@pytest.mark.parametrize("changes, extra, words", [
    ({"latency_epochs": 4, "noise": {"steal_share": 0.25}}, (),
     "latency_epochs: 2 in the baseline, 4 here; noise.steal_share: 0.5 in the baseline, 0.25 here; meas"),
    ({}, ("--", "--ws", "8192"), "baseline: ws: 400 in the baseline, 8192 here; measure"),
    ({}, ("--", "--latency=1"), "baseline: latency_epochs: 2 in the baseline, 1 here; measure"),
    ({"latency_epochs": 4}, ("--", "--latency", "2"), None), ({}, ("--", "-w", "batch"), None),
    ({}, ("--", "--warmup", "1"), None), ({}, (), None)])
def test_settings_that_differ_from_the_baselines_are_refused_before_anything_is_measured(
        profile, capsys, changes, extra, words):
    chosen = profile()
    stored = store(chosen, capsys)
    stored["settings"] = settings_of(chosen, **changes)
    open("b.json", "w").write(json.dumps(stored))
    fake = FakeHakbench()
    with pytest.raises(InputError, match=words):  # the stand-in's manifest has other settings in any case
        run(fake, "--candidate", "hak", "--baseline", "b.json", "-p", chosen, "-o", "again", *extra)
    assert len(fake.calls) == (0 if words else 1)


def test_of_another_workload_only_the_name_is_told(profile, capsys):
    stored = store(profile(), capsys)
    result = load_result("stored")
    stored["settings"]["workload"] = {"name": "random_mixed", "ws": 400}
    stored["op_stream_hash"] = "another"
    result.manifest["profile"]["workload"] = {"name": "batch", "count": 100}
    assert baseline.differences(stored, result) == [
        "workload: random_mixed in the baseline, batch here"]
    result.manifest["profile"]["workload"] = stored["settings"]["workload"]
    assert baseline.differences(stored, result) == [
        "op stream: another in the baseline, 0123456789abcdef here"]


def test_baseline_of_another_machine_is_refused_unless_forced(profile, capsys):
    chosen = profile()
    stored = store(chosen, capsys)
    stored["host_class"]["cpu_model"] = "another CPU"
    open("b.json", "w").write(json.dumps(stored))
    sides = ("--candidate", "hak", "--baseline", "b.json", "-p", chosen)
    with pytest.raises(InputError, match="cpu_model: another CPU in the baseline, A CPU here;.*--force"):
        run(FakeHakbench(), *sides, "-o", "again")
    assert run(FakeHakbench(), *sides, "-o", "forced", "--force") == cli.EXIT_PASS
    assert "warning: compared although cpu_model: another CPU in the baseline" in capsys.readouterr().out


@pytest.mark.parametrize("text, complaint", [("{", "not valid JSON"), ("{}", "is no baseline")])
def test_a_damaged_baseline_is_named(text, complaint, call):
    open("b.json", "w").write(text)
    done = call(gate.main, "--candidate", "x", "--baseline", "b.json")
    assert done.code == cli.EXIT_ERROR and complaint in done.err and "b.json" in done.err


# --- the experiment

def test_experiment_go_no_go_neutral(profile, capsys):
    chosen = profile()
    for ratio, noise, expected in ((1.03, 0.004, "GO"), (0.99, 0.004, "NO-GO"), (1.005, 0.02, "NEUTRAL")):
        fake = FakeHakbench(ratio=ratio, noise=noise)
        assert run(fake, *SIDES, "-p", chosen, "-o", f"out-{expected}", tool=experiment) == cli.EXIT_PASS
        assert f"\n{expected}: throughput" in capsys.readouterr().out
        assert len(fake.calls) == (3 if expected == "NEUTRAL" else 1)


def test_a_gain_that_costs_memory_is_no_go_and_is_recorded(profile, capsys):
    fake = FakeHakbench(ratio=1.05, rss_kb=(990, 900, 500))
    run(fake, *SIDES, "-p", profile(), "-o", "out", "--record", "note.md", "--title", "A box", "--lesson",
        "Memory.", "--gain", "1%", tool=experiment)
    note = open("note.md").read()
    assert note.startswith("# A box\n\n**NO-GO**: peak RSS rose by") and "Lesson: Memory." in note
    assert "hakbench experiment --candidate new --reference old" in note and "gain asked for: 1 %" in note
    assert json.loads(open("out/experiment.json").read())["verdict"] == "NO-GO"


def test_no_early_go_while_memory_leans_to_failing(profile):
    """RSS 4 % up, hardly more than allowed: throughput is GO at once, the guard stays open to the end."""
    fake = FakeHakbench(ratio=1.05, rss_kb=(936, 900, 500))
    metrics = ["throughput", "rss_above_base"]
    run(fake, *SIDES, "-p", profile(metrics=metrics, margins={"rss_above_base": 0.0385}), "-o", "out",
        tool=experiment)
    guard = json.loads(open("out/experiment.json").read())["metrics"][1]
    assert guard["verdict"] == "inconclusive" and guard["value"] > 1.0385 and len(fake.calls) == 3


def test_an_experiment_that_noise_spoiled_is_inconclusive_and_its_record_says_so(profile, capsys):
    chosen = profile(looks=[6], metrics=["peak_rss_above_base", "throughput"])
    noisy = FakeHakbench(quarantined=tuple(range(1000)))
    assert run(noisy, *SIDES, "-p", chosen, "-o", "out", "--record", "note.md", tool=experiment) == 0
    said, note = capsys.readouterr().out, open("note.md").read()
    assert "\nINCONCLUSIVE: throughput was not judged: too noisy: 0 launches left, 4 are needed." in said
    assert "**INCONCLUSIVE**: throughput was not judged" in note and "NEUTRAL" not in note
    assert "- launches of each: 6 measured, 0 quiet; gain" in note
    found = json.loads(open("out/experiment.json").read())
    assert found["verdict"] == "INCONCLUSIVE" and found["launches_measured"] == 6
    again = ("-p", chosen, "-o", "out2", "--fail-on-inconclusive")
    assert run(noisy, *SIDES, *again, tool=experiment) == cli.EXIT_INCONCLUSIVE
    costly = FakeHakbench(quarantined=tuple(range(1000)), rss_kb=(990, 900, 500))
    assert run(costly, *SIDES, "-p", chosen, "-o", "out3", tool=experiment) == cli.EXIT_PASS
    assert json.loads(open("out3/experiment.json").read())["verdict"] == "NO-GO"


def test_a_gain_that_is_no_number_is_named(profile, call):
    done = call(experiment.main, *SIDES, "-p", profile(), "--gain", "much")
    assert done.code == cli.EXIT_ERROR and "--gain much" in done.err


@pytest.mark.parametrize("tool, arguments, words", [
    (experiment, SIDES, "which decides an experiment"),
    (baseline, ("--candidate", "x", "-o", "b.json"), "which a baseline must hold")])
def test_a_profile_without_throughput_is_named_before_anything_is_measured(profile, tool, arguments, words):
    fake, chosen = FakeHakbench(), profile(metrics=["peak_rss_above_base"])
    with pytest.raises(InputError, match=f"{chosen}: .gate.metrics. lacks throughput, {words}"):
        run(fake, *arguments, "-p", chosen, tool=tool)
    assert fake.calls == []


# --- the plan

def test_plan_tells_launches_and_minutes(call):
    noisy = FakeHakbench(noise=0.01, launch_noise=0.005)
    noisy(["ab", "--a", "x", "--b", "x", "--launches", "12", "-o", "out"])
    done = call(plan.main, "out", "--format", "json")
    answer = json.loads(done.out)
    launches = [row["launches"] for row in answer["plan"]]
    assert launches == sorted(launches, reverse=True) and answer["launches"] == 12
    assert 0 < answer["resolves"] < 0.05
    for row in answer["plan"]:
        assert row["minutes"] * 60 == pytest.approx(row["launches"] * answer["seconds_a_launch"])
    assert "margin  launches of each" in call(plan.main, "out").out
    own = json.loads(call(plan.main, "out", "--margin", "2%", "--format", "json").out)["plan"]
    assert [row["margin"] for row in own] == [0.02] and own[0]["launches"] == launches[2]
    for text in ("much", "0", "3"):
        assert call(plan.main, "out", "--margin", text).code == cli.EXIT_ERROR


def test_a_launch_takes_from_its_start_to_the_next_ones_whatever_lies_between(call):
    """A launch is 2 warm-up epochs of 0.375 s and 32 of 0.3 s, 0.02 s between them; a night passed before the
    last four, which a resumed run measured."""
    FakeHakbench(launch_noise=0)(["ab", "--a", "x", "--b", "x", "--launches", "12", "-o", "out"])
    taken = json.loads(call(plan.main, "out", "--format", "json").out)["seconds_a_launch"]
    assert taken == pytest.approx(2 * 0.395 + 32 * 0.32, rel=0.02)
    epochs = pd.read_csv("out/epochs.csv")
    epochs.loc[epochs["launch"] >= 8, "wall_time_s"] += 40_000
    epochs.to_csv("out/epochs.csv", index=False)
    resumed = json.loads(call(plan.main, "out", "--format", "json").out)["seconds_a_launch"]
    assert resumed == pytest.approx(taken, rel=0.02)


def test_plan_needs_a_comparison(call, tmp_path):
    FakeHakbench(names=["x"])(["ab", "--a", "x", "--launches", "4", "-o", "one"])
    done = call(plan.main, "one")
    assert done.code == cli.EXIT_ERROR and "holds one subject" in done.err


def test_looks_keep_what_was_measured_when_the_harness_fails(tmp_path):
    folder = tmp_path / "run"
    calls = []

    def command(words):
        calls.append(words)
        return FakeHakbench()(words) if len(calls) == 1 else 1

    growing = looks.Plan({"a": "x", "b": "y"}, "b", None, (), folder)
    with pytest.raises(InputError, match="what was measured is in"):
        looks.grow(growing, (6, 12), lambda measured: False, command)
    assert len(load_result(folder).epochs)


@pytest.mark.parametrize("tool", [gate, experiment])
def test_a_candidate_that_fails_to_allocate_is_no_pass(profile, tool, capsys):
    """It is faster and leaner: of what it could not allocate it did nothing."""
    fake = FakeHakbench(ratio=1.5, rss_kb=(700, 900, 500))

    def failing(words):
        code = fake(words)
        epochs = pd.read_csv("out/epochs.csv", dtype=str, keep_default_na=False)
        epochs.loc[epochs.index[epochs["subject"] == "a"][:2], "failed_allocs"] = "3"
        epochs.to_csv("out/epochs.csv", index=False)
        return code

    with pytest.raises(InputError, match="^6 allocations of new failed, so nothing can be compared; "):
        run(failing, *SIDES, "-p", profile(), "-o", "out", tool=tool)
    assert len(fake.calls) == 1 and not capsys.readouterr().out


def test_looks_do_not_claim_to_keep_what_was_not_measured(tmp_path):
    def command(words):
        (tmp_path / "epochs.csv").write_text("seq,subject\n")
        return 1

    growing = looks.Plan({"a": "x", "b": "y"}, "b", None, (), tmp_path)
    with pytest.raises(InputError, match="failed with exit code 1$"):
        looks.grow(growing, (6, 12), lambda measured: False, command)
