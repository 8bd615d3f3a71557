#!/bin/sh
# exports.sh LIB LIST - fails if LIB exports anything but LIST, or under another version. A name that
# goes out by accident would be kept for ever; one that is lost leaves the C library's in its place.
set -eu
lib=$1
list=$2

actual=$(mktemp)
trap 'rm -f "$actual"' EXIT
nm -D --defined-only "$lib" | awk '{ print $3 }' | LC_ALL=C sort >"$actual"
if ! grep -v '^#' "$list" | diff -u --label "$list" --label "$lib" - "$actual"; then
  echo "$lib exports other symbols than $list: mend the library, or the list if that was the purpose"
  exit 2
fi
echo "$(wc -l <"$actual") symbols, as listed"
