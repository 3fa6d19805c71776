#!/bin/bash
# Loads container images from the edgefab cache disk into this machine's image store.
#
# Runs in the live system (before the release image is wanted) and on the installed node (before anything
# pulls). It can be run again at any time: images that are there are skipped, and when all are there the
# disk is not even looked for. See the result in /run/edgefab/preload.status and in the journal.
#
# Needs: bash, coreutils, grep, util-linux, skopeo, podman. Settings come from the environment
# (/etc/edgefab/preload.env by the unit):
#   EDGEFAB_PHASE         live or installed: which lines of the list are meant
#   EDGEFAB_LABEL         partition label of the cache disk
#   EDGEFAB_CACHE_ID      id the cache must have; empty: any edgefab cache
#   EDGEFAB_LIST          the list: one image a line, "phase reference view"
#   EDGEFAB_RUN           folder for the mount point and the status file
#   EDGEFAB_CACHE_DIR     a cache that is mounted already: no disk is looked for
#   EDGEFAB_WAIT_SECONDS  how long to wait for the disk
#   EDGEFAB_PARALLEL      images loaded at once (each spools its layers to /var/tmp)
#   EDGEFAB_ATTEMPTS, EDGEFAB_RETRY_SECONDS
#
# Exit status: 0 every image is in the store; 1 some are not (the status file names them); 2 nothing could
# be loaded: no list, no disk, or more than one disk.
set -euo pipefail
export LC_ALL=C

phase=${EDGEFAB_PHASE:-live}
label=${EDGEFAB_LABEL:-edgefab}
cache_id=${EDGEFAB_CACHE_ID:-}
list=${EDGEFAB_LIST:-/etc/edgefab/images.list}
run=${EDGEFAB_RUN:-/run/edgefab}
cache_dir=${EDGEFAB_CACHE_DIR:-}
wait_seconds=${EDGEFAB_WAIT_SECONDS:-120}
parallel=${EDGEFAB_PARALLEL:-2}
attempts=${EDGEFAB_ATTEMPTS:-3}
retry_seconds=${EDGEFAB_RETRY_SECONDS:-5}

status_file=$run/preload.status
work=$run/preload.work
mount_point=$run/cache
mounted=no

say() {
  printf 'edgefab: %s\n' "$*"
}

# Writes a one-line status file and ends: for faults that concern no single image.
stop() {
  say "STOPPED: $*"
  printf 'stopped - %s\n' "$*" >"$status_file.new"
  mv -f "$status_file.new" "$status_file"
  exit 2
}

leave() {
  if [[ $mounted == yes ]]; then
    # The install writes to a disk only when nothing on it is mounted.
    umount "$mount_point" || say "could not unmount $mount_point"
  fi
  rm -rf "$work"
}

mount_options() {
  local options=$1,nodev,nosuid
  if [[ -e /sys/fs/selinux/enforce ]]; then
    options+=,context=system_u:object_r:container_file_t:s0
  fi
  printf '%s' "$options"
}

# Mounts a partition read-only; one that was not unmounted cleanly, or is write-protected, cannot replay its
# log and needs norecovery.
mount_partition() {
  mount -o "$(mount_options ro)" "$1" "$mount_point" 2>"$work/mount.log" ||
    mount -o "$(mount_options ro,norecovery)" "$1" "$mount_point" 2>>"$work/mount.log"
}

