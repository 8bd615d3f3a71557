#!/usr/bin/env bash
# coverage.sh - which lines of the allocator its tests run.
#
# Boundary: builds the preset coverage and runs the allocator's tests in it; coverage_report.py counts and
#   judges.
# Exit codes: 0 pass, 1 a build or a test failed, 2 too few lines covered, or a gap that nobody explained.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<TEXT
Usage: scripts/coverage.sh [--report] [--help]

Builds the preset coverage, runs the allocator's tests (all but those of the installation) and prints the
lines covered of each file of allocator/src and allocator/preload, and every line that is neither covered
nor explained in allocator/test/coverage_explained.txt.

  --report   only prints, from the counts of the last run

Environment: JOBS=N  parallel build and test jobs (default: one a CPU); GCOV=PROGRAM (default: gcov)
TEXT
}

run=yes
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --report) run=no ;;
  '') ;;
  *) die "unknown argument '$1': see --help" ;;
esac

build=$root/build/coverage
if [[ $run == yes ]]; then
  build_preset coverage
  find "$build" -name '*.gcda' -delete
  (cd "$root" && ctest --preset coverage -j "$jobs" -L allocator -LE install --no-tests=error) ||
    die "tests failed (messages above): their lines are not counted; mend them first"
fi
python3 "$root/scripts/coverage_report.py" --root "$root" --build "$build" \
  --explained "$root/allocator/test/coverage_explained.txt"
