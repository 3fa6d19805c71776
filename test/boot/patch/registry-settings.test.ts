import { describe, expect, test } from 'vitest';
import {
  checkRegistryPort,
  checkRegistrySettings,
  type RegistrySettings,
  renderRegistryEnvironment,
} from '../../../src/boot/patch/registry-settings.ts';

const HEX = 'a'.repeat(64);
const SETTINGS: RegistrySettings = {
  port: 22626,
  cacheLabel: 'edgefab',
  cacheId: 'cache-1',
  tool: { reference: `docker.io/library/registry@sha256:${HEX}`, view: 'views/dir/docker.io/registry' },
  releaseImage: `quay.io/openshift-release-dev/ocp-release@sha256:${HEX}`,
  keepOnNode: true,
  buildTime: new Date('2026-11-21T10:00:00Z'),
};

describe('the settings of the registry on the machine', () => {
  test('are one plain line each', () => {
    checkRegistrySettings(SETTINGS);
    expect(renderRegistryEnvironment(SETTINGS).trimEnd().split('\n')).toEqual([
      'EDGEFAB_PORT=22626',
      'EDGEFAB_LABEL=edgefab',
      'EDGEFAB_CACHE_ID=cache-1',
      `EDGEFAB_TOOL_IMAGE=docker.io/library/registry@sha256:${HEX}`,
      'EDGEFAB_TOOL_VIEW=views/dir/docker.io/registry',
      `EDGEFAB_RELEASE_IMAGE=quay.io/openshift-release-dev/ocp-release@sha256:${HEX}`,
      'EDGEFAB_KEEP_ON_NODE=yes',
      'EDGEFAB_BUILD_TIME=1795255200',
    ]);
  });

  test.each([
    ['a label with a space', { cacheLabel: 'a b' }],
    ['a cache id with a quote', { cacheId: "x'" }],
    ['a registry image by tag', { tool: { ...SETTINGS.tool, reference: 'docker.io/library/registry:2' } }],
    ['a view that leaves the cache', { tool: { ...SETTINGS.tool, view: 'views/../../etc' } }],
    ['a release image by tag', { releaseImage: 'quay.io/x/y:4.18' }],
  ])('refuse %s', (_name, change) => {
    expect(() => checkRegistrySettings({ ...SETTINGS, ...change })).toThrow(
      expect.objectContaining({ code: 'USAGE_INVALID' }),
    );
  });

  test.each([
    [80, 'of the system'],
    [6443, 'API server'],
    [9100, 'host services'],
    [10250, 'kubelet'],
    [22624, 'machine config server'],
    [30000, 'NodePorts'],
    [40000, 'outgoing'],
    [65536, '1024 to 65535'],
    [1.5, '1024 to 65535'],
  ])('refuse port %s and say whose it is', (port, whose) => {
    expect(() => checkRegistryPort(port)).toThrow(whose);
  });
});
