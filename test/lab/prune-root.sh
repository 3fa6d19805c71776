#!/usr/bin/env bash
# Takes out of the lab's root what CoreOS does not have or nothing here needs, and what costs an emulated machine seconds at
# each boot: on the first one systemd looks up every unit there is by preset, and Debian enables what it installs.
#   $1  root folder, its initramfs already packed
set -euo pipefail
export LC_ALL=C
root=$(realpath "$1")
units=$root/usr/lib/systemd/system
shopt -s nullglob

# What Debian's packages enabled on their own.
rm -rf "$root"/etc/systemd/system/* "$root"/etc/systemd/user/*

# The initramfs has its own copy of these.
rm -rf "$units"/{dracut-,initrd}*
rm -rf "$units"/{podman,dpkg-db-backup,e2scrub,fstrim,cryptdisks,systemd-networkd,runlevel,system-update,veritysetup,integritysetup}*
rm -rf "$units"/{remote-cryptsetup,remote-veritysetup,cryptsetup,cryptsetup-pre,factory-reset}.target
rm -rf "$units"/{bluetooth,printer,smartcard,sound,usb-gadget,sleep,suspend,suspend-then-hibernate,hibernate,hybrid-sleep,rpcbind}.target
rm -rf "$units"/{console-getty,container-getty@,getty-static,hwclock,kmod,pam_namespace,polkit,procps,quotaon,rc,rcS,rc-local,udev,x11-common}.service
rm -rf "$units"/rc-local.service.d "$units"/proc-sys-fs-binfmt_misc.* "$units"/{sys-fs-fuse-connections,dev-hugepages}.mount
for name in backlight@ binfmt boot-check-no-failures firstboot fsckd hibernate hibernate-resume@ hostnamed hybrid-sleep initctl \
  localed localed.service.d network-generator pcrphase pcrphase-initrd pcrphase-sysinit pstore quotacheck \
  repart rfkill suspend suspend-then-hibernate sysext sysusers time-wait-sync timedated update-utmp update-utmp-runlevel volatile-root; do
  rm -rf "$units/systemd-$name".{service,socket} "$units/systemd-$name"
done
ln -sf multi-user.target "$units/default.target"
rm -f "$units"/dbus-org.freedesktop.{hostname1,locale1,timedate1}.service
# Links to what is gone.
find "$units" -xtype l -lname '*.service' -delete
find "$units" -path '*.wants/*' -xtype l -delete

rm -f "$root"/usr/lib/systemd/system-generators/systemd-{bless-boot,cryptsetup,gpt-auto,hibernate-resume,integritysetup,rc-local,system-update,sysv,veritysetup}-generator
rm -rf "$root"/usr/lib/binfmt.d/* "$root"/etc/init.d "$root"/etc/rc*.d
rm -rf "$root"/etc/NetworkManager/dispatcher.d/01-ifupdown "$root"/usr/lib/*/NetworkManager/*/libnm-{settings-plugin-ifupdown,device-plugin-wwan,device-plugin-wifi,device-plugin-bluetooth,device-plugin-adsl,device-plugin-team,wwan}.so
# As there: /tmp in memory.
cp "$root/usr/share/systemd/tmp.mount" "$units/"
ln -s ../tmp.mount "$units/local-fs.target.wants/tmp.mount"
# CoreOS's podman has netavark alone.
rm -rf "$root"/etc/cni

# Devices an emulated machine does not have.
rules=$root/usr/lib/udev/rules.d
rm -rf "$rules"/{60-autosuspend,60-drm,60-evdev,60-fido-id,60-infiniband,60-input-id,60-persistent-alsa,60-persistent-input}.rules
rm -rf "$rules"/{60-persistent-v4l,60-sensor,60-serial,70-*,71-seat,73-seat-late,75-probe_mtd,78-sound-card,90-nm-thunderbolt,96-e2scrub}.rules
rm -rf "$root"/usr/lib/udev/hwdb.bin "$root"/{usr/lib,etc}/udev/hwdb.d/*
rm -rf "$root"/usr/lib/tmpfiles.d/{debian,home,passwd,polkitd,provision,systemd-network,systemd-pstore,x11}.conf
