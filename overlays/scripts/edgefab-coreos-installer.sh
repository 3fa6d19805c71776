#!/bin/bash
# Stands before coreos-installer on the PATH of install-to-disk.sh: gives the cache on the install disk back
# just before the disk is written, then runs the real program with the same arguments.
#
# coreos-installer refuses a disk of which any partition is in use. The wait for the end of the bootstrap is
# inside install-to-disk.sh, so this is the first moment when nothing needs the cache any more, and the last
# when it can go. Whatever is not `install` runs the real program at once and touches nothing.
#
# Needs: bash, coreutils, grep, util-linux, systemctl. Settings, each with a default:
#   EDGEFAB_REAL_INSTALLER, EDGEFAB_CACHE_SCRIPT   the programs
#   EDGEFAB_RELEASE_SECONDS                        how long the disk may stay busy
#   EDGEFAB_RUN, EDGEFAB_PROC, EDGEFAB_SYS         folders, for tests
#
# Exit status: that of coreos-installer; 1 when the disk stays in use (install-to-disk.service tries again).
set -euo pipefail

real=${EDGEFAB_REAL_INSTALLER:-/usr/bin/coreos-installer}
cache_script=${EDGEFAB_CACHE_SCRIPT:-/usr/local/bin/edgefab-cache.sh}
seconds=${EDGEFAB_RELEASE_SECONDS:-120}
run=${EDGEFAB_RUN:-/run/edgefab}
proc=${EDGEFAB_PROC:-/proc}
sys=${EDGEFAB_SYS:-/sys}

if [[ ${1:-} != install ]]; then
  exec "$real" "$@"
fi
export LC_ALL=C

say() {
  printf 'edgefab: %s\n' "$*" >&2
}

status() {
  printf '%s - %s\n' "$1" "$2" >"$run/release-cache.status.new"
  mv -f "$run/release-cache.status.new" "$run/release-cache.status"
  say "$2"
}

# The disk and its partitions as device files, one a line.
members() {
  local name entry
  name=$(basename "$disk")
  printf '/dev/%s\n' "$name"
  for entry in "$sys/class/block/$name"/*/partition; do
    if [[ -e $entry ]]; then
      printf '/dev/%s\n' "$(basename "$(dirname "$entry")")"
    fi
  done
}

# Opens a device exclusively and reads its signatures; with --no-act wipefs writes nothing.
is_free() {
  wipefs --no-act --all "$1" >/dev/null 2>&1
}

# Names the programs that are in a mount namespace where the device is mounted, shortest list that helps.
mounts_of() {
  local device=$1 numbers pid file
  numbers=$(cat "$sys/class/block/$(basename "$device")/dev" 2>/dev/null || true)
  [[ -n $numbers ]] || return 0
  awk -v numbers="$numbers" -v device="$device" \
    '$3 == numbers { print "  " device " is mounted on " $5 }' "$proc/self/mountinfo" 2>/dev/null || true
  local own
  own=$(readlink "$proc/self/ns/mnt" 2>/dev/null || true)
  for file in "$proc"/[0-9]*/mountinfo; do
    pid=$(basename "$(dirname "$file")")
    if [[ $(readlink "$proc/$pid/ns/mnt" 2>/dev/null || true) != "$own" ]] &&
      awk -v numbers="$numbers" '$3 == numbers { found = 1 } END { exit !found }' "$file" 2>/dev/null; then
      printf '  %s is mounted for process %s (%s), in a mount namespace of its own\n' \
        "$device" "$pid" "$(cat "$proc/$pid/comm" 2>/dev/null || echo ended)"
    fi
  done
}

# Says who holds a device: mounts in any namespace, swap, device mapper and the like, open files.
holders_of() {
  local device=$1 holder link
  mounts_of "$device"
  awk -v device="$device" '$1 == device { print "  " device " is used as swap" }' "$proc/swaps" 2>/dev/null || true
  for holder in "$sys/class/block/$(basename "$device")/holders"/*; do
    if [[ -e $holder ]]; then
      printf '  %s is held by the device %s\n' "$device" "$(basename "$holder")"
    fi
  done
  while read -r link; do
    link=${link#"$proc/"}
    printf '  %s is opened by process %s (%s)\n' \
      "$device" "${link%%/*}" "$(cat "$proc/${link%%/*}/comm" 2>/dev/null || echo ended)"
  done < <(find "$proc"/[0-9]*/fd -lname "$device" 2>/dev/null || true)
}

target=${!#}
mkdir -p "$run"
if [[ $target != /dev/* ]]; then
  say "no disk is named last in: coreos-installer $*: the cache stays as it is"
  exec "$real" "$@"
fi
disk=$(readlink -f "$target")
if ! [[ -b $disk ]]; then
  say "$target is no disk: coreos-installer will say more"
  exec "$real" "$@"
fi

status releasing "giving the cache on $disk back before the disk is written"
# From here on the units do not start again: their drop-in looks for this file. (A run-time mask would lose
# against the unit files in /etc.)
: >"$run/cache.released"
# Without ignore-dependencies systemd would also stop all that once required the registry, this install too.
systemctl stop --job-mode=ignore-dependencies edgefab-registry-v6.service 2>/dev/null || true
systemctl stop --job-mode=ignore-dependencies edgefab-registry.service || say "edgefab-registry.service could not be stopped"
"$cache_script" close || say "$cache_script close failed"
if command -v udevadm >/dev/null; then
  udevadm settle --timeout=30 || say "udev did not settle"
fi

mapfile -t devices < <(members)
for ((waited = 0; ; waited++)); do
  busy=()
  for device in "${devices[@]}"; do
    if [[ -b $device ]] && ! is_free "$device"; then
      busy+=("$device")
    fi
  done
  if ((${#busy[@]} == 0)); then
    break
  fi
  if ((waited >= seconds)); then
    status stopped "$disk is still in use after $seconds s, so the install cannot write to it: ${busy[*]}"
    for device in "${busy[@]}"; do
      who=$(holders_of "$device")
      say "${who:-"  $device is open exclusively, by nobody that can be seen"}"
    done
    say "end what holds the disk; install-to-disk.service tries again by itself"
    exit 1
  fi
  if ((waited % 10 == 0)); then
    say "waiting for ${busy[*]} to be free, up to $seconds s"
  fi
  sleep 1
done

status released "nothing holds $disk any more, the install writes to it now"
exec "$real" "$@"
