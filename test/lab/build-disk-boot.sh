#!/usr/bin/env bash
# Makes what an installed disk of the lab boots by, for both firmwares: the stand-in for coreos-installer only copies it.
#   $1  folder to make: gets efi.img for the EFI-SYSTEM partition, boot.img for the disk's first sector and core.img
#       for the BIOS-BOOT partition, which begins at sector 2048
set -euo pipefail
export LC_ALL=C
here=$(dirname "$(realpath "$0")")
out=$1
mkdir -p "$out"
core_sector=2048
# Without a drive GRUB takes the one it was started from, whatever other disks there are.
prefix='(,gpt2)/grub'
modules=(part_gpt fat normal linux configfile echo test)

# A little-endian number in eight bytes.
number() {
  printf '%016x\n' "$1" | fold -w2 | tac | sed 's/^/\\x/' | tr -d '\n'
}

# Writes such a number to a place in a file.
patch() {
  printf '%b' "$(number "$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

grub-mkimage --format=i386-pc --prefix="$prefix" --output="$out/core.img" biosdisk "${modules[@]}"
cp /usr/lib/grub/i386-pc/boot.img "$out/boot.img"
# boot.img reads one sector, and that one the rest: GRUB's boot.h, kernel sector at 0x5c; the last entry of the list in
# the first sector of core.img at 0x1f4.
patch "$out/boot.img" $((0x5c)) $core_sector
patch "$out/core.img" $((0x1f4)) $((core_sector + 1))

grub-mkimage --format=x86_64-efi --prefix="$prefix" --output="$out/bootx64.efi" "${modules[@]}"
truncate --size=64M "$out/efi.img"
mformat -i "$out/efi.img" ::
mmd -i "$out/efi.img" ::/EFI ::/EFI/BOOT ::/grub
# It gets its name when everything else is there: until then no firmware starts it.
mcopy -i "$out/efi.img" "$out/bootx64.efi" ::/EFI/BOOT/BOOTX64.NEW
mcopy -i "$out/efi.img" "$here/disk-grub.cfg" ::/grub/grub.cfg
rm "$out/bootx64.efi"
