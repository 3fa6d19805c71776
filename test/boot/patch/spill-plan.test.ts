import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseIgnitionText } from '../../../src/boot/ignition/parse-ignition.ts';
import type { OwnContent } from '../../../src/boot/patch/own-content.ts';
import { planSpill, type SpillPlan } from '../../../src/boot/patch/spill-plan.ts';
import { encodeDataUrl } from '../../../src/formats/data-url.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const TOOL = '/usr/local/bin/tool';
const BYTES = madeUpBytes(5000, 'tool');
const PEM = `-----BEGIN ${'PRIVATE'} KEY-----\n`;
const padded = (text: string): Buffer => Buffer.from(`${text}\n${'# padding\n'.repeat(500)}`);

interface Case {
  readonly path?: string;
  readonly bytes?: Uint8Array;
  readonly entry?: object;
  readonly own?: Partial<OwnContent['files'][number]>;
  readonly units?: readonly object[];
  readonly ownUnits?: readonly string[];
  readonly files?: readonly object[];
  readonly links?: readonly object[];
  readonly unshared?: string;
}

function plan(given: Case): SpillPlan {
  const { path = TOOL, bytes = BYTES, units = [], ownUnits = [] } = given;
  const file = { path, mode: 0o755, contents: { source: encodeDataUrl(bytes) }, ...given.entry };
  const config = {
    ignition: { version: '3.2.0' },
    storage: { files: [file, ...(given.files ?? [])], links: given.links ?? [] },
    systemd: { units: [{ name: 'bootkube.service', contents: '[Service]\nExecStart=/b\n' }, ...units] },
  };
  const own: OwnContent = {
    files: [{ path, kind: 'overlays', from: ['a.bu'], replaces: false, ...given.own }],
    units: ownUnits.map((name) => ({ name, from: ['a.bu'] })),
  };
  return planSpill(parseIgnitionText(JSON.stringify(config), 'x.ign'), own, () => given.unshared);
}

const service = (name: string, text: string): object => ({ name, contents: `[Unit]\n${text}\n` });
const RUNS = `[Service]\nExecStart=${TOOL} --all`;

