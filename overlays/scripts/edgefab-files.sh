#!/bin/bash
# Copies files that belong to this machine's config, and for which the boot stick had no room, from the edgefab cache
# disk to their places. Runs in the live system only, before bootkube and before whoever may use one of them.
#
# Each file is on the disk as files/sha256/SHA256. It is copied beside its place, the copy is hashed, and only a copy
# that is right gets the name. Nothing is ever run from the disk. Can be run again at any time.
#
# Needs: bash, coreutils, grep, util-linux. Settings, beside those of edgefab-disk.sh:
#   EDGEFAB_FILES_LIST     the list: one file a line, "sha256 bytes mode path"
#   EDGEFAB_ATTEMPTS, EDGEFAB_RETRY_SECONDS
#   EDGEFAB_ROOT, EDGEFAB_SELINUX   for tests
#
# Exit status: 0 every file is in its place; 2 some are not, or there is no disk, see /run/edgefab/files.status.
set -euo pipefail
export LC_ALL=C
# shellcheck source-path=SCRIPTDIR source=edgefab-disk.sh
source "$(dirname "${BASH_SOURCE[0]}")/edgefab-disk.sh"

list=${EDGEFAB_FILES_LIST:-/etc/edgefab/files.list}
attempts=${EDGEFAB_ATTEMPTS:-3}
retry_seconds=${EDGEFAB_RETRY_SECONDS:-2}
root=${EDGEFAB_ROOT:-}
selinux=${EDGEFAB_SELINUX:-/sys/fs/selinux}
status_file=$run/files.status
work=$run/files.work
cache=
mounted=no

# What a technician can do. Nothing of the install has begun, so the machine may simply be restarted.
readonly REMEDY='plug in the cache disk this stick was built with, or have edgefab iso --spill write the files to the disk again, then restart this machine'

leave() {
  if [[ $mounted == yes ]]; then
    # The install writes to a disk only when nothing on it is mounted.
    umount "$mount_point" || say "could not unmount $mount_point"
  fi
  rm -rf "$work"
}

# Uses the cache that is mounted already; where none is, mounts one for as long as this takes.
open_cache() {
  if mountpoint -q "$run/cache" && is_wanted_cache "$run/cache"; then
    cache=$run/cache
    return
  fi
  mount_point=$run/files.cache
  write_status "waiting - for a partition labelled $label"
  mount_cache_disk 'edgefab-files.service && systemctl start multi-user.target'
  mounted=yes
  cache=$mount_point
}

# Tells whether a path is one this script writes to: the places edgefab moves files from.
is_allowed() {
  [[ $1 =~ ^(/[A-Za-z0-9._+@:,=~-]+)+$ && ! $1/ =~ /\.\.?/ ]] || return 1
  case $1 in
    /opt/openshift/openshift/* | /opt/openshift/manifests/*) return 0 ;;
    /opt/openshift/*) return 1 ;;
    /usr/local/bin/* | /usr/local/lib/* | /usr/local/libexec/* | /usr/local/share/* | /opt/*) return 0 ;;
    *) return 1 ;;
  esac
}

relabel() {
  if [[ -e $selinux/enforce ]] && command -v restorecon >/dev/null; then
    restorecon "$1" || say "cannot relabel $1"
  fi
}

make_folder() {
  [[ ! -d $1 ]] || return 0
  make_folder "$(dirname "$1")" && mkdir -m 0755 "$1" || return 1
  relabel "$1"
}

# Prints what a file is: "sha256 bytes mode owner:group"; nothing when it is no plain file.
describe_file() {
  [[ -f $1 && ! -L $1 ]] || return 0
  printf '%s %s\n' "$(sha256sum <"$1" | cut -d ' ' -f 1)" "$(stat -c '%s %04a %u:%g' "$1")"
}

# Copies one file; prints why it could not.
place_file() {
  local sum=$1 size=$2 mode=$3 target=$root$4
  local source=$cache/files/sha256/$sum new=$target.edgefab-new got
  if [[ $(describe_file "$target") == "$sum $size $mode 0:0" ]]; then
    relabel "$target" >&2
    return 0
  fi
  if [[ ! -f $source || -L $source ]]; then
    printf 'the cache disk does not have it (files/sha256/%s)' "$sum"
    return 1
  fi
  if [[ -d $target ]]; then
    printf 'there is a folder in its place'
    return 1
  fi
  if ! make_folder "$(dirname "$target")" >&2 || ! rm -f "$new"; then
    printf 'its folder cannot be made'
    return 1
  fi
  # One byte more than wanted is enough to know that there are too many.
  if ! { (umask 077 && head -c "$((size + 1))" "$source" >"$new"); } 2>"$work/copy.log"; then
    printf 'it cannot be copied: %s' "$(tail -n 1 "$work/copy.log" | cut -c 1-300)"
    rm -f "$new"
    return 1
  fi
  got=$(stat -c %s "$new")
  if [[ $got != "$size" ]]; then
    printf 'files/sha256/%s has %s bytes, want %s' "$sum" "$(stat -c %s "$source")" "$size"
    rm -f "$new"
    return 1
  fi
  got=$(sha256sum <"$new" | cut -d ' ' -f 1)
  if [[ $got != "$sum" ]]; then
    printf 'files/sha256/%s has other bytes: their sha256 is %s' "$sum" "$got"
    rm -f "$new"
    return 1
  fi
  relabel "$new" >&2
  chown 0:0 "$new" && chmod "$mode" "$new" && mv -fT "$new" "$target"
}

mkdir -p "$work"
trap leave EXIT

check_cache_id
[[ -r $list ]] || stop "the list of files $list cannot be read"
sums=()
sizes=()
modes=()
paths=()
while read -r sum size mode path rest || [[ -n ${sum:-} ]]; do
  [[ -z $sum || $sum == \#* ]] && continue
  if ! [[ -z $rest && $sum =~ ^[0-9a-f]{64}$ && $size =~ ^[1-9][0-9]{0,9}$ && $mode =~ ^0[0-7]{3}$ ]] ||
    ! is_allowed "$path"; then
    stop "$list has a bad line: $(printf '%s %s %s %s %s' "$sum" "$size" "$mode" "$path" "$rest" | tr -cd '\40-\176' | cut -c 1-300)"
  fi
  sums+=("$sum")
  sizes+=("$size")
  modes+=("$mode")
  paths+=("$path")
done <"$list"

total=${#sums[@]}
say "$total files of this machine's config are to come from the cache disk"
open_cache

failed=0
first=
for ((n = 0; n < total; n++)); do
  placed=no
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    if ((attempt > 1)); then
      sleep "$retry_seconds"
    fi
    # A disk that was read wrong once may be read right the next time.
    if reason=$(place_file "${sums[n]}" "${sizes[n]}" "${modes[n]}" "${paths[n]}"); then
      placed=yes
      break
    fi
    say "${paths[n]}: ${reason:-it cannot be put into its place} (try $attempt of $attempts)"
  done
  if [[ $placed == no ]]; then
    failed=$((failed + 1))
    first=${first:-${paths[n]}: ${reason:-it cannot be put into its place}}
  fi
done

if ((failed > 0)); then
  stop "$failed of $total files could not be fetched from the cache disk, first $first: $REMEDY"
fi
say "all $total files are in their places"
write_status "done - all $total files of this machine's config are in their places"
