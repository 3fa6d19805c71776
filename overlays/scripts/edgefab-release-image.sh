#!/bin/bash
# Stands before the stock release-image-download.sh of releases that pull the release image without looking
# whether it is here: with the image in the store nothing is asked of the network.
set -euo pipefail

release_image=${EDGEFAB_RELEASE_IMAGE:?is not set; it comes from /etc/edgefab/preload.env}
stock=${EDGEFAB_STOCK_DOWNLOAD:-/usr/local/bin/release-image-download.sh}

if podman image exists "$release_image"; then
  printf 'edgefab: the release image is here: %s\n' "$release_image"
  exit 0
fi
printf 'edgefab: the release image is not in the store, pulling it: %s\n' "$release_image"
exec "$stock"
