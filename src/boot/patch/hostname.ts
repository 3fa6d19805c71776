import { EdgefabError } from '../../errors.ts';
import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileChange, manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import type { Step } from './step.ts';

// RFC 1123 section 2.1, lower case as Kubernetes node names want it (RFC 1123 subdomain).
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Linux keeps 64 characters of a host name (HOST_NAME_MAX). */
const MAX_LENGTH = 64;

/** Makes sure a name can be a machine's host name and a node's name. Throws USAGE_INVALID. */
function checkHostname(hostname: string): string {
  const labels = hostname.split('.');
  const valid = hostname.length <= MAX_LENGTH && labels.every((label) => LABEL.test(label));
  if (valid && labels[0] !== 'localhost') return hostname;
  throw new EdgefabError(
    `host name: got "${hostname.slice(0, 100)}", want up to ${MAX_LENGTH} characters: lower-case letters, digits and -, in labels joined by dots, and not localhost`,
    { code: 'USAGE_INVALID', place: { field: 'hostname' } },
  );
}

/**
 * Plans the host name of both phases. They must be equal: from 4.14 on the bootstrap's etcd carries the live
 * name in its pod and certificates. Throws USAGE_INVALID.
 */
export function hostnameStep(hostname: string): Step {
  const file: NewFile = { path: '/etc/hostname', mode: 0o644, text: `${checkHostname(hostname)}\n` };
  const manifest = machineConfigManifest({ name: '99-edgefab-hostname', files: [file], units: [] });
  return {
    name: 'hostname',
    why: `the machine is called ${hostname} in the live system and after the install`,
    changes: [fileChange(file), manifestChange(manifest)],
  };
}
