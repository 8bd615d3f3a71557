"""Fixtures: one synthetic result folder a session, copied where a test spoils it."""
import io
import shutil
import sys
from types import SimpleNamespace

import pytest

from folders import make_folder


@pytest.fixture
def call(monkeypatch, capsys):
    """Runs a tool's main in this process: call(main, *arguments, stdin=text) -> code, out, err."""

    def run(main, *arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leave:  # argparse: --help and wrong usage
            code = leave.code
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture(scope="session")
def ab_folder(tmp_path_factory):
    """hakmem at 1.12x mimalloc, blocks 4 and 20 quarantined. Read only."""
    return make_folder(tmp_path_factory.mktemp("ab") / "run", quarantined=(4, 20))


@pytest.fixture
def spoiled(ab_folder, tmp_path):
    """A copy of the A/B folder to damage."""
    return shutil.copytree(ab_folder, tmp_path / "run")


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the picture of a folder, with the file written too."""
    from hakmem_analysis import plot, report  # matplotlib is slow to load
    figures = []
    monkeypatch.setattr(plot.plt, "close", figures.append)

    def draw(folder):
        report.write(report.build(folder), plot=True)
        return figures[-1].axes
    yield draw
    monkeypatch.undo()
    for figure in figures:
        plot.plt.close(figure)
