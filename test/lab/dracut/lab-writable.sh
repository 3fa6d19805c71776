#!/bin/bash
# Lays a writable /etc over that of the root, and fills /var anew in memory.
set -euo pipefail
ephemeral=/run/ephemeral
mkdir -p $ephemeral
mount -t tmpfs -o mode=0755 ephemeral $ephemeral
mkdir -p $ephemeral/etc $ephemeral/work $ephemeral/var
mount -t overlay -o "lowerdir=/sysroot/etc,upperdir=$ephemeral/etc,workdir=$ephemeral/work" overlay /sysroot/etc
mount --bind $ephemeral/var /sysroot/var
cp -a /sysroot/usr/share/factory/var/. /sysroot/var/
# Scripts tell a live system by this file.
: >/run/ostree-live
