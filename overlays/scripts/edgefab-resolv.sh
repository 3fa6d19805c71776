#!/bin/bash
# Puts the node's own name server first in /etc/resolv.conf and keeps what NetworkManager knows behind it.
#
# NetworkManager leaves /etc/resolv.conf alone (rc-manager=unmanaged) and writes what it knows to a file of its
# own; this is run by its dispatcher at every change, and once before dnsmasq starts. The node's address is
# written and not loopback: pods with the node's resolver, CoreDNS first of all, have a loopback of their own.
#
# Needs: bash, coreutils, awk. Settings, from /etc/edgefab/dns.env:
#   EDGEFAB_NAMESERVER   the node's address
#   EDGEFAB_DNS_ENV, EDGEFAB_NM_RESOLV, EDGEFAB_RESOLV   for tests
#
# As a dispatcher script it gets the interface and the event; other events than those that can change name
# servers are left alone.
set -euo pipefail
export LC_ALL=C

settings=${EDGEFAB_DNS_ENV:-/etc/edgefab/dns.env}
known=${EDGEFAB_NM_RESOLV:-/run/NetworkManager/resolv.conf}
resolv=${EDGEFAB_RESOLV:-/etc/resolv.conf}

case ${2:-up} in
  up | down | dhcp4-change | dhcp6-change | dns-change | connectivity-change | hostname | reapply) ;;
  *) exit 0 ;;
esac

nameserver=
if [[ -r $settings ]]; then
  while IFS='=' read -r key value; do
    if [[ $key == EDGEFAB_NAMESERVER ]]; then
      nameserver=$value
    fi
  done <"$settings"
fi
[[ -n $nameserver ]] || {
  printf 'edgefab: %s names no EDGEFAB_NAMESERVER\n' "$settings" >&2
  exit 1
}

# dnsmasq reads the same file, and ends when its folder is missing.
mkdir -p "$(dirname "$known")"
new=$(mktemp "$resolv.edgefab.XXXXXX")
trap 'rm -f "$new"' EXIT
{
  printf '# Made by edgefab: the node answers for its own cluster, and asks the others for the rest\n'
  printf 'nameserver %s\n' "$nameserver"
  if [[ -r $known ]]; then
    # The resolver reads three name servers; ours is one of them.
    awk -v own="$nameserver" '
      $1 == "nameserver" { if ($2 != own && ++others <= 2) print $1, $2; next }
      $1 == "search" || $1 == "domain" || $1 == "options" { print }
    ' "$known"
  fi
} >"$new"
if ! cmp -s "$new" "$resolv"; then
  chmod 0644 "$new"
  mv -f "$new" "$resolv"
  if command -v restorecon >/dev/null; then
    restorecon "$resolv" || true
  fi
fi
