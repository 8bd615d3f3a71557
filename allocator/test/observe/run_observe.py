"""Run a program with libhakmem-observe.so preloaded and read its dumps and ledgers.

Standard library only, and runs under any python3. Exit codes: 0 as wanted, 1 own trouble,
2 a dump or ledger is wrong, 77 this machine cannot set the case up (the line says why).
"""

import argparse
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile

SKIPPED = 77
FAILED = 2
PATIENCE_S = 120
COUNT, BYTES = 2000, 640    # held by the program at its end
MANY = 60_000               # blocks in more pages than are looked at in one call
MOST_RESIDUAL_BYTES = 64 * 1024
DUMPS = ("HAKMEM_TINY_MEM_DUMP", "HAKMEM_SS_STATS_DUMP", "HAKMEM_WARM_POOL_STATS")
SIGNAL = str(int(signal.SIGUSR2))


class Wrong(Exception):
    """What the library wrote is not what it should be."""


def expect(condition, what):
    """Wrong(what) unless `condition`."""
    if not condition:
        raise Wrong(what)


class Bench:
    """A scratch directory and a way to run the program in it."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.ledger = self.directory / "ledger.json"

    def run(self, *arguments, count=COUNT, **settings):
        """Standard error of the program, under these settings. It must end well and print nothing."""
        done = subprocess.run(
            [self.options.program, *arguments, str(count), str(BYTES)], cwd=self.directory,
            env={"LD_PRELOAD": self.options.library, "LC_ALL": "C.UTF-8", **settings},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
        if done.returncode == SKIPPED:
            print(done.stdout.decode(errors="replace"), end="")
            sys.exit(SKIPPED)
        said = done.stderr.decode(errors="replace")
        expect(done.returncode == 0, f"ended with {done.returncode}: {said}")
        expect(not done.stdout, f"printed {done.stdout!r}")
        return said

    def run_with_ledger(self, *arguments, **settings):
        """Standard error and the ledger in the file (None: it wrote none)."""
        said = self.run(*arguments, HAKMEM_LEDGER_DUMP=str(self.ledger), **settings)
        left = sorted(path.name for path in self.directory.iterdir())
        expect(left in ([], [self.ledger.name]), f"unfinished files are left: {left}")
        return said, json.loads(self.ledger.read_text()) if left else None


def check_reconciled(ledger, most_residual_bytes=MOST_RESIDUAL_BYTES):
    """The owners of a ledger file add up to RSS."""
    expect("owners" in ledger, f"no owners: {ledger}")
    total = sum(owner["bytes"] for owner in ledger["owners"])
    expect(total + ledger["residual_bytes"] == ledger["rss_bytes"], f"the sum is another: {ledger}")
    expect(abs(ledger["residual_bytes"]) <= most_residual_bytes,
           f"residual {ledger['residual_bytes']} bytes")
    live = next(owner["bytes"] for owner in ledger["owners"] if owner["name"] == "live_blocks")
    expect(live >= COUNT * BYTES, f"{live} bytes of live blocks, and {COUNT * BYTES} are held")


def case_silent(bench):
    """Nothing is written that was not asked for."""
    expect(bench.run() == "", "it said something")
    expect(list(bench.directory.iterdir()) == [], "it wrote a file")


def case_other_build(bench):
    """The build without counters names each of these settings once, and writes nothing."""
    settings = {**{name: "1" for name in DUMPS}, "HAKMEM_LEDGER_SIGNAL": SIGNAL}
    said, ledger = bench.run_with_ledger(LD_PRELOAD=bench.options.plain_library, **settings)
    expect(ledger is None, f"it wrote {ledger}")
    for name in (*settings, "HAKMEM_LEDGER_DUMP"):
        expect(said.count(f"{name} is only in the observe build, ignored\n") == 1, f"{name}: {said}")


def case_dumps(bench):
    """Each of the three tables has the figures of what the program holds, and comes alone."""
    blocks, slabs, warm = (bench.run(**{name: "1"}) for name in DUMPS)
    row = re.search(rf"^ *{BYTES} .*$", blocks, re.M)
    expect(row, f"no line for {BYTES} bytes:\n{blocks}")
    cells = dict(zip(blocks.splitlines()[1].split(), row.group(0).split()))
    expect(int(cells["allocs"]) - int(cells["frees"]) >= COUNT, f"its figures: {cells}")
    owners = {name: float(kib) for name, kib in re.findall(r"^(\w+) +(-?[\d.]+) kB", blocks, re.M)}
    expect(owners["live_blocks"] >= COUNT * BYTES / 1024, f"live blocks: {owners}")
    rss_kib = owners.pop("RSS")
    expect(abs(sum(owners.values()) - rss_kib) < 1, f"the owners are not RSS: {owners}")
    expect(abs(owners["residual"]) <= MOST_RESIDUAL_BYTES / 1024, f"residual: {owners}")
    full = re.search(r"small slabs, full +(\d+)", slabs)
    expect(full and int(full.group(1)) > 0, f"no full slab:\n{slabs}")
    expect("purge delay" in warm, f"no purge delay:\n{warm}")
    everything = bench.run(**{name: "1" for name in DUMPS})
    heads = [text.splitlines()[0] for text in (blocks, slabs, warm)]
    for head in heads:
        for text, own in ((blocks, heads[0]), (slabs, heads[1]), (warm, heads[2])):
            expect((head in text) == (head == own), f"{head!r} in the wrong table")
        expect(everything.count(head) == 1, f"{head!r} is not there once")


def case_ledger(bench):
    """The file at exit; %p is the process's number; the file of the run before is replaced."""
    bench.ledger.write_text("old")
    said, ledger = bench.run_with_ledger()
    expect(said == "", f"it said {said!r}")
    check_reconciled(ledger)
    bench.ledger.unlink()
    bench.run(HAKMEM_LEDGER_DUMP="of-%p.json")
    (path,) = bench.directory.iterdir()
    expect(path.name == f"of-{json.loads(path.read_text())['pid']}.json", f"its name: {path.name}")


