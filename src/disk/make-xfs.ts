/**
 * The command that makes an XFS every node can mount, for a device and its options to follow. The kernels of RHCOS 4.12
 * to 4.15 refuse what mkfs.xfs switches on by itself today (large timestamps, inode counters, large extent counters), so
 * each feature is named.
 */
export const MAKE_XFS =
  'mkfs.xfs -m crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=0,inobtcount=0 -i sparse=1,nrext64=0';
