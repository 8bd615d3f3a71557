"""Run a real program without and with libhakmem.so preloaded and compare what it says.

Standard library only, and runs under any python3. Exit codes: 0 the same, 1 own trouble,
2 a difference, 77 the program is not on this machine (the line names its package).
"""

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
FAILED = 2
PATIENCE_S = 120


class Difference(Exception):
    """The program behaved otherwise with the library preloaded."""


class Bench:
    """A scratch directory and the two ways to run a command in it."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(directory),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def run(self, command, *, preload, cwd=None, stdin=b"", check=True, settings=None):
        """Run `command` with `settings` in front of the environment; returns the CompletedProcess
        with bytes in stdout and stderr."""
        environment = {**(settings or {}), **self.environment}
        if preload:
            environment["LD_PRELOAD"] = self.options.library
        done = subprocess.run(
            command, cwd=cwd or self.directory, env=environment, input=stdin,
            capture_output=True, timeout=PATIENCE_S, check=False)
        if check and done.returncode != 0:
            how = "with the library preloaded" if preload else "on its own"
            raise Difference(
                f"{command[0]} ended with {done.returncode} {how}\n"
                f"{done.stderr.decode(errors='replace')[-2000:]}")
        return done

    def same(self, command, *, cwd=None, stdin=b"", check=True):
        """Run `command` both ways and demand the same exit code, output and errors."""
        plain = self.run(command, preload=False, cwd=cwd, stdin=stdin, check=check)
        loaded = self.run(command, preload=True, cwd=cwd, stdin=stdin, check=False)
        name = " ".join(str(part) for part in command)[:100]
        if loaded.returncode != plain.returncode:
            raise Difference(
                f"{name}: exit code {plain.returncode} alone, {loaded.returncode} preloaded\n"
                f"{loaded.stderr.decode(errors='replace')[-2000:]}")
        for stream in ("stdout", "stderr"):
            alone, preloaded = getattr(plain, stream), getattr(loaded, stream)
            if alone != preloaded:
                raise Difference(f"{name}: {stream} differs: {first_difference(alone, preloaded)}")
        return plain

    def write(self, name, text):
        """A file in the scratch directory; returns its path as text."""
        path = self.directory / name
        path.write_text(text)
        return str(path)


def first_difference(alone, preloaded):
    """The first line in which two outputs differ."""
    for number, (left, right) in enumerate(
            zip(alone.splitlines() + [b"<end>"], preloaded.splitlines() + [b"<end>"]), 1):
        if left != right:
            return f"line {number}: {left[:200]!r} alone, {right[:200]!r} preloaded"
    return "lengths"


def need(program, package):
    """Path of `program`, or skip the test."""
    path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
    if path is None:
        print(f"skipped: {program} is not installed (package {package})")
        sys.exit(SKIPPED)
    return path


def case_active(bench):
    """Every function of the family comes from the library, or the other cases prove nothing."""
    done = bench.run([bench.options.probe], preload=True)
    library = os.path.realpath(bench.options.library)
    for line in done.stdout.decode().splitlines():
        name, origin = line.split(" ", 1)
        if os.path.realpath(origin) != library:
            raise Difference(f"{name} comes from {origin}, not from libhakmem.so")


def case_early(bench):
    """Tiny programs, with next to no environment."""
    for program in ("true", "false", "echo", "pwd", "id"):
        bench.same([need(program, "coreutils")], check=False)
    bench.same([need("env", "coreutils"), "-i", "/bin/sh", "-c", "echo $((6 * 7))"])
    bench.same(["/bin/sh", "-c", "exit 7"], check=False)


def resident_kb(bench, **settings):
    """Anonymous resident memory of a small program under these settings, KiB."""
    done = bench.run([need("cat", "coreutils"), "/proc/self/status"], preload=True,
                     settings=settings)
    if done.stderr:
        raise Difference(f"{settings}: {done.stderr.decode(errors='replace')}")
    return int(re.search(rb"RssAnon:\s+(\d+) kB", done.stdout).group(1))


def case_profile(bench):
    """HAKMEM_PROFILE: a warm pool is resident or not; a variable of its own wins in any place."""
    speed = {"HAKMEM_PROFILE": "mixed_speed_first"}
    lean = {"HAKMEM_SS_MEM_LEAN": "1"}
    small = {"HAKMEM_SS_WARM_POOL_KB": "1024"}
    base_kb = resident_kb(bench)
    for more_kb, settings in (
            (0, {"HAKMEM_PROFILE": "mixed_balanced"}), (0, {"HAKMEM_PROFILE": "memory_lean_free"}),
            (0, {"HAKMEM_PROFILE": "memory_lean_dontneed"}), (2048, speed),
            (2048, {"HAKMEM_PROFILE": "MIXED_TINYV3_C7_SAFE"}), (0, {**speed, **lean}),
            (0, {**lean, **speed}), (1024, {**speed, **small}), (1024, {**small, **speed}),
            (1024, small), (1024, {**lean, **small}),
            (32 * 1024 - 512, {"HAKMEM_SS_WARM_POOL_KB": "32768"})):
        grown_kb = resident_kb(bench, **settings) - base_kb
        if not more_kb - 128 <= grown_kb <= more_kb + 256:
            raise Difference(f"{settings}: {grown_kb} KiB more are resident, not about {more_kb}")
    done = bench.run([need("cat", "coreutils"), "/dev/null"], preload=True,
                     settings={"HAKMEM_PROFILE": "fast"})
    said = done.stderr.decode(errors="replace")
    if said.count("\n") != 1 or "bad value in HAKMEM_PROFILE=fast" not in said:
        raise Difference(f"an unknown profile is not warned about in one line: {said!r}")


def case_ls(bench):
    """A large tree."""
    bench.same([need("ls", "coreutils"), "-lR", "/usr/include"], check=False)
    bench.same([need("find", "findutils"), "/usr/share", "-name", "*a*"], check=False)


def case_git(bench):
    """log, status, diff, repack with threads, fsck on a repository made here."""
    git = need("git", "git")
    for role in ("AUTHOR", "COMMITTER"):
        bench.environment[f"GIT_{role}_NAME"] = "Tester"
        bench.environment[f"GIT_{role}_EMAIL"] = "tester@example.org"
        bench.environment[f"GIT_{role}_DATE"] = "2020-01-01T00:00:00 +0000"
    bench.environment["GIT_CONFIG_NOSYSTEM"] = "1"
    repository = bench.directory / "repository"
    repository.mkdir()
    rng = random.Random(1)

    def make(*command):
        bench.run([git, *command], preload=False, cwd=repository)

    make("init", "-q", "-b", "main")
    for commit in range(12):
        for number in range(40):
            lines = [f"{rng.randrange(1000)} line {i}\n" for i in range(rng.randrange(200))]
            (repository / f"file{number}.txt").write_text("".join(lines))
        make("add", "-A")
        make("commit", "-q", "-m", f"Commit {commit}")
    (repository / "file3.txt").write_text("changed\n")
    (repository / "new.txt").write_text("new\n")
    for command in (["log", "-p", "--stat"], ["status"], ["diff"], ["log", "--graph", "--oneline"],
                    ["blame", "file7.txt"], ["grep", "-c", "line 1"]):
        bench.same([git, "--no-pager", *command], cwd=repository)
    bench.run([git, "repack", "-adfq", "--threads=2"], preload=True, cwd=repository)
    bench.same([git, "fsck", "--full", "--no-progress"], cwd=repository)
    bench.same([git, "--no-pager", "log", "-p"], cwd=repository)


def case_compile(bench):
    """g++ -O2 of a large generated file: the object code must be identical."""
    compiler = need("g++", "g++")
    parts = ["#include <algorithm>\n#include <map>\n#include <string>\n#include <vector>\n"]
    for i in range(14):
        parts.append(f"""
