import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { withFileText } from '../../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../../src/boot/ignition/load-ignition.ts';
import { catalogSourcesStep } from '../../../src/boot/patch/catalog-sources.ts';
import { operatorHubStep } from '../../../src/boot/patch/operator-hub.ts';
import { applyStep, type Step } from '../../../src/boot/patch/step.ts';
import { bipIgnition, FIXTURES } from '../../support/bip-ignition.ts';

const FOLDER = '/opt/openshift/openshift';
const CLUSTER_VERSION = '/opt/openshift/manifests/cvo-overrides.yaml';
const HUB = `${FOLDER}/99_edgefab-operator-hub.yaml`;
const catalog = (name: string, letter = 'a'): string =>
  `registry.example.com/${name}@sha256:${letter.repeat(64)}`;

/** Applies a step once, and makes sure that a second time changes nothing. */
function patch(before: Ignition, step: (ignition: Ignition) => Step) {
  const once = applyStep(before, step(before));
  const twice = applyStep(once.ignition, step(once.ignition));
  expect(twice.report.changes).toEqual([]);
  expect(twice.ignition.text).toBe(once.ignition.text);
  return once;
}

/** A made-up config of a cluster installed with these capabilities. */
function withCapabilities(capabilities: object): Ignition {
  const before = bipIgnition();
  const manifest = parse(fileText(before, CLUSTER_VERSION) ?? '');
  manifest.spec.capabilities = capabilities;
  return withFileText(before, CLUSTER_VERSION, stringify(manifest));
}

const NONE = { baselineCapabilitySet: 'None' };
const OLM_ONLY = { ...NONE, additionalEnabledCapabilities: ['OperatorLifecycleManager'] };

