#!/bin/bash
# A test double of openshift-install: the same command line and the same output files, none of its work.
set -euo pipefail

if [[ $* == version ]]; then
  printf '%s %s\nbuilt from commit made-up\n' "$0" "${DOUBLE_VERSION:-4.18.9}"
  printf 'release image %s\n' "${DOUBLE_RELEASE_IMAGE:-quay.io/made-up/release}"
  printf 'release architecture %s\n' "${DOUBLE_ARCH:-amd64}"
  exit 0
fi
if [[ $* == 'coreos print-stream-json' ]]; then
  # The real one leaves a log where it is run.
  echo 'made-up log' >.openshift_install.log
  cat "${DOUBLE_STREAM:?}"
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
echo "override ${OPENSHIFT_INSTALL_RELEASE_IMAGE_OVERRIDE:-none}" >&2
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
