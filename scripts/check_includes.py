#!/usr/bin/env python3
"""check_includes.py - the rules of the house that a compiler does not see.

Purpose:    for every tracked C and C++ file: (1) an #include points only down the layers of
            scripts/lib/layers.txt; (2) in allocator/, the environment is read only in src/config;
            (3) in allocator/, code is switched by #if only in src/base, src/config and src/os.
            For every tracked file: (4) it is not larger than 2 MiB. For every tracked Markdown page:
            (5) a link to a place of this repository leads to a tracked file or folder, and its #part to a
            heading of that page.
Boundary:   standard library only, any python3 from 3.8 on; reads files and `git ls-files`, writes
            nothing. Comments are not parsed: a commented-out #include is a violation too.
Exit codes: 0 clean, 1 violations (one line each: file:line: what, and the mend) or bad input.
"""
import argparse
import posixpath
import re
import subprocess
import sys
from pathlib import Path

SOURCE_SUFFIXES = (".c", ".cc", ".h", ".def")
MAX_TRACKED_BYTES = 2 * 1024 * 1024

# Where a quoted include is looked up, after the including file's own folder.
INCLUDE_ROOTS = ("allocator/src", "allocator/include", "allocator", "allocator/test",
                 "harness/src", "harness/include", "harness", "harness/test", "harness/plugins")

ENVIRONMENT_HOME = "allocator/src/config"
SWITCH_HOMES = ("allocator/src/base", "allocator/src/config", "allocator/src/os")
FREE_OF_RULES = "allocator/test"

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
ENVIRONMENT = re.compile(r"\b(?:secure_)?getenv\s*\(|\benviron\b")
SWITCH = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b(.*)")
# Not switches: an include guard, and the extern "C" of a header that C reads too.
NOT_A_SWITCH = re.compile(r"^\s*(?:[A-Z0-9_]+_H_|__cplusplus)\s*(?:/[/*].*)?$")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"#+ +(.*)")


class Layers:
    """The table of layers.txt: which folder may include which."""

    def __init__(self, text):
        self.allowed = {}
        for line in text.splitlines():
            words = line.split("#", 1)[0].split()
            if words:
                self.allowed[words[0]] = words[1:]
        for folder, below in self.allowed.items():
            for name in below:
                if name not in self.allowed:
                    raise ValueError(f"layers.txt: {folder} lists {name}, which has no row of its own")

    def folder_of(self, path):
        """The longest row that `path` is or lies in, or None."""
        matches = [folder for folder in self.allowed if path == folder or path.startswith(folder + "/")]
        return max(matches, key=len, default=None)

    def reachable(self, folder):
        """`folder` itself, what it lists, and what those list in turn."""
        seen, queue = set(), [folder]
        while queue:
            current = queue.pop()
            if current not in seen:
                seen.add(current)
                queue += self.allowed[current]
        return seen


def resolve(path, target, files):
    """The tracked file that `#include "target"` in `path` means, or None."""
    for base in (posixpath.dirname(path), *INCLUDE_ROOTS):
        candidate = posixpath.normpath(posixpath.join(base, target))
        if candidate in files:
            return candidate
    return None


def check_include(path, match, files, layers):
    """The violation of one #include line as text, or None."""
    bracket, target = match.groups()
    found = resolve(path, target, files)
    if found is None:
        if bracket == '"':
            return f'"{target}" is no tracked file; add it to git, or use <{target}> if it is not ours'
        return None
    folder, other = layers.folder_of(path), layers.folder_of(found)
    if folder is None or other is None:
        missing = path if folder is None else found
        return f"{posixpath.dirname(missing)} is not in scripts/lib/layers.txt; give it a row there"
    if other in layers.reachable(folder):
        return None
    below = ", ".join(sorted(layers.reachable(folder) - {folder})) or "nothing"
    return (f"{folder} may not include {found}; it may include: {below}. Move the declaration down, "
            f"or let the upper layer pass in what is needed")


def check_source(path, text, files, layers):
    """Yields (line number, message) for every violation in one source file."""
    strict = path.startswith("allocator/") and not path.startswith(FREE_OF_RULES)
    may_read_environment = not strict or path.startswith(ENVIRONMENT_HOME)
    may_switch = not strict or path.startswith(SWITCH_HOMES)
    for number, line in enumerate(text.splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            message = check_include(path, include, files, layers)
            if message:
                yield number, message
        if not may_read_environment and ENVIRONMENT.search(line.split("//", 1)[0]):
            yield number, (f"the environment is read only in {ENVIRONMENT_HOME}; "
                           f"add a row to its table of knobs")
        switch = SWITCH.match(line)
        if switch and not may_switch and not NOT_A_SWITCH.match(switch.group(1)):
            yield number, (f"#if only in {', '.join(SWITCH_HOMES)}; use `if constexpr` on a constant "
                           f"of {ENVIRONMENT_HOME}, or another file chosen by CMake")


def prose(text):
    """The lines of a Markdown page with their numbers, without those of code."""
    is_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield number, line


def headings(text):
    """The #parts that a page has: its headings as GitHub spells them."""
    found = [HEADING.match(line) for _, line in prose(text)]
    words = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", match.group(1)) for match in found if match]
    return {re.sub(r"[^\w\- ]", "", word.strip().lower()).replace(" ", "-") for word in words}


def check_links(path, text, files, read):
    """Yields (line number, message) for every link of a page that leads nowhere in `files`, the tracked ones.
    `read` gives the text of one."""
    for number, line in prose(text):
        for target in LINK.findall(line):
            place, _, part = target.partition("#")
            if ":" in place:
                continue
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), place)) if place else path
            if found not in files and not any(name.startswith(found + "/") for name in files):
                yield number, f"the link {target} leads to no tracked file; mend it, or add {found} to git"
            elif part and found.endswith(".md") and part not in headings(read(found)):
                yield number, f"{found} has no heading for #{part}; mend the link"


def tracked_files(root):
    """Paths of the files that git tracks, without those deleted in the work tree."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    listing = subprocess.run(command, check=True, capture_output=True)
    return [name for name in listing.stdout.decode().split("\0") if name and (root / name).is_file()]


def check_tree(root):
    """All violations of the checkout at `root`, as lines for a person."""
    layers = Layers((root / "scripts/lib/layers.txt").read_text(encoding="utf-8"))
    names = tracked_files(root)
    files = set(names)
    lines = []

    def read(name):
        return (root / name).read_text(encoding="utf-8")

    for name in names:
        size_bytes = (root / name).stat().st_size
        if size_bytes > MAX_TRACKED_BYTES:
            lines.append(f"{name}:1: {size_bytes} bytes, more than {MAX_TRACKED_BYTES}; keep it out of "
                         f"git, or make it smaller")
        if name.startswith(("allocator/", "harness/")) and name.endswith(SOURCE_SUFFIXES):
            for number, message in check_source(name, read(name), files, layers):
                lines.append(f"{name}:{number}: {message}")
        if name.endswith(".md"):
            for number, message in check_links(name, read(name), files, read):
                lines.append(f"{name}:{number}: {message}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="the checkout (default: the one this script is in)")
    root = parser.parse_args().root
    try:
        lines = check_tree(root)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"check_includes.py: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
