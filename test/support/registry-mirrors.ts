import { expect } from 'vitest';
import { parse } from 'yaml';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../src/boot/ignition/parse-ignition.ts';
import { type RegistryMirrorsSettings, registryMirrorsStep } from '../../src/boot/patch/registry-mirrors.ts';
import { applyStep } from '../../src/boot/patch/step.ts';
import type { DemoFile } from '../../src/factory/demo/demo-ignition-options.ts';
import { bipIgnition } from './bip-ignition.ts';
import { registryCa } from './registry-ca.ts';

/** One CA for all tests of a run: making one takes a moment, and nothing in them depends on which it is. */
export const TEST_CA = registryCa();

/** Settings with a mirror for the made-up release and for two repositories more. */
export const MIRROR_SETTINGS: RegistryMirrorsSettings = {
  port: 22626,
  repositories: ['quay.io/made-up/release', 'registry.example.com:5000/ubi8/ubi', 'quay.io/made-up/art'].map(
    (source) => ({ source, mirror: `localhost:22626/${source.replace(':', '_')}` }),
  ),
  tagged: [],
  caPem: TEST_CA.certPem,
  version: '4.18.9',
};

// The files the step touches.
export const REGISTRIES_CONF = '/etc/containers/registries.conf';
export const ICSP = '/opt/openshift/manifests/image-content-source-policy.yaml';
export const IDMS = '/opt/openshift/manifests/image-digest-mirror-set.yaml';
export const ITMS = '/opt/openshift/openshift/99_edgefab-image-tag-mirror-set.yaml';
export const BUNDLE = '/opt/openshift/manifests/user-ca-bundle-config.yaml';
export const TRUST = '/opt/openshift/openshift/99_edgefab-registry-trust.yaml';
export const ANCHOR = '/etc/pki/ca-trust/source/anchors/edgefab-registry-ca.crt';
export const INSTALLER_ANCHOR = '/etc/pki/ca-trust/source/anchors/ca.crt';
export const CERTS_D = '/etc/containers/certs.d/localhost:22626/ca.crt';
export const CA = TEST_CA.certPem;
export const UBI = {
  reference: 'registry.example.com:5000/ubi8/ubi:latest',
  digest: `sha256:${'a'.repeat(64)}`,
};

/** Patches once, and makes sure that a second time changes nothing. */
export function patchMirrors(before: Ignition, change: Partial<RegistryMirrorsSettings> = {}) {
  const settings = { ...MIRROR_SETTINGS, ...change };
  const once = applyStep(before, registryMirrorsStep(before, settings));
  const twice = applyStep(once.ignition, registryMirrorsStep(once.ignition, settings));
  expect(twice.report.changes).toEqual([]);
  expect(twice.ignition.text).toBe(once.ignition.text);
  return once;
}

/** A manifest of a config, parsed. */
export function yamlOf(ignition: Ignition, path: string) {
  return parse(fileText(ignition, path) ?? '');
}

/** A file to put into a made-up config. */
export function file(path: string, text: string, mode = 0o644): DemoFile {
  return { path, mode, text };
}

const indented = (text: string): string => text.replace(/^(?=.)/gm, '    ');

/** What the installer writes from an install-config with mirrors and a trust bundle. */
export function installerMade(kind: 'ICSP' | 'IDMS', bundle: string, sources: readonly string[]): DemoFile[] {
  const items = sources
    .map(
      (source) => `  - mirrors:\n    - localhost:22626/${source.replace(':', '_')}\n    source: ${source}\n`,
    )
    .join('');
  const manifest =
    kind === 'ICSP'
      ? `apiVersion: operator.openshift.io/v1alpha1\nkind: ImageContentSourcePolicy\nmetadata:\n  creationTimestamp: null\n  name: image-policy\nspec:\n  repositoryDigestMirrors:\n${items}`
      : `apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata:\n  creationTimestamp: null\n  name: image-digest-mirror\nspec:\n  imageDigestMirrors:\n${items}status: {}\n`;
  const bundleYaml = `apiVersion: v1\ndata:\n  ca-bundle.crt: |\n${indented(bundle)}kind: ConfigMap\nmetadata:\n  name: user-ca-bundle\n  namespace: openshift-config\n`;
  return [
    file(kind === 'ICSP' ? ICSP : IDMS, manifest),
    file(BUNDLE, bundleYaml),
    file(INSTALLER_ANCHOR, `${bundle}\n`, 0o600),
  ];
}

/** The repositories of the settings. */
export const ALL = MIRROR_SETTINGS.repositories.map(({ source }) => source);

/** The registries.conf the installer writes for them. */
export const TOML = ALL.map(
  (source) =>
    `[[registry]]\nlocation = "${source}"\ninsecure = false\nmirror-by-digest-only = true\n\n[[registry.mirror]]\nlocation = "localhost:22626/${source.replace(':', '_')}"\ninsecure = false\n`,
).join('\n');

/** A made-up config with a registries.conf of its own. */
export function withConf(text: string, extraFiles: DemoFile[], mode = 0o644): Ignition {
  const whole = bipIgnition({ extraFiles: [...extraFiles, file('/conf', text, mode)] }).text;
  const parsed = JSON.parse(whole);
  const { files } = parsed.storage;
  parsed.storage.files = files.filter((each: { path: string }) => each.path !== REGISTRIES_CONF);
  for (const each of parsed.storage.files) if (each.path === '/conf') each.path = REGISTRIES_CONF;
  return parseIgnitionText(JSON.stringify(parsed), 'made-up.ign');
}
