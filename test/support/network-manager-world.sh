#!/usr/bin/env bash
# Runs the real NetworkManager on keyfiles, cut off from this machine: own network, mounts and processes, one card
# (half of a veth pair) with the MAC address given. Prints what it made of them as JSON: addresses, then routes.
# Arguments: the folder NetworkManager is unpacked in, the folder of keyfiles, the MAC address.
# To be run by: unshare --net --mount --pid --fork --mount-proc --kill-child
set -euo pipefail
root=$1 keyfiles=$2 mac=$3

mount --make-rprivate /
mount -t tmpfs tmpfs /run
# NetworkManager waits for udev, which is not here, unless it sees a read-only /sys as in a container.
mount -t sysfs -o ro sysfs /sys
mkdir -p /run/dbus /run/profiles /run/none

ip link set lo up
ip link add wan address "$mac" type veth peer name cable
ip link set cable up

cat >/run/dbus.conf <<'EOF'
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
EOF
dbus-daemon --config-file=/run/dbus.conf --fork

install -m 600 "$keyfiles"/* /run/profiles/
cat >/run/nm.conf <<'EOF'
[main]
plugins=keyfile
dns=none
dhcp=internal
auth-polkit=false
[keyfile]
path=/run/profiles
unmanaged-devices=interface-name:cable
[device]
match-device=*
managed=1
EOF
"$root/usr/sbin/NetworkManager" --debug --config /run/nm.conf --config-dir /run/none --system-config-dir /run/none \
	--intern-config /run/intern.conf --state-file /run/state >/run/nm.log 2>&1 &

nmcli() { "$root/usr/bin/nmcli" "$@"; }
for ((tries = 0; tries < 100; tries++)); do
	if nmcli --get-values GENERAL.STATE device show wan 2>/dev/null | grep -q '^100 '; then break; fi
	sleep 0.2
done
ip -json address show dev wan
ip -json route show default
nmcli --get-values GENERAL.CONNECTION device show wan
