#!/bin/bash
# Moves a clock that is earlier than this build to the time of the build: a machine with a dead battery starts
# years back, and then no certificate is valid yet. A clock that is later is left alone.
#
# Settings: EDGEFAB_BUILD_TIME, seconds since 1970; EDGEFAB_RUN. Exit status: 0 the clock is right enough;
# 1 it is too early and could not be set; 2 no build time is known.
set -euo pipefail
export LC_ALL=C

run=${EDGEFAB_RUN:-/run/edgefab}
floor=${EDGEFAB_BUILD_TIME:-}

say() {
  printf 'edgefab: %s\n' "$*"
  printf '%s\n' "$*" >"$run/clock.status.new"
  mv -f "$run/clock.status.new" "$run/clock.status"
}

shown() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}

mkdir -p "$run"
if ! [[ $floor =~ ^[0-9]{1,12}$ ]]; then
  say "failed - EDGEFAB_BUILD_TIME is \"$floor\", want seconds since 1970: the clock is left alone"
  exit 2
fi
now=$(date +%s)
if ((now >= floor)); then
  say "kept - the clock says $(shown "$now"), not before this build ($(shown "$floor"))"
  exit 0
fi
if ! date -u -s "@$floor" >/dev/null; then
  say "failed - the clock says $(shown "$now"), before this build ($(shown "$floor")), and cannot be set: certificates are not valid yet; set the date by hand"
  exit 1
fi
say "set - the clock said $(shown "$now"), before this build: now $(shown "$floor"). Check the machine's battery"
