import type { DeviceSignature, DeviceUse } from './block-device.ts';

/** libblkid's names of what is one of several disks: to erase one harms what the others hold. */
const POOL_MEMBER =
  /(_member|_raid)$|^(bcache|ceph_bluestore|drbd|drbdproxy_datalog|VMFS_volume_member|LVM1_member|stratis|DM_.*)$/;

/** Finds the signatures by which a device, or a partition on it, belongs to a pool: LVM, RAID, ZFS, bcache … */
export function memberUses(signatures: readonly DeviceSignature[], name: string): DeviceUse[] {
  const members = signatures.flatMap(({ type, partition }) =>
    POOL_MEMBER.test(type)
      ? [{ device: partition === undefined ? name : `${name}, partition ${partition}`, of: type }]
      : [],
  );
  // ZFS writes its signature hundreds of times.
  const different = new Map(members.map((member) => [`${member.device} ${member.of}`, member]));
  return [...different.values()].map((member) => ({ kind: 'member', ...member }));
}
