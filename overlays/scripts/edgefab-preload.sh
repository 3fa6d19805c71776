#!/bin/bash
# Loads container images from the edgefab cache disk into this machine's image store.
#
# Runs in the live system (before the release image is wanted) and on the installed node (before anything
# pulls). It can be run again at any time: images that are there are skipped, and when all are there the
# disk is not even looked for. See the result in /run/edgefab/preload.status and in the journal.
#
# Needs: bash, coreutils, grep, util-linux, skopeo, podman. Settings come from the environment
# (/etc/edgefab/preload.env by the unit), beside those of edgefab-disk.sh:
#   EDGEFAB_PHASE         live or installed: which lines of the list are meant
#   EDGEFAB_LIST          the list: one image a line, "phase reference view"
#   EDGEFAB_CACHE_DIR     a cache that is mounted already: no disk is looked for
#   EDGEFAB_PARALLEL      images loaded at once (each spools its layers to /var/tmp)
#   EDGEFAB_ATTEMPTS, EDGEFAB_RETRY_SECONDS
#
# Exit status: 0 every image is in the store; 1 some are not (the status file names them); 2 nothing could
# be loaded: no list, no disk, or more than one disk.
set -euo pipefail
export LC_ALL=C

# shellcheck source-path=SCRIPTDIR source=edgefab-disk.sh
source "$(dirname "${BASH_SOURCE[0]}")/edgefab-disk.sh"

phase=${EDGEFAB_PHASE:-live}
list=${EDGEFAB_LIST:-/etc/edgefab/images.list}
cache_dir=${EDGEFAB_CACHE_DIR:-}
parallel=${EDGEFAB_PARALLEL:-2}
attempts=${EDGEFAB_ATTEMPTS:-3}
retry_seconds=${EDGEFAB_RETRY_SECONDS:-5}

status_file=$run/preload.status
work=$run/preload.work
mounted=no

leave() {
  if [[ $mounted == yes ]]; then
    # The install writes to a disk only when nothing on it is mounted.
    umount "$mount_point" || say "could not unmount $mount_point"
  fi
  rm -rf "$work"
}

open_cache() {
  if [[ -n $cache_dir ]]; then
    is_wanted_cache "$cache_dir" || stop "$cache_dir holds no edgefab cache${cache_id:+ with id $cache_id}"
    return
  fi
  mount_cache_disk edgefab-preload
  mounted=yes
  cache_dir=$mount_point
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
check_cache_id
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
