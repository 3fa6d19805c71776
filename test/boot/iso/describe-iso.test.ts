import { describe, expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { describeIso } from '../../../src/boot/iso/describe-iso.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { DEMO_ISO_ARCHITECTURES, type DemoIsoArchitecture } from '../../../src/factory/demo/boot-files.ts';
import {
  DEMO_ISO_GENERATIONS,
  type DemoIsoGeneration,
  encodeCoreosIso,
} from '../../../src/factory/demo/coreos-iso.ts';
import { isoHost, liveIso } from '../../support/live-iso.ts';

/** What told of each area, as the generations are made. */
const FOUND_BY: Record<DemoIsoGeneration, [ignition: string, kargs: string | undefined]> = {
  'igninfo-json': ['igninfo-json', 'kargs-json'],
  'igninfo-json-plain': ['igninfo-json', 'kargs-json'],
  'kargs-json': ['ignition-img', 'kargs-json'],
  'kargs-json-and-headers': ['ignition-img', 'kargs-json'],
  'system-area': ['ignition-img', 'system-area'],
  'ignition-header': ['ignition-img', undefined],
  'initramfs-tail': ['system-area', undefined],
};

describe.each(DEMO_ISO_ARCHITECTURES)('%s', (architecture: DemoIsoArchitecture) => {
  const generations = DEMO_ISO_GENERATIONS.filter(
    (name) => architecture !== 's390x' || name.startsWith('igninfo'),
  );
  test.each(generations)('%s', async (generation) => {
    const { source } = await liveIso({ architecture, generation, areaBytes: 4096 });
    const shown = await describeIso(source);
    const [ignition, kargs] = FOUND_BY[generation];
    const hasKargs =
      kargs !== undefined && !(architecture === 's390x' && generation === 'igninfo-json-plain');
    expect(shown.architecture).toBe(architecture);
    expect(shown.iso.ignition.foundBy).toBe(ignition);
    expect(shown.iso.ignition.sizeBytes).toBe(4096);
    expect(shown.iso.kargs?.foundBy).toBe(hasKargs ? kargs : undefined);
    expect(shown.iso.kargs?.areas.length ?? 0).toBe(hasKargs ? (architecture === 'x86_64' ? 2 : 1) : 0);
    expect(shown).toMatchObject({ embedded: [], compression: undefined, ignition: undefined });
    expect(shown.kargs?.changes ?? []).toEqual([]);
  });
});

it('knows the file an area is in although only a header told of it', async () => {
  const { source } = await liveIso({ generation: 'initramfs-tail' });
  expect((await inspectIso(source)).ignition.file).toBe('IMAGES/INITRAMF.IMG');
});

it('has no s390x image of a generation that s390x did not have', () => {
  expect(() => encodeCoreosIso({ architecture: 's390x', generation: 'kargs-json' })).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID' }),
  );
});

describe('what is embedded', () => {
  test.each([
    ['{"ignition":{"version":"3.4.0"}}', '3.4.0'],
    ['{"ignition":{}}', undefined],
    ['[]', undefined],
    ['null', undefined],
    ['not JSON', undefined],
  ])('%s', async (config, version) => {
    const { source, target } = await liveIso();
    const networkFiles = [{ name: 'eno1.nmconnection', bytes: Buffer.from('[connection]\n') }];
    const receipt = await buildSiteIso(
      { source, target, ignition: Buffer.from(config), networkFiles, kargs: { append: ['foo=bar'] } },
      isoHost,
    );
    const shown = await describeIso(target);
    expect(shown.ignition).toEqual({ sizeBytes: config.length, version });
    expect(shown.compression).toBe('gzip');
    expect(shown.ignitionFill).toEqual({
      usedBytes: receipt.ignition?.compressedBytes,
      capacityBytes: 262_144,
    });
    expect(shown.embedded).toEqual([
      { path: 'config.ign', sizeBytes: config.length, kind: 'ignition' },
      { path: 'etc/coreos-firstboot-network/eno1.nmconnection', sizeBytes: 13, kind: 'network' },
    ]);
    expect(shown.kargs).toMatchObject({ changes: ['+foo=bar'], capacityBytes: 1139 });
    expect(shown.kargs?.usedBytes).toBe((shown.kargs?.current.length ?? 0) + 1);
  });
});
