#!/bin/bash
# A test double of openshift-install: the same command line and the same output files, none of its work.
set -euo pipefail

if [[ $* == version ]]; then
  printf '%s 4.18.9\nbuilt from commit made-up\nrelease image quay.io/made-up/release\n' "$0"
  exit 0
fi
if [[ "$1 $2 $3" != 'create single-node-ignition-config --dir' ]]; then
  echo "level=fatal msg=\"unknown command: $*\"" >&2
  exit 1
fi
dir=$4
config=$(cat "$dir/install-config.yaml")
stat -c 'folder %a' "$dir" >&2
stat -c 'config %a' "$dir/install-config.yaml" >&2
case $config in
  *'name: fails'*)
    # Quoted as Go quotes: the secret is in it, but not letter for letter.
    secret=$(sed -n 's/"/\\"/g; s/^pullSecret: //p' "$dir/install-config.yaml")
    echo "level=error msg=\"pullSecret: Invalid value: $secret\"" >&2
    exit 3
    ;;
  *'name: lazy'*) exit 0 ;;
esac
# The real one consumes its input.
rm "$dir/install-config.yaml"
mkdir -p "$dir/auth"
echo 'made-up kubeconfig' >"$dir/auth/kubeconfig"
printf 'made-up-password' >"$dir/auth/kubeadmin-password"
printf '{"ignition":{"version":"3.2.0"}}' >"$dir/bootstrap-in-place-for-live-iso.ign"