template <int N> struct Shape{i} {{
  static int area(int x) {{ return x * N + Shape{i}<N - 1>::area(x + 1); }}
}};
template <> struct Shape{i}<0> {{ static int area(int x) {{ return x; }} }};
int function{i}(std::map<int, std::string> &map, std::vector<int> &list) {{
  map[{i}] += std::to_string(Shape{i}<40>::area({i}));
  std::sort(list.begin(), list.end(), [](int a, int b) {{ return a % {i + 2} < b % {i + 2}; }});
  return static_cast<int>(map.size() + list.size());
}}
""")
    source = bench.write("large.cc", "".join(parts))
    objects = []
    for preload in (False, True):
        target = bench.directory / "large.o"
        bench.run([compiler, "-O2", "-std=c++17", "-c", source, "-o", str(target)], preload=preload)
        objects.append(target.read_bytes())
    if objects[0] != objects[1]:
        raise Difference("object code differs")


PYTHON_SCRIPT = """
import concurrent.futures, hashlib, json, re, subprocess, sys, threading, zlib

def work(seed):
    table = {}
    for i in range(60000):
        seed = (seed * 1103515245 + 12345) % 2**31
        table[seed % 20000] = str(seed) * (seed % 7)
        if seed % 5 == 0:
            table.pop(seed % 9973, None)
    text = json.dumps(sorted(table.items()))
    assert json.loads(text)
    packed = zlib.compress(text.encode())
    return hashlib.sha256(zlib.decompress(packed)).hexdigest(), len(re.findall('[13579]+', text))

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for line in pool.map(work, range(6)):
        print(line)