describe('catalog-sources', () => {
  const patchCatalogs = (catalogs: string[], before = bipIgnition(), version = '4.18.9') =>
    patch(before, (ignition) => catalogSourcesStep(ignition, { catalogs, version }));
  const namesOf = (catalogs: string[]): string[] =>
    patchCatalogs(catalogs).report.changes.map(
      (change) => /99_(.*)-catalog-source/.exec(change)?.[1] ?? change,
    );

  test('gives each catalog by digest, and never looks for a newer one', () => {
    const { ignition, report } = patchCatalogs([catalog('redhat/redhat-operator-index')]);
    const path = `${FOLDER}/99_edgefab-redhat-operator-index-catalog-source.yaml`;
    expect(report.changes).toEqual([`manifest ${path}`]);
    expect(fileText(ignition, path)).toBe(`apiVersion: operators.coreos.com/v1alpha1
kind: CatalogSource
metadata:
  name: edgefab-redhat-operator-index
  namespace: openshift-marketplace
spec:
  sourceType: grpc
  image: ${catalog('redhat/redhat-operator-index')}
  displayName: edgefab-redhat-operator-index
  publisher: edgefab
`);
  });

  test('names are what Kubernetes takes, each once, the same in any order', () => {
    const catalogs = [
      catalog('a/index'),
      catalog('b/index'),
      catalog('a/index', 'b'),
      catalog('a/my_own.index'),
      catalog(`a/${'long-'.repeat(20)}index`),
      catalog('a/index'),
    ];
    const names = namesOf(catalogs);
    expect(names).toHaveLength(5);
    expect(new Set(names).size).toBe(5);
    for (const name of names) expect(name).toMatch(/^[a-z](?:[a-z0-9-]{0,48}[a-z0-9])$/);
    expect(names).toContain('edgefab-my-own-index');
    expect(namesOf([...catalogs].reverse())).toEqual(names);
  });

  test('without the marketplace it brings the namespace along', () => {
    const { ignition, report } = patchCatalogs([catalog('a/index')], withCapabilities(OLM_ONLY));
    const path = `${FOLDER}/99_edgefab-marketplace-namespace.yaml`;
    expect(report.changes).toHaveLength(2);
    expect(parse(fileText(ignition, path) ?? '').metadata.name).toBe('openshift-marketplace');
  });

  test('without catalogs it does nothing, and says so', () => {
    const { report } = patchCatalogs([], withCapabilities(NONE));
    expect(report).toMatchObject({ changes: [], skipped: 'the cache has no catalogs' });
  });

  test.each([
    [
      'a cluster without the lifecycle manager',
      withCapabilities(NONE),
      catalog('a/index'),
      '4.18.9',
      'CAPABILITY_DISABLED',
      /without the capability OperatorLifecycleManager/,
    ],
    [
      'an old capability set on a new release',
      withCapabilities({ baselineCapabilitySet: 'v4.11' }),
      catalog('a/index'),
      '4.15.0',
      'CAPABILITY_DISABLED',
      /1 catalogs/,
    ],
    [
      'a catalog by tag',
      bipIgnition(),
      'registry.example.com/a/index:v4.18',
      '4.18.9',
      'USAGE_INVALID',
      /want HOST\/PATH@sha256:HEX/,
    ],
    ['no version', bipIgnition(), catalog('a/index'), 'latest', 'RELEASE_UNKNOWN', /"latest"/],
  ])('refuses %s', (_name, ignition, image, version, code, message) => {
    expect(() => catalogSourcesStep(ignition, { catalogs: [image], version })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ['no capability was optional then', NONE, '4.14.9'],
    ['the set of the line has it', { baselineCapabilitySet: 'v4.15' }, '4.18.9'],
    ['the current set has all', { baselineCapabilitySet: 'vCurrent' }, '4.18.9'],
    ['no set means all', { additionalEnabledCapabilities: ['Console'] }, '4.18.9'],
  ])('takes a cluster where %s', (_name, capabilities, version) => {
    const { report } = patchCatalogs([catalog('a/index')], withCapabilities(capabilities), version);
    expect(report.changes.length).toBeGreaterThan(0);
  });
});

describe('operator-hub', () => {
  const patchHub = (before: Ignition, version = '4.18.9') =>
    patch(before, (ignition) => operatorHubStep(ignition, { version }));
  const override = {
    group: 'config.openshift.io',
    kind: 'OperatorHub',
    name: 'cluster',
    namespace: '',
    unmanaged: true,
  };

  test('turns the default catalogs off, and keeps the version operator from turning them on first', () => {
    const before = bipIgnition();
    const { ignition, report } = patchHub(before);
    expect(report.changes).toEqual([`manifest ${HUB}`, `manifest ${CLUSTER_VERSION}`]);
    expect(fileText(ignition, HUB)).toBe(`apiVersion: config.openshift.io/v1
kind: OperatorHub
metadata:
  name: cluster
spec:
  disableAllDefaultSources: true
`);
    const overrides = (each: Ignition) => parse(fileText(each, CLUSTER_VERSION) ?? '').spec.overrides;
    expect(overrides(ignition)).toEqual([...overrides(before), override]);
  });

  const own = 'apiVersion: config.openshift.io/v1\nkind: OperatorHub\nmetadata:\n  name: cluster\n';
  test.each([
    [
      'an OperatorHub of its own',
      bipIgnition({ extraFiles: [{ path: `${FOLDER}/hub.yaml`, mode: 0o644, text: own }] }),
      `the config has an OperatorHub of its own, ${FOLDER}/hub.yaml`,
    ],
    ['no marketplace', withCapabilities(NONE), 'the cluster is installed without the marketplace'],
  ])('is skipped with %s, and says so', (_name, before, skipped) => {
    expect(patchHub(before).report).toMatchObject({ changes: [], skipped });
  });

  test('refuses a config without the ClusterVersion it knows', () => {
    const before = withFileText(bipIgnition(), CLUSTER_VERSION, 'kind: Other\n');
    expect(() => operatorHubStep(before, { version: '4.18.9' })).toThrow(
      expect.objectContaining({
        code: 'INSTALLER_TEXT_UNKNOWN',
        message: expect.stringMatching(/expected:\n {2}kind: ClusterVersion\nfound:\n {2}kind: Other\n/),
      }),
    );
  });

  describe.skipIf(FIXTURES === undefined)('on real configs (needs EDGEFAB_FIXTURES)', () => {
    test.each(['4.13', '4.18', '4.21'])('bip-%s gets one override more', async (line) => {
      const before = await loadIgnition(join(FIXTURES ?? '', 'ignition', `bip-${line}.ign`));
      const { ignition } = patchHub(before, `${line}.0`);
      const [was, is] = [before, ignition].map((each) => parse(fileText(each, CLUSTER_VERSION) ?? ''));
      expect(is).toEqual({ ...was, spec: { ...was.spec, overrides: [...was.spec.overrides, override] } });
      patch(before, (each) =>
        catalogSourcesStep(each, { catalogs: [catalog('a/index')], version: `${line}.0` }),
      );
    });
  });
});