def case_signal(bench):
    """The ledger is there while the program runs, and again at its end."""
    asked = {"HAKMEM_LEDGER_SIGNAL": SIGNAL}
    said, ledger = bench.run_with_ledger("--ask", SIGNAL, str(bench.ledger), **asked)
    expect(said == "", f"it said {said!r}")
    check_reconciled(ledger)


def case_signal_refused(bench):
    """Settings that cannot work are named once, and the program runs."""
    said = bench.run(HAKMEM_LEDGER_SIGNAL=SIGNAL)
    expect(said.count("\n") == 1 and "set HAKMEM_LEDGER_DUMP to a file too" in said, said)
    for arguments, number, mend in (((), str(int(signal.SIGKILL)), "choose another signal"),
                                    (("--without", "threads"), SIGNAL, "no room for a thread")):
        said, ledger = bench.run_with_ledger(*arguments, HAKMEM_LEDGER_SIGNAL=number)
        expect(mend in said, f"signal {number}: {said!r}")
        check_reconciled(ledger)
        bench.ledger.unlink()


def case_file_refused(bench):
    """A place that cannot be written, or a name too long: one line, and no file."""
    said = bench.run(HAKMEM_LEDGER_DUMP=str(bench.directory / "missing" / "ledger.json"))
    expect(said.count("\n") == 1 and "must name a file" in said, said)
    said = bench.run(HAKMEM_LEDGER_DUMP="x" * 1024)
    expect(said.count("\n") == 1 and "bad value in HAKMEM_LEDGER_DUMP" in said, said)
    (bench.ledger / "something").mkdir(parents=True)
    said = bench.run(HAKMEM_LEDGER_DUMP=str(bench.ledger))
    expect(said.count("\n") == 1 and "it is no regular file" in said, said)
    pipe = bench.directory / "pipe"
    os.mkfifo(pipe)
    said = bench.run(HAKMEM_LEDGER_DUMP=str(pipe))
    expect("it is no regular file" in said and stat.S_ISFIFO(pipe.stat().st_mode), said)
    pipe.unlink()
    left = [path.name for path in bench.directory.iterdir()]
    expect(left == [bench.ledger.name], f"unfinished files are left: {left}")


def case_disk_full(bench):
    """A full disk: one line, and no file."""
    said, ledger = bench.run_with_ledger("--limit", "size")
    expect(said.count("\n") == 1 and "the disk full?" in said and ledger is None, said)


def case_old_kernel(bench):
    """Without the kernel's scan of the page table its entries are read, with the same outcome."""
    said, ledger = bench.run_with_ledger("--without", "scan", count=MANY)
    expect(said == "", f"it said {said!r}")
    check_reconciled(ledger, most_residual_bytes=0)


def case_no_source(bench):
    """A ledger that cannot be had says why, in the text and in the file; the rest is printed."""
    for arguments, why in ((("--limit", "files"), "/proc/self/maps can't be read"),
                           (("--limit", "memory"), "there is no memory for the ledger"),
                           (("--without", "ioctl"), "/proc/self/pagemap can't be read")):
        said = bench.run(*arguments, HAKMEM_TINY_MEM_DUMP="1")
        expect(f"hakmem: no RSS ledger: {why}" in said, f"{arguments}: {said}")
        expect(re.search(rf"^ *{BYTES} ", said, re.M), f"{arguments}: no classes:\n{said}")
    # Both are asked for, and the first that fails leaves no lock behind.
    said, ledger = bench.run_with_ledger("--limit", "memory", HAKMEM_TINY_MEM_DUMP="1")
    expect("there is no memory for the ledger" in said, said)
    expect(list(ledger) == ["error"] and "no memory" in ledger["error"], f"the file: {ledger}")


CASES = {name[len("case_"):]: function
         for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=sorted(CASES))
    for name, what in (("library", "libhakmem-observe.so"), ("plain-library", "libhakmem.so"),
                       ("program", "hakmem_observed")):
        parser.add_argument(f"--{name}", required=True, type=os.path.abspath, help=f"path of {what}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hakmem-observe-") as directory:
        try:
            CASES[options.case](Bench(options, directory))
        except (Wrong, subprocess.TimeoutExpired) as wrong:
            print(f"{options.case}: {wrong}", file=sys.stderr)
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
