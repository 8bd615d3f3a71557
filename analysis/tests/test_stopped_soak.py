"""The time in which hakbench was stopped (Ctrl-Z, SIGSTOP) is no time of a soak's slope."""
import numpy as np
import pandas as pd
import pytest

from folders import write_rows
from hakmem_analysis import report as report_tool
from hakmem_analysis.load import load_result
from hakmem_analysis.schema import EVENT_COLUMNS
from soak_folders import make_soak
from test_soak_report import leaking, resumed, slope_by_script


def stopped(folder, suspended_too=False, **more):
    """A leak of 256 kB/h, over which hakbench was stopped for ten hours in the middle (Ctrl-Z)."""
    make_soak(folder, {"hakmem": lambda hours: 256 * hours}, soak_s=3600, epoch_s=5.0, **more)
    path = folder / "epochs.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    away = rows["seq"].astype(int) >= 400
    rows["wall_time_s"] = [f"{float(wall) + 36_000 * gone:.6f}"
                           for wall, gone in zip(rows["wall_time_s"], away)]
    rows.loc[400, ["elapsed_ns", "quarantined"]] = [str(36_005 * 10 ** 9), "1"]
    rows.to_csv(path, index=False)
    events = [["suspended", "seq=400 slept_s=7200.0"]] if suspended_too else []
    write_rows(folder / "events.csv", EVENT_COLUMNS, [[number, "1700038005.1", "a", 0, *event] for
                                                      number, event in enumerate([*events,
                                                                                  ["stopped", "seq=400"]])])
    return folder


@pytest.mark.parametrize("suspended_too", [False, True])
def test_the_time_in_which_hakbench_was_stopped_is_in_no_slope(tmp_path, call, suspended_too):
    """It would make the leak half as steep, and the soak undecided."""
    folder = stopped(tmp_path / "soak", suspended_too)
    built = report_tool.build(folder)
    drift = built.soak[0].drift
    assert (drift.verdict, drift.slope_kb_per_h) == ("DRIFT", pytest.approx(256, rel=0.05))
    assert drift.span_s < 3600
    assert slope_by_script(call, folder) == pytest.approx(drift.slope_kb_per_h, rel=1e-6)
    named = [note.partition(" after ")[0] for note in built.notes if "in no slope" in note]
    assert named == (["the machine was suspended"] if suspended_too else []) + ["hakbench was stopped"]


def test_a_signal_to_go_on_that_stopped_nothing_costs_no_time(tmp_path):
    folder = make_soak(tmp_path / "soak", {"hakmem": leaking})
    write_rows(folder / "events.csv", EVENT_COLUMNS, [[0, "1700000331.1", "a", 0, "stopped", "seq=330"]])
    result = load_result(folder)
    assert result.epochs["time_s"].to_numpy() == pytest.approx(np.arange(600)) and not result.pauses


def test_a_stop_in_the_first_epoch_of_a_resumed_soak_is_not_taken_for_the_pause(tmp_path):
    folder = resumed(make_soak(tmp_path / "soak", {"hakmem": leaking}), 7200)
    write_rows(folder / "events.csv", EVENT_COLUMNS, [[0, "1700007601.1", "a", 1, "stopped", "seq=400"]])
    assert load_result(folder).epochs["time_s"].is_monotonic_increasing
