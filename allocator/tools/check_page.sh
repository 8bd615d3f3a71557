#!/bin/sh
# check_page.sh GENERATOR PAGE: whether the page says what the tables say, and its links lead somewhere.
# Exit codes: 0 yes, 2 no; the line names the mend.
generator=$1
page=$2

if ! "$generator" markdown | diff "$page" - >&2; then
  echo "$page is not what knobs.def and profiles.def say: build the target gates_page" >&2
  exit 2
fi
grep -o '](\.\./[^)]*)\|]([a-z]*\.md)' "$page" | sed 's/^](//; s/)$//' | sort -u | while read -r target; do
  if [ ! -f "$(dirname "$page")/$target" ]; then
    echo "$page links to $target, which does not exist: write it, or mend the note in knobs.def" >&2
    exit 2
  fi
done
