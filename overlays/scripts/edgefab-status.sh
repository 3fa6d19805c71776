#!/bin/bash
# Tells whoever stands before the machine how it is: writes what the parts of edgefab say of themselves in
# /run/edgefab/*.status into the text above the login prompt and the one after it. Run at start and whenever a
# file there changes.
#
# A status file holds one line, "STATE - TEXT" (that of the preload has a line an image). The state `stopped`
# asks for a person.
#
# Needs: bash, coreutils. Settings, from /etc/edgefab/site.env by the unit:
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

# Sets `plain` to a text as one line of plain characters, bounded: programs' messages pass through here to a terminal,
# and agetty reads backslashes as commands. No process is started for it: this runs often, at the busiest time.
make_plain() {
  plain=${1:0:2000}
  plain=${plain//[$'\n\t']/ }
  plain=${plain//\\//}
  plain=${plain//[^ -~]/}
  plain=${plain:0:400}
  plain=${plain%"${plain##*[! ]}"}
}

# Sets `text` to the head of a file; empty where there is none.
read_head() {
  text=
  if [[ -r $1 ]]; then
    IFS= read -r -d '' -n 65536 text 2>/dev/null <"$1" || true
  fi
}

# Sets `plain` to the sum of the preload's status file, one line an image.
sum_up_preload() {
  local line failed=0 total=0
  while IFS= read -r line; do
    case $line in
      'stopped '*)
        make_plain "$line"
        return
        ;;
      'failed '*) failed=$((failed + 1)) ;;&
      ?*) total=$((total + 1)) ;;
    esac
  done <"$1"
  if ((failed > 0)); then
    plain="stopped - $failed of $total images could not be loaded, they come from the network"
  else
    plain="done - all $total images are loaded"
  fi
}

# Sets `report` to the whole text.
render() {
  local file name text plain faults=0 states=' ' given_back=no source=none
  read_head "$run/drop-cache.status"
  if [[ -e $run/cache.released || $text == 'done '* ]]; then
    given_back=yes
  fi
  make_plain "$site"
  report="edgefab: site $plain, build "
  make_plain "$build"
  if [[ $phase == live ]]; then
    report+="$plain: installing (live system)"
  else
    report+="$plain: installed node"
  fi
  read_head "$run/cache.source"
  if [[ -n $text ]]; then
    source=${text%% *}
    make_plain "$text"
    report+=$'\n'"  cache: $plain"
  elif [[ $given_back == yes ]]; then
    report+=$'\n'"  cache: given back"
  elif [[ ! -e $etc/edgefab/preload.env ]]; then
    # Images that are loaded into the store need no open cache.
    report+=$'\n'"  cache: none is open"
  fi
  for file in "$run"/*.status; do
    [[ -s $file ]] || continue
    name=${file##*/}
    name=${name%.status}
    # Once the cache was given back its parts rest, and that is no fault.
    if [[ $given_back == yes && ($name == cache || $name == registry) ]]; then
      continue
    fi
    if [[ $name == preload ]]; then
      sum_up_preload "$file"
    else
      read_head "$file"
      make_plain "$text"
    fi
    states+="$name:${plain%% *} "
    text=$plain
    make_plain "$name"
    if [[ $text == 'stopped '* ]]; then
      faults=$((faults + 1))
      report+=$'\n'"! $plain: $text"
    else
      report+=$'\n'"  $plain: $text"
    fi
  done
  next_step "$faults" "$states" "$source"
  report+=$'\n'"  next: $next"
}

# Sets `next` to what is to be done now.
next_step() {
  local faults=$1 states=$2 source=$3
  if ((faults > 0)); then
    next='see to the lines with ! above; more in: journalctl -b -u "edgefab-*"'
  elif [[ $states == *' cache:waiting '* ]]; then
    next='plug in the cache disk: it is looked for again every other second'
  elif [[ $phase == live && -e $stamp ]]; then
    next='nothing: the disk is written and the machine restarts by itself; unplug the boot stick now'
  elif [[ $phase == live ]]; then
    next='nothing: leave boot stick, cache disk, power and network cable plugged in; the machine restarts by itself'
  elif [[ $states == *' keep-cache:copying '* || $states == *' drop-cache:waiting '* ]]; then
    next='nothing: leave the cache disk plugged in until this line says otherwise'
  elif [[ $states == *' keep-cache:done '* || $states == *' drop-cache:done '* || $source == node ]]; then
    next='nothing: a cache disk may be unplugged'
  else
    next='nothing: leave the cache disk plugged in'
  fi
}

# Replaces a file only when the text is new, whole or not at all.
publish() {
  local text
  read_head "$1"
  if [[ -f $1 && $text == "$2"$'\n' ]]; then
    return 1
  fi
  [[ -d ${1%/*} ]] || mkdir -p "${1%/*}"
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

changed=no
# Once more where something changed meanwhile: systemd tells a running unit of no change.
for _ in 1 2 3; do
  render
  again=no
  publish "$etc/motd.d/60-edgefab" "$report" && again=yes
  publish "$etc/issue.d/60-edgefab.issue" "$report" && again=yes
  if [[ $again == no ]]; then
    break
  fi
  changed=yes
done
if [[ $changed == yes ]] && command -v agetty >/dev/null; then
  agetty --reload 2>/dev/null || true
fi
