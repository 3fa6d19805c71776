#!/bin/bash
# dracut module: what the initramfs of a CoreOS system, live or installed, does around Ignition, done anew for the lab.
# shellcheck disable=SC2154 # dracut sets these.

check() {
  return 255
}

depends() {
  echo ignition
}

install() {
  inst_multiple mount umount mkdir cp mv rm sync chmod cat grep sed basename ln wipefs lsblk
  local name
  for name in live-generator disk-generator; do
    inst_script "$moddir/$name" "$systemdutildir/system-generators/edgefab-lab-$name"
  done
  for name in lab-disk-writable lab-disk-config; do
    inst_script "$moddir/$name.sh" "/usr/sbin/$name"
    inst_simple "$moddir/$name.service" "$systemdsystemunitdir/$name.service"
  done
  for name in lab-writable lab-config lab-hand-over; do
    inst_script "$moddir/$name.sh" "/usr/sbin/$name"
    inst_simple "$moddir/$name.service" "$systemdsystemunitdir/$name.service"
    mkdir -p "$initdir$systemdsystemunitdir/ignition-complete.target.requires"
    ln_r "$systemdsystemunitdir/$name.service" "$systemdsystemunitdir/ignition-complete.target.requires/$name.service"
  done
  # Ignition asks by this whether there is a disk to set up.
  inst_script "$moddir/is-live-image" /usr/bin/is-live-image
  # Ignition always relabels what it wrote; this root has no SELinux.
  inst_script "$moddir/setfiles" /usr/sbin/setfiles
}
