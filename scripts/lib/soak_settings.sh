# shellcheck shell=bash
# soak_settings.sh - what the two soak_mixed scripts share: their variables, and which programs they mean.
#
# Boundary: sourced after common.sh, by scripts with a function `usage`.

DURATION_SEC=${DURATION_SEC:-300}
EPOCH_SEC=${EPOCH_SEC:-5}
WS=${WS:-400}

settings_help() {
  cat <<TEXT
  DURATION_SEC  seconds of the whole soak (default 300)
  EPOCH_SEC     seconds of an epoch, about (default 5)
  WS            slots of the working set (default 400)
  BENCH_BIN     a bench_random_mixed_* program, whose allocator is soaked
                (default build/release/bin/bench_random_mixed_hakmem_minimal)
  HAKMEM_BENCH_PREFAULT  operations of warm-up; 0 is none (default a tenth of an epoch)
TEXT
}

# output_failed - ends the script: its output is what it is for. bash's own words name a line of the script.
output_failed() { die "cannot write to standard output; make room, or send it elsewhere"; }

# read_arguments ARGUMENT... - there are none but --help. Also looks at the variables.
read_arguments() {
  case ${1:-} in
    -h | --help)
      usage 2>/dev/null || output_failed
      exit 0
      ;;
    '') ;;
    *) die "unknown argument '$1': see --help" ;;
  esac
  local variable
  for variable in DURATION_SEC EPOCH_SEC; do
    [[ ${!variable} =~ ^[0-9]+([.][0-9]+)?$ && ! ${!variable} =~ ^0*[.]?0*$ ]] ||
      die "$variable=${!variable} is no number above zero; give one, or unset it"
  done
  for variable in WS CYCLES; do
    [[ ${!variable-} =~ ^0*[1-9][0-9]*$ || -z ${!variable-} ]] ||
      die "$variable=${!variable} is no whole number above zero; give one, or unset it"
  done
}

# check_epoch - one epoch at least has to fit; a soak would go on far beyond its time without a word.
check_epoch() {
  LC_ALL=C awk -v epoch="$EPOCH_SEC" -v duration="$DURATION_SEC" 'BEGIN { exit (epoch > duration) }' >/dev/null ||
    die "EPOCH_SEC=$EPOCH_SEC is longer than DURATION_SEC=$DURATION_SEC; give a shorter EPOCH_SEC or a longer" \
      "DURATION_SEC"
}

# bench_path - the absolute path of BENCH_BIN, links followed.
bench_path() {
  local bench=${BENCH_BIN:-$root/build/release/bin/bench_random_mixed_hakmem_minimal}
  local path
  [[ -e $bench ]] || bench=$(command -v "$bench") || true
  path=$(readlink -f "$bench" || true)
  [[ -f $path && -x $path ]] ||
    die "BENCH_BIN=${BENCH_BIN:-$root/build/release/bin/bench_random_mixed_hakmem_minimal} is no program;" \
      "build it (cmake --build --preset release), or name another"
  printf '%s\n' "$path"
}

# plugin_of NAME - the plugin with the allocator of a bench_random_mixed_* program.
plugin_of() {
  case $1 in
    bench_random_mixed_hakmem_minimal) echo hakmem ;;
    bench_random_mixed_system) echo glibc ;;
    *) printf '%s\n' "${1#bench_random_mixed_}" ;;
  esac
}
