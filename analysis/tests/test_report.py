"""The report tool from end to end, as a process and in memory."""
import json
import re
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from folders import make_folder
from hakmem_analysis import plot
from hakmem_analysis import report as report_tool

SOURCE = Path(__file__).resolve().parents[1] / "src"


def run_process(*arguments):
    """`python -m hakmem_analysis ...` as the launchers call it."""
    env = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-m", "hakmem_analysis", *map(str, arguments)], env=env,
                          capture_output=True, text=True, check=False)


def summary(folder) -> str:
    built = report_tool.build(folder)
    return report_tool.summary_text(built, folder / "report.md")


def test_whole_report(spoiled):
    done = run_process("report", spoiled, "--summary")
    assert (done.returncode, done.stderr) == (0, "")
    assert "hakmem is 1.12" in done.stdout and "x mimalloc (" in done.stdout and "faster" in done.stdout
    assert "2 of 45 blocks were over the noise limit" in done.stdout
    assert done.stdout.rstrip().endswith(f"report: {spoiled / 'report.md'}")
    picture = (spoiled / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000
    page = (spoiled / "report.html").read_text()
    assert "data:image/png;base64," in page and "src=\"http" not in page and "href=" not in page
    markdown = (spoiled / "report.md").read_text()
    for words in ("](report.png)", "| hakmem 1.2.3 |", "hakmem / mimalloc: RSS above base, peak",
                  "schedule seed: 7", "'out/my run'", "sha256"):
        assert words in markdown


def test_verdict_json_holds_what_the_text_says(spoiled, call):
    done = call(report_tool.main, spoiled, "--format", "json", "--no-plot")
    verdict = json.loads(done.out)
    assert verdict == json.loads((spoiled / "verdict.json").read_text())
    row = verdict["comparisons"][0]
    assert {"metric", "reference", "candidate", "ratio", "lower", "upper", "confidence", "verdict",
            "resolves", "blocks", "launches", "quarantined_blocks"} <= set(row)
    assert (row["metric"], row["candidate"], row["reference"]) == ("throughput", "hakmem", "mimalloc")
    assert f"{row['ratio']:.3f}x" in verdict["headlines"][0]
    assert not (spoiled / "report.png").exists()
    assert "report.png" not in (spoiled / "report.md").read_text()


def test_a_report_against_another_reference(spoiled, call):
    own = report_tool.build(spoiled).comparisons[0]
    turned = report_tool.build(spoiled, "hakmem").comparisons[0]
    assert (turned.candidate, turned.reference) == ("mimalloc", "hakmem") == (own.reference, own.candidate)
    assert turned.ratio == pytest.approx(1 / own.ratio) and turned.verdict == "worse"
    done = call(report_tool.main, spoiled, "--no-plot", "--reference", "jemalloc")
    assert done.code == 1 and "no subject is jemalloc; there are: hakmem, mimalloc" in done.err


def test_dollar_signs_of_a_name_make_no_formula_of_the_picture(spoiled):
    path = spoiled / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["workload"]["file"] = "traces/of_$x^^y$.trace"
    manifest["subjects"][0]["allocator"] = "a$^^$"
    path.write_text(json.dumps(manifest))
    report_tool.write(report_tool.build(spoiled), plot=True)
    assert (spoiled / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_name_that_begins_with_an_underscore_is_in_the_legend(tmp_path, drawn):
    axes = drawn(make_folder(tmp_path / "run", names=("_old", "_new")))
    assert [entry.get_text() for entry in axes[0].get_legend().get_texts()] == [" _old", " _new"]


def test_a_report_can_be_made_again_and_is_the_same(spoiled, call):
    call(report_tool.main, spoiled, "--no-plot")
    first = [(spoiled / name).read_bytes() for name in ("verdict.json", "report.md", "report.html")]
    call(report_tool.main, spoiled, "--no-plot")
    assert first == [(spoiled / name).read_bytes() for name in ("verdict.json", "report.md", "report.html")]


def test_too_few_launches_for_an_interval_of_memory_are_named(tmp_path):
    folder = make_folder(tmp_path / "run", launches=2)
    words = "no interval from fewer than 3 launches"
    assert f"Peak RSS above base: hakmem holds 1.058x what mimalloc holds ({words})." in summary(folder)
    table = report_tool.write(report_tool.build(folder), plot=False).read_text()
    assert f"| inconclusive: {words} |" in table


def test_a_against_a_says_that_nothing_is_shown(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem", "hakmem"), ratios=(1, 1), rss_kb=(900, 900))
    text = summary(folder)
    assert "No difference shown between hakmem (a) and hakmem (b)" in text
    assert "contains 1" in text and "would have caught a loss of" in text
    notes = report_tool.build(folder).notes
    assert any("A/A" in note for note in notes)


def test_a_control_is_called_one(tmp_path):
    folder = make_folder(tmp_path / "run", names=("control_slow", "control_slow"), ratios=(0.97, 1))
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry, percent in zip(manifest["subjects"], (3, 0)):
        entry["build_config"] = "control: wraps hakmem 0.1.0; linked statically"
        entry["init"] = {"percent": percent} if percent else {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    notes = report_tool.build(folder).notes
    assert "control_slow (a) is a control (percent=3): a planted fault, no allocator to choose" in notes
    assert "control_slow (b) is a control (no fault set): a planted fault, no allocator to choose" in notes
    plain = report_tool.build(make_folder(tmp_path / "plain")).notes
    assert not any("control" in note for note in plain)


def test_a_false_alarm_in_a_against_a_is_called_one(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem", "hakmem"), ratios=(1.1, 1))
    assert "false alarm" in summary(folder)


def test_one_subject(tmp_path, call):
    folder = make_folder(tmp_path / "run", names=("hakmem",), ratios=(1.1,), launches=2)
    done = call(report_tool.main, folder, "--summary")
    assert done.code == 0 and "hakmem ran at 109.8 M/s" in done.out
    assert (folder / "report.png").exists()
    assert json.loads((folder / "verdict.json").read_text())["comparisons"] == []


def test_interrupted_run(tmp_path):
    folder = make_folder(tmp_path / "run", status="interrupted", launches=2)
    text = summary(folder)
    assert "not complete" in text and "interrupted" in text and "faster" in text


def test_one_of_what_noise_spoiled_is_one(tmp_path):
    notes = report_tool.build(make_folder(tmp_path / "ab", quarantined=(4,))).notes
    assert any("1 of 45 blocks was over the noise limit and is left out of the ratio; with it" in note
               for note in notes)
    folder = make_folder(tmp_path / "run", names=("hakmem",), ratios=(1.1,), launches=1)
    rows = pd.read_csv(folder / "epochs.csv", dtype=str, keep_default_na=False)
    rows.loc[5, "quarantined"] = "1"
    rows.to_csv(folder / "epochs.csv", index=False)
    assert any("hakmem: 1 epoch was over the noise limit and is left out; CV with it" in note
               for note in report_tool.build(folder).notes)


def test_a_loss_is_called_slower(tmp_path):
    folder = make_folder(tmp_path / "run", names=("glibc", "floor"), ratios=(0.8, 1.15))
    assert "glibc is 0.69" in summary(folder) and "slower" in summary(folder)


def test_floor_in_the_run(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem", "mimalloc", "floor"), ratios=(1.12, 1, 1.15))
    built = report_tool.build(folder)
    subjects = {subject["name"]: subject for subject in report_tool.verdict(built)["subjects"]}
    assert subjects["mimalloc"]["ns_above_floor"] == pytest.approx(1.3, abs=0.1)
    assert subjects["floor"]["ns_above_floor"] is None


def test_bad_folder_is_one_line_and_exit_1(tmp_path, call):
    done = call(report_tool.main, tmp_path / "none")
    assert done.code == 1 and done.out == ""
    assert done.err.count("\n") == 1 and "no such folder" in done.err


def test_wrong_usage_is_not_a_failed_gate(call):
    done = call(report_tool.main)
    assert done.code == 1 and done.err.count("\n") == 1 and "--help" in done.err


def test_help_and_unknown_tool(call):
    assert "exit codes" in call(report_tool.main, "--help").out
    done = run_process("reprot")
    assert done.returncode == 1 and "there are: app, baseline, " in done.stderr


def test_folder_that_cannot_be_written(spoiled, call):
    (spoiled / "verdict.json").mkdir()
    done = call(report_tool.main, spoiled, "--no-plot")
    assert done.code == 1 and "cannot be written" in done.err and done.err.count("\n") == 1


def test_noise_everywhere_gives_a_ratio_for_orientation_only(tmp_path):
    folder = make_folder(tmp_path / "run", launches=2, blocks_per_launch=6, quarantined=range(12))
    text = summary(folder)
    assert "Too noisy to judge hakmem against mimalloc" in text and "for orientation only" in text
    assert "faster" not in text and "M/s" in text


def test_missing_is_null_in_json_and_a_dash_in_text(tmp_path, call):
    """One epoch has no CV."""
    folder = make_folder(tmp_path / "run", names=("hakmem",), ratios=(1,), launches=1, epochs_of_single=1)
    done = call(report_tool.main, folder, "--format", "json", "--no-plot")
    assert "NaN" not in done.out and json.loads(done.out)["subjects"][0]["cv"] is None
    assert "CV -" in summary(folder)


def test_nothing_above_the_floor_is_a_dash_and_few_blocks_say_what_they_cover(tmp_path):
    given = {"names": ("hakmem", "mimalloc", "floor"), "ratios": (1.0, 0.8, 1.5), "launches": 1}
    noisy = make_folder(tmp_path / "noisy", **given, blocks_per_launch=3, quarantined=range(3))
    few = make_folder(tmp_path / "few", **given, blocks_per_launch=3)
    many = make_folder(tmp_path / "many", **given, blocks_per_launch=9)
    cells = {}
    for folder in (noisy, few, many):
        built = report_tool.build(folder)
        page = report_tool.write(built, plot=False).read_text()
        assert "nan" not in page
        cells[folder] = report_tool._subject_table(built).rows[0][-1]
    assert cells[noisy] == "-"
    assert cells[few].endswith(", 75 %)") and "%" not in cells[many] and " .. " in cells[many]
    few_verdict = json.loads((few / "verdict.json").read_text())
    assert few_verdict["subjects"][0]["ns_above_floor_confidence"] == 0.75
    assert any("ns above floor: 3 blocks can give 75.0 %" in note for note in few_verdict["notes"])


def drawn_axes(monkeypatch, folder):
    drawn = []
    monkeypatch.setattr(plot.plt, "close", drawn.append)
    report_tool.write(report_tool.build(folder), plot=True)
    drawn[-1].canvas.draw()
    return drawn[-1].axes


EIGHT = ("hakmem", "mimalloc", "glibc", "jemalloc", "one", "two", "three", "four")


def test_eight_subjects_have_eight_looks(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "run", EIGHT, (1.0,) * 8, launches=1, blocks_per_launch=3)
    throughput, *_ = drawn_axes(monkeypatch, folder)
    handles = throughput.get_legend_handles_labels()[0]
    assert len({handle.get_color() for handle in handles}) == 8
    assert len({handle.get_marker() for handle in handles}) == 8


def test_blocks_are_whole_numbers(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "run", launches=1, blocks_per_launch=3)
    ticks = drawn_axes(monkeypatch, folder)[2].get_xticks()
    assert all(float(tick).is_integer() for tick in ticks) and len(ticks) >= 3


def test_ratios_of_many_have_a_row_each_with_its_figures_beside_the_data(tmp_path, monkeypatch):
    """Bands of seven would cover each other; two have bands."""
    folder = make_folder(tmp_path / "run", EIGHT, (1.06, 1, 0.6, 0.98, 1.02, 1.03, 1.05, 1.01), launches=4,
                         blocks_per_launch=3, noise=0.03)
    axis = drawn_axes(monkeypatch, folder)[2]
    assert not axis.patches and [label.get_text() for label in axis.get_yticklabels()] == [
        "hakmem", *EIGHT[2:]]
    figures = axis.texts
    assert len(figures) == 7 and all(re.fullmatch(r"\d\.\d{3} \(9\d %: \d\.\d{3} \.\. \d\.\d{3}\)",
                                                  words.get_text()) for words in figures)
    highest = max(line.get_window_extent().x1 for line in axis.lines[1:])
    assert all(words.get_window_extent().x0 > highest for words in figures)
    bands = drawn_axes(monkeypatch, make_folder(tmp_path / "two", EIGHT[:3], (1, 1, 1)))[2].patches
    assert len(bands) == 2
