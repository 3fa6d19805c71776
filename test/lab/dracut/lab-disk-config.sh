#!/bin/bash
# Gives Ignition the config, and the network the keyfiles, that the installer left on the boot file system.
set -euo pipefail
at=/run/lab-boot
mkdir -p $at
mount -o ro /dev/disk/by-label/boot $at
mkdir -p /usr/lib/ignition /etc/coreos-firstboot-network
if [[ -e $at/ignition/config.ign ]]; then cp $at/ignition/config.ign /usr/lib/ignition/user.ign; fi
if [[ -d $at/coreos-firstboot-network ]]; then cp -r $at/coreos-firstboot-network/. /etc/coreos-firstboot-network/; fi
umount $at