threads = [threading.Thread(target=bytearray, args=(i * 1000,)) for i in range(300)]
for t in threads: t.start()
for t in threads: t.join()
big = {i: [i] * 3 for i in range(300000)}
print(sum(len(v) for v in big.values()))
del big
for i in range(5):
    out = subprocess.run([sys.executable, '-c', f'print(sum(range({i} * 1000)))'], capture_output=True)
    print(out.stdout, out.stderr, out.returncode)
with concurrent.futures.ProcessPoolExecutor(2) as pool:
    print(list(pool.map(len, [b'x' * i for i in range(0, 100000, 9999)])))
print('done', file=sys.stderr)
"""


def case_python(bench):
    """Threads, sub-processes, forked workers, big dictionaries."""
    script = bench.write("script.py", PYTHON_SCRIPT)
    bench.environment["PYTHONHASHSEED"] = "0"
    bench.same([need("python3", "python3"), "-B", script])
    # Without Python's own small-object allocator in between.
    bench.environment["PYTHONMALLOC"] = "malloc"
    bench.same([need("python3", "python3"), "-B", script])


def case_python_limit(bench):
    """ulimit -v: MemoryError, and the interpreter goes on."""
    script = bench.write("limit.py", """
blocks = []
try:
    while True:
        blocks.append(bytearray(1 << 20))
except MemoryError:
    got = len(blocks)
    del blocks
