#!/bin/bash
# Copies NetworkManager keyfiles into the real root: those from the embed area or the installer, or else those made of
# ip= arguments. A root that Ignition gave keyfiles of its own gets none, as on CoreOS.
set -euo pipefail
shopt -s nullglob
target=/sysroot/etc/NetworkManager/system-connections
embedded=(/etc/coreos-firstboot-network/*.nmconnection)
generated=()
if grep -Eq '(^| )ip=' /proc/cmdline; then generated=(/run/NetworkManager/system-connections/*.nmconnection); fi
files=("${embedded[@]}")
if ((${#files[@]} == 0)); then files=("${generated[@]}"); fi
own=("$target"/*)
if ((${#own[@]} > 0)); then
  echo "the system has network settings of its own: ${own[*]}"
  files=()
fi
for file in "${files[@]}"; do
  mkdir -p "$target"
  cp "$file" "$target/"
  chmod 0600 "$target/$(basename "$file")"
  echo "handed over $file"
done
# The fifth field of ip= is the host name.
name=$(sed -nE 's/^(.* )?ip=([^: ]*:){4}([A-Za-z0-9.-]+):.*$/\3/p' /proc/cmdline)
if [[ -n $name && ! -s /sysroot/etc/hostname ]]; then echo "$name" >/sysroot/etc/hostname; fi
