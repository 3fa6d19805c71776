#!/bin/bash
# Waits until the registry on loopback really serves: /v2/ and the release image's manifest are fetched over
# TLS, with no other trust than the system's, as everything on this machine will fetch them.
#
# Settings: EDGEFAB_PORT, EDGEFAB_RELEASE_IMAGE, EDGEFAB_READY_SECONDS (how long to try), EDGEFAB_RUN.
# Exit status: 0 it serves; 1 it does not, and /run/edgefab/registry.status says why.
set -euo pipefail
export LC_ALL=C

port=${EDGEFAB_PORT:?is not set; it comes from /etc/edgefab/registry.env}
image=${EDGEFAB_RELEASE_IMAGE:?is not set; it comes from /etc/edgefab/registry.env}
limit=${EDGEFAB_READY_SECONDS:-120}
run=${EDGEFAB_RUN:-/run/edgefab}
status_file=$run/registry.status
work=$run/ready.work

say() {
  printf 'edgefab: %s\n' "$*"
}

write_status() {
  printf '%s\n' "$*" >"$status_file.new"
  mv -f "$status_file.new" "$status_file"
}

base=https://localhost:$port/v2
# The registry names a repository as it is named elsewhere, save that the colon of a port is written __.
host=${image%%/*}
name=${host//:/__}/${image#*/}
name=${name%@*}
digest=${image##*@}
MANIFEST_TYPES='application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json'

# Fetches an address into a file; on failure sets `why` to curl's words and what they mean here.
fetch() {
  local url=$1 into=$2 status=0
  curl --silent --show-error --fail --noproxy '*' --max-time 20 --max-filesize 16777216 \
    --header "Accept: $MANIFEST_TYPES" --output "$into" "$url" 2>"$work/curl.log" || status=$?
  why="$url: $(tr '\n' ' ' <"$work/curl.log" | cut -c 1-300)"
  case $status in
    0) return 0 ;;
    7) why+='(nothing listens on that port)' ;;
    22) why+='(the cache does not hold it)' ;;
    35 | 51 | 58 | 60 | 77) why+="(is the CA in /etc/pki/ca-trust, and is the clock right? it says $(date -u +%Y-%m-%dT%H:%M:%SZ))" ;;
  esac
  return 1
}

serves() {
  fetch "$base/" "$work/answer" || return 1
  fetch "$base/$name/manifests/$digest" "$work/manifest" || return 1
  if [[ sha256:$(sha256sum <"$work/manifest" | cut -d ' ' -f 1) != "$digest" ]]; then
    why="$base/$name/manifests/$digest: the bytes have another digest"
    return 1
  fi
}

# Tells whether anything listens on the port (proc_net(5): address in hexadecimal, state 0A). No program is started for
# it: what would be, every second, is missed by the start of the registry on a slow machine.
listens() {
  local address state hex
  printf -v hex ':%04X' "$port"
  [[ -r /proc/net/tcp ]] || return 0
  while read -r _ address _ state _; do
    if [[ $address == *"$hex" && $state == 0A ]]; then
      return 0
    fi
  done </proc/net/tcp
  return 1
}

mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
why=
while :; do
  status=
  if [[ -e $status_file ]]; then
    IFS= read -r status <"$status_file" || true
  fi
  if [[ $status == stopped* ]]; then
    say "NOT READY: the registry is $status"
    exit 1
  fi
  if { ((SECONDS >= limit)) || listens; } && serves; then
    break
  fi
  if ((SECONDS >= limit)); then
    say "NOT READY: $why"
    write_status "failed - $why"
    exit 1
  fi
  sleep 1
done
write_status "ready - $base/ serves $image"
say "the registry on port $port serves the release image: nothing needs to come from the network"
