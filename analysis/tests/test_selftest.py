"""The self-test over gates that are made up, so that what the truth is and what they say are both known."""
import json
import os

import numpy as np
import pytest

from hakmem_analysis import loop_check, selftest, selftest_runs
from hakmem_analysis.bursts import bursts
from hakmem_analysis.errors import InputError
from hakmem_analysis.selftest_runs import SCENARIOS, GateRun


def option(arguments, name):
    return arguments[list(arguments).index(name) + 1]


class FakeGate:
    """A gate whose interval misses the truth as often as it should, unless it is told to be wrong."""

    def __init__(self, fails=False, sleeps=False, narrow=1.0, breaks_at=None):
        self.fails, self.sleeps, self.narrow, self.breaks_at = fails, sleeps, narrow, breaks_at
        self.calls = []

    def __call__(self, arguments):
        self.calls.append(list(arguments))
        if len(self.calls) == self.breaks_at:
            raise InputError("hakbench gate failed: no room on the disk")
        seed = int(option(arguments, "--schedule-seed"))
        plant = option(arguments, "--init")
        scenario = next(s for s in SCENARIOS.values() if option(arguments, "--candidate") == s.control
                        and plant == f"a:{s.plant.split(',')[0]}"
                        and option(arguments, "--profile") == s.profile)
        metric = scenario.metric if not self.sleeps else ""
        fails = bool(metric) or self.fails
        truth = scenario.truth or 1.0
        point = truth * np.exp(np.random.default_rng(seed).normal(0, 0.002))
        half = 1.96 * 0.002 * self.narrow
        rows = [{"metric": name, "verdict": "fail" if name == metric or self.fails else "pass",
                 "value": point, "lower": point - half, "upper": point + half,
                 "decided_lower": point - 1.2 * half, "decided_upper": point + 1.2 * half}
                for name in ("throughput", "peak_rss_above_base", "syscalls_per_op", "slow_ops_per_mop")]
        return GateRun(2 if fails else 0, {"verdict": "fail" if fails else "pass", "metrics": rows}, 12.0)


@pytest.fixture
def run(call, tmp_path):
    def start(gate, *arguments, folder="out"):
        where = () if "--resume" in arguments else ("-o", tmp_path / folder)
        return call(lambda argv: selftest.cli.run_tool(
            selftest.PROG, lambda words: selftest._run(words, gate), argv), *where, *arguments)
    return start


def rates_of(folder):
    summary = json.loads((folder / "summary.json").read_text())
    return {rate["name"].strip(): rate for rate in summary["rates"]}


def test_a_right_gate_passes(run, tmp_path):
    done = run(FakeGate(), "--aa", "60", "--planted", "20", "--long", "20", "--first-seed", "401")
    assert done.code == 0 and done.out.startswith("PASS: all 10 declared rates are met")
    rates = rates_of(tmp_path / "out")
    assert rates["false failures: nothing planted, one short look"]["count"] == 0
    assert rates["95 % intervals that hold the truth"]["runs"] == 120
    assert rates["caught: 3 % slower"]["share"] == 1
    page = (tmp_path / "out" / "report.md").read_text()
    assert "](report.png)" in page
    assert "hakbench selftest --first-seed 401 --aa 0 --planted 0 --long 0 --count aa=60 --count" in page
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("gate, broken", [
    (FakeGate(fails=True), "false failures: nothing planted, one short look"),
    (FakeGate(sleeps=True), "caught: 3 % slower"),
    (FakeGate(narrow=0.3), "95 % intervals that hold the truth")])
def test_a_wrong_gate_is_found_out(run, gate, broken):
    done = run(gate, "--aa", "30", "--planted", "20", "--long", "0")
    assert done.code == 2 and done.out.startswith("FAIL") and broken in done.out.splitlines()[0]


def test_a_failure_for_another_reason_is_no_detection(run, tmp_path):
    """The gate fails, but names every metric except the planted one."""
    class Beside(FakeGate):
        def __call__(self, arguments):
            done = super().__call__(arguments)
            for row in done.verdict["metrics"]:
                row["verdict"] = "pass" if row["verdict"] == "fail" else "fail"
            return done
    assert run(Beside(), "--aa", "0", "--planted", "10", "--long", "0").code == 2
    assert rates_of(tmp_path / "out")["caught: 50 kB more memory (10 %)"]["count"] == 0


def test_false_go(run, tmp_path):
    class Lucky(FakeGate):
        def __call__(self, arguments):
            done = super().__call__(arguments)
            for row in done.verdict["metrics"]:
                row["decided_lower"], row["decided_upper"] = 1.0051, 1.02
            return done
    assert run(Lucky(), "--aa", "12", "--planted", "0", "--long", "0").code == 2
    assert rates_of(tmp_path / "out")["false GO: nothing planted, one short look"]["count"] == 12


def test_few_runs_decide_nothing(run):
    arguments = ("--aa", "0", "--planted", "1", "--long", "0")
    done = run(FakeGate(sleeps=True), *arguments)
    assert done.code == 0 and done.out.startswith("INCONCLUSIVE: too few runs")
    assert run(FakeGate(sleeps=True), *arguments, "--fail-on-inconclusive", folder="other").code == 3


def test_each_step_is_a_line_of_a_log_but_not_beside_json(run):
    arguments = ("--aa", "0", "--planted", "1", "--long", "0")
    lines = run(FakeGate(), *arguments).err.splitlines()
    assert len(lines) == 5 and "selftest: 2 of 5: 3 % slower" in lines
    assert run(FakeGate(), *arguments, "--format", "json", folder="json").err == ""


