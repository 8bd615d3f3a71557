"""The named scripts as people call them, and the search for an interpreter."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from folders import write_rows
from hakmem_analysis import soak, tail

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MAINS = {"analyze_epoch_tail_csv.py": tail.epoch_tail_main, "calculate_percentiles.py": tail.percentiles_main,
         "analyze_soak.py": soak.main}


@pytest.fixture
def run(call):
    """The work behind a script, in this process."""
    return lambda script, *arguments, **options: call(MAINS[script], *arguments, **options)


def run_process(script, *arguments, bare=False, stdin=None):
    """The script as people start it; `bare` by an interpreter without site packages, so without pandas."""
    return subprocess.run([sys.executable, *(["-S"] if bare else []), SCRIPTS / script, *map(str, arguments)],
                          stdin=stdin, text=True, capture_output=True, check=False,
                          env={**os.environ, "HAKMEM_PYTHON": sys.executable})


def find_python(*modules, **environment):
    return subprocess.run([SCRIPTS / "find_python.sh", *modules], env={**os.environ, **environment},
                          capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def soak_csv(tmp_path_factory):
    """An hour of 5 s epochs that leaks 256 kB/h."""
    rng = np.random.default_rng(1)
    time = np.arange(720) * 5.0
    path = tmp_path_factory.mktemp("soak") / "soak.csv"
    rate = 1e8 * np.exp(rng.normal(0, 0.01, 720))
    rss = 33_000 + 256 * time / 3600 + rng.normal(0, 8, 720)
    write_rows(path, ("time_s", "ops_per_s", "rss_kb", "syscalls", "ops"),
               zip(time, rate, rss, [9] * 720, [1_000_000_000] * 720))
    return path


def test_epoch_tail_equals_numpy(run, soak_csv):
    done = run("analyze_epoch_tail_csv.py", soak_csv, "--format", "json")
    found = json.loads(done.out)[""]
    rate = np.genfromtxt(soak_csv, delimiter=",", names=True)["ops_per_s"]
    assert found["ops_per_s"]["p99"] == pytest.approx(np.percentile(rate, 1), rel=1e-12)
    assert found["ops_per_s"]["worst"] == rate.min()
    assert found["ns_per_op"]["p99.9"] == pytest.approx(np.percentile(1e9 / rate, 99.9), rel=1e-12)


def test_epoch_tail_of_a_folder_and_of_its_csv(run, ab_folder):
    of_folder = run("analyze_epoch_tail_csv.py", ab_folder)
    assert "hakmem: 86 epochs" in of_folder.out and "4 quarantined left out" in of_folder.out
    of_input = run("analyze_epoch_tail_csv.py", "-", "--keep-quarantined",
                   stdin=(ab_folder / "epochs.csv").read_text())
    assert "hakmem (a): 90 epochs" in of_input.out


def test_percentiles_equal_numpy(run, ab_folder):
    done = run("calculate_percentiles.py", ab_folder, "--column", "elapsed_ns", "--by", "allocator",
               "--where", "kind=throughput", "--percentiles", "10,99", "--format", "json")
    found = json.loads(done.out)["hakmem"]
    table = np.genfromtxt(ab_folder / "epochs.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    values = table["elapsed_ns"][(table["allocator"] == "hakmem") & (table["kind"] == "throughput")]
    assert found["p10"] == np.percentile(values, 10) and found["p99"] == np.percentile(values, 99)
    assert found["rows"] == 90


def test_percentiles_leave_missing_cells_out(run):
    done = run("calculate_percentiles.py", "-", "--column", "x", "--format", "json",
               stdin="x,y\n1,a\n,b\n3,c\n")
    found = json.loads(done.out)[""]
    assert (found["rows"], found["missing"], found["p50"], found["worst"]) == (2, 1, 2.0, 3.0)


def test_tail_is_low_for_rates(run):
    done = run("calculate_percentiles.py", "-", "--column", "ops_per_s", stdin="ops_per_s\n1\n2\n3\n")
    assert "(low end)" in done.out and done.out.splitlines()[1].split()[-1] == "1"


def test_soak_names_the_drift_and_gates(run, soak_csv):
    done = run("analyze_soak.py", soak_csv)
    assert done.code == 0 and "soak: DRIFT" in done.out and "9e-09 per op" in done.out
    assert run("analyze_soak.py", soak_csv, "--gate").code == 2
    assert run("analyze_soak.py", soak_csv, "--gate", "--budget", "1000").code == 0
    lines = soak_csv.read_text().splitlines()[:30]
    assert run("analyze_soak.py", "-", "--gate", stdin="\n".join(lines) + "\n").code == 3


def test_soak_of_a_folder_json(run, ab_folder):
    found = json.loads(run("analyze_soak.py", ab_folder, "--format", "json").out)
    assert len(found) == 10 and found["subject a, allocator hakmem, launch 0"]["verdict"] == "EXTEND"


def test_soak_with_other_names(run):
    text = "rss,ops_per_s\n" + "".join(f"33000,{1e8 + i}\n" for i in range(200))
    done = run("analyze_soak.py", "-", "--rss", "rss", "--epoch-s", "30", stdin=text)
    assert done.code == 0 and "STABLE" in done.out


@pytest.mark.parametrize("script, arguments, words", [
    ("analyze_epoch_tail_csv.py", ("-",), "no column 'ops_per_s'"),
    ("calculate_percentiles.py", ("-", "--column", "z"), "no column 'z'"),
    ("analyze_soak.py", ("-",), "no values in a column 'rss_kb'")])
def test_foreign_input_is_one_line(run, script, arguments, words):
    done = run(script, *arguments, stdin="a,b\n1,2\n")
    assert done.code == 1 and done.err.count("\n") == 1 and words in done.err


@pytest.mark.parametrize("text", ["", "\n", "\0\0\0\0\n\0", "{}\n"])
@pytest.mark.parametrize("script, arguments", [
    ("analyze_epoch_tail_csv.py", ()), ("calculate_percentiles.py", ("--column", "x")),
    ("analyze_soak.py", ())])
def test_garbage_is_one_line(run, script, arguments, text):
    done = run(script, "-", *arguments, stdin=text)
    assert done.code == 1 and done.out == ""
    assert done.err.count("\n") == 1 and done.err.startswith(f"{script}: error: standard input")


@pytest.mark.parametrize("text, words", [
    ("x\n1\nfast\n", "standard input:3: column 'x' holds 'fast'"), ("x\n", "no value"),
    ("x,y\n,1\n,2\n", "no value"), ("x,x\n1,2\n", "two columns are named 'x'")])
def test_bad_cells(run, text, words):
    done = run("calculate_percentiles.py", "-", "--column", "x", stdin=text)
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [
    ("--column", "x", "--percentiles", "50,101"), ("--column", "x", "--where", "q"), (),
    ("--column", "x", "--by", "x")])
def test_wrong_usage(run, arguments):
    done = run("calculate_percentiles.py", "-", *arguments, stdin="x\n1\n")
    assert done.code == 1 and done.err.count("\n") == 1


@pytest.mark.parametrize("script", sorted(MAINS))
def test_each_script_starts_and_helps(script):
    done = run_process(script, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert f"usage: {script}" in done.stdout and "examples:" in done.stdout and "exit codes:" in done.stdout


def test_find_python():
    found = find_python()
    assert found.returncode == 0 and Path(found.stdout.strip()).exists()
    assert find_python(HAKMEM_PYTHON=sys.executable).stdout.strip() == sys.executable


def test_find_python_says_what_to_install():
    lacking = find_python("no_such_module")
    assert lacking.returncode == 1 and lacking.stderr.count("\n") == 1
    assert "apt-get install python3 python3-no_such_module" in lacking.stderr
    wrong = find_python(HAKMEM_PYTHON="/bin/false")
    assert wrong.returncode == 1 and "HAKMEM_PYTHON=/bin/false" in wrong.stderr


def test_script_started_by_a_python_without_pandas(soak_csv):
    """It hands over to one that has the modules, and standard input goes with it."""
    with open(soak_csv, "rb") as stream:
        done = run_process("analyze_soak.py", "-", bare=True, stdin=stream)
    assert done.returncode == 0 and "DRIFT" in done.stdout and "720 epochs" in done.stdout
