#!/bin/sh
# fast_path_instructions.sh LIB - counts the instructions from the entry of malloc, free and sized delete to
# their first ret, and fails beyond the budget: 15, 13 and 16 (x86-64).
set -eu
lib=$1

count() {
  objdump -d --no-show-raw-insn "$lib" | awk -v name="<$1>:" '
    index($0, name) { inside = 1; next }
    inside && NF == 0 { exit }
    inside { ++n; if ($2 ~ /^ret/) { print n; exit } }'
}

status=0
check() {
  n=$(count "$1")
  [ -n "$n" ] || { echo "$1: not found in $lib"; exit 1; }
  echo "$1: $n instructions, budget $2"
  [ "$n" -le "$2" ] || status=1
}
check malloc 15
check free 13
check hakmem_malloc 15
check hakmem_free 13
check _ZdlPvm 16
exit $status
