"""hakbench icount over a counter that is made up."""
import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import threading

import pytest

from hakmem_analysis import callgrind, icount
from hakmem_analysis.callgrind import Counts

PER_OP = {"floor": 27.0, "old": 47.0, "new": 47.03, "wasteful": 47.4}
START = 5_000_000  # what starting a process costs: must fall out


def counter(name, label, ops, seed):
    """A process whose cost is START + ops * PER_OP; seed changes allocators by the same factor."""
    own = (PER_OP[name] - PER_OP["floor"]) * (1 + 0.01 * seed)
    total = round(START + ops * (PER_OP["floor"] + own))
    functions = {("/bin/hakbench", "loop"): round(START + ops * PER_OP["floor"]),
                 (f"/lib/{name}.so", "take"): round(ops * own * 0.75),
                 (f"/lib/{name}.so", "give"): round(ops * own * 0.25)}
    return Counts({"Ir": total, "Dr": ops * 10 + 99, "Dw": ops * 4 + 9}, functions)


@pytest.fixture
def run(call):
    return lambda *arguments: call(lambda argv: icount.cli.run_tool(
        icount.PROG, lambda words: icount._run(words, counter), argv), *arguments)


def test_figures_are_per_op_and_above_the_floor(run):
    done = run("--candidate", "new", "--reference", "old", "--format", "json", "--margin", "0.2%")
    found = json.loads(done.out)
    assert done.code == 0
    new, old, floor = found["subjects"]
    assert floor["instructions"] == 27 and "instructions_own" not in floor
    assert new["instructions_own"] == pytest.approx(20.03 * 1.02, abs=1e-4)
    assert new["reads"] == 10 and new["writes"] == 4 and new["reads_own"] == 0
    assert [row["function"] for row in new["functions"]] == ["take", "give"]
    assert new["functions"][0]["instructions"] == pytest.approx(0.75 * new["instructions_own"], abs=1e-4)
    comparison = found["comparisons"][0]
    assert comparison["ratio"] == pytest.approx(20.03 / 20, abs=1e-6)
    assert comparison["lower"] == pytest.approx(comparison["upper"], abs=1e-6)
    assert comparison["verdict"] == "pass"


@pytest.mark.parametrize("candidate, margin, code, words", [
    ("old", "0.1%", 0, "PASS"), ("new", "0.1%", 2, "FAIL"), ("new", "0.002", 0, "PASS"),
    ("wasteful", "1%", 2, "2.000 % more instructions of its own than old")])
def test_exit_codes(run, candidate, margin, code, words):
    done = run("--candidate", candidate, "--reference", "old", "--margin", margin)
    assert done.code == code and words in done.out


def test_also_is_shown_but_not_judged(run):
    done = run("--candidate", "old", "--reference", "old", "--also", "wasteful")
    assert done.code == 0
    assert "old (a) needs as many instructions of its own as old (b)" in done.out
    assert "FAIL: wasteful" in done.out


def test_without_a_reference_nothing_is_judged(run):
    done = run("--candidate", "wasteful")
    assert done.code == 0 and "PASS" not in done.out and "wasteful: dearest functions" in done.out


@pytest.mark.parametrize("lower, upper, verdict", [
    (0.9, 1.001, "pass"), (0.9, 1.002, "inconclusive"), (1.0011, 1.2, "fail"), (1.001, 1.2, "inconclusive")])
def test_regression(lower, upper, verdict):
    assert icount.regression(lower, upper, 0.001) == verdict


def test_seeds_that_disagree(run, monkeypatch):
    monkeypatch.setitem(PER_OP, "mixed", 0)

    def moody(name, label, ops, seed):
        name = "wasteful" if name == "mixed" and seed == 3 else name.replace("mixed", "old")
        return counter(name, label, ops, seed)
    monkeypatch.setattr(icount, "make_counter", lambda options, settings: moody)
    monkeypatch.setattr(callgrind, "find_valgrind", lambda: "valgrind")
    arguments = ["--candidate", "mixed", "--reference", "old"]
    assert icount.main(arguments) == 0 and icount.main([*arguments, "--fail-on-inconclusive"]) == 3


