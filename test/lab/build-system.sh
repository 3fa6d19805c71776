#!/usr/bin/env bash
# Makes the lab's live system out of its base: lays the root folder out as CoreOS does, and packs initramfs and root.
#   $1  folder build-base.sh made
#   $2  folder to make: gets vmlinuz, initrd.img and rootfs.img
set -euo pipefail
export LC_ALL=C
here=$(dirname "$(realpath "$0")")
base=$(realpath "$1") out=$(realpath -m "$2")
mkdir -p "$out"
root=$out/root
cp -a --reflink=auto "$base/root" "$root"
cp "$base/vmlinuz" "$out/vmlinuz"
cp -r "$here/root/." "$root/"
chmod 0755 "$root"/usr/bin/{coreos-installer,update-ca-trust,rpm-ostree} "$root"/usr/libexec/edgefab-lab/*
bash "$here/build-disk-boot.sh" "$root/usr/share/edgefab-lab"

# The initramfs, by dracut in that very root.
module=$root/usr/lib/dracut/modules.d/40edgefab-lab
mkdir -p "$module"
cp "$here"/dracut/* "$module/"
chmod 0755 "$module"/*
chmod 0644 "$module"/*.service
version=$(basename "$root"/usr/lib/modules/*)
mapfile -t drivers <"$here/modules.txt"
mounted=()
release() {
  local at
  for at in "${mounted[@]}"; do umount -l "$at"; done
}
trap release EXIT
for folder in dev proc sys; do
  mount --rbind "/$folder" "$root/$folder"
  mount --make-rslave "$root/$folder"
  mounted+=("$root/$folder")
done
chroot "$root" dracut --quiet --force --no-hostonly --no-hostonly-cmdline --compress "zstd -3" --kver "$version" \
  --modules "base systemd systemd-initrd dracut-systemd udev-rules kernel-modules fs-lib network-manager ignition edgefab-lab" \
  --force-drivers "" --drivers "${drivers[*]}" /initrd.img
release
trap - EXIT
mv "$root/initrd.img" "$out/initrd.img"
bash "$here/prune-root.sh" "$root"

# As on CoreOS: what may be written to lies in /var, the rest of the root is read-only.
# What would only be copied into memory at each boot.
rm -rf "${root:?}"/var/lib/{apt,dpkg,ucf,systemd/catalog} "$root"/var/cache/* "$root"/var/log/* "${root:?}"/boot/* "${root:?}"/tmp/*
for name in home opt srv mnt; do
  rm -rf "${root:?}/$name"
  mkdir -p "$root/var/$name"
  ln -s "var/$name" "$root/$name"
done
rm -rf "${root:?}/root" "${root:?}/usr/local"
mkdir -p "$root/var/roothome" "$root"/var/usrlocal/{bin,sbin,etc,lib,share}
chmod 0700 "$root/var/roothome"
ln -s var/roothome "$root/root"
ln -s ../var/usrlocal "$root/usr/local"
mkdir -p "$root/usr/share/factory"
mv "$root/var" "$root/usr/share/factory/var"
mkdir "$root/var" "$root/sysroot" "$root/ostree"
rm -f "$root/etc/resolv.conf" "$root/etc/hostname"
# systemd enables by preset on the first boot only, and this is what makes a boot the first.
echo uninitialized >"$root/etc/machine-id"
mksquashfs "$root" "$out/rootfs.img" -quiet -no-progress -noappend -comp zstd -Xcompression-level 3 -b 256K >/dev/null
rm -rf --one-file-system "$root"
