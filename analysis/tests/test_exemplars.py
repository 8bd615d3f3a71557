"""The slowest operations: what is read, how it is counted, and what a report says of it."""
import json

import pytest

from folders import make_folder, write_rows
from hakmem_analysis import exemplars
from hakmem_analysis import report as report_tool
from hakmem_analysis.errors import InputError
from hakmem_analysis.load import load_result
from hakmem_analysis.schema import EXEMPLAR_COLUMNS
from test_latency import add_latency, histogram

HEADER = tuple(column.name for column in EXEMPLAR_COLUMNS)


def slow(subject, time_ns, faults="", switches="", op="malloc", size=64, thread=0, seq=900):
    return (seq, subject, 0, op, size, thread, 5_000, time_ns, faults, switches)


ROWS = [slow("a", 500_000, 0, 0), slow("a", 12_000_000, 0, 1), slow("a", 900_000, 65, 0, "calloc", 262144),
        slow("a", 400_000, 1, 2, seq=901), slow("a", 300_000, "", 0, "free", "", ""),
        slow("b", 20_000), slow("b", 30_000, "", 1)]


def with_exemplars(folder, rows):
    write_rows(folder / "exemplars.csv", HEADER, rows)
    return load_result(folder)


def test_causes_are_counted_and_the_worst_come_first(spoiled):
    first, second = exemplars.summarise_all(with_exemplars(spoiled, ROWS))
    assert (first.subject, first.on_record, first.with_page_fault, first.with_context_switch,
            first.with_neither, first.not_measured) == ("a", 5, 2, 2, 1, 1)
    assert [(row.service_time_ns, row.op, row.coincided) for row in first.worst] == [
        (12_000_000, "malloc", "context switch"), (900_000, "calloc", "65 page faults"),
        (500_000, "malloc", "neither")]
    assert (second.with_context_switch, second.with_neither, second.not_measured) == (1, 0, 1)
    assert [row.coincided for row in second.worst] == ["context switch", "not measured"]


@pytest.mark.parametrize("faults, switches, words", [
    (0, 0, "neither"), (1, 0, "page fault"), (1, 2, "page fault, 2 context switches"),
    (0, 1, "context switch"), ("", "", "not measured"), (0, "", "not measured"), ("", 0, "not measured"),
    ("", 1, "context switch"), (3, "", "3 page faults")])
def test_what_coincided_is_named_and_unknown_is_not_none(spoiled, faults, switches, words):
    slowest, = exemplars.summarise_all(with_exemplars(spoiled, [slow("a", 1000, faults, switches)]))
    assert slowest.worst[0].coincided == words


def test_report_has_the_table_the_sentence_and_the_reason(spoiled):
    manifest = json.loads((spoiled / "manifest.json").read_text())
    manifest["kernel_events"] = {"source": "", "reason": "perf_event_open: Permission denied"}
    (spoiled / "manifest.json").write_text(json.dumps(manifest))
    add_latency(spoiled, histogram([30.0] * 1000, subject="a", seq=900),
                histogram([30.0] * 1000, subject="b", seq=901))
    with_exemplars(spoiled, ROWS)
    built = report_tool.build(spoiled)
    markdown = report_tool.write(built, plot=False).read_text()
    assert "### Slowest operations" in markdown
    assert "| hakmem | calloc | 65 page faults | 900 us | 262,144 | 0 |" in markdown
    assert "of the 5 of hakmem 2 coincided with a page fault, 2 with a context switch, 1 with neither and " \
        "1 are not measured; of the 2 of mimalloc 0 coincided" in markdown
    assert "Not measured: perf\\_event\\_open: Permission denied." in markdown
    assert markdown.index("## Service time") < markdown.index("### Slowest operations")
    assert "Slowest operations</h3>" in (spoiled / "report.html").read_text()
    rows = json.loads((spoiled / "verdict.json").read_text())["slowest_operations"]
    assert rows[0]["worst"][1] == {"op": "calloc", "service_time_ns": 900_000, "size_bytes": 262144,
                                   "thread": 0, "page_faults": 65, "context_switches": 0,
                                   "coincided": "65 page faults"}
    terminal = report_tool.summary_text(built, "report.md")
    assert "Slowest operation of hakmem: 12 ms, malloc of 64 bytes, context switch." in terminal


def test_a_report_of_measured_causes_gives_no_reason(spoiled):
    found = exemplars.summarise_all(with_exemplars(spoiled, ROWS[:4]))
    words = exemplars.sentence(found, {"kernel_events": {"source": "perf", "reason": ""}})
    assert "2 coincided with a page fault, 2 with a context switch and 1 with neither." in words
    assert "measured" not in words
    in_doubt = exemplars.summarise_all(with_exemplars(spoiled, ROWS))  # an event at the edge has no reason
    for manifest in ({"kernel_events": {"source": "perf", "reason": ""}}, {}):
        assert "1 are not measured" in exemplars.sentence(in_doubt, manifest)
        assert "Not measured" not in exemplars.sentence(in_doubt, manifest)


def test_a_run_without_exemplars_has_no_such_table(spoiled):
    add_latency(spoiled, histogram([30.0] * 1000, seq=900))
    built = report_tool.build(spoiled)
    assert report_tool.verdict(built)["slowest_operations"] == []
    assert "Slowest operations" not in report_tool.write(built, plot=False).read_text()


def test_epochs_over_the_noise_limit_are_left_out(tmp_path):
    folder = make_folder(tmp_path / "run", quarantined=(0,))
    of_a = load_result(folder).epochs.query("subject == 'a'")
    noisy, quiet = (int(of_a.loc[of_a["excluded"] == over, "seq"].iloc[0]) for over in (True, False))
    rows = [slow("a", 9_000_000, seq=noisy), slow("a", 1_000, seq=quiet)]
    slowest, = exemplars.summarise_all(with_exemplars(folder, rows))
    assert [row.service_time_ns for row in slowest.worst] == [1_000]
    slowest, = exemplars.summarise_all(with_exemplars(folder, rows[:1]))
    assert slowest.on_record == 1, "where there are no others, the noisy ones are shown"


@pytest.mark.parametrize("row", [
    slow("a", 1000, op="timer"), slow("a", 1000, op="mallok"), slow("a", ""), slow("a", 1000, seq=""),
    slow("a", 1000, -1), slow("a", 1000, "x")])
def test_damaged_rows_are_named(spoiled, row):
    result = with_exemplars(spoiled, [slow("a", 5), row])
    with pytest.raises(InputError, match=r"exemplars\.csv:3: "):
        exemplars.load_exemplars(result)


def test_a_cut_off_last_line_is_left_out(spoiled):
    with_exemplars(spoiled, [slow("a", 5)])
    with open(spoiled / "exemplars.csv", "a", encoding="utf-8") as stream:
        stream.write("0,a,0,mal")
    result = load_result(spoiled)
    assert len(exemplars.load_exemplars(result)) == 1
    assert any("exemplars.csv" in warning for warning in result.warnings)