def test_settings_reach_whom_they_are_for():
    found = icount.labelled_settings(["x=1", "b:of=a:b", "c:y=2"], ["a", "b", "c"])
    assert found == {"a": ["x=1"], "b": ["x=1", "of=a:b"], "c": ["x=1", "y=2"]}


@pytest.mark.parametrize("place", ["my builds", "a:b"])
def test_a_build_that_ld_preload_cannot_name_is_refused(monkeypatch, tmp_path, place):
    """The linker would split the path, warn where nobody sees it, and count by the real clock."""
    for name in ("bin/hakbench", "lib/hakbench_steady.so"):
        (tmp_path / place / name).parent.mkdir(parents=True)
        (tmp_path / place / name).touch(mode=0o755)
    monkeypatch.setenv("HAKBENCH", str(tmp_path / place / "bin/hakbench"))
    with pytest.raises(icount.InputError, match="^LD_PRELOAD cannot name .*steady.so: it has a space or"):
        icount.make_counter(argparse.Namespace(workload=None, ws=None, param=[], data=False), {})


def test_colon_in_the_value_is_no_label():
    assert icount.labelled_settings(["of=x:y"], ["a"]) == {"a": ["of=x:y"]}


@pytest.mark.parametrize("arguments, words", [
    ((), "--candidate"), (("--candidate", "old", "--init", "c:x=1"), "no allocator 'c'"),
    (("--candidate", "old", "--init", "x"), "has no value"),
    (("--candidate", "old", "--margin", "lots"), "is no share"),
    (("--candidate", "old", "--ops", "10"), "1000 or more"),
    (("--candidate", "old", "--reference", "floor"), "no instructions above the floor")])
def test_bad_usage_is_one_line(run, arguments, words):
    done = run(*arguments)
    assert done.code == 1 and done.out == "" and words in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("ended, code", [(icount.InputError("no counts"), 1), (KeyboardInterrupt, 130)])
def test_what_ends_it_starts_no_more_processes_and_ends_those_that_run(call, monkeypatch, ended, code):
    """Two processes run side by side; one fails, or Ctrl-C comes to the tool alone. The other would run for a
    minute, and twenty-two more are waiting."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    sleeping, codes, started, place = threading.Event(), [], [], itertools.count()

    def slow(name, label, ops, seed):
        number = next(place)
        started.append(number)
        if number > 0:
            with subprocess.Popen(["sleep", "60"]) as child:
                sleeping.set()
            codes.append(child.returncode)
            raise icount.InputError("cut off")
        assert sleeping.wait(30)
        if ended is KeyboardInterrupt:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            with contextlib.suppress(subprocess.CalledProcessError):
                subprocess.run(["sleep", "60"], check=True)
        raise icount.InputError("no counts")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = call(lambda argv: icount.cli.run_tool(
            icount.PROG, lambda words: icount._run(words, slow), argv), "--candidate", "new",
                    "--reference", "old", "--also", "wasteful")
    finally:
        signal.signal(signal.SIGINT, before)
    # The thread that failed may take another one before that is known.
    assert done.code == code and set(codes) == {-signal.SIGKILL} and len(started) < 6
    assert done.err == ("" if code == 130 else "hakbench icount: error: no counts\n")


def test_missing_valgrind(call, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = call(icount.main, "--candidate", "hakmem")
    assert done.code == 1 and "install the package valgrind" in done.err and done.err.count("\n") == 1


def test_the_command_that_is_counted(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "hakbench"
    program.parent.mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "hakbench_steady.so").touch()
    program.touch(mode=0o755)
    monkeypatch.setenv("HAKBENCH", str(program))
    seen = []
    monkeypatch.setattr(callgrind, "count", lambda command, **options: seen.append((command, options)))
    options = argparse.Namespace(workload="batch", ws=8, param=["k=v"], data=True)
    icount.make_counter(options, {"a": ["percent=3"]})("mimalloc", "a", 500, 7)
    command, options = seen[0]
    assert " ".join(command[1:]) == ("loop -a mimalloc -w batch --ws 8 --param k=v --threads 1 --init "
                                     "percent=3 --seed 7 --ops 500 --prefault 100000")
    assert options["preload"].endswith("hakbench_steady.so") and options["data"]
