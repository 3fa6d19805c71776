import { parseIgnitionText, serializeIgnition } from '../../boot/ignition/parse-ignition.ts';
import { encodeDataUrl } from '../../formats/data-url.ts';
import { DEMO_UNITS, demoScripts } from './bip-scripts.ts';
import type { DemoFile, DemoIgnitionOptions } from './demo-ignition-options.ts';

const NOTE = 'made up by edgefab for demonstrations and tests: it installs nothing';

/**
 * Makes a small config with the structure of what `openshift-install create single-node-ignition-config`
 * writes: same places, same hooks, made-up scripts and no secrets. Returns the JSON's bytes, in one line and
 * escaped as Go does.
 */
export function demoBipIgnition(options: DemoIgnitionOptions): Uint8Array {
  const { clusterName, domain, extraFiles = [] } = options;
  const files: DemoFile[] = [
    { path: '/etc/containers/registries.conf', mode: 0o644, text: '' },
    ...demoScripts(options),
    {
      path: '/opt/openshift/manifests/cluster-config.yaml',
      mode: 0o644,
      text: `# ${NOTE}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cluster-config-v1\n  namespace: kube-system\ndata:\n  install-config: |\n    baseDomain: ${domain}\n    metadata:\n      name: ${clusterName}\n`,
    },
    {
      path: '/opt/openshift/manifests/cvo-overrides.yaml',
      mode: 0o644,
      text: `# ${NOTE}\napiVersion: config.openshift.io/v1\nkind: ClusterVersion\nmetadata:\n  name: version\n  namespace: openshift-cluster-version\nspec:\n  overrides:\n  - group: config.openshift.io\n    kind: Proxy\n    name: cluster\n    namespace: ""\n    unmanaged: true\n`,
    },
    {
      path: '/opt/openshift/bootstrap-in-place/master-update.fcc',
      mode: 0o600,
      text: `# ${NOTE}\nvariant: fcos\nversion: 1.1.0\nignition:\n  config:\n    merge:\n      - local: original-master.ign\n`,
    },
    ...extraFiles,
  ];
  const config = {
    ignition: { version: '3.2.0' },
    passwd: { users: [{ name: 'core' }] },
    storage: {
      files: [
        {
          overwrite: false,
          path: '/etc/motd',
          user: { name: 'root' },
          append: [
            { source: encodeDataUrl(Buffer.from(`This config of ${clusterName}.${domain} is ${NOTE}.\n`)) },
          ],
          mode: 0o644,
        },
        ...files.map(({ path, mode, text }) => ({
          overwrite: true,
          path,
          user: { name: 'root' },
          contents: { source: encodeDataUrl(Buffer.from(text, 'utf8')) },
          mode,
        })),
      ],
    },
    systemd: {
      units: DEMO_UNITS.map(({ name, enabled, contents }) => ({
        contents,
        ...(enabled ? { enabled } : {}),
        name,
      })),
    },
  };
  const text = JSON.stringify(config).replace(
    /[<>&]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  // Parsed back so that a path given twice is refused here and not on the machine.
  return serializeIgnition(parseIgnitionText(text, 'the made-up config'));
}
