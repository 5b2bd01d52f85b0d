#!/usr/bin/env bash
# Unpacks a newer Mesa software Vulkan driver beside the system's, without root and without touching the system, from
# the Debian mirror that this machine uses. About 10 seconds and 300 MB.
#   tests/newer-driver.sh DIR
#   DIR/run PROGRAM ARGS…      runs a program that was built here on that driver, with the C library it needs
# Prints DIR/run. Exits with 3 where the system isn't Debian, or its mirror can't be reached or lacks the packages.
set -euo pipefail
suite=trixie # the release whose backports have the driver
dir=$(mkdir -p "${1:?usage: newer-driver.sh DIR}" && cd "$1" && pwd)
if [ -x "$dir/run" ]; then
  echo "$dir/run"
  exit 0
fi
cannot() { echo "no newer driver: $*" >&2; rm -rf "$apt" "$dir/root"; exit 3; }
apt=$dir/apt
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || cannot "this isn't a Debian system"

# The mirror: in a .sources file (URIs:), or in a .list file (deb [options] URI suite …).
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
  sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb  *\(\[[^]]*\]  *\)\?\([^ ]*\) .*/\2/p' | grep -v security | head -n 1 || true)
[ -n "$mirror" ] || cannot "no mirror in /etc/apt"

# An apt of its own: every path below $apt, the system's keys, no package installed.
mkdir -p "$apt"/{lists/partial,cache/archives/partial,etc/preferences.d,etc/apt.conf.d} "$dir/root"
: >"$apt/status"
printf 'deb %s %s main\ndeb %s %s-backports main\n' "$mirror" $suite "$mirror" $suite >"$apt/etc/sources.list"
own=(-o "Dir::Etc=$apt/etc" -o "Dir::Etc::sourcelist=$apt/etc/sources.list" -o Dir::Etc::sourceparts=/nonexistent
  -o Dir::Etc::trustedparts=/etc/apt/trusted.gpg.d -o "Dir::State=$apt" -o "Dir::State::status=$apt/status"
  -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= -o Acquire::Languages=none
  -o Acquire::Retries=2)
apt-get "${own[@]}" update -qq >&2 || cannot "$mirror can't be reached, or has no $suite"
apt-get "${own[@]}" install -qq -y --no-install-recommends --download-only -t $suite-backports \
  mesa-vulkan-drivers libvulkan1 libc6 libgcc-s1 >/dev/null || cannot "$mirror lacks $suite-backports' driver"
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
rm -rf "$apt" "$dir"/root/usr/share/{doc,man,locale,lintian,bug}

driver=$(echo "$dir"/root/usr/lib/*/libvulkan_lvp.so)
libraries=$(dirname "$driver")
loader=$(echo "$libraries"/ld-linux*.so.*)
[ -f "$driver" ] && [ -f "$loader" ] || cannot "the packages hold no lavapipe"
icd=$(echo "$dir"/root/usr/share/vulkan/icd.d/lvp_icd*.json)
sed "s#\"library_path\": *\"[^\"]*\"#\"library_path\": \"$driver\"#" "$icd" >"$dir/lvp_icd.json"
cat >"$dir/run.new" <<X
#!/bin/sh
export VK_DRIVER_FILES="$dir/lvp_icd.json" VK_ICD_FILENAMES="$dir/lvp_icd.json"
exec "$loader" --library-path "$libraries" "\$@"
X
chmod +x "$dir/run.new"
mv "$dir/run.new" "$dir/run" # last, so that a run that was cut off starts over
echo "$dir/run"
