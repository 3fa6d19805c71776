import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { holdFile } from '../../src/mirror/store/hold-file.ts';
import { makeFactory } from '../support/made-factory.ts';
import { runEdgefab } from '../support/run-edgefab.ts';

const TOO_MUCH = '16777216';

test('what cannot be rehearsed is refused, with what to do', async () => {
  const { folder: cwd, at } = await makeFactory();
  const rehearse = (...args: readonly string[]) => runEdgefab(['rehearse', 'bip', ...args], { cwd });
  writeFileSync(at('disk.img'), '');
  expect(await rehearse('--disk', at('disk.img'))).toMatchObject({ status: 3 });

  expect(await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).toMatchObject({ status: 0 });
  expect(await runEdgefab(['iso'], { cwd })).toMatchObject({ status: 0 });
  const noDisk = await rehearse('--disk', at('none.img'));
  expect(noDisk.status).toBe(3);
  expect(noDisk.stderr).toContain('none.img is no disk');
  const noMemory = await rehearse('--disk', at('disk.img'), '--memory', TOO_MUCH);
  expect(noMemory.status).toBe(4);
  expect(noMemory.stderr).toContain(`the machine of site bip has ${TOO_MUCH} MiB of memory, and `);

  using held = await holdFile(at('out/bip/.rehearsal.lock'));
  expect(held).toBeDefined();
  const twice = await rehearse('--disk', at('disk.img'));
  expect(twice.status).toBe(4);
  expect(twice.stderr).toContain('SITE_BUSY');
});

test('a machine is described for libvirt without being started', async () => {
  const { folder: cwd, at } = await makeFactory();
  expect(await runEdgefab(['precache', '--insecure', '--quiet'], { cwd })).toMatchObject({ status: 0 });
  expect(await runEdgefab(['iso'], { cwd })).toMatchObject({ status: 0 });
  const printed = await runEdgefab(['rehearse', 'bip', '--disk', 'cache.img', '--print', 'libvirt'], { cwd });
  expect(printed).toMatchObject({ status: 0, stderr: '' });
  expect(printed.stdout).toContain(`<source file='${at('out/bip/bip.iso')}'/>`);
  expect(printed.stdout).toContain(`<source file='${at('cache.img')}'/>`);
});
