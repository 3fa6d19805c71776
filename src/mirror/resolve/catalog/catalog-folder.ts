import { catalogFault } from './catalog-fault.ts';

/** The label of an index image that names the folder of its catalog. */
export const CATALOG_LABEL = 'operators.operatorframework.io.index.configs.v1';
const DATABASE = 'operators.operatorframework.io.index.database.v1';

function labelsOf(config: Uint8Array, where: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(config));
  } catch (cause) {
    throw catalogFault(where, 'its image config is not JSON', {}, cause);
  }
  const body = typeof json === 'object' && json !== null && 'config' in json ? json.config : undefined;
  const labels = typeof body === 'object' && body !== null && 'Labels' in body ? body.Labels : undefined;
  return typeof labels === 'object' && labels !== null ? (labels as Readonly<Record<string, unknown>>) : {};
}

/**
 * Finds the folder of the catalog, as path parts, in the image config (OCI image-spec config.md, `config.Labels`).
 * Throws CATALOG_INVALID when the image has no such label: it is not a file-based catalog.
 */
export function catalogFolder(config: Uint8Array, where: string): readonly string[] {
  const labels = labelsOf(config, where);
  const label = labels[CATALOG_LABEL];
  if (typeof label !== 'string' || label === '') {
    const why =
      labels[DATABASE] === undefined
        ? 'it is no operator catalog'
        : 'it is an old SQLite catalog; take the file-based one of OpenShift 4.11 or later';
    throw catalogFault(where, `its image config has no label ${CATALOG_LABEL}: ${why}`, {
      field: `config.Labels`,
    });
  }
  const parts = label.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..'))
    throw catalogFault(where, `label ${CATALOG_LABEL} is "${label}", want a folder such as /configs`, {
      field: 'config.Labels',
    });
  return parts;
}
