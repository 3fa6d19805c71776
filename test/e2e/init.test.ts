import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { loadFactory } from '../../src/factory/load.ts';
import { runEdgefab } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SCHEMA = /^# yaml-language-server: \$schema=(\S+)$/m;

test('init writes a commented factory that editors can check, and that is right as it is', async () => {
  const folder = join(tempFolder(), 'new');
  expect(await runEdgefab(['init', folder])).toMatchObject({ status: 0 });
  for (const [name, title] of [
    ['factory.yaml', /factory\.yaml/],
    ['imageset.yaml', /ImageSetConfiguration/],
  ] as const) {
    const text = readFileSync(join(folder, name), 'utf8');
    const [, schema = ''] = SCHEMA.exec(text) ?? [];
    const found = JSON.parse(readFileSync(join(dirname(join(folder, name)), schema), 'utf8')) as {
      title: string;
    };
    expect(found.title).toMatch(title);
  }
  const file = join(folder, 'factory.yaml');
  const { sites } = await loadFactory(file, { homeDir: '/nonexistent' });
  expect(sites.map(({ name }) => name)).toEqual(['bip']);
  // What is commented out must be right too when somebody takes the mark away.
  const open = readFileSync(file, 'utf8').replace(/^(\s*)# ([a-zA-Z]+: [{[])/gm, '$1$2');
  writeFileSync(file, open);
  const whole = await loadFactory(file, { homeDir: '/nonexistent' });
  expect(whole.sites[0]).toMatchObject({
    ntp: { servers: ['192.168.86.1'] },
    machine: { ramMiB: 32768 },
    kargs: { append: ['console=ttyS0'] },
    overlays: [join(folder, 'overlays/common.bu')],
  });
  expect(whole.signingKey).toBe(join(folder, 'receipt.key'));
});

test('init never replaces a file', async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'imageset.yaml'), 'mine');
  const run = await runEdgefab(['init', folder]);
  expect(run.status).toBe(4);
  expect(run.stderr).toContain('imageset.yaml is there already');
  expect(readFileSync(join(folder, 'imageset.yaml'), 'utf8')).toBe('mine');
  expect(existsSync(join(folder, 'factory.yaml'))).toBe(false);
});
