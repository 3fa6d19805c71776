import type { MachineFile } from '../../support/coreos-double.ts';

/** The made-up config has the unit and nobody who starts it; in a real one it comes before everything else. */
export const NODE_IMAGE_FIRST: MachineFile = {
  path: '/etc/systemd/system/release-image.service.d/90-double.conf',
  mode: 0o644,
  bytes: '[Unit]\nRequires=node-image-pull.service\nAfter=node-image-pull.service\n',
};
