import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bootstrapTable } from '../../../../src/mirror/resolve/roles/bootstrap-table.ts';
import { osImages } from '../../../../src/mirror/resolve/roles/os-images.ts';
import { payloadRoles } from '../../../../src/mirror/resolve/roles/payload-roles.ts';

const ALWAYS = [
  'cloud-credential-operator',
  'cluster-bootstrap',
  'cluster-config-operator',
  'cluster-etcd-operator',
  'cluster-ingress-operator',
  'cluster-kube-apiserver-operator',
  'cluster-kube-controller-manager-operator',
  'cluster-kube-scheduler-operator',
  'cluster-policy-controller',
  'etcd',
  'hyperkube',
  'machine-config-operator',
  'pod',
];
const PAYLOAD = [
  ...ALWAYS,
  'baremetal-runtimecfg',
  'cli',
  'cluster-node-tuning-operator',
  'console',
  'rhel-coreos',
];

describe('bootstrapTable', () => {
  const tuning = 'cluster-node-tuning-operator';
  const api = 'cluster-config-api';
  const auth = 'cluster-authentication-operator';
  it.each<[string, string[], boolean]>([
    ['4.12.18', [], false],
    ['4.13.1', [tuning], false],
    ['4.14.0-rc.1', [tuning], false],
    ['4.15.0-0.okd-2024-03-10-010116', [tuning, api], false],
    ['4.16.3', [tuning, api], false],
    ['4.18.9', [tuning, api], false],
    ['4.19.0-ec.2', [tuning, api, auth], true],
    ['4.21.0-okd-scos.3', [tuning, api, auth], true],
    ['4.30.1', [tuning, api, auth], true],
    ['5.0.0-okd-scos.ec.0', [tuning, api, auth], true],
  ])('knows %s', (version, more, osInLivePhase) => {
    const table = bootstrapTable(version);
    expect(table?.names.toSorted()).toEqual([...ALWAYS, ...more].sort());
    expect(table?.osInLivePhase).toBe(osInLivePhase);
  });

  it.each(['4.11.50', '3.11.0', 'integration-test-release'])('has no row for %s', (version) => {
    expect(bootstrapTable(version)).toBeUndefined();
  });
});

describe('osImages', () => {
  it.each<[string, string[], string[]]>([
    ['4.12', ['machine-os-content', 'rhel-coreos-8', 'rhel-coreos-8-extensions'], ['rhel-coreos-8']],
    ['4.13 and later', ['machine-os-content', 'rhel-coreos', 'rhel-coreos-extensions'], ['rhel-coreos']],
    ['4.22 with two streams', ['rhel-coreos', 'rhel-coreos-10'], ['rhel-coreos', 'rhel-coreos-10']],
    ['OKD on FCOS', ['fedora-coreos', 'machine-os-content'], ['fedora-coreos']],
    ['OKD SCOS up to 4.15', ['centos-stream-coreos-9'], ['centos-stream-coreos-9']],
    ['OKD SCOS', ['stream-coreos', 'stream-coreos-extensions'], ['stream-coreos']],
    ['before 4.12', ['machine-os-content'], ['machine-os-content']],
    ['no release', ['alpine'], []],
  ])('knows %s', (_name, names, expected) => {
    expect(osImages(names)).toEqual(expected);
  });
});

