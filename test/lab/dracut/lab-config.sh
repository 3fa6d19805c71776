#!/bin/bash
# Gives Ignition the config that came with the boot medium, in an initramfs of its own after the system's.
set -euo pipefail
mkdir -p /usr/lib/ignition
cp /config.ign /usr/lib/ignition/user.ign
