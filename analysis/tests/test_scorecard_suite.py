"""hakbench scorecard --measure: what is run, kept, left out and noted. No process is started."""
import json
from pathlib import Path

import pytest

from hakmem_analysis import scorecard, scorecard_suite
from hakmem_analysis.errors import InputError
from hakmem_analysis.scorecard_suite import BATCHES, STANDARD, Suite, measure, read_suite

ALL = {entry.workload for entry in STANDARD}


class FakeHakbench:
    """Writes the folder that is asked for; fails under the (workload, allocator) pairs that it is told."""

    def __init__(self, failing=()):
        self.failing, self.calls = set(failing), []

    def __call__(self, words):
        self.calls.append(list(words))
        folder = Path(words[words.index("-o") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        if words[0] == "app":
            (folder / "verdict.json").write_text("{}")
            workload, names = "app", []
        elif words[0] == "micro":
            names = [name for flag, name in zip(words, words[1:]) if flag == "-a"]
            if "--force" not in words and any(folder.iterdir()):
                return 1
            for name in names:
                (folder / f"{name}.json").write_text("{}")
            return 0
        else:
            workload = words[words.index("-w") + 1]
            flags = ("-a", "--a", "--b", "--c", "--d", "--e")
            names = [name for flag, name in zip(words, words[1:]) if flag in flags]
        failed = any((workload, name) in self.failing for name in names)
        if {"--ops", "--duration"} <= set(words):  # which hakbench refuses
            return 1
        (folder / "manifest.json").write_text(json.dumps({"status": "failed" if failed else "complete"}))
        return 1 if failed else 0

    @property
    def measured(self):
        return [words[words.index("-o") + 1].rsplit("/", 1)[1] for words in self.calls if words[0] != "run"]


def run(folder, hakbench, pattern="", known=ALL, minutes=15.0, **more):
    more.setdefault("plugins", lambda: set(scorecard_suite.ALLOCATORS))
    return measure(folder, minutes, pattern, command=hakbench, known=lambda: known, **more)


def test_the_suite_is_what_was_promised():
    names = [entry.name for entry in STANDARD]
    assert len(set(names)) == len(names) >= 15 and len(scorecard_suite.ALLOCATORS) == 5
    names = [entry.name for entry in BATCHES]
    assert len(set(names)) == len(names) == 5 * 4 * 3
    assert BATCHES[0].arguments == ("--param", "size=16", "--param", "count=100", "--param", "order=0")


def test_the_batches_of_other_allocators(tmp_path):
    hakbench = FakeHakbench()
    suite = run(tmp_path, hakbench, "_64b_x100_", allocators=("hakmem", "new=/new.so"), suite_name="batches")
    assert suite.measured == ["batch_64b_x100_lifo", "batch_64b_x100_fifo", "batch_64b_x100_shuffled"]
    words = hakbench.calls[0]
    assert words[:5] == ["ab", "--a", "hakmem", "--b", "new=/new.so"]
    assert words[words.index("--latency") + 1] == "0"
    assert read_suite(tmp_path) == suite
    with pytest.raises(InputError, match="holds a suite of hakmem, new=/new.so; name these"):
        run(tmp_path, hakbench, "_64b_x100_", suite_name="batches")


def test_everything_is_measured_once(tmp_path):
    hakbench = FakeHakbench()
    suite = run(tmp_path, hakbench)
    assert hakbench.measured == suite.measured == [*(entry.name for entry in STANDARD), "app", "micro"]
    assert not suite.notes
    words = hakbench.calls[0]
    assert words[:11] == ["ab", "--a", "hakmem", "--b", "mimalloc", "--c", "jemalloc", "--d", "tcmalloc",
                          "--e", "glibc"]
    assert words[words.index("--latency") + 1] == "1"
    assert read_suite(tmp_path) == suite
    again = FakeHakbench()
    assert run(tmp_path, again) == suite and not again.calls


def test_a_folder_that_is_not_complete_is_measured_anew(tmp_path):
    suite = run(tmp_path, FakeHakbench(), "larson|growth")
    (tmp_path / "larson" / "manifest.json").write_text('{"status": "running"}')
    (tmp_path / "larson" / "old").write_text("")
    hakbench = FakeHakbench()
    assert sorted(run(tmp_path, hakbench, "larson|growth").measured) == sorted(suite.measured)
    assert hakbench.measured == ["larson"] and not (tmp_path / "larson" / "old").exists()


def test_a_micro_suite_that_was_interrupted_is_measured_anew(tmp_path):
    (tmp_path / "micro").mkdir()
    (tmp_path / "micro" / "hakmem.json").write_text("{}")
    (tmp_path / "micro" / "mimalloc.json.part").write_text("{}")
    suite = run(tmp_path, FakeHakbench(), "micro")
    assert suite.measured == ["micro"] and not suite.notes


def test_two_at_once_in_one_folder_are_one_too_many(tmp_path):
    """The second would take what the first measures for broken off, and remove it."""
    hakbench, second = FakeHakbench(), FakeHakbench()

    def meanwhile(words):
        with pytest.raises(InputError, match="^another process is measuring in .*; wait for it, or end it$"):
            run(tmp_path, second, "larson")
        return hakbench(words)

    assert run(tmp_path, meanwhile, "larson").measured == ["larson"]
    assert not second.calls and run(tmp_path, second, "fleet").measured == ["larson", "fleet"]


def test_another_filter_keeps_what_is_there(tmp_path):
    run(tmp_path, FakeHakbench({("larson", "glibc")}), "larson")
    suite = run(tmp_path, FakeHakbench(), "^growth")
    assert suite.measured == ["larson", "growth"] and suite.notes == ["larson: FAILED under glibc"]


def test_an_unknown_workload_is_left_out_with_a_note(tmp_path):
    suite = run(tmp_path, FakeHakbench(), "fleet|larson", known={"larson"})
    assert suite.measured == ["larson"]
    assert suite.notes == ["fleet: left out, this hakbench has no such workload"]
    assert run(tmp_path, FakeHakbench(), "fleet").measured == ["larson", "fleet"]
    assert not read_suite(tmp_path).notes


def test_an_allocator_that_fails_is_left_out_and_the_rest_goes_on(tmp_path):
    hakbench = FakeHakbench({("huge", "tcmalloc")})
    suite = run(tmp_path, hakbench, "huge|fleet")
    assert suite.measured == ["huge", "fleet"] and suite.notes == ["huge: FAILED under tcmalloc"]
    final = [words for words in hakbench.calls if words[0] == "ab" and "huge" in words][-1]
    assert "tcmalloc" not in final and "glibc" in final


def test_an_allocator_that_is_not_there_is_refused_before_anything_is_measured(tmp_path):
    hakbench = FakeHakbench()
    with pytest.raises(InputError, match="no plugin tcmalloc here .* say --allocators "
                                         "hakmem,mimalloc,jemalloc,glibc$"):
        run(tmp_path, hakbench, plugins=lambda: {"hakmem", "mimalloc", "jemalloc", "glibc"})
    assert not hakbench.calls and not list(tmp_path.iterdir())
    run(tmp_path, hakbench, "larson", allocators=("hakmem@lean", "new=/new.so"), plugins=lambda: {"hakmem"})
    assert hakbench.measured == ["larson"]


def test_a_workload_that_fails_under_the_candidate_is_noted(tmp_path):
    suite = run(tmp_path, FakeHakbench({("huge", "hakmem")}), "huge|fleet")
    assert suite.measured == ["fleet"] and suite.notes == ["huge: FAILED under hakmem"]
    assert run(tmp_path, FakeHakbench(), "huge|fleet") == Suite(["fleet", "huge"], [])


def test_the_time_is_shared(tmp_path):
    entries = STANDARD[:23]
    shorter, longer = (scorecard_suite.epoch_s(seconds, entries, 5, 1.9) for seconds in (600, 900))
    assert scorecard_suite.LEAST_EPOCH_S < shorter < longer <= scorecard_suite.LONGEST_EPOCH_S
    assert 23 * (longer * 1.9 * 4 * 5 * 10 + scorecard_suite.OVERHEAD_S) == pytest.approx(900, rel=0.02)
    assert 60 * (scorecard_suite.epoch_s(900, BATCHES, 3, 1.0) * 4 * 3 * 7 + scorecard_suite.OVERHEAD_S) == \
        pytest.approx(900, rel=0.02)
    assert scorecard_suite.epoch_s(1, entries, 5, 1.9) == scorecard_suite.LEAST_EPOCH_S
    assert scorecard_suite.app_blocks(0.1) == scorecard_suite.LEAST_APP_BLOCKS


@pytest.mark.parametrize("pattern, words", [("nothing", "leaves nothing"), ("(", "no regular expression")])
def test_a_filter_that_is_wrong_is_named(tmp_path, pattern, words):
    with pytest.raises(InputError, match=words):
        run(tmp_path, FakeHakbench(), pattern)


@pytest.mark.parametrize("arguments, words", [
    ((), "give a result folder, or --measure"), (("--measure",), "--measure needs -o FOLDER"),
    (("--measure", "-o", "x", "y"), "makes its folders itself"),
    (("--measure", "-o", "x", "--minutes", "0"), "must be more than 0"),
    (("--measure", "-o", "x", "--candidate", "rpmalloc"), "not rpmalloc"),
    (("--measure", "-o", "x", "--allocators", "hakmem"), "give 2 to 8 different ones"),
    (("x", "--filter", "y"), "--filter goes with --measure")])
def test_wrong_words_are_refused_in_one_line(call, arguments, words):
    done = call(scorecard.main, *arguments)
    assert done.code == 1 and words in done.err and done.err.count("\n") == 1


def test_a_suite_file_that_is_damaged_is_named(call, tmp_path):
    (tmp_path / "suite.json").write_text("{}")
    done = call(scorecard.main, tmp_path, "-o", tmp_path / "c.md")
    assert done.code == 1 and "suite.json: cannot be read" in done.err and done.err.count("\n") == 1
