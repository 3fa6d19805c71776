#!/bin/bash
# Serves the edgefab cache as a read-only registry on loopback, from a container of its own.
#
#   begin    says that a start has begun, so that nobody takes the end of the last one for its result
#   prepare  checks that the cache is there, loads the registry's image, lays out its settings
#   serve    serves on 127.0.0.1, in the foreground
#   start    prepares, then serves
#   serve6   the same on [::1]: the server takes one address only
#   clean    takes away what ended servers left behind, so that nothing holds the cache
#   clean6   the same for the server on [::1] alone
#
# The image has a store of its own, apart from the machine's: neither crio-wipe nor image garbage collection
# reach it. It is loaded anew at the first start after each boot, and whenever it is not as it was loaded.
# Nothing is ever run from the cache disk. Settings come from /etc/edgefab/registry.env by the unit:
#   EDGEFAB_PORT, EDGEFAB_TOOL_IMAGE, EDGEFAB_TOOL_VIEW
#   EDGEFAB_RUN  folder for the mount point, the status files and the containers' state
#
# Exit status: 0 ended because it was told to; 2 there is nothing to serve, see /run/edgefab/registry.status;
# else the server's, where 1 stands for its 2.
set -euo pipefail
export LC_ALL=C
# shellcheck source-path=SCRIPTDIR source=edgefab-disk.sh
source "$(dirname "${BASH_SOURCE[0]}")/edgefab-disk.sh"

etc=/etc/edgefab
store=/var/lib/edgefab/storage
port=${EDGEFAB_PORT:?is not set; it comes from /etc/edgefab/registry.env}
image=${EDGEFAB_TOOL_IMAGE:?is not set; it comes from /etc/edgefab/registry.env}
view=${EDGEFAB_TOOL_VIEW:?is not set; it comes from /etc/edgefab/registry.env}
selinux=${EDGEFAB_SELINUX:-/sys/fs/selinux}

status_file=$run/registry.status
work=$run/registry.work
run_root=$run/containers
# What the server sees as /etc/edgefab: a copy on tmpfs, which may be relabelled.
settings=$run/registry.d
# "IMAGE PROGRAM SHA256" of the image as it was loaded since the machine started.
stamp=$run/registry.tool

# The programs a distribution image may have; its start script is not one of them.
PROGRAMS=(/usr/bin/distribution /bin/registry /usr/bin/registry)

TOOL_PODMAN=(podman --root "$store" --runroot "$run_root" --tmpdir "$run/libpod" --storage-driver overlay
  --events-backend none)

tool_podman() {
  "${TOOL_PODMAN[@]}" "$@"
}

# Prints "PROGRAM SHA256" of the server inside the loaded image; fails when the store cannot show it.
program_in_image() {
  local root program
  root=$(tool_podman image mount "$image" 2>>"$work/podman.log") || return 1
  for program in "${PROGRAMS[@]}"; do
    if [[ -f $root$program && -x $root$program && ! -L $root$program ]]; then
      printf '%s %s\n' "$program" "$(sha256sum <"$root$program" | cut -d ' ' -f 1)"
      break
    fi
  done
  tool_podman image unmount "$image" >/dev/null 2>&1 || true
}

store_is_sound() {
  [[ -s $stamp ]] || return 1
  tool_podman image exists "$image" >/dev/null 2>&1 || return 1
  [[ $(<"$stamp") == "$image $(program_in_image)" ]]
}

# Removes the store with all that is mounted in it.
empty_store() {
  local target
  rm -f "$stamp"
  if [[ -d $store || -d $run_root ]]; then
    tool_podman rm --all --force >/dev/null 2>&1 || true
  fi
  while read -r target; do
    umount -l "$target" || true
  done < <(findmnt -rno TARGET | grep -F -e "$store/" -e "$run_root/" | sort -r)
  rm -rf "${store:?}" "${run_root:?}" "$run/libpod" || stop "the registry's image store $store cannot be emptied"
  mkdir -p "$store" "$run_root"
  chmod 0700 "$store" "$run_root"
}

load_image() {
  local found
  say "loading the registry image $image"
  empty_store
  # No signature is asked for: the digest was fixed when this machine's config was built, and is checked here.
  if ! skopeo --insecure-policy copy --quiet "dir:$mount_point/$view" \
    "containers-storage:[overlay@$store+$run_root]$image" >"$work/skopeo.log" 2>&1 </dev/null; then
    stop "the registry image cannot be loaded from $view: $(tail -n 1 "$work/skopeo.log" | cut -c 1-400)"
  fi
  found=$(program_in_image) ||
    stop "the registry image was loaded and cannot be opened: $(tail -n 1 "$work/podman.log" | cut -c 1-400)"
  [[ -n $found ]] || stop "the registry image $image has none of: ${PROGRAMS[*]}"
  printf '%s %s\n' "$image" "$found" >"$stamp"
}

