"""Files that are whole, or what they were before.

Purpose     Write a result so that a full disk, or a tool that is killed, leaves no half of it.
Boundary    Bytes go to a file beside the one that is named, which it replaces once it is whole. A device or
            a pipe is written as it is, and what may not be written is refused. Every result, verdict, report
            and picture is written here; files that grow line by line are their writers'.
"""
from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from typing import Callable

from .errors import InputError

MEND = "make the folder writable or copy it"  # of a result folder


def write(path: Path, write_to: Callable, mend: str, kept: str = "") -> Path:
    """Lets write_to() write a file that takes the place of `path`, with its mode, and returns `path`. Raises
    InputError: with a full disk it asks for space, else for `mend`; `kept` says what is not lost."""
    target = Path(os.path.realpath(path))
    replace = not target.exists() or (target.is_file() and os.access(target, os.W_OK))
    written = target.with_name(f".{target.name}.{os.getpid()}") if replace else target
    try:
        write_to(written)
        if replace:
            if target.exists():
                shutil.copymode(target, written)
            os.replace(written, target)
    except BaseException as error:
        if replace:
            with contextlib.suppress(OSError):
                written.unlink()
        if not isinstance(error, OSError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            mend = "free space"
        words = "; ".join(filter(None, (mend, kept)))
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {words}") from None
    return path


def write_text(path: Path, content: str, mend: str, kept: str = "") -> Path:
    return write(path, lambda written: written.write_text(content, encoding="utf-8"), mend, kept)


def write_picture(path: Path, figure, mend: str, kept: str = "") -> Path:
    """A figure of matplotlib, in the format that the name ends in."""
    form = Path(path).suffix[1:] or "png"
    return write(path, lambda written: figure.savefig(written, dpi=130, format=form), mend, kept)
