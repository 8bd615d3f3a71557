"""What all tools share: standard streams of every kind, Ctrl-C, and JSON that every reader takes."""
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hakmem_analysis import cli

SOURCE = Path(__file__).resolve().parents[1] / "src"


@pytest.mark.parametrize("verdict, words, code", [
    ("gate failed", 1, 2), ("no end of words", 1_000_000, 1)])
def test_a_reader_that_went_away_makes_no_pass(verdict, words, code):
    """A short answer is lost after main has returned its code, a long one before."""
    program = ("import sys; from hakmem_analysis import cli; "
               f"sys.exit(cli.run_tool('tool', lambda argv: print({verdict!r} * {words}) or 2))")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True,
                          env={**environment, "PYTHONPATH": str(SOURCE)}, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, "")


def run_program(main: str, shell: str = "", **environment):
    """cli.run_tool() with that expression as main, under redirections as a shell writes them."""
    program = ("import sys; from hakmem_analysis import cli; "
               f"sys.exit(cli.run_tool('tool', lambda argv: {main}))")
    names = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(["sh", "-c", f'exec "$0" -c "$1" {shell}', sys.executable, program], check=False,
                          capture_output=True, env={**names, "PYTHONPATH": str(SOURCE), **environment})


HELP = "cli.make_parser('tool', 'words ' * {}, '').parse_args(['--help'])"
INPUT_ERROR = "print('words') or cli.share('--x', 'y')"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("main", ["print('a') or 2", "print('a' * 1_000_000) or 2", HELP.format(1)])
def test_standard_output_that_is_full_is_one_line(main, unbuffered):
    """A short answer fails when it is flushed, a long one while main runs."""
    done = run_program(main, ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr.decode()) == (
        1, "tool: error: cannot write to standard output: No space left on device; make room, or send it "
        "elsewhere\n")


def test_an_error_and_a_full_standard_output_are_both_told():
    done = run_program(INPUT_ERROR, ">/dev/full")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 2 and b"--x y is no share" in done.stderr


def test_help_is_quiet_where_the_reader_went_away():
    done = run_program(HELP.format(1), "| true")
    assert done.stderr == b""


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize("main, code", [
    ("print('a') or sys.stderr.write('b' * 99_999) and 2", 2), (INPUT_ERROR, 1), (HELP.format(9), 0)])
def test_a_stream_that_is_closed_changes_no_exit_code(main, code, shell):
    done = run_program(main, shell)
    assert done.returncode == code and b"Traceback" not in done.stderr


def test_no_file_gets_the_number_of_a_stream_that_is_closed(tmp_path):
    main = f"open({str(tmp_path / 'x')!r}, 'w').fileno()"
    assert run_program(main, "<&- >&- 2>&-").returncode > 2


