"""The real programs of `hakbench app`: what each does, with inputs made here from fixed seeds.

Boundary    A Program prepares its inputs in a folder once and then runs there any number of times; a command
            of the user's runs in the user's directory.
Invariants  The same input each time, so that the output must be the same under every allocator. None of these
            reads the network or writes outside its folder.
"""
from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from .app_inputs import INPUTS
from .app_process import Measurement, ProgramFailed, measure_server, run_process, serving
from .errors import InputError

CLIENT_PATIENCE_S = 300
# What redis is asked after the fixed load, and the traffic that follows.
QUESTIONS = ("DBSIZE", "LRANGE list:7 0 -1", "GET key:77", "HLEN hash:3")
TRAFFIC = ("redis-benchmark", "-q", "-n", "60000", "-r", "20000", "-d", "100", "-P", "16", "-t",
           "set,get,lpush,hset")


@dataclass(frozen=True)
class Cpus:
    """CPUs of what is measured, and of a client that drives it."""

    subject: Sequence[int]
    client: Sequence[int]


@dataclass(frozen=True)
class Program:
    """A command that runs to its end. `needs`: executable -> Debian package. `models`: one line. `here`: it
    runs in the caller's directory, not in its own folder."""

    name: str
    models: str
    needs: dict
    command: Sequence[str]
    stdin: str = ""
    writes: tuple = ()
    here: bool = False

    def missing(self) -> list:
        return [f"{name} (package {package})" for name, package in self.needs.items()
                if not shutil.which(name)]

    def prepare(self, folder: Path) -> None:
        maker = INPUTS.get(self.name)
        if maker is not None:
            name, text = maker()
            (folder / name).write_text(text, encoding="utf-8")

    def run(self, environment: dict, folder: Path, cpus: Cpus) -> Measurement:
        return run_process(self.command, environment, folder, cpus.subject, self.stdin or None, self.writes,
                           self.here)


class Redis(Program):
    """redis-server: a fixed load first, whose answers are compared, then redis-benchmark. What is measured is
    the server; the clients are not preloaded and run on other CPUs."""

    def run(self, environment: dict, folder: Path, cpus: Cpus) -> Measurement:
        socket = str(folder / "socket")
        pin = ["taskset", "-c", ",".join(map(str, cpus.client))]
        ask = ["redis-cli", "-s", socket]

        def client(words: Sequence[str], stdin=None, stdout=subprocess.DEVNULL, may_fail=False) -> int:
            try:
                done = subprocess.run([*pin, *words], stdin=stdin or subprocess.DEVNULL, stdout=stdout,
                                      stderr=subprocess.DEVNULL, timeout=CLIENT_PATIENCE_S, check=False)
            except subprocess.TimeoutExpired:
                raise ProgramFailed(f"{words[0]} had no answer within {CLIENT_PATIENCE_S} s; does the server "
                                    "hang?") from None
            if done.returncode != 0 and not may_fail:
                raise ProgramFailed(f"{words[0]} ended with exit code {done.returncode}; is the server "
                                    "alive?")
            return done.returncode

        def load() -> None:
            with open(folder / "commands", "rb") as commands, open(folder / "answers", "wb") as answers:
                client([*ask, "--pipe"], stdin=commands, stdout=answers)
                for question in QUESTIONS:
                    client([*ask, *question.split()], stdout=answers)
            client([*TRAFFIC, "-s", socket])

        command = [*self.command, "--unixsocket", socket]
        with serving(command, environment, folder, cpus.subject,
                     lambda: client([*ask, "PING"], may_fail=True) == 0) as server:
            return measure_server(server, load, [folder / "answers"])


PROGRAMS = (
    Program("g++", "a compiler: many small blocks that live to the end, in a process of its own",
            {"g++": "g++"}, ("g++", "-std=c++17", "-O1", "-c", "program.cc", "-o", "program.o"),
            writes=("program.o",)),
    Program("python3", "an interpreter with an allocator of its own over malloc: dicts, strings, JSON",
            {}, (sys.executable, "-B", "-s", "program.py")),
    Program("perl", "an interpreter with many small strings and hashes", {"perl": "perl"},
            ("perl", "program.pl")),
    Program("lua", "an interpreter driven by realloc: tables, strings, garbage collection",
            {"lua5.4": "lua5.4"}, ("lua5.4", "program.lua")),
    Program("sqlite3", "a database in memory: inserts, indices, joins",
            {"sqlite3": "sqlite3"}, ("sqlite3", ":memory:"), stdin="program.sql"),
    Redis("redis", "a server under a fixed load and redis-benchmark (CPU time of the server)",
          {"redis-server": "redis-server", "redis-benchmark": "redis-tools", "taskset": "util-linux"},
          ("redis-server", "--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")),
)


def choose(names: str) -> list:
    """The programs of a list "g++,lua"; "" for all that this machine has. Raises InputError."""
    known = {program.name: program for program in PROGRAMS}
    if not names:
        return [program for program in PROGRAMS if not program.missing()]
    chosen = []
    for name in names.split(","):
        if name not in known:
            raise InputError(f"--programs: there is no program '{name}'; there are {', '.join(known)}, and "
                             "any command of yours behind --")
        missing = known[name].missing()
        if missing:
            raise InputError(f"program {name} needs {', '.join(missing)}; install it, or leave {name} out")
        chosen.append(known[name])
    return chosen


def own_command(words: Sequence[str]) -> Program:
    return Program(Path(words[0]).name, "a command of the user's", {}, tuple(words), here=True)
