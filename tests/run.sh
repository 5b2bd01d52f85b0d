#!/usr/bin/env bash
# All tests, GPU kernels included: installs a software Vulkan driver (Mesa's lavapipe) where there is no adapter, then
# runs every test. Extra arguments go to `cargo test`.
#   tests/run.sh [ARGS…]
set -euo pipefail
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" # without it Mesa complains on standard error
cd "$(dirname "$0")/.."

cargo build --release --locked
devices() { ./target/release/irnext devices --json; }

if ! devices | grep -q '"device"'; then
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
  devices | grep -q '"device"' || { echo "still no Vulkan adapter after installing Mesa's driver" >&2; exit 1; }
fi
./target/release/irnext devices
cargo test --release --locked "$@"
