#!/bin/bash
# Finds and mounts the edgefab cache disk. Sourced by the scripts that read the cache, never run by itself.
#
# Needs: bash, coreutils, grep, util-linux. Settings come from the environment:
#   EDGEFAB_LABEL         partition label of the cache disk
#   EDGEFAB_CACHE_ID      id the cache must have; empty: any edgefab cache
#   EDGEFAB_RUN           folder for the mount point and the status files
#   EDGEFAB_WAIT_SECONDS  how long to wait for the disk
# Whoever sources this sets `status_file` (one line for humans) and `work` (a folder for logs that exists).

label=${EDGEFAB_LABEL:-edgefab}
cache_id=${EDGEFAB_CACHE_ID:-}
run=${EDGEFAB_RUN:-/run/edgefab}
wait_seconds=${EDGEFAB_WAIT_SECONDS:-120}
mount_point=$run/cache

say() {
  printf 'edgefab: %s\n' "$*"
}

# Gives a status file its new line in one step: whoever reads it never sees half of it.
write_status() {
  printf '%s\n' "$*" >"${status_file:?}.new"
  mv -f "$status_file.new" "$status_file"
}

# Writes a one-line status file and ends.
stop() {
  say "STOPPED: $*"
  write_status "stopped - $*"
  exit 2
}

check_cache_id() {
  [[ $cache_id =~ ^[A-Za-z0-9._:-]*$ ]] || stop "EDGEFAB_CACHE_ID has characters no cache id has"
}

# The options of every cache mount. The label is one that containers may read and nobody may write; it is
# given by the mount because nothing on the disk is ever relabelled.
mount_options() {
  local options=$1,nodev,nosuid,noexec
  if [[ -e ${EDGEFAB_SELINUX:-/sys/fs/selinux}/enforce ]]; then
    options+=,context=system_u:object_r:container_file_t:s0
  fi
  printf '%s' "$options"
}

# Mounts a partition read-only; one that was not unmounted cleanly, or is write-protected, cannot replay its
# log and needs norecovery.
mount_partition() {
  mount -o "$(mount_options ro)" "$1" "$mount_point" 2>"${work:?}/mount.log" ||
    mount -o "$(mount_options ro,norecovery)" "$1" "$mount_point" 2>>"$work/mount.log"
}

# Prints the sector size, in bytes, an XFS was made for: 16 bits, big-endian, 102 bytes after the magic number
# that begins its superblock (XFS disk format, sb_magicnum and sb_sectsize). Nothing for another file system.
made_sector_size() {
  local -a byte
  read -ra byte < <(od -An -v -w104 -tu1 -N104 "$1" 2>/dev/null) || return 0
  [[ ${byte[*]:0:4} == '88 70 83 66' ]] || return 0
  printf '%s' "$((byte[102] * 256 + byte[103]))"
}

disk_sector_size() {
  blockdev --getss "$1" 2>/dev/null || true
}

# Says why a partition could not be mounted.
mount_fault() {
  local made has
  made=$(made_sector_size "$1")
  has=$(disk_sector_size "$1")
  if [[ -n $made && -n $has && $made -lt $has ]]; then
    printf 'it was written on a disk with sectors of %s bytes, this disk or its adapter has %s: copy the cache file by file, or use the first adapter' "$made" "$has"
    return
  fi
  grep -v -e 'dmesg' -e '^[[:space:]]*$' "$work/mount.log" | tail -n 1 || true
}

# Prints the start of the id file of a folder: enough for every field, however large the file is.
id_file_text() {
  head -c 4096 "$1/edgefab-cache.json" 2>/dev/null | tr -d '\0' || true
}

