"""From the name of an allocator to the library that LD_PRELOAD takes, and the proof that it is in use.

Boundary    The build tree's libhakmem*.so, the dynamic linker's list for the packaged allocators, or a path.
Invariants  An allocator whose malloc is not the one a program calls is refused before anything is measured.
"""
from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .binary import find_built, to_preload
from .errors import InputError

# What a name stands for: the library's file in the build tree, or its soname on this machine.
BUILT = {"hakmem": "libhakmem.so", "hakmem_hardened": "libhakmem-hardened.so",
         "hakmem_observe": "libhakmem-observe.so"}
PACKAGED = {"mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
            "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
            "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4")}
NOTHING = "glibc"  # nothing preloaded: the program's own malloc

# Says which file the malloc of a program comes from: struct Dl_info begins with the file's name. The address
# of a function that the program itself takes may be a stub in the program, so the whole family is asked.
PROBE = """
import ctypes
class Info(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("name", ctypes.c_char_p),
                ("address", ctypes.c_void_p)]
program, info = ctypes.CDLL(None), Info()
for name in ("malloc", "calloc", "realloc", "free", "aligned_alloc", "memalign"):
    program.dladdr(ctypes.cast(getattr(program, name), ctypes.c_void_p), ctypes.byref(info))
    print(info.file.decode())
"""


@dataclass(frozen=True)
class Library:
    """An allocator to run programs under. `path` None: nothing is preloaded; `sha256` is of the file;
    `environment` is set beside LD_PRELOAD."""

    label: str
    path: Optional[str]
    sha256: str
    environment: tuple = ()

    def surroundings(self, base: dict) -> dict:
        """The environment of a process under this allocator."""
        preload = {} if self.path is None else {"LD_PRELOAD": self.path}
        return {**base, **preload, **dict(self.environment)}


def linker_paths() -> dict:
    """soname -> path of its first library for this machine's word size, as ldconfig -p has it."""
    for program in ("ldconfig", "/sbin/ldconfig"):
        try:
            listing = subprocess.run([program, "-p"], capture_output=True, text=True, check=False).stdout
            break
        except FileNotFoundError:
            continue
    else:
        return {}
    found: dict = {}
    for name, kind, path in re.findall(r"^\s*(\S+) \(([^)]*)\) => (\S+)$", listing, re.MULTILINE):
        if ("x86-64" in kind or "AArch64" in kind) == (sys.maxsize > 2**32):
            found.setdefault(name, path)
    return found


def _file_of(name: str, label: str) -> str:
    if "/" in name:
        path = Path(name)
    elif name in BUILT:
        path = Path(find_built(BUILT[name]))
    elif name in PACKAGED:
        soname, package = PACKAGED[name]
        found = linker_paths().get(soname)
        if found is None:
            raise InputError(f"allocator {name}: this machine has no {soname}; install {package}, or name a "
                             f"library: -a {label}=/path/lib.so")
        path = Path(found)
    else:
        known = ", ".join([*BUILT, *PACKAGED, NOTHING])
        raise InputError(f"there is no allocator '{name}'; there are {known}, and any library by its path")
    if not path.is_file():
        raise InputError(f"allocator {label}: there is no library {name}")
    return str(path.resolve())


def resolve(word: str) -> Library:
    """An allocator as the command line names it: NAME, LABEL=NAME, LABEL=/path/lib.so. Raises InputError."""
    label, equals, name = word.partition("=")
    name = name if equals else label
    if not equals and "/" in name:
        label = Path(name).name.split(".")[0]
    if not label or not name:
        raise InputError(f"-a {word} names nothing; write -a NAME or -a LABEL=/path/lib.so")
    if name == NOTHING:
        return Library(label, None, "")
    path = to_preload(_file_of(name, label))
    return Library(label, path, hashlib.sha256(Path(path).read_bytes()).hexdigest())


def malloc_file(library: Library) -> str:
    """The file that malloc comes from in a process under this allocator. Raises InputError."""
    done = subprocess.run([sys.executable, "-c", PROBE], env=library.surroundings(dict(os.environ)),
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise InputError(f"allocator {library.label}: a Python program cannot run under it: {lines[-1]}")
    files = [os.path.realpath(line) for line in done.stdout.split()]
    return next((file for file in files if file != os.path.realpath(sys.executable)), files[0])


def check_in_use(library: Library) -> None:
    """Raises InputError if a program's malloc would not be this library's."""
    found = malloc_file(library)
    if library.path is not None and found != library.path:
        raise InputError(f"allocator {library.label}: with {library.path} preloaded, malloc comes from "
                         f"{found}; is it a malloc library for this machine?")
