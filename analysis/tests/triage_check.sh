#!/bin/sh
# triage_check.sh - hakbench triage for real, with causes that are planted: the verdict must be right both ways.
#
# Boundary: triage_check.sh FOLDER-OF-PROGRAMS. Exit codes: 0 as it should be, 1 not.
set -eu
triage="$1/hakbench-triage"
python=$("$(dirname "$0")/../../scripts/find_python.sh")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# expect VERDICT NAME OPTION... - a triage of a second or so must end with that verdict.
expect() {
  verdict=$1
  name=$2
  shift 2
  "$triage" --launches 6 --duration 240ms --epoch 20ms -o "$folder/$name" --format json "$@" >"$folder/$name.json"
  grep -q "\"verdict\": \"$verdict\"" "$folder/$name.json" || {
    echo "triage_check.sh: $name, expected $verdict: $(grep -E '"(verdict|conclusion)"' "$folder/$name.json")" >&2
    exit 1
  }
}

# holds NAME OWNER KB - in that triage the design's share, with its whole interval, and that owner in the ledger
# ("": no ledger asked for) are KB at least. The verdict alone would be the same without the planted cause.
holds() {
  "$python" - "$folder/$1.json" "$2" "$3" <<'CHECK' || { echo "triage_check.sh: $1 does not show its $3 kB" >&2; exit 1; }
import json, sys
path, owner, least_kb = sys.argv[1], sys.argv[2], float(sys.argv[3])
found = json.load(open(path))
shown = [found["allocator_design"]["lower"]]
if owner:
    shown += [row["bytes"] / 1024 for row in found["ledger"]["owners"] if row["name"] == owner]
sys.exit(len(shown) != 1 + bool(owner) or min(shown) < least_kb)
CHECK
}

# A: the warm-up allocates 43,919 blocks, 32 MiB, and the first epoch finds them there; without it the epochs get
# to 4,000 blocks.
expect benchmark warm_up -a hakmem -w growth --param mb=32 --ops 2000 --prefault 43919
# B: the allocator keeps 32 MiB from the start to the end, whatever is warmed up.
expect allocator_design kept -a control_rss --init of=hakmem --init kb=32768 --ops 20000
holds kept "" 32000
# B again, by hakmem's own design: a warm pool that is set to keep 32 MiB.
expect allocator_design warm_pool -a hakmem --env HAKMEM_SS_WARM_POOL_KB=32768 --ops 20000
# 64 slabs of the 32 MiB are in use by then.
holds warm_pool warm_empty_slabs 28000
# Both: 16 MiB that are kept, and 16 MiB that the warm-up leaves behind.
expect both both -a control_rss --init of=hakmem --init kb=16384 -w growth --param mb=16 --ops 2000 --prefault 21959
holds both "" 15000