# Prints the id of the cache in a folder; nothing when it holds none.
id_of_cache() {
  [[ -f $1/edgefab-cache.json ]] || return 0
  [[ $(id_file_text "$1") =~ \"cacheId\"[[:space:]]*:[[:space:]]*\"([A-Za-z0-9._:-]+)\" ]] || return 0
  printf '%s' "${BASH_REMATCH[1]}"
}

# Tells whether a folder is the wanted cache: its id file decides, never the label alone.
is_wanted_cache() {
  local id
  id=$(id_of_cache "$1")
  [[ -n $id && (-z $cache_id || $id == "$cache_id") ]]
}

# Says when a cache was written on a disk of other sectors: it works as long as its file system mounts, and
# it is the first thing to know when it does not.
note_sector_size() {
  local has
  [[ $(id_file_text "$mount_point") =~ \"sectorSize\"[[:space:]]*:[[:space:]]*([0-9]+) ]] || return 0
  has=$(disk_sector_size "$1")
  if [[ -n $has && $has != "${BASH_REMATCH[1]}" ]]; then
    say "note: the cache was written on a disk with sectors of ${BASH_REMATCH[1]} bytes, $1 has $has"
  fi
}

# Prints the partitions with the label, one a line. The by-partlabel link hides a twin, lsblk shows both.
labelled_partitions() {
  local name part_label
  lsblk -rnpo NAME,PARTLABEL | while read -r name part_label; do
    if [[ $part_label == "$label" ]]; then
      printf '%s\n' "$name"
    fi
  done | sort -u
}

# Looks once at every labelled partition; sets `found` to those that hold the wanted cache, and `faults` to
# what is wrong with the others.
find_caches() {
  local partition id
  found=()
  faults=
  while read -r partition; do
    if ! mount_partition "$partition"; then
      faults+="; $partition cannot be mounted: $(mount_fault "$partition")"
      continue
    fi
    if is_wanted_cache "$mount_point"; then
      found+=("$partition")
    else
      id=$(id_of_cache "$mount_point")
      faults+="; $partition holds ${id:+the cache }${id:-no cache}"
    fi
    umount "$mount_point"
  done < <(labelled_partitions)
}

# Prints what is wrong with disks whose partition table stands where sectors of another size would put it: an
# adapter that shows other sectors than the one the disk was written with hides every partition. The table's
# header is in the second sector and begins with its signature (UEFI specification, 5.3.2).
foreign_tables() {
  local disk has other
  while read -r disk _; do
    has=$(disk_sector_size "$disk")
    for other in 512 4096; do
      if [[ -n $has && $has != "$other" &&
        $(dd if="$disk" bs=8 skip="$((other / 8))" count=1 2>/dev/null | tr -d '\0') == 'EFI PART' ]]; then
        printf '; %s has partitions for sectors of %s bytes and shows sectors of %s: use the adapter it was written with, or write the disk anew' "$disk" "$other" "$has"
      fi
    done
  done < <(lsblk -dnrpo NAME)
}

# Waits for the disk and leaves it mounted at the mount point; sets `found` to its partition. Stops without a
# disk and with two, and says which unit to start again.
mount_cache_disk() {
  local unit=$1 waited=0
  mkdir -p "$mount_point"
  while :; do
    find_caches
    if ((${#found[@]} > 0 || waited >= wait_seconds)); then
      break
    fi
    if ((waited % 20 == 0)); then
      say "waiting for the cache disk (partition label $label), up to $wait_seconds s$faults"
    fi
    sleep 2
    waited=$((waited + 2))
  done
  if ((${#found[@]} == 0)); then
    faults+=$(foreign_tables)
    stop "no partition labelled $label holds an edgefab cache${cache_id:+ with id $cache_id}$faults: plug in the cache disk, then: systemctl restart $unit"
  fi
  if ((${#found[@]} > 1)); then
    stop "more than one cache disk: ${found[*]}: unplug all but one, then: systemctl restart $unit"
  fi
  mount_partition "${found[0]}" || stop "cannot mount ${found[0]}: $(mount_fault "${found[0]}")"
  note_sector_size "${found[0]}"
  say "using the cache on ${found[0]}"
}
