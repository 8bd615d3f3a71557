"""Loading: sound folders, killed runs, and one clear line for each kind of damage."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from folders import make_folder
from hakmem_analysis import load
from hakmem_analysis.errors import InputError
from hakmem_analysis.load import load_result
from hakmem_analysis.schema import COLUMNS


def edit_manifest(folder, **changes):
    path = folder / "manifest.json"
    manifest = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))


def edit_line(folder, line, change, name="epochs.csv"):
    """Changes line `line` (from 1) of a CSV; `change` maps the list of its cells to another."""
    path = folder / name
    lines = path.read_text().split("\n")
    lines[line - 1] = ",".join(change(lines[line - 1].split(",")))
    path.write_text("\n".join(lines))


def set_cell(folder, line, column, value):
    header = (folder / "epochs.csv").read_text().split("\n")[0].split(",")

    def change(cells):
        cells[header.index(column)] = value
        return cells

    edit_line(folder, line, change)


def error_of(folder) -> str:
    with pytest.raises(InputError) as caught:
        load_result(folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_sound_folder(ab_folder):
    result = load_result(ab_folder)
    assert result.subjects == ["a", "b"] and result.reference == "b"
    assert result.warnings == []
    assert len(result.epochs) == 5 * (2 + 9 * 4)
    assert len(result.measured("a")) == 90


def test_quarantine_takes_the_whole_block(ab_folder):
    epochs = load_result(ab_folder).epochs
    assert set(epochs.loc[epochs["excluded"], "block"]) == {4, 20}
    assert epochs["excluded"].sum() == 8


def test_quarantine_by_the_event_alone(spoiled):
    with open(spoiled / "events.csv", "a") as events:
        events.write("99,1.0,,0,quarantine,block=7 slots=1\n")
    epochs = load_result(spoiled).epochs
    assert set(epochs.loc[epochs["excluded"], "block"]) == {4, 7, 20}


def test_missing_stays_missing(ab_folder):
    assert load_result(ab_folder).epochs["steal_ns"].isna().all()


def test_cut_off_last_line_is_left_out_with_a_warning(spoiled):
    path = spoiled / "epochs.csv"
    path.write_bytes(path.read_bytes()[:-25])
    result = load_result(spoiled)
    assert len(result.epochs) == 5 * (2 + 9 * 4) - 1
    assert any("cut off" in warning for warning in result.warnings)


def test_last_line_cut_inside_its_last_number_is_left_out_too(spoiled):
    path = spoiled / "epochs.csv"
    path.write_bytes(path.read_bytes()[:-1])
    assert len(load_result(spoiled).epochs) == 5 * (2 + 9 * 4) - 1


@pytest.mark.parametrize("status, words", [("running", "killed"), ("interrupted", "interrupted"),
                                           ("failed", "failed")])
def test_incomplete_runs_load_with_a_warning(spoiled, status, words):
    edit_manifest(spoiled, status=status)
    assert any(words in warning for warning in load_result(spoiled).warnings)


def test_newer_columns_are_ignored_and_older_folders_load(spoiled):
    path = spoiled / "epochs.csv"
    lines = path.read_text().splitlines()
    header = lines[0].split(",")
    drop = header.index("psi_cpu_us")
    rows = [line.split(",") for line in lines]
    rows = [cells[:drop] + cells[drop + 1:] + ["new"] for cells in rows]
    path.write_text("\n".join(",".join(cells) for cells in rows) + "\n")
    epochs = load_result(spoiled).epochs
    assert epochs["psi_cpu_us"].isna().all() and "new" not in epochs


@pytest.mark.parametrize("cell", ["inf", "-inf", "nan"])
def test_a_number_that_is_not_finite(spoiled, cell):
    set_cell(spoiled, 4, "ops_per_s", cell)
    assert f"epochs.csv:4: column 'ops_per_s' holds '{cell}', not a " in error_of(spoiled)


def test_a_missing_latency_csv_is_told_where_latency_epochs_were_run(spoiled):
    set_cell(spoiled, 4, "kind", "latency")
    assert any("latency.csv is missing" in warning for warning in load_result(spoiled).warnings)
    (spoiled / "latency.csv").touch()
    assert load_result(spoiled).warnings == []


def test_no_such_folder(tmp_path):
    assert "no such folder" in error_of(tmp_path / "none")


def test_missing_manifest(spoiled):
    (spoiled / "manifest.json").unlink()
    assert "manifest.json: missing" in error_of(spoiled)


def test_damaged_manifest(spoiled):
    (spoiled / "manifest.json").write_text('{"format": ')
    assert "not valid JSON" in error_of(spoiled)


@pytest.mark.parametrize("changes, words", [
    ({"format": "other/9"}, "expected 'hakbench-result/1'"), ({"status": "odd"}, "expected one of running"),
    ({"format": "hakbench-app/1"}, "a result of hakbench app, which has no epochs; its report is"),
    ({"subjects": []}, "lists no subject"), ({"subjects": None}, "lists no subject"),
    ({"subjects": [{"label": "a"}]}, "lacks"), ({"reference": "z"}, "expected one of the subjects: a, b"),
    ({"subjects": [{"label": "a", "allocator": "x"}] * 2}, "same label"),
    ({"subjects": [{"label": "a", "allocator": "x"}, {"label": "q", "allocator": "y"}], "reference": "a"},
     "not in manifest.json")])
def test_manifest_of_another_kind(spoiled, changes, words):
    edit_manifest(spoiled, **changes)
    assert words in error_of(spoiled)


def test_empty_epochs(spoiled):
    (spoiled / "epochs.csv").write_text("")
    assert "epochs.csv: the file is empty" in error_of(spoiled)


def test_missing_epochs(spoiled):
    (spoiled / "epochs.csv").unlink()
    assert "epochs.csv: cannot be read" in error_of(spoiled)


def test_foreign_csv(spoiled):
    (spoiled / "epochs.csv").write_text("name,value\nx,1\n")
    assert "epochs.csv:1: no column 'seq'" in error_of(spoiled)


def test_binary_file(spoiled):
    (spoiled / "epochs.csv").write_bytes(bytes(range(256)) * 20)
    assert "epochs.csv" in error_of(spoiled)


def test_missing_column(spoiled):
    edit_line(spoiled, 1, lambda cells: ["speed" if cell == "ops_per_s" else cell for cell in cells])
    assert "epochs.csv:1: no column 'ops_per_s'" in error_of(spoiled)


def test_short_line_in_the_middle(spoiled):
    edit_line(spoiled, 17, lambda cells: cells[:5])
    assert f"epochs.csv:17: 5 cells where the header has {len(COLUMNS)}" in error_of(spoiled)


def test_long_line_in_the_middle(spoiled):
    edit_line(spoiled, 17, lambda cells: cells + ["1"])
    assert f"epochs.csv:17: {len(COLUMNS) + 1} cells" in error_of(spoiled)


def test_nul_bytes_at_the_end_after_a_power_cut(spoiled):
    with open(spoiled / "epochs.csv", "ab") as epochs:
        epochs.write(b"\0" * 4096)
    result = load_result(spoiled)
    assert len(result.epochs) == 190
    assert any("cut off" in warning for warning in result.warnings)


def test_text_in_a_number(spoiled):
    set_cell(spoiled, 23, "elapsed_ns", "soon")
    text = error_of(spoiled)
    assert "epochs.csv:23: column 'elapsed_ns' holds 'soon', not a number" in text


@pytest.mark.parametrize("value", ["0", "-5"])
def test_throughput_that_cannot_be(spoiled, value):
    set_cell(spoiled, 23, "ops_per_s", value)
    assert "epochs.csv:23: column 'ops_per_s' is not positive" in error_of(spoiled)


def test_a_run_that_measured_nothing(spoiled):
    path = spoiled / "epochs.csv"
    path.write_text(path.read_text().split("\n")[0] + "\n")
    edit_manifest(spoiled, status="failed", error="allocator a, launch 0: SIGSEGV")
    text = error_of(spoiled)
    assert "no throughput epoch was measured" in text and "SIGSEGV" in text


def test_only_warm_up_is_nothing_too(spoiled):
    path = spoiled / "epochs.csv"
    path.write_text(path.read_text().replace(",throughput,", ",warmup,"))
    assert "no throughput epoch" in error_of(spoiled)


def test_missing_events_is_a_warning(spoiled):
    (spoiled / "events.csv").unlink()
    assert any("events.csv is missing" in warning for warning in load_result(spoiled).warnings)


def test_failed_allocations_are_told(spoiled):
    set_cell(spoiled, 12, "failed_allocs", "3")
    assert any("3 allocations failed" in warning for warning in load_result(spoiled).warnings)
    set_cell(spoiled, 12, "failed_allocs", "1")
    assert any(" 1 allocation failed" in warning for warning in load_result(spoiled).warnings)


def test_text_with_commas_and_quotes(tmp_path):
    folder = make_folder(tmp_path / "run", names=("hakmem",), ratios=(1,), launches=1)
    path = folder / "epochs.csv"
    path.write_text(path.read_text().replace(",random_mixed,1,1,", ',random_mixed,2,"0,1",'))
    epochs = load_result(folder).epochs
    assert (epochs["cpu"] == "0,1").all() and (epochs["threads"] == 2).all()
    assert np.isnan(epochs["block"]).all()


def test_it_can_be_the_first_module_that_is_imported():
    """What it imports must not import it."""
    source = Path(load.__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", "import hakmem_analysis.load"], check=True,
                   env={**os.environ, "PYTHONPATH": str(source)})
