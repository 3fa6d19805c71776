#!/bin/bash
# Runs on the installed node: copies the cache from the USB disk to the node's own disk, makes the registry
# serve from the copy, and says then that the disk may be removed. It may be cut off at any point and run
# again: a blob gets its name only when its bytes are right and flushed, edgefab-cache.json comes last, and
# without that file the copy is no cache.
#
# Needs: bash, coreutils, findutils, grep, systemctl. Settings (/etc/edgefab/registry.env by the unit):
#   EDGEFAB_CACHE_ID         id the cache must have; empty: any
#   EDGEFAB_CACHE            the mounted cache
#   EDGEFAB_COPY             the copy
#   EDGEFAB_KEEP_FREE_BYTES  what the copy leaves free; default 40 GiB and a fifth of the file system, since
#                            kubelet throws images away when 85 % are used
#   EDGEFAB_RUN, EDGEFAB_RELABEL (yes, no)   for tests
#
# Exit status: 0 the registry serves from the copy; 1 it does not (the status file says why; the unit tries
# again later).
set -euo pipefail
export LC_ALL=C

cache_id=${EDGEFAB_CACHE_ID:-}
run=${EDGEFAB_RUN:-/run/edgefab}
cache=${EDGEFAB_CACHE:-$run/cache}
copy=${EDGEFAB_COPY:-/var/lib/edgefab/cache}
keep_free=${EDGEFAB_KEEP_FREE_BYTES:-}
relabel=${EDGEFAB_RELABEL:-$([[ -e /sys/fs/selinux/enforce ]] && echo yes || echo no)}

say() {
  printf 'edgefab: %s\n' "$*"
}

status() {
  printf '%s - %s\n' "$1" "$2" >"$run/keep-cache.status.new"
  mv -f "$run/keep-cache.status.new" "$run/keep-cache.status"
}

stop() {
  status stopped "$*: leave the cache disk plugged in; it is tried again later"
  say "the cache is not copied to the node: $*"
  exit 1
}

serves_from_copy() {
  [[ -f $run/cache.source && $(head -c 4096 "$run/cache.source") == *"$copy"* ]]
}

finish() {
  local text="the node serves from its own copy of the cache: the cache disk may be removed"
  status "done" "$text"
  say "$text"
  exit 0
}

mebibytes() {
  printf '%s' "$(($1 / 1048576))"
}

# Copies one blob; its name is the sha256 of its bytes.
copy_blob() {
  local name=$1 part=$copy/tmp/$1.partial got
  got=$(tee "$part" <"$cache/blobs/sha256/$name" | sha256sum) || {
    rm -f "$part"
    stop "blob $name could not be copied (disk error or disk full)"
  }
  if [[ ${got%% *} != "$name" ]]; then
    rm -f "$part"
    stop "blob $name on the cache disk has the digest ${got%% *}: the disk is damaged"
  fi
  sync "$part"
  mv -f "$part" "$copy/blobs/sha256/$name"
}

# The digest of a blob of the copy, from the disk and not from memory where the file system can do that.
read_back() {
  local got
  got=$(dd if="$copy/blobs/sha256/$1" bs=1M iflag=direct status=none 2>/dev/null | sha256sum) ||
    got=$(sha256sum <"$copy/blobs/sha256/$1")
  printf '%s' "${got%% *}"
}

restart_registry() {
  systemctl stop edgefab-registry.service
  systemctl restart edgefab-cache.service &&
    systemctl start edgefab-registry.service &&
    systemctl restart edgefab-registry-ready.service
}

mkdir -p "$run"
if serves_from_copy; then
  finish
fi
[[ -f $cache/edgefab-cache.json ]] || stop "no cache is mounted on $cache"
grep -Eq '"state"[[:space:]]*:[[:space:]]*"complete"' "$cache/edgefab-cache.json" || stop "the cache on the disk is not complete"
if [[ -n $cache_id ]]; then
  [[ $cache_id =~ ^[A-Za-z0-9._:-]+$ ]] || stop "EDGEFAB_CACHE_ID has characters no cache id has"
  # The only pattern characters an id can have match themselves as well.
  grep -Eq "\"cacheId\"[[:space:]]*:[[:space:]]*\"$cache_id\"" "$cache/edgefab-cache.json" || stop "the mounted cache has another id than $cache_id"
