#!/usr/bin/env bash
# test.sh - everything that must hold before a change is merged: builds, C++ and Python tests in each
# preset, and lint.
#
# Boundary: installs and runs; what is tested is declared in CMake (ctest drives C++ and pytest).
# Invariants: a failing step does not hide the next one; the last line is the total.
# Exit codes: 0 all passed, 1 something failed.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<TEXT
Usage: scripts/test.sh [--quick] [--help]

Installs the packages that are missing, builds the presets release, asan and tsan (the sanitizers:
allocator only) in build/PRESET, runs every test of each with ctest, and lints.

  --quick   leaves the sanitizer presets out

Environment: JOBS=N  parallel build and test jobs (default: one a CPU)
TEXT
}

presets=(release asan tsan)
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --quick) presets=(release) ;;
    *) die "unknown argument '$argument': see --help" ;;
  esac
done

started_s=$SECONDS
tests=0
failed=()

# count ATTRIBUTE FILE - the number in `attribute="N"` of ctest's JUnit <testsuite> element.
count() { sed -n "s/^.*[[:space:]]$1=\"\([0-9]*\)\".*$/\1/p" "$2" | head -n 1; }

# test_preset PRESET - builds it and runs its tests; adds to `tests` and `failed`.
test_preset() {
  local junit="$root/build/$1/junit.xml"
  say "Preset $1: build ($jobs jobs)"
  if ! (build_preset "$1"); then
    failed+=("build of $1")
    return
  fi
  say "Preset $1: tests"
  rm -f "$junit"
  (cd "$root" && ctest --preset "$1" -j "$jobs" --no-tests=error --output-junit "$junit") ||
    failed+=("tests of $1")
  if [[ -s $junit ]]; then tests=$((tests + $(count tests "$junit"))); fi
}

say "Packages"
install_packages build test

for preset in "${presets[@]}"; do test_preset "$preset"; done

say "Lint"
"$root/scripts/lint.sh" || failed+=("lint")

elapsed_s=$((SECONDS - started_s))
total="$tests tests (${presets[*]}) and lint, $((elapsed_s / 60)) min $((elapsed_s % 60)) s"
if [[ ${#failed[@]} -gt 0 ]]; then
  printf -v list '%s, ' "${failed[@]}"
  say "FAILED: ${list%, } ($total)"
  exit 1
fi
say "PASSED: $total"
