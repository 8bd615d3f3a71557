"""The named scripts as people call them, and the search for an interpreter."""
import json
import os
import signal
import subprocess
import sys
import time
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


def run_process(script, *arguments, flags=(), stdin=None):
    """The script as people start it; with the flag -S by an interpreter without site packages, so without
    pandas."""
    return subprocess.run([sys.executable, *flags, SCRIPTS / script, *map(str, arguments)],
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


def test_a_soak_whose_allocations_failed_does_not_pass(run):
    rows = [f"{5 * at},33000,{3 if at == 80 else 0}" for at in range(200)]
    text = "\n".join(["time_s,rss_kb,failed_allocs", *rows]) + "\n"
    done = run("analyze_soak.py", "-", "--gate", stdin=text)
    assert done.code == 2 and "soak: STABLE" in done.out
    assert "FAILED        3 allocations: memory that was refused cannot drift" in done.out


def test_soak_of_a_folder_json(run, ab_folder):
    found = json.loads(run("analyze_soak.py", ab_folder, "--format", "json").out)
    assert len(found) == 10 and found["subject a, allocator hakmem, launch 0"]["verdict"] == "EXTEND"


def test_soak_with_other_names(run):
    text = "rss,ops_per_s\n" + "".join(f"33000,{1e8 + i}\n" for i in range(200))
    done = run("analyze_soak.py", "-", "--rss", "rss", "--epoch-s", "30", stdin=text)
    assert done.code == 0 and "STABLE" in done.out


@pytest.mark.parametrize("time, rss", [
    ("time_ms", "rss_kb"), ("time_us", "rss_bytes"), ("time_ns", "rss_mb"), ("time_s", "rss_b"),
    ("t", "rss")])
def test_soak_takes_the_units_that_the_names_of_columns_end_in(run, soak_csv, time, rss):
    per_s = {"time_ms": 1e3, "time_us": 1e6, "time_ns": 1e9}.get(time, 1)
    per_kb = {"rss_bytes": 1024, "rss_b": 1024, "rss_mb": 1 / 1024}.get(rss, 1)
    table = np.genfromtxt(soak_csv, delimiter=",", names=True)
    rows = "".join(f"{at * per_s:.0f},{kb * per_kb!r},{(kb + 8) * per_kb!r}\n"
                   for at, kb in zip(table["time_s"].tolist(), table["rss_kb"].tolist()))
    own = json.loads(run("analyze_soak.py", soak_csv, "--format", "json").out)["soak"]
    found = json.loads(run("analyze_soak.py", "-", "--time", time, "--rss", rss, "--format", "json",
                           stdin=f"{time},{rss},peak_{rss}\n{rows}").out)["soak"]
    assert found["verdict"] == own["verdict"] == "DRIFT"
    for key in ("slope_kb_per_h", "rss_first_kb", "span_s"):
        assert found[key] == pytest.approx(own[key], rel=1e-6)
    assert found["rss_peak_kb"] == pytest.approx(own["rss_peak_kb"] + 8, rel=1e-6)


def test_epoch_tail_takes_the_units_too(run):
    found = json.loads(run("analyze_epoch_tail_csv.py", "-", "--ns", "us_per_op", "--format", "json",
                           stdin="us_per_op\n2\n4\n").out)[""]
    assert found["ns_per_op"]["worst"] == 4000 and found["ops_per_s"]["worst"] == 250_000
    found = json.loads(run("analyze_epoch_tail_csv.py", "-", "--throughput", "ops_per_ms", "--format",
                           "json", stdin="ops_per_ms\n500\n250\n").out)[""]
    assert found["ns_per_op"]["worst"] == 4000 and found["ops_per_s"]["worst"] == 250_000
    done = run("calculate_percentiles.py", "-", "--column", "ops_per_ms", stdin="ops_per_ms\n1\n2\n3\n")
    assert "(low end)" in done.out


@pytest.mark.parametrize("script, arguments, words", [
    ("analyze_epoch_tail_csv.py", ("-",), "no column 'ops_per_s'"),
    ("calculate_percentiles.py", ("-", "--column", "z"), "no column 'z'"),
    ("analyze_soak.py", ("-",), "no values in a column 'rss_kb'")])
def test_foreign_input_is_one_line(run, script, arguments, words):
    done = run(script, *arguments, stdin="a,b\n1,2\n")
    assert done.code == 1 and done.err.count("\n") == 1 and words in done.err


@pytest.mark.parametrize("mark, named", [(";", "';'"), ("\t", "'\\t'"), ("|", "'|'")])
@pytest.mark.parametrize("script, arguments", [
    ("analyze_epoch_tail_csv.py", ()), ("calculate_percentiles.py", ("--column", "rss")),
    ("analyze_soak.py", ("--rss", "rss"))])
def test_another_separator_is_named(run, script, arguments, mark, named):
    done = run(script, "-", *arguments, stdin=f"time_s{mark}rss\n1{mark}2\n")
    assert done.code == 1 and done.err.count("\n") == 1
    assert f"as if {named} separated the columns; put commas there" in done.err and ":1: " in done.err


@pytest.mark.parametrize("text, words", [
    ("time_s,rss\n", "no row below the header line"),
    ("kind,time_s,rss\n", "no throughput epoch below the header line"),
    ("time_s,memory\n1,2\n", "no values in a column 'rss'; the header line has: time_s, memory; name yours"),
    ("time_s,memory\n", "the header line has: time_s, memory; name yours")])
def test_soak_says_what_is_in_a_file_without_memory(run, text, words):
    done = run("analyze_soak.py", "-", "--rss", "rss", stdin=text)
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


@pytest.mark.parametrize("cell", ["inf", "-inf", "+Infinity", "nan", "NaN", "1e999"])
@pytest.mark.parametrize("script", sorted(MAINS))
def test_what_is_no_finite_number_is_refused(run, script, cell):
    done = run(script, "-", *CALLS[script], stdin=HEADER + EPOCHS + f"a,{cell},7,33000\n")
    assert done.code == 1 and done.out == "" and done.err.count("\n") == 1
    assert "standard input:42: column 'ops_per_s' holds '" in done.err and "number; correct" in done.err


@pytest.mark.parametrize("script, arguments", [
    ("analyze_epoch_tail_csv.py", ()), ("calculate_percentiles.py", ("--column", "ops_per_s"))])
def test_infinity_in_a_folder_names_file_and_line(run, spoiled, script, arguments):
    path = spoiled / "epochs.csv"
    lines = path.read_text().splitlines(keepends=True)
    cells = lines[7].split(",")
    cells[lines[0].split(",").index("ops_per_s")] = "inf"
    path.write_text("".join([*lines[:7], ",".join(cells), *lines[8:]]))
    for source in (spoiled, path):
        done = run(script, source, *arguments)
        assert done.code == 1 and done.out == "" and done.err.count("\n") == 1
        assert f"{path}:8: column 'ops_per_s' holds 'inf', not a finite number; correct" in done.err


@pytest.mark.parametrize("cell", ["-5", "-1e-9"])
@pytest.mark.parametrize("script", sorted(MAINS))
def test_a_negative_throughput_is_refused(run, script, cell):
    done = run(script, "-", *CALLS[script], stdin=HEADER + EPOCHS + f"a,{cell},200,33000\n")
    assert done.code == 1 and done.out == "" and done.err.count("\n") == 1
    assert f"standard input:42: column 'ops_per_s' holds '{float(cell):g}', which cannot be" in done.err


@pytest.mark.parametrize("script, arguments, text", [
    ("analyze_epoch_tail_csv.py", (), "ns_per_op\n9\n-9\n"),
    ("analyze_epoch_tail_csv.py", ("--ns", "cost"), "cost\n9\n-9\n"),
    ("calculate_percentiles.py", ("--column", "us_per_op"), "us_per_op\n9\n-9\n"),
    ("analyze_soak.py", (), "time_s,rss_kb,syscalls,ops\n0,5,9,9\n5,5,-9,9\n")])
def test_other_negative_rates_and_counts_are_refused(run, script, arguments, text):
    done = run(script, "-", *arguments, stdin=text)
    assert done.code == 1 and done.err.count("\n") == 1 and "standard input:3: column '" in done.err
    assert "holds '-9', which cannot be negative; correct that line or remove it" in done.err


def test_columns_that_may_be_negative_are_taken(run):
    done = run("calculate_percentiles.py", "-", "--column", "change_kb", stdin="change_kb\n-9\n4\n")
    assert done.code == 0 and "-9" in run("calculate_percentiles.py", "-", "--column", "change_kb", "--tail",
                                          "low", stdin="change_kb\n-9\n4\n").out
    rows = "".join(f"{at - 100},{at % 2 - 1}\n" for at in range(40))
    assert run("analyze_soak.py", "-", "--rss", "rss_above_base_kb", stdin=f"time_s,rss_above_base_kb\n{rows}"
               ).code == 0


@pytest.mark.parametrize("script", sorted(MAINS))
def test_closed_standard_input_is_one_line(script):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, SCRIPTS / script, "-", *CALLS[script]],
        text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{script}: error: standard input is closed; name a file\n"


