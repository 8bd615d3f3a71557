#!/usr/bin/env bash
# gate.sh - is this tree's hakmem worse than that of an earlier commit? For a CI job, or by hand.
#
# Boundary: builds both, runs `hakbench gate` and leaves with its exit code. Every figure and verdict is
#   hakbench's. The harness is this tree's for both, so only the allocator differs.
# Invariants: the reference commit is built in a git worktree of its own, which is gone at the end; this
#   tree is built as it lies there, with what is not committed.
# Exit codes: hakbench gate's: 0 pass, 1 the tool or its input failed, 2 the gate failed, 3 inconclusive.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"

usage() {
  cat <<TEXT
Usage: docs/ci/gate.sh [--reference COMMIT] [--profile NAME] [-o DIR] [-- ARGUMENTS]

Builds hakmem of COMMIT and of this tree and runs hakbench gate: this tree's is the candidate, COMMIT's the
reference. ARGUMENTS go to it as they are, for example: -- --junit junit.xml --fail-on-inconclusive

  --reference COMMIT   what this tree must not be worse than (default HEAD~1)
  --profile NAME       workload, margins and looks (default ci_gate)
  -o DIR               folder of the result (default out/gate-TIME)

Environment: JOBS=N  parallel build jobs (default: one a CPU)
TEXT
}

reference=HEAD~1
profile=ci_gate
out="$root/out/gate-$(date +%Y%m%d-%H%M%S)"
while [[ $# -gt 0 ]]; do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --reference | --profile | -o)
      [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value: see --help"
      case $1 in
        --reference) reference=$2 ;;
        --profile) profile=$2 ;;
        -o) out=$2 ;;
      esac
      shift 2
      ;;
    --)
      shift
      break
      ;;
    *) die "unknown argument '$1': see --help" ;;
  esac
done

commit=$(git -C "$root" rev-parse --verify --quiet "$reference^{commit}") ||
  die "no commit '$reference' here: name one, or fetch it first (a shallow clone has no history)"

say "1/4 Packages"
install_packages build

source_folder=$(mktemp -d)
clean_up() {
  git -C "$root" worktree remove --force "$source_folder/source" 2>/dev/null || true
  rm -rf "$source_folder"
}
trap clean_up EXIT

say "2/4 Build the reference, ${commit:0:12} ($jobs jobs)"
git -C "$root" worktree add --quiet --detach "$source_folder/source" "$commit"
root="$source_folder/source" build_preset release plugin_hakmem

say "3/4 Build this tree ($jobs jobs)"
build_preset release hakbench harness/plugins/all

say "4/4 Gate: profile $profile, result in $out"
mkdir -p "$(dirname "$out")"
"$root/build/release/bin/hakbench" gate --candidate hakmem \
  --reference "before=$source_folder/source/build/release/plugins/hakmem.so" --profile "$profile" -o "$out" "$@"
