import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { attachAgain } from '../../support/blank-loop.ts';
import {
  type DangerRow,
  ext4,
  mount,
  run,
  STICK_BYTES,
  stick,
  testDangers,
} from '../../support/danger-rows.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const ROWS: readonly DangerRow[] = [
  {
    name: 'a mounted disk',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        mount(device);
      }),
  },
  {
    name: 'a disk mounted read-only',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        mount(device, '-o', 'ro');
      }),
  },
  {
    name: 'a disk of which only a folder is still mounted',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        const whole = tempFolder();
        run('mount', device, whole);
        mkdirSync(join(whole, 'part'));
        mount(join(whole, 'part'), '--bind');
        run('umount', whole);
      }),
  },
  {
    name: 'a disk of which a partition is mounted',
    refused: ['mounted', 'loop'],
    make: () =>
      stick((_, image) => {
        run('sgdisk', '-n', '1:2048:0', image);
        const partition = attachAgain(image, ['-o', '1048576']);
        ext4(partition);
        mount(partition);
      }),
  },
  {
    name: 'a disk that holds the ISO to be written',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        const iso = join(mount(device), 'boot.iso');
        writeFileSync(iso, 'iso');
        return { want: { confirmed: [`${basename(device)}:${STICK_BYTES}`], sources: [iso] } };
      }),
  },
  {
    name: 'a disk that is swap',
    refused: ['swap'],
    make: () =>
      stick((device) => {
        run('mkswap', device);
        run('swapon', device);
        onTestFinished(() => run('swapoff', device));
      }),
  },
  {
    name: 'a disk with another loop device on top',
    refused: ['loop'],
    make: () =>
      stick((device) => {
        attachAgain(device);
      }),
  },
  {
    name: 'one of two loop devices of one file',
    refused: ['loop'],
    make: () =>
      stick((_, image) => {
        attachAgain(image);
      }),
  },
  {
    name: 'the loop device of the ISO itself',
    refused: ['source'],
    make: () => stick((device, image) => ({ want: { confirmed: [device], sources: [image] } })),
  },
  {
    name: 'a disk another program holds',
    refused: ['busy'],
    make: async () => {
      const found = stick(() => undefined);
      // The shell cannot open exclusively; this one mounts it where only it can see it.
      run('mkfs.ext4', '-q', '-F', found.path);
      const folder = tempFolder();
      const script = `mount ${found.path} ${folder} && echo up && exec sleep 60`;
      const child = spawn('unshare', ['-m', 'bash', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      onTestFinished(async () => {
        child.kill();
        await once(child, 'exit');
      });
      await once(child.stdout, 'data');
      return found;
    },
  },
];

testDangers('a device in use', ROWS);
