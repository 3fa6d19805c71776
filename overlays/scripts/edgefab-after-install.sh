#!/bin/bash
# Runs in the live system when install-to-disk.sh has ended (ExecStopPost), a minute before the restart:
# leaves the mark that edgefab-reinstall-guard.sh looks for, and makes a UEFI firmware start the disk first.
# Both are best effort; what was done is in /run/edgefab/after-install.status and on the console.
#
# Needs: bash, coreutils, grep, sed, util-linux; efibootmgr where there is UEFI. Settings:
#   SERVICE_RESULT         set by systemd: how install-to-disk.sh ended
#   EDGEFAB_BUILD_ID, EDGEFAB_INSTALL_DISK, EDGEFAB_LOCATION   from /etc/edgefab/site.env
#   EDGEFAB_INSTALL_DONE   the stamp install-to-disk.sh leaves at its end
#   EDGEFAB_INSTALL_SCRIPT, EDGEFAB_RUN, EDGEFAB_SYS           for tests
#
# Exit status: 0 the mark is there (or the install did not end well, and nothing was done); 1 it is not.
set -euo pipefail
export LC_ALL=C

build=${EDGEFAB_BUILD_ID:?is not set; it comes from /etc/edgefab/site.env}
disk=${EDGEFAB_INSTALL_DISK:-}
install_script=${EDGEFAB_INSTALL_SCRIPT:-/usr/local/bin/install-to-disk.sh}
stamp=${EDGEFAB_INSTALL_DONE:-/opt/openshift/.install-to-disk.done}
run=${EDGEFAB_RUN:-/run/edgefab}
sys=${EDGEFAB_SYS:-/sys}
mount_point=$run/mark
label="edgefab install"
esp_type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b

say() {
  printf 'edgefab: %s\n' "$*"
}

partitions() {
  local entry
  for entry in "$sys/class/block/$(basename "$disk")"/*/partition; do
    if [[ -e $entry ]]; then
      printf '/dev/%s\n' "$(basename "$(dirname "$entry")")"
    fi
  done
}

# Writes the mark to the boot file system, whole or not at all.
leave_mark() {
  local partition
  while read -r partition; do
    if [[ $(blkid -p -s LABEL -o value "$partition" 2>/dev/null || true) != boot ]]; then
      continue
    fi
    mount -o rw,nodev,nosuid,noexec "$partition" "$mount_point" || return 1
    if mkdir -p "$mount_point/edgefab" &&
      printf 'build=%s\ntime=%s\n' "$build" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$mount_point/edgefab/installed.new" &&
      sync "$mount_point/edgefab/installed.new" &&
      mv -f "$mount_point/edgefab/installed.new" "$mount_point/edgefab/installed"; then
      umount "$mount_point"
      return
    fi
    umount "$mount_point"
    return 1
  done < <(partitions)
  return 1
}

# Prints the number of the EFI system partition of the disk.
esp_number() {
  local partition
  while read -r partition; do
    if [[ $(blkid -p -s PART_ENTRY_TYPE -o value "$partition" 2>/dev/null || true) == "$esp_type" ]]; then
      cat "$sys/class/block/$(basename "$partition")/partition"
      return
    fi
  done < <(partitions)
}

# Makes an entry for the disk, the first in the boot order; says what it did.
prefer_disk() {
  local number loader old first
  if ! [[ -d $sys/firmware/efi ]]; then
    boot_order="this machine did not start by UEFI: unplug the boot stick, or set the disk first in the BIOS"
    return
  fi
  if ! command -v efibootmgr >/dev/null; then
    boot_order="there is no efibootmgr here: unplug the boot stick, or set the disk first in the firmware"
    return
  fi
  number=$(esp_number)
  if [[ -z $number ]]; then
    boot_order="no EFI system partition on $disk: the boot order is as it was"
    return
  fi
  # The path every firmware tries by itself; the loader there makes the system's own entry.
  case ${EDGEFAB_MACHINE:-$(uname -m)} in
    x86_64) loader='\EFI\BOOT\BOOTX64.EFI' ;;
    aarch64) loader='\EFI\BOOT\BOOTAA64.EFI' ;;
    *)
      boot_order="it is not known what this kind of machine starts: the boot order is as it was"
      return
      ;;
  esac
  # Entries of earlier installs, by our own label only.
  while read -r old; do
    efibootmgr --quiet --bootnum "$old" --delete-bootnum || say "the old boot entry $old stays"
  done < <(efibootmgr | sed -nE "s/^Boot([0-9A-Fa-f]{4})\*? $label(\t.*)?\$/\1/p")
  if ! efibootmgr --quiet --create --disk "$disk" --part "$number" --loader "$loader" --label "$label"; then
    boot_order="the firmware did not take a boot entry for $disk: unplug the boot stick before the restart"
    return
  fi
  first=$(efibootmgr | sed -nE 's/^BootOrder: ([0-9A-Fa-f]{4}).*/\1/p')
  if efibootmgr | grep -Eq "^Boot$first\\*? $label"; then
    boot_order="the firmware starts $disk first from now on"
  else
    boot_order="the firmware keeps its own boot order: unplug the boot stick before the restart"
  fi
}

if [[ ${SERVICE_RESULT:-} != success || ! -e $stamp ]]; then
  say "install-to-disk ended with ${SERVICE_RESULT:-an unknown result}: no mark is left on the disk"
  exit 0
fi
if [[ -z $disk ]]; then
  disk=$(sed -nE 's|^[^#]*coreos-installer install .*[[:space:]](/dev/[A-Za-z0-9/._:+-]+)[[:space:]]*$|\1|p' \
    "$install_script" 2>/dev/null | head -n 1 || true)
fi
disk=$(readlink -f "${disk:-/nonexistent}")
mkdir -p "$mount_point"

result=0
mark="build $build is on $disk"
if ! leave_mark; then
  result=1
  mark="build $build is on ${disk}, but the mark for that could not be written: unplug the boot stick, or the machine installs again"
fi
boot_order=
prefer_disk
advice=
if [[ ${EDGEFAB_LOCATION:-} == usb ]]; then
  advice="; leave the cache disk plugged in"
fi
state="done"
if ((result > 0)); then
  state=stopped
fi
printf '%s - %s; %s%s\n' "$state" "$mark" "$boot_order" "$advice" >"$run/after-install.status.new"
mv -f "$run/after-install.status.new" "$run/after-install.status"
say "$mark"
say "$boot_order$advice"
if ((result == 0)); then
  say "the machine restarts within a minute; the boot stick may be unplugged now"
fi
exit "$result"
