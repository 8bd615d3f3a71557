"""hakbench triage over runs that are made up, with causes that are known."""
import json
import resource
import subprocess

import matplotlib
import pytest

from folders import make_folder
from hakmem_analysis import cli, triage, triage_page, triage_steps, triage_words

LIVE_KB = 105_000 / 1024  # what folders.make_folder says that the workload holds
OWNERS = {"live_blocks": 110, "slack": 300, "thread_caches": 90, "warm_empty_slabs": 32_768, "metadata": 60,
          "other_files": 1_500, "stacks": 12, "free_runs": 0}


class Machine:
    """A machine on which the allocator holds `design_kb`, and `warm_up_kb` more after any warm-up."""

    def __init__(self, design_kb=980, warm_up_kb=0, ledger=None, ledger_error=""):
        self.design_kb, self.warm_up_kb = design_kb, warm_up_kb
        self.ledger, self.ledger_error = ledger, ledger_error
        self.ran, self.captured = [], []

    def hakbench(self, words):
        self.ran.append(list(words))
        values = dict(zip(words, words[1:]))
        prefault = int(values.get("--prefault", 3_000_000))
        rss_kb = round(LIVE_KB) + self.design_kb + (self.warm_up_kb if prefault else 0)
        folder = make_folder(triage.Path(values["-o"]), (values["-a"],), (1.0,), rss_kb=(rss_kb,),
                             launches=int(values["--launches"]), epochs_of_single=4, seed=len(self.ran))
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["prefault_ops"] = prefault
        manifest["workload"]["params"].update(min_size=16, max_size=1039)
        manifest["subjects"][0].update(env={"HAKMEM_PROFILE": "mixed_balanced"}, init={"HAKMEM_DEPOT_KB": 64})
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return 0

    def capture(self, words, environment):
        self.captured.append((list(words), environment))
        if words[1] != "ledger":
            return subprocess.CompletedProcess(words, 0, "allocator hakmem_observe\n", "superslabs 1\n")
        if self.ledger is None:
            return subprocess.CompletedProcess(words, 1, "", f"hakbench: error: {self.ledger_error}\n")
        return subprocess.CompletedProcess(words, 0, json.dumps(self.ledger), "")


def ledger_of(owners):
    return {"rss_bytes": sum(owners.values()) * 1024, "residual_bytes": 0,
            "owners": [{"name": name, "bytes": kb * 1024, "doc": f"what {name} is"}
                       for name, kb in owners.items()]}


