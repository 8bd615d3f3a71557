"""Lines made by a process of its own: what is read and said is what NarrowLines gives."""
import contextlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hakmem_analysis import csvahead, csvfile
from hakmem_analysis.errors import InputError
from test_csvnarrow import HEADER, LATE, PLAIN, read


@pytest.fixture
def ahead(monkeypatch):
    """Even small files are read ahead; the processes that were started for it."""
    started, begin = [], csvahead.start

    def start(*arguments):
        started.append(begin(*arguments))
        return started[-1]

    monkeypatch.setattr(csvahead, "LEAST_BYTES", 1)
    monkeypatch.setattr(csvahead, "start", start)
    monkeypatch.setattr(csvfile, "BLOCK_BYTES", 500)
    monkeypatch.setattr(csvfile, "CHUNK_ROWS", 30)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return started


@pytest.mark.parametrize("late", LATE)
def test_both_ways_read_the_same_and_say_the_same(ahead, monkeypatch, tmp_path, late):
    path, found = tmp_path / "x.csv", []
    path.write_bytes("".join([HEADER, *PLAIN[:151], LATE[late], *PLAIN[151:], "1,p,,,7"]).encode(
        "utf-8", "surrogateescape"))
    for least in (csvahead.LEAST_BYTES, 1 << 30):
        monkeypatch.setattr(csvahead, "LEAST_BYTES", least)
        found.append(read(path))
    assert found[0] == found[1]
    assert ahead[0] is not None and ahead[1] is None
    # The lines before the block that is not plain came from the process, unless an error came first.
    assert isinstance(found[0], str) or ahead[0].rows >= 130


def test_the_rest_is_read_by_the_reader_itself(ahead, tmp_path):
    """The process stops at the first block that is not plain, 500 bytes long."""
    path = tmp_path / "x.csv"
    path.write_text("".join([HEADER, *PLAIN[:150], LATE["a quoted cell"], *PLAIN[150:]]))
    assert len(read(path)) == 201
    assert 130 < ahead[0].rows < 150 and ahead[0].row == ahead[0].rows - 1
    with open(path, "rb") as stream:
        stream.seek(ahead[0].begin)
        assert stream.readline().decode() == PLAIN[ahead[0].row]


def test_only_a_large_file_and_a_second_cpu_start_a_process(ahead, monkeypatch, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("".join([HEADER, *PLAIN]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert len(read(path)) == 200
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(csvahead, "LEAST_BYTES", path.stat().st_size)  # the header line is no part of it
    assert len(read(path)) == 200
    monkeypatch.setattr(csvahead, "LEAST_BYTES", 1)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python3")
    assert len(read(path)) == 200
    assert ahead == [None] * 3


def test_a_pipe_has_no_process(ahead, tmp_path):
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        cat.stdin.write("".join([HEADER, *PLAIN]).encode())
        cat.stdin.close()
        assert len(read(f"/dev/fd/{cat.stdout.fileno()}")) == 200
    assert ahead == [None]


def endless(code: str) -> csvahead.LinesAhead:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return csvahead.LinesAhead("x.csv", process)


@pytest.mark.parametrize("code, reason", [
    ("import os; os.kill(os.getpid(), 9)", "signal 9"),
    ("raise MemoryError('no room')", "MemoryError: no room"),
    ("import sys; sys.exit('Input/output error')", "Input/output error")])
def test_a_process_that_fails_is_an_error(code, reason):
    with contextlib.closing(endless(code)) as lines, pytest.raises(InputError) as raised:
        lines.read(1)
    assert str(raised.value) == f"x.csv: the process that reads it ahead failed ({reason}); try again"


def test_the_error_passes_through_the_parser(ahead, monkeypatch, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("".join([HEADER, *PLAIN]))
    monkeypatch.setattr(csvahead, "PROGRAM", "import sys; sys.exit('no room')")
    assert read(path).endswith("the process that reads it ahead failed (no room); try again")


def test_closing_ends_the_process():
    lines = endless("while True: print('1,2')")
    assert lines.read(4) == b"1,2\n"
    lines.close()
    assert lines._process.returncode == -signal.SIGKILL


def test_the_process_ends_with_its_reader(tmp_path, monkeypatch):
    """As after kill -9: nobody closes, the pipe just has no reader any more."""
    monkeypatch.setattr(csvahead, "LEAST_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    path = tmp_path / "x.csv"
    path.write_text("1,2,3,4\n" * 500_000)
    with open(path, "rb") as stream:
        process = csvahead.start("x.csv", stream, 4, [1], 1 << 18)._process
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=60) == -signal.SIGPIPE
    process.stderr.close()


def test_a_file_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(csvahead, "LEAST_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    status = SimpleNamespace(st_mode=0o100644, st_size=1 << 30)
    monkeypatch.setattr(os, "fstat", lambda _: status)
    stream = SimpleNamespace(fileno=lambda: 0, tell=lambda: 0, name=str(tmp_path / "gone.csv"))
    with contextlib.closing(csvahead.start("gone.csv", stream, 3, [1], 500)) as lines:
        with pytest.raises(InputError, match="No such file"):
            lines.read(1)


def test_a_user_s_module_is_not_imported(ahead, monkeypatch, tmp_path):
    """A random.py in the working folder is none of ours."""
    (tmp_path / "random.py").write_text("raise SystemExit('mine')")
    (tmp_path / "signal.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.csv"
    path.write_text("".join([HEADER, *PLAIN]))
    assert len(read(path)) == 200 and ahead[0].rows == 200
