"""Files that are whole, or what they were before.

Purpose     Write a result for people's use so that a full disk leaves no half of it.
Boundary    Bytes go to a file beside the one that is named, which it replaces once it is whole. A device or a
            pipe is written as it is, and what may not be written is refused.
"""
from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Callable

from .errors import InputError


def write(path: Path, write_to: Callable, mend: str) -> Path:
    """Lets write_to() write a file that takes the place of `path`, with its mode, and returns `path`. Raises
    InputError: with a full disk it asks for space, else for `mend`."""
    target = Path(os.path.realpath(path))
    replace = not target.exists() or (target.is_file() and os.access(target, os.W_OK))
    written = target.with_name(f".{target.name}.{os.getpid()}") if replace else target
    try:
        write_to(written)
        if replace:
            if target.exists():
                shutil.copymode(target, written)
            os.replace(written, target)
    except OSError as error:
        if replace:
            with contextlib.suppress(OSError):
                written.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            mend = "free space"
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {mend}") from None
    return path


def write_text(path: Path, content: str, mend: str) -> Path:
    return write(path, lambda written: written.write_text(content, encoding="utf-8"), mend)
