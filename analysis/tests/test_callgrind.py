"""Callgrind's file format, and a real valgrind where there is one."""
import shutil

import pytest

from hakmem_analysis import callgrind
from hakmem_analysis.errors import InputError

# Two objects; names first met as a callee's; a call whose cost is the callee's; a line without counts.
PROFILE = """# callgrind format
version: 1
positions: line
events: Ir Dr Dw
summary: 99 5 2

ob=(1) /bin/loop
fl=(1) loop.c
fn=(1) main
16 10 2 1
+1 5
cob=(2) /lib/lib one.so
cfn=(2) take(unsigned long)
calls=3 40
16 60 3 1
* 4

ob=(2)
fn=(2)
fi=(2) inlined.h
40 50 3
-2 12 0 1
fe=(1)
41

totals: 81 5 2
"""


def test_parse():
    counts = callgrind.parse(PROFILE)
    assert counts.totals == {"Ir": 81, "Dr": 5, "Dw": 2}
    assert counts.functions == {("/bin/loop", "main"): 19, ("/lib/lib one.so", "take(unsigned long)"): 62}
    assert sum(counts.functions.values()) == counts.totals["Ir"]


@pytest.mark.parametrize("text", ["", PROFILE[:PROFILE.index("totals")], PROFILE.replace("Ir Dr", "Cy Dr")])
def test_a_cut_off_or_foreign_file_is_one_line(text):
    with pytest.raises(InputError, match="no totals of instructions"):
        callgrind.parse(text)


def test_missing_valgrind_names_the_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="install the package valgrind"):
        callgrind.count(["true"])


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind")
def test_count_of_a_real_process():
    counts = callgrind.count(["/bin/true"], data=True)
    assert counts.totals["Ir"] > 10_000 and counts.totals["Dr"] > 1000 and counts.totals["Dw"] > 500
    assert sum(counts.functions.values()) == counts.totals["Ir"]


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind")
def test_a_command_that_fails_speaks_for_itself():
    with pytest.raises(InputError, match="failed under valgrind: .*no-such-file"):
        callgrind.count(["/bin/cat", "/no-such-file"])
