"""Starts the analysis package from a script, with an interpreter that can run it.

Standard library only: the `python3` that started the script may lack pandas; then find_python.sh names
one that has it, and the script starts over with that.
"""
import os
import sys

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
NEEDS = ("numpy", "pandas", "scipy", "matplotlib")

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(SCRIPTS), "analysis", "src"))
from hakmem_analysis import start  # noqa: E402  (found since the line before)

start.leave_at_interrupt()
import importlib.util  # noqa: E402  (Ctrl-C is told where to go before these are loaded)
import subprocess  # noqa: E402


def run(module, function):
    """Runs hakmem_analysis.MODULE.FUNCTION() and leaves with its exit code."""
    if sys.version_info < (3, 9) or not all(importlib.util.find_spec(name) for name in NEEDS):
        found = subprocess.run([os.path.join(SCRIPTS, "find_python.sh")], stdout=subprocess.PIPE, text=True)
        if found.returncode != 0:
            sys.exit(1)
        python = found.stdout.strip()
        os.execv(python, [python, *sys.argv])
    sys.exit(start.tool(module, function))