def test_resume_after_a_break(run, tmp_path):
    folder = tmp_path / "out"
    counts = ("--aa", "8", "--planted", "4", "--long", "1")
    first = FakeGate(breaks_at=6)
    done = run(first, *counts)
    assert done.code == 1 and f"--resume {folder}" in done.err.splitlines()[-1]
    with open(folder / "runs.jsonl", "a", encoding="utf-8") as stream:
        stream.write('{"scenario": "aa", "ind')  # cut off by a crash
    second = FakeGate()
    assert run(second, "--resume", folder).code == 0
    unbroken = FakeGate()
    run(unbroken, *counts, folder="unbroken")

    def seeds(calls):
        return [option(arguments, "--schedule-seed") for arguments in calls]
    assert seeds(first.calls[:5] + second.calls) == seeds(unbroken.calls)
    assert len(set(seeds(unbroken.calls))) == len(unbroken.calls) == 8 + 5 * 4 + 1
    records = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    assert len(records) == 29 and {"elapsed_s", "load_1min", "exit_code", "gate"} <= set(records[0])


def test_scenarios_take_turns():
    names = [name for name, _ in selftest_runs.in_turns({"aa": 8, "slow3": 4})]
    assert all(names[i:i + 3].count("slow3") == 1 for i in range(0, 12, 3))


def test_what_the_gate_is_asked(run, tmp_path):
    gate = FakeGate()
    run(gate, "--aa", "0", "--planted", "1", "--long", "0")
    spike = next(arguments for arguments in gate.calls if "control_spike" in arguments)
    assert spike[:6] == ["--candidate", "control_spike", "--reference", "control_spike", "--profile",
                         "ci_gate"]
    assert spike[spike.index("--"):][:5] == ["--", "--init", "a:per_mop=1", "--init", "a:us=100"]
    assert not (tmp_path / "out" / "runs" / "spike-0").exists()


@pytest.mark.parametrize("arguments, words", [
    (("--aa", "0", "--planted", "0", "--long", "0"), "nothing to run"),
    (("--resume", "/nowhere"), "selftest.json"),
    (("--aa", "some"), "is no whole number")])
def test_bad_usage_is_one_line(run, arguments, words):
    done = run(FakeGate(), *arguments)
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


def test_a_folder_is_not_overwritten(run, tmp_path):
    (tmp_path / "out").mkdir()
    done = run(FakeGate(), "--quick")
    assert done.code == 1 and "--resume" in done.err


def test_a_gate_that_fails_as_a_tool(monkeypatch, tmp_path):
    program = tmp_path / "hakbench"
    program.write_text("#!/bin/sh\necho 'hakbench gate: error: no such plugin' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("HAKBENCH", str(program))
    with pytest.raises(InputError, match="no such plugin"):
        selftest_runs.run_gate(["--candidate", "x"])
    program.write_text("#!/bin/sh\necho '{\"verdict\": \"fail\"}'\nexit 2\n")
    assert selftest_runs.run_gate([]).verdict == {"verdict": "fail"}
    program.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(InputError, match="printed no JSON"):
        selftest_runs.run_gate([])


def test_bursts_run_on_every_cpu_and_end():
    with bursts() as processes:
        assert len(processes) == len(os.sched_getaffinity(0))
        assert all(process.poll() is None for process in processes)
    assert all(process.poll() is not None for process in processes)


@pytest.mark.parametrize("factor, verdict", [(1.0, "pass"), (1.01, "pass"), (1.04, "fail"), (0.96, "fail"),
                                             (1.02, "inconclusive")])
def test_loop_check(factor, verdict):
    """A drift of the machine is in both sides of a pair; the sides take turns at being first."""
    clock = iter(range(1000))

    def side(ns):
        return lambda: ns * (1 + 0.002 * ((7 * next(clock)) % 5 - 2))
    found = loop_check.check(40, side(8.0 * factor), side(8.0))
    assert found.verdict == verdict and found.ratio == pytest.approx(factor, abs=0.004)


def test_loop_check_needs_its_program(monkeypatch, tmp_path):
    program = tmp_path / "hakbench"
    program.touch(mode=0o755)
    monkeypatch.setenv("HAKBENCH", str(program))
    monkeypatch.setattr(loop_check.shutil, "which",
                        lambda name: str(program) if name == str(program) else None)
    with pytest.raises(InputError, match="bench_random_mixed_floor beside hakbench"):
        loop_check.of_standalone(0)


def test_counts_by_scenario(run, tmp_path):
    gate = FakeGate()
    run(gate, "--aa", "0", "--planted", "0", "--long", "0", "--count", "slow3=5", "--count", "aa_full=2")
    lines = (tmp_path / "out" / "runs.jsonl").read_text().splitlines()
    kept = [json.loads(line)["scenario"] for line in lines]
    assert sorted(kept) == ["aa_full"] * 2 + ["slow3"] * 5
    done = run(gate, "--count", "slow=5", folder="other")
    assert done.code == 1 and "the scenarios are aa, aa_full" in done.err


def test_two_at_once_in_one_folder_are_one_too_many(run, tmp_path):
    """The second would remove the run that the first is at."""
    gate, second = FakeGate(), FakeGate()

    def meanwhile(arguments):
        done = run(second, "--resume", tmp_path / "out")
        assert done.code == 1 and "another process is measuring in" in done.err and not second.calls
        return gate(arguments)

    assert run(meanwhile, "--aa", "1", "--planted", "0", "--long", "0").code == 0 and len(gate.calls) == 1
