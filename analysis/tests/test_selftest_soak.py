"""The self-test of the drift verdicts, with soaks that are made up."""
import json

import pytest

from hakmem_analysis import causes, selftest, selftest_soak
from hakmem_analysis.schema import TYPES
from soak_folders import make_soak

DRAINED = "drained_rss_kb" in TYPES  # without that column no allocator's leak can be named


def still(_):
    return 0.0


GROWTHS = {selftest_soak.CLEAN: still, "leak1m": lambda hours: 1024 * hours,
           "leak256k": lambda hours: 256 * hours, "step2m": lambda hours: 2048 if hours >= 1 / 12 else 0}


class FakeSoaks:
    """A runner that writes the folder which a real soak of these arguments would."""

    def __init__(self, growths=None):
        self.growths, self.calls = growths or GROWTHS, []

    def __call__(self, arguments):
        self.calls.append(arguments)
        words = " ".join(arguments)
        plant = next((name for name, mark in (("leak1m", "bytes_per_hour=1048576"),
                                              ("leak256k", "bytes_per_hour=262144"),
                                              ("step2m", "a:kb=2048")) if mark in words), selftest_soak.CLEAN)
        count = arguments.count("-a")
        names = {f"{plant if i == 0 else 'clean'}{i}": self.growths[plant if i == 0 else selftest_soak.CLEAN]
                 for i in range(count)}
        drained = {name: {"drained_rss_kb": lambda hours, grows=grows: 3000 + grows(hours)}
                   for name, grows in names.items()}
        make_soak(folder_of(arguments), names, epoch_s=0.3, others=drained)


def folder_of(arguments):
    from pathlib import Path
    return Path(arguments[arguments.index("-o") + 1])


@pytest.fixture
def run(call):
    def run(*arguments, soaks=None):
        return call(lambda argv: selftest.cli.run_tool(
            selftest.PROG, lambda words: selftest._run(words, soak_runner=soaks or FakeSoaks()), argv),
            *arguments)
    return run


def test_each_soak_has_one_fault_and_the_clean_are_spread():
    soaks = selftest_soak.plan(20)
    assert [len(soak) for soak in soaks] == [8, 8, 7]
    assert [soak[0] for soak in soaks] == list(selftest_soak.PLANTS)
    assert sum(soak.count(selftest_soak.CLEAN) for soak in soaks) == 20
    assert all(len(soak) <= selftest_soak.SUBJECTS for soak in selftest_soak.plan(100))
    assert sum(soak.count(selftest_soak.CLEAN) for soak in selftest_soak.plan(100)) == 100


@pytest.mark.skipif(not DRAINED, reason="this harness drains no subject")
def test_what_is_planted_is_named_and_the_clean_rest(run, tmp_path):
    folder = tmp_path / "test"
    done = run("--soak", "--clean", "6", "-o", folder)
    assert done.code == 0
    assert done.err == "".join(f"selftest: soak {number} of 3, 10 min\n" for number in (1, 2, 3))
    assert done.out.startswith("PASS: all 4 declared rates are met")
    summary = json.loads((folder / "summary.json").read_text())
    assert [rate["count"] for rate in summary["rates"]] == [0, 6, 1, 1, 1]
    assert "a leak of 256 kB/h" in (folder / "report.md").read_text()
    assert not (folder / "soaks" / "0").exists()


def test_a_clean_subject_that_drifts_breaks_the_declaration(run, tmp_path):
    leaky = {**GROWTHS, selftest_soak.CLEAN: lambda hours: 1024 * hours}
    done = run("--soak", "--clean", "12", "-o", tmp_path / "test", soaks=FakeSoaks(leaky))
    assert done.code == 2 and done.out.startswith("FAIL: not as declared: false DRIFT: nothing planted")


def test_a_fault_that_is_not_there_is_not_named(run, tmp_path):
    done = run("--soak", "--clean", "3", "-o", tmp_path / "test",
               soaks=FakeSoaks({name: still for name in GROWTHS}))
    rates = json.loads((tmp_path / "test" / "summary.json").read_text())["rates"]
    assert [rate["count"] for rate in rates] == [0, 3, 0, 0, 0] and "PASS" not in done.out


def test_it_goes_on_where_it_was_broken_off(run, tmp_path):
    folder, first, second = tmp_path / "test", FakeSoaks(), FakeSoaks()
    run("--soak", "--clean", "3", "-o", folder, soaks=first)
    lines = (folder / selftest_soak.SOAKS_FILE).read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["soak"] != 1]
    (folder / selftest_soak.SOAKS_FILE).write_text("\n".join(kept) + "\n")
    run("--resume", folder, soaks=second)
    assert (len(first.calls), len(second.calls)) == (3, 1)
    assert len((folder / selftest_soak.SOAKS_FILE).read_text().splitlines()) == len(lines)


def test_arguments_of_a_real_soak(tmp_path):
    words = selftest_soak.arguments(["step2m", "clean"], 600.0, 7, tmp_path)
    assert words[:4] == ["-a", "control_step", "--init", "a:kb=2048"]
    assert "a:after_s=300" in words and words[6:8] == ["-a", "control_leak"]
    assert ("--duration", "600s") in list(zip(words, words[1:]))


@pytest.mark.parametrize("change, named", [
    ({}, True), ({"step_kb": 1500.0}, False), ({"step_at_s": 200.0}, False), ({"step_kb": None}, False),
    ({"verdict": "DRIFT"}, False), ({"cause": causes.UNKNOWN}, False)])
def test_a_step_is_named_with_its_size_and_moment(change, named):
    record = {"name": "step2m", "duration_s": 600.0, "verdict": "EXTEND", "cause": causes.STEP,
              "step_kb": 2050.0, "step_at_s": 301.0, **change}
    assert selftest_soak.is_named(record) == named


def test_a_wrong_duration_is_one_line(run):
    done = run("--soak", "--duration", "soon")
    assert done.code == 1 and "'soon' is no duration; write 90s, 10m or 1h" in done.err
