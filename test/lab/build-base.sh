#!/usr/bin/env bash
# Makes the lab's base: a Debian root folder with the packages of packages.txt, and the kernel for virtual machines
# with the modules of modules.txt. Everything is Debian's own. Downloaded packages are kept in a folder for the next time.
#   $1  folder to make: gets root/ and vmlinuz
#   $2  folder of downloaded packages
set -euo pipefail
export LC_ALL=C
here=$(dirname "$(realpath "$0")")
out=$(realpath -m "$1") debs=$(realpath -m "$2")
root=$out/root
mkdir -p "$out" "$debs"

fill="mkdir -p \"\$1/var/cache/apt/archives\"; cp -n '$debs'/*.deb \"\$1/var/cache/apt/archives/\" 2>/dev/null || true"
keep="cp -n \"\$1\"/var/cache/apt/archives/*.deb '$debs'/; rm -rf \"\$1\"/var/cache/apt/archives/*.deb"
options=()
for folder in doc man locale info; do options+=("--dpkgopt=path-exclude=/usr/share/$folder/*"); done
mmdebstrap --quiet --mode=root --variant=essential --include="$(paste -sd, "$here/packages.txt")" \
  --aptopt='Apt::Install-Recommends "false"' "${options[@]}" \
  --skip=cleanup/apt/cache --setup-hook="$fill" --customize-hook="$keep" \
  bookworm "$root" http://deb.debian.org/debian

kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
unpacked=$out/kernel
if ! compgen -G "$debs/${kernel}_*.deb" >/dev/null; then
  (cd "$debs" && apt-get --quiet --quiet download "$kernel" 2>/dev/null)
fi
dpkg-deb -x "$(compgen -G "$debs/${kernel}_*.deb" | tail -n 1)" "$unpacked"
version=$(basename "$unpacked"/lib/modules/*)
cp "$unpacked/boot/vmlinuz-$version" "$out/vmlinuz"

# Only the modules named and what they need: the others would be most of the initramfs.
depmod -b "$unpacked" "$version"
while read -r name; do
  modprobe -d "$unpacked" -S "$version" --show-depends "$name"
done <"$here/modules.txt" | awk '$1 == "insmod" { print $2 }' | sort -u >"$out/modules"
while read -r path; do
  install -D -m 0644 "$path" "$root/usr/lib/modules/$version/${path#"$unpacked/lib/modules/$version/"}"
done <"$out/modules"
cp "$unpacked/lib/modules/$version"/modules.{builtin,builtin.modinfo,order} "$root/usr/lib/modules/$version/"
depmod -b "$root" "$version"
rm -rf "$unpacked" "$out/modules"