# ---- soak_kill_matrix.py, with a program that only sleeps in place of hakbench

@pytest.fixture
def sleeper(tmp_path):
    path = tmp_path / "sleeper"
    path.write_text(f"#!/bin/sh\n>'{tmp_path}/started'\nexec sleep 60\n")
    path.chmod(0o755)
    return path


def test_the_kill_matrix_looks_first_whether_it_can_write(sleeper, tmp_path):
    place = tmp_path / "none" / "x.json"
    done = run_process("soak_kill_matrix.py", "--cases", 1, "--hakbench", sleeper, "--json", place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"soak_kill_matrix.py: error: {place}: cannot be written (No such file or "
                           "directory); name another with --json\n")
    assert not (tmp_path / "started").exists()


def test_ctrl_c_ends_the_kill_matrix_with_one_line(sleeper, tmp_path):
    def interruptible():
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen([sys.executable, SCRIPTS / "soak_kill_matrix.py", "--hakbench", sleeper, "--json",
                           tmp_path / "x.json", "--cases", "5", "--kind", "SIGTERM"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, preexec_fn=interruptible,
                          env={**os.environ, "TMPDIR": str(tmp_path)}) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "started").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "soak_kill_matrix.py: interrupted after 0 of 5 cases; nothing is written\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sleeper", "started"]


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
        done = run_process("analyze_soak.py", "-", flags=["-S"], stdin=stream)
    assert done.returncode == 0 and "DRIFT" in done.stdout and "720 epochs" in done.stdout


