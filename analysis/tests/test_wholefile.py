"""A result that cannot be written whole leaves the one before as it was, and gives one clear error."""
import contextlib
import json
import re
import resource
from pathlib import Path

import pytest

from folders import make_folder
from gate_runs import FakeHakbench
from hakmem_analysis import (app, app_runs, baseline, experiment, gate, report, scorecard_suite, selftest,
                             selftest_runs, wholefile)
from hakmem_analysis.errors import InputError
from hakmem_analysis.plot import plt
from soak_folders import make_soak

SOURCES = Path(wholefile.__file__).parent
SIDES = ("--candidate", "new", "--reference", "old")
# What grows line by line, what a measured program reads and says, and what is nowhere.
STREAMS = {"app_process.py", "app_programs.py", "app_runs.py", "gate.py", "selftest_runs.py",
           "selftest_soak.py", "streams.py"}


@contextlib.contextmanager
def short_files(limit_bytes=100):
    """Every file that is written ends in the middle: what a full disk does, with another error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file()}


def a_report(folder):
    make_folder(folder / "run")
    return lambda: report.write(report.build(folder / "run"), plot=True)


def a_report_of_a_soak(folder):
    make_soak(folder / "run", {"hakmem": lambda hours: 0.0})
    return lambda: report.write(report.build(folder / "run"), plot=True)


def a_suite(folder):
    suite = scorecard_suite.Suite(["a workload"] * 20, [], ["hakmem"])
    return lambda: scorecard_suite._write_suite(folder / "suite", suite)


def a_selftest(folder):
    settings = {"first_seed": 1, "counts": {"aa": 1}}
    return lambda: selftest.write(folder, settings, [])


def runs_of_a_selftest(folder):
    runs = folder / selftest_runs.RUNS_FILE
    runs.write_text(json.dumps({"words": "x" * 200}) + '\n{"cut')
    return lambda: selftest_runs.read_runs(folder)


def a_picture(folder):
    def draw():
        figure, _ = plt.subplots()
        plt.close(figure)
        wholefile.write_picture(folder / "history.png", figure, "name another")
    return draw


WRITERS = [a_report, a_report_of_a_soak, a_suite, a_selftest, a_picture]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_does_not_fit_leaves_the_one_before(tmp_path, writer):
    write = writer(tmp_path)
    write()
    before = contents(tmp_path)
    with short_files(), pytest.raises(InputError, match=r"cannot be written \(File too large\); ") as raised:
        write()
    assert "\n" not in str(raised.value)
    assert contents(tmp_path) == before
    write()


def test_runs_on_record_survive_a_repair_that_does_not_fit(tmp_path):
    write = runs_of_a_selftest(tmp_path)
    before = contents(tmp_path)
    with short_files(), pytest.raises(InputError, match="cannot be written"):
        write()
    assert contents(tmp_path) == before and len(write()) == 1


def test_an_apps_verdict_survives(tmp_path):
    outcome = app_runs.Outcome()
    app_runs.RunFile(tmp_path / "runs.csv").close()
    manifest = {"allocators": {}, "host": app.host(), "blocks": 6, "cpus": "0", "argv": []}
    app._finish(tmp_path, [], outcome, dict(manifest))
    before = contents(tmp_path)
    with short_files(), pytest.raises(InputError, match="cannot be written"):
        app._finish(tmp_path, [], outcome, dict(manifest))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("tool, options, file", [
    (gate, (*SIDES, "--json"), "gate.json"), (experiment, (*SIDES, "--gain", "1%", "--title", "T", "--lesson",
                                                           "L", "--record"), "note.md"),
    (baseline, ("--candidate", "new", "-o"), "base.json")])
def test_a_verdict_elsewhere_survives_and_the_run_is_named(tmp_path, monkeypatch, tool, options, file):
    """In the place of the old one is the old one; which folder holds the measurement is said."""
    monkeypatch.chdir(tmp_path)
    profile = tmp_path / "small.json"
    profile.write_text(json.dumps({"gate": {"looks": [6], "metrics": ["throughput"]}}))
    Path(file).write_text("good")
    monkeypatch.setattr(Path, "write_text", half_written(Path.write_text))
    folder = ("--folder" if tool is baseline else "-o", "out")
    words = rf"{file}: cannot be written \(No space left on device\); free space; the \w+ is kept in out"
    with pytest.raises(InputError, match=words):
        tool._run([*options, file, "-p", str(profile), *folder], command=FakeHakbench())
    assert Path(file).read_text() == "good" and not list(tmp_path.glob(".*"))


def half_written(write_text):
    """write_text() of what people named; the run's own files are written."""
    def write(path, content, **more):
        if any(name in path.name for name in ("gate.json", "note.md", "base.json")) and (
                path.parent.name != "out"):
            write_text(path, content[:len(content) // 2], **more)
            raise OSError(28, "No space left on device")
        return write_text(path, content, **more)
    return write


def test_a_picture_that_is_broken_off_leaves_no_file(tmp_path):
    def interrupt(path):
        path.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        wholefile.write(tmp_path / "file", interrupt, "mend")
    assert not contents(tmp_path)


def test_results_are_written_in_one_place():
    direct = re.compile(r"\.write_text\(|\.savefig\(|open\([^)]*[\"'][wa]b?[\"']|\.to_csv\([^)]*path")
    found = {path.name for path in SOURCES.glob("*.py")
             if any(direct.search(line.replace("wholefile.write_text(", ""))
                    for line in path.read_text().splitlines())}
    assert found - {"wholefile.py"} <= STREAMS
