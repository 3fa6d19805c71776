import { describe, expect, test } from 'vitest';
import { createButane } from '../src/butane.ts';
import { hasWasm, NEEDS_WASM } from './engines.ts';

const config = (version: string, rest = {}) => JSON.stringify({ ignition: { version }, ...rest });
const unit = (fields: object) => ({ systemd: { units: [{ name: 'a.service', ...fields }] } });

describe.skipIf(!hasWasm)(`merge${NEEDS_WASM}`, () => {
  const butane = createButane();
  const versions = ['3.0.0', '3.1.0', '3.2.0', '3.3.0', '3.4.0', '3.5.0'];
  const pairs = versions.flatMap((parent) => versions.map((child) => [parent, child] as const));

  test.each(pairs)(
    'a parent %s and a child %s keep the parent version or are refused',
    async (parent, child) => {
      const merging = butane.merge(config(parent), config(child));
      if (child <= parent) {
        expect(JSON.parse((await merging).ignition).ignition.version).toBe(parent);
        return;
      }
      const error = await merging.catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'SPEC_VERSION_RAISED' });
      expect(String(error)).toContain(parent);
      expect(String(error)).toContain(child);
    },
  );

  test('the child wins field by field and the rest of the parent stays', async () => {
    const parent = config('3.2.0', {
      ...unit({ contents: '[Unit]\nDescription=<a&b>' }),
      storage: { files: [{ path: '/p', mode: 420 }] },
    });
    const { ignition } = await butane.merge(parent, config('3.1.0', unit({ enabled: false })));
    expect(ignition).toContain('Description=<a&b>');
    expect(JSON.parse(ignition)).toMatchObject({
      systemd: { units: [{ name: 'a.service', contents: '[Unit]\nDescription=<a&b>', enabled: false }] },
      storage: { files: [{ path: '/p', mode: 420 }] },
    });
  });

  test('a real-sized parent with a thousand files loses none', async () => {
    const files = Array.from({ length: 1000 }, (_, i) => ({
      path: `/f${i}`,
      mode: 420,
      contents: { source: `data:,${i}` },
    }));
    const { ignition } = await butane.merge(
      config('3.2.0', { storage: { files } }),
      config('3.2.0', { storage: { files: [{ path: '/new' }] } }),
    );
    expect(JSON.parse(ignition).storage.files).toMatchObject([...files, { path: '/new' }]);
  });

  test.each([
    [
      'an unknown key of the parent',
      config('3.2.0', { nonsense: 1 }),
      config('3.2.0'),
      'FIELD_LOST',
      '$.nonsense',
    ],
    [
      'a newer field in an older child',
      config('3.4.0'),
      config('3.0.0', { kernelArguments: { shouldExist: ['a'] } }),
      'FIELD_LOST',
      '$.kernelArguments',
    ],
    [
      'a key written twice',
      '{"ignition":{"version":"3.2.0"},"passwd":{},"passwd":{}}',
      config('3.2.0'),
      'FIELD_LOST',
      '$.passwd twice',
    ],
    [
      'a key in another case',
      '{"ignition":{"version":"3.2.0"},"Passwd":{"users":[{"name":"a"}]}}',
      config('3.2.0'),
      'FIELD_LOST',
      '$.Passwd',
    ],
    [
      'an invalid parent',
      config('3.2.0', { storage: { files: [{ path: 'x' }] } }),
      config('3.2.0'),
      'IGNITION_INVALID',
      'the parent',
    ],
    [
      'an invalid child',
      config('3.2.0'),
      config('3.2.0', { storage: { files: [{ path: 'x' }] } }),
      'IGNITION_INVALID',
      'the child',
    ],
    [
      'an experimental parent',
      config('3.6.0-experimental'),
      config('3.2.0'),
      'IGNITION_INVALID',
      '3.0.0 to 3.5.0',
    ],
    ['a parent of spec 2', config('2.2.0'), config('3.2.0'), 'IGNITION_INVALID', 'want 3.0.0'],
    ['an empty child', config('3.2.0'), '', 'IGNITION_INVALID', 'the child'],
    [
      'a merge that is valid in halves only',
      config('3.2.0', { storage: { files: [{ path: '/etc/systemd/system/a.service' }] } }),
      config('3.2.0', unit({ contents: '[Unit]' })),
      'IGNITION_INVALID',
      'the merged config',
    ],
  ])('refuses %s', async (_name, parent, child, code, said) => {
    await expect(butane.merge(parent, child)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(said),
    });
  });
});