def strict_json(text):
    """As other readers take it: NaN and Infinity are errors."""
    def refuse(word):
        raise ValueError(word)
    return json.loads(text, parse_constant=refuse)


def test_json_is_json_where_values_are_missing(run):
    text = "subject,ops_per_s,quarantined\na,5,0\nb,6,1\nc,0,0\n"
    found = strict_json(run("analyze_epoch_tail_csv.py", "-", "--format", "json", stdin=text).out)
    assert found["b"]["ops_per_s"]["rows"] == 0 and found["b"]["ops_per_s"]["p50"] is None
    done = run("calculate_percentiles.py", "-", "--column", "x", "--by", "g", "--format", "json",
               stdin="x,g\n1,a\n,b\n")
    by_group = strict_json(done.out)
    assert by_group["b"]["p50"] is None and by_group["a"]["p50"] == 1


def test_an_epoch_of_0_ops_is_counted_and_makes_no_infinity(run):
    text = "ops_per_s\n" + "1e9\n" * 9 + "0\n"
    done = run("analyze_epoch_tail_csv.py", "-", stdin=text)
    assert "1 epoch of 0 ops/s" in done.out and "inf" not in done.out and done.err == ""
    found = strict_json(run("analyze_epoch_tail_csv.py", "-", "--format", "json", stdin=text).out)[""]
    assert found["at_zero"] == 1 and found["ops_per_s"]["worst"] == 0
    cost = found["ns_per_op"]
    assert (cost["rows"], cost["missing"], cost["worst"]) == (9, 1, 1)


def test_nothing_but_quarantine_is_called_that(run):
    text = "ops_per_s,quarantined\n" + "1e8,1\n" * 5
    done = run("analyze_epoch_tail_csv.py", "-", stdin=text)
    assert done.code == 1 and done.err.count("\n") == 1
    assert "5 are quarantined" in done.err and "--keep-quarantined" in done.err
    kept = run("analyze_epoch_tail_csv.py", "-", "--keep-quarantined", stdin=text)
    assert kept.code == 0 and "all epochs: 5 epochs" in kept.out