print('MemoryError', got > 100)
print(len([bytearray(1 << 20) for i in range(got // 2)]) == got // 2)
try:
    bytearray(1 << 40)
except MemoryError:
    print('MemoryError')
""")
    python = need("python3", "python3")
    bench.same(["/bin/sh", "-c", f"ulimit -v {512 << 10}; exec {python} -B {script}"])


def case_perl(bench):
    """Hashes, sorting, regular expressions, string growth."""
    bench.environment["PERL_HASH_SEED"] = "0"
    script = bench.write("script.pl", r"""
use strict; use warnings;
my (%h, $s); my $x = 42;
for my $i (1 .. 300000) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  $h{"k" . ($x % 50000)} .= chr(97 + $x % 26);
  delete $h{"k" . ($x % 777)} if $x % 11 == 0;
}
my @sorted = sort { length($h{$b}) <=> length($h{$a}) || $a cmp $b } keys %h;
print "$_ $h{$_}\n" for @sorted[0 .. 200];
$s .= join(',', map { $_ * 2 } 1 .. 50) for 1 .. 2000;
my $n = () = $s =~ /(\d+),(\d+)/g;
print scalar(@sorted), " $n ", length($s), "\n";
if (my $pid = fork) { waitpid $pid, 0; print "child $?\n" } else { my @y = map { "x$_" } 1 .. 50000; exit 3 }
""")
    bench.same([need("perl", "perl"), script])


def case_lua(bench):
    """Tables, strings, closures, the collector."""
    script = bench.write("script.lua", """
local t, x = {}, 7
for round = 1, 12 do
  for i = 1, 30000 do
    x = (x * 1103515245 + 12345) % 2147483648
    t[x % 40000] = { tostring(x), string.rep('a', x % 50), function() return i end }
  end
  for i = 1, 40000, 3 do t[i] = nil end
  collectgarbage()
end
local keys = {}
for k in pairs(t) do keys[#keys + 1] = k end
table.sort(keys)
for i = 1, #keys, 500 do print(keys[i], t[keys[i]][1], #t[keys[i]][2], t[keys[i]][3]()) end
print(#table.concat(keys, ','))
""")
    bench.same([need("lua5.4", "lua5.4"), script])


def case_sqlite(bench):
    """200,000 rows in memory and in a file: insert, index, group, update, delete, vacuum."""
    sqlite = need("sqlite3", "sqlite3")
    statements = """
create table t(id integer primary key, k integer, s text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)
  insert into t select i, (i * 7919) % 10007, printf('%0*d', 10 + i % 40, i) from n;
create index t_k on t(k, s);
select k, count(*), max(s) from t group by k order by 2 desc, 1 limit 20;
update t set s = s || 'x' where k % 5 = 0;
delete from t where k % 7 = 0;
select count(*), sum(length(s)), min(s), max(s) from t;
select a.id, b.id from t a join t b on a.k = b.k and a.id < b.id where a.id < 100 order by 1, 2 limit 30;
LAST_STEP
pragma integrity_check;
"""
    bench.same([sqlite, ":memory:"], stdin=statements.replace("LAST_STEP", "").encode())
    outputs = []
    for preload in (False, True):
        database = bench.directory / f"database{int(preload)}"
        done = bench.run([sqlite, str(database)], preload=preload,
                         stdin=statements.replace("LAST_STEP", "vacuum;").encode())
        outputs.append((done.stdout, done.stderr, database.read_bytes()))
    if outputs[0] != outputs[1]:
        raise Difference("the database in a file, or what was read from it, differs")


def case_redis(bench):
    """A preloaded redis-server, measured and asked by clients that are not preloaded."""
    server = need("redis-server", "redis-server")
    client = need("redis-cli", "redis-tools")
    benchmark = need("redis-benchmark", "redis-tools")
    socket = bench.directory / "redis.sock"
    environment = dict(bench.environment, LD_PRELOAD=bench.options.library)
    with open(bench.directory / "redis.log", "wb") as log:
        process = subprocess.Popen(
            [server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no",
             "--dir", str(bench.directory), "--io-threads", "2"],
            cwd=bench.directory, env=environment, stdout=log, stderr=log)
    try:
        wait_until(socket.exists, process, "redis-server did not open its socket")
        maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
        if os.path.basename(bench.options.library).split(".so")[0] not in maps:
            raise Difference("libhakmem.so is not in the server's address space")
        ask = [client, "-s", str(socket)]

        def reply(*command, stdin=b""):
            return bench.run([*ask, *command], preload=False, stdin=stdin).stdout.decode()

        done = bench.run([benchmark, "-s", str(socket), "-n", "20000", "-r", "5000", "-P", "16", "-c", "20",
                          "-d", "100", "-q", "-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,mset"],
                         preload=False)
        text = done.stdout.decode().replace("\r", "\n")
        finished = re.findall(r"^(\w+).*: [\d.]+ requests per second", text, re.M)
        if len(finished) < 9 or b"rror" in done.stdout + done.stderr:
            raise Difference(f"redis-benchmark: {text[-500:]}")
        values = {f"value:{i}": str(i) * (i % 300 + 1) for i in range(3000)}
        replies = reply(stdin="".join(f"SET {k} {v}\n" for k, v in values.items()).encode())
        if replies.split() != ["OK"] * len(values):
            raise Difference("a SET was not answered OK")
        reply("--raw", stdin=b"".join(b"APPEND value:%d %s\n" % (i, b"z" * i) for i in range(0, 3000, 3)))
        for i in range(0, 3000, 3):
            values[f"value:{i}"] += "z" * i
        # A forked child writes the snapshot while the parent goes on.
        if "Background" not in reply("BGSAVE"):
            raise Difference("BGSAVE was refused")
        got = reply("--raw", stdin="".join(f"GET {k}\n" for k in values).encode()).splitlines()
        if got != list(values.values()):
            raise Difference("a GET returned another value than was SET")
        wait_until(lambda: "rdb_bgsave_in_progress:0" in reply("INFO", "persistence"), process,
                   "the snapshot's child did not end")
        if "rdb_last_bgsave_status:ok" not in reply("INFO", "persistence"):
            raise Difference("the snapshot failed")
        bench.run([*ask, "SHUTDOWN", "NOSAVE"], preload=False, check=False)
        if process.wait(PATIENCE_S) != 0:
            raise Difference(f"redis-server ended with {process.returncode}")
    except Exception:
        sys.stderr.write((bench.directory / "redis.log").read_text()[-2000:])
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until(condition, process, failure):
    """Poll until `condition()`; Difference if the process ends first or patience does."""
    end = time.monotonic() + PATIENCE_S / 4
    while not condition():
        if process.poll() is not None:
            raise Difference(f"the server ended with {process.returncode}")
        if time.monotonic() > end:
            raise Difference(failure)
        time.sleep(0.02)


def case_pipeline(bench):
    """A shell with many small processes."""
    bench.same([need("bash", "bash"), "-c", r"""
for i in $(seq 1 200); do echo "$i $((i * 7919 % 1009))"; done | sort -k2n |
  awk '{s += $2; print $1, s}' | tail -n 50
declare -A map; for i in {1..5000}; do map[k$((i % 700))]+=$i; done; echo ${#map[@]} ${#map[k3]}
seq 1 20000 | sed 's/1/one/g' | grep -c one | tr -d '\n' | od -c; cat < <(seq 3) <(seq 4) | wc -l
x=$(for i in {1..60}; do (echo "$i") & done; wait); echo "$x" | sort -n | cksum
"""])


def case_sort(bench):
    """sort with two threads, and gzip there and back, on a few megabytes."""
    rng = random.Random(2)
    text = "".join(f"{rng.getrandbits(64):x} {i}\n" for i in range(150_000))
    path = bench.write("lines.txt", text)
    bench.same([need("sort", "coreutils"), "--parallel=2", "-S", "4M", path])
    bench.same([need("gzip", "gzip"), "-c", "-n", path])
    bench.same([need("tar", "tar"), "--sort=name", "--mtime=@0", "-c", "lines.txt"])


def case_cxx(bench):
    """Static destructors, exceptions, over-aligned new, dlopen: program.cc."""
    for _ in range(3):
        bench.same([bench.options.program, bench.options.plugin])


def case_replaces(bench):
    """A program with operators new and delete of its own, and not all of them."""
    bench.same([bench.options.replaces])


def case_host(bench):
    """new without memory in a C++ library that a C program has opened."""
    bench.same([bench.options.host, bench.options.plugin])


def case_forks(bench):
    """fork with handlers that allocate, of a library that begins before anybody has allocated."""
    bench.same([bench.options.forks])


CASES = {name[len("case_"):]: function
         for name, function in globals().items() if name.startswith("case_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=sorted(CASES))
    for name, what in (("library", "libhakmem.so"), ("probe", "hakmem_preload_probe"),
                       ("program", "hakmem_preload_program"), ("plugin", "its plugin"),
                       ("replaces", "hakmem_preload_replaces"),
                       ("host", "hakmem_preload_host"), ("forks", "hakmem_preload_forks")):
        parser.add_argument(f"--{name}", required=True, help=f"path of {what}")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="hakmem-preload-") as directory:
        try:
            CASES[options.case](Bench(options, directory))
        except (Difference, subprocess.TimeoutExpired) as difference:
            print(f"{options.case}: {difference}", file=sys.stderr)
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