describe('payloadRoles', () => {
  it('takes the bootstrap set from the ignition when there is one', () => {
    const { basis, components, missing } = payloadRoles({
      names: PAYLOAD,
      bootstrap: [
        { name: 'etcd', use: 'run', askedBy: [{ path: '/usr/local/bin/bootkube.sh', line: 63 }] },
        { name: 'cli', use: 'static-pod' },
        { name: 'keepalived-ipfailover', use: 'name-only' },
        { name: 'baremetal-runtimecfg', use: 'name-only' },
      ],
      version: '4.18.9',
    });
    expect(basis).toBe('ignition');
    expect(missing).toEqual([]);
    expect(components.filter(({ roles }) => roles.includes('bootstrap'))).toEqual([
      { name: 'cli', roles: ['bootstrap', 'release'], requiredBy: ['bootstrap: the ignition'] },
      {
        name: 'etcd',
        roles: ['bootstrap', 'release'],
        requiredBy: ['bootstrap: /usr/local/bin/bootkube.sh:63'],
      },
    ]);
  });

  it('gives every component a role, sorted, and says who needs it after the reboot', () => {
    const { basis, components, missing } = payloadRoles({
      names: PAYLOAD.toReversed(),
      bootstrap: undefined,
      version: '4.14.2',
    });
    expect([basis, missing]).toEqual(['table', []]);
    expect(components.map(({ name }) => name)).toEqual(PAYLOAD.toSorted());
    const by = Object.fromEntries(components.map(({ name, ...rest }) => [name, rest]));
    expect(by).toMatchObject({
      console: { roles: ['release'], requiredBy: [] },
      'rhel-coreos': { roles: ['os'], requiredBy: [expect.stringContaining('rpm-ostree rebase')] },
      'baremetal-runtimecfg': {
        roles: ['release'],
        requiredBy: ['after the reboot: nodeip-configuration.service'],
      },
      'machine-config-operator': {
        roles: ['bootstrap', 'release'],
        requiredBy: [
          'bootstrap: bootkube.service of 4.14',
          'after the reboot: machine-config-daemon-pull.service',
        ],
      },
      pod: { roles: ['bootstrap', 'release'] },
      'cluster-node-tuning-operator': { roles: ['bootstrap', 'release'] },
    });
  });

  it.each([
    ['4.19.1', 'rhel-coreos'],
    ['4.21.0-okd-scos.3', 'stream-coreos'],
  ])('counts the node image among the bootstrap set of %s', (version, os) => {
    const names = [...PAYLOAD.filter((name) => name !== 'rhel-coreos'), os];
    const found = payloadRoles({ names, bootstrap: undefined, version }).components.find(
      ({ name }) => name === os,
    );
    expect(found?.roles).toEqual(['bootstrap', 'os']);
    expect(found?.requiredBy).toHaveLength(2);
  });

  it('names what the ignition needs and the payload does not have', () => {
    const { missing } = payloadRoles({
      names: ['etcd'],
      bootstrap: [
        {
          name: 'cluster-config-api',
          use: 'run',
          askedBy: [{ path: '/usr/local/bin/bootkube.sh', line: 9 }],
        },
      ],
      version: '4.13.1',
    });
    expect(missing.map(({ name }) => name)).toEqual([
      'baremetal-runtimecfg',
      'cluster-config-api',
      'machine-config-operator',
      'pod',
      'rhel-coreos',
    ]);
    expect(missing[1]?.requiredBy).toEqual(['bootstrap: /usr/local/bin/bootkube.sh:9']);
  });

  it('says when neither ignition nor table tells the bootstrap set', () => {
    const { basis, components } = payloadRoles({ names: ['alpine'], bootstrap: undefined, version: 'test' });
    expect([basis, components]).toEqual(['none', [{ name: 'alpine', roles: ['release'], requiredBy: [] }]]);
  });
});

const fixtures = process.env.EDGEFAB_FIXTURES;
describe.skipIf(fixtures === undefined)('the lists of a real 4.13.1 (needs EDGEFAB_FIXTURES)', () => {
  it('holds every bootstrap image of telco-ran-tools but must-gather, and the one its list lacks', async () => {
    const folder = join(fixtures ?? '', 'imageset', '4.13.1');
    const mapping = await readFile(join(folder, 'mapping.txt'), 'utf8');
    const names = new Map<string, string>();
    for (const [, image = '', name = ''] of mapping.matchAll(
      /^(\S+)=openshift\/release:4\.13\.1-x86_64-(\S+)$/gm,
    ))
      names.set(image, name);
    const listed = (await readFile(join(folder, 'ai-images.txt'), 'utf8')).trim().split('\n');
    const theirs = listed.flatMap((image) => names.get(image) ?? []).sort();
    const { components, missing } = payloadRoles({
      names: [...names.values()],
      bootstrap: undefined,
      version: '4.13.1',
    });
    const ours = components.flatMap(({ name, roles }) => (roles.includes('bootstrap') ? [name] : []));
    expect(missing).toEqual([]);
    expect(theirs.filter((name) => !ours.includes(name))).toEqual(['must-gather']);
    expect(ours.filter((name) => !theirs.includes(name))).toEqual(['cluster-node-tuning-operator']);
  });
});
