import { parseDocument } from 'yaml';
import { fileText } from './file-contents.ts';
import type { Ignition } from './ignition.ts';

const MANIFEST = '/opt/openshift/manifests/cluster-config.yaml';

/** The name of a cluster and the domain it is in: its API is api.NAME.DOMAIN. */
export interface ClusterName {
  readonly clusterName: string;
  readonly domain: string;
}

function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  let current: unknown = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Readonly<Record<string, unknown>>)[key];
  }
  return typeof current === 'string' && current !== '' ? current : undefined;
}

function yamlOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  const document = parseDocument(text, { logLevel: 'silent' });
  return document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 10 });
}

/**
 * Reads which cluster a bootstrap-in-place config is for, from the install-config the installer keeps in a ConfigMap
 * (openshift/installer, pkg/asset/manifests/operators.go). Undefined when it is not there or not readable.
 */
export function clusterNameOf(ignition: Ignition): ClusterName | undefined {
  const config = yamlOf(textIn(yamlOf(fileText(ignition, MANIFEST)), 'data', 'install-config'));
  const clusterName = textIn(config, 'metadata', 'name');
  const domain = textIn(config, 'baseDomain');
  return clusterName === undefined || domain === undefined ? undefined : { clusterName, domain };
}
