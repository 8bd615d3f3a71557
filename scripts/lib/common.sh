# shellcheck shell=bash
# common.sh - what the scripts share: messages, installing packages, building a preset.
#
# Owns: the functions `say`, `warn`, `die`, `install_packages`, `build_preset`, and the variables
#   `root` (the checkout) and `jobs` (parallel jobs; JOBS in the environment overrides).
# Boundary: sourced by the scripts of this folder's parent, never run. Reads scripts/lib/packages.txt.
# Invariants: `say` is for people and goes to standard output; what went wrong goes to standard error.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
export root jobs

say() { printf '\n== %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$*"
  exit 1
}

# package_names GROUP... - the packages of these groups, one a line.
package_names() {
  awk -v groups="$*" 'BEGIN { count = split(groups, names, " ")
                              for (i = 1; i <= count; i++) wanted[names[i]] = 1 }
                      $1 in wanted { print $2 }' "$root/scripts/lib/packages.txt"
}

# missing_packages GROUP... - those of them that dpkg does not have installed, one a line.
missing_packages() {
  local package
  for package in $(package_names "$@"); do
    # A package can be known and "not-installed". More than one line: one an architecture.
    # shellcheck disable=SC2016  # the ${...} is dpkg-query's own syntax
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

# as_root COMMAND... - runs it as root: at once, or through sudo.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# without_services COMMAND... - runs it as root with package scripts forbidden to start services:
# redis-server is wanted as a program for a test, not as a daemon on this machine. In a subshell, so
# that the trap takes the policy away again however the command ends.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root "$@"
)

# install_packages GROUP... - brings what is missing with apt-get. Does nothing when nothing is
# missing. Where it cannot install it says what to install and goes on: the build tells what it lacks.
install_packages() {
  local missing log redis_was_there=yes
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "No apt-get here. Install your system's counterparts of these Debian packages, if they are"
    echo "not there yet; going on in the hope that they are:"
    package_names "$@" | paste -s -d ' ' | fold -s -w 96 | sed 's/^/  /'
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  if [[ ${#missing[@]} -eq 0 ]]; then
    echo "Nothing to install: all packages are there."
    return
  fi
  if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
    warn "cannot install without root or sudo; going on without. Ask for: apt-get install ${missing[*]}"
    return
  fi
  echo "Installing: ${missing[*]}"
  command -v redis-server >/dev/null || redis_was_there=no
  log=$(mktemp)
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >"$log" 2>&1 ||
    warn "apt-get update failed; trying with the package lists that are there"
  if ! without_services env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}. Its message above says why; mend that and run again"
  fi
  rm -f "$log"
  # Not started now, and not at the next start of the machine either.
  if [[ $redis_was_there == no && -d /run/systemd/system ]] && command -v redis-server >/dev/null; then
    as_root systemctl disable --quiet redis-server 2>/dev/null || true
  fi
}

# build_preset PRESET [TARGET...] - configures it in build/PRESET and builds the targets; all without one.
build_preset() {
  local preset=$1 log
  shift
  command -v cmake >/dev/null || die "cmake is not installed: install CMake 3.25 or newer"
  log=$(mktemp)
  if ! (cd "$root" && cmake --preset "$preset") >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "configuring preset $preset failed (messages above): install what it misses, or remove build/$preset and retry"
  fi
  # Of the configuration only what a person should know.
  grep -E ' is skipped: |CMake Warning' "$log" || true
  rm -f "$log"
  cmake --build "$root/build/$preset" -j "$jobs" --target "${@:-all}" ||
    die "building preset $preset failed (messages above)"
}
