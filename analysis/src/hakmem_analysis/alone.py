"""One process at a time in a folder that holds many runs.

Purpose     A tool that goes on in such a folder takes what is not complete for broken off and removes it,
            also what another process measures there just now.
Boundary    alone_in() is a context around the measuring.
Invariants  The lock is the kernel's and ends with the process, however that ends. A file system without locks
            is no reason to refuse.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .errors import InputError


@contextlib.contextmanager
def alone_in(folder: Path):
    """Raises InputError while another process is within this context for the same folder."""
    handle = os.open(folder, os.O_RDONLY)  # no process that is started gets it
    try:
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another process is measuring in {folder}; wait for it, or end "
                                 "it") from None
        yield
    finally:
        os.close(handle)
