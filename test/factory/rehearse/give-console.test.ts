import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GIVE_CONSOLE } from '../../../src/factory/rehearse/follow-install.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const isRoot = process.getuid?.() === 0;

const ENTRY = `title Red Hat Enterprise Linux CoreOS (ostree:0)
version 1
options $ignition_firstboot ignition.platform.id=metal ostree=/ostree/boot.1/rhcos/0 root=UUID=1
linux /ostree/rhcos/vmlinuz
`;

test.skipIf(!isRoot)(
  `an installed system gets a console and a shell${isRoot ? '' : ' (SKIPPED: needs root)'}`,
  () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'loader/entries'), { recursive: true });
    const entry = join(folder, 'loader/entries/ostree-1-rhcos.conf');
    writeFileSync(entry, ENTRY);
    // There is no disk with that label here: what mounts it shows the folder instead.
    writeFileSync(join(folder, 'mount'), `#!/bin/bash\n/bin/mount --bind ${folder} "$2"\n`);
    chmodSync(join(folder, 'mount'), 0o755);
    const world =
      'mount -t tmpfs none /run; mount -t tmpfs none /opt; mkdir /opt/openshift; touch /opt/openshift/.install-to-disk.done';
    execFileSync('unshare', [
      ...['--mount', 'bash', '-c', `${world}; PATH="$1:$PATH"; ${GIVE_CONSOLE}`, 'bash', folder],
    ]);
    const options = 'ostree=/ostree/boot.1/rhcos/0 root=UUID=1';
    expect(readFileSync(entry, 'utf8')).toBe(
      ENTRY.replace(
        options,
        `${options} console=ttyS0,115200n8 systemd.debug_shell=ttyS1 mitigations=off audit=0`,
      ),
    );
  },
);
