#!/bin/sh
# find_python.sh - prints the Python interpreter that can run the analysis.
#
# Purpose: the one place that chooses an interpreter; CMake, bin/hakbench-* and the analysis scripts ask it.
# Boundary: find_python.sh [MODULE...] prints a path, or one line on stderr and exit code 1. MODULEs are
#   what it must be able to import; the default is what the analysis needs.
# Order: $HAKMEM_PYTHON (alone, if set), python3 on PATH, /usr/bin/python3, other versions on PATH. A
#   python3 on PATH without the modules, a common sight with pyenv and conda, is passed over.
set -eu

modules=${*:-numpy pandas scipy matplotlib}

# usable INTERPRETER - is it Python 3.9 or newer and does it have all modules? Looks for the modules
# without loading them, which would take a second.
usable() {
  # shellcheck disable=SC2086 # the list of modules is meant to split
  "$1" - $modules <<'PYTHON' >/dev/null 2>&1
import importlib.util
import sys
ok = sys.version_info >= (3, 9) and all(importlib.util.find_spec(name) for name in sys.argv[1:])
sys.exit(0 if ok else 1)
PYTHON
}

try() {
  path=$(command -v "$1" 2>/dev/null) || return 1
  usable "$path" && printf '%s\n' "$path"
}

if [ -n "${HAKMEM_PYTHON:-}" ]; then
  try "$HAKMEM_PYTHON" && exit 0
  echo "find_python.sh: error: HAKMEM_PYTHON=$HAKMEM_PYTHON is no Python >= 3.9 with $modules; unset it or name another" >&2
  exit 1
fi
for candidate in python3 /usr/bin/python3 /usr/local/bin/python3 python3.13 python3.12 python3.11 python3.10 python3.9; do
  try "$candidate" && exit 0
done
packages=$(for module in $modules; do printf ' python3-%s' "$module"; done)
echo "find_python.sh: error: no Python >= 3.9 with $modules; install: apt-get install python3$packages (or set HAKMEM_PYTHON)" >&2
exit 1
