#!/bin/sh
# bench_check.sh - a bench without a harness says what it ran, throughput and peak RSS; errors are one line.
#
# Boundary: bench_check.sh PROGRAM. Exit codes: 0 as it should be, 1 not.
set -u
program=$1
failures=0
unset HAKMEM_BENCH_PREFAULT

# says WORDS [NAME=VALUE] ARGUMENT... - a run that ends well prints a line with these words (a regular expression).
says() {
  words=$1
  shift
  if ! printed=$(env "$@") || ! printf '%s\n' "$printed" | grep -qE "$words"; then
    printf 'FAIL  %s: expected %s, got:\n%s\n' "$*" "$words" "$printed"
    failures=$((failures + 1))
  fi
}

# refuses WORDS [NAME=VALUE] ARGUMENT... - exit code 1, nothing measured, one line that names the thing.
refuses() {
  words=$1
  shift
  printed=$(env "$@" 2>&1)
  code=$?
  lines=$(printf '%s\n' "$printed" | wc -l)
  if [ "$code" -ne 1 ] || [ "$lines" -ne 1 ] || ! printf '%s\n' "$printed" | grep -qF -- "$words"; then
    printf 'FAIL  %s: expected exit code 1 and "%s", got %s:\n%s\n' "$*" "$words" "$code" "$printed"
    failures=$((failures + 1))
  fi
}

# says_full ARGUMENT... - where standard output takes no more, that is one line with the mend, and exit code 1.
says_full() {
  # shellcheck disable=SC2016  # $@ is that of the inner shell
  refuses 'cannot write to standard output: No space left on device; make room' sh -c '"$@" >/dev/full' sh "$@"
}

name=$(basename "$program")
says "^allocator +${name#bench_random_mixed_}$" "$program" 1000
says '^parameters +cycles=1000 ws=400 seed=1 min_size=16 max_size=1039 prefault=100$' "$program" 1000
says '^parameters +cycles=1000 ws=8 seed=7 min_size=1 max_size=64 prefault=100$' "$program" 1000 8 7 1 64
says 'prefault=0$' HAKMEM_BENCH_PREFAULT=0 "$program" 1000
says 'prefault=2500$' HAKMEM_BENCH_PREFAULT=2500 "$program" 1000
says '^throughput +[1-9][0-9]* ops/s \([0-9.]+ ns/op, [0-9.]+ s\)$' "$program" 1000
says '^peak_rss +[1-9][0-9]* kB \([0-9]+ kB above the start\)$' "$program" 1000
says '^failed_allocs +0$' "$program" 1000
says '^Usage: ' "$program" --help

refuses "cycles = '0'" "$program" 0
refuses "cycles = '1e6'" "$program" 1e6
refuses "ws = '0'" "$program" 1000 0
refuses "seed = '-1'" "$program" 1000 400 -1
refuses "min_size needs a max_size" "$program" 1000 400 1 16
refuses "max_size = '16': expected a number in 32.." "$program" 1000 400 1 32 16
refuses "too many arguments" "$program" 1 2 3 4 5 6
refuses "HAKMEM_BENCH_PREFAULT = 'some'" HAKMEM_BENCH_PREFAULT=some "$program" 1000

says_full "$program" 1000
says_full "$program" --help

[ "$failures" -eq 0 ]
