#!/bin/bash
# Runs in the live system before anything of the install: looks whether this very build was written to the
# install disk before, and stops then. A machine whose boot stick comes first in the boot order would
# otherwise wipe the node it has just installed, for ever.
#
# The mark is the file edgefab/installed on the boot file system of the disk (partition label boot), which
# edgefab-after-install.sh leaves when coreos-installer has ended well. It is read without writing to the disk.
#
# Needs: bash, coreutils, grep, sed, util-linux. Settings (/etc/edgefab/site.env by the unit):
#   EDGEFAB_BUILD_ID       the build of this boot stick
#   EDGEFAB_INSTALL_DISK   the disk; empty: the one install-to-disk.sh names
#   EDGEFAB_GUARD_SECONDS  how long to wait for the disk to appear
#   EDGEFAB_CMDLINE, EDGEFAB_INSTALL_SCRIPT, EDGEFAB_RUN, EDGEFAB_SYS   for tests
#
# Exit status: 0 go on; 1 this build is on the disk already.
set -euo pipefail
export LC_ALL=C

build=${EDGEFAB_BUILD_ID:-}
disk=${EDGEFAB_INSTALL_DISK:-}
seconds=${EDGEFAB_GUARD_SECONDS:-30}
cmdline=${EDGEFAB_CMDLINE:-/proc/cmdline}
install_script=${EDGEFAB_INSTALL_SCRIPT:-/usr/local/bin/install-to-disk.sh}
run=${EDGEFAB_RUN:-/run/edgefab}
sys=${EDGEFAB_SYS:-/sys}
mount_point=$run/guard

status() {
  printf '%s - %s\n' "$1" "$2" >"$run/reinstall-guard.status.new"
  mv -f "$run/reinstall-guard.status.new" "$run/reinstall-guard.status"
  printf 'edgefab: %s\n' "$2"
}

go_on() {
  status ok "$1"
  exit 0
}

# Prints the partitions of the disk, one a line.
partitions() {
  local entry
  for entry in "$sys/class/block/$(basename "$disk")"/*/partition; do
    if [[ -e $entry ]]; then
      printf '/dev/%s\n' "$(basename "$(dirname "$entry")")"
    fi
  done
}

# Prints the mark on a boot file system, bounded; nothing where there is none.
read_mark() {
  if ! mount -o ro,norecovery,nodev,nosuid,noexec "$1" "$mount_point" 2>/dev/null; then
    printf 'edgefab: %s carries the label boot and cannot be mounted\n' "$1" >&2
    return 0
  fi
  head -c 4096 "$mount_point/edgefab/installed" 2>/dev/null || true
  umount "$mount_point" || umount --lazy "$mount_point"
}

mkdir -p "$mount_point"

if grep -Eq '(^|[[:space:]])edgefab\.reinstall=1([[:space:]]|$)' "$cmdline"; then
  go_on "the kernel argument edgefab.reinstall=1 is given: what is on the disk will be overwritten"
fi
[[ -n $build ]] || go_on "this boot stick carries no build id: no look for a finished install"
if [[ -z $disk ]]; then
  disk=$(sed -nE 's|^[^#]*coreos-installer install .*[[:space:]](/dev/[A-Za-z0-9/._:+-]+)[[:space:]]*$|\1|p' \
    "$install_script" 2>/dev/null | head -n 1 || true)
fi
[[ -n $disk ]] || go_on "it is not known which disk the install writes to: no look for a finished install"
for ((waited = 0; waited < seconds; waited++)); do
  if [[ -b $disk ]]; then
    break
  fi
  sleep 1
done
[[ -b $disk ]] || go_on "the install disk $disk is not there (yet): no look for a finished install"
disk=$(readlink -f "$disk")
head -c 512 "$disk" >/dev/null 2>&1 || go_on "the install disk $disk cannot be read: no look for a finished install"

found=
while read -r partition; do
  if [[ $(blkid -p -s LABEL -o value "$partition" 2>/dev/null || true) != boot ]]; then
    continue
  fi
  mark=$(read_mark "$partition" | tr -d '\0')
  if [[ $mark =~ (^|$'\n')build=([A-Za-z0-9._-]{1,64})($'\n'|$) ]]; then
    found=${BASH_REMATCH[2]}
    when=unknown
    if [[ $mark =~ (^|$'\n')time=([0-9TZ:-]{1,32})($'\n'|$) ]]; then
      when=${BASH_REMATCH[2]}
    fi
    if [[ $found == "$build" ]]; then
      status stopped "STOPPED: $disk holds the install of this very build ($build, written $when). To use it: unplug the boot stick and restart. To wipe it and install again: restart, press e in the boot menu, add edgefab.reinstall=1 to the linux line"
      exit 1
    fi
  fi
done < <(partitions)
if [[ -n $found ]]; then
  go_on "$disk holds another build ($found, written $when); this stick is $build and overwrites it"
fi
go_on "$disk holds no finished edgefab install"
