#!/bin/bash
# Lays what was changed in /etc over that of the root, and gives the system its /var: both stay on the disk. The power
# may fail at any moment: /var gets its name when it is whole.
set -euo pipefail
disk=/run/lab
mount -t overlay -o "lowerdir=/sysroot/etc,upperdir=$disk/etc,workdir=$disk/work" overlay /sysroot/etc
if [[ ! -d $disk/var ]]; then
  rm -rf "$disk/var.new"
  cp -a /sysroot/usr/share/factory/var "$disk/var.new"
  sync --file-system "$disk"
  mv "$disk/var.new" "$disk/var"
fi
mount --bind "$disk/var" /sysroot/var
