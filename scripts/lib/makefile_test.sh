#!/usr/bin/env bash
# makefile_test.sh - the Makefile of the root, tried against a pretended cmake and ctest.
#
# Boundary: a copy of the Makefile in a folder of its own; nothing is built. Exit codes: 0 passed, 1 a case failed.
# shellcheck disable=SC2016  # the stub expands it
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
mkdir "$sandbox/bin" "$sandbox/tree" "$sandbox/tree/docs"
cp "$root/Makefile" "$sandbox/tree/"
failures=0

# expect NAME CONDITION... - counts a failure if the condition does not hold.
expect() {
  local name=$1
  shift
  if "$@"; then echo "ok    $name"; else
    echo "FAIL  $name"
    failures=$((failures + 1))
  fi
}

# run ARGUMENT... - make in the copy; its calls, output and status are kept.
run() {
  : >"$sandbox/calls"
  status=0
  (cd "$sandbox/tree" && env -u MAKEFLAGS -u PRESET PATH="$sandbox/bin:$PATH" SANDBOX="$sandbox" make "$@") \
    >"$sandbox/output" 2>&1 || status=$?
}

calls() { [[ $(cat "$sandbox/calls") == "$1" ]]; }
said() { grep -qF -- "$1" "$sandbox/output"; }

cat >"$sandbox/bin/cmake" <<'STUB'
#!/bin/bash
echo "cmake $*" >>"$SANDBOX/calls"
if [[ $1 == --preset ]]; then mkdir -p "build/$2/bin" && touch "build/$2/build.ninja"; fi
case ${*: -1} in
  nonsense) echo "ninja: error: unknown target 'nonsense'" && exit 1 ;;
  bench_*) touch "build/$3/bin/${*: -1}" ;;
esac
STUB
printf '#!/bin/bash\necho "ctest $*" >>"$SANDBOX/calls"\n' >"$sandbox/bin/ctest"
chmod +x "$sandbox/bin/cmake" "$sandbox/bin/ctest"
one="cmake --build --preset release --target"

run bench_one
expect "a bench, nothing configured: configures, then builds it" calls "cmake --preset release
$one bench_one"
expect "a bench: is found in the root" test "$sandbox/tree/bench_one" -ef "$sandbox/tree/build/release/bin/bench_one"

run bench_one
expect "configured, and the link is there: builds again" calls "$one bench_one"

run docs
expect "a folder has the name: is asked for all the same" calls "$one docs"
expect "no bench: no link" test ! -L "$sandbox/tree/docs/docs"

run nonsense
expect "unknown target: fails" test "$status" -ne 0
expect "unknown target: says so" said "unknown target 'nonsense'"

run
expect "no name: builds everything" calls "cmake --build --preset release"

run test
expect "test: builds everything, then tests" calls "cmake --build --preset release
ctest --preset release"

run PRESET=dev bench_one
expect "another preset: configures and builds that" calls "cmake --preset dev
cmake --build --preset dev --target bench_one"
expect "another preset: the link follows" test "$sandbox/tree/bench_one" -ef "$sandbox/tree/build/dev/bin/bench_one"

run -j8 one two
expect "several names at once: one after the other" calls "$one one
$one two"

run clean
expect "clean: cleans the build" calls "$one clean"
expect "clean: takes the links away" test ! -L "$sandbox/tree/bench_one"

run help
expect "help: calls nothing" calls ""
expect "help: names the targets" said "make test"

[[ $failures -eq 0 ]]
