#!/usr/bin/env bash
# All that a machine with a GPU can show, in one run: every kernel verified in every precision, every kernel timed with its
# error and the fastest kept for what follows, whole models, where their time goes beside the roofline, and PyTorch on the
# same GPU where it is installed.
#   benches/gpu.sh [--quick] [--device N] [--out DIR] [--seconds S] [IRNEXT]
# IRNEXT is the program, built or carried here (default: target/release/irnext). PYTHON names the Python that has PyTorch
# (default: python3). Writes DIR/ADAPTER.json, DIR/ADAPTER.html and DIR/ADAPTER-fastest.json, which can be shipped
# (src/compile/fastest.rs; default: benches/results). --quick takes small sizes and writes into target/bench-quick, to try
# the script itself.
# Exits with 1 if any kernel is wrong. What can't be run is in the file with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" # without it Mesa complains on standard error

quick= device=0 out= seconds= torch= program=target/release/irnext
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --device) device=$2; shift ;;
    --out) out=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    -*) sed -n '2,/^set /{/^#/s/^# \?//p}' "$0" >&2; exit 2 ;;
    *) program=$1 ;;
  esac
  shift
done
if [ "$quick" ]; then
  out=${out:-target/bench-quick} seconds=${seconds:-0.1}
  networks=("--width 16 --blocks 1" "--width 16 --blocks 2 --mean local")
  sizes=(64x64) profiled=(64x64) large=(64x96) tune="--width 8 --seconds 0"
  torch="--no-compile" # compiling takes minutes on a CPU
else
  out=${out:-benches/results} seconds=${seconds:-2}
  networks=("--blocks 4" "--blocks 14 --mean local") # the published dehazing and motion deblurring networks
  sizes=(256x256 720x1280) profiled=(256x256 720x1280) large=(2160x3840) tune="--seconds 0.05"
fi
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export IRNEXT_CACHE=$work/cache # what was tuned before is no part of this

"$program" devices --json >"$work/devices"
adapter=$("$program" profile --device "$device" --width 8 --blocks 1 --size 64x64 --runs 1 --no-tune --json 2>"$work/why" |
  sed -n 's/^    "adapter": "\(.*\)",$/\1/p') || true
[ -n "$adapter" ] || { echo "no device $device: $(cat "$work/why")" >&2; exit 1; }
name=$(printf %s "$adapter" | tr '[:upper:]' '[:lower:]' | tr -cs '[:alnum:].' - | sed 's/^-//; s/-$//' | cut -c 1-100)
echo "$adapter" >&2

wrong=0
results=$work/results
: >"$results"
# A string for JSON: quotes and backslashes escaped, one line.
text() { tr '\n\t' '  ' | sed 's/\\/\\\\/g; s/"/\\"/g; s/ *$//; s/.*/"&"/'; }
# record NAME COMMAND…: the command's JSON under a name, or why there is none.
record() {
  local key=$1 status=0
  shift
  echo "  $key" >&2
  "$@" >"$work/json" 2>"$work/why" || status=$?
  [ $status = 0 ] || [ -s "$work/json" ] || printf '{"error": %s}' "$(tail -n 3 "$work/why" | text)" >"$work/json"
  printf ',\n"%s": ' "$key" >>"$results"
  cat "$work/json" >>"$results"
  put
  return $status
}
# Writes what there is so far: a borrowed machine may go before the end.
put() {
  mkdir -p "$out"
  {
    printf '{"adapter": %s,\n"version": %s,\n"devices": ' "$(printf %s "$adapter" | text)" "$("$program" --version | text)"
    cat "$work/devices" "$results"
    printf '}\n'
  } >"$work/all"
  cp "$work/all" "$out/$name.json"
}
irnext() { "$program" "$@" --device "$device" --json; }

for precision in f32 f16 packed; do
  record "verify $precision" irnext verify --precision $precision --golden tests/data/golden/ops.safetensors || wrong=1
done
for size in "${sizes[@]}"; do
  record "tune $size" irnext tune $tune --size "$size" || true
done
for network in "${networks[@]}"; do
  # The words of $network, $kernels, $tune and $torch are arguments each.
  for size in "${sizes[@]}" "${large[@]}"; do
    kernels=--no-kernels
    [ "$size" = "${sizes[0]}" ] && kernels=--errors
    record "bench $network $size" irnext bench $network --size "$size" --seconds "$seconds" $kernels || true
  done
  for size in "${profiled[@]}"; do
    record "profile $network $size" irnext profile $network --size "$size" --html "$work/html" --overwrite || true
  done
  if "$python" -c 'import torch, sys; sys.exit(not (torch.cuda.is_available() or len(sys.argv) > 1))' $quick 2>/dev/null; then
    for size in "${sizes[@]}"; do # to compile for the largest takes minutes
      record "torch $network $size" "$python" benches/torch_gpu.py $network $torch --size "$size" --seconds "$seconds" || true
    done
  else
    printf ',\n"torch %s": {"error": "no PyTorch that sees a GPU in %s"}' "$network" "$python" >>"$results"
  fi
done

record start benches/start.sh --device "$device" "$program" || true

put
for kept in "$IRNEXT_CACHE"/*.json; do # none where tuning failed
  [ ! -f "$kept" ] || install -m 644 "$kept" "$out/$name-fastest.json"
done
[ ! -f "$work/html" ] || mv "$work/html" "$out/$name.html"
echo "$out/$name.json" >&2
[ $wrong = 0 ] || echo "a kernel is wrong on this device: see the cases that don't pass" >&2
exit $wrong