def test_an_empty_cell_is_a_group_too(run):
    text = "x,g\n1,a\n2,\n3,a\n4,\n5,\n"
    found = json.loads(run("calculate_percentiles.py", "-", "--column", "x", "--by", "g", "--format", "json",
                           stdin=text).out)
    assert {name: group["rows"] for name, group in found.items()} == {"a": 2, "(none)": 3}


def test_groups_come_in_the_order_of_their_first_rows(run):
    text = "subject,allocator,ops_per_s\n" + "b,q,1\nb,p,2\na,q,3\nb,q,4\n,p,5\n" * 3
    found = json.loads(run("analyze_epoch_tail_csv.py", "-", "--format", "json", stdin=text).out)
    assert list(found) == ["q (b)", "p (b)", "q (a)", "p ()"] and found["q (b)"]["ops_per_s"]["rows"] == 6
    found = json.loads(run("calculate_percentiles.py", "-", "--column", "ops_per_s", "--by", "subject",
                           "--format", "json", stdin=text).out)
    assert list(found) == ["b", "a", "(none)"]


CALLS = {"analyze_epoch_tail_csv.py": (), "calculate_percentiles.py": ("--column", "ops_per_s"),
         "analyze_soak.py": ()}
HEADER = "subject,ops_per_s,time_s,rss_kb\n"
EPOCHS = "".join(f"a,{1e8 + i},{i * 5},33000\n" for i in range(40))


@pytest.mark.parametrize("groups", ["", "allocator", "subject,allocator", "subject,allocator,launch"])
@pytest.mark.parametrize("script", sorted(MAINS))
def test_no_script_makes_a_library_warn(tmp_path, script, groups):
    """As a process with -W error, by none of the columns that a CSV may have for groups, one and several; the
    one is what scripts/soak_mixed_rss.sh writes."""
    names = list(filter(None, groups.split(",")))
    path = tmp_path / "rss.csv"
    write_rows(path, ["run", "ops_per_s", "wall_time_s", "rss_kb", *names],
               [[at, 1e8 + at, at * 5, 33000, *("0" if name == "launch" else "x" for name in names)]
                for at in range(40)])
    done = run_process(script, path, *CALLS[script], flags=["-W", "error"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", sorted(MAINS))
def test_a_line_cut_off_is_no_row(run, script):
    whole = run(script, "-", *CALLS[script], stdin=HEADER + EPOCHS)
    cut = run(script, "-", *CALLS[script], stdin=HEADER + EPOCHS + "a,1")
    assert whole.code == 0 and whole.err == "" and cut.out == whole.out
    assert cut.err == "note: standard input: the last line is cut off; it is left out\n"
    unended = run(script, "-", *CALLS[script], stdin=HEADER + EPOCHS.rstrip("\n"))
    assert unended.out == whole.out and unended.err == ""


@pytest.mark.parametrize("script", sorted(MAINS))
def test_a_row_with_more_cells_than_the_header_is_named(run, script):
    for rows, line in ((EPOCHS + "b,2e8,200,33000,7\na,1\n", 42), ("b,2e8,200,33000,7,8\n" + EPOCHS, 2)):
        done = run(script, "-", *CALLS[script], stdin=HEADER + rows)
        assert done.code == 1 and done.out == "" and done.err.count("\n") == 1
        assert f"standard input:{line}: " in done.err and "cells where the header has 4" in done.err


@pytest.mark.parametrize("script, arguments", [
    ("calculate_percentiles.py", ("--column", "seq")), ("analyze_soak.py", ("--format", "json"))])
def test_of_a_folder_a_last_line_without_its_newline_is_left_out(run, spoiled, script, arguments):
    """With all its cells, the last perhaps shortened: as load_result does."""
    path = spoiled / "epochs.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    shorter = run(script, spoiled, *arguments)
    path.write_text("".join(lines)[:-1])
    cut = run(script, spoiled, *arguments)
    assert shorter.code == 0 and shorter.err == "" and cut.out == shorter.out
    assert cut.err == f"note: {path}: the last line is cut off; it is left out\n"
