#!/usr/bin/env bash
# quickstart.sh - from a fresh checkout to an answer: how does hakmem compare with mimalloc here?
#
# Boundary: installs, builds and starts hakbench. Every figure comes from hakbench; none is made here.
# Exit codes: 0 done, 1 something failed (the last line on standard error says what), else hakbench's.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<TEXT
Usage: scripts/quickstart.sh [--help]

Installs the packages that are missing (apt-get, with sudo where needed), builds the release preset
in build/release, measures hakmem against mimalloc in interleaved blocks for about a minute, and
prints the ratio with its interval, CV and RSS of both, and the path of a report with a plot.

Environment: JOBS=N  parallel build jobs (default: one a CPU)
TEXT
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '') ;;
  *) die "unknown argument '$1': see --help" ;;
esac

say "1/3 Packages"
install_packages build

say "2/3 Build (preset release, $jobs jobs)"
# The products only: the tests take as long again to compile, and test.sh builds them.
build_preset release hakbench hakmem hakmem_static hakmem-hardened hakmem-observe gates_json hakbench-micro \
  hakbench_recorder harness/plugins/all harness/standalone/all

out="$root/out/quickstart-$(date +%Y%m%d-%H%M%S)"
say "3/3 Measure: hakmem against mimalloc, about one minute"
mkdir -p "$root/out"
exec "$root/build/release/bin/hakbench" ab --a hakmem --b mimalloc \
  --profile "$root/profiles/quick.json" -o "$out"