@pytest.fixture
def run(call, monkeypatch, tmp_path):
    """run(machine, *arguments) -> the call's outcome, with its folder and JSON."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("hakbench", triage_steps.DUMP_PROGRAM):
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("HAKBENCH", str(programs / "hakbench"))

    def runs(machine, *arguments):
        runner = triage_steps.Runner(machine.hakbench, machine.capture)
        done = call(lambda argv: cli.run_tool(triage.PROG, lambda words: triage._run(words, runner), argv),
                    "-o", tmp_path / "out", "--format", "json", *arguments)
        done.folder = tmp_path / "out"
        done.found = json.loads(done.out) if done.out else None
        return done
    return runs


def test_a_run_that_fails_at_once_leaves_no_folder(run):
    machine = Machine()
    machine.hakbench = lambda words: 1
    done = run(machine)
    assert done.code == 1 and "failed with exit code 1" in done.err
    assert not done.folder.exists()


@pytest.mark.parametrize("machine, verdict, words", [
    (Machine(980), "allocator_design", "hardly falls without warm-up"),
    (Machine(32_768), "allocator_design", "the allocator adds 32.0 MB"),
    (Machine(100, 32_768), "benchmark", "falls by 32.0 MB"),
    (Machine(10_000, 30_000), "both", "the warm-up makes 29.3 MB"),
    (Machine(50), "none", "hardly more than the 103 kB")])
def test_verdict(run, machine, verdict, words):
    done = run(machine)
    assert done.code == 0 and done.err == ""
    assert done.found["verdict"] == verdict and words in done.found["conclusion"]


def test_the_three_runs_differ_in_the_warm_up_only(run):
    machine = Machine()
    run(machine, "--profile", "quick", "--ws", "500", "--duration", "5m", "--", "--seed", "7")
    base, off, fixed = machine.ran
    assert "--prefault" not in base and "--ops" not in base
    assert " ".join(base).startswith("run -a hakmem --profile quick --ws 500 --seed 7 --epoch 5 --epochs "
                                     "6 --launches 10 --warmup 0 -o ")
    for words, prefault in ((off, "0"), (fixed, "20000000")):
        at = words.index("--ops")
        assert words[at:at + 4] == ["--ops", "30000000", "--prefault", prefault]
        assert words[:at] == base[:base.index("-o")]


def test_the_benchmarks_own_warm_up(run):
    machine = Machine()
    run(machine, "--prefault", "99", "--ops", "1000")
    assert [words[words.index("--prefault") + 1] for words in machine.ran] == ["99", "0", "20000000"]
    assert machine.ran[0][machine.ran[0].index("--ops") + 1] == "1000"


def test_the_ledger_divides_what_the_allocator_holds(run):
    machine = Machine(33_000, ledger=ledger_of(OWNERS))
    done = run(machine)
    assert done.found["ledger"]["owners"][3] == {"name": "warm_empty_slabs", "bytes": 32_768 * 1024,
                                                 "doc": "what warm_empty_slabs is"}
    assert done.found["no_ledger_because"] is None
    # a lean profile gives 32768 kB back; 90 kB wait in magazines, 300 + 60 are in use
    assert any("reach up to 32.0 MB (" in line and "the 90 kB that wait" in line
               and "the 360 kB in pages" in line for line in done.found["advice"])
    assert any(line.startswith("Memory-lean lowers it: ") for line in done.found["advice"])
    page = (done.folder / triage_page.PAGE).read_text()
    assert page.index("warm\\_empty\\_slabs") < page.index("other\\_files") and "free\\_runs" not in page
    assert (done.folder / triage_page.PICTURE).stat().st_size > 20_000


@pytest.mark.parametrize("owners, reached", [
    ({"thread_caches": 500, "never_used": 400, "depot_transfer": 200}, "0 kB"),
    ({"thread_caches": 900, "warm_empty_slabs": 40, "free_runs": 60}, "100 kB")])
def test_a_lean_profile_is_not_praised_for_what_it_does_not_reach(run, owners, reached):
    done = run(Machine(980, ledger=ledger_of({**OWNERS, "warm_empty_slabs": 0, **owners})))
    assert not any("Memory-lean lowers it" in line for line in done.found["advice"])
    assert any(line.startswith(f"A lean profile hardly lowers it here: it reaches {reached} (")
               for line in done.found["advice"])


def test_neither_heaps_nor_the_ledger_count_as_the_process(run, call, monkeypatch):
    owners = {"other_files": 2700, "stacks": 92, "heaps": 31, "metadata": 100, "ledger": 68}
    done = run(Machine(980, ledger=ledger_of(owners)))
    page = (done.folder / triage_page.PAGE).read_text()
    assert "292 kB of it are libraries, stacks and the harness" in page
    assert "68 kB are the ledger's own, in step 2 only" in page
    assert any("the 131 kB in pages that live blocks share and in metadata" in line
               for line in done.found["advice"])
    bars, _ = colours_of(done.folder, call, monkeypatch)
    assert "heaps" in bars and "ledger" not in bars


def test_without_a_ledger_it_is_open_what_a_lean_profile_reaches(run):
    advice = run(Machine(ledger_error="unknown command 'ledger'")).found["advice"]
    assert any(line.startswith("Memory-lean may lower it: ") for line in advice)


def test_large_depots_are_what_a_lean_profile_cuts():
    ledger = triage_steps.Ledger(ledger_of({"depot_transfer": 5_256, "thread_caches": 90, "free_runs": 4}))
    kb = triage_words.sums(ledger)
    assert (kb["lean"], kb["idle"]) == (5_004, 346)


def test_step_2_runs_what_step_0_ran(run):
    machine = Machine(ledger=ledger_of(OWNERS))
    done = run(machine)
    (dump, dump_environment), (ledger, _) = machine.captured
    assert dump[1:] == ["20000000", "400", "1", "16", "1039"]
    assert dump_environment == {"HAKMEM_PROFILE": "mixed_balanced", "HAKMEM_DEPOT_KB": "64",
                                "HAKMEM_BENCH_PREFAULT": "3000000", **triage_steps.DUMPS}
    assert " ".join(ledger[1:]) == (
        "ledger -a hakmem_observe -w random_mixed --seed 1 --threads 1 --param ws=400 --param min_size=16 "
        "--param max_size=1039 --init HAKMEM_DEPOT_KB=64 --env HAKMEM_PROFILE=mixed_balanced --prefault "
        "3000000 --ops 20000000 --format json")
    assert (done.folder / triage_steps.DUMP_FILE).read_text().endswith("superslabs 1\n")


def test_without_a_ledger_it_goes_on(run):
    done = run(Machine(ledger_error="unknown command 'ledger'"))
    assert done.code == 0 and done.found["verdict"] == "allocator_design" and done.found["ledger"] is None
    assert done.found["no_ledger_because"] == "hakbench ledger failed: unknown command 'ledger'"


@pytest.mark.parametrize("output", [{"owners": []}, [], "x"])
def test_a_ledger_that_is_none(run, output):
    done = run(Machine(ledger=output))
    assert done.code == 0 and done.found["no_ledger_because"] == "hakbench ledger printed no ledger"


def test_a_foreign_allocator_has_no_step_2(run):
    machine = Machine()
    done = run(machine, "-a", "mimalloc")
    assert machine.captured == []
    assert done.found["no_ledger_because"] == "there is no statistics build of mimalloc"
    assert not any("memory_lean" in line or "mixed_speed" in line for line in done.found["advice"])
    assert "hakbench ab --a hakmem --b mimalloc" in done.found["advice"][-1]


@pytest.mark.parametrize("name, path, typed", [
    ("mine", "/opt/my lib/mine.so", "'mine=/opt/my lib/mine.so'"),
    ("mimalloc", "plugins/mimalloc.so", "mimalloc"), ("hakmem@lean", "plugins/hakmem.so", "hakmem@lean"),
    ("before@lean", "/tmp/hakmem.so", "before=/tmp/hakmem.so@lean")])
def test_an_allocator_named_by_its_path_is_so_in_what_to_type(name, path, typed):
    assert triage.as_typed({"label": "a", "allocator": name, "path": path}) == typed


def test_what_is_to_be_typed_has_the_path(run, monkeypatch):
    monkeypatch.setattr(triage, "as_typed", lambda subject: "mine=/opt/mine.so")
    advice = run(Machine(), "-a", "mine").found["advice"]
    assert "hakbench ab --a hakmem --b mine=/opt/mine.so -w " in advice[-1]


def test_an_allocator_with_a_profiles_settings(run):
    machine = Machine(33_000, ledger=ledger_of(OWNERS))
    done = run(machine, "-a", "hakmem@mixed_speed_first")
    assert machine.ran[0][2] == "hakmem@mixed_speed_first" and done.found["ledger"]
    assert machine.captured[1][0][3] == "hakmem_observe"
    assert "hakbench ab --a hakmem@memory_lean_dontneed --b hakmem@mixed_sp" in done.found["advice"][-1]


def test_judging_again_gives_the_same(run, call):
    first = run(Machine(33_000, ledger=ledger_of(OWNERS)))
    again = call(triage.main, "--judge", first.folder, "--format", "json")
    assert again.out == first.out and again.code == 0


def test_a_triage_that_does_not_fit_leaves_the_one_before(run, call):
    folder = run(Machine(33_000, ledger=ledger_of(OWNERS))).folder
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        done = call(triage.main, "--judge", folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1 and done.err.count("\n") == 1
    assert done.err.endswith(f"make its folder writable; repeat with --judge {folder}\n")
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_text_for_people(run, call):
    folder = run(Machine(33_000, ledger=ledger_of(OWNERS))).folder
    shown = call(triage.main, "--judge", folder).out
    assert shown.startswith("ALLOCATOR DESIGN: ") and "warm_empty_slabs" in shown
    assert f"report: {folder / triage_page.PAGE}" in shown


def colours_of(folder, call, monkeypatch):
    """(bar labels -> colour and hatch, the axis) of the stacks, drawn again."""
    drawn = []
    monkeypatch.setattr(triage_page.plt, "close", drawn.append)
    assert call(triage.main, "--judge", folder).code == 0
    axis = drawn[-1].axes[0]
    return {bars.get_label(): (bars.patches[0].get_facecolor(), bars.patches[0].get_hatch())
            for bars in axis.containers}, axis


@pytest.mark.parametrize("warm_up_kb", [0, 400])
def test_the_picture_begins_above_the_process_in_fixed_colours(run, call, monkeypatch, warm_up_kb):
    folder = run(Machine(980, warm_up_kb, ledger=ledger_of({**OWNERS, "warm_empty_slabs": 0}))).folder
    found, axis = colours_of(folder, call, monkeypatch)
    assert (triage_page.WARM_UP in found) == bool(warm_up_kb)
    assert "own 2500 kB is" in axis.get_title(loc="left") and "own" not in "".join(found)
    assert axis.get_ylim()[1] < 2000
    green = triage_page.LOOKS[triage_page.OWN_DESIGN][0]
    assert matplotlib.colors.to_hex(found[triage_page.OWN_DESIGN][0]).upper() == green
    assert {"live_blocks", "slack", "thread_caches", "metadata"} <= set(found)
    assert len({style for name, style in found.items() if name != triage_page.NEED}) == len(found) - 1


def test_every_owner_of_the_picture_has_a_look_of_its_own():
    owners = ("live_blocks", *triage_words.LEAN, *triage_words.IDLE, *triage_words.IN_USE)
    parts = (triage_page.WARM_UP, triage_page.OWN_DESIGN, triage_page.PROCESS_MORE)
    assert len({triage_page.LOOKS[name] for name in (*owners, *parts)}) == len(owners) + len(parts)
    assert set(triage_page.LOOKS) == {triage_page.NEED, *owners, *parts}


def test_too_noisy(run, monkeypatch):
    machine = Machine()
    made = machine.hakbench

    def noisy(words):
        machine.design_kb = 980
        made(words)
        path = triage.Path(words[words.index("-o") + 1]) / "epochs.csv"
        lines = path.read_text().splitlines()
        place = lines[0].split(",").index("peak_rss_above_base_kb")
        launch = lines[0].split(",").index("launch")
        rows = [line.split(",") for line in lines[1:]]
        for row in rows:
            row[place] = str(int(row[place]) + 900 * (int(row[launch]) % 2))
        path.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n")
        return 0
    monkeypatch.setattr(machine, "hakbench", noisy)
    done = run(machine, "--fail-on-inconclusive")
    assert done.code == 3 and done.found["verdict"] == "inconclusive"
    assert "the warm-up (" in done.found["conclusion"]
    assert "give more with --launches" in done.found["conclusion"]


def test_a_step_that_fails(run, monkeypatch):
    machine = Machine()
    monkeypatch.setattr(machine, "hakbench", lambda words: 1)
    done = run(machine)
    assert done.code == 1 and "step 0, hakbench run -a hakmem" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("arguments, words", [
    (("--duration", "soon"), "is no duration"), (("--launches", "2"), "whole number of 6"),
    (("--duration", "0s"), "is no duration"), (("--nonsense",), "unrecognized"),
    (("--judge", "/nowhere"), "no such folder"),
    (("--duration", "3", "--epoch", "5s"), "--duration 3 s has no room for 6 launches with an epoch of 5 s "
     "each; give a --duration of 30 s or more, or a shorter --epoch"),
    (("--duration", "3"), "an epoch of 5 s each"),
    (("--quick", "--epoch", "3s"), "--duration 15 s has no room"),
    (("--duration", "59s", "--launches", "12"), "60 s or more, fewer --launches, or a shorter --epoch")])
def test_bad_usage_is_one_line(call, arguments, words):
    done = call(triage.main, *arguments)
    assert done.code == 1 and done.out == "" and words in done.err and done.err.count("\n") == 1


def test_a_folder_that_is_there(run, tmp_path):
    (tmp_path / "out").mkdir()
    done = run(Machine())
    assert done.code == 1 and "is there already" in done.err


@pytest.mark.parametrize("duration_s, epoch_s, launches", [
    (300, 5, 10), (15, 0.25, 10), (10, 5, 6), (3600, 5, 20)])
def test_launches(duration_s, epoch_s, launches):
    assert triage.launches_for(duration_s, epoch_s) == launches


def test_a_duration_with_room_for_the_launches_only(run):
    machine = Machine()
    assert run(machine, "--duration", "1.5", "--epoch", "250ms").code == 0
    assert "--epochs 1 --launches 6" in " ".join(machine.ran[0])


def test_every_owner_has_a_group():
    named = ("live_blocks", *triage_words.LEAN, *triage_words.IDLE, *triage_words.IN_USE,
             *triage_words.PROCESS, *triage_words.TOOL)
    assert len(named) == len(set(named)) == 15
