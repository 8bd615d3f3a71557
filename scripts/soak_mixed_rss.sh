#!/usr/bin/env bash
# soak_mixed_rss.sh - fresh processes of a bench_random_mixed_* program, one after the other: a CSV row each.
#
# Boundary: starts BENCH_BIN and puts what it prints into rows; the figures are the program's own.
# Exit codes: 0 done, 1 a failure (one line on standard error).
set -euo pipefail
export LC_ALL=C  # EPOCHREALTIME and awk: a point, not the locale's comma
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/soak_settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/soak_settings.sh"

usage() {
  cat <<TEXT
Usage: [VARIABLE=VALUE...] scripts/soak_mixed_rss.sh [--help] > rss.csv

Runs a bench_random_mixed_* program again and again for the duration, as a fresh process each time, and writes
a CSV row a process to standard output: throughput, RSS at the end, peak RSS. All else goes to standard error.

Environment:
$(settings_help)
  CYCLES        operations of a process (default: as many as take EPOCH_SEC, from one short trial)

Examples:
  DURATION_SEC=300 scripts/soak_mixed_rss.sh > rss.csv
  BENCH_BIN=build/release/bin/bench_random_mixed_system EPOCH_SEC=1 scripts/soak_mixed_rss.sh > rss.csv
  scripts/analyze_soak.py rss.csv
TEXT
}

read_arguments "$@"
bench=$(bench_path)
trial_cycles=2000000

# run_bench CYCLES - the program's lines, or one line that says how it failed.
run_bench() {
  "$bench" "$1" "$WS" 1 || die "$bench $1 $WS 1 failed with exit code $?; run it by itself"
}

# value LINES NAME [WORD] - word number WORD (default 2, the value) of the line NAME, without parentheses; empty if
# there is no such line.
value() {
  awk -v name="$2" -v word="${3:-2}" '$1 == name { gsub(/[()]/, "", $word); print $word; exit }' <<<"$1"
}

cycles=${CYCLES:-}
if [[ -z $cycles ]]; then
  check_epoch
  lines=$(run_bench $trial_cycles) || exit 1
  rate=$(value "$lines" throughput)
  [[ $rate =~ ^[0-9]+$ ]] || die "$bench prints no line 'throughput N ops/s'; name a bench_random_mixed_* program"
  cycles=$(awk -v rate="$rate" -v seconds="$EPOCH_SEC" 'BEGIN { printf "%.0f", rate * seconds }')
fi
say "$(basename "$bench"): processes of $cycles operations, WS=$WS, for $DURATION_SEC s" >&2

echo "run,allocator,wall_time_s,ops,ops_per_s,ns_per_op,rss_kb,rss_above_base_kb,peak_rss_kb,peak_rss_above_base_kb,failed_allocs" \
  2>/dev/null || output_failed
end=$(awk -v now="$EPOCHREALTIME" -v seconds="$DURATION_SEC" 'BEGIN { printf "%.6f", now + seconds }')
run=0
while :; do
  lines=$(run_bench "$cycles") || exit 1
  printf '%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n' "$run" "$(value "$lines" allocator)" "$EPOCHREALTIME" "$cycles" \
    "$(value "$lines" throughput)" "$(value "$lines" throughput 4)" \
    "$(value "$lines" rss)" "$(value "$lines" rss 4)" \
    "$(value "$lines" peak_rss)" "$(value "$lines" peak_rss 4)" "$(value "$lines" failed_allocs)" \
    2>/dev/null || output_failed
  run=$((run + 1))
  awk -v now="$EPOCHREALTIME" -v end="$end" 'BEGIN { exit now < end }' && break
done
say "$run processes" >&2
