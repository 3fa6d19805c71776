#!/bin/bash
# Tells whoever stands before the machine how it is: writes what the parts of edgefab say of themselves in
# /run/edgefab/*.status into the text above the login prompt and the one after it. Run at start and whenever a
# file there changes.
#
# A status file holds one line, "STATE - TEXT" (that of the preload has a line an image). The state `stopped`
# asks for a person.
#
# Needs: bash, coreutils, grep, sed. Settings, from /etc/edgefab/site.env by the unit:
#   EDGEFAB_SITE, EDGEFAB_BUILD_ID
#   EDGEFAB_PHASE    live or installed
#   EDGEFAB_RUN, EDGEFAB_ETC, EDGEFAB_INSTALL_DONE   for tests
set -euo pipefail
export LC_ALL=C

site=${EDGEFAB_SITE:-unknown}
build=${EDGEFAB_BUILD_ID:-unknown}
phase=${EDGEFAB_PHASE:-live}
run=${EDGEFAB_RUN:-/run/edgefab}
etc=${EDGEFAB_ETC:-/etc}
stamp=${EDGEFAB_INSTALL_DONE:-/opt/openshift/.install-to-disk.done}

# One line of plain characters, bounded: programs' messages pass through here to a terminal, and agetty reads
# backslashes as commands.
plain() {
  head -c 2000 | tr '\n\t\134' '  /' | tr -cd '\40-\176' | cut -c 1-400 | sed 's/ *$//'
}

# Sums up the status file of the preload, one line an image.
preload_line() {
  local failed total
  if grep -q '^stopped ' "$1"; then
    plain <"$1"
    return
  fi
  total=$(grep -c . "$1" || true)
  failed=$(grep -c '^failed ' "$1" || true)
  if ((failed > 0)); then
    printf 'stopped - %s of %s images could not be loaded, they come from the network' "$failed" "$total"
  else
    printf 'done - all %s images are loaded' "$total"
  fi
}

render() {
  local file name line faults=0 states=' ' given_back=no
  if [[ -e $run/cache.released ]] || grep -qs '^done ' "$run/drop-cache.status"; then
    given_back=yes
  fi
  if [[ $phase == live ]]; then
    printf 'edgefab: site %s, build %s: installing (live system)\n' "$(plain <<<"$site")" "$(plain <<<"$build")"
  else
    printf 'edgefab: site %s, build %s: installed node\n' "$(plain <<<"$site")" "$(plain <<<"$build")"
  fi
  if [[ -s $run/cache.source ]]; then
    printf '  cache: %s\n' "$(plain <"$run/cache.source")"
  elif [[ $given_back == yes ]]; then
    printf '  cache: given back\n'
  else
    printf '  cache: none is open\n'
  fi
  for file in "$run"/*.status; do
    [[ -s $file ]] || continue
    name=$(basename "$file" .status)
    # Once the cache was given back its parts rest, and that is no fault.
    if [[ $given_back == yes && ($name == cache || $name == registry) ]]; then
      continue
    fi
    if [[ $name == preload ]]; then
      line=$(preload_line "$file")
    else
      line=$(plain <"$file")
    fi
    states+="$name:${line%% *} "
    if [[ $line == stopped\ * ]]; then
      faults=$((faults + 1))
      printf '! %s: %s\n' "$(plain <<<"$name")" "$line"
    else
      printf '  %s: %s\n' "$(plain <<<"$name")" "$line"
    fi
  done
  printf '  next: %s\n' "$(next_step "$faults" "$states")"
}

next_step() {
  local faults=$1 states=$2
  if ((faults > 0)); then
    printf 'see to the lines with ! above; more in: journalctl -b -u "edgefab-*"'
  elif [[ $phase == live && -e $stamp ]]; then
    printf 'nothing: the disk is written and the machine restarts by itself; unplug the boot stick now'
  elif [[ $phase == live ]]; then
    printf 'nothing: leave boot stick, cache disk, power and network cable plugged in; the machine restarts by itself'
  elif [[ $states == *' keep-cache:copying '* || $states == *' drop-cache:waiting '* ]]; then
    printf 'nothing: leave the cache disk plugged in until this line says otherwise'
  elif [[ $states == *' keep-cache:done '* || $states == *' drop-cache:done '* ]]; then
    printf 'nothing: a cache disk may be unplugged'
  else
    printf 'nothing: leave the cache disk plugged in'
  fi
}

# Replaces a file only when the text is new, whole or not at all.
publish() {
  mkdir -p "$(dirname "$1")"
  if [[ -f $1 ]] && cmp -s - "$1" <<<"$2"; then
    return 1
  fi
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

changed=no
# Once more where something changed meanwhile: systemd tells a running unit of no change.
for _ in 1 2 3; do
  text=$(render)
  again=no
  publish "$etc/motd.d/60-edgefab" "$text" && again=yes
  publish "$etc/issue.d/60-edgefab.issue" "$text" && again=yes
  if [[ $again == no ]]; then
    break
  fi
  changed=yes
done
if [[ $changed == yes ]] && command -v agetty >/dev/null; then
  agetty --reload 2>/dev/null || true
fi