# Lays out the server's settings, with a label that containers may read.
lay_out_settings() {
  rm -rf "$settings"
  mkdir -p "$settings/tls"
  chmod 0700 "$settings"
  install -m 0644 "$etc/registry.yml" "$settings/registry.yml"
  install -m 0644 "$etc/tls/registry.crt" "$settings/tls/registry.crt"
  install -m 0600 "$etc/tls/registry.key" "$settings/tls/registry.key"
  if [[ -e $selinux/enforce ]]; then
    chcon -R -t container_file_t -l s0 "$settings" || say "cannot relabel $settings"
  fi
}

begin() {
  write_status "starting - the registry for port $port"
}

prepare() {
  local why file
  begin
  mkdir -p "$work"
  if ! mountpoint -q "$mount_point"; then
    why=$(cat "$run/cache.status" 2>/dev/null || true)
    stop "the cache is not mounted: ${why:-edgefab-cache.service did not run}"
  fi
  [[ -f $mount_point/$view/manifest.json ]] || stop "the cache has no view $view for the registry image"
  [[ -d $mount_point/views/registry/docker/registry/v2 ]] || stop "the cache has no view for a registry"
  for file in registry.yml tls/registry.crt tls/registry.key; do
    [[ -s $etc/$file ]] || stop "the registry's settings are incomplete: $etc/$file is missing"
  done
  lay_out_settings
  store_is_sound || load_image
  rm -rf "$work"
}

# Prints the option that switches confinement off, where the labels would keep the server from its files: a
# copy of the cache that could not be relabelled. A mounted disk and the settings carry the right label.
unconfined_option() {
  local path
  [[ -e $selinux/enforce ]] || return 0
  for path in "$settings/registry.yml" "$mount_point/edgefab-cache.json"; do
    if [[ $(stat -c %C "$path" 2>/dev/null) != *:container_file_t:s0 ]]; then
      say "$path has no label that containers may read: the registry runs unconfined" >&2
      printf '%s' --security-opt=label=disable
      return
    fi
  done
}

# Runs the server; further arguments are options of its container.
serve() {
  local name=$1 program option child status stopping=no
  local -a options=("${@:2}")
  read -r _ program _ <"$stamp"
  option=$(unconfined_option)
  [[ -z $option ]] || options+=("$option")
  # The whole cache is mounted, not only the view: the view's links lead out of it. dac_override lets the
  # server read what another user wrote.
  "${TOOL_PODMAN[@]}" run --rm --replace --name "$name" --pull never --network host --read-only \
    --user 0:0 --cap-drop all --cap-add dac_override --security-opt no-new-privileges "${options[@]}" \
    --no-healthcheck --log-driver none --image-volume ignore \
    --env OTEL_TRACES_EXPORTER=none \
    --mount "type=bind,source=$mount_point,destination=/cache,ro=true" \
    --mount "type=bind,source=$settings,destination=/etc/edgefab,ro=true" \
    --entrypoint "$program" "$image" serve /etc/edgefab/registry.yml </dev/null &
  child=$!
  # The first process of a container cannot die of a signal: told to end, the server exits with 2, as it does when
  # it breaks down. What was asked for is no failure.
  trap 'stopping=yes; kill -TERM "$child" 2>/dev/null || true' TERM INT
  while :; do
    status=0
    wait "$child" || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  if [[ $stopping == yes ]]; then
    exit 0
  fi
  exit "$((status == 2 ? 1 : status))"
}

clean() {
  # Whoever stops the first server alone, leaving dependencies aside, must find the cache free all the same.
  tool_podman rm --force --ignore edgefab-registry edgefab-registry-v6 >/dev/null 2>&1 || true
  # A server that failed may have failed because of its store: the next start loads the image anew.
  if [[ ${SERVICE_RESULT:-success} != success ]]; then
    rm -f "$stamp"
  fi
  if ! grep -qs '^stopped' "$status_file"; then
    write_status "stopped - the registry does not run (${SERVICE_RESULT:-success})"
  fi
}

mkdir -p "$run"
case ${1:-} in
  begin) begin ;;
  prepare) prepare ;;
  serve) serve edgefab-registry ;;
  start)
    prepare
    serve edgefab-registry
    ;;
  serve6)
    if ! grep -qs '^00000000000000000000000000000001 ' /proc/net/if_inet6; then
      say "this machine has no [::1]: the registry is on 127.0.0.1 only"
      exit 0
    fi
    # The first server loads the image for both.
    for ((waited = 0; waited < 300; waited++)); do
      status=
      IFS= read -r status 2>/dev/null <"$status_file" || true
      if [[ -s $stamp || $status != starting* ]]; then
        break
      fi
      sleep 1
    done
    if [[ ! -s $stamp ]] || grep -qs '^stopped' "$status_file"; then
      say "the registry does not run, so neither does its second server"
      exit 2
    fi
    # The server reads the value as YAML, where a bare bracket begins a list.
    serve edgefab-registry-v6 --env "REGISTRY_HTTP_ADDR=\"[::1]:$port\""
    ;;
  clean) clean ;;
  clean6) tool_podman rm --force --ignore edgefab-registry-v6 >/dev/null 2>&1 || true ;;
  *)
    say "usage: edgefab-registry.sh begin|prepare|serve|start|serve6|clean|clean6"
    exit 2
    ;;
esac
