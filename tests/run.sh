#!/usr/bin/env bash
# All tests, GPU kernels included: installs a software Vulkan driver (Mesa's lavapipe) where there is no adapter and
# ffmpeg where it is missing, runs every test, then those of a device once more on a newer driver that is unpacked into
# target/, and those of each kernel with subgroups of 4 there. Where that driver can't be had it says so; with CI=true that is
# a failure.
#   tests/run.sh [ARGS…]      ARGS go to `cargo test`, on the system's driver only
set -euo pipefail
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" # without it Mesa complains on standard error
cd "$(dirname "$0")/.."

# The program too; by itself it would be built with other features of its libraries, and then once more.
cargo test --release --locked --no-run
# Not `grep -q`: it would leave at the first match, and under pipefail the program's broken pipe would count as a failure.
adapter() { ./target/release/irnext devices --json | grep '"device": [0-9]' >/dev/null; }

if ! adapter; then
  echo "no Vulkan adapter: installing Mesa's software driver" >&2
  if command -v apt-get >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers libvulkan1 >/dev/null
  elif command -v dnf >/dev/null; then sudo dnf install -y -q mesa-vulkan-drivers vulkan-loader
  elif command -v pacman >/dev/null; then sudo pacman -S --noconfirm --needed vulkan-swrast vulkan-icd-loader
  else
    echo "install a Vulkan driver (Mesa's lavapipe will do) and run this again" >&2
    exit 1
  fi
  adapter || { echo "still no Vulkan adapter after installing Mesa's driver" >&2; exit 1; }
fi
if ! command -v ffmpeg >/dev/null; then
  echo "no ffmpeg, which the tests of --video need: installing it" >&2
  if command -v apt-get >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq --no-install-recommends ffmpeg >/dev/null
  elif command -v dnf >/dev/null; then sudo dnf install -y -q ffmpeg-free
  elif command -v pacman >/dev/null; then sudo pacman -S --noconfirm --needed ffmpeg
  else
    echo "install ffmpeg and run this again" >&2
    exit 1
  fi
fi
./target/release/irnext devices
cargo test --release --locked "$@"
[ $# = 0 ] || exit 0

newer=target/newer-driver
if ! tests/newer-driver.sh "$newer" >/dev/null; then
  echo "NOT TESTED on a newer driver: it could not be unpacked" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
# The tests that open a device, but for two that ask what the host does about it (failures, too little memory), and for two
# that have a line of their own.
tests=()
for file in $(grep -lw 'devices()' tests/*.rs | grep -vxE 'tests/(failures_device|bands|golden|kernels).rs'); do
  tests+=(--test "$(basename "$file" .rs)")
done
host=$(rustc -vV | sed -n 's/^host: //p' | tr '[:lower:]-' '[:upper:]_')
export IRNEXT_TEST_RUNNER="$PWD/$newer/run" # for tests that start the program themselves
export "CARGO_TARGET_${host}_RUNNER=$IRNEXT_TEST_RUNNER"
# It compiles three times as long as the system's: fewer random cases, and small ones without LLVM's optimisations.
export PROPTEST_CASES=8
echo "again on the newer driver: $("$newer/run" target/release/irnext devices | head -n 1)"
GALLIVM_PERF=nopt cargo test --release --locked --test golden --test kernels
cargo test --release --locked "${tests[@]}"
echo "and every kernel with subgroups of 4"
GALLIVM_PERF=nopt LP_NATIVE_VECTOR_WIDTH=128 cargo test --release --locked --test kernels
