#!/usr/bin/env bash
# From the start of the program to its first picture written, and how many follow in a second.
#   benches/start.sh [--device N|cpu] [--pictures N] [--driver target/newer-driver/run] [IRNEXT]
# Cold: neither this program's cache nor Mesa's (`MESA_SHADER_CACHE_DIR`) has anything; other drivers' caches can't be
# emptied from here, nor the system's of files. Warm: the median of five more starts. Throughput: what a folder takes
# beyond its first picture. Prints JSON; seconds, and pictures of 400x266 pixels a second.
set -euo pipefail
cd "$(dirname "$0")/.."
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" # without it Mesa complains on standard error

device=0 pictures=20 program=target/release/irnext driver=()
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift ;;
    --pictures) pictures=$2; shift ;;
    --driver) driver=("$2"); shift ;; # what starts the program with another one
    --json) ;; # it is JSON anyway
    -*) sed -n '2,/^set /{/^#/s/^# \?//p}' "$0" >&2; exit 2 ;;
    *) program=$1 ;;
  esac
  shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export IRNEXT_CACHE=$work/cache MESA_SHADER_CACHE_DIR=$work/mesa
mkdir "$work/one" "$work/many"
picture=tests/data/heldout/dehaze/input/chelsea.png
cp $picture "$work/one/1.png"
for ((i = 1; i <= pictures; i++)); do cp $picture "$work/many/$i.png"; done

# seconds FOLDER: what restoring it takes.
seconds() {
  local begun ended
  begun=$(date +%s%N)
  "${driver[@]}" "$program" restore "$work/$1" -o "$work/out" --overwrite --quiet --device "$device"
  ended=$(date +%s%N)
  echo $(((ended - begun) / 1000))
}
cold=$(seconds one)
warm=$(for _ in 1 2 3 4 5; do seconds one; done | sort -n | sed -n 3p)
many=$(seconds many)
awk -v cold="$cold" -v warm="$warm" -v many="$many" -v n="$pictures" 'BEGIN {
  printf "{\"cold_start_s\": %.3f, \"warm_start_s\": %.3f, \"pictures_per_s\": %.2f}\n",
    cold / 1e6, warm / 1e6, (n - 1) / ((many - warm) / 1e6)
}'
