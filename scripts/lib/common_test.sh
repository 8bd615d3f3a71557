#!/usr/bin/env bash
# common_test.sh - installing packages, tried against a pretended dpkg-query and apt-get.
#
# Boundary: the stubs come first in PATH; nothing is installed. Exit codes: 0 passed, 1 a case failed.
# shellcheck disable=SC2016,SC2317  # stubs are quoted scripts; the overridden functions are called
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sandbox=$(mktemp -d)
trap 'rm -rf "$sandbox"' EXIT
failures=0

# stub NAME BODY - a command NAME in the sandbox.
stub() {
  printf '#!/bin/bash\n%s\n' "$2" >"$sandbox/bin/$1"
  chmod +x "$sandbox/bin/$1"
}

# expect NAME CONDITION... - counts a failure if the condition does not hold.
expect() {
  local name=$1
  shift
  if "$@"; then echo "ok    $name"; else
    echo "FAIL  $name"
    failures=$((failures + 1))
  fi
}

said() { grep -qF -- "$1" "$sandbox/output"; }
calls() { [[ $(cat "$sandbox/calls") == "$1" ]]; }

# run GROUP... - install_packages in a shell whose tools are the stubs.
run() {
  : >"$sandbox/calls"
  status=0
  (
    export PATH="$sandbox/bin:$PATH" SANDBOX="$sandbox"
    as_root() { "$@"; } # the stubs need no rights
    without_services() { as_root "$@"; }
    install_packages "$@"
  ) >"$sandbox/output" 2>&1 || status=$?
}

mkdir "$sandbox/bin"
stub dpkg-query '
  [[ ${@: -1} == "$(cat "$SANDBOX/lacks")" ]] && exit 1
  [[ ${@: -1} == "$(cat "$SANDBOX/knows")" ]] && echo not-installed || echo installed'
stub apt-get 'echo "$*" >>"$SANDBOX/calls"; [[ $1 != install ]] || exit "$(cat "$SANDBOX/install_status")"'
echo 0 >"$sandbox/install_status"
echo nothing >"$sandbox/knows"

echo nothing >"$sandbox/lacks"
run build test
expect "nothing missing: succeeds" test "$status" -eq 0
expect "nothing missing: apt-get is not called" calls ""

echo cmake >"$sandbox/lacks"
run build
expect "one missing: succeeds" test "$status" -eq 0
expect "one missing: updates, then installs just that" calls \
  "$(printf 'update -q\ninstall -q -y --no-install-recommends cmake')"

echo nothing >"$sandbox/lacks"
echo git >"$sandbox/knows"
run build
expect "known to dpkg, but not installed: is installed" calls \
  "$(printf 'update -q\ninstall -q -y --no-install-recommends git')"
echo nothing >"$sandbox/knows"

echo valgrind >"$sandbox/lacks"
run build
expect "missing in another group: apt-get is not called" calls ""

echo cmake >"$sandbox/lacks"
echo 100 >"$sandbox/install_status"
run build
expect "apt-get fails: exit code 1" test "$status" -eq 1
expect "apt-get fails: names the package" said "could not install: cmake"

# Every name in the table is one word in a known group, so that a typing error does not install less.
malformed=$(awk 'NF && $1 !~ /^#/ && ($1 !~ /^(build|test)$/ || NF < 3)' "$root/scripts/lib/packages.txt")
expect "packages.txt: every row has group, package and reason" test -z "$malformed"

[[ $failures -eq 0 ]]
