#!/bin/sh
# 18 photographs out of Debian's packages of wallpapers, as FOLDER/NAME.jpg: others than the benchmark's, for
# `make.py --photos FOLDER`. They were chosen before any result on them was seen, and chose no weights and no recipe since;
# what else, weights/train/HISTORY.md says at its end.
# Needs Debian 12 (apt-get, after `apt-get update`; dpkg-deb) and about 400 MB for a moment; installs nothing.
set -eu
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download \
    plasma-workspace-wallpapers mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04
for package in *.deb; do dpkg-deb -x "$package" .; done
while read -r name file; do
    cp "usr/share/$file" "$folder/$name.jpg"
done <<LIST
bird backgrounds/Kleiber_by_Lukas_Baubkus.jpg
boats wallpapers/EveningGlow/contents/images/1920x1080.jpg
bridge backgrounds/Bridge_by_Sander_Klootwijk.jpg
brushes backgrounds/Picture_1A_by_freespace.jpg
building wallpapers/Grey/contents/images/1920x1080.jpg
cups wallpapers/ColorfulCups/contents/images/2560x1600.jpg
dragonfly backgrounds/Dragonfly_by_Bolly.jpg
drops backgrounds/mate/nature/RainDrops.jpg
dune backgrounds/mate/nature/Dune.jpg
fig backgrounds/Picture_0B_by_freespace.jpg
forest wallpapers/Path/contents/images/1920x1080.jpg
friends backgrounds/friends_by_Aitzol_Berasategi.jpg
hills backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg
leaves wallpapers/FallenLeaf/contents/images/1920x1080.jpg
mountains backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg
plants wallpapers/OneStandsOut/contents/images/1920x1080.jpg
stream backgrounds/life_by_Aitzol_Berasategi.jpg
wine backgrounds/Wine_by_Jakkub_Mede.jpg
LIST
