#!/bin/bash
# Runs on the installed node of a site that does not keep its cache: waits until the install is complete, then
# ends the registry for good and gives the cache's place back.
#
# The install is complete when all of this holds, twice in a row:
#   - /etc/ignition-machine-config-encapsulated.json is gone: the machine-config-daemon has put the release's
#     operating system on the disk and the node was restarted into it;
#   - /etc/kubernetes/bootstrap-secrets is gone: the last thing the bootstrap does on the node, after the
#     ClusterVersion became Available;
#   - kubelet runs, and bootkube does not.
# All of it is seen without asking the API, which may be away.
#
# What is given back: a cache disk may be unplugged. A cache partition on the install disk loses its file system
# signature; its entry in the partition table stays, because changing the table of the disk the node runs from is
# not worth the risk. The blank partition can be handed to LVM Storage.
#
# Needs: bash, coreutils, util-linux, systemctl. Settings (/etc/edgefab/registry.env and site.env by the unit):
#   EDGEFAB_LOCATION, EDGEFAB_LABEL
#   EDGEFAB_POLL_SECONDS   how often to look
#   EDGEFAB_POLLS          how often at most; empty: without end
#   EDGEFAB_ROOT, EDGEFAB_RUN, EDGEFAB_CACHE_SCRIPT   for tests
#
# Exit status: 0 given back; 1 not (the status file says what is left to do); 3 EDGEFAB_POLLS used up.
set -euo pipefail
export LC_ALL=C

location=${EDGEFAB_LOCATION:?is not set; it comes from /etc/edgefab/site.env}
label=${EDGEFAB_LABEL:?is not set; it comes from /etc/edgefab/registry.env}
poll_seconds=${EDGEFAB_POLL_SECONDS:-60}
polls=${EDGEFAB_POLLS:-}
root=${EDGEFAB_ROOT:-}
run=${EDGEFAB_RUN:-/run/edgefab}
cache_script=${EDGEFAB_CACHE_SCRIPT:-/usr/local/bin/edgefab-cache.sh}
stamp=$root/var/lib/edgefab/cache.released

status() {
  printf '%s - %s\n' "$1" "$2" >"$run/drop-cache.status.new"
  mv -f "$run/drop-cache.status.new" "$run/drop-cache.status"
  printf 'edgefab: %s\n' "$2"
}

install_complete() {
  [[ ! -e $root/etc/ignition-machine-config-encapsulated.json && ! -e $root/etc/kubernetes/bootstrap-secrets ]] &&
    systemctl --quiet is-active kubelet.service &&
    ! systemctl --quiet is-active bootkube.service
}

# Keeps, over restarts, that the cache was given back and from which device; `emptied` once that is done. The
# drop-in of registry and cache looks for this file: they do not start again, also after an update of the
# node's configuration.
keep_stamp() {
  mkdir -p "$(dirname "$stamp")"
  printf '%s\n' "$1" >"$stamp.new"
  sync "$stamp.new"
  mv -f "$stamp.new" "$stamp"
}

mkdir -p "$run"
later="images that are not on the node come from the network from now on"
if [[ -e $stamp ]]; then
  device=$(head -c 256 "$stamp")
else
  status waiting "the install is not complete yet: the registry serves, leave the cache where it is"
  seen=0
  for ((n = 0; ; n++)); do
    if install_complete; then
      seen=$((seen + 1))
    else
      seen=0
    fi
    if ((seen >= 2)); then
      break
    fi
    if [[ -n $polls ]] && ((n + 1 >= polls)); then
      exit 3
    fi
    sleep "$poll_seconds"
  done
  device=$(findmnt --noheadings --output SOURCE --mountpoint "$run/cache" | head -n 1 || true)
  keep_stamp "$device"
fi
if [[ $device == emptied ]]; then
  # Whatever is on the partition by now is someone else's.
  status "done" "the install is complete, the registry has ended and the cache partition was emptied; $later"
  exit 0
fi

systemctl stop edgefab-registry.service
"$cache_script" close || true
if findmnt --mountpoint "$run/cache" >/dev/null; then
  status stopped "the install is complete, but the cache is still mounted on $run/cache and could not be let go"
  exit 1
fi
if [[ $location == usb ]]; then
  status "done" "the install is complete and the registry has ended: the cache disk may be removed; $later"
  exit 0
fi

if [[ -z $device || ! -b $device ]]; then
  status "done" "the install is complete and the registry has ended; no cache partition was open, so none was emptied; $later"
  exit 0
fi
found=$(blkid -p -s PART_ENTRY_NAME -o value "$device" 2>/dev/null || true)
if [[ $found != "$label" ]]; then
  status stopped "the registry has ended; $device carries the label \"$found\" and not $label, so it was not emptied"
  exit 1
fi
kind=$(blkid -p -s TYPE -o value "$device" 2>/dev/null || true)
if [[ -n $kind && $kind != xfs ]]; then
  status stopped "the registry has ended; $device holds $kind and no cache, so it was not emptied"
  exit 1
fi
# Without --force wipefs opens the partition exclusively: it fails when anything uses it.
if ! wipefs --all --quiet "$device"; then
  status stopped "the registry has ended, but $device is in use and was not emptied"
  exit 1
fi
keep_stamp emptied
status "done" "the install is complete, the registry has ended and $device is empty; its entry in the partition table stays, the space can be given to LVM Storage; $later"
