#!/bin/sh
# icount_check.sh - hakbench icount for real: the same count each time, and 0.2 % more instructions are seen.
#
# Boundary: icount_check.sh FOLDER-OF-PROGRAMS. Exit codes: 0 as it should be, 1 not, 77 no valgrind (a skip).
set -eu
command -v valgrind >/dev/null || exit 77
icount="$1/hakbench-icount"

count() { "$icount" --ops 100000 --seeds 1 "$@"; }

# One loop alone costs hakmem about 17 instructions of its own, with the control's 7: 0.05 more are 0.2 %.
code=0
count --candidate control_work --reference control_work || code=$?
[ "$code" -eq 0 ] || { echo "icount_check.sh: an allocator against itself left with $code, not 0" >&2; exit 1; }
code=0
count --candidate control_work --reference control_work --init a:instructions_per_kop=50 --margin 0.1% || code=$?
[ "$code" -eq 2 ] || { echo "icount_check.sh: 0.2 % more instructions left with $code, not 2" >&2; exit 1; }

# Two processes of one allocator whose caches age by the clock.
count --candidate hakmem --reference hakmem --margin 0 >/dev/null || {
  echo "icount_check.sh: hakmem was counted twice and differed from itself" >&2
  exit 1
}