@pytest.mark.parametrize("environment, name, seen", [
    ({"PYTHONIOENCODING": "ascii"}, "\\xfc\\u20ac", b"\\xfc\\u20ac"),
    ({"PYTHONIOENCODING": "ascii"}, "\\udcc3\\udcbcx\\xfc", b"\xc3\xbcx\\xfc"),
    ({"PYTHONIOENCODING": "utf-8"}, "\\xfc\\udcff", b"\xc3\xbc\xff"),
    ({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "\\udcc3\\udcbc", b"\xc3\xbc")])
def test_a_name_that_cannot_be_written_is_written_all_the_same(environment, name, seen):
    """As a file's name: in its own bytes where they are no text, else as Python writes it."""
    done = run_program(f"print('{name}') or sys.stderr.write('{name}\\n') and 0", **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, seen + b"\n", seen + b"\n")


SLOW_TOOL = """
import sys
sys.path.insert(0, {source!r})
import hakmem_analysis
from hakmem_analysis import start
hakmem_analysis.__path__.append({folder!r})
sys.exit(start.tool("slow", "main"))
"""
SLOW_MODULE = """
import os, time
from hakmem_analysis import cli

def wait(place):
    if place == {place!r}:
        os.write(1, b"x")
        time.sleep(60)

def run(argv):
    try:
        wait("main")
    finally:
        print("tidied up")
    return 0

def main():
    return cli.run_tool("slow", run)

wait("import")
"""


@pytest.mark.parametrize("place, said", [("import", b""), ("main", b"tidied up\n")])
@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_is_quiet_from_the_start(tmp_path, place, said, ignored):
    (tmp_path / "slow.py").write_text(SLOW_MODULE.format(place=place).replace("60", "1" if ignored else "60"))
    program = SLOW_TOOL.format(source=str(SOURCE), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(
                              signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)) as process:
        assert process.stdout.read(1) == b"x"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert err == b""
    assert (process.returncode, out) == ((0, b"tidied up\n") if ignored else (130, said))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_tool_that_is_ended_tidies_up(tmp_path, number, ignored):
    module = SLOW_MODULE.format(place="main")
    (tmp_path / "slow.py").write_text(module.replace("60", "1" if ignored else "60"))
    program = SLOW_TOOL.format(source=str(SOURCE), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(
                              number, signal.SIG_IGN if ignored else signal.SIG_DFL)) as process:
        assert process.stdout.read(1) == b"x"
        for _ in range(2):  # as timeout(1) does
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0 if ignored else 128 + number, b"tidied up\n", b"")


STARTER = """
from hakmem_analysis import binary, cli

def main():
    return cli.run_tool("slow", lambda argv: binary.run(
        ["sh", "-c", "trap 'echo ended; exit 3' TERM; printf x; while :; do sleep 0.02; done"]).returncode)
"""


def test_what_a_tool_started_is_ended_with_it_and_waited_for(tmp_path):
    (tmp_path / "slow.py").write_text(STARTER)
    program = SLOW_TOOL.format(source=str(SOURCE), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.read(1) == b"x"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30)[0] == b"ended\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_json_has_null_for_what_is_no_finite_number():
    content = {"a": [1.5, math.nan, {"b": np.float64("inf")}], "c": (None, "NaN", 3)}
    assert json.loads(cli.json_text(content)) == {"a": [1.5, None, {"b": None}], "c": [None, "NaN", 3]}


def usage(call, *arguments, **option):
    """What a tool with that --x and a folder says of its arguments."""
    def main(argv):
        parser = cli.make_parser("tool", "", "")
        parser.add_argument("folder", nargs="?")
        parser.add_argument("--x", **option)
        return parser.parse_args(argv).x == "" or 2

    done = call(main, *arguments)
    return done.code, done.err


@pytest.mark.parametrize("arguments, name", [(["--x="], "--x"), (["--x", ""], "--x"), ([""], "folder")])
@pytest.mark.parametrize("option", [{}, {"action": "append", "default": []}, {"default": "y"}])
def test_an_empty_value_is_wrong_usage(call, arguments, name, option):
    code, words = usage(call, *arguments, **option)
    assert (code, words) == (1, f"tool: error: argument {name}: has an empty value; give one, or leave it "
                             "out; see tool --help\n")


def test_an_empty_value_is_taken_where_it_is_the_default(call):
    assert usage(call, "--x=", default="") == (True, "")


def test_a_file_that_cannot_be_written_is_told_before(call, tmp_path, monkeypatch):
    def told(path):
        return usage(call, "--x", path, type=cli.file_to_write)

    assert told(tmp_path / "new.json") == (2, "")
    (tmp_path / "old.json").touch()
    assert told(tmp_path / "old.json") == (2, "")
    monkeypatch.chdir(tmp_path)
    assert told("new.json") == (2, "")
    assert told(tmp_path) == (1, f"tool: error: argument --x: {tmp_path} is a folder; name a file; see tool "
                              "--help\n")
    assert told(tmp_path / "no" / "a.json") == (
        1, f"tool: error: argument --x: there is no folder {tmp_path}/no to write a.json into; make it, or "
        "name another file; see tool --help\n")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert told("old.json")[1].startswith("tool: error: argument --x: old.json may not be written;")
