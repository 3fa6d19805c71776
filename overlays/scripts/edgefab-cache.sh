#!/bin/bash
# Mounts the edgefab cache read-only at /run/edgefab/cache (open), and unmounts it (close).
#
# A complete copy on this machine comes first; then the disk with the label and the cache's id. Which one is in
# use stands in /run/edgefab/cache.source: "node FOLDER" or "disk PARTITION". Can be run again at any time.
# Settings are those of edgefab-disk.sh.
#
# Exit status: 0 done; 1 the cache is in use and stays mounted; 2 no cache, or more than one, see
# /run/edgefab/cache.status.
set -euo pipefail
export LC_ALL=C
# shellcheck source-path=SCRIPTDIR source=edgefab-disk.sh
source "$(dirname "${BASH_SOURCE[0]}")/edgefab-disk.sh"

# Its id file is written last, so it is whole or none.
node_cache=/var/lib/edgefab/cache
status_file=$run/cache.status
source_file=$run/cache.source
work=$run/cache.work

note_source() {
  printf '%s\n' "$*" >"$source_file.new"
  mv -f "$source_file.new" "$source_file"
  write_status "open - $*"
}

# Shows the copy at the mount point. A bind mount takes its options only by a second step.
bind_node_cache() {
  mkdir -p "$mount_point"
  mount --bind "$node_cache" "$mount_point"
  mount -o remount,bind,ro,nodev,nosuid,noexec "$mount_point" ||
    {
      umount "$mount_point"
      stop "cannot mount $node_cache read-only"
    }
}

open_cache() {
  check_cache_id
  if mountpoint -q "$mount_point"; then
    if is_wanted_cache "$mount_point" && [[ -s $source_file ]]; then
      say "the cache is open already: $(<"$source_file")"
      return
    fi
    close_cache
  fi
  if is_wanted_cache "$node_cache"; then
    bind_node_cache
    say "using the copy of the cache on this machine, $node_cache"
    note_source "node $node_cache"
    return
  fi
  write_status "waiting - for a partition labelled $label"
  mount_cache_disk edgefab-cache
  note_source "disk ${found[0]}"
}

close_cache() {
  local attempt
  for ((attempt = 0; attempt < 5; attempt++)); do
    while mountpoint -q "$mount_point" && umount "$mount_point" 2>"$work/umount.log"; do :; done
    if ! mountpoint -q "$mount_point"; then
      rm -f "$source_file"
      write_status "closed - the cache is not mounted"
      return
    fi
    sleep 1
  done
  say "cannot unmount $mount_point: $(tail -n 1 "$work/umount.log")"
  exit 1
}

mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

case ${1:-} in
  open) open_cache ;;
  close) close_cache ;;
  *)
    say "usage: edgefab-cache.sh open|close"
    exit 2
    ;;
esac
