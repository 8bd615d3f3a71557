#!/bin/sh
# build_commit_test.sh CMAKE SCRIPT: what build_commit.cmake writes of trees made for it.
set -eu
cmake=$1 script=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tree=$folder/tree written=$folder/build_commit.cc
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export GIT_CEILING_DIRECTORIES="$folder" GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t

build() { "$cmake" "-DSOURCE=${1:-$tree}" "-DOUTPUT=$written" -P "$script"; }
expect() { # WHAT COMMIT BRANCH DIRTY
  grep -qF "= {R\"git($2)git\", R\"git($3)git\", $4};" "$written" ||
    { echo "$1: expected '$2' '$3' $4 in:"; cat "$written"; exit 1; }
}
commit() {
  git -C "$tree" add . && git -C "$tree" commit -qm "$1"
  head=$(git -C "$tree" rev-parse HEAD)
}

mkdir "$tree"
echo first >"$tree/CMakeLists.txt"
build && expect "a tarball" "" "" false
git -C "$tree" init -q -b 'a"b'
commit first
build && expect "a commit" "$head" 'a"b' false
touch -d @1 "$written"
build
[ "$(stat -c %Y "$written")" = 1 ] || { echo "nothing changed, and the file was written again"; exit 1; }
echo second >"$tree/CMakeLists.txt"
build && expect "a change" "$head" 'a"b' true
commit second
build && expect "the next commit" "$head" 'a"b' false
mkdir "$tree/unpacked" && echo other >"$tree/unpacked/CMakeLists.txt"
build "$tree/unpacked" && expect "a tarball unpacked in another's tree" "" "" false