# Tells whether the mounted folder is the wanted cache: its id file decides, never the label alone.
is_wanted_cache() {
  local id_file=$1/edgefab-cache.json
  [[ -f $id_file ]] || return 1
  grep -Eq '"cacheId"[[:space:]]*:' "$id_file" || return 1
  if [[ -z $cache_id ]]; then
    return 0
  fi
  grep -Eq "\"cacheId\"[[:space:]]*:[[:space:]]*\"$cache_id\"" "$id_file"
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

# Looks once at every labelled partition; sets `found` to those that hold the wanted cache.
find_caches() {
  local partition
  found=()
  while read -r partition; do
    if ! mount_partition "$partition"; then
      say "cannot mount $partition: $(tail -n 1 "$work/mount.log")"
      continue
    fi
    if is_wanted_cache "$mount_point"; then
      found+=("$partition")
    fi
    umount "$mount_point"
  done < <(labelled_partitions)
}

open_cache() {
  if [[ -n $cache_dir ]]; then
    is_wanted_cache "$cache_dir" || stop "$cache_dir holds no edgefab cache${cache_id:+ with id $cache_id}"
    return
  fi
  mkdir -p "$mount_point"
  local waited=0
  while :; do
    find_caches
    if ((${#found[@]} > 0 || waited >= wait_seconds)); then
      break
    fi
    if ((waited % 20 == 0)); then
      say "waiting for the cache disk (partition label $label), up to $wait_seconds s"
    fi
    sleep 2
    waited=$((waited + 2))
  done
  if ((${#found[@]} == 0)); then
    stop "no partition labelled $label holds an edgefab cache${cache_id:+ with id $cache_id}: plug in the cache disk, then: systemctl restart edgefab-preload"
  fi
  if ((${#found[@]} > 1)); then
    stop "more than one cache disk: ${found[*]}: unplug all but one, then: systemctl restart edgefab-preload"
  fi
  mount_partition "${found[0]}" || stop "cannot mount ${found[0]}: $(tail -n 1 "$work/mount.log")"
  mounted=yes
  cache_dir=$mount_point
  say "using the cache on ${found[0]}"
}

# Loads one image and writes "state reference reason" to its own result file. Always returns 0: the result
# file is what counts, and a missing one counts as a failure.
load_image() {
  local number=$1 reference=$2 view=$3
  local attempt log=$work/$number.log reason=
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    if ((attempt > 1)); then
      sleep "$retry_seconds"
    fi
    if ! [[ -f $cache_dir/$view/manifest.json ]]; then
      reason="the cache has no view $view"
    elif ! skopeo copy --quiet "dir:$cache_dir/$view" "containers-storage:$reference" >"$log" 2>&1 </dev/null; then
      reason=$(tail -n 1 "$log" | tr -d '\n' | cut -c 1-400)
    elif ! podman image exists "$reference" >>"$log" 2>&1; then
      reason="skopeo said it was loaded, podman does not find it"
    else
      printf 'loaded %s -\n' "$reference" >"$work/$number.result"
      say "loaded $reference"
      return 0
    fi
    say "attempt $attempt of $attempts failed for $reference: $reason"
  done
  printf 'failed %s %s\n' "$reference" "$reason" >"$work/$number.result"
}

mkdir -p "$run"
rm -rf "$work"
mkdir -p "$work"
trap leave EXIT

[[ $phase == live || $phase == installed ]] || stop "EDGEFAB_PHASE is \"$phase\", want live or installed"
[[ $cache_id =~ ^[A-Za-z0-9._:-]*$ ]] || stop "EDGEFAB_CACHE_ID has characters no cache id has"
[[ -r $list ]] || stop "the image list $list cannot be read"

references=()
views=()
while read -r line_phase reference view rest; do
  [[ -z $line_phase || $line_phase == \#* ]] && continue
  [[ -n $view && -z $rest && $view != /* && $view != *..* ]] || stop "$list has a bad line for ${reference:-$line_phase}"
  if [[ $line_phase == both || $line_phase == "$phase" ]]; then
    references+=("$reference")
    views+=("$view")
  fi
done <"$list"

total=${#references[@]}
todo=()
for ((n = 0; n < total; n++)); do
  if podman image exists "${references[n]}" >/dev/null 2>&1; then
    printf 'present %s -\n' "${references[n]}" >"$work/$n.result"
  else
    todo+=("$n")
  fi
done
say "$total images wanted in the $phase phase, $((total - ${#todo[@]})) are here already"

if ((${#todo[@]} > 0)); then
  open_cache
  running=0
  for n in "${todo[@]}"; do
    if ((running >= parallel)); then
      wait -n || true
      running=$((running - 1))
    fi
    load_image "$n" "${references[n]}" "${views[n]}" &
    running=$((running + 1))
  done
  wait
fi

failed=0
: >"$status_file.new"
for ((n = 0; n < total; n++)); do
  if [[ ! -s $work/$n.result ]]; then
    printf 'failed %s %s\n' "${references[n]}" "the loader of this image ended without a result" >"$work/$n.result"
  fi
  if grep -q '^failed ' "$work/$n.result"; then
    failed=$((failed + 1))
    say "NOT LOADED: ${references[n]}"
  fi
  cat "$work/$n.result" >>"$status_file.new"
done
mv -f "$status_file.new" "$status_file"

if ((failed > 0)); then
  say "$failed of $total images could not be loaded; they will be pulled from the network. See $status_file"
  exit 1
fi
say "all $total images are in the store"
