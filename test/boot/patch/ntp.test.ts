import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { ntpStep } from '../../../src/boot/patch/ntp.ts';
import { applyStep } from '../../../src/boot/patch/step.ts';
import { decodeDataUrl } from '../../../src/formats/data-url.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { HAS_IGNITION_VALIDATE, ignitionValidate } from '../../support/ignition-validate.ts';

const MANIFEST = '/opt/openshift/openshift/99_zz-edgefab-chrony.yaml';
const ntp = (ignition: Ignition, ...servers: string[]) => applyStep(ignition, ntpStep(servers));

interface MachineConfig {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly config: {
      readonly storage: {
        readonly files: readonly {
          readonly path: string;
          readonly mode: number;
          readonly contents: { readonly source: string };
        }[];
      };
    };
  };
}

test('both phases get one configuration', () => {
  const { ignition, report } = ntp(bipIgnition(), '10.0.0.1', 'time.example.com', '2001:db8::1');
  const live = fileText(ignition, '/etc/chrony.conf') ?? '';
  expect(live.split('\n').filter((line) => line.startsWith('server'))).toEqual([
    'server 10.0.0.1 iburst',
    'server time.example.com iburst',
    'server 2001:db8::1 iburst',
  ]);
  expect(live).toMatch(/^local stratum 10$/m);
  const config = parseYaml(fileText(ignition, MANIFEST) ?? '') as MachineConfig;
  const [file] = config.spec.config.storage.files;
  expect(file).toMatchObject({ path: '/etc/chrony.conf', mode: 0o644 });
  expect(Buffer.from(decodeDataUrl(file?.contents.source ?? '').bytes).toString()).toBe(live);
  expect(report.changes).toHaveLength(2);
  // Merged by name, the last one holds.
  const names = ['99-master-chrony', '99-master-generated-registries', '99-worker-ssh', config.metadata.name];
  expect(names.sort().at(-1)).toBe(config.metadata.name);
  if (HAS_IGNITION_VALIDATE) expect(ignitionValidate(ignition.text)).toBe('');
});

test('twice is once, and other servers take the place of the first', () => {
  const once = ntp(bipIgnition(), '10.0.0.1').ignition;
  expect(ntp(once, '10.0.0.1')).toMatchObject({ ignition: { text: once.text }, report: { changes: [] } });
  expect(ntp(ntp(once, '10.0.0.2').ignition, '10.0.0.1').ignition.text).toBe(once.text);
});

test('without a server the machine keeps time by itself', () => {
  const { ignition, report } = ntp(bipIgnition());
  expect(fileText(ignition, '/etc/chrony.conf')).not.toMatch(/^server/m);
  expect(report.why).toContain('its own clock alone');
});

describe('what is no server is refused', () => {
  test.each([
    ['an option', ['10.0.0.1 iburst']],
    ['a line break', ['a.example.com\nallow all']],
    ['a port', ['10.0.0.1:123']],
    ['a mistyped address', ['10.0.0.256']],
    ['a short address', ['10.0.0']],
    ['nothing', ['']],
    ['an underscore', ['a_b.example.com']],
    ['a zone', ['fe80::1%eth0']],
    ['a name too long', [`${'a.'.repeat(130)}com`]],
    ['one twice', ['10.0.0.1', '10.0.0.1']],
    ['too many', Array.from({ length: 17 }, (_, n) => `10.0.0.${n + 1}`)],
  ])('%s', (_name, servers) => {
    expect(() => ntpStep(servers)).toThrow(expect.objectContaining({ code: 'USAGE_INVALID' }));
  });
});