fi

if ! cmp -s "$cache/edgefab-cache.json" "$copy/edgefab-cache.json"; then
  status copying "the cache is being copied to the node: leave the cache disk plugged in"
  rm -f "$copy/edgefab-cache.json"
  mkdir -p "$copy/blobs/sha256" "$copy/tmp"
  rm -f "$copy"/tmp/*.partial

  declare -A held=()
  while read -r name size; do
    held[$name]=$size
  done < <(find "$copy/blobs/sha256" -maxdepth 1 -type f -printf '%f %s\n')
  todo=()
  all=()
  bytes=0
  while read -r name size; do
    [[ $name =~ ^[0-9a-f]{64}$ ]] || continue
    all+=("$name")
    if [[ ${held[$name]:-} != "$size" ]]; then
      todo+=("$name")
      bytes=$((bytes + size))
    fi
  done < <(find "$cache/blobs/sha256" -maxdepth 1 -type f -printf '%f %s\n' | sort)
  ((${#all[@]} > 0)) || stop "the cache on the disk holds no blobs"

  read -r size free < <(df -B1 --output=size,avail "$copy" | tail -n 1)
  if [[ -z $keep_free ]]; then
    keep_free=$((size / 5))
    if ((keep_free < 40 * 1073741824)); then
      keep_free=$((40 * 1073741824))
    fi
  fi
  if ((free < bytes + keep_free)); then
    stop "the node's disk has $(mebibytes "$free") MiB free, and the copy needs $(mebibytes "$bytes") MiB beside the $(mebibytes "$keep_free") MiB that stay free"
  fi

  say "copying ${#todo[@]} of ${#all[@]} blobs, $(mebibytes "$bytes") MiB"
  number=0
  for name in "${todo[@]}"; do
    number=$((number + 1))
    if ((number % 20 == 1)); then
      status copying "$number of ${#todo[@]} blobs are being copied to the node: leave the cache disk plugged in"
    fi
    copy_blob "$name"
  done

  number=0
  for name in "${all[@]}"; do
    number=$((number + 1))
    if ((number % 20 == 1)); then
      status copying "$number of ${#all[@]} blobs are being read back from the node's disk: leave the cache disk plugged in"
    fi
    if [[ $(read_back "$name") != "$name" ]]; then
      rm -f "$copy/blobs/sha256/$name"
      stop "blob $name reads back wrong from the node's disk"
    fi
  done

  # The rest is small. -d keeps the links of the views links, relative as they are.
  for entry in views lists oci-layout index.json edgefab.lock; do
    rm -rf "${copy:?}/$entry"
    if [[ -e $cache/$entry ]]; then
      cp -dR --preserve=mode,timestamps "$cache/$entry" "$copy/$entry" || stop "$entry could not be copied"
    fi
  done
  if [[ $relabel == yes ]]; then
    chcon -R -h system_u:object_r:container_file_t:s0 "$copy" || stop "the copy could not be labelled for SELinux"
  fi
  cp "$cache/edgefab-cache.json" "$copy/edgefab-cache.json.new" || stop "edgefab-cache.json could not be copied"
  if [[ $relabel == yes ]]; then
    chcon system_u:object_r:container_file_t:s0 "$copy/edgefab-cache.json.new"
  fi
  sync --file-system "$copy"
  mv -f "$copy/edgefab-cache.json.new" "$copy/edgefab-cache.json"
  sync "$copy"
  say "the copy is complete"
fi

if restart_registry && serves_from_copy; then
  finish
fi
# Back to the disk: a copy that is not served is no cache.
mv -f "$copy/edgefab-cache.json" "$copy/edgefab-cache.json.refused"
restart_registry || say "the registry does not start from the disk either: journalctl -u edgefab-registry"
stop "the registry does not serve from the copy (journalctl -u edgefab-registry)"