describe('a file is moved', () => {
  const rows: [string, Case][] = [
    ['a program', {}],
    ['data', { path: '/usr/local/share/maps/world.bin' }],
    ['of a program in /opt', { path: '/opt/vendor/bin/agent' }],
    ['without a mode, which is 0644', { entry: { mode: undefined } }],
    ['owned by root by number', { entry: { user: { id: 0 }, group: { name: 'root' } } }],
    [
      'gzip in the config',
      { entry: { contents: { compression: 'gzip', source: encodeDataUrl(gzipSync(BYTES)) } } },
    ],
    [
      'a manifest of the user',
      { path: '/opt/openshift/openshift/99_edgefab-manifest-x.yaml', own: { kind: 'manifests' } },
    ],
    [
      'a manifest, with an early unit beside it',
      {
        path: '/opt/openshift/manifests/x.yaml',
        units: [service('e.service', 'DefaultDependencies=no')],
        ownUnits: ['e.service'],
      },
    ],
    [
      'that a unit of the same overlay runs',
      { units: [service('u.service', RUNS)], ownUnits: ['u.service'] },
    ],
    [
      'that a timer of the same overlay is for',
      { units: [{ name: 'u.timer', contents: '[Timer]\nOnBootSec=1\n' }], ownUnits: ['u.timer'] },
    ],
    [
      'that a drop-in of an installer unit runs',
      { units: [{ ...service('release-image.service', ''), dropins: [{ name: '5.conf', contents: RUNS }] }] },
    ],
    [
      'whose path begins another that cannot wait',
      {
        units: [
          {
            name: 'sshd.service',
            dropins: [{ name: '5.conf', contents: `[Service]\nExecStartPre=${TOOL}-other` }],
          },
        ],
      },
    ],
    [
      'named in a file that nobody reads early',
      { files: [{ path: '/etc/tool.conf', contents: { source: encodeDataUrl(Buffer.from(TOOL)) } }] },
    ],
    ['with a link in a harmless place', { links: [{ path: '/usr/local/bin/t', target: TOOL }] }],
  ];
  test.each(rows)('%s', (_name, given) => {
    const { candidates, staying } = plan(given);
    expect(staying).toEqual([]);
    expect(candidates).toMatchObject([{ path: given.path ?? TOOL, sizeBytes: 5000, from: ['a.bu'] }]);
    expect(candidates[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a file stays, and it is said why', () => {
  const rows: [string, Case, RegExp][] = [
    [
      'a place that is read early',
      { path: '/etc/tool' },
      /^it lies in none of the places .*\/usr\/local\/bin\/ /,
    ],
    ['/usr itself', { path: '/usr/bin/tool' }, /none of the places/],
    ['keys of the cluster', { path: '/opt/openshift/tls/x' }, /^in \/opt\/openshift\/ only manifests/],
    ['kubeconfigs', { path: '/opt/openshift/auth/x' }, /only manifests/],
    ['units as files', { path: '/usr/local/lib/systemd/system/x.service' }, /while it boots/],
    ['generators', { path: '/usr/local/lib/systemd/system-generators/x' }, /while it boots/],
    ['drop-in folders', { path: '/usr/local/lib/sysctl.d/x.conf' }, /while it boots/],
    ['a path with a space', { path: '/opt/a b' }, /characters, or parts/],
    ['a path with dots', { path: '/opt/../etc/shadow' }, /characters, or parts/],
    ['a path that is one dot', { path: '/opt/./x' }, /characters, or parts/],
    ['another than root owns it', { entry: { user: { name: 'core' } } }, /another owner/],
    ['another group', { entry: { group: { id: 7 } } }, /another owner/],
    ['not for everyone', { entry: { mode: 0o750 } }, /not everyone may read it/],
    ['set-user', { entry: { mode: 0o4755 } }, /set-user/],
    ['appended to', { entry: { append: [{ source: 'data:,x' }] } }, /appended to/],
    ["the installer's own", { own: { replaces: true } }, /replaces a file of the installer/],
    ['not of every site', { unshared: 'beta has none' }, /^beta has none$/],
    ['a private key', { bytes: padded(PEM) }, /may hold a secret/],
    [
      'a private key in base64',
      { bytes: padded(`key: ${Buffer.from(PEM.repeat(3)).toString('base64')}`) },
      /may hold a secret/,
    ],
    [
      'a private key in gzip',
      { bytes: gzipSync(Buffer.concat([Buffer.from(PEM), madeUpBytes(6000, 'x')])) },
      /may hold a secret/,
    ],
    ['a pull secret', { bytes: padded('{"auths": {"quay.io": {"auth": "eDp5"}}}') }, /may hold a secret/],
    [
      'a Secret',
      { path: '/opt/openshift/openshift/s.yaml', bytes: padded('apiVersion: v1\nkind: Secret') },
      /may hold a secret/,
    ],
    ['a name of a secret', { path: '/opt/x/pull-secret' }, /may hold a secret/],
    [
      'xz',
      { bytes: Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), BYTES]) },
      /^it is xz, which cannot be looked into/,
    ],
    ['a key in DER', { bytes: Buffer.concat([Buffer.from([0x30, 0x82, 4, 0xa4]), BYTES]) }, /^it is DER/],
    [
      'an early unit names it',
      { units: [service('e.service', `DefaultDependencies=no\n${RUNS}`)] },
      /^e\.service names it and cannot wait/,
    ],
    [
      'a unit of the system names it',
      { units: [{ name: 'sshd.service', dropins: [{ name: '5.conf', contents: RUNS }] }] },
      /^sshd\.service names it/,
    ],
    [
      'a unit of edgefab names it',
      { units: [service('edgefab-cache.service', RUNS)] },
      /^edgefab-cache\.service names it/,
    ],
    [
      'a socket names it',
      { units: [{ name: 'u.socket', contents: `[Socket]\nExecStartPre=${TOOL}\n` }] },
      /^u\.socket names it/,
    ],
    [
      'an early unit is of the same overlay',
      { units: [service('e.service', 'DefaultDependencies = no')], ownUnits: ['e.service'] },
      /^e\.service of the same overlay/,
    ],
    [
      'a unit before the cache is of the same overlay',
      {
        units: [service('e.service', 'Before=chronyd.service \\\n edgefab-cache.service')],
        ownUnits: ['e.service'],
      },
      /^e\.service of the same overlay/,
    ],
    [
      'a hook names it',
      {
        files: [
          {
            path: '/etc/NetworkManager/dispatcher.d/9',
            contents: { source: encodeDataUrl(Buffer.from(`#!/bin/sh\n${TOOL}\n`)) },
          },
        ],
      },
      /^\/etc\/NetworkManager\/dispatcher\.d\/9 names it/,
    ],
    [
      'a hook is a link to it',
      { links: [{ path: '/etc/NetworkManager/dispatcher.d/9', target: TOOL }] },
      /^the link /,
    ],
    ['a hard link to it', { links: [{ path: '/usr/local/bin/t', target: TOOL, hard: true }] }, /^the link /],
  ];
  test.each(rows)('%s', (_name, given, why) => {
    const { candidates, staying } = plan(given);
    expect(candidates).toEqual([]);
    expect(staying).toMatchObject([{ path: given.path ?? TOOL, why: expect.stringMatching(why) }]);
  });
});

test.each([
  ['is small', { bytes: madeUpBytes(4095, 'x') }],
  ['comes from elsewhere', { entry: { contents: { source: 'http://example.com/x' } } }],
])('what %s is not spoken of', (_name, given: Case) => {
  expect(plan(given)).toEqual({ candidates: [], staying: [] });
});

test('what takes the most of the area comes first, not what is the longest', () => {
  const paths = ['/opt/zeros', '/opt/a', '/opt/b'] as const;
  const bytes = [Buffer.alloc(100_000), madeUpBytes(5000, 'a'), madeUpBytes(6000, 'b')];
  const config = {
    ignition: { version: '3.2.0' },
    storage: {
      files: paths.map((path, index) => ({
        path,
        contents: { source: encodeDataUrl(bytes[index] ?? BYTES) },
      })),
    },
  };
  const own: OwnContent = {
    files: paths.map((path) => ({ path, kind: 'overlays', from: ['a.bu'], replaces: false })),
    units: [],
  };
  const { candidates } = planSpill(parseIgnitionText(JSON.stringify(config), 'x.ign'), own, () => undefined);
  expect(candidates.map(({ path }) => path)).toEqual(['/opt/b', '/opt/a', '/opt/zeros']);
});
