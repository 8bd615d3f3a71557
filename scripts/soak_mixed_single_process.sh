#!/usr/bin/env bash
# soak_mixed_single_process.sh - one process, many epochs of random_mixed: a CSV row an epoch.
#
# Boundary: starts hakbench soak, which writes the rows; none is made here. The shell becomes that program, so
#   what ends the one ends the other, and the CSV is complete up to the last finished epoch.
# Exit codes: hakbench's: 0 done, 1 a failure (one line on standard error), 128 + N for signal N.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=scripts/lib/soak_settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/soak_settings.sh"

usage() {
  cat <<TEXT
Usage: [VARIABLE=VALUE...] scripts/soak_mixed_single_process.sh [--help] > soak.csv

Soaks one process with random_mixed and writes a CSV row an epoch to standard output: throughput, RSS,
system calls and what else explains them (hakbench list columns). All else goes to standard error.

Environment:
$(settings_help)
  OUT           folder of the whole result (default out/TIME-soak-NAME)

Examples:
  DURATION_SEC=300 EPOCH_SEC=5 scripts/soak_mixed_single_process.sh > soak.csv
  BENCH_BIN=build/release/bin/bench_random_mixed_mimalloc scripts/soak_mixed_single_process.sh > soak.csv
  scripts/analyze_soak.py soak.csv
TEXT
}

read_arguments "$@"
check_epoch
bench=$(bench_path)
name=$(basename "$bench")
# Only that of the same build: another's plugins hold another allocator.
hakbench=$(dirname "$bench")/hakbench
[[ -x $hakbench ]] ||
  die "no hakbench beside $bench; build it there, or run BENCH_BIN itself: scripts/soak_mixed_rss.sh"
plugin=$(plugin_of "$name")
[[ -f "$(dirname "$hakbench")/../plugins/$plugin.so" ]] ||
  die "BENCH_BIN=$name: no plugin '$plugin' to soak its allocator with; build one (CONTRIBUTING.md), or run" \
    "BENCH_BIN itself: scripts/soak_mixed_rss.sh"
exec "$hakbench" soak -a "$plugin" -w random_mixed --ws "$WS" --duration "$DURATION_SEC" --epoch "$EPOCH_SEC" \
  --csv ${OUT:+-o "$OUT"}
