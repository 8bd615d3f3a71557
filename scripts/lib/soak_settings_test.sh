#!/usr/bin/env bash
# soak_settings_test.sh - the two soak_mixed scripts with a pretended bench and hakbench.
#
# Boundary: nothing is measured. Exit codes: 0 passed, 1 a case failed.
# shellcheck disable=SC2016  # the stubs expand it
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
mkdir "$sandbox/bin" "$sandbox/plugins"
printf '#!/bin/sh\necho "throughput 1000 ops/s (1.0 ns/op, 1.0 s)"\n' >"$sandbox/bin/bench_random_mixed_system"
printf '#!/bin/sh\necho "hakbench $*"\n' >"$sandbox/bin/hakbench"
chmod +x "$sandbox/bin/"*
touch "$sandbox/plugins/glibc.so"
failures=0

# run SCRIPT FILE [NAME=VALUE...] [ARGUMENT...] - its standard output goes to FILE.
run() {
  local script=$1 out=$2
  shift 2
  local variables=()
  while [[ ${1:-} == *=* ]]; do
    variables+=("$1")
    shift
  done
  status=0
  env -u CYCLES -u OUT -u WS BENCH_BIN="$sandbox/bin/bench_random_mixed_system" "${variables[@]}" \
    "$scripts/$script.sh" "$@" >"$out" 2>"$sandbox/error" || status=$?
}

# expect NAME CONDITION... - counts a failure if the condition does not hold.
expect() {
  local name=$1
  shift
  if "$@"; then echo "ok    $name"; else
    echo "FAIL  $name: exit code $status, standard error:"
    cat "$sandbox/error"
    failures=$((failures + 1))
  fi
}

# refused LINE - exit code 1, and of what people are told only this line is no title.
refused() { [[ $status -eq 1 && $(grep -v '^$\|^== ' "$sandbox/error") == "$1" ]]; }
passed() { [[ $status -eq 0 ]]; }

for script in soak_mixed_rss soak_mixed_single_process; do
  long="$script.sh: EPOCH_SEC=%s is longer than DURATION_SEC=%s; give a shorter EPOCH_SEC or a longer DURATION_SEC"
  # shellcheck disable=SC2059  # the format is this file's own
  for values in "100 1" "0.31 0.3"; do
    read -r epoch duration <<<"$values"
    run $script "$sandbox/out" DURATION_SEC="$duration" EPOCH_SEC="$epoch"
    expect "$script: an epoch of $epoch s in $duration s" refused "$(printf "$long" "$epoch" "$duration")"
  done
  run $script "$sandbox/out" DURATION_SEC=0.10 EPOCH_SEC=0.1
  expect "$script: one epoch fits" passed
  run $script /dev/full --help
  expect "$script: --help without room" refused \
    "$script.sh: cannot write to standard output; make room, or send it elsewhere"
done

run soak_mixed_rss "$sandbox/out" DURATION_SEC=0.1 EPOCH_SEC=5 CYCLES=10
expect "operations instead of an epoch" passed
run soak_mixed_rss /dev/full DURATION_SEC=0.1 EPOCH_SEC=0.1
expect "rows without room" refused \
  "soak_mixed_rss.sh: cannot write to standard output; make room, or send it elsewhere"

[[ $failures -eq 0 ]]
