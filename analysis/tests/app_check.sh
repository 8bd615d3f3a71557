#!/bin/sh
# shellcheck disable=SC2016,SC2317  # commands in single quotes are run by another shell; functions are called by name
# app_check.sh BIN - `hakbench app` on real processes: figures that are plausible, outputs that are compared, a
# failing program that is named, and the right exit codes. Exit 77: a library that it needs was not built.
bin=$1
[ -e "$bin/../lib/libhakmem.so" ] || { echo "skipped: no libhakmem.so in this build"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0

# expect NAME CODE PATTERN COMMAND...: its exit code, and a line of what it prints.
expect() {
  name=$1 code=$2 pattern=$3
  shift 3
  "$@" >"$folder/said" 2>&1
  got=$?
  if [ $got -ne "$code" ] || ! grep -q -e "$pattern" "$folder/said"; then
    echo "$name: exit code $got (expected $code), no line like '$pattern' in:"
    cat "$folder/said"
    failures=$((failures + 1))
  fi
}

app() { "$bin/hakbench" app -a hakmem -a glibc --blocks 2 "$@"; }

expect same 0 'same output under every allocator' app -o "$folder/same" -- sh -c 'echo hello; yes | head -c 1500000 | sort -u'
expect peak 0 '^True$' sh -c '
  cut -d, -f9 "$1/same/runs.csv" | tail -n +2 | sort -n | sed -n "1p;\$p" | tr "\n" " " |
  { read -r least most; [ "$least" -gt 1000 ] && [ "$most" -lt 60000 ] && echo True; }' sh "$folder"
expect rows 0 '^11$' sh -c 'wc -l <"$1/same/runs.csv"' sh "$folder"
# The user's own command runs where the user is.
here() { (cd "$folder" && app "$@"); }
printf 'b\na\nb\n' >"$folder/words.txt"
printf '#!/bin/sh\necho svc\n' >"$folder/svc" && chmod +x "$folder/svc"
expect file 0 'same output under every allocator' here -o "$folder/file" -- sort -u words.txt
expect relative 0 'same output under every allocator' here -o "$folder/relative" -- ./svc
# What is printed tells which library is preloaded, so it must differ.
expect differs 2 'OUTPUT DIFFERS' app -o "$folder/differs" -- sh -c 'echo "$LD_PRELOAD"'
expect varies 0 'not the same from run to run' app -o "$folder/varies" -- sh -c 'echo $$'
expect fails 1 'FAILED: sh ended with exit code 3: oh' app -o "$folder/fails" -- sh -c 'echo oh >&2; exit 3'
expect killed 1 'FAILED: sh was killed by SIGKILL' app -o "$folder/killed" -- sh -c 'kill -KILL $$'
expect missing 1 'no-such-program: cannot be started' app -o "$folder/missing" -- no-such-program
expect no_right 1 'words.txt: cannot be started' here -o "$folder/missing" -- ./words.txt
expect no_folder 2 'No such file' ls "$folder/missing"
expect taken 1 'holds a result already' app -o "$folder/same" -- true
# Settings of this environment would be every allocator's; which are left out is said.
expect cleared 0 'note: programs are run without this environment.s HAKMEM_PROFILE; .*--env LABEL:HAKMEM_PROFILE=VALUE' \
  env HAKMEM_PROFILE=memory_lean_free "$bin/hakbench" app -a hakmem --blocks 1 -o "$folder/cleared" -- true
expect foreign 1 'malloc comes from' "$bin/hakbench" app -a m=/lib/x86_64-linux-gnu/libm.so.6 -o "$folder/m" -- true
exit $((failures > 0))
