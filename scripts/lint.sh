#!/usr/bin/env bash
# lint.sh - layout, bug patterns and house rules of every tracked file.
#
# Boundary: reads; changes nothing, installs nothing (test.sh does). Each tool's settings live where
#   that tool looks for them (.clang-format, .clang-tidy) or in the one line that calls it here.
# Invariants: all steps run, also after one failed. A missing tool is a failure that names its
#   package, never a silent pass.
# Exit codes: 0 clean, 1 something to mend.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
cd "$root"

usage() {
  cat <<TEXT
Usage: scripts/lint.sh [--all] [--help]

Checks every tracked file: clang-format, cppcheck, shellcheck, flake8 and check_includes.py (layers, links).
clang-tidy is slow, so it checks the products' C++ files that differ from the base only; it needs
build/release (any build of the preset release).

  --all   clang-tidy on every C++ file

Environment: LINT_BASE=COMMIT  the base for clang-tidy (default: the upstream branch's merge base, else HEAD~1)
TEXT
}

tidy_all=no
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --all) tidy_all=yes ;;
  '') ;;
  *) die "unknown argument '$1': see --help" ;;
esac

clang_format_major=14 # other versions lay out the same settings differently
failed=()

# step NAME COMMAND... - runs it, and remembers the name if it fails.
step() {
  local name=$1 started_s=$SECONDS
  shift
  if "$@"; then
    printf 'ok    %-15s %3d s\n' "$name" $((SECONDS - started_s))
  else
    printf 'FAIL  %-15s %3d s\n' "$name" $((SECONDS - started_s))
    failed+=("$name")
  fi
}

# tool COMMAND PACKAGE - whether it is there; says which package brings it.
tool() {
  command -v "$1" >/dev/null || {
    warn "$1 is missing: install the package $2"
    return 1
  }
}

# tracked PATTERN... - tracked files that exist in the work tree, NUL-terminated.
tracked() {
  local file
  git ls-files -z -- "$@" | while IFS= read -r -d '' file; do
    if [[ -f $file ]]; then printf '%s\0' "$file"; fi
  done
}

layout() {
  local candidate command=
  for candidate in "clang-format-$clang_format_major" clang-format; do
    if "$candidate" --version 2>/dev/null | grep -q "version $clang_format_major\."; then
      command=$candidate
      break
    fi
  done
  if [[ -z $command ]]; then
    warn "clang-format $clang_format_major is missing: install the package clang-format-$clang_format_major"
    return 1
  fi
  tracked '*.c' '*.cc' '*.h' '*.def' | xargs -0 -r "$command" --dry-run -Werror
}

# Errors, warnings, performance and portability; not `style`, which is taste. Suppressed, with reasons:
#   missingInclude*       system headers are not read
#   unknownMacro          test macros of GoogleTest
#   resourceLeak          a dlopen handle is kept for the life of the process, on purpose
#   shiftTooManyBits      takes `uint64_t{x} >> 32` for a shift of x (cppcheck 2.10)
#   wrongPrintfScanfArgNum  cannot see a format that is passed on; the compiler's -Wformat can
# Left out: plugins and programs whose bug is their purpose.
bug_patterns() {
  tool cppcheck cppcheck || return
  tracked 'allocator/*.c' 'allocator/*.cc' 'harness/*.c' 'harness/*.cc' \
    ':!harness/test/plugins' ':!allocator/test/misuse' |
    xargs -0 -r cppcheck --quiet --error-exitcode=1 --std=c++20 -j "$jobs" --library=googletest \
      --enable=warning,performance,portability --inline-suppr \
      --suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro \
      --suppress=resourceLeak --suppress=shiftTooManyBits --suppress=wrongPrintfScanfArgNum \
      -I allocator/include -I allocator/src -I harness/include -I harness/src
}

# changed_sources - the C++ files clang-tidy is to read, NUL-terminated: all of the products, or those
# that differ from the base. A changed header counts through its source of the same name. Tests are left
# to cppcheck: GoogleTest's headers cost clang-tidy more time than the rest together.
changed_sources() {
  local base file products=(allocator/src allocator/preload harness/src)
  if [[ $tidy_all == yes ]]; then
    tracked "${products[@]/%//*.cc}"
    return
  fi
  base=${LINT_BASE:-$(git merge-base HEAD '@{upstream}' 2>/dev/null || true)}
  if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then
    base=$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD)
  fi
  git diff --name-only -z --diff-filter=d "$base" -- "${products[@]}" |
    while IFS= read -r -d '' file; do
      case $file in
        *.cc) printf '%s\0' "$file" ;;
        *.h) tracked "${file%.h}.cc" ;;
      esac
    done | sort -zu
}

tidy() {
  tool clang-tidy clang-tidy || return
  if [[ ! -f build/release/compile_commands.json ]]; then
    warn "build/release/compile_commands.json is missing: run cmake --preset release"
    return 1
  fi
  # g++'s precompiled headers mean nothing to clang-tidy; without them each file must stand alone.
  mkdir -p build/lint
  sed -E 's/ -Winvalid-pch| -include [^ ]*cmake_pch\.hxx//g' build/release/compile_commands.json \
    >build/lint/compile_commands.json
  changed_sources | xargs -0 -r -n 1 -P "$jobs" clang-tidy --quiet -p build/lint 2> >(grep -v 'warnings generated' >&2)
}

shell() {
  tool shellcheck shellcheck || return
  { tracked '*.sh' '.ci/run'; } | xargs -0 -r shellcheck -x
}

python() {
  local interpreter
  interpreter=$(scripts/find_python.sh flake8 2>/dev/null) || {
    warn "flake8 is missing: install the package python3-flake8"
    return 1
  }
  tracked '*.py' | xargs -0 -r "$interpreter" -m flake8 --isolated --max-line-length 110
}

house() {
  tool python3 python3 || return
  python3 scripts/check_includes_test.py 2>/dev/null || {
    warn "check_includes.py fails its own tests: run python3 scripts/check_includes_test.py"
    return 1
  }
  python3 scripts/check_includes.py
}

step clang-format layout
step cppcheck bug_patterns
step clang-tidy tidy
step shellcheck shell
step flake8 python
step check_includes house

if [[ ${#failed[@]} -gt 0 ]]; then
  warn "to mend: ${failed[*]}"
  exit 1
fi
