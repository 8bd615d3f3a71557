"""Bursts of work on every CPU, to disturb a measurement on purpose.

Purpose     Show that the verdicts withstand a neighbour: busy half a second, idle a second, over and over, on
            every CPU, the CPUs out of step.
Owns        One process a CPU, for as long as the context lasts. They end by themselves when this process
            dies.
"""
from __future__ import annotations

import contextlib
import os
import subprocess
import sys

BUSY_S, IDLE_S = 0.5, 1.0

_LOOP = """
import os, sys, time
cpu, parent, busy_s, idle_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
os.sched_setaffinity(0, {cpu})
time.sleep(idle_s * (cpu % 3) / 3)
while os.getppid() == parent:
    end = time.monotonic() + busy_s
    while time.monotonic() < end:
        pass
    time.sleep(idle_s)
"""


@contextlib.contextmanager
def bursts():
    """Yields the processes; ends them on leaving."""
    figures = [str(figure) for figure in (os.getpid(), BUSY_S, IDLE_S)]
    processes = [subprocess.Popen([sys.executable, "-c", _LOOP, str(cpu), *figures])
                 for cpu in sorted(os.sched_getaffinity(0))]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
