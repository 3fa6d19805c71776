#!/bin/bash
# The first process of a machine double: gives itself a root to write to over what is here, puts the files of the
# machine into it, and becomes systemd. To be run in namespaces of its own (mount, net, pid, uts, ipc).
#   $1  folder with the machine's files in their places
#   $2  name of its control group, which nobody else has
#   $3… units to be enabled
set -euo pipefail
files=$1 name=$2
if [[ ${3:-} != --inside ]]; then
	ip link set lo up
	# A way out that leads nowhere, and counts: whoever asks for an image or a name elsewhere is seen there.
	ip link add wan type veth peer name cable
	for link in wan cable; do ip link set "$link" addrgenmode none arp off up; done
	ip address add 192.0.2.2/24 dev wan
	ip route add default via 192.0.2.1 dev wan
	for group in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
		if [[ -e $group/cgroup.procs ]]; then
			mkdir "$group/$name"
			echo 0 >"$group/$name/cgroup.procs"
		fi
	done
	exec unshare --cgroup bash "$0" "$files" "$name" --inside "${@:3}"
fi
for group in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
	if [[ -d $group/$name ]]; then mount --bind "$group/$name" "$group"; fi
done
# systemd sets limits of the kernel, which are the host's as well.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys

mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
root=/mnt/root
for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
mount --bind /dev/null "$root/dev/console"
# What an overlay cannot lie on, and what a boot finds empty.
for folder in run tmp var/lib/edgefab var/lib/containers var/tmp; do
	mkdir -p "$root/$folder"
	mount -t tmpfs none "$root/$folder"
done
mkdir "$root/run/lock" "$root/run/systemd"

# Of this machine's own units only targets and the journal's socket stay.
system=$root/usr/lib/systemd/system
find "$system" -mindepth 1 -maxdepth 1 ! -name '*.target' ! -name systemd-journald.socket -exec rm -rf {} +
ln -sf multi-user.target "$system/default.target"
rm -rf "$root"/usr/lib/systemd/system-generators/* "$root"/etc/systemd/system "$root"/etc/systemd/system-generators \
	"$root"/etc/containers/registries.conf "$root"/etc/containers/registries.conf.d "$root"/etc/resolv.conf
mkdir -p "$root/etc/systemd/system"
echo 'nameserver 192.0.2.53' >"$root/etc/resolv.conf"
cp -a "$files/." "$root/"
cd "$root"
pivot_root . mnt
umount -l /mnt
systemctl --quiet --root=/ enable "${@:4}"
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_boot \
	env -i container=edgefab-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
	/usr/lib/systemd/systemd --system --log-target=journal --show-status=no
