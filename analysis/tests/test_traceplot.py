"""The trace's pictures: refusals in one line, and a PNG from the least and from a full info.json."""
import json

import pytest

from hakmem_analysis import traceplot

FULL = {
    "format": traceplot.FORMAT, "file": "a.trace", "program": "a", "ops": 10, "peak_live_bytes": 300,
    "live": [{"ops": 5, "live_bytes": 300, "live_blocks": 2}, {"ops": 10, "live_bytes": 0, "live_blocks": 0}],
    "sizes_bytes": [{"low": 0, "high": 0, "blocks": 1}, {"low": 64, "high": 127, "blocks": 4}],
    "lifetimes_ops": [{"low": 1, "high": 1, "blocks": 5}],
    "lifetimes_bytes": [{"low": 0, "high": 0, "blocks": 5}],
    "threads": [{"births": 5, "frees": 2, "remote_frees": 1}] * 20,
}
LEAST = {**FULL, "sizes_bytes": [], "lifetimes_ops": [], "lifetimes_bytes": [],
         "threads": FULL["threads"][:1], "peak_live_bytes": 0, "live": []}


def run(folder, info):
    (folder / "info.json").write_text(info if isinstance(info, str) else json.dumps(info), encoding="utf-8")
    return traceplot.main([str(folder)])


@pytest.mark.parametrize("info", [FULL, LEAST], ids=["full", "least"])
def test_draws(tmp_path, capsys, info):
    assert run(tmp_path, info) == 0
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"{tmp_path / 'trace.png'}\n"


def test_dollar_signs_of_a_name_make_no_formula(tmp_path):
    assert run(tmp_path, {**FULL, "file": "of_$x^^y$.trace"}) == 0


@pytest.mark.parametrize("info", ["{", "[]", {**FULL, "format": "other"}], ids=["cut", "list", "other"])
def test_refuses_another_file_in_one_line(tmp_path, capsys, info):
    assert run(tmp_path, info) == 1
    error = capsys.readouterr().err
    assert error.startswith("hakbench traceplot: error: ") and error.count("\n") == 1
    assert "hakbench trace info FILE -o" in error


def test_refuses_a_folder_without_info(tmp_path, capsys):
    assert traceplot.main([str(tmp_path / "none")]) == 1
    assert "cannot be read (FileNotFoundError)" in capsys.readouterr().err


def test_bucket_names():
    assert [traceplot.bucket_name(low) for low in (0, 1, 512, 1024, 1 << 21, 1 << 33)] == [
        "0", "1", "512", "1Ki", "2Mi", "8Gi"]


@pytest.mark.parametrize("peak, words, unit", [
    (300, "peak 300 bytes)", "bytes"), (12_256, "peak 12 kB)", "kB"), (2_338_431, "peak 2284 kB)", "kB"),
    (24 << 20, "peak 24.0 MB)", "MB of 1024 kB")])
def test_memory_is_in_the_projects_units(tmp_path, monkeypatch, peak, words, unit):
    drawn = []
    monkeypatch.setattr(traceplot.plt, "close", drawn.append)
    live = [{"ops": 10, "live_bytes": peak, "live_blocks": 1}]
    traceplot.draw({**FULL, "peak_live_bytes": peak, "live": live}, tmp_path / "trace.png")
    axis = drawn[-1].axes[0]
    assert axis.get_title(loc="left").endswith(words) and axis.get_ylabel() == unit
    size = {"bytes": 1, "kB": 1024, "MB of 1024 kB": 1 << 20}[unit]
    assert axis.lines[0].get_ydata()[-1] == pytest.approx(peak / size)
